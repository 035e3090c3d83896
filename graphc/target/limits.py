"""What this machine can do at most: bytes read and written in a second, floating-point operations.

Measured, not looked up: kernels written as graphc emits them, run by the driver on its threads, cut
into chunks and tiles by the same rules. The best of a few runs counts, since other processes only
ever make them slower. Kept as JSON in the directory of the kernel cache, one file for each machine,
set of versions and number of threads.
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from graphc import config
from graphc.files import replace_text
from graphc.schedule.product_tiles import gemm_tiles
from graphc.target import cpu, driver, processor
from graphc.target.cache import content_key, release
from graphc.target.chunks import chunk
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, Gemm, Opcode, float_bits

_FORMAT = "graphc machine limits 2"
_REPEATS = 5  # in a row that bring nothing, then it is the best
_MOST_REPEATS = 30
_PRODUCTS = (256, 384, 768)  # rows and columns of matrices
_ROWS = 64  # that a large array is summed in
_SAMPLE_BYTES = 4 << 20  # a sample moves at least so many, so that the clock does not matter
_LARGEST = 256 << 20
_memory: dict[int, MachineLimits] = {}  # by the number of threads
_LAST_LEVEL = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")

_SUM = """\
from graphc.target.primitives import add_reassociating, float32, float32_pointer, integer


def kernel(lo, hi, argv, context):
    x0 = float32_pointer(argv, 0)
    out0 = float32_pointer(argv, 1)
    s0 = integer(argv, 2)
    for i0 in range(lo, hi):
        sum_1 = float32(0.0)
        for j0 in range(s0):
            sum_1 = add_reassociating(sum_1, x0[i0 * s0 + j0])
        out0[i0] = sum_1
"""
_DOUBLE = """\
from graphc.target.primitives import float32_pointer, integer


def kernel(lo, hi, argv, context):
    x0 = float32_pointer(argv, 0)
    out0 = float32_pointer(argv, 1)
    s0 = integer(argv, 2)
    for i0 in range(lo * s0, hi * s0):
        out0[i0] = x0[i0] + x0[i0]
"""


@dataclass(frozen=True)
class Bandwidth:
    """Bytes a second of steps that touch `size` bytes in all: of those that read only, and of
    those that read and write as many, counted both ways."""

    size: int
    read: float
    copied: float

    def seconds(self, read: int, written: int) -> float:
        """The least time to read and to write so many bytes."""
        # What a copy takes beside its reading is writing.
        writing = max(2 / self.copied - 1 / self.read, 1 / (2 * self.copied))
        return read / self.read + written * writing


@dataclass(frozen=True)
class MachineLimits:
    """The measured limits of this machine with so many threads.

    `bandwidths` are for growing sizes; the last is beyond all caches. The rates of `products` are
    of large matrix products, in operations a second (an addition and a multiplication are two).
    """

    threads: int
    bandwidths: tuple[Bandwidth, ...]
    float32_products: float
    float64_products: float

    def bandwidth(self, size: int) -> Bandwidth:
        """The bandwidth for steps that touch `size` bytes, between the measured sizes along a
        straight line of logarithms."""
        known = self.bandwidths
        if size <= known[0].size or size >= known[-1].size:
            return known[0] if size <= known[0].size else known[-1]
        below, above = next(pair for pair in pairwise(known) if size <= pair[1].size)
        part = math.log(size / below.size) / math.log(above.size / below.size)
        read = below.read ** (1 - part) * above.read**part
        copied = below.copied ** (1 - part) * above.copied**part
        return Bandwidth(size, read, copied)

    def least_seconds(
        self, read: int, written: int, operations: int, double_operations: int = 0
    ) -> tuple[float, str]:
        """The least time for so many bytes and operations, and what takes it: "memory", "cache" or
        "arithmetic". Of the operations some are in float64."""
        size = read + written
        moving = self.bandwidth(max(size, 1)).seconds(read, written)
        computing = (operations - double_operations) / self.float32_products
        computing += double_operations / self.float64_products
        if computing > moving:
            return computing, "arithmetic"
        # The caches end somewhere between the last two sizes.
        below, last = (bandwidth.size for bandwidth in self.bandwidths[-2:])
        return moving, "memory" if size * size > below * last else "cache"

    def better(self, other: MachineLimits) -> MachineLimits:
        """The higher of both in everything, for limits of the same machine."""
        pairs = zip(self.bandwidths, other.bandwidths, strict=True)
        return MachineLimits(
            self.threads,
            tuple(
                Bandwidth(a.size, max(a.read, b.read), max(a.copied, b.copied)) for a, b in pairs
            ),
            max(self.float32_products, other.float32_products),
            max(self.float64_products, other.float64_products),
        )

    def __str__(self) -> str:
        first, last = self.bandwidths[0], self.bandwidths[-1]
        return (
            f"{self.threads} thread{'s' * (self.threads != 1)}; "
            f"memory {last.read / 1e9:.1f} GB/s read, {last.copied / 1e9:.1f} GB/s copied; "
            f"caches {first.read / 1e9:.1f}, {first.copied / 1e9:.1f};\nmatrix products "
            f"{self.float32_products / 1e9:.1f} GFLOP/s float32, "
            f"{self.float64_products / 1e9:.1f} GFLOP/s float64"
        )


def machine_limits(again: bool = False) -> MachineLimits:
    """What this machine can do at most: measured once and kept beside the compiled kernels.

    `again` measures anew, in about a third of a second, and keeps the higher of the old numbers and
    the new: other processes make a machine slower, never faster. `Function.explain()` and
    `Function.profile()` compare with these numbers.

    >>> limits = machine_limits()
    >>> limits.bandwidths[-1].read > 0 and limits.float32_products > 0
    True
    """
    threads = config.thread_count()
    known = _memory.get(threads)
    if known is None or again:
        path = config.cache_directory() / f"{_key(threads)}.limits.json"
        known = known or (_read(path) if config.cache_enabled() else None)
        if known is None or again:
            measured = measure(threads)
            known = measured if known is None else known.better(measured)
            _keep(path, known)
        _memory[threads] = known
    return known


@functools.cache
def confirmed_limits() -> MachineLimits:
    """The limits after one more measurement in this process: for when something was faster."""
    return machine_limits(again=True)


def _keep(path: Path, known: MachineLimits) -> None:
    if config.cache_enabled():
        with suppress(OSError):  # a disk that is full or read-only: measured in each process
            replace_text(path, json.dumps({"format": _FORMAT, **asdict(known)}, indent=1))


def _key(threads: int) -> str:
    versions = [release("numba", "_version.py"), release("scipy", "version.py")]
    return content_key(_FORMAT, processor.description(), *versions, str(threads))


def _read(path: Path) -> MachineLimits | None:
    """What was kept, None where that is nothing or no limits."""
    try:
        known = json.loads(path.read_text("utf-8"))
        bandwidths = tuple(
            Bandwidth(int(b["size"]), float(b["read"]), float(b["copied"]))
            for b in known["bandwidths"]
        )
        rates = float(known["float32_products"]), float(known["float64_products"])
        limits = MachineLimits(int(known["threads"]), bandwidths, *rates)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    numbers = [*rates, *(n for b in bandwidths for n in (b.size, b.read, b.copied))]
    same = [b.size for b in bandwidths] == _sizes()
    fine = (
        same
        and limits.threads == config.thread_count()
        and all(0 < number < math.inf for number in numbers)
    )
    return limits if fine else None


def measure(threads: int) -> MachineLimits:
    """Measure the limits now."""
    driver.load()
    sizes = _sizes()
    # Filled: pages that nobody has written all are one page of zeros.
    arrays = np.ones(sizes[-1] // 4, np.float32), np.ones(sizes[-1] // 8, np.float32)
    bandwidths = _best_from_here([_bandwidth(size, *arrays, threads > 1) for size in sizes])
    rates = [
        max(_product_rate(n, dtype, threads > 1) for n in _PRODUCTS)
        for dtype in ("float32", "float64")
    ]
    return MachineLimits(threads, bandwidths, *rates)


def _sizes() -> list[int]:
    """Bytes in two arrays: in the first cache, the second, the last, and beyond."""
    last = _last_level_bytes()
    return sorted({1 << 14, 1 << 17, 1 << 20, max(last // 4, 1 << 21), min(4 * last, _LARGEST)})


def _last_level_bytes() -> int:
    try:
        text = _LAST_LEVEL.read_text().strip()
        known = int(text.removesuffix("K").removesuffix("M"))
        return known << (20 if text.endswith("M") else 10 if text.endswith("K") else 0)
    except (OSError, ValueError):
        return 32 << 20


def _bandwidth(size: int, source: np.ndarray, target: np.ndarray, parallel: bool) -> Bandwidth:
    read = _kernel_seconds(_SUM, size // 4, source, target, parallel)
    copied = _kernel_seconds(_DOUBLE, size // 8, source, target, parallel)
    return Bandwidth(size, size / read, size / copied)


def _best_from_here(bandwidths: list[Bandwidth]) -> tuple[Bandwidth, ...]:
    """What a larger size reaches, because more threads work on it, a smaller one could too."""
    best: list[Bandwidth] = []
    for known in reversed(bandwidths):
        above = best[-1] if best else known
        best.append(
            Bandwidth(known.size, max(known.read, above.read), max(known.copied, above.copied))
        )
    return tuple(reversed(best))


def _kernel_seconds(
    source: str, elements: int, first: np.ndarray, second: np.ndarray, parallel: bool
) -> float:
    """The time of one run of a kernel over so many elements of `first`, the best of some."""
    kernel = cpu.compile_kernel(source).address
    rows = 1 if chunk(elements, 1, 1) >= elements else _ROWS
    argv = np.array([first.ctypes.data, second.ctypes.data, elements // rows], np.int64)
    grain = chunk(rows, elements // rows, 1)
    row = (
        [Opcode.KERNEL, kernel, 0, rows, argv.ctypes.data]
        if grain >= rows
        else [Opcode.PARALLEL, kernel, rows, grain, argv.ctypes.data]
    )
    return _seconds(row, max(1, _SAMPLE_BYTES // (elements * 4)), parallel)


def _product_rate(n: int, dtype: str, parallel: bool) -> float:
    a, b, c = (np.ones((n, n), dtype) for _ in range(3))
    row = [0] * COLUMNS
    tile_m, tile_n = gemm_tiles(n, n, n, dtype)
    for column, value in {
        Gemm.DTYPE: int(dtype == "float64"), Gemm.M: n, Gemm.N: n, Gemm.K: n,
        Gemm.LDA: n, Gemm.LDB: n, Gemm.LDC: n, Gemm.ALPHA: float_bits(1.0),
        Gemm.A: a.ctypes.data, Gemm.B: b.ctypes.data, Gemm.C: c.ctypes.data,
        Gemm.TILE_M: tile_m, Gemm.TILE_N: tile_n, Gemm.BATCH: 1,
    }.items():  # fmt: skip
        row[column] = value
    row[0] = Opcode.GEMM
    return 2.0 * n**3 / _seconds(row, 1, parallel)


def _seconds(row: list[int], times: int, parallel: bool) -> float:
    """The time of a row of a table, which is run `times` times without a return to Python."""
    rows = [[Opcode.MOVE, 0, 0], row, [Opcode.ADD, 0, 1], [Opcode.JUMP_IF_LESS, 0, times, 0, 1]]
    table = np.zeros((len(rows) + 1, COLUMNS), np.int64)
    for number, words in enumerate(rows):
        table[number, : len(words)] = words
    table[len(rows), 0] = Opcode.HALT
    registers, context = np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    prepared = driver.prepare(table, registers, context, parallel)
    best, rest = math.inf, _REPEATS
    for _ in range(_MOST_REPEATS):
        seconds = _timed(prepared.run)
        rest = _REPEATS if seconds < 0.99 * best else rest - 1
        best = min(best, seconds)
        if not rest:
            break
    return best / times


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
