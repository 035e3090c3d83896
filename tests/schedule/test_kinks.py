"""A test of what a maximum was taken of is one of the maximum, with the same result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.schedule.kinks import test_extremes as with_tests_of_extremes

X = gx.input("x", ("n",))
HARD = np.array([np.nan, -np.inf, np.inf, -1.0, -0.0, 0.0, 1e-45, 1.0], np.float32)
CASES: dict[str, Any] = {
    "maximum": lambda y: (gx.maximum(y, 0), gx.greater(y, 0)),
    "maximum of the other": lambda y: (gx.maximum(0.5, y), gx.greater(y, 0.5)),
    "minimum": lambda y: (gx.minimum(y, 0.5), gx.less(y, 0.5)),
}


def comparisons(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op in (scalar.greater, scalar.less)]


@pytest.mark.parametrize("name", CASES)
def test_the_extreme_is_tested(name: str) -> None:
    """Nan, infinities and zeros included: the truth value is the same."""
    extreme, condition = CASES[name](X * 2)
    graph = with_tests_of_extremes(Graph((X,), (extreme, condition), ()))
    (test,) = comparisons(graph)
    assert test.inputs[0] is extreme
    for target in ("python", "cpu"):
        got = gx.compile(X, [extreme, condition], target=target)(HARD)
        for value, wanted in zip(got, gx.evaluate([extreme, condition], {X: HARD}), strict=True):
            np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize(
    "pair",
    [
        lambda y: (gx.maximum(y, 0), gx.greater(y, 1)),
        lambda y: (gx.maximum(y, 0), gx.less(y, 0)),
        lambda y: (gx.minimum(y, 0), gx.greater(y, 0)),
        lambda y: (gx.maximum(y, 0), gx.greater(0, y)),
        lambda y: (gx.maximum(y, 0), gx.greater_equal(y, 0)),
    ],
)
def test_other_tests_stay(pair: Any) -> None:
    """Another bound, another side, or one that ties pass: these would differ."""
    extreme, condition = pair(X * 2)
    graph = Graph((X,), (extreme, condition), ())
    assert with_tests_of_extremes(graph).roots == graph.roots


def test_an_activation_keeps_one_array() -> None:
    """The derivative of a hidden layer reads the activation, not the sums it was taken of."""
    w, v = gx.input("w", (5, 4)), gx.input("v", (4, 3))
    b, a = gx.input("b", (4,)), gx.input("a", ("n", 5))
    loss = gx.sum(gx.square(gx.maximum(a @ w + b, 0) @ v))
    graph = gx.compile([a, w, b, v], gx.grad(loss, [w, b, v]), stop="kinks")
    assert isinstance(graph, Graph)
    assert {test.inputs[0].op.name for test in comparisons(graph)} == {"maximum"}
