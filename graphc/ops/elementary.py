"""The elementary functions beyond those of `scalar`: powers and logarithms to other bases, roots,
trigonometric and hyperbolic functions and their inverses, forms of the logarithm."""

from __future__ import annotations

import math

import numpy as np

import graphc.ops.scalar as scalar
from graphc.ir.node import Node
from graphc.ir.op import ATOM, POWER, PRODUCT, Notation
from graphc.ops.elementwise import ElementwiseOp, elementwise
from graphc.ops.rounding import round_half_even

# Derivatives name operations that are defined further down.
cosh: ElementwiseOp
hypot: ElementwiseOp
sinc: ElementwiseOp


def _latex(command: str) -> Notation:
    name = command.lstrip("\\")
    return Notation(f"{name}({{0}})", rf"{command}\left({{0}}\right)", ATOM)


def _named(name: str, latex: str) -> Notation:
    return Notation(f"{name}({{0}})", rf"\operatorname{{{latex}}}\left({{0}}\right)", ATOM)


# ---- powers, roots, logarithms

exp2 = elementwise(
    "exp2", lambda sp, x: 2**x, derivative=lambda x, y: y * math.log(2), reference=np.exp2,
    notation=Notation("2**{0}", "2^{{0}}", POWER, (POWER,), None, (0,)), primitive=True,
    properties=("positive", "nonnegative"), doc="2**x, exact for whole x",
    ulp=(1.0, 1.1),
)  # fmt: skip
log2 = elementwise(
    "log2", lambda sp, x: sp.log(x) / sp.log(2), derivative=lambda x, y: 1 / (x * math.log(2)),
    reference=np.log2, notation=Notation("log2({0})", r"\log_2\left({0}\right)"), primitive=True,
    doc="the logarithm to base 2, exact for powers of 2", ulp=(0.51, 0.51),
)  # fmt: skip
log10 = elementwise(
    "log10", lambda sp, x: sp.log(x) / sp.log(10), derivative=lambda x, y: 1 / (x * math.log(10)),
    reference=np.log10, notation=Notation("log10({0})", r"\log_{10}\left({0}\right)"),
    primitive=True, doc="the logarithm to base 10, exact for powers of 10", ulp=(0.51, 0.51),
)  # fmt: skip
cbrt = elementwise(
    "cbrt", lambda sp, x: sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3),
    derivative=lambda x, y: (1 / 3) / scalar.square(y), reference=np.cbrt,
    notation=Notation("cbrt({0})", r"\sqrt[3]{{0}}", ATOM), primitive=True,
    doc="the real cube root, of the sign of x; its derivative at 0 is infinite",
    ulp=(0.61, 0.51),
)  # fmt: skip
rsqrt = elementwise(
    "rsqrt", lambda sp, x: 1 / sp.sqrt(x), derivative=lambda x, y: -0.5 * (y * scalar.square(y)),
    notation=Notation("rsqrt({0})", r"\frac{1}{\sqrt{{0}}}", ATOM, (), PRODUCT),
    properties=("nonnegative",), doc="1 / sqrt(x); infinite at 0", ulp=(1.5, 1.5),
)  # fmt: skip
reciprocal = elementwise(
    "reciprocal", lambda sp, x: 1 / x, derivative=lambda x, y: -scalar.square(y),
    reference=np.reciprocal,
    notation=Notation("reciprocal({0})", r"\frac{1}{{0}}", ATOM, (), PRODUCT),
    doc="1 / x; integers become floats", ulp=(0.5, 0.5),
)  # fmt: skip


def _hypot_partials(a: Node, b: Node, y: Node) -> tuple[Node, Node]:
    # At the origin both are 0; an infinite operand has its sign.
    length = scalar.where(scalar.equal(y, 0), 1, y)
    return tuple(scalar.where(scalar.isfinite(x), x / length, scalar.sign(x)) for x in (a, b))  # type: ignore[return-value]


hypot = elementwise(
    "hypot", lambda sp, a, b: sp.sqrt(a * a + b * b), derivative=_hypot_partials,
    reference=np.hypot,
    notation=Notation("hypot({0}, {1})", r"\sqrt{{0}^{2} + {1}^{2}}", ATOM, (), None,
    (ATOM, ATOM)),
    primitive=True, properties=("commutative", "nonnegative"),
    doc="sqrt(a**2 + b**2) without overflow on the way; its derivative at (0, 0) is 0",
    ulp=(0.51, 1.1),
)  # fmt: skip

# ---- trigonometric functions

tan = elementwise(
    "tan", lambda sp, x: sp.tan(x), derivative=lambda x, y: 1 + scalar.square(y),
    reference=np.tan, notation=_latex(r"\tan"), primitive=True,
    doc="the tangent of x radians; compiled code gives nan beyond |x| = 1e14", ulp=(0.6, 2.4),
)  # fmt: skip
asin = elementwise(
    "asin", lambda sp, x: sp.asin(x), derivative=lambda x, y: rsqrt((1 - x) * (1 + x)),
    reference=np.arcsin, notation=_named("asin", "arcsin"), primitive=True,
    doc="the angle in radians whose sine is x; nan outside [-1, 1]", ulp=(0.51, 2.2),
)  # fmt: skip
acos = elementwise(
    "acos", lambda sp, x: sp.acos(x), derivative=lambda x, y: -rsqrt((1 - x) * (1 + x)),
    reference=np.arccos, notation=_named("acos", "arccos"), primitive=True,
    properties=("nonnegative",),
    doc="the angle in radians whose cosine is x; nan outside [-1, 1]", ulp=(0.51, 1.5),
)  # fmt: skip
atan = elementwise(
    "atan", lambda sp, x: sp.atan(x),
    derivative=lambda x, y: scalar.square(1 / hypot(x, 1)), reference=np.arctan,
    notation=_named("atan", "arctan"), primitive=True,
    doc="the angle in radians whose tangent is x", ulp=(0.51, 2.2),
)  # fmt: skip


def _atan2_partials(y: Node, x: Node, _: Node) -> tuple[Node, Node]:
    length = hypot(x, y)
    known = scalar.logical_and(scalar.greater(length, 0), scalar.isfinite(length))
    safe = scalar.where(known, length, 1)
    up, right = (scalar.where(known, v, 0) / safe / safe for v in (y, x))
    return right, -up


atan2 = elementwise(
    "atan2", lambda sp, y, x: sp.atan2(y, x), derivative=_atan2_partials, reference=np.arctan2,
    notation=Notation(
        "atan2({0}, {1})", r"\operatorname{atan2}\left({0}, {1}\right)"), primitive=True,
    doc="the angle of the point (x, y) = (b, a) in radians, from -pi to pi; its derivative at "
    "(0, 0) is taken as 0", ulp=(0.51, 2.4),
)  # fmt: skip

# The series of sinc has these many terms: up to 1 its derivatives are right to the last bits, and
# beyond the terms of the quotient no longer cancel.
_SINC_TERMS = 20


def _sinc_partial(x: Node, y: Node) -> Node:
    """(cos(pi x) - sinc(x)) / x, and its series below 1, which is smooth at 0 to any order."""
    near = scalar.less(scalar.absolute(x), 1)
    inside, outside = scalar.where(near, x, 0), scalar.where(near, 1, x)
    z = scalar.square(inside)
    total: Node | float = 0.0
    for k in range(_SINC_TERMS, 0, -1):
        # sinc(x) = sum of (-1)**k (pi x)**(2 k) / (2 k + 1)!, differentiated term by term
        term = (-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
        total = total * z + term
    # cos(pi x) has period 2; what is taken off changes nothing but the rounding of pi x.
    turn = outside - 2 * round_half_even(outside * 0.5)
    beyond = (scalar.cos(math.pi * turn) - sinc(outside)) / outside
    return scalar.where(near, total * inside, beyond)


def _sinc_reference(x: np.ndarray) -> np.ndarray:
    # np.sinc rounds pi x, which is off by more than the sine for a large x.
    n = np.rint(2 * x)
    n = np.where(np.isfinite(n), n, 0 * x)
    angle, quadrant = np.pi * (x - n / 2), np.remainder(n, 4)
    wave = np.where(quadrant % 2 == 1, np.cos(angle), np.sin(angle))
    denominator = np.pi * np.where(x == 0, 1, x)
    return np.asarray(np.where(x == 0, 1 + x, np.where(quadrant > 1, -wave, wave) / denominator))


sinc = elementwise(
    "sinc", lambda sp, x: sp.sinc(sp.pi * x), derivative=_sinc_partial, reference=_sinc_reference,
    notation=_named("sinc", "sinc"), primitive=True,
    doc="sin(pi x) / (pi x), as np.sinc, and 1 at 0; smooth there to any order",
    ulp=(0.6, 3.2),
)  # fmt: skip

# ---- hyperbolic functions

sinh = elementwise(
    "sinh", lambda sp, x: sp.sinh(x), derivative=lambda x, y: cosh(x), reference=np.sinh,
    notation=_latex(r"\sinh"), primitive=True, doc="the hyperbolic sine", ulp=(0.51, 2.2),
)  # fmt: skip
cosh = elementwise(
    "cosh", lambda sp, x: sp.cosh(x), derivative=lambda x, y: sinh(x), reference=np.cosh,
    notation=_latex(r"\cosh"), primitive=True, properties=("positive", "nonnegative"),
    doc="the hyperbolic cosine", ulp=(0.51, 1.7),
)  # fmt: skip
asinh = elementwise(
    "asinh", lambda sp, x: sp.asinh(x), derivative=lambda x, y: 1 / hypot(x, 1),
    reference=np.arcsinh, notation=_named("asinh", "arsinh"), primitive=True,
    doc="the inverse of sinh", ulp=(0.51, 2.0),
)  # fmt: skip
acosh = elementwise(
    "acosh", lambda sp, x: sp.acosh(x), derivative=lambda x, y: rsqrt(x - 1) * rsqrt(x + 1),
    reference=np.arccosh, notation=_named("acosh", "arcosh"), primitive=True,
    properties=("nonnegative",), doc="the inverse of cosh; nan below 1", ulp=(0.51, 2.9),
)  # fmt: skip
atanh = elementwise(
    "atanh", lambda sp, x: sp.atanh(x), derivative=lambda x, y: 1 / ((1 - x) * (1 + x)),
    reference=np.arctanh, notation=_named("atanh", "artanh"), primitive=True,
    doc="the inverse of tanh; infinite at -1 and 1, nan beyond", ulp=(0.51, 2.2),
)  # fmt: skip

# ---- forms of the logarithm


def _logaddexp_partials(a: Node, b: Node, y: Node) -> tuple[Node, Node]:
    # Of two equal infinities the difference is nan, and each has half.
    alike = scalar.logical_and(scalar.equal(a, b), scalar.logical_not(scalar.isfinite(a)))
    gap = scalar.where(alike, 0, a) - scalar.where(alike, 0, b)
    return scalar.sigmoid(gap), scalar.sigmoid(-gap)


logaddexp = elementwise(
    "logaddexp", lambda sp, a, b: sp.log(sp.exp(a) + sp.exp(b)), derivative=_logaddexp_partials,
    reference=np.logaddexp, primitive=True, properties=("commutative",),
    doc="log(exp(a) + exp(b)) without overflow. Where the two terms of the result cancel, near 0, "
    "no bound in its own last places holds: its error is up to 3 units of the largest of |a|, "
    "|b| and the result",
)  # fmt: skip


def _xlogy_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    zero = (x == 0) & ~np.isnan(y)
    return np.asarray(np.where(zero, 0 * x * 0, x * np.log(np.where(zero, 1, y))))


def _xlogy_partials(x: Node, y: Node, _: Node) -> tuple[Node, Node]:
    # Where x = y = 0, the value is that of x log(1).
    both = scalar.logical_and(scalar.equal(x, 0), scalar.equal(y, 0))
    base = scalar.where(both, 1, y)
    return scalar.log(base), x / base


xlogy = elementwise(
    "xlogy", lambda sp, x, y: sp.Piecewise((0, sp.Eq(x, 0)), (x * sp.log(y), True)),
    derivative=_xlogy_partials, reference=_xlogy_reference, primitive=True,
    notation=Notation("xlogy({0}, {1})", r"{0} \log\left({1}\right)", PRODUCT, (),
    PRODUCT, (PRODUCT, 0)),
    doc="x log(y), and 0 where x is 0; its derivatives at (0, 0) are taken as 0",
    ulp=(1.8, 1.8),
)  # fmt: skip
logit = elementwise(
    "logit", lambda sp, x: sp.log(x / (1 - x)), derivative=lambda x, y: 1 / (x * (1 - x)),
    reference=lambda x: np.where(
        np.abs(x - 0.5) < 0.25, 2 * np.arctanh(2 * x - 1), np.log(x) - np.log1p(-x)
    ),
    notation=_named("logit", "logit"), primitive=True,
    doc="log(x / (1 - x)), the inverse of sigmoid; infinite at 0 and 1, nan outside",
    ulp=(0.51, 2.4),
)  # fmt: skip

softsign = elementwise(
    "softsign", lambda sp, x: x / (1 + sp.Abs(x)),
    derivative=lambda x, y: scalar.square(1 / (1 + scalar.absolute(x))),
    reference=lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    notation=_named("softsign", "softsign"), primitive=True, doc="x / (1 + |x|)", ulp=(1.5, 1.5),
)  # fmt: skip
