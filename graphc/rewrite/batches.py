"""Products of a batch as one product: rows of all matrices times one, and sums over a batch.

A batch whose matrices all meet the same one is a single taller matrix; a sum of products over a
batch is a single product with a longer inner axis. One product is cut into better tiles than many,
and needs no array of summands.
"""

from __future__ import annotations

from graphc.ir.dim import product
from graphc.ir.node import Node, make
from graphc.ops import contraction, reduction
from graphc.ops.layout import (
    broadcast_op,
    broadcast_to,
    reshape,
    slice_op,
    swap_last_axes,
    swaps_last_axes,
    transpose,
    transpose_op,
)
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
Axes = tuple[int, ...]


def shared_matrix(node: Node) -> Node | None:
    """The one matrix that all of a batch are, if they are written so."""
    if node.ndim < 3:
        return None
    if swaps_last_axes(node):
        inner = shared_matrix(node.inputs[0])
        return None if inner is None else swap_last_axes(inner)
    if node.op is not broadcast_op:
        return None
    (source,), matrix = node.inputs, node.shape[-2:]
    alone = source.shape[-2:] == matrix and product(source.shape[:-2]) == 1
    return reshape(source, matrix) if alone else None


def order_before_rows(node: Node) -> Axes | None:
    """The axes of a transposition that leaves the last axis last; None for any other node."""
    if node.op is not transpose_op or node.attrs["axes"][-1] != node.ndim - 1:
        return None
    axes: Axes = node.attrs["axes"]
    return axes


def inverse(axes: Axes) -> Axes:
    """The order that undoes another."""
    return tuple(axes.index(axis) for axis in range(len(axes)))


def _is_in_order(node: Node) -> bool:
    """Whether the matrices of a batch lie one after the other where the node is stored."""
    if node.op is slice_op:
        shape = node.inputs[0].shape
        rest = zip(node.attrs["bounds"][1:], shape[1:], strict=True)
        first = node.attrs["bounds"][0]
        return bool(first[2] == 1) and all(bounds == (0, dim, 1) for bounds, dim in rest)
    return node.op not in (transpose_op, broadcast_op)


def _one_product(node: Node, _: Context) -> Node | None:
    """(b, n, k) @ (k, m) repeated b times is (b n, k) @ (k, m)."""
    a, b = node.inputs
    matrix = shared_matrix(b)
    if matrix is None:
        return None
    left = shared_matrix(a)
    if left is not None:
        return broadcast_to(make(node.op, (left, matrix)), node.shape)
    axes = order_before_rows(a)
    if axes is not None:
        (x,) = a.inputs
        spread = broadcast_to(matrix, (*x.shape[:-2], *matrix.shape))
        return transpose(make(node.op, (x, spread)), axes)
    if not _is_in_order(a):
        return None
    rows = reshape(a, (product(a.shape[:-1]), a.shape[-1]))
    return reshape(make(node.op, (rows, matrix)), node.shape)


def _sum_as_product(node: Node, context: Context) -> Node | None:
    """The sum over a batch of aᵀ @ b is one product over the batch and the inner axis."""
    (batch,) = node.inputs
    if batch.op is not contraction.matmul_op or context.users.get(batch) != 1:
        return None
    if node.attrs["axes"] != tuple(range(batch.ndim - 2)) or batch.ndim < 3:
        return None
    a, b = batch.inputs
    if a.op is not transpose_op or a.attrs["axes"][-2] != a.ndim - 1:
        return None
    axes: Axes = a.attrs["axes"]
    order = (*axes[:-2], axes[-1], axes[-2])  # of swap_last_axes(a), to which b belongs
    x, y = a.inputs[0], transpose(b, inverse(order))
    left = reshape(x, (product(x.shape[:-1]), x.shape[-1]))
    right = reshape(y, (product(y.shape[:-1]), y.shape[-1]))
    return reshape(make(batch.op, (swap_last_axes(left), right)), node.shape)


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "product_of_batch",
        PHASE,
        "x @ broadcast_to(A)",
        "reshape(reshape(x) @ A)",
        (contraction.matmul_op,),
        _one_product,
        condition="all matrices of the batch x meet the same matrix A; a transposition of the axes "
        "before the last of x comes after the product",
    ),
    rewrite_node(
        "sum_of_batch",
        PHASE,
        "sum(xᵀ @ y, axis=0)",
        "reshape(x)ᵀ @ reshape(y)",
        (reduction.sum_op,),
        _sum_as_product,
        condition="the sum is over all axes of the batch, and the products are not used elsewhere",
        looks_around=True,
    ),
)
