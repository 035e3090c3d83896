"""Layout: operations that only say where an element comes from.

Targets fold them into their consumers as index maps. Each one's gradient is another of them, or a
sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.dim import Dim, floor_divide, product
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import (
    Shape,
    TensorType,
    as_shape,
    broadcast_shapes,
    normalize_axis,
    shape_text,
)
from graphc.ops.source import as_node


@dataclass(frozen=True, eq=False, repr=False)
class LayoutOp(Op):
    """An operation that rearranges, repeats or omits elements without computing."""

    kind = "layout"


def _layout(
    name: str,
    infer: Callable[[tuple[Node, ...], Attributes], TensorType],
    reference: Callable[..., np.ndarray],
    vjp: VectorJacobian,
    notation: Notation,
    doc: str,
) -> LayoutOp:
    op = LayoutOp(name, infer, reference, vjp, notation=notation, doc=doc)
    register(op)
    return op


def _apply(name: str, argument: Callable[[Node], object]) -> Notation:
    """Written as a call with one argument; LaTeX has the shape below the name instead."""

    def latex(node: Node) -> str:
        below = r" \times ".join(str(dim).replace("_", r"\_") for dim in node.shape)
        return rf"\operatorname{{{name.removesuffix('_to')}}}_{{{below}}}\left({{0}}\right)"

    return Notation(lambda node: f"{name}({{0}}, {argument(node)})", latex)


def _shape_argument(node: Node) -> str:
    return shape_text(node.shape)


def _is_matrix_transpose(node: Node) -> bool:
    return bool(node.attrs["axes"] == (1, 0))


def _infer_transpose(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, tuple(x.shape[axis] for axis in attrs["axes"]))


transpose_op = _layout(
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


def swap_last_axes(x: Node) -> Node:
    """The matrix transpose of the last two axes."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _infer_reshape(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape: Shape = attrs["shape"]
    if product(x.shape) != product(shape):
        raise ShapeError(
            f"reshape: {shape_text(x.shape)} has {product(x.shape)} elements, "
            f"{shape_text(shape)} has {product(shape)}"
        )
    return TensorType(x.dtype, shape)


reshape_op = _layout(
    "reshape",
    _infer_reshape,
    lambda attrs, x: np.reshape(x, attrs["shape"]),
    lambda node, g: [reshape(g, node.inputs[0].shape)],
    _apply("reshape", _shape_argument),
    "the same elements, in row-major order, in another shape",
)


def reshape(x: object, shape: Any) -> Node:
    """The elements of `x` in another shape; one dimension may be -1.

    Raises ShapeError if the numbers of elements differ.
    """
    node = as_node(x)
    wanted = shape if isinstance(shape, tuple | list) else (shape,)
    unknown = [i for i, dim in enumerate(wanted) if isinstance(dim, int) and dim == -1]
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


def expand_dims(x: object, axis: int) -> Node:
    """`x` with a new axis of length 1 at `axis` of the result."""
    node = as_node(x)
    at = normalize_axis(axis, node.ndim + 1, "expand_dims")
    return reshape(node, (*node.shape[:at], 1, *node.shape[at:]))


def squeeze(x: object, axis: int) -> Node:
    """`x` without its axis `axis`, which must have length 1."""
    node = as_node(x)
    at = normalize_axis(axis, node.ndim, "squeeze")
    if node.shape[at] != 1:
        raise ShapeError(
            f"squeeze: axis {axis} of {shape_text(node.shape)} has {node.shape[at]}, expected 1"
        )
    return reshape(node, (*node.shape[:at], *node.shape[at + 1 :]))


def _infer_broadcast(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape: Shape = attrs["shape"]
    if broadcast_shapes((x.shape, shape), "broadcast_to") != shape:
        raise ShapeError(f"broadcast_to: {shape_text(x.shape)} does not fit {shape_text(shape)}")
    return TensorType(x.dtype, shape)


broadcast_op = _layout(
    "broadcast_to",
    _infer_broadcast,
    lambda attrs, x: np.broadcast_to(x, attrs["shape"]),
    lambda node, g: [sum_to_shape(g, node.inputs[0].shape)],
    _apply("broadcast_to", _shape_argument),
    "the elements repeated along axes of length 1",
)


def broadcast_to(x: object, shape: Any) -> Node:
    """`x` repeated to `shape` by NumPy's rule. Raises ShapeError if it does not fit."""
    node = as_node(x)
    wanted = as_shape(shape)
    return node if node.shape == wanted else make(broadcast_op, (node,), shape=wanted)


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


def slice_length(start: Dim, stop: Dim, step: int) -> Dim:
    """The number of elements start, start + step, ... before stop."""
    span = stop - start if step > 0 else start - stop
    return floor_divide(span + (abs(step) - 1), abs(step))


def _infer_slice(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, tuple(slice_length(*bounds) for bounds in attrs["bounds"]))


def _numpy_slices(bounds: tuple[tuple[int, int, int], ...]) -> tuple[slice, ...]:
    """Slices as NumPy reads them, to whom a negative bound counts from the end."""
    return tuple(
        slice(start, stop if stop >= 0 else None if step < 0 else 0, step)
        for start, stop, step in bounds
    )


def _slice_vjp(node: Node, g: Node) -> list[Node | None]:
    shape = node.inputs[0].shape
    edges = []
    for (start, _, step), dim, count in zip(node.attrs["bounds"], shape, g.shape, strict=True):
        first = start if step > 0 else start + (count - 1) * step
        # Elements after the last one taken; a slice of no elements leaves none between.
        last = dim - first - (count - 1) * abs(step) - 1
        edges.append((first, last, abs(step) - 1))
    flipped = [step < 0 for _, _, step in node.attrs["bounds"]]
    return [pad(flip(g, flipped), tuple(edges))]


def index_texts(node: Node) -> list[str]:
    """The bounds of a slice as Python writes them, such as `1:n`, `::-1` or `:`, for each axis."""
    return [
        _bound_text(bound, dim)
        for bound, dim in zip(node.attrs["bounds"], node.inputs[0].shape, strict=True)
    ]


def _bound_text(bound: tuple[Dim, Dim, int], dim: Dim) -> str:
    start, stop, step = bound
    first = "" if start == (0 if step > 0 else dim - 1) else str(start)
    last = "" if stop == (dim if step > 0 else -1) else str(stop)
    return f"{first}:{last}" if step == 1 else f"{first}:{last}:{step}"


slice_op = _layout(
    "slice",
    _infer_slice,
    lambda attrs, x: x[_numpy_slices(attrs["bounds"])],
    _slice_vjp,
    Notation(
        lambda node: f"{{0}}[{', '.join(index_texts(node))}]",
        lambda node: rf"{{0}}_{{\left[{', '.join(index_texts(node))}\right]}}",
        ATOM,
        (ATOM,),
    ),
    "every step-th element between two bounds, for each axis",
)


def slice_axes(x: Node, bounds: tuple[tuple[Dim, Dim, int], ...]) -> Node:
    """The elements start, start + step, ... before stop, for each axis; bounds lie inside the
    axis."""
    whole = tuple((0, dim, 1) for dim in x.shape)
    return x if bounds == whole else make(slice_op, (x,), bounds=bounds)


def flip(x: Node, axes: list[bool]) -> Node:
    """`x` with the marked axes reversed."""
    bounds = tuple(
        (dim - 1, -1, -1) if reverse else (0, dim, 1)
        for dim, reverse in zip(x.shape, axes, strict=True)
    )
    return slice_axes(x, bounds)


def _infer_pad(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape = []
    for dim, (low, high, interior) in zip(x.shape, attrs["edges"], strict=True):
        shape.append(low + high + dim + (dim - 1) * interior)
    return TensorType(x.dtype, tuple(shape))


def _pad_reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    edges = attrs["edges"]
    shape = [
        low + high + dim + (dim - 1) * interior
        for dim, (low, high, interior) in zip(x.shape, edges, strict=True)
    ]
    result = np.zeros(shape, x.dtype)
    places = tuple(
        slice(low, low + dim + max(dim - 1, 0) * interior, interior + 1)
        for dim, (low, _, interior) in zip(x.shape, edges, strict=True)
    )
    result[places] = x
    return result


def _pad_vjp(node: Node, g: Node) -> list[Node | None]:
    (x,) = node.inputs
    bounds = tuple(
        (low, low + dim + (dim - 1) * interior, interior + 1)
        for dim, (low, _, interior) in zip(x.shape, node.attrs["edges"], strict=True)
    )
    return [slice_axes(g, bounds)]


pad_op = _layout(
    "pad",
    _infer_pad,
    _pad_reference,
    _pad_vjp,
    _apply("pad", lambda node: node.attrs["edges"]),
    "zeros before, after and between the elements, for each axis",
)


def pad(x: Node, edges: tuple[tuple[Dim, Dim, int], ...]) -> Node:
    """`x` with (before, after, between) zeros added along each axis."""
    if all(edge == (0, 0, 0) for edge in edges):
        return x
    return make(pad_op, (x,), edges=edges)
