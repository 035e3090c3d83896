"""The special functions: complements and inverses of the error function, the normal distribution,
gamma and its logarithmic derivatives, modified Bessel functions, entropy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.ir.node import Node
from graphc.ir.op import ATOM, PRODUCT, Notation
from graphc.ops.elementwise import ElementwiseOp, elementwise

# Derivatives name operations that are defined further down.
i0: ElementwiseOp
i1: ElementwiseOp
i0e: ElementwiseOp
i1e: ElementwiseOp
digamma: ElementwiseOp
polygamma: ElementwiseOp
bessel_quotient: ElementwiseOp
bessel_quotient_scaled: ElementwiseOp

_ROOT_PI = math.sqrt(math.pi)
_SLOPE = 2 / _ROOT_PI


def _double(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """A reference that computes in float64 and rounds to the type of its operands."""

    def reference(*arrays: np.ndarray) -> np.ndarray:
        wide = [np.asarray(array, np.float64) for array in arrays]
        return np.asarray(function(*wide)).astype(arrays[0].dtype)

    return reference


def _scipy(name: str) -> Callable[..., np.ndarray]:
    """SciPy's function of this name, imported when it is first needed."""

    def function(*arrays: np.ndarray) -> Any:
        from scipy import special

        return getattr(special, name)(*arrays)

    return _double(function)


def _named(text: str, latex: str) -> Notation:
    return Notation(f"{text}({{0}})", rf"{latex}\left({{0}}\right)", ATOM)


def _roman(name: str) -> Notation:
    return _named(name, r"\operatorname{" + name.replace("_", r"\_") + "}")


# ---- the error function's complement and inverses

erfc = elementwise(
    "erfc", lambda sp, x: sp.erfc(x), derivative=lambda x, y: -_SLOPE * scalar.exp(-x * x),
    reference=_scipy("erfc"), notation=_roman("erfc"), primitive=True,
    properties=("positive", "nonnegative"),
    doc="1 - erf(x), accurate where that is small", ulp=(1.9, 2.4),
)  # fmt: skip

# From here on erfcx's derivative by its definition would lose digits, and the continued fraction
# has converged.
_FRACTION_START, _FRACTION_DEPTH = 8.0, 16


def _erfcx_slope(x: Node, y: Node) -> Node:
    """2 x y - 2 / sqrt(pi), whose terms cancel for large x.

    There sqrt(pi) y = 1 / (x + r) with the continued fraction r = 1/2 / (x + 1 / (x + 3/2 / (x +
    ...))) (Abramowitz and Stegun 7.1.14), so that the derivative is -2 r y.
    """
    large = scalar.greater(x, _FRACTION_START)
    beyond = scalar.where(large, x, _FRACTION_START)
    rest = beyond
    for level in range(_FRACTION_DEPTH, 0, -1):
        rest = (0.5 * level) / rest
        rest = rest if level == 1 else beyond + rest
    within = scalar.where(large, 0.0, x)
    return scalar.where(large, -2 * rest * y, 2 * within * y - _SLOPE)


erfcx = elementwise(
    "erfcx", lambda sp, x: sp.exp(x**2) * sp.erfc(x), derivative=_erfcx_slope,
    reference=_scipy("erfcx"), notation=_roman("erfcx"), primitive=True,
    properties=("positive", "nonnegative"),
    doc="exp(x**2) erfc(x), which neither overflows nor underflows for x >= 0", ulp=(0.6, 2.6),
)  # fmt: skip


def _log_erfc(x: np.ndarray) -> np.ndarray:
    from scipy import special

    above = np.maximum(x, 0.5)
    with np.errstate(divide="ignore", over="ignore"):
        tail = np.log(special.erfcx(above)) - np.square(above)
    return np.asarray(np.where(x > 0.5, tail, np.log1p(-special.erf(np.minimum(x, 0.5)))))


log_erfc = elementwise(
    "log_erfc", lambda sp, x: sp.log(sp.erfc(x)), derivative=lambda x, y: -_SLOPE / erfcx(x),
    reference=_double(_log_erfc), primitive=True,
    notation=_named("log_erfc", r"\log\operatorname{erfc}"),
    doc="log(erfc(x)), also where erfc(x) underflows", ulp=(0.6, 2.6),
)  # fmt: skip
erfinv = elementwise(
    "erfinv", lambda sp, x: sp.erfinv(x),
    derivative=lambda x, y: (0.5 * _ROOT_PI) * scalar.exp(y * y),
    reference=_scipy("erfinv"), notation=_named("erfinv", r"\operatorname{erf}^{-1}"),
    primitive=True, doc="the inverse of erf; infinite at -1 and 1, nan beyond", ulp=(0.6, 3.0),
)  # fmt: skip
erfcinv = elementwise(
    "erfcinv", lambda sp, x: sp.erfinv(1 - x),
    derivative=lambda x, y: (-0.5 * _ROOT_PI) * scalar.exp(y * y),
    reference=_scipy("erfcinv"), notation=_named("erfcinv", r"\operatorname{erfc}^{-1}"),
    primitive=True, doc="the inverse of erfc; infinite at 0 and 2, nan outside", ulp=(0.6, 3.0),
)  # fmt: skip

# ---- the normal distribution

ndtr = elementwise(
    "ndtr", lambda sp, x: sp.erfc(-x / sp.sqrt(2)) / 2,
    derivative=lambda x, y: math.sqrt(0.5 / math.pi) * scalar.exp(-0.5 * (x * x)),
    reference=_scipy("ndtr"), notation=_named("ndtr", r"\Phi"), primitive=True,
    properties=("positive", "nonnegative"),
    doc="the probability that a standard normal variable is at most x", ulp=(1.8, 2.2),
)  # fmt: skip
log_ndtr = elementwise(
    "log_ndtr", lambda sp, x: sp.log(sp.erfc(-x / sp.sqrt(2)) / 2),
    derivative=lambda x, y: math.sqrt(2 / math.pi) / erfcx(-math.sqrt(0.5) * x),
    reference=_scipy("log_ndtr"), notation=_named("log_ndtr", r"\log\Phi"), primitive=True,
    doc="log(ndtr(x)), also where ndtr(x) underflows", ulp=(0.6, 3.6),
)  # fmt: skip
ndtri = elementwise(
    "ndtri", lambda sp, p: sp.sqrt(2) * sp.erfinv(2 * p - 1),
    derivative=lambda p, y: math.sqrt(2 * math.pi) * scalar.exp(0.5 * (y * y)),
    reference=_scipy("ndtri"), notation=_named("ndtri", r"\Phi^{-1}"), primitive=True,
    doc="the inverse of ndtr, the normal quantile; infinite at 0 and 1, nan outside",
    ulp=(0.6, 4.0),
)  # fmt: skip

# ---- gamma

_BELOW = "below 0, where it has zeros, float64 is right to 4 units of the larger of 1 and"


def _lgamma(x: np.ndarray) -> np.ndarray:
    from scipy import special

    return np.asarray(np.where(np.isinf(x), np.inf, special.gammaln(x)))


lgamma = elementwise(
    "lgamma", lambda sp, x: sp.loggamma(x), derivative=lambda x, y: digamma(x),
    reference=_double(_lgamma), primitive=True,
    notation=Notation("lgamma({0})", r"\log\left|\Gamma\left({0}\right)\right|", PRODUCT),
    doc=f"log(abs(gamma(x))), inf at 0, -1, -2 ...; the bound holds for x >= 0; {_BELOW} its size "
    "at -x",
    ulp=(0.6, 3.2),
)  # fmt: skip
gamma = elementwise(
    "gamma", lambda sp, x: sp.gamma(x), derivative=lambda x, y: y * digamma(x),
    reference=_scipy("gamma"), notation=_named("gamma", r"\Gamma"), primitive=True,
    doc="the gamma function, (x - 1)! for whole x; nan at -1, -2 ...; the bound holds above -170, "
    "where results are normal numbers",
    ulp=(0.6, 4.0),
)  # fmt: skip
digamma = elementwise(
    "digamma", lambda sp, x: sp.digamma(x), derivative=lambda x, y: polygamma(1, x),
    reference=_scipy("psi"), notation=_named("digamma", r"\psi"), primitive=True,
    doc="the derivative of log(gamma(x)); nan at -1, -2 ...; the bound holds for x >= 0; "
    f"{_BELOW} its size at -x",
    ulp=(0.6, 3.0),
)  # fmt: skip


def _polygamma(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    from scipy import special

    whole = (n >= 0) & (n == np.floor(n)) & (n <= 170)
    with np.errstate(all="ignore"):
        value = special.polygamma(np.where(whole, n, 1), np.where(x == -np.inf, -1, x))
        return np.asarray(np.where(whole & ~((n == 0) & (x == -np.inf)), value, np.nan) + 0 * n)


polygamma = elementwise(
    "polygamma", lambda sp, n, x: sp.polygamma(n, x),
    derivative=lambda n, x, y: (None, polygamma(n + 1, x)),
    reference=_double(_polygamma), primitive=True,
    notation=Notation("polygamma({0}, {1})", r"\psi^{({0})}\left({1}\right)", ATOM, (), None,
    (0, 0)),
    doc="the derivative of digamma of order n, n = 0, 1 ... 170 as a float, nan for other n; it "
    "has no derivative in n. The bound holds up to order 2 and for x >= 0; order n loses up to "
    "n + 3 units. Below 0 they are units of n! / d**(n + 1), d the distance to the nearest pole",
    ulp=(0.6, 3.4),
)  # fmt: skip


def _betaln(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy import special

    least, most = np.minimum(a, b), np.maximum(a, b)
    with np.errstate(all="ignore"):
        value = np.where(np.isinf(most), -np.inf, special.betaln(least, most))
        value = np.where(least == 0, np.inf, value)
        return np.asarray(np.where(least >= 0, value, np.nan))


betaln = elementwise(
    "betaln", lambda sp, a, b: sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b),
    derivative=lambda a, b, y: (digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)),
    reference=_double(_betaln), primitive=True, properties=("commutative",),
    notation=Notation("betaln({0}, {1})", r"\log\mathrm{B}\left({0}, {1}\right)", PRODUCT, (),
    None, (0, 0)),
    doc="the logarithm of the beta function for a, b >= 0, nan below. It has zeros: no bound in "
    "its own last places holds, but float64 is right to 4 units of the largest of 2, its own size "
    "and abs(log(gamma(min(a, b)))), float32 to 1 unit of the larger of 0.01 and its own size. "
    "Its derivative in a loses digits where b is much smaller than a",
)  # fmt: skip

# ---- modified Bessel functions


def _unbounded(name: str, sign: bool) -> Callable[..., np.ndarray]:
    def function(x: np.ndarray) -> np.ndarray:
        infinite = np.isinf(x)
        value = _scipy(name)(np.where(infinite, 1, x))
        return np.asarray(np.where(infinite, x if sign else np.inf, value))

    return _double(function)


def _quotient(scaled: bool) -> Callable[..., np.ndarray]:
    """I_k(x) / x**k by SciPy's ive; near 0 by the first terms of the series."""

    def function(k: np.ndarray, x: np.ndarray) -> np.ndarray:
        from scipy import special

        known = (k >= 0) & (k <= 12) & (k == np.floor(k))
        order, size = np.where(known, k, 0), np.abs(x)
        small = size < 1e-3
        with np.errstate(all="ignore"):
            t = np.square(size) / 4
            series = 1 + t / (order + 1) * (1 + t / (2 * (order + 2)))
            series = series / (2**order * special.gamma(order + 1)) * np.exp(-size)
            # Beyond 1e20 ive is nan.
            bounded = np.where(small, 1, np.minimum(size, 1e20))
            value = np.where(small, series, special.ive(order, bounded) / bounded**order)
            value = value * (size <= 1e20)
            if not scaled:
                half = np.exp(np.minimum(size, 1000) / 2)
                value = np.where(size > 1000, np.inf, value * half * half)
        return np.asarray(np.where(known, value, np.nan) + np.where(np.isnan(x), x, 0))

    return _double(function)


_ORDERS = (
    "for k = 0, 1 ... 12, nan for other orders; even in x, no derivative in k. Its error is up to "
    "1 unit in the last place in float32 and 16 in float64; orders above 5 lose up to 4 digits more"
)
bessel_quotient = elementwise(
    "bessel_quotient", lambda sp, k, x: sp.besseli(k, x) / x**k,
    derivative=lambda k, x, y: (None, x * bessel_quotient(k + 1, x)),
    reference=_quotient(scaled=False), primitive=True,
    notation=Notation("bessel_quotient({0}, {1})", r"{1}^{-{0}} I_{{0}}\left({1}\right)", PRODUCT,
    (), None, (0, ATOM)),
    doc=f"I_k(x) / x**k, what derivatives of Bessel functions are made of, {_ORDERS}",
)  # fmt: skip
bessel_quotient_scaled = elementwise(
    "bessel_quotient_scaled", lambda sp, k, x: sp.exp(-sp.Abs(x)) * sp.besseli(k, x) / x**k,
    derivative=lambda k, x, y: (
        None, x * bessel_quotient_scaled(k + 1, x) - scalar.sign(x) * y
    ),
    reference=_quotient(scaled=True), primitive=True,
    notation=Notation("bessel_quotient_scaled({0}, {1})",
    r"e^{-\left|{1}\right|} {1}^{-{0}} I_{{0}}\left({1}\right)", PRODUCT, (), None, (0, ATOM)),
    doc=f"exp(-|x|) I_k(x) / x**k {_ORDERS}; its derivative at 0 is taken as 0",
)  # fmt: skip
i0 = elementwise(
    "bessel_i0", lambda sp, x: sp.besseli(0, x), derivative=lambda x, y: i1(x),
    reference=_unbounded("i0", sign=False), notation=_named("i0", "I_0"), primitive=True,
    properties=("positive", "nonnegative"),
    doc="the modified Bessel function of the first kind of order 0", ulp=(0.6, 4.0),
)  # fmt: skip
i1 = elementwise(
    "bessel_i1", lambda sp, x: sp.besseli(1, x),
    # (I0 + I2) / 2: I0 - I1 / x is undefined at 0.
    derivative=lambda x, y: 0.5 * (i0(x) + x * x * bessel_quotient(2, x)),
    reference=_unbounded("i1", sign=True), notation=_named("i1", "I_1"), primitive=True,
    doc="the modified Bessel function of the first kind of order 1", ulp=(0.6, 3.9),
)  # fmt: skip
i0e = elementwise(
    "bessel_i0e", lambda sp, x: sp.exp(-sp.Abs(x)) * sp.besseli(0, x),
    derivative=lambda x, y: i1e(x) - scalar.sign(x) * y, reference=_scipy("i0e"),
    notation=_named("i0e", r"\operatorname{i0e}"), primitive=True,
    properties=("positive", "nonnegative"),
    doc="exp(-|x|) i0(x), without overflow; its derivative at 0 is taken as 0", ulp=(0.6, 3.7),
)  # fmt: skip
i1e = elementwise(
    "bessel_i1e", lambda sp, x: sp.exp(-sp.Abs(x)) * sp.besseli(1, x),
    derivative=lambda x, y: i0e(x) - bessel_quotient_scaled(1, x) - scalar.sign(x) * y,
    reference=_scipy("i1e"), notation=_named("i1e", r"\operatorname{i1e}"), primitive=True,
    doc="exp(-|x|) i1(x), without overflow", ulp=(0.6, 3.4),
)  # fmt: skip

# ---- entropy


def _xlog1py_partials(x: Node, y: Node, _: Node) -> tuple[Node, Node]:
    # Where x = 0 and y = -1, the value is that of x log(1).
    both = scalar.logical_and(scalar.equal(x, 0), scalar.equal(y, -1))
    return scalar.log1p(scalar.where(both, 0, y)), x / (1 + scalar.where(both, 0, y))


xlog1py = elementwise(
    "xlog1py", lambda sp, x, y: sp.Piecewise((0, sp.Eq(x, 0)), (x * sp.log(1 + y), True)),
    derivative=_xlog1py_partials, reference=_scipy("xlog1py"), primitive=True,
    notation=Notation("xlog1py({0}, {1})", r"{0} \log\left(1 + {1}\right)", PRODUCT, (),
    PRODUCT, (PRODUCT, 0)),
    doc="x log(1 + y), and 0 where x is 0; its derivatives at (0, -1) are taken as 0",
    ulp=(1.8, 1.8),
)  # fmt: skip
entr = elementwise(
    "entr", lambda sp, x: -x * sp.log(x), derivative=lambda x, y: -scalar.log(x) - 1,
    reference=_scipy("entr"), notation=_roman("entr"), primitive=True,
    doc="-x log(x), a term of the entropy: 0 at 0, -inf below", ulp=(1.8, 1.8),
)  # fmt: skip
