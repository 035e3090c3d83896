"""Triangles and diagonals of matrices, which are the last two axes unless said otherwise."""

from __future__ import annotations

import graphc.ops.scalar as scalar
from graphc.errors import ShapeError
from graphc.ir.dim import Dim, Size
from graphc.ir.node import OPERATORS, Node
from graphc.ir.shape import normalize_axis, shape_text
from graphc.ops.creation import below_diagonal, diagonal_number, on_diagonal
from graphc.ops.layout import expand_dims, moveaxis, reshape, slice_axes
from graphc.ops.placement import pad
from graphc.ops.source import as_node, const


def _matrix(function: str, x: object) -> Node:
    node = as_node(x)
    if node.ndim < 2:
        raise ShapeError(
            f"{function}: expected an array with at least two axes, got {shape_text(node.shape)}"
        )
    return node


def tril(x: object, k: int = 0) -> Node:
    """`x` with zeros above the k-th diagonal of its last two axes.

    What is cut off is zero whatever it was, also where it was nan.
    """
    node = _matrix("tril", x)
    return scalar.where(below_diagonal(node.shape, k), node, const(0, node.dtype))


def triu(x: object, k: int = 0) -> Node:
    """`x` with zeros below the k-th diagonal of its last two axes."""
    node = _matrix("triu", x)
    kept = scalar.logical_not(below_diagonal(node.shape, diagonal_number(k) - 1))
    return scalar.where(kept, node, const(0, node.dtype))


def diag(x: object, k: int = 0) -> Node:
    """The k-th diagonal of a matrix; or of a vector, the square matrix that has it there.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(diag([1, 2], k=1)).tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    """
    node, number = as_node(x), diagonal_number(k)
    if node.ndim == 2:
        return diagonal(node, number)
    if node.ndim != 1:
        raise ShapeError(f"diag: expected a vector or a matrix, got {shape_text(node.shape)}")
    edges = (abs(number), 0, 0) if number < 0 else (0, number, 0)
    rows = expand_dims(pad(node, (edges,)), 1)  # each element in its row
    length = rows.shape[0]
    return scalar.where(on_diagonal((length, length), number), rows, const(0, node.dtype))


def diagonal(x: object, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The elements x[i, i + offset] along two axes, as a new last axis.

    On symbolic axes the matrix must be square, so that the length is known.

    >>> from graphc.ops.source import input
    >>> diagonal(input("x", (3, 4, 5)), offset=1, axis1=1, axis2=2).shape
    (3, 4)
    """
    node, number = _matrix("diagonal", x), diagonal_number(offset)
    first, second = (normalize_axis(axis, node.ndim, "diagonal") for axis in (axis1, axis2))
    if first == second:
        raise ShapeError(f"diagonal: axis1 and axis2 must differ; both are {axis1}")
    last = moveaxis(node, (first, second), (-2, -1))
    rows, columns = last.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        return _of_fixed(last, rows, columns, number)
    if rows != columns:
        raise ShapeError(
            f"diagonal: the length is the smaller of {rows} and {columns} in "
            f"{shape_text(node.shape)}, which is not known; slice to a square first"
        )
    return _of_square(last, rows, number)


def _of_fixed(x: Node, rows: int, columns: int, number: int) -> Node:
    """One element of each row of the flattened matrix, at a distance of a row and one more."""
    length = max(min(rows + min(number, 0), columns - max(number, 0)), 0)
    flat = reshape(x, (*x.shape[:-2], rows * columns))
    start = max(number, 0) + max(-number, 0) * columns if length else 0
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in flat.shape]
    bounds[-1] = (start, start + length * (columns + 1), columns + 1)
    return slice_axes(flat, tuple(bounds))


def _of_square(x: Node, length: Dim, number: int) -> Node:
    """Each row's element on the diagonal, as the sum of a row in which all else is zero."""
    chosen = scalar.where(on_diagonal(x.shape, number), x, const(0, x.dtype))
    elements: Node = OPERATORS["sum"](chosen, axis=-1 if number >= 0 else -2)
    if x.dtype is not elements.dtype:
        elements = OPERATORS["cast"](elements, x.dtype)
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in elements.shape]
    bounds[-1] = (0, length - abs(number), 1)
    return slice_axes(elements, tuple(bounds))


def trace(x: object, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum of a diagonal; of two axes of any length, since no length is left."""
    node, number = _matrix("trace", x), diagonal_number(offset)
    first, second = (normalize_axis(axis, node.ndim, "trace") for axis in (axis1, axis2))
    shape = (node.shape[first], node.shape[second])
    if first == second or not any(isinstance(dim, Size) for dim in shape):
        on = diagonal(node, number, axis1, axis2)
        return OPERATORS["sum"](on, axis=-1)  # type: ignore[no-any-return]
    last = moveaxis(node, (first, second), (-2, -1))
    chosen = scalar.where(on_diagonal(last.shape, number), last, const(0, node.dtype))
    return OPERATORS["sum"](chosen, axis=(-2, -1))  # type: ignore[no-any-return]
