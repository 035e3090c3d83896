"""Loops one after another: a bound loop is started again, and nothing of the run before is left."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler import loop as loop_module
from graphc.errors import CheckFailedError, IndexRangeError, NonFiniteError, ShapeError
from tests.compiler.models import Classifier, classifier
from tests.compiler.test_concurrency import together

Arguments = dict[str, Any]

# Each differs from the one before in something: data, epochs, seed, batch size, order, lengths.
RUNS: list[tuple[tuple[int, int], Arguments]] = [
    ((0, 50), {"batch_size": 16, "seed": 1}),
    ((0, 50), {"batch_size": 16, "seed": 1}),
    ((50, 100), {"batch_size": 16, "seed": 2, "epochs": 3, "first_epoch": 5}),
    ((50, 100), {"batch_size": 16, "shuffle": False}),
    ((0, 50), {"batch_size": 16, "shuffle": False, "epochs": 2}),
    ((0, 48), {"batch_size": 16, "shuffle": False}),
    ((7, 12), {"batch_size": 16, "seed": 4}),
    ((0, 0), {"batch_size": 16, "seed": 4}),
    ((12, 17), {"batch_size": 16, "seed": 5, "epochs": 2}),
    ((12, 17), {"batch_size": 16, "seed": 5, "epochs": 0}),
    ((12, 17), {"batch_size": 7, "seed": 5, "epochs": 2}),
    ((0, 50), {"batch_size": 1, "shuffle": False}),
]


def data_of(model: Classifier, first: int = 0, last: int | None = None) -> tuple[np.ndarray, ...]:
    """Some examples of a model, in memory of their own."""
    return model.images[first:last].copy(), model.labels[first:last].copy()


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_loops_one_after_another_equal_those_of_fresh_functions(target: str) -> None:
    """Outputs, parameters and draws have the same bits whatever the function ran before."""
    again, fresh = (classifier(examples=100, dropout=True) for _ in range(2))
    kept = again.compile(target)
    for (first, last), arguments in RUNS[: None if target == "cpu" else 7]:
        alone = fresh.compile(target)
        alone.step = kept.step
        losses = kept.loop(data_of(again, first, last), **arguments)
        expected = alone.loop(data_of(fresh, first, last), **arguments)
        np.testing.assert_array_equal(losses, expected)
        for a, b in zip(again.values(), fresh.values(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_one_loop_is_bound_once_and_kept() -> None:
    """The same lengths are not bound again; other ones take the place of what was kept."""
    model = classifier()
    step, first = model.compile(), None
    for seed in range(3):
        step.loop(data_of(model), batch_size=16, epochs=1 + seed, seed=seed)
        (bound,) = step.bound_loops
        first = first or bound
        assert bound is first
    step.loop(data_of(model, 1), batch_size=16)
    (bound,) = step.bound_loops
    assert bound is not first


def test_a_loop_with_much_memory_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arena goes when it ends."""
    monkeypatch.setattr(loop_module, "_KEPT_BYTES", 0)
    model = classifier()
    step = model.compile()
    for _ in range(2):
        step.loop(data_of(model), batch_size=16)
        assert step.bound_loops == []


@pytest.mark.parametrize("shuffle", [True, False])
def test_data_and_outputs_are_let_go(shuffle: bool) -> None:
    """What the user drops after a loop is freed, though the loop is kept."""
    model = classifier()
    step = model.compile()
    for _ in range(2):
        data = data_of(model)
        losses = step.loop(data, batch_size=16, shuffle=shuffle)
        watched = [weakref.ref(array) for array in (*data, losses)]
        assert step.bound_loops
        del data, losses
        gc.collect()
        assert [reference() for reference in watched] == [None] * 3


def test_after_an_exception_of_progress() -> None:
    """The next loop begins from its own start, with the parameters of the steps that were done."""
    stopped, other = classifier(examples=4000), classifier(examples=4000)
    step, seen = stopped.compile(), []

    def stop(done: int, outputs: tuple[np.ndarray, ...]) -> None:
        seen.append(done)
        raise StopIteration

    data = data_of(stopped)
    step.loop(data, 4, epochs=0)
    with pytest.raises(StopIteration):
        step.loop(data, 4, epochs=100, shuffle=False, on_progress=stop)
    losses = step.loop(data, 4, shuffle=False)
    (count,) = seen
    alone = other.compile()
    alone.loop(tuple(array[: 4 * count] for array in data), 4, shuffle=False)
    np.testing.assert_array_equal(losses, other.compile().loop(data, 4, shuffle=False))


def test_a_loop_inside_progress() -> None:
    """A loop of the same function, started while one is under way, has memory of its own."""
    x = gx.input("x", ("n", 3))
    function = gx.compile(x, gx.sum(x))
    inner: list[np.ndarray] = []
    data = np.arange(60, dtype=np.float32).reshape(20, 3)

    def nested(done: int, outputs: tuple[np.ndarray, ...]) -> None:
        inner.append(function.loop(data * 2, batch_size=3, shuffle=False))

    outer = function.loop(data, batch_size=3, shuffle=False, on_progress=nested)
    assert len(inner) > 1
    expected = [data[first : first + 3].sum() for first in range(0, 20, 3)]
    np.testing.assert_array_equal(outer, expected)
    for losses in inner:
        np.testing.assert_array_equal(losses, 2 * np.array(expected))
    assert len(function.bound_loops) == 1


def test_threads_running_one_loop() -> None:
    """Each run has memory of its own: results are those of the caller's own data."""
    x = gx.input("x", ("n", 30))
    w = gx.const(np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32))
    function = gx.compile(x, gx.sum(gx.tanh(x @ w)))

    def work(number: int) -> None:
        data = np.random.default_rng(number).standard_normal((50, 30)).astype(np.float32)
        expected = function.loop(data, batch_size=8, seed=number, epochs=2)
        for _ in range(100):
            given = function.loop(data.copy(), batch_size=8, seed=number, epochs=2)
            np.testing.assert_array_equal(given, expected)

    together(4, work)
    assert len(function.bound_loops) == 1


def test_a_kept_loop_finds_what_is_not_finite() -> None:
    """A long first slice is replayed to the step that goes wrong, and the loop runs again after."""
    x = gx.input("x", ("n",))
    w = gx.param("w", np.float32(0.0))
    step = gx.compile(x, gx.log(gx.mean(x)), updates={w: w + gx.mean(x)})
    data = np.ones(400, np.float32)
    for _ in range(6):
        step.loop(data, batch_size=2, shuffle=False)
    assert step.bound_loops[0].budget > 200
    bad = data.copy()
    bad[301] = -5.0
    w.value = np.float32(0.0)
    with pytest.raises(NonFiniteError, match=r"step 150 \(epoch 0\).*log.*test_loop_again.py"):
        step.loop(bad, batch_size=2, shuffle=False)
    assert w.value == 150.0
    np.testing.assert_array_equal(step.loop(data, batch_size=2, shuffle=False), np.zeros(200))
    assert w.value == 350.0


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_kept_loop_names_the_example(shuffle: bool) -> None:
    """A label out of range is found in the data of this run, by its place in them."""
    model = classifier()
    step = model.compile()
    for seed in range(3):
        step.loop(data_of(model), batch_size=12, seed=seed, shuffle=shuffle)
    images, labels = data_of(model)
    labels[37] = 11
    place = r"step \d" if shuffle else "step 3"
    with pytest.raises(IndexRangeError, match=place + r" \(epoch 2, example 37 of the data\)"):
        step.loop((images, labels), batch_size=12, first_epoch=2, seed=9, shuffle=shuffle)


def test_a_kept_loop_checks_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Each step prints its own values, and a check that fails names the step of this run."""
    x = gx.input("x", ("n",))
    gx.check(x < 90.0, "too large")
    function = gx.compile(x, gx.sum(gx.print(x, "x")))
    for start in (10.0, 20.0):
        data = np.arange(start, start + 5, dtype=np.float32)
        function.loop(data, batch_size=2, shuffle=False)
        printed = capsys.readouterr().out
        for value in data:
            assert f"{value:.0f}." in printed
    with pytest.raises(CheckFailedError, match=r"step 1 \(epoch 3\).*too large"):
        function.loop(data + 67, batch_size=2, shuffle=False, first_epoch=3)


def test_a_kept_loop_returns_soon() -> None:
    """It begins with a long slice, and still gives back every 50 ms (200 ms on a busy machine)."""
    model = classifier(examples=4000)
    step = model.compile()
    calls: list[float] = []

    def passed(done: int, outputs: tuple[np.ndarray, ...]) -> None:
        calls.append(time.perf_counter())

    for _ in range(4):
        step.loop(data_of(model), batch_size=2, on_progress=passed)
    calls.clear()
    step.loop(data_of(model), batch_size=2, epochs=60, on_progress=passed)
    pauses = np.diff(calls)
    assert step.bound_loops[0].budget > 100
    assert pauses.size > 1
    assert pauses.max() < 0.2


def test_sizes_that_do_not_fit_are_an_error_each_time() -> None:
    """Only sizes that are right are remembered."""
    x = gx.input("x", ("n",))
    function = gx.compile(x, gx.sum(x[2:5]))
    for _ in range(2):
        assert function.loop(np.ones(12, np.float32), batch_size=6).shape == (2,)
        with pytest.raises(ShapeError, match="elements 2 to 4 of an axis of 3"):
            function.loop(np.ones(12, np.float32), batch_size=3)
