"""One call in flight: a bound program with an arena, a table and registers of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.errors import ExecutionError
from graphc.schedule.buffer import INPUT, OUTPUT, Buffer
from graphc.schedule.memory import ALIGNMENT
from graphc.schedule.row_parts import MOST_PARTS
from graphc.schedule.schedule import (
    Control,
    Schedule,
    buffers_of,
    parts_of,
)
from graphc.target.compiled_program import CompiledProgram
from graphc.target.control import ProgramBinder, control_patches, register_count, row_count
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, HALTED, NOT_STARTED, Context, Opcode
from graphc.target.machine import Machine
from graphc.target.program import Failed, Segment, Stops, argument_cells
from graphc.target.storage import Cells, Registers, aligned

_STATUS, _STEP = int(Context.STATUS), int(Context.STEP)


def step_count(schedule: Schedule) -> int:
    """The steps of a schedule, with those of its bodies."""
    return len(schedule.steps) + sum(step_count(part.schedule) for part in parts_of(schedule))


def patch_count(schedule: Schedule) -> int:
    """The most cells of a program whose content only a call knows."""

    def outside(buffers: list[Buffer]) -> int:
        return sum(buffer.home in (INPUT, OUTPUT) for buffer in buffers)

    total = 0
    for step in schedule.steps:
        if isinstance(step, Control):
            total += control_patches(step)
        else:
            total += outside(buffers_of(step))
    return total


class Instance:
    """A program bound to sizes for single calls: write addresses into `registers`, then `run()`.

    Where it is `stepped`, it can return to Python after each step (see `target.stepped`), in parts
    of a batch too if they do not run `beside` each other.
    """

    def __init__(
        self,
        program: CompiledProgram,
        sizes: Mapping[str, int],
        machine: Machine,
        stepped: bool = False,
        beside: bool = True,
    ) -> None:
        self.codes: dict[int, Failed] = {}
        schedule = program.schedule
        ports = len(schedule.inputs) + len(schedule.outputs)
        here = 1 if beside else MOST_PARTS  # bodies stand in the table so many times
        used = ports + here * register_count(schedule) + 1
        self.stops = Stops(used, used + 1, used, beside) if stepped else None
        binder = ProgramBinder(
            schedule, program.lives, sizes, program.handles, self.codes, self.stops
        )
        self.plan = binder.plan
        self.arena = aligned(max(binder.plan.peak_bytes, ALIGNMENT))
        self.cells = Cells(here * argument_cells(schedule))
        rows = here * row_count(schedule) + 2 + patch_count(schedule)
        if stepped:
            rows += here * step_count(schedule) + 1
        self.table = np.zeros((rows, COLUMNS), np.int64)
        self.registers = np.zeros(used + 2 * stepped, np.int64)
        self.context = np.zeros(CONTEXT_WORDS, np.int64)
        self.segment = binder.bind(
            int(self.arena.ctypes.data), self.table, 0, self.cells, Registers(self.registers, ports)
        )
        count, self.starts = binder.row, binder.starts
        self.table[count, 0] = Opcode.HALT
        row = write_patches(self.table, count + 1, self.segment)
        self.table[row, :2] = Opcode.JUMP, 0
        prepared = machine.prepare(self.table, self.registers, self.context)
        self._run, self._enter = prepared.run, prepared.enter
        self._start = count + 1
        # Python reads and writes a memoryview faster than an array's elements.
        self._words = memoryview(self.context)  # type: ignore[arg-type]

    @property
    def table_bytes(self) -> int:
        """What its instructions take, with their arguments and registers."""
        own = (self.table, self.cells.array, self.registers, *self.segment.tables)
        return sum(array.nbytes for array in own)

    def run(self, step: int) -> None:
        """Run once; `step` is what random draws see. Raises what the run reports."""
        words = self._words
        words[_STATUS] = 0
        words[_STEP] = step
        row = self._enter(self._start)
        if row == NOT_STARTED:
            row = self._run(self._start)
        if row != HALTED:
            raise failure(self.context, self.codes)


def write_patches(table: np.ndarray, row: int, segment: Segment) -> int:
    """Rows that put the addresses in registers where a segment wants them; the next free row."""
    for cell, register, offset in segment.patches:
        table[row, :7] = Opcode.SET, cell, offset, register, 1, 0, 0
        row += 1
    return row


def failure(context: np.ndarray, codes: Mapping[int, Failed]) -> ExecutionError:
    """The error that a run's context reports."""
    status, detail = int(context[Context.STATUS]), int(context[Context.DETAIL])
    failed = codes.get(status)
    if failed is None:
        return ExecutionError(f"the program stopped with status {status}, detail {detail}")
    known = failed.note.error(detail, failed.sizes)
    known.located = True
    return known
