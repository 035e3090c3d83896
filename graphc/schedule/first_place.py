"""Where the largest or smallest element is: its value first, then the first place that has it.

Both are reductions that run on vectors, which one that carries a value and an index is not.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.ops.reduction import ReductionOp, max_op, min_op
from graphc.ops.source import ramp, size

ARG_REDUCTIONS = ("argmax", "argmin")


def best_value(node: Node) -> tuple[ReductionOp, Node]:
    """The reduction that finds the value whose place an arg reduction gives, and its operand."""
    assert isinstance(node.op, ReductionOp)
    return (max_op if node.op.combine == "argmax" else min_op), node.inputs[0]


def places_of(x: Node, best: Node, axis: int) -> Node:
    """The index along `axis` of each element that is the best, the axis' length elsewhere.

    A NaN is the best where there is one.
    """
    hit = scalar.equal(x, best)
    if x.dtype.is_float:
        hit = scalar.logical_or(hit, scalar.isnan(x))
    return scalar.where(hit, ramp(x.shape, axis), size(x.shape[axis]))
