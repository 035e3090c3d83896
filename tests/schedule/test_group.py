"""Fusion: how many kernels a graph becomes, and that fused kernels compute what they should.

Counts are upper bounds: a better fusion may lower them, nothing may raise them unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.schedule.schedule import Copy, KernelCall, Product, Schedule


def schedule(outputs: Any, updates: Any = None) -> Schedule:
    """The schedule of outputs, whose inputs are found in the graph."""
    from graphc.ir.traverse import topological
    from graphc.ops.source import input_op

    roots = [outputs] if isinstance(outputs, Node) else list(outputs)
    found = [n for n in topological([*roots, *(updates or {}).values()]) if n.op is input_op]
    plan = gx.compile(found, outputs, updates, target="python", stop="schedule")
    assert isinstance(plan, Schedule)
    return plan


def kernels(outputs: Any) -> int:
    """The number of kernels, when there is nothing else."""
    steps = schedule(outputs).steps
    assert all(isinstance(step, KernelCall) for step in steps)
    return len(steps)


X = gx.input("x", ("n", "k"))
WIDE = gx.input("wide", ("n", 10_000))  # too wide for blocks of rows
ROW = gx.input("row", ("k",))
COLUMN = gx.input("column", ("n", 1))
LABELS = gx.input("labels", ("n",), "int64")


def layer_norm(x: Node) -> Node:
    centred = x - gx.mean(x, axis=1, keepdims=True)
    variance = gx.mean(gx.square(centred), axis=1, keepdims=True)
    return centred / gx.sqrt(variance + 1e-5)


ONE_KERNEL: dict[str, Callable[[], Any]] = {
    "elementwise chain": lambda: gx.tanh(gx.exp(X * 2 + 1) - gx.square(X)),
    "broadcasting": lambda: (X + ROW) * COLUMN,
    "several outputs": lambda: [X + 1, X * 2, gx.exp(X)],
    "rows": lambda: gx.sum(gx.exp(X), axis=1),
    "rows, then elements of rows": lambda: X - gx.max(X, axis=1, keepdims=True),
    "softmax": lambda: gx.softmax(X, axis=1),
    "log_softmax": lambda: gx.log_softmax(X, axis=1),
    "cross entropy of each row": lambda: gx.softmax_cross_entropy(X, LABELS),
    "layer norm": lambda: layer_norm(X),
    "columns": lambda: gx.sum(WIDE * 2, axis=0),
    "columns and an epilogue": lambda: gx.tanh(gx.sum(WIDE, axis=0) + 1),
    "two reductions of columns": lambda: [gx.sum(WIDE, axis=0), gx.sum(gx.square(WIDE), axis=0)],
    "a transposed operand": lambda: gx.exp(X.T) + 1,
    "a slice": lambda: X[1:, ::2] * 2,
    "a reversed axis": lambda: X[::-1] + X,
    "rows by number": lambda: gx.take(gx.exp(X), LABELS) * 2,
    "one of each row": lambda: gx.pick(X * 2, LABELS),
    "the gradient of a slice": lambda: X - gx.vjp(X[1:], X, gx.exp(X[1:])),
    "a reshape that adds an axis": lambda: gx.expand_dims(X, 1) + X,
    "random draws": lambda: gx.where(gx.random.stream(0).bernoulli(0.5, ("n", "k")), X, 0.0),
    "an index": lambda: gx.cast(gx.ramp(("n", "k"), 1), "float32") * X,
}


@pytest.mark.parametrize("name", ONE_KERNEL)
def test_what_fits_in_one_kernel_is_one(name: str) -> None:
    """No intermediate of these ever needs to be read back by another kernel."""
    assert kernels(ONE_KERNEL[name]()) == 1


MORE: dict[str, tuple[Callable[[], Any], int]] = {
    "all elements, then each": (lambda: X / gx.sum(X), 3),
    "rows and columns": (lambda: [gx.sum(X, axis=0), gx.sum(X, axis=1)], 2),
    "columns in blocks": (lambda: gx.sum(X * 2, axis=0), 2),
    "two reductions of columns in blocks": (
        lambda: [gx.sum(X, axis=0), gx.sum(gx.square(X), axis=0)], 3
    ),
    "a softmax along the first axis": (lambda: gx.softmax(X, axis=0), 5),
    "the mean loss": (lambda: gx.mean(gx.softmax_cross_entropy(X, LABELS)), 2),
    "the gradient of a mean loss": (
        lambda: gx.grad(gx.mean(gx.softmax_cross_entropy(X, LABELS)), X), 2
    ),
    "scatter": (lambda: gx.scatter_add(gx.exp(X), LABELS, 10), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_what_takes_more_takes_no_more_than_it_must(name: str) -> None:
    """A value that every element needs is complete only when a kernel has ended."""
    build, most = MORE[name]
    assert kernels(build()) <= most


def test_a_training_step_of_a_small_network() -> None:
    """Products stay library calls; everything between two of them is one kernel, but for the sum
    over the columns of short rows."""
    t = gx.input("t", ("n",), "int64")
    x = gx.input("x", ("n", 64))
    parameters = []
    h = x
    for width, after in ((64, 32), (32, 10)):
        w = gx.param("w", np.zeros((width, after), np.float32))
        b = gx.param("b", np.zeros(after, np.float32))
        h = h @ w + b
        parameters += [w, b]
        h = gx.tanh(h) if after == 32 else h
    loss = gx.mean(gx.softmax_cross_entropy(h, t))
    gradients = gx.grad(loss, parameters)
    updates = {p: p - 0.1 * g for p, g in zip(parameters, gradients, strict=True)}
    steps = schedule(loss, updates).steps
    products = [step for step in steps if isinstance(step, Product)]
    assert len(products) == 5
    assert sum(step.accumulate for step in products) == 2  # the weights are updated in place
    assert not any(isinstance(step, Copy) for step in steps)
    assert len(steps) - len(products) <= 7


def test_an_expensive_value_is_computed_once() -> None:
    """exp(x) that the sum of rows and the sum of columns both take is stored, not repeated."""
    wide = gx.exp(X * X)
    function = gx.compile(X, [gx.sum(wide, axis=0), gx.sum(wide, axis=1)], target="python")
    text = "".join(kernel.source for kernel in function.kernels)
    assert text.count(" exp(") == 1


def test_a_cheap_value_is_computed_twice() -> None:
    """x * 2 costs less to compute than to store."""
    cheap = X * 2
    plan = schedule([gx.sum(cheap, axis=0), gx.sum(cheap, axis=1)])
    assert not any(cheap in step.nodes for step in plan.steps)


def test_kernels_of_a_long_chain_grow_linearly_and_stay_small() -> None:
    """A chain is cut into kernels of limited size: compile time is linear in it."""
    counts = []
    for length in (200, 400, 800):
        x = gx.input("x", ("n",))
        y = x
        for number in range(length):
            y = gx.sin(y) + 1.0 / (number + 1)
        function = gx.compile(x, y, target="python")
        counts.append(len(function.schedule.steps))
        assert max(len(kernel.source) for kernel in function.kernels) < 20_000
    assert counts[2] - counts[1] <= 2 * (counts[1] - counts[0]) + 2


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_reductions_in_one_walk_do_not_take_from_each_other(target: str) -> None:
    """sum(x * f(sum(x))) along the first axis: the second sum starts when the first has ended."""
    x = gx.input("x", ("n", 3), "float64")
    first = gx.sum(x, axis=0)
    second = gx.sum(x * gx.tanh(first), axis=0)
    third = gx.sum(gx.square(x - second), axis=0)
    value = np.random.default_rng(0).standard_normal((7, 3))
    found = gx.compile(x, [first, second, third], target=target)(value)
    for have, want in zip(found, gx.evaluate([first, second, third], {x: value}), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)
