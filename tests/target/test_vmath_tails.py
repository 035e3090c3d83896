"""erfc and ndtr: dense arguments, order, symmetry, and the bell that value and slope share."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphc as gx
from graphc.target.arithmetic import NUMPY_MACHINES
from graphc.target.native_kernel import kernel_module
from graphc.target.object_code import optimize, parse
from tests.target.test_vmath import FLOATS, WIDTHS, compute, promised, ulps

NAMES = ["erfc", "ndtr"]
# Where the tails end in 0, on the side where they do.
REACH = {"erfc": {32: 10.1, 64: 27.3}, "ndtr": {32: -14.2, 64: -38.5}}


@pytest.mark.parametrize("name", NAMES)
def test_dense_float32_arguments(name: str) -> None:
    """Protects the float32 bound through the whole tail, into the subnormals, and beside 0."""
    random = np.random.default_rng(7)
    tail = REACH[name][32] * random.random(200_000)
    near = random.choice([-1, 1], 50_000) * np.exp(random.uniform(-18, 2, 50_000))
    x = np.concatenate([tail, near]).astype(np.float32)
    exact = getattr(special, name)(x.astype(np.float64))
    assert ulps(compute(NUMPY_MACHINES[32], name, x), exact).max() <= promised(name, 32)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_order_is_kept(name: str, width: int) -> None:
    """Protects comparisons of probabilities: a step of a thousandth never goes the wrong way."""
    reach = REACH[name][width]
    x = np.arange(-0.3 * abs(reach), 1.1 * abs(reach), 1e-3) * np.sign(reach)
    got = compute(NUMPY_MACHINES[width], name, x.astype(FLOATS[width]))
    assert np.all(np.diff(got) <= 0)
    assert got[-1] == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_both_sides_make_up_the_whole(width: int) -> None:
    """Protects probabilities that must add up to 1, and 2 for erfc."""
    x = np.random.default_rng(2).uniform(0, 6, 5000).astype(FLOATS[width])
    for name, whole in (("ndtr", 1), ("erfc", 2)):
        both = compute(NUMPY_MACHINES[width], name, np.stack([x, -x]))
        assert np.abs(both.sum(axis=0) - whole).max() <= whole * np.finfo(FLOATS[width]).eps


def _operations(body: str, dtype: str) -> int:
    """Multiplications and fused multiply-adds that LLVM leaves of a loop over `body`."""
    source = (
        "def kernel(lo, hi, argv, context):\n"
        f"    x = {dtype}_pointer(argv, 0)\n"
        f"    out = {dtype}_pointer(argv, 1)\n"
        "    for i in range(lo, hi):\n"
        f"        out[i] = {body}\n"
    )
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    module = parse(kernel_module(function, "kernel", "kernel.py"))
    optimize(module)
    text = str(module)
    return text.count(" fmul ") + text.count("@llvm.fma")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("value", "density"),
    [("ndtr(x[i])", "exp({}(-0.5) * (x[i] * x[i]))"), ("erfc(x[i])", "exp(-(x[i] * x[i]))")],
)
def test_the_density_costs_nothing_beside_the_probability(
    value: str, density: str, dtype: str
) -> None:
    """Protects the one exponential of a value with its slope."""
    density = density.format(dtype)
    alone, together = _operations(value, dtype), _operations(f"{value} + {density}", dtype)
    assert together - alone <= 6 < _operations(density, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_slope_of_one_kernel(name: str, dtype: str) -> None:
    """Protects both against SciPy where they come from one pass, at ordinary and extreme places."""
    given = np.concatenate([np.linspace(-6, 6, 77), [0.0, -0.0, 60.0, -60.0, 1e30, -np.inf]])
    given = given.astype(dtype)
    x = gx.input("x", ("n",), dtype=dtype)
    y = getattr(gx, name)(x)
    value, slope = gx.compile(x, (y, gx.grad(gx.sum(y), x)))(given)
    wide = given.astype(np.float64)
    scale: Any = (-2 / np.sqrt(np.pi), 1.0) if name == "erfc" else (1 / np.sqrt(2 * np.pi), 0.5)
    # A float32 square in the exponent of exp(-36) loses 36 half units.
    tolerance = 40 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(value, getattr(special, name)(wide), rtol=tolerance, atol=1e-44)
    with np.errstate(over="ignore"):
        exact = scale[0] * np.exp(-scale[1] * wide**2)
    np.testing.assert_allclose(slope, exact, rtol=tolerance, atol=1e-44)
