"""Graphs: nodes in order, consumers, roots; and the walks, which do not recurse."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.ir.graph import Graph
from graphc.ir.traverse import consumers, depends_on, rebuild, remake, substitute, topological


def test_a_node_s_operation_inputs_and_consumers() -> None:
    """Everything that is asked of a node of a graph."""
    x = gx.input("x")
    y = gx.exp(x)
    z = y * y + x
    graph = Graph((x,), (z,))
    assert z.op.name == "add"
    assert z.inputs == (y * y, x)
    assert graph.consumers(y) == (y * y,)
    assert set(graph.consumers(x)) == {y, z}
    assert graph.consumers(z) == ()
    assert len(graph) == len(graph.nodes) == 4


def test_inputs_come_first_in_every_order() -> None:
    """The order depends on the graph alone, and holds the states that are updated."""
    x, s = gx.input("x"), gx.state("s", np.float32(0))
    y = gx.sin(x) * gx.cos(x)
    graph = Graph((x,), (y,), ((s, y),))
    order = {node: place for place, node in enumerate(graph.nodes)}
    assert s in order
    for node in graph.nodes:
        assert all(order[source] < order[node] for source in node.inputs)
    assert graph.nodes == Graph((x,), (y,), ((s, y),)).nodes


def test_roots_are_replaced_in_order() -> None:
    """A pass changes what is computed, and keeps which state it is for."""
    x, s = gx.input("x"), gx.state("s", np.float32(0))
    graph = Graph((x,), (x + 1, x + 2), ((s, x + 3),))
    changed = graph.with_roots([x * 1, x * 2, x * 3])
    assert changed.outputs == (x * 1, x * 2)
    assert changed.updates == ((s, x * 3),)
    with pytest.raises(ValueError, match="argument"):
        graph.with_roots([x])


def test_dependence_and_substitution() -> None:
    """What lies between targets and outputs, and what replaces it."""
    x, y, z = (gx.input(name) for name in "xyz")
    total = gx.sin(x) + gx.cos(y)
    assert depends_on([total], [x]) == {x, gx.sin(x), total}
    assert substitute([total], {x: z, y: x}) == [gx.sin(z) + gx.cos(x)]
    assert remake(total, total.inputs) is total
    assert rebuild([total], lambda node, inputs: remake(node, inputs)) == [total]


def test_walks_of_long_chains_and_wide_ladders() -> None:
    """100,000 nodes deep; and a ladder of diamonds, whose paths are more than can be walked."""
    x = gx.input("x")
    chain = x
    for _ in range(100_000):
        chain = gx.sin(chain)
    assert len(topological([chain])) == 100_001
    assert len(consumers([chain])) == 100_001
    assert substitute([chain], {x: x}) == [chain]
    ladder = x
    for _ in range(200):
        ladder = gx.sin(ladder) * gx.cos(ladder)
    assert len(topological([ladder])) == 601
