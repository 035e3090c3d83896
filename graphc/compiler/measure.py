"""Timing a program step by step: on real arguments, with the states put back afterwards.

A loop that is done in parts of its batch side by side is one step. What the steps of its body take
is found by a program that does one part after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from graphc.compiler.effects import precise_failure
from graphc.compiler.slot import Slot
from graphc.errors import CheckFailedError
from graphc.ir.node import Node
from graphc.schedule.schedule import ScheduledStep
from graphc.target.stepped import SteppedInstance, Stop

if TYPE_CHECKING:
    from graphc.compiler.function import Function

# Of a program that takes long there are fewer runs than asked for, but not fewer than these.
_LONGEST_SECONDS, _FEWEST = 5.0, 3


@dataclass
class Times:
    """Seconds of whole calls, of each step in each of them, and of the steps of bodies in a run of
    middle length.

    `parts` are how many parts of a batch a loop is done in, if more than one. `in_turn` are the
    seconds of such a loop with one part after the other, as those of its steps are.
    """

    calls: list[float] = field(default_factory=list)
    steps: dict[ScheduledStep, list[float]] = field(default_factory=dict)
    inner: Mapping[ScheduledStep, float] = field(default_factory=dict)
    runs: Mapping[ScheduledStep, int] = field(default_factory=dict)
    chunks: Mapping[ScheduledStep, int] = field(default_factory=dict)
    parts: Mapping[ScheduledStep, int] = field(default_factory=dict)
    in_turn: Mapping[ScheduledStep, float] = field(default_factory=dict)


def measure(
    function: Function,
    arrays: list[np.ndarray],
    sizes: Mapping[str, int],
    repeats: int,
    tolerant: bool = False,
    longest_run: float = float("inf"),
) -> Times:
    """Run a function on these arrays, in turn whole and step by step.

    Parameters and states begin each run as they are now, and end as they are now; so does the
    number of the next step. A step that fails raises what a call would, or is passed over
    (`tolerant`). TimeoutError for a run that takes more seconds than `longest_run`.
    """
    with function.locked():
        updated = [(node, node.value) for node, _ in function.original.updates]
        try:
            return _Runs(function, arrays, sizes, tolerant, longest_run, updated).all(repeats)
        except CheckFailedError as error:
            for node, value in updated:
                node.value = value
            feed = dict(zip(function.inputs, arrays, strict=True))
            raise precise_failure(function.original, feed, function.step) or error from None
        finally:
            for node, value in updated:
                node.value = value


class _Runs:
    """The runs of one function on one set of arguments."""

    def __init__(
        self,
        function: Function,
        arrays: list[np.ndarray],
        sizes: Mapping[str, int],
        tolerant: bool,
        longest_run: float,
        updated: list[tuple[Node, np.ndarray]],
    ) -> None:
        self.arrays, self.longest_run, self.updated = arrays, longest_run, updated
        self.function, self.sizes, self.tolerant = function, sizes, tolerant
        self.number = function.step
        self._bind(beside=True)

    def _bind(self, beside: bool) -> None:
        function = self.function
        self.instance = SteppedInstance(
            function.compilation.program, self.sizes, function.machine, self.tolerant, beside,
        )  # fmt: skip
        self.slot = Slot(self.instance, self.arrays, function.results(self.sizes))

    def all(self, repeats: int) -> Times:
        """A first run that is not counted, then `repeats` of each kind."""
        times = Times(chunks=self.instance.chunks(), parts=self.instance.parts)
        start = time.perf_counter()
        self._run(Stop.STEPS)
        self.instance.measure_empty()
        for done in range(repeats):
            if done >= _FEWEST and time.perf_counter() - start > _LONGEST_SECONDS:
                break
            times.calls.append(self._run(Stop.NOTHING))
            self._run(Stop.STEPS)
            for step, seconds in self.instance.seconds.items():
                times.steps.setdefault(step, []).append(seconds)
        times.inner, times.runs = self._inside()
        if times.parts:
            self._run_in_turn(times)
        return times

    def _run_in_turn(self, times: Times) -> None:
        """What the steps inside divided loops take, with one part after the other."""
        empty_seconds = self.instance.empty_seconds
        self._bind(beside=False)
        self.instance.empty_seconds = empty_seconds
        taken: dict[ScheduledStep, list[float]] = {}
        for _ in range(_FEWEST):
            self._run(Stop.STEPS)
            for step in self.instance.seconds.keys() & times.parts.keys():
                taken.setdefault(step, []).append(self.instance.seconds[step])
        times.in_turn = {step: statistics.median(seconds) for step, seconds in taken.items()}
        inner, runs = self._inside()
        times.inner, times.runs = {**inner, **times.inner}, {**runs, **times.runs}

    def _inside(self) -> tuple[Mapping[ScheduledStep, float], Mapping[ScheduledStep, int]]:
        """What every step takes, those of bodies in all their runs, and how often they run.

        Of some runs it is the one in the middle: one alone may have been interrupted.
        """
        runs = []
        for _ in range(_FEWEST):
            self._run(Stop.ALL)
            runs.append((self.instance.seconds, self.instance.runs))
        runs.sort(key=lambda run: sum(run[0].values()))
        return runs[len(runs) // 2]

    def _run(self, stop: Stop) -> float:
        for node, value in self.updated:
            node.value = value
        self.instance.stop = stop
        self.slot.take(self.arrays)
        start = time.perf_counter()
        self.instance.deadline = start + self.longest_run
        self.slot.run(self.number)
        return time.perf_counter() - start
