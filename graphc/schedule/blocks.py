"""Reductions in two stages: blocks of the elements along an axis first, then the blocks' results.

A long reduction with few results would stay on one thread. In blocks it is shared among threads,
and the blocks belong to the rows of a kernel: the sums over the columns of a matrix are added up
while its rows are computed. Blocks have a fixed size, so the order of additions depends on the
shape alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dim import Dim, floor_divide
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY, Attributes, Op, register
from graphc.ir.shape import TensorType
from graphc.ops.reduction import ReductionOp


def block_count(length: Dim, block: int) -> Dim:
    """The number of blocks; the last may be shorter."""
    return floor_divide(length + (block - 1), block)


def reduction_of(node: Node) -> ReductionOp:
    """The reduction that a node does in blocks."""
    op = REGISTRY[node.attrs["reduction"]]
    assert isinstance(op, ReductionOp)
    return op


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    axis = attrs["axis"]
    count = block_count(x.shape[axis], attrs["block"])
    return TensorType(x.dtype, (*x.shape[:axis], count, *x.shape[axis + 1 :]))


def _reference(attrs: Attributes, x: Any) -> Any:
    axis, block = attrs["axis"], attrs["block"]
    within = {"axes": (axis,), "keepdims": True}
    whole = REGISTRY[attrs["reduction"]].reference
    starts = range(0, x.shape[axis], block)
    parts = [whole(within, x.take(range(s, min(s + block, x.shape[axis])), axis)) for s in starts]
    return np.concatenate(parts, axis) if parts else x


class BlockOp(Op):
    """The kind of its own that `block_reduction` is: it is stored like an elementwise value, and
    added to like a reduction."""

    kind = "blocks"


block_op = BlockOp(
    "block_reduction", _infer, _reference, no_derivative="it only exists after differentiation",
    doc="a reduction of each `block` elements along one axis; the last block may be shorter",
)  # fmt: skip
register(block_op)


def in_blocks(op: ReductionOp, x: Node, axis: int, block: int) -> Node:
    """`op` of each block of elements along an axis, which stays as the axis of the blocks."""
    return make(block_op, (x,), reduction=op.name, axis=axis, block=block)
