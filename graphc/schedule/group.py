"""Fusion: which anchors share a kernel.

A kernel walks the *rows* it shares; inside a row it may loop over *inner* axes several times (a
row's maximum, then its sum, then its softmax). Three structures cover what is fused:

- map: every element by itself, rows = the shape;
- row: a reduction over inner axes, and elementwise values of a row or of its elements;
- across: a reduction over outer axes that keeps the last ones, accumulated row by row,
and an epilogue on what is kept.

An anchor joins a group if their structures agree, they share data, each value it takes from the
group lies in its own row, and no path between them leads outside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.analysis import (
    MAXIMUM_KERNEL,
    Anchors,
    Demand,
    demands,
    is_free,
    is_step,
    step_operands,
)
from graphc.schedule.blocks import block_op
from graphc.schedule.buffer import VIEW_OPS
from graphc.schedule.index import Indices
from graphc.schedule.structure import (
    Structure,
    in_inner_loop,
    merge,
    root_indices,
    row_variables,
    structure_of,
    value_indices,
)

# The latest groups that share something are tried; in a large graph a common input is in them all.
_CANDIDATES = 8


@dataclass(eq=False, repr=False)
class Group:
    """Anchors that share a kernel, in order, each with the number of the loop in the row that
    computes it."""

    structure: Structure
    anchors: list[Node] = field(default_factory=list)
    loop: dict[Node, int] = field(default_factory=dict)
    inlined: set[Node] = field(default_factory=set)  # what is computed in place, counted once


Step = Group | Node


class Grouping:
    """Builds the groups of a graph, in topological order of its anchors.

    A map kernel takes at most `most` operations, so that it makes few values at once.
    """

    def __init__(self, graph: Graph, anchors: Anchors, most: int = MAXIMUM_KERNEL) -> None:
        self.anchors, self.most = anchors, most
        self.owner: dict[Node, Step] = {}
        self.steps: list[Step] = []
        self.number: dict[Step, int] = {}
        # For each step a bit mask of the steps that it needs, also indirectly.
        self.before: dict[Step, int] = {}
        # For each step those that need it directly.
        self.needed_by: dict[Step, set[Step]] = {}
        self._touching: defaultdict[Node, list[Group]] = defaultdict(list)
        for node in graph.nodes:
            if is_step(node):
                self._add_step(node)
            elif node.op.kind == "reduction" or node in anchors.stored:
                self._place(node)

    def _new_step(self, step: Step) -> None:
        self.number[step] = len(self.steps)
        self.steps.append(step)
        self.before[step] = 0
        self.needed_by[step] = set()

    def _add_step(self, node: Node) -> None:
        self.owner[node] = node
        self._new_step(node)
        needs = {self._owner(source) for source in self.operands(node)}
        self._need(node, {step for step in needs if step is not None})

    def operands(self, step: Node) -> list[Node]:
        """The nodes whose memory a step reads, under views and results of routines."""
        return [self.base(source) for source in step_operands(step)]

    def operands_of_product(self, step: Node) -> list[Node]:
        """The nodes whose memory the two factors of a product are."""
        return [self.base(source) for source in step.inputs[:2]]

    def base(self, node: Node) -> Node:
        """The node in whose memory an operand of a step lies."""
        while node.op in VIEW_OPS and node not in self.anchors.stored:
            node = node.inputs[0]
        return node

    def _owner(self, node: Node) -> Step | None:
        node = self.anchors.memory_of(node)
        if node.op.name == "item":
            node = node.inputs[0]
        return self.owner.get(node)

    def _need(self, step: Step, others: set[Step]) -> None:
        """A step needs others."""
        for other in others:
            self.needed_by[other].add(step)
            more = self.before[other] | (1 << self.number[other])
            add_needs(self.before, self.needed_by, step, more)

    def needs(self, step: Step, other: Step) -> bool:
        """Whether `step` can only run after `other`."""
        return bool(self.before[step] >> self.number[other] & 1)

    def _place(self, node: Node) -> None:
        structure = structure_of(node)
        wanted = demands_in(self.anchors, structure, node)
        # Many kernels take one number; only among numbers is it a reason to join.
        alone = not structure.rows and structure.kind == "map"
        touched = {n for n, _ in wanted if not is_free(n) and (n.ndim or alone)}
        inlined = {n for n, _ in wanted if n is node or self.anchors.inlined(n)}
        needs = {s for s in (self._owner(n) for n, _ in wanted if n is not node) if s is not None}
        for group in self._candidates(needs, touched):
            loop = self._try(group, node, structure, needs)
            if loop is not None and len(group.inlined | inlined) <= self._limit(group, inlined):
                self._join(group, node, structure, loop, touched, needs)
                group.inlined |= inlined
                return
        group = Group(structure)
        self._new_step(group)
        self._join(group, node, structure, 0, touched, needs)
        group.inlined |= inlined

    def _limit(self, group: Group, inlined: set[Node]) -> int:
        """The most operations of a group that `inlined` ones join: what shares one of them is not
        torn apart."""
        shared = any(node.op.kind != "layout" for node in group.inlined & inlined)
        return MAXIMUM_KERNEL if shared or group.structure.kind != "map" else self.most

    def _candidates(self, needs: set[Step], touched: set[Node]) -> list[Group]:
        related = {step for step in needs if isinstance(step, Group)}
        for node in touched:
            related.update(self._touching[node][-_CANDIDATES:])
        return sorted(related, key=lambda group: -self.number[group])[:_CANDIDATES]

    def _try(self, group: Group, node: Node, own: Structure, needs: set[Step]) -> int | None:
        """The loop of the group's row in which the anchor could be computed; None if it may not
        join."""
        structure = merge(group.structure, own)
        if structure is None or any(self.needs(step, group) for step in needs if step is not group):
            return None
        if structure != group.structure and structure.kind == "across":
            # What is there already would have to come before the reduction, in a loop over what
            # is kept.
            return None
        loop = 0
        for other, at in demands_in(self.anchors, structure, node):
            source = self.anchors.memory_of(other)
            if source is node or source not in group.loop or self._is_passed(other, source):
                continue
            needed = _needed_loop(group, structure, node, source, at, other is source)
            if needed is None:
                return None
            loop = max(loop, needed)
        return loop

    def _is_passed(self, node: Node, source: Node) -> bool:
        """Whether a node only adds or drops axes of length 1: what it reshapes is asked for
        too."""
        return node is not source and self.anchors.inlined(node)

    def _join(
        self,
        group: Group,
        node: Node,
        own: Structure,
        loop: int,
        touched: set[Node],
        needs: set[Step],
    ) -> None:
        merged = merge(group.structure, own) if group.anchors else group.structure
        assert merged is not None
        group.structure = merged
        group.anchors.append(node)
        group.loop[node] = loop
        self.owner[node] = group
        for shared in touched | {node}:
            if group not in self._touching[shared]:
                self._touching[shared].append(group)
        self._need(group, {step for step in needs if step is not group})


def add_needs(
    before: dict[Step, int], needed_by: Mapping[Step, Collection[Step]], step: Step, more: int
) -> None:
    """A step needs the steps of the bit mask `more`, and so do all that need it.

    The walk ends where a step has these needs already: what needs it has them too.
    """
    waiting = [step]
    while waiting:
        later = waiting.pop()
        if more & ~before[later]:
            before[later] |= more
            waiting += needed_by[later]


def demands_in(anchors: Anchors, structure: Structure, node: Node) -> list[Demand]:
    """What computing one anchor in a structure takes, with places in its loop variables."""
    key = (structure, node)
    if key not in anchors.known_demands:
        place = root_indices(structure, node)
        if node.op.kind == "reduction" or node.op is block_op:
            anchors.known_demands[key] = demands(anchors, node.inputs[0], place)
        else:
            # The anchor itself is entered; anchors inside it are not.
            anchors.known_demands[key] = demands_of_anchor(anchors, node, place)
    return anchors.known_demands[key]


def demands_of_anchor(anchors: Anchors, node: Node, place: Indices) -> list[Demand]:
    """What computing a stored node itself takes (the node is entered, though it has memory of its
    own)."""
    was_stored = node in anchors.stored
    anchors.stored.discard(node)
    try:
        return demands(anchors, node, place)
    finally:
        if was_stored:
            anchors.stored.add(node)


def _needed_loop(
    group: Group, structure: Structure, node: Node, source: Node, at: Indices, direct: bool
) -> int | None:
    """The earliest loop of a row in which `node` can take `source` at `at` from the same group."""
    # An across kernel does all its reductions in one walk, before anything else; a block is known
    # when all its rows are done.
    if not direct or source.op is block_op:
        return None
    if node.op.kind == "reduction" and structure.kind == "across":
        return None
    own = value_indices(structure, source)
    loop = group.loop[source]
    if source.op.kind == "reduction":
        # A row's reduction is ready after its loop; an across reduction before the epilogue.
        return loop + 1 if at == own else None
    if at == own:
        return loop
    rows = set(row_variables(structure))
    inner = in_inner_loop(structure, source)
    aligned = all(a == b for a, b in zip(at, own, strict=True) if b.variables & rows)
    return loop + 1 if inner and aligned else None
