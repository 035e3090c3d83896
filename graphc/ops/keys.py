"""Keys of `x[...]` with arrays of indices, as NumPy reads them.

A key is taken apart into slices, which are layout, and indices, which `take` reads at. NumPy puts
the axes of the indices in the place of the axes they select from if they stand side by side in the
key, else first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import graphc.ops.slicing as slicing
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import Dim, Size
from graphc.ir.dtype import bool_
from graphc.ir.node import Node, make
from graphc.ir.shape import Shape, normalize_axis, shape_text
from graphc.ops.indexing import take_op
from graphc.ops.indices import as_indices, placed
from graphc.ops.layout import broadcast_to, reshape, transpose
from graphc.ops.source import as_array, as_node, constant_value, ramp, size

_COMPUTED_MASK = (
    "x[...]: a mask that is computed selects a number of elements that is not known before it "
    "runs: use gx.where(mask, x, other) to keep the shape, or gx.compress(mask, x, size=k) to "
    "take the first k"
)


class Places(NamedTuple):
    """What a key selects from `x`: the elements of `part`, a slice of it, at `indices` along
    `axes` (none for a key without arrays).

    `order` are the axes of the selected array, as `take` gives them, in the order of the result;
    `shape` is the shape of the result, which also has the new axes.
    """

    x: Node
    part: Node
    axes: tuple[int, ...]
    indices: tuple[Node, ...]
    order: tuple[int, ...]
    shape: Shape

    def _taken(self) -> Node:
        if not self.axes:
            return self.part
        return make(take_op, (self.part, *self.indices), axes=self.axes)

    def read(self) -> Node:
        """The selected elements."""
        return reshape(transpose(self._taken(), self.order), self.shape)

    def arrange(self, values: Node) -> Node:
        """Values in the shape of the result, as those that `take` would have given."""
        shape = self._taken().shape
        moved = reshape(values, tuple(shape[axis] for axis in self.order))
        return transpose(moved, tuple(int(axis) for axis in np.argsort(self.order)))


@dataclass(frozen=True, eq=False, repr=False)
class _Mask:
    """The places along one axis where a constant mask is true."""

    places: np.ndarray
    length: int


def getitem(x: Node, key: object) -> Node:
    """The elements that a key selects, as NumPy reads it.

    A key holds integers, slices, `...`, `None`, and arrays of indices: nodes, arrays and lists of
    integers, which broadcast together; constant arrays of truth values select where they are true.
    Negative indices count from the end. The gradient adds up where an index repeats. Raises
    IndexRangeError for an index out of range, here for constants and when it runs for others.
    """
    keys = key if isinstance(key, tuple) else (key,)
    if not any(map(_is_array, keys)):
        return slicing.getitem(x, key)
    return select(x, key).read()


def select(x: Node, key: object) -> Places:
    """What a key selects; see `getitem`."""
    given = [_known(item) for item in (key if isinstance(key, tuple) else (key,))]
    items = [part for item in given for part in _without_mask(item)]
    rest = x.ndim - sum(item is not None and item is not Ellipsis for item in items)
    if rest < 0:
        raise ShapeError(
            f"x[...]: {x.ndim} axes of {shape_text(x.shape)}, got {x.ndim - rest} indices"
        )
    if not any(map(_is_array, items)):
        return _basic(x, items, rest)
    return _advanced(x, items, rest)


def _is_array(item: object) -> bool:
    return isinstance(item, Node | np.ndarray | list | tuple | bool | np.bool_ | _Mask)


def _known(item: object) -> object:
    """An item of a key, with constants and lists as NumPy's arrays."""
    if isinstance(item, Node):
        array = constant_value(item)
        if item.dtype is bool_ and array is None:
            raise DTypeError(_COMPUTED_MASK)
        return item if array is None else array
    if isinstance(item, bool | np.bool_):
        raise DTypeError(
            f"x[...]: expected indices, slices, ..., None or arrays of truth values; got {item}"
        )
    if isinstance(item, list | tuple):
        if any(isinstance(entry, Node) for entry in item):
            raise ArgumentError("x[...]: a list of indices holds numbers; for nodes use gx.stack")
        array = as_array("x[...]", item)
        return array if array.size else array.astype(np.int64)
    return item


def _without_mask(item: object) -> list[object]:
    """The item, or for a mask the places along each of its axes."""
    if not isinstance(item, np.ndarray) or item.dtype != np.bool_:
        return [item]
    if item.ndim == 0:
        raise DTypeError("x[...]: expected a mask with axes, got a single truth value")
    return [_Mask(p, n) for p, n in zip(item.nonzero(), item.shape, strict=True)]


def _basic(x: Node, items: list[object], rest: int) -> Places:
    """A key of integers and slices: the integers become slices of one element."""
    shape = slicing.getitem(x, tuple(items)).shape
    whole = [_slices(item) for item in _filled(items, rest) if item is not None]
    part = slicing.getitem(x, tuple(whole))
    return Places(x, part, (), (), tuple(range(x.ndim)), shape)


def _filled(items: list[object], rest: int) -> list[object]:
    """The key with a slice for each axis that `...` stands for, or that is left at its end."""
    at = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    return [*items[:at], *[slice(None)] * rest, *items[at + 1 :]]


def _slices(item: object) -> object:
    """An integer as a slice of one element."""
    if isinstance(item, slice):
        return item
    if isinstance(item, Size):
        return slice(item, item + 1)
    index = int(item.__index__())  # type: ignore[attr-defined]
    return slice(index, None if index == -1 else index + 1)


def _advanced(x: Node, items: list[object], rest: int) -> Places:
    keys = _filled(items, rest)
    known = [item for item in keys if item is not None]
    slices = (item if isinstance(item, slice) else slice(None) for item in known)
    part = slicing.getitem(x, tuple(slices))
    axes = tuple(axis for axis, item in enumerate(known) if not isinstance(item, slice))
    indices = tuple(_indices(known[axis], x.shape[axis], axis) for axis in axes)
    taken = make(take_op, (part, *indices), axes=axes)
    first, count = placed(axes), taken.ndim - (x.ndim - len(axes))
    block = tuple(range(first, first + count))
    others = iter([axis for axis in range(taken.ndim) if axis not in block])
    together = _side_by_side(items)
    order: list[int] = [] if together else list(block)
    shape: list[Dim] = [taken.shape[axis] for axis in order]
    for item in keys:
        added: tuple[int, ...] = ()
        if isinstance(item, slice):
            added = (next(others),)
        elif item is None:
            shape.append(1)
        elif together:  # at the first array of the key
            added, together = block, False
        order += added
        shape += [taken.shape[axis] for axis in added]
    return Places(x, part, axes, indices, tuple(order), tuple(shape))


def _side_by_side(items: list[object]) -> bool:
    """Whether nothing stands between the arrays (and integers) of a key, not even `...`."""
    apart = [i for i, item in enumerate(items) if _separates(item)]
    arrays = [i for i, item in enumerate(items) if not _separates(item)]
    return not any(arrays[0] < i < arrays[-1] for i in apart)


def _separates(item: object) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice)


def _indices(item: object, length: Dim, axis: int) -> Node:
    if isinstance(item, _Mask):
        if item.length != length:
            raise ShapeError(
                f"x[...]: a mask has {item.length} elements where axis {axis} has {length}"
            )
        return as_indices(item.places, length, axis, "x[...]")
    value = size(item) if isinstance(item, Size) else item
    if not isinstance(value, Node | np.ndarray) and not hasattr(value, "__index__"):
        raise DTypeError(
            f"x[...]: expected integers, slices, ..., None or arrays of indices; got {item!r}"
        )
    return as_indices(value, length, axis, "x[...]")


def take_along_axis(x: object, indices: object, axis: int | None = -1) -> Node:
    """Elements by an index for each place: `y[i, j] = x[indices[i, j], j]` for axis 0.

    Shapes: x and indices have the same axes, of equal length or of length 1 where they differ, but
    for `axis`; the result has the shape in which they meet, with the length of the indices along
    `axis`. With axis=None it selects from all elements, by indices with one axis. By the indices
    that argsort gives it sorts.

    >>> from graphc.ops.source import input
    >>> take_along_axis(input("x", (5, 3)), input("i", (2, 3), "int64"), axis=0)
    <take: float32 (2, 3)>
    """
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, (-1,)), 0
    node, chosen = along_axis("take_along_axis", node, indices, axis)
    return make(take_op, (node, *chosen), axes=tuple(range(node.ndim)))


def along_axis(name: str, node: Node, indices: object, axis: int) -> tuple[Node, tuple[Node, ...]]:
    """An array, broadcast to its indices, and one array of indices for each of its axes: those
    given for `axis`, ramps for the others."""
    shape = as_node(indices).shape
    if len(shape) != node.ndim:
        raise ShapeError(
            f"{name}: expected indices with {node.ndim} axes, as {shape_text(node.shape)} has, "
            f"got {shape_text(shape)}"
        )
    at = normalize_axis(axis, node.ndim, name)
    pairs = list(zip(node.shape, shape, strict=True))
    for place, (n, i) in enumerate(pairs):
        if place != at and n != i and 1 not in (n, i):
            raise ShapeError(
                f"{name}: axis {place} has {n} in {shape_text(node.shape)} and {i} in the indices, "
                f"{shape_text(shape)}; expected equal lengths, or one of them 1"
            )
    whole = tuple(i if n == 1 and a != at else n for a, (n, i) in enumerate(pairs))
    node = broadcast_to(node, whole)
    along = [
        ramp(tuple(n if a == b else 1 for b, n in enumerate(whole)), a) for a in range(len(whole))
    ]
    along[at] = as_indices(indices, node.shape[at], at, name)
    return node, tuple(along)
