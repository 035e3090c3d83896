"""Slices take what NumPy takes, with symbolic bounds too, and reverse axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ShapeError
from tests.ops.linear_check import check_linear

# Bounds as functions of the length, for Python ints and for sizes.
SYMBOLIC: dict[str, Callable[[Any], slice]] = {
    ":n-1": lambda n: slice(None, n - 1),
    "1:n-1": lambda n: slice(1, n - 1),
    "n//2:": lambda n: slice(n // 2, None),
    ":n//2": lambda n: slice(None, n // 2),
    "n//2:n:2": lambda n: slice(n // 2, n, 2),
    "::2": lambda n: slice(None, None, 2),
    "1::3": lambda n: slice(1, None, 3),
    "::-1": lambda n: slice(None, None, -1),
    "::-2": lambda n: slice(None, None, -2),
    "n-1:0:-1": lambda n: slice(n - 1, 0, -1),
    "n-2::-1": lambda n: slice(n - 2, None, -1),
    "-2::-2": lambda n: slice(-2, None, -2),
    "n//2:0:-2": lambda n: slice(n // 2, 0, -2),
    ":-3:-1": lambda n: slice(None, -3, -1),
    "-3:-1": lambda n: slice(-3, -1),
    "-3:": lambda n: slice(-3, None),
    ":2": lambda n: slice(None, 2),
    "n-2:n-2": lambda n: slice(n - 2, n - 2),
}


@pytest.mark.parametrize("length", [3, 6, 7])
@pytest.mark.parametrize("name", list(SYMBOLIC))
def test_slices_of_a_symbolic_axis(name: str, length: int) -> None:
    """Any step, and bounds that are sizes: NumPy's elements wherever these lie inside the axis."""
    bounds = SYMBOLIC[name]
    check_linear(
        lambda x: x[bounds(x.shape[0]), 1:], lambda x: x[bounds(length), 1:], (length, 2),
        declared=[("n", 2)], targets=("python",),
    )  # fmt: skip


def test_slices_of_a_symbolic_axis_in_native_code() -> None:
    """All of them at once."""
    x = gx.input("x", ("n",), "float64")
    made = [x[bounds(x.shape[0])] * 1.0 for bounds in SYMBOLIC.values()]
    compiled = gx.compile(x, made)
    for length in (3, 4, 9):
        value = np.arange(float(length))
        for found, bounds in zip(compiled(value), SYMBOLIC.values(), strict=True):
            np.testing.assert_array_equal(found, value[bounds(length)])


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_reversal_of_short_symbolic_axes(length: int) -> None:
    """Steps backwards over an axis of no or of one element."""
    check_linear(
        lambda x: gx.concat([x[::-1], x[::-2]]), lambda x: np.concatenate([x[::-1], x[::-2]]),
        (length,), declared=[("n",)],
    )  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [0, -1, (1, 2), np.s_[1:, ::-1], np.s_[..., 1], np.s_[None, 1, None, :2], np.s_[-2:5:2, -1],
     np.s_[5:1], np.s_[::-1, None, ...], np.s_[2:0:-1, 3::-2], np.s_[9:-9:-3], np.s_[...]],
)  # fmt: skip
def test_fixed_axes_are_numpys(key: Any) -> None:
    """Integers, bounds beyond the axis, new axes, an ellipsis."""
    check_linear(lambda x: x[key] * 1.0, lambda x: np.asarray(x[key]), (3, 4), targets=("python",))


def test_sizes_as_indices() -> None:
    """An element at a place that is a size, on symbolic and fixed axes."""
    x = gx.input("x", ("n", 6), "float64")
    n = x.shape[0]
    check_linear(
        lambda x: x[n - 1, n // 2 :], lambda x: x[3, 2:], (4, 6), declared=[("n", 6)]
    )  # fmt: skip
    check_linear(lambda x: x[:, n - 1], lambda x: x[:, 3], (4, 6), declared=[("n", 6)])


def test_a_bound_outside_is_found_at_the_call() -> None:
    """NumPy cuts bounds to the axis; a symbolic shape cannot follow, so it is an error."""
    x = gx.input("x", ("n",))
    for made in (x[:3], x[1 : x.shape[0] + 1], x[2], x[x.shape[0] - 3 :], x[-3]):
        compiled = gx.compile(x, made * 1.0, target="python")
        compiled(np.ones(3, "float32")) if made.shape != (x.shape[0],) else None
        with pytest.raises(ShapeError):
            compiled(np.ones(2, "float32"))


def test_errors() -> None:
    """What is no index, and a size that could count from either end."""
    x = gx.input("x", ("n", 3))
    n = x.shape[0]
    with pytest.raises(ShapeError, match="from the end"):
        x[-n:]
    with pytest.raises(ShapeError, match="out of range for an axis of 3"):
        x[0, 3]
    with pytest.raises(ShapeError, match="must not be 0"):
        x[::0]
    with pytest.raises(ShapeError, match="got 3 indices"):
        x[0, 0, 0]
    with pytest.raises(ShapeError, match="expected integers or sizes"):
        x[1.5:]
    with pytest.raises(ShapeError, match="expected integers or sizes"):
        x[::n]  # a step decides the kernel's loop
    with pytest.raises(ShapeError, match="at most one"):
        x[..., ...]


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (1,)])
def test_flip_is_numpys(axis: Any) -> None:
    """All axes by default, one, several."""
    check_linear(lambda x: gx.flip(x, axis) * 1.0, lambda x: np.flip(x, axis), (2, 3))


def test_flips_by_name() -> None:
    """Left to right, top to bottom, on nodes given to NumPy."""
    x = gx.input("x", (2, 3), "float64")
    value = np.arange(6.0).reshape(2, 3)
    for function in (np.fliplr, np.flipud, np.flip):
        made: Any = function(x)
        np.testing.assert_array_equal(gx.evaluate(made, {x: value}), function(value))
    with pytest.raises(ShapeError, match="axis 2 is out of range"):
        gx.flip(x, 2)
