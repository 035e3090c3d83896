"""log and log1p.

x = 2**k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). float32 takes

    log(1 + f) = f - f**2 / 2 + f**3 P(f),

float64 the series of fdlibm (Sun Microsystems 1993) in s = f / (2 + f),

    log(1 + f) = f - (f**2 / 2 - s (f**2 / 2 + R(s**2))),

with P and R fitted by minimax (Lawson's iteration at 300 bits) to 2**-30 and 2**-58.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import FORMATS

LOG_TAIL = (
    0.3333331048488617,
    -0.24999986588954926,
    0.20002223551273346,
    -0.16669248044490814,
    0.14218714833259583,
    -0.12384441494941711,
    0.11872677505016327,
    -0.1178911030292511,
    0.06915129721164703,
)
LOG_SERIES = (
    0.6666666666666734,
    0.3999999999941661,
    0.28571428742048294,
    0.22222198601527077,
    0.18183563112592657,
    0.153140761740637,
    0.14795739518680748,
)
# Bit patterns of sqrt(1/2).
ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}


def split_exponent(m: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(k, 1 + f)` of a positive normal `x`, k as a float."""
    layout = FORMATS[m.width]
    offset = (layout.bias << layout.mantissa_bits) - ROOT_HALF[m.width]
    # The sum is positive, so a logical shift does (AVX2 has no arithmetic one for 64 bits), and so
    # does the rounder's trick for the way from integer to float.
    raised = m.shift_right_logical(m.bits(x) + m.integer(offset), layout.mantissa_bits)
    mantissa = m.from_bits(m.bits(x) - ((raised - m.integer(layout.bias)) << layout.mantissa_bits))
    rounder_bits = m.bits(m.constant(layout.rounder))
    k = m.from_bits(raised + rounder_bits) - (layout.rounder + layout.bias)
    return k, mantissa


def _combine(m: Arithmetic, k: Value, f: Value, correction: Value) -> Value:
    """k ln 2 + log(1 + f) + correction, smallest terms first."""
    layout = FORMATS[m.width]
    half_square = f * f * 0.5
    low = m.multiply_add(k, m.constant(layout.ln2_low), correction)
    if m.width == 32:
        tail = f * f * f * m.polynomial(f, LOG_TAIL)
        rest = (tail + low) - half_square
    else:
        s = f / (f + 2.0)
        z = s * s
        series = z * m.polynomial(z, LOG_SERIES)
        rest = m.multiply_add(s, half_square + series, low) - half_square
    return m.multiply_add(k, m.constant(layout.ln2_high), f + rest)


def log(m: Arithmetic, x: Value) -> Value:
    """The natural logarithm: log(0) = -inf, log(x < 0) = nan; subnormal arguments are exact."""
    layout = FORMATS[m.width]
    tiny = x < layout.smallest_normal
    lift = 2.0**layout.mantissa_bits
    lifted = m.select(tiny, x * lift, x)
    k, mantissa = split_exponent(m, lifted)
    k = m.select(tiny, k - float(layout.mantissa_bits), k)
    result = _combine(m, k, mantissa - 1.0, m.constant(0.0))
    return edges(m, x, x, result)


def log1p(m: Arithmetic, x: Value) -> Value:
    """log(1 + x), accurate near 0: log1p(-1) = -inf, log1p(x < -1) = nan, log1p(-0) = -0.

    The rounding error of 1 + x is put back, to first order, over 1 + x.
    """
    total = x + 1.0
    k, mantissa = split_exponent(m, total)
    larger = m.select(x > 1.0, x, m.constant(1.0))
    smaller = m.select(x > 1.0, m.constant(1.0), x)
    lost = (smaller - (total - larger)) / total
    unscaled = k == 0.0
    f = m.select(unscaled, x, mantissa - 1.0)
    result = _combine(m, k, f, m.select(unscaled, m.constant(0.0), lost))
    # Below the smallest normal number the terms of the series would lose the sign of -0.
    result = m.select(m.absolute(x) < FORMATS[m.width].smallest_normal, x, result)
    return edges(m, x, total, result)


def log_of_one_plus_fraction(m: Arithmetic, x: Value) -> Value:
    """log(1 + x) for 0 <= x <= 1, where the exponent of 1 + x needs no search."""
    large = x > math.sqrt(2.0) - 1.0
    k = m.select(large, m.constant(1.0), m.constant(0.0))
    f = m.select(large, x * 0.5 - 0.5, x)
    return _combine(m, k, f, m.constant(0.0))


def edges(m: Arithmetic, x: Value, total: Value, result: Value) -> Value:
    """`result`, replaced where `total`, the logarithm's argument, is 0, negative or not finite."""
    result = m.select(total == 0.0, m.constant(-math.inf), result)
    result = m.select(total < 0.0, m.constant(math.nan), result)
    return m.select(total < math.inf, result, x + total)
