"""An array joined with a few of its own elements is read where it lies.

Rolling an array puts its last elements first; padding it with its edges or periodically adds some
of its elements at both ends. Stored, that is a copy of the whole. Read where it is used, it is a
choice between places of one array, and the loop that reads it is divided at the edges (see
`loops.peel`), so that nothing is chosen in the middle.
"""

from __future__ import annotations

from graphc.ir.dim import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.loops.peel import EDGE
from graphc.ops import scalar
from graphc.ops.joining import concat_op, piece_starts
from graphc.ops.layout import broadcast_op, broadcast_to
from graphc.ops.placement import pad, slice_op
from graphc.ops.source import const
from graphc.ops.windows import window_op
from graphc.schedule.analysis import is_step, is_view


def read_wrapped(graph: Graph) -> Graph:
    """The graph with such joins as choices, where no step needs them in memory."""
    roots = set(graph.roots)
    wrapped = {n for n in graph.nodes if n.op is concat_op and _is_wrapped(n)}
    wrapped = {n for n in wrapped if n not in roots and _is_fused(graph, n)}
    if not wrapped:
        return graph

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        same = remake(node, inputs)
        if node not in wrapped:
            return same
        with inherit_sites(node.sites):
            return _chosen(same)

    return graph.with_roots(rebuild(list(graph.roots), change))


def _is_wrapped(node: Node) -> bool:
    """Whether a join is of one long piece and short ones, all elements of one array."""
    axis = node.attrs["axis"]
    long = [piece for piece in node.inputs if not _is_short(piece.shape[axis])]
    return len(long) == 1 and len({_whole(piece) for piece in node.inputs}) == 1


def _is_short(length: Dim) -> bool:
    return isinstance(length, int) and length <= EDGE


def _whole(piece: Node) -> Node:
    """The array that a piece has its elements of."""
    while piece.op in (slice_op, broadcast_op):
        piece = piece.inputs[0]
    return piece


def _is_fused(graph: Graph, node: Node) -> bool:
    users = graph.consumers(node)
    return not any(is_step(u) or is_view(u) or u.op in (window_op, concat_op) for u in users)


def _chosen(node: Node) -> Node:
    """The long piece where it is, else the first of the others that is there."""
    axis = node.attrs["axis"]
    pieces = sorted(
        zip(node.inputs, piece_starts(node), strict=True),
        key=lambda piece: _is_short(piece[0].shape[axis]),
    )
    last, start = pieces.pop()
    chosen = _placed(last, start, node)
    for piece, start in reversed(pieces):
        there = _placed(broadcast_to(const(True), piece.shape), start, node)
        chosen = make(scalar.where, (there, _placed(piece, start, node), chosen))
    return chosen


def _placed(piece: Node, start: Dim, node: Node) -> Node:
    """A piece at its place in the join, and zeros elsewhere."""
    axis = node.attrs["axis"]
    after = node.shape[axis] - piece.shape[axis] - start
    edges: list[tuple[Dim, Dim, int]] = [(0, 0, 0)] * node.ndim
    edges[axis] = (start, after, 0)
    return pad(piece, tuple(edges))
