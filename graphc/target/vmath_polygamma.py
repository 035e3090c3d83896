"""polygamma(n, x) = (-1)**(n + 1) n! times the sum of (x + k)**-(n + 1) over k >= 0.

Some terms directly, the rest by Euler and Maclaurin's formula. Powers are products, by squaring.
Below 0 the sum over all integers k is that of the fraction of x and of its complement, less what
lies below x.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_format import nearest_integer
from graphc.target.vmath_gamma import digamma_of, positive_gamma
from graphc.target.vmath_precision import in_double

# Terms summed directly, and terms of Euler and Maclaurin's series.
DIRECT = {32: 6, 64: 8}
SERIES = {32: 6, 64: 12}
# n! is infinite from 171 on, which has this many bits.
ORDER_BITS = 8
LARGEST_ORDER = 170.0
# Each term's coefficient B(2 j) / (2 j)! over the one before; the first is 1/12.
RATIOS = (
    -0.016666666666666666,
    -0.023809523809523808,
    -0.025,
    -0.025252525252525252,
    -0.02531135531135531,
    -0.02532561505065123,
    -0.025329131652661065,
    -0.025330005504037488,
    -0.02533022338183393,
    -0.025330277786482922,
    -0.025330291380456796,
)


def _power(d: Arithmetic, x: Value, bits: list[Value]) -> Value:
    """x**n, n by its bits from the lowest."""
    result = d.select(bits[0], x, d.constant(1.0))
    for bit in bits[1:]:
        x = x * x
        result = d.select(bit, result * x, result)
    return result


def _sum(d: Arithmetic, width: int, n: Value, bits: list[Value], y: Value) -> Value:
    """The sum of (y + k)**-(n + 1) over k >= 0, for y >= 0 and n >= 1."""
    end = y + float(DIRECT[width])
    inverse = 1.0 / end
    square = inverse * inverse
    series = d.constant(1.0)
    for j in range(SERIES[width] - 1, 0, -1):
        ratio = (n + float(2 * j)) * (n + float(2 * j + 1)) * (square * RATIOS[j - 1])
        series = d.multiply_add(ratio, series, d.constant(1.0))
    rest = 1.0 / n + inverse * 0.5 + (n + 1.0) * square * series * (1.0 / 12.0)
    rest = rest / _power(d, end, bits)
    # What y lost in `end`; the direct terms go in as one, lest each rounds the sum again.
    lost = y - (end - float(DIRECT[width]))
    rest = rest - rest * (n * lost * inverse)
    direct = d.constant(0.0)
    for k in range(DIRECT[width] - 1, -1, -1):
        term = y + float(k) if k else y
        direct = direct + 1.0 / (_power(d, term, bits) * term)
    return direct + rest


def _bits(d: Arithmetic, n: Value) -> list[Value]:
    _, pattern = nearest_integer(d, n)
    return [(pattern & d.integer(1 << bit)) != d.integer(0) for bit in range(ORDER_BITS)]


@in_double
def polygamma(d: Arithmetic, width: int, n: Value, x: Value) -> Value:
    """The n-th derivative of digamma for n = 0, 1 ... 170, nan for other n; poles as SciPy."""
    whole = (n == d.floor(n)) & (n >= 0.0) & (n <= LARGEST_ORDER)
    order = d.select(whole & (n > 0.0), n, d.constant(1.0))
    bits = _bits(d, order)
    negative = x < 0.0
    # -inf counts as a pole.
    finite = d.select(x > -math.inf, x, d.constant(-1.0))
    floor = d.floor(finite)
    fraction, complement = finite - floor, (floor - finite) + 1.0
    above = _sum(d, width, order, bits, d.select(negative, 1.0 - finite, d.absolute(finite)))
    between = _sum(d, width, order, bits, fraction)
    beyond = _sum(d, width, order, bits, complement)
    below = beyond - above
    reflected = between + d.select(bits[0], below, -below)
    above = d.select(x < math.inf, above, d.constant(0.0))
    total = d.select(negative, reflected, above)
    total = d.select(negative & (fraction == 0.0), d.constant(math.inf), total)
    size = total * positive_gamma(d, width, order + 1.0, order < 0.0)
    half = n * 0.5
    result = d.select(half == d.floor(half), -size, size)
    result = d.select(whole, result, d.constant(math.nan))
    return d.select(n == 0.0, digamma_of(d, width, x), result)
