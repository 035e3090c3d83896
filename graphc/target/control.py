"""Loops and branches in a program's table: rows around the rows of their bodies.

A scan is laid out as

    copies of the initial carries; registers of what moves; step = 0; jump to CHECK
    BODY:  rows of the body
           step += 1
    CHECK: if step < length: PATCH
           jump to END
    PATCH: the addresses of what moves, for this step; jump to BODY
    END:
"""

from __future__ import annotations

import numpy as np

from graphc.ir.dim import Dim, evaluate, product, size_names
from graphc.schedule.buffer import INPUT, OUTPUT, Buffer, View
from graphc.schedule.row_parts import MOST_PARTS, row_ranges
from graphc.schedule.schedule import Control, Part, Port, Product, Schedule, parts_of
from graphc.target.instructions import COLUMNS, FRAME_WORDS, Opcode
from graphc.target.program import Binder, Segment, Stops, argument_cells
from graphc.target.storage import Cells, Registers

# Rows of a control step besides those of its bodies, its copies and what moves.
_FIXED_ROWS = 12


def row_count(schedule: Schedule) -> int:
    """The most rows that the steps of a schedule take."""
    total = len(schedule.steps)
    for step in schedule.steps:
        if isinstance(step, Product):
            total += 1  # parts of it are added up by a second row
        if isinstance(step, Control):
            total += _FIXED_ROWS + len(step.initial)
    for part in parts_of(schedule):
        # What moves: an address for each argument of each step at most, and its register.
        total += row_count(part.schedule) + len(part.ports) + _moving_cells(part)
    return total


def _moving_cells(part: Part) -> int:
    moving = {port.inside for port in part.ports if port.stride != 0}
    return sum(_uses(part.schedule, buffer) for buffer in moving)


def _uses(schedule: Schedule, buffer: Buffer) -> int:
    """The most cells that hold the address of a buffer, here or in bodies inside."""
    direct = sum(3 for step in schedule.steps if buffer in step.reads | step.writes)
    inner = sum(
        _uses(part.schedule, port.inside) + 1
        for part in parts_of(schedule)
        for port in part.ports
        if port.outside.buffer is buffer
    )
    return direct + inner


def control_patches(step: Control) -> int:
    """The most cells of a loop or branch that hold the address of an argument of the call."""
    total = 1 + 2 * len(step.initial)
    for part in step.parts:
        for port in part.ports:
            if port.outside.buffer.home in (INPUT, OUTPUT):
                total += 1 + _uses(part.schedule, port.inside)
    return total if step.batch is None else total * MOST_PARTS


def register_count(schedule: Schedule) -> int:
    """The registers that the loops of a schedule take."""
    counters = sum(isinstance(step, Control) for step in schedule.steps)
    inside = (len(p.ports) + register_count(p.schedule) for p in parts_of(schedule))
    return counters + sum(inside)


class ProgramBinder(Binder):
    """Binds a schedule with its loops and branches."""

    def _control(self, step: Control) -> None:
        for source, target in step.initial:
            self._copy_view(source, target)
        {"scan": _scan, "cond": _cond, "while": _while}[step.kind](self, step)

    def emit(self, *words: int) -> int:
        """Write one row; its number."""
        self._emit(*words)
        return self.row - 1

    def address_of(self, view: View, cell: int, offset: int = 0) -> int:
        """The address that a cell takes; 0 where something else will put it there."""
        return self._view(view, cell, offset)

    def cell_of(self, row: int, column: int) -> int:
        """The address of a cell of the table."""
        return self._row_address(row) + 8 * column

    def _copy_view(self, source: View, target: View) -> None:
        size = self.value(product(target.shape)) * target.buffer.dtype.itemsize
        to = self._view(target, self.cell_of(self.row, 1))
        from_ = self._view(source, self.cell_of(self.row, 2))
        self._emit(Opcode.COPY, to, from_, size)


class PartBinder(ProgramBinder):
    """Binds the schedule of a body inside the table of the program around it."""

    def __init__(self, around: ProgramBinder, part: Part, workspace: Buffer, step: int) -> None:
        stops = None if around.stops is None else around.stops.inside()
        super().__init__(
            part.schedule, part.lives, around.sizes, around.handles, around.codes, stops
        )
        self.around, self.step = around, step
        self.cells, self.table = around.cells, around.table
        self.registers = around.registers
        self.arena = around.arena + around.plan.offsets[workspace]
        self.segment = Segment(holds=around.segment.holds, tables=around.segment.tables)
        self.ports = {port.inside: port for port in part.ports}
        self.bases: dict[Buffer, int] = {}
        self.moving: list[tuple[int, ...]] = []  # SET rows, for each step

    def prepare(self) -> None:
        """Put the first address of everything that moves into a register."""
        for buffer, port in self.ports.items():
            if port.stride == 0 or buffer not in self.schedule.buffers:
                continue
            register = self.bases[buffer] = self.registers.take()
            cell = self.registers.address(register)
            known = self.around.address_of(port.outside, cell, self._bytes(port, port.start))
            if known:
                self.around.emit(Opcode.MOVE, register, known)

    def _bytes(self, port: Port, elements: Dim) -> int:
        return self.value(elements) * port.outside.buffer.dtype.itemsize

    def _address(self, buffer: Buffer, cell: int, offset: int = 0) -> int:
        port = self.ports.get(buffer)
        if port is None:
            return super()._address(buffer, cell, offset)
        if buffer not in self.bases:
            return self.around.address_of(port.outside, cell, offset)
        stride = self._bytes(port, port.stride)
        self.moving.append((Opcode.SET, cell, offset, self.bases[buffer], 1, self.step, stride))
        return 0

    def rows(self) -> None:
        """Write the rows of the body where the program around it has come to."""
        self.row = self.around.row
        self.bind_steps()
        assert not self.segment.patches
        self.around.row = self.row


class RowsBinder(PartBinder):
    """Binds a body for some rows of its batch: the whole loop over them, in the table around it or
    in one of its own.

    Inside it the batch is as long as these rows; what lies outside begins at the first of them.
    """

    def __init__(self, around: ProgramBinder, step: Control, rows: range, arena: int) -> None:
        assert step.batch is not None
        (part,) = step.parts
        sizes = {**around.sizes, step.batch: len(rows)}
        ProgramBinder.__init__(self, part.schedule, part.lives, sizes, around.handles, around.codes)
        self.around, self.first, self.batch = around, rows.start, step.batch
        self.part, self.arena = part, arena
        self.segment = Segment(holds=around.segment.holds, tables=around.segment.tables)
        self.ports = {port.inside: port for port in part.ports}
        self.bases, self.moving = {}, []

    def bind_here(self, length: int, stops: Stops) -> None:
        """As the next rows of the table around it, which may return to Python."""
        self.stops = stops.inside()
        self.cells, self.table = self.around.cells, self.around.table
        self.registers, self.row = self.around.registers, self.around.row
        self._bind_loop(length)
        self.around.row = self.row

    def bind_apart(self, length: int) -> list[int]:
        """As a table of its own; the words of a frame for it, those 0 that a run writes."""
        part = self.part
        self.cells = Cells(argument_cells(part.schedule))
        count = _FIXED_ROWS + row_count(part.schedule) + len(part.ports) + _moving_cells(part)
        self.table, self.row = np.zeros((count, COLUMNS), np.int64), 0
        self.registers = Registers(np.zeros(2 + len(part.ports), np.int64), 0)
        self.segment.tables.extend([self.cells.array, self.table, self.registers.array])
        self._bind_loop(length)
        self.emit(Opcode.HALT)
        addresses = (self.table.ctypes.data, self.row, self.registers.array.ctypes.data)
        return [*map(int, addresses), *[0] * (FRAME_WORDS - len(addresses))]

    def _bind_loop(self, length: int) -> None:
        self.step = self.registers.take()
        _walk(self, self, length)

    def prepare(self) -> None:
        """Put the first address of everything that moves into a register."""
        for buffer, port in self.ports.items():
            if port.stride == 0 or buffer not in self.schedule.buffers:
                continue
            register = self.bases[buffer] = self.registers.take()
            cell = self.registers.address(register)
            start = self._bytes(port, port.start) + self._skipped(buffer)
            self.registers.array[register] = self.around.address_of(port.outside, cell, start)

    def _skipped(self, buffer: Buffer) -> int:
        """The bytes of the rows before the first, in a buffer that has some for each example."""
        if self.batch not in size_names(buffer.elements):
            return 0
        row = evaluate(buffer.elements, {**self.sizes, self.batch: 1})
        return self.first * row * buffer.dtype.itemsize

    def _bytes(self, port: Port, elements: Dim) -> int:
        return self.around.value(elements) * port.outside.buffer.dtype.itemsize

    def _address(self, buffer: Buffer, cell: int, offset: int = 0) -> int:
        port = self.ports.get(buffer)
        if port is None or buffer in self.bases:
            return super()._address(buffer, cell, offset)
        return self.around.address_of(port.outside, cell, offset + self._skipped(buffer))

    def rows(self) -> None:
        """Write the rows of the body."""
        self.bind_steps()
        assert not self.segment.patches


def _scan(around: ProgramBinder, step: Control) -> None:
    assert step.length is not None
    (part,) = step.parts
    if step.batch is not None:
        ranges = row_ranges(part, step.length, step.batch, around.sizes)
        if len(ranges) > 1:
            _divided(around, step, ranges)
            return
    counter = around.registers.take()
    binder = PartBinder(around, part, step.scratch[0], counter)
    _walk(around, binder, around.value(step.length))


def _walk(emitter: ProgramBinder, binder: PartBinder, length: int) -> None:
    """The rows of a loop over the steps of a scan."""
    binder.prepare()
    counter = binder.step
    emitter.emit(Opcode.MOVE, counter, 0)
    to_check = emitter.emit(Opcode.JUMP, 0)
    body = emitter.row
    binder.rows()
    emitter.emit(Opcode.ADD, counter, 1)
    emitter.table[to_check, 1] = emitter.row
    emitter.emit(Opcode.JUMP_IF_LESS, counter, length, 0, emitter.row + 2)
    to_end = emitter.emit(Opcode.JUMP, 0)
    for row in binder.moving:
        emitter.emit(*row)
    emitter.emit(Opcode.JUMP, body)
    emitter.table[to_end, 1] = emitter.row


def _divided(around: ProgramBinder, step: Control, ranges: list[range]) -> None:
    """One row that runs a table for each part of the batch; or rows for one part after the other,
    where the time of their steps is to be taken."""
    assert step.length is not None
    length, arena = around.value(step.length), around.arena + around.plan.offsets[step.scratch[0]]
    frames = []
    for rows in ranges:
        binder = RowsBinder(around, step, rows, arena)
        arena += binder.plan.peak_bytes
        if around.stops is None or around.stops.beside:
            frames.append(binder.bind_apart(length))
        else:
            binder.bind_here(length, around.stops)
    if around.stops is not None:
        around.stops.parts[step] = len(ranges)
    if frames:
        held = np.array(frames, np.int64)
        around.segment.tables.append(held)
        around.emit(Opcode.FORK, int(held.ctypes.data), len(frames))


def _flag_row(around: ProgramBinder, step: Control) -> int:
    """A jump, to be aimed, where the flag is 0."""
    assert step.flag is not None
    row = around.emit(Opcode.JUMP_IF_ZERO, 0, 0)
    around.table[row, 1] = around.address_of(step.flag, around.cell_of(row, 1))
    return row


def _cond(around: ProgramBinder, step: Control) -> None:
    otherwise = _flag_row(around, step)
    first, second = (PartBinder(around, part, step.scratch[0], 0) for part in step.parts)
    first.rows()
    to_end = around.emit(Opcode.JUMP, 0)
    around.table[otherwise, 2] = around.row
    second.rows()
    around.table[to_end, 1] = around.row


def _while(around: ProgramBinder, step: Control) -> None:
    counter = around.registers.take()
    around.emit(Opcode.MOVE, counter, 0)
    begin = around.row
    limited = step.length is not None
    if limited:
        limit = around.value(step.length)  # type: ignore[arg-type]
        around.emit(Opcode.JUMP_IF_LESS, counter, limit, 0, around.row + 2)
        at_limit = around.emit(Opcode.JUMP, 0)
    condition, body = (PartBinder(around, part, step.scratch[0], counter) for part in step.parts)
    condition.rows()
    done = _flag_row(around, step)
    body.rows()
    around.emit(Opcode.ADD, counter, 1)
    around.emit(Opcode.JUMP, begin)
    around.table[done, 2] = around.row
    if limited:
        around.table[at_limit, 1] = around.row
