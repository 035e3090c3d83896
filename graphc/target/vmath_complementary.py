"""erfcx, and the logarithms of erfc and ndtr.

Beyond 1/2 all rest on erfcx(a) = exp(a**2) erfc(a) = P(t) / (a + 1/2), t = (a - 3) / (a + 3), for
every a >= 0 (the form of Shepherd and Laframboise 1981); P interpolates at Chebyshev's points, to
2**-33 and 2**-54. exp(-a**2) takes the square to twice the precision.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_error_function import NEAR
from graphc.target.vmath_logarithm import log1p
from graphc.target.vmath_precision import exp_to, in_double

LARGEST = 1.7976931348623157e308
# exp(-a**2) is 0 from here on, and its inverse infinite.
BELL_LIMIT = 40.0
# From here on log(erfcx(a)) is nothing beside a**2.
LOG_LIMIT = 1e8
HALF_ROOT = math.sqrt(0.5)
# erf carries the result below, erfcx beyond.
SWITCH = 0.5
# What rounding the first coefficient of P left.
FIRST_REST = 1.9584787818753935e-17
SCALED = {
    32: (
        0.6265040291348648,
        -0.06781055221817689,
        -0.02378114714357951,
        0.06482254768564004,
        -0.05963683296496073,
        0.034154359726936964,
        -0.011885243345476061,
        0.0012630128239782253,
        0.0009442732318681546,
        -0.00038565099427536584,
        -5.238290103917315e-05,
        5.65945570917235e-05,
        2.1616102879187617e-06,
        -5.519855021535164e-06,
        -6.584937339295548e-08,
    ),
    64: (
        0.6265040291348648,
        -0.0678105530622906,
        -0.02378114717672456,
        0.06482257935138158,
        -0.05963683170769489,
        0.034154013671946565,
        -0.011885257458553993,
        0.0012646959086853248,
        0.0009443451721947271,
        -0.00038991614156301936,
        -5.2579858060880743e-05,
        6.254970466653312e-05,
        2.474592091138033e-06,
        -1.005037951890443e-05,
        -3.653992970347862e-07,
        1.7364215072975777e-06,
        1.7785706671697957e-07,
        -3.0864858198546697e-07,
        -7.021386363835974e-08,
        5.1260799273669116e-08,
        2.0515837361438217e-08,
        -6.8723186358073055e-09,
        -4.102643608774431e-09,
        5.717691359971212e-10,
        4.1866199009567823e-10,
        -1.2604423279566171e-11,
    ),
}


def _scaled(d: Arithmetic, width: int, a: Value) -> tuple[Value, Value]:
    """erfcx(a) for 0 <= a, as a float and what its last three roundings lost."""
    a = d.select(a < LARGEST, a, d.constant(LARGEST))
    first, *others = SCALED[width]
    t = (a - 3.0) / (a + 3.0)
    bend = t * d.polynomial(t, others)
    numerator, denominator = bend + first, a + 0.5
    quotient = numerator / denominator
    if width == 32:
        return quotient, d.constant(0.0)
    added = denominator - a
    short = (a - (denominator - added)) + (0.5 - added)
    lost = ((first - numerator) + bend) + FIRST_REST
    lost = (d.multiply_add(-quotient, denominator, numerator) + lost) - quotient * short
    # Over the denominator, which is the numerator, 0.57 or nearly so, over the quotient.
    return quotient, lost * (quotient * 1.75)


def _tail(d: Arithmetic, raised: Value, scaled: tuple[Value, Value]) -> Value:
    return d.multiply_add(raised, scaled[0], raised * scaled[1])


def _near(d: Arithmetic, width: int, x: Value) -> Value:
    """erf(x) for small x."""
    return d.multiply_add(x, d.polynomial(x * x, NEAR[width]), x)


def _exp_of_square(d: Arithmetic, width: int, a: Value, factor: float) -> Value:
    """exp(factor a**2), `factor` a power of two or its negative."""
    a = d.select(a < BELL_LIMIT, a, d.constant(BELL_LIMIT))
    if width == 32:
        return exp_to(d, width, a * a * factor)
    square, rest = d.multiply_exactly(a, a)
    return exp_to(d, width, square * factor, rest * factor)


@in_double
def erfcx(d: Arithmetic, width: int, x: Value) -> Value:
    """exp(x**2) erfc(x); erfcx(-inf) = inf, erfcx(inf) = 0."""
    a = d.absolute(x)
    high, low = _scaled(d, width, a)
    scaled = d.select(a < math.inf, high + low, d.constant(0.0))
    raised = _exp_of_square(d, width, a, 1.0)
    close = d.multiply_add(-raised, _near(d, width, x), raised)
    far = d.select(x < 0.0, raised + raised - scaled, scaled)
    return d.select(a < SWITCH, close, far)


@in_double
def log_erfc(d: Arithmetic, width: int, x: Value) -> Value:
    """log(erfc(x)), which is log(erfcx(x)) - x**2 where erfc(x) is small."""
    a = d.absolute(x)
    bounded = d.select(a < LOG_LIMIT, a, d.constant(LOG_LIMIT))
    scaled = _scaled(d, width, bounded)
    tail = _tail(d, _exp_of_square(d, width, a, -1.0), scaled)
    beyond = x > SWITCH
    far = d.select(beyond, (scaled[0] - 1.0) + scaled[1], 1.0 - tail)
    logarithm = log1p(d, d.select(a <= SWITCH, -_near(d, width, x), far))
    return logarithm - d.select(beyond, a * a, d.constant(0.0))


@in_double
def log_ndtr(d: Arithmetic, width: int, x: Value) -> Value:
    """log(ndtr(x)), which is log(erfcx(-x / sqrt(2)) / 2) - x**2 / 2 where ndtr(x) is small."""
    a = d.absolute(x)
    bounded = d.select(a < LOG_LIMIT, a, d.constant(LOG_LIMIT))
    scaled = _scaled(d, width, bounded * HALF_ROOT)
    tail = _tail(d, _exp_of_square(d, width, a, -0.5) * 0.5, scaled)
    below = x < -SWITCH
    near = d.multiply_add(_near(d, width, x * HALF_ROOT), d.constant(0.5), d.constant(-0.5))
    far = d.select(below, (scaled[0] * 0.5 - 1.0) + scaled[1] * 0.5, -tail)
    logarithm = log1p(d, d.select(a <= SWITCH, near, far))
    return logarithm - d.select(below, (a * 0.5) * a, d.constant(0.0))
