"""The memory plan: where each temporary lies in the arena, given the sizes.

A buffer lives from the first step that writes it to the last that reads it. Buffers whose lives
overlap do not share memory; the largest are placed first, each at the lowest offset that is free
for its whole life.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from graphc.ir.dim import Dim
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.schedule.buffer import ARENA, Buffer, Life, Workspace
from graphc.schedule.schedule import Schedule, ScheduledStep

ALIGNMENT = 64


class MemoryPlan(NamedTuple):
    """Offsets of temporaries in the arena, and the bytes it takes."""

    offsets: Mapping[Buffer, int]
    peak_bytes: int
    lives: tuple[Life, ...]


def touched(step: ScheduledStep) -> frozenset[Buffer]:
    """The buffers that a step reads or writes."""
    return step.reads | step.writes


def lives(schedule: Schedule) -> tuple[Life, ...]:
    """The lives of all temporaries, in order of first use."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for at, step in enumerate(schedule.steps):
        for buffer in touched(step):
            first.setdefault(buffer, at)
            last[buffer] = at
    temporaries = (buffer for buffer in schedule.buffers if buffer.home == ARENA)
    return tuple(Life(buffer, first[buffer], last[buffer]) for buffer in temporaries)


def plan(schedule_lives: tuple[Life, ...], sizes: Mapping[str, int]) -> MemoryPlan:
    """Offsets for given sizes."""
    need = {life.buffer: bytes_of(life.buffer, sizes) for life in schedule_lives}
    # (offset, end) of what has its place, by the steps at which it is alive, and the first of them.
    alive: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    begins: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    offsets: dict[Buffer, int] = {}
    peak = 0
    order = sorted(schedule_lives, key=lambda life: (-need[life.buffer], life.first))
    for life in order:
        if not need[life.buffer]:
            offsets[life.buffer] = 0
            continue
        steps = range(life.first, life.last + 1)
        taken = list(alive[life.first])
        for step in steps[1:]:
            taken += begins[step]
        offset = _first_gap(sorted(taken), need[life.buffer])
        offsets[life.buffer], place = offset, (offset, offset + need[life.buffer])
        begins[life.first].append(place)
        for step in steps:
            alive[step].append(place)
        peak = max(peak, place[1])
    return MemoryPlan(offsets, peak, schedule_lives)


def _first_gap(taken: list[tuple[int, int]], need: int) -> int:
    """The lowest offset at which `need` bytes are free, between places in their order."""
    offset = 0
    for start, end in taken:
        if start >= offset + need:
            break
        if end > offset:
            offset = end
    return offset


def bytes_of(buffer: Buffer, sizes: Mapping[str, int]) -> int:
    """The bytes of a buffer, rounded up so that the next one is aligned; 0 for a workspace only,
    which a step may have no need of."""
    if isinstance(buffer, Workspace):
        return aligned_size(buffer.bytes(sizes))
    return aligned_size(max(evaluate_dim(buffer.elements, sizes) * buffer.dtype.itemsize, 1))


def aligned_size(size: int) -> int:
    """So many bytes or some more: a multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def live_bytes(schedule_lives: tuple[Life, ...], step: int) -> Dim:
    """The bytes alive during one step, as a formula of the sizes, without alignment and without
    workspaces."""
    total: Dim = 0
    for life in schedule_lives:
        if life.first <= step <= life.last:
            total = total + life.buffer.elements * life.buffer.dtype.itemsize
    return total
