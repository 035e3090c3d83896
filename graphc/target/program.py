"""Programs: a schedule bound to sizes, as a table of instructions for the driver.

Binding decides all that depends on sizes: offsets in the arena, chunks, product tiles, numbers.
Addresses that change from call to call (inputs and outputs) come in through registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc import config
from graphc.ir.dim import Dim, Size, product
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.loops.work import work as work_of
from graphc.ops.evaluate import evaluate_static
from graphc.ops.source import constant_value
from graphc.schedule.analysis import BATCH_STRIDES
from graphc.schedule.buffer import (
    ARENA,
    CARRIED,
    CONSTANT,
    INPUT,
    Buffer,
    Life,
    View,
    batch_axes,
    batch_runs,
    matrix_layout,
)
from graphc.schedule.memory import MemoryPlan, plan
from graphc.schedule.note import CheckNote, RoutineNote
from graphc.schedule.schedule import (
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
from graphc.target.blas import gemm_tiles
from graphc.target.instructions import COLUMNS, Gemm, Opcode, float_bits

# A part that is handed over has at least this much work (see `loops.work`). Measured: a region
# costs 0.7 us and some cache misses, so two threads begin to gain at two parts of about 2 us: for a
# row sum at 65,536 elements, for exp at 16,384, for a softmax at 8,192.
PARALLEL_WORK = 65_536
# The work of copying an element from memory that no cache holds.
COPY_WORK = 4
# The most chunks that a kernel is cut into: enough for balance, few enough to cost nothing.
MAXIMUM_CHUNKS = 64


@dataclass(frozen=True)
class Failed:
    """What a status code of a run means."""

    note: CheckNote
    sizes: Mapping[str, int]


@dataclass
class Segment:
    """Rows of a table that run one step of a program, and the memory they use.

    `patches` are (cell, register, offset): before the rows run, the cell takes register + offset.
    """

    rows: list[list[int]] = field(default_factory=list)
    patches: list[tuple[int, int, int]] = field(default_factory=list)
    holds: list[Any] = field(default_factory=list)  # arrays that must outlive the rows


class Cells:
    """int64 cells at fixed addresses: the argument tables of kernels, and everything that is
    patched."""

    def __init__(self, count: int) -> None:
        self.array = np.zeros(max(count, 1), np.int64)
        self._used = 0

    def take(self, count: int) -> int:
        """The index of the first of `count` new cells."""
        first = self._used
        self._used += count
        assert self._used <= self.array.size
        return first

    def address(self, index: int) -> int:
        """The address of a cell."""
        return int(self.array.ctypes.data) + 8 * index


class Registers:
    """The registers of a program: those of inputs and outputs, then those of its loops."""

    def __init__(self, array: np.ndarray, used: int) -> None:
        self.array, self._used = array, used

    def take(self) -> int:
        """The index of a new register."""
        self._used += 1
        assert self._used <= self.array.size
        return self._used - 1

    def address(self, index: int) -> int:
        """The address of a register."""
        return int(self.array.ctypes.data) + 8 * index


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
    ) -> None:
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
        self.bind_steps()
        return self.segment

    def bind_steps(self) -> None:
        """The rows of every step; `starts` holds their first rows, and the one after all."""
        self.starts: list[int] = []
        for step in self.schedule.steps:
            self.starts.append(self.row)
            if isinstance(step, KernelCall):
                self._kernel(step)
            elif isinstance(step, Product):
                self._product(step)
            elif isinstance(step, Routine):
                self._routine(step)
            elif isinstance(step, Control):
                self._control(step)
            else:
                self._copy(step)
        self.starts.append(self.row)

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

    def _kernel(self, step: KernelCall) -> None:
        lowered = step.lowered
        scalars = [self._scalar(dtype, value) for dtype, value in lowered.scalars]
        argv = self._call(lowered.buffers, scalars)
        extent, work = self.value(lowered.extent), self.value(lowered.row_work)
        visit = work_of(lowered.kernel.body)
        self._run(step, extent, work, argv, visit, lowered.least)

    def _run(
        self,
        step: ScheduledStep,
        extent: int,
        row_work: int,
        argv: int,
        visit_work: int = COPY_WORK,
        least: int = 1,
    ) -> None:
        grain = -(-chunk(extent, row_work, visit_work) // least) * least
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
        a, b, c = step.a, step.b, step.c
        a_layout, b_layout = matrix_layout(a, BATCH_STRIDES), matrix_layout(b, BATCH_STRIDES)
        c_layout = matrix_layout(c)
        assert a_layout is not None
        assert b_layout is not None
        assert c_layout is not None
        m, k, n = map(self.value, (a.shape[-2], a.shape[-1], c.shape[-1]))
        batch = self.value(product(c.shape[:-2]))
        scale = 1.0 if step.scale is None else evaluate_static(step.scale, self.sizes)
        if k == 0:
            scale = 0.0  # a sum of nothing is 0, also where the scale is infinite
        dtype = c.buffer.dtype.name
        row = [0] * COLUMNS
        row[0] = Opcode.GEMM
        row[Gemm.DTYPE] = int(dtype == "float64")
        row[Gemm.TRANS_A], row[Gemm.TRANS_B] = int(a_layout[0]), int(b_layout[0])
        row[Gemm.M], row[Gemm.N], row[Gemm.K] = m, n, k
        row[Gemm.ALPHA], row[Gemm.BETA] = float_bits(scale), float_bits(float(step.accumulate))
        row[Gemm.LDA] = max(self.value(a_layout[1]), 1)
        row[Gemm.LDB] = max(self.value(b_layout[1]), 1)
        row[Gemm.LDC] = max(self.value(c_layout[1]), 1)
        row[Gemm.TILE_M], row[Gemm.TILE_N] = gemm_tiles(m, n, k, dtype, max(batch, 1), a_layout[0])
        row[Gemm.BATCH] = batch
        row[Gemm.STRIDE_C] = self._batch_stride(c)
        self._batches(row, a, b)
        base = self._row_address(self.row)
        for column, view in ((Gemm.A, a), (Gemm.B, b), (Gemm.C, c)):
            row[column] = self._view(view, base + 8 * column)
        self._emit(*row)

    def _batches(self, row: list[int], a: View, b: View) -> None:
        """Where the matrices of a batch lie: inside a group of them, and from group to group."""
        runs = batch_runs((a, b))
        for name, view in (("A", a), ("B", b)):
            strides = [self.value(view.strides[run[-1]]) for run in runs] or [0]
            row[Gemm[f"STRIDE_{name}"]], row[Gemm[f"GROUP_{name}"]] = strides[-1], strides[0]
        if len(runs) > 1:
            row[Gemm.GROUP] = self.value(product(tuple(a.shape[axis] for axis in runs[-1])))

    def _batch_stride(self, view: View) -> int:
        """The distance between matrices; the batch axes before the last must follow from it."""
        axes = batch_axes(view)
        return self.value(view.strides[axes[-1]]) if axes else 0

    def _routine(self, step: Routine) -> None:
        op, node = step.op, step.nodes[0]
        buffers: list[Buffer | View] = [*step.operands, *step.results, *step.scratch]
        scalars = [self.value(dim) for dim in op.sizes(node)]
        if op.fails:
            scalars.append(self._code(RoutineNote(node)))
        argv = self._call(buffers, scalars)
        self._run(step, self.value(op.rows(node)), self.value(op.row_work(node)), argv)

    def _copy(self, step: Copy) -> None:
        size = self.value(step.target.elements) * step.target.dtype.itemsize
        base = self._row_address(self.row)
        target = self._address(step.target, base + 8)
        source = self._address(step.source, base + 16)
        self._emit(Opcode.COPY, target, source, size)


def chunk(extent: int, row_work: int, visit_work: int = COPY_WORK) -> int:
    """Rows in a chunk, for rows of `row_work` elements with `visit_work` each.

    A function of the program and the sizes alone, so that results do not depend on the threads.

    >>> chunk(128, 256, visit_work=2)  # a bias and a ReLU
    128
    >>> chunk(128, 256, visit_work=13)  # a softmax
    22
    """
    total = extent * max(row_work, 1) * visit_work
    if total < 2 * PARALLEL_WORK or extent < 2:
        return max(extent, 1)
    chunks = min(MAXIMUM_CHUNKS, total // PARALLEL_WORK, extent)
    grain = -(-extent // chunks)
    # Whole cache lines, so that two threads do not write one.
    return -(-grain // 16) * 16 if row_work < 16 and grain > 16 else grain


def argument_cells(schedule: Schedule) -> int:
    """The argument cells that a program of this schedule takes."""
    total = sum(argument_cells(part.schedule) for part in parts_of(schedule))
    for step in schedule.steps:
        if isinstance(step, KernelCall):
            total += len(step.lowered.buffers) + len(step.lowered.scalars)
        elif isinstance(step, Routine):
            buffers = len(step.operands) + len(step.results) + len(step.scratch)
            total += buffers + len(step.op.sizes(step.nodes[0])) + step.op.fails
    return total
