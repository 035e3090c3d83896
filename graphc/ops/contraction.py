"""Contractions: products summed over a shared axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.dtype import default_float
from graphc.ir.node import Node, make
from graphc.ir.op import PRODUCT, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, broadcast_shapes, shape_text
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import broadcast_to, reshape, swap_last_axes
from graphc.ops.source import as_nodes


@dataclass(frozen=True, eq=False, repr=False)
class ContractionOp(Op):
    """A sum of products over one axis of each operand."""

    kind = "contraction"


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    a, b = inputs
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"matmul: inner dimensions differ: {shape_text(a.shape)} @ {shape_text(b.shape)}: "
            f"{a.shape[-1]} != {b.shape[-2]}"
        )
    return TensorType(a.dtype, (*a.shape[:-2], a.shape[-2], b.shape[-1]))


def _vjp(node: Node, g: Node) -> list[Node | None]:
    a, b = node.inputs
    return [matmul(g, swap_last_axes(b)), matmul(swap_last_axes(a), g)]


matmul_op = ContractionOp(
    "matmul",
    _infer,
    lambda attrs, a, b: np.matmul(a, b),
    _vjp,
    notation=Notation("{0} @ {1}", r"{0} \, {1}", PRODUCT, (PRODUCT, PRODUCT + 1)),
    doc="the matrix product of the last two axes",
)
register(matmul_op)


def matmul(a: object, b: object) -> Node:
    """The matrix product, with NumPy's rules for vectors and for leading (batch) axes.

    Shapes: (..., n, k) @ (..., k, m) gives (..., n, m); a vector is a row on the left, a column on
    the right. Raises ShapeError where inner dimensions differ, naming both shapes.
    """
    left, right = _float_operands(a, b)
    row, column = left.ndim == 1, right.ndim == 1
    if left.ndim == 0 or right.ndim == 0:
        raise ShapeError(
            f"matmul: expected arrays with axes, got {shape_text(left.shape)} and "
            f"{shape_text(right.shape)}; use * to scale"
        )
    if (left.shape[-1]) != (right.shape[0] if column else right.shape[-2]):
        raise ShapeError(
            f"matmul: inner dimensions differ: {shape_text(left.shape)} @ "
            f"{shape_text(right.shape)}: "
            f"{left.shape[-1]} != {right.shape[0] if column else right.shape[-2]}"
        )
    left = reshape(left, (1, *left.shape)) if row else left
    right = reshape(right, (*right.shape, 1)) if column else right
    batch = broadcast_shapes((left.shape[:-2], right.shape[:-2]), "matmul")
    left = broadcast_to(left, (*batch, *left.shape[-2:]))
    right = broadcast_to(right, (*batch, *right.shape[-2:]))
    result = make(matmul_op, (left, right))
    if row or column:
        shape = result.shape
        kept = shape[: len(batch)] + (() if row else shape[-2:-1]) + (() if column else shape[-1:])
        result = reshape(result, kept)
    return result


def _float_operands(a: object, b: object) -> list[Node]:
    operands = cast_together(as_nodes((a, b)))
    if not operands[0].dtype.is_float:
        if any(node.dtype.is_integer for node in operands):
            raise DTypeError(
                f"matmul: expected float operands, got {operands[0].dtype}; cast with "
                f".astype(float)"
            )
        return [cast(node, default_float()) for node in operands]
    return operands
