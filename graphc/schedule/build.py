"""Building a schedule: anchors, groups, order, memory in place, and at last the kernels."""

from __future__ import annotations

from collections import Counter

from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.shape import TupleType
from graphc.loops.tidy import loads
from graphc.ops.effect import check_op
from graphc.ops.joining import concat_op
from graphc.ops.routine import RoutineOp, item_op
from graphc.ops.scalar import copy as copy_op
from graphc.ops.source import constant_op, input_op
from graphc.schedule.analysis import (
    DECLARED,
    MAXIMUM_KERNEL,
    Anchors,
    find_anchors,
    is_leaf,
    is_view,
    step_operands,
)
from graphc.schedule.buffer import (
    ARENA,
    CARRIED,
    CONSTANT,
    INPUT,
    OUTPUT,
    VIEW_OPS,
    Buffer,
    View,
    elements,
    view_through,
    whole,
)
from graphc.schedule.concat import Parts, place_pieces
from graphc.schedule.contract import product_op
from graphc.schedule.control import control_step
from graphc.schedule.group import Group, Grouping, Step
from graphc.schedule.lower import GroupLowering
from graphc.schedule.lowered import Lowered
from graphc.schedule.narrow import narrowed
from graphc.schedule.one_kernel import as_one_kernel
from graphc.schedule.order import Ordering
from graphc.schedule.own_kernel import OWN_KERNELS
from graphc.schedule.padding import join_padding
from graphc.schedule.product_tiles import parts_workspace
from graphc.schedule.reuse import reuse_memory
from graphc.schedule.scatter import base_buffer
from graphc.schedule.schedule import (
    Copy,
    KernelCall,
    Product,
    Routine,
    Schedule,
    ScheduledStep,
)
from graphc.schedule.shared import (
    compared_floats,
    repeated_columns,
    repeated_places,
    row_results,
    shared_work,
)
from graphc.schedule.wrapped import read_wrapped

# Storing shared values changes the groups, which may share other values: it settles in a few
# rounds.
_ROUNDS = 8


def schedule(graph: Graph, most: int = MAXIMUM_KERNEL) -> Schedule:
    """The schedule of a graph of primitive operations.

    With `most` fewer operations in a kernel where that changes no bit of a result.
    """
    graph, parts = place_pieces(_own_roots(read_wrapped(join_padding(graph))))
    extra: set[Node] = set()
    compared = compared_floats(graph)
    earlier: Anchors | None = None
    for _ in range(_ROUNDS):
        anchors = find_anchors(graph, extra, earlier)
        if earlier is not None:
            anchors.keep_demands(earlier)
        earlier = anchors
        grouping = Grouping(graph, anchors)
        # What is stored for its columns may make the rest cheap enough to be computed again.
        more = (
            repeated_columns(grouping, anchors) - extra
            or (shared_work(grouping, anchors, compared) | row_results(grouping, anchors)) - extra
            or repeated_places(grouping, anchors) - extra
        )
        if not more:
            break
        extra |= more
    if most < MAXIMUM_KERNEL:
        anchors, grouping = narrowed(graph, anchors, grouping, most) or (anchors, grouping)
    ordering = Ordering(graph, grouping, anchors)
    return Builder(graph, parts, anchors, grouping, ordering).build()


def _own_roots(graph: Graph) -> Graph:
    """Every root a value computed by this program: an output that is an input, say, is a copy of
    it."""
    roots: dict[Node, None] = {}
    for root in graph.values:
        borrowed = is_leaf(root) or root.op is item_op or is_view(root)
        own = make(copy_op, (root,)) if borrowed else root
        while own in roots:  # two outputs are two arrays
            own = make(copy_op, (own,))
        roots[own] = None
    return graph.with_roots([*roots, *graph.effects])


class Builder:
    """Gives every anchor its buffer and turns groups and nodes into steps."""

    def __init__(
        self,
        graph: Graph,
        parts: Parts,
        anchors: Anchors,
        grouping: Grouping,
        ordering: Ordering,
    ) -> None:
        self.graph, self.parts, self.anchors = graph, parts, anchors
        self.roots = set(graph.roots)
        self.grouping, self.ordering = grouping, ordering
        self.order = ordering.in_order()
        self.buffers: dict[Node, Buffer] = {}
        self.owners: Counter[Buffer] = Counter()
        self._items: dict[tuple[Node, int], Buffer] = {}
        self._constants: dict[Node, Buffer] = {}
        self._views: dict[Node, View | None] = {}

    def build(self) -> Schedule:
        """The schedule."""
        self._declare()
        outputs = (*self.graph.outputs, *self.graph.printed)
        for position, output in enumerate(outputs):
            self.buffers[output] = self._buffer(output, OUTPUT, position)
        for new, state in self.ordering.in_place.items():
            self.buffers[new] = self.buffers[state]
        for step in self.order:
            for node in self._made_by(step):
                if node in self.parts:  # its memory is that of the concatenation
                    continue
                self.buffers.setdefault(node, self._buffer(node, ARENA))
        reuse_memory(self.order, self.anchors, self.grouping, self.buffers, self.roots)
        self.owners = Counter(self.buffers.values())
        steps = [made for step in self.order for made in self._steps(step)]
        copies = [
            Copy(self.buffers[new], self.buffers[state])
            for state, new in self.graph.updates
            if new not in self.ordering.in_place
        ]
        inputs = tuple(self.buffers[node] for node in self.graph.inputs)
        states = [n for n in self.buffers if n.op in DECLARED and n.op is not input_op]
        return Schedule(
            self.graph,
            (*steps, *copies),
            inputs,
            tuple(self.buffers[node] for node in states),
            tuple(self.buffers[node] for node in outputs),
            tuple(self._constants.values()),
        )

    def _buffer(self, node: Node, home: str, position: int = 0) -> Buffer:
        declared = node if home in (INPUT, CARRIED, CONSTANT) else None
        return Buffer(node.dtype, elements(node.shape), home, declared, position)

    def _declare(self) -> None:
        for position, node in enumerate(self.graph.inputs):
            self.buffers[node] = self._buffer(node, INPUT, position)
        for node in self.graph.nodes:
            if node.op in DECLARED and node not in self.buffers:
                self.buffers[node] = self._buffer(node, CARRIED)

    def _made_by(self, step: Step) -> list[Node]:
        """The nodes that a step writes to memory."""
        if not isinstance(step, Group):
            return [] if isinstance(step.type, TupleType) else [step]
        return [a for a in step.anchors if self._needs_memory(step, a)]

    def _needs_memory(self, group: Group, anchor: Node) -> bool:
        """A reduction that only its own kernel uses stays in registers, unless it is accumulated in
        memory; a check has no value to keep."""
        if anchor.op is check_op:
            return False
        if anchor.op.kind != "reduction" or group.structure.kind == "across":
            return True
        outside = any(step is not group for step in self.ordering.readers.get(anchor, []))
        return outside or anchor in self.roots

    # ---- views

    def memory(self, node: Node) -> View | None:
        """The view of a node that has memory, or that is a reshape or a result of one that has."""
        if node not in self._views:
            self._views[node] = self._find_view(node)
        return self._views[node]

    def _find_view(self, node: Node) -> View | None:
        if node in self.parts:
            part = self.parts[node]
            return part.view(node, self._required(part.whole))
        if node in self.buffers:
            return whole(self.buffers[node], node.shape)
        if node.op is item_op:
            return whole(self._item(node.inputs[0], node.attrs["index"]), node.shape)
        if node.op is constant_op:
            if node not in self._constants:
                self._constants[node] = self._buffer(node, CONSTANT)
            return whole(self._constants[node], node.shape)
        if node.op in VIEW_OPS:
            source = self.memory(node.inputs[0])
            return view_through(node, source) if source is not None else None
        return None

    def _item(self, owner: Node, index: int) -> Buffer:
        assert isinstance(owner.type, TupleType)
        key = (owner, index)
        if key not in self._items:
            item = owner.type.items[index]
            self._items[key] = Buffer(item.dtype, elements(item.shape), ARENA)
        return self._items[key]

    def _required(self, node: Node) -> View:
        view = self.memory(node)
        assert view is not None, f"{node!r} has no memory"
        return view

    # ---- steps

    def _steps(self, step: Step) -> list[ScheduledStep]:
        if not isinstance(step, Group) and step.op is concat_op:
            return []  # its pieces lie there already
        made = self._step(step)
        old = self._updated(step)
        if old is not None and not isinstance(step, Group) and old is not self.buffers[step]:
            return [Copy(old, self.buffers[step]), made]  # the old value has to stay
        return [made]

    def _updated(self, step: Step) -> Buffer | None:
        """The buffer of the old value that a product or a scatter adds to, None if there is
        none."""
        if isinstance(step, Group):
            return None
        if step.op is product_op and len(step.inputs) == 4:
            return self._required(step.inputs[3]).buffer
        return base_buffer(step, self._required) if step.op.kind == "scatter" else None

    def _step(self, step: Step) -> ScheduledStep:
        if isinstance(step, Group):
            return self._kernel(step)
        if step.op.kind == "contraction":
            return self._product(step)
        if step.op.kind == "routine":
            return self._routine(step)
        if step.op.kind == "loop":
            return self._control(step)
        lowered = OWN_KERNELS[step.op.kind](step, self._required)
        operands = [self._required(n).buffer for n in step_operands(step)]
        return KernelCall(lowered, (step,), frozenset(operands), frozenset((self.buffers[step],)))

    def _kernel(self, group: Group) -> KernelCall:
        lowered = GroupLowering(group, self.anchors, self.memory).lower()
        unread = self._unread(group, lowered)
        if unread:
            lowered = GroupLowering(
                group, self.anchors, lambda node: None if node in unread else self.memory(node)
            ).lower()
        written = {slot for slot, b in enumerate(lowered.kernel.buffers) if b.written}
        writes = frozenset(b for slot, b in enumerate(lowered.buffers) if slot in written)
        return KernelCall(lowered, tuple(group.anchors), frozenset(lowered.buffers), writes)

    def _unread(self, group: Group, lowered: Lowered) -> set[Node]:
        """The anchors whose memory nothing reads: all that takes them has them in registers."""
        read = {lowered.buffers[slot] for slot in loads(lowered.kernel.body)}
        return {
            anchor
            for anchor in group.anchors
            if anchor in self.buffers
            and anchor not in self.roots
            and self.buffers[anchor].home == ARENA
            and self.owners[self.buffers[anchor]] == 1
            and self.buffers[anchor] not in read
            and all(step is group for step in self.ordering.readers.get(anchor, []))
        }

    def _product(self, node: Node) -> Product:
        a, b = self._required(node.inputs[0]), self._required(node.inputs[1])
        scale = node.inputs[2] if node.op is product_op else None
        c = self._required(node)
        scratch = parts_workspace(a, c)
        return Product(a, b, c, scale, len(node.inputs) == 4, (node,), scratch)

    def _control(self, node: Node) -> ScheduledStep:
        operands = tuple(self._required(source) for source in node.inputs)
        assert isinstance(node.type, TupleType)
        results = tuple(self._item(node, i) for i in range(len(node.type.items)))
        control = control_step(node, operands, results, schedule)
        return as_one_kernel(control) or control

    def _routine(self, node: Node) -> Routine:
        operands = tuple(self._required(source) for source in node.inputs)
        if isinstance(node.type, TupleType):
            results = tuple(self._item(node, i) for i in range(len(node.type.items)))
        else:
            results = (self.buffers[node],)
        assert isinstance(node.op, RoutineOp)
        scratch = (Buffer(dtype, count, ARENA) for dtype, count in node.op.workspace(node))
        return Routine(node.op, operands, results, tuple(scratch), (node,))
