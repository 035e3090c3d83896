"""exp2, log2 and log10.

float64 takes the logarithm as an unevaluated sum of two floats (see `vmath_power`), so that powers
of 2 and of 10 give integers; float32 computes in float64.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import exp_of_rest_scaled
from graphc.target.vmath_format import FORMATS, nearest_integer
from graphc.target.vmath_logarithm import edges, split_exponent
from graphc.target.vmath_power import LN2, log_of_one_plus, product_of_sums
from graphc.target.vmath_short_logarithm import short_logarithm

# Below the first, exp2 is 0; above the second, infinite.
EXP2_RANGE = {32: (-151.0, 129.0), 64: (-1076.0, 1025.0)}
# 1 / log(base) as a sum of two floats.
LOG2_OF_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_OF_E = (0.4342944819032518, 1.098319650216765e-17)
# The logarithm of 2 in 42 bits, whose product with an exponent is exact, and the rest.
LOG2_OF_2 = (1.0, 0.0)
LOG10_OF_2 = (0.30102999566395283, 2.8363394551044964e-14)

Sum = tuple[float, float]


def exp2(m: Arithmetic, x: Value) -> Value:
    """2**x. exp2(-inf) = 0; subnormal results are rounded once; whole x give powers of 2."""
    low, high = EXP2_RANGE[m.width]
    x = m.select(x > high, m.constant(high), x)
    x = m.select(x < low, m.constant(low), x)
    n, pattern = nearest_integer(m, x)
    return exp_of_rest_scaled(m, (x - n) * LN2, pattern)


def log2(m: Arithmetic, x: Value) -> Value:
    """The logarithm to base 2: log2(0) = -inf, log2(x < 0) = nan."""
    return _logarithm(m, x, LOG2_OF_E, LOG2_OF_2)


def log10(m: Arithmetic, x: Value) -> Value:
    """The logarithm to base 10: log10(0) = -inf, log10(x < 0) = nan."""
    return _logarithm(m, x, LOG10_OF_E, LOG10_OF_2)


def _logarithm(m: Arithmetic, x: Value, of_e: Sum, of_2: Sum) -> Value:
    if m.width == 32:
        wide = short_logarithm(m.double(), m.widen(x), of_e[0], math.fsum(of_2))
        return edges(m, x, x, m.narrow(wide))
    return edges(m, x, x, _long(m, x, of_e, of_2))


def _long(m: Arithmetic, x: Value, of_e: Sum, of_2: Sum) -> Value:
    tiny = x < FORMATS[64].smallest_normal
    k, mantissa = split_exponent(m, m.select(tiny, x * 2.0**52, x))
    k = m.select(tiny, k - 52.0, k)
    factor = (m.constant(of_e[0]), m.constant(of_e[1]))
    high, low = product_of_sums(m, log_of_one_plus(m, mantissa - 1.0), factor)
    scaled = k * of_2[0]
    total = scaled + high
    return total + (m.multiply_add(k, m.constant(of_2[1]), low) + ((scaled - total) + high))
