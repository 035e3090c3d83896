"""SymPy's matrix expressions as operations on two-dimensional nodes."""

from __future__ import annotations

from functools import reduce
from typing import Any

import graphc.ops as ops
from graphc.errors import ArgumentError, CompileError
from graphc.ir.dim import Dim, named_size
from graphc.ir.node import Node
from graphc.ops.expression import Conversion, Handler, class_name
from graphc.ops.matrix_functions import matrix_power


def as_size(size: Any) -> Dim:
    """A SymPy size, a number or a polynomial of symbols, as a dimension."""
    if size.is_Integer:
        return int(size)
    if size.is_Symbol:
        return named_size(size.name)
    if class_name(size) in ("Add", "Mul"):
        parts = [as_size(part) for part in size.args]
        return reduce(lambda a, b: a + b if size.is_Add else a * b, parts)
    if class_name(size) == "Pow" and size.exp.is_Integer and size.exp > 0:
        return reduce(lambda a, b: a * b, [as_size(size.base)] * int(size.exp))
    raise ArgumentError(f"from_sympy: expected a size of numbers and symbols, got {size}")


def dims_of(matrix: Any) -> tuple[Dim, Dim]:
    """The shape of a matrix expression as dimensions."""
    rows, columns = matrix.shape
    return as_size(rows), as_size(columns)


def _matrix(conversion: Conversion, expression: Any) -> Node:
    """The node of a matrix: two axes, a vector that is given for one column being a column."""
    node = conversion.value(expression)
    assert isinstance(node, Node)
    if node.ndim == 1 and expression.shape[1] == 1:
        return ops.reshape(node, (*node.shape, 1))
    if node.ndim != 2:
        raise ArgumentError(f"from_sympy: the matrix {expression} is mapped to {node!r}")
    return node


def _product(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    """From the right, so that a vector there is never met by a product of matrices; an inverse
    solves."""
    factor, matrices = expression.as_coeff_matrices()
    scalars = [a for a in expression.args if not getattr(a, "is_Matrix", False)]
    result: Node | None = None
    for matrix in reversed(matrices):
        if result is not None and class_name(matrix) == "Inverse":
            result = ops.solve(_matrix(conversion, matrix.arg), result)
        else:
            node = _matrix(conversion, matrix)
            result = node if result is None else ops.matmul(node, result)
    assert result is not None
    if factor == 1 or not scalars:
        return result
    return ops.multiply(conversion.value(factor), result)


def _sum(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    return reduce(ops.add, [_matrix(conversion, part) for part in expression.args])


def _power(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    base, exponent = expression.args
    if not exponent.is_Integer:
        raise CompileError(f"from_sympy: expected a whole power of a matrix, got {expression}")
    return matrix_power(_matrix(conversion, base), int(exponent))


def _hadamard_product(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    return reduce(ops.multiply, [_matrix(conversion, part) for part in expression.args])


def _hadamard_power(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    exponent = conversion.value(expression.exp)
    return ops.power(_matrix(conversion, expression.base), exponent)


def _element(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    matrix, row, column = expression.args
    if not (row.is_Integer and column.is_Integer):
        raise CompileError(f"from_sympy: expected numbers as indices, got {expression}")
    return _matrix(conversion, matrix)[int(row), int(column)]


def _slice(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    bounds = (*expression.rowslice, *expression.colslice)
    if not all(getattr(bound, "is_Integer", isinstance(bound, int)) for bound in bounds):
        raise CompileError(f"from_sympy: expected numbers as bounds, got {expression}")
    rows = slice(*map(int, expression.rowslice))
    columns = slice(*map(int, expression.colslice))
    return _matrix(conversion, expression.parent)[rows, columns]


def _explicit(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    rows, columns = expression.shape
    nodes = [conversion.node(element, keep=True) for element in expression.flat()]
    if not nodes:
        return ops.zeros((rows, columns), conversion.dtype)
    return ops.reshape(ops.stack(nodes), (rows, columns))


def _applied(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    variable = expression.function.variables[0]
    inner = Conversion(
        {**conversion.memo, variable: _matrix(conversion, expression.expr)},
        conversion.dtype,
        conversion.handlers,
        conversion.whole,
    )
    return inner.value(expression.function.expr)


def _blocks(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
    rows, columns = expression.blockshape
    blocks = expression.blocks
    lines = [
        ops.concat([_matrix(conversion, blocks[r, c]) for c in range(columns)], 1)
        for r in range(rows)
    ]
    return ops.concat(lines, 0)


def _filled(value: int) -> Handler:
    def fill(conversion: Conversion, expression: Any, _: list[Any]) -> Any:
        constant = ops.const(value, conversion.dtype)
        return ops.broadcast_to(constant, dims_of(expression))

    return fill


MATRIX_HANDLERS: dict[str, Handler] = {
    "MatMul": _product,
    "MatAdd": _sum,
    "MatPow": _power,
    "Inverse": lambda c, e, _: ops.inv(_matrix(c, e.arg)),
    "Determinant": lambda c, e, _: ops.det(_matrix(c, e.arg)),
    "HadamardProduct": _hadamard_product,
    "HadamardPower": _hadamard_power,
    "MatrixElement": _element,
    "MatrixSlice": _slice,
    "ImmutableDenseMatrix": _explicit,
    "ElementwiseApplyFunction": _applied,
    "BlockMatrix": _blocks,
    "Transpose": lambda c, e, _: ops.transpose(_matrix(c, e.arg)),
    "Adjoint": lambda c, e, _: ops.transpose(_matrix(c, e.arg)),
    "Trace": lambda c, e, _: ops.trace(_matrix(c, e.arg)),
    "DotProduct": lambda c, e, _: ops.sum(
        ops.multiply(*[ops.reshape(_matrix(c, a), (-1,)) for a in e.args])
    ),
    "Identity": lambda c, e, _: ops.eye(as_size(e.shape[0]), dtype=c.dtype),
    "ZeroMatrix": _filled(0),
    "OneMatrix": _filled(1),
}
WHOLE = frozenset(MATRIX_HANDLERS)
