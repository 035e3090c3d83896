"""Whole schedules, as numbers: whatever a graph's outputs and constants are, they come out right.

Memory for temporaries is filled with nan before each call, so a value that is read before it was
written, or from the wrong place, shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler.function import Function
from graphc.ir.node import Node
from tests.random_graphs.checks import fill_memory

TARGETS = ["python", "cpu"]


def check(inputs: Sequence[Node], outputs: Sequence[Node], *arrays: Any, target: str) -> Function:
    """Two calls give the interpreter's values."""
    function: Function = gx.compile(inputs, outputs, target=target)
    expected = gx.evaluate(outputs, dict(zip(inputs, arrays, strict=True)))
    for _ in range(2):
        fill_memory(function)
        for found, want in zip(function(*arrays), expected, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6)
    return function


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


X = gx.input("x", ("n", 4))
CASES: dict[str, Callable[[], list[Node]]] = {
    "an input": lambda: [X],
    "one input three times": lambda: [X, X, X],
    "a value and itself in other shapes": lambda: [
        gx.exp(X), gx.exp(X).T, gx.reshape(gx.exp(X), (-1,)), gx.expand_dims(gx.exp(X), 0)
    ],
    "a view of an input": lambda: [X.T, X[::-1], X[1:, ::2], gx.broadcast_to(X, (2, "n", 4))],
    "constants": lambda: [gx.const(2.5), gx.const([[1.0, 2.0], [3.0, 4.0]]), gx.const(True)],
    "a constant with zeros of both signs": lambda: [1.0 / gx.const([0.0, -0.0, 0.0, 2.0]) + X],
    "a constant array in a kernel": lambda: [X * gx.const([1.0, 2.0, 3.0, 4.0])],
    "a constant read through views": lambda: [
        X * gx.reshape(gx.const([[1.0, 2.0], [3.0, 4.0]]).T, (4,))
    ],
    "a size": lambda: [gx.mean(X), gx.cast(gx.sum(gx.ones_like(X)), "int64")],
    "a scalar made of a sum": lambda: [gx.sin(gx.mean(X)) * gx.clip(gx.mean(X), 0.0, 1.0)],
    "scalars made of scalars": lambda: [
        gx.sum(X) / gx.sqrt(gx.sum(X * X)), gx.max(X) - gx.min(X), gx.sum(X) * gx.sum(X)
    ],
    "a sum of one row": lambda: [gx.sum(gx.tanh(X[0])) + X[0, 0]],
    "a product with a repeated row": lambda: [X @ gx.broadcast_to(X[:1, :1], (4, 3))],
    "a product with reversed rows": lambda: [X[::-1] @ X.T, X.T @ X[::-1]],
    "a product of a view with its own view": lambda: [(X[::-1] * 2) @ (X[::-1] * 2).T],
    "a batch of products": lambda: [
        gx.matmul(gx.reshape(X, ("n", 2, 2)), gx.reshape(gx.tanh(X), ("n", 2, 2)))
    ],
    "products of matrices in an axis of one": lambda: [
        gx.matmul(gx.reshape(X, (1, "n", 4)), gx.reshape(X.T * 2, (1, 4, "n")))
    ],
    "sums of a product": lambda: [gx.sum(X @ X.T, axis=1), gx.max(X @ X.T, axis=0)],
    "a pad of a gather": lambda: [
        gx.vjp(gx.take(X, [0, 2, 0])[1:], X, gx.take(X, [0, 2, 0])[1:])
    ],
    "regrouped": lambda: [gx.reshape(gx.exp(X), (2, -1)).T + 1],
    "regrouped and added": lambda: [gx.reshape(X, (2, -1)) + gx.reshape(gx.sin(X), (2, -1))],
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_outputs_of_every_kind(name: str, target: str) -> None:
    """Each output is an array of its own, made anew by each call."""
    check([X], CASES[name](), array(6, 4), target=target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("reduce", [gx.max, gx.min])
def test_the_gradient_of_a_maximum_finds_it_again(reduce: Any, target: str) -> None:
    """The maximum of x * w + b equals one of its elements, also where a fused multiply-add would
    round one of the two computations otherwise."""
    random = np.random.default_rng(0)
    x = gx.input("x", ("n", 16))
    w, b = (gx.param(name, random.standard_normal(16).astype(np.float32)) for name in "wb")
    y = (x * w + b) * gx.const(random.standard_normal(16).astype(np.float32)) + x * w
    loss = gx.sum(reduce(y, axis=1)) + gx.sum(gx.square(x * w))
    outputs = [loss, *gx.grad(loss, [w, b, x])]
    value = random.standard_normal((300, 16)).astype(np.float32)
    found = gx.compile(x, outputs, target=target)(value)
    for have, want in zip(found, gx.evaluate(outputs, {x: value}), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("target", TARGETS)
def test_an_empty_batch_of_labels_is_not_checked(target: str) -> None:
    """Padding a gather of nothing computes no index, so none can be out of range."""
    i = gx.input("i", ("m",), "int64")
    x = gx.input("x", (3, 2))
    y = gx.vjp(gx.take(x, i)[:, 1:], gx.take(x, i), gx.take(x, i)[:, 1:])
    function = gx.compile([x, i], y, target=target)
    assert function(array(3, 2), np.zeros(0, np.int64)).shape == (0, 2)


@pytest.mark.parametrize("target", TARGETS)
def test_values_after_a_reduction_over_the_first_axis(target: str) -> None:
    """Several results of the same columns, one of which may take over the memory of another."""
    a, x = gx.input("a", ("n", 4)), gx.input("x", (4,))
    total = gx.sum(gx.exp(a), axis=0)
    quotient, wave = x / total, gx.sin(x)
    outputs = [gx.sum(quotient * wave) - 1.5 * gx.sum(quotient), quotient / total * (1.5 - wave)]
    check([a, x], outputs, array(5, 4), array(4), target=target)


def test_a_solution_whose_right_side_is_still_needed() -> None:
    """LAPACK overwrites what it is given: copies, not the values that others read."""
    a, b = gx.input("a", (3, 3), "float64"), gx.input("b", (3, 2), "float64")
    left, right = a * 2.0, b + 1.0
    outputs = [gx.solve(left, right), left + 1.0, right * 2.0, gx.slogdet(left)[1]]
    values = array(3, 3).astype(float) + 3 * np.eye(3), array(3, 2).astype(float)
    for target in TARGETS:
        check([a, b], outputs, *values, target=target)


def test_what_only_its_own_kernel_takes_has_no_memory() -> None:
    # A formula too long for one expression is cut, and the piece stays in a register.
    x = gx.input("x", ("n",))
    y = x
    for number in range(30):
        y = gx.sin(y) * 0.5 + x + float(number)
    function = check([x], [y], array(1000), target="cpu")
    kernel_calls = function.schedule.steps
    assert len(kernel_calls) == 1
    assert function.memory.peak_bytes == 0
    assert len(kernel_calls[0].writes) == 1
