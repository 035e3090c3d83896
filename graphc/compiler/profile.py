"""Where the time of a compiled function goes: step by step, against the limits of the machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from graphc.compiler.cost import Cost, cost
from graphc.compiler.measure import Times, measure
from graphc.compiler.memory_report import sizes_text
from graphc.compiler.source_text import describe, line_text, shortened
from graphc.errors import ArgumentError
from graphc.ir.site import Site
from graphc.schedule.schedule import Control, KernelCall, Schedule, ScheduledStep
from graphc.target.limits import MachineLimits, confirmed_limits, machine_limits

if TYPE_CHECKING:
    from graphc.compiler.function import Function

_LINES_SHOWN = 2
_ORDERS = ("time", "program")
# Faster than the limits by more than the clock's error: they were measured on a busy machine.
_DOUBTFUL_PERCENT = 110.0
_HEAD = (
    f"step {'us':>11} {'best':>10} {'share':>7} {'GFLOP/s':>8} {'GB/s':>7} {'of the limit':>18} "
    "threads"
)


@dataclass(frozen=True)
class StepProfile:
    """What one step of a program took, and what it did.

    `seconds` is the median over the runs, `best_seconds` the least. For a step in the body of a
    loop both are the time of all `runs` in one call together, and so is the `cost`. `share` is the
    part of the time of all steps. `limit_seconds` is the least time that the machine's limits
    allow, and `limited_by` what takes it: "memory", "cache" or "arithmetic"; they are None where
    nothing is counted. `threads` may work on the step at once. `steps` are those of the bodies of a
    loop or branch.

    A loop may do several `parts` of its batch side by side. Its steps have the shares of its time
    that they have where one part comes after the other.
    """

    number: str
    description: str
    kernel: int | None
    sites: tuple[Site, ...]
    seconds: float
    best_seconds: float
    share: float
    runs: int
    cost: Cost
    threads: int
    limit_seconds: float | None
    limited_by: str | None
    steps: tuple[StepProfile, ...] = ()
    parts: int = 1

    @property
    def operations_per_second(self) -> float:
        """Floating-point operations a second."""
        return self.cost.operations / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes read and written a second."""
        return self.cost.moved_bytes / self.seconds if self.seconds > 0 else 0.0

    @property
    def percent(self) -> float | None:
        """The part of the machine's limit that the step reaches, None where none is known."""
        if self.limit_seconds is None or self.seconds <= 0:
            return None
        return 100 * self.limit_seconds / self.seconds

    @property
    def limit_text(self) -> str:
        """The percentage of the limit and which it is."""
        percent = self.percent
        return "" if percent is None else f"{percent:.1f} % {self.limited_by}"


@dataclass(frozen=True)
class Profile:
    """A profile of one function for given arguments; printed, a table with the dearest step first.

    `call_seconds` is the median of calls as a whole: placing the arguments, running the program and
    making the results, without the check of the arguments. `limits` are those of the machine, None
    where the program is not native.
    """

    title: str
    sizes: Mapping[str, int]
    repeats: int
    call_seconds: float
    steps: tuple[StepProfile, ...]
    limits: MachineLimits | None

    @property
    def total_seconds(self) -> float:
        """The time of all steps together."""
        return sum(step.seconds for step in self.steps)

    @property
    def overhead_seconds(self) -> float:
        """What a call takes beside its steps. Below 0 where returning to Python after each step
        costs more than is subtracted for it."""
        return self.call_seconds - self.total_seconds

    def table(self, order: str = "time") -> str:
        """The profile as text; `order` is "time" (the dearest step first) or "program"."""
        if order not in _ORDERS:
            raise ArgumentError(f"table: expected order {' or '.join(_ORDERS)}, got {order!r}")
        total, call = self.total_seconds, self.call_seconds
        lines = [
            f"{self.title}; {sizes_text(self.sizes)}",
            f"call {call * 1e6:,.2f} us = steps {total * 1e6:,.2f} us + "
            f"{self.overhead_seconds * 1e6:,.2f} us around them; {self.repeats} runs",
        ]
        if self.limits is not None:
            lines.append(f"limits: {self.limits}")
        return "\n".join([*lines, _HEAD, *_rows(self.steps, order)])

    def __str__(self) -> str:
        return self.table()


def _rows(steps: Sequence[StepProfile], order: str) -> Iterator[str]:
    if order == "time":
        steps = sorted(steps, key=lambda step: -step.seconds)
    for step in steps:
        yield (
            f"{step.number:<5}{step.seconds * 1e6:11,.2f} {step.best_seconds * 1e6:10,.2f} "
            f"{100 * step.share:6.1f}% {step.operations_per_second / 1e9:8.2f} "
            f"{step.bytes_per_second / 1e9:7.2f} {step.limit_text:>18} {step.threads:7}"
        )
        runs = f"{step.runs:,} times: " if "." in step.number else ""
        yield shortened(f"     {runs}{step.description}")
        if step.parts > 1:
            yield "     its steps by their shares of a run of one part after the other"
        for site in step.sites[:_LINES_SHOWN]:
            yield shortened(f"     {line_text(site)}")
        if len(step.sites) > _LINES_SHOWN:
            yield f"     and {len(step.sites) - _LINES_SHOWN} more"
        yield from _rows(step.steps, order)


def profile(function: Function, arrays: list[np.ndarray], repeats: int) -> Profile:
    """See `Function.profile`."""
    if isinstance(repeats, bool) or not isinstance(repeats, int | np.integer) or repeats < 1:
        raise ArgumentError(f"profile: expected repeats >= 1, an integer; got {repeats!r}")
    sizes = function.sizes_of(arrays)
    function.last_sizes = sizes
    times = measure(function, arrays, sizes, int(repeats))
    steps, limits = step_profiles(function, sizes, times)
    return Profile(
        f"profile of {function!r}", sizes, len(times.calls), statistics.median(times.calls), steps,
        limits,
    )  # fmt: skip


def step_profiles(
    function: Function, sizes: Mapping[str, int], times: Times
) -> tuple[tuple[StepProfile, ...], MachineLimits | None]:
    """The records of the steps of a function, of which the times are known, and the limits that
    they are compared with."""
    limits = machine_limits() if function.target != "python" else None
    steps = _Records(function, sizes, times, limits).of(function.schedule, "")
    if any((step.percent or 0.0) > _DOUBTFUL_PERCENT for step in steps):
        limits = confirmed_limits()
        steps = _Records(function, sizes, times, limits).of(function.schedule, "")
    return steps, limits


class _Records:
    def __init__(
        self,
        function: Function,
        sizes: Mapping[str, int],
        times: Times,
        limits: MachineLimits | None,
    ) -> None:
        self.sizes, self.times, self.limits = sizes, times, limits
        self.number = {id(s): kernel.number for kernel in function.kernels for s, _ in kernel.steps}
        self.total = sum(map(statistics.median, times.steps.values()))
        self.again = function.budget.again if function.budget is not None else frozenset()
        # What is left of the cost of returning to Python inside the loop at hand, each time.
        self.excess = 0.0
        self.copies = 1  # of the loop at hand: parts of its batch, one after the other

    def of(self, schedule: Schedule, prefix: str) -> tuple[StepProfile, ...]:
        """A record for each step of a schedule; the numbers of those in bodies have points."""
        return tuple(
            self._record(step, f"{prefix}{number}") for number, step in enumerate(schedule.steps)
        )

    def _record(self, step: ScheduledStep, number: str) -> StepProfile:
        parts = self.times.parts.get(step, 1)
        runs = self.times.runs.get(step, 0) // self.copies
        if step in self.times.steps and isinstance(step, Control):
            self.excess = self._excess(step)
        steps = self._steps(step, number, parts)
        known = cost(step, self.sizes)
        limit, by = self._limit(known)
        if limit is not None and runs:
            limit *= runs
        if steps:
            limit, by = _of_bodies(steps)
        seconds, best = self._seconds(step, runs, () if parts > 1 else steps)
        threads = max([self._threads(step), *(record.threads for record in steps)])
        if parts > 1:
            steps = _scaled(steps, seconds, self.total, threads)
        kernel = self.number.get(id(step))
        again = " (again)" if step in self.again else ""
        in_parts = f", {parts} parts at once" if parts > 1 else ""
        return StepProfile(
            number, describe(step, kernel) + again + in_parts, kernel, _sites(step), seconds, best,
            seconds / self.total if self.total > 0 else 0.0, runs,
            sum((record.cost for record in steps), known * runs), threads,
            limit, by, steps, parts,
        )  # fmt: skip

    def _steps(self, step: ScheduledStep, number: str, copies: int) -> tuple[StepProfile, ...]:
        """Those of the bodies of a loop or branch."""
        bodies = step.parts if isinstance(step, Control) else ()
        before, self.copies = self.copies, self.copies * copies
        inner = [
            self.of(part.schedule, f"{number}.{at}." if len(bodies) > 1 else f"{number}.")
            for at, part in enumerate(bodies)
        ]
        self.copies = before
        return tuple(record for records in inner for record in records)

    def _seconds(
        self, step: ScheduledStep, runs: int, steps: tuple[StepProfile, ...]
    ) -> tuple[float, float]:
        """The median and the least time; in a body both are the time of all runs of one call."""
        found = self.times.steps.get(step)
        if found:
            return statistics.median(found), min(found)
        returns = self.excess * runs * self.copies
        own = max(self.times.inner.get(step, 0.0) - returns, 0.0)
        seconds = own + sum(record.seconds for record in steps)
        return seconds, seconds

    def _excess(self, step: Control) -> float:
        """How much longer a loop takes that returns after each step of its bodies, for a return."""
        inside = list(self._inside(step))
        runs = sum(self.times.runs.get(one, 0) for one in inside)
        longer = sum(self.times.inner.get(one, 0.0) for one in inside)
        whole = self.times.in_turn.get(step)
        longer -= statistics.median(self.times.steps[step]) if whole is None else whole
        return max(longer, 0.0) / runs if runs else 0.0

    def _inside(self, step: Control) -> Iterator[ScheduledStep]:
        """The steps of the bodies of a loop or branch, and of those inside them; a loop inside that
        is done in parts side by side is one step."""
        for part in step.parts:
            for one in part.schedule.steps:
                yield one
                if isinstance(one, Control) and one not in self.times.parts:
                    yield from self._inside(one)

    def _limit(self, known: Cost) -> tuple[float | None, str | None]:
        if self.limits is None or not known.operations + known.moved_bytes:
            return None, None
        return self.limits.least_seconds(
            known.read_bytes, known.written_bytes, known.operations, known.double_operations
        )

    def _threads(self, step: ScheduledStep) -> int:
        available = self.limits.threads if self.limits is not None else 1
        return min(self.times.chunks.get(step, 1), available)


def _scaled(
    steps: tuple[StepProfile, ...], seconds: float, total: float, threads: int
) -> tuple[StepProfile, ...]:
    """The steps of a loop, to add up to its time on so many threads, of `total` for the program.

    In equal parts if all are too short to have been seen."""
    seen = sum(step.seconds for step in steps)

    def scaled(step: StepProfile) -> StepProfile:
        own = seconds * step.seconds / seen if seen > 0 else seconds / len(steps)
        best = own * step.best_seconds / step.seconds if step.seconds > 0 else own
        share = own / total if total > 0 else 0.0
        return replace(step, seconds=own, best_seconds=best, share=share, threads=threads)

    return tuple(scaled(step) for step in steps)


def _of_bodies(steps: tuple[StepProfile, ...]) -> tuple[float | None, str | None]:
    """The limits of all steps of bodies together, and what limits most of that time."""
    parts: dict[str, float] = {}
    for record in steps:
        if record.limit_seconds is not None and record.limited_by is not None and record.runs:
            known = parts.get(record.limited_by, 0.0)
            parts[record.limited_by] = known + record.limit_seconds
    return (sum(parts.values()), max(parts, key=parts.__getitem__)) if parts else (None, None)


def _sites(step: ScheduledStep) -> tuple[Site, ...]:
    """The user's lines that a step computes: first those of what it stores."""
    found = [site for node in step.nodes for site in node.sites]
    if isinstance(step, KernelCall):
        nodes = [buffer.node for buffer in step.lowered.buffers]
        declared = {site for node in nodes if node is not None for site in node.sites}
        inside = [site for note in step.lowered.notes for site in note]
        found += [site for site in inside if site not in declared]
    return tuple(dict.fromkeys(found))
