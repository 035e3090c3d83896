"""Medians and quantiles beside NumPy: methods, axes, nan, infinities, and where gradients go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from graphc.ops.quantiles import METHODS

TARGETS = ("python", "cpu")


def values_of(y: Any, x: Any, value: np.ndarray) -> list[Any]:
    """What the interpreter and both targets compute."""
    return [gx.evaluate(y, {x: value}), *(gx.compile(x, y, target=t)(value) for t in TARGETS)]


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("method", METHODS)
def test_quantiles_beside_numpy(method: str, axis: Any) -> None:
    """Numbers and arrays of fractions, kept axes, symbolic sizes."""
    value = np.random.default_rng(0).standard_normal((2, 5, 3))
    x = gx.input("x", ("a", "b", "c"), "float64")
    cases = [(q, keepdims) for q in (0, 0.5, [0.25, 0.1, 1.0]) for keepdims in (False, True)]
    y = [gx.quantile(x, q, axis, method, keepdims) for q, keepdims in cases]
    for results in values_of(y, x, value):
        for found, (q, keepdims) in zip(results, cases, strict=True):
            expected = np.quantile(value, q, axis=axis, method=method, keepdims=keepdims)  # type: ignore[call-overload]
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
            assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_medians(count: int) -> None:
    """Of odd and even numbers of elements, of float32 and of integers."""
    for dtype in ("float32", "int32"):
        value = (np.random.default_rng(1).standard_normal((4, count)) * 50).astype(dtype)
        x = gx.input("x", ("n", "m"), dtype)
        for found in values_of(gx.median(x, axis=1), x, value):
            np.testing.assert_allclose(found, np.median(value, axis=1), rtol=1e-6)


def test_nearest_goes_to_even_places() -> None:
    """Halfway between two elements, NumPy's rule."""
    value = np.arange(5.0)
    x = gx.input("x", (5,), "float64")
    q = np.array([0.125, 0.375, 0.625, 0.875])
    for found in values_of(gx.quantile(x, q, method="nearest"), x, value):
        np.testing.assert_array_equal(found, np.quantile(value, q, method="nearest"))


def test_special_values() -> None:
    """nan anywhere gives nan; between equal infinities there is no nan."""
    value = np.array(
        [[1, np.nan, 3, 2], [np.inf, np.inf, np.inf, 0], [-np.inf, 1, 2, 3], [-0.0, 0.0, 0.0, 0.0]]
    )
    x = gx.input("x", (4, 4), "float64")
    for found in values_of(gx.median(x, axis=1), x, value):
        np.testing.assert_array_equal(found, [np.nan, np.inf, 1.5, 0.0])
    for found in values_of(gx.quantile(x, 0.0, axis=1), x, value):
        np.testing.assert_array_equal(found, [np.nan, 0.0, -np.inf, 0.0])


def test_gradient_goes_to_the_middle_elements() -> None:
    """Half each to two; of equal ones to those that a stable sort has there."""
    x = gx.input("x", (3, 4), "float64")
    value = np.array([[4.0, 1, 3, 2], [5, 5, 5, 5], [1, 2, 2, 2]])
    gradient = gx.grad(gx.sum(gx.median(x, axis=1)), x)
    expected = [[0, 0, 0.5, 0.5], [0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0]]
    for found in values_of(gradient, x, value):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_against_differences(method: str) -> None:
    """Of the elements and, where the method is linear, of the fraction, twice."""
    x = gx.input("x", (4, 6), "float64")
    q = gx.input("q", (2,), "float64")
    y = gx.sum(gx.quantile(x, q, axis=1, method=method) ** 2)
    feed = {x: np.random.default_rng(2).standard_normal((4, 6)), q: np.array([0.33, 0.71])}
    gx.check_gradients(y, [x, q] if method == "linear" else [x], feed, order=2)


def test_fractions_that_are_computed() -> None:
    """A node of fractions; one that leaves [0, 1] is reported when it runs."""
    x = gx.input("x", ("n",), "float64")
    q = gx.input("q", (), "float32")
    f = gx.compile([x, q], gx.quantile(x, q))
    np.testing.assert_allclose(f(np.arange(11.0), np.float32(0.25)), 2.5)
    for fraction in (1.5, 1.01, -0.01, np.nan):
        with pytest.raises(IndexRangeError, match=r"test_quantiles\.py"):
            f(np.arange(11.0), np.float32(fraction))
        with pytest.raises(IndexRangeError, match=r"test_quantiles\.py"):
            gx.evaluate(gx.quantile(x, q), {x: np.arange(11.0), q: fraction})


def test_what_is_wrong_is_said() -> None:
    """Where it is written, with what was expected."""
    x = gx.input("x", (3, 0))
    with pytest.raises(ShapeError, match="median: axis 1 of .3, 0. is empty"):
        gx.median(x, axis=1)
    with pytest.raises(ArgumentError, match="q between 0 and 1; got 1.5"):
        gx.quantile(x, 1.5, axis=0)
    with pytest.raises(ArgumentError, match="linear, lower, higher, nearest, midpoint; got 'best'"):
        gx.quantile(x, 0.5, axis=0, method="best")
    with pytest.raises(DTypeError, match="floats for q, got int64"):
        gx.quantile(x, gx.input("q", (), "int64"), axis=0)
