"""Random loops against the same steps written out: values and derivatives, on every target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from tests.grad.random_bodies import Model, random_model, weighted


def derivatives(model: Model, outputs: list[Node], seed: int) -> list[Node]:
    """A loss, its gradients, its derivative along a direction, and a second derivative."""
    random = np.random.default_rng(seed)
    loss = weighted(outputs, seed)
    along = [random.standard_normal(value.shape) for value in model.values]
    first = gx.grad(loss, model.inputs, disconnected="zero")
    second = gx.hvp(loss, model.inputs, along)
    return [loss, *first, gx.jvp(loss, model.inputs, along), *second]


def check_close(found: Any, expected: Any) -> None:
    for have, want in zip(found, expected, strict=True):
        assert have.shape == want.shape
        assert have.dtype == want.dtype
        scale = max(1.0, float(np.max(np.abs(want), initial=0)))
        np.testing.assert_allclose(have, want, atol=1e-10 * scale)


def check(seed: int, targets: tuple[str, ...]) -> None:
    model = random_model(seed)
    looped = [*model.looped, *derivatives(model, model.looped, seed)]
    unrolled = [*model.unrolled, *derivatives(model, model.unrolled, seed)]
    feed = dict(zip(model.inputs, model.values, strict=True))
    expected = gx.evaluate(unrolled, feed)
    check_close(gx.evaluate(looped, feed), expected)
    for target in targets:
        check_close(gx.compile(model.inputs, looped, target=target)(*model.values), expected)


@pytest.mark.parametrize("seed", range(8))
def test_a_loop_is_its_steps(seed: int) -> None:
    """Protects scans of random bodies, with everything that derivatives make of them."""
    check(seed, ("cpu",))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_loops_are_their_steps(seed: int) -> None:
    """The same for many more, on both targets."""
    check(seed, ("python", "cpu"))
