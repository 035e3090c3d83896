"""What each step of a schedule takes and makes, and orders of the steps that need less memory.

A buffer holds one value after another: a kernel may write over what it reads, a product adds to
what is there, pieces of a concatenation come one by one. A `Value` is what a buffer holds from one
of these writes to the next, so that a value can be named after another has taken its place.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from graphc.ops.routine import RoutineOp
from graphc.schedule.buffer import ARENA, CARRIED, Buffer, View
from graphc.schedule.memory import bytes_of, touched
from graphc.schedule.note import CheckNote
from graphc.schedule.schedule import (
    Call,
    Control,
    Copy,
    KernelCall,
    Part,
    Product,
    Routine,
    ScheduledStep,
    buffers_of,
)

Steps = tuple[ScheduledStep, ...]
# Of the steps that could come next so many are compared: in a wide graph there are thousands.
_COMPARED = 32


class Value(NamedTuple):
    """What a buffer holds after so many writes; 0 is what it holds before the program starts."""

    buffer: Buffer
    version: int


@dataclass(frozen=True)
class Use:
    """The values that a step takes, and those it makes, each with the value it is written over."""

    takes: tuple[Value, ...]
    makes: tuple[tuple[Value, Value | None], ...]


class Timeline:
    """Steps in order, the values between them, and the bytes these take for given sizes."""

    def __init__(self, steps: Steps, sizes: Mapping[str, int]) -> None:
        self.steps, self.sizes = steps, sizes
        self.uses: list[Use] = []
        self.maker: dict[Value, int] = {}
        self.readers: dict[Value, list[int]] = {}
        self._bytes: dict[Buffer, int] = {}
        version: dict[Buffer, int] = {}
        for at, step in enumerate(steps):
            self.uses.append(self._use(at, step, version))

    def _use(self, at: int, step: ScheduledStep, version: dict[Buffer, int]) -> Use:
        takes, makes = [], []
        for buffer in _in_order(step):
            now = Value(buffer, version.get(buffer, 0))
            # Memory of the program's own holds nothing before it is written.
            held = now.version > 0 or buffer.home == CARRIED or buffer not in step.writes
            if held:
                takes.append(now)
                self.readers.setdefault(now, []).append(at)
            if buffer in step.writes:
                new = Value(buffer, now.version + 1)
                version[buffer] = new.version
                self.maker[new] = at
                makes.append((new, now if held else None))
        return Use(tuple(takes), tuple(makes))

    def bytes(self, buffer: Buffer) -> int:
        """The bytes that a buffer takes in the arena; none if it lies elsewhere."""
        if buffer not in self._bytes:
            own = buffer.home == ARENA
            self._bytes[buffer] = bytes_of(buffer, self.sizes) if own else 0
        return self._bytes[buffer]

    def alive(self) -> list[int]:
        """The bytes alive during each step."""
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for at, step in enumerate(self.steps):
            for buffer in touched(step):
                first.setdefault(buffer, at)
                last[buffer] = at
        change = [0] * (len(self.steps) + 1)
        for buffer, start in first.items():
            change[start] += self.bytes(buffer)
            change[last[buffer] + 1] -= self.bytes(buffer)
        total, result = 0, []
        for more in change[:-1]:
            total += more
            result.append(total)
        return result

    def peak(self) -> int:
        """The most bytes alive during a step: what no placement can be below."""
        return max(self.alive(), default=0)


def _in_order(step: ScheduledStep) -> list[Buffer]:
    """The buffers of a step, each once, in an order that does not depend on hashes."""
    return list(dict.fromkeys(buffers_of(step)))


def may_fail(step: ScheduledStep) -> bool:
    """Whether a step may stop the program: no state may have changed before it."""
    if isinstance(step, KernelCall):
        return any(isinstance(value, CheckNote) for _, value in step.lowered.scalars)
    if isinstance(step, Routine):
        return isinstance(step.op, RoutineOp) and step.op.fails
    return isinstance(step, Control)


def with_buffers(step: ScheduledStep, moved: Mapping[Buffer, Buffer]) -> ScheduledStep:
    """The step on other buffers: the same kernel, so the same bits."""
    assert not isinstance(step, Call)  # made of steps whose memory has been planned

    def place(buffer: Buffer) -> Buffer:
        return moved.get(buffer, buffer)

    def view(old: View) -> View:
        return old._replace(buffer=place(old.buffer))

    if isinstance(step, KernelCall):
        lowered = replace(step.lowered, buffers=tuple(map(place, step.lowered.buffers)))
        reads, writes = (frozenset(map(place, b)) for b in (step.reads, step.writes))
        return replace(step, lowered=lowered, reads=reads, writes=writes)
    if isinstance(step, Product):
        scratch = tuple(map(place, step.scratch))
        return replace(step, a=view(step.a), b=view(step.b), c=view(step.c), scratch=scratch)
    if isinstance(step, Copy):
        return replace(step, source=place(step.source), target=place(step.target))
    operands = tuple(map(view, step.operands))
    results, scratch = (tuple(map(place, b)) for b in (step.results, step.scratch))
    if isinstance(step, Routine):
        return replace(step, operands=operands, results=results, scratch=scratch)
    return replace(
        step, parts=tuple(_moved_part(part, view) for part in step.parts),
        flag=None if step.flag is None else view(step.flag),
        initial=tuple((view(a), view(b)) for a, b in step.initial),
        operands=operands, results=results, scratch=scratch,
    )  # fmt: skip


def _moved_part(part: Part, view: Callable[[View], View]) -> Part:
    ports = tuple(port._replace(outside=view(port.outside)) for port in part.ports)
    return part._replace(ports=ports)


# ---- orders


def best_order(timeline: Timeline) -> Timeline:
    """The steps as they are, or in an order with less alive at once if one is found."""
    orders = (timeline, *(_Order(timeline, eager).reordered() for eager in (False, True)))
    return min(orders, key=Timeline.peak)  # the first of equals, so the given order if none is less


class _Order:
    """Steps in an order that keeps little alive.

    A step that leaves no more alive than before comes as soon as it can. Otherwise the next one is
    the first of the given order, or, if `eager`, the one that adds the fewest bytes.
    """

    def __init__(self, timeline: Timeline, eager: bool) -> None:
        self.timeline, self.eager = timeline, eager
        self.left: dict[Buffer, int] = {}
        for step in timeline.steps:
            for buffer in touched(step):
                self.left[buffer] = self.left.get(buffer, 0) + 1
        self.held: set[Buffer] = set()

    def reordered(self) -> Timeline:
        """The steps in the new order."""
        steps = tuple(self.timeline.steps[at] for at in self._positions())
        return Timeline(steps, self.timeline.sizes)

    def _positions(self) -> list[int]:
        needs = dependences(self.timeline)
        later: list[list[int]] = [[] for _ in needs]
        for at, before in enumerate(needs):
            for other in before:
                later[other].append(at)
        waiting = [len(before) for before in needs]
        ready = [at for at, count in enumerate(waiting) if not count]
        order: list[int] = []
        while ready:
            at = self._next(ready)
            self._run(at)
            order.append(at)
            for other in later[at]:
                waiting[other] -= 1
                if not waiting[other]:
                    heapq.heappush(ready, other)
        return order

    def _next(self, ready: list[int]) -> int:
        compared = [heapq.heappop(ready) for _ in range(min(_COMPARED, len(ready)))]
        added = {at: self._added(at) for at in compared}
        best = min(compared, key=lambda at: (added[at], at))
        if added[best] > 0 and not self.eager:
            best = compared[0]
        for at in compared:
            if at != best:
                heapq.heappush(ready, at)
        return best

    def _added(self, at: int) -> int:
        """The bytes that are alive after a step and were not before."""
        total = 0
        for buffer in touched(self.timeline.steps[at]):
            born, dies = buffer not in self.held, self.left[buffer] == 1
            total += self.timeline.bytes(buffer) * (int(born) - int(dies))
        return total

    def _run(self, at: int) -> None:
        for buffer in touched(self.timeline.steps[at]):
            self.left[buffer] -= 1
            self.held.add(buffer)


def dependences(timeline: Timeline) -> list[set[int]]:
    """For each step those it must come after: who makes what it takes, who takes what it writes
    over, and, if it changes a state, every step that may fail."""
    result: list[set[int]] = []
    failing: list[int] = []
    for at, use in enumerate(timeline.uses):
        before = {timeline.maker[value] for value in use.takes if value in timeline.maker}
        for new, old in use.makes:
            if old is not None:
                before.update(timeline.readers[old])
            if new.buffer.home == CARRIED:
                before.update(failing)
        if may_fail(timeline.steps[at]):
            before.update(failing[-1:])  # the first failure of several stays the first
            failing.append(at)
        before.discard(at)
        result.append(before)
    return result
