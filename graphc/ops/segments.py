"""Values combined by segment: each value says by a number which segment it belongs to."""

from __future__ import annotations

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ShapeError
from graphc.ir.dim import Dim
from graphc.ir.node import Node, make
from graphc.ir.op import Op
from graphc.ir.shape import as_shape, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.indexing import scatter_add
from graphc.ops.indices import from_zero, require_integers
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.scattering import at_max_op, at_min_op, at_multiply_op
from graphc.ops.source import as_node, const


def segment_sum(values: object, segment_ids: object, num_segments: Dim | str) -> Node:
    """The sum of the values of each segment; 0 of none.

    Shapes: segment_ids (m, ...) of integers in 0..num_segments-1, in any order; values
    (m, ..., *rest); result (num_segments, *rest). A number outside is an IndexRangeError.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(segment_sum([1.0, 2.0, 3.0], [0, 2, 0], 3))
    array([4., 0., 2.], dtype=float32)
    """
    return scatter_add(values, segment_ids, num_segments)


def segment_mean(values: object, segment_ids: object, num_segments: Dim | str) -> Node:
    """The mean of the values of each segment, as floats; 0 of none. Shapes as segment_sum."""
    node, places = as_node(values), as_node(segment_ids)
    node = node if node.dtype.is_float else scalar.as_dtype_node(node, float)
    total = scatter_add(node, places, num_segments)
    ones = broadcast_to(const(1, node.dtype), places.shape)
    count = scalar.maximum(scatter_add(ones, places, num_segments), 1)
    return total / reshape(count, (count.shape[0], *[1] * (total.ndim - 1)))


def segment_max(values: object, segment_ids: object, num_segments: Dim | str) -> Node:
    """The largest value of each segment; of none -inf, or the least integer. Shapes as
    segment_sum; ties share the gradient equally."""
    node = as_node(values)
    least = -np.inf if node.dtype.is_float else int(np.iinfo(node.dtype.name).min)
    return _combine(at_max_op, node, segment_ids, num_segments, least)


def segment_min(values: object, segment_ids: object, num_segments: Dim | str) -> Node:
    """The smallest value of each segment; of none inf, or the largest integer. Shapes as
    segment_sum; ties share the gradient equally."""
    node = as_node(values)
    largest = np.inf if node.dtype.is_float else int(np.iinfo(node.dtype.name).max)
    return _combine(at_min_op, node, segment_ids, num_segments, largest)


def segment_prod(values: object, segment_ids: object, num_segments: Dim | str) -> Node:
    """The product of the values of each segment; 1 of none. Shapes as segment_sum."""
    return _combine(at_multiply_op, as_node(values), segment_ids, num_segments, 1)


def _combine(op: Op, values: Node, ids: object, count: Dim | str, start: float | int) -> Node:
    name = op.name.replace("at_multiply", "segment_prod").replace("at_", "segment_")
    places = as_node(ids)
    require_integers(name, places)
    if values.shape[: places.ndim] != places.shape:
        raise ShapeError(
            f"{name}: expected values whose shape begins with that of the segment numbers, "
            f"{shape_text(places.shape)}; got {shape_text(values.shape)}"
        )
    (size,) = as_shape(count)
    base = broadcast_to(const(start, values.dtype), (size, *values.shape[places.ndim :]))
    return make(op, (base, cast(values, base.dtype), from_zero(places, size)), axes=(0,))
