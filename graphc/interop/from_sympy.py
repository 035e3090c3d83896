"""SymPy's expressions, matrices and nested structures of them as nodes."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import graphc.ops as ops
from graphc.errors import ArgumentError
from graphc.interop.matrix_expressions import MATRIX_HANDLERS, WHOLE, as_size, dims_of
from graphc.ir.dtype import DType, float64, promote
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops.expression import Conversion, class_name


@at_user_line
def from_sympy(expression: Any, places: Mapping[Any, Any] | None = None) -> Any:
    """The node of a SymPy expression; of a matrix, one of its shape; of a list or tuple, the same
    of nodes.

    Args: `expression`, an expression, condition, matrix, array or matrix expression, or a list or
    tuple of them; `places`, nodes or numbers by symbol or name (any expression may stand for a
    symbol, such as x(t)). A symbol that `places` does not have becomes a float64 input of its
    name; if `places` is a dict, that input is entered there, for `gx.compile` and later
    expressions. Nodes of any shapes fit, and are broadcast. SymPy's assumptions are ignored, all
    numbers are real, and x**(p/3) is the real root.

    Raises CompileError for a class of SymPy's that has no graph, which names it and those that
    have.

    >>> import sympy
    >>> from graphc.ops.evaluate import evaluate
    >>> x, y = sympy.symbols("x y")
    >>> inputs = {}
    >>> value = from_sympy(sympy.exp(x) * y**2, inputs)
    >>> float(evaluate(value, {inputs[x]: 0.0, inputs[y]: 3.0}))
    9.0
    """
    known = {} if places is None else places
    if not isinstance(known, Mapping):
        raise ArgumentError(
            f"from_sympy: expected a dict from symbols to nodes, got {type(known).__name__}"
        )
    reader = Reader(known)
    result = reader.read(expression)
    if isinstance(known, MutableMapping):
        known.update(reader.made)
    return result


class Reader:
    """Reads expressions over nodes; symbols without one become inputs, which `made` lists."""

    def __init__(self, places: Mapping[Any, Any]) -> None:
        self.made: dict[Any, Node] = {}
        given = {key: _as_place(key, place) for key, place in places.items()}
        handlers = {"Symbol": self._symbol, "Dummy": self._symbol, **MATRIX_HANDLERS}
        handlers["MatrixSymbol"] = self._matrix_symbol
        handlers["Indexed"] = self._indexed
        self._by_name = {key.name: node for key, node in given.items() if _has_name(key)}
        self._by_name |= {key: node for key, node in given.items() if isinstance(key, str)}
        self._axes: tuple[Any, ...] | None = None
        whole = WHOLE | {"MatrixSymbol", "Indexed"}
        self.conversion = Conversion(given, _float_type(given.values()), handlers, whole)

    def read(self, expression: Any) -> Any:
        """The nodes of an expression or of a structure of them."""
        import sympy

        if isinstance(expression, list | tuple | sympy.Tuple):
            found = [self.read(part) for part in expression]
            return tuple(found) if not isinstance(expression, list) else found
        if isinstance(expression, str):
            raise ArgumentError(
                f"from_sympy: expected a SymPy expression, got the text {expression!r}; "
                f"sympy.sympify makes an expression of a text you trust"
            )
        if isinstance(expression, sympy.MatrixBase | sympy.NDimArray):
            return self._array(sympy.Array(expression), expression.shape)
        try:
            known = sympy.sympify(expression, strict=True)
        except (sympy.SympifyError, TypeError):
            raise ArgumentError(
                f"from_sympy: expected a SymPy expression, matrix, list or tuple; got "
                f"{type(expression).__name__}"
            ) from None
        return self.conversion.node(known, keep=True)

    def _array(self, elements: Any, shape: tuple[int, ...]) -> Node:
        if not shape:
            return self.read(elements[()])  # type: ignore[no-any-return]
        nodes = [self.conversion.node(element, keep=True) for element in elements._array]
        return arranged(nodes, tuple(map(int, shape)))

    def _symbol(self, conversion: Conversion, symbol: Any, arguments: list[Any]) -> Node:
        dummy = type(symbol).__name__ == "Dummy"
        if symbol.name in self._by_name and not dummy:
            return self._by_name[symbol.name]
        made = ops.input(symbol.name, (), float64)
        return self._made(symbol, made)

    def _made(self, symbol: Any, node: Node) -> Node:
        self.made[symbol] = self._by_name[symbol.name] = node
        return node

    def _matrix_symbol(self, conversion: Conversion, symbol: Any, arguments: list[Any]) -> Node:
        if symbol.name in self._by_name:
            return self._by_name[symbol.name]
        return self._made(symbol, ops.input(symbol.name, dims_of(symbol), float64))

    def _indexed(self, conversion: Conversion, expression: Any, arguments: list[Any]) -> Node:
        """x[i] with numbers is an element; with symbols, the same ones everywhere, the array."""
        base = expression.base
        array = self._array_of(base)
        if array.ndim != len(expression.indices):
            raise ArgumentError(
                f"from_sympy: {expression} has {len(expression.indices)} indices, and the node of "
                f"{base} has {array.ndim} axes"
            )
        if all(index.is_Integer for index in expression.indices):
            return array[tuple(map(int, expression.indices))]
        if self._axes not in (None, expression.indices) or not all(
            index.is_Symbol or index.is_symbol for index in expression.indices
        ):
            raise ArgumentError(
                f"from_sympy: expected numbers as indices, or the same index symbols everywhere; "
                f"got {expression}; matrix expressions say what is summed"
            )
        self._axes = expression.indices
        return array

    def _array_of(self, base: Any) -> Node:
        for key in (base, base.label):
            if key in self.conversion.memo:
                return self.conversion.memo[key]  # type: ignore[no-any-return]
        if str(base.label) in self._by_name:
            return self._by_name[str(base.label)]
        if base.shape is None:
            raise ArgumentError(
                f"from_sympy: map {base} to a node, or give IndexedBase a shape; its size is "
                f"not known"
            )
        node = ops.input(str(base.label), tuple(map(as_size, base.shape)), float64)
        self.made[base] = self._by_name[str(base.label)] = node
        return node


def arranged(nodes: list[Node], shape: tuple[int, ...]) -> Node:
    """Nodes that broadcast, as the elements of an array of `shape` on the last axes."""
    if not nodes:
        return ops.zeros(shape, float64)
    level = list(ops.broadcast_arrays(*nodes))
    first = level[0].ndim
    for length in reversed(shape):
        level = [ops.stack(level[i : i + length], first) for i in range(0, len(level), length)]
    return level[0]


def _has_name(key: Any) -> bool:
    """Whether another symbol of the same name is taken for it, whatever is assumed of either."""
    return class_name(key) in ("Symbol", "MatrixSymbol", "IndexedBase")


def _as_place(key: Any, place: Any) -> Node:
    """A node, of a float dtype unless it is a truth value."""
    node = place if isinstance(place, Node) else ops.const(place, float64)
    return ops.cast(node, float64) if node.dtype.is_integer else node


def _float_type(nodes: Any) -> DType:
    found: DType | None = None
    for node in nodes:
        if node.dtype.is_float:
            found = node.dtype if found is None else promote(found, node.dtype)
    return found or float64
