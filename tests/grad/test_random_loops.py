"""Random loops against the same steps written out: values and derivatives, on every target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import substitute
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


def check_batch(seed: int, count: int = 3) -> None:
    """A batch of loops, some of whose inputs are shared, against each of them alone."""
    model = random_model(seed)
    random = np.random.default_rng(seed)
    loss = weighted(model.looped, seed)
    outputs = [*model.looped, loss, *gx.grad(loss, model.inputs, disconnected="zero")]
    shared = [place > 0 and random.integers(4) == 0 for place in range(len(model.inputs))]
    inputs, values = [], []
    for node, value, alone in zip(model.inputs, model.values, shared, strict=True):
        many = gx.input(node.name, (count, *node.shape), "float64")
        inputs.append(node if alone else many)
        values.append(value if alone else random.standard_normal((count, *value.shape)))

    def each(*arguments: Node) -> tuple[Node, ...]:
        return tuple(substitute(outputs, dict(zip(model.inputs, arguments, strict=True))))

    batched = gx.vmap(each, in_axes=[None if alone else 0 for alone in shared])(*inputs)
    feed = dict(zip(inputs, values, strict=True))
    found = gx.evaluate(list(batched), feed)
    check_close(gx.compile(inputs, list(batched))(*values), found)
    for i in range(count):
        pairs = zip(model.inputs, values, shared, strict=True)
        one = {node: value if alone else value[i] for node, value, alone in pairs}
        check_close([value[i] for value in found], gx.evaluate(outputs, one))


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_of_loops_is_each_of_them(seed: int) -> None:
    """Protects vmap over random bodies and their gradients."""
    check_batch(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_batches_are_each_of_them(seed: int) -> None:
    """The same for many more."""
    check_batch(seed)
