"""Variance, deviation, counts and differences beside NumPy; stability, derivatives at corners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, GradientError

TARGETS = ("python", "cpu")
AXES = [None, 0, -1, (0, 1)]


def values_of(y: Any, x: Any, value: np.ndarray) -> list[Any]:
    """What the interpreter and both targets compute."""
    return [gx.evaluate(y, {x: value}), *(gx.compile(x, y, target=t)(value) for t in TARGETS)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("correction", [0, 1, 0.5, 9])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_spread_beside_numpy(axis: Any, correction: float) -> None:
    """Both names of the correction, symbolic sizes, kept axes; too few elements are inf or nan."""
    value = np.random.default_rng(0).standard_normal((3, 4)) + 1e6
    x = gx.input("x", ("n", "m"), "float64")
    for name in ("var", "std"):
        for keepdims in (False, True):
            y = getattr(gx, name)(x, axis, correction, keepdims)
            assert y is getattr(gx, name)(x, axis, keepdims=keepdims, correction=correction)
            expected = getattr(np, name)(value, axis=axis, ddof=correction, keepdims=keepdims)
            for found in values_of(y, x, value):
                np.testing.assert_allclose(found, expected, rtol=1e-12)
                assert np.shape(found) == np.shape(expected)


def test_a_large_mean_costs_no_digits() -> None:
    """Two passes: in float32 the variance of x + 4096 is that of x."""
    value = np.random.default_rng(1).integers(-8, 8, (4, 1000)).astype("float32")
    x = gx.input("x", ("n", "m"))
    f = gx.compile(x, gx.var(x, axis=1))
    np.testing.assert_allclose(f(value + 4096), np.var(value.astype(float), axis=1), rtol=1e-6)


def test_deviation_of_equal_elements_has_no_slope() -> None:
    """The derivative is taken as 0 where the deviation is, also the second."""
    x = gx.input("x", (2, 3), "float64")
    y = gx.sum(gx.std(x, axis=1))
    value = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    once = gx.grad(y, x)
    twice = gx.grad(gx.sum(once * once), x)
    for found in values_of(once, x, value):
        np.testing.assert_array_equal(found[0], 0)
        centred = value[1] - value[1].mean()
        np.testing.assert_allclose(found[1], centred / (3 * value[1].std()), rtol=1e-12)
    for found in values_of(twice, x, value):
        np.testing.assert_array_equal(found[0], 0)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_counts(axis: Any, dtype: str) -> None:
    """nan and infinities are not zero, -0 is."""
    value = np.array([[np.nan, 0.0, -0.0], [np.inf, 1e-45, 2.0]], "float32")
    value = (
        value
        if dtype == "float32"
        else np.where(value > 1e30, 7, np.nan_to_num(value)).astype(dtype)
    )
    x = gx.input("x", ("n", 3), dtype)
    expected = np.count_nonzero(value, axis=axis)
    for found in values_of(gx.count_nonzero(x, axis), x, value):
        np.testing.assert_array_equal(found, expected)
        assert np.asarray(found).dtype == np.int64


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_differences(n: int, axis: int) -> None:
    """Repeated, on symbolic axes, of floats, integers and truth values."""
    value = np.random.default_rng(2).integers(0, 9, (5, 6))
    for dtype in ("float64", "int32", "bool"):
        known = value.astype(dtype)
        x = gx.input("x", ("n", "m"), dtype)
        for found in values_of(gx.diff(x, n, axis), x, known):
            np.testing.assert_array_equal(found, np.diff(known, n, axis))


def test_differences_of_nothing() -> None:
    """An empty axis and one of a single element have none."""
    for length in (0, 1):
        x = gx.input("x", (2, length))
        assert gx.diff(x).shape == (2, 0)
        assert gx.compile(x, gx.diff(x))(np.zeros((2, length), "float32")).shape == (2, 0)


def test_gradient_of_differences() -> None:
    """The transposed differences."""
    weights = np.array([1.0, -2.0, 5.0])
    y = gx.input("y", (4,), "float64")
    for found in values_of(gx.vjp(gx.diff(y), y, weights), y, np.zeros(4)):
        np.testing.assert_array_equal(found, [-1, 3, -7, 5])


def test_what_is_wrong_is_said() -> None:
    """Where it is written, with what was expected."""
    x = gx.input("x", (3, 4))
    with pytest.raises(ArgumentError, match="ddof or correction"):
        gx.var(x, ddof=1, correction=1)
    with pytest.raises(ArgumentError, match="a number as correction; got 'one'"):
        gx.std(x, correction="one")
    with pytest.raises(ArgumentError, match="n >= 0 differences; got -1"):
        gx.diff(x, -1)
    with pytest.raises(GradientError, match="a count has no derivative"):
        gx.vjp(gx.count_nonzero(x), x, 1)


def test_they_read_as_they_are_written() -> None:
    """One node each, with its axes and its correction."""
    x = gx.input("x", ("n", 3))
    shown = str(gx.show(gx.var(x, axis=0, ddof=1) + gx.std(x)))
    assert "var(x, axis=0, correction=1)" in shown
    assert "std(x)" in shown
