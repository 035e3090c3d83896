"""Reductions: truth values, derivatives of products at zeros, methods and NumPy's functions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import DisconnectedError, ShapeError

TARGETS = ("python", "cpu")


def values_of(y: Any, x: Any, value: np.ndarray) -> list[Any]:
    """What the interpreter and both targets compute."""
    return [gx.evaluate(y, {x: value}), *(gx.compile(x, y, target=t)(value) for t in TARGETS)]


BOOLEANS = np.random.default_rng(0).integers(0, 2, (5, 70)).astype(bool)


@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize(
    "value",
    [
        BOOLEANS,
        BOOLEANS.astype("uint8"),
        np.ones((0, 3)),
        np.ones((3, 0), "int32"),
        np.array([[np.nan, 0.0, -0.0], [np.inf, 1e-45, 2.0]], "float32"),
    ],
)
def test_truth_values_over_axes(name: str, axis: Any, value: np.ndarray) -> None:
    """As NumPy: nan is not zero, nothing is all true and none true, the result is bool."""
    x = gx.input("x", ("n", "m"), value.dtype)
    for keepdims in (False, True):
        expected = getattr(np, name)(value, axis=axis, keepdims=keepdims)
        for found in values_of(getattr(gx, name)(x, axis, keepdims), x, value):
            np.testing.assert_array_equal(found, expected)
            assert np.asarray(found).dtype == np.bool_
            assert np.shape(found) == np.shape(expected)


def test_truth_of_what_a_row_computes_is_one_kernel() -> None:
    """A test of a row's own maximum is fused with it, as every reduction is."""
    x = gx.input("x", ("n", 64))
    y = gx.any(x > 2 * gx.mean(x, axis=1, keepdims=True), axis=1)
    f = gx.compile(x, y)
    value = np.random.default_rng(1).standard_normal((40, 64)).astype("float32")
    np.testing.assert_array_equal(f(value), np.any(value > 2 * value.mean(1, keepdims=True), 1))
    assert len(f.kernels) == 1


def test_truth_has_no_derivative() -> None:
    """A gradient through a truth value alone is an error, not a silent zero."""
    x = gx.input("x", (3,))
    with pytest.raises(DisconnectedError):
        gx.grad(gx.cast(gx.any(x), "float32"), x)


@pytest.mark.parametrize("point", [
    (1.5, 2.0, -3.0, 4.0), (0.0, 2.0, 3.0, 4.0), (0.0, 2.0, 0.0, 4.0), (0.0, 0.0, 0.0, 4.0),
    (0.0, 0.0, 0.0, 0.0),
])  # fmt: skip
def test_derivatives_of_a_product_at_zeros(point: tuple[float, ...]) -> None:
    """The first three derivatives, along directions, are SymPy's, however many factors are zero."""
    x = gx.input("x", (4,), "float64")
    symbols = sympy.symbols("a:4")
    y: Any = gx.prod(x)
    exact = sympy.Mul(*symbols)
    for order in range(3):
        along = np.random.default_rng(order).standard_normal(4)
        y = gx.sum(gx.grad(y, x) * along)
        exact = sympy.Add(*(sympy.diff(exact, s) * c for s, c in zip(symbols, along, strict=True)))
        wanted = float(exact.subs(dict(zip(symbols, point, strict=True))))
        for found in values_of(y, x, np.array(point)):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2), (0, 1), (1, 2)])
def test_gradient_of_a_product_over_any_axes(axis: Any) -> None:
    """Each element's gradient is the product of the others in its group."""
    value = np.random.default_rng(2).standard_normal((3, 2, 4))
    value[0, 0, 0] = value[1, 1, 1] = value[2, 1, 1] = 0.0
    x = gx.input("x", ("a", "b", "c"), "float64")
    gradient = gx.grad(gx.sum(gx.prod(x, axis)), x)
    expected = np.empty_like(value)
    for place in np.ndindex(value.shape):
        others = value.copy()
        others[place] = 1.0
        axes = range(3) if axis is None else np.atleast_1d(axis)
        group = tuple(slice(None) if i in axes else place[i] for i in range(3))
        expected[place] = others[group].prod()
    for found in values_of(gradient, x, value):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_a_product_of_huge_and_tiny_factors_has_a_gradient() -> None:
    """Nothing is divided, so nothing overflows that the products themselves do not."""
    x = gx.input("x", (3,))
    gradient = gx.compile(x, gx.grad(gx.prod(x), x))
    np.testing.assert_allclose(gradient(np.array([1e30, 1e-30, 2], "f4")), [2e-30, 2e30, 1.0])


def test_range_of_elements() -> None:
    """ptp is the largest less the smallest."""
    value = np.random.default_rng(3).standard_normal((4, 5))
    x = gx.input("x", value.shape, "float64")
    for found in values_of(gx.ptp(x, axis=1), x, value):
        np.testing.assert_array_equal(found, np.ptp(value, axis=1))


METHODS: dict[str, Any] = {
    "max": {}, "min": {}, "prod": {}, "sum": {}, "mean": {}, "var": {"ddof": 1}, "std": {},
    "any": {}, "all": {}, "argmax": {}, "argmin": {}, "cumsum": {}, "cumprod": {},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_and_numpys_functions_build_the_same_node(name: str) -> None:
    """x.max(axis), np.max(x, axis) and gx.max(x, axis) are one node."""
    x = gx.input("x", (3, 4))
    more = METHODS[name]
    found = [getattr(x, name)(1, **more), getattr(gx, name)(x, 1, **more)]
    found.append(getattr(np, name)(x, axis=1, **more))
    assert all(a is b for a, b in pairwise(found))


def test_numpys_other_functions() -> None:
    """np.sort(x), np.linalg.norm(x) and the like build nodes."""
    x = gx.input("x", (3, 4))
    assert np.linalg.norm(x, axis=1) is gx.norm(x, axis=1)
    for name in ("sort", "argsort", "diff", "median", "ptp", "count_nonzero"):
        assert getattr(np, name)(x, axis=0) is getattr(gx, name)(x, axis=0)
    assert np.quantile(x, 0.5, axis=0) is gx.quantile(x, 0.5, axis=0)
    assert np.searchsorted(x[0], x) is gx.searchsorted(x[0], x)  # type: ignore[comparison-overlap]


def test_axes_are_checked_where_they_are_written() -> None:
    """A wrong axis names the operation, the axis and the rank."""
    x = gx.input("x", (3, 4))
    for name in ("any", "all", "ptp", "var", "std", "count_nonzero", "median", "norm"):
        with pytest.raises(ShapeError, match="axis 2 is out of range") as raised:
            getattr(gx, name)(x, axis=2)
        assert "test_reduction.py" in str(raised.value)
