"""Running steps again: a schedule in which late steps read values that are computed anew.

What is run again is a whole step, the same kernel or product on values with the same bits, into
memory of its own. So every number stays what it was, random draws too, which are functions of
(seed, use, step, index).
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass

from graphc.schedule.buffer import ARENA, Buffer, Workspace
from graphc.schedule.schedule import Copy, ScheduledStep
from graphc.schedule.timeline import Timeline, Value, with_buffers

# Values that are found to be needed for longer are copied before they are written over; that may
# show one after another.
_ROUNDS = 12


@dataclass(frozen=True)
class Repeated:
    """Steps, and which of them compute again what was computed before."""

    timeline: Timeline
    again: frozenset[ScheduledStep]


def repeat(
    timeline: Timeline, turn: int, dropped: Collection[Value], again: Collection[ScheduledStep]
) -> Repeated | frozenset[int]:
    """The steps where those after `turn` no longer read the values in `dropped`, made up to it, but
    copies made again right before they are read.

    Instead, the positions of steps that cannot be run again: a state that they read has changed.
    """
    preserved: set[Value] = set()
    for _ in range(_ROUNDS):
        writer = _Writer(timeline, turn, dropped, preserved, again)
        writer.write()
        if writer.stuck:
            return frozenset(writer.stuck)
        if not writer.lost:
            return Repeated(Timeline(tuple(writer.steps), timeline.sizes), frozenset(writer.again))
        preserved |= writer.lost
    return frozenset(timeline.maker[value] for value in writer.lost)


class _Writer:
    """Writes the new steps, and keeps account of where each value lies."""

    def __init__(
        self,
        timeline: Timeline,
        turn: int,
        dropped: Collection[Value],
        preserved: Collection[Value],
        again: Collection[ScheduledStep],
    ) -> None:
        self.timeline, self.turn = timeline, turn
        self.dropped, self.preserved, self.before = dropped, preserved, again
        self.steps: list[ScheduledStep] = []
        self.again: set[ScheduledStep] = set()
        self.place: dict[Value, Buffer] = {}  # of values as they were first made
        self.renewed: dict[Value, Buffer] = {}  # of dropped values that are there again
        self.version: dict[Buffer, int] = {}  # of memory outside the arena
        self.lost: set[Value] = set()  # needed, but written over
        self.stuck: set[int] = set()  # steps that need a state as it was

    def write(self) -> None:
        """All steps, those after the turn each with what it needs made again before it."""
        for at, use in enumerate(self.timeline.uses):
            if at > self.turn:
                self._renew([value for value in use.takes if value in self.dropped])
            self._write_once(at)

    def _write_once(self, at: int) -> None:
        """A step of the timeline, reading dropped values where they are now."""
        step, use = self.timeline.steps[at], self.timeline.uses[at]
        late = at > self.turn
        moved = {
            value.buffer: self.renewed[value]
            if late and value in self.dropped
            else self.place.get(value, value.buffer)
            for value in use.takes
        }
        for new, old in use.makes:
            if old is not None:
                here = moved[new.buffer]
                if old in self.preserved and self.place.get(old) is here:
                    here = self._copied(here)
                elif late and old in self.dropped:
                    del self.renewed[old]
                else:
                    self.place.pop(old, None)
                moved[new.buffer] = here
            self.place[new] = moved.get(new.buffer, new.buffer)
            self.version[new.buffer] = new.version
        same = all(old is new for old, new in moved.items())
        written = step if same else with_buffers(step, moved)
        self.steps.append(written)
        if step in self.before:
            self.again.add(written)

    def _copied(self, buffer: Buffer) -> Buffer:
        """A copy to write over, where the value itself is needed later."""
        fresh = _fresh(buffer)
        self.steps.append(Copy(buffer, fresh))
        return fresh

    def _renew(self, wanted: list[Value]) -> None:
        """Make dropped values again, with all it takes that is not there."""
        needed: set[int] = set()
        stack = [value for value in wanted if value not in self.renewed]
        while stack:
            at = self.timeline.maker[stack.pop()]
            if at in needed:
                continue
            needed.add(at)
            for value in self.timeline.uses[at].takes:
                if value in self.dropped:
                    stack += [value] if value not in self.renewed else []
                elif value.buffer.home == ARENA:
                    self.lost |= {value} - self.place.keys()
                elif self.version.get(value.buffer, 0) != value.version:
                    self.stuck.add(at)
        if not self.lost and not self.stuck:
            for at in sorted(needed):
                self._write_again(at)
        for value in wanted:  # where it cannot be made, the search for faults goes on
            self.renewed.setdefault(value, value.buffer)

    def _write_again(self, at: int) -> None:
        use = self.timeline.uses[at]
        moved = {
            value.buffer: self.renewed[value]
            if value in self.dropped
            else self.place.get(value, value.buffer)
            for value in use.takes
        }
        for new, old in use.makes:
            if old is None:
                moved[new.buffer] = _fresh(new.buffer)
            elif old in self.dropped:
                del self.renewed[old]
            else:
                moved[new.buffer] = self._copied(moved[new.buffer])
            if new in self.dropped:
                self.renewed[new] = moved[new.buffer]
        step = with_buffers(self.timeline.steps[at], moved)
        self.steps.append(step)
        self.again.add(step)


def _fresh(like: Buffer) -> Buffer:
    return copy(like) if isinstance(like, Workspace) else Buffer(like.dtype, like.elements, ARENA)
