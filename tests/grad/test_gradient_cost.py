"""The cost of gradients: floating-point operations counted in the graph, for networks of several
depths and batches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.source import input_op


def operations(outputs: Sequence[Node]) -> int:
    """2 m n k for a product, one for each element of an elementwise result or of what is summed.

    The graph is the one that is scheduled: expanded and simplified.
    """
    inputs = [node for node in topological(outputs) if node.op is input_op]
    total = 0
    for node in gx.compile(inputs, list(outputs), stop="simplify").nodes:
        kind = node.op.kind
        if kind == "contraction":
            total += 2 * math.prod(map(int, node.shape)) * int(node.inputs[0].shape[-1])
        elif kind == "elementwise":
            total += math.prod(map(int, node.shape))
        elif kind == "reduction":
            total += math.prod(map(int, node.inputs[0].shape))
    return total


def network(widths: Sequence[int], batch: int) -> tuple[Node, Node, list[Node]]:
    """A network of tanh layers with a squared error: its input, its loss, its parameters."""
    x, t = gx.input("x", (batch, widths[0])), gx.input("t", (batch, widths[-1]))
    hidden, parameters = x, []
    for place, (before, after) in enumerate(itertools.pairwise(widths)):
        w = gx.param(f"W{place}", np.zeros((before, after), np.float32))
        b = gx.param(f"b{place}", np.zeros(after, np.float32))
        parameters += [w, b]
        hidden = hidden @ w + b
        if place < len(widths) - 2:
            hidden = gx.tanh(hidden)
    return x, gx.mean(gx.square(hidden - t)), parameters


def test_the_count_is_that_of_a_known_graph() -> None:
    """Protects the count itself: 2 m n k, then a bias, a difference, a square and a sum."""
    _, loss, _ = network((7, 3), 5)
    assert 0 <= operations([loss]) - (2 * 5 * 7 * 3 + 4 * 5 * 3) <= 2


NETWORKS = [(784, 10), (64, 32, 10), (784, 256, 128, 10), (32,) * 9, (8,) * 20]


@pytest.mark.parametrize("batch", [32, 256])
@pytest.mark.parametrize("widths", NETWORKS)
def test_a_gradient_costs_at_most_three_times_its_function(
    widths: tuple[int, ...], batch: int
) -> None:
    """Protects back-propagation: forward and backward together take at most three times the
    operations of forward alone, for all parameters together, at any depth."""
    _, loss, parameters = network(widths, batch)
    forward = operations([loss])
    both = operations([loss, *gx.grad(loss, parameters)])
    assert forward < both <= 3 * forward


@pytest.mark.parametrize("widths", NETWORKS)
def test_a_gradient_of_one_example(widths: tuple[int, ...]) -> None:
    """Protects the same for a batch of one, where a product of a layer is a column by a row. Its
    mean's factor is applied to each weight, which a compiled product does in passing, so narrow and
    deep networks come to three and a half."""
    _, loss, parameters = network(widths, 1)
    forward = operations([loss])
    both = operations([loss, *gx.grad(loss, parameters)])
    assert forward < both <= 3.5 * forward


def test_a_product_with_the_hessian_costs_a_small_multiple() -> None:
    """Protects forward over reverse: no more than about seven times the function, whatever the
    number of parameters, which the Hessian itself would take that often."""
    _, loss, parameters = network((64, 32, 32, 10), 64)
    forward = operations([loss])
    directions = [gx.ones_like(p) for p in parameters]
    along = operations([loss, *gx.hvp(loss, parameters, directions)])
    assert along <= 9 * forward
    assert operations([loss, gx.jvp(loss, parameters, directions)]) <= 3 * forward
