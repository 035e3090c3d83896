"""Special functions: how near they are to the truth, their edges, and every float32."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special as scipy_special

from graphc.target import vmath_special
from graphc.target.arithmetic import NUMPY_MACHINES, NumpyArithmetic, silent
from graphc.target.cpu import compile_kernel
from tests.target.test_vmath import FLOATS, WIDTHS, Unfused, promised, ulps

UNARY = sorted(vmath_special.UNARY)
BOUNDED = sorted({*UNARY, "polygamma", "xlog1py"})
FUNCTIONS = {**vmath_special.UNARY, **vmath_special.BINARY}
mp = mpmath.mp

# ---- the truth


def _root(start: Any, error: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """Two of Newton's steps from SciPy's value, which has 14 digits."""
    z = mp.mpf(float(start))
    for _ in range(2):
        z -= error(z) / slope(z)
    return z


def _erfinv(x: Any) -> Any:
    if abs(x) > 0.5:
        return mp.sign(x) * _erfcinv(1 - abs(x))
    start = scipy_special.erfinv(float(x))
    return _root(start, lambda z: mp.erf(z) - x, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z))


def _erfcinv(q: Any) -> Any:
    if q > 0.5:
        return _erfinv(1 - q) if q <= 1.5 else -_erfcinv(2 - q)
    start = scipy_special.erfcinv(max(float(q), 1e-300))
    target = mp.log(q)
    found = mp.mpf(float(start))
    for _ in range(6 if q < 1e-300 else 2):
        tail = mp.erfc(found)
        rate = -2 / mp.sqrt(mp.pi) * mp.exp(-found * found) / tail
        found -= (mp.log(tail) - target) / rate
    return found


def _normal_tail(x: Any) -> Any:
    return mp.erfc(x / mp.sqrt(2)) / 2


def _log_gamma(x: Any) -> Any:
    return mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))


def _quotient(k: Any, x: Any) -> Any:
    return mp.besseli(int(k), x) / x ** int(k)


TRUTH: dict[str, Callable[..., Any]] = {
    "bessel_i0": lambda x: mp.besseli(0, x),
    "bessel_i0e": lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
    "bessel_i1": lambda x: mp.besseli(1, x),
    "bessel_i1e": lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
    "bessel_quotient": _quotient,
    "bessel_quotient_scaled": lambda k, x: mp.exp(-abs(x)) * _quotient(k, x),
    "betaln": lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b),
    "digamma": mpmath.digamma,
    "entr": lambda x: -x * mp.log(x),
    "erfc": mpmath.erfc,
    "erfcinv": _erfcinv,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
    "erfinv": _erfinv,
    "gamma": mpmath.gamma,
    "lgamma": _log_gamma,
    "log_erfc": lambda x: mp.log(mp.erfc(x)),
    "log_ndtr": lambda x: mp.log1p(-_normal_tail(x)) if x > 0 else mp.log(_normal_tail(-x)),
    "ndtr": lambda x: _normal_tail(-x),
    "ndtri": lambda p: -mp.sqrt(2) * _erfcinv(2 * p),
    "polygamma": lambda n, x: mp.polygamma(int(n), x),
    "xlog1py": lambda x, y: x * mp.log1p(y),
}


def truth(name: str, *operands: Any) -> Any:
    """The exact values, to the precision of a long double."""
    high, low = np.empty(len(operands[0])), np.empty(len(operands[0]))
    with mpmath.workprec(240):
        for place, numbers in enumerate(zip(*operands, strict=True)):
            value = TRUTH[name](*(mp.mpf(float(number)) for number in numbers))
            high[place] = float(value)
            low[place] = float(value - high[place]) if math.isfinite(high[place]) else 0.0
    return high.astype(np.longdouble) + low


# ---- arguments


def _anywhere(random: np.random.Generator, count: int) -> Any:
    """Both signs; ordinary sizes, tiny ones, and the neighbourhood of every switch."""
    parts = [random.uniform(-size, size, count // 6) for size in (0.6, 3.0, 9.0, 17.0, 27.0)]
    parts += [np.exp(random.uniform(-60, 5, count // 6)) * random.choice([-1, 1], count // 6)]
    edges = np.array([0.5, 0.5 / math.sqrt(0.5), 8.0, 16.0, 26.5, 26.6, 38.4])
    return np.concatenate([*parts, edges, -edges, np.nextafter(edges, 0), np.nextafter(edges, 99)])


def _positive(random: np.random.Generator, count: int) -> Any:
    """The zeros of lgamma and digamma, the switches, ordinary sizes, tiny and huge ones."""
    centre = random.choice([0.65, 1.0, 1.4616321449683622, 1.65, 2.0, 3.0, 3.2, 4.5], count // 4)
    near = centre + random.choice([-1, 1], count // 4) * np.exp(random.uniform(-36, -1, count // 4))
    sizes = [random.uniform(0, size, count // 8) for size in (1.0, 4.0, 12.0, 160.0)]
    return np.concatenate([near, *sizes, np.exp(random.uniform(-80, 60, count // 4))])


def _probability(random: np.random.Generator, count: int) -> Any:
    tiny = np.exp(random.uniform(-700, 0, count // 4))
    return np.concatenate([random.uniform(0, 1, count // 2), tiny, tiny**0.05])


def arguments(name: str, width: int, count: int) -> tuple[Any, ...]:
    """Operands where the result is a normal number and the stated bound holds."""
    random = np.random.default_rng(width)
    if name == "betaln":
        reach = 3 if count % 2 else 30
        found = [np.exp(random.uniform(-reach, reach, count)) for _ in range(2)]
    elif name == "polygamma":
        x = _positive(random, count)
        found = [random.integers(0, 3, len(x)).astype(float), x]
    elif name.startswith("bessel_quotient"):
        found = [random.integers(0, 6, count).astype(float), random.uniform(-60, 60, count)]
    elif name == "xlog1py":
        found = [random.uniform(-5, 5, count), np.exp(random.uniform(-30, 30, count)) - 0.9]
    elif name in ("lgamma", "digamma", "entr"):
        found = [_positive(random, count)]
    elif name == "gamma":
        x = np.concatenate([_positive(random, count), random.uniform(-20, 0, count // 4)])
        found = [x[(x < 170) & (np.abs(x) > 1e-300)]]
    elif name in ("erfinv", "erfcinv", "ndtri"):
        x = _probability(random, count)
        signed = x * random.choice([-1, 1], len(x))
        found = [{"erfinv": np.concatenate([signed, 1 - x]), "ndtri": x}.get(
            name, np.concatenate([x, 2 - x]))]  # fmt: skip
    else:
        found = [_anywhere(random, count)]
    rounded = [x.astype(FLOATS[width]) for x in found]
    keep = np.ones(len(rounded[0]), np.bool_)
    if name in ("erfinv", "erfcinv", "ndtri"):
        top = 2 if name == "erfcinv" else 1
        keep = (np.abs(rounded[0]) < top) & (rounded[0] != 0)
    return tuple(x[keep] for x in rounded)


def compute(machine: NumpyArithmetic, name: str, *operands: Any) -> Any:
    return silent(FUNCTIONS[name])(machine, *operands)


def check(name: str, machine: NumpyArithmetic, bound: float, operands: tuple[Any, ...]) -> None:
    got, want = compute(machine, name, *operands), truth(name, *operands)
    error = ulps(got, want)
    worst = int(np.argmax(error))
    at = [x[worst] for x in operands]
    assert error[worst] <= bound, f"{name}{at!r} = {got[worst]!r} is {error[worst]:.3f} ulp off"


@pytest.mark.parametrize("machine_type", [NumpyArithmetic, Unfused])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BOUNDED)
def test_error_is_within_the_stated_bound(name: str, width: int, machine_type: Any) -> None:
    """Protects the bounds of every function, with a fused multiply-add and without."""
    machine = machine_type(width)
    bound = promised(name, width) + (0 if machine.fuses else 1)
    check(name, machine, bound, arguments(name, width, 240))


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", BOUNDED)
def test_error_on_many_arguments(name: str, width: int) -> None:
    """Protects the bounds on ten thousand arguments, most of them hard."""
    check(name, NUMPY_MACHINES[width], promised(name, width), arguments(name, width, 10_000))


@pytest.mark.parametrize("count", [400, 401])
@pytest.mark.parametrize("width", WIDTHS)
def test_betaln_is_right_beside_its_terms(width: int, count: int) -> None:
    """Protects what betaln's description says, near its zeros and over 26 decades."""
    a, b = arguments("betaln", width, count)
    got, want = compute(NUMPY_MACHINES[width], "betaln", a, b), truth("betaln", a, b)
    least = scipy_special.gammaln(np.minimum(a, b).astype(float))
    size = np.maximum(np.abs(want), np.maximum(2, np.abs(least)) if width == 64 else 0.01)
    error = np.abs(got - want) / np.spacing(size.astype(FLOATS[width]))
    assert error.max() <= {32: 1, 64: 4}[width]


@pytest.mark.parametrize("name", ["bessel_quotient", "bessel_quotient_scaled"])
@pytest.mark.parametrize("width", WIDTHS)
def test_quotients_of_bessel_functions(name: str, width: int) -> None:
    """Protects the bound that their description states, orders 0 to 5."""
    check(name, NUMPY_MACHINES[width], {32: 1, 64: 16}[width], arguments(name, width, 400))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_below_0_the_error_is_that_of_the_larger_terms(name: str, width: int) -> None:
    """Protects reflection, also next to a zero: 4 units beside the terms that cancel."""
    random = np.random.default_rng(3)
    zeros = [-2.4570247382208006, -2.747682646727413, -0.5040830082644554, -1.5734984731623904]
    near = np.concatenate([zero + 1e-6 * random.standard_normal(50) for zero in zeros])
    x = np.concatenate([-random.uniform(0, 60, 400), near]).astype(FLOATS[width])
    got, want = compute(NUMPY_MACHINES[width], name, x), truth(name, x)
    size = np.maximum(1, np.abs(truth(name, -x)))
    allowed = 4 * np.spacing(np.maximum(size, np.abs(want)).astype(np.float64))
    if width == 32:  # computed in float64, to 2**-33
        allowed = 0.6 * np.spacing(np.abs(got)) + 2.0**-32 * size
    assert np.all(np.abs(got - want) <= allowed)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_polygamma_below_0(order: int) -> None:
    """Protects the sum over all integers: right beside n! / d**(n + 1), d to the next pole."""
    x = -np.random.default_rng(order).uniform(0, 30, 200)
    n = np.full(len(x), float(order))
    got, want = compute(NUMPY_MACHINES[64], "polygamma", n, x), truth("polygamma", n, x)
    largest = math.factorial(order) / np.abs(x - np.rint(x)) ** (order + 1)
    assert np.all(np.abs(got - want) <= (order + 3) * np.spacing(largest))


@pytest.mark.parametrize("order", [3, 10, 60, 170])
def test_polygamma_of_high_order(order: int) -> None:
    """Protects the stated loss of n + 3 units, and n! up to the largest that is finite."""
    x = np.random.default_rng(order).uniform(max(0.5, order / 20), 9 + order / 4, 60)
    check("polygamma", NUMPY_MACHINES[64], order + 3, (np.full(60, float(order)), x))


# ---- edges

INF, NAN = math.inf, math.nan
EDGES: list[tuple[str, tuple[float, ...], float]] = [
    ("erfc", (-INF,), 2), ("erfc", (INF,), 0), ("erfc", (0.0,), 1), ("erfcx", (INF,), 0),
    ("erfcx", (-INF,), INF), ("erfcx", (-0.0,), 1), ("log_erfc", (INF,), -INF),
    ("log_erfc", (0.0,), -0.0), ("erfinv", (1,), INF), ("erfinv", (-1,), -INF),
    ("erfinv", (1.5,), NAN), ("erfinv", (-0.0,), -0.0), ("erfcinv", (0,), INF),
    ("erfcinv", (2,), -INF), ("erfcinv", (1,), 0), ("erfcinv", (-0.5,), NAN),
    ("erfcinv", (2.5,), NAN), ("ndtr", (-INF,), 0), ("ndtr", (INF,), 1), ("ndtr", (0.0,), 0.5),
    ("log_ndtr", (-INF,), -INF), ("log_ndtr", (INF,), -0.0), ("ndtri", (0,), -INF),
    ("ndtri", (1,), INF), ("ndtri", (1.5,), NAN), ("lgamma", (0.0,), INF), ("lgamma", (1,), 0),
    ("lgamma", (2,), 0), ("lgamma", (-3,), INF), ("lgamma", (INF,), INF), ("lgamma", (-INF,), INF),
    ("lgamma", (-1e30,), INF), ("gamma", (0.0,), INF), ("gamma", (-0.0,), -INF),
    ("gamma", (-1,), NAN), ("gamma", (1,), 1), ("gamma", (4,), 6), ("gamma", (INF,), INF),
    ("gamma", (-INF,), NAN), ("digamma", (0.0,), -INF), ("digamma", (-0.0,), INF),
    ("digamma", (-2,), NAN), ("digamma", (INF,), INF), ("digamma", (-INF,), NAN),
    ("polygamma", (0, -2), NAN), ("polygamma", (1, 0.0), INF), ("polygamma", (1, -2), INF),
    ("polygamma", (2, -2), -INF), ("polygamma", (2, -0.0), -INF), ("polygamma", (1, INF), 0),
    ("polygamma", (1, -INF), INF), ("polygamma", (0.5, 2), NAN), ("polygamma", (-1, 2), NAN),
    ("polygamma", (171, 2), NAN),
    ("betaln", (0, 3), INF), ("betaln", (1, 1), 0), ("betaln", (1, INF), -INF),
    ("betaln", (-1, 2), NAN), ("bessel_i0", (0.0,), 1), ("bessel_i0", (-INF,), INF),
    ("bessel_i1", (-0.0,), -0.0), ("bessel_i1", (-INF,), -INF), ("bessel_i0e", (INF,), 0),
    ("bessel_i1e", (-INF,), -0.0), ("bessel_quotient", (0, 0.0), 1),
    ("bessel_quotient", (1, 0.0), 0.5), ("bessel_quotient", (2, INF), INF),
    ("bessel_quotient_scaled", (1, INF), 0), ("bessel_quotient", (1.5, 1), NAN),
    ("entr", (0.0,), 0), ("entr", (-1,), -INF), ("entr", (INF,), -INF), ("entr", (1,), 0),
    ("xlog1py", (0, -1), 0), ("xlog1py", (0, -2), 0), ("xlog1py", (0, NAN), NAN),
    ("xlog1py", (1, -1), -INF),
]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name, operands, expected", EDGES)
def test_edges(name: str, operands: tuple[float, ...], expected: float, width: int) -> None:
    """Protects the values at poles, ends and zeros, on one number and not an array."""
    got = compute(NUMPY_MACHINES[width], name, *(FLOATS[width](x) for x in operands))
    assert type(got) is FLOATS[width]
    np.testing.assert_array_equal(got, FLOATS[width](expected))
    if expected == 0 and math.copysign(1, expected) < 0:
        assert np.signbit(got)


@pytest.mark.parametrize("name", sorted(vmath_special.BINARY))
def test_nan_in_either_operand_is_nan(name: str) -> None:
    """Protects the search for the first NaN: no choice may swallow one."""
    for operands in ((NAN, 1.0), (1.0, NAN), (NAN, NAN)):
        for width in WIDTHS:
            given = (FLOATS[width](x) for x in operands)
            assert np.isnan(compute(NUMPY_MACHINES[width], name, *given))


def test_tails_keep_their_subnormals() -> None:
    """Protects results below the smallest normal number from becoming 0."""
    machine = NUMPY_MACHINES[32]
    for name, x in (("erfc", 9.5), ("ndtr", -13.5), ("erfc", 10.0)):
        wide = getattr(scipy_special, name)(x)
        got = float(compute(machine, name, np.float32(x)))
        assert got == pytest.approx(wide, abs=1e-45), name
    assert compute(NUMPY_MACHINES[64], "erfc", np.float64(27.0)) == pytest.approx(
        scipy_special.erfc(27.0), rel=1e-4
    )


# ---- every float32


def _kernel(name: str, dtype: str) -> Any:
    source = (
        f"from graphc.target.primitives import {name}, {dtype}_pointer\n"
        "def kernel(lo, hi, argv, context):\n"
        f"    x = {dtype}_pointer(argv, 0)\n"
        f"    out = {dtype}_pointer(argv, 1)\n"
        "    for i in range(lo, hi):\n"
        f"        out[i] = {name}(x[i])\n"
    )
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(None, word, word, word, word)(compile_kernel(source).address)


def _meter() -> Callable[[Any, Any, float], tuple[float, float]]:
    """A compiled function of (got, want, slack): the largest error in ulp, and its place."""
    import numba

    @numba.njit(error_model="numpy")
    def worst(got: Any, want: Any, slack: float) -> tuple[float, float]:
        largest, where = -1.0, 0.0
        for i in range(got.shape[0]):
            # Infinity counts as the number after the largest one.
            truth = min(max(want[i], -(2.0**128)), 2.0**128)
            value = min(max(np.float64(got[i]), -(2.0**128)), 2.0**128)
            exponent = min(max(math.frexp(truth)[1] - 24, -149), 104)
            error = max(abs(value - truth) - slack, 0.0) / math.ldexp(1.0, exponent)
            if np.isnan(want[i]) or np.isnan(got[i]):
                error = 0.0 if np.isnan(want[i]) == np.isnan(got[i]) else np.inf
            if error > largest:
                largest, where = error, float(i)
        return largest, where

    return worst  # type: ignore[no-any-return]


def worst_float32(name: str) -> tuple[float, float]:
    """The largest error in ulp over all float32 numbers, and where it is.

    The measure is the float64 kernel, whose own error the tests above bound. Next to the zeros of
    lgamma and digamma below 0 the float32 kernel's error of 2**-33 in the terms that cancel shows,
    and is allowed for.
    """
    single, double, meter, size = (
        _kernel(name, "float32"),
        _kernel(name, "float64"),
        _meter(),
        2**17,
    )
    got, want, found = np.empty(size, np.float32), np.empty(size), []
    for start in range(0, 2**32, size):
        x = np.arange(start, start + size, dtype=np.uint64).astype(np.uint32).view(np.float32)
        wide = x.astype(np.float64)
        single(0, size, np.array([x.ctypes.data, got.ctypes.data]).ctypes.data, 0)
        double(0, size, np.array([wide.ctypes.data, want.ctypes.data]).ctypes.data, 0)
        slack = 6e-9 if name in ("lgamma", "digamma") and start >= 2**31 else 0.0
        error, place = meter(got, want, slack)
        found.append((error, float(x[int(place)])))
    return max(found)


@pytest.mark.nightly
@pytest.mark.parametrize("name", UNARY)
def test_every_float32(name: str) -> None:
    """Protects the float32 bounds on all arguments."""
    error, argument = worst_float32(name)
    assert error <= promised(name, 32), f"{error:.3f} ulp at {argument!r}"
