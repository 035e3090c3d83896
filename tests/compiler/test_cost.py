"""What steps must do, against numbers counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler.cost import Cost, cost
from graphc.ir.node import Node
from graphc.schedule.schedule import Control, KernelCall, Product, Routine

SIZES = {"n": 7}


def steps(outputs: Any, *inputs: Node, updates: Any = None) -> Any:
    """The schedule's steps of a small program."""
    return gx.compile(list(inputs), outputs, updates, stop="schedule").steps


def test_a_product() -> None:
    """2 m k n operations; each matrix once, and the result again where it is added to."""
    a, b = gx.input("a", ("n", 5)), gx.input("b", (5, 3))
    (product,) = [s for s in steps(a @ b, a, b) if isinstance(s, Product)]
    assert cost(product, SIZES) == Cost(2 * 7 * 5 * 3, 0, 4 * (7 * 5 + 5 * 3), 4 * 7 * 3)
    W = gx.param("W", np.zeros((5, 3)))
    wide, other = gx.input("wide", ("n", 5), "float64"), gx.input("other", ("n", 3), "float64")
    (update,) = steps([], wide, other, updates={W: W - 0.5 * (wide.T @ other)})
    assert isinstance(update, Product)
    assert update.accumulate
    flops, read = 2 * 7 * 5 * 3, 8 * (7 * 5 + 7 * 3 + 5 * 3)
    assert cost(update, SIZES) == Cost(flops, flops, read, 8 * 5 * 3)


def test_a_batch_of_products() -> None:
    """So many products; a matrix that all of them share is read once."""
    a, b = gx.input("a", ("n", 2, 5)), gx.input("b", (5, 3))
    (product,) = [s for s in steps(a @ b, a, b) if isinstance(s, Product)]
    assert cost(product, SIZES) == Cost(7 * 2 * 2 * 5 * 3, 0, 4 * (7 * 10 + 15), 4 * 7 * 6)


x, rows, v = gx.input("x", ("n",)), gx.input("rows", ("n", 6)), gx.input("v", (6,))
indices = gx.input("indices", ("n",), "int64")
table = gx.input("table", (1000, 6))


@pytest.mark.parametrize(
    ("make", "inputs", "operations", "read", "written"),
    [
        (lambda: x * x + 1, (x,), 2 * 7, 28, 28),
        (lambda: [x + 1, x - 1], (x,), 2 * 7, 28, 56),
        (lambda: rows + v, (rows, v), 42, 4 * (42 + 6), 4 * 42),  # v is read again from a cache
        (lambda: gx.sum(rows, axis=1), (rows,), 42, 4 * 42, 28),
        (lambda: gx.maximum(gx.sum(rows, axis=1), 0.5), (rows,), 42 + 7, 4 * 42, 28),
        (lambda: -gx.abs(x), (x,), 0, 28, 28),
        (lambda: gx.where(x > 0, x, 2 * x), (x,), 7, 28, 28),
        # Of a large table, the rows that are taken.
        (lambda: table[indices] * 2, (table, indices), 42, 4 * 42 + 7 * 8, 4 * 42),
    ],
)  # fmt: skip
def test_kernels(
    make: Callable[[], Any], inputs: tuple[Node, ...], operations: int, read: int, written: int
) -> None:
    """Operations as often as their loop runs, and each element of memory once."""
    found = steps(make(), *inputs)
    assert all(isinstance(step, KernelCall) for step in found)
    total = sum((cost(step, SIZES) for step in found), Cost())
    assert total == Cost(operations, 0, read, written)


def test_an_exponential_counts_as_its_text() -> None:
    """Not as one, which would make every softmax look slow."""
    (plain,), (known,) = steps(x + 1, x), steps(gx.exp(x) + 1, x)
    assert cost(known, SIZES).operations > 10 * cost(plain, SIZES).operations
    assert cost(known, SIZES).moved_bytes == cost(plain, SIZES).moved_bytes


def test_updated_in_place_is_read_and_written() -> None:
    """A parameter that a kernel changes moves twice."""
    w = gx.param("w", np.zeros(6, np.float32))
    (update,) = steps([], v, updates={w: w - 0.1 * v})
    assert cost(update, {}) == Cost(12, 0, 48, 24)


def test_nothing_costs_nothing() -> None:
    """An empty batch."""
    for made in (x * x + 1, gx.sum(rows, axis=1), rows @ gx.input("m", (6, 2))):
        inputs = [node for node in gx.Graph((), (made,)).nodes if node.op.name == "input"]
        for step in steps(made, *inputs):
            known = cost(step, {"n": 0})
            assert known.operations == known.written_bytes == 0


def test_other_steps() -> None:
    """A routine reads and writes its matrices; a loop costs what its bodies do."""
    m, b = gx.input("m", ("n", "n"), "float64"), gx.input("b", ("n", 2), "float64")
    found = steps(gx.linalg.solve(m, b), m, b)
    (routine,) = [step for step in found if isinstance(step, Routine)]
    known = cost(routine, SIZES)
    assert known.read_bytes == 8 * (49 + 14)
    assert known.written_bytes == 8 * 14
    assert known.operations == known.double_operations > 7**3 / 3
    U = gx.param("U", np.zeros((64, 64), np.float32))
    body = lambda carry, _: (gx.tanh(carry @ U), None)  # noqa: E731
    final, _ = gx.scan(body, gx.zeros((64, 64)), length=3)
    (loop,) = [step for step in steps(final) if isinstance(step, Control)]
    assert cost(loop, {}) == Cost()
