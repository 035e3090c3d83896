"""networkx: the same nodes and edges, for analysis."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

import graphc as gx
from graphc.ir.dim import named_size
from graphc.ir.traverse import topological
from graphc.view.networkx_graph import to_networkx


def test_nodes_edges_and_attributes() -> None:
    """The nodes are graphc's own, so that an answer can be used in graphc."""
    x = gx.input("x", ("n", 3))
    W = gx.param("W", np.zeros((3, 2), np.float32))
    y = gx.exp(x @ W)
    graph = to_networkx(y)
    assert list(graph) == topological([y])
    assert graph.nodes[x]["shape"] == (named_size("n"), 3)
    assert {key: graph.nodes[W][key] for key in ("op", "kind", "name", "dtype", "shape")} == {
        "op": "param", "kind": "source", "name": "W", "dtype": "float32", "shape": (3, 2),
    }  # fmt: skip
    assert "test_networkx_graph.py:" in graph.nodes[y]["site"]
    assert graph.edges[x, x @ W, 0]["position"] == 0
    assert graph.edges[W, x @ W, 1]["position"] == 1
    assert networkx.shortest_path(graph, x, y) == [x, x @ W, y]


def test_an_input_used_twice_has_two_edges() -> None:
    """It is always a multigraph, so that x * x is not x."""
    x = gx.input("x")
    for graph in (to_networkx(x * x), to_networkx(x + 1)):
        assert isinstance(graph, networkx.MultiDiGraph)
    assert to_networkx(x * x).number_of_edges(x, x * x) == 2
    assert networkx.is_directed_acyclic_graph(to_networkx(x * x))


def test_several_results_and_several_roots() -> None:
    """A tuple-typed node lists its types; several nodes are one graph."""
    both = gx.slogdet(gx.param("A", np.eye(2, dtype=np.float32)))
    graph = to_networkx([both[0], both[1]])
    assert graph.nodes[both]["dtype"] == ["float32", "float32"]
    assert graph.nodes[both]["shape"] == [(), ()]
    assert graph.number_of_nodes() == 4


@pytest.mark.slow
def test_long_chains() -> None:
    """100,000 nodes without recursion."""
    x = gx.input("x")
    y = x
    for _ in range(100_000):
        y = gx.sin(y)
    assert to_networkx(y).number_of_edges() == 100_000
