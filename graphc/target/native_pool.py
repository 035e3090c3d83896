"""Native text of the thread pool: opening a region, taking chunks, waiting for the next.

See `threads` for the words that it works on and what they promise. Addresses are int64.
"""

from __future__ import annotations

from typing import Any

from graphc.target import threads as at
from graphc.target.instructions import CONTEXT_WORDS, Context, Opcode
from graphc.target.machine_intrinsics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call_kernel,
    call_part,
    compare_exchange,
    condition_broadcast,
    condition_wait,
    copy_bytes,
    current_processor,
    get_affinity,
    load_word,
    mutex_lock,
    mutex_unlock,
    part,
    pause,
    sched_yield,
    set_affinity,
    store_word,
)

# Numba reads plain module integers faster than members of an enumeration.
GEMM = int(Opcode.GEMM)
STATUS, DETAIL = 8 * int(Context.STATUS), 8 * int(Context.DETAIL)

# Byte offsets of the frame that a caller hands over: what a run works on.
TABLE, ROWS, REGISTERS, CONTEXT, POOL, IN_PARALLEL = range(0, 48, 8)


@part
def run_chunk(pool: Any, row: Any, chunk: Any, context: Any) -> None:
    if load_word(row) == GEMM:
        call_part(load_word(pool + at.TILE), pool, row, chunk)
    else:
        low = chunk * max(load_word(row + 24), 1)
        high = min(low + max(load_word(row + 24), 1), load_word(row + 16))
        call_kernel(load_word(row + 8), low, high, load_word(row + 32), context)


@part
def take_lock(address: Any) -> None:
    while not compare_exchange(address, 0, 1):
        pause()


@part
def report(pool: Any, chunk: Any, context: Any) -> None:
    take_lock(pool + at.FAILURE_LOCK)
    if chunk < load_word(pool + at.FAILED_CHUNK):
        store_word(pool + at.FAILED_CHUNK, chunk)
        store_word(pool + at.FAILURE_STATUS, load_word(context + STATUS))
        store_word(pool + at.FAILURE_DETAIL, load_word(context + DETAIL))
    atomic_store(pool + at.FAILURE_LOCK, 0)


def work(pool: Any, slot: Any, unused: Any) -> None:
    """Take chunks of the open region until none are left; slot 0 is the caller's thread.

    Failures go to a private context first. Chunks are taken in order, so when the smallest failing
    chunk of all threads is kept, the outcome does not depend on who computed what.
    """
    row = load_word(pool + at.ROW)
    chunks = load_word(pool + at.CHUNKS)
    context = pool + at.CONTEXTS + slot * at.CONTEXT_STRIDE
    copy_bytes(context, load_word(pool + at.CALLER_CONTEXT), 8 * CONTEXT_WORDS)
    failed = chunks
    chunk = atomic_add(pool + at.NEXT, 1)
    while chunk < chunks:
        run_chunk(pool, row, chunk, context)
        if failed == chunks and load_word(context + STATUS) != 0:
            failed = chunk
        chunk = atomic_add(pool + at.NEXT, 1)
    if failed < chunks:
        report(pool, failed, context)


@part
def nothing_new(pool: Any, seen: Any) -> Any:
    gate = atomic_load(pool + at.GATE)
    return gate & at.OPEN == 0 or gate >> at.GENERATION_SHIFT == seen


@part
def allow_elsewhere(record: Any, processor: Any) -> Any:
    """Let this thread run anywhere but on `processor`, if that can be done."""
    if processor < 0 or get_affinity(0, at.MASK_BYTES, record + at.ALLOWED) != 0:
        return False
    copy_bytes(record + at.ELSEWHERE, record + at.ALLOWED, at.MASK_BYTES)
    word = record + at.ELSEWHERE + 8 * (processor >> 6)
    store_word(word, load_word(word) & ~(1 << (processor & 63)))
    return set_affinity(0, at.MASK_BYTES, record + at.ELSEWHERE) == 0


@part
def allow_all(record: Any) -> None:
    set_affinity(0, at.MASK_BYTES, record + at.ALLOWED)


@part
def leave_caller(pool: Any, record: Any) -> None:
    """Move off the caller's processor: beside it there is no time for this thread."""
    processor = current_processor()
    if processor == load_word(pool + at.CALLER_PROCESSOR) and allow_elsewhere(record, processor):
        allow_all(record)


@part
def sleep(pool: Any, record: Any, seen: Any) -> None:
    # The scheduler likes to wake a thread beside its waker, who is busy from then on; with other
    # processors idle it took some milliseconds until the two were apart.
    apart = allow_elsewhere(record, load_word(pool + at.CALLER_PROCESSOR))
    mutex = load_word(pool + at.MUTEX)
    mutex_lock(mutex)
    # First be counted, then look again; the caller opens, then counts. One of the two notices.
    atomic_add(pool + at.SLEEPERS, 1)
    while nothing_new(pool, seen) and atomic_load(pool + at.STOP) == 0:
        condition_wait(load_word(pool + at.CONDITION), mutex)
    atomic_add(pool + at.SLEEPERS, -1)
    mutex_unlock(mutex)
    if apart:
        allow_all(record)
    leave_caller(pool, record)


def worker(record: Any) -> Any:
    """The life of a thread: wait for a region, awake at first and then asleep; join it; again."""
    pool = load_word(record)
    slot = load_word(record + 8)
    seen = 0
    waited = 0
    while atomic_load(pool + at.STOP) == 0:
        gate = atomic_load(pool + at.GATE)
        if gate & at.OPEN == 0 or gate >> at.GENERATION_SHIFT == seen:
            waited += 1
            if waited < at.SPINS:
                pause()
            elif waited < at.SPINS + at.YIELDS:
                sched_yield()
            else:
                sleep(pool, record, seen)
                waited = 0
        elif slot >= atomic_load(pool + at.CHUNKS):
            seen = gate >> at.GENERATION_SHIFT  # fewer chunks than threads
        elif compare_exchange(pool + at.GATE, gate, gate + 1):
            seen = gate >> at.GENERATION_SHIFT
            call_part(load_word(pool + at.WORK), pool, slot, 0)
            atomic_add(pool + at.GATE, -1)
            leave_caller(pool, record)
            waited = 0
    return 0


@part
def open_gate(pool: Any) -> None:
    generation = (atomic_load(pool + at.GATE) >> at.GENERATION_SHIFT) + 1
    generation = max(generation & at.GENERATION_MASK, 1)
    atomic_store(pool + at.GATE, (generation << at.GENERATION_SHIFT) | at.OPEN)
    if atomic_load(pool + at.SLEEPERS) != 0:
        mutex_lock(load_word(pool + at.MUTEX))
        condition_broadcast(load_word(pool + at.CONDITION))
        mutex_unlock(load_word(pool + at.MUTEX))


@part
def close_gate(pool: Any) -> None:
    atomic_add(pool + at.GATE, -at.OPEN)
    waited = 0
    while atomic_load(pool + at.GATE) & at.ACTIVE_MASK != 0:
        waited += 1
        if waited < at.SPINS:
            pause()
        else:
            sched_yield()


def launch(frame: Any, row: Any, chunks: Any) -> None:
    """Run all chunks of a PARALLEL or GEMM row, in the pool if it is free, else here, in order."""
    pool = load_word(frame + POOL)
    context = load_word(frame + CONTEXT)
    wanted = load_word(frame + IN_PARALLEL) != 0 and load_word(pool + at.WORKERS) != 0
    if wanted and compare_exchange(pool + at.BUSY, 0, 1):
        store_word(pool + at.ROW, row)
        store_word(pool + at.CHUNKS, chunks)
        store_word(pool + at.CALLER_CONTEXT, context)
        store_word(pool + at.CALLER_PROCESSOR, current_processor())
        store_word(pool + at.FAILED_CHUNK, chunks)
        store_word(pool + at.NEXT, 0)
        open_gate(pool)
        call_part(load_word(pool + at.WORK), pool, 0, 0)
        close_gate(pool)
        if load_word(pool + at.FAILED_CHUNK) < chunks:
            store_word(context + STATUS, load_word(pool + at.FAILURE_STATUS))
            store_word(context + DETAIL, load_word(pool + at.FAILURE_DETAIL))
        atomic_store(pool + at.BUSY, 0)
    else:
        for chunk in range(chunks):
            run_chunk(pool, row, chunk, context)
