"""cbrt and hypot.

cbrt: x = 2**(3 q + r) m with m between sqrt(1/2) and sqrt(2) and r one of -1, 0, 1. A polynomial
(minimax by Lawson's iteration at 300 bits, right to 2**-14) gives s near m**(-1/3); Newton's
s + s (1 - m s**3) / 3 doubles its digits without a division; then m**(1/3) = m s**2, whose
remainder m - y**3 corrects it once more. float32 computes both in float64.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import FORMATS, nearest_integer, power_of_two
from graphc.target.vmath_logarithm import split_exponent

INVERSE_ROOT = (
    1.874511729125277,
    -1.861800331928119,
    1.56125860044853,
    -0.7023551933753491,
    0.12836176668391885,
)
CBRT_OF_2, CBRT_OF_HALF = 1.2599210498948732, 0.7937005259840998
# Beyond these, squares of float64 numbers would overflow or lose digits.
HUGE, TINY = 2.0**500, 2.0**-500
SHRINK, GROW = 2.0**-600, 2.0**600


def cbrt(m: Arithmetic, x: Value) -> Value:
    """The real cube root, of the sign of x; exact for cubes."""
    d = m.double()
    root = _cbrt_of_positive(d, d.absolute(m.widen(x)), 1 if m.width == 32 else 2)
    root = m.copysign(m.narrow(root), x)
    # 0, infinity and NaN are their own roots.
    return m.select((m.absolute(x) < math.inf) & (x != 0.0), root, x + x)


def _cbrt_of_positive(d: Arithmetic, a: Value, steps: int) -> Value:
    tiny = a < FORMATS[64].smallest_normal
    k, mantissa = split_exponent(d, d.select(tiny, a * 2.0**54, a))
    k = d.select(tiny, k - 54.0, k)
    q, pattern = nearest_integer(d, k * (1 / 3))
    r = k - q * 3.0
    s = d.polynomial(mantissa, INVERSE_ROOT)
    s = d.select(r > 0.5, s * CBRT_OF_HALF, d.select(r < -0.5, s * CBRT_OF_2, s))
    mantissa = d.select(r > 0.5, mantissa * 2.0, d.select(r < -0.5, mantissa * 0.5, mantissa))
    for _ in range(steps):
        lost = d.multiply_add(-(mantissa * s), s * s, d.constant(1.0))
        s = d.multiply_add(s * (1 / 3), lost, s)
    y = mantissa * s * s
    if steps > 1:
        square, error = d.multiply_exactly(y, y)
        cube, cube_error = d.multiply_exactly(square, y)
        rest = ((mantissa - cube) - cube_error) - error * y
        y = d.multiply_add(rest * (1 / 3), s * s, y)
    return y * power_of_two(d, pattern)


def hypot(m: Arithmetic, a: Value, b: Value) -> Value:
    """sqrt(a**2 + b**2) without overflow on the way; inf where one is, even beside NaN."""
    if m.width == 32:
        d = m.double()
        wide, high = m.widen(a), m.widen(b)
        length = m.narrow(d.square_root(d.multiply_add(wide, wide, high * high)))
    else:
        length = _hypot_double(m, m.absolute(a), m.absolute(b))
    infinite = (m.absolute(a) == math.inf) | (m.absolute(b) == math.inf)
    return m.select(infinite, m.constant(math.inf), length)


def _hypot_double(m: Arithmetic, a: Value, b: Value) -> Value:
    large = m.select(a > b, a, b)
    small = m.select(a > b, b, a)
    huge, tiny = large > HUGE, large < TINY
    one = m.constant(1.0)
    scale = m.select(huge, m.constant(SHRINK), m.select(tiny, m.constant(GROW), one))
    back = m.select(huge, m.constant(GROW), m.select(tiny, m.constant(SHRINK), one))
    large, small = large * scale, small * scale
    return m.square_root(m.multiply_add(large, large, small * small)) * back
