"""Loops whose examples do not meet: each part of a batch can go through all steps by itself.

Where all that a body carries, takes and gives has one row for each example of a batch, and no row
depends on another one, the loop over the whole batch is several loops over parts of it, which run
side by side without waiting for each other at every step. `row_parts` tells which.
"""

from __future__ import annotations

from graphc.ir.dim import Size, named_size, size_names
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.shape import Shape
from graphc.ops.joining import concat_op
from graphc.ops.layout import broadcast_op, reshape_op, slice_op, transpose_op
from graphc.ops.source import constant_op, ramp_op
from graphc.schedule.analysis import DECLARED
from graphc.schedule.schedule import Copy, KernelCall, Product, Schedule


def batch_size(schedule: Schedule) -> str | None:
    """The named size of a batch whose rows a body computes each by itself; None if there is
    none."""
    if not all(isinstance(step, KernelCall | Product | Copy) for step in schedule.steps):
        return None
    graph = schedule.graph
    results = (*(new for _, new in graph.updates), *graph.outputs)
    names = {_name(node) for node in results}
    if len(names) != 1 or graph.effects:
        return None
    (name,) = names
    if name is None or not _by_itself(graph, name):
        return None
    return name


def _name(node: Node) -> str | None:
    """The name of the length of a node's first axis, if it is nothing but a name."""
    first = node.shape[0] if node.ndim else 1
    if not isinstance(first, Size):
        return None
    names = list(size_names(first))
    return names[0] if len(names) == 1 and first == named_size(names[0]) else None


def _has(shape: Shape, name: str) -> bool:
    return any(name in size_names(dim) for dim in shape)


def _by_itself(graph: Graph, name: str) -> bool:
    """Whether each row of all that has this size depends on the same row of others alone."""
    rows: set[Node] = set()
    for node in graph.nodes:
        many = _has(node.shape, name)
        if many and (_name(node) != name or _has(node.shape[1:], name)):
            return False
        if node.op in DECLARED:
            allowed = True
        elif many or not rows.isdisjoint(node.inputs):
            allowed = many and _row_by_row(node, rows)
        else:
            # The number of examples as a value is that of all.
            allowed = not any(name in size_names(d) for d in _dims(node))
        if not allowed:
            return False
        if many:
            rows.add(node)
    return True


def _dims(node: Node) -> tuple[int | Size, ...]:
    dim = node.attrs.get("dim")
    return (dim,) if isinstance(dim, int | Size) else ()


def _row_by_row(node: Node, rows: set[Node]) -> bool:
    """Whether a node with rows computes each from the same row of its operands."""
    op, inputs = node.op, node.inputs
    if op.kind == "elementwise":
        return all(source.ndim == node.ndim for source in inputs if source in rows)
    if op.kind == "contraction":
        shared = inputs[1] not in rows and inputs[1].ndim == 2
        batched = node.ndim > 2 and inputs[1] in rows
        return inputs[0] in rows and (shared or batched)
    if op.kind == "reduction":
        return 0 not in node.attrs["axes"]
    if op is concat_op:
        return bool(node.attrs["axis"] != 0) and rows.issuperset(inputs)
    if op is transpose_op:
        return bool(node.attrs["axes"][0] == 0)
    if op is reshape_op:
        return inputs[0] in rows
    if op is slice_op:
        return bool(node.attrs["bounds"][0] == (0, node.shape[0], 1))
    if op is broadcast_op:
        return inputs[0] not in rows or inputs[0].ndim == node.ndim
    if op is ramp_op:
        return bool(node.attrs["axis"] != 0)
    return op is constant_op
