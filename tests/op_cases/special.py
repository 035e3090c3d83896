"""Cases of the special functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from tests.op_cases.case import Case, Sample, anywhere, positive

_S = (3, 4)
_ORDERS = np.array([[1, 2, 3, 1], [2, 1, 1, 3], [3, 2, 1, 2]])


def fraction(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0.05 to 0.95."""
    return random.uniform(0.05, 0.95, shape)


def order(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers from 1 to 3, as floats."""
    return random.integers(1, 4, shape).astype(float)


def _log_erfc(x: np.ndarray) -> Any:
    return special.log_ndtr(-x * np.sqrt(2)) + np.log(2)


_UNARY: dict[str, tuple[Callable[..., Any], Sample]] = {
    "digamma": (special.psi, positive), "entr": (special.entr, positive),
    "erfc": (special.erfc, anywhere), "erfcinv": (special.erfcinv, fraction),
    "erfcx": (special.erfcx, anywhere), "erfinv": (special.erfinv, fraction),
    "gamma": (special.gamma, positive), "bessel_i0": (special.i0, anywhere),
    "bessel_i0e": (special.i0e, anywhere),
    "bessel_i1": (special.i1, anywhere), "bessel_i1e": (special.i1e, anywhere),
    "lgamma": (special.gammaln, positive), "log_erfc": (_log_erfc, anywhere),
    "log_ndtr": (special.log_ndtr, anywhere), "ndtr": (special.ndtr, anywhere),
    "ndtri": (special.ndtri, fraction),
}  # fmt: skip


def _apply(name: str) -> Callable[..., Node]:
    op: Any = REGISTRY[name]
    return lambda *nodes: op(*nodes)


def _of_order(name: str, oracle: Callable[..., Any]) -> Case:
    """A function with an order, which has no derivative in it."""
    op: Any = REGISTRY[name]
    return Case(
        lambda k, x: op(gx.cast(k, x.dtype), x), (_S, _S), oracle, (order, positive),
        exact={0: _ORDERS},
    )  # fmt: skip


CASES: dict[str, Case] = {
    **{name: Case(_apply(name), (_S,), f, (s,)) for name, (f, s) in _UNARY.items()},
    "betaln": Case(_apply("betaln"), (_S, (4,)), special.betaln, (positive, positive)),
    "xlog1py": Case(_apply("xlog1py"), (_S, (4,)), special.xlog1py, (positive, positive)),
    "polygamma": _of_order("polygamma", special.polygamma),
    "bessel_quotient": _of_order("bessel_quotient", lambda k, x: special.iv(k, x) / x**k),
    "bessel_quotient_scaled": _of_order(
        "bessel_quotient_scaled", lambda k, x: special.ive(k, x) / x**k
    ),
}
