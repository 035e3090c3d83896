"""log abs(gamma), gamma and digamma.

For a > 0: (a - 1) P(a - 1) near 1, (a - 2) Q(a - 2) near 2, so that both zeros are exact, and above
3.2 Stirling's (a - 1/2) (log a - 1) + c + W(1 / a**2) / a, with log a to twice the precision.
gamma itself is a polynomial about 2 after at most two steps of its recurrence. digamma is
(a - root) R(a - 2) from 1 to 3 and log a - (1/2 + V(1 / a**2) / a) / a above. Below 0 all reflect.
The polynomials interpolate at Chebyshev's points, to 2**-33 and 2**-53 of the result.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_gamma_tables import (
    ABOUT_TWO,
    COSINE,
    DIGAMMA_FAR,
    DIGAMMA_NEAR,
    NEAR_ONE,
    NEAR_TWO,
    SINE,
    STIRLING,
)
from graphc.target.vmath_logarithm import log, split_exponent
from graphc.target.vmath_power import LN2_HIGH, LN2_LOW, log_of_one_plus
from graphc.target.vmath_precision import exp_to, in_double

# (log(2 pi) - 1) / 2
STIRLING_CONSTANT = 0.4189385332046727
# Below the first, one step of the recurrence; the polynomial about 1, about 2, Stirling beyond.
LIFTED, ONE_END, TWO_END = 0.65, 1.5, 3.2
# From here to `ABOUT_TWO_END` gamma's polynomial, with the recurrence.
ABOUT_TWO_END = 4.5
DIGAMMA_END = 3.0
# The positive root of digamma, and what its rounding leaves.
ROOT, ROOT_REST = 1.4616321449683622, 9.549995429965697e-17
# No exact product is wanted of a number so large: it overflows on the way.
HUGE = 2.0**500


def distance_to_integer(d: Arithmetic, a: Value) -> tuple[Value, Value]:
    """`(r, s)`: abs(a - n) for the integer n nearest to a >= 0, and a - n."""
    signed = a - d.nearest(a)
    return d.absolute(signed), signed


def sine_of_turns(d: Arithmetic, width: int, r: Value) -> Value:
    """sin(pi r) / pi for abs(r) <= 1/2."""
    square = r * r
    return d.multiply_add(r * square, d.polynomial(square, SINE[width]), r)


def stirling_tail(d: Arithmetic, width: int, a: Value) -> Value:
    """What Stirling's formula lacks of log gamma: W(1 / a**2) / a."""
    inverse = 1.0 / a
    return inverse * d.polynomial(inverse * inverse, STIRLING[width])


def _stirling(d: Arithmetic, width: int, a: Value) -> tuple[Value, Value]:
    """log gamma(a) for a >= 3.2, as a sum of two floats."""
    rest = stirling_tail(d, width, a) + STIRLING_CONSTANT
    factor = a - 0.5
    if width == 32:
        return factor * (log(d, a) - 1.0), rest
    k, mantissa = split_exponent(d, a)
    high, low = log_of_one_plus(d, mantissa - 1.0)
    scaled = k * LN2_HIGH
    total = scaled + high
    low = d.multiply_add(k, d.constant(LN2_LOW), ((scaled - total) + high) + low)
    product, error = d.multiply_exactly(factor, total - 1.0)
    error = d.select(a < HUGE, error, d.constant(0.0))
    return product, d.multiply_add(factor, low, error) + rest


def small_log_gamma(d: Arithmetic, width: int, a: Value) -> Value:
    """log gamma(a) for 0.65 <= a < 3.2."""
    one, two = a - 1.0, a - 2.0
    near_one = one * d.polynomial(one, NEAR_ONE[width])
    near_two = two * d.polynomial(two, NEAR_TWO[width])
    return d.select(a < ONE_END, near_one, near_two)


@in_double
def lgamma(d: Arithmetic, width: int, x: Value) -> Value:
    """log(abs(gamma(x))); inf at 0, -1, -2 ... and at both infinities."""
    a = d.absolute(x)
    lifted = a < LIFTED
    one = d.constant(1.0)
    y = d.select(lifted, a + 1.0, a)
    high, low = _stirling(d, width, y)
    core = d.select(y < TWO_END, small_log_gamma(d, width, y), high + low)
    r, _ = distance_to_integer(d, a)
    # gamma(x) gamma(-x) = -pi / (x sin(pi x)), and gamma(1 + a) = a gamma(a).
    sine = sine_of_turns(d, width, r) * d.select(lifted, one, a)
    negative = x < 0.0
    logarithm = log(d, d.select(negative, sine, d.select(lifted, a, one)))
    result = d.select(negative, -core, core) - logarithm
    return d.select(a < math.inf, result + 0.0, a)


def _gamma_about_two(d: Arithmetic, width: int, a: Value, invert: Value) -> Value:
    """gamma(a) for 0 < a < 4.5, from gamma(2 + t) with t between -1/2 and 1/2.

    Where `invert` holds 1 / gamma(a), and below 1.5 1 / gamma(1 + a).
    """
    nearest = d.nearest(a)
    value = d.polynomial(a - nearest, ABOUT_TWO[width])
    one = d.constant(1.0)
    factor = d.select(nearest > 2.0, a - 1.0, one)
    factor = factor * d.select(nearest > 3.0, a - 2.0, one)
    divisor = d.select((nearest < 2.0) & ~invert, a, one)
    divisor = divisor * d.select(nearest < 1.0, a + 1.0, one)
    value = value * factor
    return d.select(invert, divisor, value) / d.select(invert, value, divisor)


def positive_gamma(d: Arithmetic, width: int, a: Value, invert: Value) -> Value:
    """gamma(a) for a > 0; where `invert` holds 1 / gamma(a), and below 1.5 1 / gamma(1 + a)."""
    close = _gamma_about_two(d, width, a, invert)
    high, low = _stirling(d, width, d.select(a < TWO_END, d.constant(TWO_END), a))
    total = high + low
    rest = (high - total) + low
    far = exp_to(d, width, d.select(invert, -total, total), d.select(invert, -rest, rest))
    return d.select(a < ABOUT_TWO_END, close, far)


@in_double
def gamma(d: Arithmetic, width: int, x: Value) -> Value:
    """The gamma function; gamma(0) = inf, gamma(-0) = -inf, nan at -1, -2 ... and at -inf."""
    a = d.absolute(x)
    negative = x < 0.0
    size = positive_gamma(d, width, a, negative)
    # gamma(x) gamma(-x) = -pi / (x sin(pi x))
    nearest = d.nearest(a)
    sine = sine_of_turns(d, width, a - nearest)
    half = nearest * 0.5
    sine = d.select(d.floor(half) == half, sine, -sine)
    sine = sine * d.select(nearest < 2.0, d.constant(1.0), a)
    reflected = d.select(sine == 0.0, d.constant(math.nan), -size / sine)
    result = d.select(negative, reflected, d.select(a < math.inf, size, a))
    return d.select(x == 0.0, d.copysign(d.constant(math.inf), x), result)


def digamma_of(d: Arithmetic, width: int, x: Value) -> Value:
    """digamma(x) in float64."""
    a = d.absolute(x)
    lifted = a < 1.0
    y = d.select(lifted, a + 1.0, a)
    near = ((y - ROOT) - ROOT_REST) * d.polynomial(y - 2.0, DIGAMMA_NEAR[width])
    inverse = 1.0 / y
    series = d.multiply_add(
        inverse, d.polynomial(inverse * inverse, DIGAMMA_FAR[width]), d.constant(0.5)
    )
    core = d.select(y < DIGAMMA_END, near, log(d, y) - inverse * series)
    zero = d.constant(0.0)
    above = core - d.select(lifted, 1.0 / a, zero)
    _, signed = distance_to_integer(d, a)
    cosine = d.polynomial(signed * signed, COSINE[width])
    turn = cosine / sine_of_turns(d, width, signed)
    below = core + (turn + d.select(lifted, zero, inverse))
    below = d.select(signed == 0.0, d.constant(math.nan), below)
    result = d.select(x < 0.0, below, above)
    return d.select(x == 0.0, d.copysign(d.constant(math.inf), -x), result)


@in_double
def digamma(d: Arithmetic, width: int, x: Value) -> Value:
    """The derivative of log(gamma(x)); digamma(0) = -inf, nan at -1, -2 ... and at -inf."""
    result = digamma_of(d, width, x)
    result = d.select(x < math.inf, result, x)
    return d.select(x == -math.inf, d.constant(math.nan), result)
