"""The elementary functions of kernels, each one text over `Arithmetic`.

How exact each is, its operation states as `ulp`.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.target import vmath_special
from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_division import floor_divide, fmod, remainder
from graphc.target.vmath_error_function import erf
from graphc.target.vmath_exponential import exp, expm1, sigmoid, softplus, tanh
from graphc.target.vmath_hyperbolic import acosh, asinh, atanh, cosh, sinh
from graphc.target.vmath_inverse_trigonometric import acos, asin, atan, atan2
from graphc.target.vmath_logarithm import log, log1p
from graphc.target.vmath_logarithm_bases import exp2, log2, log10
from graphc.target.vmath_logarithmic_forms import logaddexp, logit, xlogy
from graphc.target.vmath_power import power
from graphc.target.vmath_roots import cbrt, hypot
from graphc.target.vmath_steps import heaviside, round_half_even, softsign, truncate
from graphc.target.vmath_trigonometric import cos, sin, sinc, tan


def square_root(m: Arithmetic, x: Value) -> Value:
    """The square root, correctly rounded; nan below 0."""
    return m.square_root(x)


UNARY: dict[str, Callable[[Arithmetic, Value], Value]] = {
    "acos": acos,
    "acosh": acosh,
    "asin": asin,
    "asinh": asinh,
    "atan": atan,
    "atanh": atanh,
    "cbrt": cbrt,
    "cos": cos,
    "cosh": cosh,
    "erf": erf,
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "log": log,
    "log10": log10,
    "log1p": log1p,
    "log2": log2,
    "logit": logit,
    "round": round_half_even,
    "sigmoid": sigmoid,
    "sin": sin,
    "sinc": sinc,
    "sinh": sinh,
    "softplus": softplus,
    "softsign": softsign,
    "sqrt": square_root,
    "tan": tan,
    "tanh": tanh,
    "trunc": truncate,
    **vmath_special.UNARY,
}

BINARY: dict[str, Callable[[Arithmetic, Value, Value], Value]] = {
    "atan2": atan2,
    "heaviside": heaviside,
    "hypot": hypot,
    "logaddexp": logaddexp,
    "power": power,
    "xlogy": xlogy,
    **vmath_special.BINARY,
}

# These take integers too, which every target divides in its own way.
DIVISION: dict[str, Callable[[Arithmetic, Value, Value], Value]] = {
    "floor_divide": floor_divide,
    "fmod": fmod,
    "remainder": remainder,
}
