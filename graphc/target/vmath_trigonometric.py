"""sin, cos, tan and sinc.

x = n pi/2 + r with abs(r) <= pi / 4, pi/2 in parts so short that their products with n are exact
(Cody and Waite 1980), also where a machine does not fuse. float32 reduces in float64. That holds up
to `ANGLE_LIMIT`; beyond, the result is NaN and not a wrong number. An exact reduction of any
argument (Payne and Hanek 1983) looks tables up or calls a library behind a branch: measured, a
branch made every ordinary argument 15 to 20 times slower, and tables about 50 times, since loads
from them keep a loop from being vectorised.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import FORMATS, nearest_integer

# The largest argument, by whether the machine has a fused multiply-add.
ANGLE_LIMIT = {True: 1e14, False: 1e8}
# pi/2 down to 2**-26, 2**-53, 2**-80, and 53 bits of the rest.
HALF_PI = (1.570796325802803, 9.920935184482005e-10, 6.123233932053594e-17, 6.36831716351095e-25)
# The rest after the first two, to 53 bits: enough for float32.
HALF_PI_REST = 6.123233995736766e-17
PI = (math.pi, 1.2246467991473532e-16)
# sinc is 1 to the last bit up to here.
NEAR_ZERO = 2.0**-30
LAST_ODD = 2.0**53
SIN_TAIL = {
    32: (-0.16666655242443085, 0.008332191035151482, -0.00019518572662491351),
    64: (
        -0.16666666666666632,
        0.008333333333322458,
        -0.00019841269829817088,
        2.7557313688943397e-06,
        -2.5050756931025497e-08,
        1.5896694218669658e-10,
    ),
}
COS_TAIL = {
    32: (0.04166664555668831, -0.0013887311797589064, 2.4432742065982893e-05),
    64: (
        0.0416666666666666,
        -0.0013888888888874459,
        2.4801587289652692e-05,
        -2.755731439305738e-07,
        2.0875727880792294e-09,
        -1.1359846662157203e-11,
    ),
}


def sin(m: Arithmetic, x: Value) -> Value:
    """The sine of x radians; sin(-0) = -0, nan beyond `ANGLE_LIMIT`."""
    result = _quarter_waves(m, x, 0)
    return m.select(m.absolute(x) < FORMATS[m.width].smallest_normal, x, result)


def cos(m: Arithmetic, x: Value) -> Value:
    """The cosine of x radians; nan beyond `ANGLE_LIMIT`."""
    return _quarter_waves(m, x, 1)


def tan(m: Arithmetic, x: Value) -> Value:
    """The tangent of x radians; tan(-0) = -0, nan beyond `ANGLE_LIMIT`."""
    d = m.double()
    if m.width == 32:
        quadrant, r = _reduce_wide(d, m.widen(x))
        sine, cosine = _short_sine_and_cosine(d, r)
    else:
        quadrant, sine, cosine = _reduce_double(m, x)
    odd = (quadrant & d.integer(1)) != d.integer(0)
    ratio = d.select(odd, -cosine, sine) / d.select(odd, sine, cosine)
    result = m.select(m.absolute(x) < FORMATS[m.width].smallest_normal, x, m.narrow(ratio))
    return m.select(m.absolute(x) <= ANGLE_LIMIT[m.fuses], result, m.constant(math.nan))


def sinc(m: Arithmetic, x: Value) -> Value:
    """sin(pi x) / (pi x), 1 at 0: exactly 0 at every other integer; nan of infinity.

    x = n / 2 + r, which is exact, so that the result is as good for a large x as for a small one.
    """
    d = m.double()
    wide = m.widen(x)
    # All larger numbers are even, and infinity - infinity is NaN.
    whole = d.absolute(wide) > LAST_ODD
    wide = d.select(whole, wide - wide, wide)
    n = d.nearest(wide * 2.0)
    r = wide - n * 0.5
    quadrant = d.bits(n - d.floor(n * 0.25) * 4.0 + FORMATS[64].rounder)
    angle, error = d.multiply_exactly(r, d.constant(PI[0]))
    if m.width == 32:
        sine, cosine = _short_sine_and_cosine(d, angle)
    else:
        sine, cosine = _sine_and_cosine(d, angle, d.multiply_add(r, d.constant(PI[1]), error))
    wave = _choose(d, quadrant, sine, cosine)
    near = d.absolute(wide) < NEAR_ZERO
    denominator = d.select(near, d.constant(1.0), wide * PI[0])
    result = d.select(near, d.constant(1.0), wave / denominator)
    return m.narrow(d.select(whole, wide, result))


def _choose(m: Arithmetic, quadrant: Value, sine: Value, cosine: Value) -> Value:
    """The quadrant's last bit tells sine or cosine, the next one the sign."""
    odd = (quadrant & m.integer(1)) != m.integer(0)
    wave = m.select(odd, cosine, sine)
    sign = (quadrant & m.integer(2)) << (m.width - 2)
    return m.from_bits(m.bits(wave) ^ sign)


def _quarter_waves(m: Arithmetic, x: Value, ahead: int) -> Value:
    """sin(x + ahead pi/2)."""
    reduce = _reduce_single if m.width == 32 else _reduce_double
    quadrant, sine, cosine = reduce(m, x)
    wave = _choose(m, quadrant + m.integer(ahead), sine, cosine)
    return m.select(m.absolute(x) <= ANGLE_LIMIT[m.fuses], wave, m.constant(math.nan))


def _reduce_single(m: Arithmetic, x: Value) -> tuple[Value, Value, Value]:
    """`(quadrant, sin(r), cos(r))` of a float32."""
    pattern, r = _reduce_wide(m.double(), m.widen(x))
    return m.low_half(pattern), *_short_sine_and_cosine(m, m.narrow(r))


def _reduce_wide(d: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(quadrant, r)` of a float32 in float64: r is right to the precision of float32."""
    n, pattern = nearest_integer(d, x * (2 / math.pi))
    rest = d.multiply_add(n, d.constant(-HALF_PI[0]), x)
    rest = d.multiply_add(n, d.constant(-HALF_PI[1]), rest)
    return pattern, d.multiply_add(n, d.constant(-HALF_PI_REST), rest)


def _reduce_double(m: Arithmetic, x: Value) -> tuple[Value, Value, Value]:
    """`(quadrant, sin(r + low), cos(r + low))` of a float64."""
    n, quadrant = nearest_integer(m, x * (2 / math.pi))
    rest = m.multiply_add(n, m.constant(-HALF_PI[0]), x)
    rest = m.multiply_add(n, m.constant(-HALF_PI[1]), rest)
    product, error = m.multiply_exactly(n, m.constant(HALF_PI[2]))
    first = rest - product
    low = m.multiply_add(n, m.constant(-HALF_PI[3]), ((rest - first) - product) - error)
    r = first + low  # a large n makes `low` too large for the first-order terms below
    return quadrant, *_sine_and_cosine(m, r, (first - r) + low)


def _sine_and_cosine(m: Arithmetic, r: Value, low: Value) -> tuple[Value, Value]:
    """`(sin(r + low), cos(r + low))` of a float64 up to pi / 4."""
    z = r * r
    half = z * 0.5
    tail = m.multiply_add(r * z, m.polynomial(z, SIN_TAIL[64]), low - half * low)
    base = 1.0 - half
    lost = (1.0 - base) - half
    bend = m.multiply_add(z * z, m.polynomial(z, COS_TAIL[64]), lost - r * low)
    return r + tail, base + bend


def _short_sine_and_cosine(m: Arithmetic, r: Value) -> tuple[Value, Value]:
    """`(sin(r), cos(r))` to the precision of float32, up to pi / 4."""
    z = r * r
    sine = m.multiply_add(r * z, m.polynomial(z, SIN_TAIL[32]), r)
    return sine, m.multiply_add(z * z, m.polynomial(z, COS_TAIL[32]), 1.0 - z * 0.5)
