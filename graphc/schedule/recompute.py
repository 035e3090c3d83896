"""Store or recompute: a schedule that fits a memory budget.

Where most is alive, at the turn from forward to backward, values wait for steps that come much
later. Which of them wait, and which are computed again from others when their time comes, is a
minimum cut: of the edges from what cannot be computed again to what is needed later, each as wide
as a value has bytes. Products are dear, so they are run again only if nothing else helps. Then the
steps before the turn are divided into segments, and what passes from one segment to the next is
kept, so that one segment after another is computed again, not all at once (Chen, Xu, Zhang,
Guestrin 2016, "Training deep nets with sublinear memory cost"; the cut as in Yu and He 2023, the
partitioner of functorch).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from graphc.errors import MemoryBudgetError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.graph import Graph
from graphc.ir.site import user_sites, written_at
from graphc.schedule.again import Repeated, repeat
from graphc.schedule.buffer import ARENA, CARRIED
from graphc.schedule.build import schedule as build_schedule
from graphc.schedule.memory import bytes_of, lives, plan
from graphc.schedule.schedule import Copy, KernelCall, Product, Schedule, ScheduledStep
from graphc.schedule.timeline import Steps, Timeline, Value, best_order, may_fail

# How many operations a kernel may have, in turn: None leaves the kernels as they are.
_KERNELS = (None, 64, 24)
# Into how many segments the steps before the turn are divided, in turn.
_SEGMENTS = (1, 2, 3, 5, 8, 13, 21, 34)
# What was computed again is itself divided again: each round needs less memory and more time.
_ROUNDS = 4
# Steps that cannot be run again after all are found one after another.
_TRIALS = 8
# Halvings in the search for how few steps have to be run again.
_HALVINGS = 6
# A segment ends within this part of its length from where it would end if all were equal.
_NEAR = 0.25
# One core multiplies about so many pairs of numbers in the time it moves one byte.
_PRODUCTS_PER_BYTE = 8


@dataclass(frozen=True)
class Budget:
    """A schedule for a number of bytes: what it took without one, and what is computed again."""

    bytes: int
    sizes: Mapping[str, int]
    plain: Schedule
    schedule: Schedule
    again: frozenset[ScheduledStep]

    def __str__(self) -> str:
        products = sum(isinstance(step, Product) for step in self.again)
        counted = ((len(self.again) - products, "kernel"), (products, "product"))
        parts = [f"{count} {name}{'s' * (count != 1)}" for count, name in counted if count]
        return f"{' and '.join(parts) or 'nothing'} computed again"


def fit(graph: Graph, plain: Schedule, budget: int, sizes: Mapping[str, int]) -> Budget:
    """A schedule of `graph` whose temporaries take at most `budget` bytes, with little done again.

    `plain` is its schedule without a budget. If its steps are too large to be run again one by one,
    schedules with less in each kernel are tried. Raises MemoryBudgetError stating the least number
    of bytes that was reached.
    """
    least = _planned(plain, plain.steps, sizes)
    tried: set[int] = set()
    for most in _KERNELS:
        schedule = plain if most is None else build_schedule(graph, most)
        if len(schedule.steps) in tried:
            continue  # nothing could be divided
        tried.add(len(schedule.steps))
        search = _Search(schedule, budget, sizes)
        found = search.run()
        if found is not None:
            steps = found.timeline.steps
            return Budget(budget, dict(sizes), plain, replace(schedule, steps=steps), found.again)
        least = min(least, search.least)
    raise _impossible(plain, budget, sizes, least)


def _impossible(
    plain: Schedule, budget: int, sizes: Mapping[str, int], least: int
) -> MemoryBudgetError:
    known = ", ".join(f"{name} = {value}" for name, value in sizes.items())
    error = MemoryBudgetError(
        f"compile: expected a memory_budget of at least {least:,} bytes"
        f"{' for ' + known if known else ''}, the least that computing again reaches; got "
        f"{budget:,} (without a budget it takes {_planned(plain, plain.steps, sizes):,})."
        f"{written_at(user_sites())}",
        least,
    )
    error.located = True
    return error


def _planned(schedule: Schedule, steps: Steps, sizes: Mapping[str, int]) -> int:
    """The bytes of the arena for these steps."""
    return plan(lives(replace(schedule, steps=steps)), sizes).peak_bytes


@dataclass(frozen=True)
class _Choice:
    """What may be run again: cheap steps up to one position, all steps up to another; and how many
    segments there are."""

    segments: int
    cheap_until: int
    all_until: int


class _Search:
    """Tries what is cheap first. Which schedules are tried does not depend on the budget, so the
    least that one search states is found by another."""

    def __init__(self, schedule: Schedule, budget: int, sizes: Mapping[str, int]) -> None:
        self.schedule, self.budget, self.sizes = schedule, budget, sizes
        self.least = _planned(schedule, schedule.steps, sizes)

    def run(self) -> Repeated | None:
        """The first that fits; None if none does."""
        given = Timeline(self.schedule.steps, self.sizes)
        for timeline in (given, best_order(given)):
            now = Repeated(timeline, frozenset())
            if self._fits(now, planned=True):
                return now
        for _ in range(_ROUNDS):
            turn = _Turn(now)
            tried = [(c, made) for c in turn.choices() if (made := turn.apply(c)) is not None]
            for choice, made in sorted(tried, key=lambda pair: _cost(pair[1], self.sizes)):
                if self._fits(made):
                    return self._fewest(turn, choice, made)
            best = min((made for _, made in tried), key=lambda m: m.timeline.peak(), default=now)
            if best.timeline.peak() >= now.timeline.peak():
                break
            now = best
            self._fits(now, planned=True)
        return None

    def _fits(self, made: Repeated, planned: bool = False) -> bool:
        """Whether it takes no more than the budget; placed in the arena only if it may."""
        if not planned and made.timeline.peak() > self.budget:
            return False
        taken = _planned(self.schedule, made.timeline.steps, self.sizes)
        self.least = min(self.least, taken)
        return taken <= self.budget

    def _fewest(self, turn: _Turn, choice: _Choice, made: Repeated) -> Repeated:
        """As few steps run again as still fit: the values made first wait longest, so these are
        left out last."""
        name = "all_until" if choice.all_until >= 0 else "cheap_until"
        low, high = -1, turn.at
        for _ in range(_HALVINGS):
            middle = (low + high) // 2
            fewer = turn.apply(replace(choice, **{name: middle}))
            if fewer is not None and self._fits(fewer):
                made, high = fewer, middle
            else:
                low = middle
        return made


class _Turn:
    """The fullest step of a schedule, and what is made before it and needed after it."""

    def __init__(self, now: Repeated) -> None:
        self.now, self.timeline = now, now.timeline
        alive = self.timeline.alive()
        self.at = max(range(len(alive)), key=alive.__getitem__, default=0)
        self.needed = [v for v in self._made() if self._last_read(v) > self.at]
        self.crossing = self._crossing()

    def choices(self) -> Iterator[_Choice]:
        """What is tried: first without products, then with them."""
        for all_until in (-1, self.at):
            for segments in _SEGMENTS:
                if segments <= max(1, self.at):
                    yield _Choice(segments, self.at, all_until)

    def apply(self, choice: _Choice) -> Repeated | None:
        """The steps for a choice; None if nothing can be done."""
        kept = self._passing(choice.segments)
        blocked: set[int] = set()
        for _ in range(_TRIALS):
            allowed = self._allowed(choice) - blocked
            dropped = dropped_values(self.timeline, self.needed, kept, allowed)
            if not dropped:
                return None
            result = repeat(self.timeline, self.at, dropped, self.now.again)
            if isinstance(result, Repeated):
                return result
            blocked |= result
        return None

    def _allowed(self, choice: _Choice) -> set[int]:
        """The steps that may be run again: those that change no state and cannot fail."""
        found: set[int] = set()
        for at, step in enumerate(self.timeline.steps[: self.at + 1]):
            cheap = isinstance(step, KernelCall | Copy)
            if at <= max(choice.all_until, choice.cheap_until if cheap else -1):
                carried = any(buffer.home == CARRIED for buffer in step.writes)
                if not (carried or may_fail(step)):
                    found.add(at)
        return found

    def _made(self) -> list[Value]:
        """The values in the arena made up to the turn."""
        found = self.timeline.maker.items()
        return [value for value, at in found if at <= self.at and value.buffer.home == ARENA]

    def _last_read(self, value: Value) -> int:
        return max(self.timeline.readers.get(value, (-1,)))

    def _crossing(self) -> list[int]:
        """For each position the bytes made up to it and read by later steps before the turn."""
        change = [0] * (self.at + 2)
        for value in self._made():
            for at, sign in self._span(value):
                change[at] += sign * self.timeline.bytes(value.buffer)
        result = [0]
        for more in change:
            result.append(result[-1] + more)
        return result[1:]

    def _span(self, value: Value) -> tuple[tuple[int, int], ...]:
        early = [at for at in self.timeline.readers.get(value, ()) if at <= self.at]
        return ((self.timeline.maker[value], 1), (max(early), -1)) if early else ()

    def _passing(self, segments: int) -> set[Value]:
        """The values that pass from one segment to the next."""
        ends = self._ends(segments)
        found: set[Value] = set()
        for value in self._made():
            span = self._span(value)
            if span and any(span[0][0] <= end < span[1][0] for end in ends):
                found.add(value)
        return found

    def _ends(self, segments: int) -> list[int]:
        """Where segments end: about as many bytes that are needed later in each, and as few as
        possible that pass to the next."""
        bytes_at = [0] * (self.at + 1)
        for value in self.needed:
            bytes_at[self.timeline.maker[value]] += self.timeline.bytes(value.buffer)
        total, done = max(sum(bytes_at), 1), 0
        around: dict[int, list[tuple[bool, int, float, int]]] = {}
        for at, here in enumerate(bytes_at):
            done += here
            share = done * segments / total
            distance = abs(share - round(share))
            rank = (distance > _NEAR, self.crossing[at], distance, at)
            around.setdefault(round(share), []).append(rank)
        return [min(around[part])[-1] for part in range(1, segments) if part in around]


def dropped_values(
    timeline: Timeline,
    needed: Collection[Value],
    kept: Collection[Value],
    allowed: Collection[int],
) -> set[Value]:
    """The values that are computed again, by a minimum cut: `needed` ones are kept or made from
    what is kept, those in `kept` cost nothing more, and those in `allowed` are the steps that
    may be run again.

    Of several cuts with the same bytes it is the one with the least to compute.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(("at hand", "needed"))
    stack, seen = list(needed), set(needed)
    for value in needed:
        graph.add_edge((value, True), "needed")
    while stack:
        value = stack.pop()
        capacity = 0 if value in kept else timeline.bytes(value.buffer)
        graph.add_edge((value, False), (value, True), capacity=capacity)
        at = timeline.maker[value]
        if value in kept or at not in allowed:
            graph.add_edge("at hand", (value, False))
            continue
        for source in timeline.uses[at].takes:
            if source.buffer.home == ARENA:
                graph.add_edge((source, True), (value, False))
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
    _, (_, late) = networkx.minimum_cut(graph, "at hand", "needed")
    return {value for value in seen if (value, False) in late}


def _cost(made: Repeated, sizes: Mapping[str, int]) -> int:
    """About how long it takes to run again what is, in bytes moved."""
    return sum(_step_cost(step, sizes) for step in made.again)


def _step_cost(step: ScheduledStep, sizes: Mapping[str, int]) -> int:
    moved = sum(bytes_of(buffer, sizes) for buffer in step.reads | step.writes)
    if not isinstance(step, Product):
        return moved
    pairs = step.a.shape[-1] * 1
    for dim in step.c.shape:
        pairs = pairs * dim
    return moved + evaluate_dim(pairs, sizes) // _PRODUCTS_PER_BYTE
