"""Sorting and searching: every element type, hard values, ties, empty rows, derivatives, loops."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.target.ordering_source import SHORT_ROW

TARGETS = ("python", "cpu")
DTYPES = ["float32", "float64", "int32", "int64", "uint8", "uint32", "bool"]
SHAPES = [(5,), (3, 4), (2, 3, 7), (0, 3), (3, 0), (1,), (2, SHORT_ROW), (2, SHORT_ROW + 1)]


def hard(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random elements, with every special one that the type has, and ties."""
    random = np.random.default_rng(seed)
    known = np.dtype(dtype)
    if known.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if known.kind in "iu":
        limits = np.iinfo(known)
        value = random.integers(limits.min, limits.max, shape, known, endpoint=True)
        value.flat[::3] = value.flat[0] if value.size else 0
        value.flat[1::9], value.flat[2::9] = limits.min, limits.max
        return value
    value = (random.standard_normal(shape) * 10.0 ** random.integers(-40, 38, shape)).astype(known)
    for start, special in enumerate((np.nan, 0.0, -0.0, np.inf, -np.inf, -np.nan, 1e-45, 1.0, 1.0)):
        value.flat[start::19] = special
    return value


def stable(value: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    """The oracle's order: NumPy's, of the array from its end where it descends."""
    if not descending:
        return np.asarray(np.argsort(value, axis=axis, kind="stable"))
    turned = np.argsort(np.flip(value, axis), axis=axis, kind="stable")
    return np.asarray(value.shape[axis] - 1 - np.flip(turned, axis))


@functools.cache
def sorting(dtype: str, ndim: int, axis: int, descending: bool) -> tuple[Any, Any, Any]:
    """One program for arrays of any sizes: the input, the results, and each target's function."""
    x = gx.input("x", tuple(f"n{i}" for i in range(ndim)), dtype)
    y = [gx.sort(x, axis, descending=descending), gx.argsort(x, axis, descending=descending)]
    return x, y, [gx.compile(x, y, target=t) for t in TARGETS]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sorted_elements_and_their_places(
    dtype: str, shape: tuple[int, ...], descending: bool
) -> None:
    """Stable, nan last (first where it descends), both zeros equal: the bits of NumPy's choice."""
    value = hard(dtype, shape)
    for axis in range(-1, len(shape) - 1):
        order = stable(value, axis, descending)
        chosen = np.take_along_axis(value, order, axis)
        x, y, compiled = sorting(dtype, len(shape), axis, descending)
        for values, indices in (gx.evaluate(y, {x: value}), *(f(value) for f in compiled)):
            assert values.dtype == value.dtype
            assert indices.dtype == np.int64
            np.testing.assert_array_equal(indices, order)
            assert values.tobytes() == np.ascontiguousarray(chosen).tobytes()


def test_an_axis_of_none_flattens() -> None:
    """As in NumPy."""
    value = hard("float64", (3, 4))
    x = gx.input("x", ("n", 4), "float64")
    found = gx.compile(x, gx.sort(x, axis=None))(value)
    np.testing.assert_array_equal(found, np.sort(value, axis=None))


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_long_rows(dtype: str) -> None:
    """Digits are distributed: many elements, few distinct ones, and those that share digits."""
    random = np.random.default_rng(1)
    x = gx.input("x", ("n",), dtype)
    f = gx.compile(x, [gx.sort(x), gx.argsort(x)])
    for value in (
        random.standard_normal(100_003) * 1e6,
        random.integers(-3, 3, 10_000),
        np.full(1000, -7),
        np.arange(5000)[::-1] - 2500,
    ):
        known = value.astype(dtype)
        values, indices = f(known)
        np.testing.assert_array_equal(indices, np.argsort(known, kind="stable"))
        np.testing.assert_array_equal(values, np.sort(known))


def test_rows_are_shared_among_threads_without_changing() -> None:
    """Many rows in parallel, each as it would be alone."""
    value = hard("float32", (3000, 40), seed=2)
    x = gx.input("x", ("n", "m"))
    np.testing.assert_array_equal(gx.compile(x, gx.sort(x))(value), np.sort(value, axis=1))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("k", [0, 1, 3, 5])
def test_the_largest_of_each_row(k: int, axis: int) -> None:
    """The first k of the descending order; of ties the earlier."""
    value = np.round(np.random.default_rng(3).standard_normal((5, 5)), 1)
    x = gx.input("x", value.shape, "float64")
    order = np.take(stable(value, axis, True), range(k), axis)
    for target in TARGETS:
        values, indices = gx.compile(x, list(gx.top_k(x, k, axis)), target=target)(value)
        np.testing.assert_array_equal(indices, order)
        np.testing.assert_array_equal(values, np.take_along_axis(value, order, axis))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_places_in_a_sorted_array(dtype: str, side: Any) -> None:
    """Of any length, with ties, infinities and nan in both; no query at all, too."""
    a, v = gx.input("a", ("n",), dtype), gx.input("v", ("l", "m"), dtype)
    y = gx.searchsorted(a, v, side)
    compiled = [gx.compile([a, v], y, target=t) for t in TARGETS]
    for length in (0, 1, 2, 7, 8, 9, 100):
        known = np.sort(hard(dtype, (length,), seed=4))
        for queries in (hard(dtype, (4, 6), seed=5), np.zeros((0, 3), dtype)):
            expected = np.searchsorted(known, queries, side)
            np.testing.assert_array_equal(gx.evaluate(y, {a: known, v: queries}), expected)
            for f in compiled:
                np.testing.assert_array_equal(f(known, queries), expected)


def test_queries_meet_the_array_in_one_type() -> None:
    """An integer array is searched for fractions; a number is a scalar result."""
    a = gx.input("a", ("n",), "int64")
    known = np.array([1, 2, 2, 3])
    y = [gx.searchsorted(a, np.array([1.5, 2.0])), gx.searchsorted(a, 2, "right")]
    found = gx.compile(a, y)(known)
    np.testing.assert_array_equal(found[0], [1, 1])
    assert found[1] == 3
    assert np.shape(found[1]) == ()


# ---- derivatives


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("descending", [False, True])
def test_gradients_go_back_to_where_elements_came_from(axis: Any, descending: bool) -> None:
    """Ties as the stable order has them, and so does the second derivative."""
    value = np.round(np.random.default_rng(6).standard_normal((4, 5)), 1)
    value[0] = value[1]
    x = gx.input("x", value.shape, "float64")
    y = gx.sort(x, axis, descending=descending)
    weights = np.arange(1.0, 21.0).reshape((20,) if axis is None else (4, 5))
    flat, at = (value.reshape(-1), 0) if axis is None else (value, axis)
    order = stable(flat, at, descending)
    expected = np.zeros_like(flat)
    np.put_along_axis(expected, order, weights, at)
    curve = np.zeros_like(flat)
    np.put_along_axis(curve, order, 6 * weights * np.take_along_axis(flat, order, at), at)
    once = gx.grad(gx.sum(y * weights), x)
    twice = gx.grad(gx.sum(gx.grad(gx.sum(y**3 * weights), x)), x)
    for target in TARGETS:
        found = gx.compile(x, [once, twice], target=target)(value)
        np.testing.assert_array_equal(found[0], expected.reshape(4, 5))
        np.testing.assert_allclose(found[1], curve.reshape(4, 5), rtol=1e-12)


def test_sorting_in_a_training_loop() -> None:
    """A routine inside the native loop: a quantile regression that moves to the median."""
    x = gx.input("x", ("n",), "float64")
    center = gx.param("center", np.array(0.0))
    residual = gx.sort(gx.abs(x - center))
    loss = gx.sum(residual * gx.ramp(residual.shape, 0, "float64")) / 1000
    step = gx.compile(x, loss, updates={center: center - 0.1 * gx.grad(loss, center)})
    data = np.random.default_rng(7).standard_normal(1000) + 2
    losses = step.loop(data, batch_size=50, epochs=3, seed=0)
    assert np.mean(losses[-10:]) < 0.5 * losses[0]


# ---- errors


def test_what_is_wrong_is_said() -> None:
    """Where it is written, with what was expected."""
    x = gx.input("x", (3, 4))
    with pytest.raises(ShapeError, match="sort: axis 2 is out of range"):
        gx.sort(x, 2)
    with pytest.raises(ShapeError, match="top_k: expected 0 <= k <= 4"):
        gx.top_k(x, 5)
    with pytest.raises(ShapeError, match="searchsorted: expected a sorted array with one axis"):
        gx.searchsorted(x, x)
    with pytest.raises(ArgumentError, match="'left' or 'right'; got 'middle'"):
        gx.searchsorted(x[0], x, "middle")
    with pytest.raises(ShapeError, match="sort"):
        gx.sort(gx.input("s"))
