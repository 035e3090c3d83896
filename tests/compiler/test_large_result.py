"""Large results are new arrays, or arrays that nobody refers to any more."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler import large_result
from graphc.compiler.large_result import LargeResult

SIZE = 100_000


@pytest.fixture
def double() -> Callable[[np.ndarray], np.ndarray]:
    x = gx.input("x", (SIZE,))
    return gx.compile(x, 2 * x)


def full(value: float) -> np.ndarray:
    return np.full(SIZE, value, np.float32)


def place(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_serves_again(double: Any) -> None:
    """Protects the gain: a loop that drops its results, or the one before the last, needs no new
    memory."""
    first, second = double(full(1)), double(full(2))
    places = {place(first), place(second)}
    del first, second
    for _ in range(5):
        assert place(double(full(3))) in places
    y = double(full(4))
    for _ in range(5):
        y = double(y)
        assert place(y) in places


KEEPERS: dict[str, Callable[[np.ndarray], Any]] = {
    "itself": lambda y: y,
    "a view": lambda y: y[10:20],
    "a view of a view": lambda y: y[10:20][::2].reshape(5, 1),
    "another type": lambda y: y.view(np.int32),
    "a buffer": memoryview,
    "a list": lambda y: [y],
    "a cycle": lambda y: (lambda box: box.append(box) or box)([y]),
    "an iterator": iter,
    "an address": lambda y: y.ctypes,
    "DLPack": lambda y: np.from_dlpack(y),
}


@pytest.mark.parametrize("keep", KEEPERS.values(), ids=KEEPERS)
def test_what_somebody_refers_to_is_not_written(
    double: Any, keep: Callable[[np.ndarray], Any]
) -> None:
    """Protects results from later calls, however they are referred to."""
    y = double(full(1))
    address, kept = place(y), keep(y)
    del y
    for _ in range(4):
        assert place(double(full(5))) != address
    assert np.ctypeslib.as_array((np.ctypeslib.ctypes.c_float * 1).from_address(address))[0] == 2
    del kept


def test_a_weak_reference_does_not_see_another_result(double: Any) -> None:
    """Protects caches that hold results weakly: what they find is what was put in."""
    known = weakref.ref(double(full(1)))
    double(full(5))
    gc.collect()
    assert known() is None or known()[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda y: setattr(y, "shape", (SIZE // 2, 2)),
        lambda y: y.setflags(write=False),
        lambda y: y.resize(10, refcheck=False),
        lambda y: setattr(y, "dtype", np.int32),
    ],
    ids=["shape", "read-only", "size", "dtype"],
)
def test_what_was_changed_is_not_used(double: Any, change: Callable[[np.ndarray], None]) -> None:
    """Protects the form of results from what a caller did to an earlier one."""
    change(double(full(1)))
    for value in (2, 3, 4):
        y = double(full(value))
        assert y.shape == (SIZE,)
        assert y.dtype == np.float32
        assert y.flags.writeable
        np.testing.assert_array_equal(y, 2 * full(value))


def test_a_process_keeps_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects memory: over the bound nothing is kept, and what is let go may be kept anew."""
    budget = large_result._Budget(1000)
    monkeypatch.setattr(large_result, "_budget", budget)
    first, second = (LargeResult((75,), np.dtype(np.float64)) for _ in range(2))
    held = [first.make(), second.make()]
    assert [first.kept_bytes, second.kept_bytes] == [600, 0]
    del first
    gc.collect()
    held.append(second.make())
    assert second.kept_bytes == 600
    assert len({place(array) for array in held}) == 3


def test_the_report_counts_them() -> None:
    """Protects the account of what a function keeps; all of it goes with the function."""
    x = gx.input("x", ("n",))
    call = gx.compile(x, [x + 1, x * 2])
    kept = call(full(1))
    assert call.memory.held.results == 2 * 4 * SIZE
    kept = call(kept[0])
    assert call.memory.held.results == 4 * 4 * SIZE
    call(kept[1])
    assert call.memory.held.results == 4 * 4 * SIZE
    left = large_result._budget._left
    del call
    gc.collect()
    assert large_result._budget._left == left + 4 * 4 * SIZE
