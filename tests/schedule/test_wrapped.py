"""Arrays joined with a few of their own elements: read where they lie, and the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.schedule.schedule import KernelCall


def steps(inputs: gx.Node, outputs: gx.Node) -> int:
    return sum(
        isinstance(step, KernelCall)
        for step in gx.compile(inputs, outputs, stop="schedule").steps
    )  # fmt: skip


def periodic(xp: Any, u: Any) -> Any:
    around = [xp.roll(u, by, axis=axis) for by in (1, -1) for axis in (0, 1)]
    return around[0] + around[1] + around[2] + around[3] - 4 * u


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "periodic": periodic,
    "far": lambda xp, u: xp.roll(u, 3, axis=0) * xp.roll(u, -2, axis=1),
    "twice": lambda xp, u: xp.roll(xp.roll(u, 1, axis=0), -1, axis=1) - u,
    "of a value": lambda xp, u: xp.roll(xp.sin(u), 1, axis=1) * u,
    "wrap": lambda xp, u: xp.pad(u, ((1, 2), (2, 1)), mode="wrap")[1:, 1:] ** 2,
    "edge": lambda xp, u: xp.pad(u, ((1, 1), (1, 1)), mode="edge")[2:, 2:] - u,
    "reflect": lambda xp, u: 2 * xp.pad(u, ((1, 1), (2, 2)), mode="reflect"),
    "stencil of a stencil": lambda xp, u: periodic(xp, periodic(xp, u)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(4, 4), (5, 9), (16, 17), (18, 33), (130, 257)])
@pytest.mark.parametrize("target", ["cpu", "numba", "python"])
def test_values(name: str, shape: tuple[int, int], target: str) -> None:
    """Protects every edge: arrays as short as the pieces, and as long as several chunks."""
    if target != "cpu" and max(shape) > 20:
        pytest.skip("the same text")
    u = gx.input("u", shape, "float64")
    value = np.random.default_rng(1).standard_normal(shape)
    found = gx.compile(u, CASES[name](gx, u), target=target)(value)
    np.testing.assert_allclose(found, CASES[name](np, value), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(4, 5), (18, 33)])
def test_gradients(name: str, shape: tuple[int, int]) -> None:
    """Protects the way back, where every element is read from the other side."""
    u = gx.input("u", shape, "float64")
    slope = gx.compile(u, gx.grad(gx.sum(gx.sin(CASES[name](gx, u))), u))
    value, way = (np.random.default_rng(seed).standard_normal(shape) for seed in (1, 2))
    ahead, behind = (np.sum(np.sin(CASES[name](np, value + step * way))) for step in (1e-6, -1e-6))
    np.testing.assert_allclose(np.sum(slope(value) * way), (ahead - behind) / 2e-6, rtol=1e-6)


def test_signs_of_zeros_and_what_is_not_finite() -> None:
    """Protects moved elements from arithmetic: every one arrives as it was."""
    value = np.array([-0.0, 0.0, np.nan, np.inf, -np.inf, 1e-45, -1.0, 2.0] * 5, np.float32)
    x = gx.input("x", value.shape)
    for by in (1, -3, 16):
        found = gx.compile(x, -gx.roll(x, by))(value)
        np.testing.assert_array_equal(found.view(np.int32), (-np.roll(value, by)).view(np.int32))


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_other_types(dtype: str) -> None:
    value = (np.arange(40) * 7 % 5).astype(dtype)
    x = gx.input("x", (40,), dtype)
    found = gx.compile(x, gx.equal(gx.roll(x, 1), x))(value)
    np.testing.assert_array_equal(found, np.roll(value, 1) == value)


def test_one_kernel_for_a_periodic_stencil() -> None:
    """Protects the gain: no rolled array in memory, no test in the middle of the loop."""
    u = gx.input("u", (300, 400))
    y = periodic(gx, u)
    assert steps(u, y) == 1
    (kernel,) = gx.compile(u, y).kernels
    middle = kernel.source.split("in range(begin_i1, end_i1):")[1]
    # Rows are chosen once for each row; along a row nothing is.
    assert "i1 >= 0" not in middle
    assert "i1 - 1 >= 0" not in middle


def test_a_stencil_of_a_long_stencil_is_stored() -> None:
    """Protects the gradient of a stencil from computing the stencil at five places."""
    u = gx.input("u", (300, 400))
    slope = gx.grad(gx.sum(periodic(gx, u) ** 2), u)
    assert steps(u, slope) == 2


def test_what_a_step_reads_is_joined_in_memory() -> None:
    """Protects products, outputs and scans: they take arrays, not choices."""
    x, w = gx.input("x", (40, 30)), gx.input("w", (30, 20))
    value, weight = np.random.default_rng(3).random((40, 30)), np.ones((30, 20))
    found = gx.compile([x, w], gx.roll(x, 1, axis=0) @ w)(value, weight)
    np.testing.assert_allclose(found, np.roll(value, 1, axis=0) @ weight, rtol=1e-5)
    np.testing.assert_array_equal(
        gx.compile(x, gx.roll(x, 2, axis=1))(value.astype("f")), np.roll(value.astype("f"), 2, 1)
    )


def test_periodic_steps_in_a_scan() -> None:
    """Protects loops over time: a wave with periodic ends, and its gradient by differences."""
    u = gx.input("u", (50,), "float64")

    def step(state: gx.Node, _: Any) -> tuple[gx.Node, None]:
        return state + 0.1 * (gx.roll(state, 1) - 2 * state + gx.roll(state, -1)), None

    last, _ = gx.scan(step, u, length=20)
    value = np.random.default_rng(4).standard_normal(50)
    call = gx.compile(u, [last, gx.grad(gx.sum(last**2), u)])
    found, slope = call(value)
    matrix = np.eye(50) * 0.8 + 0.1 * (np.roll(np.eye(50), 1, 0) + np.roll(np.eye(50), -1, 0))
    power = np.linalg.matrix_power(matrix, 20)
    np.testing.assert_allclose(found, power @ value, rtol=1e-10)
    np.testing.assert_allclose(slope, 2 * power.T @ power @ value, rtol=1e-10)


@pytest.mark.parametrize("length", [1, 2, 3, 40, 5000])
def test_a_length_known_at_a_call(length: int) -> None:
    """Protects sizes with names, down to arrays that are all edge."""
    x = gx.input("x", ("n",), "float64")
    y = gx.roll(x, 1) - 2 * x + gx.roll(x, -1)
    call = gx.compile(x, [y * 3, gx.grad(gx.sum(y * y), x)])
    value = np.random.default_rng(length).standard_normal(length)

    def differences(v: np.ndarray) -> np.ndarray:
        return np.roll(v, 1) - 2 * v + np.roll(v, -1)

    found, slope = call(value)
    np.testing.assert_allclose(found, 3 * differences(value), atol=1e-12)
    np.testing.assert_allclose(slope, 2 * differences(differences(value)), atol=1e-12)
