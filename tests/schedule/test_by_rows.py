"""Loops over time in which the examples of a batch do not meet: found, and done in parts.

The oracle is the interpreter, which knows neither parts nor tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.schedule import row_parts
from graphc.schedule.schedule import Control, Part

RANDOM = np.random.default_rng(0)
STEPS, WIDTH = 30, 40


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


XS = gx.input("xs", (STEPS, "n", WIDTH))
START = gx.input("start", ("n", WIDTH))
W = gx.param("W", normal(WIDTH, WIDTH) / 8)


def recurrent(step: Callable[[Node, Node], Node], **options: Any) -> tuple[Node, Node]:
    """The last carry and all of them, of a body `step(carry, element)`."""

    def both(carry: Node, x: Node) -> tuple[Node, Node]:
        new = step(carry, x)
        return new, new

    last, every = gx.scan(both, START, XS, **options)
    return last, every


def cell(carry: Node, x: Node) -> Node:
    return gx.tanh(carry @ W + x)


def batch_of(*outputs: Node) -> str | None:
    """The size by which the one loop of a program is divided."""
    steps = gx.compile([XS, START], list(outputs), stop="schedule").steps
    (found,) = [step for step in steps if isinstance(step, Control)]
    name: str | None = found.batch
    return name


@pytest.mark.parametrize(
    "step",
    [
        cell,
        lambda c, x: gx.concat([gx.tanh(c @ W)[:, :9], x[:, 9:]], axis=1),
        lambda c, x: gx.softmax(c, axis=1) * gx.max(x, axis=1, keepdims=True) + c @ W,
        lambda c, x: c @ W + gx.sum(W, axis=0) + 1.0,
        lambda c, x: c @ W + gx.arange(START.shape[0], dtype="float32")[:, None],
        lambda c, x: gx.reshape(gx.reshape(c, (START.shape[0], 8, 5)) * 0.5, START.shape) + x @ W.T,
    ],
)
def test_rows_by_themselves(step: Callable[[Node, Node], Node]) -> None:
    """Products with one matrix, along rows, and pieces of rows: each example is on its own."""
    assert batch_of(*recurrent(step)) == "n"


@pytest.mark.parametrize(
    "step",
    [
        lambda c, x: c @ W + gx.mean(x, axis=0),
        lambda c, x: c @ W - gx.sum(c),
        lambda c, x: gx.tanh(c @ W)[::-1] + x,
        lambda c, x: (c @ x.T) @ c,
        lambda c, x: c @ (x.T @ c),
        lambda c, x: gx.reshape(gx.reshape(c, (WIDTH, START.shape[0])).T, START.shape) @ W,
    ],
)
def test_examples_that_meet(step: Callable[[Node, Node], Node]) -> None:
    """What mixes the examples of a batch, or counts them, is done for all of them together."""
    assert batch_of(*recurrent(step)) is None


@pytest.mark.parametrize("count", [16, 17, 23, 64, 15, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients(count: int, reverse: bool) -> None:
    """Parts of unequal size, from arguments and to results of the call, forwards and backwards."""
    gate = gx.input("gate", ("n", WIDTH))
    last, every = recurrent(lambda c, x: gx.sigmoid(gate) * cell(c, x) + c / 2, reverse=reverse)
    loss = gx.sum(last * last) + gx.sum(gx.sin(every))
    outputs = [last, every, *gx.grad(loss, [XS, START, W, gate])]
    feed = [normal(STEPS, count, WIDTH), normal(count, WIDTH), normal(count, WIDTH)]
    inputs = [XS, START, gate]
    expected = gx.evaluate(outputs, dict(zip(inputs, feed, strict=True)))
    found = gx.compile(inputs, outputs)(*feed)
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=2e-5)


def test_the_python_driver_agrees() -> None:
    """The second oracle runs the same tables."""
    xs = gx.input("xs", (12, "n", 40))
    _, every = gx.scan(lambda c, x: (cell(c, x), c), START, xs)
    feed = normal(12, 16, 40), normal(16, 40)
    found = [gx.compile([xs, START], every, target=target)(*feed) for target in ("cpu", "python")]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


def test_parts_follow_from_sizes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough rows in a part, enough to do, and what all parts read small enough for a cache; the
    numbers are those of one loop over the whole batch."""
    counts: dict[int, int] = {}
    known = row_parts.part_count

    def counted(part: Part, length: Dim, batch: str, sizes: dict[str, int]) -> int:
        counts[sizes[batch]] = known(part, length, batch, sizes)
        return counts[sizes[batch]]

    monkeypatch.setattr(row_parts, "part_count", counted)
    last, every = recurrent(cell)
    call = gx.compile([XS, START], [last, every])
    feeds = [(normal(STEPS, n, WIDTH), normal(n, WIDTH)) for n in (15, 16, 33, 500)]
    divided = [call(*feed) for feed in feeds]
    assert counts == {15: 1, 16: 2, 33: 4, 500: 4}
    short = gx.input("short", ("T", "n", 40))
    brief, _ = gx.scan(lambda c, x: (cell(c, x), None), START, short)
    gx.compile([short, START], brief)(normal(1, 16, 40), normal(16, 40))
    assert counts[16] == 1
    wide, large = gx.input("wide", ("n", 600)), gx.param("large", normal(600, 600))
    heavy, _ = gx.scan(lambda c, _: (gx.tanh(c @ large), None), wide, length=9)
    gx.compile(wide, heavy)(normal(32, 600))
    assert counts[32] == 1
    monkeypatch.setattr(row_parts, "part_count", lambda *_: 1)
    together = gx.compile([XS, START], [last, every])
    for feed, parts in zip(feeds, divided, strict=True):
        for have, want in zip(parts, together(*feed), strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)


def test_same_bits_every_time() -> None:
    """Who runs a part does not show, inside a training loop either."""
    last, _ = recurrent(cell)
    xs, start = normal(STEPS, 24, WIDTH), normal(24, WIDTH)
    call = gx.compile([XS, START], last)
    first = call(xs, start).tobytes()
    assert all(call(xs, start).tobytes() == first for _ in range(30))


def test_a_loop_in_a_loop() -> None:
    """An inner loop over examples that do not meet is divided where its own batch is, inside the
    table of the outer one."""

    def outer(carry: Node, x: Node) -> tuple[Node, Node]:
        inner, _ = gx.scan(lambda c, _: (gx.tanh(c @ W + x), None), carry, length=20)
        return inner, gx.sum(inner, axis=1)

    last, sums = gx.scan(outer, START, XS)
    feed = [normal(STEPS, 18, WIDTH), normal(18, WIDTH)]
    expected = gx.evaluate([last, sums], dict(zip([XS, START], feed, strict=True)))
    for have, want in zip(gx.compile([XS, START], [last, sums])(*feed), expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=2e-4, atol=2e-5)
