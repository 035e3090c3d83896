"""The measured limits of the machine: kept, read back, and plausible beside NumPy's speed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphc.target import limits
from graphc.target.limits import Bandwidth, MachineLimits, machine_limits

KNOWN = MachineLimits(
    4,
    (Bandwidth(1 << 14, 64e9, 32e9), Bandwidth(1 << 20, 16e9, 8e9), Bandwidth(1 << 30, 4e9, 2e9)),
    float32_products=100e9,
    float64_products=50e9,
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache directory of its own; `measure` gives known numbers."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "4")
    monkeypatch.setattr(limits, "_sizes", lambda: [b.size for b in KNOWN.bandwidths])
    monkeypatch.setattr(limits, "measure", lambda threads: KNOWN)
    limits._memory.clear()
    yield tmp_path
    limits._memory.clear()


def test_they_are_faster_than_numpy() -> None:
    """A limit is no limit if NumPy, on one thread, copies or multiplies faster than it."""
    known = machine_limits()
    source, target = np.ones(1 << 24, np.float32), np.zeros(1 << 24, np.float32)
    copied = _best(lambda: np.copyto(target, source))
    assert known.bandwidths[-1].seconds(source.nbytes, source.nbytes) < 1.5 * copied
    matrix = np.ones((512, 512), np.float32)
    rate = 2 * 512**3 / _best(lambda: matrix[:128] @ matrix) / 4
    assert known.float32_products > rate / 4
    assert known.float32_products > known.float64_products
    reads = [bandwidth.read for bandwidth in known.bandwidths]
    assert reads == sorted(reads, reverse=True)


def _best(run: Callable[[], object], repeats: int = 5) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def test_least_time_by_hand() -> None:
    """The longer of moving and computing, and its name."""
    seconds, by = KNOWN.least_seconds(1 << 29, 1 << 29, 0)
    assert by == "memory"
    assert seconds == pytest.approx((1 << 30) / 2e9)  # a copy
    seconds, by = KNOWN.least_seconds(1 << 13, 0, 0)
    assert (seconds, by) == (pytest.approx((1 << 13) / 64e9), "cache")
    seconds, by = KNOWN.least_seconds(64, 64, 300_000, 100_000)
    assert (seconds, by) == (pytest.approx(200_000 / 100e9 + 100_000 / 50e9), "arithmetic")


def test_between_measured_sizes() -> None:
    """Half way in the logarithm of the size is half way in that of the rate, and never outside."""
    middle = KNOWN.bandwidth(1 << 17)
    assert middle.read == pytest.approx(32e9)
    assert middle.copied == pytest.approx(16e9)
    assert KNOWN.bandwidth(1).read == 64e9
    assert KNOWN.bandwidth(1 << 40).read == 4e9


def test_kept_and_read_back(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process reads the file of the first; `again` keeps the higher of each number."""
    assert machine_limits() == KNOWN
    (file,) = directory.glob("*.limits.json")
    monkeypatch.setattr(limits, "measure", lambda threads: pytest.fail("measured again"))
    limits._memory.clear()
    assert machine_limits() == KNOWN
    measured = replace(KNOWN, float32_products=200e9, float64_products=1e9)
    best = replace(KNOWN, float32_products=200e9)
    monkeypatch.setattr(limits, "measure", lambda threads: measured)
    assert machine_limits(again=True) == best
    limits._memory.clear()
    assert machine_limits() == best
    assert list(directory.iterdir()) == [file]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"bandwidths": [], "threads": 1}'])
def test_a_damaged_file_is_measured_again(directory: Path, text: str) -> None:
    """Whatever the file holds, what comes back are limits."""
    machine_limits()
    (file,) = directory.glob("*.limits.json")
    file.write_text(text)
    limits._memory.clear()
    assert machine_limits() == KNOWN
    assert json.loads(file.read_text())["threads"] == 4


def test_numbers_that_are_no_rates_are_refused(directory: Path) -> None:
    """A rate of 0 would divide by 0, and one of nan would make every percentage nan."""
    machine_limits()
    (file,) = directory.glob("*.limits.json")
    for wrong in (0, -1, "nan", "inf", None):
        known = json.loads(file.read_text())
        known["float32_products"] = wrong
        file.write_text(json.dumps(known))
        limits._memory.clear()
        assert machine_limits() == KNOWN


def test_without_a_cache_they_are_kept_in_the_process(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GRAPHC_CACHE=0 writes nothing."""
    monkeypatch.setenv("GRAPHC_CACHE", "0")
    assert machine_limits() == KNOWN
    assert not list(directory.iterdir())


def test_they_are_told_in_a_line() -> None:
    """The text that heads a profile."""
    assert str(KNOWN) == (
        "4 threads; memory 4.0 GB/s read, 2.0 GB/s copied; caches 64.0, 32.0;\n"
        "matrix products 100.0 GFLOP/s float32, 50.0 GFLOP/s float64"
    )
