"""Kernels with less in each of them, that round as before.

A kernel that makes many values at once can only be run again as a whole. Divided, it can be run
again in parts, but no bit of a result may change. A product is added without rounding in between
where nothing else takes it, and a sum is added up in an order that depends on its loop. So kernels
with a reduction stay whole, and what several parts take is stored: several took it before too.
What several kernels computed each for itself may be stored only if it is no product that is added.
And of two products that are added to each other a compiler may round either one first: kernels with
such a sum stay as they are.
"""

from __future__ import annotations

from collections import defaultdict

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.analysis import EXPENSIVE, Anchors, find_anchors, is_free
from graphc.schedule.group import Group, Grouping, Step
from graphc.schedule.index import Indices
from graphc.schedule.runs import anchor_demands

# Storing a value changes the groups, which may then share other values.
_ROUNDS = 12
# What takes a product without adding to it first. Functions such as exp use their argument twice.
_NO_SUMS = EXPENSIVE | {"multiply", "where", "maximum", "minimum", "less", "less_equal", "greater",
                        "greater_equal", "equal", "not_equal"}  # fmt: skip
# What does not end in a product.
_NO_PRODUCTS = _NO_SUMS - EXPENSIVE - {"multiply"} | {"add", "subtract", "divide", "sqrt"}


def narrowed(
    graph: Graph, anchors: Anchors, grouping: Grouping, most: int
) -> tuple[Anchors, Grouping] | None:
    """Anchors and groups with at most `most` operations in a map kernel; None where bits of a
    result might change."""
    if any(_adds_products(graph, anchors, node) for node in graph.nodes):
        return None
    home = _Home(graph, grouping, anchors)
    extra = set(anchors.stored)
    for _ in range(_ROUNDS):
        known = find_anchors(graph, extra)
        narrow = Grouping(graph, known, most)
        torn = home.torn(narrow, known)
        if torn is None:
            return None
        if not torn:
            return known, narrow
        # What is taken by another torn value alone stays with it.
        extra |= {n for n in torn if any(user not in torn for user in graph.consumers(n))}
    return None


class _Home:
    """The kernels in which values were computed, and at which places of their loops."""

    def __init__(self, graph: Graph, grouping: Grouping, anchors: Anchors) -> None:
        self.graph, self.grouping = graph, grouping
        self.places: defaultdict[Node, set[tuple[Step, Indices]]] = defaultdict(set)
        for step, _, node, at in _inlined(grouping, anchors):
            self.places[node].add((step, at))

    def torn(self, narrow: Grouping, anchors: Anchors) -> set[Node] | None:
        """The values that one kernel computed for what are several kernels now; None if kernels
        differ otherwise."""
        for step in self.grouping.steps:
            if isinstance(step, Group) and step.structure.kind != "map":
                other = narrow.owner[step.anchors[0]]
                if not isinstance(other, Group) or other.anchors != step.anchors:
                    return None
        pairs: defaultdict[Node, set[tuple[Step, Step]]] = defaultdict(set)
        for group, anchor, node, _ in _inlined(narrow, anchors):
            pairs[node] |= {(before, group) for before in self._kernels(anchor)}
        torn = {node for node, found in pairs.items() if not _one_to_one(found)}
        # What one operation takes is taken once, wherever that is computed.
        torn = {node for node in torn if len(self.graph.consumers(node)) > 1}
        return torn if all(self._may_be_stored(node) for node in torn) else None

    def _kernels(self, anchor: Node) -> set[Step]:
        """The kernels that computed what is an anchor now."""
        if anchor in self.grouping.owner:
            return {self.grouping.owner[anchor]}
        return {step for step, _ in self.places[anchor]}

    def _may_be_stored(self, node: Node) -> bool:
        """Whether a value rounds the same in memory: several took it in its one kernel, or it is no
        product that is added."""
        if len(self.places[node]) == 1 or node.op.name in _NO_PRODUCTS:
            return True
        users = self.graph.consumers(node)
        return all(user.op.name in _NO_SUMS for user in users)


def _adds_products(graph: Graph, anchors: Anchors, node: Node) -> bool:
    """Whether a node adds two values that may both be products nobody else takes."""
    if node.op.name not in ("add", "subtract") or not node.dtype.is_float:
        return False
    return all(
        anchors.inlined(source)
        and not is_free(source)
        and source.op.name not in _NO_PRODUCTS
        and len(graph.consumers(source)) == 1
        for source in node.inputs
    )


def _inlined(grouping: Grouping, anchors: Anchors) -> list[tuple[Group, Node, Node, Indices]]:
    """The floats that kernels compute without storing them: group, anchor, value and place."""
    return [
        (step, anchor, node, at)
        for step in grouping.steps
        if isinstance(step, Group)
        for anchor in step.anchors
        for node, at in anchor_demands(anchors, step, anchor)
        if node is not anchor and anchors.inlined(node) and not is_free(node)
        if node.op.kind != "layout" and node.dtype.is_float
    ]


def _one_to_one(pairs: set[tuple[Step, Step]]) -> bool:
    before, after = ({pair[side] for pair in pairs} for side in (0, 1))
    return len(before) == len(after) == len(pairs)
