"""Sliding windows over axes of an array, and their transpose, which adds up what overlaps.

Windows are an index map: element i of an axis and place k in a window read i * stride +
k * dilation. Kernels read through it, and of an array in memory it is a view. Its transpose adds
to each place what all windows have there. Each is the derivative of the other, to any order.
Convolution and pooling are made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, floor_divide
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Notation, Op, register
from graphc.ir.shape import Shape, TensorType, as_shape, normalize_axis, shape_text
from graphc.ops.placement import layout_operation, with_argument
from graphc.ops.source import as_node


@dataclass(frozen=True)
class Slide:
    """How a window moves along one axis: `count` places, each of `size` elements."""

    axis: int
    count: Dim
    size: int
    stride: int
    dilation: int

    @property
    def span(self) -> int:
        """From the first element of a window to behind its last."""
        return (self.size - 1) * self.dilation + 1

    @property
    def reach(self) -> Dim:
        """The least length of the axis on which all windows lie."""
        return (self.count - 1) * self.stride + self.span


def slides_of(node: Node) -> list[Slide]:
    """How the windows of a `window` or a `fold` move along each of their axes."""
    attrs, many = node.attrs, node if node.op is window_op else node.inputs[0]
    first = many.ndim - len(attrs["axes"])
    return [
        Slide(axis, many.shape[axis], int(size), stride, dilation)  # type: ignore[arg-type]
        for axis, size, stride, dilation in zip(
            attrs["axes"], many.shape[first:], attrs["strides"], attrs["dilations"], strict=True
        )
    ]


def _settings(attrs: Attributes) -> str:
    parts = [
        f", {name}={attrs[name]}" for name in ("strides", "dilations") if set(attrs[name]) != {1}
    ]
    return "".join(parts)


def _infer_window(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    shape = list(x.shape)
    for axis, count in zip(attrs["axes"], attrs["counts"], strict=True):
        shape[axis] = count
    return TensorType(x.dtype, (*shape, *attrs["sizes"]))


def _window_reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    names = ("axes", "counts", "sizes", "strides", "dilations")
    for axis, count, size, stride, dilation in zip(*(attrs[name] for name in names), strict=True):
        places = stride * np.arange(count)[:, None] + dilation * np.arange(size)
        x = np.moveaxis(np.take(x, places, axis=axis), axis + 1, -1)
    return x


def _window_vjp(node: Node, g: Node) -> list[Node | None]:
    (x,), attrs = node.inputs, node.attrs
    lengths = tuple(x.shape[axis] for axis in attrs["axes"])
    return [_fold(g, attrs["axes"], lengths, attrs["strides"], attrs["dilations"])]


window_op = layout_operation(
    "window",
    _infer_window,
    _window_reference,
    _window_vjp,
    with_argument("window", lambda node: f"{node.attrs['sizes']}{_settings(node.attrs)}"),
    "the elements of a window at each of its places; the axes inside a window come last",
)


class FoldOp(Op):
    """Windows added up where they overlap."""

    kind = "fold"


def _infer_fold(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (g,) = inputs
    shape = list(g.shape[: g.ndim - len(attrs["axes"])])
    for axis, length in zip(attrs["axes"], attrs["lengths"], strict=True):
        shape[axis] = length
    return TensorType(g.dtype, tuple(shape))


def _fold_reference(attrs: Attributes, g: np.ndarray) -> np.ndarray:
    axes, count = attrs["axes"], len(attrs["axes"])
    sizes, shape = g.shape[g.ndim - count :], list(g.shape[: g.ndim - count])
    for axis, length in zip(axes, attrs["lengths"], strict=True):
        shape[axis] = length
    result = np.zeros(shape, g.dtype)
    for place in np.ndindex(*sizes):
        taken = [slice(None)] * len(shape)
        for axis, k, step, apart in zip(
            axes, place, attrs["strides"], attrs["dilations"], strict=True
        ):
            taken[axis] = slice(k * apart, k * apart + step * g.shape[axis], step)
            # The last stride may reach behind the axis, where it takes nothing.
        result[tuple(taken)] += g[(..., *place)]
    return result


def _fold_vjp(node: Node, g: Node) -> list[Node | None]:
    (x,), attrs = node.inputs, node.attrs
    axes = attrs["axes"]
    return [
        make(
            window_op, (g,), axes=axes, counts=tuple(x.shape[axis] for axis in axes),
            sizes=x.shape[x.ndim - len(axes) :], strides=attrs["strides"],
            dilations=attrs["dilations"],
        )
    ]  # fmt: skip


fold_op = FoldOp(
    "fold",
    _infer_fold,
    _fold_reference,
    _fold_vjp,
    notation=Notation(
        lambda node: f"fold({{0}}, {node.attrs['lengths']}{_settings(node.attrs)})",
        with_argument("fold", lambda node: "").latex,
    ),
    doc="windows added up, each element at the place that it has in the array",
)
register(fold_op)


# ---- as functions


def window(x: object, sizes: Any, axes: Any = None, strides: Any = 1, dilations: Any = 1) -> Node:
    """The elements of a sliding window at each of its places.

    Args: `sizes`, the elements of a window along each of `axes`, by default the last ones;
    `strides`, how far apart its places are; `dilations`, how far apart its elements are. An int
    counts for every axis.

    The result has the places along `axes`, as many as fit, and the elements of a window along new
    axes at the end: as numpy.lib.stride_tricks.sliding_window_view, of which `strides` takes every
    so many. Raises ShapeError where a window is longer than its axis, at the call if that is
    symbolic.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(window([1, 2, 3, 4, 5], 3, strides=2)).tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    node = as_node(x)
    given = integers("window", "sizes", sizes, _axis_count("window", sizes, axes), 1)
    over = _axes("window", axes, node.ndim, len(given))
    steps = integers("window", "strides", strides, len(over), 1)
    apart = integers("window", "dilations", dilations, len(over), 1)
    counts = tuple(
        places("window", node.shape[axis], size, step, gap)
        for axis, size, step, gap in zip(over, given, steps, apart, strict=True)
    )
    return make(
        window_op, (node,), axes=over, counts=counts, sizes=given, strides=steps, dilations=apart
    )


def places(context: str, length: Dim, size: int, stride: int, dilation: int) -> Dim:
    """The number of places of a window along an axis; ShapeError if it is longer than the axis."""
    span = (size - 1) * dilation + 1
    if isinstance(length, int) and length < span:
        raise ShapeError(
            f"{context}: a window of {size} elements, {dilation} apart, spans {span}; expected no "
            f"more than the {length} of its axis"
        )
    return floor_divide(length - span, stride) + 1


def fold(x: object, lengths: Any, axes: Any = None, strides: Any = 1, dilations: Any = 1) -> Node:
    """Windows added up where they overlap: the transpose of `window`, of an array of `lengths`.

    Args: `x`, as `window` gives it: places along `axes`, by default the last ones before those of
    the windows, and the elements of a window along the last axes; `lengths`, of the result along
    `axes`; `strides` and `dilations` as there. Raises ShapeError where a window would reach
    behind a length.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(fold([[1, 2, 3], [10, 20, 30]], 5, strides=2)).tolist()
    [1, 2, 13, 20, 30]
    """
    node = as_node(x)
    wanted = as_shape(lengths)
    rank = node.ndim - len(wanted)
    if not 0 < len(wanted) <= rank:
        raise ShapeError(
            f"fold: expected places and elements of a window for {len(wanted)} axes, got shape "
            f"{shape_text(node.shape)}"
        )
    over = _axes("fold", axes, rank, len(wanted))
    steps = integers("fold", "strides", strides, len(over), 1)
    apart = integers("fold", "dilations", dilations, len(over), 1)
    if not all(isinstance(size, int) and size >= 1 for size in node.shape[rank:]):
        raise ShapeError(
            f"fold: expected windows of fixed lengths of at least 1 along the last {len(wanted)} "
            f"axes, got shape {shape_text(node.shape)}"
        )
    result = _fold(node, over, wanted, steps, apart)
    for slide, length in zip(slides_of(result), wanted, strict=True):
        if isinstance(length, int) and isinstance(slide.reach, int) and slide.reach > length:
            raise ShapeError(
                f"fold: {slide.count} windows of {slide.size} elements reach over {slide.reach}; "
                f"expected no more than the length {length} of axis {slide.axis}"
            )
    return result


def _fold(
    node: Node,
    axes: tuple[int, ...],
    lengths: Shape,
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> Node:
    return make(fold_op, (node,), axes=axes, lengths=lengths, strides=strides, dilations=dilations)


def misplaced(node: Node, known: Callable[[Dim], int]) -> Iterator[str]:
    """What is wrong with the windows of a node, once dimensions are known."""
    whole = node.inputs[0] if node.op is window_op else node
    for slide in slides_of(node):
        length = known(whole.shape[slide.axis])
        needed = max(slide.span, known(slide.reach))
        if needed > length:
            yield f"windows over {needed} elements of axis {slide.axis}, which has {length}"


# ---- arguments


def _axis_count(context: str, sizes: Any, axes: Any) -> int:
    if isinstance(sizes, tuple | list | np.ndarray):
        return len(sizes)
    return len(axes) if isinstance(axes, tuple | list) else 1


def _axes(context: str, axes: Any, rank: int, count: int) -> tuple[int, ...]:
    """The axes in the order they are given, by default the last `count`."""
    if axes is None:
        if count > rank:
            raise ShapeError(f"{context}: windows over {count} axes of an array with {rank}")
        return tuple(range(rank - count, rank))
    several = axes if isinstance(axes, tuple | list) else (axes,)
    over = tuple(normalize_axis(axis, rank, context) for axis in several)
    if len(set(over)) != len(over) or len(over) != count:
        raise ShapeError(f"{context}: expected {count} different axes, got {axes!r}")
    return over


def integers(context: str, name: str, given: Any, count: int, least: int) -> tuple[int, ...]:
    """One integer of at least `least` for each of `count` axes; one for all is repeated."""
    items = list(given) if isinstance(given, tuple | list | np.ndarray) else [given] * count
    fine = len(items) == count and all(
        hasattr(item, "__index__") and not isinstance(item, bool) and int(item) >= least
        for item in items
    )
    if not fine:
        raise ArgumentError(
            f"{context}: expected {name} to be an integer of at least {least}, or {count} of them; "
            f"got {given!r}"
        )
    return tuple(int(item) for item in items)
