"""What the tests of expressible models share: one question asked of the interpreter and of compiled
code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node


def both(
    inputs: Sequence[Node], outputs: Sequence[Node], values: Sequence[Any], rtol: float = 1e-9
) -> list[np.ndarray]:
    """The outputs from compiled code, once they are those of the interpreter."""
    expected = gx.evaluate(list(outputs), dict(zip(inputs, values, strict=True)))
    found = gx.compile(list(inputs), list(outputs))(*values)
    for have, want in zip(found, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(want), initial=0)))
        np.testing.assert_allclose(have, want, rtol=rtol, atol=rtol * scale)
    return [np.asarray(value) for value in found]


def differences(function: Any, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The Jacobian of a NumPy function by central differences: (*value shape, *x shape)."""
    columns = []
    for place in range(x.size):
        moved = np.zeros(x.size)
        moved[place] = step
        shift = moved.reshape(x.shape)
        columns.append((function(x + shift) - function(x - shift)) / (2 * step))
    stacked = np.stack(columns, -1)
    return stacked.reshape(*stacked.shape[:-1], *x.shape)
