"""Layout: operations that only move elements merge, and repetition comes after computing."""

from __future__ import annotations

from graphc.ir.dim import Dim
from graphc.ir.dim import product as dim_product
from graphc.ir.node import Node, make
from graphc.ir.shape import Shape
from graphc.ops import composite, reduction
from graphc.ops.layout import (
    broadcast_op,
    broadcast_to,
    reshape,
    reshape_op,
    slice_op,
    transpose,
    transpose_op,
)
from graphc.ops.reduction import reduced_shape
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "canonicalize"
# Operations with the attributes `axes` and `keepdims`.
REDUCING = (
    reduction.sum_op,
    reduction.prod_op,
    reduction.max_op,
    reduction.min_op,
    reduction.mean_op,
    reduction.any_op,
    reduction.all_op,
    composite.logsumexp_op,
    reduction.argmax_op,
    reduction.argmin_op,
)


# Those whose result does not depend on the order of elements.
FOLDING = tuple(op for op in REDUCING if op not in (reduction.argmax_op, reduction.argmin_op))


def _transpose_of_transpose(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not transpose_op:
        return None
    first: tuple[int, ...] = inner.attrs["axes"]
    return transpose(inner.inputs[0], tuple(first[axis] for axis in node.attrs["axes"]))


def _transpose_of_unit_axes(node: Node, _: Context) -> Node | None:
    (source,) = node.inputs
    moved = [axis for axis in node.attrs["axes"] if source.shape[axis] != 1]
    return reshape(source, node.shape) if moved == sorted(moved) else None


def _reshape_of_reshape(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    return reshape(inner.inputs[0], node.shape) if inner.op is reshape_op else None


def _broadcast_of_broadcast(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    source = unrepeated(inner)
    return broadcast_to(source, node.shape) if source is not inner else None


def uniform_source(node: Node) -> Node | None:
    """The scalar that every element of the node is a copy of, None if it is not written so."""
    if node.op is broadcast_op and node.inputs[0].shape == ():
        return node.inputs[0]
    return node if node.shape == () else None


def _layout_of_uniform(node: Node, _: Context) -> Node | None:
    source = uniform_source(node.inputs[0])
    return None if source is None else broadcast_to(source, node.shape)


def unrepeated(node: Node) -> Node:
    """The operand without repetition or new leading axes: broadcasting supplies them anyway."""
    while True:
        if node.op is broadcast_op or (node.op is reshape_op and _adds_leading_axes(node)):
            node = node.inputs[0]
        else:
            return node


def _adds_leading_axes(node: Node) -> bool:
    old = node.inputs[0].shape
    extra = len(node.shape) - len(old)
    return extra > 0 and node.shape == (1,) * extra + old


def _repeat_last(node: Node, _: Context) -> Node | None:
    inputs = tuple(map(unrepeated, node.inputs))
    if inputs == node.inputs:
        return None
    return broadcast_to(make(node.op, inputs, **node.attrs), node.shape)


def _reshape_of_reduction(node: Node, context: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op not in REDUCING or context.users.get(inner, 1) > 1:
        return None  # used in both forms it would be computed twice
    (source,), axes, keepdims = inner.inputs, inner.attrs["axes"], not inner.attrs["keepdims"]
    if node.shape != reduced_shape(source.shape, axes, keepdims):
        return None
    return make(inner.op, (source,), axes=axes, keepdims=keepdims)


def _full_reduction(node: Node, _: Context) -> Node | None:
    if not node.attrs["keepdims"] or len(node.attrs["axes"]) < node.inputs[0].ndim:
        return None
    return broadcast_to(
        make(node.op, node.inputs, axes=node.attrs["axes"], keepdims=False), node.shape
    )


def _total_of_layout(node: Node, _: Context) -> Node | None:
    """A sum over all elements does not see how they are arranged."""
    (inner,) = node.inputs
    if inner.op not in (reshape_op, transpose_op) or len(node.attrs["axes"]) < inner.ndim:
        return None
    source = inner.inputs[0]
    if source.ndim == 0:
        return broadcast_to(source, node.shape)
    total = make(node.op, (source,), axes=tuple(range(source.ndim)), keepdims=False)
    return broadcast_to(total, node.shape)


def _sum_of_transpose(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not transpose_op or node.attrs["keepdims"]:
        return None
    order: tuple[int, ...] = inner.attrs["axes"]
    reduced = tuple(order[axis] for axis in node.attrs["axes"])
    kept = [axis for axis in order if axis not in reduced]
    if kept != sorted(kept):
        return None
    return make(node.op, inner.inputs, axes=tuple(sorted(reduced)), keepdims=False)


def repeated_axes(small: Shape, shape: Shape) -> tuple[int, ...]:
    """The axes of `shape` along which an array of shape `small` is repeated."""
    extra = len(shape) - len(small)
    return tuple(
        axis
        for axis, dim in enumerate(shape)
        if dim != 1 and (axis < extra or small[axis - extra] == 1)
    )


def count_of(shape: Shape, axes: tuple[int, ...]) -> Dim:
    """The number of elements along some axes."""
    return dim_product(tuple(shape[axis] for axis in axes))


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "layout_of_uniform",
        PHASE,
        "reshape(broadcast_to(s))",
        "broadcast_to(s)",
        (reshape_op, transpose_op, slice_op),
        _layout_of_uniform,
        condition="s is a scalar",
    ),
    rewrite_node(
        "transpose_of_transpose", PHASE, "xᵀᵀ", "x", (transpose_op,), _transpose_of_transpose
    ),
    rewrite_node(
        "transpose_of_unit_axes",
        PHASE,
        "xᵀ",
        "reshape(x)",
        (transpose_op,),
        _transpose_of_unit_axes,
        condition="only axes of length 1 pass each other",
    ),
    rewrite_node(
        "reshape_of_reshape",
        PHASE,
        "reshape(reshape(x))",
        "reshape(x)",
        (reshape_op,),
        _reshape_of_reshape,
    ),
    rewrite_node(
        "broadcast_of_broadcast",
        PHASE,
        "broadcast_to(broadcast_to(x))",
        "broadcast_to(x)",
        (broadcast_op,),
        _broadcast_of_broadcast,
    ),
    rewrite_node(
        "repeat_last",
        PHASE,
        "exp(broadcast_to(x)) + broadcast_to(y)",
        "broadcast_to(exp(x) + y)",
        ("elementwise",),
        _repeat_last,
        condition="for any elementwise operation",
    ),
    rewrite_node(
        "reshape_of_reduction",
        PHASE,
        "reshape(sum(x, axis=1))",
        "sum(x, axis=1, keepdims=True)",
        (reshape_op,),
        _reshape_of_reduction,
        condition="for any reduction that is not used elsewhere, and the reverse",
        looks_around=True,
    ),
    rewrite_node(
        "full_reduction",
        PHASE,
        "sum(x, keepdims=True)",
        "broadcast_to(sum(x))",
        REDUCING,
        _full_reduction,
        condition="all axes are reduced",
    ),
    rewrite_node(
        "total_of_layout",
        PHASE,
        "sum(reshape(x))",
        "sum(x)",
        FOLDING,
        _total_of_layout,
        condition="all axes are reduced; for any reduction but argmax and argmin",
    ),
    rewrite_node(
        "sum_of_transpose",
        PHASE,
        "sum(xᵀ, axis=0)",
        "sum(x, axis=1)",
        FOLDING,
        _sum_of_transpose,
        condition="for any reduction but argmax and argmin",
    ),
)
