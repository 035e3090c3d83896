"""What a mask that is computed selects: a number of elements that is fixed beforehand."""

from __future__ import annotations

import graphc.ops.scalar as scalar
from graphc.errors import ShapeError
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import bool_, int64
from graphc.ir.node import Node, make
from graphc.ir.shape import as_shape, normalize_axis, shape_text
from graphc.ops.cumulative import cumsum
from graphc.ops.elementwise import cast, not_zero
from graphc.ops.indexing import take_op
from graphc.ops.indices import as_indices, from_zero
from graphc.ops.layout import broadcast_to, ravel, reshape
from graphc.ops.reduction import sum as sum_over
from graphc.ops.rounding import floor_divide, remainder
from graphc.ops.scattering import at_set_op
from graphc.ops.slicing import getitem
from graphc.ops.source import as_node, const, ramp
from graphc.ops.source import size as size_of


def nonzero(x: object, *, size: Dim | str, fill_value: int = 0) -> tuple[Node, ...]:
    """The indices of the first `size` elements that are not zero, an array for each axis.

    As np.nonzero, whose number of results depends on values; here it is `size`. Where there are
    fewer, the rest is `fill_value`. Shapes: each (size,), int64, in row-major order.

    >>> from graphc.ops.source import input
    >>> rows, columns = nonzero(input("x", (3, 4)), size=5)
    >>> rows
    <where: int64 (5,)>
    """
    node = as_node(x)
    if node.ndim == 0:
        raise ShapeError("nonzero: expected an array with at least one axis, got a scalar")
    flat, found = _places(_truth(node), _count(size))
    result = []
    for axis, dim in enumerate(node.shape):
        # An empty array has no index, and nothing to divide by.
        after = scalar.maximum(size_of(product(node.shape[axis + 1 :])), 1)
        along = remainder(floor_divide(flat, after), scalar.maximum(size_of(dim), 1))
        result.append(scalar.where(found, along, fill_value))
    return tuple(result)


def compress(
    mask: object,
    x: object,
    axis: int | None = None,
    *,
    size: Dim | str,
    fill_value: float = 0,
) -> Node:
    """The first `size` elements of `x` where `mask` is true, and `fill_value` where there are
    fewer.

    As np.compress, whose number of results depends on values; here it is `size`. Shapes: with an
    axis, mask (n,) for the length n of that axis of x; without, mask of the shape of x, which is
    read in row-major order as in x[mask]: result (size,). The gradient goes to what was taken.

    >>> from graphc.ops.source import input
    >>> compress(input("m", ("n",), "bool"), input("x", ("n", 3)), axis=0, size=5)
    <where: float32 (5, 3)>
    """
    node, condition = as_node(x), as_node(mask)
    if axis is None:
        if condition.shape != node.shape:
            raise ShapeError(
                f"compress: expected a mask of shape {shape_text(node.shape)}, or an axis; "
                f"got {shape_text(condition.shape)}"
            )
        node, axis = ravel(node), 0
    at = normalize_axis(axis, node.ndim, "compress")
    length = node.shape[at]
    if product(condition.shape) != length or (condition.ndim != 1 and node.ndim != 1):
        raise ShapeError(
            f"compress: expected a mask of shape {shape_text((length,))} for axis {at} of "
            f"{shape_text(node.shape)}, got {shape_text(condition.shape)}"
        )
    places, found = _places(_truth(condition), _count(size))
    after = [1] * (node.ndim - at - 1)
    kept = reshape(found, (*found.shape, *after))
    shape = (*node.shape[:at], found.shape[0], *node.shape[at + 1 :])
    fill = as_node(fill_value, node.dtype)
    if length == 0:
        return broadcast_to(cast(fill, node.dtype), shape)
    taken = make(take_op, (node, from_zero(places, length)), axes=(at,))
    return scalar.where(broadcast_to(kept, shape), taken, cast(fill, node.dtype))


def _truth(node: Node) -> Node:
    return node if node.dtype is bool_ else not_zero(node)


def _count(size: Dim | str) -> Dim:
    (count,) = as_shape(size)
    return count


def _places(mask: Node, count: Dim) -> tuple[Node, Node]:
    """The flat indices of the first `count` true elements, 0 where there are fewer, and whether
    there is one."""
    flat = ravel(mask)
    number = cumsum(cast(flat, int64), axis=0)  # of this element among the true ones, from 1 on
    limit = size_of(count)
    wanted = scalar.logical_and(flat, scalar.less_equal(number, limit))
    # What is not wanted goes to a place at the end, which is dropped.
    goal = scalar.where(wanted, number - 1, limit)
    room = broadcast_to(const(0, int64), (count + 1,))
    order = ramp(flat.shape, 0)
    filled = make(at_set_op, (room, order, as_indices(goal, count + 1, 0, "mask")), axes=(0,))
    total = sum_over(cast(flat, int64), axis=0)
    return getitem(filled, slice(None, count)), scalar.less(ramp((count,), 0), total)
