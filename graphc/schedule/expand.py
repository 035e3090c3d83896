"""Composites and formulas become primitive operations, which every target knows by name."""

from __future__ import annotations

from graphc.errors import CompileError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.site import inherit_sites, raise_located
from graphc.ir.traverse import rebuild, remake, topological

# An expansion that still expands after so many rounds defines itself.
_ROUNDS = 50


def expand(graph: Graph) -> Graph:
    """The graph with every operation that has an expansion replaced by it, until none is left."""
    roots = list(graph.roots)
    for _ in range(_ROUNDS):
        if not any(node.op.expand is not None for node in topological(roots)):
            return graph.with_roots(roots)
        roots = rebuild(roots, _expand_node)
    left = next((node for node in topological(roots) if node.op.expand is not None), None)
    if left is not None:
        raise_located(CompileError(f"the expansion of {left.op.name} never ends"), left.sites)
    return graph.with_roots(roots)


def _expand_node(node: Node, inputs: tuple[Node, ...]) -> Node:
    same = remake(node, inputs)
    if same.op.expand is None:
        return same
    with inherit_sites(node.sites):
        result = same.op.expand(same)
    if result.type != node.type:
        raise_located(
            CompileError(f"{node.op.name} expands to {result.type}, expected {node.type}"),
            node.sites,
        )
    return result
