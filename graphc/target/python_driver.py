"""The driver in plain Python: the same instructions, the same results, one thread.

A kernel cell holds any integer handle; `kernels` says which Python function it stands for. Memory
is reached by address, as in the native driver, so both run the same tables.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.target.instructions import (
    COLUMNS,
    CONTEXT_WORDS,
    FRAME_WORDS,
    GEMM_LIMIT,
    HALTED,
    Context,
    Failure,
    Gemm,
    Opcode,
    bits_float,
)

Kernel = Callable[[int, int, int, int], object]
_Words = NDArray[np.int64]


def _word(address: int) -> ctypes.c_int64:
    return ctypes.c_int64.from_address(address)


def _words(address: int, count: int) -> _Words:
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address))


class _Machine:
    """One run: the state that instructions change."""

    def __init__(
        self, table: _Words, registers: _Words, context: _Words, kernels: Mapping[int, Kernel]
    ) -> None:
        self._table = int(table.ctypes.data)
        self._rows = table.shape[0]
        self._registers = int(registers.ctypes.data)
        self._context = int(context.ctypes.data)
        self._kernels = kernels
        self.pc = 0
        self._next = 0
        self._result: int | None = None
        self._handlers: dict[int, Callable[[list[int]], None]] = {
            Opcode.HALT: self._halt,
            Opcode.KERNEL: self._kernel,
            Opcode.PARALLEL: self._parallel,
            Opcode.GEMM: self._gemm,
            Opcode.SET: self._set,
            Opcode.ADD: self._add,
            Opcode.MOVE: self._move,
            Opcode.LOAD: self._load,
            Opcode.JUMP: self._jump,
            Opcode.JUMP_IF_LESS: self._jump_if_less,
            Opcode.JUMP_IF_ZERO: self._jump_if_zero,
            Opcode.COPY: self._copy,
            Opcode.FILL_ZERO: self._fill_zero,
            Opcode.CHECK: lambda row: self._check(),
            Opcode.YIELD: self._yield,
            Opcode.SUM: self._sum,
            Opcode.FORK: self._fork,
        }

    def run(self, pc: int) -> int:
        self.pc = pc
        while self._result is None:
            self._next = self.pc + 1
            self._step()
            self.pc = self._next
        return self._result

    def _step(self) -> None:
        if not 0 <= self.pc < self._rows:
            self._fail(Failure.BAD_ROW, Opcode.HALT)
            return
        address = self._table + self.pc * COLUMNS * 8
        row = list((ctypes.c_int64 * COLUMNS).from_address(address))
        handler = self._handlers.get(row[0])
        if handler is None:
            self._fail(Failure.BAD_OPCODE, row[0])
        else:
            handler(row)

    def _register(self, index: int) -> ctypes.c_int64:
        return _word(self._registers + 8 * index)

    def _fail(self, status: int, detail: int) -> None:
        _word(self._context + 8 * Context.STATUS).value = status
        _word(self._context + 8 * Context.DETAIL).value = detail
        self._check()

    def _check(self) -> None:
        if _word(self._context + 8 * Context.STATUS).value != 0:
            _word(self._context + 8 * Context.ROW).value = self.pc
            self._result = self.pc

    def _halt(self, row: list[int]) -> None:
        self._result = HALTED

    def _kernel(self, row: list[int]) -> None:
        self._kernels[row[1]](row[2], row[3], row[4], self._context)
        self._check()

    def _parallel(self, row: list[int]) -> None:
        _, kernel, extent, grain, argv, *_ = row
        grain = max(grain, 1)
        for low in range(0, extent, grain):
            self._kernels[kernel](low, min(low + grain, extent), argv, self._context)
        self._check()

    def _gemm(self, row: list[int]) -> None:
        sizes = (Gemm.M, Gemm.N, Gemm.K, Gemm.LDA, Gemm.LDB, Gemm.LDC)
        if any(row[column] > GEMM_LIMIT for column in sizes):
            self._fail(Failure.GEMM_SIZE, row[0])
            return
        if row[Gemm.M] > 0 and row[Gemm.N] > 0:
            for batch in range(row[Gemm.BATCH]):
                _multiply(row, batch)

    def _sum(self, row: list[int]) -> None:
        for batch in range(row[Gemm.BATCH]):
            _add_up(row, batch)

    def _fork(self, row: list[int]) -> None:
        context = _words(self._context, CONTEXT_WORDS)
        for branch in range(row[2]):
            frame = _words(row[1] + 8 * FRAME_WORDS * branch, FRAME_WORDS)
            table, rows, registers = map(int, frame[:3])
            cells = _words(table, rows * COLUMNS).reshape(rows, COLUMNS)
            _Machine(cells, _words(registers, 1), context, self._kernels).run(0)
            self._check()
            if self._result is not None:
                return

    def _set(self, row: list[int]) -> None:
        _, cell, base, register, stride, register2, stride2, *_ = row
        value = base + self._register(register).value * stride
        _word(cell).value = value + self._register(register2).value * stride2

    def _add(self, row: list[int]) -> None:
        self._register(row[1]).value += row[2]

    def _move(self, row: list[int]) -> None:
        self._register(row[1]).value = row[2]

    def _load(self, row: list[int]) -> None:
        self._register(row[1]).value = _word(row[2]).value

    def _jump(self, row: list[int]) -> None:
        self._next = row[1]

    def _jump_if_less(self, row: list[int]) -> None:
        _, register, limit, is_register, target, *_ = row
        if is_register:
            limit = self._register(limit).value
        if self._register(register).value < limit:
            self._next = target

    def _jump_if_zero(self, row: list[int]) -> None:
        if ctypes.c_uint8.from_address(row[1]).value == 0:
            self._next = row[2]

    def _copy(self, row: list[int]) -> None:
        ctypes.memmove(row[1], row[2], row[3])

    def _fill_zero(self, row: list[int]) -> None:
        ctypes.memset(row[1], 0, row[2])

    def _yield(self, row: list[int]) -> None:
        register = self._register(row[1])
        register.value -= 1
        if register.value == 0:
            self._result = self._next


def _matrix(address: int, rows: int, columns: int, leading: int, dtype: Any) -> NDArray[Any]:
    """A view of a row-major matrix in memory, not copied."""
    if rows == 0 or columns == 0:
        return np.zeros((rows, columns), dtype)
    words = (rows - 1) * leading + columns
    memory = (ctypes.c_char * (words * dtype.itemsize)).from_address(address)
    flat = np.frombuffer(memory, dtype)
    strides = (leading * dtype.itemsize, dtype.itemsize)
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), strides)


def _operand(row: list[int], batch: int, shape: tuple[int, int], name: str) -> NDArray[Any]:
    """op(A) or op(B) of one product of the batch."""
    dtype = np.dtype(np.float64 if row[Gemm.DTYPE] else np.float32)
    group, place = divmod(batch, row[Gemm.GROUP]) if row[Gemm.GROUP] else (0, batch)
    apart = group * row[Gemm[f"GROUP_{name}"]] + place * row[Gemm[f"STRIDE_{name}"]]
    address = row[Gemm[name]] + apart * dtype.itemsize
    if row[Gemm[f"TRANS_{name}"]]:
        return _matrix(address, shape[1], shape[0], row[Gemm[f"LD{name}"]], dtype).T
    return _matrix(address, *shape, row[Gemm[f"LD{name}"]], dtype)


def _result(row: list[int], number: int) -> NDArray[Any]:
    """C of one product of the batch, or of one part of it."""
    dtype = np.dtype(np.float64 if row[Gemm.DTYPE] else np.float32)
    address = row[Gemm.C] + number * row[Gemm.STRIDE_C] * dtype.itemsize
    return _matrix(address, row[Gemm.M], row[Gemm.N], row[Gemm.LDC], dtype)


def _store(row: list[int], c: NDArray[Any], value: Any) -> None:
    beta = c.dtype.type(bits_float(row[Gemm.BETA]))
    # With beta = 0 what C holds must not matter: it may be uninitialised, hence NaN.
    c[...] = value + beta * c if beta != 0 else value


def _multiply(row: list[int], batch: int) -> None:
    m, n, k = row[Gemm.M], row[Gemm.N], row[Gemm.K]
    a = _operand(row, batch, (m, k), "A")
    b = _operand(row, batch, (k, n), "B")
    alpha = a.dtype.type(bits_float(row[Gemm.ALPHA]))
    terms = row[Gemm.TILE_K] if 0 < row[Gemm.TILE_K] < k else max(k, 1)
    starts = range(0, max(k, 1), terms)
    for part, first in enumerate(starts):
        some = slice(first, first + terms)
        _store(row, _result(row, batch * len(starts) + part), alpha * (a[:, some] @ b[some]))


def _add_up(row: list[int], batch: int) -> None:
    c = _result(row, batch)
    apart, first = row[Gemm.STRIDE_A] * c.itemsize, batch * row[Gemm.K]
    total = np.zeros_like(c)
    for part in range(first, first + row[Gemm.K]):
        place = row[Gemm.A] + part * apart
        total += _matrix(place, row[Gemm.M], row[Gemm.N], row[Gemm.LDA], c.dtype)
    _store(row, c, total)


def run(
    table: _Words, pc: int, registers: _Words, context: _Words, kernels: Mapping[int, Kernel]
) -> int:
    """Run a table from row `pc`; results as `driver.PreparedRun.run`.

    KeyError for an unknown kernel.
    """
    return _Machine(table, registers, context, kernels).run(pc)
