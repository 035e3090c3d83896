"""Reductions of reductions, and of what is repeated."""

from __future__ import annotations

from graphc.ir.node import Node, make
from graphc.ops import composite, reduction
from graphc.ops.layout import broadcast_op, broadcast_to, reshape
from graphc.rewrite.layout import repeated_axes
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
# Those that do not mind in which groups the elements come.
GROUPED = (
    reduction.sum_op,
    reduction.prod_op,
    reduction.max_op,
    reduction.min_op,
    reduction.mean_op,
    reduction.any_op,
    reduction.all_op,
    composite.logsumexp_op,
)
# Those that give the element itself for equal ones.
IDEMPOTENT = (
    reduction.max_op,
    reduction.min_op,
    reduction.mean_op,
    reduction.any_op,
    reduction.all_op,
)


def _of_reduction(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not node.op:
        return None
    (source,) = inner.inputs
    first: tuple[int, ...] = inner.attrs["axes"]
    left = range(source.ndim)
    if not inner.attrs["keepdims"]:
        left = [axis for axis in left if axis not in first]  # type: ignore[assignment]
    axes = tuple(sorted({*first, *(left[axis] for axis in node.attrs["axes"])}))
    return reshape(make(node.op, (source,), axes=axes, keepdims=True), node.shape)


def _of_repeated(node: Node, _: Context) -> Node | None:
    (repeated,) = node.inputs
    if repeated.op is not broadcast_op:
        return None
    (source,), shape = repeated.inputs, repeated.shape
    axes = node.attrs["axes"]
    counted = repeated_axes(source.shape, shape)
    if not any(axis in counted for axis in axes):
        return None
    extra = len(shape) - source.ndim
    own = tuple(axis - extra for axis in axes if axis not in counted and axis >= extra)
    total = make(node.op, (source,), axes=own, keepdims=True) if own else source
    if not node.attrs["keepdims"]:
        kept = tuple(dim for at, dim in enumerate(total.shape) if at + extra not in axes)
        total = reshape(total, kept)
    return broadcast_to(total, node.shape)


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "reduction_of_reduction",
        PHASE,
        "sum(sum(x, axis=1))",
        "sum(x)",
        GROUPED,
        _of_reduction,
        condition="the same reduction twice: " + ", ".join(op.name for op in GROUPED),
    ),
    rewrite_node(
        "reduction_of_repeated",
        PHASE,
        "max(broadcast_to(x))",
        "max(x)",
        IDEMPOTENT,
        _of_repeated,
        condition="over axes along which x is repeated: " + ", ".join(op.name for op in IDEMPOTENT),
        changes="a size is taken to be at least 1",
    ),
)
