"""Concatenation: every piece is computed straight into its part of the result.

Each operand of a concatenation becomes a node of its own, a copy that fuses with what computes it,
and whose memory is a view of the result's one buffer. So joining takes no pass of its own: the
concatenation is a step without instructions, that its readers wait for.

A product or a further concatenation that serves nothing else needs no copy either: it has its
memory there itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphc.ir.dim import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.shape import Shape
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.joining import concat_op, piece_starts
from graphc.ops.scalar import copy as copy_op
from graphc.schedule.arguments import near_stride
from graphc.schedule.buffer import Buffer, View, elements, matrix_layout
from graphc.schedule.contract import product_op
from graphc.schedule.index import row_major_strides


class Part(NamedTuple):
    """Where a node lies in the memory of the concatenation that it is a piece of."""

    whole: Node
    start: Dim

    def view(self, node: Node, whole: View) -> View:
        """The view of the piece `node`, given that of the concatenation."""
        stride = whole.strides[self.whole.attrs["axis"]]
        offset = whole.offset + stride * self.start
        # Pieces whose elements alternate are stored together, through the slot of the whole.
        alternating = near_stride(_lengthwise(node.shape, whole.strides)) != 0
        region = whole.region if alternating else node
        return View(whole.buffer, node.shape, whole.strides, offset, region)


Parts = Mapping[Node, Part]


def _lengthwise(shape: Shape, strides: tuple[Dim, ...]) -> list[Dim]:
    """The strides of the axes along which there is more than one element."""
    return [stride for dim, stride in zip(shape, strides, strict=True) if dim != 1]


def place_pieces(graph: Graph) -> tuple[Graph, Parts]:
    """The graph with a node for each piece of each concatenation, and where these nodes lie."""
    direct = _written_directly(graph)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        same = remake(node, inputs)
        if node.op is not concat_op:
            return same
        pieces = (
            new if old in direct else _copy(new, node.number, position)
            for position, (old, new) in enumerate(zip(node.inputs, inputs, strict=True))
        )
        with inherit_sites(node.sites):
            return make(concat_op, tuple(pieces), **node.attrs)

    placed = graph.with_roots(rebuild(list(graph.roots), change))
    parts = {
        piece: Part(node, start)
        for node in placed.nodes
        if node.op is concat_op
        for piece, start in zip(node.inputs, piece_starts(node), strict=True)
    }
    return placed, parts


def _copy(piece: Node, owner: int, position: int) -> Node:
    """A copy that no other concatenation, and no other place in this one, has."""
    with inherit_sites(piece.sites):
        return make(copy_op, (piece,), part=(owner, position))


def _written_directly(graph: Graph) -> set[Node]:
    """The operands of concatenations that have their memory in the result themselves."""
    found: set[Node] = set()
    strides: dict[Node, tuple[Dim, ...]] = {}
    roots = set(graph.roots)
    for node in reversed(graph.nodes):  # a concatenation before those inside it
        if node.op is not concat_op:
            continue
        own = strides.setdefault(node, row_major_strides(node.shape))
        for piece in node.inputs:
            alone = len(graph.consumers(piece)) == 1 and node.inputs.count(piece) == 1
            if not alone or piece in roots:
                continue
            if piece.op is concat_op:
                strides[piece] = own
                found.add(piece)
            elif _is_product(piece) and _fits_product(piece, own):
                found.add(piece)
    return found


def _is_product(node: Node) -> bool:
    """Whether a node is a product that writes its result without reading what was there."""
    accumulates = node.op is product_op and len(node.inputs) == 4
    return node.op.kind == "contraction" and not accumulates


def _fits_product(node: Node, strides: tuple[Dim, ...]) -> bool:
    """Whether a product can write with these strides: row by row, and one distance for a batch."""
    layout = matrix_layout(View(Buffer(node.dtype, elements(node.shape), "trial"), node.shape,
    strides))  # fmt: skip
    return layout is not None and not layout[0]
