"""Elementary functions as operations: derivatives where they are hard, NumPy's names, SymPy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError
from graphc.ir.node import Node

INF = math.inf


def derivative_of(function: Callable[..., Node], *at: float, wrt: int = 0, order: int = 1) -> float:
    """The derivative at a point in float64, by the interpreter and, where rewriting does not
    multiply denominators into an overflow, by a target alike."""
    nodes = [gx.input(f"x{i}", (), "float64") for i in range(len(at))]
    y = function(*nodes)
    for _ in range(order):
        y = gx.grad(y, nodes[wrt], disconnected="zero")
    feed = dict(zip(nodes, map(np.float64, at), strict=True))
    found = float(gx.evaluate(y, feed))
    if function is not gx.atan2 or 1e-100 < max(map(abs, at)) < 1e100:
        compiled = float(gx.compile(nodes, y, target="python")(*feed.values()))
        np.testing.assert_allclose(compiled, found, rtol=1e-12, atol=1e-300)
    return found


# The exact derivative where a plain formula overflows, cancels or divides 0 by 0.
STABLE: list[tuple[Callable[..., Node], tuple[float, ...], int, float]] = [
    (gx.asinh, (1e200,), 0, 1e-200), (gx.asinh, (INF,), 0, 0.0), (gx.asinh, (0.0,), 0, 1.0),
    (gx.acosh, (1e200,), 0, 1e-200), (gx.acosh, (1.0,), 0, INF),
    (gx.acosh, (1 + 1e-12,), 0, float(1 / mpmath.sqrt((mpmath.mpf(1 + 1e-12)) ** 2 - 1))),
    (gx.atan, (1e120,), 0, 1e-240), (gx.atan, (-INF,), 0, 0.0), (gx.atan, (0.0,), 0, 1.0),
    (gx.asin, (1 - 2.0**-53,), 0, 2.0**26), (gx.asin, (1.0,), 0, INF),
    (gx.acos, (-1 + 2.0**-53,), 0, -(2.0**26)),
    (gx.atanh, (1.0,), 0, INF), (gx.atanh, (1 - 2.0**-53,), 0, 2.0**52),
    (gx.tan, (0.0,), 0, 1.0), (gx.sinh, (800.0,), 0, INF), (gx.cosh, (0.0,), 0, 0.0),
    (gx.cbrt, (0.0,), 0, INF), (gx.cbrt, (-8.0,), 0, 1 / 12), (gx.cbrt, (INF,), 0, 0.0),
    (gx.cbrt, (1e-300,), 0, 1e200 / 3),
    (gx.rsqrt, (4.0,), 0, -1 / 16), (gx.rsqrt, (INF,), 0, -0.0), (gx.rsqrt, (0.0,), 0, -INF),
    (gx.reciprocal, (1e200,), 0, -0.0), (gx.exp2, (-INF,), 0, 0.0),
    (gx.log2, (INF,), 0, 0.0), (gx.log10, (10.0,), 0, 0.1 / math.log(10)),
    (gx.softsign, (1e120,), 0, 1e-240), (gx.softsign, (-INF,), 0, 0.0), (gx.softsign, (0.0,), 0, 1),
    (gx.logit, (0.0,), 0, INF), (gx.logit, (1e-300,), 0, 1e300), (gx.logit, (0.5,), 0, 4.0),
    (gx.sinc, (0.0,), 0, 0.0), (gx.sinc, (1e-200,), 0, -(math.pi**2) / 3 * 1e-200),
    (gx.hypot, (0.0, 0.0), 0, 0.0), (gx.hypot, (0.0, 0.0), 1, 0.0),
    (gx.hypot, (1e200, 1e200), 0, math.sqrt(0.5)), (gx.hypot, (3e-320, 4e-320), 1, 0.8),
    (gx.hypot, (-INF, 1.0), 0, -1.0), (gx.hypot, (-INF, 1.0), 1, 0.0),
    (gx.atan2, (1e-200, 1e-200), 0, 0.5e200), (gx.atan2, (1e200, 1e200), 1, -0.5e-200),
    (gx.atan2, (0.0, 0.0), 0, 0.0), (gx.atan2, (0.0, 0.0), 1, 0.0),
    (gx.atan2, (1.0, INF), 0, 0.0), (gx.atan2, (0.0, -2.0), 0, -0.5),
    (gx.logaddexp, (1e300, -1e300), 0, 1.0), (gx.logaddexp, (-INF, -INF), 0, 0.5),
    (gx.logaddexp, (INF, INF), 1, 0.5), (gx.logaddexp, (-INF, 3.0), 0, 0.0),
    (gx.logaddexp, (0.0, 800.0), 0, 0.0), (gx.logaddexp, (-700.0, 0.0), 0, math.exp(-700)),
    (gx.xlogy, (0.0, 0.0), 0, 0.0), (gx.xlogy, (0.0, 0.0), 1, 0.0), (gx.xlogy, (0.0, 2.0), 1, 0.0),
    (gx.xlogy, (0.0, 2.0), 0, math.log(2)), (gx.xlogy, (3.0, 0.0), 1, INF),
    (gx.remainder, (7.5, 2.0), 0, 1.0), (gx.remainder, (7.5, 2.0), 1, -3.0),
    (gx.remainder, (-7.5, 2.0), 1, 4.0), (gx.fmod, (-7.5, 2.0), 1, 3.0),
    (gx.fmod, (1e17, 3.0), 1, -33333333333333333.0), (gx.floor_divide, (7.5, 2.0), 0, 0.0),
    (gx.heaviside, (0.0, 0.25), 1, 1.0), (gx.heaviside, (2.0, 0.25), 1, 0.0),
    (gx.heaviside, (2.0, 0.25), 0, 0.0), (gx.round, (0.5,), 0, 0.0), (gx.ceil, (0.5,), 0, 0.0),
    (gx.nan_to_num, (1.5,), 0, 1.0), (gx.nan_to_num, (math.nan,), 0, 0.0),
    (gx.nan_to_num, (INF,), 0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("function, at, wrt, expected", STABLE)
def test_derivatives_where_they_are_hard(
    function: Callable[..., Node], at: tuple[float, ...], wrt: int, expected: float
) -> None:
    """Protects gradients from overflow, cancellation and 0 / 0 at ends and zeros of functions."""
    found = derivative_of(function, *at, wrt=wrt)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


SECOND: list[tuple[Callable[..., Node], tuple[float, ...], int, float]] = [
    (gx.hypot, (3.0, 4.0), 0, 16 / 125), (gx.hypot, (0.0, 2.0), 0, 0.5),
    (gx.xlogy, (0.0, 2.0), 1, 0.0), (gx.logaddexp, (1.0, 1.0), 0, 0.25),
    (gx.logaddexp, (800.0, -800.0), 0, 0.0), (gx.asinh, (0.0,), 0, 0.0),
    (gx.atan, (1.0,), 0, -0.5), (gx.asin, (0.5,), 0, 0.5 / 0.75**1.5), (gx.tan, (0.0,), 0, 0.0),
    (gx.cbrt, (8.0,), 0, -2 / 9 / 32), (gx.acosh, (2.0,), 0, -2 / 3**1.5),
    (gx.atan2, (0.0, 1.0), 0, 0.0), (gx.logit, (0.5,), 0, 0.0), (gx.rsqrt, (4.0,), 0, 3 / 128),
    (gx.remainder, (7.5, 2.0), 1, 0.0), (gx.fmod, (7.5, 2.0), 1, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("function, at, wrt, expected", SECOND)
def test_second_derivatives(
    function: Callable[..., Node], at: tuple[float, ...], wrt: int, expected: float
) -> None:
    """Protects the derivatives of the derivatives, at the points where a choice was made."""
    found = derivative_of(function, *at, wrt=wrt, order=2)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_mixed_derivatives_at_a_choice() -> None:
    """d2 xlogy / dx dy is 1 / y also where x is 0: the value there is no constant."""
    x, y = gx.input("x", (), "float64"), gx.input("y", (), "float64")
    mixed = gx.grad(gx.grad(gx.xlogy(x, y), y), x)
    assert gx.evaluate(mixed, {x: 0.0, y: 4.0}) == 0.25
    mixed = gx.grad(gx.grad(gx.hypot(x, y), y), x)
    np.testing.assert_allclose(gx.evaluate(mixed, {x: 1e-9, y: 1.0}), -1e-9, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_sinc_is_smooth(order: int) -> None:
    """Protects the series of sinc and the seam at 1, to the fifth derivative."""
    x = gx.input("x", (13,), "float64")
    y = gx.sinc(x)
    for _ in range(order):
        y = gx.grad(gx.sum(y), x)
    at = np.array([0.0, 1e-300, -1e-9, 1e-3, 0.3, -0.7, 1 - 1e-16, 1.0, 1 + 1e-15, -1.5, 4, 20.25,
                   1000.5])  # fmt: skip
    with mpmath.workdps(60):
        sinc = lambda t: mpmath.sincpi(t)  # noqa: E731
        exact = [float(mpmath.taylor(sinc, mpmath.mpf(float(t)), order)[order]
                       * mpmath.factorial(order)) for t in at]  # fmt: skip
    scale = math.pi**order
    np.testing.assert_allclose(gx.evaluate(y, {x: at}), exact, rtol=1e-13, atol=1e-15 * scale)


# ---- names

UFUNCS = {
    np.arcsin: gx.asin, np.arccos: gx.acos, np.arctan: gx.atan, np.sinh: gx.sinh,
    np.cosh: gx.cosh, np.arcsinh: gx.asinh, np.arccosh: gx.acosh, np.arctanh: gx.atanh,
    np.tan: gx.tan, np.cbrt: gx.cbrt, np.exp2: gx.exp2, np.log2: gx.log2, np.log10: gx.log10,
    np.reciprocal: gx.reciprocal, np.ceil: gx.ceil, np.rint: gx.round, np.trunc: gx.trunc,
    np.isinf: gx.isinf, np.sinc: gx.sinc, np.round: gx.round, np.nan_to_num: gx.nan_to_num,
}  # fmt: skip
UFUNCS_OF_TWO = {
    np.arctan2: gx.atan2, np.hypot: gx.hypot, np.logaddexp: gx.logaddexp, np.fmod: gx.fmod,
    np.remainder: gx.remainder, np.floor_divide: gx.floor_divide, np.heaviside: gx.heaviside,
}  # fmt: skip


def test_numpy_functions_build_nodes() -> None:
    """np.arcsin(x) on a node is gx.asin(x), and so on."""
    x, y = gx.input("x", ("n",)), gx.input("y", ("n",))
    for function, op in UFUNCS.items():
        assert function(x) is op(x), function
    for function, op in UFUNCS_OF_TWO.items():
        assert function(x, y) is op(x, y), function


def test_operators_of_division() -> None:
    """// and % on nodes, numbers on either side, floats and integers, as NumPy."""
    x, k = gx.input("x", (6,)), gx.input("k", (6,), "int32")
    assert x // 2 is gx.floor_divide(x, 2)
    assert 2 // x is gx.floor_divide(2, x)
    assert x % 2 is gx.remainder(x, 2)
    assert 2 % x is gx.remainder(2, x)
    at = np.array([-7, -1, 0, 2, 7, -(2**31)], np.int32)
    outputs = [k // 3, k % 3, k // -3, k % -3, 5 // k, 5 % k, k // -1, k % -1, gx.fmod(k, 3),
               gx.fmod(k, 0), gx.fmod(k, -1), k // 0, k % 0]  # fmt: skip
    expected = gx.evaluate(outputs, {k: at})
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(expected[:4], [at // 3, at % 3, at // -3, at % -3])
        np.testing.assert_array_equal(expected[8], np.fmod(at, 3))
    np.testing.assert_array_equal(expected[-1], 0)
    for target in ("python", "cpu"):
        for have, want in zip(gx.compile(k, outputs, target=target)(at), expected, strict=True):
            assert have.dtype == np.int32
            np.testing.assert_array_equal(have, want)


def test_text_of_a_division_keeps_its_meaning() -> None:
    """a * (b % c) is not a * b % c, and -(a % b) not -a % b."""
    x, y = gx.input("x", ()), gx.input("y", ())
    made = {
        "2 * (x % y)": 2 * (x % y), "2 * x % y": (2 * x) % y, "-(x // y)": -(x // y),
        "x % y + 1": x % y + 1, "x % (y // 2)": x % (y // 2), "2**(x + 1)": gx.exp2(x + 1),
    }  # fmt: skip
    for text, node in made.items():
        assert text in gx.show(node), gx.show(node)


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64"])
def test_division_of_other_integers(dtype: str) -> None:
    """Protects unsigned division and the widest integers, with 0 among the divisors."""
    limits = np.iinfo(dtype)
    a = np.array([limits.max, limits.min, 7, 200 % limits.max, 1], dtype)
    b = np.array([2, 3, 0, limits.max, limits.max], dtype)
    x, y = gx.input("x", (5,), dtype), gx.input("y", (5,), dtype)
    outputs = [x // y, x % y, gx.fmod(x, y)]
    expected = gx.evaluate(outputs, {x: a, y: b})
    for have, want in zip(gx.compile([x, y], outputs)(a, b), expected, strict=True):
        assert have.dtype == want.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(have, want)


def test_rounding_to_decimals() -> None:
    """gx.round takes decimals as np.round does, on either side of the point."""
    x = gx.input("x", (5,), "float64")
    at = np.array([0.125, 2.5, -1234.5678, 15.0, 25.0])
    for decimals in (-1, 0, 2):
        found = gx.evaluate(gx.round(x, decimals), {x: at})
        np.testing.assert_array_equal(found, np.round(at, decimals))
    with pytest.raises(ArgumentError, match="whole number of decimals, got 1.5"):
        gx.round(x, 1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_nan_to_num(target: str) -> None:
    """The numbers asked for in place of nan and the infinities, in either float type."""
    at = np.array([1.5, math.nan, INF, -INF])
    for dtype in ("float32", "float64"):
        x = gx.input("x", (4,), dtype)
        outputs = [gx.nan_to_num(x), gx.nan_to_num(x, nan=2.0, posinf=3.0, neginf=-4.0)]
        found = gx.compile(x, outputs, target=target)(at.astype(dtype))
        np.testing.assert_array_equal(found[0], np.nan_to_num(at.astype(dtype)))
        np.testing.assert_array_equal(found[1], [1.5, 2, 3, -4])
    k = gx.input("k", (3,), "int32")
    assert gx.nan_to_num(k) is k


# ---- SymPy


def _by_name(name: str, at: float) -> tuple[Callable[..., Any], Callable[..., Any], float]:
    return (lambda sp, x: getattr(sp, name)(x)), getattr(mpmath, name), at


FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any], float]] = {
    name: _by_name(name, 0.4)
    for name in ("asin", "acos", "atan", "asinh", "atanh", "tan", "sinh", "cosh", "sec", "csc",
                 "cot", "sech", "csch", "coth", "sinc", "asech", "acsch", "acot")
}  # fmt: skip
FORMULAS |= {
    name: _by_name(name, 1.7) for name in ("acosh", "asec", "acsc", "acoth")
}  # fmt: skip
FORMULAS |= {
    "cube_root": (lambda sp, x: sp.cbrt(x), mpmath.cbrt, 1.7),
    "binary": (lambda sp, x: 2**x, lambda x: 2**x, 1.7),
    "log_of_base": (lambda sp, x: sp.log(x, 10), lambda x: mpmath.log(x, 10), 1.7),
    "angle": (lambda sp, x: sp.atan2(x, 2), lambda x: mpmath.atan2(x, 2), 1.7),
    "modulo": (lambda sp, x: sp.Mod(x, 1.5) * x, lambda x: (x % 1.5) * x, 1.7),
    "steps": (lambda sp, x: sp.ceiling(x) * x + sp.floor(2 * x), lambda x: mpmath.ceil(x) * x
    + mpmath.floor(2 * x), 1.7),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_formulas_of_sympy(name: str) -> None:
    """A user's formula: the value, the derivatives that SymPy finds, and the kernel of each."""
    formula, exact, at = FORMULAS[name]
    op = gx.elementwise(f"formula_{name}", formula)
    x = gx.input("x", (), "float64")
    first = gx.grad(op(x), x)
    second = gx.grad(first, x, disconnected="zero")
    found = gx.compile(x, [op(x), first, second], target="python")(np.float64(at))
    with mpmath.workdps(40):
        expected = [float(c * mpmath.factorial(i)) for i, c in
                    enumerate(mpmath.taylor(exact, mpmath.mpf(at), 2))]  # fmt: skip
    np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(gx.evaluate(op(x), {x: at}), expected[0], rtol=1e-14)
