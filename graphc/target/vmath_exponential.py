"""exp, expm1 and what is made of them: tanh, sigmoid, softplus.

exp: x = n ln 2 + r with abs(r) <= ln(2) / 2 (Cody and Waite 1980), then exp(r) = 1 + r + r**2 Q(r),
with Q fitted by minimax (Lawson's iteration at 300 bits, coefficients rounded one after another) so
that r Q(r) is right to 2**-31 and 2**-61.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import FORMATS, nearest_integer, power_of_two, scale
from graphc.target.vmath_logarithm import log_of_one_plus_fraction

EXP_TAIL = {
    32: (
        0.5,
        0.1666666716337204,
        0.04166647791862488,
        0.00833318941295147,
        0.0013933699810877442,
        0.00019961044017691165,
    ),
    64: (
        0.5,
        0.16666666666666677,
        0.041666666666666685,
        0.008333333333321442,
        0.0013888888888872932,
        0.00019841269886569803,
        2.4801587350477156e-05,
        2.755724378613887e-06,
        2.75572503533105e-07,
        2.510917871735833e-08,
        2.09223107298241e-09,
    ),
}
# Below the first, exp is 0; above the second, infinite.
EXP_RANGE = {32: (-104.0, 89.0), 64: (-746.0, 710.0)}
# Below the first, expm1 is -1 to the last bit; above the second, infinite.
EXPM1_RANGE = {32: (-18.0, 89.0), 64: (-38.0, 710.0)}
# Where tanh is 1 to the last bit.
TANH_LIMIT = {32: 9.1, 64: 19.1}
# (expm1(2 h) / 2 - h) / h**2 for abs(h) <= ln(2) / 4: the same fit, in powers of 2 h, to 2**-26.
HALF_TAIL = (
    1.0000000094257968,
    0.6666616446728540,
    0.3333330822990134,
    0.1338681730508463,
    0.0446115549597434,
)


def _clamp(m: Arithmetic, x: Value, low: float, high: float) -> Value:
    # The constant stands where a comparison with NaN fails, so that NaN passes through.
    x = m.select(x > high, m.constant(high), x)
    return m.select(x < low, m.constant(low), x)


def _reduce(m: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(r, pattern of n)` with x = n ln 2 + r."""
    layout = FORMATS[m.width]
    n, pattern = nearest_integer(m, x * layout.log2_e)
    r = m.multiply_add(n, m.constant(-layout.ln2_high), x)
    return m.multiply_add(n, m.constant(-layout.ln2_low), r), pattern


def _growth(m: Arithmetic, r: Value, tail: Sequence[float]) -> Value:
    """e**r - 1."""
    return m.multiply_add(r * r, m.polynomial(r, tail), r)


def _exp_of_rest(m: Arithmetic, r: Value, tail: Sequence[float]) -> Value:
    return _growth(m, r, tail) + 1.0


def exp(m: Arithmetic, x: Value) -> Value:
    """e**x. exp(-inf) = 0; subnormal results are rounded once."""
    r, pattern = _reduce(m, _clamp(m, x, *EXP_RANGE[m.width]))
    return exp_of_rest_scaled(m, r, pattern)


def exp_in_parts(m: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(g, pattern of n)` with e**x = 2**n (1 + g), abs(g) <= 0.42, by the operations of `exp`."""
    r, pattern = _reduce(m, _clamp(m, x, *EXP_RANGE[m.width]))
    return _growth(m, r, EXP_TAIL[m.width]), pattern


def exp_of_rest_scaled(m: Arithmetic, r: Value, pattern: Value) -> Value:
    """2**n e**r for abs(r) <= ln(2) / 2 and n in the low bits of `pattern`."""
    return scale(m, _exp_of_rest(m, r, EXP_TAIL[m.width]), pattern)


def exp_of_moderate(m: Arithmetic, x: Value, tail: Sequence[float] = ()) -> Value:
    """e**x for an x whose result is a normal number.

    `tail` takes the place of the polynomial's coefficients where less precision will do.
    """
    r, pattern = _reduce(m, x)
    return _exp_of_rest(m, r, tail or EXP_TAIL[m.width]) * power_of_two(m, pattern)


def exp_of_sum(m: Arithmetic, x: Value, low: Value) -> Value:
    """e**(x + low) for a `low` that is small beside x, over the whole range of x."""
    lowest, highest = EXP_RANGE[m.width]
    inside = (x > lowest) & (x < highest)
    r, pattern = _reduce(m, _clamp(m, x, lowest, highest))
    # Outside, the result is 0 or infinite, and `low` may be anything.
    r = r + m.select(inside, low, m.constant(0.0))
    return exp_of_rest_scaled(m, r, pattern)


def expm1(m: Arithmetic, x: Value) -> Value:
    """e**x - 1 = 2**n (expm1(r) + 1) - 1, accurate near 0; expm1(-0) = -0."""
    r, pattern = _reduce(m, _clamp(m, x, *EXPM1_RANGE[m.width]))
    small = m.multiply_add(r * r, m.polynomial(r, EXP_TAIL[m.width]), r)
    # 2**n overflows a little before the result does: half of it goes on last.
    power = power_of_two(m, pattern - m.integer(1))
    result = m.multiply_add(small, power, power - 0.5)
    # Halved and doubled, a subnormal would lose its last bit, and -0 its sign.
    return m.select(m.absolute(x) < FORMATS[m.width].smallest_normal, x, result + result)


def tanh(m: Arithmetic, x: Value) -> Value:
    """The hyperbolic tangent, t / (t + 1) with t = expm1(2 x) / 2."""
    a = m.absolute(x)
    limit = TANH_LIMIT[m.width]
    bounded = m.select(a > limit, m.constant(limit), a)
    if m.width == 32:
        return m.copysign(_tanh_single(m, bounded), x)
    raised = expm1(m, bounded + bounded)
    return m.copysign(raised / (raised + 2.0), x)


def _tanh_single(m: Arithmetic, a: Value) -> Value:
    """For 0 <= a: t - t**2 / (t + 1) near 0, else 1 - 1 / (t + 1), which round less."""
    layout = FORMATS[m.width]
    n, pattern = nearest_integer(m, a * (2.0 * layout.log2_e))
    h = m.multiply_add(n, m.constant(-0.5 * layout.ln2_high), a)
    h = m.multiply_add(n, m.constant(-0.5 * layout.ln2_low), h)
    small = m.multiply_add(h * h, m.polynomial(h, HALF_TAIL), h)
    power = power_of_two(m, pattern)
    grown = m.multiply_add(power, m.constant(0.5), m.constant(-0.5))
    t = m.multiply_add(small, power, grown)
    reciprocal = 1.0 / (t + 1.0)
    near = m.multiply_add(-t, t * reciprocal, t)
    return m.select(a < 0.58, near, 1.0 - reciprocal)


def sigmoid(m: Arithmetic, x: Value) -> Value:
    """1 / (1 + exp(-x)), by exp(-abs(x)) so that neither end overflows or loses its subnormals."""
    raised = exp(m, -m.absolute(x))
    negative = x < 0.0
    total = raised + 1.0
    lost = raised - (total - 1.0)
    result = m.select(negative, raised, m.constant(1.0)) / total
    # 1 / (t + d) = (1 - d / t) / t: the rounding of 1 + raised alone would cost a unit in the last
    # place.
    reciprocal = m.select(negative, 1.0 - result, result)
    return m.multiply_add(-(result * lost), reciprocal, result)


def softplus(m: Arithmetic, x: Value) -> Value:
    """log1p(exp(x)) = max(x, 0) + log1p(exp(-abs(x)))."""
    positive = m.select(x < 0.0, m.constant(0.0), x)
    return positive + log_of_one_plus_fraction(m, exp(m, -m.absolute(x)))
