"""The memory plan: what is alive at the same time does not overlap, what is dead is used again."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.ir.dim import named_size
from graphc.ir.dtype import DTYPES
from graphc.schedule.buffer import ARENA, Buffer
from graphc.schedule.memory import ALIGNMENT, Life, bytes_of, live_bytes, plan

LIVES = st.lists(
    st.tuples(
        st.integers(0, 2000), st.sampled_from(sorted(DTYPES)), st.integers(0, 20), st.integers(0, 8)
    ),
    max_size=25,
).map(
    lambda drawn: tuple(
        Life(Buffer(DTYPES[dtype], size, ARENA), first, first + length)
        for size, dtype, first, length in drawn
    )
)


@given(LIVES)
def test_no_two_live_buffers_overlap(lives: tuple[Life, ...]) -> None:
    """Every buffer is aligned, inside the arena, and alone in its bytes for its whole life."""
    found = plan(lives, {})
    places = []
    for life in lives:
        start = found.offsets[life.buffer]
        end = start + life.buffer.elements * life.buffer.dtype.itemsize  # type: ignore[operator]
        assert start % ALIGNMENT == 0
        assert end <= found.peak_bytes
        places.append((start, max(end, start + 1), life))
    for (start, end, life), (other_start, other_end, other) in itertools.combinations(places, 2):
        together = life.first <= other.last and other.first <= life.last
        assert not together or end <= other_start or other_end <= start


@given(LIVES)
def test_the_peak_is_near_what_is_alive(lives: tuple[Life, ...]) -> None:
    """At least what is alive at the worst step, at most everything side by side."""
    found = plan(lives, {})
    steps = range(30)
    alive = [
        sum(bytes_of(life.buffer, {}) for life in lives if life.first <= step <= life.last)
        for step in steps
    ]
    assert max(alive, default=0) <= found.peak_bytes
    assert found.peak_bytes <= sum(bytes_of(life.buffer, {}) for life in lives)
    for step in steps:
        assert live_bytes(lives, step) <= alive[step]  # type: ignore[operator]


def test_a_formula_of_the_sizes() -> None:
    """Bytes alive are known before the sizes are, and right for any."""
    n = named_size("n")
    lives = (
        Life(Buffer(DTYPES["float32"], n * n, ARENA), 0, 1),
        Life(Buffer(DTYPES["float64"], n, ARENA), 1, 2),
    )
    assert [str(live_bytes(lives, step)) for step in range(3)] == ["4*n**2", "4*n**2 + 8*n", "8*n"]
    assert plan(lives, {"n": 64}).peak_bytes == 4 * 64**2 + 8 * 64


def test_dead_temporaries_are_used_again() -> None:
    """Twenty stages, each with a product between: two matrices are enough at any time."""
    x = gx.input("x", (64, 64))
    y = x
    for _ in range(20):
        y = gx.tanh(y @ x)
    function = gx.compile(x, gx.sum(y), target="python")
    assert function.memory.peak_bytes <= 2 * 64 * 64 * 4 + ALIGNMENT
    assert function.memory.peak_bytes >= 64 * 64 * 4


def test_memory_is_reported_for_the_sizes_of_the_last_call() -> None:
    """The exact peak once sizes are bound; a formula before."""
    x = gx.input("x", ("n", 8))
    function = gx.compile(x, gx.sum(gx.exp(x @ x.T)), target="python")
    function(np.zeros((3, 8), np.float32))
    small = function.memory.peak_bytes
    function(np.zeros((50, 8), np.float32))
    assert function.memory.peak_bytes > small
    assert function.memory.at({"n": 3}) == small
