"""The order of steps: what may be written in place, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import IndexRangeError, SingularMatrixError
from graphc.ir.node import Node
from graphc.schedule.schedule import Copy, Schedule

TARGETS = ["python", "cpu"]


def copies(inputs: list[Node], outputs: Any, updates: dict[Node, Any]) -> int:
    """How many new values are computed elsewhere and copied at the end."""
    plan = gx.compile(inputs, outputs, updates, target="python", stop="schedule")
    assert isinstance(plan, Schedule)
    return sum(isinstance(step, Copy) for step in plan.steps)


def state(name: str, *values: float) -> Node:
    return gx.state(name, np.array(values, float))


def test_elementwise_updates_are_in_place() -> None:
    """Momentum and Adam read each element before they write it, and need no copies."""
    x = gx.input("x", (3,), "float64")
    w, m, v = (state(name, 1, 2, 3) for name in "wmv")
    gradient = gx.grad(gx.sum(gx.square(w * x)), w)
    new_m, new_v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gx.square(gradient)
    updates = {m: new_m, v: new_v, w: w - 0.1 * new_m / (gx.sqrt(new_v) + 1e-8)}
    assert copies([x], [], updates) == 0


def test_what_reads_another_element_is_not_in_place() -> None:
    """A reversed state, and one divided by its own sum, need the whole old value."""
    s = state("s", 1, 2, 3)
    assert copies([], [], {s: s[::-1] * 1.0}) == 1
    s = state("s", 1, 2, 3)
    gx.compile([], [], {s: s[::-1] + s}, target="python")()
    np.testing.assert_array_equal(s.value, [4, 4, 4])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_smaller_of_two_that_need_each_other_is_copied(order: tuple[int, int]) -> None:
    """Factors of a product, each updated by the other's old value, whichever is named first."""
    a = gx.state("a", np.arange(6.0).reshape(2, 3))
    b = gx.state("b", np.arange(12.0).reshape(3, 4))
    x = gx.const(np.linspace(-1.0, 1.0, 8).reshape(2, 4))
    pairs = [(a, a - x @ b.T), (b, b - a.T @ x)]
    updates = dict(pairs[place] for place in order)
    expected = [gx.evaluate(new) for _, new in pairs]
    plan = gx.compile([], [], updates, target="python", stop="schedule")
    moved = [step.target.elements for step in plan.steps if isinstance(step, Copy)]
    assert set(moved) == {6}
    gx.compile([], [], updates)()
    for known, want in zip((a, b), expected, strict=True):
        np.testing.assert_allclose(known.value, want, rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_one_value_for_two_states(target: str) -> None:
    """Both get it, whichever memory it was computed in; and both may be read for it."""
    a, b = state("a", 1, 2), state("b", 30, 40)
    total = a + b
    gx.compile([], [], {a: total, b: total}, target=target)()
    np.testing.assert_array_equal(a.value, [31, 42])
    np.testing.assert_array_equal(b.value, [31, 42])


@pytest.mark.parametrize("target", TARGETS)
def test_a_state_that_keeps_its_value(target: str) -> None:
    """The update s := s, beside an output of s and another state that takes it."""
    a, b = state("a", 1, 2), state("b", 0, 0)
    found = gx.compile([], [a, a, a[::-1]], {a: a, b: a}, target=target)()
    np.testing.assert_array_equal(found, [[1, 2], [1, 2], [2, 1]])
    np.testing.assert_array_equal(a.value, [1, 2])
    np.testing.assert_array_equal(b.value, [1, 2])


@pytest.mark.parametrize("target", TARGETS)
def test_many_readers_of_the_old_value(target: str) -> None:
    """Reductions, products and gathers of a state come before it is overwritten."""
    random = np.random.default_rng(0)
    s = gx.state("s", random.standard_normal((4, 4)))
    outputs = [gx.sum(s), s @ s, gx.take(s, [3, 0]), s.T * 2, gx.max(s, axis=0)]
    function = gx.compile([], outputs, {s: gx.tanh(s) + 1}, target=target)
    for _ in range(3):
        expected = gx.evaluate([*outputs, gx.tanh(s) + 1])
        for found, want in zip(function(), expected, strict=False):
            np.testing.assert_allclose(found, want, rtol=1e-12)
        np.testing.assert_allclose(s.value, expected[-1], rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_a_failed_check_leaves_every_state_as_it_was(target: str) -> None:
    """Also a state whose new value is made in the kernel that finds the bad index, and states that
    have nothing to do with it."""
    i = gx.input("i", (2,), "int64")
    a, b = state("a", 1, 2), state("b", 5, 6)
    step = gx.compile(i, gx.sum(a), {a: gx.take(a, i), b: b + 1}, target=target)
    with pytest.raises(IndexRangeError, match=r"'i': 2 at position 1"):
        step(np.array([0, 2]))
    np.testing.assert_array_equal(a.value, [1, 2])
    np.testing.assert_array_equal(b.value, [5, 6])
    step(np.array([1, 0]))
    np.testing.assert_array_equal(a.value, [2, 1])
    np.testing.assert_array_equal(b.value, [6, 7])


@pytest.mark.parametrize("target", TARGETS)
def test_a_check_that_needs_the_new_value(target: str) -> None:
    """A singular system made of what the state becomes: the state is written after it is solved."""
    x = gx.input("x", (), "float64")
    s = gx.state("s", np.eye(2))
    new = s * x
    step = gx.compile(x, gx.solve(new, np.ones(2)), {s: new}, target=target)
    with pytest.raises(SingularMatrixError, match="2 x 2"):
        step(0.0)
    np.testing.assert_array_equal(s.value, np.eye(2))
    np.testing.assert_array_equal(step(2.0), [0.5, 0.5])
    np.testing.assert_array_equal(s.value, 2 * np.eye(2))
