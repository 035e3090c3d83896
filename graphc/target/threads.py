"""The one pool of threads that parallel regions of the driver run on.

The pool is a block of int64 words shared by native code (`native_driver`): the driver opens a
region, workers that are awake join it and take chunks, the driver closes it and waits for those
inside. A worker that is asleep or not scheduled is simply not there, so a busy machine costs
speed, never a stall. Who computes a chunk does not change its bits.

- Other processes: a thread that is stopped with a chunk in hand keeps its caller waiting. A caller
  that waits too long, or is itself often stopped, goes on with one thread fewer for a time that
  grows while it does not get better (`native_pool.back_off`).
- Two callers at once: the pool is taken by a compare-and-swap; the one who does not get it runs
  its region alone.
- Fork: threads do not survive it. The child's pool is reset and starts threads of its own when it
  is first needed.
- Exit: workers are told to stop and joined, before the code they run is unloaded.

Workers run no Python and take no signals.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable

from graphc import config
from graphc.target.instructions import CONTEXT_WORDS

LINE = 128  # two cache lines: processors fetch them in pairs

# Byte offsets of the words of a pool. Words written by different threads lie on different lines.
WORK, TILE, LAUNCH = 0, 8, 16  # addresses of the parts of the driver
SGEMM, DGEMM, SGEMV, DGEMV = 24, 32, 40, 48
SET_BLAS_THREADS, GET_BLAS_THREADS = 56, 64
WORKERS, STOP, MUTEX, CONDITION, STARTED = 72, 80, 88, 96, 104
BRANCH = 112  # the address of another part
GATE = 1 * LINE
NEXT = 2 * LINE
ROW, CHUNKS, CALLER_CONTEXT, CALLER_PROCESSOR, THREADS = (3 * LINE + 8 * w for w in range(5))
BUSY, FEWER_UNTIL, FEWER_FOR, FEWER, CLOCK = (4 * LINE + 8 * word for word in range(5))
SLEEPERS = 5 * LINE
FAILURE_LOCK, FAILED_CHUNK = 6 * LINE, 6 * LINE + 8
FAILURE_STATUS, FAILURE_DETAIL = 6 * LINE + 16, 6 * LINE + 24
BLAS_LOCK, BLAS_USERS, BLAS_SAVED = 7 * LINE, 7 * LINE + 8, 7 * LINE + 16
MUTEX_STORAGE, CONDITION_STORAGE = 8 * LINE, 9 * LINE
CONTEXTS = 10 * LINE  # a private context for each thread
CONTEXT_STRIDE = 2 * LINE

MAX_THREADS = 256
_CHANGING = (
    STARTED, WORKERS, STOP, GATE, NEXT, BUSY, FEWER_UNTIL, FEWER_FOR, SLEEPERS, FAILURE_LOCK,
    BLAS_LOCK, BLAS_USERS,
)  # fmt: skip

# The gate: how many workers are inside, whether they may enter, and the number of the region.
ACTIVE_MASK, OPEN, GENERATION_SHIFT, GENERATION_MASK = 0xFFFF, 0x10000, 32, 0x3FFFFFFF

SPINS = 5_000  # a few hundred microseconds: regions of one step follow each other faster
SPINS_PER_YIELD = 5  # then about as long giving way, then sleep
FEWEST_SPINS = 500  # of a thread that was woken several times and always came too late

# A caller that has waited for the others at the end of a region longer than this many times its
# own part in it, and this many nanoseconds, waits for one that the system does not run.
PATIENCE, LEAST_PATIENCE = 2, 50_000
# Every so many nanoseconds of a run its caller looks how much of a processor it was given. With
# less than three quarters, more threads would take time from each other.
WINDOW = 10_000_000
# For so many times what was lost there is one thread fewer; twice as long each time that it
# happens again soon, so a busy machine costs some per cent and not every other region.
SHORTEST_BACKOFF, LONGEST_BACKOFF = 4, 64
NAP = 50  # microseconds

# A worker's record: the pool, its slot, and two sets of processors for `sched_setaffinity`.
MASK_BYTES = 128
ALLOWED, ELSEWHERE = 16, 16 + MASK_BYTES
RECORD_BYTES = ELSEWHERE + MASK_BYTES

MONOTONIC, THREAD_TIME = time.CLOCK_MONOTONIC, time.CLOCK_THREAD_CPUTIME_ID

assert CONTEXT_WORDS * 8 <= CONTEXT_STRIDE


class _Pool:
    """The shared words, and the threads started on them."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        # Never freed: a daemon thread may still be in native code while the interpreter ends.
        size = CONTEXTS + MAX_THREADS * CONTEXT_STRIDE + LINE
        self._libc.calloc.restype = ctypes.c_void_p
        storage = self._libc.calloc(ctypes.c_size_t(size), ctypes.c_size_t(1))
        if not storage:
            raise MemoryError(f"thread pool: expected {size} bytes")
        self.address = -(-storage // LINE) * LINE
        self._records: list[ctypes.Array[ctypes.c_int64]] = []
        self._handles: list[ctypes.c_void_p] = []
        self._lock = threading.Lock()
        self._reset()

    def word(self, offset: int) -> ctypes.c_int64:
        """The word at a byte offset, shared with native code."""
        return ctypes.c_int64.from_address(self.address + offset)

    @property
    def started(self) -> bool:
        """Whether this process has started its threads."""
        return self.word(STARTED).value != 0

    def _reset(self) -> None:
        for offset in _CHANGING:
            self.word(offset).value = 0
        for offset, storage, name in (
            (MUTEX, MUTEX_STORAGE, "pthread_mutex_init"),
            (CONDITION, CONDITION_STORAGE, "pthread_cond_init"),
        ):
            ctypes.memset(self.address + storage, 0, LINE)
            getattr(self._libc, name)(ctypes.c_void_p(self.address + storage), None)
            self.word(offset).value = self.address + storage

    def start(self, worker: Callable[[], int]) -> None:
        """Start the threads, once a process; `worker()` gives the address of their function."""
        with self._lock:
            if self.started:
                return
            self.word(STARTED).value = 1
            wanted = min(config.thread_count(), MAX_THREADS) - 1
            if wanted > 0:
                address = worker()
                with _SignalsBlocked():
                    running = sum(self._create(address, slot) for slot in range(1, wanted + 1))
                self.word(WORKERS).value = running

    def _create(self, worker: int, slot: int) -> bool:
        record = (ctypes.c_int64 * (RECORD_BYTES // 8))(self.address, slot)
        handle = ctypes.c_void_p()
        failed = self._libc.pthread_create(
            ctypes.byref(handle), None, ctypes.c_void_p(worker), ctypes.byref(record)
        )
        if failed:
            reason = os.strerror(failed)
            message = f"thread {slot + 1} of {config.thread_count()} cannot be started: {reason}"
            warnings.warn(message, RuntimeWarning, stacklevel=5)
            return False
        self._records.append(record)
        self._handles.append(handle)
        return True

    def stop(self) -> None:
        """Let all workers return and wait for them. Later regions run in their caller alone."""
        with self._lock:
            self.word(STARTED).value = 1
            self.word(WORKERS).value = 0
            self.word(STOP).value = 1
            mutex, condition = (self.word(offset).value for offset in (MUTEX, CONDITION))
            self._libc.pthread_mutex_lock(ctypes.c_void_p(mutex))
            self._libc.pthread_cond_broadcast(ctypes.c_void_p(condition))
            self._libc.pthread_mutex_unlock(ctypes.c_void_p(mutex))
            for handle in self._handles:
                self._libc.pthread_join(handle, None)
            self._handles.clear()
            self._records.clear()

    def after_fork(self) -> None:
        """In a new child: forget the parent's threads; start anew when asked."""
        self._lock = threading.Lock()
        self._handles.clear()
        users = self.word(BLAS_USERS).value
        self._reset()
        if users and self.word(SET_BLAS_THREADS).value:
            restore = ctypes.CFUNCTYPE(None, ctypes.c_int)(self.word(SET_BLAS_THREADS).value)
            restore(self.word(BLAS_SAVED).value)


class _SignalsBlocked:
    """Threads created inside take no signals: those belong to the interpreter."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    def __exit__(self, *exception: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


pool = _Pool()
os.register_at_fork(after_in_child=pool.after_fork)
atexit.register(pool.stop)
