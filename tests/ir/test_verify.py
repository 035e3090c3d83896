"""The verifier finds each way in which a pass can break a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import VerificationError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from graphc.ir.verify import input_count, verify


def _copy(node: Node, **changes: Any) -> Node:
    """A node that was not built by `make`."""
    copy = Node()
    for name in ("op", "inputs", "attrs", "type", "sites", "number"):
        setattr(copy, name, changes.get(name, getattr(node, name)))
    return copy


x = gx.input("x", ("n", 3))
y = gx.input("y", ("n", 3))
W = gx.param("W", np.zeros((3, 3), np.float32))
s = gx.state("s", np.zeros((), np.float32))
product = x @ W


def _cycle() -> Graph:
    first = _copy(gx.exp(x))
    second = _copy(gx.sin(x), inputs=(first,))
    first.inputs = (second,)
    return Graph((x,), (second,))


BROKEN: list[tuple[Callable[[], Graph], str]] = [
    (_cycle, "does not come before it: the graph has a cycle"),
    (lambda: Graph((x,), (_copy(gx.exp(x)),)), "not the interned node"),
    (lambda: Graph((x,), (_copy(product, type=s.type),)),
     r"its type is float32 \(\), its operation gives float32 \(n, 3\)"),
    (lambda: Graph((x,), (_copy(product, inputs=(x,)),)), "expected 2 inputs, got 1"),
    (lambda: Graph((x,), (_copy(product, inputs=(x, x)),)), "its type rule fails: ShapeError"),
    (lambda: Graph((x,), (_copy(gx.sum(x), attrs={}),)), "its type rule fails: KeyError"),
    (lambda: Graph((), (product,)), "used, but not listed as an input"),
    (lambda: Graph((x, W), (product,)), "listed as an input, but is not a declared input"),
    (lambda: Graph((x, y, y), (product,)), "listed twice as an input"),
    (lambda: Graph((x,), (), ((x, x),)), "neither a parameter nor a state"),
    (lambda: Graph((x,), (), ((product, product),)), "neither a parameter nor a state"),
    (lambda: Graph((x,), (), ((W, product),)), r"type float32 \(n, 3\), expected float32 \(3, 3\)"),
    (lambda: Graph((), (), ((s, s.astype("float64")),)), r"float64 \(\), expected float32 \(\)"),
    (lambda: Graph((), (), ((s, s + 1), (s, s + 2))), "updated twice"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "message"), BROKEN)
def test_a_broken_graph_is_found(broken: Callable[[], Graph], message: str) -> None:
    """The error names the pass, the fault, and the user's line."""
    with pytest.raises(VerificationError, match=message) as caught:
        verify(broken(), after="simplify")
    assert str(caught.value).startswith("after simplify:")
    assert "test_verify.py:" in str(caught.value)


def test_the_error_names_the_node_by_its_place() -> None:
    """`%2` is the third node of `graph.nodes`, as in the text of the graph."""
    graph = Graph((x,), (gx.exp(_copy(product)),))
    with pytest.raises(VerificationError, match=r"after fuse: %2 <matmul: float32 \(n, 3\)>"):
        verify(graph, after="fuse")


def test_a_sound_graph_passes_untouched() -> None:
    """Looking nodes up does not add the verifier's caller to their lines."""
    loss = gx.mean(gx.square(product - y))
    graph = Graph((x, y), (loss,), ((W, W - 0.1 * gx.grad(loss, W)), (s, s + loss)))
    before = {node: node.sites for node in graph.nodes}
    verify(graph)
    assert {node: node.sites for node in graph.nodes} == before


def test_unused_inputs_and_swapped_states_are_sound() -> None:
    """What is fed and not used, and updates that see each other's old values, are no faults."""
    a, b = gx.state("a", 1.0), gx.state("b", 2.0)
    verify(Graph((x, y), (gx.sum(x),), ((a, b), (b, a))))


def test_operations_know_their_number_of_inputs() -> None:
    """It is read from the reference, so that no operation has to repeat it."""
    expected = {"add": 2, "exp": 1, "where": 3, "matmul": 2, "sum": 1, "input": 0, "const": 0,
                "size": 0, "random_bits": None, "softmax": 1, "softmax_cross_entropy": 2, "cast": 1,
                "slogdet": 1, "item": 1, "tuple": None, "pick": 2, "reshape": 1}  # fmt: skip
    assert {name: input_count(REGISTRY[name]) for name in expected} == expected


def test_long_chains_are_verified_without_recursion() -> None:
    """100,000 nodes."""
    chain = gx.input("x")
    graph_input = chain
    for _ in range(100_000):
        chain = gx.sin(chain)
    verify(Graph((graph_input,), (chain,)))
