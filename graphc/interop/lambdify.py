"""Compiled functions of SymPy expressions, with their derivatives, as NumPy's users call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

import graphc.ops as ops
from graphc.compiler.compilation import compile
from graphc.compiler.function import Function
from graphc.compiler.slot import SMALL_BYTES
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.grad.reverse import grad
from graphc.interop.from_sympy import Reader as ExpressionReader
from graphc.interop.number_call import NumberCall, Reader, are_numbers
from graphc.ir.dtype import bool_, float64
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ir.traverse import substitute


class Maker(NamedTuple):
    """How a result is made of the numbers that the program computes."""

    of_rows: Callable[[np.ndarray, tuple[int, ...]], Any]
    """From the array of all rows and the shape that the arguments broadcast to."""

    of_numbers: Callable[[np.ndarray], Reader]
    """For one point: from an array of the numbers, which is overwritten later."""


@at_user_line
def lambdify(
    symbols: Any, expressions: Any, derivatives: int = 0, target: str = "cpu"
) -> Lambdified:
    """A compiled function of SymPy expressions, called with numbers or with arrays that broadcast.

    Args: `symbols`, a symbol or a sequence of symbols, one argument each, which may be nested: an
    inner sequence is one argument that holds a value for each; `expressions`, an expression, a
    matrix, or a list or tuple of them; `derivatives`, 1 or 2 for derivatives by the symbols as
    well; `target`, "cpu", "numba" or "python".

    A call returns the values in the structure of `expressions`: floats for numbers, arrays of the
    shape that the arguments broadcast to for arrays, and for a matrix that shape followed by the
    matrix's own. With `derivatives=1` it returns `(values, jacobian)`, with 2 `(values, jacobian,
    hessian)`: `jacobian[..., i, j]` is the derivative of expression i by symbol j, and
    `hessian[..., i, j, k]` that of expression i by symbols j and k. Expressions and symbols are
    counted in reading order, a matrix row by row; a single expression has no axis i, and a single
    symbol no axes j and k. All numbers are float64.

    Raises CompileError for a class of SymPy's that has no graph.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> f = lambdify((x, y), x**2 * y, derivatives=1)
    >>> f(3.0, 2.0)
    (18.0, array([12.,  9.]))
    >>> f(np.array([1.0, 2.0]), 1.0)[0]
    array([1., 4.])
    """
    if derivatives not in (0, 1, 2):
        raise ArgumentError(f"lambdify: derivatives must be 0, 1 or 2; got {derivatives!r}")
    return Lambdified(symbols, expressions, derivatives, target)


class Lambdified:
    """What `gx.lambdify` returns; `function` is the compiled Function, whose one input has a row
    for each symbol, and its output a row for each number of the results."""

    def __init__(self, symbols: Any, expressions: Any, derivatives: int, target: str) -> None:
        self.symbols, self.expressions, self.derivatives = symbols, expressions, derivatives
        alone = not _is_sequence(symbols)
        self._arguments = (symbols,) if alone else tuple(_parts(symbols))
        self._flat = not any(_is_sequence(argument) for argument in self._arguments)
        inputs = _inputs(_flattened(self._arguments))
        scalars = list(inputs.values())
        rows = _Rows(inputs)
        self._makers = [rows.values(expressions)]
        nodes = list(rows.nodes)
        outer = (len(nodes),) if _is_sequence(expressions) else ()
        inner = () if alone else (len(scalars),)
        if derivatives >= 1:
            gradients = [_gradient(node, scalars) for node in nodes]
            self._makers.append(rows.array([g for row in gradients for g in row], outer + inner))
        if derivatives == 2:
            second = [part for row in gradients for part in _second(row, scalars)]
            self._makers.append(rows.array(second, outer + inner + inner))
        self.function: Function = _compiled(scalars, rows.nodes, target)
        self._count = len(scalars)
        self._are_few = 8 * max(len(scalars), len(rows.nodes)) <= SMALL_BYTES
        self._number_calls: list[NumberCall] = []  # those that no thread is using

    def __call__(self, *arguments: Any) -> Any:
        """The values, and derivatives if they were asked for."""
        if len(arguments) != len(self._arguments):
            raise ArgumentError(
                f"expected {len(self._arguments)} argument(s) "
                f"({', '.join(map(str, self._arguments))}), got {len(arguments)}"
            )
        flat = arguments if self._flat else _values_of(self._arguments, arguments)
        if self._are_few and are_numbers(flat):
            return self._of_numbers(flat)
        packed, shape = _packed(flat)
        rows = self.function(packed)
        if len(self._makers) == 1:
            return self._makers[0].of_rows(rows, shape)
        return tuple([make.of_rows(rows, shape) for make in self._makers])

    def _of_numbers(self, values: Sequence[Any]) -> Any:
        free = self._number_calls
        try:
            call = free.pop()
        except IndexError:  # the first, or all are in use by other threads
            call = NumberCall(self.function, self._count, self._reader)
        try:
            return call(values)
        finally:
            free.append(call)

    def _reader(self, numbers: np.ndarray) -> Reader:
        readers = [make.of_numbers(numbers) for make in self._makers]
        return readers[0] if len(readers) == 1 else lambda: tuple([read() for read in readers])

    def __repr__(self) -> str:
        names = ", ".join(map(str, self._arguments))
        return f"<lambdify ({names}) -> {self.expressions}, derivatives={self.derivatives}>"


class _Rows:
    """The numbers that a call computes, one row each, and what is made of them."""

    def __init__(self, inputs: dict[Any, Node]) -> None:
        self.nodes: list[Node] = []
        self._reader = ExpressionReader(inputs)

    def values(self, expression: Any) -> Maker:
        """The rows of an expression or of a structure of them, and what puts them together."""
        import sympy

        if isinstance(expression, list | tuple | sympy.Tuple):
            makers = [self.values(part) for part in expression]
            kind = list if isinstance(expression, list) else tuple
            return _together(kind, makers)
        if isinstance(expression, sympy.MatrixExpr):
            expression = expression.as_explicit()
        if isinstance(expression, sympy.MatrixBase | sympy.NDimArray):
            return self.array([self._node(e) for e in _elements(expression)], expression.shape)
        return self._number(self._node(expression))

    def _node(self, expression: Any) -> Node:
        node = self._reader.read(_without_matrices(expression))
        if self._reader.made:
            missing = ", ".join(map(str, self._reader.made))
            raise ArgumentError(
                f"lambdify: the expressions hold {missing}, which is not among the symbols"
            )
        if not isinstance(node, Node) or node.shape != ():
            raise ArgumentError(f"lambdify: expected an expression of numbers, got {expression}")
        return node

    def _number(self, node: Node) -> Maker:
        at = len(self.nodes)
        self.nodes.append(node)
        truth = node.dtype is bool_

        def make(rows: np.ndarray, shape: tuple[int, ...]) -> Any:
            if not shape:
                return bool(rows[at, 0]) if truth else rows.item(at, 0)
            found = rows[at].reshape(shape)
            return found != 0 if truth else found

        def reader(numbers: np.ndarray) -> Reader:
            words = memoryview(numbers)  # type: ignore[arg-type] # gives Python's floats
            return (lambda: words[at] != 0) if truth else (lambda: words[at])

        return Maker(make, reader)

    def array(self, nodes: list[Node], own: tuple[int, ...]) -> Maker:
        """Rows for `nodes`, put together to an array with the axes `own` at its end."""
        start = len(self.nodes)
        self.nodes.extend(nodes)
        stop, last = len(self.nodes), tuple(range(-len(own), 0))

        def make(rows: np.ndarray, shape: tuple[int, ...]) -> Any:
            found = rows[start:stop].reshape(own + shape)
            if not shape:
                return found if own else found.item()
            return np.moveaxis(found, range(len(own)), last)

        def reader(numbers: np.ndarray) -> Reader:
            found = numbers[start:stop].reshape(own)  # a view
            return found.copy if own else found.item

        return Maker(make, reader)


def _together(kind: type, makers: list[Maker]) -> Maker:
    """A list or a tuple of what the makers make."""

    def reader(numbers: np.ndarray) -> Reader:
        readers = [make.of_numbers(numbers) for make in makers]
        return lambda: kind([read() for read in readers])

    return Maker(lambda rows, shape: kind([make.of_rows(rows, shape) for make in makers]), reader)


def _is_sequence(symbols: Any) -> bool:
    import sympy

    arrays = sympy.Tuple | sympy.MatrixBase | sympy.NDimArray | sympy.MatrixExpr
    return isinstance(symbols, Sequence | arrays) and not isinstance(symbols, str)


def _parts(symbols: Any) -> list[Any]:
    """The members of a sequence; of a matrix, its elements row by row."""
    return list(symbols) if isinstance(symbols, Sequence) else _elements(symbols)


def _elements(matrix: Any) -> list[Any]:
    import sympy

    explicit = matrix.as_explicit() if isinstance(matrix, sympy.MatrixExpr) else matrix
    flat = sympy.Array(explicit)
    return [flat[flat._get_tuple_index(i)] for i in range(len(flat))]


def _without_matrices(expression: Any) -> Any:
    """An expression with the elements of matrix symbols, in place of the symbols."""
    import sympy

    known = expression.atoms(sympy.MatrixSymbol) if isinstance(expression, sympy.Basic) else ()
    if not known:
        return expression
    return expression.subs({symbol: symbol.as_explicit() for symbol in known}).doit()


def _flattened(symbols: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for symbol in symbols:
        found.extend(_flattened(_parts(symbol)) if _is_sequence(symbol) else [symbol])
    return found


def _inputs(symbols: list[Any]) -> dict[Any, Node]:
    import sympy

    for symbol in symbols:
        if not isinstance(symbol, sympy.Expr) or symbol.is_number:
            raise ArgumentError(f"lambdify: expected symbols, got {symbol!r}")
    if len(set(symbols)) != len(symbols):
        raise ArgumentError(f"lambdify: expected each symbol once, got {symbols}")
    return {symbol: ops.input(str(symbol), (), float64) for symbol in symbols}


def _gradient(node: Node, scalars: list[Node]) -> list[Node]:
    """The derivatives by each symbol; those of a condition are 0."""
    if not node.dtype.is_float:
        return [ops.const(0.0, float64) for _ in scalars]
    return list(grad(node, scalars, disconnected="zero")) if scalars else []


def _second(row: list[Node], scalars: list[Node]) -> list[Node]:
    """The matrix of second derivatives, row by row: each pair of symbols once, then mirrored."""
    above = [_gradient(first, scalars[i:]) for i, first in enumerate(row)]
    count = range(len(scalars))
    return [above[min(i, j)][abs(i - j)] for i in count for j in count]


def _compiled(scalars: list[Node], results: list[Node], target: str) -> Function:
    """One kernel over many points: a row for each symbol in, a row for each result out."""
    points = ops.input("symbols", (max(len(scalars), 1), "n"), float64)
    rows = {scalar: points[i] for i, scalar in enumerate(scalars)}
    placed = substitute(results or [ops.const(0.0, float64)], rows)
    shape = points.shape[1:]
    lines = [ops.broadcast_to(ops.cast(node, float64), shape) for node in placed]
    return compile(points, ops.stack(lines), target=target)  # type: ignore[no-any-return]


def _values_of(symbols: Sequence[Any], values: Any) -> list[Any]:
    """The value of each symbol, from values nested as the symbols are."""
    if len(values) != len(symbols):
        raise ArgumentError(f"expected {len(symbols)} values for {symbols}, got {len(values)}")
    found: list[Any] = []
    for symbol, value in zip(symbols, values, strict=True):
        if not _is_sequence(symbol):
            found.append(value)
        elif isinstance(symbol, Sequence):
            found.extend(_values_of(symbol, value))
        else:
            found.extend(_matrix_values(symbol, np.asarray(value)))
    return found


def _matrix_values(symbol: Any, array: np.ndarray) -> list[Any]:
    shape = tuple(map(int, symbol.shape))
    if array.ndim == 1 and array.size == prod(shape) and 1 in shape:
        array = array.reshape(shape)
    if array.shape != shape:
        raise ShapeError(f"{symbol}: expected values of shape {shape}, got {array.shape}")
    return list(array.reshape(-1))


def _packed(values: Sequence[Any]) -> tuple[np.ndarray, tuple[int, ...]]:
    """All points as the columns of one array, and the shape they come from."""
    arrays = [np.asarray(value) for value in values]
    shape = arrays[0].shape if arrays else ()
    alike = True
    for array in arrays:
        if array.dtype.kind not in "biuf":
            raise DTypeError(f"expected real numbers, got {array.dtype}")
        alike = alike and array.shape == shape
    if not alike:  # NumPy takes a microsecond to find out
        shape = _common_shape(arrays)
    packed = np.zeros((len(arrays) or 1, *shape))
    for row, array in enumerate(arrays):
        packed[row] = array
    return packed if len(shape) == 1 else packed.reshape(len(packed), prod(shape)), shape


def _common_shape(arrays: list[np.ndarray]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*[array.shape for array in arrays])
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ShapeError(f"expected arguments that broadcast, got shapes {shapes}") from None
