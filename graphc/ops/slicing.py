"""Basic indexing: integers, slices, `...` and `None`, on fixed and symbolic axes."""

from __future__ import annotations

from graphc.errors import ShapeError
from graphc.ir.dim import Dim, is_nonnegative
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ops.layout import reshape, slice_axes, slice_length


def getitem(x: Node, key: object) -> Node:
    """Basic indexing: integers, slices, `...` and `None`, as NumPy reads them.

    Raises ShapeError for an index that is provably out of range, and for more indices than axes.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    rest = x.ndim - sum(k is not None and k is not Ellipsis for k in keys)
    if rest < 0:
        raise ShapeError(f"x[...]: {x.ndim} axes of {shape_text(x.shape)}, got {len(keys)} indices")
    at = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    keys = [*keys[:at], *[slice(None)] * rest, *keys[at + 1 :]]
    bounds: list[tuple[Dim, Dim, int]] = []
    shape: list[Dim] = []
    for item in keys:
        if item is None:
            shape.append(1)
            continue
        dim = x.shape[len(bounds)]
        bound = _bound(item, dim)
        bounds.append(bound)
        if isinstance(item, slice):
            shape.append(slice_length(*bound))
    return reshape(slice_axes(x, tuple(bounds)), tuple(shape))


def _bound(item: object, dim: Dim) -> tuple[Dim, Dim, int]:
    if not isinstance(item, slice):
        if isinstance(item, bool) or not hasattr(item, "__index__"):
            raise ShapeError(f"x[...]: expected an integer, a slice, ... or None; got {item!r}")
        index = int(item.__index__())
        if isinstance(dim, int) and not -dim <= index < dim:
            raise ShapeError(f"x[...]: index {index} is out of range for an axis of {dim}")
        start = index if index >= 0 else dim + index
        return (start, start + 1, 1)
    step = 1 if item.step is None else int(item.step)
    if step == 0:
        raise ShapeError("x[...]: a slice's step must not be 0")
    if isinstance(dim, int):
        known = slice(item.start, item.stop, step).indices(dim)
        count = len(range(*known))
        return (known[0], known[0] + count * step, step) if count else (0, 0, 1)
    return _symbolic_bound(item, dim, step)


def _symbolic_bound(item: slice, dim: Dim, step: int) -> tuple[Dim, Dim, int]:
    """Bounds on an axis of symbolic length; a fixed bound is taken to lie inside the axis."""
    if step < 0:
        if item.start is not None or item.stop is not None or step != -1:
            raise ShapeError("x[...]: on a symbolic axis a negative step stands alone: x[::-1]")
        return (dim - 1, -1, -1)

    def place(bound: object, default: Dim) -> Dim:
        if bound is None:
            return default
        known = bound if not hasattr(bound, "__index__") else int(bound.__index__())
        negative = isinstance(known, int) and known < 0
        return dim + known if negative else known  # type: ignore[operator, return-value]

    start, stop = place(item.start, 0), place(item.stop, dim)
    if not is_nonnegative(start) and isinstance(start, int):
        raise ShapeError(f"x[...]: start {start} is before the axis")
    return (start, stop, step)
