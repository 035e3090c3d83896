"""Layout: operations that only say where an element comes from.

Targets fold them into their consumers as index maps. Each one's gradient is another of them, or a
sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.dim import Dim, floor_divide, product
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.op import ATOM, Attributes, Notation
from graphc.ir.shape import (
    Shape,
    TensorType,
    as_shape,
    broadcast_shapes,
    normalize_axes,
    normalize_axis,
    shape_text,
)
from graphc.ops.placement import LayoutOp as LayoutOp
from graphc.ops.placement import flip as flip
from graphc.ops.placement import index_texts as index_texts
from graphc.ops.placement import layout_operation, with_argument
from graphc.ops.placement import pad as pad
from graphc.ops.placement import pad_op as pad_op
from graphc.ops.placement import slice_axes as slice_axes
from graphc.ops.placement import slice_length as slice_length
from graphc.ops.placement import slice_op as slice_op
from graphc.ops.source import as_node


def _shape_argument(node: Node) -> str:
    return shape_text(node.shape)


def _is_matrix_transpose(node: Node) -> bool:
    return bool(node.attrs["axes"] == (1, 0))


def _infer_transpose(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, tuple(x.shape[axis] for axis in attrs["axes"]))


transpose_op = layout_operation(
    "transpose",
    _infer_transpose,
    lambda attrs, x: np.transpose(x, attrs["axes"]),
    lambda node, g: [transpose(g, tuple(int(a) for a in np.argsort(node.attrs["axes"])))],
    Notation(
        lambda node: (
            "{0}ᵀ" if _is_matrix_transpose(node) else f"transpose({{0}}, {node.attrs['axes']})"
        ),
        lambda node: (
            r"{0}^{\top}"
            if _is_matrix_transpose(node)
            else r"\operatorname{transpose}\left({0}\right)"
        ),
        ATOM,
        (ATOM,),
    ),
    "the axes in another order",
)


def transpose(x: object, axes: Any = None) -> Node:
    """The axes of `x` in another order, reversed by default.

    Args: `axes`, a permutation of the axes. Raises ShapeError if it is not one.
    """
    node = as_node(x)
    if axes is None:
        order = tuple(reversed(range(node.ndim)))
    else:
        order = tuple(normalize_axis(axis, node.ndim, "transpose") for axis in axes)
    if sorted(order) != list(range(node.ndim)):
        raise ShapeError(
            f"transpose: expected a permutation of {node.ndim} axes, got {axes!r} for "
            f"shape {shape_text(node.shape)}"
        )
    if order == tuple(range(node.ndim)):
        return node
    return make(transpose_op, (node,), axes=order)


def moveaxis(x: object, source: Any, destination: Any) -> Node:
    """The axes `source` of `x` moved to `destination`; the others keep their order.

    >>> from graphc.ops.source import input
    >>> moveaxis(input("x", (2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    node = as_node(x)
    moved, places = _axes_in_order(node, source), _axes_in_order(node, destination)
    if len(moved) != len(places):
        raise ShapeError(
            f"moveaxis: expected as many destinations as sources, got {source!r} and "
            f"{destination!r}"
        )
    order = [axis for axis in range(node.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return transpose(node, order)


def _axes_in_order(node: Node, axes: Any) -> list[int]:
    """Normalized axes in the order they were given."""
    several = axes if isinstance(axes, Iterable) else (axes,)
    normalize_axes(several, node.ndim, "moveaxis")  # says so where one is named twice
    return [normalize_axis(axis, node.ndim, "moveaxis") for axis in several]


def swapaxes(x: object, axis1: int, axis2: int) -> Node:
    """`x` with two axes interchanged."""
    node = as_node(x)
    first, second = (normalize_axis(axis, node.ndim, "swapaxes") for axis in (axis1, axis2))
    order = list(range(node.ndim))
    order[first], order[second] = second, first
    return transpose(node, order)


def swap_last_axes(x: Node) -> Node:
    """The matrix transpose of the last two axes."""
    return transpose(x, _last_swapped(x.ndim))


def swaps_last_axes(node: Node) -> bool:
    """Whether a node is the matrix transpose of another."""
    return node.op is transpose_op and node.attrs["axes"] == _last_swapped(node.ndim)


def _last_swapped(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2)


def _infer_reshape(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape: Shape = attrs["shape"]
    if product(x.shape) != product(shape):
        raise ShapeError(
            f"reshape: {shape_text(x.shape)} has {product(x.shape)} elements, "
            f"{shape_text(shape)} has {product(shape)}"
        )
    return TensorType(x.dtype, shape)


reshape_op = layout_operation(
    "reshape",
    _infer_reshape,
    lambda attrs, x: np.reshape(x, attrs["shape"]),
    lambda node, g: [reshape(g, node.inputs[0].shape)],
    with_argument("reshape", _shape_argument),
    "the same elements, in row-major order, in another shape",
)


def reshape(x: object, shape: Any) -> Node:
    """The elements of `x` in another shape; one dimension may be -1.

    Raises ShapeError if the numbers of elements differ.
    """
    node = as_node(x)
    wanted = shape if isinstance(shape, tuple | list) else (shape,)
    unknown = [i for i, dim in enumerate(wanted) if not isinstance(dim, str) and dim == -1]
    if len(unknown) > 1:
        raise ShapeError(f"reshape: at most one dimension may be -1; got {tuple(wanted)}")
    known = as_shape([1 if i in unknown else dim for i, dim in enumerate(wanted)])
    if unknown:
        missing = _missing_dimension(node.shape, known)
        known = tuple(missing if i in unknown else dim for i, dim in enumerate(known))
    if known == node.shape:
        return node
    return make(reshape_op, (node,), shape=known)


def _missing_dimension(shape: Shape, known: Shape) -> Dim:
    total, rest = product(shape), product(known)
    if rest == 0 or (isinstance(total, int) and isinstance(rest, int) and total % rest):
        raise ShapeError(
            f"reshape: {total} elements of {shape_text(shape)} do not divide into {rest}"
        )
    return floor_divide(total, rest)


def ravel(x: object) -> Node:
    """All elements of `x` along one axis, in row-major order."""
    node = as_node(x)
    return reshape(node, (product(node.shape),))


def expand_dims(x: object, axis: Any) -> Node:
    """`x` with a new axis of length 1 at `axis` of the result, or at each of several."""
    node = as_node(x)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    places = normalize_axes(axis, node.ndim + count, "expand_dims")
    rest = iter(node.shape)
    return reshape(
        node, tuple(1 if at in places else next(rest) for at in range(node.ndim + count))
    )


def squeeze(x: object, axis: Any = None) -> Node:
    """`x` without its axis `axis`, or several, of length 1; without all of them for None.

    A symbolic size is not known to be 1: its axis stays, and naming it is a ShapeError.
    """
    node = as_node(x)
    if axis is None:
        return reshape(node, tuple(dim for dim in node.shape if dim != 1))
    places = normalize_axes(axis, node.ndim, "squeeze")
    for at in places:
        if node.shape[at] != 1:
            raise ShapeError(
                f"squeeze: axis {at} of {shape_text(node.shape)} has {node.shape[at]}, expected 1"
            )
    return reshape(node, tuple(dim for at, dim in enumerate(node.shape) if at not in places))


def at_least_axes(x: object, count: int) -> Node:
    """`x` with axes of length 1 added until it has `count`, where NumPy's `atleast_1d`, `_2d` and
    `_3d` put them."""
    node = as_node(x)
    if count == 3 and node.ndim in (1, 2):
        return reshape(node, (1,) * (2 - node.ndim) + (*node.shape, 1))
    return reshape(node, (1,) * (count - node.ndim) + node.shape)


def _at_least(arrays: tuple[object, ...], count: int) -> Any:
    made = [at_least_axes(array, count) for array in arrays]
    return made[0] if len(made) == 1 else tuple(made)


def atleast_1d(*arrays: object) -> Any:
    """Each array with at least one axis: a node for one, a tuple for several."""
    return _at_least(arrays, 1)


def atleast_2d(*arrays: object) -> Any:
    """Each array with at least two axes, new ones first: a node for one, a tuple for several."""
    return _at_least(arrays, 2)


def atleast_3d(*arrays: object) -> Any:
    """Each array with at least three axes, as NumPy: (n,) becomes (1, n, 1) and (m, n) becomes
    (m, n, 1)."""
    return _at_least(arrays, 3)


def _infer_broadcast(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape: Shape = attrs["shape"]
    if broadcast_shapes((x.shape, shape), "broadcast_to") != shape:
        raise ShapeError(f"broadcast_to: {shape_text(x.shape)} does not fit {shape_text(shape)}")
    return TensorType(x.dtype, shape)


broadcast_op = layout_operation(
    "broadcast_to",
    _infer_broadcast,
    lambda attrs, x: np.broadcast_to(x, attrs["shape"]),
    lambda node, g: [sum_to_shape(g, node.inputs[0].shape)],
    with_argument("broadcast_to", _shape_argument),
    "the elements repeated along axes of length 1",
)


def broadcast_to(x: object, shape: Any) -> Node:
    """`x` repeated to `shape` by NumPy's rule. Raises ShapeError if it does not fit."""
    node = as_node(x)
    wanted = as_shape(shape)
    return node if node.shape == wanted else make(broadcast_op, (node,), shape=wanted)


def broadcast_arrays(*arrays: object) -> tuple[Node, ...]:
    """The arrays, each repeated to the shape in which all of them meet.

    >>> from graphc.ops.source import input
    >>> [a.shape for a in broadcast_arrays(input("x", (3, 1)), input("y", (4,)))]
    [(3, 4), (3, 4)]
    """
    nodes = [as_node(array) for array in arrays]
    shape = broadcast_shapes((node.shape for node in nodes), "broadcast_arrays")
    return tuple(broadcast_to(node, shape) for node in nodes)


def sum_to_shape(x: Node, shape: Shape) -> Node:
    """`x` summed over the axes along which `shape` was broadcast: the transpose of broadcasting."""
    if x.shape == shape:
        return x
    extra = x.ndim - len(shape)
    axes = (
        *range(extra),
        *(i + extra for i, d in enumerate(shape) if d == 1 != x.shape[i + extra]),
    )
    summed = OPERATORS["sum"](x, axis=axes, keepdims=False) if axes else x
    return reshape(summed, shape)
