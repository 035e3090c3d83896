"""Kernels as native code: what they compute, how they fail, and that LLVM made them fast."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.target import cpu, elf, engine, loader, native_kernel, native_primitives, object_code
from graphc.target.instructions import CONTEXT_WORDS, float_bits

KERNEL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
HEAD = "\ndef kernel(lo, hi, argv, context):\n"


def text(names: str, body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return f"from graphc.target.primitives import {names}\n{HEAD}{lines}\n"


def call(source: str, lo: int, hi: int, *arguments: Any) -> np.ndarray:
    """Compile, run with arrays, integers and floats as arguments; the context afterwards."""
    cells = [
        argument.ctypes.data
        if isinstance(argument, np.ndarray)
        else float_bits(argument)
        if isinstance(argument, float)
        else argument
        for argument in arguments
    ]
    argv = np.array(cells or [0], np.int64)
    context = np.zeros(CONTEXT_WORDS, np.int64)
    context[8:] = np.arange(CONTEXT_WORDS - 8) + 100
    KERNEL(cpu.compile_kernel(source).address)(lo, hi, argv.ctypes.data, context.ctypes.data)
    return context


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int32", "uint32", "int64", "float32", "float64"]
)
def test_every_pointer_loads_and_stores_its_dtype(dtype: str) -> None:
    """Widths and signs: a copy through the kernel keeps every value and touches nothing else."""
    source = text(
        f"{dtype}_pointer",
        f"""
x = {dtype}_pointer(argv, 0)
y = {dtype}_pointer(argv, 1)
for i in range(lo, hi):
    y[i] = x[i]
""",
    )
    values = np.array([0, 1, 2, 250, 5, 6, 7], np.int64)
    if np.dtype(dtype).kind in "if":
        values = values - 100
    x = values.astype(dtype)
    y = np.zeros_like(x)
    call(source, 1, 6, x, y)
    assert y[1:6].tobytes() == x[1:6].tobytes()
    assert not y[0]
    assert not y[6]


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int32", "uint32", "int64", "float32", "float64"]
)
def test_arrays_of_a_kernels_own(dtype: str) -> None:
    """Two of one call hold what is put there, apart from each other."""
    source = text(
        f"{dtype}_array, {dtype}_pointer",
        f"""
x = {dtype}_pointer(argv, 0)
y = {dtype}_pointer(argv, 1)
first = {dtype}_array(7)
second = {dtype}_array(7)
for i in range(lo, hi):
    first[i] = x[i]
    second[hi - 1 - i] = x[i]
for i in range(lo, hi):
    y[i] = first[i]
    y[hi + i] = second[i]
""",
    )
    x = np.array([0, 1, 2, 250, 5, 6, 7]).astype(dtype)
    y = np.zeros(14, dtype)
    call(source, 0, 7, x, y)
    assert y.tobytes() == np.concatenate([x, x[::-1]]).tobytes()


def test_arguments_that_are_numbers() -> None:
    """Cells hold integers or the bits of a float64, whatever precision the kernel wants."""
    source = text(
        "float32_pointer, float64_pointer, float32_value, float64_value, integer, int64_pointer",
        """
a = float32_pointer(argv, 0)
b = float64_pointer(argv, 1)
c = int64_pointer(argv, 2)
a[0] = float32_value(argv, 3)
b[0] = float64_value(argv, 3)
c[0] = integer(argv, 4)
""",
    )
    a, b, c = np.zeros(1, np.float32), np.zeros(1), np.zeros(1, np.int64)
    call(source, 0, 0, a, b, c, 0.1, -7)
    assert (a[0], b[0], c[0]) == (np.float32(0.1), 0.1, -7)


def test_context_words_and_the_first_failure() -> None:
    """A kernel reads registers from the context; of several failures the first one stays."""
    source = text(
        "int64_pointer, context_word, fail",
        """
x = int64_pointer(argv, 0)
for i in range(lo, hi):
    x[i] = context_word(context, 8 + i)
    if i > 1:
        fail(context, 5, i * 10)
""",
    )
    x = np.zeros(4, np.int64)
    context = call(source, 0, 4, x)
    assert x.tolist() == [100, 101, 102, 103]
    assert context[:2].tolist() == [5, 20]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_systems(dtype: str) -> None:
    """LAPACK through the symbols that cached code refers to; columns, as LAPACK has them."""
    source = text(
        f"{dtype}_pointer, int32_pointer, int64_pointer, integer, lu_factor, lu_solve, fail",
        f"""
a = {dtype}_pointer(argv, 0)
b = {dtype}_pointer(argv, 1)
pivots = int32_pointer(argv, 2)
n = integer(argv, 3)
info = lu_factor(n, a, pivots)
if info != 0:
    fail(context, 9, info)
info = lu_solve(n, integer(argv, 4), a, b, pivots)
""",
    )
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 5)).astype(dtype)
    b = rng.standard_normal((5, 2)).astype(dtype)
    columns, right = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    context = call(source, 0, 1, columns, right, np.zeros(5, np.int32), 5, 2)
    assert context[0] == 0
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(right.T, np.linalg.solve(a.astype(float), b), rtol=tolerance)
    context = call(source, 0, 1, np.zeros_like(a), right, np.zeros(5, np.int32), 5, 2)
    assert context[:2].tolist() == [9, 1]
    assert call(source, 0, 1, columns, right, np.zeros(5, np.int32), 0, 2)[0] == 0


def module_of(source: str) -> Any:
    """The optimised LLVM module of a kernel."""
    kernel = loader.parse(source, native_primitives.NATIVE, "<kernel>")["kernel"]
    module = object_code.parse(native_kernel.kernel_module(kernel, "graphc_test", "<kernel>"))
    object_code.optimize(module)
    return module


def optimized(source: str) -> str:
    return str(module_of(source))


def test_many_buffers_vectorise_without_overlap_checks() -> None:
    """Distinct slots never alias: with twelve of them LLVM would give up on run-time checks."""
    count = 12
    lines = [f"p{slot} = float32_pointer(argv, {slot})" for slot in range(count)]
    total = " + ".join(f"p{slot}[i]" for slot in range(count - 1))
    body = [*lines, "for i in range(lo, hi):", f"    p{count - 1}[i] = {total}"]
    module = optimized(text("float32_pointer", "\n".join(body)))
    assert " x float>" in module
    assert "memcheck" not in module
    assert "diff.check" not in module


def test_a_store_does_not_spoil_loads_of_other_slots() -> None:
    """In a loop that writes one buffer, another buffer's element is loaded before the loop."""
    source = text(
        "float32_pointer",
        """
x = float32_pointer(argv, 0)
y = float32_pointer(argv, 1)
for i in range(lo, hi):
    y[i] = y[i] * x[0]
""",
    )
    module = optimized(source)
    assert " x float>" in module
    assert "memcheck" not in module


def test_a_module_exports_one_symbol_and_needs_no_runtime() -> None:
    """Cached code must load without Numba: nothing of Numba's may be referred to."""
    source = text("float32_pointer", "x = float32_pointer(argv, 0)\nx[lo] = x[hi]")
    module = module_of(source)
    assert [f.name for f in module.functions if not f.is_declaration] == ["graphc_test"]
    assert elf.undefined_symbols(object_code.emit(module)) == []


def test_undefined_symbols_are_read_from_the_object() -> None:
    """The list decides what is looked up before loading; LLVM would end the process."""
    source = text(
        "float64_pointer, int32_pointer, lu_factor",
        "x = lu_factor(lo, float64_pointer(argv, 0), int32_pointer(argv, 1))",
    )
    code = object_code.emit(module_of(source))
    assert elf.undefined_symbols(code) == ["graphc_dgetrf"]


def test_a_missing_symbol_is_an_error_not_the_end() -> None:
    """A kernel from a cache of another build must not take the process down."""
    with pytest.raises(CompileError, match="graphc_no_such_thing"):
        engine.load(b"", "kernel", ["graphc_no_such_thing"])


ILL_TYPED = {
    "float64 into float32": (
        "float32_pointer, float64_pointer",
        "x = float32_pointer(argv, 0)\ny = float64_pointer(argv, 1)\nx[lo] = y[lo]",
        "float32 buffer cannot store a float64",
    ),
    "float into int": (
        "int64_pointer, float64_pointer",
        "x = int64_pointer(argv, 0)\ny = float64_pointer(argv, 1)\nx[lo] = y[lo]",
        "int64 buffer cannot store a float64",
    ),
    "number into bool": (
        "bool_pointer",
        "x = bool_pointer(argv, 0)\nx[lo] = lo",
        "cannot store",
    ),
    "slot not literal": (
        "float32_pointer",
        "x = float32_pointer(argv, lo)",
        "literal slot",
    ),
    "float index": (
        "float64_pointer",
        "x = float64_pointer(argv, 0)\ny = x[x[0]]",
        "getitem",
    ),
    "lu of integers": (
        "int32_pointer, lu_factor",
        "x = int32_pointer(argv, 0)\ny = lu_factor(lo, x, x)",
        "float32 or float64 pointer",
    ),
}


@pytest.mark.parametrize("case", ILL_TYPED.values(), ids=ILL_TYPED.keys())
def test_ill_typed_kernels_are_compile_errors(case: tuple[str, str, str]) -> None:
    """No silent promotion, no object mode: the error says which line and why."""
    names, body, reason = case
    with pytest.raises(CompileError, match=reason) as failure:
        cpu.compile_kernel(text(names, body))
    assert "line " in str(failure.value)


def test_a_name_that_is_not_there() -> None:
    """The caller asked for another kernel than the text has."""
    source = text("exp", "x = lo").replace("def kernel(", "def kernel_2(")
    with pytest.raises(CompileError, match="expected a function kernel, got \\['kernel_2'\\]"):
        cpu.compile_kernel(source)


def test_the_same_text_is_the_same_code() -> None:
    """One address for one text, also when several threads ask at once."""
    source = text("float32_pointer", "x = float32_pointer(argv, 0)\nx[lo] = x[hi] + x[lo]")
    found: list[cpu.NativeKernel] = []
    threads = [
        threading.Thread(target=lambda: found.append(cpu.compile_kernel(source))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({kernel.address for kernel in found}) == 1
    assert found[0].symbol.startswith("graphc_kernel_")


def test_exact_arithmetic_is_kept() -> None:
    """Kernels are compiled without reassociation and without assumptions about NaN or -0."""
    source = text(
        "float64_pointer, isnan, select",
        """
x = float64_pointer(argv, 0)
for i in range(lo, hi):
    x[i] = select(isnan(x[i]), 7.0, (x[i] + 1e8) - 1e8)
""",
    )
    x = np.array([1e-9, np.nan, -0.0, 3.0])
    call(source, 0, 4, x)
    assert x.tolist() == [0.0, 7.0, 0.0, 3.0]


def test_importing_the_driver_does_not_import_numba() -> None:
    """A second process starts without it."""
    code = "import sys, graphc.target.driver; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
