"""Special functions as operations: both targets, derivatives of any order, tails, SymPy's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

import graphc as gx
from graphc.errors import CompileError
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from graphc.ops.special import bessel_quotient, bessel_quotient_scaled

TARGETS = ("python", "cpu")


def derivative(function: Callable[[Node], Node], order: int, points: Any) -> np.ndarray:
    """The derivative of this order at each point, in float64 by the interpreter."""
    x = gx.input("x", (len(points),), "float64")
    y = function(x)
    for _ in range(order):
        y = gx.grad(gx.sum(y), x)
    return np.asarray(gx.evaluate(y, {x: np.asarray(points, np.float64)}))


def exact(function: Callable[[Any], Any], order: int, points: Any) -> list[float]:
    """The same by mpmath, to 40 digits."""
    with mpmath.workdps(40 + 10 * order):
        return [float(mpmath.diff(function, mpmath.mpf(float(p)), order)) for p in points]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_erfc_is_good_far_out(target: str, dtype: str) -> None:
    """At x = 30 erfc underflows in float32, and at -30 its distance from 2 does; the logarithm and
    its gradient, -2 / sqrt(pi) exp(-x**2) / erfc(x), are right at both, and at 1e4."""
    points = np.array([-30.0, -6.0, -1.0, 0.0, 0.3, 1.0, 6.0, 30.0, 1e4])
    x = gx.input("x", (len(points),), dtype)
    y = gx.log_erfc(x)
    value, slope = gx.compile(x, [y, gx.grad(gx.sum(y), x)], target=target)(points.astype(dtype))
    with mpmath.workdps(60):
        exact_x = [mpmath.mpf(float(p)) for p in points.astype(dtype)]
        true = [mpmath.log(mpmath.erfc(p)) for p in exact_x]
        rate = [-2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-p * p) / mpmath.erfc(p) for p in exact_x]
    tolerance = 3e-7 if dtype == "float32" else 2e-15
    np.testing.assert_allclose(value, [float(v) for v in true], rtol=tolerance)
    tiny = float(np.finfo(dtype).tiny)
    np.testing.assert_allclose(slope, [float(v) for v in rate], rtol=tolerance, atol=tiny)


def test_second_derivative_of_log_erfc_in_the_tail() -> None:
    """erfcx' loses nothing where its two terms cancel: log_erfc'' goes to -2 (Mills' ratio)."""
    points = [0.5, 3.0, 7.9, 8.1, 30.0, 1e3, 1e6]
    expected = exact(lambda t: mpmath.log(mpmath.erfc(t)), 2, points[:5])
    # For large x: log erfc = -x**2 - log x - ... , so the second derivative is -2 + 1 / x**2.
    expected += [-2 + 1 / p**2 for p in points[5:]]
    np.testing.assert_allclose(derivative(gx.log_erfc, 2, points), expected, rtol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_erfcx(order: int) -> None:
    """On both sides of the switch to the continued fraction, and far out."""
    points = [-2.0, 0.0, 1.0, 4.0, 7.99, 8.01, 10.0, 40.0]
    expected = exact(lambda t: mpmath.exp(t * t) * mpmath.erfc(t), order, points)
    found = derivative(gx.erfcx, order, points)
    np.testing.assert_allclose(found[-3:], expected[-3:], rtol=1e-12)
    np.testing.assert_allclose(found[:-3], expected[:-3], rtol=10.0 ** (2 * order - 15))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_bessel_functions_are_right_at_0(order: int) -> None:
    """i1' = i0 - i1 / x is undefined at 0 as it stands; the derivatives are not."""
    points = [0.0, 1e-8, 0.01, 1.0, -3.0, 15.9, 16.1, 50.0]
    for function, kind in ((gx.i0, 0), (gx.i1, 1)):
        # The m-th derivative is the mean of I(n - m + 2 k) with binomial weights (DLMF 10.29.5).
        expected = [
            sum(
                math.comb(order, k) * float(mpmath.besseli(abs(kind - order + 2 * k), p))
                for k in range(order + 1)
            )
            / 2**order
            for p in points
        ]
        found = derivative(function, order, points)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_scaled_bessel_functions(order: int) -> None:
    """exp(-abs(x)) I(x) away from its corner at 0, also where I overflows."""
    points = [0.01, 1.0, -3.0, 20.0]
    for function, kind in ((gx.i0e, 0), (gx.i1e, 1)):
        expected = exact(
            lambda t, kind=kind: mpmath.exp(-abs(t)) * mpmath.besseli(kind, t), order, points
        )
        np.testing.assert_allclose(derivative(function, order, points), expected, rtol=1e-9)
        assert np.isfinite(derivative(function, order, [2000.0, -1e6, 0.0])).all()


def test_bessel_functions_do_not_overflow_early() -> None:
    """i0(713) is finite where exp(713) is not, and so is its derivative."""
    x = gx.input("x", (3,), "float64")
    points = np.array([700.0, 712.0, 713.0])
    for target in TARGETS:
        values = gx.compile(x, [gx.i0(x), gx.grad(gx.sum(gx.i1(x)), x)], target=target)(points)
        expected = [float(mpmath.besseli(0, p)) for p in points]
        np.testing.assert_allclose(values[0], expected, rtol=1e-14)
        slope = [float((mpmath.besseli(0, p) + mpmath.besseli(2, p)) / 2) for p in points]
        np.testing.assert_allclose(values[1], slope, rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_lgamma(order: int) -> None:
    """lgamma' = digamma, then polygamma of rising order; below 0 by reflection."""
    points = [0.1, 1.0, 1.4616, 3.7, 50.0, -0.3, -2.6, -7.25]
    expected = [float(mpmath.polygamma(order - 1, mpmath.mpf(p))) for p in points]
    np.testing.assert_allclose(derivative(gx.lgamma, order, points), expected, rtol=1e-12)


def test_polygamma_takes_any_order_and_has_no_derivative_in_it() -> None:
    """The order may be a number, an integer array or a node; its gradient is a zero."""
    n, x = gx.input("n", (4,), "int64"), gx.input("x", (4,), "float64")
    orders, points = np.array([0, 1, 2, 9]), np.array([0.5, 2.5, -1.5, 3.5])
    expected = special.polygamma(orders, points)
    for target in TARGETS:
        found = gx.compile([n, x], gx.polygamma(n, x), target=target)(orders, points)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    k = gx.input("k", (), "float64")
    slope = gx.grad(gx.sum(gx.polygamma(k, x)), k, disconnected="zero")
    assert float(gx.evaluate(slope, {k: 1.0, x: points})) == 0


def test_quantiles_invert_probabilities() -> None:
    """ndtri(ndtr(x)) = x, erfinv(erf(x)) = x, erfcinv(erfc(x)) = x, in the tails too."""
    x = gx.input("x", (5,), "float64")
    points = np.array([-30.0, -4.0, 0.1, 1.0, 4.0])
    found = gx.compile(x, [gx.ndtri(gx.ndtr(x)), gx.erfcinv(gx.erfc(-x)), gx.erfinv(gx.erf(x / 8))])
    normal, complement, inverse = found(points / 2)
    np.testing.assert_allclose(normal, points / 2, rtol=1e-13)
    np.testing.assert_allclose(complement, -points / 2, rtol=1e-13)
    np.testing.assert_allclose(inverse[1:], points[1:] / 16, rtol=1e-13)


def test_derivatives_of_quantiles_in_the_tail() -> None:
    """d ndtri / dp = sqrt(2 pi) exp(ndtri**2 / 2), also at p = 1e-300."""
    p = gx.input("p", (3,), "float64")
    points = np.array([1e-300, 1e-10, 0.5])
    slope = gx.evaluate(gx.grad(gx.sum(gx.ndtri(p)), p), {p: points})
    expected = np.exp(special.ndtri(points) ** 2 / 2) * math.sqrt(2 * math.pi)
    np.testing.assert_allclose(slope, expected, rtol=1e-11)


def test_log_ndtr_and_its_derivative() -> None:
    """phi(x) / Phi(x), Mills' ratio, where both underflow."""
    points = np.array([-1e3, -40.0, -1.0, 0.0, 3.0, 30.0])
    with mpmath.workdps(250):
        value = [float(mpmath.log(mpmath.ncdf(p))) for p in map(mpmath.mpf, points)]
        slope = [float(mpmath.npdf(p) / mpmath.ncdf(p)) for p in map(mpmath.mpf, points)]
    x = gx.input("x", (len(points),), "float64")
    for target in TARGETS:
        found = gx.compile(x, gx.log_ndtr(x), target=target)(points)
        np.testing.assert_allclose(found, value, rtol=1e-15)
    np.testing.assert_allclose(derivative(gx.log_ndtr, 1, points), slope, rtol=1e-13)


def test_betaln_does_not_cancel() -> None:
    """betaln(1e10, 0.5) is -11; as a sum of lgamma's its error would be 1e-5."""
    a, b = gx.input("a", (4,), "float64"), gx.input("b", (4,), "float64")
    left, right = np.array([1e10, 0.5, 1.0, 300.0]), np.array([0.5, 1e10, 1e-5, 200.0])
    with mpmath.workdps(50):
        expected = [
            float(mpmath.log(mpmath.beta(mpmath.mpf(s), mpmath.mpf(t))))
            for s, t in zip(left, right, strict=True)
        ]
    for target in TARGETS:
        found = gx.compile([a, b], gx.betaln(a, b), target=target)(left, right)
        np.testing.assert_allclose(found, expected, rtol=2e-15)


def test_products_with_a_logarithm_at_0() -> None:
    """0 log 0 = 0 with a finite gradient, as far as there is one."""
    x, y = gx.input("x", (3,), "float64"), gx.input("y", (3,), "float64")
    z = gx.xlog1py(x, y)
    values = {x: np.array([0.0, 0.0, 2.0]), y: np.array([-1.0, 3.0, 0.5])}
    dx, dy = gx.grad(gx.sum(z), [x, y])
    np.testing.assert_allclose(gx.evaluate(z, values), [0, 0, 2 * np.log(1.5)])
    np.testing.assert_allclose(gx.evaluate(dx, values), [0, np.log(4), np.log(1.5)])
    np.testing.assert_allclose(gx.evaluate(dy, values), [0, 0, 2 / 1.5])
    np.testing.assert_allclose(derivative(gx.entr, 0, [0.0, 1.0, -1.0]), [0, 0, -np.inf])


@pytest.mark.parametrize("op", [bessel_quotient, bessel_quotient_scaled])
def test_orders_that_a_quotient_does_not_know_are_nan(op: Any) -> None:
    """No wrong number for a fraction, a negative order or one above 12."""
    k, x = gx.input("k", (4,), "float64"), gx.input("x", (4,), "float64")
    for target in TARGETS:
        found = gx.compile([k, x], op(k, x), target=target)(
            np.array([0.5, -1, 13, 12]), np.full(4, 2.0)
        )
        np.testing.assert_array_equal(np.isnan(found), [True, True, True, False])


# ---- SymPy and SciPy

FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "erfc": (lambda sp, x: x * sp.erfc(x), lambda x: x * special.erfc(x)),
    "erfinv": (lambda sp, x: sp.erfinv(x / 4), lambda x: special.erfinv(x / 4)),
    "erfcinv": (lambda sp, x: sp.erfcinv(x / 4), lambda x: special.erfcinv(x / 4)),
    "loggamma": (lambda sp, x: sp.loggamma(1 + x), lambda x: special.gammaln(1 + x)),
    "gamma": (lambda sp, x: sp.gamma(1 + x), lambda x: special.gamma(1 + x)),
    "digamma": (lambda sp, x: sp.digamma(x), special.psi),
    "polygamma": (lambda sp, x: sp.polygamma(2, x) / x, lambda x: special.polygamma(2, x) / x),
    "besseli": (
        lambda sp, x: sp.besseli(0, x) / sp.besseli(1, x) + sp.besseli(3, x) / x,
        lambda x: special.iv(0, x) / special.iv(1, x) + special.iv(3, x) / x,
    ),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_formulas_with_special_functions(name: str) -> None:
    """SymPy's names work in a formula: value on both targets, and SymPy's first two derivatives."""
    formula, oracle = FORMULAS[name]
    op = gx.elementwise(f"formula_with_{name}", formula)
    try:
        points = np.array([0.4, 1.1, 2.3])
        x = gx.input("x", (3,), "float64")
        for target in TARGETS:
            found = gx.compile(x, op(x), target=target)(points)
            np.testing.assert_allclose(found, oracle(points), rtol=1e-13)
        gx.check_gradients(gx.sum(op(x)), [x], {x: points}, order=2)
    finally:
        REGISTRY.pop(f"formula_with_{name}", None)


def test_a_bessel_function_of_fractional_order_is_an_error() -> None:
    """Refused where the formula is written, with what was expected."""
    with pytest.raises(CompileError, match="expected a whole order from -12 to 12, got"):
        gx.elementwise("formula_of_half_order", lambda sp, x: sp.besseli(sp.Rational(1, 2), x))


def test_scipys_functions_build_nodes() -> None:
    """scipy.special.erfc(x) on a node is gx.erfc(x), as np.exp(x) is gx.exp(x)."""
    x = gx.input("x", (2,), "float64")
    untyped: Any = x
    assert special.erfc(untyped) is gx.erfc(x)
    assert special.gammaln(untyped) is gx.lgamma(x)
    assert special.digamma(untyped) is gx.digamma(x)
    assert np.i0(untyped) is gx.i0(x)
