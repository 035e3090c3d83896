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
from graphc.ir.node import Node
from graphc.loops.work import work as work_of
from graphc.ops.evaluate import evaluate_static
from graphc.ops.source import constant_value
from graphc.schedule.arguments import CheckNote
from graphc.schedule.buffer import (
    ARENA,
    CARRIED,
    CONSTANT,
    INPUT,
    Buffer,
    View,
    batch_axes,
    matrix_layout,
)
from graphc.schedule.memory import Life, MemoryPlan, plan
from graphc.schedule.schedule import Copy, KernelCall, Product, Routine, Schedule, ScheduledStep
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

    node: Node
    length: Dim | None  # the length that an index exceeded; None for a routine's own failure
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

    def bind(self, arena: int, table: np.ndarray, first_row: int, cells: Cells) -> Segment:
        """Fill rows of `table` from `first_row` on."""
        self.arena, self.cells, self.segment = arena, cells, Segment()
        self.table, self.row = table, first_row
        for step in self.schedule.steps:
            if isinstance(step, KernelCall):
                self._kernel(step)
            elif isinstance(step, Product):
                self._product(step)
            elif isinstance(step, Routine):
                self._routine(step)
            else:
                self._copy(step)
        return self.segment

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

    def _view(self, view: View, cell: int) -> int:
        return self._address(
            view.buffer, cell, self.value(view.offset) * view.buffer.dtype.itemsize
        )

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
        grain = chunk(extent, work, work_of(lowered.kernel.body))
        if grain >= extent:
            self._emit(Opcode.KERNEL, self.handles[step], 0, extent, argv)
        else:
            self._emit(Opcode.PARALLEL, self.handles[step], extent, grain, argv)

    def _scalar(self, dtype: str, value: Any) -> int:
        if isinstance(value, CheckNote):
            return self._code(value.node, value.length)
        number = self.value(value) if isinstance(value, int | Size) else value
        if dtype in ("float32", "float64"):
            return float_bits(float(number))
        return int(number)

    def _code(self, node: Node, length: Dim | None) -> int:
        code = len(self.codes) + 1
        self.codes[code] = Failed(node, length, self.sizes)
        return code

    def _product(self, step: Product) -> None:
        a, b, c = step.a, step.b, step.c
        a_layout, b_layout = matrix_layout(a), matrix_layout(b)
        assert a_layout is not None
        assert b_layout is not None
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
        row[Gemm.LDC] = max(n, 1)
        row[Gemm.TILE_M], row[Gemm.TILE_N] = gemm_tiles(m, n, k, dtype, max(batch, 1), a_layout[0])
        row[Gemm.BATCH] = batch
        row[Gemm.STRIDE_A] = self._batch_stride(a)
        row[Gemm.STRIDE_B] = self._batch_stride(b)
        row[Gemm.STRIDE_C] = m * n
        base = self._row_address(self.row)
        for column, view in ((Gemm.A, a), (Gemm.B, b), (Gemm.C, c)):
            row[column] = self._view(view, base + 8 * column)
        self._emit(*row)

    def _batch_stride(self, view: View) -> int:
        """The distance between matrices; the batch axes before the last must follow from it."""
        axes = batch_axes(view)
        return self.value(view.strides[axes[-1]]) if axes else 0

    def _routine(self, step: Routine) -> None:
        sizes = [self.value(dim) for dim in step.operands[0].shape[:1]]
        buffers: list[Buffer | View] = [*step.operands, *step.results, *step.scratch]
        scalars = sizes
        if step.name == "solve":
            scalars = [
                *sizes,
                self.value(step.operands[1].shape[1]),
                self._code(step.nodes[0], None),
            ]
        argv = self._call(buffers, scalars)
        self._emit(Opcode.KERNEL, self.handles[step], 0, 1, argv)

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
    total = 0
    for step in schedule.steps:
        if isinstance(step, KernelCall):
            total += len(step.lowered.buffers) + len(step.lowered.scalars)
        elif isinstance(step, Routine):
            total += len(step.operands) + len(step.results) + len(step.scratch) + 3
    return total
