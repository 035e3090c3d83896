"""argmax and argmin against NumPy: the first of equals, a nan before all, any axis and type."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 7), (100, 300), (70_001, 3)])
@pytest.mark.parametrize("nan", [False, True])
def test_places_of_extremes(rows: int, columns: int, nan: bool) -> None:
    """Values are whole numbers, so that many are equal; computed ones are compared as computed."""
    value = np.round(np.random.default_rng(0).standard_normal((rows, columns)) * 3).astype("f")
    if nan:
        value[rows // 2, columns // 2] = value[rows // 3, 0] = np.nan
    x = gx.input("x", ("n", columns))
    computed = gx.exp(x) * 3 + x
    outputs = [
        gx.argmax(x, axis=1), gx.argmin(x, axis=0), gx.argmax(x),
        gx.argmin(x, axis=1, keepdims=True), gx.argmax(computed, axis=0), computed,
    ]  # fmt: skip
    *found, made = gx.compile(x, outputs)(value)
    wanted = [
        value.argmax(1), value.argmin(0), value.argmax(), value.argmin(1, keepdims=True),
        made.argmax(0),
    ]  # fmt: skip
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(have, want, strict=isinstance(want, np.ndarray))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float64"])
@pytest.mark.parametrize("target", ["python", "cpu"])
def test_types(dtype: str, target: str) -> None:
    value = (np.random.default_rng(1).standard_normal((50, 33)) * 2).astype(dtype)
    x = gx.input("x", ("n", 33), dtype)
    found = gx.compile(x, [gx.argmax(x, axis=1), gx.argmin(x, axis=0)], target=target)(value)
    np.testing.assert_array_equal(found[0], value.argmax(1))
    np.testing.assert_array_equal(found[1], value.argmin(0))


def test_zeros_of_both_signs_and_infinities() -> None:
    """-0 equals 0, so the first of them is it; of nothing but -inf it is the first."""
    x = gx.input("x", (4, 3))
    value = np.array([[-0.0, 0, -1], [0, -0.0, -1], [-np.inf] * 3, [1, np.inf, np.inf]], "f")
    found = gx.compile(x, gx.argmax(x, axis=1))(value)
    np.testing.assert_array_equal(found, value.argmax(1))
