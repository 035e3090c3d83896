"""Padding that is stored: zeros and the array are the pieces of one result.

Read where it is used, padding is an index map with a test for each element, which keeps a loop from
loading neighbours together. Stored, it is a concatenation: a copy, and zeros beside it.
"""

from __future__ import annotations

from graphc.ir.dim import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.creation import zeros
from graphc.ops.joining import concat_op
from graphc.ops.placement import pad_op, slice_op
from graphc.ops.windows import window_op
from graphc.schedule.analysis import is_step, is_view


def join_padding(graph: Graph) -> Graph:
    """The graph with padding that needs memory as concatenations."""
    roots = set(graph.roots)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        same = remake(node, inputs)
        if node.op is not pad_op or not _is_stored(graph, node, roots):
            return same
        with inherit_sites(node.sites):
            return _joined(inputs[0], node.attrs["edges"])

    return graph.with_roots(rebuild(list(graph.roots), change))


def _is_stored(graph: Graph, node: Node, roots: set[Node]) -> bool:
    """Whether padding without zeros between elements is better stored: a root, what a step or a
    regrouping reads, and what is read at several offsets or by windows."""
    if any(between for _, _, between in node.attrs["edges"]):
        return False
    users = graph.consumers(node)
    if node in roots or any(
        is_step(user) or is_view(user) or user.op is window_op for user in users
    ):
        return True
    return sum(user.op is slice_op for user in users) > 1


def _joined(x: Node, edges: tuple[tuple[Dim, Dim, int], ...]) -> Node:
    for axis, (before, after, _) in enumerate(edges):
        around = [
            zeros((*x.shape[:axis], width, *x.shape[axis + 1 :]), x.dtype) if width != 0 else None
            for width in (before, after)
        ]
        pieces = [piece for piece in (around[0], x, around[1]) if piece is not None]
        if len(pieces) > 1:
            x = make(concat_op, tuple(pieces), axis=axis)
    return x
