"""How long a Jacobian of 200 expressions takes to compile and to run, beside one written by hand.

The rival is what an expert would write: SymPy's common subexpressions in one Numba function, in a
loop over the points.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import sympy as sp

import graphc as gx

SYMBOLS = sp.symbols("x0:10")
POINTS = 20_000


def model() -> list[Any]:
    """20 expressions of 10 symbols, made of the same sines, exponentials and products."""
    rng = np.random.default_rng(0)
    s = SYMBOLS
    shared = [sp.sin(s[i] * s[(i + 1) % 10]) for i in range(5)]
    shared += [sp.exp(-(s[i] ** 2) / 3) for i in range(5)]
    shared += [s[i] * s[(i + 3) % 10] + 2 for i in range(5)]
    found = []
    for _ in range(20):
        terms = []
        for _ in range(4):
            a, b = rng.integers(0, len(shared), 2)
            i, power, factor = rng.integers(0, 10), rng.integers(1, 4), rng.integers(1, 9)
            terms.append(int(factor) * shared[a] * shared[b] * s[i] ** int(power))
        found.append(sp.Add(*terms))
    return found


def by_hand(expressions: list[Any]) -> Callable[[np.ndarray, np.ndarray], None]:
    """A Numba loop over the points, which are columns."""
    parts, results = sp.cse(expressions)
    lines = ["def run(points, out):", "    for n in range(points.shape[1]):"]
    lines += [f"        {symbol} = points[{i}, n]" for i, symbol in enumerate(SYMBOLS)]
    lines += [f"        {name} = {sp.pycode(part)}" for name, part in parts]
    lines += [f"        out[{i}, n] = {sp.pycode(part)}" for i, part in enumerate(results)]
    names: dict[str, Any] = {"math": math}
    exec("\n".join(lines), names)
    return numba.njit(error_model="numpy")(names["run"])  # type: ignore[no-any-return]


def best(function: Callable[[], Any], times: int = 7) -> float:
    """The shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return min(found)


@pytest.mark.slow
def test_a_jacobian_of_200_expressions() -> None:
    """It compiles in seconds to a few kernels, and runs as fast as a loop by hand."""
    expressions = model()
    jacobian = sp.Matrix(expressions).jacobian(SYMBOLS)
    points = np.random.default_rng(1).uniform(0.5, 1.5, (10, POINTS))
    expected = np.empty((200, POINTS))
    rival = by_hand(list(jacobian))
    rival(points, expected)
    start = time.perf_counter()
    function = gx.lambdify(SYMBOLS, jacobian)
    seconds = time.perf_counter() - start
    np.testing.assert_allclose(
        function(*points), np.moveaxis(expected.reshape(20, 10, POINTS), -1, 0), rtol=1e-9,
        atol=1e-12,
    )  # fmt: skip
    values, derivatives = gx.lambdify(SYMBOLS, expressions, derivatives=1)(*points[:, 0])
    np.testing.assert_allclose(derivatives, expected[:, 0].reshape(20, 10), rtol=1e-9, atol=1e-12)
    assert len(values) == 20
    packed = function.function
    ratio = best(lambda: packed(points)) / best(lambda: rival(points, np.empty_like(expected)))
    numbers = tuple(map(float, points[:, 0]))
    call = best(lambda: [function(*numbers) for _ in range(500)]) / 500
    print(
        f"compiled in {seconds:.1f} s to {len(packed.kernels)} kernels; {ratio:.2f} times the loop "
        f"by hand over {POINTS} points; {call * 1e6:.1f} us for a call with numbers"
    )
    assert len(packed.kernels) <= 16
    assert seconds < 60  # seconds, on a machine that does nothing else
    assert ratio < 1.5
    assert call < 100e-6
