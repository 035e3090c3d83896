"""How functions that only move elements are tested: against NumPy's, which are linear.

For a linear f the derivatives of sum(w * f(x)**3) follow from values of f alone, so NumPy's f is an
oracle for the first and the second derivative too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import graphc as gx

Shape = tuple[Any, ...]


def check_linear(
    build: Callable[..., Any],
    oracle: Callable[..., Any],
    *shapes: tuple[int, ...],
    declared: Sequence[Shape] | None = None,
    targets: Sequence[str] = ("python", "cpu"),
) -> None:
    """Value, first and second derivative of `build` on each target, for inputs of these shapes.

    `declared` are the shapes that the inputs are declared with, if they have symbolic sizes.
    """
    rng = np.random.default_rng(len(shapes))
    arrays = [rng.standard_normal(shape) for shape in shapes]
    nodes = [
        gx.input(f"x{i}", shape, "float64") for i, shape in enumerate(declared or shapes)
    ]  # fmt: skip
    y = build(*nodes)
    value = np.asarray(oracle(*arrays))
    np.testing.assert_array_equal(gx.evaluate(y, dict(zip(nodes, arrays, strict=True))), value)
    weight = gx.input("w", y.shape, "float64")
    along = [gx.input(f"u{i}", node.shape, "float64") for i, node in enumerate(nodes)]
    first = gx.grad(gx.sum(weight * y * y * y), nodes, disconnected="zero")
    total = sum((gx.sum(g * u) for g, u in zip(first, along, strict=True)), gx.const(0.0))
    second = gx.grad(total, nodes, disconnected="zero")
    w = rng.standard_normal(value.shape)
    u = [rng.standard_normal(shape) for shape in shapes]
    for target in targets:
        compiled = gx.compile([*nodes, weight, *along], [y, *first, *second], target=target)
        found = compiled(*arrays, w, *u)
        assert found[0].shape == value.shape
        np.testing.assert_array_equal(found[0], value)
        _check_slopes(found[1:], oracle, arrays, w, u, rng)


def _check_slopes(found: Any, oracle: Any, arrays: Any, w: Any, u: Any, rng: Any) -> None:
    value, moved = np.asarray(oracle(*arrays)), np.asarray(oracle(*u))
    v = [rng.standard_normal(array.shape) for array in arrays]
    probe = np.asarray(oracle(*v))
    count = len(arrays)
    dot = lambda parts: sum(float(np.sum(a * b)) for a, b in zip(parts, v, strict=True))  # noqa: E731
    expected = (np.sum(3 * value**2 * w * probe), np.sum(6 * value * moved * w * probe))
    np.testing.assert_allclose(dot(found[:count]), expected[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dot(found[count:]), expected[1], rtol=1e-9, atol=1e-9)


def check_fixed(build: Callable[..., Any], oracle: Callable[..., Any], *arrays: Any) -> None:
    """Value and dtype for arrays of any type, on both targets."""
    given = [np.asarray(array) for array in arrays]
    nodes = [gx.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(given)]
    y, value = build(*nodes), np.asarray(oracle(*given))
    for found in (
        gx.evaluate(y, dict(zip(nodes, given, strict=True))),
        *(gx.compile(nodes, y, target=target)(*given) for target in ("python", "cpu")),
    ):
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)
