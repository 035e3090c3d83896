"""Padding gives what np.pad gives, in every mode and form of its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from tests.ops.linear_check import check_fixed, check_linear

MODES = ("edge", "reflect", "symmetric", "wrap")


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize("width", [1, (2, 1), ((1, 0), (0, 3)), ((2,), (1,)), 0, [(0, 2), (2, 0)]])
def test_forms_of_the_width(mode: str, width: Any) -> None:
    """One number, a pair for all axes, a pair for each."""
    check_linear(lambda x: gx.pad(x, width, mode) * 1.0, lambda x: np.pad(x, width, mode),
    (3, 4), targets=("python",))  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", [(7, 8), (0, 11), (5, 0)])
def test_wider_than_the_array(mode: str, width: tuple[int, int]) -> None:
    """Several reflections or periods; an axis of one element."""
    for length in (3, 1):
        check_linear(lambda x: gx.pad(x, width, mode), lambda x: np.pad(x, width, mode),
        (length,), targets=("python",))  # fmt: skip


@pytest.mark.parametrize("mode", ["constant", *MODES])
def test_symbolic_axes(mode: str) -> None:
    """The length is known at the call only; other axes are fixed."""
    check_linear(lambda x: gx.pad(x, ((2, 1), (1, 3)), mode),
    lambda x: np.pad(x, ((2, 1), (1, 3)), mode), (4, 2), declared=[("n", 2)],
    targets=("python", "cpu") if mode in ("constant", "symmetric") else ("python",))  # fmt: skip


@pytest.mark.parametrize("mode", ["constant", *MODES])
def test_symbolic_widths(mode: str) -> None:
    """As wide as another array is long, or as half of itself."""
    check_linear(
        lambda x, y: gx.pad(x, [(y.shape[0], x.shape[0] // 2)], mode) * y[0],
        lambda x, y: np.pad(x, [(2, 2)], mode) * 1.0 * y[0] if y.size else x, (5,), (2,),
        declared=[("n",), ("m",)], targets=(),
    )  # fmt: skip
    x, y = gx.input("x", ("n",)), gx.input("y", ("m",))
    padded = gx.pad(x, [(y.shape[0], x.shape[0] // 2)], mode)
    value = np.arange(5, dtype="float32")
    for target in ("python", "cpu"):
        compiled = gx.compile([x, y], padded, target=target)
        for before in (1, 2, 4):
            found = compiled(value, np.zeros(before, "float32"))
            np.testing.assert_array_equal(found, np.pad(value, (before, 2), mode))


def test_too_far_on_a_symbolic_axis_is_an_error_at_the_call() -> None:
    """A second reflection would be silent nonsense."""
    x = gx.input("x", ("n",))
    for mode in MODES[1:]:
        compiled = gx.compile(x, gx.pad(x, 4, mode), target="python")
        with pytest.raises(ShapeError):
            compiled(np.ones(3, "float32"))


@pytest.mark.parametrize(
    "values", [7, (1, 2), ((1, 2), (3, 4)), ((5,),), -0.0, np.inf, np.nan, 0, {0: 3, 1: (1, 2)}]
)
def test_constant_values(values: Any) -> None:
    """One, one for each side, for each axis: bits and all; later axes fill the corners."""
    x = np.array([[1.5, np.nan, -np.inf], [-0.0, 0.0, 2.0]])
    width = ((1, 2), (2, 0))
    given = [(3, 3), (1, 2)] if isinstance(values, dict) else values
    check_fixed(lambda x: gx.pad(x, width, constant_values=values),
    lambda x: np.pad(x, width, constant_values=given), x)  # fmt: skip
    found = gx.evaluate(gx.pad(x, 1, constant_values=-0.0))
    assert np.signbit(found[0, 0])


def test_a_constant_is_not_computed_with() -> None:
    """(x - c) + c would lose small numbers beside a large constant."""
    x = np.array([1e-30, 3.0], np.float32)
    check_fixed(lambda x: gx.pad(x, 1, constant_values=1e30),
    lambda x: np.pad(x, 1, constant_values=np.float32(1e30)), x)  # fmt: skip


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32"])
def test_element_types(dtype: str) -> None:
    """The constant takes the type of the array."""
    x = np.array([1, 0, 1], dtype)
    for mode in ("constant", "reflect", "edge"):
        check_fixed(lambda x, mode=mode: gx.pad(x, 1, mode), lambda x, mode=mode: np.pad(x, 1,
        mode), x)  # fmt: skip
    check_fixed(lambda x: gx.pad(x, 1, constant_values=1),
    lambda x: np.pad(x, 1, constant_values=1), x)  # fmt: skip


def test_a_node_as_the_constant() -> None:
    """Its gradient counts the places it fills."""
    x, c = gx.input("x", (3,), "float64"), gx.input("c", (), "float64")
    gradient = gx.grad(gx.sum(gx.pad(x, (2, 5), constant_values=c)), [x, c])
    dx, dc = gx.evaluate(gradient, {x: np.ones(3), c: 2.0})
    assert dx.tolist() == [1, 1, 1]
    assert dc == 7


def test_empty_axes() -> None:
    """Constants may surround nothing; elements of nothing cannot be shown."""
    x = gx.input("x", (0, 2))
    assert gx.evaluate(gx.pad(x, 1), {x: np.zeros((0, 2))}).shape == (2, 4)
    assert gx.pad(x, ((0, 0), (1, 1)), "edge").shape == (0, 4)
    with pytest.raises(ShapeError, match="no elements to show"):
        gx.pad(x, 1, "edge")


def test_numpys_pad_takes_nodes() -> None:
    """np.pad on a node builds one."""
    x = gx.input("x", (3,), "float64")
    made: Any = np.pad(x, 2, "reflect")
    assert gx.evaluate(made, {x: [1, 2, 3]}).tolist() == [3, 2, 1, 2, 3, 2, 1]
    dictionary = gx.pad(gx.input("y", (2, 3)), {-1: (1, 2)})
    assert dictionary.shape == (2, 6)


def test_errors() -> None:
    """Wrong forms, negative widths, unknown modes."""
    x = gx.input("x", (2, 3))
    with pytest.raises(ArgumentError, match="2 entries|one for each of 2 axes"):
        gx.pad(x, ((1, 1), (1, 1), (1, 1)))
    with pytest.raises(ArgumentError, match="integers >= 0"):
        gx.pad(x, -1)
    with pytest.raises(ArgumentError, match="integers >= 0"):
        gx.pad(x, 1.5)
    with pytest.raises(ArgumentError, match="mode must be one of"):
        gx.pad(x, 1, "mean")
    with pytest.raises(ArgumentError, match="before, after"):
        gx.pad(x, ((1, 2, 3), (1, 2, 3)))
    with pytest.raises(ArgumentError, match="names axis 5"):
        gx.pad(x, {5: 1})
