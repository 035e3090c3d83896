"""The native loop: minibatches, the last short batch, shuffling and several epochs, as one table of
instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graphc.errors import ExecutionError
from graphc.ir.node import Node
from graphc.ops.source import input_op
from graphc.schedule.buffer import Life
from graphc.schedule.memory import ALIGNMENT
from graphc.schedule.note import IndexNote
from graphc.schedule.schedule import Schedule
from graphc.target.chunks import chunk
from graphc.target.control import ProgramBinder, register_count, row_count
from graphc.target.instance import Handles, failure, patch_count, write_patches
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, HALTED, Context, Opcode
from graphc.target.machine import Machine
from graphc.target.program import Failed, argument_cells
from graphc.target.routine_source import gather_source, shuffle_source
from graphc.target.storage import Cells, Registers, aligned

_SHUFFLE_CELLS, _GATHER_CELLS = 4, 5


@dataclass(frozen=True)
class LoopPlan:
    """What a loop does: `count` examples in batches of `batch`, for epochs first <= e < last."""

    count: int
    batch: int
    first_epoch: int
    last_epoch: int
    seed: int
    shuffle: bool

    @property
    def full(self) -> int:
        """Whole batches in an epoch."""
        return self.count // self.batch

    @property
    def rest(self) -> int:
        """Examples in the last, short batch; 0 if there is none."""
        return self.count % self.batch

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.full + (self.rest > 0)

    @property
    def steps(self) -> int:
        """Batches in all."""
        return self.steps_per_epoch * (self.last_epoch - self.first_epoch)


class LoopProgram:
    """A bound loop. `advance(n)` runs up to n steps and gives the number of steps done so far.

    `outputs` have a row for each step; `printed` are bytes that every step writes again.
    """

    def __init__(
        self,
        schedule: Schedule,
        lives: tuple[Life, ...],
        sizes: tuple[Mapping[str, int] | None, Mapping[str, int] | None],
        handles: Handles,
        machine: Machine,
        data: tuple[np.ndarray, ...],
        outputs: tuple[np.ndarray, ...],
        printed: tuple[np.ndarray, ...],
        plan: LoopPlan,
        first_step: int,
    ) -> None:
        self.plan, self.data, self.outputs, self.printed = plan, data, outputs, printed
        self.codes: dict[int, Failed] = {}
        self._held: list[np.ndarray] = []
        self._schedule, self._machine, self._first_step = schedule, machine, first_step
        known = [
            s
            for s, used in zip(sizes, (plan.full, plan.rest), strict=True)
            if used and s is not None
        ]
        self._binders = [ProgramBinder(schedule, lives, s, handles, self.codes) for s in known]
        self._batches = [b for b, used in ((plan.batch, plan.full), (plan.rest, plan.rest)) if used]
        self.order = np.arange(plan.count, dtype=np.int64)
        self._allocate()
        self._write()
        self.row = 0
        self.done = 0
        self._run = machine.prepare(self.table, self.registers, self.context).run

    # ---- layout

    def _allocate(self) -> None:
        peak = max((b.plan.peak_bytes for b in self._binders), default=0)
        self.peak_bytes = peak
        self.arena = aligned(max(peak, ALIGNMENT))
        largest = max(self._batches, default=0)
        self._staging = [
            aligned(max(largest * _row_bytes(a), ALIGNMENT)) for a in self.data
        ] if self.plan.shuffle else []  # fmt: skip
        per_segment = argument_cells(self._schedule) + _GATHER_CELLS * len(self.data)
        self.cells = Cells(per_segment * len(self._binders) + _SHUFFLE_CELLS)
        ports = len(self.data) + len(self.outputs) + len(self.printed)
        rows = (
            row_count(self._schedule) + patch_count(self._schedule) + 2 * ports + len(self.data) + 8
        )
        self.table = np.zeros((rows * max(len(self._binders), 1) + 8, COLUMNS), np.int64)
        self._epoch, self._step, self._global, self._budget = range(ports, ports + 4)
        inside = register_count(self._schedule) * len(self._binders)
        self.registers = np.zeros(ports + 4 + inside, np.int64)
        self._free = Registers(self.registers, ports + 4)
        self.context = np.zeros(CONTEXT_WORDS, np.int64)

    def _write(self) -> None:
        self._next = 0
        self._emit(Opcode.MOVE, self._epoch, self.plan.first_epoch)
        epoch = self._next
        if self.plan.shuffle:
            self._shuffle()
        self._emit(Opcode.MOVE, self._step, 0)
        segments = iter(zip(self._binders, self._batches, strict=True))
        if self.plan.full:
            first = self._next
            self._segment(*next(segments), 0)
            self._emit(Opcode.JUMP_IF_LESS, self._step, self.plan.full, 0, first)
        if self.plan.rest:
            self._segment(*next(segments), self.plan.full * self.plan.batch)
        self._emit(Opcode.ADD, self._epoch, 1)
        self._emit(Opcode.JUMP_IF_LESS, self._epoch, self.plan.last_epoch, 0, epoch)
        self._emit(Opcode.HALT)

    def _emit(self, *words: int) -> None:
        self.table[self._next, : len(words)] = words
        self._next += 1

    def _set(self, cell: int, base: int, register: int, stride: int) -> None:
        self._emit(Opcode.SET, cell, base, register, stride, 0, 0)

    def _shuffle(self) -> None:
        handle, _, _ = self._machine.kernel(shuffle_source())
        first = self.cells.take(_SHUFFLE_CELLS)
        self.cells.array[first : first + 3] = (
            self.order.ctypes.data,
            self.plan.count,
            self.plan.seed,
        )
        self._set(self.cells.address(first + 3), 0, self._epoch, 1)
        self._emit(Opcode.KERNEL, handle, 0, 1, self.cells.address(first))

    def _register_address(self, register: int) -> int:
        return int(self.registers.ctypes.data) + 8 * register

    def _segment(self, binder: ProgramBinder, batch: int, start: int) -> None:
        """The rows of one batch size: inputs, outputs, the program, counters."""
        for position, array in enumerate(self.data):
            self._input(position, array, batch, start)
        for position, array in enumerate(self.outputs):
            register = len(self.data) + position
            stride = array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
            self._set(self._register_address(register), array.ctypes.data, self._global, stride)
        for position, array in enumerate(self.printed, start=len(self.data) + len(self.outputs)):
            self._set(self._register_address(position), array.ctypes.data, self._global, 0)
        word = int(self.context.ctypes.data) + 8 * Context.STEP
        self._set(word, self._first_step, self._global, 1)
        # The program is bound after the rows that fill its cells, whose number is known only then.
        body = self._next + patch_count(self._schedule)
        arena = int(self.arena.ctypes.data)
        segment = binder.bind(arena, self.table, body, self.cells, self._free)
        self._held.extend(segment.holds)
        after = write_patches(self.table, self._next, segment)
        if after < body:
            self.table[after, :2] = Opcode.JUMP, body
        self._next = binder.row
        self._emit(Opcode.ADD, self._step, 1)
        self._emit(Opcode.ADD, self._global, 1)
        self._emit(Opcode.YIELD, self._budget)

    def _input(self, position: int, array: np.ndarray, batch: int, start: int) -> None:
        """Where the program finds the rows of this batch: in the data itself, or gathered by the
        shuffled order."""
        register, size = self._register_address(position), _row_bytes(array)
        if not self.plan.shuffle:
            base = int(array.ctypes.data) + start * size
            self._set(register, base, self._step, 0 if start else batch * size)
            return
        handle, _, _ = self._machine.kernel(gather_source(array.dtype.name))
        width = int(np.prod(array.shape[1:], dtype=np.int64))
        staging = int(self._staging[position].ctypes.data)
        first = self.cells.take(_GATHER_CELLS)
        argv = (array.ctypes.data, self.order.ctypes.data, staging, start, width)
        self.cells.array[first : first + _GATHER_CELLS] = argv
        if not start:
            self._set(self.cells.address(first + 3), 0, self._step, batch)
        self._set(register, staging, self._step, 0)
        grain = chunk(batch, width)
        if grain >= batch:
            self._emit(Opcode.KERNEL, handle, 0, batch, self.cells.address(first))
        else:
            self._emit(Opcode.PARALLEL, handle, batch, grain, self.cells.address(first))

    # ---- running

    def advance(self, steps: int) -> int:
        """Run up to `steps` more steps; the number of steps done since the start."""
        self.registers[self._budget] = min(steps, self.plan.steps - self.done)
        self.context[Context.STATUS] = 0
        if self.plan.steps == 0:
            return 0
        row = self._run(self.row)
        self.done = int(self.registers[self._global])
        if self.context[Context.STATUS]:
            raise self._failure()
        self.row = row if row != HALTED else self.row
        return self.done

    def _failure(self) -> ExecutionError:
        """What the context reports, with the step and, for an input's index, the example."""
        error = failure(self.context, self.codes)
        step, per_epoch = self.done, self.plan.steps_per_epoch
        where = f"step {step} (epoch {self.plan.first_epoch + step // per_epoch}"
        failed = self.codes.get(int(self.context[Context.STATUS]))
        note = failed.note if failed is not None else None
        if isinstance(note, IndexNote) and _names_examples(note.indices):
            position = int(self.context[Context.DETAIL]) >> 32
            example = self.order[step % per_epoch * self.plan.batch + position]
            where += f", example {example} of the data"
        known = type(error)(f"{where}): {error}")
        known.located = True
        return known

    def mark(self) -> tuple[int, int, np.ndarray, np.ndarray]:
        """The place that the loop has reached, to come back to with `reset`."""
        return self.row, self.done, self.registers.copy(), self.order.copy()

    def reset(self, mark: tuple[int, int, np.ndarray, np.ndarray]) -> None:
        """Go back to a place; the states have to be put back by the caller."""
        self.row, self.done = mark[0], mark[1]
        self.registers[:] = mark[2]
        self.order[:] = mark[3]

    def is_rest(self, step: int) -> bool:
        """Whether a step takes the last, short batch of its epoch."""
        return step % self.plan.steps_per_epoch >= self.plan.full

    def batch(self, step: int) -> tuple[np.ndarray, ...]:
        """The examples of a step of the epoch that is running now."""
        at = step % self.plan.steps_per_epoch
        first = at * self.plan.batch
        chosen = self.order[first : first + self.plan.batch]
        return tuple(array[chosen] for array in self.data)


def _names_examples(indices: Node) -> bool:
    """Whether the place in an index operand is the number of an example of the batch."""
    return indices.op is input_op and indices.ndim == 1


def _row_bytes(array: np.ndarray) -> int:
    return array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
