"""Kernel text to LLVM: loops, branches and types mean in native code what they mean in Python."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.target import cpu, loader
from graphc.target.primitives import PRIMITIVES

KERNEL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)

BODIES = {
    "nested sums": """
for i in range(lo, hi):
    total = 0
    for j in range(i):
        inner = x[j]
        for k in range(j, n, 3):
            inner = inner + x[k]
        total = total + inner
    y[i] = total
""",
    "backwards": """
before = 7
for i in range(hi - 1, lo - 1, -1):
    y[i] = before
    before = before * 3 - x[i]
""",
    "a branch that changes a name": """
largest = x[lo]
place = lo
for i in range(lo, hi):
    if x[i] > largest:
        largest = x[i]
        place = i
    else:
        place = place - 1
    y[i] = place * 1000 + largest
""",
    "branches in branches": """
for i in range(lo, hi):
    kind = 0
    if x[i] >= 0:
        if x[i] % 2 == 0:
            kind = 1
        kind = kind + 2
    y[i] = kind
""",
    "the loop's variable is its own": """
for i in range(lo, hi):
    y[i] = i
    i = i + 5
    y[hi - 1] = i
""",
    "integers widen": """
for i in range(lo, hi):
    y[i] = (int64(small[i]) * x[i] + small[i]) * 3 - int32(x[i] * 100003)
""",
    "bits and divisions": """
for i in range(lo, hi):
    y[i] = ((x[i] // 3) ^ (x[i] << 5)) & ~(x[i] % 7) | (x[i] >> 2)
""",
    "an element in place": """
for i in range(lo, hi):
    y[i] = i
    y[i] += x[i]
    y[i] *= -2
""",
    "an empty loop leaves names alone": """
last = 5
for i in range(n, n):
    last = x[i]
for i in range(lo, hi):
    y[i] = last
""",
    "conditions are numbers": """
inside = True
for i in range(lo, hi):
    inside = logical_and(inside, x[i] != 13)
    if inside:
        y[i] = 1
    if x[i] & 1:
        y[i] = y[i] + 2
""",
}
HEAD = """
from graphc.target.primitives import (
    int32, int64, int64_pointer, integer, logical_and, uint8_pointer,
)


def kernel(lo, hi, argv, context):
    x = int64_pointer(argv, 0)
    y = int64_pointer(argv, 1)
    small = uint8_pointer(argv, 2)
    n = integer(argv, 3)
"""


def source(body: str) -> str:
    return HEAD + "\n".join(f"    {line}" for line in body.strip("\n").split("\n")) + "\n"


def results(text: str, low: int, high: int) -> list[np.ndarray[Any, Any]]:
    """What the kernel stores, native and as plain Python."""
    rng = np.random.default_rng(3)
    x = rng.integers(-50, 50, 23)
    small = rng.integers(0, 256, 23).astype(np.uint8)
    found = []
    for kernel in (
        KERNEL(cpu.compile_kernel(text).address),
        loader.load(text, PRIMITIVES, "<kernel>")["kernel"],
    ):
        y = np.zeros(23, np.int64)
        argv = np.array([x.ctypes.data, y.ctypes.data, small.ctypes.data, 23])
        kernel(low, high, argv.ctypes.data, np.zeros(32, np.int64).ctypes.data)
        found.append(y)
    return found


@pytest.mark.parametrize("bounds", [(0, 23), (4, 5), (6, 6)], ids=str)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_native_code_does_what_python_does(body: str, bounds: tuple[int, int]) -> None:
    """Values that loops and branches carry, also over loops that do not run."""
    if bounds == (6, 6) and "x[lo]" in body:
        pytest.skip("reads what is not in the range")
    native, python = results(source(body), *bounds)
    np.testing.assert_array_equal(native, python)


REFUSED = {
    "a name of a loop after it": (
        "for i in range(lo, hi):\n    t = i\ny[lo] = t",
        "t may not have been assigned",
    ),
    "a name of one branch": ("if lo:\n    t = 1\ny[lo] = t", "t may not have been assigned"),
    "the variable of a loop after it": (
        "for i in range(lo, hi):\n    y[i] = i\ny[lo] = i",
        "i may not have been assigned",
    ),
    "a name that changes its type": (
        "t = 0\nfor i in range(lo, hi):\n    t = int32(i)",
        "t was int64 and becomes int32",
    ),
    "a float beside an integer": ("y[lo] = int32(1.5 * lo)", "expected operands of one type"),
    "a float as a bound": ("for i in range(1.5):\n    y[i] = i", "range: expected integers"),
    "a step of 0": ("for i in range(lo, hi, 0):\n    y[i] = i", "a literal step other than 0"),
    "a step that is not written": (
        "for i in range(lo, hi, n):\n    y[i] = i",
        "a literal step other than 0",
    ),
    "too few operands": ("y[lo] = logical_and(1)", "logical_and: expected 2 operands, got 1"),
    "a float index": ("y[lo] = x[0.5]", "expected an integer index, got float64"),
    "a quotient of floats rounded down": ("y[lo] = int32(1.5 // 2.5)", "expected integers"),
    "a pointer as a number": ("y[lo] = int32(x)", "expected a number, got int64 pointer"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_meaning_is_refused_by_line(case: tuple[str, str]) -> None:
    """Nothing is converted silently; the message has the line of the text."""
    body, reason = case
    with pytest.raises(CompileError, match=reason) as failure:
        cpu.compile_kernel(source(body))
    assert " line " in str(failure.value)
