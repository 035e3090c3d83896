"""Joining and splitting: several arrays as one, and one as several.

`concat` is the one operation; stacking, tiling edges and rolling are made of it. Its kernels write
every piece straight into its part of the result. Its gradient is slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import Dim, Size
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, normalize_axis, shape_text
from graphc.ops.elementwise import cast_together
from graphc.ops.layout import at_least_axes, expand_dims, moveaxis, ravel, reshape
from graphc.ops.placement import slice_axes
from graphc.ops.source import as_node, as_nodes


class ConcatOp(Op):
    """Arrays put one after the other along an axis: `attrs["axis"]`."""

    kind = "concat"


def piece_starts(node: Node) -> list[Dim]:
    """Where each input of a concatenation starts along its axis."""
    axis: int = node.attrs["axis"]
    starts: list[Dim] = [0]
    for piece in node.inputs[:-1]:
        starts.append(starts[-1] + piece.shape[axis])
    return starts


def take_along(x: Node, axis: int, start: Dim, stop: Dim) -> Node:
    """The elements from `start` to `stop` along one axis, all along the others."""
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in x.shape]
    bounds[axis] = (start, stop, 1)
    return slice_axes(x, tuple(bounds))


def _describe(node: Node, position: int) -> str:
    name = f" {node.name!r}" if node.name else ""
    return f"array {position}{name} of shape {shape_text(node.shape)}"


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    first, axis = inputs[0], attrs["axis"]
    total: Dim = 0
    for position, node in enumerate(inputs):
        if node.dtype is not first.dtype:
            raise DTypeError(f"concat: expected one dtype, got {first.dtype} and {node.dtype}")
        if node.ndim != first.ndim:
            raise ShapeError(
                f"concat: expected arrays with as many axes as one another, got "
                f"{_describe(first, 0)} and {_describe(node, position)}"
            )
        for at, (dim, wanted) in enumerate(zip(node.shape, first.shape, strict=True)):
            if at != axis and dim != wanted:
                raise ShapeError(
                    f"concat: {_describe(first, 0)} and {_describe(node, position)} differ along "
                    f"axis {at}: {wanted} != {dim}; only axis {axis}, which is joined, may differ"
                )
        total = total + node.shape[axis]
    return TensorType(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _vjp(node: Node, g: Node) -> list[Node | None]:
    axis = node.attrs["axis"]
    return [
        take_along(g, axis, start, start + piece.shape[axis])
        for piece, start in zip(node.inputs, piece_starts(node), strict=True)
    ]


def _text(node: Node) -> str:
    return f"concat({_places(node, ', ')}, axis={node.attrs['axis']})"


def _latex(node: Node) -> str:
    """A block matrix: pieces below one another or, along the last axis, beside one another."""
    below = node.ndim > 1 and node.attrs["axis"] < node.ndim - 1
    inside = _places(node, r" \\ " if below or node.ndim == 1 else " & ")
    return rf"\begin{{bmatrix}} {inside} \end{{bmatrix}}"


def _places(node: Node, between: str) -> str:
    return between.join(f"{{{position}}}" for position in range(len(node.inputs)))


concat_op = ConcatOp(
    "concat", _infer, lambda attrs, *arrays: np.concatenate(arrays, attrs["axis"]), _vjp,
    notation=Notation(_text, _latex, ATOM), doc="arrays one after the other along an axis",
)  # fmt: skip
register(concat_op)


def _pieces(function: str, arrays: object) -> list[Node]:
    """The arrays that a joining function was given, in one type."""
    if isinstance(arrays, Node):
        arrays = list(arrays)
    if not isinstance(arrays, Iterable):
        raise ArgumentError(f"{function}: expected several arrays, got {type(arrays).__name__}")
    nodes = as_nodes(arrays)
    if not nodes:
        raise ArgumentError(f"{function}: expected at least one array, got none")
    return cast_together(nodes)


def concat(arrays: Any, axis: int | None = 0) -> Node:
    """Arrays one after the other along an existing axis; flattened first if `axis` is None.

    Shapes: equal but along `axis`. Element types meet as in arithmetic. Raises ShapeError naming
    the two arrays that do not fit, ArgumentError where there are none.

    >>> from graphc.ops.source import input
    >>> concat([input("x", ("n", 3)), input("y", (2, 3))]).shape
    (n + 2, 3)
    """
    nodes = _pieces("concat", arrays)
    if axis is None:
        nodes, axis = [ravel(node) for node in nodes], 0
    for position, node in enumerate(nodes):
        if node.ndim == 0:
            raise ShapeError(
                f"concat: expected arrays with axes, got {_describe(node, position)}; stack joins "
                f"scalars"
            )
    at = normalize_axis(axis, nodes[0].ndim, "concat")
    return nodes[0] if len(nodes) == 1 else make(concat_op, tuple(nodes), axis=at)


def stack(arrays: Any, axis: int = 0) -> Node:
    """Arrays of one shape along a new axis, which is `axis` of the result.

    >>> from graphc.ops.source import input
    >>> stack([input("x", ("n",)), input("y", ("n",))], axis=-1).shape
    (n, 2)
    """
    nodes = _pieces("stack", arrays)
    at = normalize_axis(axis, nodes[0].ndim + 1, "stack")
    for position, node in enumerate(nodes):
        if node.shape != nodes[0].shape:
            raise ShapeError(
                f"stack: expected equal shapes, got {_describe(nodes[0], 0)} and "
                f"{_describe(node, position)}"
            )
    return concat([expand_dims(node, at) for node in nodes], at)


def vstack(arrays: Any) -> Node:
    """Arrays below one another: along axis 0, each of at least two axes."""
    return concat([at_least_axes(node, 2) for node in _pieces("vstack", arrays)], 0)


def hstack(arrays: Any) -> Node:
    """Arrays beside one another: along axis 1, vectors along axis 0."""
    nodes = [at_least_axes(node, 1) for node in _pieces("hstack", arrays)]
    return concat(nodes, 0 if nodes[0].ndim == 1 else 1)


def column_stack(arrays: Any) -> Node:
    """Vectors as the columns of a matrix; matrices beside one another."""
    nodes = [at_least_axes(node, 1) for node in _pieces("column_stack", arrays)]
    return concat([expand_dims(n, 1) if n.ndim == 1 else n for n in nodes], 1)


# ---- splitting


def _parts_of(function: str, x: object, sections: Any, axis: int) -> list[Node]:
    node = as_node(x)
    at = normalize_axis(axis, node.ndim, function)
    length = node.shape[at]
    if isinstance(sections, Iterable):
        inner = [_place(function, place, length) for place in sections]
        return _parts(node, [0, *inner, length], at)
    if isinstance(sections, bool) or not hasattr(sections, "__index__"):
        raise ArgumentError(f"{function}: expected a number of parts or places; got {sections!r}")
    count = int(sections)
    if count < 1:
        raise ArgumentError(f"{function}: expected at least one part, got {count}")
    uneven = length % count != 0
    if uneven and (function == "split" or isinstance(length, Size)):
        raise ShapeError(
            f"{function}: axis {at} of {shape_text(node.shape)} is not known to divide into "
            f"{count} equal parts; give the places where parts begin"
        )
    # As NumPy: the first parts are one longer where the length does not divide.
    longer = length % count if isinstance(length, int) else 0
    places = [length // count * part + min(part, longer) for part in range(count + 1)]
    return _parts(node, places, at)


def _place(function: str, place: object, length: Dim) -> Dim:
    """A place to split at: from the end if negative, held within an axis of fixed length."""
    if isinstance(place, Size):
        return place
    if isinstance(place, bool) or not hasattr(place, "__index__"):
        raise ArgumentError(f"{function}: expected integers to split at; got {place!r}")
    at = int(place.__index__())
    if isinstance(length, int):
        return max(at + length, 0) if at < 0 else min(at, length)
    return length + at if at < 0 else at


def split(x: object, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    """`x` in equal parts, or parts that begin at given places, along an axis.

    Raises ShapeError where the length is not known to divide into so many equal parts.

    >>> from graphc.ops.source import input
    >>> [part.shape for part in split(input("x", (6, 2)), [1, 4])]
    [(1, 2), (3, 2), (2, 2)]
    """
    return _parts_of("split", x, indices_or_sections, axis)


def array_split(x: object, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    """As `split`; where the length does not divide, the first parts are one longer."""
    return _parts_of("array_split", x, indices_or_sections, axis)


def _parts(node: Node, bounds: Sequence[Dim], at: int) -> list[Node]:
    """The parts between places; one that would end before it begins is empty, as in NumPy."""
    parts = []
    for start, stop in pairwise(bounds):
        backwards = isinstance(start, int) and isinstance(stop, int) and stop < start
        parts.append(take_along(node, at, start, start if backwards else stop))
    return parts


def unstack(x: object, axis: int = 0) -> tuple[Node, ...]:
    """The arrays that lie along an axis of fixed length, without it: the reverse of `stack`."""
    node = as_node(x)
    at = normalize_axis(axis, node.ndim, "unstack")
    first = moveaxis(node, at, 0)
    if isinstance(first.shape[0], Size):
        raise ShapeError(
            f"unstack: expected an axis of fixed length, axis {at} of {shape_text(node.shape)} is "
            f"symbolic"
        )
    return tuple(
        reshape(take_along(first, 0, i, i + 1), first.shape[1:]) for i in range(first.shape[0])
    )


# ---- rolling


def roll(x: object, shift: Any, axis: Any = None) -> Node:
    """Elements moved along an axis, round its end; along several, one after the other.

    With `axis` None the flattened array is rolled. On a symbolic axis the shift must not be larger
    than the axis, which is checked at the call.

    >>> import numpy as np
    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(roll(np.arange(5), 2)).tolist()
    [3, 4, 0, 1, 2]
    """
    node = as_node(x)
    if axis is None:
        return reshape(roll(ravel(node), shift, 0), node.shape)
    shifts = list(shift) if isinstance(shift, Iterable) else [shift]
    axes = list(axis) if isinstance(axis, Iterable) else [axis]
    count = max(len(shifts), len(axes))
    if len(shifts) not in (1, count) or len(axes) not in (1, count):
        raise ArgumentError(f"roll: {len(shifts)} shifts do not match {len(axes)} axes")
    pairs = zip(shifts * (count // len(shifts)), axes * (count // len(axes)), strict=True)
    for by, along in pairs:
        node = _roll(node, by, normalize_axis(along, node.ndim, "roll"))
    return node


def _roll(node: Node, shift: Any, at: int) -> Node:
    length = node.shape[at]
    if isinstance(shift, bool) or not (isinstance(shift, Size) or hasattr(shift, "__index__")):
        raise ArgumentError(f"roll: expected an integer shift, got {shift!r}")
    by: Dim = shift if isinstance(shift, Size) else int(shift)
    if isinstance(by, int) and isinstance(length, int):
        by = by % length if length else 0
    if by == 0:
        return node
    cut = -by if isinstance(by, int) and by < 0 else length - by
    return concat([take_along(node, at, cut, length), take_along(node, at, 0, cut)], at)
