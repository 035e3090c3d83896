"""Native primitives: the same bits as in Python, on vectors, and refusals that name the types."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.target import object_code, vmath
from graphc.target.cpu import compile_kernel
from graphc.target.llvm_arithmetic import host_fuses
from graphc.target.loader import load, parse
from graphc.target.native_kernel import kernel_module
from graphc.target.native_primitives import NATIVE
from graphc.target.primitives import PRIMITIVES

WORD = ctypes.c_int64
KERNEL = ctypes.CFUNCTYPE(None, WORD, WORD, WORD, WORD)
DTYPES = ("bool", "uint8", "int32", "uint32", "int64", "float32", "float64")
NUMBERS = DTYPES[1:]
FLOATS = ("float32", "float64")


def elementwise(expression: str, arguments: tuple[str, ...], result: str) -> str:
    """A kernel out[i] = expression of a[i], b[i], ..., of these dtypes."""
    names = sorted(set(re.findall(r"\w+(?=\()", expression)))
    pointers = sorted({f"{dtype}_pointer" for dtype in (*arguments, result)})
    lines = [f"from graphc.target.primitives import {', '.join(names + pointers)}"]
    lines += ["def kernel(lo, hi, argv, context):"]
    for slot, dtype in enumerate(arguments):
        lines += [f"    p{slot} = {dtype}_pointer(argv, {slot})"]
    lines += [f"    out = {result}_pointer(argv, {len(arguments)})", "    for i in range(lo, hi):"]
    lines += [f"        {'abc'[slot]} = p{slot}[i]" for slot in range(len(arguments))]
    lines += [f"        out[i] = {expression}"]
    return "\n".join(lines) + "\n"


def run(source: str, result: str, *operands: Any, native: bool) -> Any:
    """What the kernel stores, compiled or as plain Python."""
    out = np.zeros(len(operands[0]), result)
    argv = np.array([array.ctypes.data for array in (*operands, out)])
    context = np.zeros(24, np.int64)
    if native:
        kernel: Any = KERNEL(compile_kernel(source).address)
    else:
        kernel = load(source, PRIMITIVES, "emitted.py")["kernel"]
    kernel(0, len(out), argv.ctypes.data, context.ctypes.data)
    return out


def both_agree(expression: str, result: str, *operands: Any) -> None:
    """The compiled kernel and the Python one store the same bits (any NaN equals any)."""
    source = elementwise(expression, tuple(str(array.dtype) for array in operands), result)
    native, python = (run(source, result, *operands, native=native) for native in (True, False))
    np.testing.assert_array_equal(native, python, err_msg=source)
    if native.dtype.kind == "f":
        numbers = ~np.isnan(python)
        np.testing.assert_array_equal(np.signbit(native)[numbers], np.signbit(python)[numbers])


def values(dtype: str) -> Any:
    """Ordinary and hard values of a dtype."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in FLOATS:
        limits = np.finfo(dtype)
        sizes = [0, 0.5, 1, 1.5, 2, 3, 7.25, 300, 1e20, np.inf, np.nan, limits.max, limits.tiny]
        sizes += [limits.smallest_subnormal, 1 + limits.eps, 2**31, 2**32, 2**63]
        return np.array([*sizes, *(-size for size in sizes)], dtype)
    ends = np.iinfo(dtype)
    ordinary = [0, 1, 2, 3, 7, 100] + ([-1, -2, -3, -7, -100] if ends.min < 0 else [])
    return np.array([*ordinary, ends.min, ends.max, ends.max - 1], dtype)


def every_pair(dtype: str) -> tuple[Any, Any]:
    a, b = np.meshgrid(values(dtype), values(dtype))
    return a.ravel(), b.ravel()


def sample(name: str, dtype: str) -> Any:
    random = np.random.default_rng(1)
    sizes = np.concatenate([random.uniform(-size, size, 100) for size in (0.1, 1, 20, 110)])
    return np.concatenate([sizes.astype(dtype), values(dtype)])


fusing = pytest.mark.skipif(not host_fuses(), reason="NumPy's machine fuses, this processor not")


@fusing
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(vmath.UNARY))
def test_elementary_functions_have_one_text(name: str, dtype: str) -> None:
    """Protects the one text on two machines: the same bits for every function."""
    both_agree(f"{name}(a)", dtype, sample(name, dtype))


@fusing
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["atan2", "heaviside", "hypot", "logaddexp", "power", "xlogy"])
def test_functions_of_two_have_one_text(name: str, dtype: str) -> None:
    """Protects functions of two on all pairs of hard values and on ordinary ones."""
    random = np.random.default_rng(2)
    a, b = every_pair(dtype)
    base, exponent = np.exp(random.uniform(-4, 4, 300)), random.uniform(-20, 20, 300)
    both_agree(
        f"{name}(a, b)",
        dtype,
        np.concatenate([a, base.astype(dtype)]),
        np.concatenate([b, exponent.astype(dtype)]),
    )


@pytest.mark.parametrize("target", ["boolean", *NUMBERS])
@pytest.mark.parametrize("source", DTYPES)
def test_casts_agree(source: str, target: str) -> None:
    """Protects every cast between every pair of dtypes, also out of range and of NaN."""
    both_agree(f"{target}(a)", target.replace("boolean", "bool"), values(source))


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(
    "name",
    [
        "maximum", "minimum", "maximum_reassociating", "minimum_reassociating",
        "floor_divide", "remainder", "fmod",
    ],
)  # fmt: skip
def test_arithmetic_of_two_agrees(name: str, dtype: str) -> None:
    """Protects NaN, zeros of both signs, division by 0 and the smallest integer over -1."""
    both_agree(f"{name}(a, b)", dtype, *every_pair(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "int64"])
@pytest.mark.parametrize("name", ["and", "or", "xor", "left_shift", "right_shift"])
def test_bits_agree(name: str, dtype: str) -> None:
    """Protects the bits of integers, and shifts by more than the width or below 0."""
    both_agree(f"bitwise_{name}(a, b)", dtype, *every_pair(dtype))
    both_agree("bitwise_invert(a)", dtype, values(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["divide", "add_reassociating", "multiply_reassociating"])
def test_float_arithmetic_agrees(name: str, dtype: str) -> None:
    """Protects single operations: nothing is approximated or reordered in one of them."""
    both_agree(f"{name}(a, b)", dtype, *every_pair(dtype))


@pytest.mark.parametrize("name", ["add_reassociating", "multiply_reassociating"])
def test_integer_sums_wrap_in_their_own_width(name: str) -> None:
    """Protects integer reductions from Numba's widening of int32 to int64."""
    both_agree(f"{name}(a, b)", "int32", *every_pair("int32"))


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", ["absolute", "sign", "floor", "ceil"])
def test_arithmetic_of_one_agrees(name: str, dtype: str) -> None:
    """Protects signs, rounding, and integers that are their own floor."""
    both_agree(f"{name}(a)", dtype, values(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_conditions_agree(dtype: str) -> None:
    """Protects truth, logic and choice for every dtype."""
    a, b = every_pair(dtype)
    for name in ("logical_and", "logical_or"):
        both_agree(f"{name}(a, b)", "bool", a, b)
    both_agree("logical_not(a)", "bool", a)
    both_agree("select(c, a, b)", dtype, a, b, np.arange(len(a)) % 3 == 0)
    if dtype != "bool":
        both_agree("isnan(a)", "bool", a)
        both_agree("isfinite(a)", "bool", a)


def test_random_bits_agree() -> None:
    """Protects reproducibility across targets: native bits are Python's, counters in full width."""
    integers = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (3, 50))
    both_agree("random_bits(a, b, c, i)", "uint32", *integers)


# --- what LLVM makes of it -----------------------------------------------------------------------


def machine_code(source: str) -> str:
    """The optimised LLVM text of a kernel."""
    kernel = parse(source, NATIVE, "emitted.py")["kernel"]
    module = object_code.parse(kernel_module(kernel, "kernel_under_test", "emitted.py"))
    object_code.optimize(module)
    return str(module)


def called(code: str) -> set[str]:
    return set(re.findall(r"call [^@\n]*@([\w.]+)\(", code))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted({**vmath.UNARY, **vmath.BINARY, **vmath.DIVISION}))
def test_elementary_functions_are_vectorised(name: str, dtype: str) -> None:
    """Protects the speed of every function: vectors, and no call of a library."""
    both = name not in vmath.UNARY
    code = machine_code(
        elementwise(f"{name}({'a, b' if both else 'a'})", (dtype,) * (1 + both), dtype)
    )
    element = {"float32": "float", "float64": "double"}[dtype]
    stored = re.findall(rf"store <(\d+) x {element}>", code)
    assert stored
    assert all(callee.startswith("llvm.") for callee in called(code)), called(code)


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", ["int32", "int64", "uint8"])
def test_casts_to_integers_are_vectorised(source: str, target: str) -> None:
    """Protects casts that hold floats within the range from going element by element."""
    code = machine_code(elementwise(f"{target}(a)", (source,), target))
    assert re.search(r"store <\d+ x i(8|32|64)>", code)


def reduction(name: str, dtype: str, start: str) -> str:
    return (
        f"from graphc.target.primitives import {name}, {dtype}, {dtype}_pointer, integer\n"
        "def kernel(lo, hi, argv, context):\n"
        f"    x = {dtype}_pointer(argv, 0)\n"
        f"    out = {dtype}_pointer(argv, 1)\n"
        "    n = integer(argv, 2)\n"
        "    for i in range(lo, hi):\n"
        f"        total = {dtype}({start})\n"
        "        for j in range(n):\n"
        f"            total = {name}(total, x[i * n + j])\n"
        "        out[i] = total\n"
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum"])
def test_reductions_are_vectorised(name: str, dtype: str) -> None:
    """Protects the point of the reassociating primitives: a row is reduced in vectors."""
    code = machine_code(reduction(f"{name}_reassociating", dtype, "1.0"))
    kind = {"add": "fadd", "multiply": "fmul", "maximum": "fmaximum", "minimum": "fminimum"}
    assert f"llvm.vector.reduce.{kind[name]}" in code


def test_only_the_reassociating_add_may_be_reordered() -> None:
    """Protects exact arithmetic: a plain sum stays in order and (x + 1e8) - 1e8 is not x."""
    source = elementwise("a + b", ("float32", "float32"), "float32").replace(
        "import ", "import float32, "
    )
    plain = source.replace("a + b", "(a + float32(100000000.0)) - float32(100000000.0)")
    x = np.array([0.001, 3.0], np.float32)
    got = run(plain, "float32", x, x, native=True)
    assert got.tolist() == [0, 0]
    ordered = reduction("add_reassociating", "float32", "0.0")
    ordered = ordered.replace("add_reassociating, ", "")
    ordered = ordered.replace("add_reassociating(total, x[i * n + j])", "total + x[i * n + j]")
    assert "llvm.vector.reduce.fadd" not in machine_code(ordered)


@pytest.mark.parametrize("name", ["maximum_reassociating", "minimum_reassociating"])
def test_a_nan_anywhere_in_a_row_is_found(name: str) -> None:
    """Protects NaN in a vectorised reduction, wherever it stands."""
    row = np.linspace(-1, 1, 67, dtype=np.float32)
    rows = np.tile(row, (68, 1))
    np.fill_diagonal(rows, np.nan)
    out = np.zeros(68, np.float32)
    argv = np.array([rows.ctypes.data, out.ctypes.data, 67])
    kernel = KERNEL(compile_kernel(reduction(name, "float32", "0.5")).address)
    kernel(0, 68, argv.ctypes.data, 0)
    assert np.isnan(out[:67]).all()
    assert out[67] == (1 if name.startswith("max") else -1)


@pytest.mark.parametrize(
    "expression, arguments, message",
    [
        ("exp(a)", ("int32",), "exp: expected a float, got int32"),
        ("maximum(a, b)", ("float32", "float64"), "maximum: expected operands of one type"),
        ("power(a, b)", ("int32", "int32"), "power: expected floats, got int32"),
        ("divide(a, b)", ("int64", "int64"), "divide: expected floats, got int64"),
        ("random_bits(a, a, a, b)", ("int64", "float32"), "random_bits: expected integers"),
    ],
)
def test_wrong_types_are_refused_by_name(
    expression: str, arguments: tuple[str, ...], message: str
) -> None:
    """Protects against silent conversions: the message names the primitive and the types."""
    with pytest.raises(CompileError, match=re.escape(message)):
        compile_kernel(elementwise(expression, arguments, "float32"))
