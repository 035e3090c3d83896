"""Kernels with many elementary functions call them: the same bits, a fraction of the code."""

from __future__ import annotations

import ast
import ctypes
import math
from pathlib import Path

import numpy as np
import pytest

from graphc.target import cpu, llvm_functions, loader, native_kernel, native_primitives, outline
from tests.target.front_ends import same_bits

SHAPE = ctypes.CFUNCTYPE(None, *(ctypes.c_int64,) * 2, *(ctypes.c_void_p,) * 2)
HARD = (
    0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-42, 5e-324, 1e-30, -1e-30, 0.3, 0.5,
    -0.5, 2.0, 3.0, 20.0, -20.0, 88.0, 89.5, -104.5, 709.0, 710.5, -746.0, 1e7, 1e13, 1e38,
)  # fmt: skip
COMMON = ("cos", "erf", "exp", "lgamma", "log", "log1p", "power", "sigmoid", "sin", "tanh")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cpu, "_memory", {})


def text(names: list[str], dtype: str) -> str:
    """A kernel that stores each function of the numbers in x and y."""
    lines = [f"from graphc.target.primitives import {dtype}_pointer, {', '.join(set(names))}", ""]
    lines += ["", "def kernel(lo, hi, argv, context):"]
    buffers = ["x", "y", *(f"out{n}" for n in range(len(names)))]
    lines += [f"    {name} = {dtype}_pointer(argv, {n})" for n, name in enumerate(buffers)]
    lines.append("    for i in range(lo, hi):")
    for number, name in enumerate(names):
        operands = "x[i], y[i]" if outline.outlined()[name] == 2 else "x[i]"
        lines.append(f"        out{number}[i] = {name}({operands})")
    return "\n".join(lines) + "\n"


def run(source: str, x: np.ndarray, y: np.ndarray, outputs: int, front_end: str) -> np.ndarray:
    """The rows that a kernel writes."""
    results = np.full((outputs, len(x) + 1), 7.0, x.dtype)
    places = [x.ctypes.data, y.ctypes.data, *(row.ctypes.data for row in results)]
    argv, context = np.array(places, np.int64), np.zeros(64, np.int64)
    kernel = SHAPE(cpu.compile_kernel(source, front_end).address)
    kernel(0, len(x), argv.ctypes.data, context.ctypes.data)
    assert (results[:, -1] == 7.0).all()  # nothing beyond the end is written
    return results[:, :-1]


def pairs_of_hard_numbers(dtype: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    x = np.concatenate([HARD, draw.normal(0, 3, count)])[:count]
    with np.errstate(over="ignore"):
        return x.astype(dtype), draw.permutation(x).astype(dtype)


def check_bits(name: str, dtype: str) -> None:
    """Called and written in place, for numbers of vectors and for what is left of a vector."""
    for count in (1, 7, 31, 77):
        x, y = pairs_of_hard_numbers(dtype, count)
        (expected,) = run(text([name], dtype), x, y, 1, "cpu")
        called = run(text([name] * outline.MANY, dtype), x, y, outline.MANY, "cpu")
        for row in called:
            same_bits(row, expected, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COMMON)
def test_called_functions_give_the_bits_of_those_in_place(name: str, dtype: str) -> None:
    check_bits(name, dtype)


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(outline.outlined()) - set(COMMON)))
def test_all_called_functions_give_the_bits_of_those_in_place(name: str, dtype: str) -> None:
    check_bits(name, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_front_ends_give_the_same_bits(dtype: str) -> None:
    """Also of a sum, whose order follows from the vectors that LLVM chooses."""
    names = ["sin", "cos", "exp", "tanh"] * 4
    head, body = text(names, dtype).split("    for i in range(lo, hi):\n")
    last = f"out{len(names) - 1}[i] = tanh(x[i])"
    body = body.replace(last, "total = add_reassociating(total, tanh(x[i]) + sin(x[i]))")
    source = head.replace("import ", f"import {dtype}, add_reassociating, ")
    source += f"    total = {dtype}(0.0)\n    for i in range(lo, hi):\n{body}"
    source += f"    out{len(names) - 1}[0] = total\n"
    x = np.random.default_rng(1).normal(0, 2, 1077).astype(dtype)
    native, numba = (run(source, x, x, len(names), front_end) for front_end in ("cpu", "numba"))
    assert native.tobytes() == numba.tobytes()
    total = float(native[-1, 0])
    expected = (np.tanh(x.astype(np.float64)) + np.sin(x.astype(np.float64))).sum()
    assert total == pytest.approx(expected, rel=1e-4 if dtype == "float32" else 1e-12, abs=1e-3)


def parsed(source: str) -> ast.FunctionDef:
    return loader.parse(source, native_primitives.NATIVE, "<kernel>")["kernel"]


def test_few_functions_stay_in_place() -> None:
    kernel = parsed(text(["exp"] * (outline.MANY - 1), "float32"))
    before = ast.dump(kernel)
    outline.outline(kernel)
    assert ast.dump(kernel) == before
    module = native_kernel.kernel_module(kernel, "kernel", "<kernel>")
    assert llvm_functions.with_variants(module) == module


def test_functions_in_a_branch_stay_in_place() -> None:
    source = text(["exp"] * (2 * outline.MANY), "float32")
    source = source.replace(
        "        out0[i] = exp(x[i])", "        if i > 3:\n            out0[i] = exp(x[i])"
    )
    kernel = parsed(source)
    outline.outline(kernel)
    assert ast.unparse(kernel).count(" = exp(") == 1


def test_sine_and_cosine_of_one_number_are_one_call() -> None:
    kernel = parsed(text(["sin", "cos"] * outline.MANY, "float64"))
    outline.outline(kernel)
    module = native_kernel.kernel_module(kernel, "kernel", "<kernel>")
    assert "@graphc.cos.sin.f64.x8" in llvm_functions.with_variants(module)
    assert "graphc.sin.f64" not in module


def test_code_grows_by_little_for_another_function() -> None:
    """Compile time grows with code: less than 200 bytes for a call and a store, where a
    function in place takes several times as much."""
    from graphc.target import object_code

    def size(calls: int) -> int:
        kernel = parsed(text(["tanh"] * calls, "float32"))
        outline.outline(kernel)
        module = native_kernel.kernel_module(kernel, "kernel", "<kernel>")
        return len(object_code.object_code(llvm_functions.with_variants(module)))

    few, many = outline.MANY, 4 * outline.MANY
    assert (size(many) - size(few)) / (many - few) < 200
