"""The kernels of recurrences: what is walked in parallel, and operands that are read in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.dim import floor_divide, named_size
from graphc.loops.ir import PARALLEL, Loop, Statement
from graphc.loops.verify import verify
from graphc.schedule.cumulative import _WIDTH
from graphc.schedule.schedule import KernelCall, Schedule


def planned(inputs: Any, y: Any) -> Schedule:
    """The schedule of one output."""
    plan = gx.compile(inputs, y, stop="schedule")
    assert isinstance(plan, Schedule)
    return plan


def only_kernel(plan: Schedule) -> KernelCall:
    """The one step of a schedule."""
    (step,) = plan.steps
    assert isinstance(step, KernelCall)
    verify(step.lowered.kernel)
    return step


def parallel_axes(body: tuple[Statement, ...]) -> set[str]:
    """The names of the parallel loops of a kernel."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, Loop):
            own = {statement.axis.name} if statement.axis.kind == PARALLEL else set()
            found |= own | parallel_axes(statement.body)
    return found


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((300, 4000), 0, "t0"),  # tiles of what is beside the axis
        ((300, 400), 1, "i0"),  # rows
        (("n", "m"), 0, "t0"),
        (("n", "m"), 1, "i0"),
        (("n", 5, 4), 1, "i0"),  # many rows of a few
        ((2, 5, 4000), 1, "t0"),  # few rows of many
    ],
)
def test_what_runs_in_parallel(shape: tuple[Any, ...], axis: int, expected: str) -> None:
    """Outer rows where there are many, else the elements beside the axis."""
    x = gx.input("x", shape)
    step = only_kernel(planned(x, gx.cumsum(x, axis)))
    assert parallel_axes(step.lowered.kernel.body) == {expected}
    dim = shape[0] if expected == "i0" else shape[-1]
    known = named_size(dim) if isinstance(dim, str) else dim
    tiles = floor_divide(known + _WIDTH - 1, _WIDTH)
    assert step.lowered.extent == (known if expected == "i0" else tiles)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::2],
        lambda x: x[:, ::-1],
        lambda x: gx.broadcast_to(x[:1], (6, 8)),
        lambda x: gx.reshape(x, (3, 2, 8)),
    ],
)
def test_views_are_read_where_they_lie(view: Any) -> None:
    """A transpose, a slice or a broadcast of an input is no copy, and its values are right."""
    x = gx.input("x", (6, 8))
    value = np.arange(48, dtype="float32").reshape(6, 8)
    y = gx.cumsum(view(x), 0)
    only_kernel(planned(x, y))
    expected = np.cumsum(gx.evaluate(view(x), {x: value}), axis=0)
    for target in ("python", "cpu"):
        np.testing.assert_array_equal(gx.compile(x, y, target=target)(value), expected)


def test_axes_that_do_not_join_are_copied() -> None:
    """Rows of a transposed cube have no one stride: right, at the price of a copy."""
    x = gx.input("x", (3, 4, 5))
    value = np.random.default_rng(0).integers(0, 9, (3, 4, 5)).astype("float32")
    y = gx.cumsum(gx.transpose(x, (1, 0, 2)), 2)
    assert len(planned(x, y).steps) == 2
    expected = np.cumsum(value.transpose(1, 0, 2), axis=2)
    np.testing.assert_array_equal(gx.compile(x, y)(value), expected)


def test_a_size_decided_at_the_call() -> None:
    """One program for empty, single and long axes."""
    x = gx.input("x", ("n", "m"))
    f = gx.compile(x, [gx.cumsum(x, 0), gx.cumprod(x, 1, reverse=True)])
    for shape in ((0, 3), (3, 0), (1, 1), (1, 5), (5, 1), (20, 1300)):
        value = np.random.default_rng(1).integers(0, 3, shape).astype("float32")
        found = f(value)
        np.testing.assert_array_equal(found[0], np.cumsum(value, axis=0))
        expected = np.flip(np.cumprod(np.flip(value, 1), axis=1), 1)
        np.testing.assert_array_equal(found[1], expected)


def test_what_surrounds_it_is_computed_around_it() -> None:
    """An expression before and after, in a program with a state that is updated."""
    x = gx.input("x", ("n", 4), "float64")
    total = gx.state("total", np.zeros(4))
    y = gx.cumsum(gx.exp(x) * 0.5, 0) + total
    f = gx.compile(x, y, updates={total: gx.sum(y, axis=0)})
    value = np.random.default_rng(2).standard_normal((7, 4))
    expected = np.cumsum(np.exp(value) * 0.5, axis=0)
    np.testing.assert_allclose(f(value), expected, rtol=1e-12)
    np.testing.assert_allclose(total.value, expected.sum(0), rtol=1e-12)
