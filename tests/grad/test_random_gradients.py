"""Gradients of random graphs, and gradients of those, against differences."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.ir.dtype import float32
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from tests.random_graphs.builder import Feed
from tests.random_graphs.cases import random_function

PICKS = st.one_of(
    st.integers(0, 2**32 - 1).map(random.Random), st.randoms(use_true_random=False)
)  # fmt: skip
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
STEP = 1e-5


def along(loss: Node, feed: Feed, directions: dict[Node, np.ndarray]) -> float:
    """The derivative of a scalar along a direction, by Richardson's extrapolation."""

    def at(distance: float) -> float:
        moved = {node: feed[node] + distance * d for node, d in directions.items()}
        return float(gx.evaluate(loss, {**feed, **moved}))

    near = (at(STEP) - at(-STEP)) / (2 * STEP)
    far = (at(2 * STEP) - at(-2 * STEP)) / (4 * STEP)
    return (4 * near - far) / 3


def check(loss: Node, wanted: list[Node], feed: Feed, seed: int) -> Node:
    """Compare gradient and differences; a scalar made of the gradient, to go on with."""
    gradients = gx.grad(loss, wanted, disconnected="zero")
    rng = np.random.default_rng(seed)
    directions = {node: rng.standard_normal(feed[node].shape) for node in wanted}
    values = gx.evaluate(gradients, feed)
    found = sum(float(np.vdot(v, directions[n])) for v, n in zip(values, wanted, strict=True))
    scale = 1 + abs(float(gx.evaluate(loss, feed))) + sum(float(np.abs(v).sum()) for v in values)
    if scale > 1e4:
        reject()
    np.testing.assert_allclose(found, along(loss, feed, directions), rtol=0, atol=1e-5 * scale)
    total: Node = gx.const(0.0, "float64")
    for gradient in gradients:
        total = total + gx.sum(gx.sin(gradient))
    return total


def differentiable(loss: Node) -> bool:
    """Whether differences tell the gradient: nothing is rounded or taken as constant."""
    return not any(
        node.op.name == "stop_gradient" or (node.op.name == "cast" and node.dtype is float32)
        for node in topological([loss])
    )


@settings(max_examples=120, suppress_health_check=SLOW)
@given(PICKS, st.integers(1, 12))
def test_first_and_second_gradients_against_differences(pick: random.Random, steps: int) -> None:
    """Operations that are right one by one are right together, and twice."""
    with np.errstate(all="ignore"):
        loss, wanted, feed = random_function(pick, steps)
        if not differentiable(loss):
            reject()
        once = check(loss, wanted, feed, seed=1)
        if len(topological([once])) < 300:
            check(once, wanted, feed, seed=2)
