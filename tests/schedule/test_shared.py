"""What is stored because kernels would compute it again: the numbers of columns."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx


def normalized(x: gx.Node) -> gx.Node:
    away = x - gx.mean(x, axis=0)
    return away / gx.sqrt(gx.mean(away * away, axis=0) + 1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (70, 33), (600, 65)])
def test_normalization_over_rows(shape: tuple[int, int]) -> None:
    value = np.random.default_rng(5).standard_normal(shape).astype("f") * 3 + 2
    weight = np.random.default_rng(6).standard_normal(shape).astype("f")
    x, w = gx.input("x", ("n", "m")), gx.input("w", ("n", "m"))
    y = normalized(x)
    found, slope = gx.compile([x, w], [y, gx.grad(gx.sum(y * w), x)])(value, weight)
    wide, wide_weight = value.astype("d"), weight.astype("d")
    away = wide - wide.mean(0)
    deviation = np.sqrt((away**2).mean(0) + 1e-5)
    np.testing.assert_allclose(found, away / deviation, rtol=1e-4, atol=1e-4)
    z = away / deviation
    along = wide_weight - wide_weight.mean(0) - z * (wide_weight * z).mean(0)
    np.testing.assert_allclose(slope, along / deviation, rtol=1e-3, atol=1e-3 / deviation.min())


def test_numbers_of_columns_are_computed_once() -> None:
    """Not in every row: the last kernel divides by what an earlier one took the root of."""
    x = gx.input("x", ("n", 256))
    *_, last = gx.compile(x, normalized(x)).kernels
    assert "sqrt" not in last.source
    assert last.source.count("divide(") == 1


def test_few_numbers_of_columns_are_computed_again() -> None:
    """Another kernel would cost more."""
    x, y = gx.input("x", (8, 16)), gx.input("y", (16,))
    assert len(gx.compile([x, y], x / gx.sqrt(y)).kernels) == 1
    x, y = gx.input("x", (800, 160)), gx.input("y", (160,))
    assert len(gx.compile([x, y], x / gx.sqrt(y)).kernels) == 2


def test_numbers_of_rows_stay_in_their_kernel() -> None:
    x, y = gx.input("x", ("n", "m")), gx.input("y", ("n", 1))
    assert len(gx.compile([x, y], x / gx.sqrt(y)).kernels) == 1
