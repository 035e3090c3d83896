"""sinh, cosh and the inverse hyperbolic functions.

sinh and cosh are (e**x -+ e**-x) / 2, sinh near 0 a series, x + x**3 SINH(x**2), minimax (Lawson's
iteration at 300 bits) to 2**-34 and 2**-63. The inverse functions are log1p of what is exact near
their zero (fdlibm, Sun Microsystems 1993). float32 computes in float64.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import EXP_TAIL, exp_of_moderate, exp_of_sum
from graphc.target.vmath_logarithm import log1p
from graphc.target.vmath_short_logarithm import short_log1p

SINH = {
    32: (
        0.16666666497552582,
        0.008333350058627993,
        0.0001983615970350289,
        2.8169516028596134e-06,
    ),
    64: (
        0.16666666666666669,
        0.008333333333333148,
        0.00019841269841431913,
        2.7557319157060883e-06,
        2.5052123138268812e-08,
        1.6057259660157738e-10,
        7.758751815079343e-13,
    ),
}
LN2 = (0.6931471805599453, 2.3190468138462996e-17)
# Where a float32 result has overflowed.
SINGLE_LIMIT = 100.0
# Above it x**2 may overflow, and log(1 + x) is log(x).
LARGE = 2.0**500


def _half_exponentials(m: Arithmetic, a: Value) -> tuple[Value, Value]:
    """`(e**a / 2, e**-a / 2)` for a >= 0: infinite no sooner than the sum is; in float64."""
    d = m.double()
    if m.width == 32:
        bounded = d.select(a > SINGLE_LIMIT, d.constant(SINGLE_LIMIT), a)
        half = exp_of_moderate(d, bounded, EXP_TAIL[32]) * 0.5
    else:
        lowered = a - LN2[0]
        half = exp_of_sum(d, lowered, ((a - lowered) - LN2[0]) - LN2[1])
    return half, 0.25 / half


def sinh(m: Arithmetic, x: Value) -> Value:
    """The hyperbolic sine; sinh(-0) = -0."""
    d = m.double()
    a = d.absolute(m.widen(x))
    z = a * a
    near = d.multiply_add(a * z, d.polynomial(z, SINH[m.width]), a)
    grown, shrunk = _half_exponentials(m, a)
    return m.copysign(m.narrow(d.select(a < 1.0, near, grown - shrunk)), x)


def cosh(m: Arithmetic, x: Value) -> Value:
    """The hyperbolic cosine."""
    grown, shrunk = _half_exponentials(m, m.double().absolute(m.widen(x)))
    return m.narrow(grown + shrunk)


def asinh(m: Arithmetic, x: Value) -> Value:
    """The inverse of sinh: log1p(x + x**2 / (1 + sqrt(1 + x**2))), odd."""
    d = m.double()
    a = d.absolute(m.widen(x))
    z = a * a
    ordinary = a + z / (d.square_root(z + 1.0) + 1.0)
    return m.copysign(m.narrow(_log1p_or_log_of_double(m, a, ordinary)), x)


def acosh(m: Arithmetic, x: Value) -> Value:
    """The inverse of cosh, not negative; nan below 1."""
    d = m.double()
    wide = m.widen(x)
    t = wide - 1.0
    ordinary = t + d.square_root(t * (t + 2.0))
    result = _log1p_or_log_of_double(m, wide, ordinary)
    return m.narrow(d.select(wide < 1.0, d.constant(math.nan), result))


def _log1p_or_log_of_double(m: Arithmetic, a: Value, ordinary: Value) -> Value:
    """log(2 a) for a large a, else log1p(ordinary), in float64."""
    d, large = m.double(), a > LARGE
    argument = d.select(large, a, ordinary)
    if m.width == 32:  # of which only infinity is so large
        return short_log1p(d, argument)
    logarithm = log1p(m, argument)
    return logarithm + m.select(large, m.constant(LN2[0]), m.constant(0.0))


def atanh(m: Arithmetic, x: Value) -> Value:
    """The inverse of tanh, log1p(2 x / (1 - x)) / 2, odd; infinite at 1, nan beyond."""
    d = m.double()
    a = d.absolute(m.widen(x))
    logarithm = short_log1p if m.width == 32 else log1p
    return m.copysign(m.narrow(logarithm(d, (a + a) / (1.0 - a)) * 0.5), x)
