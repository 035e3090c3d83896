"""Joining, splitting and rolling give what NumPy gives, with derivatives to second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from tests.ops.linear_check import check_fixed, check_linear


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_concat_is_numpys(axis: Any) -> None:
    """Along each axis, from the end, and of the flattened arrays."""
    shapes = ((2, 3), (2, 3), (2, 3))
    check_linear(
        lambda *xs: gx.concat(xs, axis), lambda *xs: np.concatenate(xs, axis), *shapes
    )  # fmt: skip


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_concat_of_symbolic_sizes(rows: int) -> None:
    """Pieces of symbolic, fixed and no length."""
    check_linear(
        lambda x, y, z: gx.concat([x, y, z, x]), lambda x, y, z: np.concatenate([x, y, z, x]),
        (rows, 3), (2, 3), (0, 3), declared=[("n", 3), (2, 3), (0, 3)],
    )  # fmt: skip


def test_concat_of_one_and_of_the_same() -> None:
    """One array is itself; the same array twice adds up its gradients."""
    x = gx.input("x", (2,))
    assert gx.concat([x]) is x
    check_linear(lambda x: gx.concat([x, x], -1), lambda x: np.concatenate([x, x], -1), (2, 3))


def test_concat_of_views() -> None:
    """Slices, transposes and broadcasts are read where they are."""
    check_linear(
        lambda x: gx.concat([x.T, x[::-1, :2].T[:2], gx.broadcast_to(x[:1, 0], (4, 3))]),
        lambda x: np.concatenate([x.T, x[::-1, :2].T[:2], np.broadcast_to(x[:1, 0], (4, 3))]),
        (3, 4),
    )


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [("float32", "int64", "float32"), ("bool", "int32", "int32"), ("uint8", "uint8", "uint8"),
     ("bool", "bool", "bool"), ("float32", "float64", "float64")],
)  # fmt: skip
def test_element_types_meet(left: str, right: str, wanted: str) -> None:
    """As in arithmetic: an integer beside a float32 does not make a float64 of it."""
    a, b = np.array([1, 0], left), np.array([3, 1, 0], right)
    check_fixed(
        lambda x, y: gx.concat([x, y]), lambda x, y: np.concatenate([x, y]).astype(wanted), a, b
    )
    assert gx.concat([gx.input("a", (2,)), [1, 2]]).dtype.name == "float32"


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_stack_is_numpys(axis: int) -> None:
    """A new axis at each place of the result."""
    check_linear(lambda x, y: gx.stack([x, y, x], axis),
    lambda x, y: np.stack([x, y, x], axis), (2, 3), (2, 3))  # fmt: skip


@pytest.mark.parametrize("name", ["vstack", "hstack", "column_stack"])
@pytest.mark.parametrize("shape", [(3,), (3, 2), ()])
def test_other_stacks(name: str, shape: tuple[int, ...]) -> None:
    """Vectors count as rows, or as columns, as NumPy has it."""
    if name == "column_stack" and not shape:
        pytest.skip("scalars are no columns: NumPy makes a row of them")
    check_linear(lambda x, y: getattr(gx, name)([x, y]),
    lambda x, y: getattr(np, name)([x, y]), shape, shape)  # fmt: skip


def test_nested_blocks() -> None:
    """A block matrix from concatenations inside one another, some used twice."""

    def build(np: Any, a: Any, b: Any) -> Any:
        join = np.concatenate
        top = join([a, b], 1)
        return join([top, join([b * 2, join([a, a[:1]], 0)[1:]], 1), top[:1]], 0)

    check_linear(lambda a, b: build(gx, a, b), lambda a, b: build(np, a, b), (2, 3), (2, 3))


@pytest.mark.parametrize("axis", [0, 1])
def test_split_is_numpys(axis: int) -> None:
    """Equal parts, places, places from the end, beyond it and out of order."""
    x = gx.input("x", (6, 4), "float64")
    value = np.arange(24.0).reshape(6, 4)
    for how in (2, 1, [1, 3], [-1], [], [3, 2], [2, 9], np.array([1, 2])):
        for name in ("split", "array_split"):
            parts, expected = getattr(gx, name)(x, how, axis), getattr(np, name)(value, how, axis)
            assert [part.shape for part in parts] == [part.shape for part in expected]
            found = gx.evaluate(parts, {x: value})
            assert all(map(np.array_equal, found, expected))
    parts = gx.array_split(x, 4, axis=0)
    assert [part.shape[0] for part in parts] == [2, 2, 1, 1]


def test_split_of_a_symbolic_axis() -> None:
    """Places may be sizes; equal parts where the length is known to divide."""
    n = gx.input("n", ("n",)).shape[0]
    x = gx.input("x", (n * 3, 2), "float64")
    assert [part.shape[0] for part in gx.split(x, 3)] == [n, n, n]
    check_linear(
        lambda x: gx.concat(gx.split(x, [x.shape[0] // 2, -1])[::-1]),
        lambda x: np.concatenate(np.split(x, [3, -1])[::-1]), (7, 2), declared=[("n", 2)],
    )  # fmt: skip
    with pytest.raises(ShapeError, match="not known to divide into 2 equal parts"):
        gx.split(x, 2)


def test_split_is_undone_by_concat() -> None:
    """The parts in order are the whole, and the gradient of that is ones."""
    check_linear(lambda x: gx.concat(gx.split(x, [2, 3], 1), 1), lambda x: x, (3, 5))


def test_unstack() -> None:
    """The arrays along an axis, without it."""
    x = gx.input("x", (2, 3, 4), "float64")
    value = np.arange(24.0).reshape(2, 3, 4)
    for axis in (0, 1, -1):
        found = gx.evaluate(list(gx.unstack(x, axis)), {x: value})
        assert all(map(np.array_equal, found, np.moveaxis(value, axis, 0)))
    assert gx.unstack(gx.input("x", (0, 2))) == ()
    with pytest.raises(ShapeError, match="symbolic"):
        gx.unstack(gx.input("x", ("n", 2)))


@pytest.mark.parametrize(
    ("shift", "axis"),
    [(1, 0), (-1, 1), (0, 0), (7, 0), (-9, -1), ((1, 2), (0, 1)), (1, (0, 1)), ((1, 1), 0),
    (5, None), (-3, None)],
)  # fmt: skip
def test_roll_is_numpys(shift: Any, axis: Any) -> None:
    """Both ways, by more than the axis, along several axes, of the flattened array."""
    check_linear(lambda x: gx.roll(x, shift, axis), lambda x: np.roll(x, shift, axis), (3, 4))


@pytest.mark.parametrize("shift", [1, -2, 3])
def test_roll_of_a_symbolic_axis(shift: int) -> None:
    """A shift within the axis; more is an error at the call."""
    check_linear(lambda x: gx.roll(x, shift, 0), lambda x: np.roll(x, shift, 0), (3, 2),
    declared=[("n", 2)])  # fmt: skip
    x = gx.input("x", ("n",))
    with pytest.raises(ShapeError):
        gx.compile(x, gx.roll(x, 4), target="python")(np.ones(3, "float32"))


def test_numpys_functions_build_nodes() -> None:
    """np.concatenate and its like take nodes, also mixed with arrays."""
    x = gx.input("x", (2, 2), "float64")
    value, ones = np.arange(4.0).reshape(2, 2), np.ones((2, 2))
    for function in (np.concatenate, np.stack, np.vstack, np.hstack, np.column_stack):
        made: Any = function([x, ones])
        assert np.array_equal(gx.evaluate(made, {x: value}), function([value, ones]))
    assert gx.evaluate(np.concatenate([x, x], axis=1), {x: value}).shape == (2, 4)
    assert [part.shape for part in np.split(x, 2)] == [(1, 2), (1, 2)]
    assert gx.evaluate(np.roll(x, 1, 0), {x: value}).tolist() == [[2, 3], [0, 1]]


def test_errors_name_the_arrays() -> None:
    """Which two do not fit, and along which axis."""
    x, y = gx.input("x", ("n", 3)), gx.input("y", ("m", 4))
    with pytest.raises(ShapeError, match=r"array 0 'x' of shape \(n, 3\) and array 1 'y' of shape "
    r"\(m, 4\) differ along axis 1: 3 != 4"):  # fmt: skip
        gx.concat([x, y])
    with pytest.raises(ShapeError, match="as many axes"):
        gx.concat([x, gx.input("z", ("n",))])
    with pytest.raises(ShapeError, match="axis 2 is out of range"):
        gx.concat([x, x], 2)
    with pytest.raises(ShapeError, match="stack joins scalars"):
        gx.concat([gx.const(1.0), gx.const(2.0)])
    with pytest.raises(ArgumentError, match="at least one array"):
        gx.concat([])
    with pytest.raises(ArgumentError, match="several arrays"):
        gx.concat(3)
    with pytest.raises(ShapeError, match="equal shapes"):
        gx.stack([x, y])
    with pytest.raises(ArgumentError, match="at least one part"):
        gx.split(x, 0, 1)
    with pytest.raises(ShapeError, match="into 2 equal parts"):
        gx.split(x, 2, 1)
    with pytest.raises(ArgumentError, match="do not match"):
        gx.roll(x, (1, 2, 3), (0, 1))


def test_writing() -> None:
    """As a call in text, as a block matrix in LaTeX."""
    x, y = gx.input("x", (2, 3)), gx.input("y", (2, 3))
    assert "concat(x, 2 * y, axis=0)" in str(gx.show(gx.concat([x, 2 * y])))
    assert gx.latex(gx.concat([x, y], 1)) == r"\begin{bmatrix} x & y \end{bmatrix}"
    assert gx.latex(gx.concat([x, y], 0)) == r"\begin{bmatrix} x \\ y \end{bmatrix}"
