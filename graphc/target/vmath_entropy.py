"""Products with a logarithm that are 0 where the factor is."""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_logarithm import log, log1p


def xlog1py(m: Arithmetic, x: Value, y: Value) -> Value:
    """x log(1 + y), and 0 where x is 0 and y is a number."""
    return m.select((x == 0.0) & (y == y), m.constant(0.0), x * log1p(m, y))


def entr(m: Arithmetic, x: Value) -> Value:
    """-x log(x): 0 at 0, -inf below."""
    result = m.select(x == 0.0, m.constant(0.0), -(x * log(m, x)) + 0.0)
    return m.select(x < 0.0, m.constant(-math.inf), result)
