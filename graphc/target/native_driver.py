"""The driver's native text: compiled by Numba once, kept in the cache as object code, then only loaded.

Five functions, each an object of its own, that find each other through addresses in the pool (see `threads`). Addresses
are int64. The instruction set is in `instructions`; `python_driver` gives the same results in plain Python.
"""

from __future__ import annotations

from typing import Any

from numba.core import types

from graphc.target import threads as at
from graphc.target.instructions import (
    COLUMNS,
    CONTEXT_WORDS,
    GEMM_LIMIT,
    HALTED,
    Context,
    Failure,
    Gemm,
    Opcode,
)
from graphc.target.machine_intrinsics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call_dgemm,
    call_get_threads,
    call_kernel,
    call_part,
    call_set_threads,
    call_sgemm,
    compare_exchange,
    condition_broadcast,
    condition_wait,
    copy_bytes,
    fill_zero,
    load_byte,
    load_word,
    mutex_lock,
    mutex_unlock,
    pause,
    sched_yield,
    store_word,
)

# Numba reads plain module integers faster than members of an enumeration.
(HALT, KERNEL, PARALLEL, GEMM, SET, ADD, MOVE, LOAD, JUMP, JUMP_IF_LESS, JUMP_IF_ZERO, COPY,
 FILL_ZERO, CHECK, YIELD) = (int(code) for code in Opcode)  # fmt: skip
(DTYPE, TRANS_A, TRANS_B, M, N, K, ALPHA, A, LDA, B, LDB, BETA, C, LDC, TILE_M, TILE_N, BATCH,
 STRIDE_A, STRIDE_B, STRIDE_C) = (8 * int(column) for column in Gemm)  # fmt: skip
BAD_OPCODE, BAD_ROW, GEMM_SIZE = (int(code) for code in Failure)
STATUS, DETAIL, FAILED_ROW = 8 * Context.STATUS, 8 * Context.DETAIL, 8 * Context.ROW
STATUS, DETAIL, FAILED_ROW = int(STATUS), int(DETAIL), int(FAILED_ROW)
ROW_BYTES = 8 * COLUMNS

# Byte offsets of the frame that a caller hands over: what a run works on.
TABLE, ROWS, REGISTERS, CONTEXT, POOL, IN_PARALLEL = range(0, 48, 8)


def work(pool: Any, slot: Any, unused: Any) -> Any:
    """Take chunks of the open region until none are left; slot 0 is the caller's thread.

    Failures go to a private context first. Chunks are taken in order, so when the smallest failing chunk of all
    threads is kept, the outcome does not depend on who computed what.
    """
    row = load_word(pool + at.ROW)
    chunks = load_word(pool + at.CHUNKS)
    caller = load_word(pool + at.CALLER_CONTEXT)
    tile = load_word(pool + at.TILE)
    context = pool + at.CONTEXTS + slot * at.CONTEXT_STRIDE
    copy_bytes(context, caller, 8 * CONTEXT_WORDS)
    is_product = load_word(row) == GEMM
    kernel = load_word(row + 8)
    extent = load_word(row + 16)
    grain = max(load_word(row + 24), 1)
    argv = load_word(row + 32)
    failed = chunks
    chunk = atomic_add(pool + at.NEXT, 1)
    while chunk < chunks:
        if is_product:
            call_part(tile, pool, row, chunk)
        else:
            call_kernel(kernel, chunk * grain, min(chunk * grain + grain, extent), argv, context)
        if failed == chunks and load_word(context + STATUS) != 0:
            failed = chunk
        chunk = atomic_add(pool + at.NEXT, 1)
    if failed < chunks:
        while not compare_exchange(pool + at.FAILURE_LOCK, 0, 1):
            pause()
        if failed < load_word(pool + at.FAILED_CHUNK):
            store_word(pool + at.FAILED_CHUNK, failed)
            store_word(pool + at.FAILURE_STATUS, load_word(context + STATUS))
            store_word(pool + at.FAILURE_DETAIL, load_word(context + DETAIL))
        atomic_store(pool + at.FAILURE_LOCK, 0)


def worker(record: Any) -> Any:
    """The life of a thread: wait for a region, awake at first and then asleep; join it; again."""
    pool = load_word(record)
    slot = load_word(record + 8)
    seen = 0
    waited = 0
    while atomic_load(pool + at.STOP) == 0:
        gate = atomic_load(pool + at.GATE)
        generation = gate >> at.GENERATION_SHIFT
        if gate & at.OPEN == 0 or generation == seen:
            waited += 1
            if waited < at.SPINS:
                pause()
            elif waited < at.SPINS + at.YIELDS:
                sched_yield()
            else:
                waited = 0
                mutex = load_word(pool + at.MUTEX)
                mutex_lock(mutex)
                # First be counted, then look again: the caller opens, then counts. One of the two notices.
                atomic_add(pool + at.SLEEPERS, 1)
                gate = atomic_load(pool + at.GATE)
                while (
                    gate & at.OPEN == 0 or gate >> at.GENERATION_SHIFT == seen
                ) and atomic_load(pool + at.STOP) == 0:
                    condition_wait(load_word(pool + at.CONDITION), mutex)
                    gate = atomic_load(pool + at.GATE)
                atomic_add(pool + at.SLEEPERS, -1)
                mutex_unlock(mutex)
        elif slot >= load_word(pool + at.CHUNKS):
            seen = generation  # fewer chunks than threads: the caller takes one, slots 1.. the others
        elif compare_exchange(pool + at.GATE, gate, gate + 1):
            seen = generation
            call_part(load_word(pool + at.WORK), pool, slot, 0)
            atomic_add(pool + at.GATE, -1)
            waited = 0
    return 0


def launch(frame: Any, row: Any, chunks: Any) -> Any:
    """Run all chunks of a PARALLEL or GEMM row, in the pool when it is free, else here, in order."""
    pool = load_word(frame + POOL)
    context = load_word(frame + CONTEXT)
    free = load_word(frame + IN_PARALLEL) != 0 and load_word(pool + at.WORKERS) != 0
    if free and compare_exchange(pool + at.BUSY, 0, 1):
        store_word(pool + at.ROW, row)
        store_word(pool + at.CHUNKS, chunks)
        store_word(pool + at.CALLER_CONTEXT, context)
        store_word(pool + at.FAILED_CHUNK, chunks)
        store_word(pool + at.NEXT, 0)
        generation = (atomic_load(pool + at.GATE) >> at.GENERATION_SHIFT) + 1
        generation = max(generation & at.GENERATION_MASK, 1)
        atomic_store(pool + at.GATE, (generation << at.GENERATION_SHIFT) | at.OPEN)
        if atomic_load(pool + at.SLEEPERS) != 0:
            mutex_lock(load_word(pool + at.MUTEX))
            condition_broadcast(load_word(pool + at.CONDITION))
            mutex_unlock(load_word(pool + at.MUTEX))
        call_part(load_word(pool + at.WORK), pool, 0, 0)
        atomic_add(pool + at.GATE, -at.OPEN)
        waited = 0
        while atomic_load(pool + at.GATE) & at.ACTIVE_MASK != 0:
            waited += 1
            if waited < at.SPINS:
                pause()
            else:
                sched_yield()
        if load_word(pool + at.FAILED_CHUNK) < chunks:
            store_word(context + STATUS, load_word(pool + at.FAILURE_STATUS))
            store_word(context + DETAIL, load_word(pool + at.FAILURE_DETAIL))
        atomic_store(pool + at.BUSY, 0)
    elif load_word(row) == GEMM:
        for chunk in range(chunks):
            call_part(load_word(pool + at.TILE), pool, row, chunk)
    else:
        kernel = load_word(row + 8)
        extent = load_word(row + 16)
        grain = max(load_word(row + 24), 1)
        for chunk in range(chunks):
            high = min(chunk * grain + grain, extent)
            call_kernel(kernel, chunk * grain, high, load_word(row + 32), context)


def tile(pool: Any, row: Any, chunk: Any) -> Any:
    """One tile of a product: rows and columns of one C of the batch.

    BLAS is column-major, where our matrices are their own transposes: C' = op(B)' op(A)'.
    """
    m = load_word(row + M)
    n = load_word(row + N)
    k = load_word(row + K)
    lda = load_word(row + LDA)
    ldb = load_word(row + LDB)
    ldc = load_word(row + LDC)
    trans_a = load_word(row + TRANS_A)
    trans_b = load_word(row + TRANS_B)
    tile_m = load_word(row + TILE_M)
    tile_n = load_word(row + TILE_N)
    if tile_m <= 0:
        tile_m = m
    if tile_n <= 0:
        tile_n = n
    across = (n + tile_n - 1) // tile_n
    each = across * ((m + tile_m - 1) // tile_m)
    batch = chunk // each
    i = (chunk % each) // across * tile_m
    j = (chunk % each) % across * tile_n
    offset_a = batch * load_word(row + STRIDE_A) + (i if trans_a != 0 else i * lda)
    offset_b = batch * load_word(row + STRIDE_B) + (j * ldb if trans_b != 0 else j)
    offset_c = batch * load_word(row + STRIDE_C) + i * ldc + j
    rows = min(tile_m, m - i)
    columns = min(tile_n, n - j)
    # BLAS wants leading dimensions of at least 1, also where k is 0 and nothing is read.
    lda = max(lda, 1)
    ldb = max(ldb, 1)
    if load_word(row + DTYPE) == 0:
        call_sgemm(
            load_word(pool + at.SGEMM), trans_b, trans_a, columns, rows, k, load_word(row + ALPHA),
            load_word(row + B) + 4 * offset_b, ldb, load_word(row + A) + 4 * offset_a, lda,
            load_word(row + BETA), load_word(row + C) + 4 * offset_c, ldc,
        )  # fmt: skip
    else:
        call_dgemm(
            load_word(pool + at.DGEMM), trans_b, trans_a, columns, rows, k, load_word(row + ALPHA),
            load_word(row + B) + 8 * offset_b, ldb, load_word(row + A) + 8 * offset_a, lda,
            load_word(row + BETA), load_word(row + C) + 8 * offset_c, ldc,
        )  # fmt: skip


def drive(frame: Any, pc: Any, parallel: Any) -> Any:
    """Run a table from row `pc` until it halts, yields or fails; the row to go on at, or HALTED."""
    table = load_word(frame + TABLE)
    rows = load_word(frame + ROWS)
    registers = load_word(frame + REGISTERS)
    context = load_word(frame + CONTEXT)
    pool = load_word(frame + POOL)
    store_word(frame + IN_PARALLEL, parallel)
    set_threads = load_word(pool + at.SET_BLAS_THREADS)
    if set_threads != 0:
        # BLAS inside our tiles must not start threads of its own. The first run in notes what the user had.
        while not compare_exchange(pool + at.BLAS_LOCK, 0, 1):
            pause()
        if load_word(pool + at.BLAS_USERS) == 0:
            store_word(pool + at.BLAS_SAVED, call_get_threads(load_word(pool + at.GET_BLAS_THREADS)))
            call_set_threads(set_threads, 1)
        store_word(pool + at.BLAS_USERS, load_word(pool + at.BLAS_USERS) + 1)
        atomic_store(pool + at.BLAS_LOCK, 0)
    result = HALTED
    while True:
        fault = 0
        if pc < 0 or pc >= rows:
            fault = BAD_ROW
            row = table
            opcode = HALT
        else:
            row = table + pc * ROW_BYTES
            opcode = load_word(row)
        first = load_word(row + 8)
        second = load_word(row + 16)
        following = pc + 1
        checked = False
        if fault != 0:
            pass
        elif opcode == KERNEL:
            call_kernel(first, second, load_word(row + 24), load_word(row + 32), context)
            checked = True
        elif opcode == PARALLEL:
            grain = max(load_word(row + 24), 1)
            if second > grain:
                call_part(load_word(pool + at.LAUNCH), frame, row, (second + grain - 1) // grain)
            elif second > 0:
                call_kernel(first, 0, second, load_word(row + 32), context)
            checked = True
        elif opcode == GEMM:
            m = load_word(row + M)
            n = load_word(row + N)
            k = load_word(row + K)
            largest = max(max(m, n), max(k, load_word(row + LDA)))
            largest = max(largest, max(load_word(row + LDB), load_word(row + LDC)))
            batch = load_word(row + BATCH)
            if largest > GEMM_LIMIT:
                fault = GEMM_SIZE
            elif m > 0 and n > 0 and batch > 0:
                tile_m = load_word(row + TILE_M)
                tile_n = load_word(row + TILE_N)
                down = (m + tile_m - 1) // tile_m if tile_m > 0 else 1
                across = (n + tile_n - 1) // tile_n if tile_n > 0 else 1
                tiles = batch * down * across
                if tiles == 1:
                    call_part(load_word(pool + at.TILE), pool, row, 0)
                else:
                    call_part(load_word(pool + at.LAUNCH), frame, row, tiles)
        elif opcode == SET:
            value = second + load_word(registers + 8 * load_word(row + 24)) * load_word(row + 32)
            value += load_word(registers + 8 * load_word(row + 40)) * load_word(row + 48)
            store_word(first, value)
        elif opcode == ADD:
            store_word(registers + 8 * first, load_word(registers + 8 * first) + second)
        elif opcode == MOVE:
            store_word(registers + 8 * first, second)
        elif opcode == LOAD:
            store_word(registers + 8 * first, load_word(second))
        elif opcode == JUMP:
            following = first
        elif opcode == JUMP_IF_LESS:
            limit = second
            if load_word(row + 24) != 0:
                limit = load_word(registers + 8 * second)
            if load_word(registers + 8 * first) < limit:
                following = load_word(row + 32)
        elif opcode == JUMP_IF_ZERO:
            if load_byte(first) == 0:
                following = second
        elif opcode == COPY:
            copy_bytes(first, second, load_word(row + 24))
        elif opcode == FILL_ZERO:
            fill_zero(first, second)
        elif opcode == CHECK:
            checked = True
        elif opcode == YIELD:
            left = load_word(registers + 8 * first) - 1
            store_word(registers + 8 * first, left)
            if left == 0:
                result = following
                break
        elif opcode == HALT:
            break
        else:
            fault = BAD_OPCODE
        if fault != 0:
            store_word(context + STATUS, fault)
            store_word(context + DETAIL, opcode)
            checked = True
        if checked and load_word(context + STATUS) != 0:
            store_word(context + FAILED_ROW, pc)
            result = pc
            break
        pc = following
    if set_threads != 0:
        while not compare_exchange(pool + at.BLAS_LOCK, 0, 1):
            pause()
        store_word(pool + at.BLAS_USERS, load_word(pool + at.BLAS_USERS) - 1)
        if load_word(pool + at.BLAS_USERS) == 0:
            call_set_threads(set_threads, load_word(pool + at.BLAS_SAVED))
        atomic_store(pool + at.BLAS_LOCK, 0)
    return result


def emit(part: str, symbol: str) -> bytes:
    """Object code of one of the five functions."""
    from graphc.target.numba_codegen import emit_object

    function, result, count = _PARTS[part]
    return emit_object(function, symbol, (types.int64,) * count, result)


_PARTS: dict[str, tuple[Any, Any, int]] = {
    "work": (work, types.none, 3),
    "worker": (worker, types.int64, 1),
    "launch": (launch, types.none, 3),
    "tile": (tile, types.none, 3),
    "drive": (drive, types.int64, 3),
}
