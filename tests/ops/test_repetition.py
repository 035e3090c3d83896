"""Arrays and elements several times in a row, as NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from tests.ops.linear_check import check_linear


@pytest.mark.parametrize("reps", [2, (2, 3), (1, 2), (3, 1, 2), (0, 2), 1, ()])
def test_tile_is_numpys(reps: Any) -> None:
    """Fewer and more numbers than axes, none, zero."""
    check_linear(lambda x: gx.tile(x, reps) * 1.0, lambda x: np.tile(x, reps), (2, 3),
    targets=("python",))  # fmt: skip
    check_linear(lambda x: gx.tile(x, reps) * 1.0, lambda x: np.tile(x, reps), (2, 3),
    declared=[("n", 3)], targets=("cpu",))  # fmt: skip


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3, [2], np.int64(2)])
def test_repeat_is_numpys(repeats: Any, axis: Any) -> None:
    """One number for all elements."""
    check_linear(lambda x: gx.repeat(x, repeats, axis) * 1.0, lambda x: np.repeat(x, repeats,
    axis), (2, 3), targets=("python",))  # fmt: skip


@pytest.mark.parametrize(
    ("repeats", "axis"), [([2, 0, 1], 1), ((1, 3), 0), ([1, 2, 0, 0, 1, 3], None)]
)
def test_repeat_by_a_number_for_each(repeats: Any, axis: Any) -> None:
    """A fixed vector of numbers, with zeros in it."""
    check_linear(lambda x: gx.repeat(x, repeats, axis), lambda x: np.repeat(x, repeats, axis),
    (2, 3))  # fmt: skip


def test_sizes_as_numbers() -> None:
    """As many times as another axis is long."""
    x, y = gx.input("x", ("n",), "float64"), gx.input("y", ("m",), "float64")
    outputs = [gx.tile(x, y.shape[0]), gx.repeat(x, y.shape[0]), gx.tile(x, ("m", 2))]
    value = np.arange(3.0)
    expected = [np.tile(value, 2), np.repeat(value, 2), np.tile(value, (2, 2))]
    for target in ("python", "cpu"):
        found = gx.compile([x, y], outputs, target=target)(value, np.zeros(2))
        assert all(map(np.array_equal, found, expected))


def test_numpys_functions_build_nodes() -> None:
    """np.tile and np.repeat on a node."""
    x = gx.input("x", (2,), "float64")
    tiled: Any = np.tile(x, 2)
    repeated: Any = np.repeat(x, 2)
    assert gx.evaluate(tiled, {x: [1, 2]}).tolist() == [1, 2, 1, 2]
    assert gx.evaluate(repeated, {x: [1, 2]}).tolist() == [1, 1, 2, 2]


def test_errors() -> None:
    """Numbers that are negative, broken, computed, or too few."""
    x = gx.input("x", (2, 3))
    with pytest.raises(ShapeError, match=">= 0"):
        gx.tile(x, -1)
    for bad in (-1, 1.5, [[1]], gx.input("r", (3,), "int64")):
        with pytest.raises(ArgumentError, match="repeat: expected"):
            gx.repeat(x, bad, 1)
    with pytest.raises(ShapeError, match="needs 3 numbers, got 2"):
        gx.repeat(x, [1, 2], 1)
