"""Cases of the group: elementary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from tests.op_cases.case import Case, Sample, anywhere, positive

_S = (3, 4)


def inside(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between -0.9 and 0.9."""
    return random.uniform(-0.9, 0.9, shape)


def fraction(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.1 and 0.9."""
    return random.uniform(0.1, 0.9, shape)


def above_one(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 1.2 to 3."""
    return random.uniform(1.2, 3.0, shape)


def off_the_steps(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers at least 0.1 from where rounding jumps, 0.2 + 0.5 k."""
    return random.integers(-6, 6, shape) * 0.5 + random.uniform(0.1, 0.4, shape)


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def _tenths(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Dividends whose quotients by `_quarters` are not next to a whole number."""
    return random.permuted(np.resize([-7.4, -2.3, 3.1, 5.3, 8.7], shape))


def _quarters(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.permuted(np.resize([1.75, -1.75, 1.25, -1.25], shape))


_UNARY: dict[str, tuple[Callable[..., Any], Sample]] = {
    "exp2": (np.exp2, anywhere), "log2": (np.log2, positive), "log10": (np.log10, positive),
    "cbrt": (np.cbrt, anywhere), "rsqrt": (lambda x: x**-0.5, positive),
    "reciprocal": (lambda x: 1 / x, anywhere), "tan": (np.tan, inside),
    "asin": (np.arcsin, inside), "acos": (np.arccos, inside), "atan": (np.arctan, anywhere),
    "sinh": (np.sinh, anywhere), "cosh": (np.cosh, anywhere), "asinh": (np.arcsinh, anywhere),
    "acosh": (np.arccosh, above_one), "atanh": (np.arctanh, inside), "sinc": (np.sinc, anywhere),
    "logit": (_logit, fraction), "softsign": (lambda x: x / (1 + np.abs(x)), anywhere),
    "ceil": (np.ceil, off_the_steps), "round": (np.round, off_the_steps),
    "trunc": (np.trunc, off_the_steps),
}  # fmt: skip
_BINARY: dict[str, tuple[Callable[..., Any], Sample, Sample]] = {
    "hypot": (np.hypot, anywhere, anywhere), "atan2": (np.arctan2, anywhere, anywhere),
    "logaddexp": (np.logaddexp, anywhere, anywhere),
    "xlogy": (lambda x, y: x * np.log(y), anywhere, positive),
    "heaviside": (np.heaviside, anywhere, anywhere),
    "floor_divide": (np.floor_divide, _tenths, _quarters),
    "remainder": (np.remainder, _tenths, _quarters), "fmod": (np.fmod, _tenths, _quarters),
}  # fmt: skip
_BITS = {
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_left_shift": np.left_shift, "bitwise_right_shift": np.right_shift,
}  # fmt: skip


def _apply(name: str) -> Callable[..., Node]:
    op: Any = REGISTRY[name]
    return lambda *nodes: op(*nodes)


def _on_integers(name: str, function: Callable[..., Any]) -> Case:
    """Of floats made integers, so that a derivative may be asked for; some are negative."""
    op: Any = REGISTRY[name]
    return Case(
        lambda x, y: op(gx.cast(x * 100, "int32"), gx.cast(y * 3, "int32")), (_S, (4,)),
        lambda x, y: function((x * 100).astype("int32"), (y * 3).astype("int32")), smooth=False,
    )  # fmt: skip


CASES: dict[str, Case] = {
    **{name: Case(_apply(name), (_S,), f, (s,)) for name, (f, s) in _UNARY.items()},
    **{name: Case(_apply(name), (_S, (4,)), f, (s, t)) for name, (f, s, t) in _BINARY.items()},
    **{name: _on_integers(name, f) for name, f in _BITS.items()},
    "bitwise_invert": Case(lambda x: gx.bitwise_invert(gx.cast(x * 100, "int32")), (_S,),
    lambda x: ~(x * 100).astype("int32"), smooth=False),
    "isinf": Case(gx.isinf, (_S,), np.isinf, smooth=False),
}  # fmt: skip
