"""Logarithms in float64 that are right to 2**-38 or better: enough for a float32 result.

log m = 2 s + s**3 SHORT(s**2) with s = (m - 1) / (m + 1), as in `vmath_power`.
"""

from __future__ import annotations

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_logarithm import edges, split_exponent
from graphc.target.vmath_power import LN2, SHORT

# Below it three terms of the series of log1p do, and 1 + x would lose too much.
NEAR_ZERO = 2.0**-12


def short_logarithm(d: Arithmetic, x: Value, of_e: float = 1.0, of_2: float = LN2) -> Value:
    """The logarithm of a positive normal `x` to the base whose logarithms of e and 2 are given."""
    k, mantissa = split_exponent(d, x)
    f = mantissa - 1.0
    s = f / (f + 2.0)
    z = s * s
    series = d.multiply_add(s * z, d.polynomial(z, SHORT), s + s)
    return d.multiply_add(k, d.constant(of_2), series if of_e == 1.0 else series * of_e)


def short_log1p(d: Arithmetic, x: Value) -> Value:
    """log(1 + x), nan below -1."""
    total = x + 1.0
    near = x * (1.0 - x * (0.5 - x * (1 / 3)))
    result = d.select(d.absolute(x) < NEAR_ZERO, near, short_logarithm(d, total))
    return edges(d, x, total, result)
