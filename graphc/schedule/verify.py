"""The verifier of schedules and memory plans: nothing is read before it is written, nothing alive
overlaps."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.errors import VerificationError
from graphc.schedule.buffer import ARENA, CARRIED, CONSTANT, INPUT, OUTPUT, Buffer
from graphc.schedule.memory import MemoryPlan, bytes_of
from graphc.schedule.schedule import KernelCall, Schedule, ScheduledStep


def verify_schedule(schedule: Schedule) -> None:
    """Raise VerificationError if a step reads what nothing has written, or an output is missing."""
    written: set[Buffer] = set()
    for position, step in enumerate(schedule.steps):
        own = step.writes if isinstance(step, KernelCall) else frozenset()
        for buffer in step.reads - own:
            if buffer.home in (ARENA, OUTPUT) and buffer not in written:
                raise _error(position, step, "reads memory that no step has written")
        for buffer in step.writes:
            if buffer.home in (INPUT, CONSTANT):
                raise _error(position, step, f"writes an {buffer.home} buffer")
        written |= step.writes
        if isinstance(step, KernelCall):
            _check_slots(position, step)
    for state, _ in schedule.graph.updates:
        if not any(b.home == CARRIED and b.node is state for b in written):
            raise VerificationError(f"schedule: {state!r} is never updated")
    for position, buffer in enumerate(schedule.outputs):
        if buffer not in written:
            raise VerificationError(f"schedule: output {position} is never written")


def _check_slots(position: int, step: KernelCall) -> None:
    lowered = step.lowered
    slots = zip(lowered.buffers, lowered.kernel.buffers, strict=True)
    # Parts of a concatenation are written through slots of their own, and never read there.
    read = {buffer for buffer, slot in slots if not slot.written}
    if any(lowered.buffers.count(buffer) > 1 for buffer in read):
        raise _error(position, step, "takes one buffer through two slots")
    for buffer, slot in zip(lowered.buffers, lowered.kernel.buffers, strict=True):
        if buffer.dtype.name != slot.dtype:
            raise _error(position, step, f"takes {buffer.dtype} where it expects {slot.dtype}")
    if len(lowered.scalars) != len(lowered.kernel.scalars):
        raise _error(position, step, "has the wrong number of scalars")


def _error(position: int, step: ScheduledStep, fault: str) -> VerificationError:
    names = ", ".join(node.op.name for node in step.nodes) or "copy"
    return VerificationError(f"schedule: step {position} ({names}) {fault}")


def verify_plan(plan: MemoryPlan, sizes: Mapping[str, int]) -> None:
    """Raise VerificationError if two buffers that are alive at once share memory."""
    lives = plan.lives
    for number, first in enumerate(lives):
        start = plan.offsets[first.buffer]
        end = start + bytes_of(first.buffer, sizes)
        if end > plan.peak_bytes:
            raise VerificationError(f"memory plan: a buffer ends at {end}, past the arena")
        for second in lives[number + 1 :]:
            other = plan.offsets[second.buffer]
            together = first.first <= second.last and second.first <= first.last
            apart = end <= other or other + bytes_of(second.buffer, sizes) <= start
            if together and not apart:
                raise VerificationError(
                    f"memory plan: buffers at {start} and {other} are alive at once and overlap"
                )
