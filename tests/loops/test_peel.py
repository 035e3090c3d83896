"""Loops are divided where tests for padding change: the same numbers, no tests in the middle."""

import numpy as np
import pytest

import graphc as gx
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Buffer,
    Constant,
    Kernel,
    Load,
    Loop,
    Store,
    Variable,
)
from graphc.loops.peel import peel
from graphc.loops.verify import verify
from graphc.target.render import render

ZERO = Constant(0, "int64")
INDEX = Variable("i", "int64")
LENGTH = Argument(0, "int64")


def padded_load(moved):
    """where(0 <= moved < length, x[moved], 0) with the place 0 outside."""
    inside = Apply(
        "logical_and",
        (Apply("greater_equal", (moved, ZERO), "bool"), Apply("less", (moved, LENGTH), "bool")),
        "bool",
    )
    place = Apply("where", (inside, moved, ZERO), "int64")
    return Apply("where", (inside, Load(0, place, "float32"), Constant(0.0, "float32")), "float32")


def shifted(by):
    return Apply("add", (INDEX, Constant(by, "int64")), "int64")


def kernel_of(value, axis):
    loop = Loop(axis, (Store(1, INDEX, value),))
    return Kernel((Buffer("float32", False), Buffer("float32", True)), ("int64",), (loop,))


def test_the_middle_has_no_tests():
    value = Apply("add", (padded_load(shifted(-1)), padded_load(INDEX)), "float32")
    divided = peel(kernel_of(value, Axis("i", ZERO, ZERO, PARALLEL)), {})
    verify(divided)
    edges, middle = render(divided).source.split("for i in range(begin_i, end_i):")
    assert "select" in edges
    assert "select" not in middle
    assert "out0[i] = x0[i - 1] + x0[i]" in middle


@pytest.mark.parametrize(
    "value",
    [
        Load(0, INDEX, "float32"),
        # The limit changes in the loop, and so does the test's slope: neither can be divided.
        padded_load(Apply("multiply", (INDEX, LENGTH), "int64")),
        padded_load(Load(2, INDEX, "int64")),
    ],
)
def test_what_has_no_such_test_stays(value):
    kernel = kernel_of(value, Axis("i", ZERO, LENGTH, SEQUENTIAL))
    assert peel(kernel, {}) == kernel


def test_a_short_loop_stays():
    kernel = kernel_of(padded_load(shifted(-1)), Axis("i", ZERO, Constant(3, "int64"), SEQUENTIAL))
    assert peel(kernel, {}) == kernel


def second_difference(x):
    return x[2:] - 2 * x[1:-1] + x[:-2]


@pytest.mark.parametrize("length", [2, 3, 4, 5, 17, 40_000])
def test_gradient_of_slices_at_every_length(length):
    # Both edges, loops with nothing in the middle, and chunks that hold one edge or none.
    x = gx.input("x", ("n",), dtype="float64")
    gradient = gx.compile([x], gx.grad(gx.sum(second_difference(x) ** 3), x))
    values = np.random.default_rng(length).standard_normal(length)
    outer = 3 * second_difference(values) ** 2
    want = np.zeros(length)
    want[2:] += outer
    want[1:-1] -= 2 * outer
    want[:-2] += outer
    np.testing.assert_allclose(gradient(values), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (9, 2), (3, 3), (5, 8), (130, 257)])
def test_gradient_of_a_stencil_in_two_dimensions(shape):
    u = gx.input("u", ("n", "m"), dtype="float64")

    def laplacian(u):
        return u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]

    gradient = gx.compile([u], gx.grad(gx.sum(laplacian(u) ** 2), u))
    values = np.random.default_rng(0).standard_normal(shape)
    outer = 2 * laplacian(values)
    want = np.zeros(shape)
    want[2:, 1:-1] += outer
    want[:-2, 1:-1] += outer
    want[1:-1, 2:] += outer
    want[1:-1, :-2] += outer
    want[1:-1, 1:-1] -= 4 * outer
    np.testing.assert_allclose(gradient(values), want, rtol=1e-12, atol=1e-12)


def test_padding_wider_than_the_array_and_of_an_empty_one():
    x = gx.input("x", ("n",), dtype="float64")
    y = gx.compile([x], gx.pad(x, ((5, 3),)) * 2 + gx.pad(x, ((1, 7),)))
    for length in (0, 1, 2, 30):
        values = np.arange(1.0, length + 1)
        want = np.pad(values, (5, 3)) * 2 + np.pad(values, (1, 7))
        np.testing.assert_array_equal(y(values), want)


def test_what_padding_hides_may_be_anything():
    # Division by zero outside of the padded array must not reach the result.
    x = gx.input("x", ("n",), dtype="float64")
    gradient = gx.compile([x], gx.grad(gx.sum(gx.log(x[1:]) + 1 / x[:-1]), x))
    values = np.array([2.0, 4.0, 8.0, 0.5, 0.25])
    want = np.zeros(5)
    want[1:] += 1 / values[1:]
    want[:-1] -= 1 / values[:-1] ** 2
    np.testing.assert_allclose(gradient(values), want, rtol=1e-12)


@pytest.mark.parametrize("width", [1, 16])
def test_what_holds_at_an_edge_only_is_not_in_the_middle(width):
    """Protects rolled arrays: a few elements at either end, the long piece between."""
    first = kernel_of(
        Apply("add", (padded_load(shifted(-5)), padded_load(INDEX)), "float32"),
        Axis("i", ZERO, Constant(100, "int64"), PARALLEL),
    )
    divided = peel(first, {0: width})
    verify(divided)
    edges, middle = render(divided).source.split("for i in range(begin_i, end_i):")
    assert "select" in edges
    assert "select" not in middle
    assert "x0[" not in middle


def test_what_is_wide_by_a_size_is_the_middle():
    kernel = kernel_of(padded_load(shifted(-1)), Axis("i", ZERO, ZERO, PARALLEL))
    assert peel(kernel, {0: 17}) == peel(kernel, {})
    assert peel(kernel, {0: 16}) != peel(kernel, {})
