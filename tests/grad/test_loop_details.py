"""What a tired or hostile user tries with loops and branches: every case an answer or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, CheckFailedError, ShapeError
from graphc.ir.node import Node, make
from tests.grad.expressible import both

RANDOM = np.random.default_rng(3)


def sequence() -> Node:
    """An input of symbolic length, in float64."""
    return gx.input("x", ("n",), "float64")


def test_python_numbers_take_the_dtype_of_what_they_meet() -> None:
    """Protects `init=0.0` beside float64, `0` where floats come out, and numbers in branches."""
    x = sequence()
    (count, total), seen = gx.scan(lambda c, e: ((c[0] + 1, c[1] + e * c[0]), c[0]), (0, 0), x)
    found = both([x], [count, total, seen, gx.grad(total, x)], [np.arange(4.0)])
    assert (count.dtype.name, total.dtype.name) == ("int64", "float64")
    np.testing.assert_array_equal(found[1], 14)
    np.testing.assert_array_equal(found[3], [0, 1, 2, 3])
    half, _ = gx.scan(lambda c, e: (0.5, None), 0, x)
    assert gx.evaluate(half, {x: [1.0]}) == 0.5
    power = gx.while_loop(lambda v: v < 100, lambda v: v * x[0], 1, max_steps=9)
    assert both([x], [power], [[3.0]])[0] == 243
    s = gx.sum(x)
    clipped = gx.cond(s > 0, lambda: s * 2, lambda: 0)
    assert clipped.dtype.name == "float64"
    assert both([x], [clipped, gx.grad(clipped, x)], [[-3.0]])[0] == 0


def test_dictionaries_are_matched_by_key() -> None:
    """Protects a body that lists its carry's keys in another order, in loops and in branches."""
    x = sequence()
    start = {"a": 0.0, "b": 10.0}
    last, _ = gx.scan(lambda c, e: ({"b": c["b"] + 1, "a": c["a"] + e}, None), start, x)
    chosen = gx.cond(
        gx.sum(x) > 0, lambda: {"a": last["a"], "b": 1.0}, lambda: {"b": 2.0, "a": -last["a"]}
    )
    ended = gx.while_loop(lambda c: c["a"] < 9, lambda c: {"b": c["b"], "a": c["a"] + 5}, start)
    outputs = [last["a"], last["b"], chosen["a"], chosen["b"], ended["a"], ended["b"]]
    assert both([x], outputs, [[-1.0, -1.0]]) == [-2, 12, 2, 2, 10, 10]


@pytest.mark.parametrize("length", [0, 3])
def test_carries_that_do_nothing_special(length: int) -> None:
    """Protects carries that never change, are constants, swap, or are one node twice; elements that
    nobody uses; no carry at all."""
    x = sequence()
    start = gx.input("c", (2,), "float64")
    same, ys = gx.scan(lambda c, e: (c, c * e), start, x)
    fixed, sevens = gx.scan(lambda c, e: (5.0, 7), gx.sum(x), x)
    (a, b), pairs = gx.scan(
        lambda c, e: ((c[1], c[0]), (c[0], c[0], e)), (gx.sum(x), gx.prod(x)), (x)
    )
    twice = gx.sin(gx.sum(x))
    (c, d), _ = gx.scan(lambda c, e: ((twice * c[0],) * 2, None), (start, start), (x, x))
    nothing, doubled = gx.scan(lambda c, e: (None, {"y": [2 * e]}), None, x)
    assert nothing is None
    values = [same, ys, fixed, sevens, a, b, *pairs, c, d, doubled["y"][0]]
    loss = sum(gx.sum(v * v) for v in values if v.dtype.is_float)
    given, at = RANDOM.standard_normal(length), np.array([1.0, 2.0])
    outputs = [*values, loss, *gx.grad(loss, [x, start]), gx.jvp(loss, x, gx.ones_like(x))]
    found = both([x, start], outputs, [given, at])
    np.testing.assert_array_equal(found[0], at)
    assert found[2] == (5 if length else given.sum())
    assert found[3].shape == (length,)
    np.testing.assert_allclose(found[6], found[7])
    checks = gx.check_gradients(loss, [x, start], {x: given, start: at})
    assert max(check.error for check in checks) < 1e-7


def test_integers_and_truth_values_are_carried() -> None:
    """Protects carries without a derivative beside those with one, in every mode."""
    x = sequence()

    def step(carry: Any, e: Node) -> Any:
        done, count, total = carry
        done = gx.logical_or(done, e > 2)
        return (done, count + gx.where(done, 0, 1), gx.where(done, total, total + e * e)), done

    (done, count, total), flags = gx.scan(step, (False, 0, 0.0), x)
    outputs = [done, count, total, flags, gx.grad(total, x), gx.jvp(total, x, gx.ones_like(x))]
    found = both([x], outputs, [[1.0, 2.0, 3.0, 1.0]])
    assert found[:3] == [True, 2, 5]
    np.testing.assert_array_equal(found[3], [False, False, True, True])
    np.testing.assert_array_equal(found[4], [2, 4, 0, 0])
    assert found[5] == 6


def test_lengths_are_formulas_of_sizes() -> None:
    """Protects lengths that are sizes, sums and quotients of them."""
    x = gx.input("x", ("n", "m"), "float64")
    start = gx.sum(x, axis=0)
    for length, steps in ((x.shape[0] + 2, 4), ("m", 3), (x.shape[1] // 2, 1)):
        last, ys = gx.scan(lambda c, _: (c * 1.5, c), start, length=length)
        found = both([x], [last, ys, gx.grad(gx.sum(last), x)], [np.ones((2, 3))])
        np.testing.assert_allclose(found[0], 2 * 1.5**steps)
        assert found[1].shape == (steps, 3)
        np.testing.assert_allclose(found[2], 1.5**steps)


def test_loops_inside_batches_inside_gradients() -> None:
    """Protects scan in vmap in grad, and grad in vmap in grad, to second order."""
    rows, w = gx.input("rows", ("b", "n"), "float64"), gx.param("w", np.float64(0.7))

    def end(row: Node) -> Node:
        last, ys = gx.scan(lambda c, e: (gx.tanh(c * w + e), c * c), gx.const(0.1, "float64"), row)
        return last + gx.sum(ys)

    once = gx.sum(gx.vmap(end)(rows))
    twice = gx.sum(gx.vmap(lambda row: gx.grad(end(row), row))(rows) ** 2)
    value = RANDOM.standard_normal((3, 4))
    for loss in (once, twice):
        both([rows], [loss, *gx.grad(loss, [rows, w])], [value])
        checks = gx.check_gradients(loss, [rows, w], {rows: value}, order=2)
        assert max(check.error for check in checks) < 1e-6


def test_operands_that_depend_on_each_other() -> None:
    """Protects a bounded while loop whose captured values are made of one another, or the same:
    each gives its own share of the gradient, once."""
    x = gx.input("x", (), "float64")
    loop = gx.while_loop(lambda v: v < 50, lambda v: v * x + gx.sin(x) - x, x, max_steps=5)
    pair = gx.while_loop(
        lambda v: v[0] < 20, lambda v: (v[0] * v[1], v[1] + x), (x, x), max_steps=6
    )
    for y in (loop, pair[0] + pair[1]):
        back, along = both([x], [gx.grad(y, x), gx.jvp(y, x, 1.0)], [2.0])
        assert back == pytest.approx(along, rel=1e-12)
        checks = gx.check_gradients(y, x, {x: 2.0})
        assert max(check.error for check in checks) < 1e-6


def test_draws_made_outside_are_the_same_in_every_step() -> None:
    """Protects a mask that is shared by all steps, and its gradient; draws made inside differ."""
    stream, x = gx.random.stream(0), sequence()
    noise = stream.normal((2,), dtype="float64")
    start = gx.zeros((2,), "float64")
    last, (outer, inner) = gx.scan(
        lambda c, e: (c + e * noise, (noise, stream.normal((2,), dtype="float64"))), start, x
    )
    outputs = [noise, last, outer, inner, gx.grad(gx.sum(last), x)]
    found = both([x], outputs, [np.array([1.0, 2.0, 3.0])])
    np.testing.assert_allclose(found[1], 6 * found[0], rtol=1e-12)
    np.testing.assert_array_equal(found[2], np.tile(found[0], (3, 1)))
    assert len(np.unique(found[3])) == 6
    np.testing.assert_allclose(found[4], found[0].sum(), rtol=1e-12)


def test_draws_that_would_repeat_are_refused() -> None:
    """A draw in a while loop, or one in a branch of a scan whose parameter is known only there."""
    stream, x = gx.random.stream(0), sequence()
    with pytest.raises(ArgumentError, match=r"while_loop: random_bits .* every step.*test_loop_"):
        gx.while_loop(lambda v: v < 3, lambda v: v + stream.uniform(()), 0.0)
    with pytest.raises(ArgumentError, match="takes parameters from outside"):
        gx.scan(lambda c, e: (stream.gamma(c, (), dtype="float64"), None), 1.0, x)
    with pytest.raises(ArgumentError, match="every step"):
        gx.scan(
            lambda c, e: (gx.cond(e > 0, lambda: stream.gamma(c, dtype="float64"), lambda: c), e),
            gx.const(1.0, "float64"), x,
        )  # fmt: skip


def test_checks_and_prints_of_all_steps(capsys: Any) -> None:
    """Protects effects in the body of a scan: stated of all steps together, under vmap of all
    examples too, whether or not the body's results are used."""
    x = sequence()

    def step(c: Node, e: Node) -> tuple[Node, Node]:
        gx.check(e > c - 10, "no sudden drop")
        return gx.print(c + e, "sum"), c

    last, _ = gx.scan(step, gx.const(0.0, "float64"), x)
    rows = gx.input("rows", ("b", "n"), "float64")
    every = gx.vmap(lambda row: gx.scan(step, gx.const(0.0, "float64"), row)[0])(rows)
    for target in ("interpreter", "python", "cpu"):
        one = lambda v: gx.evaluate(last, {x: v})  # noqa: E731
        many = lambda v: gx.evaluate(every, {rows: v})  # noqa: E731
        if target != "interpreter":
            one = gx.compile(x, last, target=target)
            many = gx.compile(rows, every, target=target)
        assert one(np.array([1.0, 2.0])) == 3
        assert capsys.readouterr().out == "sum: float64 (2,) [1. 3.]\n"
        with pytest.raises(CheckFailedError, match=r"no sudden drop: .* at \(2,\) of \(4,\)"):
            one(np.array([5.0, 1.0, -50.0, 0.0]))
        capsys.readouterr()
        np.testing.assert_array_equal(many(np.ones((2, 2))), [2, 2])
        assert "sum: float64 (2, 2)" in capsys.readouterr().out
        with pytest.raises(CheckFailedError, match=r"at \(1, 1\) of \(2, 2\)"):
            many(np.array([[1.0, 1.0], [1.0, -30.0]]))


def test_effects_in_branches_are_refused() -> None:
    """A branch and a while loop have no place for a statement about what may not happen."""
    x = gx.input("x", (), "float64")

    def stated(v: Node) -> Node:
        gx.check(v > 0, "positive")
        return v * 2

    with pytest.raises(ArgumentError, match="inside the body of a branch or a while loop"):
        gx.cond(x > 1, stated, lambda v: v, x)
    with pytest.raises(ArgumentError, match="inside the body of a branch or a while loop"):
        gx.while_loop(lambda v: v < 9, stated, x)


def test_loops_see_parameters_and_states() -> None:
    """Protects a body with a parameter and a state, updated from it, in calls and in a loop."""
    x = sequence()
    w, memory = gx.param("w", np.float64(0.5)), gx.state("memory", np.float64(2.0))
    last, _ = gx.scan(lambda c, e: (c * w + e * memory, None), 1.0, x)
    step = gx.compile(x, last, updates={w: w - 0.01 * gx.grad(last, w), memory: last * 0.1})
    known_w, known_m = 0.5, 2.0
    data = np.array([0.5, 1.0, -0.5])
    for _ in range(3):
        c, slope = 1.0, 0.0
        for e in data:
            c, slope = c * known_w + e * known_m, slope * known_w + c
        assert step(data) == pytest.approx(c, rel=1e-12)
        known_w, known_m = known_w - 0.01 * slope, 0.1 * c
        assert w.value == pytest.approx(known_w, rel=1e-12)
        assert memory.value == pytest.approx(known_m, rel=1e-12)
    found = step.loop((data,), batch_size=3, epochs=2, shuffle=False)
    assert found.shape == (2,)


def test_a_body_must_fit_what_it_is_given() -> None:
    """Protects the type rules, which the verifier and the reader of texts rely on."""
    x = sequence()
    last, _ = gx.scan(lambda c, e: (c + e, None), gx.const(0.0, "float64"), x)
    node = last.inputs[0]
    with pytest.raises(ShapeError, match=r"scan: its body takes \(float64 \(\), float64 \(\)\)"):
        make(node.op, (gx.const(1, "int64"), x), **node.attrs)
