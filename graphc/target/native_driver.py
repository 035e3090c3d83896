"""The driver's native text: compiled by Numba once, kept in the cache as object code, then only
loaded.

Six functions (`emit`), each an object of its own, that find each other through addresses in the
pool (see `threads`). Addresses are int64. The instruction set is in `instructions`;
`python_driver` gives the same results in plain Python.
"""

from __future__ import annotations

from typing import Any

from numba.core import types

from graphc.target import numba_codegen
from graphc.target import threads as at
from graphc.target.instructions import (
    COLUMNS,
    GEMM_LIMIT,
    HALTED,
    NOT_STARTED,
    Context,
    Failure,
    Opcode,
)
from graphc.target.interpreter_intrinsics import (
    error_set,
    integer_of,
    new_integer,
    release_gil,
    take_gil,
)
from graphc.target.machine_intrinsics import (
    atomic_store,
    call_get_threads,
    call_kernel,
    call_part,
    call_set_threads,
    copy_bytes,
    fill_zero,
    load_byte,
    load_word,
    part,
    parts_of,
    store_word,
)
from graphc.target.native_pool import (
    CONTEXT,
    IN_PARALLEL,
    POOL,
    REGISTERS,
    ROWS,
    TABLE,
    WINDOW_START,
    launch,
    take_lock,
    work,
    worker,
)
from graphc.target.native_product import product, tile

# Numba reads plain module integers faster than members of an enumeration.
(HALT, KERNEL, PARALLEL, GEMM, SET, ADD, MOVE, LOAD, JUMP, JUMP_IF_LESS, JUMP_IF_ZERO, COPY,
 FILL_ZERO, CHECK, YIELD, SUM, FORK) = (int(code) for code in Opcode)  # fmt: skip
BAD_OPCODE, BAD_ROW, GEMM_SIZE, NO_BLAS = (int(code) for code in Failure)
STATUS, DETAIL, FAILED_ROW = 8 * int(Context.STATUS), 8 * int(Context.DETAIL), 8 * int(Context.ROW)
ROW_BYTES = 8 * COLUMNS


@part
def enter_blas(pool: Any) -> None:
    """BLAS inside our tiles must not start threads; the first run in notes what the user had."""
    if load_word(pool + at.SET_BLAS_THREADS) != 0:
        take_lock(pool + at.BLAS_LOCK)
        if load_word(pool + at.BLAS_USERS) == 0:
            before = call_get_threads(load_word(pool + at.GET_BLAS_THREADS))
            store_word(pool + at.BLAS_SAVED, before)
            call_set_threads(load_word(pool + at.SET_BLAS_THREADS), 1)
        store_word(pool + at.BLAS_USERS, load_word(pool + at.BLAS_USERS) + 1)
        atomic_store(pool + at.BLAS_LOCK, 0)


@part
def leave_blas(pool: Any) -> None:
    take_lock(pool + at.BLAS_LOCK)
    store_word(pool + at.BLAS_USERS, load_word(pool + at.BLAS_USERS) - 1)
    if load_word(pool + at.BLAS_USERS) == 0:
        call_set_threads(load_word(pool + at.SET_BLAS_THREADS), load_word(pool + at.BLAS_SAVED))
    atomic_store(pool + at.BLAS_LOCK, 0)


@part
def parallel(frame: Any, row: Any) -> None:
    extent = load_word(row + 16)
    grain = max(load_word(row + 24), 1)
    if extent > grain:
        chunks = (extent + grain - 1) // grain
        call_part(load_word(load_word(frame + POOL) + at.LAUNCH), frame, row, chunks)
    elif extent > 0:
        context = load_word(frame + CONTEXT)
        call_kernel(load_word(row + 8), 0, extent, load_word(row + 32), context)


@part
def gemm(frame: Any, row: Any) -> Any:
    pool = load_word(frame + POOL)
    tiles = product(row, GEMM_LIMIT)
    if tiles < 0:
        return GEMM_SIZE
    if load_word(pool + at.SGEMM) == 0:
        return NO_BLAS
    if tiles == 1:
        call_part(load_word(pool + at.TILE), pool, row, 0)
    elif tiles > 1:
        call_part(load_word(pool + at.LAUNCH), frame, row, tiles)
    return 0


@part
def change(registers: Any, row: Any, opcode: Any) -> None:
    """Instructions that write a register or memory and go on with the next row."""
    first = load_word(row + 8)
    second = load_word(row + 16)
    if opcode == SET:
        value = second + load_word(registers + 8 * load_word(row + 24)) * load_word(row + 32)
        value += load_word(registers + 8 * load_word(row + 40)) * load_word(row + 48)
        store_word(first, value)
    elif opcode == ADD:
        store_word(registers + 8 * first, load_word(registers + 8 * first) + second)
    elif opcode == MOVE:
        store_word(registers + 8 * first, second)
    elif opcode == LOAD:
        store_word(registers + 8 * first, load_word(second))
    elif opcode == COPY:
        copy_bytes(first, second, load_word(row + 24))
    elif opcode == FILL_ZERO:
        fill_zero(first, second)


@part
def jump(registers: Any, row: Any, opcode: Any, following: Any) -> Any:
    """The row to go on at after a jump."""
    if opcode == JUMP:
        return load_word(row + 8)
    if opcode == JUMP_IF_ZERO:
        return load_word(row + 16) if load_byte(load_word(row + 8)) == 0 else following
    limit = load_word(row + 16)
    if load_word(row + 24) != 0:
        limit = load_word(registers + 8 * limit)
    return (
        load_word(row + 32) if load_word(registers + 8 * load_word(row + 8)) < limit else following
    )


@part
def run_table(frame: Any, pc: Any) -> Any:
    registers = load_word(frame + REGISTERS)
    context = load_word(frame + CONTEXT)
    while True:
        if pc < 0 or pc >= load_word(frame + ROWS):
            return failure(context, pc, BAD_ROW, HALT)
        row = load_word(frame + TABLE) + pc * ROW_BYTES
        opcode = load_word(row)
        following = pc + 1
        fault = 0
        if opcode == KERNEL:
            low, high, argv = load_word(row + 16), load_word(row + 24), load_word(row + 32)
            call_kernel(load_word(row + 8), low, high, argv, context)
        elif opcode == PARALLEL:
            parallel(frame, row)
        elif opcode in (GEMM, SUM):
            fault = gemm(frame, row)
        elif opcode == FORK:
            count = load_word(row + 16)
            call_part(load_word(load_word(frame + POOL) + at.LAUNCH), frame, row, count)
        elif JUMP <= opcode <= JUMP_IF_ZERO:
            following = jump(registers, row, opcode, following)
        elif SET <= opcode <= LOAD or COPY <= opcode <= FILL_ZERO:
            change(registers, row, opcode)
        elif opcode == YIELD:
            counter = registers + 8 * load_word(row + 8)
            store_word(counter, load_word(counter) - 1)
            if load_word(counter) == 0:
                return following
        elif opcode == HALT:
            return HALTED
        elif opcode != CHECK:
            fault = BAD_OPCODE
        if fault != 0:
            return failure(context, pc, fault, opcode)
        if (opcode <= GEMM or opcode in (CHECK, FORK)) and load_word(context + STATUS) != 0:
            store_word(context + FAILED_ROW, pc)
            return pc
        pc = following


@part
def failure(context: Any, pc: Any, fault: Any, opcode: Any) -> Any:
    store_word(context + STATUS, fault)
    store_word(context + DETAIL, opcode)
    store_word(context + FAILED_ROW, pc)
    return pc


def branch(pool: Any, frame: Any, context: Any) -> None:
    """Run the table of a frame of FORK, all by this thread, with the context of a chunk."""
    store_word(frame + CONTEXT, context)
    store_word(frame + POOL, pool)
    store_word(frame + IN_PARALLEL, 0)
    run_table(frame, 0)


@part
def drive(frame: Any, pc: Any) -> Any:
    pool = load_word(frame + POOL)
    store_word(frame + WINDOW_START, 0)
    guarded = load_word(pool + at.SET_BLAS_THREADS) != 0
    if guarded:
        enter_blas(pool)
    result = run_table(frame, pc)
    if guarded:
        leave_blas(pool)
    return result


def enter(frame_object: Any, row_object: Any) -> Any:
    """Run a table from a row until it halts, yields or fails; the row to go on at, or HALTED.

    Called by Python as a built-in function: it takes and gives Python's integers, and releases the
    GIL meanwhile. NOT_STARTED when the pool is to be started first.
    """
    pc = integer_of(row_object)
    if pc == -1 and error_set() != 0:
        return 0  # no object: Python raises the error that is set
    frame = integer_of(frame_object)
    if load_word(load_word(frame + POOL) + at.STARTED) == 0:
        return new_integer(NOT_STARTED)
    state = release_gil()
    result = drive(frame, pc)
    take_gil(state)
    return new_integer(result)


def emit(name: str, symbol: str) -> bytes:
    """Object code of one of the six functions."""
    function, result, count = _ENTRIES[name]
    arguments = (types.int64,) * count
    item = numba_codegen.Function(function, symbol, arguments, result)
    return numba_codegen.emit_object(item, parts_of(function))


_ENTRIES: dict[str, tuple[Any, Any, int]] = {
    "work": (work, types.none, 3),
    "worker": (worker, types.int64, 1),
    "launch": (launch, types.none, 3),
    "tile": (tile, types.none, 3),
    "branch": (branch, types.none, 3),
    "enter": (enter, types.int64, 2),
}
