"""betaln(a, b) = log(gamma(a) gamma(b) / gamma(a + b)), without the large terms that cancel.

With a <= b, b raised to 3.2 or more by the recurrence, and W what Stirling's formula lacks,

    log(gamma(b) / gamma(a + b)) = a - a log b - (b + a - 1/2) log1p(a / b) + W(b) - W(a + b)

(the arrangement of Didonato and Morris 1992); a large a joins by Stirling's formula too.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_gamma import LIFTED, TWO_END, small_log_gamma, stirling_tail
from graphc.target.vmath_logarithm import log, log1p
from graphc.target.vmath_precision import in_double

STEPS = 4
HALF_LOG_TURN = 0.5 * math.log(2.0 * math.pi)


def _raise_by_steps(d: Arithmetic, small: Value, large: Value) -> Value:
    """The product of (large + j) / (small + large + j) over j < STEPS."""
    upper, lower = large, small + large
    for j in range(1, STEPS):
        upper = upper * (large + float(j))
        lower = lower * ((small + large) + float(j))
    return upper / lower


@in_double
def betaln(d: Arithmetic, width: int, a: Value, b: Value) -> Value:
    """The logarithm of the beta function of a, b >= 0; nan below 0."""
    swapped = a > b
    small, large = d.select(swapped, b, a), d.select(swapped, a, b)
    one = d.constant(1.0)
    short = large < TWO_END
    quotient = d.select(short, _raise_by_steps(d, small, large), one)
    base = d.select(short, large + float(STEPS), large)
    ratio = small / base
    bend = log1p(d, ratio)
    unit = small == 1.0
    log_base = log(d, d.select(unit, large, base))
    tails = stirling_tail(d, width, base) - stirling_tail(d, width, small + base)
    tiny, little = small < LIFTED, small < TWO_END
    core = small_log_gamma(d, width, d.select(tiny, small + 1.0, small))
    other = log(d, d.select(little, d.select(tiny, small, one) * quotient, ratio))
    # The terms in a of a little a: log gamma(a) + a - a log b, and what the steps took.
    below = (core - small * log_base) + (small - other)
    above = (HALF_LOG_TURN - log_base * 0.5) + (small - 0.5) * other
    above = above + stirling_tail(d, width, d.select(little, one, small))
    result = tails - base * bend - (small - 0.5) * bend + d.select(little, below, above)
    # beta(1, b) = 1 / b, whose logarithm is 0 at 1.
    result = d.select(unit, 0.0 - log_base, result)
    result = d.select(large < math.inf, result, d.constant(-math.inf))
    result = d.select(small == 0.0, d.constant(math.inf), result)
    return d.select(small >= 0.0, result, d.constant(math.nan))
