"""A test of what a maximum was taken of reads the maximum instead.

The derivative of `maximum(x, c)` tests `x > c`, which is `maximum(x, c) > c`, also for nan. The
maximum of an activation is stored for what follows; read here too, what it was taken of need not be
kept or computed again.
"""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.traverse import rebuild, remake
from graphc.ops import scalar
from graphc.ops.source import constant_op
from graphc.schedule.analysis import is_leaf

_EXTREMES: dict[Op, Op] = {scalar.maximum: scalar.greater, scalar.minimum: scalar.less}


def test_extremes(graph: Graph) -> Graph:
    """The graph with tests of what an extreme was taken of as tests of the extreme."""
    extremes = {
        (_EXTREMES[node.op], x, bound): node
        for node in graph.nodes
        if node.op in _EXTREMES
        for x, bound in (node.inputs, node.inputs[::-1])
        if bound.op is constant_op and not is_leaf(x) and x.shape == node.shape
    }
    if not extremes:
        return graph

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        extreme = extremes.get((node.op, *node.inputs)) if len(node.inputs) == 2 else None
        if extreme is not None:
            x, bound = inputs
            first = extreme.inputs[0] is node.inputs[0]
            inputs = (remake(extreme, (x, bound) if first else (bound, x)), bound)
        return remake(node, inputs)

    return graph.with_roots(rebuild(list(graph.roots), change))
