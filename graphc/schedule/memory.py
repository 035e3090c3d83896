"""The memory plan: where each temporary lies in the arena, given the sizes.

A buffer lives from the first step that writes it to the last that reads it. Buffers whose lives
overlap do not share memory; the largest are placed first, each at the lowest offset that is free
for its whole life.
"""

from __future__ import annotations

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
    placed: list[tuple[int, int, Life]] = []  # (offset, end, life), by offset
    offsets: dict[Buffer, int] = {}
    order = sorted(schedule_lives, key=lambda life: (-need[life.buffer], life.first))
    for life in order:
        if not need[life.buffer]:
            offsets[life.buffer] = 0
            continue
        offset = 0
        for start, end, other in placed:
            if other.first <= life.last and life.first <= other.last:
                if start >= offset + need[life.buffer]:
                    break
                offset = max(offset, end)
        offsets[life.buffer] = offset
        placed.append((offset, offset + need[life.buffer], life))
        placed.sort(key=lambda entry: entry[0])
    peak = max((end for _, end, _ in placed), default=0)
    return MemoryPlan(offsets, peak, schedule_lives)


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
