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
from graphc.ops.indexing import scatter_add_op
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
from graphc.schedule.buffer import (
    VIEW_OPS,
    Buffer,
    View,
    elements,
    matrix_layout,
    view_through,
    whole,
)
from graphc.schedule.contract import product_op
from graphc.schedule.index import (
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
EXPENSIVE = frozenset(
    ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "sin", "cos", "power", "erf",
     "random_bits", "sqrt", "divide")
)  # fmt: skip
# Kernels grow no larger than this many operations for one stored value: compile time is the limit.
MAXIMUM_INLINED = 48
MAXIMUM_KERNEL = 192

DECLARED: frozenset[Op] = frozenset((input_op, param_op, state_op))
_KERNEL_KINDS = ("elementwise", "reduction", "layout", "indexing", "random")


def is_step(node: Node) -> bool:
    """Whether a node is done by a step of its own, not inside a fused kernel."""
    return node.op.kind in ("contraction", "routine") or node.op is scatter_add_op


def step_operands(node: Node) -> tuple[Node, ...]:
    """The inputs of a step that are arrays in memory; the scale of a product is a number of the
    call."""
    if node.op is product_op:
        return (*node.inputs[:2], *node.inputs[3:])
    return node.inputs


def is_leaf(node: Node) -> bool:
    """Whether a node's value is at hand without computing: declared, constant, or an index."""
    return node.op in DECLARED or node.op.kind == "source"


def is_view(node: Node) -> bool:
    """Whether a node is a reshape that regroups elements: read through the memory of what it
    reshapes."""
    return node.op is reshape_op and not unit_axes_only(node.inputs[0].shape, node.shape)


@dataclass
class Anchors:
    """The nodes with memory of their own, and how many operations each inlined node stands for."""

    stored: set[Node] = field(default_factory=set)
    weight: dict[Node, int] = field(default_factory=dict)
    # What anchors take, by the loops they are computed in: asked for by every stage that follows.
    known_demands: dict[tuple[object, Node], list[Demand]] = field(default_factory=dict)

    def inlined(self, node: Node) -> bool:
        """Whether the node is computed where it is used."""
        return (
            node not in self.stored
            and not is_leaf(node)
            and not is_step(node)
            and node.op.kind != "reduction"
            and node.op is not item_op
            and not is_view(node)
        )

    def memory_of(self, node: Node) -> Node:
        """The node whose memory a reshape reads; the node itself for any other, or if it is
        stored."""
        while node.op is reshape_op and node not in self.stored:
            node = node.inputs[0]
        return node


def find_anchors(graph: Graph, extra: set[Node]) -> Anchors:
    """The nodes that need memory: what steps read, outputs, new states, and what reshapes read;
    `extra` as well."""
    anchors = Anchors(set(extra))
    for root in graph.roots:
        if not (
            root.op in DECLARED
            or is_step(root)
            or root.op is item_op
            or root.op.kind == "reduction"
        ):
            anchors.stored.add(root)
    for node in graph.nodes:
        _check_known(node)
    # What is stored changes the views of others, so it is settled when a round adds nothing.
    settled = -1
    while settled != len(anchors.stored):
        settled = len(anchors.stored)
        for node in graph.nodes:
            if is_step(node):
                for source in step_operands(node):
                    _store_operand(anchors, node, source)
            elif is_view(node):
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
    base = operand
    while base.op in VIEW_OPS and base not in anchors.stored:
        base = base.inputs[0]
    view = trial_view(operand, base)
    matrix = step.op.kind == "contraction"
    readable = view is not None and (matrix_layout(view) is not None if matrix else view.contiguous)
    _force(anchors, base if readable else operand)


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


def demands(anchors: Anchors, node: Node, indices: Indices) -> Iterator[Demand]:
    """Each value that computing `node` at `indices` takes, with its place: leaves, anchors and
    inlined nodes.

    The node itself comes first; what is inside a value with memory of its own is not entered.
    """
    seen: set[Demand] = set()
    stack: list[tuple[Node, Indices, bool]] = [(node, indices, anchors.inlined(node))]
    while stack:
        current, at, enter = stack.pop()
        if (current, at) in seen:
            continue
        seen.add((current, at))
        yield current, at
        for index in at:
            stack.extend((n, i, anchors.inlined(n)) for n, i in index_demands(index))
        if enter and not is_leaf(current) and current.op is not item_op:
            for source, place in zip(current.inputs, input_indices(current, at), strict=True):
                stack.append((source, place, anchors.inlined(source)))


def index_demands(index: Index) -> Iterator[Demand]:
    """The nodes whose values an index depends on."""
    if isinstance(index, Computed):
        yield index.node, index.at
    elif isinstance(index, Padded | Scaled):
        yield from index_demands(index.index)


def is_free(node: Node) -> bool:
    """Whether a value needs no memory access: a constant that is one number, a size, an index."""
    if node.op is constant_op:
        return node.shape == () or uniform_value(node) is not None
    return node.op in (size_op, ramp_op, flag_op)
