"""Pooling against direct loops, with padding, ties and nan; its gradients to second order."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import nn
from graphc.errors import ArgumentError, DTypeError, ShapeError

TARGETS = ("python", "cpu")
SETTINGS: list[dict[str, Any]] = [
    {"window": 2},
    {"window": (3, 2)},
    {"window": 3, "stride": 2},
    {"window": 3, "stride": 1, "padding": 1},
    {"window": (2, 3), "stride": (3, 4), "padding": ((1, 0), (2, 2))},
    {"window": (3, 2), "stride": (2, 2), "padding": "same"},
    {"window": 1},
]


def in_full(setting: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Windows, strides and edges of 7 x 8 images, from a setting."""

    def pair(value: Any) -> Any:
        return value if isinstance(value, tuple) else (value, value)

    window = pair(setting["window"])
    stride = pair(setting.get("stride", window))
    padding = setting.get("padding", 0)
    edges = ((1, 1), (0, 0)) if padding == "same" else tuple(map(pair, pair(padding)))
    return window, stride, edges


def direct(x: np.ndarray, setting: dict[str, Any], combine: Any, fill: float) -> np.ndarray:
    """One window after the other."""
    window, stride, edges = in_full(setting)
    x = np.pad(x, ((0, 0), (0, 0), *edges), constant_values=fill)
    counts = [
        (n - size) // step + 1 for n, size, step in zip(x.shape[2:], window, stride, strict=True)
    ]
    result = np.zeros((*x.shape[:2], *counts))
    for i, j in product(*map(range, counts)):
        rows = slice(i * stride[0], i * stride[0] + window[0])
        result[:, :, i, j] = combine(
            x[:, :, rows, j * stride[1] : j * stride[1] + window[1]], axis=(2, 3)
        )
    return result


@pytest.mark.parametrize("setting", range(len(SETTINGS)))
@pytest.mark.parametrize("kind", ["max", "avg", "avg without padding"])
def test_values_and_gradients(kind: str, setting: int) -> None:
    """Each setting on both targets, and derivatives against differences to second order."""
    given = SETTINGS[setting]
    data = np.random.default_rng(setting).standard_normal((2, 3, 7, 8))
    x = gx.input("x", ("n", 3, 7, 8), "float64")
    if kind == "max":
        y, expected = nn.max_pool(x, **given), direct(data, given, np.max, -np.inf)
    elif kind == "avg":
        y, expected = nn.avg_pool(x, **given), direct(data, given, np.mean, 0)
    else:
        y = nn.avg_pool(x, count_include_pad=False, **given)
        expected = direct(data, given, np.nanmean, np.nan)
    assert y.shape[1:] == expected.shape[1:]
    loss = gx.sum(gx.exp(y))
    slope = gx.grad(loss, x)
    wanted = gx.evaluate(slope, {x: data})
    for target in TARGETS:
        found, back = gx.compile(x, [y, slope], target=target)(data)
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(back, wanted, rtol=1e-12, atol=1e-12)
    gx.check_gradients(loss, [x], {x: data}, order=2)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_one_dimension_and_dtypes(dtype: str, target: str) -> None:
    """Signals of any length; integers stay integers, and padding is never the largest."""
    data = np.random.default_rng(0).integers(0, 200, (2, 3, 9)).astype(dtype)
    x = gx.input("x", ("n", 3, "m"), dtype)
    y = nn.max_pool(x, 3, stride=2, padding=1)
    assert y.dtype is x.dtype
    padded = np.pad(data.astype(float), ((0, 0), (0, 0), (1, 1)), constant_values=-1)
    expected = np.stack([padded[..., i : i + 3].max(-1) for i in range(0, 9, 2)], axis=-1)
    np.testing.assert_array_equal(gx.compile(x, y, target=target)(data), expected)


@pytest.mark.parametrize("target", TARGETS)
def test_ties_nan_and_infinities(target: str) -> None:
    """Equal largest elements share the derivative; nan wins; a window of -inf has -inf."""
    data = np.array([[[1.0, 1.0, 2.0, 0.0, np.nan, 5.0, -np.inf, -np.inf]]])
    x = gx.input("x", (1, 1, 8), "float64")
    y = nn.max_pool(x, 2)
    found, slope = gx.compile(x, [y, gx.grad(gx.sum(y), x)], target=target)(data)
    np.testing.assert_array_equal(found, [[[1, 2, np.nan, -np.inf]]])
    np.testing.assert_array_equal(slope[0, 0, :4], [0.5, 0.5, 1, 0])


def test_dilation_and_leading_axes() -> None:
    """Windows given for one axis take the last, whatever comes before."""
    data = np.random.default_rng(1).standard_normal((2, 3, 4, 9))
    y = nn.max_pool(gx.const(data), (3,), stride=1, dilation=2)
    expected = np.max([data[..., 0:5], data[..., 2:7], data[..., 4:9]], axis=0)
    np.testing.assert_array_equal(gx.evaluate(y), expected)


def test_flatten() -> None:
    """The axes after the first in row-major order; one number for each example becomes one axis."""
    data = np.arange(24.0).reshape(2, 3, 4)
    assert gx.evaluate(nn.flatten(gx.const(data))).tolist() == data.reshape(2, 12).tolist()
    assert str(nn.flatten(gx.input("x", ("n",))).shape) == "(n, 1)"


def test_layers() -> None:
    """The same as the functions, and how they are written."""
    x = gx.input("x", ("n", 3, 8, 8))
    assert str(nn.MaxPool(3, stride=2, padding=1)(x).shape) == "(n, 3, 4, 4)"
    assert repr(nn.AvgPool(2, count_include_pad=False)) == "AvgPool(2, count_include_pad=False)"
    assert nn.Sequential(nn.AvgPool(2)).parameters == []


BAD: dict[str, tuple[type[Exception], Any, str]] = {
    "no axes": (ShapeError, lambda x: nn.max_pool(x[0, 0], 2), "axes"),
    "too many": (ShapeError, lambda x: nn.avg_pool(x, (1, 1, 1, 1, 1)), "windows"),
    "too long": (ShapeError, lambda x: nn.max_pool(x, (2, 9)), "spans 9"),
    "no window": (ArgumentError, lambda x: nn.max_pool(x, 0), "window"),
    "stride": (ArgumentError, lambda x: nn.avg_pool(x, 2, stride=-1), "stride"),
    "padding": (ArgumentError, lambda x: nn.max_pool(x, 2, padding=2), "no element"),
    "uncounted": (
        ArgumentError, lambda x: nn.avg_pool(x, 2, padding=2, count_include_pad=False), "no element"
    ),
    "truth": (DTypeError, lambda x: nn.max_pool(x > 0, 2), "numbers"),
    "setting": (ArgumentError, lambda x: nn.MaxPool(2, ceil_mode=True), "ceil_mode"),
    "nothing to flatten": (ShapeError, lambda x: nn.flatten(x[0, 0, 0, 0]), "first axis"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input(name: str) -> None:
    """What is wrong, with the user's line."""
    error, build, text = BAD[name]
    with pytest.raises(error, match=text) as caught:
        build(gx.input("x", (2, 3, 7, 8)))
    assert "test_pooling.py" in str(caught.value)
