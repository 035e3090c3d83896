"""Rows of few elements: several are done at once, at any width and number of rows."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx


@pytest.mark.parametrize("width", [2, 3, 9, 10, 15, 16, 17, 33])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_of_narrow_rows(width: int, dtype: str) -> None:
    """Numbers of rows around those done at once, with an infinite and a nan element among them."""
    x = gx.input("x", ("n", width), dtype)
    function = gx.compile(x, [gx.softmax(x, axis=1), gx.sum(x * x, axis=1), gx.max(x, axis=1)])
    for rows in (1, 7, 16, 33):
        value = np.random.default_rng(rows).standard_normal((rows, width)).astype(dtype) * 3
        value[rows // 2, 1] = -np.inf
        value[rows - 1, 0] = np.nan if rows > 1 else 0
        raised = np.exp(value.astype(np.float64) - value.astype(np.float64).max(1, keepdims=True))
        wanted = raised / raised.sum(1, keepdims=True), (value * value).sum(1), value.max(1)
        for have, want in zip(function(value), wanted, strict=True):
            np.testing.assert_allclose(have, want, rtol=3e-6 if dtype == "float32" else 1e-13)
