"""The errors that elementwise operations state, measured on what is compiled.

Every operation that gives floats states the largest error of native code in units in the last
place. The kernel that `gx.compile` makes is held to it: on 100,000 random and hard arguments, of
which those farthest from NumPy's value and some others are compared with mpmath; and, in the long
run, on every float32.
"""

from __future__ import annotations

import math
import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY
from graphc.ops import definition
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.exact import settled_truth, ulp_errors
from tests.target.test_vmath import arguments, special

WIDTHS = (32, 64)
# Enough for results of these; no operation needs more, and for the hard places more is not better.
LARGEST = {32: 2.0, 64: 4.0}
FARTHEST, OTHERS = 24, 12  # arguments that are compared with mpmath
# Where bounds hold that do not hold everywhere, as the descriptions say.
HOLDS: dict[str, Callable[..., Any]] = {
    "digamma": lambda x: x >= 0,
    "gamma": lambda x: x > -170,
    "lgamma": lambda x: x >= 0,
    "polygamma": lambda n, x: np.isin(n, (0, 1, 2)) & (x >= 0),
    **dict.fromkeys(("sin", "cos", "tan"), lambda x: ~(np.abs(x) > 1e14)),
}


def _states_an_error(op: Any) -> bool:
    floats = isinstance(op, ElementwiseOp) and op.types in ("float", "arithmetic", "select", "any")
    return floats and op.name not in definition._defined


NAMES = sorted(name for name, op in REGISTRY.items() if _states_an_error(op))
UNARY = [name for name in NAMES if REGISTRY[name].arity == 1]  # type: ignore[attr-defined]
BINARY = [name for name in NAMES if REGISTRY[name].arity == 2]  # type: ignore[attr-defined]


def operation(name: str) -> ElementwiseOp:
    op = REGISTRY[name]
    assert isinstance(op, ElementwiseOp)
    return op


@pytest.mark.parametrize("name", [*NAMES, "cast"])
def test_every_operation_states_its_error(name: str) -> None:
    """At most 2 units of float32 and 4 of float64, or the description says how far it is off."""
    op = operation(name)
    says_why = any(word in op.doc for word in ("last place", "ulp", "error of"))
    for width in WIDTHS:
        assert width in op.ulp or says_why, f"{name}: no bound, and no reason for none"
        bound = op.ulp.get(width, 0)
        assert bound >= 0
        assert bound <= LARGEST[width] or says_why, f"{name} may be {bound} units off, and no why"


@pytest.mark.parametrize("name", HOLDS)
def test_bounds_that_hold_in_part_say_where(name: str) -> None:
    """What is left out here is left out in the description."""
    assert re.search(r"bound holds|nan beyond", operation(name).doc)


@cache
def compiled(name: str, width: int) -> Callable[..., np.ndarray]:
    """The operation alone, as a kernel."""
    op = operation(name)
    nodes = tuple(gx.input(f"x{i}", ("n",), f"float{width}") for i in range(op.arity))
    function: Callable[..., np.ndarray] = gx.compile(nodes, make(op, nodes))
    return function


def hard_pairs(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Operands of all sizes, of like sizes, small whole ones, and all special pairs."""
    random = np.random.default_rng(width)
    wide, dtype = arguments(width, 3000), f"float{width}"
    a, b = np.meshgrid(special(width), special(width))
    near = random.uniform(-30, 30, (2, 20_000))
    close = near[0] * (1 + random.uniform(-1, 1, 20_000) * 2.0 ** random.uniform(-40, 0, 20_000))
    whole = random.integers(-20, 20, (2, 5000)) + random.choice([0, 0.5], (2, 5000))
    first = [wide, random.permutation(wide), near[0], near[0], whole[0], a.ravel()]
    second = [random.permutation(wide), wide * 0.9, near[1], close, whole[1], b.ravel()]
    with np.errstate(over="ignore"):
        return np.concatenate(first).astype(dtype), np.concatenate(second).astype(dtype)


def distance(got: np.ndarray, near: np.ndarray) -> np.ndarray:
    """How far a result is from NumPy's, about, in units in the last place."""
    limits = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        unit = np.spacing(np.clip(np.abs(near), limits.tiny, limits.max).astype(got.dtype))
        gap = np.abs(got.astype(near.dtype) - near) / unit
        same = (got == near.astype(got.dtype)) | (np.isnan(got) & np.isnan(near))
    return np.where(same & ~np.isfinite(gap), 0, np.nan_to_num(gap, nan=np.inf, posinf=np.inf))


def check(name: str, width: int, operands: tuple[np.ndarray, ...]) -> None:
    """Compare the kernel with mpmath where it is farthest from NumPy, and in some other places."""
    op = operation(name)
    if name in HOLDS:
        kept = HOLDS[name](*operands)
        operands = tuple(x[kept] for x in operands)
    got = compiled(name, width)(*operands)
    assert got.dtype == f"float{width}"
    with np.errstate(all="ignore"):
        near = op.reference({}, *(x.astype(np.float64) for x in operands))
    gap = distance(got, np.asarray(near, np.float64))
    random = np.random.default_rng(0)
    chosen = np.concatenate([np.argsort(gap)[-FARTHEST:], random.choice(gap.size, OTHERS)])
    scalars = tuple(gx.input(f"x{i}", (), f"float{width}") for i in range(op.arity))
    y = make(op, scalars)
    for place in chosen:
        at = tuple(x[place] for x in operands)
        error = _error(y, dict(zip(scalars, at, strict=True)), got[place], near[place])
        assert error <= op.ulp[width], f"{name}{at!r} = {got[place]!r} is {error:.3f} ulp off"


def _error(y: Node, feed: dict[Node, Any], got: Any, near: Any) -> float:
    """The error of one value; where there is no exact number, NumPy says what it should be."""
    exact = settled_truth(y, feed)
    finite = all(np.isfinite(value) for value in feed.values())
    if not finite or not mpmath.isfinite(exact[()]):
        with np.errstate(all="ignore"):
            wanted = np.asarray(near).astype(got.dtype)
        same = got == wanted or (np.isnan(got) and np.isnan(wanted))
        return 0.0 if same or abs(got - wanted) <= 4 * np.spacing(wanted) else math.inf
    return float(ulp_errors(np.asarray(got), exact)[()])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in UNARY if operation(name).ulp])
def test_kernels_of_one_operand(name: str, width: int) -> None:
    """Protects the stated bounds in what users run: vector code, its tail, expanded formulas."""
    check(name, width, (arguments(width, 10_000),))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in BINARY if operation(name).ulp])
def test_kernels_of_two_operands(name: str, width: int) -> None:
    """The same for pairs: of like and of unlike size, nearly equal, whole, and special."""
    check(name, width, hard_pairs(width))


def test_choices_and_casts_are_exact() -> None:
    """A choice rounds nothing; a cast to float32 is NumPy's, to the nearest."""
    x = arguments(64, 10_000)
    node = gx.input("x", ("n",), "float64")
    narrow, chosen = gx.compile(node, [gx.cast(node, "float32"), gx.where(node > 0, node, -node)])(
        x
    )
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(narrow, x.astype(np.float32))
    np.testing.assert_array_equal(chosen, np.where(x > 0, x, -x))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_wrong_kernel_is_found(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One argument of 100,000 whose result is 8 units off is enough to fail."""
    right = compiled("exp", width)

    def wrong(x: np.ndarray) -> np.ndarray:
        result = right(x)
        result[12_345] *= 1 + 8 * np.finfo(x.dtype).eps
        return result

    x = np.linspace(-1, 1, 100_000).astype(f"float{width}")
    check("exp", width, (x,))
    monkeypatch.setitem(globals(), "compiled", lambda name, width: wrong)
    with pytest.raises(AssertionError, match="ulp off"):
        check("exp", width, (x,))


# --- every float32 -------------------------------------------------------------------------------

_CHUNK = 2**20


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in UNARY if operation(name).ulp])
def test_every_float32(name: str) -> None:
    """All 2**32 arguments in two processes, against NumPy's or SciPy's float64.

    Half a minute to a minute and a half for an operation on two cores, an hour for all of them.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        halves = list(pool.map(worst_float32, [name] * 2, [0, 2**31], [2**31, 2**32]))
    error, argument = max(halves)
    assert error <= operation(name).ulp[32], f"{error:.3f} ulp at {argument!r}"


def worst_float32(name: str, start: int, stop: int) -> tuple[float, float]:
    """The largest error over the floats whose bits are in a range, and its argument."""
    op, function, meter = operation(name), compiled(name, 32), error_meter()
    found = []
    for low in range(start, stop, _CHUNK):
        x = np.arange(low, low + _CHUNK, dtype=np.uint64).astype(np.uint32).view(np.float32)
        x = x[HOLDS[name](x)] if name in HOLDS else x
        with np.errstate(all="ignore"):
            want = np.asarray(op.reference({}, x.astype(np.float64)), np.float64)
        found.append(meter(x, function(x), want))
    return max(found)


@cache
def error_meter() -> Callable[..., tuple[float, float]]:
    """A compiled function of (x, got, want): the largest error in ulp, and its argument."""
    import numba

    @numba.njit(error_model="numpy")
    def worst(x: Any, got: Any, want: Any) -> tuple[float, float]:
        largest, where = 0.0, 0.0
        for i in range(x.shape[0]):
            # Infinity counts as the number after the largest one.
            truth = min(max(want[i], -(2.0**128)), 2.0**128)
            value = min(max(np.float64(got[i]), -(2.0**128)), 2.0**128)
            exponent = min(max(math.frexp(truth)[1] - 24, -149), 104)
            error = abs(value - truth) / math.ldexp(1.0, exponent)
            if np.isnan(want[i]) or np.isnan(got[i]):
                error = 0.0 if np.isnan(want[i]) == np.isnan(got[i]) else np.inf
            if error > largest:
                largest, where = error, np.float64(x[i])
        return largest, where

    return worst  # type: ignore[no-any-return]
