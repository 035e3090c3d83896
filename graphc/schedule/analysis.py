"""Which nodes get memory of their own (anchors), and which are computed where they are used
(inlined)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphc.errors import CompileError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.site import raise_located
from graphc.ops import effect
from graphc.ops.cost import COSTLY_FUNCTIONS
from graphc.ops.indices import ScatterOp, checked_op
from graphc.ops.layout import reshape_op
from graphc.ops.routine import item_op, tuple_op
from graphc.ops.source import (
    constant_op,
    flag_op,
    input_op,
    param_op,
    ramp_op,
    size_op,
    state_op,
    uniform_value,
)
from graphc.schedule.blocks import block_op
from graphc.schedule.buffer import (
    BATCH_STRIDES,
    VIEW_OPS,
    Buffer,
    View,
    around_axis,
    batch_runs,
    elements,
    matrix_layout,
    view_through,
    whole,
)
from graphc.schedule.contract import product_op
from graphc.schedule.index import (
    Added,
    Affine,
    Computed,
    Index,
    Indices,
    Padded,
    Scaled,
    input_indices,
    unit_axes_only,
)

# A value computed in two places is stored if it contains one of these; cheaper ones are computed
# again.
EXPENSIVE = COSTLY_FUNCTIONS | {"random_bits", "sqrt", "divide"}
# Kernels grow no larger than this many operations for one stored value: compile time is the limit.
MAXIMUM_INLINED = 48
MAXIMUM_KERNEL = 192

DECLARED: frozenset[Op] = frozenset((input_op, param_op, state_op))
# Kinds that are a step of their own: see `own_kernel` for those with a generated kernel.
STEP_KINDS = frozenset(
    ("concat", "contraction", "routine", "scatter", "cumulative", "fold", "loop")
)
_KERNEL_KINDS = (
    "elementwise", "reduction", "layout", "indexing", "random", "blocks", *effect.KINDS
)  # fmt: skip


def is_step(node: Node) -> bool:
    """Whether a node is done by a step of its own, not inside a fused kernel."""
    return node.op.kind in STEP_KINDS


def step_operands(node: Node) -> tuple[Node, ...]:
    """The inputs of a step that are arrays in memory; the scale of a product is a number of the
    call, and a scatter computes what needs no memory."""
    if node.op is product_op:
        return (*node.inputs[:2], *node.inputs[3:])
    if isinstance(node.op, ScatterOp):
        values, *indices = node.inputs
        taken = (values, *map(unchecked, indices)) if checks_places(node) else node.inputs
        return tuple(source for source in taken if not _computed_anywhere(source))
    return node.inputs


def checks_places(node: Node) -> bool:
    """Whether a scatter checks its indices itself.

    One that may change its base in place does not: what it changed before a check fails would be
    lost. Its indices are checked by a kernel before.
    """
    return isinstance(node.op, ScatterOp) and not node.op.base


def unchecked(indices: Node) -> Node:
    """Indices as they are before they are checked."""
    return indices.inputs[0] if indices.op is checked_op else indices


def _computed_anywhere(node: Node) -> bool:
    """Whether every element of a node is known from its place alone, as a constant's is."""
    while node.op in VIEW_OPS and not is_view(node):
        node = node.inputs[0]
    return is_free(node)


def is_leaf(node: Node) -> bool:
    """Whether a node's value is at hand without computing: declared, constant, or an index."""
    return node.op in DECLARED or node.op.kind == "source"


def is_view(node: Node) -> bool:
    """Whether a node is a reshape that regroups elements: read through the memory of what it
    reshapes."""
    return node.op is reshape_op and not unit_axes_only(node.inputs[0].shape, node.shape)


def is_computed(node: Node) -> bool:
    """Whether a node can be computed where it is used, unless it is stored."""
    return not (
        is_leaf(node)
        or is_step(node)
        or node.op.kind == "reduction"
        or node.op is item_op
        or is_view(node)
    )


@dataclass(eq=False, repr=False)
class Anchors:
    """The nodes with memory of their own, and how many operations each inlined node stands for."""

    stored: set[Node] = field(default_factory=set)
    weight: dict[Node, int] = field(default_factory=dict)
    # What anchors take, by the loops they are computed in: asked for by every stage that follows.
    known_demands: dict[tuple[object, Node], list[Demand]] = field(default_factory=dict)
    _computed: dict[Node, bool] = field(default_factory=dict)  # what `is_computed` says
    # Where operands of steps lie in the memory under them, by both: rounds ask again and again.
    _trials: dict[tuple[Node, Node], View | None] = field(default_factory=dict)

    def inlined(self, node: Node) -> bool:
        """Whether the node is computed where it is used."""
        if node in self.stored:
            return False
        known = self._computed.get(node)
        if known is None:
            known = self._computed[node] = is_computed(node)
        return known

    def keep_demands(self, earlier: Anchors) -> None:
        """Take over what was found out with other anchors, where these make no difference."""
        changed = self.stored ^ earlier.stored
        self.known_demands = {
            key: taken
            for key, taken in earlier.known_demands.items()
            if changed.isdisjoint(node for node, _ in taken)
        }

    def keep_views(self, earlier: Anchors) -> None:
        """Take over what depends on the graph alone."""
        self._computed, self._trials = earlier._computed, earlier._trials

    def trial(self, operand: Node, base: Node) -> View | None:
        """The view that `operand` would be of `base`'s memory."""
        key = (operand, base)
        if key not in self._trials:
            self._trials[key] = trial_view(operand, base)
        return self._trials[key]

    def memory_of(self, node: Node) -> Node:
        """The node whose memory a reshape reads; the node itself for any other, or if it is
        stored."""
        while node.op is reshape_op and node not in self.stored:
            node = node.inputs[0]
        return node


def find_anchors(graph: Graph, extra: set[Node], earlier: Anchors | None = None) -> Anchors:
    """The nodes that need memory: what steps read, outputs, new states, and what reshapes read;
    `extra` as well. `earlier` are anchors of the same graph."""
    anchors = Anchors(set(extra))
    if earlier is not None:
        anchors.keep_views(earlier)
    for root in graph.roots:
        if not (
            root.op in DECLARED
            or is_step(root)
            or root.op is item_op
            or root.op.kind == "reduction"
        ):
            anchors.stored.add(root)
    anchors.stored |= {node for node in graph.nodes if node.op is block_op}
    if earlier is None:
        for node in graph.nodes:
            _check_known(node)
    asking = [node for node in graph.nodes if is_step(node) or is_view(node)]
    # What is stored changes the views of others, so it is settled when a round adds nothing.
    settled = -1
    while settled != len(anchors.stored):
        settled = len(anchors.stored)
        for node in asking:
            if is_step(node):
                for source in step_operands(node):
                    _store_operand(anchors, node, source)
                if node.op.kind == "contraction":
                    _store_for_batches(anchors, node)
            else:
                _force(anchors, anchors.memory_of(node))
        for node in graph.nodes:
            _weigh(anchors, node)
    return anchors


def _check_known(node: Node) -> None:
    known = node.op.kind in _KERNEL_KINDS or is_step(node) or is_leaf(node)
    if not known and node.op not in (item_op, tuple_op):
        raise_located(
            CompileError(
                f"{node.op.name} has no native code: expected an operation that a kernel can do"
            ),
            node.sites,
        )


def _store_operand(anchors: Anchors, step: Node, operand: Node) -> None:
    """What a step reads is stored: under its layout operations if those make a view the step can
    read."""
    base = _base(anchors, operand)
    view = anchors.trial(operand, base)
    _force(anchors, base if view is not None and _can_read(step, view) else operand)


def _base(anchors: Anchors, operand: Node) -> Node:
    """The node under the layout operations of an operand."""
    while operand.op in VIEW_OPS and operand not in anchors.stored:
        operand = operand.inputs[0]
    return operand


def _store_for_batches(anchors: Anchors, step: Node) -> None:
    """A product finds its matrices with two strides at most: a factor that needs more is copied."""
    views = {op: anchors.trial(op, _base(anchors, op)) for op in step.inputs[:2]}
    known = [view for view in views.values() if view is not None]
    if len(batch_runs(known)) <= BATCH_STRIDES:
        return
    pairs = ((len(batch_runs((view,))), operand) for operand, view in views.items() if view)
    _force(anchors, max(pairs, key=lambda pair: pair[0])[1])


def _can_read(step: Node, view: View) -> bool:
    """Whether a step reads a view where it lies."""
    if step.op.kind == "contraction":
        return matrix_layout(view, BATCH_STRIDES) is not None
    if step.op.kind == "cumulative":
        return around_axis(view, step.attrs["axis"]) is not None
    if step.op.kind in ("scatter", "fold"):
        return True  # its kernel loads element by element
    return view.contiguous


def trial_view(operand: Node, base: Node) -> View | None:
    """The view that `operand` would be of `base`'s memory."""
    chain = []
    while operand is not base:
        chain.append(operand)
        operand = operand.inputs[0]
    memory = Buffer(base.dtype, elements(base.shape), "trial")
    view: View | None = whole(memory, base.shape)
    for node in reversed(chain):
        if view is not None:
            view = view_through(node, view)
    return view


def _force(anchors: Anchors, node: Node) -> None:
    node = anchors.memory_of(node)
    held = node.op in DECLARED or is_step(node) or node.op is item_op
    if not held and node.op is not constant_op:
        anchors.stored.add(node)


def _weigh(anchors: Anchors, node: Node) -> None:
    if not anchors.inlined(node):
        anchors.weight[node] = 0
        return
    weight = 1 + sum(anchors.weight[source] for source in dict.fromkeys(node.inputs))
    if weight > MAXIMUM_INLINED:
        anchors.stored.add(node)
        weight = 0
    anchors.weight[node] = weight


Demand = tuple[Node, Indices]


def demands(anchors: Anchors, node: Node, indices: Indices) -> list[Demand]:
    """Each value that computing `node` at `indices` takes, with its place: leaves, anchors and
    inlined nodes.

    The node itself comes first; what is inside a value with memory of its own is not entered.
    """
    found: dict[Demand, None] = {}
    stack: list[Demand] = [(node, indices)]
    while stack:
        demand = current, at = stack.pop()
        if demand in found:
            continue
        found[demand] = None
        for index in at:
            if not isinstance(index, Affine):  # most are, and depend on no value
                stack += index_demands(index)
        if anchors.inlined(current):
            stack += zip(current.inputs, input_indices(current, at), strict=True)
    return list(found)


def index_demands(index: Index) -> Iterator[Demand]:
    """The nodes whose values an index depends on."""
    if isinstance(index, Computed):
        yield index.node, index.at
    elif isinstance(index, Padded | Scaled):
        yield from index_demands(index.index)
    elif isinstance(index, Added):
        yield from index_demands(index.first)
        yield from index_demands(index.second)


def is_free(node: Node) -> bool:
    """Whether a value needs no memory access: a constant that is one number, a size, an index."""
    if node.op is constant_op:
        return node.shape == () or uniform_value(node) is not None
    return node.op in (size_op, ramp_op, flag_op)
