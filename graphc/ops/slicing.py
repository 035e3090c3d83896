"""Basic indexing: integers, slices, `...` and `None`, on fixed and symbolic axes."""

from __future__ import annotations

from typing import Any

import graphc.ops.placement as placement
from graphc.errors import ShapeError
from graphc.ir.dim import Dim, Size, is_nonnegative
from graphc.ir.node import Node
from graphc.ir.shape import normalize_axes, shape_text
from graphc.ops.layout import reshape, slice_axes, slice_length
from graphc.ops.source import as_node


def getitem(x: Node, key: object) -> Node:
    """Basic indexing: integers, slices, `...` and `None`, as NumPy reads them.

    Integers and bounds may be sizes, such as `x.shape[0] // 2`; a size is a place from the start,
    whatever its value. On an axis whose length or bounds are symbolic, bounds are not cut to the
    axis: reaching outside is a ShapeError at the call. Raises ShapeError for an index that is
    provably out of range, and for more indices than axes.

    >>> from graphc.ops.source import input
    >>> x = input("x", ("n", 4))
    >>> getitem(x, (slice(None, x.shape[0] // 2), -1)).shape
    (n // 2,)
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if sum(k is Ellipsis for k in keys) > 1:
        raise ShapeError("x[...]: expected at most one ..., got several")
    rest = x.ndim - sum(k is not None and k is not Ellipsis for k in keys)
    if rest < 0:
        raise ShapeError(f"x[...]: {x.ndim} axes of {shape_text(x.shape)}, got {len(keys)} indices")
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
    keys = [*keys[:at], *[slice(None)] * rest, *keys[at + 1 :]]
    bounds: list[tuple[Dim, Dim, int]] = []
    shape: list[Dim] = []
    for item in keys:
        if item is None:
            shape.append(1)
            continue
        dim = x.shape[len(bounds)]
        bound = _slice(item, dim) if isinstance(item, slice) else _index(item, dim)
        bounds.append(bound)
        if isinstance(item, slice):
            shape.append(slice_length(*bound))
    return reshape(slice_axes(x, tuple(bounds)), tuple(shape))


def _index(item: object, dim: Dim) -> tuple[Dim, Dim, int]:
    """One element of an axis."""
    if isinstance(item, Size):
        return (_from_start(item), item + 1, 1)
    if isinstance(item, bool) or not hasattr(item, "__index__"):
        raise ShapeError(f"x[...]: expected an integer, a size, a slice, ... or None; got {item!r}")
    index = int(item.__index__())
    if isinstance(dim, int) and not -dim <= index < dim:
        raise ShapeError(f"x[...]: index {index} is out of range for an axis of {dim}")
    start = index if index >= 0 else dim + index
    return (start, start + 1, 1)


def _from_start(bound: Size) -> Size:
    if is_nonnegative(-1 * bound):
        raise ShapeError(
            f"x[...]: {bound} would count from the end, and from the start where it is 0; "
            f"write it from the start, as x.shape[axis] - size"
        )
    return bound


def _slice(item: slice, dim: Dim) -> tuple[Dim, Dim, int]:
    """The places that a slice takes, as start, stop and step; -1 is before the first."""
    step = 1 if item.step is None else _integer(item.step)
    if step == 0:
        raise ShapeError("x[...]: a slice's step must not be 0")
    ends: list[Any] = [
        b if b is None or isinstance(b, Size) else _integer(b) for b in (item.start, item.stop)
    ]
    if isinstance(dim, int) and not any(isinstance(end, Size) for end in ends):
        known = slice(ends[0], ends[1], step).indices(dim)
        count = len(range(*known))
        return (known[0], known[0] + count * step, step) if count else (0, 0, 1)
    return _symbolic_slice(ends, dim, step)


def _integer(bound: Any) -> int:
    if isinstance(bound, bool) or not hasattr(bound, "__index__"):
        raise ShapeError(
            f"x[...]: expected integers or sizes as the bounds of a slice, and an integer step; "
            f"got {bound!r}"
        )
    return int(bound.__index__())


def _symbolic_slice(ends: list[Any], dim: Dim, step: int) -> tuple[Dim, Dim, int]:
    """Bounds on an axis where they, or its length, are symbolic: taken to lie inside it."""

    def place(bound: Any, default: Dim) -> Dim:
        if bound is None:
            return default
        if isinstance(bound, Size):
            return _from_start(bound)
        result: Dim = dim + bound if bound < 0 else bound
        return result

    first: Dim = 0 if step > 0 else dim - 1
    last: Dim = dim if step > 0 else -1
    return (place(ends[0], first), place(ends[1], last), step)


def flip(x: object, axis: Any = None) -> Node:
    """`x` with one axis reversed, or several, or all of them for None.

    >>> import numpy as np
    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(flip(np.arange(3))).tolist()
    [2, 1, 0]
    """
    node = as_node(x)
    axes = normalize_axes(axis, node.ndim, "flip")
    return placement.flip(node, [at in axes for at in range(node.ndim)])


def fliplr(x: object) -> Node:
    """`x` with axis 1 reversed: left and right exchanged."""
    return flip(x, 1)


def flipud(x: object) -> Node:
    """`x` with axis 0 reversed: top and bottom exchanged."""
    return flip(x, 0)
