"""Slices and padding: which elements of an axis are taken, and where elements are put.

Each is the adjoint of the other, so their derivatives are of the same two operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc.ir.dim import Dim, floor_divide
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType


class LayoutOp(Op):
    """An operation that rearranges, repeats or omits elements without computing."""

    kind = "layout"


def layout_operation(
    name: str,
    infer: Callable[[tuple[Node, ...], Attributes], TensorType],
    reference: Callable[..., np.ndarray],
    vjp: VectorJacobian,
    notation: Notation,
    doc: str,
) -> LayoutOp:
    """Define an operation of this kind."""
    op = LayoutOp(name, infer, reference, vjp, notation=notation, doc=doc)
    register(op)
    return op


def with_argument(name: str, argument: Callable[[Node], object]) -> Notation:
    """Written as a call with one argument; LaTeX has the shape below the name instead."""

    def latex(node: Node) -> str:
        below = r" \times ".join(str(dim).replace("_", r"\_") for dim in node.shape)
        return rf"\operatorname{{{name.removesuffix('_to')}}}_{{{below}}}\left({{0}}\right)"

    return Notation(lambda node: f"{name}({{0}}, {argument(node)})", latex)


def slice_length(start: Dim, stop: Dim, step: int) -> Dim:
    """The number of elements start, start + step, ... before stop."""
    span = stop - start if step > 0 else start - stop
    return floor_divide(span + (abs(step) - 1), abs(step))


def _infer_slice(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, tuple(slice_length(*bounds) for bounds in attrs["bounds"]))


def _numpy_slice(start: int, stop: int, step: int) -> slice:
    """A slice as NumPy reads it, to whom a negative bound counts from the end."""
    taken = range(start, stop, step)
    if not taken:
        return slice(0, 0)
    end = taken[-1] + (1 if step > 0 else -1)
    return slice(taken[0], end if end >= 0 else None, step)


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


slice_op = layout_operation(
    "slice",
    _infer_slice,
    lambda attrs, x: x[tuple(_numpy_slice(*bounds) for bounds in attrs["bounds"])],
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


pad_op = layout_operation(
    "pad",
    _infer_pad,
    _pad_reference,
    _pad_vjp,
    with_argument("pad", lambda node: node.attrs["edges"]),
    "zeros before, after and between the elements, for each axis",
)


def pad(x: Node, edges: tuple[tuple[Dim, Dim, int], ...]) -> Node:
    """`x` with (before, after, between) zeros added along each axis."""
    if all(edge == (0, 0, 0) for edge in edges):
        return x
    return make(pad_op, (x,), edges=edges)
