"""Functions with steps and corners: rounding, heaviside, softsign."""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value


def round_half_even(m: Arithmetic, x: Value) -> Value:
    """The integer nearest to x, as a float, the even one of two."""
    return m.nearest(x)


def truncate(m: Arithmetic, x: Value) -> Value:
    """x without its fraction, as a float."""
    return m.truncate(x)


def heaviside(m: Arithmetic, x: Value, at_zero: Value) -> Value:
    """0 below 0, 1 above, `at_zero` at 0; NaN of NaN."""
    result = m.select(x < 0.0, m.constant(0.0), m.constant(1.0))
    result = m.select(x == 0.0, at_zero, result)
    return m.select(x != x, x, result)


def softsign(m: Arithmetic, x: Value) -> Value:
    """x / (1 + abs(x)), 1 at infinity."""
    a = m.absolute(x)
    return m.select(a == math.inf, m.copysign(m.constant(1.0), x), x / (a + 1.0))
