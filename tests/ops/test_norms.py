"""Norms of vectors and matrices: NumPy's, at huge and tiny elements, and derivatives at zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError

TARGETS = ("python", "cpu")


def values_of(y: Any, x: Any, value: np.ndarray) -> list[Any]:
    """What the interpreter and both targets compute."""
    return [gx.evaluate(y, {x: value}), *(gx.compile(x, y, target=t)(value) for t in TARGETS)]


VALUE = np.random.default_rng(0).standard_normal((3, 4, 5))
VALUE[0, 0, 0] = VALUE[1, 2, 3] = 0.0


@pytest.mark.parametrize("ord", [None, 2, 1, 0, np.inf, -np.inf, 3, 0.5, -1, -2.5])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_norms_of_vectors(ord: Any, axis: int) -> None:
    """Every order, along each axis, with and without it."""
    x = gx.input("x", ("a", "b", "c"), "float64")
    y = [gx.norm(x, ord, axis), gx.norm(x, ord, axis, keepdims=True)]
    with np.errstate(divide="ignore"):
        expected = np.linalg.norm(VALUE, ord, axis)
    for found, kept in values_of(y, x, VALUE):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_array_equal(kept, np.expand_dims(found, axis))


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (-1, 0), (1, 2)])
def test_norms_of_matrices(ord: Any, axis: tuple[int, int]) -> None:
    """The first axis is that of rows, also where it is the later one."""
    x = gx.input("x", ("a", "b", "c"), "float64")
    y = [gx.norm(x, ord, axis), gx.norm(x, ord, axis, keepdims=True)]
    expected = np.linalg.norm(VALUE, ord, axis)
    for found, kept in values_of(y, x, VALUE):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_array_equal(kept, np.expand_dims(found, axis))


def test_norm_of_everything() -> None:
    """Without an axis: a vector, a matrix by its order, and any array as one vector."""
    for value in (VALUE[0, 0], VALUE[0], VALUE):
        x = gx.input("x", value.shape, "float64")
        for found in values_of(gx.norm(x), x, value):
            np.testing.assert_allclose(found, np.linalg.norm(value), rtol=1e-12)
    x = gx.input("x", (4, 5), "float64")
    for found in values_of(gx.norm(x, 1), x, VALUE[0]):
        np.testing.assert_allclose(found, np.linalg.norm(VALUE[0], 1), rtol=1e-12)


@pytest.mark.parametrize("ord", [2, 3, 1.5, -1])
@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e-42, 1e37])
def test_squares_neither_overflow_nor_vanish(ord: float, scale: float) -> None:
    """float32 elements whose squares it does not have, and the gradient beside them."""
    value = (np.array([3.0, 4.0, -2.0]) * scale).astype("float32")
    x = gx.input("x", (3,))
    wide = value.astype("longdouble")
    expected = np.sum(np.abs(wide) ** ord) ** (1 / np.longdouble(ord))
    slope = np.sign(wide) * (np.abs(wide) / expected) ** (ord - 1)
    y = gx.norm(x, ord)
    for found in values_of(y, x, value):
        np.testing.assert_allclose(found, expected.astype("float32"), rtol=2e-6, atol=3e-45)
    if scale > 1e-40:  # of subnormal elements few digits are left
        for found in values_of(gx.grad(y, x), x, value):
            np.testing.assert_allclose(found, slope.astype("float32"), rtol=3e-6)


def test_norms_of_special_values() -> None:
    """An infinity makes it infinite, a nan nan, zeros zero."""
    x = gx.input("x", (4, 2), "float64")
    value = np.array([[np.inf, 1], [np.nan, np.inf], [0, -0.0], [-np.inf, np.inf]])
    for ord in (2, 3):
        for found in values_of(gx.norm(x, ord, axis=1), x, value):
            np.testing.assert_array_equal(found, [np.inf, np.nan, 0, np.inf])


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5, np.inf])
def test_derivative_at_zero_is_zero(ord: Any) -> None:
    """As stated; and so is the second derivative of the Euclidean norm."""
    x = gx.input("x", (3,), "float64")
    gradient = gx.grad(gx.norm(x, ord), x)
    for found in values_of(gradient, x, np.zeros(3)):
        np.testing.assert_array_equal(found, 0)


def test_norms_of_nothing() -> None:
    """0 of no elements, except for those that only elements have."""
    x = gx.input("x", (2, 0))
    some: tuple[Any, ...] = (None, 1, 2, 3, 0)
    none: tuple[Any, ...] = (np.inf, -np.inf, -1)
    for ord in some:
        np.testing.assert_array_equal(gx.compile(x, gx.norm(x, ord, axis=1))(np.ones((2, 0))), 0)
    for ord in none:
        with pytest.raises(ShapeError):
            gx.norm(x, ord, axis=1)


def test_equal_extremes_share_the_derivative() -> None:
    """Of the largest elements, with their signs."""
    x = gx.input("x", (3,), "float64")
    for found in values_of(gx.grad(gx.norm(x, np.inf), x), x, np.array([2.0, -2.0, 1.0])):
        np.testing.assert_array_equal(found, [0.5, -0.5, 0.0])


@pytest.mark.parametrize("ord", [2, 3, 1.5])
def test_second_derivatives(ord: float) -> None:
    """The gradient and the gradient of the gradient against differences."""
    x = gx.input("x", (2, 4), "float64")
    gx.check_gradients(gx.sum(gx.norm(x, ord, axis=1)), [x], {x: VALUE[1, :2, :4] + 2}, order=2)


def test_what_is_wrong_is_said() -> None:
    """Where it is written, with what was expected."""
    x = gx.input("x", (3, 4, 5))
    for ord in (3, -0.5, "nuclear"):
        with pytest.raises(ArgumentError, match='expected ord None, "fro", "nuc", .* got'):
            gx.norm(x, ord, axis=(0, 1))
    with pytest.raises(ArgumentError, match="None or a number for vectors; got 'fro'"):
        gx.norm(x, "fro", axis=1)
    with pytest.raises(ShapeError, match="expected a vector or a matrix"):
        gx.norm(x, 1)
    with pytest.raises(ShapeError, match="each axis may be named once"):
        gx.norm(x, axis=(1, -2))
    with pytest.raises(ShapeError, match="one axis or two"):
        gx.norm(x, axis=(0, 1, 2))


def test_it_is_written_as_a_norm() -> None:
    """In text and in LaTeX."""
    x = gx.input("x", ("n", 3))
    assert "norm(x, axis=1)" in str(gx.show(gx.norm(x, axis=1)))
    assert r"\left\|x\right\|_{2}" in gx.latex(gx.norm(x))
