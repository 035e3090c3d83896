"""A layered layout of a directed acyclic graph, after Sugiyama, Tagawa and Toda (1981).

Vertices go into layers so that edges point down; long edges pass through invisible vertices; each
layer is sorted by the barycenters of its neighbours to avoid crossings; and each vertex moves as
near to its neighbours as the spacing allows: least squares under an order, solved exactly by
pooling adjacent violators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 22.0  # between neighbours in a layer
LAYER_GAP = 34.0  # between layers
_SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Centres of vertices, the points that each edge passes through, and the size of the whole."""

    centres: list[Point]
    paths: list[list[Point]]
    width: float
    height: float


@dataclass
class _Layers:
    """Vertices (the invisible ones last), their neighbours above and below, and their layers."""

    widths: list[float]
    layer_of: list[int]
    above: list[list[int]]
    below: list[list[int]]
    routes: list[list[int]]  # for each edge the vertices that it passes through, ends included
    rows: list[list[int]] = field(default_factory=list)


def lay_out(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places for vertices of the given (width, height).

    `edges` hold (from, to) with from < to: vertices are numbered in topological order.
    """
    if not sizes:
        return Layout([], [], 0.0, 0.0)
    layers = _with_routes([width for width, _ in sizes], _assign(len(sizes), edges), edges)
    _order(layers)
    x = _coordinates(layers)
    y, height = _heights(layers, sizes)
    left = min(x[v] - layers.widths[v] / 2 for v in range(len(x)))
    right = max(x[v] + layers.widths[v] / 2 for v in range(len(x)))
    points = [(x[v] - left, y[layers.layer_of[v]]) for v in range(len(x))]
    paths = [[points[v] for v in route] for route in layers.routes]
    return Layout(points[: len(sizes)], paths, right - left, height)


def _assign(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each vertex: one below its lowest input; sources right above their first use."""
    layer = [0] * count
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        layer[end] = max(layer[end], layer[start] + 1)
    has_inputs = {end for _, end in edges}
    first_use: dict[int, int] = {}
    for start, end in edges:
        first_use[start] = min(first_use.get(start, layer[end]), layer[end])
    return [layer[v] if v in has_inputs else first_use.get(v, 1) - 1 for v in range(count)]


def _with_routes(
    widths: list[float], layer_of: list[int], edges: Sequence[tuple[int, int]]
) -> _Layers:
    above: list[list[int]] = [[] for _ in widths]
    below: list[list[int]] = [[] for _ in widths]
    routes = []
    for start, end in edges:
        route = [start]
        for layer in range(layer_of[start] + 1, layer_of[end]):
            route.append(len(widths))
            widths.append(0.0)
            layer_of.append(layer)
            above.append([])
            below.append([])
        route.append(end)
        routes.append(route)
        for upper, lower in pairwise(route):
            below[upper].append(lower)
            above[lower].append(upper)
    rows: list[list[int]] = [[] for _ in range(max(layer_of) + 1)]
    for vertex, layer in enumerate(layer_of):
        rows[layer].append(vertex)
    return _Layers(widths, layer_of, above, below, routes, rows)


# ---- the order within layers


def _order(layers: _Layers) -> None:
    """Sort each row by barycenters, down and up in turn, and keep the best order seen."""
    best = [list(row) for row in layers.rows]
    least = _crossings(layers)
    for sweep in range(_SWEEPS):
        if least == 0:
            break
        down = sweep % 2 == 0
        near = layers.above if down else layers.below
        for row in layers.rows if down else reversed(layers.rows):
            place = _places(layers)
            row.sort(key=lambda v: _barycenter(near[v], place, place[v]))
        found = _crossings(layers)
        if found < least:
            least, best = found, [list(row) for row in layers.rows]
    layers.rows[:] = best


def _places(layers: _Layers) -> dict[int, float]:
    """Where each vertex stands in its row, from 0 to 1."""
    return {
        vertex: (place + 0.5) / len(row) for row in layers.rows for place, vertex in enumerate(row)
    }


def _barycenter(near: list[int], place: dict[int, float], own: float) -> float:
    return sum(place[v] for v in near) / len(near) if near else own


def _crossings(layers: _Layers) -> int:
    """How many pairs of edges cross, as inversions counted between each two rows."""
    place = {v: i for row in layers.rows for i, v in enumerate(row)}
    count = 0
    for row in layers.rows:
        ends = [e for v in row for e in sorted(place[w] for w in layers.below[v])]
        for i, end in enumerate(ends):
            count += sum(1 for later in ends[i + 1 :] if later < end)
    return count


# ---- coordinates


def _coordinates(layers: _Layers) -> list[float]:
    """Across: rows in turn move towards their neighbours, keeping order and spacing."""
    x = [0.0] * len(layers.widths)
    for row in layers.rows:
        offset = 0.0
        for before, vertex in zip([None, *row], row, strict=False):
            offset += _spacing(layers, before, vertex)
            x[vertex] = offset
        for vertex in row:
            x[vertex] -= offset / 2
    for sweep in range(3 * _SWEEPS):
        down = sweep % 2 == 0
        for row in layers.rows if down else reversed(layers.rows):
            _settle(layers, row, x, both=sweep >= _SWEEPS, down=down)
    return x


def _spacing(layers: _Layers, before: int | None, vertex: int) -> float:
    if before is None:
        return 0.0
    return (layers.widths[before] + layers.widths[vertex]) / 2 + GAP


def _settle(layers: _Layers, row: list[int], x: list[float], both: bool, down: bool) -> None:
    """Move one row: the places nearest to where its vertices want to be, in squares."""
    wanted, weights, offsets = [], [], []
    offset = 0.0
    for before, vertex in zip([None, *row], row, strict=False):
        offset += _spacing(layers, before, vertex)
        offsets.append(offset)
        near = layers.above[vertex] if down else layers.below[vertex]
        if both or not near:
            near = layers.above[vertex] + layers.below[vertex]
        # Where long edges pass through they pull harder, so that they run straight.
        weights.append(8.0 if layers.widths[vertex] == 0 else 1.0)
        target = sum(x[v] for v in near) / len(near) if near else x[vertex]
        wanted.append(target - offset)
    for vertex, place, offset in zip(row, _increasing(wanted, weights), offsets, strict=True):
        x[vertex] = place + offset


def _increasing(wanted: list[float], weights: list[float]) -> list[float]:
    """The nondecreasing numbers nearest to `wanted`, in weighted squares."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(wanted, weights, strict=True):
        mean, total, count = value, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, count = total + heavy, count + many
        pools.append((mean, total, count))
    return [mean for mean, _, count in pools for _ in range(count)]


def _heights(layers: _Layers, sizes: Sequence[tuple[float, float]]) -> tuple[list[float], float]:
    """The middle of each layer, and the height of all."""
    middles = []
    top = 0.0
    for row in layers.rows:
        tallest = max((sizes[v][1] for v in row if v < len(sizes)), default=0.0)
        middles.append(top + tallest / 2)
        top += tallest + LAYER_GAP
    return middles, top - LAYER_GAP
