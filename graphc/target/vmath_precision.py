"""Texts that compute in float64, whatever the precision of their operands.

What they need of accuracy beyond that they read from the width of the operands: a float32 takes
shorter polynomials, and no sums of two floats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import EXP_TAIL, exp, exp_of_moderate, exp_of_sum

# Beyond, the exponential of a float64 is no normal number. A float32 is 0 or infinite long before.
NORMAL_EXPONENT = 700.0


def in_double(text: Callable[..., Value]) -> Callable[..., Value]:
    """The text `function(m, x, ...)` that runs `text(d, width, x, ...)` on the float64 machine `d`.

    `width` is the operands'. An operand that is NaN makes the result NaN.
    """

    @wraps(text)
    def function(m: Arithmetic, *operands: Value) -> Value:
        d = m.double()
        wide = [m.widen(operand) for operand in operands]
        result = text(d, m.width, *wide)
        for operand in wide:
            result = d.select(operand == operand, result, operand)
        return m.narrow(result)

    return function


def exp_to(d: Arithmetic, width: int, x: Value, low: Value | None = None) -> Value:
    """e**(x + low), right to what a result of `width` bits needs."""
    if width == 64:
        return exp(d, x) if low is None else exp_of_sum(d, x, low)
    bounded = d.select(x > NORMAL_EXPONENT, d.constant(NORMAL_EXPONENT), x)
    bounded = d.select(bounded < -NORMAL_EXPONENT, d.constant(-NORMAL_EXPONENT), bounded)
    return exp_of_moderate(d, bounded, EXP_TAIL[32])
