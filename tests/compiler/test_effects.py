"""Checks and prints in compiled functions and native loops, on both targets."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import CheckFailedError
from graphc.ir.node import Node
from graphc.schedule.schedule import KernelCall

TARGETS = ["python", "cpu"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_failed_check_leaves_every_parameter_as_it_was(target: str) -> None:
    """The same error as in the interpreter; the next call goes on."""
    x, w = gx.input("x", ("n", 3)), gx.param("w", np.ones(3, "float32"))
    gx.check(x > 0, "x must be positive")
    y = gx.sum(x * w)
    step = gx.compile(x, y, updates={w: w + gx.mean(x, axis=0)}, target=target)
    assert step(np.ones((2, 3))) == 6
    bad = np.array([[1, 2, 3], [4, -5, -6]], np.float32)
    with pytest.raises(CheckFailedError) as compiled:
        step(bad)
    with pytest.raises(CheckFailedError) as interpreted:
        gx.evaluate(y, {x: bad})
    assert str(compiled.value) == str(interpreted.value)
    assert "at (1, 1) of (2, 3), for -5.0 and 0.0. Written at" in str(compiled.value)
    np.testing.assert_array_equal(w.value, [2, 2, 2])
    assert step(np.ones((4, 3))) == 24


@pytest.mark.parametrize("target", TARGETS)
def test_checks_of_every_shape(target: str) -> None:
    """A scalar, a row result, an outer reduction, a draw, a bool input, a routine's result."""
    x = gx.input("x", ("n", 3))
    mask = gx.input("mask", ("n",), "bool")
    a = gx.input("a", (2, 2))
    conditions: dict[str, tuple[Node, dict[Node, Any]]] = {
        "scalar": (gx.sum(x) < 100, {x: np.full((2, 3), 50.0)}),
        "rows": (gx.max(x, axis=1) < 10, {x: np.array([[1, 2, 3], [1, 2, 30.0]])}),
        "columns": (gx.sum(x, axis=0) < 10, {x: np.array([[1, 2, 6], [1, 2, 7.0]])}),
        "mask": (mask, {mask: np.array([True, False])}),
        "routine": (gx.solve(a, gx.const(np.ones((2, 1), "float32"))) < 3, {a: np.eye(2) / 4}),
        "product": ((x @ gx.transpose(x)) < 5, {x: np.array([[3.0, -3, 0], [-3, 3, 0]])}),
        "draw": (gx.random.stream(0).uniform((4,)) + x[0, 0] < 1.5, {x: np.ones((2, 3))}),
    }
    nodes = [x, mask, a]
    fine = {x: np.zeros((2, 3)), mask: np.ones(2, bool), a: np.eye(2)}
    for name, (condition, _) in conditions.items():
        gx.check(condition, f"the {name} one")
    draw = conditions["draw"][0].inputs[0]
    function = gx.compile(nodes, [gx.sum(x), gx.sum(a), draw], target=target)
    function(*fine.values())
    for name, (_, changed) in conditions.items():
        with pytest.raises(CheckFailedError, match=f"the {name} one"):
            function(*{**fine, **changed}.values())


def test_a_check_runs_inside_the_kernel_that_makes_its_condition() -> None:
    """No pass of its own over memory, and no array of the condition."""
    x = gx.input("x", ("n",))
    plain = gx.compile(x, gx.exp(x) * 2, stop="schedule")
    gx.check(x < 50, "no overflow")
    checked = gx.compile(x, gx.exp(x) * 2, stop="schedule")
    assert len(checked.steps) == len(plain.steps) == 1
    (step,) = checked.steps
    assert isinstance(step, KernelCall)
    assert len(step.lowered.buffers) == 2


def test_a_check_with_many_threads_names_the_first_place() -> None:
    """Chunks run in any order; the message does not depend on it."""
    x = gx.input("x", ("n",))
    gx.check(x >= 0, "not negative")
    function = gx.compile(x, x + 1)
    data = np.ones(1_000_000, np.float32)
    data[[900_000, 300_001, 650_000]] = -1
    for _ in range(5):
        with pytest.raises(CheckFailedError, match=r"at \(300001,\) of \(1000000,\), for -1.0 and"):
            function(data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_check_in_a_native_loop_names_the_step(target: str) -> None:
    """Steps before it have been done, the failed one and those after it have not."""
    x, w = gx.input("x", ("n",)), gx.param("w", 0.0)
    gx.check(x < 100, "too large")
    step = gx.compile(x, gx.sum(x), updates={w: w + gx.sum(x)}, target=target)
    data = np.arange(10, dtype=np.float32)
    data[7] = 500
    with pytest.raises(CheckFailedError) as failure:
        step.loop(data, batch_size=3, epochs=2, shuffle=False)
    text = str(failure.value)
    assert text.startswith(
        "step 2 (epoch 0): too large: the condition fails at (1,) of (3,), for 500.0 and 100.0. "
    )
    assert text.count("Written at") == 1
    assert w.value == np.arange(6).sum()
    data[7] = 7
    assert step.loop(data, batch_size=3, shuffle=False).tolist() == [3, 12, 21, 9]


def test_a_shuffled_loop_finds_the_failed_batch() -> None:
    """The batch that is looked at again is the one of that step, in any epoch."""
    x, seen = gx.input("x", ("n",)), gx.state("seen", 0.0)
    gx.check(seen + gx.sum(x) < 60, "enough")
    step = gx.compile(x, gx.sum(x), updates={seen: seen + gx.sum(x)})
    with pytest.raises(
        CheckFailedError, match=r"step \d+ \(epoch 1\): enough: .* for \d+.0 and 60"
    ):
        step.loop(np.arange(10, dtype=np.float32), batch_size=2, epochs=3, seed=4)
    assert 45 <= seen.value < 60


@pytest.mark.parametrize("target", TARGETS)
def test_prints_of_calls(target: str, capsys: Any) -> None:
    """Once a call, in order, with this call's values and sizes; results are as without them."""
    x, w = gx.input("x", ("n", 2)), gx.param("w", np.ones((2, 2), "float32"))
    h = gx.print(gx.tanh(x @ w), "h")
    total = gx.print(gx.sum(h), "total")
    gx.print(w, "w")
    function = gx.compile(x, [total, gx.argmax(h, axis=1)], updates={w: w * 2}, target=target)
    first, index = function(np.zeros((1, 2)))
    assert first == 0
    assert index.tolist() == [0]
    expected = "h: float32 (1, 2) [[0. 0.]]\ntotal: float32 0.0\nw: float32 (2, 2)\n"
    assert capsys.readouterr().out == expected + "[[1. 1.]\n [1. 1.]]\n"
    function(np.zeros((3, 2)))
    out = capsys.readouterr().out
    assert out.startswith("h: float32 (3, 2)\n[[0. 0.]\n [0. 0.]\n [0. 0.]]\n")
    assert out.endswith("[[2. 2.]\n [2. 2.]]\n")
    single = gx.compile(x, total, target=target)
    assert np.shape(single(np.zeros((2, 2)))) == ()


def test_prints_go_to_the_standard_output_of_the_moment(monkeypatch: Any) -> None:
    """A notebook or a test may have put another one in its place since it was compiled."""
    x = gx.input("x", ())
    function = gx.compile(x, gx.print(x * 2, "twice"))
    written: list[str] = []

    class Output:
        def write(self, text: str) -> None:
            written.append(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Output())
    function(2.0)
    assert "".join(written) == "twice: float32 4.0\n"


@pytest.mark.parametrize("target", TARGETS)
def test_prints_of_every_step_of_a_loop(target: str, capsys: Any) -> None:
    """Whole batches and the short last one, whose shapes differ, before the next step runs."""
    x, w = gx.input("x", ("n",)), gx.param("w", 1.0)
    gx.print(x * 10, "batch")
    gx.print(w + 0, "weight")
    step = gx.compile(x, gx.sum(x * 10), updates={w: w * (w + 0)}, target=target)
    w.value = 2.0
    losses = step.loop(np.arange(5, dtype=np.float32), batch_size=2, shuffle=False)
    assert losses.tolist() == [10, 50, 40]
    assert capsys.readouterr().out.splitlines() == [
        "batch: float32 (2,) [ 0. 10.]", "weight: float32 2.0",
        "batch: float32 (2,) [20. 30.]", "weight: float32 4.0",
        "batch: float32 (1,) [40.]", "weight: float32 16.0",
    ]  # fmt: skip


def test_what_was_printed_before_a_check_fails_is_shown(capsys: Any) -> None:
    """The value that explains the failure is there to be read."""
    x = gx.input("x", ("n",))
    gx.print(gx.sum(x), "sum")
    gx.check(gx.sum(x) < 10, "small sum")
    gx.print(gx.sum(x) * 2, "later")
    function = gx.compile(x, gx.sum(x) * 2)
    with pytest.raises(CheckFailedError):
        function([20.0])
    assert capsys.readouterr().out == "sum: float32 20.0\n"
    with pytest.raises(CheckFailedError):
        function.loop(np.array([1.0, 20.0], np.float32), batch_size=1, shuffle=False)
    assert capsys.readouterr().out.splitlines() == [
        "sum: float32 1.0", "later: float32 2.0", "sum: float32 20.0",
    ]  # fmt: skip


def test_two_prints_of_one_value_are_two() -> None:
    """Also where rewriting finds that two nodes are the same."""
    x = gx.input("x", (2,))
    gx.print(x + x, "value")
    gx.print(2 * x, "value")
    function = gx.compile(x, (x + x) * (2 * x))
    np.testing.assert_array_equal(function([1.0, 2.0]), [4, 16])


def test_checks_and_prints_in_training(capsys: Any) -> None:
    """Through the trainer: each step prints, and inference has its own graph."""
    x, t = gx.input("x", ("n", 2)), gx.input("t", ("n",))
    w = gx.param("w", np.zeros(2, "float32"))
    prediction = gx.nn.dropout(x @ w, 0.5, gx.random.stream(0))
    gx.print(prediction, "prediction")
    gx.check(gx.isfinite(prediction), "prediction is finite")
    loss = gx.mean(gx.square(prediction - t))
    trainer = gx.train.Trainer(loss, [x, t], gx.train.sgd(0.1))
    data = (np.ones((6, 2), np.float32), np.ones(6, np.float32))
    trainer.fit(data, batch_size=2, epochs=2, progress=False)
    out = capsys.readouterr().out
    assert out.count("prediction: float32 (2,) [") == 6
    measured = trainer.evaluate(data)
    assert np.isfinite(measured["loss"])
    data[0][3, 1] = np.inf
    with pytest.raises(CheckFailedError, match=r"step \d \(epoch 2\): prediction is finite"):
        trainer.fit(data, batch_size=2, epochs=1, progress=False)


@pytest.mark.parametrize("target", TARGETS)
def test_effects_of_empty_batches(target: str, capsys: Any) -> None:
    """Nothing to check, and an empty array to print."""
    x = gx.input("x", ("n",))
    gx.check(x > 0, "positive")
    y = gx.print(x * 2, "twice")
    assert gx.compile(x, gx.sum(y), target=target)(np.zeros(0, np.float32)) == 0
    capsys.readouterr()
    function = gx.compile(x, y, target=target)
    assert function(np.zeros(0, np.float32)).shape == (0,)
    assert capsys.readouterr().out == "twice: float32 (0,) []\n"


def test_explain_and_source_of_a_function_with_effects() -> None:
    """What a function tells of itself knows of its effects."""
    x = gx.input("x", ("n",))
    gx.check(x < 10, "small")
    function = gx.compile(x, gx.print(x * 2))
    function(np.zeros(3, np.float32))
    assert "check" in function.explain()
    assert "the code of a failed check" in function.source()
