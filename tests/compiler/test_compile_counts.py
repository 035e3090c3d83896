"""What compilation does, counted: no more for each node of a large graph than of a small one, and
nothing for what a pass leaves as it is. Counts are the same on every machine, times are not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler.passes import fix_flags, with_bodies
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.build import schedule


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, some work calls."""
    count = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def layers(count: int) -> Graph:
    """A training step of a network of so many layers, ready to be scheduled."""
    x, h = gx.input("x", ("n", 4)), None
    parameters: list[Node] = []
    for layer in range(count):
        W = gx.param(f"W{layer}", np.ones((4, 4), np.float32))
        b = gx.param(f"b{layer}", np.zeros(4, np.float32))
        parameters += [W, b]
        h = gx.tanh((x if h is None else h) @ W + b)
    loss = gx.mean(gx.square(h))
    gradients = gx.grad(loss, parameters)
    updates = {p: p - 0.1 * g for p, g in zip(parameters, gradients, strict=True)}
    graph: Graph = gx.compile(x, loss, updates=updates, stop="split")
    return graph


def mixed(count: int) -> tuple[Node, list[Node]]:
    """A chain of elementwise operations and means, and its gradient."""
    x = y = gx.input("x", ("n", 8))
    for place in range(count):
        y = (gx.tanh(y) if place % 2 else y - gx.mean(y, 1, keepdims=True)) + 0.5 * x
    return x, [gx.mean(y), gx.grad(gx.mean(y), x)]


def test_scheduling_grows_with_the_graph() -> None:
    """Where each new step goes over all others, four times the layers take nearly five times the
    calls."""
    small, large = layers(30), layers(120)
    schedule(layers(3))
    assert calls(lambda: schedule(large)) < 4.2 * calls(lambda: schedule(small))


def test_passes_grow_with_the_graph() -> None:
    """From an expression to the text of its kernels."""

    def compiled(count: int) -> Callable[[], Any]:
        x, outputs = mixed(count)
        return lambda: gx.compile(x, outputs, stop="source")

    compiled(4)()
    assert calls(compiled(96)) < 4.4 * calls(compiled(24))


def loop_with_a_loop() -> tuple[list[Node], list[Node]]:
    """A scan around a loop that ends when it may, and derivatives."""
    x, start = gx.input("x", (5, 3)), gx.input("start", (3,))

    def grown(carry: Node, element: Node) -> Node:
        made: Node = gx.while_loop(
            lambda v: gx.sum(v * v) < 4, lambda v: v * 1.5 + element, carry, max_steps=3
        )
        return made

    def body(carry: Node, element: Node) -> tuple[Node, Node]:
        new = gx.tanh(grown(carry, element))
        return new, new * element

    last, stacked = gx.scan(body, start, x)
    total = gx.sum(stacked) + gx.sum(last)
    return [x, start], [total, *gx.grad(total, [x, start])]


def test_a_pass_that_changes_nothing_keeps_loops() -> None:
    """Neither they nor what takes them is made again."""
    inputs, outputs = loop_with_a_loop()
    graph = gx.compile(inputs, outputs, stop="graph")
    assert with_bodies(fix_flags, graph) is graph
    assert with_bodies(lambda body: body.with_roots(list(body.roots)), graph) is graph


def test_a_scan_runs_once_whatever_its_body_holds() -> None:
    """The scan that keeps what its derivative needs, and the one that goes back: the value needs no
    scan of its own."""
    inputs, outputs = loop_with_a_loop()
    graph = gx.compile(inputs, outputs, stop="split")
    assert sum(node.op.name == "scan" for node in graph.nodes) == 2


@pytest.mark.parametrize("training", [True, False])
def test_flags_are_set_inside_loops(training: bool) -> None:
    """A body is changed where only it has the flag."""
    x = gx.input("x", (4, 3))
    stream = gx.random.stream(3)

    def body(carry: Node, row: Node) -> tuple[Node, Node]:
        kept = gx.nn.dropout(row, 0.5, stream)
        return carry + kept, kept

    last, _ = gx.scan(body, gx.zeros((3,)), x)
    output = last if training else gx.inference(last)
    given = np.ones((4, 3), np.float32)
    result = gx.compile(x, output, target="python")(given)
    if training:
        assert set(np.unique(result)) <= {0.0, 2.0, 4.0, 6.0, 8.0}
        assert not np.all(result == 4)
    else:
        np.testing.assert_array_equal(result, given.sum(axis=0))
