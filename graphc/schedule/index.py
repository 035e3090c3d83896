"""Index maps: where an element of a node's input lies, given where its own element lies.

Layout operations are nothing but such maps, so they cost nothing when they are folded into their
consumers.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.ir.shape import Shape
from graphc.ops.indexing import pick_op, take_op
from graphc.ops.indices import is_valid, placed
from graphc.ops.layout import broadcast_op, pad_op, reshape_op, slice_op, transpose_op
from graphc.ops.source import ramp_op, uniform_value
from graphc.ops.windows import slides_of, window_op
from graphc.record import record


class Affine(NamedTuple):
    """An index that is a sum of loop variables times coefficients, plus an offset."""

    terms: tuple[tuple[str, Dim], ...]
    offset: Dim = 0

    @property
    def variables(self) -> frozenset[str]:
        """The loop variables it depends on."""
        return frozenset(name for name, _ in self.terms)


class Computed(NamedTuple):
    """An index that is the value of another node at a place, checked against the axis it selects
    from.

    `check` is the node that asks for the check, None where an operation does by itself. What is
    known to lie inside its axis is not `checked` again.
    """

    node: Node
    at: Indices
    length: Dim
    check: Node | None = None
    checked: bool = True

    @property
    def variables(self) -> frozenset[str]:
        """The loop variables it depends on."""
        return frozenset().union(*(index.variables for index in self.at))


@record
class Padded:
    """The place inside a padded axis: (index - low) / (between + 1), where that is an element; else
    none."""

    index: Index
    low: Dim
    between: int
    length: Dim

    @property
    def variables(self) -> frozenset[str]:
        """The loop variables it depends on."""
        return self.index.variables


@record
class Scaled:
    """start + step * index, of an index that is not affine itself."""

    index: Index
    start: Dim
    step: int

    @property
    def variables(self) -> frozenset[str]:
        """The loop variables it depends on."""
        return self.index.variables


class Added(NamedTuple):
    """The sum of two indices that are not both affine."""

    first: Index
    second: Index

    @property
    def variables(self) -> frozenset[str]:
        """The loop variables it depends on."""
        return self.first.variables | self.second.variables


Index = Affine | Computed | Padded | Scaled | Added
Indices = tuple[Index, ...]

ZERO = Affine(())


@functools.lru_cache(maxsize=256)  # they have few names
def variable(name: str) -> Affine:
    """The index that is a loop variable itself."""
    return Affine(((name, 1),))


def shifted(index: Index, start: Dim, step: int) -> Index:
    """start + step * index."""
    if start == 0 and step == 1:
        return index
    if isinstance(index, Affine):
        terms = tuple((name, coefficient * step) for name, coefficient in index.terms)
        return Affine(terms, index.offset * step + start)
    return Scaled(index, start, step)


def added(first: Index, second: Index) -> Index:
    """The sum of two indices."""
    if isinstance(first, Affine) and isinstance(second, Affine):
        terms = dict(first.terms)
        for name, coefficient in second.terms:
            terms[name] = terms.get(name, 0) + coefficient
        kept = tuple((name, c) for name, c in terms.items() if c != 0)
        return Affine(kept, first.offset + second.offset)
    return Added(first, second)


def broadcast_indices(indices: Indices, shape: Shape, source: Shape) -> Indices:
    """The place in an input of shape `source` that broadcasts to `shape`."""
    if source == shape and 1 not in source:
        return indices
    extra = len(shape) - len(source)
    return tuple(ZERO if dim == 1 else indices[axis + extra] for axis, dim in enumerate(source))


def unit_axes_only(source: Shape, target: Shape) -> bool:
    """Whether a reshape only adds and drops axes of length 1."""
    return tuple(d for d in source if d != 1) == tuple(d for d in target if d != 1)


def _through_unit_axes(indices: Indices, shape: Shape, source: Shape) -> Indices:
    kept = iter([index for index, dim in zip(indices, shape, strict=True) if dim != 1])
    return tuple(ZERO if dim == 1 else next(kept) for dim in source)


def input_indices(node: Node, indices: Indices) -> list[Indices]:
    """Where the element of `node` at `indices` reads each of its inputs.

    For elementwise, layout and indexing operations; a general reshape and a reduction have no such
    map.
    """
    op, attrs = node.op, node.attrs
    if op.kind == "elementwise":
        return [broadcast_indices(indices, node.shape, source.shape) for source in node.inputs]
    if op is transpose_op:
        place: list[Index] = [ZERO] * len(indices)
        for axis, index in zip(attrs["axes"], indices, strict=True):
            place[axis] = index
        return [tuple(place)]
    if op is reshape_op:
        return [_through_unit_axes(indices, node.shape, node.inputs[0].shape)]
    if op is broadcast_op:
        return [broadcast_indices(indices, node.shape, node.inputs[0].shape)]
    if op is slice_op:
        bounds = zip(indices, attrs["bounds"], strict=True)
        return [tuple(shifted(index, start, step) for index, (start, _, step) in bounds)]
    if op is pad_op:
        axes = zip(indices, attrs["edges"], node.inputs[0].shape, strict=True)
        return [
            tuple(
                index if edge == (0, 0, 0) else Padded(index, edge[0], edge[2], dim)
                for index, edge, dim in axes
            )
        ]
    if op is window_op:
        return [_windowed(node, indices)]
    if op is pick_op:
        x = node.inputs[0]
        return [(*indices, Computed(node.inputs[1], indices, x.shape[-1])), indices]
    if op is take_op:
        return _taken(node, indices)
    return [broadcast_indices(indices, node.shape, source.shape) for source in node.inputs]


def _windowed(node: Node, indices: Indices) -> Indices:
    """Where an element of a window lies: its window's place, and its own inside the window."""
    rank = node.inputs[0].ndim
    place = list(indices[:rank])
    for slide, inside in zip(slides_of(node), indices[rank:], strict=True):
        start, step = (
            shifted(place[slide.axis], 0, slide.stride),
            shifted(inside, 0, slide.dilation),
        )
        place[slide.axis] = added(start, step)
    return tuple(place)


def _taken(node: Node, indices: Indices) -> list[Indices]:
    """Where a selection reads its array and its arrays of indices."""
    x, *chosen = node.inputs
    axes = node.attrs["axes"]
    start, count = placed(axes), node.ndim - (x.ndim - len(axes))
    at = indices[start : start + count]
    across = node.shape[start : start + count]
    places = [broadcast_indices(at, across, source.shape) for source in chosen]
    rest = iter((*indices[:start], *indices[start + count :]))
    selected = {
        axis: chosen_index(source, place, x.shape[axis])
        for axis, source, place in zip(axes, chosen, places, strict=True)
    }
    return [
        tuple(selected[axis] if axis in selected else next(rest) for axis in range(x.ndim)),
        *places,
    ]


def chosen_index(source: Node, at: Indices, length: Dim) -> Index:
    """The index that an array of indices gives for an axis: ramps and single numbers need none."""
    if not is_valid(source, length):
        return Computed(source, at, length)
    if source.op is ramp_op:
        return at[source.attrs["axis"]]
    number = uniform_value(source)
    if number is not None:
        return Affine((), int(number))
    return Computed(source, at, length, checked=False)


@functools.lru_cache(maxsize=4096)  # asked for the same few shapes again and again
def row_major_strides(shape: Shape) -> tuple[Dim, ...]:
    """The distance, in elements, between neighbours along each axis of a contiguous array."""
    strides: list[Dim] = []
    for dim in reversed(shape[1:]):
        strides.append(strides[-1] * dim if strides else dim)
    return (*reversed(strides), 1) if shape else ()
