"""What a program calls: kernels that were made for it, and routines, as one kind of step."""

from __future__ import annotations

from typing import Any

from graphc.schedule.note import RoutineNote
from graphc.schedule.schedule import Call, KernelCall, Routine
from graphc.target.chunks import COPY_WORK


def call_of(step: KernelCall | Routine | Call) -> Call:
    """All that a run must know of a step that calls a kernel."""
    if isinstance(step, Call):
        return step
    if isinstance(step, KernelCall):
        made = step.lowered
        return Call(
            made.buffers, made.scalars, made.extent, made.row_work, made.visit_work, made.least,
            step.reads, step.writes, step.nodes,
        )  # fmt: skip
    op, node = step.op, step.nodes[0]
    scalars: list[tuple[str, Any]] = [("int64", dim) for dim in op.sizes(node)]
    if op.fails:
        scalars.append(("int64", RoutineNote(node)))
    return Call(
        (*step.operands, *step.results, *step.scratch), tuple(scalars), op.rows(node),
        op.row_work(node), COPY_WORK, 1, step.reads, step.writes, step.nodes,
    )  # fmt: skip
