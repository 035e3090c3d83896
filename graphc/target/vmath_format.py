"""What the elementary functions know of a float format: its layout, split constants, powers."""

from __future__ import annotations

from typing import NamedTuple

from graphc.target.arithmetic import Arithmetic, Value


class Format(NamedTuple):
    """Constants of one IEEE 754 binary format.

    `rounder` is 1.5 * 2**(precision - 1): adding and subtracting it rounds a small float to the
    nearest integer (ties to even) and leaves that integer, in two's complement, in the low bits of
    the sum. `ln2_high` has so many trailing zeros that its product with an exponent is exact (Cody
    and Waite 1980).
    """

    mantissa_bits: int
    bias: int
    rounder: float
    smallest_normal: float
    log2_e: float
    ln2_high: float
    ln2_low: float


FORMATS = {
    32: Format(
        mantissa_bits=23,
        bias=127,
        rounder=12582912.0,
        smallest_normal=1.1754943508222875e-38,
        log2_e=1.4426950408889634,
        ln2_high=0.693145751953125,
        ln2_low=1.42860682030941723e-06,
    ),
    64: Format(
        mantissa_bits=52,
        bias=1023,
        rounder=6755399441055744.0,
        smallest_normal=2.2250738585072014e-308,
        log2_e=1.4426950408889634,
        ln2_high=0.6931471803691238,
        ln2_low=1.9082149292705877e-10,
    ),
}


def nearest_integer(m: Arithmetic, x: Value) -> tuple[Value, Value]:
    """`(n, pattern)`: `x` rounded to an integer, as a float and in the low bits of an integer.

    For `abs(x)` below 2**(mantissa bits - 2). The upper bits of the pattern are the rounder's:
    shift them out.
    """
    rounder = FORMATS[m.width].rounder
    shifted = x + rounder
    return shifted - rounder, m.bits(shifted)


def power_of_two(m: Arithmetic, pattern: Value) -> Value:
    """2**n for an n (in the low bits of `pattern`) whose power is a normal number."""
    layout = FORMATS[m.width]
    return m.from_bits((pattern + m.integer(layout.bias)) << layout.mantissa_bits)


def scale(m: Arithmetic, x: Value, pattern: Value) -> Value:
    """`x * 2**n` with overflow to infinity and one rounding into the subnormals.

    For `x` near 1 and n (in the low bits of `pattern`) up to twice the exponent range: half of n
    goes on without rounding.
    """
    half = m.shift_right_logical(pattern, 1)
    return x * power_of_two(m, half) * power_of_two(m, pattern - half)
