"""asin, acos, atan and atan2.

atan(n / d) for 0 <= n <= d: t = n / d below tan(pi/8), else t = (n - d) / (n + d) and pi/4 is
added, so that one division and one series atan(t) = t + t**3 ATAN(t**2) serve all. Above d the
result is pi/2 minus that of d / n.

asin(x) = x + x**3 ASIN(x**2) up to 1/2, else pi/2 - 2 asin(sqrt((1 - x) / 2)).

The series are minimax (Lawson's iteration at 300 bits) to 2**-30 and 2**-59 of the result. float32
computes in float64.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value

ATAN = {
    32: (
        -0.3333331516202271,
        0.19998470145279854,
        -0.1424351045298865,
        0.10593659811327706,
        -0.060778603576707814,
    ),
    64: (
        -0.333333333333332,
        0.19999999999953239,
        -0.142857142801656,
        0.11111110782106848,
        -0.09090897723860179,
        0.0769205969252065,
        -0.06663098918594512,
        0.05847857182526427,
        -0.050391809314882574,
        0.03806189676795685,
        -0.017904771153170657,
    ),
}
ASIN = {
    32: (
        0.16666659991239066,
        0.07500504184352638,
        0.044516955448552796,
        0.031807715140770715,
        0.01443861933977283,
        0.03751642835359002,
    ),
    64: (
        0.1666666666666676,
        0.07499999999970798,
        0.04464285717461232,
        0.030381942707791727,
        0.022372214986804737,
        0.01735161203716418,
        0.0139808201898214,
        0.011398915591211825,
        0.010780232282197556,
        0.0037064901328824344,
        0.02170724300345693,
        -0.020998768418148444,
        0.03262843793400755,
    ),
}
EIGHTH_TURN_TANGENT = 0.41421356237309503
# Fractions of pi as sums of two floats.
PI = (math.pi, 1.2246467991473532e-16)
HALF_PI = (math.pi / 2, 6.123233995736766e-17)
QUARTER_PI = (math.pi / 4, 3.061616997868383e-17)
# n + d of float64 numbers above it would overflow.
LARGE = 2.0**1000


def atan(m: Arithmetic, x: Value) -> Value:
    """The angle in radians whose tangent is x, from -pi/2 to pi/2."""
    d = m.double()
    a = d.absolute(m.widen(x))
    one = d.constant(1.0)
    above = a > 1.0
    angle = _first_octant(d, d.select(above, one, a), d.select(above, a, one), ATAN[m.width])
    angle = d.select(above, (HALF_PI[0] - angle) + HALF_PI[1], angle)
    return m.copysign(m.narrow(angle), x)


def atan2(m: Arithmetic, y: Value, x: Value) -> Value:
    """The angle of the point (x, y) in radians, from -pi to pi, with the signed zeros of C99."""
    d = m.double()
    a, b = d.absolute(m.widen(y)), d.absolute(m.widen(x))
    above = a > b
    n, c = d.select(above, b, a), d.select(above, a, b)
    if m.width == 64:
        scale = m.select(c > LARGE, m.constant(2.0**-60), m.constant(1.0))
        n, c = n * scale, c * scale
    # 0 / 0 is 0 here and inf / inf is 1.
    one, infinite = d.constant(1.0), n == math.inf
    n, c = d.select(infinite, one, n), d.select(infinite | (c == 0.0), one, c)
    angle = _first_octant(d, n, c, ATAN[m.width])
    angle = d.select(above, (HALF_PI[0] - angle) + HALF_PI[1], angle)
    behind = m.copysign(m.constant(1.0), x) < 0.0
    angle = d.select(behind, (PI[0] - angle) + PI[1], angle)
    return m.select((x != x) | (y != y), x + y, m.copysign(m.narrow(angle), y))


def _first_octant(d: Arithmetic, n: Value, c: Value, series: tuple[float, ...]) -> Value:
    """atan(n / c) for 0 <= n <= c."""
    raised = n > c * EIGHTH_TURN_TANGENT
    t = d.select(raised, n - c, n) / d.select(raised, n + c, c)
    z = t * t
    angle = d.multiply_add(t * z, d.polynomial(z, series), t)
    return d.select(raised, (angle + QUARTER_PI[1]) + QUARTER_PI[0], angle)


def asin(m: Arithmetic, x: Value) -> Value:
    """The angle in radians whose sine is x, from -pi/2 to pi/2; nan outside [-1, 1]."""
    d, large, arc = _half_arc(m, x)
    angle = d.select(large, (HALF_PI[0] - (arc + arc)) + HALF_PI[1], arc)
    return m.copysign(m.narrow(angle), x)


def acos(m: Arithmetic, x: Value) -> Value:
    """The angle in radians whose cosine is x, from 0 to pi; nan outside [-1, 1]."""
    d, large, arc = _half_arc(m, x)
    negative = d.copysign(d.constant(1.0), m.widen(x)) < 0.0
    twice = arc + arc
    near_end = d.select(negative, (PI[0] - twice) + PI[1], twice)
    signed = d.select(negative, -arc, arc)
    return m.narrow(d.select(large, near_end, (HALF_PI[0] - signed) + HALF_PI[1]))


def _half_arc(m: Arithmetic, x: Value) -> tuple[Arithmetic, Value, Value]:
    """Whether abs(x) > 1/2, and asin(sqrt((1 - abs(x)) / 2)) if so, else asin(abs(x))."""
    d = m.double()
    a = d.absolute(m.widen(x))
    large = a > 0.5
    z = d.select(large, (1.0 - a) * 0.5, a * a)
    base = d.select(large, d.square_root(z), a)
    return d, large, d.multiply_add(base * z, d.polynomial(z, ASIN[m.width]), base)
