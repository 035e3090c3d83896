"""What is made of a logarithm and loses digits or overflows when written plainly."""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import exp
from graphc.target.vmath_logarithm import log, log1p, log_of_one_plus_fraction
from graphc.target.vmath_short_logarithm import short_log1p

# A fraction below it has a reciprocal that may overflow: it is lifted by 2**LIFT.
SMALL, LIFT = 2.0**-900, 128


def logaddexp(m: Arithmetic, a: Value, b: Value) -> Value:
    """log(e**a + e**b) = max + log1p(e**-abs(a - b))."""
    above = a > b
    larger = m.select(above, a, b)
    # Of two infinities the difference is NaN.
    distance = m.select(a == b, m.constant(0.0), m.absolute(a - b))
    return larger + log_of_one_plus_fraction(m, exp(m, -distance))


def xlogy(m: Arithmetic, x: Value, y: Value) -> Value:
    """x log(y), and 0 where x is 0 and y is a number."""
    return m.select((x == 0.0) & (y == y), m.constant(0.0), x * log(m, y))


def logit(m: Arithmetic, x: Value) -> Value:
    """log(x / (1 - x)) = log1p((2 x - 1) / (1 - x)), odd about 1/2; nan outside [0, 1]."""
    d = m.double()
    wide = m.widen(x)
    below = wide < 0.5
    fraction = d.select(below, wide, 1.0 - wide) + 0.0  # not -0
    distance = d.absolute(wide + wide - 1.0)
    if m.width == 32:
        size = short_log1p(d, distance / fraction)
    else:
        small = (fraction < SMALL) & (fraction > 0.0)
        lifted = d.select(small, fraction * 2.0**LIFT, fraction)
        size = log1p(d, distance / lifted)
        size = size + d.select(small, d.constant(LIFT * math.log(2.0)), d.constant(0.0))
    return m.narrow(d.copysign(size, wide - 0.5))
