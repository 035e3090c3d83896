"""A program that is run step by step, each of them timed.

The program has a row after each step, also in the bodies of its loops, that can return to Python;
otherwise it is the one that calls run, on the same memory. What an empty return takes is measured
and subtracted.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from enum import Enum

from graphc.schedule.schedule import ScheduledStep
from graphc.target.compiled_program import CompiledProgram
from graphc.target.instance import Instance, failure
from graphc.target.instructions import HALTED, Context, Gemm, Opcode
from graphc.target.machine import Machine
from graphc.target.program import Stops

_NEVER = 1 << 62
# Long loops return now and then, for Ctrl-C and the deadline.
_SOMETIMES = 1_000
_EMPTY_RUNS = 51
_STATUS, _STEP = int(Context.STATUS), int(Context.STEP)


class Stop(Enum):
    """After what a run returns to Python."""

    NOTHING = (_NEVER, _NEVER)
    STEPS = (1, _SOMETIMES)
    ALL = (1, 1)  # the steps of bodies too


class SteppedInstance(Instance):
    """An instance whose `run` takes the time of each step, in `seconds`.

    `stop` says which steps are told apart. With `tolerant` a step that fails is left, and the next
    one runs. A run that lasts longer than until `deadline` (as `time.perf_counter` tells it) raises
    TimeoutError. Parts of a batch run `beside` each other as in any call, and are one step; or one
    after the other, and each step of theirs is told apart.
    """

    def __init__(
        self,
        program: CompiledProgram,
        sizes: Mapping[str, int],
        machine: Machine,
        tolerant: bool = False,
        beside: bool = True,
    ) -> None:
        super().__init__(program, sizes, machine, True, beside)
        self.stop, self.tolerant, self.deadline = Stop.NOTHING, tolerant, float("inf")
        self.seconds: dict[ScheduledStep, float] = {}
        self.runs: Counter[ScheduledStep] = Counter()
        self.empty_seconds = 0.0

    def measure_empty(self) -> None:
        """Find out what a return to Python takes: a run of the row that does, and of no other."""
        last = max(self._stops.steps) - 1
        self._stop_at(Stop.STEPS)
        taken = []
        for _ in range(_EMPTY_RUNS):
            self._stop_at(Stop.STEPS)
            start = time.perf_counter()
            self._run(last)
            taken.append(time.perf_counter() - start)
        self.empty_seconds = statistics.median(taken)

    def run(self, step: int) -> None:
        """Run once and take the times; `step` is what random draws see. Raises what fails."""
        self.seconds, self.runs = {}, Counter()
        words, stops = self._words, self._stops.steps
        words[_STATUS], words[_STEP] = 0, step
        row, since_outer = self._start, 0.0
        while True:
            self._stop_at(self.stop)
            start = time.perf_counter()
            row = self._run(row)
            end = time.perf_counter()
            taken = max(end - start - self.empty_seconds, 0.0)
            since_outer += taken
            if words[_STATUS]:
                row = self._after_failure(row)
            elif row == HALTED:
                return
            else:
                ended, outer = stops[row]
                if ended is not None and (outer or self.stop is Stop.ALL):
                    self.seconds[ended] = self.seconds.get(ended, 0.0) + (
                        since_outer if outer else taken
                    )
                    self.runs[ended] += 1
                since_outer = 0.0 if outer else since_outer
            if end > self.deadline:
                raise TimeoutError

    def _after_failure(self, row: int) -> int:
        """The row after one that failed."""
        if not self.tolerant:
            raise failure(self.context, self.codes)
        self._words[_STATUS] = 0
        return row + 1

    @property
    def parts(self) -> Mapping[ScheduledStep, int]:
        """How many parts of its batch each loop is done in that is divided."""
        return self._stops.parts

    @property
    def _stops(self) -> Stops:
        assert self.stops is not None
        return self.stops

    def _stop_at(self, stop: Stop) -> None:
        outer, inner = stop.value
        self.registers[self._stops.outer] = outer
        self.registers[self._stops.inner] = inner

    def chunks(self) -> dict[ScheduledStep, int]:
        """The most parts that each step is cut into, to be computed by several threads."""
        found: dict[ScheduledStep, int] = {}
        waiting = 1
        for row in range(len(self.table)):
            if row in self._stops.steps:
                step, _ = self._stops.steps[row]
                if step is not None:
                    found[step] = waiting
                waiting = 1
            waiting = max(waiting, _chunks([int(word) for word in self.table[row]]))
        return found


def _chunks(row: list[int]) -> int:
    if row[0] == Opcode.PARALLEL:
        return -(-row[2] // max(row[3], 1))
    if row[0] == Opcode.FORK:
        return row[2]
    if row[0] == Opcode.GEMM:
        down = -(-row[Gemm.M] // max(row[Gemm.TILE_M], 1))
        down *= -(-row[Gemm.K] // (row[Gemm.TILE_K] or max(row[Gemm.K], 1)))
        return down * -(-row[Gemm.N] // max(row[Gemm.TILE_N], 1)) * row[Gemm.BATCH]
    return 1
