"""Memory in place: a kernel's result takes over the buffer of a value that dies in that kernel."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.indices import ScatterOp
from graphc.schedule.analysis import Anchors
from graphc.schedule.buffer import ARENA, OUTPUT, Buffer
from graphc.schedule.group import Group, Grouping, Step
from graphc.schedule.order import reads_only_in_place
from graphc.schedule.runs import anchor_demands

# The values that a shared buffer holds, one after the other.
Chains = dict[Buffer, list[Node]]


def reuse_memory(
    order: list[Step],
    anchors: Anchors,
    grouping: Grouping,
    buffers: dict[Node, Buffer],
    kept: set[Node],
) -> None:
    """Give results of kernels the buffers of values read for the last time there, where elements
    line up. Values in `kept` are needed after all steps."""
    last = _last_reads(order, anchors, grouping)
    taken: Chains = {}
    for position, step in enumerate(order):
        if isinstance(step, Group):
            dying = [
                n for n in _read_in(step, anchors) if last.get(n) == position and n not in kept
            ]
            for result in step.anchors:
                _share(step, result, dying, anchors, buffers, taken)
        elif isinstance(step.op, ScatterOp) and step.op.base and step not in kept:
            old, others = step.inputs[0], grouping.operands(step)
            if last.get(old) == position and old not in kept and others.count(old) == 1:
                _update(step, old, buffers, taken)


def _share(
    group: Group,
    result: Node,
    dying: list[Node],
    anchors: Anchors,
    buffers: dict[Node, Buffer],
    taken: Chains,
) -> None:
    """Let one result and one dying value share a buffer, if each element is read before it is
    written.

    Inside a kernel a third value may follow the second: the first has been read by then.
    """
    mine = buffers.get(result)
    # What is carried still holds the old value, which the kernel may read.
    if mine is None or mine.home not in (ARENA, OUTPUT) or mine in taken:
        return
    for old in dying:
        theirs = buffers.get(old)
        born_here = old in group.loop
        if theirs is None or theirs.home != ARENA:
            continue
        chain = taken.get(theirs, [old])
        if chain[-1] is not old or (theirs in taken and not born_here):
            continue
        if mine.home == OUTPUT and any(node not in group.loop for node in chain):
            continue  # a value made by an earlier step may not move into the caller's array
        if born_here and not _stored_before(group, old, result):
            continue
        fits = mine.dtype is theirs.dtype and mine.elements == theirs.elements
        if fits and reads_only_in_place(anchors, group, old, result):
            shared = mine if mine.home == OUTPUT else theirs
            taken[mine] = taken[theirs] = [*chain, result]
            buffers.update(dict.fromkeys(taken[shared], shared))
            return


def _update(step: Node, old: Node, buffers: dict[Node, Buffer], taken: Chains) -> None:
    """Let a scatter take over the buffer of its base, which nothing reads afterwards.

    It may be passed on: the base is gone when the scatter is done.
    """
    mine, theirs = buffers[step], buffers.get(old)
    if theirs is not None and mine.home == theirs.home == ARENA and theirs not in taken:
        buffers[step] = theirs


def _stored_before(group: Group, old: Node, result: Node) -> bool:
    """Whether a kernel has stored all of a row of `old` before it stores `result`."""
    if group.structure.kind == "across" and old.op.kind != "reduction":
        return False  # what comes after the reduction is done in one walk
    return group.loop[old] < group.loop[result]


def _read_in(group: Group, anchors: Anchors) -> list[Node]:
    found: dict[Node, None] = {}
    for anchor in group.anchors:
        for node, _ in anchor_demands(anchors, group, anchor):
            found[anchors.memory_of(node)] = None
    return list(found)


def _last_reads(order: list[Step], anchors: Anchors, grouping: Grouping) -> dict[Node, int]:
    last: dict[Node, int] = {}
    for position, step in enumerate(order):
        taken = _read_in(step, anchors) if isinstance(step, Group) else grouping.operands(step)
        for node in taken:
            last[node] = position
    return last
