"""Elementary functions: how near they are to the truth, their edges, and what they compile to."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc.ops  # noqa: F401  registers the operations
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from graphc.target import vmath
from graphc.target.arithmetic import NUMPY_MACHINES, NumpyArithmetic, silent
from graphc.target.cpu import compile_kernel
from graphc.target.vmath_trigonometric import ANGLE_LIMIT

FLOATS: dict[int, Any] = {32: np.float32, 64: np.float64}
WIDER: dict[int, Any] = {32: np.float64, 64: np.longdouble}
WIDTHS = sorted(FLOATS)
# The others have files of their own beside this one.
UNARY = [
    "cos", "erf", "exp", "expm1", "log", "log1p", "sigmoid", "sin", "softplus", "sqrt", "tanh",
]  # fmt: skip
FUNCTIONS = {**vmath.UNARY, **vmath.BINARY}


def wide_sigmoid(x: Any) -> Any:
    raised = np.exp(-np.abs(x))
    return np.where(x < 0, raised, 1) / (1 + raised)


def wide_softplus(x: Any) -> Any:
    return np.where(x < 0, 0, x) + np.log1p(np.exp(-np.abs(x)))


def wide_erf(x: Any) -> Any:
    with mpmath.workprec(120):
        exact = [mpmath.erf(float(number)) for number in x]
        high = [float(number) for number in exact]
        low = [float(number - near) for number, near in zip(exact, high, strict=True)]
    return np.copysign(np.array(high, x.dtype) + np.array(low, x.dtype), x)


ORACLES: dict[str, Callable[..., Any]] = {
    "erf": wide_erf,
    "power": np.power,
    "sigmoid": wide_sigmoid,
    "softplus": wide_softplus,
}


def promised(name: str, width: int) -> float:
    """The bound that the operation states."""
    op = REGISTRY[name]
    assert isinstance(op, ElementwiseOp)
    return op.ulp[width]


def oracle(name: str, *operands: Any) -> Any:
    """The function in the next wider float."""
    with np.errstate(all="ignore"):
        wide = [x.astype(WIDER[8 * x.itemsize]) for x in operands]
        return ORACLES.get(name, getattr(np, name, None))(*wide)


def ulps(got: Any, want: Any) -> Any:
    """Errors in units in the last place; infinite where one is NaN, infinite or -0 alone."""
    limits = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        near = want.astype(got.dtype)
        unit = np.spacing(np.minimum(np.abs(near), limits.max)).astype(want.dtype)
        error = np.abs(got.astype(want.dtype) - want) / unit
    same = (got == near) | (np.isnan(got) & np.isnan(near))
    # At the edge of overflow the neighbour of infinity is the largest number.
    edge = np.isinf(near) & (np.abs(got) == limits.max) & (np.sign(got) == np.sign(near))
    error = np.where(np.isfinite(near) & np.isfinite(got), error, np.where(same, 0, np.inf))
    error = np.where(edge, 1, error)
    return np.where((got == 0) & (near == 0) & (np.signbit(got) != np.signbit(near)), np.inf, error)


def special(width: int) -> Any:
    """0, 1, infinity, NaN, the ends of the normal and subnormal numbers, of both signs."""
    limits = np.finfo(FLOATS[width])
    sizes = [0, 1, 2, 0.5, math.inf, math.nan, limits.max, limits.tiny, limits.smallest_subnormal]
    sizes += [limits.eps, 1 - limits.eps, 1 + limits.eps, 88.7, 103.9, 709.7, 745.1, 1e-20, 100]
    positive = np.array(sizes, FLOATS[width])
    return np.concatenate([positive, -positive])


def arguments(width: int, count: int = 20_000) -> Any:
    """Random bit patterns, numbers of ordinary sizes and the special ones."""
    random = np.random.default_rng(width)
    integers = np.dtype(f"int{width}")
    limits = np.iinfo(integers)
    patterns = random.integers(limits.min, limits.max, count, integers, endpoint=True)
    parts = [patterns.view(FLOATS[width]), special(width)]
    parts += [random.uniform(-size, size, count) for size in (0.1, 1, 3, 20, 110, 800)]
    parts += [1 + random.uniform(-1, 1, count) * 2.0**-k for k in (5, 10, 20)]
    return np.concatenate([part.astype(FLOATS[width]) for part in parts])


def domain(name: str, width: int, machine: NumpyArithmetic) -> Any:
    x = arguments(width, 500 if name == "erf" else 20_000)
    if name in ("sin", "cos"):
        return x[~(np.abs(x) > ANGLE_LIMIT[machine.fuses])]
    return x


def pairs(width: int, count: int = 60_000) -> tuple[Any, Any]:
    """Bases and exponents whose power is mostly neither 0 nor infinite, and all special pairs."""
    random = np.random.default_rng(width)
    reach = math.log(np.finfo(FLOATS[width]).max)
    base = np.concatenate(
        [
            np.exp(random.uniform(-5, 5, count)),
            1 + random.uniform(-1e-3, 1e-3, count),
            np.exp(random.uniform(-reach, 0.99 * reach, count)),
        ]
    )
    scale = np.concatenate([random.uniform(-1, 1, count) * size for size in (20, 9e4, 1.1)])
    exponent = np.where(random.random(3 * count) < 0.3, np.round(scale), scale)
    base = base * random.choice([-1, 1], 3 * count)
    a, b = np.meshgrid(special(width), special(width))
    return (
        np.concatenate([base.astype(FLOATS[width]), a.ravel()]),
        np.concatenate([exponent.astype(FLOATS[width]), b.ravel()]),
    )


def compute(machine: NumpyArithmetic, name: str, *operands: Any) -> Any:
    return silent(FUNCTIONS[name])(machine, *operands)


def check(name: str, machine: NumpyArithmetic, bound: float, *operands: Any) -> None:
    got = compute(machine, name, *operands)
    assert got.dtype == FLOATS[machine.width]
    error = ulps(got, oracle(name, *operands))
    worst = int(np.argmax(error))
    at = [x[worst] for x in operands]
    assert error[worst] <= bound, f"{name}{at!r} = {got[worst]!r} is {error[worst]:.3f} ulp off"


class Unfused(NumpyArithmetic):
    """A processor without a fused multiply-add."""

    fuses = False

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        return a * b + c

    def double(self) -> NumpyArithmetic:
        return Unfused(64)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", UNARY)
def test_error_is_within_the_stated_bound(name: str, width: int) -> None:
    """Protects the ULP table, on random, ordinary, subnormal and special arguments."""
    machine = NUMPY_MACHINES[width]
    check(name, machine, promised(name, width), domain(name, width, machine))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", UNARY)
def test_without_fused_multiply_add_one_unit_more(name: str, width: int) -> None:
    """Protects processors without FMA: no text relies on an exact multiply_add."""
    machine = Unfused(width)
    check(name, machine, promised(name, width) + 1, domain(name, width, machine))


@pytest.mark.parametrize("machine_type", [NumpyArithmetic, Unfused])
@pytest.mark.parametrize("width", WIDTHS)
def test_power_is_within_the_stated_bound(width: int, machine_type: Any) -> None:
    """Protects power over its whole range, and every special case of C99."""
    extra = 0 if machine_type.fuses else 1
    check("power", machine_type(width), promised("power", width) + extra, *pairs(width))


def test_every_function_states_its_error() -> None:
    """Protects the table from a function without a bound, and the bounds from growing."""
    for name in (*FUNCTIONS, *vmath.DIVISION):
        op = REGISTRY[name]
        assert isinstance(op, ElementwiseOp)
        if not op.ulp:
            assert " error is " in op.doc or " bound " in op.doc, name
            continue
        assert 0 <= promised(name, 32) <= 2, name
        assert 0 <= promised(name, 64) <= 4, name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("limit", [1e4, ANGLE_LIMIT[True]])
def test_angles_next_to_multiples_of_a_quarter_turn(name: str, width: int, limit: float) -> None:
    """Protects the range reduction where nearly all digits cancel."""
    float_type = FLOATS[width]
    random = np.random.default_rng(5)
    with mpmath.workprec(300):
        turns = random.integers(1, int(limit / 1.6), 400)
        x = np.array([float(int(k) * mpmath.pi / 2) for k in turns]).astype(float_type)
        x = np.concatenate([x, np.nextafter(x, float_type(0)), -x])
        got = compute(NUMPY_MACHINES[width], name, x)
        for angle, value in zip(x, got, strict=True):
            exact = getattr(mpmath, name)(mpmath.mpf(float(angle)))
            unit = float(np.spacing(np.abs(float_type(exact))))
            error = abs(mpmath.mpf(float(value)) - exact) / unit
            assert error <= promised(name, width), angle


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles_beyond_the_limit_are_nan(name: str, width: int) -> None:
    """Protects against a wrong number where the reduction gives out."""
    x = np.array([1e14, 1.01e14, -1e30, np.inf], FLOATS[width])
    got = compute(NUMPY_MACHINES[width], name, x)
    expected = [np.abs(x[0]) > 1e14, True, True, True]  # as a float32, 1e14 is a little more
    assert np.isnan(got).tolist() == expected
    assert np.isnan(compute(Unfused(width), name, np.array([1.1e8], FLOATS[width])))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "name, argument, expected",
    [
        ("exp", -np.inf, 0.0),
        ("exp", np.inf, np.inf),
        ("exp", 0.0, 1.0),
        ("expm1", -np.inf, -1.0),
        ("expm1", -0.0, -0.0),
        ("log", 0.0, -np.inf),
        ("log", -0.0, -np.inf),
        ("log", -1.0, np.nan),
        ("log", np.inf, np.inf),
        ("log", 1.0, 0.0),
        ("log1p", -1.0, -np.inf),
        ("log1p", -1.5, np.nan),
        ("log1p", -0.0, -0.0),
        ("tanh", -np.inf, -1.0),
        ("tanh", -0.0, -0.0),
        ("sigmoid", -np.inf, 0.0),
        ("sigmoid", np.inf, 1.0),
        ("sigmoid", 0.0, 0.5),
        ("softplus", -np.inf, 0.0),
        ("softplus", np.inf, np.inf),
        ("erf", -np.inf, -1.0),
        ("erf", -0.0, -0.0),
        ("sin", -0.0, -0.0),
        ("cos", 0.0, 1.0),
        ("sqrt", -1.0, np.nan),
    ],
)
def test_edges(name: str, argument: float, expected: float, width: int) -> None:
    """Protects the values at the ends of each function, on one number and not an array."""
    got = compute(NUMPY_MACHINES[width], name, FLOATS[width](argument))
    assert type(got) is FLOATS[width]
    np.testing.assert_array_equal(got, FLOATS[width](expected))
    assert np.isnan(expected) or np.signbit(got) == np.signbit(expected)


@pytest.mark.parametrize("name", sorted(vmath.UNARY))
def test_nan_stays_nan(name: str) -> None:
    """Protects the search for the first NaN: no clamp may swallow one."""
    for width in WIDTHS:
        assert np.isnan(compute(NUMPY_MACHINES[width], name, FLOATS[width](np.nan)))


def test_tails_keep_their_subnormals() -> None:
    """Protects exp, sigmoid and softplus from flushing results below 1.2e-38 to 0."""
    machine = NUMPY_MACHINES[32]
    for name in ("exp", "sigmoid", "softplus"):
        assert compute(machine, name, np.float32(-100)) == np.float32(3.783506e-44)
    assert compute(machine, "exp", np.float32(-103.97)) == np.float32(1e-45)
    assert compute(machine, "exp", np.float32(-103.98)) == 0


# --- every float32 -------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("name", UNARY)
def test_every_float32(name: str) -> None:
    """Protects the float32 column of the ULP table: all arguments, against libm's float64."""
    error, argument = worst_float32(name, EXACT[name])
    assert error <= promised(name, 32), f"{error:.3f} ulp at {argument!r}"


def error_meter(
    name: str, function: Callable[[float], float]
) -> Callable[[Any, Any], tuple[float, float]]:
    """A compiled function of (x, got): the largest error in ulp and its argument.

    `function` is the truth in float64, which Numba can compile.
    """
    import numba

    exact = numba.njit(function)
    limit = ANGLE_LIMIT[True] if name in ("sin", "cos", "tan") else math.inf

    @numba.njit(error_model="numpy")
    def worst(x: Any, got: Any) -> tuple[float, float]:
        largest, where = -1.0, 0.0
        for i in range(x.shape[0]):
            if abs(x[i]) > limit:
                continue
            want = exact(np.float64(x[i]))
            # Infinity counts as the number after the largest one.
            truth = min(max(want, -(2.0**128)), 2.0**128)
            value = min(max(np.float64(got[i]), -(2.0**128)), 2.0**128)
            exponent = min(max(math.frexp(truth)[1] - 24, -149), 104)
            error = abs(value - truth) / math.ldexp(1.0, exponent)
            if np.isnan(want) or np.isnan(got[i]):
                error = 0.0 if np.isnan(want) == np.isnan(got[i]) else np.inf
            if error > largest:
                largest, where = error, np.float64(x[i])
        return largest, where

    return worst  # type: ignore[no-any-return]


def worst_float32(name: str, function: Callable[[float], float]) -> tuple[float, float]:
    """The largest error of the machine code in ulp over all float32 numbers, and where it is."""
    source = (
        f"from graphc.target.primitives import {name}, float32_pointer\n"
        "def kernel(lo, hi, argv, context):\n"
        "    x = float32_pointer(argv, 0)\n"
        "    out = float32_pointer(argv, 1)\n"
        "    for i in range(lo, hi):\n"
        f"        out[i] = {name}(x[i])\n"
    )
    word = ctypes.c_int64
    kernel = ctypes.CFUNCTYPE(None, word, word, word, word)(compile_kernel(source).address)
    meter, size = error_meter(name, function), 2**16
    got, found = np.empty(size, np.float32), []
    for start in range(0, 2**32, size):
        x = np.arange(start, start + size, dtype=np.uint64).astype(np.uint32).view(np.float32)
        argv = np.array([x.ctypes.data, got.ctypes.data])
        kernel(0, size, argv.ctypes.data, 0)
        found.append(meter(x, got))
    return max(found)


def _exact_sigmoid(x: float) -> float:
    raised = math.exp(-abs(x))
    return (raised if x < 0 else 1.0) / (1.0 + raised)


def _exact_softplus(x: float) -> float:
    return (0.0 if x < 0 else x) + math.log1p(math.exp(-abs(x)))


def _exact_log(x: float) -> float:
    return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _exact_log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else (-math.inf if x == -1 else math.nan)


EXACT: dict[str, Callable[[float], float]] = {
    "cos": lambda x: math.cos(x),
    "erf": lambda x: math.erf(x),
    "exp": lambda x: math.exp(x),
    "expm1": lambda x: math.expm1(x),
    "log": _exact_log,
    "log1p": _exact_log1p,
    "sigmoid": _exact_sigmoid,
    "sin": lambda x: math.sin(x),
    "softplus": _exact_softplus,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 or x != x else math.nan,
    "tanh": lambda x: math.tanh(x),
}
