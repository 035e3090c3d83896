"""Distributions: numbers made of the random words of a block.

All are functions of the words alone, element by element, so they fuse with what uses them. Integers
and fractions of a power of two are the same bits on every target; where a logarithm, a root or an
angle comes in, targets differ by the few units in the last place that these functions state.
"""

from __future__ import annotations

import numpy as np

import graphc.ops.scalar as scalar
from graphc.ir.dtype import DType, float64
from graphc.ir.node import Node
from graphc.ops.bitwise import bitwise_right_shift
from graphc.ops.elementwise import cast
from graphc.ops.random_bits import Words
from graphc.ops.source import const

_HALF = np.uint32(2**31)
_ONES = np.uint32(2**32 - 1)


def unit(words: Words, dtype: DType, first: int = 0) -> Node:
    """Uniform in [0, 1): multiples of 2**-24 (float32), of 2**-53 (float64, of two words)."""
    high, low = words[first], words[first + 1]
    if dtype is not float64:
        return cast(bitwise_right_shift(high, 8), dtype) * 2.0**-24
    leading = cast(bitwise_right_shift(high, 5), float64) * 2.0**26
    return (leading + cast(bitwise_right_shift(low, 6), float64)) * 2.0**-53


def positive_unit(words: Words, dtype: DType) -> Node:
    """Uniform in (0, 1], from 2**-33 on (float32), 2**-65 (float64): a logarithm of it is finite.

    Small values have all their digits; those next to 1 are rounded.
    """
    if dtype is not float64:
        return cast(words[0], dtype) * 2.0**-32 + 2.0**-33
    return cast(words[0], float64) * 2.0**-32 + (cast(words[1], float64) + 0.5) * 2.0**-64


def folded(words: Words, dtype: DType) -> tuple[Node, Node]:
    """A uniform number u in (0, 1) as (u > 1/2, the distance to the nearer end).

    The distance lies in (0, 1/2], from 2**-33 (float32) or 2**-65 (float64) on, with all its
    digits: so both tails of a distribution have all theirs.
    """
    high = words[0]
    above = scalar.greater_equal(high, _HALF)
    nearer = scalar.where(above, const(_ONES) - high, high)
    return above, positive_unit((nearer, *words[1:]), dtype)


def standard_normal(words: Words, dtype: DType) -> Node:
    """The method of Box and Muller (1958): values up to 6.7 (float32) or 9.4 (float64)."""
    radius = scalar.sqrt(-2 * scalar.log(positive_unit(words, dtype)))
    return radius * scalar.cos((2 * np.pi) * _second_unit(words, dtype))


def _second_unit(words: Words, dtype: DType) -> Node:
    """A uniform number of the words that `positive_unit` leaves."""
    return unit(words, dtype, first=2 if dtype is float64 else 1)


def standard_exponential(words: Words, dtype: DType) -> Node:
    """-log(1 - u), for u next to 0 and next to 1 with all digits."""
    above, near = folded(words, dtype)
    return scalar.where(above, -scalar.log(near), -scalar.log1p(-near))


def _signed(above: Node, value: Node) -> Node:
    return scalar.where(above, value, -value)


def standard_laplace(words: Words, dtype: DType) -> Node:
    """-log(2 u) on both sides."""
    above, near = folded(words, dtype)
    return _signed(above, -scalar.log(2 * near))


def standard_logistic(words: Words, dtype: DType) -> Node:
    """log(u / (1 - u))."""
    above, near = folded(words, dtype)
    return _signed(above, scalar.log1p(-near) - scalar.log(near))


def standard_gumbel(words: Words, dtype: DType) -> Node:
    """-log(e) of an exponential number e: the largest values are where e has all its digits."""
    return -scalar.log(standard_exponential(words, dtype))


def standard_cauchy(words: Words, dtype: DType) -> Node:
    """tan(pi (u - 1/2)), as the cotangent of the angle to the nearer end."""
    above, near = folded(words, dtype)
    angle = np.pi * near
    return _signed(above, scalar.cos(angle) / scalar.sin(angle))
