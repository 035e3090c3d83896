"""Padding as np.pad: constants, or elements of the array itself around it.

Zeros are the adjoint of a slice. The other modes say for each new place which element it shows;
the places of one run, forwards or backwards, are a slice, so the result is a concatenation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, Size
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ops.elementwise import cast
from graphc.ops.joining import concat, take_along
from graphc.ops.layout import broadcast_to
from graphc.ops.placement import pad as pad_zeros
from graphc.ops.placement import slice_axes
from graphc.ops.source import as_node

Widths = list[tuple[Any, Any]]
_Places = tuple[Dim, Dim, Dim]  # the first and the last of a run, and how many

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: object, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Node:
    """`x` with elements added before and after each axis, as np.pad.

    Args: `pad_width`, an int or a size for all, a pair (before, after) for all axes, a pair for
    each axis, or a dict from axes to either; `mode`, "constant" (of `constant_values`, given as
    `pad_width` is), "edge" (the first and the last element), "reflect" (mirrored there),
    "symmetric" (mirrored with the edge repeated) or "wrap" (periodic).

    On an axis of symbolic length "reflect", "symmetric" and "wrap" reach no further than once over
    the axis: more is a ShapeError at the call.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(pad([1, 2, 3], (2, 1), mode="reflect")).tolist()
    [3, 2, 1, 2, 3, 2]
    """
    node = as_node(x)
    widths = _for_each_axis("pad_width", pad_width, node.ndim)
    widths = [(_width(before), _width(after)) for before, after in widths]
    if mode == "constant":
        return _constant(
            node, widths, _for_each_axis("constant_values", constant_values, node.ndim)
        )
    if mode not in MODES:
        raise ArgumentError(f"pad: mode must be one of {', '.join(MODES)}; got {mode!r}")
    for axis, (before, after) in enumerate(widths):
        if (before, after) == (0, 0):
            continue
        if node.shape[axis] == 0:
            raise ShapeError(
                f"pad: axis {axis} of {shape_text(node.shape)} has no elements to show in mode "
                f"{mode!r}"
            )
        node = _by_elements(node, axis, before, after, mode)
    return node


# ---- arguments


def _for_each_axis(name: str, given: Any, rank: int) -> Widths:
    """A pair for each axis, from any of NumPy's forms."""
    if isinstance(given, dict):
        pairs: Widths = [(0, 0)] * rank
        for axis, pair in given.items():
            if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
                raise ArgumentError(f"pad: {name} names axis {axis!r} of {rank}")
            pairs[axis] = _pair(name, pair)
        return pairs
    if not _is_sequence(given):
        return [(given, given)] * rank
    items = list(given)
    if not any(_is_sequence(item) for item in items):
        if len(items) == 1:
            return [(items[0], items[0])] * rank
        return [_pair(name, items)] * rank
    if len(items) not in (1, rank):
        raise ArgumentError(
            f"pad: {name} has {len(items)} entries, expected one for each of {rank} axes"
        )
    return [_pair(name, item) for item in items] * (rank if len(items) == 1 else 1)


def _is_sequence(value: object) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _pair(name: str, given: Any) -> tuple[Any, Any]:
    items = list(given) if _is_sequence(given) else [given]
    if len(items) not in (1, 2) or any(_is_sequence(item) for item in items):
        raise ArgumentError(f"pad: {name} must give (before, after) for an axis; got {given!r}")
    return (items[0], items[-1])


def _width(value: Any) -> Dim:
    if isinstance(value, Size):
        return value
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 0:
        raise ArgumentError(f"pad: expected integers >= 0 or sizes as widths; got {value!r}")
    return int(value)


# ---- constants


def _constant(node: Node, widths: Widths, values: Widths) -> Node:
    """Padding with numbers, axis after axis, so that later axes fill the corners."""
    if all(_is_zero(value, node) for pair in values for value in pair):
        return pad_zeros(node, tuple((before, after, 0) for before, after in widths))
    for axis, (width, value) in enumerate(zip(widths, values, strict=True)):
        around = [
            _filled(node, axis, *side) if side[0] != 0 else None
            for side in zip(width, value, strict=True)
        ]
        node = concat([piece for piece in (around[0], node, around[1]) if piece is not None], axis)
    return node


def _is_zero(value: Any, node: Node) -> bool:
    """Whether a number is zero by its bits: -0.0 is not."""
    if isinstance(value, Node):
        return False
    return np.asarray(value, node.dtype.numpy).tobytes() == bytes(node.dtype.itemsize)


def _filled(node: Node, axis: int, width: Dim, value: Any) -> Node:
    """One value along some length of an axis."""
    shape = (*node.shape[:axis], width, *node.shape[axis + 1 :])
    return broadcast_to(cast(as_node(value, node.dtype), node.dtype), shape)


# ---- elements of the array


def _by_elements(node: Node, axis: int, before: Dim, after: Dim, mode: str) -> Node:
    length = node.shape[axis]
    if isinstance(length, int) and isinstance(before, int) and isinstance(after, int):
        places = np.pad(np.arange(length), (before, after), mode=mode)  # type: ignore[call-overload]
        sides = [_runs(places[:before]), _runs(places[before + length :])]
    else:
        low, high = _SYMBOLIC[mode](length, before, after)
        sides = [[(*low, before)] if before != 0 else [], [(*high, after)] if after != 0 else []]
    first, last = ([_run(node, axis, *run) for run in side] for side in sides)
    return concat([*first, node, *last], axis)


def _runs(places: np.ndarray) -> list[_Places]:
    """Places cut into runs that go on by one step, which is 1, -1 or 0: (first, last, count)."""
    found: list[_Places] = []
    while places.size:
        steps = np.diff(places)
        other = np.flatnonzero(steps != steps[0]) if steps.size else steps
        count = int(other[0]) + 1 if other.size else places.size
        count = 1 if steps.size and abs(steps[0]) > 1 else count
        found.append((int(places[0]), int(places[count - 1]), count))
        places = places[count:]
    return found


def _run(node: Node, axis: int, first: Dim, last: Dim, count: Dim) -> Node:
    """The elements at places `first` to `last`, forwards or backwards; one element repeated."""
    if first == last:
        one = take_along(node, axis, first, first + 1)
        return broadcast_to(one, (*node.shape[:axis], count, *node.shape[axis + 1 :]))
    step = 1 if last - first == count - 1 else -1
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in node.shape]
    bounds[axis] = (first, last + step, step)
    return slice_axes(node, tuple(bounds))


_Ends = tuple[tuple[Dim, Dim], tuple[Dim, Dim]]
# The first and the last place that each side shows, on an axis of symbolic length.
_SYMBOLIC: dict[str, Callable[[Dim, Dim, Dim], _Ends]] = {
    "edge": lambda n, before, after: ((0, 0), (n - 1, n - 1)),
    "reflect": lambda n, before, after: ((before, 1), (n - 2, n - 1 - after)),
    "symmetric": lambda n, before, after: ((before - 1, 0), (n - 1, n - after)),
    "wrap": lambda n, before, after: ((n - before, n - 1), (0, after - 1)),
}
