"""Loops: values against Python loops, derivatives against differences, on every target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, GradientError, ShapeError
from graphc.ir.node import Node

RANDOM = np.random.default_rng(0)
TARGETS = ["python", "cpu"]


def declare() -> dict[str, Node]:
    """What the models below are made of, in float64 and small."""
    return {
        "x": gx.input("x", ("T", 2, 3), "float64"),
        "h": gx.input("h", (2, 4), "float64"),
        "U": gx.param("U", RANDOM.standard_normal((4, 4)) / 2, "float64"),
        "W": gx.param("W", RANDOM.standard_normal((3, 4)), "float64"),
        "b": gx.param("b", RANDOM.standard_normal(4), "float64"),
    }


def recurrent(d: dict[str, Node], **options: Any) -> tuple[Node, Node]:
    """A recurrent network: the last state, and the square of every state."""

    def cell(h: Node, x: Node) -> tuple[Node, Node]:
        h = gx.tanh(x @ d["W"] + h @ d["U"] + d["b"])
        return h, h * h

    return gx.scan(cell, d["h"], d["x"], **options)  # type: ignore[no-any-return]


def unrolled(d: dict[str, Node], x: np.ndarray, h: np.ndarray, reverse: bool = False) -> Any:
    """The same in NumPy."""
    states = []
    for row in x[::-1] if reverse else x:
        h = np.tanh(row @ d["W"].value + h @ d["U"].value + d["b"].value)
        states.append(h * h)
    stacked = np.array(states[::-1] if reverse else states).reshape(-1, 2, 4)
    return h, stacked


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("target", ["interpreter", *TARGETS])
def test_a_scan_is_the_loop(target: str, reverse: bool) -> None:
    """Protects values for several lengths, also 1 and 0, from one compilation."""
    d = declare()
    outputs = list(recurrent(d, reverse=reverse))
    call = gx.compile([d["x"], d["h"]], outputs, target=target) if target in TARGETS else None
    for length in (5, 1, 0, 3):
        x, h = RANDOM.standard_normal((length, 2, 3)), RANDOM.standard_normal((2, 4))
        found = call(x, h) if call else gx.evaluate(outputs, {d["x"]: x, d["h"]: h})
        for have, want in zip(found, unrolled(d, x, h, reverse), strict=True):
            assert have.shape == want.shape
            np.testing.assert_allclose(have, want, atol=1e-14)


def test_derivatives_in_both_modes_to_second_order() -> None:
    """Protects gradients of carries, sequences and captured parameters, and theirs."""
    d = declare()
    last, every = recurrent(d)
    feed = {d["x"]: RANDOM.standard_normal((4, 2, 3)), d["h"]: RANDOM.standard_normal((2, 4))}
    checks = gx.check_gradients(gx.sum(last) + gx.sum(every), list(d.values()), feed, order=2)
    assert max(check.error for check in checks) < 1e-8


@pytest.mark.parametrize("target", TARGETS)
def test_compiled_gradient_is_the_interpreters(target: str) -> None:
    """Protects the backward scan in native code: residuals, both directions, sums after it."""
    d = declare()
    last, every = recurrent(d)
    loss = gx.sum(last) + gx.sum(every)
    outputs = [loss, *gx.grad(loss, list(d.values()))]
    call = gx.compile([d["x"], d["h"]], outputs, target=target)
    for length in (4, 1, 0):
        x, h = RANDOM.standard_normal((length, 2, 3)), RANDOM.standard_normal((2, 4))
        expected = gx.evaluate(outputs, {d["x"]: x, d["h"]: h})
        for have, want in zip(call(x, h), expected, strict=True):
            np.testing.assert_allclose(have, want, atol=1e-12)


def test_the_forward_scan_runs_once() -> None:
    """Protects against a loss and its gradient each running the loop."""
    d = declare()
    last, _ = recurrent(d)
    loss = gx.sum(last)
    graph = gx.compile([d["x"], d["h"]], [loss, gx.grad(loss, d["U"])], stop="split")
    assert sum(node.op.name == "scan" for node in graph.nodes) == 2


def test_weight_gradients_are_one_product_after_the_loop() -> None:
    """Protects the speed of training: no product with a weight's shape inside the backward scan."""
    d = declare()
    last, _ = recurrent(d)
    graph = gx.compile([d["x"], d["h"]], gx.grad(gx.sum(last), d["U"]), stop="split")
    backward = [n for n in graph.nodes if n.op.name == "scan" and n.attrs["reverse"]]
    assert len(backward) == 1
    shapes = [out.shape for out in backward[0].attrs["body"].outputs]
    assert (4, 4) not in shapes


def test_compile_time_does_not_grow_with_the_length() -> None:
    """Protects against unrolling: as many kernels for 1,000 steps as for 10."""
    counts = []
    for length in (10, 1000):
        x = gx.input("x", (length, 4))
        total, _ = gx.scan(lambda c, r: (gx.tanh(c + r), None), gx.zeros((4,)), x)
        counts.append(len(gx.compile(x, gx.grad(gx.sum(total), x)).kernels))
    assert counts[0] == counts[1]


def test_structures_and_lags() -> None:
    """Protects carries that are dictionaries, several sequences, and values some steps back."""
    x = gx.input("x", (6,), "float64")

    def fibonacci_like(carry: Any, pair: Any) -> Any:
        now, before = pair
        new = {"a": carry["b"], "b": carry["a"] + carry["b"] + now * before}
        return new, (new["b"], now)

    start = {"a": 0.0, "b": gx.const(1.0, "float64")}
    start["a"] = gx.const(0.0, "float64")  # type: ignore[assignment]
    last, (trace, seen) = gx.scan(fibonacci_like, start, (x[1:], x[:-1]))
    value = np.arange(6.0)
    a, b, expected = 0.0, 1.0, []
    for now, before in zip(value[1:], value[:-1], strict=True):
        a, b = b, a + b + now * before
        expected.append(b)
    results = gx.compile(x, [last["a"], last["b"], trace, seen])(value)
    np.testing.assert_allclose(results[2], expected)
    np.testing.assert_allclose([results[0], results[1]], [a, b])
    np.testing.assert_allclose(results[3], value[1:])


@pytest.mark.parametrize("target", TARGETS)
def test_every_step_draws_its_own_numbers(target: str) -> None:
    """Protects randomness inside a loop: no step repeats another, and targets agree."""
    stream = gx.random.stream(3)
    _, draws = gx.scan(lambda c, _: (c, stream.uniform((2,))), gx.zeros(()), length=50)
    found = gx.compile([], draws, target=target)()
    assert len(np.unique(found)) == 100
    np.testing.assert_array_equal(found, gx.evaluate(draws))


def nested(s: Node, seq: Node, w: Node) -> tuple[Node, Node]:
    """A scan with a branch and a scan inside, and a while loop beside it."""

    def step(carry: Node, x: Node) -> tuple[Node, Node]:
        turned = gx.cond(x > 0, lambda a: a * gx.sin(x) + w[0], lambda a: a - x * w[1], carry)
        inner, trace = gx.scan(
            lambda a, b: (gx.tanh(a + b * x + w[2]), a * b), turned, seq, reverse=True
        )
        return inner, turned * turned + gx.sum(trace)

    carry, trace = gx.scan(step, s, seq)
    grown = gx.while_loop(
        lambda v: v < 10, lambda v: v * v + 1 + w[0] * w[0], gx.abs(s) + 1.1, max_steps=12
    )
    return carry + grown, trace


def test_nested_loops_and_branches() -> None:
    """Protects nesting: values on both targets, derivatives to second order."""
    s, seq = gx.input("s", (), "float64"), gx.input("seq", ("T",), "float64")
    w = gx.param("w", RANDOM.standard_normal(3), "float64")
    total, trace = nested(s, seq, w)
    loss = total + gx.sum(trace)
    value = RANDOM.standard_normal(4)
    checks = gx.check_gradients(loss, [s, seq, w], {s: 0.3, seq: value}, order=2)
    assert max(check.error for check in checks) < 1e-7
    outputs = [total, trace, *gx.grad(loss, [s, seq, w])]
    for target in TARGETS:
        call = gx.compile([s, seq], outputs, target=target)
        for length in (4, 0):
            expected = gx.evaluate(outputs, {s: 0.3, seq: value[:length]})
            for have, want in zip(call(0.3, value[:length]), expected, strict=True):
                np.testing.assert_allclose(have, want, atol=1e-12)


def test_a_batch_of_loops_is_the_loop_of_each() -> None:
    """Protects vmap through scan, cond with a batched condition, and while; gradients too."""
    w = gx.param("w", RANDOM.standard_normal(3), "float64")
    s, seq = gx.input("s", (), "float64"), gx.input("seq", (5,), "float64")
    total, trace = nested(s, seq, w)
    gradient = gx.grad(total + gx.sum(trace), [s, w])

    def each(start: Node, row: Node) -> Any:
        value, steps = nested(start, row, w)
        return (value, steps, *gx.grad(value + gx.sum(steps), [start, w]))

    many_s, many_seq = gx.input("S", (3,), "float64"), gx.input("Q", (3, 5), "float64")
    starts, rows = RANDOM.standard_normal(3), RANDOM.standard_normal((3, 5))
    batched = gx.evaluate(list(gx.vmap(each)(many_s, many_seq)), {many_s: starts, many_seq: rows})
    for i in range(3):
        one = gx.evaluate([total, trace, *gradient], {s: starts[i], seq: rows[i]})
        for have, want in zip(batched, one, strict=True):
            np.testing.assert_allclose(have[i], want, atol=1e-12)


def test_only_one_branch_runs() -> None:
    """Protects cond from computing both: an index out of range in the other branch is no error."""
    x, flag = gx.input("x", (3,)), gx.input("flag", (), "bool")
    wrong = gx.const(np.array([7]))
    y = gx.cond(flag, lambda v: gx.sum(v), lambda v: gx.sum(gx.take(v, wrong + 0)), x)
    call = gx.compile([x, flag], y)
    assert call([1, 2, 3], True) == 6
    with pytest.raises(gx.errors.IndexRangeError):
        call([1, 2, 3], False)


def test_a_loop_inside_a_training_loop() -> None:
    """Protects scans in Function.loop: registers and rows of both batch sizes."""
    x, t = gx.input("x", ("n", 5)), gx.input("t", ("n",))
    w = gx.param("w", np.float32(0.5))
    state, _ = gx.scan(lambda c, r: (gx.tanh(w * c + r), None), gx.zeros_like(t), x.T)
    loss = gx.mean(gx.square(state - t))
    step = gx.compile([x, t], loss, updates={w: w - 0.1 * gx.grad(loss, w)})
    data = RANDOM.standard_normal((10, 5)).astype("f4"), RANDOM.uniform(-0.9, 0.9, 10).astype("f4")
    losses = step.loop(data, batch_size=4, epochs=20, seed=0)
    after = float(w.value)
    w.value = np.float32(0.5)
    expected = []
    for _ in range(20):
        for at in (slice(0, 4), slice(4, 8), slice(8, 10)):
            expected.append(step(data[0][at], data[1][at]))
    w.value = np.float32(0.5)
    unshuffled = step.loop(data, batch_size=4, epochs=20, shuffle=False)
    np.testing.assert_allclose(unshuffled, expected, rtol=1e-5)
    assert losses.shape == (60,)
    assert after != 0.5


def test_bad_bodies_are_explained() -> None:
    """Protects the messages: both sides of a carry, structures, lengths, conditions."""
    x = gx.input("x", (4, 3))
    zeros = gx.zeros((3,))
    with pytest.raises(ShapeError, match=r"goes in as float32 \(3,\) and comes out .* \(1, 3\)"):
        gx.scan(lambda c, r: (gx.expand_dims(c, 0), r), zeros, x)
    with pytest.raises(ArgumentError, match=r"return \(carry, y\)"):
        gx.scan(lambda c, r: c, zeros, x)
    with pytest.raises(ArgumentError, match="structure"):
        gx.scan(lambda c, r: ((c, c), r), zeros, x)
    with pytest.raises(ShapeError, match="expected 4"):
        gx.scan(lambda c, r: (c, r), zeros, (x, x[:2]))
    with pytest.raises(ArgumentError, match="xs, or length="):
        gx.scan(lambda c, r: (c, r), zeros)
    with pytest.raises(ShapeError, match="scalar condition"):
        gx.cond(zeros > 0, lambda: zeros, lambda: zeros)
    with pytest.raises(ShapeError, match="first branch"):
        gx.cond(gx.sum(zeros) > 0, lambda: zeros, lambda: gx.zeros((2,)))
    start = gx.input("start")
    endless = gx.while_loop(lambda v: v < 9, lambda v: v * 2, start)
    with pytest.raises(GradientError, match="max_steps"):
        gx.grad(endless, start)


@pytest.mark.parametrize("checkpoint", [1, 3, 8, 20, "sqrt"])
def test_checkpoints_change_memory_and_nothing_else(checkpoint: int | str) -> None:
    """Protects blocks, the rest after them, draws, and both directions."""
    stream = gx.random.stream(5)
    x = gx.input("x", (20, 4), "float64")
    w = gx.param("w", RANDOM.standard_normal((4, 4)) / 2, "float64")
    value = RANDOM.standard_normal((20, 4))
    noise = stream.normal((20, 4), dtype="float64")

    def cell(h: Node, row: Any) -> tuple[Node, Node]:
        new = gx.tanh(h @ w + row[0] + 0.1 * row[1])
        return new, gx.sum(new)

    for reverse in (False, True):
        results = []
        for every in (None, checkpoint):
            last, sums = gx.scan(
                cell, gx.zeros((4,), "float64"), (x, noise), reverse=reverse, checkpoint=every
            )
            loss = gx.sum(last) + gx.sum(sums * sums)
            results.append(gx.compile(x, [loss, sums, *gx.grad(loss, [x, w])])(value))
        for have, want in zip(*results, strict=True):
            np.testing.assert_allclose(have, want, atol=1e-12)


def test_checkpoints_lower_the_peak() -> None:
    """Protects the point of it: the planned peak falls with the square root."""
    peaks = {}
    for every in (None, "sqrt"):
        x, w = gx.input("x", (1024, 8, 16)), gx.input("w", (16, 64))

        def cell(carry: Any, row: Node, w: Node = w) -> tuple[Any, None]:
            h, s = carry
            gates = h @ w
            i, f, o, g = (gates[:, k * 16 : (k + 1) * 16] for k in range(4))
            s = gx.sigmoid(f) * s + gx.sigmoid(i) * gx.tanh(g + row)
            return (gx.sigmoid(o) * gx.tanh(s), s), None

        start = (gx.zeros((8, 16)), gx.zeros((8, 16)))
        (last, _), _ = gx.scan(cell, start, x, checkpoint=every)
        call = gx.compile([x, w], gx.grad(gx.sum(last), w))
        call(np.zeros((1024, 8, 16), "f4"), np.zeros((16, 64), "f4"))
        peaks[every] = call.memory.peak_bytes
    assert peaks["sqrt"] < peaks[None] / 8


def test_a_square_root_takes_a_fixed_length() -> None:
    """Protects the message for a length that only a call knows."""
    x = gx.input("x", ("T",))
    with pytest.raises(ArgumentError, match="takes a fixed length, got T"):
        gx.scan(lambda c, r: (c + r, None), 0.0, x, checkpoint="sqrt")
    with pytest.raises(ArgumentError, match="positive integer or 'sqrt'"):
        gx.scan(lambda c, r: (c + r, None), 0.0, x, checkpoint=0)
