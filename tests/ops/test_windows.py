"""Windows and folds: every setting against NumPy's own windows, and each the other's transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.windows import fold_op, window_op

TARGETS = ("python", "cpu")
# (length, size, stride, dilation): side by side, with gaps, overlapping, as long as the axis, one.
SETTINGS = [
    (7, 3, 1, 1), (9, 3, 3, 1), (9, 2, 4, 1), (11, 3, 2, 2), (8, 2, 3, 5), (5, 5, 1, 1),
    (5, 1, 1, 1), (5, 1, 2, 3), (1, 1, 1, 1), (12, 3, 2, 1),
]  # fmt: skip


def numpy_windows(x: np.ndarray, size: int, stride: int, dilation: int) -> np.ndarray:
    """Windows over the last axis, by NumPy's view of every place."""
    span = (size - 1) * dilation + 1
    return sliding_window_view(x, span, -1)[..., ::stride, ::dilation]


def overlap_add(g: np.ndarray, length: int, stride: int, dilation: int) -> np.ndarray:
    """Element by element."""
    result = np.zeros((*g.shape[:-2], length), g.dtype)
    for i, k in np.ndindex(*g.shape[-2:]):
        result[..., i * stride + k * dilation] += g[..., i, k]
    return result


def compute(y: Any, feed: dict[gx.Node, Any], target: str) -> Any:
    """A node by a target."""
    return gx.compile(list(feed), y, target=target)(*feed.values())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_one_axis(setting: tuple[int, ...], target: str) -> None:
    """Values and adjoints, read through a kernel and stored, for an axis of any length."""
    length, size, stride, dilation = setting
    random = np.random.default_rng(0)
    data = random.standard_normal((3, length))
    expected = numpy_windows(data, size, stride, dilation)
    for dims in ((3, length), ("n", "m")):
        x = gx.input("x", dims, "float64")
        y = gx.window(x, size, strides=stride, dilations=dilation)
        np.testing.assert_array_equal(gx.evaluate(y, {x: data}), expected)
        np.testing.assert_array_equal(compute(y, {x: data}, target), expected)
        weights = random.standard_normal(expected.shape)
        total = gx.sum(y * gx.exp(weights) if dims[0] == 3 else y * y)
        factor = np.exp(weights) if dims[0] == 3 else 2 * expected
        slope = compute(gx.grad(total, x), {x: data}, target)
        added = overlap_add(factor, length, stride, dilation)
        np.testing.assert_allclose(slope, added, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
def test_dtypes(dtype: str, target: str) -> None:
    """Windows move elements of any type; sums of small integers wrap as NumPy's do."""
    data = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 250, (6, 5)).astype(dtype)
    x = gx.input("x", (6, 5), dtype)
    y = gx.window(x, (2, 3))
    np.testing.assert_array_equal(compute(y, {x: data}, target), sliding_window_view(data, (2, 3)))
    if dtype != "bool":
        z = gx.fold(x, 10, axes=0, strides=1)
        assert z.dtype == x.dtype
        expected = overlap_add(data, 10, 1, 1)
        np.testing.assert_array_equal(compute(z, {x: data}, target), expected)


@pytest.mark.parametrize("target", TARGETS)
def test_several_axes_in_any_order(target: str) -> None:
    """Windows over the last and the first axis, with an axis between; their new axes in order."""
    data = np.random.default_rng(2).standard_normal((6, 2, 7))
    x = gx.input("x", ("h", 2, "w"), "float64")
    y = gx.window(x, (3, 2), axes=(-1, 0), strides=(2, 1))
    expected = sliding_window_view(data, (3, 2), (2, 0))[:, :, ::2]
    np.testing.assert_array_equal(compute(y, {x: data}, target), expected)
    back = compute(gx.grad(gx.sum(y * y), x), {x: data}, target)
    counts = gx.evaluate(gx.grad(gx.sum(y), x), {x: data})
    np.testing.assert_allclose(back, 2 * data * counts, rtol=1e-14)


@pytest.mark.parametrize("target", TARGETS)
def test_windows_of_what_is_computed(target: str) -> None:
    """Of padding, of a selection, of windows, of a broadcast: the maps compose."""
    data = np.random.default_rng(3).standard_normal((4, 6))
    x = gx.input("x", ("n", 6), "float64")
    rows = gx.take(x, [2, 0, 3], axis=0)
    chained = {
        "padding": (gx.window(gx.pad(x, ((0, 0), (2, 1))), 3),
                    sliding_window_view(np.pad(data, ((0, 0), (2, 1))), 3, -1)),
        "selection": (gx.window(rows, 2, axes=0), sliding_window_view(data[[2, 0, 3]], 2, 0)),
        "windows": (gx.window(gx.window(gx.exp(x), 3), 2, axes=1),
                    sliding_window_view(sliding_window_view(np.exp(data), 3, 1), 2, 1)),
        "broadcast": (gx.window(gx.broadcast_to(x[:1], (5, 6)), 2, axes=0),
                      sliding_window_view(np.broadcast_to(data[:1], (5, 6)), 2, 0)),
        "slices": (gx.window(x[:, ::-2], 2), sliding_window_view(data[:, ::-2], 2, 1)),
    }  # fmt: skip
    for name, (node, expected) in chained.items():
        np.testing.assert_allclose(
            compute(node + 1, {x: data}, target), expected + 1, rtol=1e-14, err_msg=name
        )


@pytest.mark.parametrize("target", TARGETS)
def test_hard_values_and_no_examples(target: str) -> None:
    """inf, nan and -0.0 move unchanged; a batch of none gives none."""
    data = np.array([[np.inf, -0.0, np.nan, 1e-45, 3e38]], np.float32)
    x = gx.input("x", ("n", 5), "float32")
    y = gx.window(x, 2)
    found = compute(y, {x: data}, target)
    expected = np.ascontiguousarray(sliding_window_view(data, 2, 1))
    assert found.tobytes() == expected.tobytes()
    none = np.zeros((0, 5), np.float32)
    assert compute([y, gx.fold(y, 5)], {x: none}, target)[1].shape == (0, 5)


def test_each_is_the_derivative_of_the_other() -> None:
    """A fold is differentiated to windows and these to a fold; nothing else appears."""
    x, g = gx.input("x", ("n", 9), "float64"), gx.input("g", ("n", 4, 3), "float64")
    y = gx.window(x, 3, strides=2)
    (back,) = gx.vjp(y, [x], g)
    assert (y.op, back.op) == (window_op, fold_op)
    (again,) = gx.vjp(back, [g], x)
    assert again is y


def test_no_copy_is_made() -> None:
    """A reduction over windows reads them where the array lies: one kernel, no memory."""
    x = gx.input("x", ("n", 64))
    step = gx.compile(x, gx.sum(gx.window(x, 5) ** 2, axis=-1))
    assert len(step.kernels) == 1
    assert "arena" not in step.source()


def test_same_bits_for_any_number_of_threads() -> None:
    """Each element of a fold adds up in one order."""
    x = gx.input("x", ("n", 3, 40, 40, 3, 3))
    f = gx.compile(x, gx.fold(x, (42, 42)))
    data = np.random.default_rng(4).standard_normal((8, 3, 40, 40, 3, 3)).astype(np.float32)
    whole = f(data)
    parts = np.concatenate([f(data[i : i + 1]) for i in range(8)])
    np.testing.assert_array_equal(whole, parts)


def test_vmap_of_windows_and_folds() -> None:
    """A batch at once is each example by itself."""
    data = np.random.default_rng(5).standard_normal((4, 7, 2))
    x = gx.input("x", (4, 7, 2), "float64")

    def one(row: gx.Node) -> gx.Node:
        seen = gx.window(row, 3, axes=0, strides=2)
        return gx.fold(seen * seen, 7, axes=0, strides=2)

    expected = np.stack([gx.evaluate(one(gx.const(row))) for row in data])
    np.testing.assert_allclose(gx.evaluate(gx.vmap(one)(x), {x: data}), expected, rtol=1e-14)


BAD = {
    "longer than the axis": (ShapeError, lambda x: gx.window(x, 8), "spans 8"),
    "dilated": (ShapeError, lambda x: gx.window(x, 4, dilations=3), "spans 10"),
    "size 0": (ArgumentError, lambda x: gx.window(x, 0), "sizes"),
    "stride 0": (ArgumentError, lambda x: gx.window(x, 2, strides=0), "strides"),
    "stride -1": (ArgumentError, lambda x: gx.window(x, 2, strides=-1), "strides"),
    "dilation": (ArgumentError, lambda x: gx.window(x, 2, dilations=1.5), "dilations"),
    "too many": (ShapeError, lambda x: gx.window(x, (2, 2, 2)), "3 axes"),
    "axis twice": (ShapeError, lambda x: gx.window(x, (2, 2), axes=(1, 1)), "different"),
    "no such axis": (ShapeError, lambda x: gx.window(x, 2, axes=2), "axis"),
    "fold of a vector": (ShapeError, lambda x: gx.fold(x[0], 9), "places"),
    "fold too short": (ShapeError, lambda x: gx.fold(x, 9), "reach over 11"),
    "fold stride": (ArgumentError, lambda x: gx.fold(x, 40, strides=0), "strides"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input(name: str) -> None:
    """What is wrong, with the user's line."""
    error, build, text = BAD[name]
    with pytest.raises(error, match=text) as caught:
        build(gx.input("x", (5, 7)))
    assert "test_windows.py" in str(caught.value)


@pytest.mark.parametrize("target", TARGETS)
def test_a_window_too_long_at_the_call(target: str) -> None:
    """A symbolic axis that turns out shorter than the window is an error, never a bad read."""
    x = gx.input("x", ("n",), "float64")
    f = gx.compile(x, gx.sum(gx.window(x, 4, strides=3)), target=target)
    assert f(np.ones(4)) == 4
    for length in (0, 1, 3):
        with pytest.raises(ShapeError, match="window"):
            f(np.ones(length))
    g = gx.input("g", ("k", 3), "float64")
    with pytest.raises(ShapeError, match="fold"):
        gx.compile(g, gx.fold(g, 5), target=target)(np.ones((4, 3)))
