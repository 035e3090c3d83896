"""Reductions in blocks: values against NumPy in float64 at sizes around the blocks, the same bits
with any number of threads, and what shares a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.schedule.blocks import block_op
from graphc.schedule.schedule import KernelCall, Schedule

BLOCK = 32_768  # elements of a block of a vector
SIZES = (0, 1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17)


def _random(*shape: int) -> Any:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def _close(found: Any, wanted: Any, rtol: float = 2e-6) -> None:
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, rtol=rtol, atol=1e-3 * rtol)


@pytest.fixture(scope="module")
def totals() -> gx.Function:
    x = gx.input("x", ("n",))
    return gx.compile(x, [gx.sum(x * x), gx.prod(1 + x / 1024), gx.sum(gx.exp(x)), gx.exp(x)])


@pytest.mark.parametrize("n", SIZES)
def test_totals_of_a_vector(totals: gx.Function, n: int) -> None:
    """Sums and products of a vector, beside one that is computed in the same walk."""
    value = _random(n)
    exact = value.astype(np.float64)
    wanted = np.sum(exact**2), np.prod(1 + exact / 1024), np.sum(np.exp(exact)), np.exp(exact)
    for have, want in zip(totals(value), wanted, strict=True):
        _close(have, want, 5e-5)


@pytest.mark.parametrize("n", SIZES[1:])
def test_extremes_pass_nan_on(n: int) -> None:
    """A nan anywhere is the largest and the smallest, in whichever block it lies."""
    x = gx.input("x", ("n",))
    function = gx.compile(x, [gx.max(x), gx.min(x)])
    value = _random(n)
    assert [float(r) for r in function(value)] == [value.max(), value.min()]
    value[n // 2] = np.nan
    assert all(np.isnan(function(value)))


@pytest.mark.parametrize("columns", [1, 2, 7, 8, 40, 300])
@pytest.mark.parametrize("rows", [1, 100, 9001])
def test_columns(rows: int, columns: int) -> None:
    """Sums over the first axis, of what is given and of what is computed."""
    x = gx.input("x", ("n", columns))
    value = _random(rows, columns)
    exact = value.astype(np.float64)
    found = gx.compile(x, [gx.sum(x * x, axis=0), gx.max(x, axis=0), gx.sum(x)])(value)
    for have, want in zip(found, (np.sum(exact**2, 0), value.max(0), exact.sum()), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-2)


def test_few_rows_and_axes_of_length_one() -> None:
    """Blocks along a middle axis, with few rows before it and columns after it."""
    x = gx.input("x", (3, 1, "n", 5, 1))
    value = _random(3, 1, 20_011, 5, 1)
    exact = value.astype(np.float64)
    found = gx.compile(x, [gx.sum(x, axis=2), gx.sum(x, axis=(2, 3)), gx.max(x, axis=(0, 2))])(
        value
    )
    _close(found[0], exact.sum(2), 1e-4)
    _close(found[1], exact.sum((2, 3)), 1e-4)
    _close(found[2], value.max((0, 2)))


def test_rows_and_columns_in_one_kernel() -> None:
    """A layer norm's gradient: the sums over the columns are added up while rows are computed."""
    x, c = (gx.input(name, ("n", 96)) for name in "xc")
    g, b = (gx.input(name, (96,)) for name in "gb")
    centred = x - gx.mean(x, axis=1, keepdims=True)
    deviation = gx.sqrt(gx.mean(gx.square(centred), axis=1, keepdims=True) + 1e-5)
    loss = gx.sum((centred / deviation * g + b) * c)
    gradients = gx.grad(loss, [x, g, b])
    plan = gx.compile([x, g, b, c], gradients, stop="schedule")
    assert isinstance(plan, Schedule)
    first, *rest = plan.steps
    assert sum(node.op is block_op for node in first.nodes) == 2
    assert len(rest) == 2
    assert all(isinstance(step, KernelCall) and step.lowered.extent == 96 for step in rest)
    feed = {x: _random(1031, 96), c: _random(1031, 96)[::-1], g: _random(96), b: _random(96)}
    found = gx.compile([x, g, b, c], gradients)(*(feed[node] for node in (x, g, b, c)))
    for have, want in zip(found, gx.evaluate(gradients, feed), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("columns,together", [(3, False), (20, False), (21, True), (96, True)])
def test_columns_of_short_rows_are_added_up_apart(columns: int, together: bool) -> None:
    """Short rows go side by side in vectors, which rows in blocks cannot; the same sums."""
    x, b = gx.input("x", ("n", columns)), gx.input("b", (columns,))
    outputs = [y := gx.softmax(x + b, axis=1), gx.sum(y, axis=0)]
    plan = gx.compile([x, b], outputs, stop="schedule")
    assert isinstance(plan, Schedule)
    blocks = [step for step in plan.steps if any(node.op is block_op for node in step.nodes)]
    assert len(blocks) == 1
    assert (len(blocks[0].nodes) > 1) == together
    feed = {x: _random(1031, columns), b: _random(columns)}
    for target in ("cpu", "numba"):
        found = gx.compile([x, b], outputs, target=target)(*feed.values())
        for have, want in zip(found, gx.evaluate(outputs, feed), strict=True):
            np.testing.assert_allclose(have, want, rtol=2e-5, atol=1e-6)


def test_threads_do_not_change_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks depend on the size alone."""
    x = gx.input("x", ("n", 12))
    outputs = [gx.sum(gx.sin(x), axis=0), gx.sum(x * x), gx.sum(gx.softmax(x, axis=1), axis=0)]
    value = _random(70_001, 12)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("GRAPHC_NUM_THREADS", threads)
        found.append([np.asarray(r).tobytes() for r in gx.compile(x, outputs)(value)])
    assert found[0] == found[1]


def test_a_vector_that_rows_gave_is_summed_at_once() -> None:
    """The mean of a batch's losses is one more kernel, not two: its rows took longer to make."""
    x, t = gx.input("x", ("n", 10)), gx.input("t", ("n",), "int64")
    plan = gx.compile([x, t], gx.mean(gx.softmax_cross_entropy(x, t)), stop="schedule")
    assert len(plan.steps) == 2


def test_a_short_vector_is_summed_at_once() -> None:
    x = gx.input("x", (BLOCK,))
    assert len(gx.compile(x, gx.sum(x), stop="schedule").steps) == 1


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool", "float64"])
def test_other_types(dtype: str) -> None:
    x = gx.input("x", ("n",), dtype)
    value = (_random(2 * BLOCK + 3) * 3).astype(dtype)
    if dtype == "bool":
        found = gx.compile(x, [gx.any(x), gx.all(x)])(value)
        assert [bool(r) for r in found] == [value.any(), value.all()]
    else:
        found = gx.compile(x, [gx.sum(x), gx.max(x)])(value)
        np.testing.assert_allclose(found[0], value.sum(dtype=dtype), rtol=1e-12)
        assert found[1] == value.max()
