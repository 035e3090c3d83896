"""a**b = exp(b log a), with log a to twice the precision of the result.

float32 computes in float64. float64 carries unevaluated sums of two floats (Dekker 1971) and takes
log m = 2 s + 2/3 s**3 + s**5 P(s**2) with s = (m - 1) / (m + 1), right to about 2**-64.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import EXP_RANGE, EXP_TAIL, exp_of_moderate, exp_of_sum
from graphc.target.vmath_format import FORMATS
from graphc.target.vmath_logarithm import split_exponent

LN2 = 0.6931471805599453
# ln 2 in 42 bits, whose product with an exponent is exact, and the rest.
LN2_HIGH, LN2_LOW = 0.6931471805598903, 5.497923018708371e-14
TWO_THIRDS, TWO_THIRDS_LOW = 0.6666666666666666, 3.700743415417188e-17
# log m = 2 s + s**3 SHORT(s**2), to 2**-44
SHORT = (
    0.6666666667585104,
    0.3999999560341176,
    0.2857211125782187,
    0.2217609505865764,
    0.19585580842265138,
)
# P
LONG = (
    0.4000000000000227,
    0.28571428570091356,
    0.22222222521437968,
    0.181817842304719,
    0.1538676380617945,
    0.13256662973139308,
    0.13197800531434922,
)
# A larger exponent changes nothing: 1 + 2**-52 to this power already overflows. An infinite one
# would meet log 1 = 0.
LARGEST_EXPONENT = 2.0**65


def power(m: Arithmetic, a: Value, b: Value) -> Value:
    """a**b with the special cases of C99.

    a**0 = 1**b = 1, also for NaN; nan for a negative a and a b that is no integer.
    """
    size = m.absolute(a)
    limit = m.copysign(m.constant(LARGEST_EXPONENT), b)
    bounded = m.select(m.absolute(b) > LARGEST_EXPONENT, limit, b)
    compute = _power_single if m.width == 32 else _power_double
    raised = compute(m, size, bounded)
    raised = _edges(m, size, b, raised)
    whole = m.floor(b) == b
    half = b * 0.5
    odd = whole & (m.floor(half) != half)
    signed = m.select(odd, m.copysign(raised, a), raised)
    refused = (a < 0.0) & (size < math.inf) & ~whole
    result = m.select(refused, m.constant(math.nan), signed)
    result = m.select((a != a) | (b != b), a + b, result)
    return m.select((a == 1.0) | (b == 0.0), m.constant(1.0), result)


def _edges(m: Arithmetic, size: Value, b: Value, raised: Value) -> Value:
    """0**b and inf**b."""
    falls = (size == 0.0) ^ (b < 0.0)
    edge = m.select(falls, m.constant(0.0), m.constant(math.inf))
    return m.select((size == 0.0) | (size == math.inf), edge, raised)


def _power_single(m: Arithmetic, size: Value, b: Value) -> Value:
    d = m.double()
    k, mantissa = split_exponent(d, m.widen(size))
    f = mantissa - 1.0
    s = f / (f + 2.0)
    z = s * s
    series = d.multiply_add(s * z, d.polynomial(z, SHORT), s + s)
    logarithm = d.multiply_add(k, d.constant(LN2), series)
    exponent = m.widen(b) * logarithm
    low, high = EXP_RANGE[32]
    exponent = d.select(exponent > high, d.constant(high), exponent)
    exponent = d.select(exponent < low, d.constant(low), exponent)
    return m.narrow(exp_of_moderate(d, exponent, EXP_TAIL[32]))


def _power_double(m: Arithmetic, size: Value, b: Value) -> Value:
    layout = FORMATS[64]
    tiny = size < layout.smallest_normal
    k, mantissa = split_exponent(m, m.select(tiny, size * 2.0**52, size))
    k = m.select(tiny, k - 52.0, k)
    high, low = log_of_one_plus(m, mantissa - 1.0)
    scaled = k * LN2_HIGH
    total = scaled + high
    low = m.multiply_add(k, m.constant(LN2_LOW), ((scaled - total) + high) + low)
    exponent, rest = m.multiply_exactly(b, total)
    rest = m.multiply_add(b, low, rest)
    return exp_of_sum(m, exponent, rest)


def log_of_one_plus(m: Arithmetic, f: Value) -> tuple[Value, Value]:
    """log(1 + f) as a sum of two floats."""
    s, s_low = _ratio(m, f)
    z, z_low = m.multiply_exactly(s, s)
    z_low = m.multiply_add(s + s, s_low, z_low)
    tail = z * m.polynomial(z, LONG)
    factor = tail + TWO_THIRDS
    factor_low = ((TWO_THIRDS - factor) + tail) + TWO_THIRDS_LOW
    term, term_low = product_of_sums(m, (z, z_low), (factor, factor_low))
    sum_high = term + 2.0
    sum_low = ((2.0 - sum_high) + term) + term_low
    return product_of_sums(m, (s, s_low), (sum_high, sum_low))


def _ratio(m: Arithmetic, f: Value) -> tuple[Value, Value]:
    """f / (2 + f) as a sum of two floats."""
    total = f + 2.0
    total_low = f - (total - 2.0)
    s = f / total
    product, error = m.multiply_exactly(s, total)
    return s, (((f - product) - error) - s * total_low) / total


def product_of_sums(
    m: Arithmetic, a: tuple[Value, Value], b: tuple[Value, Value]
) -> tuple[Value, Value]:
    """The product of two sums of two floats, as a sum of two floats."""
    high, low = m.multiply_exactly(a[0], b[0])
    return high, m.multiply_add(a[0], b[1], m.multiply_add(a[1], b[0], low))
