"""fmod, remainder and floor_divide of floats, exact for every quotient.

float32: in float64, a - b q with q the quotient to 52 bits takes that many bits off a, without
rounding, so that six steps do for quotients up to 2**277.

float64: with a = A 2**(e + D) and b = B 2**e, A and B integers of 53 bits, the remainder is
A (2**D mod B) mod B, and 2**D comes by squaring from 2**(D >> 6): seven products modulo B, each
carried as an unevaluated sum of two floats.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import FORMATS, power_of_two, scale

SINGLE_STEPS = 6
# 2**2098, the largest power, is 2**(33 << 6) or less.
SQUARINGS = 6
LIFT = 54
MANTISSA = (1 << 52) - 1


def fmod(m: Arithmetic, a: Value, b: Value) -> Value:
    """a - b trunc(a / b), of the sign of a; nan for an infinite a and for b = 0."""
    size, divisor = m.absolute(a), m.absolute(b)
    compute = _rest_single if m.width == 32 else _rest_double
    rest = m.select(size < divisor, size, compute(m, size, divisor))
    defined = (size < math.inf) & (divisor > 0.0)
    return m.select(defined, m.copysign(rest, a), m.constant(math.nan))


def remainder(m: Arithmetic, a: Value, b: Value) -> Value:
    """a - b floor(a / b), of the sign of b, rounded once."""
    rest = fmod(m, a, b)
    rest = m.select(_goes_down(rest, b), rest + b, rest)
    return m.select(rest == 0.0, m.copysign(rest, b), rest)


def floor_divide(m: Arithmetic, a: Value, b: Value) -> Value:
    """The quotient rounded down, as NumPy has it; that of 0 is infinite or NaN."""
    rest = fmod(m, a, b)
    quotient = (a - rest) / b
    quotient = m.select(_goes_down(rest, b), quotient - 1.0, quotient)
    down = m.floor(quotient)
    down = m.select(quotient - down > 0.5, down + 1.0, down)
    ratio = a / b
    down = m.select(quotient == 0.0, m.copysign(m.constant(0.0), ratio), down)
    return m.select(b == 0.0, ratio, down)


def _goes_down(rest: Value, b: Value) -> Value:
    """Whether the quotient has a fraction and is negative."""
    return (rest != 0.0) & ((rest < 0.0) ^ (b < 0.0))


def _less_product(m: Arithmetic, x: Value, q: Value, b: Value) -> Value:
    """x - q b where that is a float."""
    if m.fuses:
        return m.multiply_add(-q, b, x)
    product, error = m.multiply_exactly(q, b)
    return (x - product) - error


def _rest_single(m: Arithmetic, size: Value, divisor: Value) -> Value:
    d = m.double()
    rest, b = m.widen(size), m.widen(divisor)
    inverse = 1.0 / b
    for _ in range(SINGLE_STEPS):
        rest = _less_product(d, rest, d.nearest(rest * inverse), b)
    return m.narrow(d.select(rest < 0.0, rest + b, rest))


def _rest_double(m: Arithmetic, size: Value, divisor: Value) -> Value:
    """For size >= divisor > 0."""
    whole, exponent = _whole(m, size)
    modulus, low_exponent = _whole(m, divisor)
    distance = exponent - low_exponent
    inverse = 1.0 / modulus
    power = power_of_two(m, m.shift_right_logical(distance, SQUARINGS))
    for bit in reversed(range(SQUARINGS)):
        odd = (distance & m.integer(1 << bit)) != m.integer(0)
        power = _product(m, power, m.select(odd, power + power, power), modulus, inverse)
    start = _less_product(m, whole, m.nearest(whole * inverse), modulus)
    rest = _product(m, power, start, modulus, inverse)
    rest = m.select(rest < 0.0, rest + modulus, rest)
    return scale(m, rest, low_exponent)


def _whole(m: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(w, e)` with x = w 2**e and w an integer of 53 bits, for a finite x > 0."""
    tiny = x < FORMATS[64].smallest_normal
    bits = m.bits(m.select(tiny, x * 2.0**LIFT, x))
    exponent = m.shift_right_logical(bits, 52) - m.integer(1075)
    exponent = m.select(tiny, exponent - m.integer(LIFT), exponent)
    mantissa = (bits & m.integer(MANTISSA)) | m.integer(1075 << 52)
    return m.from_bits(mantissa), exponent


def _product(m: Arithmetic, x: Value, y: Value, modulus: Value, inverse: Value) -> Value:
    """x y modulo a modulus of 53 bits, between -1/2 and 1/2 of it, for integers x up to half and y
    up to the modulus. Every difference here is an integer below 2**53, or a multiple of the last
    place of x y, and so exact."""
    high, low = m.multiply_exactly(x, y)
    multiple, multiple_low = m.multiply_exactly(m.nearest(high * inverse), modulus)
    upper, lower = high - multiple, low - multiple_low
    rest = _less_product(m, upper, m.nearest((upper + lower) * inverse), modulus)
    return rest + lower
