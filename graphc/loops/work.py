"""How much a kernel computes for each element it visits, in units of one addition.

It decides how many elements are worth handing to another thread, so it depends on the program
alone.
"""

from __future__ import annotations

from graphc.loops.ir import Apply, Expression, Loop, RandomBits, Statement
from graphc.loops.tidy import expressions, walk

# Measured in vectorised kernels on arrays that are in the cache, to the nearest power of two.
_WEIGHTS = (
    dict.fromkeys(
        ("exp", "log", "expm1", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf",
         "exp2", "hypot", "sinc", "softsign"), 8
    )
    | dict.fromkeys(
        ("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cosh", "log10",
         "log2", "logaddexp", "logit", "sinh", "tan", "xlogy"), 16
    )
    | dict.fromkeys(("floor_divide", "fmod", "remainder"), 32)
    | dict.fromkeys(("entr", "xlog1py"), 16)
    | dict.fromkeys(
        ("bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "erfc", "erfcx", "ndtr"), 32
    )
    | dict.fromkeys(
        ("digamma", "erfcinv", "erfinv", "gamma", "lgamma", "log_erfc", "log_ndtr", "ndtri"), 64
    )
    | {"betaln": 128, "bessel_quotient": 256, "bessel_quotient_scaled": 256, "polygamma": 512}
    | {"divide": 4, "sqrt": 4, "power": 16}
)  # fmt: skip
_RANDOM_BITS = 16


def work(body: tuple[Statement, ...]) -> int:
    """Work at each index of the innermost loops, all of them together; at least 1.

    >>> from graphc.loops.ir import Constant, Store, Variable
    >>> x, i = Variable("x", "float32"), Variable("i", "int64")
    >>> y = Apply("exp", (Apply("add", (x, x), "float32"),), "float32")
    >>> work((Store(0, i, y),))
    9
    """
    return max(_body(body), 1)


def _body(body: tuple[Statement, ...]) -> int:
    total = 0
    for statement in body:
        total += sum(map(_own, walk(*expressions(statement))))
        if isinstance(statement, Loop):
            total += len(statement.accumulators) + _body(statement.body)
    return total


def _own(value: Expression) -> int:
    """The work of an operation, without that of its operands."""
    if isinstance(value, Apply):
        return _WEIGHTS.get(value.operation, 1) if value.dtype in ("float32", "float64") else 0
    return _RANDOM_BITS if isinstance(value, RandomBits) else 0
