"""Contractions: products summed over shared axes.

Floats with rows on both sides are matrix products, which targets know; all other contractions are
a multiplication and a sum, which fuse with what surrounds them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ShapeError
from graphc.ir.dim import product
from graphc.ir.dtype import bool_, int32
from graphc.ir.node import Node, make
from graphc.ir.op import PRODUCT, Attributes, Notation, Op, register
from graphc.ir.shape import Shape, TensorType, broadcast_shapes, shape_text
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import (
    broadcast_to,
    expand_dims,
    reshape,
    swap_last_axes,
    transpose,
    transpose_op,
)
from graphc.ops.reduction import sum as sum_over
from graphc.ops.source import as_nodes

_WRITTEN = Notation("{0} @ {1}", r"{0} \, {1}", PRODUCT, (PRODUCT, PRODUCT + 1))


class ContractionOp(Op):
    """A sum of products over one axis of each operand."""

    kind = "contraction"


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    a, b = inputs
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(_inner_text(a, b))
    return TensorType(a.dtype, (*a.shape[:-2], a.shape[-2], b.shape[-1]))


def _inner_text(a: Node, b: Node) -> str:
    column = b.shape[-1 if b.ndim == 1 else -2]
    return (
        f"matmul: inner dimensions differ: {shape_text(a.shape)} @ {shape_text(b.shape)}: "
        f"{a.shape[-1]} != {column}"
    )


def _vjp(node: Node, g: Node) -> list[Node | None]:
    a, b = node.inputs
    return [matmul(g, swap_last_axes(b)), matmul(swap_last_axes(a), g)]


matmul_op = ContractionOp(
    "matmul",
    _infer,
    lambda attrs, a, b: np.matmul(a, b),
    _vjp,
    notation=_WRITTEN,
    doc="the matrix product of the last two axes",
)
register(matmul_op)


def _integer_expand(node: Node) -> Node:
    a, b = node.inputs
    return sum_over(expand_dims(a, -1) * expand_dims(b, -3), axis=-2)


integer_matmul_op = Op(
    "integer_matmul",
    _infer,
    lambda attrs, a, b: np.matmul(a, b),
    no_derivative="integers have none",
    notation=_WRITTEN,
    expand=_integer_expand,
    doc="the matrix product of integers, which wrap as their sums and products do",
)
register(integer_matmul_op)


def matmul(a: object, b: object) -> Node:
    """The matrix product, with NumPy's rules for vectors and for leading (batch) axes.

    Shapes: (..., n, k) @ (..., k, m) gives (..., n, m); a vector is a row on the left, a column on
    the right. Integers stay integers; of truth values it is whether any pair holds. Raises
    ShapeError where inner dimensions differ, naming both shapes.
    """
    left, right = cast_together(as_nodes((a, b)))
    row, column = left.ndim == 1, right.ndim == 1
    if left.ndim == 0 or right.ndim == 0:
        raise ShapeError(
            f"matmul: expected arrays with axes, got {shape_text(left.shape)} and "
            f"{shape_text(right.shape)}; use * to scale"
        )
    if left.shape[-1] != right.shape[0 if column else -2]:
        raise ShapeError(_inner_text(left, right))
    left = reshape(left, (1, *left.shape)) if row else left
    right = reshape(right, (*right.shape, 1)) if column else right
    batch = broadcast_shapes((left.shape[:-2], right.shape[:-2]), "matmul")
    left = broadcast_to(left, (*batch, *left.shape[-2:]))
    right = broadcast_to(right, (*batch, *right.shape[-2:]))
    result = _matrix_product(left, right)
    shape = result.shape
    kept = (*batch, *(() if row else shape[-2:-1]), *(() if column else shape[-1:]))
    return reshape(result, kept)


def _matrix_product(left: Node, right: Node) -> Node:
    if left.dtype is bool_:
        counted = make(integer_matmul_op, (cast(left, int32), cast(right, int32)))
        return scalar.not_equal(counted, 0)
    return make(matmul_op if left.dtype.is_float else integer_matmul_op, (left, right))


# ---- contractions by the labels of axes

Labels = tuple[str, ...]
Labelled = tuple[Node, Labels]


def sum_labels(operand: Labelled, kept: Collection[str]) -> Labelled:
    """The sum over all axes whose labels are not kept."""
    node, labels = operand
    axes = tuple(axis for axis, label in enumerate(labels) if label not in kept)
    return sum_over(node, axis=axes), tuple(label for label in labels if label in kept)


def arrange(operand: Labelled, order: Sequence[str]) -> Node:
    """The operand with its axes in an order that names each of them, and perhaps others, which
    have length 1."""
    node, labels = operand
    known = [label for label in order if label in labels]
    axes = tuple(labels.index(label) for label in known)
    if node.op is transpose_op:
        axes, node = tuple(node.attrs["axes"][axis] for axis in axes), node.inputs[0]
    moved = transpose(node, axes)
    lengths = dict(zip(known, moved.shape, strict=True))
    return reshape(moved, tuple(lengths.get(label, 1) for label in order))


def contract_pair(first: Labelled, second: Labelled, kept: Sequence[str]) -> Labelled:
    """The product of two operands summed over all labels but those `kept`.

    Axes with one label have one length; no operand has a label twice. The axes of the result come
    in the order of `kept`, or in one that saves moving elements.
    """
    everywhere = {label for label in kept if label in first[1] or label in second[1]}
    first = sum_labels(first, everywhere | set(second[1]))
    second = sum_labels(second, everywhere | set(first[1]))
    order = [label for label in kept if label in everywhere]
    shared = [label for label in first[1] if label in second[1]]
    summed = [label for label in shared if label not in everywhere]
    free_first = [label for label in order if label in first[1] and label not in shared]
    free_second = [label for label in order if label in second[1] and label not in shared]
    matrices = bool(summed and free_first and free_second)
    if not matrices or not first[0].dtype.is_float:
        return _multiply_and_sum(first, second, summed)
    if order.index(free_second[0]) < order.index(free_first[0]):
        first, second, free_first, free_second = second, first, free_second, free_first
    batch = [label for label in order if label in shared]
    left = _as_matrices(first, batch, free_first, summed)
    right = _as_matrices(second, batch, summed, free_second)
    result = make(matmul_op, (left, right))
    lengths = {**_lengths(first), **_lengths(second)}
    labels = (*batch, *free_first, *free_second)
    return reshape(result, tuple(lengths[label] for label in labels)), labels


def _lengths(operand: Labelled) -> dict[str, object]:
    return dict(zip(operand[1], operand[0].shape, strict=True))


def _as_matrices(operand: Labelled, batch: list[str], rows: list[str], columns: list[str]) -> Node:
    """Matrices, one for each element of the batch axes."""
    moved = arrange(operand, [*batch, *rows, *columns])
    before, between = len(batch), len(batch) + len(rows)
    shape: Shape = moved.shape
    return reshape(
        moved, (*shape[:before], product(shape[before:between]), product(shape[between:]))
    )


def _multiply_and_sum(first: Labelled, second: Labelled, summed: list[str]) -> Labelled:
    """Elements times elements, the longer operand's axes in their order, then the sum."""
    if len(second[1]) > len(first[1]):
        first, second = second, first
    order = [*first[1], *(label for label in second[1] if label not in first[1])]
    pair = arrange(first, order), arrange(second, order)
    total = scalar.multiply(*pair)
    return sum_labels((total, tuple(order)), [label for label in order if label not in summed])
