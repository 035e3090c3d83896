"""Native text of the thread pool: opening a region, taking chunks, waiting for the next.

See `threads` for the words that it works on and what they promise. Addresses are int64.
"""

from __future__ import annotations

from typing import Any

from graphc.target import threads as at
from graphc.target.instructions import CONTEXT_WORDS, FRAME_WORDS, Context, Opcode
from graphc.target.machine_intrinsics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call_kernel,
    call_part,
    clock_gettime,
    compare_exchange,
    condition_signal,
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
    sleep_microseconds,
    store_word,
)

# Numba reads plain module integers faster than members of an enumeration.
PARALLEL, FORK = int(Opcode.PARALLEL), int(Opcode.FORK)
STATUS, DETAIL = 8 * int(Context.STATUS), 8 * int(Context.DETAIL)

# Byte offsets of the frame that a caller hands over: what a run works on.
TABLE, ROWS, REGISTERS, CONTEXT, POOL, IN_PARALLEL, WINDOW_START, WINDOW_TIME = range(0, 64, 8)


@part
def run_chunk(pool: Any, row: Any, chunk: Any, context: Any) -> None:
    opcode = load_word(row)
    if opcode == FORK:
        frame = load_word(row + 8) + 8 * FRAME_WORDS * chunk
        call_part(load_word(pool + at.BRANCH), pool, frame, context)
    elif opcode != PARALLEL:
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
def generation(pool: Any) -> Any:
    return atomic_load(pool + at.GATE) >> at.GENERATION_SHIFT


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
    while generation(pool) == seen and atomic_load(pool + at.STOP) == 0:
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
    spins = at.SPINS
    while atomic_load(pool + at.STOP) == 0:
        gate = atomic_load(pool + at.GATE)
        if gate & at.OPEN == 0 or gate >> at.GENERATION_SHIFT == seen:
            waited += 1
            if waited < spins:
                pause()
            elif waited < spins + spins // at.SPINS_PER_YIELD:
                sched_yield()
            else:
                # A region that was closed before this thread came must not wake it again.
                seen = gate >> at.GENERATION_SHIFT
                sleep(pool, record, seen)
                waited = 0
                spins = max(spins >> 1, at.FEWEST_SPINS)
        elif (gate & at.ACTIVE_MASK) + 1 >= atomic_load(pool + at.THREADS):
            seen = gate >> at.GENERATION_SHIFT  # enough are there
        elif compare_exchange(pool + at.GATE, gate, gate + 1):
            seen = gate >> at.GENERATION_SHIFT
            call_part(load_word(pool + at.WORK), pool, slot, 0)
            atomic_add(pool + at.GATE, -1)
            leave_caller(pool, record)
            waited = 0
            spins = at.SPINS
    return 0


@part
def clock(pool: Any, which: Any) -> Any:
    """Nanoseconds; asked by the caller that has the pool."""
    clock_gettime(which, pool + at.CLOCK)
    return load_word(pool + at.CLOCK) * 1_000_000_000 + load_word(pool + at.CLOCK + 8)


@part
def open_gate(pool: Any) -> None:
    number = max((generation(pool) + 1) & at.GENERATION_MASK, 1)
    atomic_store(pool + at.GATE, (number << at.GENERATION_SHIFT) | at.OPEN)
    asleep = atomic_load(pool + at.SLEEPERS)
    if asleep != 0:
        missing = load_word(pool + at.THREADS) - 1 - (load_word(pool + at.WORKERS) - asleep)
        if missing > 0:
            mutex_lock(load_word(pool + at.MUTEX))
            for _ in range(missing):
                condition_signal(load_word(pool + at.CONDITION))
            mutex_unlock(load_word(pool + at.MUTEX))


@part
def back_off(pool: Any, lost: Any, time: Any) -> None:
    """Let a thread rest for a while: the processors do not suffice for all of them."""
    last = load_word(pool + at.FEWER_FOR)
    length = at.SHORTEST_BACKOFF * lost
    if time - load_word(pool + at.FEWER_UNTIL) < last:
        length = min(max(length, 2 * last), at.LONGEST_BACKOFF * lost)
    store_word(pool + at.FEWER_FOR, length)
    store_word(pool + at.FEWER_UNTIL, time + length)
    store_word(pool + at.FEWER, max(load_word(pool + at.THREADS) - 1, 1))


@part
def close_gate(pool: Any, opened: Any) -> None:
    if atomic_add(pool + at.GATE, -at.OPEN) & at.ACTIVE_MASK == 0:
        return
    start = clock(pool, at.MONOTONIC)
    limit = at.PATIENCE * (start - opened) + at.LEAST_PATIENCE
    waited = 0
    while atomic_load(pool + at.GATE) & at.ACTIVE_MASK != 0:
        waited += 1
        if waited < at.SPINS:
            pause()
        elif clock(pool, at.MONOTONIC) - start > limit:
            # A processor that is idle is given the thread that waits for one.
            sleep_microseconds(at.NAP)
        else:
            sched_yield()
    time = clock(pool, at.MONOTONIC)
    if time - start > limit:
        back_off(pool, time - start, time)


@part
def look_at_share(pool: Any, frame: Any, time: Any) -> None:
    """Notice that the caller itself is often not run: then its waiting for others shows little."""
    start = load_word(frame + WINDOW_START)
    if start != 0 and time - start < at.WINDOW:
        return
    used = clock(pool, at.THREAD_TIME)
    lost = time - start - (used - load_word(frame + WINDOW_TIME))
    if start != 0 and 4 * lost > time - start:
        back_off(pool, lost, time)
    store_word(frame + WINDOW_START, time)
    store_word(frame + WINDOW_TIME, used)


@part
def threads_for(pool: Any, chunks: Any, time: Any) -> Any:
    """How many threads a region is opened for."""
    threads = load_word(pool + at.WORKERS) + 1
    if time < load_word(pool + at.FEWER_UNTIL):
        threads = min(threads, load_word(pool + at.FEWER))
    return min(threads, chunks)


@part
def run_alone(pool: Any, row: Any, chunks: Any, context: Any) -> None:
    for chunk in range(chunks):
        run_chunk(pool, row, chunk, context)


def launch(frame: Any, row: Any, chunks: Any) -> None:
    """Run all chunks of a row of the table, in the pool if it is free, else here, in order."""
    pool = load_word(frame + POOL)
    context = load_word(frame + CONTEXT)
    wanted = load_word(frame + IN_PARALLEL) != 0 and load_word(pool + at.WORKERS) != 0
    if not wanted or not compare_exchange(pool + at.BUSY, 0, 1):
        run_alone(pool, row, chunks, context)
        return
    opened = clock(pool, at.MONOTONIC)
    look_at_share(pool, frame, opened)
    threads = threads_for(pool, chunks, opened)
    if threads > 1:
        store_word(pool + at.ROW, row)
        store_word(pool + at.CHUNKS, chunks)
        store_word(pool + at.THREADS, threads)
        store_word(pool + at.CALLER_CONTEXT, context)
        store_word(pool + at.CALLER_PROCESSOR, current_processor())
        store_word(pool + at.FAILED_CHUNK, chunks)
        store_word(pool + at.NEXT, 0)
        open_gate(pool)
        call_part(load_word(pool + at.WORK), pool, 0, 0)
        close_gate(pool, opened)
        if load_word(pool + at.FAILED_CHUNK) < chunks:
            store_word(context + STATUS, load_word(pool + at.FAILURE_STATUS))
            store_word(context + DETAIL, load_word(pool + at.FAILURE_DETAIL))
    atomic_store(pool + at.BUSY, 0)
    if threads < 2:
        run_alone(pool, row, chunks, context)
