"""What is told of memory, against what NumPy says that it allocates."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.bench import workloads
from graphc.bench.model import DATA
from graphc.bench.models import attention, lenet, lstm, mlp, rnn
from graphc.compiler.function import Function
from graphc.errors import MemoryBudgetError
from graphc.schedule.buffer import Workspace
from graphc.schedule.memory import bytes_of

NUMPY = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """A function that gives the bytes of the arrays made since, of those that are still there."""
    tracemalloc.start()
    try:
        yield lambda: sum(
            trace.size for trace in tracemalloc.take_snapshot().filter_traces([NUMPY]).traces
        )
    finally:
        tracemalloc.stop()


# A function, and arguments for a batch of n.
Case = tuple[Function, Callable[[int], list[np.ndarray]]]


def training(model: Any, **settings: Any) -> Callable[[str], Case]:
    """A step of a benchmark's model."""
    settings = {**settings, "optimizer": "sgd", "rate": 0.1, "steps": 1, "batch": 300}

    def build(target: str) -> Case:
        given = model.arrays(np.random.default_rng(0), settings)
        inputs, loss = model._graphc(settings, given)
        updates = gx.train.sgd(0.1)(loss, gx.nn.parameters(loss))
        step = gx.compile(inputs, loss, updates=updates, target=target)
        return step, lambda n: [given[name][:n] for name in DATA]

    return build


def attention_gradient(target: str) -> Case:
    inputs, outputs = attention._graphc({"width": 32}, {})
    return gx.compile(inputs, outputs, target=target), lambda n: [normal(n, 4, 64, 32)] * 4


def convolution(target: str) -> Case:
    """Windows of an image, times a matrix: larger than anything that goes in or out."""
    x = gx.input("x", ("n", 3, 12, 12))
    kernel = gx.param("K", normal(8, 3, 5, 5))
    y = gx.nn.conv2d(x, kernel)
    outputs = [gx.sum(y * y), *gx.grad(gx.sum(y * y), [kernel])]
    return gx.compile(x, outputs, target=target), lambda n: [normal(n, 3, 12, 12)]


def recurrence(target: str) -> Case:
    """A loop that is done in parts of its batch, and its derivative."""
    xs, U = gx.input("xs", (20, "n", 48)), gx.param("U", normal(48, 48) / 8)
    last, every = gx.scan(lambda c, x: (gx.tanh(c @ U + x), c), gx.zeros((xs.shape[1], 48)), xs)
    loss = gx.sum(every * every) + gx.sum(last)
    return gx.compile(xs, gx.grad(loss, [U, xs]), target=target), lambda n: [normal(20, n, 48)]


def cut_product(target: str) -> Case:
    """A product whose terms are cut: its parts take more than all else."""
    x, y = gx.input("x", ("n", 40)), gx.input("y", ("n", 50))
    z = gx.sum(gx.tanh(x.T @ y))
    return gx.compile([x, y], z, target=target), lambda n: [normal(50 * n, 40), normal(50 * n, 50)]


def branches(target: str) -> Case:
    """Bodies inside bodies, one of which holds a cut product."""
    x = gx.input("x", ("n", 60))
    product = lambda c: c + gx.tile(gx.mean(x.T @ x, axis=0), (60, 1))  # noqa: E731
    step = lambda c, _: (gx.cond(gx.sum(c) < 0, product, lambda c: c @ c, c), None)  # noqa: E731
    last, _ = gx.scan(step, gx.zeros((60, 60)), length=4)
    return gx.compile(x, gx.sum(last), target=target), lambda n: [normal(30 * n, 60)]


def budget(target: str) -> Case:
    """Some of it computed again."""
    x = gx.input("x", ("n", 64))
    weights = [gx.param(f"W{layer}", normal(64, 64) / 8) for layer in range(6)]
    y = x
    for W in weights:
        y = gx.tanh(y @ W)
    gradients = [gx.sum(g * g) for g in gx.grad(gx.sum(y), weights)]
    bytes_needed = gx.compile(x, gradients, target=target).memory.at({"n": 300})
    given = {"memory_budget": bytes_needed * 6 // 10, "budget_sizes": {"n": 300}}
    function = gx.compile(x, gradients, target=target, **given)
    assert function.budget is not None
    assert function.budget.again
    return function, lambda n: [normal(n, 64)]


CASES: dict[str, Callable[[str], Case]] = {
    "lstm": training(lstm, **workloads._LSTM),
    "rnn": training(rnn, **workloads._RNN),
    "mlp": training(mlp, sizes=(100, 300, 50, 7)),
    "lenet": training(lenet, size=28, channels=(6, 16), hidden=84),
    "attention": attention_gradient,
    "convolution": convolution,
    "recurrence": recurrence,
    "cut product": cut_product,
    "branches": branches,
    "budget": budget,
}
SIZES = (4, 77, 16, 300)


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_is_what_is_allocated(name: str) -> None:
    """One size after the other: the plan is the arena, and the report of what is held all that
    NumPy holds for the function."""
    function, arguments = CASES[name]("python")
    planned = 0
    function.bind(arguments(1))  # the constants
    given = [arguments(n) for n in SIZES]
    with counted() as allocated:
        for arrays in given:
            slot = function.bind(arrays)
            function._slots[tuple(array.shape for array in arrays)] = [slot]
            planned += max(function.memory.peak_bytes, 64)
            held = function.memory.held
            assert held.arenas == planned
            assert held.total == pytest.approx(allocated(), rel=0.05, abs=2_000)


@pytest.mark.parametrize("name", ["recurrence", "cut product", "convolution", "budget"])
def test_a_call_takes_no_more(name: str) -> None:
    """While it runs there is nothing but the results."""
    function, arguments = CASES[name]("cpu")
    for n in (33, 300):
        arrays = arguments(n)
        results = function(*arrays)
        kept = results if isinstance(results, tuple) else (results,)
        size = sum(array.nbytes for array in kept)
        with counted():
            before = tracemalloc.get_traced_memory()[0]
            function(*arrays)
            assert tracemalloc.get_traced_memory()[1] - before < size + 5_000


def test_the_loop_that_ran_last_is_held() -> None:
    """Its arena, its table, and the rows that it gathers; a call has its own beside it."""
    x = gx.input("x", ("n", 500))
    W = gx.param("W", normal(500, 500))
    loss = gx.sum(gx.tanh(x @ W))
    step = gx.compile(x, loss, updates={W: W - 0.01 * gx.grad(loss, W)})
    data = normal(300, 500)
    with counted() as allocated:
        step.loop(data, batch_size=100)
        before = step.memory.held
        assert before.arenas == step.memory.at({"n": 100})
        assert before.batches == 100 * 500 * 4
        assert before.total == pytest.approx(allocated(), rel=0.05)
        step(data)
        both = step.memory.held
        assert both.arenas == before.arenas + step.memory.at({"n": 300})
        assert both.batches == before.batches
        assert both.total == pytest.approx(allocated(), rel=0.05)


@pytest.mark.parametrize(("name", "n"), [("recurrence", 100), ("cut product", 9_000)])
def test_a_budget_holds_for_what_a_step_uses_for_itself(name: str, n: int) -> None:
    """It would be kept with ease if parts of a batch or of a product did not count."""
    function, _ = CASES[name]("python")
    needed = function.memory.at({"n": n})
    inputs, outputs = function.inputs, list(function.outputs)
    given = {"budget_sizes": {"n": n}, "target": "python"}
    fitting = gx.compile(inputs, outputs, memory_budget=needed, **given)
    assert fitting.memory.at({"n": n}) <= needed
    workspaces = [life.buffer for life in function.lives if isinstance(life.buffer, Workspace)]
    most = max(bytes_of(workspace, {"n": n}) for workspace in workspaces)
    assert most > 10_000
    with pytest.raises(MemoryBudgetError, match="at least"):
        gx.compile(inputs, outputs, memory_budget=most - 64, **given)
