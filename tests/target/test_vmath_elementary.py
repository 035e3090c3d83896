"""The elementary functions beyond the first: their errors, edges, exact values and division."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from graphc.target import vmath
from graphc.target.arithmetic import NUMPY_MACHINES, NumpyArithmetic, silent
from graphc.target.vmath_trigonometric import ANGLE_LIMIT
from tests.target.test_vmath import (
    FLOATS,
    WIDER,
    WIDTHS,
    Unfused,
    arguments,
    promised,
    special,
    ulps,
    worst_float32,
)

FUSED = [NumpyArithmetic, Unfused]
# Angles by which sinc turns: pi to the precision of the widest float.
PI = np.longdouble(math.pi) + np.longdouble(1.2246467991473532e-16)


def wide_sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), with the multiples of 1/2 taken off x exactly."""
    n = np.rint(2 * x)
    angle, quadrant = PI * (x - n / 2), np.remainder(n, 4)
    wave = np.where(quadrant % 2 == 1, np.cos(angle), np.sin(angle))
    wave = np.where(quadrant > 1, -wave, wave)
    return np.where(x == 0, 1, np.where(wave == 0, 0, wave) / (PI * np.where(x == 0, 1, x)))


def wide_logit(p: Any) -> Any:
    near = np.abs(p - 0.5) < 0.25
    return np.where(near, np.log1p((2 * p - 1) / (1 - p)), np.log(p / (1 - p)))


def wide_softsign(x: Any) -> Any:
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


ORACLES: dict[str, Callable[..., Any]] = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh,
    "atan": np.arctan, "atanh": np.arctanh, "cbrt": np.cbrt, "cosh": np.cosh, "exp2": np.exp2,
    "log10": np.log10, "log2": np.log2, "logit": wide_logit, "round": np.rint, "sinc": wide_sinc,
    "sinh": np.sinh, "softsign": wide_softsign, "tan": np.tan, "trunc": np.trunc,
}  # fmt: skip
PAIR_ORACLES: dict[str, Callable[..., Any]] = {
    "atan2": np.arctan2, "heaviside": np.heaviside, "hypot": np.hypot,
    "xlogy": lambda x, y: np.where((x == 0) & (y == y), 0, x * np.log(y)),
}  # fmt: skip
UNARY, BINARY, DIVISION = sorted(ORACLES), sorted(PAIR_ORACLES), sorted(vmath.DIVISION)
FUNCTIONS = {**vmath.UNARY, **vmath.BINARY, **vmath.DIVISION}


def compute(machine: NumpyArithmetic, name: str, *operands: Any) -> Any:
    return silent(FUNCTIONS[name])(machine, *operands)


def truth(name: str, *operands: Any) -> Any:
    """The function in the next wider float; sinc always in the widest, for its reduction."""
    with np.errstate(all="ignore"):
        wide = [x.astype(np.longdouble if name == "sinc" else WIDER[8 * x.itemsize])
                for x in operands]  # fmt: skip
        return {**ORACLES, **PAIR_ORACLES}[name](*wide)


def domain(name: str, machine: NumpyArithmetic) -> Any:
    """Arguments of all sizes, and more where the function lives on an interval."""
    random, width = np.random.default_rng(7), machine.width
    parts = [arguments(width, 8000)]
    near = np.exp(random.uniform(-40, 0, 20_000))
    if name in ("acos", "asin", "atanh", "logit"):
        unit = random.uniform(0, 1, 20_000)
        parts += [x.astype(FLOATS[width]) for x in (unit, -unit, 1 - near, near - 1)]
    if name == "acosh":
        parts += [(1 + near).astype(FLOATS[width])]
    x = np.concatenate(parts)
    return x[~(np.abs(x) > ANGLE_LIMIT[machine.fuses])] if name == "tan" else x


def pairs(width: int, count: int = 10_000) -> tuple[Any, Any]:
    """Pairs of all sizes, of like sizes, of integers, of random bits, and all special pairs."""
    random, float_type = np.random.default_rng(width), FLOATS[width]
    reach = math.log(np.finfo(float_type).max)
    limits, integers = np.iinfo(f"int{width}"), f"int{width}"

    def any_size() -> Any:
        return np.exp(random.uniform(-reach, 0.99 * reach, count)) * random.choice([-1, 1], count)

    def any_bits() -> Any:
        bits = random.integers(limits.min, limits.max, count, integers, endpoint=True)
        return bits.view(float_type)

    like = any_size()
    a, b = np.meshgrid(special(width), special(width))
    normal = random.standard_normal((4, count))
    left = [any_size(), normal[0], 100 * normal[1], like, np.round(100 * normal[2]), any_bits()]
    right = [any_size(), normal[3], normal[2], like * (1 + 0.5 * normal[0]),
             np.round(5 * normal[1]), any_bits()]  # fmt: skip
    with np.errstate(all="ignore"):
        return (
            np.concatenate([a.ravel(), *(x.astype(float_type) for x in left)]),
            np.concatenate([b.ravel(), *(x.astype(float_type) for x in right)]),
        )


def check(name: str, bound: float, got: Any, want: Any, *operands: Any) -> None:
    assert got.dtype == operands[0].dtype
    error = ulps(got, want)
    worst = int(np.argmax(error))
    at = [x[worst] for x in operands]
    assert error[worst] <= bound, f"{name}{at!r} = {got[worst]!r} is {error[worst]:.3f} ulp off"


@pytest.mark.parametrize("machine_type", FUSED)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one(name: str, width: int, machine_type: Any) -> None:
    """Protects the stated bounds; without a fused multiply-add one unit more."""
    machine = machine_type(width)
    x = domain(name, machine)
    bound = promised(name, width) + (0 if machine.fuses or promised(name, width) == 0 else 1)
    got, want = compute(machine, name, x), truth(name, x)
    if name == "sinc":  # whether 0 / -3 is -0 is nobody's business
        got, want = got + 0, want + 0
    check(name, bound, got, want, x)


@pytest.mark.parametrize("machine_type", FUSED)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two(name: str, width: int, machine_type: Any) -> None:
    """Protects the stated bounds and every special pair, signed zeros included."""
    machine, (a, b) = machine_type(width), pairs(width)
    bound = promised(name, width) + (0 if machine.fuses or name == "heaviside" else 1)
    check(name, bound, compute(machine, name, a, b), truth(name, a, b), a, b)


@pytest.mark.parametrize("machine_type", FUSED)
@pytest.mark.parametrize("width", WIDTHS)
def test_logaddexp_in_units_of_its_largest_term(width: int, machine_type: Any) -> None:
    """Protects what logaddexp says of its error, and sums of infinities."""
    random, float_type = np.random.default_rng(3), FLOATS[width]
    a, b = pairs(width)
    a = np.concatenate([a, random.uniform(-2, 1, 50_000).astype(float_type)])
    b = np.concatenate([b, random.uniform(-2, 1, 50_000).astype(float_type)])
    got = compute(machine_type(width), "logaddexp", a, b)
    with np.errstate(all="ignore"):
        x, y = a.astype(WIDER[width]), b.astype(WIDER[width])
        gap = np.where(x == y, 0, np.abs(x - y))
        want = np.maximum(x, y) + np.log1p(np.exp(-gap))
        finite = np.isfinite(want.astype(float_type)) & np.isfinite(a) & np.isfinite(b)
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(got))
        error = (np.abs(got - want) / np.spacing(size))[finite]
    assert error.max() <= (3 if machine_type.fuses else 4)
    np.testing.assert_array_equal(got[~finite], want.astype(float_type)[~finite])


# --- division ---


@pytest.mark.parametrize("machine_type", FUSED)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", DIVISION)
def test_division_is_that_of_numpy_bit_for_bit(name: str, width: int, machine_type: Any) -> None:
    """Protects remainders of any quotient, up to that of the largest and the smallest number."""
    a, b = pairs(width)
    got = compute(machine_type(width), name, a, b)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(a, b)
    np.testing.assert_array_equal(got, want)
    numbers = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(want)[numbers])


@pytest.mark.parametrize("width", WIDTHS)
def test_remainders_are_exact(width: int) -> None:
    """Protects against an oracle that shares a mistake: rational arithmetic."""
    a, b = (x[::37] for x in pairs(width, 3000))
    keep = np.isfinite(a) & np.isfinite(b) & (b != 0)
    a, b = a[keep], b[keep]
    for x, y, rest in zip(a, b, compute(NUMPY_MACHINES[width], "fmod", a, b), strict=True):
        size = abs(Fraction(float(x))) % abs(Fraction(float(y)))
        assert abs(Fraction(float(rest))) == size, (x, y)


# --- exact values and edges ---


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_exact(width: int) -> None:
    """Protects powers of 2 and 10, cubes, and zeros of sinc from being one unit off."""
    machine, float_type = NUMPY_MACHINES[width], FLOATS[width]
    limits = np.finfo(float_type)
    n = np.arange(limits.minexp - limits.nmant, limits.maxexp)
    powers = np.ldexp(float_type(1), n).astype(float_type)
    np.testing.assert_array_equal(compute(machine, "exp2", n.astype(float_type)), powers)
    np.testing.assert_array_equal(compute(machine, "log2", powers), n)
    tens = np.arange(0, 11 if width == 32 else 23)
    decimal = np.array([float(10 ** int(k)) for k in tens], float_type)
    np.testing.assert_array_equal(compute(machine, "log10", decimal), tens)
    roots = np.arange(-200, 201).astype(float_type)
    np.testing.assert_array_equal(compute(machine, "cbrt", roots**3), roots)
    whole = np.array([1, 2, -3, 1e6 + 1, limits.max, -limits.max], float_type)
    np.testing.assert_array_equal(compute(machine, "sinc", whole), 0)
    assert compute(machine, "cosh", float_type(0)) == 1


EDGES = [
    ("acos", 1.0, 0.0), ("acos", -1.0, math.pi), ("acos", 1.5, math.nan),
    ("acosh", 1.0, 0.0), ("acosh", 0.5, math.nan), ("acosh", -2.0, math.nan),
    ("acosh", math.inf, math.inf), ("acosh", -math.inf, math.nan),
    ("asin", -0.0, -0.0), ("asin", 1.0, math.pi / 2), ("asin", -2.0, math.nan),
    ("asinh", -0.0, -0.0), ("asinh", -math.inf, -math.inf),
    ("atan", -0.0, -0.0), ("atan", -math.inf, -math.pi / 2),
    ("atanh", -0.0, -0.0), ("atanh", 1.0, math.inf), ("atanh", -1.0, -math.inf),
    ("atanh", 2.0, math.nan), ("atanh", math.inf, math.nan),
    ("cbrt", -0.0, -0.0), ("cbrt", -math.inf, -math.inf),
    ("cosh", -math.inf, math.inf), ("sinh", -0.0, -0.0), ("sinh", -math.inf, -math.inf),
    ("exp2", -math.inf, 0.0), ("exp2", math.inf, math.inf),
    ("log2", 0.0, -math.inf), ("log2", -1.0, math.nan), ("log10", math.inf, math.inf),
    ("logit", 0.0, -math.inf), ("logit", -0.0, -math.inf), ("logit", 1.0, math.inf),
    ("logit", 0.5, 0.0), ("logit", 1.5, math.nan), ("logit", math.inf, math.nan),
    ("round", 0.5, 0.0), ("round", 1.5, 2.0), ("round", -0.5, -0.0), ("trunc", -0.9, -0.0),
    ("sinc", 0.0, 1.0), ("sinc", math.inf, math.nan), ("softsign", -math.inf, -1.0),
    ("softsign", -0.0, -0.0), ("tan", -0.0, -0.0), ("tan", math.inf, math.nan),
]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name, argument, expected", EDGES)
def test_edges(name: str, argument: float, expected: float, width: int) -> None:
    """Protects the ends of each function, on one number and not an array, and signs of zeros."""
    got = compute(NUMPY_MACHINES[width], name, FLOATS[width](argument))
    assert type(got) is FLOATS[width]
    np.testing.assert_array_equal(got, FLOATS[width](expected))
    assert np.isnan(expected) or np.signbit(got) == np.signbit(expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_tangents_next_to_their_poles(width: int) -> None:
    """Protects tan where its reduced argument has lost nearly all digits."""
    random, float_type = np.random.default_rng(5), FLOATS[width]
    with mpmath.workprec(300):
        turns = random.integers(1, 10**9, 300)
        x = np.array([float(int(k) * mpmath.pi / 2) for k in turns]).astype(float_type)
        for angle, value in zip(x, compute(NUMPY_MACHINES[width], "tan", x), strict=True):
            exact = mpmath.tan(mpmath.mpf(float(angle)))
            unit = float(np.spacing(np.abs(float_type(exact))))
            assert abs(mpmath.mpf(float(value)) - exact) / unit <= promised("tan", width), angle


# --- every float32 ---


def _exact_acosh(x: float) -> float:
    return math.acosh(x) if x >= 1 else math.nan


def _exact_atanh(x: float) -> float:
    return math.atanh(x) if abs(x) < 1 else (math.copysign(math.inf, x) if abs(x) == 1 else
    math.nan)  # fmt: skip


def _exact_logit(p: float) -> float:
    if not 0 <= p <= 1:
        return math.nan
    if p in (0, 1):
        return math.inf if p == 1 else -math.inf
    return math.log1p((2 * p - 1) / (1 - p)) if p > 0.25 else math.log(p / (1 - p))


def _exact_sinc(x: float) -> float:
    if abs(x) >= 2.0**53:
        return x - x
    n = float(round(2 * x)) if abs(x) < 2.0**40 else 2 * x
    angle, quadrant = math.pi * (x - n / 2), n - 4 * math.floor(n / 4)
    wave = math.cos(angle) if quadrant % 2 == 1 else math.sin(angle)
    return 1.0 if x == 0 else (-wave if quadrant > 1 else wave) / (math.pi * x)


def _exact_softsign(x: float) -> float:
    return x / (1 + abs(x)) if abs(x) < math.inf else (math.copysign(1.0, x) if x == x else x)


def _exact_log10(x: float) -> float:
    return math.log10(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _exact_log2(x: float) -> float:
    return math.log2(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _exact_cbrt(x: float) -> float:
    return math.copysign(abs(x) ** (1 / 3), x)


def _exact_exp2(x: float) -> float:
    return 2.0**x


EXACT: dict[str, Callable[[float], float]] = {
    "acos": lambda x: math.acos(x) if abs(x) <= 1 else math.nan,
    "acosh": _exact_acosh,
    "asin": lambda x: math.asin(x) if abs(x) <= 1 else math.nan,
    "asinh": lambda x: math.asinh(x),
    "atan": lambda x: math.atan(x),
    "atanh": _exact_atanh,
    "cbrt": _exact_cbrt,
    "cosh": lambda x: math.cosh(x),
    "exp2": _exact_exp2,
    "log10": _exact_log10,
    "log2": _exact_log2,
    "logit": _exact_logit,
    "round": lambda x: float(np.rint(x)),
    "sinc": _exact_sinc,
    "sinh": lambda x: math.sinh(x),
    "softsign": _exact_softsign,
    "tan": lambda x: math.tan(x),
    "trunc": lambda x: float(np.trunc(x)),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", UNARY)
def test_every_float32(name: str) -> None:
    """Protects the stated bounds of float32: all arguments, against libm's float64."""
    error, argument = worst_float32(name, EXACT[name])
    assert error <= promised(name, 32), f"{error:.3f} ulp at {argument!r}"
