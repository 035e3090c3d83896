"""Primitives compiled by Numba give the same bits as by graphc's own front end.

Both emit a primitive by the same function. What differs is all between: how types are found, how
loops and branches become blocks, whose sums and products of integers they are.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.target import cpu
from graphc.target.instructions import CONTEXT_WORDS, float_bits
from graphc.target.lapack import LAPACK
from graphc.target.llvm_operand import KINDS
from graphc.target.native_primitives import COMPUTATIONS, NATIVE
from graphc.target.pointer import Pointer
from graphc.target.primitives import PRIMITIVES
from tests.target.fence import Fenced
from tests.target.front_ends import FLOATS, FRONT_ENDS, chunks, pairs, same_bits, text

KERNEL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
DTYPES = ("bool", *list(KINDS)[1:])


def call(front_end: str, source: str, count: int, *arguments: Any) -> np.ndarray:
    """Run a kernel over 0, 1, ... with arrays and numbers as arguments; the context after it."""
    cells = [
        argument.ctypes.data
        if isinstance(argument, np.ndarray)
        else float_bits(argument)
        if isinstance(argument, float)
        else argument
        for argument in arguments
    ]
    argv, context = np.array(cells, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    context[8:] = np.arange(CONTEXT_WORDS - 8) + 100
    address = cpu.compile_kernel(source, front_end).address
    KERNEL(address)(0, count, argv.ctypes.data, context.ctypes.data)
    return context


def computed(names: tuple[str, ...], dtype: str, front_end: str) -> list[np.ndarray]:
    """What each of these primitives gives for every pair of values of a dtype."""
    operands = pairs(dtype)
    given = [COMPUTATIONS[name].result for name in names]
    results = [dtype if kind is None else str(kind) for kind in given]
    outs = [np.zeros(len(operands[0]), result) for result in results]
    body = [f"p{slot} = {dtype}_pointer(argv, {slot})" for slot in range(2)]
    for at, result in enumerate(results):
        body += [f"out{at} = {result}_pointer(argv, {at + 2})"]
    body += ["for i in range(lo, hi):", "    a = p0[i]", "    b = p1[i]"]
    for at, name in enumerate(names):
        body += [f"    out{at}[i] = {name}({'a, b' if COMPUTATIONS[name].arity == 2 else 'a'})"]
    imported = sorted({*names, *(f"{each}_pointer" for each in (dtype, *results))})
    call(front_end, text(", ".join(imported), "\n".join(body)), len(operands[0]), *operands, *outs)
    return outs


OF_BITS = [name for name in COMPUTATIONS if name.startswith("bitwise_")]
OF_FLOATS = [name for name in COMPUTATIONS if name not in OF_BITS]
OF_INTEGERS = [name for name, known in COMPUTATIONS.items() if not known.floats_only]


@pytest.mark.parametrize("names", chunks(OF_FLOATS), ids=lambda names: names[0])
@pytest.mark.parametrize("dtype", FLOATS)
def test_primitives_of_floats(names: tuple[str, ...], dtype: str) -> None:
    """Every primitive that computes with floats, on all pairs of hard values."""
    one, other = (computed(names, dtype, front_end) for front_end in FRONT_ENDS)
    for name, a, b in zip(names, one, other, strict=True):
        same_bits(a, b, f"{name} of {dtype}")


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "int64"])
def test_primitives_of_integers(dtype: str) -> None:
    """Every primitive that computes with integers: ends of the range, division by 0, shifts."""
    for names in chunks(OF_INTEGERS, 12):
        one, other = (computed(names, dtype, front_end) for front_end in FRONT_ENDS)
        for name, a, b in zip(names, one, other, strict=True):
            same_bits(a, b, f"{name} of {dtype}")


OPERATORS = """
for i in range(lo, hi):
    a = x[i]
    b = y[i]
    c = small[i]
    out[i] = uint32(c * c) + ((a + b) * 3 - (a ^ (b & c) | 5)) // (b % 7 + 8) + ~a % -5 - (a >> 3)
    if logical_and(a < b, a != -c):
        out[i] += uint32(c + c << 2)
    else:
        out[i] -= -b
"""


def test_operators_of_integers() -> None:
    """Numba's own arithmetic of integers of several widths, where no sum leaves 64 bits."""
    random = np.random.default_rng(0)
    x, y = random.integers(-(2**40), 2**40, (2, 100))
    small = random.integers(0, 2**32, 100).astype(np.uint32)
    source = text(
        "int64_pointer, logical_and, uint32, uint32_pointer",
        "x = int64_pointer(argv, 0)\ny = int64_pointer(argv, 1)\n"
        "small = uint32_pointer(argv, 2)\nout = int64_pointer(argv, 3)" + OPERATORS,
    )
    outs = np.zeros((2, 100), np.int64)
    for front_end, out in zip(FRONT_ENDS, outs, strict=True):
        call(front_end, source, 100, x, y, small, out)
    same_bits(*outs)
    assert len(np.unique(outs[0])) > 90


MEMORY = """
bits = uint32_pointer(argv, 0)
flags = bool_pointer(argv, 1)
out = float32_pointer(argv, 2)
wide = float64_pointer(argv, 3)
counts = int64_pointer(argv, 4)
narrow = int32_pointer(argv, 5)
bytes = uint8_pointer(argv, 6)
half = integer(argv, 7)
tail = from_element(out, half)
own = float32_array(4)
for i in range(lo, half):
    j = i * 4
    bits[j] = random_bits(counts[i], 7, context_word(context, 9), i)
    bits[j + 1] = random_bits_b(counts[i], 7, context_word(context, 9), i)
    bits[j + 2] = random_bits_c(counts[i], 7, context_word(context, 9), i)
    bits[j + 3] = random_bits_d(counts[i], 7, context_word(context, 9), i)
    flags[i] = counts[i] % 2 == 0
    own[i % 4] = float32_value(argv, 8)
    tail[i] = select(flags[i], own[i % 4], out[i])
    wide[i] = float64_value(argv, 8)
    narrow[i] = counts[i]
    bytes[i] = narrow[i]
    if i > 2:
        fail_index(context, 5, i, counts[i])
        fail(context, 6, i)
"""


def test_memory_and_random_bits() -> None:
    """Pointers of every dtype, arguments, the context, its first failure, and random words."""
    names = [
        *(f"{dtype}_pointer" for dtype in DTYPES), "integer", "from_element", "float32_array",
        "random_bits", "random_bits_b", "random_bits_c", "random_bits_d", "context_word",
        "float32_value", "float64_value", "select", "fail", "fail_index",
    ]  # fmt: skip
    found = []
    for front_end in FRONT_ENDS:
        counts = np.array([1, 2, -3, 2**40, 5, 6], np.int64)
        arrays = [
            np.zeros(24, np.uint32), np.zeros(6, bool), np.arange(12, dtype=np.float32),
            np.zeros(6), counts, np.zeros(6, np.int32), np.zeros(6, np.uint8),
        ]  # fmt: skip
        context = call(front_end, text(", ".join(names), MEMORY), 12, *arrays, 6, 0.1)
        found.append([*arrays, context])
    for one, other in zip(*found, strict=True):
        same_bits(one, other)
    assert len(np.unique(found[0][0])) == 24
    assert found[0][-1][0] == 5


TILE = """
memory = {dtype}_pointer(argv, 0)
out = {dtype}_pointer(argv, 1)
own = {dtype}_array(4096)
rows_to_columns(own, memory, integer(argv, 2), integer(argv, 3), integer(argv, 4), hi, 64)
for row in range(integer(argv, 4)):
    for column in range(lo, hi):
        out[column * 64 + row] = own[column * 64 + row]
"""


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32"])
@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 8), (3, 64), (64, 33), (64, 64)], ids=str)
def test_rows_to_columns(shape: tuple[int, int], dtype: str) -> None:
    """Squares and what is left of them, of every type that has squares; the rows end where the
    memory does."""
    names = f"{dtype}_pointer, {dtype}_array, integer, rows_to_columns"
    source, (rows, columns) = text(names, TILE.format(dtype=dtype)), shape
    distance = columns + 5
    given = np.random.default_rng(0).integers(0, 2**31, 3 + rows * distance).astype(dtype)
    if dtype.startswith("float"):
        given[4] = np.nan
    wanted = given[3:].reshape(rows, distance)[:, :columns].T
    fence = Fenced(at_the_end=True)
    memory = fence.array(3 + (rows - 1) * distance + columns, dtype)
    memory[...] = given[: memory.size]
    for front_end in FRONT_ENDS:
        out = np.zeros((columns, 64), dtype)
        call(front_end, source, columns, memory, out, 3, distance, rows)
        same_bits(out[:, :rows], wanted)
    interpreted = np.zeros((columns, 64), dtype)
    pointers = [Pointer(array.ctypes.data, np.dtype(dtype)) for array in (interpreted, memory)]
    PRIMITIVES["rows_to_columns"](*pointers, 3, distance, rows, columns, 64)
    same_bits(interpreted[:, :rows], wanted)


def test_every_primitive_is_compared() -> None:
    """A new primitive comes with a comparison: computations, what `MEMORY` uses, routines."""
    used = set(re.findall(r"\w+(?=\()", MEMORY)) | {"rows_to_columns"}
    used |= {"rows_to_lanes", "lanes_to_rows"}  # in `test_rows`
    arrays = {f"{dtype}_array" for dtype in DTYPES}
    assert set(NATIVE) - set(COMPUTATIONS) - used - set(LAPACK) <= arrays


@pytest.mark.parametrize(
    "names, body, reason",
    [
        (
            "float32_pointer, float64_pointer",
            "x = float32_pointer(argv, 0)\ny = float64_pointer(argv, 1)\nx[lo] = y[lo]",
            "a float32 buffer cannot store a float64",
        ),
        ("exp, int64_pointer", "x = int64_pointer(argv, 0)\nx[lo] = exp(lo)", "expected a float"),
        ("float32_pointer", "lo = lo\nx = float32_pointer(argv, lo)", "literal slot"),
        ("float64_pointer", "x = float64_pointer(argv, 0)\ny = x[x[0]]", "getitem"),
        ("logical_and", "x = logical_and(lo)", "expected 2 operands, got 1"),
        (
            "int32_pointer, lu_factor",
            "x = int32_pointer(argv, 0)\ny = lu_factor(lo, x, x)",
            "float32 or float64 pointer",
        ),
    ],
)
def test_ill_typed_kernels_are_compile_errors(names: str, body: str, reason: str) -> None:
    """The reason of the primitive, and the line, come through Numba."""
    with pytest.raises(CompileError, match=reason) as failure:
        cpu.compile_kernel(text(names, body.replace("lo = lo\n", "")), "numba")
    assert re.search(r"line \d+", str(failure.value))
