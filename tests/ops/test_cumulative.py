"""Recurrences along an axis: values beside NumPy, derivatives at zeros, ties, nan, infinities."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import ShapeError

TARGETS = ("python", "cpu")
NUMPY: dict[str, Any] = {
    "cumsum": np.add, "cumprod": np.multiply, "cummax": np.maximum, "cummin": np.minimum,
}  # fmt: skip
SHAPES = [(5,), (3, 4), (2, 3, 4), (20, 3, 4), (0, 3), (3, 0), (1, 3), (3, 1)]


def values_of(y: Any, x: Any, value: np.ndarray) -> list[Any]:
    """What the interpreter and both targets compute."""
    return [gx.evaluate(y, {x: value}), *(gx.compile(x, y, target=t)(value) for t in TARGETS)]


def accumulated(name: str, value: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    """The oracle: NumPy, with the axis turned around twice."""
    turned = np.flip(value, axis) if reverse else value
    found = NUMPY[name].accumulate(turned, axis=axis, dtype=value.dtype)
    return np.flip(found, axis) if reverse else found


@functools.cache
def walks(name: str, ndim: int) -> tuple[Any, list[tuple[int, bool]], Any, Any]:
    """One program for arrays of any sizes: each axis, in both directions, on each target."""
    x = gx.input("x", tuple(f"n{i}" for i in range(ndim)), "float64")
    ways = [(axis, reverse) for axis in range(-1, ndim) for reverse in (False, True)]
    y = [getattr(gx, name)(x, axis, reverse=reverse) for axis, reverse in ways]
    return x, ways, y, [gx.compile(x, y, target=t) for t in TARGETS]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(NUMPY))
def test_values_on_every_axis(name: str, shape: tuple[int, ...]) -> None:
    """Symbolic sizes, each axis, both directions; empty and single axes too."""
    value = np.random.default_rng(0).standard_normal(shape)
    x, ways, y, compiled = walks(name, len(shape))
    for results in (gx.evaluate(y, {x: value}), *(f(value) for f in compiled)):
        for found, (axis, reverse) in zip(results, ways, strict=True):
            np.testing.assert_array_equal(found, accumulated(name, value, axis, reverse))


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_without_the_element_itself(name: str) -> None:
    """exclusive: each place has what came before it, the first the identity."""
    value = np.random.default_rng(1).standard_normal((3, 5))
    x = gx.input("x", ("n", "m"), "float64")
    for axis, reverse in ((0, False), (1, False), (0, True), (1, True)):
        whole = np.flip(accumulated(name, value, axis, reverse), axis) if reverse else accumulated(
            name, value, axis, reverse
        )  # fmt: skip
        first = np.full_like(np.take(whole, [0], axis), 0 if name == "cumsum" else 1)
        rest = np.take(whole, range(value.shape[axis] - 1), axis)
        expected = np.concatenate([first, rest], axis)
        expected = np.flip(expected, axis) if reverse else expected
        y = getattr(gx, name)(x, axis, reverse=reverse, exclusive=True)
        for found in values_of(y, x, value):
            np.testing.assert_array_equal(found, expected)


def test_an_axis_of_none_flattens() -> None:
    """As in NumPy."""
    value = np.random.default_rng(2).standard_normal((3, 4))
    x = gx.input("x", value.shape, "float64")
    for found in values_of(gx.cumsum(x), x, value):
        np.testing.assert_array_equal(found, np.cumsum(value))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool", "float32"])
@pytest.mark.parametrize("name", sorted(NUMPY))
def test_element_types(name: str, dtype: str) -> None:
    """Types stay, integers wrap in their own type; booleans are counted as int64."""
    value = np.random.default_rng(3).integers(0, 2 if dtype == "bool" else 100, (4, 6))
    value = value.astype(dtype)
    x = gx.input("x", value.shape, dtype)
    known = value.astype("int64") if dtype == "bool" else value
    for found in values_of(getattr(gx, name)(x, 1), x, value):
        assert found.dtype == known.dtype
        np.testing.assert_array_equal(found, accumulated(name, known, 1, False))


def test_bits_are_those_of_adding_in_order() -> None:
    """On any number of threads: float32 sums round as NumPy's, one after another."""
    value = np.random.default_rng(4).standard_normal((300, 700)).astype("float32")
    x = gx.input("x", ("n", "m"))
    for axis in (0, 1):
        found = gx.compile(x, gx.cumsum(x, axis))(value)
        np.testing.assert_array_equal(found, np.cumsum(value, axis=axis))


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_extremes_of_hard_values(name: str) -> None:
    """nan stays from the first on, as NumPy's; infinities are ordinary."""
    value = np.array([[-np.inf, 1, np.inf, 2, np.nan, 3], [0.0, -0.0, -1, 5, -np.inf, np.inf]])
    x = gx.input("x", value.shape, "float64")
    for found in values_of(getattr(gx, name)(x, 1), x, value):
        np.testing.assert_array_equal(found, accumulated(name, value, 1, False))


# ---- derivatives


def symbolic_gradient(results: list[Any], symbols: Any, point: Any, order: int) -> list[float]:
    """Derivatives of a weighted sum of results along fixed directions, up to an order, by SymPy."""
    total = sympy.Add(*(r * (i + 1) for i, r in enumerate(results)))
    found = []
    for k in range(order):
        along = np.random.default_rng(k).standard_normal(len(symbols))
        total = sympy.Add(*(sympy.diff(total, s) * c for s, c in zip(symbols, along, strict=True)))
        found.append(float(total.subs(dict(zip(symbols, point, strict=True)))))
    return found


def graph_gradient(y: Any, x: Any, point: Any, order: int) -> list[list[float]]:
    """The same of a node, in the interpreter and natively."""
    total = gx.sum(y * np.arange(1.0, 1 + point.size))
    found = []
    for k in range(order):
        along = np.random.default_rng(k).standard_normal(point.size)
        total = gx.sum(gx.grad(total, x) * along)
        found.append([float(v) for v in values_of(total, x, point)])
    return found


POINTS = [
    (1.5, -2.0, 3.0, 0.5), (0.0, 2.0, 3.0, 4.0), (2.0, 0.0, 3.0, 0.0), (0.0, 0.0, 0.0, 2.0),
    (0.0, 0.0, 0.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_derivatives_of_running_products_at_zeros(
    point: tuple[float, ...], exclusive: bool, reverse: bool
) -> None:
    """Three orders, exact where factors are zero: nothing is divided."""
    x = gx.input("x", (4,), "float64")
    s = sympy.symbols("a:4")
    results = []
    for i in range(4):
        taken = range(i + 1, 4) if reverse else range(i)
        results.append(sympy.Mul(*(s[j] for j in taken), 1 if exclusive else s[i]))
    y = gx.cumprod(x, 0, reverse=reverse, exclusive=exclusive)
    found = graph_gradient(y, x, np.array(point), 3)
    for have, want in zip(found, symbolic_gradient(results, s, point, 3), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("factors", [(0.5, -1.5, 2.0, 0.7), (3.0, 0.0, 0.0, 2.0)])
def test_derivatives_of_a_linear_recurrence(factors: tuple[float, ...], reverse: bool) -> None:
    """With respect to factors and terms at once, three orders, which meet every form of it."""
    z = gx.input("z", (8,), "float64")
    s = sympy.symbols("z:8")
    results: list[Any] = [0] * 4
    order = list(range(4))[:: -1 if reverse else 1]
    before: Any = 0
    # The recurrence is linear in its terms, so what it gives is squared outside.
    for i in order:
        before = s[i] * before + s[4 + i]
        results[i] = before**2
    y = gx.linear_recurrence(z[:4], z[4:], reverse=reverse) ** 2
    total = gx.sum(y * np.arange(1.0, 5.0))
    point = np.array([*factors, 1.0, -2.0, 3.0, 0.5])
    wanted = symbolic_gradient(results, s, point, 3)
    for k, want in enumerate(wanted):
        along = np.random.default_rng(k).standard_normal(8)
        total = gx.sum(gx.grad(total, z) * along)
        for have in values_of(total, z, point):
            np.testing.assert_allclose(have, want, rtol=1e-11, atol=1e-11)


def test_a_factor_of_zero_starts_anew() -> None:
    """Whatever came before, infinities and nan included; an exponential average, too."""
    a = gx.input("a", (5,), "float64")
    b = gx.input("b", (5,), "float64")
    y = gx.linear_recurrence(a, b)
    factors, terms = np.array([9.0, 0, 1, 0, 2]), np.array([np.nan, 1, np.inf, 3, 4])
    feed = {a: factors, b: terms}
    for target in TARGETS:
        found = gx.compile([a, b], y, target=target)(factors, terms)
        np.testing.assert_array_equal(found, [np.nan, 1, np.inf, 3, 10])
        np.testing.assert_array_equal(gx.evaluate(y, feed), found)


def test_factors_broadcast_along_the_axis() -> None:
    """One decay for all, and a row of decays, without copies of them."""
    x = gx.input("x", ("n", 3), "float64")
    value = np.random.default_rng(5).standard_normal((6, 3))
    for decay in (0.9, np.array([0.5, 0.9, 1.0])):
        y = gx.linear_recurrence(decay, (1 - decay) * x)
        expected = np.zeros((6, 3))
        for i in range(6):
            expected[i] = decay * (expected[i - 1] if i else 0) + (1 - decay) * value[i]
        for found in values_of(y, x, value):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["cummax", "cummin"])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivative_of_a_running_extreme_goes_to_the_first(name: str, reverse: bool) -> None:
    """Ties and nan: the first occurrence, in the direction of the walk, collects its run."""
    value = np.array([2.0, 1.0, 2.0, 3.0, 3.0, np.nan, 4.0, np.nan])
    value = value if name == "cummax" else -value
    value = value[::-1].copy() if reverse else value
    weights = np.arange(1.0, 9.0)
    x = gx.input("x", (8,), "float64")
    y = getattr(gx, name)(x, 0, reverse=reverse)
    gradient = gx.grad(gx.sum(gx.where(gx.isnan(y), 0.0, y) * weights) + gx.sum(y * 0.0 + y), x)
    expected = np.zeros(8)
    order = list(range(8))[:: -1 if reverse else 1]
    best = None
    for i in order:
        better = best is None or (
            value[i] > value[best] if name == "cummax" else value[i] < value[best]
        )
        if better or (np.isnan(value[i]) and not np.isnan(value[best])):
            best = i
        nan = np.isnan(value[best])
        expected[best] += (0.0 if nan else weights[i]) + 1.0
    for found in values_of(gradient, x, value):
        np.testing.assert_array_equal(found, expected)


def test_an_infinite_cotangent_stays_in_its_run() -> None:
    """No 0 * inf: elements of other runs keep finite gradients."""
    x = gx.input("x", (4,), "float64")
    weights = np.array([1.0, np.inf, 1.0, 1.0])
    gradient = gx.vjp(gx.cummax(x, 0), x, weights)
    for found in values_of(gradient, x, np.array([1.0, 2.0, 1.5, 3.0])):
        np.testing.assert_array_equal(found, [1.0, np.inf, 0.0, 1.0])


def test_axes_and_shapes_are_checked() -> None:
    """Where they are written."""
    x = gx.input("x", (3, 4))
    with pytest.raises(ShapeError, match="cumsum: axis 2 is out of range"):
        gx.cumsum(x, 2)
    with pytest.raises(ShapeError, match="linear_recurrence"):
        gx.linear_recurrence(x, gx.input("b", (3, 5)))


def test_it_is_written_with_its_axis() -> None:
    """Text and LaTeX name the axis where there are several, and the direction."""
    x = gx.input("x", ("n", 3))
    assert "cumsum(x, axis=0, reverse=True)" in str(gx.show(gx.cumsum(x, 0, reverse=True)))
    assert r"\operatorname{cumprod}" in gx.latex(gx.cumprod(x, 1))
