"""Scans whose small bodies become one kernel: the same values, and only where that is worth it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.schedule.schedule import Control, KernelCall

RANDOM = np.random.default_rng(0)


def oscillator(steps: Node, rate: Node, **options: Any) -> tuple[Any, Any]:
    """A pendulum by the midpoint rule, with a reduction and an index in every step."""

    def slope(state: Node) -> Node:
        return gx.stack([state[1], -gx.sin(state[0]) - rate * state[1]])

    def step(state: Node, force: Node) -> tuple[Node, tuple[Node, Node]]:
        middle = state + 0.05 * slope(state)
        new = state + 0.1 * slope(middle) + 0.1 * force
        return new, (gx.max(new), gx.argmax(new))

    return gx.scan(step, gx.const(np.array([1.0, 0.0])), steps, **options)  # type: ignore[no-any-return]


def steps_of(inputs: list[Node], outputs: Any) -> list[Any]:
    """The steps that a compiled function would run."""
    return list(gx.compile(inputs, outputs, stop="schedule").steps)


@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients_are_the_interpreters(reverse: bool) -> None:
    """Protects addresses that move with the step, reductions, and several kernels in one."""
    forces = gx.input("forces", ("T", 2), "float64")
    rate = gx.param("rate", np.array(0.3))
    last, (largest, places) = oscillator(forces, rate, reverse=reverse)
    loss = gx.sum(last * last) + gx.sum(largest)
    outputs = [last, largest, places, *gx.grad(loss, [forces, rate])]
    kinds = [type(step) for step in steps_of([forces], outputs)]
    assert Control not in kinds
    for target in ("python", "cpu"):
        call = gx.compile(forces, outputs, target=target)
        for length in (7, 1, 0):
            value = RANDOM.standard_normal((length, 2))
            expected = gx.evaluate(outputs, {forces: value})
            for have, want in zip(call(value), expected, strict=True):
                np.testing.assert_allclose(have, want, atol=1e-12)


def test_only_small_bodies_of_kernels_alone() -> None:
    """Protects large bodies from one thread, and products from being left out."""
    x, w = gx.input("x", ("T", 4)), gx.input("w", (4, 4))
    small, _ = gx.scan(lambda c, r: (gx.tanh(c + r), None), gx.zeros((4,)), x)
    tiny, _ = gx.scan(lambda c, r: (gx.tanh(c @ w + r), None), gx.zeros((4,)), x)
    v, rows = gx.input("v", (16, 16)), gx.input("rows", ("T", 16))
    product, _ = gx.scan(lambda c, r: (gx.tanh(c @ v + r), None), gx.zeros((16,)), rows)
    wide = gx.input("wide", ("T", 100_000))
    large, _ = gx.scan(lambda c, r: (gx.tanh(c + r), None), gx.zeros((100_000,)), wide)
    sized = gx.input("sized", ("T", "n"))
    symbolic, _ = gx.scan(lambda c, r: (gx.tanh(c + r), None), gx.zeros(("n",)), sized)
    kernels = {"small": (small, [x]), "tiny": (tiny, [x, w]), "product": (product, [rows, v]),
               "large": (large, [wide]), "symbolic": (symbolic, [sized])}  # fmt: skip
    fused = {
        name: not any(isinstance(step, Control) for step in steps_of(inputs, y))
        for name, (y, inputs) in kernels.items()
    }
    alone = {"small", "tiny"}
    assert fused == {name: name in alone for name in kernels}


def test_a_failed_check_inside_is_reported() -> None:
    """Protects status codes: an index out of range at some step names the user's line."""
    table, rows = gx.input("table", (5,)), gx.input("rows", ("T",), "int64")
    total, _ = gx.scan(lambda c, i: (c + gx.take(table, i), None), gx.zeros(()), rows)
    call = gx.compile([table, rows], total)
    assert all(isinstance(s, KernelCall) for s in steps_of([table, rows], total))
    assert call(np.arange(5), [1, 2]) == 3
    with pytest.raises(gx.errors.IndexRangeError, match=r": 9 .*test_one_kernel\.py"):
        call(np.arange(5), [1, 9])


def test_swapped_carries_see_the_old_values() -> None:
    """Protects simultaneous updates, which end in copies."""
    x = gx.input("x", ("T",))
    (a, b), _ = gx.scan(lambda c, r: ((c[1], c[0] + r), None), (1.0, 2.0), x)
    call = gx.compile(x, [a, b])
    first, second = 1.0, 2.0
    value = RANDOM.standard_normal(6).astype("f4")
    for number in value:
        first, second = second, first + number
    np.testing.assert_allclose(call(value), [first, second], rtol=1e-6)


def test_inside_another_loop_and_beside_others() -> None:
    """Protects nesting: a fused scan in a body with products, which stays rows of the table."""
    w = gx.param("w", RANDOM.standard_normal((3, 3)), "float64")
    x = gx.input("x", ("T", 3), "float64")

    def outer(carry: Node, row: Node) -> tuple[Node, Node]:
        inner, trace = gx.scan(lambda c, r: (gx.sin(c + r), c * r), carry, x)
        return inner @ w + row, gx.sum(trace)

    last, trace = gx.scan(outer, gx.zeros((3,), "float64"), x)
    outputs = [last, trace, gx.grad(gx.sum(last) + gx.sum(trace), x)]
    call = gx.compile(x, outputs)
    for length in (4, 1):
        value = RANDOM.standard_normal((length, 3))
        for have, want in zip(call(value), gx.evaluate(outputs, {x: value}), strict=True):
            np.testing.assert_allclose(have, want, atol=1e-12)
