"""The checker of gradients: it passes what is right and names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, GradientError
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import elementwise

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Takes out again what a test defines."""
    before = set(REGISTRY)
    yield
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


def defined(name: str, formula: Any, derivative: Any) -> Any:
    """An operation whose derivative nobody has checked, unlike those of gx.elementwise."""
    return elementwise(name, formula, derivative=derivative)


def test_a_model_passes_in_both_modes_to_third_order() -> None:
    """Protects against false alarms: a float32 model with a symbolic batch, checked in float64."""
    x, t = gx.input("x", ("n", 4)), gx.input("t", ("n",), "int64")
    w = gx.param("w", RANDOM.standard_normal((4, 5)).astype("float32"))
    loss = gx.mean(gx.softmax_cross_entropy(gx.tanh(x @ w), t))
    feed = {x: RANDOM.standard_normal((3, 4)), t: [1, 0, 4]}
    checks = gx.check_gradients(loss, [x, w], feed, order=3)
    assert [(c.mode, c.order) for c in checks] == [
        (mode, order) for mode in ("reverse", "forward") for order in (1, 2, 3)
    ]
    assert max(check.error for check in checks) < 1e-9


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_a_wrong_derivative_is_named_with_its_line(mode: str) -> None:
    """Protects the report: the operation whose rule is wrong, among several that are right."""
    wrong = defined("wrong_square", lambda sp, x: x * x, lambda x, y: 3 * x)
    x = gx.input("x", (3,))
    y = gx.sum(gx.sin(wrong(gx.exp(x))))
    with pytest.raises(GradientError, match=r"derivative of wrong_square is wrong.*test_check\.py"):
        gx.check_gradients(y, x, {x: [0.1, 0.2, 0.3]}, modes=(mode,))


def test_a_wrong_second_derivative_is_found() -> None:
    """Protects higher orders: the first derivative is right, its own derivative is not."""
    slope = defined("slope_for_test", lambda sp, x: sp.cos(x), lambda x, y: y)
    bent = defined("bent_for_test", lambda sp, x: sp.sin(x), lambda x, y: slope(x))
    x = gx.input("x", (3,))
    feed = {x: [0.1, 0.2, 0.3]}
    gx.check_gradients(bent(x), x, feed, order=1)
    with pytest.raises(GradientError, match="order 2 .*slope_for_test is wrong"):
        gx.check_gradients(bent(x), x, feed, order=2)


def test_bad_input_says_what_was_expected() -> None:
    """Protects the messages for an order, a mode, a missing value."""
    x = gx.input("x", (3,))
    with pytest.raises(ArgumentError, match="positive integer"):
        gx.check_gradients(x * 2, x, {x: [1, 2, 3]}, order=0)
    with pytest.raises(ArgumentError, match="modes must be of reverse, forward"):
        gx.check_gradients(x * 2, x, {x: [1, 2, 3]}, modes=("backward",))
    with pytest.raises(ArgumentError, match="'x' was not fed"):
        gx.check_gradients(x * 2, x)
