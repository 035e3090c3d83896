"""The elementary functions that kernels compute with, each one text over `Arithmetic`, and how exact each is."""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import exp, expm1, sigmoid, softplus, tanh
from graphc.target.vmath_logarithm import log, log1p


def square_root(m: Arithmetic, x: Value) -> Value:
    """The square root, correctly rounded; nan below 0."""
    return m.square_root(x)


UNARY: dict[str, Callable[[Arithmetic, Value], Value]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "sqrt": square_root,
    "tanh": tanh,
}

BINARY: dict[str, Callable[[Arithmetic, Value, Value], Value]] = {}
