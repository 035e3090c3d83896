"""Triangles and diagonals are NumPy's, at fixed and symbolic sizes, and drop a nan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from tests.ops.linear_check import check_fixed, check_linear

NUMBERS = [-5, -1, 0, 2, 5]


@pytest.mark.parametrize("k", NUMBERS)
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_triangles(name: str, k: int) -> None:
    """Of the last two axes, on and off the main diagonal."""
    ours, numpys = getattr(gx, name), getattr(np, name)
    for shape in ((3, 3), (2, 3, 4), (4, 2), (0, 3), (1, 1)):
        check_linear(lambda x: ours(x, k), lambda x: numpys(x, k), shape, targets=("python",))
    check_linear(lambda x: ours(x, k), lambda x: numpys(x, k), (3, 4), declared=[("m", "n")])


def test_what_is_cut_off_is_zero() -> None:
    """Whatever it was: a nan or an infinity does not come through."""
    x = np.array([[1.0, np.nan], [np.inf, -np.inf]])
    for name in ("tril", "triu"):
        check_fixed(getattr(gx, name), getattr(np, name), x)
        check_fixed(getattr(gx, name), getattr(np, name), x > 0)
    check_fixed(gx.diag, np.diag, x)
    check_fixed(gx.diag, np.diag, x[0])


@pytest.mark.parametrize("k", NUMBERS)
def test_diag(k: int) -> None:
    """From a vector to a matrix and back."""
    check_linear(lambda x: gx.diag(x, k), lambda x: np.diag(x, k), (3,), targets=("python",))
    check_linear(lambda x: gx.diag(x, k), lambda x: np.diag(x, k), (3,), declared=[("n",)])
    check_linear(lambda x: gx.diag(gx.diag(x, k), k), lambda x: x, (3,), targets=("python",))
    for shape in ((3, 3), (2, 4), (4, 2)):
        check_linear(lambda x: gx.diag(x, k), lambda x: np.diag(x, k), shape, targets=("python",))


@pytest.mark.parametrize("offset", [-1, 0, 2])
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (-1, 0), (2, 1)])
def test_diagonal_and_trace(offset: int, axes: tuple[int, int]) -> None:
    """Of any two axes in either order; also of symbolic square ones, on either side."""
    for shape, declared in (((3, 4, 2), None), ((3, 3, 3), ("n", "n", "n"))):
        check_linear(
            lambda x: gx.diagonal(x, offset, *axes) * 1.0,
            lambda x: np.diagonal(x, offset, *axes), shape,
            declared=[declared] if declared else None, targets=("python",),
        )  # fmt: skip
    for declared in (None, ("k", "m", "n")):
        check_trace((3, 4, 2), declared, offset, axes)


def check_trace(shape: Any, declared: Any, offset: int, axes: Any) -> None:
    """The sum may be rounded in another order."""
    x = gx.input("x", declared or shape, "float64")
    value = np.random.default_rng(0).standard_normal(shape)
    made = gx.trace(x, offset, *axes)
    expected = np.trace(value, offset, *axes)
    np.testing.assert_allclose(gx.evaluate(made, {x: value}), expected, rtol=1e-13)
    np.testing.assert_allclose(gx.compile(x, made, target="python")(value), expected, rtol=1e-13)


def test_symbolic_diagonals_in_native_code() -> None:
    """A masked sum of each row, for both signs of the offset, of bools too."""
    x = gx.input("x", ("n", "n"))
    compiled = gx.compile(x, [gx.diagonal(x), gx.diagonal(x, 1), gx.diagonal(x, -2),
    gx.diagonal(x > 0.5), gx.diag(gx.diagonal(x))])  # fmt: skip
    value = np.random.default_rng(1).random((4, 4), np.float32)
    expected = [np.diagonal(value), np.diagonal(value, 1), np.diagonal(value, -2),
    np.diagonal(value > 0.5), np.diag(np.diagonal(value))]  # fmt: skip
    for found, wanted in zip(compiled(value), expected, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_numpys_functions_build_nodes() -> None:
    """np.tril and its like on a node."""
    x = gx.input("x", (3, 3), "float64")
    value = np.arange(9.0).reshape(3, 3)
    for function in (np.tril, np.triu, np.diag, np.diagonal, np.trace):
        made: Any = function(x, 1)  # type: ignore[operator]
        np.testing.assert_array_equal(gx.evaluate(made, {x: value}), function(value, 1))  # type: ignore[operator]


def test_errors() -> None:
    """Too few axes, one axis twice, a length that is not known."""
    vector, wide = gx.input("v", (3,)), gx.input("w", ("m", "n"))
    for function in (gx.tril, gx.triu, gx.diagonal, gx.trace):
        with pytest.raises(ShapeError, match=r"two axes, got \(3,\)"):
            function(vector)
    with pytest.raises(ShapeError, match="vector or a matrix"):
        gx.diag(gx.input("x", (2, 2, 2)))
    with pytest.raises(ShapeError, match="must differ"):
        gx.diagonal(wide, 0, 1, -1)
    with pytest.raises(ShapeError, match="smaller of m and n"):
        gx.diagonal(wide)
    with pytest.raises(ArgumentError, match="must be an integer"):
        gx.tril(wide, 0.5)  # type: ignore[arg-type]
