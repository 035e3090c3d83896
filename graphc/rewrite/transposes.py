"""Transpositions of the axes before the last come after computing, where they meet and cancel.

A model that swaps time and batch, computes row by row and is differentiated swaps them back: then
nothing is moved, and products see rows in the order in which they lie.
"""

from __future__ import annotations

from graphc.ir.node import Node, make
from graphc.ops import composite, indexing
from graphc.ops.indices import from_zero
from graphc.ops.layout import transpose
from graphc.rewrite.batches import Axes, inverse, order_before_rows
from graphc.rewrite.layout import REDUCING
from graphc.rewrite.rule import Context, Rule, rewrite_node
from graphc.rewrite.scale import outer_scale

PHASE = "simplify"
_ALONG_ROWS = (composite.softmax_op, composite.log_softmax_op)
_BY_LABEL = (composite.softmax_cross_entropy_op, indexing.pick_op)


def _elementwise(node: Node, _: Context) -> Node | None:
    """exp(xᵀ) is exp(x)ᵀ, and xᵀ + y with y the same along the axes that are moved."""
    if outer_scale(node) is not None:
        return None  # scalars come last of all
    for source in node.inputs:
        axes = order_before_rows(source)
        if axes is not None and source.shape == node.shape:
            inputs = [_moved_back(other, axes) for other in node.inputs]
            if None in inputs:
                return None
            made = make(node.op, tuple(i for i in inputs if i is not None), **node.attrs)
            return transpose(made, axes)
    return None


def _moved_back(node: Node, axes: Axes) -> Node | None:
    """The node before a transposition; None if it would have to be moved for that."""
    extra = len(axes) - node.ndim
    moved = (axis for place, axis in enumerate(axes) if place != axis)
    if all(axis < extra or node.shape[axis - extra] == 1 for axis in moved):
        return node
    if node.ndim < len(axes):
        return None
    if order_before_rows(node) == axes:
        return node.inputs[0]
    if node.op is indexing.one_hot_op:
        (labels,) = node.inputs
        classes = node.attrs["classes"]
        checked = transpose(from_zero(labels, classes), inverse(axes[:-1]))
        return indexing.one_hot(checked, classes, node.dtype)
    return None


def _along_rows(node: Node, _: Context) -> Node | None:
    (source,) = node.inputs
    axes = order_before_rows(source)
    if axes is None or node.attrs["axis"] != node.ndim - 1:
        return None
    return transpose(make(node.op, source.inputs, **node.attrs), axes)


def _reduction(node: Node, _: Context) -> Node | None:
    """A reduction along axes that stay where they are."""
    (source,) = node.inputs
    axes = order_before_rows(source)
    reduced: Axes = node.attrs["axes"]
    if axes is None or any(axes[axis] != axis for axis in reduced):
        return None
    if not node.attrs["keepdims"]:
        left = [axis for axis in range(source.ndim) if axis not in reduced]
        axes = tuple(left.index(axis) for axis in axes if axis in left)
    return transpose(make(node.op, source.inputs, **node.attrs), axes)


def _by_label(node: Node, _: Context) -> Node | None:
    source, labels = node.inputs
    axes = order_before_rows(source)
    if axes is None:
        return None
    order = axes[:-1]
    checked = from_zero(labels, source.shape[-1])  # reported by the places that the user knows
    made = make(node.op, (source.inputs[0], transpose(checked, inverse(order))), **node.attrs)
    return transpose(made, order)


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "transpose_after_elementwise",
        PHASE,
        "exp(xᵀ + y)",
        "exp(x + y)ᵀ",
        ("elementwise",),
        _elementwise,
        condition="for any elementwise operation and any order of the axes before the last; other "
        "operands are transposed likewise, one-hot, or the same along the axes moved",
    ),
    rewrite_node(
        "transpose_after_rows",
        PHASE,
        "softmax(xᵀ)",
        "softmax(x)ᵀ",
        _ALONG_ROWS,
        _along_rows,
        condition="along the last axis, which stays last; log_softmax too",
    ),
    rewrite_node(
        "transpose_after_reduction",
        PHASE,
        "max(xᵀ, axis=2)",
        "max(x, axis=2)ᵀ",
        REDUCING,
        _reduction,
        condition="for any reduction along axes that are not moved; the last one stays last",
    ),
    rewrite_node(
        "transpose_after_labels",
        PHASE,
        "cross_entropy(softmax(xᵀ), t)",
        "cross_entropy(softmax(x), tᵀ)ᵀ",
        _BY_LABEL,
        _by_label,
        condition="the last axis stays last; pick(xᵀ, t) too",
    ),
)
