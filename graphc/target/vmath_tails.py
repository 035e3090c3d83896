"""erfc and ndtr: a bell, times what is left of the tail beside it.

For a = abs(x) the tails are

    erfc(a) = exp(-a**2) (1 + B(t)) / (1.5 a + 1)
    ndtr(-a) = exp(-a**2 / 2) (1 + B(t)) / (2 a + 2)

with t = (a - n) / (a + k) and a polynomial B for each, small enough that its own rounding counts
little. In float32 they are fitted by minimax (Lawson's iteration, coefficients rounded one after
another) to 2**-27 and 2**-29; in float64 they interpolate at Chebyshev's points, to 2**-56.

The bell is `exp` of the rounded square, by the same operations: where the density is computed
beside the probability, as its derivative is, the compiler finds them equal and does them once. What
the square lost in rounding goes, with what the quotient lost, into one small correction.
"""

from __future__ import annotations

from typing import NamedTuple

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import exp_in_parts
from graphc.target.vmath_format import scale


class Variable(NamedTuple):
    """t = (a - near) / (a + far) up to an a from which on the tail is 0, and B's coefficients."""

    near: float
    far: float
    limit: float
    coefficients: tuple[float, ...]


class Tail(NamedTuple):
    """height exp(exponent a**2) (1 + B(t)) / (1 + a * sum(slopes)), for floats of either width.

    These numbers are powers of two or their negatives.
    """

    height: float
    exponent: float
    slopes: tuple[float, ...]
    variables: dict[int, Variable]


ERFC = Tail(
    height=1.0,
    exponent=-1.0,
    slopes=(1.0, 0.5),
    variables={
        32: Variable(
            near=0.625,
            far=2.5,
            limit=11.0,
            coefficients=(
                0.0788268968462944,
                -0.007750723976641893,
                -0.9186779856681824,
                1.3068243265151978,
                -0.7541010975837708,
                0.022603634744882584,
                0.1641329824924469,
                -0.007751130964607,
                -0.05296552926301956,
                0.010029398836195469,
                0.005189231131225824,
            ),
        ),
        64: Variable(
            near=2.0,
            far=3.5,
            limit=28.0,
            coefficients=(
                0.021582705242022975,
                -0.24250783121509886,
                -0.030264222790476514,
                0.32532440011609376,
                -0.4824534969924322,
                0.43935055794155303,
                -0.26931971252930414,
                0.10015065051703818,
                -0.008188706803272454,
                -0.012475361222372477,
                0.00499699239202136,
                0.0010788117130884367,
                -0.001095799503997489,
                -9.299283568660991e-05,
                0.00022597795270317864,
                1.7154338403008962e-05,
                -4.858528875137231e-05,
                -7.2255576997127756e-06,
                1.0894047836836227e-05,
                2.9622512162972184e-06,
                -2.688850129869367e-06,
                -6.766517227412756e-07,
                6.584067975959885e-07,
                -8.933531125936497e-08,
            ),
        ),
    },
)

NDTR = Tail(
    height=0.5,
    exponent=-0.5,
    slopes=(1.0,),
    variables={
        32: Variable(
            near=1.5,
            far=4.0,
            limit=15.0,
            coefficients=(
                0.028903335332870483,
                -0.2188728302717209,
                -0.3582707643508911,
                0.814827561378479,
                -0.7644951939582825,
                0.3470383286476135,
                -0.003671504557132721,
                -0.06793743371963501,
                0.01100146770477295,
                0.015410576947033405,
                -0.006041374988853931,
            ),
        ),
        64: Variable(
            near=4.0,
            far=6.0,
            limit=39.0,
            coefficients=(
                -0.05589358698031063,
                -0.24175869331631442,
                0.1041885318429068,
                0.07473582449497704,
                -0.22902574157541333,
                0.3049056452653283,
                -0.28963240033339555,
                0.2125156793707196,
                -0.12060522507504022,
                0.04992337563353902,
                -0.011974085137907367,
                -0.000907262253563796,
                0.002017475411468236,
                -0.0005803443316500345,
                -0.00012977906270165418,
                0.00012560454041379043,
                -6.126416360803121e-06,
                -2.0247549570580146e-05,
                4.081701109367278e-06,
                3.059445055744177e-06,
                -1.0337186537409852e-06,
                -3.638666524993725e-07,
                1.7274594589814134e-07,
            ),
        ),
    },
)


def _value(m: Arithmetic, tail: Tail, x: Value) -> Value:
    """The tail beyond abs(x). Each difference from the exact formula is less than a rounding."""
    form = tail.variables[m.width]
    size = m.absolute(x)
    a = m.select(size > form.limit, m.constant(form.limit), size)
    growth, pattern = exp_in_parts(m, x * x * tail.exponent)
    _, square_rest = m.multiply_exactly(a, a)
    below = m.multiply_add(a, m.constant(sum(tail.slopes)), m.constant(1.0))
    shifted = a + form.far
    both = 1.0 / (below * shifted)
    quotient = shifted * both
    # 1 - quotient (1 + a sum(slopes)): the sum is not rounded in here.
    lost = m.constant(1.0)
    for slope in tail.slopes:
        lost = m.multiply_add(quotient * -slope, a, lost)
    lost = m.multiply_add(square_rest, m.constant(tail.exponent), lost - quotient)
    bend = m.polynomial((a - form.near) * (below * both), form.coefficients)
    bend = bend + m.multiply_add(bend, lost, lost)
    quotient = quotient * tail.height
    value = m.multiply_add(quotient, growth, quotient)
    rest = m.multiply_add(quotient, growth, quotient - value)
    return scale(m, value + m.multiply_add(value, bend, rest), pattern)


def erfc(m: Arithmetic, x: Value) -> Value:
    """1 - erf(x), accurate where that is small; erfc(-inf) = 2."""
    tail = _value(m, ERFC, x)
    return m.select(x < 0.0, 2.0 - tail, tail)


def ndtr(m: Arithmetic, x: Value) -> Value:
    """erfc(-x / sqrt(2)) / 2, without the error that rounding x / sqrt(2) would bring."""
    tail = _value(m, NDTR, x)
    return m.select(x < 0.0, tail, 1.0 - tail)
