"""Long chains: 100,000 nodes pass through all that walks graphs; 2,000 compile in seconds."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

import graphc as gx
from graphc.compiler.function import Function
from graphc.ir.node import Node, interned_count
from graphc.ir.traverse import substitute, topological

LENGTH = 100_000


@pytest.fixture(scope="module")
def chain() -> tuple[Node, Node]:
    """x, and 100,000 elementwise operations on it."""
    return build(LENGTH)


def build(length: int) -> tuple[Node, Node]:
    x = gx.input("x", ("n",), "float64")
    y = x
    for number in range(length // 2):
        y = gx.sin(y) + (0.5 if number % 2 else 0.25)
    return x, y


@pytest.mark.slow
def test_a_gradient_of_100_000_nodes(chain: tuple[Node, Node]) -> None:
    """Differentiation keeps its own stack, and adds a few nodes for each."""
    x, y = chain
    gradient = gx.grad(gx.sum(y), x)
    assert len(topological([gradient])) < 4 * LENGTH


@pytest.mark.slow
def test_values_of_100_000_nodes(chain: tuple[Node, Node]) -> None:
    """The interpreter and substitution walk the chain without recursion."""
    x, y = chain
    values = np.linspace(0, 1, 5)
    expected = values.copy()
    for number in range(LENGTH // 2):
        expected = np.sin(expected) + (0.5 if number % 2 else 0.25)
    np.testing.assert_allclose(gx.evaluate(y, {x: values}), expected, rtol=1e-9)
    other = gx.input("other", ("n",), "float64")
    (moved,) = substitute([y], {x: other})
    assert len(topological([moved])) == len(topological([y]))


@pytest.mark.slow
def test_passes_over_100_000_nodes(chain: tuple[Node, Node]) -> None:
    """Flags, rewriting, expansion and contraction of a whole graph."""
    x, y = chain
    graph = gx.compile(x, y, target="python", stop="contract")
    assert len(graph.nodes) <= len(topological([y]))


@pytest.mark.slow
def test_a_long_chain_is_forgotten() -> None:
    """Dropping the last node of a chain frees all of it, without recursion."""
    gc.collect()
    before = interned_count()
    held = build(LENGTH)
    assert interned_count() - before >= LENGTH
    del held
    gc.collect()
    assert interned_count() - before <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "target, length, seconds",
    [
        ("python", 2000, 30),
        ("cpu", 300, 30),
        pytest.param("cpu", 2000, 90, marks=pytest.mark.nightly),
    ],
)
def test_a_long_chain_and_its_gradient_compile(target: str, length: int, seconds: float) -> None:
    """Kernels are cut to a limited size and shared, so compile time is linear in the graph."""
    x, y = build(length)
    start = time.perf_counter()
    function: Function = gx.compile(x, [gx.sum(y), gx.grad(gx.sum(y), x)], target=target)
    assert time.perf_counter() - start < seconds
    assert len(function.kernels) < 6 + length / 40
    values = np.linspace(0, 1, 7)
    total, gradient = function(values)
    expected = gx.evaluate([gx.sum(y), gx.grad(gx.sum(y), x)], {x: values})
    np.testing.assert_allclose(total, expected[0], rtol=1e-9)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-6, atol=1e-300)
