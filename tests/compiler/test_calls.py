"""Calls of compiled functions: the quick ways that arguments and results take, and their edges."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, CheckFailedError, DTypeError, ShapeError
from graphc.target import threads
from tests.compiler.test_concurrency import together

TARGETS = pytest.mark.parametrize("target", ["python", "cpu"])
LARGE = 10_000  # elements: more than a call copies


class Sub(np.ndarray):
    """An array of a class of the user's."""


def gradient(target: str = "cpu", dtype: str = "float32") -> Any:
    x = gx.input("x", (), dtype)
    return gx.compile([x], gx.grad(gx.sin(x) * gx.exp(-x * x), x), target=target)


def exact(x: float) -> float:
    """The same by hand, in float64."""
    return float(np.exp(-x * x) * (np.cos(x) - 2 * x * np.sin(x)))


NUMBERS: list[Any] = [
    np.array(0.3, np.float32), 0.3, np.float32(0.3), np.float64(0.3), np.array(0.3), 1, 0, True,
    np.int64(-2), np.array(2), np.float16(0.25), 2.5, np.inf, -0.0, 1e-40, np.array(0.3, ">f4"),
    np.array([0.5, 0.3], np.float32)[1:].reshape(()), np.array(0.3, np.float32).view(Sub),
]  # fmt: skip


@TARGETS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_all_kinds(target: str, dtype: str) -> None:
    """Whatever came before, a number is cast as an array of it would be; so in any order, twice."""
    function = gradient(target, dtype)
    fresh = [np.asarray(value).astype(dtype) for value in NUMBERS]
    expected = [function(array) for array in fresh]
    for _ in range(2):
        for value, wanted in [*zip(NUMBERS, expected, strict=True)][::-1]:
            found = function(value)
            assert type(found) is np.dtype(dtype).type
            np.testing.assert_array_equal(found, wanted)
            if np.isfinite(value):
                tolerance = 2e-6 if dtype == "float32" else 1e-14
                assert abs(float(found) - exact(float(np.asarray(value, dtype)))) < tolerance


def test_a_number_beyond_float32_is_infinite() -> None:
    """As NumPy casts it, quickly or not."""
    x = gx.input("x")
    function = gx.compile([x], x + 1)
    with np.errstate(over="ignore"):
        for value in (1e300, -1e300, np.float64(1e300)):
            for _ in range(3):
                assert function(value) == np.float32(value)


def test_casts_of_numbers_are_told() -> None:
    """`explain` tells of a cast that first happened after calls with arrays, and of a new one."""
    function = gradient()
    function(np.array(0.3, np.float32))
    assert function.casts == {}
    for _ in range(2):
        function(0.3)
        assert function.casts == {"x": "float64 -> float32"}
    function(np.float16(0.25))
    assert function.casts == {"x": "float16 -> float32"}


@TARGETS
def test_integers_out_of_range(target: str) -> None:
    """Numbers that do not fit are an error, not a wrapped number, also after ones that did."""
    i, k, b = gx.input("i", (), "int32"), gx.input("k", (), "uint8"), gx.input("b", (), "bool")
    result = gx.where(b, gx.cast(i, "int64") + gx.cast(k, "int64"), 0)
    function = gx.compile([i, k, b], result, target=target)
    for _ in range(3):
        assert function(-5, 250, True) == 245
        assert function(np.int32(7), np.uint8(255), np.bool(True)) == 262
        assert function(np.int64(7), np.array(3), False) == 0
        for bad in ((2**31, 1), (-(2**31) - 1, 1), (1, 256), (1, -1), (1, np.int64(300))):
            with pytest.raises(DTypeError, match=r"do not fit (int32|uint8)"):
                function(*bad, True)
        with pytest.raises(DTypeError, match="'i': expected int32 values, got float64"):
            function(1.0, 1, True)
        with pytest.raises(DTypeError, match="'b': expected bool values, got int64"):
            function(1, 1, 1)
        with pytest.raises(DTypeError, match="'k'"):
            function(1, 10**30, True)


def kinds_of(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers, in memory of all kinds."""
    spread = np.zeros((2 * len(array), 3), array.dtype)[::2, 1]
    spread[...] = array
    fixed = array.copy()
    fixed.flags.writeable = False
    backwards = array[::-1].copy()[::-1]
    told = np.dtype(array.dtype.str, metadata={"unit": "m"})
    return {
        "plain": array,
        "spread": spread,
        "read-only": fixed,
        "backwards": backwards,
        "byte-swapped": array.astype(array.dtype.newbyteorder()),
        "subclass": array.view(Sub),
        "other dtype object": array.astype(told),
        "other float": array.astype("float64"),
        "unaligned": np.frombuffer(b"." + array.tobytes(), array.dtype, offset=1),
    }


@TARGETS
@pytest.mark.parametrize("count", [0, 1, 7, LARGE])
def test_arrays_of_all_kinds(target: str, count: int) -> None:
    """Small ones are copied, large ones read where they are, or from a copy that is as it must."""
    x = gx.input("x", ("n",))
    function = gx.compile([x], [x * 2 + 1, gx.sum(x)], target=target)
    array = np.random.default_rng(count).integers(-50, 50, count).astype(np.float32)
    for _ in range(2):
        for name, given in kinds_of(array).items():
            before = given.copy()
            doubled, total = function(given)
            np.testing.assert_array_equal(doubled, array * 2 + 1, err_msg=name)
            assert total == array.sum(), name
            assert type(doubled) is np.ndarray
            assert doubled.flags.writeable
            assert doubled.flags.owndata
            np.testing.assert_array_equal(given, before)


def test_shapes_in_turn() -> None:
    """Sizes that change from call to call, with errors in between, which leave nothing behind."""
    x, y = gx.input("x", ("n",)), gx.input("y", ("n",))
    function = gx.compile([x, y], x * 2 + y)
    for _ in range(3):
        for count in (3, 5, LARGE, 3, 3, LARGE, 1):
            a, b = np.arange(count, dtype=np.float32), np.ones(count, np.float32)
            np.testing.assert_array_equal(function(a, b), a * 2 + 1)
            np.testing.assert_array_equal(function(y=a, x=b), a + 2)
            with pytest.raises(ShapeError, match=f"n is {count} in 'x' and {count + 1} in 'y'"):
                function(a, np.ones(count + 1, np.float32))
            with pytest.raises(ShapeError, match=r"expected shape \(n,\), got \(\)"):
                function(1.0, b)
            with pytest.raises(ArgumentError, match="missing"):
                function(a)


def test_results_are_the_callers_own() -> None:
    """Writing to a result, or making another, changes no other; nor do later arguments."""
    x = gx.input("x", ("n",))
    function = gx.compile([x], [x, x * 2, gx.sum(x)])
    for count in (4, LARGE):
        first = function(np.ones(count, np.float32))
        first[0][0] = first[1][0] = 9
        second = function(np.full(count, 3, np.float32))
        third = function(np.full(count, 3, np.float32))
        assert first[0][:2].tolist() == [9, 1]
        assert first[1][:2].tolist() == [9, 2]
        assert first[2] == count
        for mine, other in zip(second, third, strict=True):
            np.testing.assert_array_equal(mine, other)
            assert not np.shares_memory(mine, other)


def test_large_arguments_are_let_go() -> None:
    """A function keeps no argument alive: not after a call, nor after one that failed."""
    x, k = gx.input("x", ("n",)), gx.input("k", (), "int32")
    function = gx.compile([x, k], gx.sum(x) + gx.cast(k, "float32"))
    function(np.zeros(LARGE, np.float32), 1)
    for bad in (None, 1.5):
        array = np.zeros(LARGE, np.float32)
        alive = weakref.ref(array)
        if bad is None:
            function(array, 1)
        else:
            with pytest.raises(DTypeError):
                function(array, bad)
        del array
        assert alive() is None


def test_a_failure_is_not_remembered() -> None:
    """After a failed check the next call begins anew, quickly or not."""
    x = gx.input("x")
    gx.check(x >= 0, "negative")
    function = gx.compile([x], gx.sqrt(x))
    for value in (4.0, np.array(9, np.float32), 16.0):
        with pytest.raises(CheckFailedError, match="negative"):
            function(-value)
        assert function(value) == np.sqrt(value)


def test_a_call_inside_an_argument() -> None:
    """Turning an argument into an array may run anything, this function too."""
    function = gradient()

    class Inner:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.asarray(function(0.25))

    inner = function(0.25)
    for _ in range(3):
        assert function(Inner()) == function(inner)


def test_threads_with_numbers_and_sizes() -> None:
    """Each thread gets the results of its own arguments, while the sizes change under it."""
    scalar = gradient()
    v = gx.input("v", ("n",))
    vector = gx.compile([v], [v + 1, gx.sum(v)])
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(number: int) -> None:
        value = 0.1 * (number + 1)
        wanted = scalar(np.array(value, np.float32))
        for turn in range(400):
            assert scalar(value) == wanted
            count = (turn + number) % 3 + 1 if turn % 50 else LARGE
            found, total = vector(np.full(count, number, np.float32))
            assert found.tolist() == [number + 1] * count
            assert total == number * count

    try:
        together(4, work)
    finally:
        sys.setswitchinterval(before)
    assert sum(map(len, scalar._slots.values())) <= 4


def test_other_threads_run_meanwhile() -> None:
    """A call releases the GIL: what takes long does not stop the rest of the process."""
    x = gx.input("x")
    long = gx.compile([x], gx.scan(lambda c, _: (gx.sin(c) + x, None), x, length=30_000_000)[0])
    ended, ticks = threading.Event(), []

    def tick() -> None:
        while not ended.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    long_enough = threading.Thread(target=tick)
    long_enough.start()
    start = time.perf_counter()
    long(0.5)
    end = time.perf_counter()
    ended.set()
    long_enough.join()
    inside = [t for t in ticks if start + 0.1 * (end - start) < t < end - 0.1 * (end - start)]
    assert end - start > 0.02
    assert inside


def test_locks_are_let_go_after_a_failure() -> None:
    """Functions that share a parameter go on after one of them failed, in other threads too."""
    w, s = gx.param("w", np.float32(1.0)), gx.state("s", np.float32(0.0))
    x = gx.input("x")
    gx.check(x > 0, "not positive")
    step = gx.compile([x], w + s, updates={w: w + x, s: s + w})
    with pytest.raises(CheckFailedError):
        step(-1.0)

    def work(number: int) -> None:
        for _ in range(100):
            step(1.0)

    together(3, work)
    assert w.value == 301
    assert s.value == sum(range(1, 301))
    with step.locked(), step.locked():
        assert step(1.0) == 301 + sum(range(1, 301))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_starts_threads_of_its_own() -> None:
    """The first call in a child of a fork is told that there are no threads, and starts them."""
    function = gradient()
    expected = function(0.3)
    child = os.fork()
    if child == 0:
        fine = not threads.pool.started and function(0.3) == expected and threads.pool.started
        os._exit(0 if fine else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
