"""The pool: threads that come and go, two callers, forks, the end of the process."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from graphc.target import cpu, driver, threads
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, HALTED, Opcode, float_bits

ADD_ONE = """
from graphc.target.primitives import int64_pointer

def kernel(lo, hi, argv, context):
    x = int64_pointer(argv, 0)
    for i in range(lo, hi):
        x[i] = x[i] + 1
"""


def counting(turns: int, extent: int = 1000, grain: int = 50) -> tuple[Any, np.ndarray]:
    """A prepared program that adds 1 to each of `extent` numbers, `turns` times, in chunks."""
    data = np.zeros(extent, np.int64)
    argv = np.array([data.ctypes.data])
    table = np.zeros((4, COLUMNS), np.int64)
    kernel = cpu.compile_kernel(ADD_ONE).address
    table[0, :5] = Opcode.PARALLEL, kernel, extent, grain, argv.ctypes.data
    table[1, :3] = Opcode.ADD, 0, 1
    table[2, :5] = Opcode.JUMP_IF_LESS, 0, turns, 0, 0
    registers, context = np.zeros(4, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    prepared = {p: driver.prepare(table, registers, context, p) for p in (False, True)}

    def run(parallel: bool = True) -> int:
        registers[0] = 0
        return prepared[parallel].run(0)

    run.keep = argv  # type: ignore[attr-defined]
    return run, data


def in_process(code: str, **environment: str) -> str:
    """Run a script in a process of its own, which must end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


PRELUDE = f"""
import os, sys, threading, time
import numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import counting
from graphc.target import driver, threads
"""


def test_every_chunk_is_done_once() -> None:
    """Thousands of short regions: no chunk lost, none done twice, by whoever is awake."""
    run, data = counting(20_000, extent=40, grain=3)
    assert run() == HALTED
    assert (data == 20_000).all()


def test_workers_wake_up_again() -> None:
    """After a pause the workers sleep; the next region has to wake them, every time."""
    run, data = counting(50)
    for turn in range(10):
        time.sleep(0.01)
        assert run() == HALTED
        assert (data == 50 * (turn + 1)).all()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_workers_take_part() -> None:
    """That results are right would not show it: a thread beside the caller runs chunks too."""
    long = """
from graphc.target.primitives import int64_pointer

def kernel(lo, hi, argv, context):
    x = int64_pointer(argv, 0)
    for i in range(lo, hi):
        for j in range(1000):
            x[i] = x[i] * x[i] + j
"""
    data = np.zeros(20_000, np.int64)
    argv = np.array([data.ctypes.data])
    table = np.zeros((2, COLUMNS), np.int64)
    kernel = cpu.compile_kernel(long).address
    table[0, :5] = Opcode.PARALLEL, kernel, len(data), 100, argv.ctypes.data
    prepared = driver.prepare(table, np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64))
    shares = []
    # On a busy machine the other processor may be taken for a while.
    while not shares or (max(shares) < 1.2 and len(shares) < 200):
        before = time.thread_time(), time.process_time()
        prepared.run()
        shares.append((time.process_time() - before[1]) / (time.thread_time() - before[0]))
    assert max(shares) >= 1.2


def test_two_callers_at_once() -> None:
    """Four Python threads run programs together: one has the pool, all get their results."""
    runs = [counting(3_000) for _ in range(4)]
    results: list[int] = []
    callers = [threading.Thread(target=lambda run=run: results.append(run())) for run, _ in runs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [HALTED] * 4
    assert all((data == 3_000).all() for _, data in runs)


def test_the_gil_is_released() -> None:
    """Python goes on while a program runs."""
    run, _ = counting(50_000)
    caller = threading.Thread(target=run)
    caller.start()
    turns = 0
    while caller.is_alive():
        turns += 1
    assert turns > 100


FEWER = """
run, data = counting(1)  # one region: more of them might really wait, and back off further
assert run() == -1
word = threads.pool.word
word(threads.FEWER).value = LEFT
word(threads.FEWER_UNTIL).value = 2**62
word(threads.THREADS).value = 0
before = word(threads.GATE).value >> threads.GENERATION_SHIFT
assert run() == -1 and (data == 2).all()
regions = (word(threads.GATE).value >> threads.GENERATION_SHIFT) - before
print(regions, word(threads.THREADS).value)
word(threads.FEWER_UNTIL).value = 0
word(threads.FEWER_FOR).value = 0
assert run() == -1 and (data == 3).all()
assert word(threads.GATE).value >> threads.GENERATION_SHIFT > before + regions
"""


@pytest.mark.parametrize(("threads_left", "expected"), [(1, "0 0"), (3, "1 3")])
def test_backing_off(threads_left: int, expected: str) -> None:
    """With a thread less for a while: alone no region is opened, and nothing else changes."""
    code = PRELUDE + FEWER.replace("LEFT", str(threads_left))
    assert in_process(code, GRAPHC_NUM_THREADS="5").strip() == expected


BUSY = """
import subprocess
processor = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {processor})
busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
try:
    run, data = counting(20_000, extent=4_000)
    for turn in range(1, 21):
        assert run() == -1 and (data == 20_000 * turn).all()
        if threads.pool.word(threads.FEWER_FOR).value > 0:
            break
    print(threads.pool.word(threads.FEWER_FOR).value > 0)
finally:
    busy.kill()
    busy.wait()
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_busy_processor_is_noticed() -> None:
    """Two threads and another process on one processor: waiting for each other gains nothing."""
    assert in_process(PRELUDE + BUSY, GRAPHC_NUM_THREADS="2") == "True\n"


FORK = """
run, data = counting(2_000)
assert run() == -1
child = os.fork()
if child == 0:
    ok = run() == -1 and (data == 4_000).all() and threads.pool.started
    workers = threads.pool.word(threads.WORKERS).value
    os._exit(0 if ok and workers == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
assert run() == -1 and (data == 4_000).all()
print("done")
"""


def test_fork() -> None:
    """A child starts threads of its own; parent and child both go on."""
    assert in_process(PRELUDE + FORK, GRAPHC_NUM_THREADS="2") == "done\n"


BUSY_FORK = """
def work():
    run, data = counting(1_000_000_000)
    run()
    del data  # until then this frame holds what the program works on, also when all else is gone
other, numbers = counting(500)
busy = threading.Thread(target=work, daemon=True)
busy.start()
time.sleep(0.05)
for _ in range(10):
    child = os.fork()
    if child == 0:
        numbers[:] = 0
        os._exit(0 if other() == -1 and (numbers == 500).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
print("done", flush=True)
"""


def test_fork_and_exit_while_a_region_is_open() -> None:
    """The pool may be taken at the moment of a fork, and for ever in the child; and a daemon thread

    may be in native code when the process ends.
    """
    assert in_process(PRELUDE + BUSY_FORK, GRAPHC_NUM_THREADS="3") == "done\n"


def test_exit_is_prompt() -> None:
    """Workers asleep or awake do not keep the process, nor crash it."""
    code = PRELUDE + "run, _ = counting(100); run(); run(); print(threads.pool.started)"
    start = time.perf_counter()
    for count in ("1", "2", "9"):
        assert in_process(code, GRAPHC_NUM_THREADS=count) == "True\n"
    assert time.perf_counter() - start < 20


def test_runs_after_the_pool_has_stopped() -> None:
    """An exit handler may still run a program: alone, with the same result."""
    code = """
import atexit
run, data = counting(10)
atexit.unregister(threads.pool.stop)
run()
threads.pool.stop()
assert run() == -1 and (data == 20).all()
print("done")
"""
    assert in_process(PRELUDE + code) == "done\n"


BITS = """
import hashlib
from graphc.schedule.product_tiles import gemm_tiles
from graphc.target.instructions import COLUMNS, Opcode, float_bits
rng = np.random.default_rng(0)
m, n, k = 300, 260, 200
a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
c = np.zeros((m, n), np.float32)
rows, columns = gemm_tiles(m, n, k, "float32")
table = np.zeros((2, COLUMNS), np.int64)
table[0, :18] = (
    Opcode.GEMM, 0, 0, 0, m, n, k, float_bits(1.0), a.ctypes.data, k, b.ctypes.data, n,
    float_bits(0.0), c.ctypes.data, n, rows, columns, 1,
)
driver.run(table, 0, np.zeros(1, np.int64), np.zeros(24, np.int64))
print(hashlib.sha256(c.tobytes()).hexdigest(), threads.pool.word(threads.WORKERS).value)
"""


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    """One, two or five threads: the same product to the last bit."""
    found = [in_process(PRELUDE + BITS, GRAPHC_NUM_THREADS=count).split() for count in "125"]
    assert [int(workers) for _, workers in found] == [0, 1, 4]
    assert len({bits for bits, _ in found}) == 1


def product_run(size: int) -> Any:
    a = np.ones((size, size))
    c = np.zeros((size, size))
    table = np.zeros((2, COLUMNS), np.int64)
    table[0, :18] = (
        Opcode.GEMM, 1, 0, 0, size, size, size, float_bits(1.0), a.ctypes.data, size,
        a.ctypes.data, size, float_bits(0.0), c.ctypes.data, size, 64, 64, 1,
    )  # fmt: skip
    words = np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    prepared = driver.prepare(table, *words)
    return lambda: (prepared.run(), a, c)


def test_blas_keeps_the_threads_that_the_user_gave_it() -> None:
    """BLAS runs single-threaded inside programs only, also when several run at once."""
    run = product_run(96)
    assert threads.pool.word(threads.SET_BLAS_THREADS).value
    get = ctypes.CFUNCTYPE(ctypes.c_int)(threads.pool.word(threads.GET_BLAS_THREADS).value)
    put = ctypes.CFUNCTYPE(None, ctypes.c_int)(threads.pool.word(threads.SET_BLAS_THREADS).value)
    before = get()
    try:
        put(2)
        run()
        assert get() == 2
        callers = [
            threading.Thread(
                target=lambda: [run() for run in [product_run(64)] for _ in range(300)]
            )
            for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert get() == 2
        assert threads.pool.word(threads.BLAS_USERS).value == 0
    finally:
        put(before)


def test_a_program_that_was_prepared_without_products() -> None:
    """A GEMM row that came later must fail by name, not call an address of nothing."""
    code = """
from graphc.target.instructions import COLUMNS, Failure, Opcode
table, context = np.zeros((2, COLUMNS), np.int64), np.zeros(24, np.int64)
prepared = driver.prepare(table, np.zeros(1, np.int64), context)
table[0, :7] = Opcode.GEMM, 0, 0, 0, 1, 1, 1
table[0, 17] = 1
assert prepared.run() == 0 and context[0] == Failure.NO_BLAS
print("done")
"""
    assert in_process(PRELUDE + code) == "done\n"


def test_workers_take_no_signals() -> None:
    """A signal for the process reaches the interpreter's thread, where Python handles it."""
    code = """
import signal
run, _ = counting(10)
run()
time.sleep(0.2)  # a thread that is just starting has all signals blocked
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
for _ in range(20):
    os.kill(os.getpid(), signal.SIGUSR1)
masks = []
for task in os.listdir("/proc/self/task"):
    lines = open(f"/proc/self/task/{task}/status").read().splitlines()
    masks.append(int(next(line for line in lines if line.startswith("SigBlk")).split()[1], 16))
assert got and sum(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks) == 2, (got, masks)
print("done")
"""
    assert in_process(PRELUDE + code, GRAPHC_NUM_THREADS="3") == "done\n"
