"""Programs: a schedule bound to sizes, as a table of instructions for the driver.

Binding decides all that depends on sizes: offsets in the arena, chunks, product tiles, numbers.
Addresses that change from call to call (inputs and outputs) come in through registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from graphc import config
from graphc.ir.dim import Dim, Size
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ops.source import constant_value
from graphc.schedule.buffer import (
    ARENA,
    CARRIED,
    CONSTANT,
    INPUT,
    Buffer,
    Life,
    View,
)
from graphc.schedule.memory import MemoryPlan, plan
from graphc.schedule.note import CheckNote
from graphc.schedule.schedule import (
    Call,
    Control,
    Copy,
    KernelCall,
    Product,
    Routine,
    Schedule,
    ScheduledStep,
    parts_of,
)
from graphc.schedule.verify import verify_plan
from graphc.target.call import call_of
from graphc.target.chunks import chunk
from graphc.target.instructions import COLUMNS, Gemm, Opcode, float_bits
from graphc.target.product_row import parts_row, product_row
from graphc.target.storage import Cells, Registers


class Failed(NamedTuple):
    """What a status code of a run means."""

    note: CheckNote
    sizes: Mapping[str, int]


@dataclass(eq=False, repr=False)
class Segment:
    """Rows of a table that run one step of a program, and the memory they use.

    `patches` are (cell, register, offset): before the rows run, the cell takes register + offset.
    """

    rows: list[list[int]] = field(default_factory=list)
    patches: list[tuple[int, int, int]] = field(default_factory=list)
    holds: list[Any] = field(default_factory=list)  # arrays that must outlive the rows
    tables: list[np.ndarray] = field(default_factory=list)  # of rows that one of these starts


@dataclass(frozen=True, eq=False, repr=False)
class Stops:
    """Where a program may return to Python: before its first step, and after each.

    After a step of the program it does if register `outer` counts down to 0, after one of a body if
    `inner` does; `after` is the one of the two for the schedule that is bound. `steps` has for the
    row that follows the step, and whether it is one of the program itself.

    Parts of a batch that run `beside` each other do not return; else they run one after the other.
    `parts` has how many there are.
    """

    outer: int
    inner: int
    after: int
    beside: bool = True
    steps: dict[int, tuple[ScheduledStep | None, bool]] = field(default_factory=dict)
    parts: dict[ScheduledStep, int] = field(default_factory=dict)

    def inside(self) -> Stops:
        """The same for the bodies of a program."""
        return replace(self, after=self.inner)


class Binder:
    """Binds a schedule to sizes. `kernel(source step)` gives the address or handle of a step's
    kernel."""

    def __init__(
        self,
        schedule: Schedule,
        lives: tuple[Life, ...],
        sizes: Mapping[str, int],
        handles: Mapping[ScheduledStep, int],
        codes: dict[int, Failed],
        stops: Stops | None = None,
    ) -> None:
        self.stops = stops
        self.schedule, self.sizes, self.handles, self.codes = schedule, sizes, handles, codes
        self.plan: MemoryPlan = plan(lives, sizes)
        if config.verify_enabled():
            verify_plan(self.plan, sizes)

    def value(self, dim: Dim) -> int:
        """A dimension's value."""
        return evaluate_dim(dim, self.sizes)

    def bind(
        self, arena: int, table: np.ndarray, first_row: int, cells: Cells, registers: Registers
    ) -> Segment:
        """Fill rows of `table` from `first_row` on; `row` is then the next free one."""
        self.arena, self.cells, self.segment = arena, cells, Segment()
        self.table, self.row, self.registers = table, first_row, registers
        self.stop_after(None)
        self.bind_steps()
        return self.segment

    def bind_steps(self) -> None:
        """The rows of every step; `starts` holds their first rows, and the one after all."""
        self.starts: list[int] = []
        for step in self.schedule.steps:
            self.starts.append(self.row)
            if isinstance(step, KernelCall | Routine | Call):
                self._kernel(step)
            elif isinstance(step, Product):
                self._product(step)
            elif isinstance(step, Control):
                self._control(step)
            else:
                self._copy(step)
            self.stop_after(step)
        self.starts.append(self.row)

    def stop_after(self, step: ScheduledStep | None) -> None:
        """A row that may return to Python, where the program is to have any."""
        if self.stops is not None:
            self._emit(Opcode.YIELD, self.stops.after)
            self.stops.steps[self.row] = step, self.stops.after == self.stops.outer

    def _control(self, step: Control) -> None:
        """Loops and branches: see `target.control`, whose binders contain this one's like."""
        raise NotImplementedError

    # ---- addresses

    def _address(self, buffer: Buffer, cell: int, offset: int = 0) -> int:
        """The address to put in a cell; 0 and a patch if only a call knows it."""
        if buffer.home == ARENA:
            return self.arena + self.plan.offsets[buffer] + offset
        if buffer.home in (CARRIED, CONSTANT):
            array = self._held(buffer)
            return int(array.ctypes.data) + offset
        register = buffer.position
        if buffer.home != INPUT:
            register += len(self.schedule.inputs)
        self.segment.patches.append((cell, register, offset))
        return 0

    def _held(self, buffer: Buffer) -> np.ndarray:
        node = buffer.node
        assert node is not None
        declared = node.declaration
        array = declared.value if declared is not None else constant_value(node)
        assert array is not None
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        self.segment.holds.append(array)
        return array

    def _view(self, view: View, cell: int, offset: int = 0) -> int:
        """The address of a view, `offset` bytes on."""
        start = self.value(view.offset) * view.buffer.dtype.itemsize
        return self._address(view.buffer, cell, start + offset)

    # ---- instructions

    def _emit(self, *words: int) -> int:
        """Write one row and return the address of its column 0."""
        self.table[self.row, : len(words)] = words
        self.row += 1
        return self._row_address(self.row - 1)

    def _row_address(self, row: int) -> int:
        return int(self.table.ctypes.data) + row * COLUMNS * 8

    def _call(self, buffers: Sequence[Buffer | View], scalars: list[int]) -> int:
        """The argument table of a kernel: a cell for each buffer (or place in one), then the
        scalars."""
        first = self.cells.take(len(buffers) + len(scalars))
        for slot, place in enumerate(buffers):
            cell = self.cells.address(first + slot)
            known = self._view if isinstance(place, View) else self._address
            self.cells.array[first + slot] = known(place, cell)  # type: ignore[arg-type]
        at = first + len(buffers)
        self.cells.array[at : at + len(scalars)] = scalars
        return self.cells.address(first)

    def _kernel(self, step: KernelCall | Routine | Call) -> None:
        call = call_of(step)
        scalars = [self._scalar(dtype, value) for dtype, value in call.scalars]
        argv = self._call(call.places, scalars)
        extent, row_work = self.value(call.extent), self.value(call.row_work)
        grain = -(-chunk(extent, row_work, call.visit_work) // call.least) * call.least
        if grain >= extent:
            self._emit(Opcode.KERNEL, self.handles[step], 0, extent, argv)
        else:
            self._emit(Opcode.PARALLEL, self.handles[step], extent, grain, argv)

    def _scalar(self, dtype: str, value: Any) -> int:
        if isinstance(value, CheckNote):
            return self._code(value)
        number = self.value(value) if isinstance(value, int | Size) else value
        if dtype in ("float32", "float64"):
            return float_bits(float(number))
        return int(number)

    def _code(self, note: CheckNote) -> int:
        code = len(self.codes) + 1
        self.codes[code] = Failed(note, self.sizes)
        return code

    def _product(self, step: Product) -> None:
        row = product_row(step, self.sizes)
        total = parts_row(row, self._address(step.scratch[0], 0)) if step.scratch else []
        views = ((Gemm.A, step.a), (Gemm.B, step.b), (Gemm.C, step.c))
        self._emit_product(row, views[:2] if total else views)
        if total:
            self._emit_product(total, views[2:])

    def _emit_product(self, row: list[int], views: Sequence[tuple[Gemm, View]]) -> None:
        base = self._row_address(self.row)
        for column, view in views:
            row[column] = self._view(view, base + 8 * column)
        self._emit(*row)

    def _copy(self, step: Copy) -> None:
        size = self.value(step.target.elements) * step.target.dtype.itemsize
        base = self._row_address(self.row)
        target = self._address(step.target, base + 8)
        source = self._address(step.source, base + 16)
        self._emit(Opcode.COPY, target, source, size)


def argument_cells(schedule: Schedule) -> int:
    """The argument cells that a program of this schedule takes."""
    total = sum(argument_cells(part.schedule) for part in parts_of(schedule))
    for step in schedule.steps:
        if isinstance(step, KernelCall | Routine | Call):
            call = call_of(step)
            total += len(call.places) + len(call.scalars)
    return total
