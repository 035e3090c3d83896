"""NumPy's machine: a fused multiply-add without the instruction, and exact products."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from graphc.target.arithmetic import NUMPY_MACHINES, NumpyArithmetic, silent

FLOATS: dict[int, Any] = {32: np.float32, 64: np.float64}


def triples(width: int) -> Any:
    """Factors and terms, most of which cancel all but a few digits of the product."""
    random = np.random.default_rng(width)
    a, b = (random.uniform(-2, 2, 3000).astype(FLOATS[width]) for _ in range(2))
    nearly = -(a * b) * (1 + random.integers(-3, 4, 3000) * np.finfo(FLOATS[width]).eps)
    c = np.where(random.random(3000) < 0.7, nearly, random.uniform(-2, 2, 3000))
    return a, b, c.astype(FLOATS[width])


@pytest.mark.parametrize("width", [32, 64])
def test_multiply_add_rounds_once(width: int) -> None:
    """Protects the equality of Python's bits with those of a processor that fuses."""
    a, b, c = triples(width)
    got = NUMPY_MACHINES[width].multiply_add(a, b, c)
    assert got.dtype == FLOATS[width]
    for x, y, z, total in zip(a, b, c, got, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        if width == 64:
            assert total == float(exact)
        else:
            # float(exact) rounds to 53 bits first, which decides no tie here.
            assert total == np.float32(float(exact))
    assert np.any(got != a * b + c)


@pytest.mark.parametrize("width", [32, 64])
def test_multiply_add_of_what_is_not_finite(width: int) -> None:
    """Protects infinity and NaN, and products whose splitting would overflow."""
    machine, float_type = NUMPY_MACHINES[width], FLOATS[width]
    fused = silent(machine.multiply_add)
    inf, one = float_type(np.inf), float_type(1)
    huge = np.finfo(float_type).max
    assert fused(inf, one, one) == np.inf
    assert fused(huge, float_type(2), one) == np.inf
    assert fused(huge, one, -one) == huge
    assert np.isnan(fused(inf, one, -inf))
    assert np.signbit(fused(-float_type(0), one, -float_type(0)))


@pytest.mark.parametrize("width", [32, 64])
def test_exact_products(width: int) -> None:
    """Protects the extended precision of power: product plus error is the product."""
    a, b, _ = triples(width)
    product, error = NUMPY_MACHINES[width].multiply_exactly(a, b)
    assert np.any(error != 0)
    for x, y, p, e in zip(a, b, product, error, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y))
        assert Fraction(float(p)) + Fraction(float(e)) == exact


def test_a_machine_has_a_known_width() -> None:
    """Protects the tables by width from a float16."""
    with pytest.raises(ValueError, match="expected a float of 32 or 64 bits, got 16"):
        NumpyArithmetic(16)


def test_silent_restores_warnings() -> None:
    """Protects the caller's NumPy settings."""
    with np.errstate(over="raise"):
        assert silent(np.exp)(np.float32(1000)) == np.inf
        with pytest.raises(FloatingPointError):
            np.exp(np.float32(1000))
