"""Runs program tables natively: the driver's parts are loaded once, a run is one call.

    prepared = driver.prepare(table, registers, context)
    row = prepared.run(0, parallel=True)

The row is HALTED at the end, the one to go on at after a YIELD, or the one that failed.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.errors import ArgumentError
from graphc.target import blas, cpu, threads
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, Opcode

_Words = NDArray[np.int64]
_Entry = Callable[[int, int, int], int]


def _part(name: str) -> int:
    def emit(symbol: str) -> bytes:
        # Numba is needed only when the cache does not have the driver yet.
        from graphc.target import native_driver

        return native_driver.emit(name, symbol)

    return cpu.native_function("driver", name, emit).address


@functools.cache
def _entry() -> _Entry:
    """The native `drive(frame, pc, parallel)`, with all that it calls in place."""
    pool = threads.pool
    pool.word(threads.WORK).value = _part("work")
    pool.word(threads.TILE).value = _part("tile")
    pool.word(threads.LAUNCH).value = _part("launch")
    signature = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    return signature(_part("drive"))


def load() -> None:
    """Have the driver and its threads ready; compiled at the first time on this machine."""
    _entry()
    threads.pool.start(lambda: _part("worker"))


def _words(name: str, array: _Words, least: int) -> int:
    if array.dtype != np.int64 or not array.flags.c_contiguous or not array.flags.writeable:
        raise ArgumentError(
            f"{name}: expected a writable C-contiguous int64 array, got {array.dtype}"
        )
    if array.size < least:
        raise ArgumentError(f"{name}: expected at least {least} words, got {array.size}")
    return int(array.ctypes.data)


class PreparedRun:
    """One table with its registers and context, whose addresses are looked up once.

    Holds the arrays. Two threads must not run the same one at once.
    """

    __slots__ = ("_address", "_arrays", "_call", "_frame")

    def __init__(self, table: _Words, registers: _Words, context: _Words) -> None:
        if table.ndim != 2 or table.shape[1] != COLUMNS:
            raise ArgumentError(f"table: expected shape (rows, {COLUMNS}), got {table.shape}")
        if (table[:, 0] == Opcode.GEMM).any():
            blas.connect()
        self._arrays = (table, registers, context)
        # In the order of `native_pool`; the last words are the native side's own.
        self._frame = (ctypes.c_int64 * 8)(
            _words("table", table, COLUMNS),
            table.shape[0],
            _words("registers", registers, 1),
            _words("context", context, CONTEXT_WORDS),
            threads.pool.address,
        )
        self._address = ctypes.addressof(self._frame)
        self._call: Any = _entry()

    def run(self, pc: int = 0, parallel: bool = True) -> int:
        """Run from row `pc`: HALTED at the end, the row after a YIELD, the row that failed.

        What failed is in the context.
        The GIL is released meanwhile. Not interruptible: a long program must YIELD.
        """
        if not threads.pool.started:
            load()
        result: int = self._call(self._address, pc, parallel)
        return result


def prepare(table: _Words, registers: _Words, context: _Words) -> PreparedRun:
    """Look up addresses for many runs of one table (int64, shape (rows, COLUMNS)).

    If the table is to have GEMM rows, one must be there now. Its other cells may change later.
    """
    return PreparedRun(table, registers, context)


def run(table: _Words, pc: int, registers: _Words, context: _Words, parallel: bool = True) -> int:
    """Run a table once; see `PreparedRun.run`."""
    return PreparedRun(table, registers, context).run(pc, parallel)
