"""One element of a node as a SymPy expression: where it lies is an index, or a number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.errors import CompileError
from graphc.ir.dim import to_sympy as size_expression
from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.shape import TupleType
from graphc.ops.contraction import matmul_op
from graphc.ops.elementwise import ElementwiseOp, cast_op
from graphc.ops.layout import broadcast_op, reshape_op, slice_op, transpose_op
from graphc.ops.reduction import prod_op, sum_op
from graphc.ops.source import constant_op, constant_value, ramp_op, size_op, uniform_value

Place = tuple[Any, ...]
Demand = tuple[Node, Place]

# Numbers are written as fractions with denominators up to this one.
_LARGEST_DENOMINATOR = 10_000
# Types of operations that SymPy has no form of: tests of floats, and operations on bits.
_NO_FORM = frozenset(("float_test", "integer"))


def unknown(node: Node, reason: str = "it has no form in SymPy") -> CompileError:
    """The error for a node that cannot be written."""
    return CompileError(f"to_sympy: {node.op.name}: {reason}, in {node!r}")


class Names:
    """The symbols of declared nodes; two of one name get numbers."""

    def __init__(self, known: dict[Node, Any]) -> None:
        self._known = dict(known)
        self._taken = {str(symbol) for symbol in known.values()}

    def unique(self, name: str) -> str:
        """The name, or one like it that nothing has yet."""
        chosen, number = name, 2
        while chosen in self._taken:
            chosen, number = f"{name}_{number}", number + 1
        self._taken.add(chosen)
        return chosen

    def has(self, node: Node) -> bool:
        """Whether a node is written by name."""
        return node in self._known or node.declaration is not None

    def of(self, node: Node) -> Any:
        """The symbol of a node."""
        import sympy

        if node not in self._known:
            self._known[node] = sympy.Symbol(self.unique(node.name))
        return self._known[node]


class Elements:
    """Writes elements of nodes."""

    def __init__(self, known: dict[Node, Any]) -> None:
        self.names = Names(known)
        self._memo: dict[Demand, Any] = {}
        self._ways: dict[Demand, tuple[list[Demand], Callable[[list[Any]], Any]]] = {}

    def of(self, node: Node) -> Any:
        """The element of a node at i, j, ...; a number is itself."""
        letters = "ij" if node.ndim < 3 else "ijlmpqrs"
        place = tuple(self._index(letters[axis]) for axis in range(node.ndim))
        return self.element(node, place)

    def _index(self, letter: str) -> Any:
        import sympy

        return sympy.Symbol(self.names.unique(letter), integer=True)

    def element(self, node: Node, place: Place) -> Any:
        """The element of a node at a place."""
        stack: list[Demand] = [(node, place)]
        while stack:
            demand = stack[-1]
            if demand in self._memo:
                stack.pop()
                continue
            if demand not in self._ways:
                self._ways[demand] = self._way(*demand)
            needed, build = self._ways[demand]
            missing = [part for part in needed if part not in self._memo]
            if missing:
                stack.extend(missing)
                continue
            self._memo[demand] = build([self._memo[part] for part in needed])
            stack.pop()
        return self._memo[node, place]

    def _way(self, node: Node, place: Place) -> tuple[list[Demand], Callable[[list[Any]], Any]]:
        """What an element is made of, and how."""
        op = node.op
        if isinstance(node.type, TupleType):
            raise unknown(node)
        if self.names.has(node):
            return [], lambda _: self._declared(node, place)
        if op in (constant_op, size_op, ramp_op):
            return [], lambda _: _source(node, place)
        if isinstance(op, ElementwiseOp):
            parts = [(part, _broadcast(place, part)) for part in node.inputs]
            return parts, lambda values: _applied(node, values)
        if op in _LAYOUTS:
            return [(node.inputs[0], _LAYOUTS[op](node, place))], lambda values: values[0]
        if op in (sum_op, prod_op):
            return self._reduced(node, place)
        if op is matmul_op:
            return self._product(node, place)
        if op.expand is not None:
            return [(op.expand(node), place)], lambda values: values[0]
        raise unknown(node)

    def _declared(self, node: Node, place: Place) -> Any:
        import sympy

        symbol = self.names.of(node)
        if not place:
            return symbol
        shape = tuple(size_expression(dim) for dim in node.shape)
        if isinstance(symbol, sympy.MatrixSymbol):
            return symbol[place if len(place) == 2 else (*place, 0)]
        base = symbol if isinstance(symbol, sympy.IndexedBase) else sympy.IndexedBase(symbol, shape)
        return base[place]

    def _reduced(self, node: Node, place: Place) -> tuple[list[Demand], Callable[[list[Any]], Any]]:
        import sympy

        (source,) = node.inputs
        left = iter(place)
        at, ranges = [], []
        for axis, dim in enumerate(source.shape):
            if axis not in node.attrs["axes"]:
                at.append(next(left))
                continue
            if node.attrs["keepdims"]:
                next(left)
            index = self._index("k")
            at.append(index)
            ranges.append((index, 0, size_expression(dim) - 1))
        kind = sympy.Sum if node.op is sum_op else sympy.Product
        return [(source, tuple(at))], lambda values: kind(values[0], *reversed(ranges))

    def _product(self, node: Node, place: Place) -> tuple[list[Demand], Callable[[list[Any]], Any]]:
        import sympy

        left, right = node.inputs
        *batch, row, column = place
        index = self._index("k")
        last = size_expression(left.shape[-1]) - 1
        factors = [(left, (*batch, row, index)), (right, (*batch, index, column))]
        if left.shape[-1] == 1:
            factors = [(left, (*batch, row, sympy.S.Zero)), (right, (*batch, sympy.S.Zero, column))]
            return factors, lambda values: values[0] * values[1]
        return factors, lambda values: sympy.Sum(values[0] * values[1], (index, 0, last))


def _broadcast(place: Place, operand: Node) -> Place:
    """The place in an operand that broadcasts."""
    own = place[len(place) - operand.ndim :]
    return tuple(0 if dim == 1 else at for at, dim in zip(own, operand.shape, strict=True))


def _sliced(node: Node, place: Place) -> Place:
    bounds = node.attrs["bounds"]
    return tuple(
        size_expression(start) + step * at
        for at, (start, _, step) in zip(place, bounds, strict=True)
    )


def _transposed(node: Node, place: Place) -> Place:
    axes = node.attrs["axes"]
    return tuple(place[axes.index(axis)] for axis in range(len(axes)))


def _reshaped(node: Node, place: Place) -> Place:
    (source,) = node.inputs
    kept = [at for at, dim in zip(place, node.shape, strict=True) if dim != 1]
    if [d for d in source.shape if d != 1] != [d for d in node.shape if d != 1]:
        raise unknown(node, "its elements are regrouped")
    left = iter(kept)
    return tuple(0 if dim == 1 else next(left) for dim in source.shape)


_LAYOUTS: dict[Any, Callable[[Node, Place], Place]] = {
    slice_op: _sliced,
    transpose_op: _transposed,
    reshape_op: _reshaped,
    broadcast_op: lambda node, place: _broadcast(place, node.inputs[0]),
}


def _source(node: Node, place: Place) -> Any:
    import sympy

    if node.op is size_op:
        return size_expression(node.attrs["dim"])
    if node.op is ramp_op:
        return place[node.attrs["axis"]]
    value = uniform_value(node)
    if value is None:
        array = constant_value(node)
        assert array is not None
        places = [sympy.sympify(at) for at in place]
        if not all(at.is_Integer for at in places):
            return sympy.Array(array.tolist())[tuple(places)]
        value = array[tuple(map(int, places))]
    return number(value)


def number(value: Any) -> Any:
    """A constant, exactly if it is the float nearest to a fraction of few digits."""
    import sympy

    if isinstance(value, np.bool_):
        return sympy.true if value else sympy.false
    if not isinstance(value, np.floating):
        return sympy.Integer(int(value))
    if not np.isfinite(value):
        return sympy.nan if np.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    fraction = Fraction(float(value)).limit_denominator(_LARGEST_DENOMINATOR)
    if type(value)(fraction.numerator / fraction.denominator) == value:
        return sympy.Rational(fraction.numerator, fraction.denominator)
    return sympy.Float(float(value), 17)


def _applied(node: Node, values: list[Any]) -> Any:
    import sympy

    op = node.op
    assert isinstance(op, ElementwiseOp)
    if op is cast_op:
        return _cast(node, values[0])
    if op.formula is None or op.types in _NO_FORM:
        raise unknown(node)
    try:
        return sympy.sympify(op.formula(sympy, *values))
    except (AttributeError, TypeError, ValueError) as error:
        raise unknown(node, f"SymPy refuses its formula ({error})") from None


def _cast(node: Node, value: Any) -> Any:
    import sympy

    (source,) = node.inputs
    if source.dtype is bool_:
        return sympy.Piecewise((1, value), (0, True))
    if node.dtype is bool_:
        return sympy.Ne(value, 0)
    if source.dtype.is_float and not node.dtype.is_float:
        return sympy.sign(value) * sympy.floor(sympy.Abs(value))
    return value
