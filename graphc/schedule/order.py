"""The order of steps, and which new values of states may overwrite the old ones in place."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable

from graphc.ir.dim import product
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.effect import check_op
from graphc.ops.indices import ScatterOp, checked_op
from graphc.ops.joining import concat_op
from graphc.ops.routine import RoutineOp
from graphc.schedule.analysis import Anchors
from graphc.schedule.contract import product_op
from graphc.schedule.group import Group, Grouping, Step, add_needs
from graphc.schedule.index import Computed
from graphc.schedule.runs import anchor_demands
from graphc.schedule.scatter import known_places
from graphc.schedule.structure import in_inner_loop, value_indices


class Ordering:
    """Steps with their needs; updates add the need to come after every reader of the old value."""

    def __init__(self, graph: Graph, grouping: Grouping, anchors: Anchors) -> None:
        self.grouping, self.anchors = grouping, anchors
        self.before = dict(grouping.before)
        self.needed_by = {step: set(later) for step, later in grouping.needed_by.items()}
        self.steps = list(grouping.steps)
        self.number = grouping.number
        self.readers = self._readers()
        self.checks = [step for step in self.steps if self._may_fail(step)]
        self.in_place: dict[Node, Node] = {}  # new value -> the state it overwrites
        outputs = set(graph.outputs)
        counts: dict[Node, int] = {}
        for _, new in graph.updates:
            counts[new] = counts.get(new, 0) + 1
        # Where each of two updates reads the other's old value, the smaller one is copied.
        for state, new in sorted(graph.updates, key=lambda pair: _length(pair[0]), reverse=True):
            if new not in outputs and counts[new] == 1 and self._allow(state, new):
                self.in_place[new] = state

    def _readers(self) -> dict[Node, list[Step]]:
        """For each node with memory, the steps that read it."""
        found: dict[Node, list[Step]] = {}
        for step in self.steps:
            for node in self._read_by(step):
                found.setdefault(node, []).append(step)
        return found

    def _may_fail(self, step: Step) -> bool:
        """Whether a step checks what it computes with: indices in range, a matrix that is not
        singular."""
        if not isinstance(step, Group):
            fails = isinstance(step.op, RoutineOp) and step.op.fails
            return fails or not known_places(step)
        return any(
            node.op is check_op
            or (node.op is checked_op and (node is anchor or self.anchors.inlined(node)))
            or any(isinstance(index, Computed) and index.checked for index in at)
            for anchor in step.anchors
            for node, at in anchor_demands(self.anchors, step, anchor)
        )

    def _read_by(self, step: Step) -> Iterable[Node]:
        if isinstance(step, Group):
            taken = [
                self.anchors.memory_of(node)
                for anchor in step.anchors
                for node, _ in anchor_demands(self.anchors, step, anchor)
            ]
        else:
            taken = self.grouping.operands(step)
        return dict.fromkeys(taken)

    def _allow(self, state: Node, new: Node) -> bool:
        """Whether the step that makes `new` may write over `state`; if so, it now comes after the
        other readers."""
        writers = self._writers(new)
        if not writers or not all(self._safe_inside(step, state, new) for step in writers):
            return False
        earlier = [reader for reader in self.readers.get(state, []) if reader not in writers]
        # A check that fails must leave every state as it was, so all come first.
        earlier += self.checks
        for step in writers:
            if any(other is step or self._needs(other, step) for other in earlier):
                return False
        for step in writers:
            for other in earlier:
                self._add_need(step, other)
        return True

    def _writers(self, new: Node) -> list[Step]:
        """The steps that write a node's memory: of a concatenation, those of its pieces."""
        if new.op is concat_op:
            return list(dict.fromkeys(w for piece in new.inputs for w in self._writers(piece)))
        step = self.grouping.owner.get(new)
        return [] if step is None else [step]

    def _needs(self, step: Step, other: Step) -> bool:
        return bool(self.before[step] >> self.number[other] & 1)

    def _add_need(self, step: Step, other: Step) -> None:
        self.needed_by[other].add(step)
        more = self.before[other] | (1 << self.number[other])
        add_needs(self.before, self.needed_by, step, more)

    def _safe_inside(self, step: Step, state: Node, new: Node) -> bool:
        """Whether a step reads each element of the old value before, and only where, it writes the
        new one."""
        if new.op is concat_op:
            # A piece may lie where another one reads.
            return state not in self._read_by(step)
        if not isinstance(step, Group):
            if isinstance(step.op, ScatterOp):
                others = self.grouping.operands(step)[1:]
                return step.op.base and step.inputs[0] is state and state not in others
            operands = self.grouping.operands_of_product(step)
            return step.op is product_op and len(step.inputs) == 4 and state not in operands
        return reads_only_in_place(self.anchors, step, state, new)

    def in_order(self) -> list[Step]:
        """The steps, each after what it needs; those that only update states as early as
        possible."""
        sinks = {self.grouping.owner[new] for new in self.in_place}
        waiting = Counter(later for step in self.steps for later in self.needed_by[step])
        by_number = {self.number[step]: step for step in self.steps}
        ready = [self._priority(step, sinks) for step in self.steps if not waiting[step]]
        heapq.heapify(ready)
        order: list[Step] = []
        while ready:
            step = by_number[heapq.heappop(ready)[1]]
            order.append(step)
            for later in self.needed_by[step]:
                waiting[later] -= 1
                if not waiting[later]:
                    heapq.heappush(ready, self._priority(later, sinks))
        return order

    def _priority(self, step: Step, sinks: set[Step]) -> tuple[int, int]:
        return (0 if step in sinks else 1, self.number[step])


def _length(state: Node) -> int:
    """The number of elements of a state; 0 where sizes have names."""
    total = product(state.shape)
    return total if isinstance(total, int) else 0


def reads_only_in_place(anchors: Anchors, group: Group, old: Node, new: Node) -> bool:
    """Whether a kernel reads `old` only at the element it writes of `new`, and not after it wrote
    it."""
    structure = group.structure
    own = value_indices(structure, new)
    if structure.kind == "across" and new.op.kind == "reduction":
        return False  # it is cleared before anything is read
    for anchor in group.anchors:
        for node, at in anchor_demands(anchors, group, anchor):
            if anchors.memory_of(node) is not old:
                continue
            if node is not old or at != own or _reads(group, anchor) > _writes(group, new):
                return False
    return True


def _reads(group: Group, anchor: Node) -> tuple[int, int]:
    """When a kernel reads for an anchor: the loop in the row, and the place beside the inner
    one."""
    inner = anchor.op.kind == "reduction" or in_inner_loop(group.structure, anchor)
    return group.loop[anchor], int(inner)


def _writes(group: Group, anchor: Node) -> tuple[int, int]:
    """When a kernel writes an anchor: a row's reduction after the inner loop."""
    if anchor.op.kind == "reduction":
        return group.loop[anchor], 2
    if group.structure.kind == "across":
        return group.loop[anchor], 0
    return _reads(group, anchor)
