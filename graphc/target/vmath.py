"""The elementary functions of kernels, each one text over `Arithmetic`, and how exact each is."""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_error_function import erf
from graphc.target.vmath_exponential import exp, expm1, sigmoid, softplus, tanh
from graphc.target.vmath_logarithm import log, log1p
from graphc.target.vmath_power import power
from graphc.target.vmath_trigonometric import cos, sin


def square_root(m: Arithmetic, x: Value) -> Value:
    """The square root, correctly rounded; nan below 0."""
    return m.square_root(x)


UNARY: dict[str, Callable[[Arithmetic, Value], Value]] = {
    "cos": cos,
    "erf": erf,
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "sin": sin,
    "softplus": softplus,
    "sqrt": square_root,
    "tanh": tanh,
}

BINARY: dict[str, Callable[[Arithmetic, Value, Value], Value]] = {"power": power}

ULP: dict[str, dict[int, float]] = {
    "cos": {32: 1.6, 64: 0.9},
    "erf": {32: 1.2, 64: 1.6},
    "exp": {32: 1.0, 64: 1.0},
    "expm1": {32: 1.6, 64: 2.0},
    "log": {32: 0.9, 64: 0.9},
    "log1p": {32: 0.9, 64: 0.9},
    "power": {32: 0.6, 64: 1.4},
    "sigmoid": {32: 2.0, 64: 2.0},
    "sin": {32: 1.6, 64: 0.9},
    "softplus": {32: 1.8, 64: 1.8},
    "sqrt": {32: 0.5, 64: 0.5},
    "tanh": {32: 1.5, 64: 2.8},
}
"""The largest error of each function by the width of its float, in units in the last place.

With a fused multiply-add. float32: of every argument (of some millions for power); float64: of some
millions of random and hard arguments. Two roundings in place of one cost at most one unit more.
"""
