"""Linear systems, of one matrix or of each in a stack (leading axes).

By LU with partial pivoting, or by substitution where the matrix is a triangle. Derivatives: M.
Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.diagonals as diagonals
from graphc.errors import ArgumentError, ShapeError, SingularMatrixError
from graphc.ir.dim import product
from graphc.ir.dtype import default_float, int32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, PREFIX, PRODUCT, Attributes, Notation, register
from graphc.ir.shape import TensorType, broadcast_shapes, shape_text
from graphc.ops.contraction import matmul
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import broadcast_to, expand_dims, moveaxis, reshape, swap_last_axes
from graphc.ops.matrices import (
    check_matrices,
    elimination_work,
    exact_of_stack,
    infer_matrices,
    reference_of_stack,
    singular,
    stack_size,
)
from graphc.ops.routine import RoutineOp
from graphc.ops.source import as_nodes

# ---- a system of equations


def _pair_infer(name: str, inputs: tuple[Node, ...]) -> TensorType:
    a, b = inputs
    infer_matrices(name, a, square=True)
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"{name}: expected a right side with {a.shape[-1]} rows for {shape_text(a.shape)}, "
            f"got {shape_text(b.shape)}"
        )
    if a.shape[:-2] != b.shape[:-2]:
        raise ShapeError(
            f"{name}: expected one right side for each matrix of {shape_text(a.shape)}, "
            f"got {shape_text(b.shape)}"
        )
    return b.tensor


def _solve_exact(attrs: Attributes, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import mpmath

    def solved(matrix: Any, right: Any) -> Any:
        result = mpmath.matrix(right.rows, right.cols)
        for column in range(right.cols):
            result[:, column] = mpmath.lu_solve(matrix, right[:, column])
        return result

    try:
        return exact_of_stack(solved, a, b)
    except ZeroDivisionError:
        raise SingularMatrixError("solve: the matrix is singular") from None


def _solve_vjp(node: Node, g: Node) -> list[Node | None]:
    a, _ = node.inputs
    right = _solve_matrices(swap_last_axes(a), g)
    return [-matmul(right, swap_last_axes(node)), right]


solve_op = RoutineOp(
    "solve", lambda inputs, attrs: _pair_infer("solve", inputs),
    lambda attrs, a, b: reference_of_stack(np.linalg.solve, singular("solve"), a, b), _solve_vjp,
    notation=Notation("solve({0}, {1})", r"{0}^{-1} \, {1}", ATOM, (), PRODUCT, (ATOM, PREFIX)),
    doc="the solution X of A X = B, by LU with partial pivoting",
    sizes=lambda node: node.shape[-2:],
    # What LAPACK overwrites: copies of the matrices, pivots, and the right sides.
    workspace=lambda node: (
        (node.dtype, product(node.inputs[0].shape)),
        (int32, product(node.shape[:-1])),
        (node.dtype, product(node.shape)),
    ),
    rows=stack_size, row_work=elimination_work, failure=singular("solve"),
    stacked=lambda node, operands: _solve_matrices(*operands), exact=_solve_exact,
)  # fmt: skip
register(solve_op)


def _float_pair(a: object, b: object) -> tuple[Node, Node]:
    left, right = cast_together(as_nodes((a, b)))
    if not left.dtype.is_float:
        return cast(left, default_float()), cast(right, default_float())
    return left, right


def _aligned(name: str, left: Node, right: Node) -> tuple[Node, Node]:
    """Stacks of matrices and of right sides, broadcast against each other."""
    stack = broadcast_shapes((left.shape[:-2], right.shape[:-2]), name)
    return (
        broadcast_to(left, (*stack, *left.shape[-2:])),
        broadcast_to(right, (*stack, *right.shape[-2:])),
    )


def _of_columns(function: Callable[[Node, Node], Node], left: Node, right: Node) -> Node:
    """One matrix and many right sides: they are columns of one, for one factorisation."""
    rows = moveaxis(right, -2, 0)
    solved = function(left, reshape(rows, (rows.shape[0], product(rows.shape[1:]))))
    return moveaxis(reshape(solved, rows.shape), 0, -2)


def _with_sides(name: str, function: Callable[[Node, Node], Node], left: Node, right: Node) -> Node:
    """`function` of one matrix, or a stack, and right sides that are matrices or a vector."""
    check_matrices(name, left, square=True)
    if right.ndim == 1:
        column = function(left, expand_dims(right, 1))
        return reshape(column, column.shape[:-1])
    if right.ndim < 2 or right.shape[-2] != left.shape[-1]:
        raise ShapeError(
            f"{name}: expected a right side with {left.shape[-1]} rows for "
            f"{shape_text(left.shape)}, got {shape_text(right.shape)}"
        )
    return function(left, right)


def _solve_matrices(left: Node, right: Node) -> Node:
    if left.ndim == 2 and right.ndim > 2:
        return _of_columns(_solve_matrices, left, right)
    return make(solve_op, _aligned("solve", left, right))


def solve(a: object, b: object) -> Node:
    """The solution x of a @ x = b, as np.linalg.solve.

    Shapes: a (..., n, n), b (n,) or (..., n, k); leading axes broadcast. A singular matrix is a
    SingularMatrixError when it runs, which names the matrix and the pivot; nan gives nan.
    """
    left, right = _float_pair(a, b)
    return _with_sides("solve", _solve_matrices, left, right)


# ---- triangles


def _triangular_reference(attrs: Attributes, a: np.ndarray, b: np.ndarray) -> Any:
    """Substitution in all matrices of a stack at once; of floats and of exact numbers."""
    n, unit, shapes = a.shape[-1], attrs["unit_diagonal"], (a.shape, b.shape)
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    if not unit and (diagonal == 0).any():
        row, place = np.argwhere((diagonal == 0).reshape(-1, n))[0]
        raise singular("triangular_solve")(shapes, int(row), int(place) + 1)
    triangle = np.swapaxes(a, -1, -2) if attrs["transpose"] else a
    forward = attrs["lower"] != attrs["transpose"]
    result = b.copy()
    for k in range(n) if forward else reversed(range(n)):
        if not unit:
            result[..., k, :] /= triangle[..., k, k, None]
        rest = slice(k + 1, n) if forward else slice(0, k)
        result[..., rest, :] -= triangle[..., rest, k, None] * result[..., k, None, :]
    return result


def _triangular_vjp(node: Node, g: Node) -> list[Node | None]:
    """As of solve, where only the triangle that is read has a share."""
    (a, _), attrs = node.inputs, node.attrs
    right = triangular_solve(a, g, **{**attrs, "transpose": not attrs["transpose"]})
    pair = (node, right) if attrs["transpose"] else (right, node)
    outer = matmul(pair[0], swap_last_axes(pair[1]))
    off = int(attrs["unit_diagonal"])
    kept = diagonals.tril(outer, -off) if attrs["lower"] else diagonals.triu(outer, off)
    return [-kept, right]


def _triangular_text(node: Node) -> str:
    attrs = node.attrs
    said = [] if attrs["lower"] else ["lower=False"]
    said += [f"{name}=True" for name in ("transpose", "unit_diagonal") if attrs[name]]
    return f"triangular_solve({', '.join(['{0}', '{1}', *said])})"


def _triangular_latex(node: Node) -> str:
    attrs = node.attrs
    name = "tril" if attrs["lower"] else "triu"
    below = r"_{1}" if attrs["unit_diagonal"] else ""
    above = r"^{-\top}" if attrs["transpose"] else "^{-1}"
    return rf"\operatorname{{{name}}}{below}\left({{0}}\right){above} \, {{1}}"


triangular_solve_op = RoutineOp(
    "triangular_solve", lambda inputs, attrs: _pair_infer("triangular_solve", inputs),
    _triangular_reference, _triangular_vjp,
    notation=Notation(_triangular_text, _triangular_latex, ATOM, (), PRODUCT, (0, PREFIX)),
    doc="the solution X of A X = B by substitution, for the lower or the upper triangle of A",
    sizes=lambda node: (
        *node.shape[-2:],
        *(int(node.attrs[flag]) for flag in ("lower", "transpose", "unit_diagonal")),
    ),
    rows=stack_size, row_work=lambda node: node.shape[-2] * node.shape[-2] * node.shape[-1],
    failure=singular("triangular_solve"),
    stacked=lambda node, operands: _triangular(dict(node.attrs), *operands),
    exact=_triangular_reference,
)  # fmt: skip
register(triangular_solve_op)


def _triangular(attrs: dict[str, Any], left: Node, right: Node) -> Node:
    if left.ndim == 2 and right.ndim > 2:
        return _of_columns(lambda a, b: _triangular(attrs, a, b), left, right)
    return make(triangular_solve_op, _aligned("triangular_solve", left, right), **attrs)


def triangular_solve(
    a: object,
    b: object,
    lower: bool = True,
    transpose: bool = False,
    unit_diagonal: bool = False,
) -> Node:
    """The solution x of a @ x = b for a triangular matrix, by substitution.

    Args: `lower`, which triangle of `a` is read (the other may hold anything); `transpose` solves
    with the transpose of that triangle; `unit_diagonal` takes its diagonal as ones, unread. Shapes
    as of `solve`. A zero on the diagonal is a SingularMatrixError when it runs.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(triangular_solve([[2.0, 9.0], [1.0, 4.0]], [2.0, 5.0])).tolist()
    [1.0, 1.0]
    """
    for flag in (lower, transpose, unit_diagonal):
        if not isinstance(flag, bool | np.bool_):
            raise ArgumentError(f"triangular_solve: flags must be True or False; got {flag!r}")
    flags = {"lower": bool(lower), "transpose": bool(transpose), "unit_diagonal": unit_diagonal}
    left, right = _float_pair(a, b)
    attrs: dict[str, Any] = {name: bool(flag) for name, flag in flags.items()}
    return _with_sides("triangular_solve", lambda a, b: _triangular(attrs, a, b), left, right)
