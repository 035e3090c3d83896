"""The layered layout: edges point down, boxes do not overlap, order avoids crossings."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.view.layered import GAP, lay_out


@st.composite
def _graphs(draw: Any) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    count = draw(st.integers(1, 14))
    sizes = [(draw(st.floats(10, 120)), draw(st.sampled_from([28.0, 40.0]))) for _ in range(count)]
    pairs = list(combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    return sizes, edges


@settings(max_examples=100)
@given(_graphs())
def test_every_layout_is_legible(
    case: tuple[list[tuple[float, float]], list[tuple[int, int]]],
) -> None:
    """For any graph: edges down the page, boxes apart from each other and within the frame."""
    sizes, edges = case
    layout = lay_out(sizes, edges)
    for (start, end), path in zip(edges, layout.paths, strict=True):
        assert path[0] == layout.centres[start]
        assert path[-1] == layout.centres[end]
        assert all(a[1] < b[1] for a, b in pairwise(path))
    for first, second in combinations(range(len(sizes)), 2):
        (x1, y1), (x2, y2) = layout.centres[first], layout.centres[second]
        wide = (sizes[first][0] + sizes[second][0]) / 2
        tall = (sizes[first][1] + sizes[second][1]) / 2
        assert abs(x1 - x2) >= wide + GAP - 1e-6 or abs(y1 - y2) >= tall
    for (width, height), (x, y) in zip(sizes, layout.centres, strict=True):
        assert x - width / 2 >= -1e-6
        assert x + width / 2 <= layout.width + 1e-6
        assert y - height / 2 >= -1e-6
        assert y + height / 2 <= layout.height + 1e-6


def test_a_chain_is_straight() -> None:
    """Boxes of different widths stand under each other."""
    sizes = [(40.0, 28.0), (100.0, 40.0), (60.0, 28.0)]
    layout = lay_out(sizes, [(0, 1), (1, 2)])
    assert len({round(x, 6) for x, _ in layout.centres}) == 1


def test_crossings_that_can_be_avoided_are() -> None:
    """Two pairs of parents given in the wrong order are sorted."""
    layout = lay_out([(40.0, 28.0)] * 4, [(0, 3), (1, 2)])
    (x0, _), (x1, _), (x2, _), (x3, _) = layout.centres
    assert (x0 < x1) == (x3 < x2)


def test_sources_stand_above_their_first_use() -> None:
    """A bias is drawn beside the product that it is added to, not at the top of the page."""
    edges = [(0, 1), (1, 2), (2, 4), (3, 4)]
    layout = lay_out([(40.0, 28.0)] * 5, edges)
    assert layout.centres[3][1] == layout.centres[2][1]


def test_nothing_is_laid_out_as_nothing() -> None:
    """An empty picture has no size."""
    layout = lay_out([], [])
    assert (layout.centres, layout.paths, layout.width, layout.height) == ([], [], 0, 0)
