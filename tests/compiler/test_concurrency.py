"""Threads and processes: calls that overlap, parameters that are shared, a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import numpy as np

import graphc as gx
from tests.compiler.models import classifier


def together(count: int, work: Callable[[int], None]) -> None:
    """Run `work(0)`, `work(1)`, ... in threads that start at once; the first error is raised
    here."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def body(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_calling_one_function() -> None:
    """Each call has an arena of its own: results are those of the caller's own arguments."""
    x = gx.input("x", ("n", 300))
    w = gx.const(np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32))
    function = gx.compile(x, gx.sum(gx.tanh(x @ w), axis=1))

    def work(number: int) -> None:
        given = np.full((64 + number, 300), 0.01 * (number + 1), np.float32)
        expected = function(given)
        for _ in range(100):
            np.testing.assert_array_equal(function(given), expected)

    together(4, work)


def test_threads_updating_one_parameter() -> None:
    """No update is lost, from one function or from two that share the parameter."""
    count = gx.state("count", np.zeros(1000))
    one = gx.compile([], gx.sum(count), updates={count: count + 1.0})
    two = gx.compile([], gx.max(count), updates={count: count + 2.0})
    together(4, lambda number: [(one if number % 2 else two)() for _ in range(250)] and None)
    np.testing.assert_array_equal(count.value, np.full(1000, 1500.0))


def test_threads_draw_different_numbers() -> None:
    """No two calls of one function, from whatever threads, see the same draws."""
    function = gx.compile([], gx.random.stream(3).uniform((2,), dtype="float64"))
    seen: list[tuple[float, ...]] = []

    def work(number: int) -> None:
        for _ in range(200):
            seen.append(tuple(function()))
            if number == 0:
                function.take_steps(3)

    together(4, work)
    assert len(set(seen)) == len(seen) == 800


def test_threads_compiling_and_looping() -> None:
    """Compilation and loops in several threads at once give what they give alone."""
    alone = classifier()
    alone.compile().loop((alone.images, alone.labels), batch_size=16, epochs=3, seed=2)

    def work(number: int) -> None:
        model = classifier()
        model.compile().loop((model.images, model.labels), batch_size=16, epochs=3, seed=2)
        for a, b in zip(model.values(), alone.values(), strict=True):
            np.testing.assert_array_equal(a, b)

    together(3, work)


def test_a_forked_child_computes() -> None:
    """After a fork the child has no pool of threads, and still gets the same bits without
    hanging."""
    x = gx.input("x", (512, 512))
    function = gx.compile(x, gx.sum(gx.exp(x @ x * 1e-6), axis=1))
    given = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    expected = function(given)
    child = os.fork()
    if child == 0:
        same = np.array_equal(function(given), expected)
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(function(given), expected)
