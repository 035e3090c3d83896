"""Runs program tables natively: the driver's parts are loaded once, a run is one call.

    prepared = driver.prepare(table, registers, context)
    row = prepared.run(0)

The row is HALTED at the end, the one to go on at after a YIELD, or the one that failed.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING

import numpy as np

from graphc.errors import ArgumentError
from graphc.target import blas, cpu, entry, threads
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, NOT_STARTED, Opcode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Words = NDArray[np.int64]


def _part(name: str) -> int:
    def emit(symbol: str) -> bytes:
        # Numba is needed only when the cache does not have the driver yet.
        from graphc.target import native_driver

        cpu.define_rows()  # these are compiled once, too
        return native_driver.emit(name, symbol)

    return cpu.native_function("driver", name, emit).address


@functools.cache
def _entry() -> int:
    """The address of the native `enter`, with all that it calls in place."""
    entry.define_interface()
    pool = threads.pool
    pool.word(threads.WORK).value = _part("work")
    pool.word(threads.TILE).value = _part("tile")
    pool.word(threads.LAUNCH).value = _part("launch")
    pool.word(threads.BRANCH).value = _part("branch")
    return _part("enter")


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

    `enter(row)` is `run(row)` without a layer of Python, 0.1 us a call: it may answer NOT_STARTED,
    and then has done nothing; `run` helps. Both hold the arrays and release the GIL meanwhile. Two
    threads must not run the same program at once.
    """

    __slots__ = ("enter",)

    def __init__(
        self, table: _Words, registers: _Words, context: _Words, parallel: bool = True
    ) -> None:
        if table.ndim != 2 or table.shape[1] != COLUMNS:
            raise ArgumentError(f"table: expected shape (rows, {COLUMNS}), got {table.shape}")
        codes = table[:, 0]
        if ((codes == Opcode.GEMM) | (codes == Opcode.FORK)).any():
            blas.connect()
        # In the order of `native_pool`; the last words are the native side's own.
        frame = (ctypes.c_int64 * 8)(
            _words("table", table, COLUMNS),
            table.shape[0],
            _words("registers", registers, 1),
            _words("context", context, CONTEXT_WORDS),
            threads.pool.address,
            parallel,
        )
        owned = (frame, table, registers, context)
        self.enter = entry.builtin(_entry(), ctypes.addressof(frame), owned)

    def run(self, pc: int = 0) -> int:
        """Run from row `pc`: HALTED at the end, the row after a YIELD, the row that failed.

        What failed is in the context. Not interruptible: a long program must YIELD.
        """
        row = self.enter(pc)
        if row == NOT_STARTED:
            load()
            row = self.enter(pc)
        return row


def prepare(
    table: _Words, registers: _Words, context: _Words, parallel: bool = True
) -> PreparedRun:
    """Look up addresses for many runs of one table (int64, shape (rows, COLUMNS)).

    If the table is to have GEMM rows, one must be there now. Its other cells may change later. Not
    `parallel`: all by the thread that runs it.
    """
    return PreparedRun(table, registers, context, parallel)


def run(table: _Words, pc: int, registers: _Words, context: _Words, parallel: bool = True) -> int:
    """Run a table once; see `PreparedRun.run`."""
    return PreparedRun(table, registers, context, parallel).run(pc)
