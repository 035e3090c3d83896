"""The native loop: minibatches, the last short batch, shuffling and several epochs, as one table of
instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphc.errors import ExecutionError
from graphc.ir.node import Node
from graphc.ops.source import input_op
from graphc.schedule.memory import ALIGNMENT
from graphc.schedule.note import IndexNote
from graphc.target.batches import NO_RUN, Batches, LoopRun, Row
from graphc.target.chunks import chunk
from graphc.target.compiled_program import CompiledProgram
from graphc.target.control import ProgramBinder, register_count, row_count
from graphc.target.instance import failure, patch_count, write_patches
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, HALTED, Context, Opcode
from graphc.target.machine import Machine
from graphc.target.program import Failed, argument_cells
from graphc.target.routine_source import gather_source, shuffle_source
from graphc.target.storage import Cells, Registers, address, aligned

_SHUFFLE_CELLS, _GATHER_CELLS = 4, 5


_NO_ORDER = np.empty(0, np.int64)


class Mark(NamedTuple):
    """A place in a run."""

    row: int
    done: int
    registers: np.ndarray
    order: np.ndarray


class _Part(NamedTuple):
    """The batches of one length: their program, and the first example of the first of them."""

    binder: ProgramBinder
    length: int
    start: int


class LoopProgram:
    """A bound loop: `start(run)`, then `advance(n)` runs up to n steps and gives the number
    of steps done so far, then `finish()`; and again, for one run at a time.

    Whatever differs from run to run is in registers, so that the table is written once. `rows` are
    those of inputs and `outputs` of outputs; `printed` are bytes that every step writes again.
    """

    def __init__(
        self,
        program: CompiledProgram,
        sizes: tuple[Mapping[str, int] | None, Mapping[str, int] | None],
        machine: Machine,
        rows: Sequence[Row],
        outputs: Sequence[Row],
        printed: tuple[np.ndarray, ...],
        batches: Batches,
    ) -> None:
        self.batches = batches
        self.codes: dict[int, Failed] = {}
        self._held: list[np.ndarray] = []
        self._tables: list[np.ndarray] = []
        self._schedule, self._machine = program.schedule, machine
        lives, handles = program.lives, program.handles
        self._rows, self._outputs, self._printed = rows, outputs, printed
        parts = (
            (sizes[0], batches.batch if batches.full else 0, 0),
            (sizes[1], batches.rest, batches.full * batches.batch),
        )
        self._parts = [
            _Part(ProgramBinder(program.schedule, lives, known, handles, self.codes), length, start)
            for known, length, start in parts
            if length and known is not None
        ]
        self.finish()
        self._allocate()
        self._write()
        self._enter = machine.prepare(self.table, self.registers, self.context).run

    @property
    def bytes(self) -> int:
        """The memory that it keeps from run to run, less what is small."""
        return self.arena.nbytes + self.staging_bytes

    @property
    def staging_bytes(self) -> int:
        """What the rows take that a step is given."""
        return sum(staging.nbytes for staging in self._staging)

    @property
    def table_bytes(self) -> int:
        """What its instructions take, with their arguments and registers."""
        own = (self.table, self.cells.array, self.registers, *self._tables)
        return sum(array.nbytes for array in own)

    # ---- layout

    def _allocate(self) -> None:
        peak = max((part.binder.plan.peak_bytes for part in self._parts), default=0)
        self.arena = aligned(max(peak, ALIGNMENT))
        largest = max((part.length for part in self._parts), default=0)
        self._staging = [
            aligned(max(largest * row.bytes, ALIGNMENT)) for row in self._rows
        ] if self.batches.shuffle else []  # fmt: skip
        count = len(self._parts)
        cells = argument_cells(self._schedule) + _GATHER_CELLS * len(self._rows)
        self.cells = Cells(cells * count + _SHUFFLE_CELLS)
        rows = row_count(self._schedule) + patch_count(self._schedule) + 8
        rows += 4 * len(self._rows) + len(self._outputs)
        self.table = np.zeros((rows * count + len(self._printed) + 16, COLUMNS), np.int64)
        self._place_registers()
        self.context = np.zeros(CONTEXT_WORDS, np.int64)

    def _place_registers(self) -> None:
        """Those of the program come first, then those of a run as `start` writes them."""
        inputs, outputs, printed = len(self._rows), len(self._outputs), len(self._printed)
        run = inputs + outputs + printed
        (
            self._step, self._global, self._budget, self._epoch, self._end, self._first_step,
            self._seed, self._order, self._data,
        ) = range(run, run + 9)  # fmt: skip
        self._results = self._data + inputs
        used = self._results + outputs
        inside = register_count(self._schedule) * len(self._parts)
        self.registers = np.zeros(used + inside, np.int64)
        self._free = Registers(self.registers, used)

    def _write(self) -> None:
        self._next, batches = 0, self.batches
        self._write_constants()
        gathers = [self._gather_cells(part.start) for part in self._parts]
        epoch = self._next
        if batches.shuffle:
            self._shuffle()
        self._emit(Opcode.MOVE, self._step, 0)
        parts = iter(zip(self._parts, gathers, strict=True))
        if batches.full:
            first = self._next
            self._segment(*next(parts))
            self._emit(Opcode.JUMP_IF_LESS, self._step, batches.full, 0, first)
        if batches.rest:
            self._segment(*next(parts))
        self._emit(Opcode.ADD, self._epoch, 1)
        self._emit(Opcode.JUMP_IF_LESS, self._epoch, self._end, 1, epoch)
        self._emit(Opcode.HALT)

    def _write_constants(self) -> None:
        """Rows for the addresses that are the same at every step and in every run."""
        first = len(self._rows) + len(self._outputs)
        for register, array in enumerate(self._printed, start=first):
            self._emit(Opcode.MOVE, register, array.ctypes.data)
        for register, array in enumerate(self._staging):
            self._emit(Opcode.MOVE, register, array.ctypes.data)

    def _gather_cells(self, start: int) -> list[int]:
        """The arguments that gather a batch of each input, and rows for those known at the start of
        a run."""
        cells = []
        for position, staging in enumerate(self._staging):
            first = self.cells.take(_GATHER_CELLS)
            argv = (0, 0, staging.ctypes.data, start, self._rows[position].elements)
            self.cells.array[first : first + _GATHER_CELLS] = argv
            self._set(self.cells.address(first), 0, self._data + position, 1)
            self._set(self.cells.address(first + 1), 0, self._order, 1)
            cells.append(first)
        return cells

    def _emit(self, *words: int) -> None:
        self.table[self._next, : len(words)] = words
        self._next += 1

    def _set(
        self, cell: int, offset: int, register: int, stride: int, base: int | None = None
    ) -> None:
        """A row that writes offset + R[register] * stride, and R[base] if given."""
        self._emit(Opcode.SET, cell, offset, register, stride, base or 0, int(base is not None))

    def _shuffle(self) -> None:
        handle, _, _ = self._machine.kernel(shuffle_source())
        first = self.cells.take(_SHUFFLE_CELLS)
        self.cells.array[first + 1] = self.batches.count
        for place, register in ((0, self._order), (2, self._seed), (3, self._epoch)):
            self._set(self.cells.address(first + place), 0, register, 1)
        self._emit(Opcode.KERNEL, handle, 0, 1, self.cells.address(first))

    def _register_address(self, register: int) -> int:
        return int(self.registers.ctypes.data) + 8 * register

    def _segment(self, part: _Part, gathers: list[int]) -> None:
        """The rows of one batch length: inputs, outputs, the program, counters."""
        for position, row in enumerate(self._rows):
            if self.batches.shuffle:
                self._gather(gathers[position], row, part)
            else:  # found in the data themselves
                size, cell = row.bytes, self._register_address(position)
                stride = 0 if part.start else part.length * size
                self._set(cell, part.start * size, self._step, stride, self._data + position)
        for position, row in enumerate(self._outputs):
            cell = self._register_address(len(self._rows) + position)
            self._set(cell, 0, self._global, row.bytes, self._results + position)
        word = int(self.context.ctypes.data) + 8 * Context.STEP
        self._set(word, 0, self._global, 1, self._first_step)
        # The program is bound after the rows that fill its cells, whose number is known only then.
        body = self._next + patch_count(self._schedule)
        arena = int(self.arena.ctypes.data)
        segment = part.binder.bind(arena, self.table, body, self.cells, self._free)
        self._held.extend(segment.holds)
        self._tables.extend(segment.tables)
        after = write_patches(self.table, self._next, segment)
        if after < body:
            self.table[after, :2] = Opcode.JUMP, body
        self._next = part.binder.row
        self._emit(Opcode.ADD, self._step, 1)
        self._emit(Opcode.ADD, self._global, 1)
        self._emit(Opcode.YIELD, self._budget)

    def _gather(self, first: int, row: Row, part: _Part) -> None:
        """Gather the rows of this batch by the shuffled order."""
        handle, _, _ = self._machine.kernel(gather_source(row.dtype.name))
        if not part.start:
            self._set(self.cells.address(first + 3), 0, self._step, part.length)
        grain = chunk(part.length, row.elements)
        if grain >= part.length:
            self._emit(Opcode.KERNEL, handle, 0, part.length, self.cells.address(first))
        else:
            self._emit(Opcode.PARALLEL, handle, part.length, grain, self.cells.address(first))

    # ---- running

    def start(self, run: LoopRun) -> None:
        """Begin a run."""
        batches, self.run = self.batches, run
        self.steps = batches.steps * len(run.epochs)
        self.row = self.done = 0
        self.order = np.empty(batches.count if batches.shuffle else 0, np.int64)
        seed = run.seed if batches.shuffle else 0
        addresses = [address(array) for array in (self.order, *run.data, *run.outputs)]
        words = [0, 0, 0, run.epochs.start, run.epochs.stop, run.first_step, seed, *addresses]
        self.registers[self._step : self._step + len(words)] = words

    def finish(self) -> None:
        """End a run: nothing that it was given is held any longer."""
        self.run, self.order, self.steps = NO_RUN, _NO_ORDER, 0
        self.row = self.done = 0

    def advance(self, steps: int) -> int:
        """Run up to `steps` more steps; the number of steps done since the start."""
        if self.done == self.steps:
            return self.done
        self.registers[self._budget] = min(steps, self.steps - self.done)
        self.context[Context.STATUS] = 0
        row = self._enter(self.row)
        self.done = int(self.registers[self._global])
        if self.context[Context.STATUS]:
            raise self._failure()
        self.row = row if row != HALTED else self.row
        return self.done

    def _failure(self) -> ExecutionError:
        """What the context reports, with the step and, for an input's index, the example."""
        error = failure(self.context, self.codes)
        where = f"step {self.done} (epoch {self.epoch(self.done)}"
        failed = self.codes.get(int(self.context[Context.STATUS]))
        note = failed.note.known if failed is not None else None
        if isinstance(note, IndexNote) and _names_examples(note.indices):
            position = int(self.context[Context.DETAIL]) >> 32
            where += f", example {self._examples(self.done)[position]} of the data"
        known = type(error)(f"{where}): {error}")
        known.located = True
        return known

    def mark(self) -> Mark:
        """The place that the loop has reached, to come back to with `reset`."""
        return Mark(self.row, self.done, self.registers.copy(), self.order.copy())

    def reset(self, mark: Mark) -> None:
        """Go back to a place; the states have to be put back by the caller."""
        self.row, self.done = mark.row, mark.done
        self.registers[:] = mark.registers
        self.order[:] = mark.order

    def is_rest(self, step: int) -> bool:
        """Whether a step takes the last, short batch of its epoch."""
        return step % self.batches.steps >= self.batches.full

    def epoch(self, step: int) -> int:
        """The number of the epoch that a step belongs to."""
        return self.run.epochs.start + step // self.batches.steps

    def batch(self, step: int) -> tuple[np.ndarray, ...]:
        """The examples of a step of the epoch that is running now."""
        chosen = self._examples(step)
        return tuple(array[chosen] for array in self.run.data)

    def _examples(self, step: int) -> np.ndarray:
        """The numbers of the examples of a step of the epoch that is running now."""
        first = step % self.batches.steps * self.batches.batch
        last = min(first + self.batches.batch, self.batches.count)
        return self.order[first:last] if self.batches.shuffle else np.arange(first, last)


def _names_examples(indices: Node) -> bool:
    """Whether the place in an index operand is the number of an example of the batch."""
    return indices.op is input_op and indices.ndim == 1
