"""Axes moved, added, dropped, repeated: as NumPy, for fixed and symbolic sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ShapeError
from tests.ops.linear_check import check_linear

CASES: dict[str, Callable[[Any, Any], Any]] = {
    "transpose": lambda f, x: f.transpose(x),
    "transpose of axes": lambda f, x: f.transpose(x, (1, -1, 0)),
    "permute_dims": lambda f, x: f.permute_dims(x, (2, 0, 1)),
    "moveaxis": lambda f, x: f.moveaxis(x, 0, -1),
    "moveaxis of several": lambda f, x: f.moveaxis(x, (0, 2), (1, 0)),
    "swapaxes": lambda f, x: f.swapaxes(x, 0, -1),
    "ravel": lambda f, x: f.ravel(x),
    "reshape": lambda f, x: f.reshape(x, (-1, x.shape[0])),
    "reshape to one": lambda f, x: f.reshape(x, -1),
    "expand_dims": lambda f, x: f.expand_dims(x, -1),
    "expand_dims at several": lambda f, x: f.expand_dims(x, (0, -2)),
    "squeeze": lambda f, x: f.squeeze(x[:, :, :1], 2),
    "squeeze of several": lambda f, x: f.squeeze(x[:1, :, :1], (0, -1)),
    "broadcast_to": lambda f, x: f.broadcast_to(x[:, :1], (2, x.shape[0], 3, 4)),
    "broadcast_arrays": lambda f, x: f.stack(f.broadcast_arrays(x, x[:1, :1], x[0, 0])),
    "atleast_1d": lambda f, x: f.atleast_1d(x[0, 0, 0]),
    "atleast_2d": lambda f, x: f.atleast_2d(x[0, 0]),
    "atleast_3d of a matrix": lambda f, x: f.atleast_3d(x[0]),
    "atleast_3d of a vector": lambda f, x: f.atleast_3d(x[0, 0]),
    "atleast_2d of several": lambda f, x: f.concat(f.atleast_2d(x[0], x[0, 0])),
}


@pytest.mark.parametrize("first", [2, "n"])
@pytest.mark.parametrize("name", list(CASES))
def test_axes_are_numpys(name: str, first: Any) -> None:
    """Values and derivatives, with a fixed and a symbolic first axis."""
    build = CASES[name]
    check_linear(
        lambda x: build(gx, x) * 1.0, lambda x: build(np, x), (2, 3, 4),
        declared=[(first, 3, 4)], targets=("python",),
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(0, 3, 4), (1, 1, 1), (2, 0, 4)])
@pytest.mark.parametrize(
    "name", ["transpose of axes", "moveaxis of several", "ravel", "expand_dims at several"]
)
def test_empty_and_single_axes(name: str, shape: tuple[int, ...]) -> None:
    """An axis of 0 or 1 moves like any other."""
    build = CASES[name]
    check_linear(lambda x: build(gx, x) * 1.0, lambda x: build(np, x), shape, targets=("python",))


def test_squeeze_of_all() -> None:
    """Axes known to be 1 go; a symbolic one stays."""
    assert gx.squeeze(gx.input("x", (1, 3, 1))).shape == (3,)
    assert [str(dim) for dim in gx.squeeze(gx.input("x", ("n", 1))).shape] == ["n"]
    with pytest.raises(ShapeError, match="has n, expected 1"):
        gx.squeeze(gx.input("x", ("n", 1)), 0)


def test_numpys_functions_build_nodes() -> None:
    """NumPy's own names, given a node."""
    x = gx.input("x", (2, 1, 3), "float64")
    value = np.arange(6.0).reshape(2, 1, 3)
    calls: tuple[Callable[[Any], Any], ...] = (
        np.transpose, np.ravel, np.squeeze, np.atleast_3d, lambda x: np.moveaxis(x, 0, 1),
        lambda x: np.swapaxes(x, 0, 2), lambda x: np.expand_dims(x, (0, 1)),
        lambda x: np.broadcast_to(x, (2, 4, 3)), lambda x: np.reshape(x, (3, -1)),
    )  # fmt: skip
    for call in calls:
        np.testing.assert_array_equal(gx.evaluate(call(x), {x: value}), call(value))


def test_errors() -> None:
    """Axes out of range or named twice, shapes that do not fit."""
    x = gx.input("x", (2, 3, "n"))
    with pytest.raises(ShapeError, match="axis 3 is out of range"):
        gx.moveaxis(x, 3, 0)
    with pytest.raises(ShapeError, match="each axis may be named once"):
        gx.moveaxis(x, (0, 0), (1, 2))
    with pytest.raises(ShapeError, match="as many destinations"):
        gx.moveaxis(x, (0, 1), 0)
    with pytest.raises(ShapeError, match="axis -4 is out of range"):
        gx.swapaxes(x, -4, 0)
    with pytest.raises(ShapeError, match="each axis may be named once"):
        gx.expand_dims(x, (0, -5))
    with pytest.raises(ShapeError, match="axis 1 of .* has 3, expected 1"):
        gx.squeeze(x, 1)
    with pytest.raises(ShapeError, match="do not broadcast"):
        gx.broadcast_arrays(x, gx.input("y", (5, 4)))
    with pytest.raises(ShapeError, match="at most one dimension"):
        gx.reshape(x, (-1, -1))
