"""The primitives in Python: memory by address, casts, NumPy's arithmetic, and whole kernels."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from graphc.target import primitives
from graphc.target.loader import load
from graphc.target.pointer import Pointer
from graphc.target.primitives import PRIMITIVES

CAST_NAMES = ("uint8", "int32", "uint32", "int64")


def table(*cells: Any) -> Any:
    """An argv: arrays by address, floats by their bits, integers as they are."""
    words = np.zeros(len(cells), np.int64)
    for i, cell in enumerate(cells):
        if isinstance(cell, np.ndarray):
            words[i] = cell.ctypes.data
        elif isinstance(cell, float):
            words[i] = np.float64(cell).view(np.int64)
        else:
            words[i] = cell
    return words


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """No primitive may warn: what is unusual is a result."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    "name", ["bool", "uint8", "int32", "uint32", "int64", "float32", "float64"]
)
def test_pointers_load_and_store_elements_of_their_dtype(name: str) -> None:
    """Protects the meaning of `p[i]` and `p[i] = v` for every dtype."""
    memory = np.array([1, 0, 1, 1], name)
    words = table(0, memory)
    pointer = PRIMITIVES[f"{name}_pointer"](words.ctypes.data, 1)
    assert type(pointer[0]) is np.dtype(name).type
    assert pointer[np.int64(2)] == memory[2]
    pointer[1] = PRIMITIVES["boolean" if name == "bool" else name](1)
    pointer[2] = np.dtype(name).type(0)
    assert memory.tolist() == [1, 1, 0, 1]


def test_pointers_see_float_extremes() -> None:
    """Protects NaN, infinity, -0 and subnormals on their way through memory."""
    values = np.array([np.nan, np.inf, -0.0, 1e-45], np.float32)
    source, target = Pointer(values.ctypes.data, values.dtype), np.zeros(4, np.float32)
    words = table(target)
    out = PRIMITIVES["float32_pointer"](words.ctypes.data, 0)
    for i in range(4):
        out[i] = source[i]
    assert target.tobytes() == values.tobytes()


def test_cells_hold_integers_and_the_bits_of_floats() -> None:
    """Protects how sizes and constants reach a kernel."""
    words = table(-7, 0.1, 1e300)
    address = words.ctypes.data
    assert primitives.integer(address, 0) == -7
    assert primitives.float64_value(address, 1) == 0.1
    assert primitives.float32_value(address, 1) == np.float32(0.1)
    assert type(primitives.float32_value(address, 1)) is np.float32
    assert primitives.float32_value(address, 2) == np.inf
    assert primitives.context_word(address, 0) == -7


def test_the_first_failure_stays() -> None:
    """Protects the error that a user is told: the first one."""
    context = np.zeros(4, np.int64)
    primitives.fail(context.ctypes.data, np.int64(3), np.int32(14))
    primitives.fail(context.ctypes.data, 4, 15)
    assert context.tolist() == [3, 14, 0, 0]


@pytest.mark.parametrize("name", CAST_NAMES)
def test_floats_become_integers_without_accidents(name: str) -> None:
    """Protects indices: out of range is the nearest end, NaN is 0, fractions are cut."""
    cast, limits = PRIMITIVES[name], np.iinfo(name)
    for value in (math.inf, 1e30, np.float32(1e30), np.float64(2.0**64)):
        assert cast(value) == limits.max
    for value in (-math.inf, -1e30, np.float32(-1e30)):
        assert cast(value) == limits.min
    assert cast(np.float32(np.nan)) == 0
    assert cast(np.float64(99.9)) == 99
    assert cast(np.float64(-0.9)) == 0
    assert type(cast(1.0)) is np.dtype(name).type


@pytest.mark.parametrize("name", CAST_NAMES)
def test_integers_wrap_around(name: str) -> None:
    """Protects counters and hashes: integer casts keep the low bits."""
    bits = np.iinfo(name).bits
    for value in (-1, 2**bits + 5, -(2**bits) - 1, 2**63 - 1):
        got = PRIMITIVES[name](value)
        assert type(got) is np.dtype(name).type
        assert (int(got) - value) % 2**bits == 0
    assert PRIMITIVES[name](np.bool_(True)) == 1


def test_floats_and_booleans() -> None:
    """Protects the casts to floats, and what counts as true."""
    assert type(PRIMITIVES["float32"](2**40)) is np.float32
    assert PRIMITIVES["float32"](np.float64(1e300)) == np.inf
    assert PRIMITIVES["float64"](np.float32(0.1)) == np.float64(np.float32(0.1))
    assert PRIMITIVES["boolean"](np.float32(np.nan))
    assert not PRIMITIVES["boolean"](np.float32(-0.0))
    assert type(PRIMITIVES["boolean"](3)) is np.bool_


def test_division_by_zero_is_a_result() -> None:
    """Protects programs that divide by 0 on purpose, and the integer convention."""
    one, zero = np.float32(1), np.float32(0)
    assert primitives.divide(one, zero) == np.inf
    assert primitives.divide(-one, zero) == -np.inf
    assert np.isnan(primitives.divide(zero, zero))
    assert primitives.floor_divide(np.int32(7), np.int32(0)) == 0
    assert primitives.remainder(np.int32(7), np.int32(0)) == 0
    assert primitives.floor_divide(np.int32(-7), np.int32(2)) == -4
    assert primitives.remainder(np.int32(-7), np.int32(2)) == 1


def test_extremes_pass_nan_on() -> None:
    """Protects NaN in maximum and minimum, on either side, and the order of zeros in reductions."""
    nan, one, zero = np.float32(np.nan), np.float32(1), np.float32(0)
    for name in ("maximum", "minimum"):
        for function in (PRIMITIVES[name], PRIMITIVES[f"{name}_reassociating"]):
            assert np.isnan(function(nan, one))
            assert np.isnan(function(one, nan))
    for a, b in ((zero, -zero), (-zero, zero)):
        assert not np.signbit(primitives.maximum_reassociating(a, b))
        assert np.signbit(primitives.minimum_reassociating(a, b))


def test_every_elementary_function_keeps_the_dtype() -> None:
    """Protects float32 from becoming float64 on the way."""
    from graphc.target import vmath

    for float_type in (np.float32, np.float64):
        half = float_type(0.5)
        for name in vmath.UNARY:
            assert type(PRIMITIVES[name](half)) is float_type, name
        for name in vmath.BINARY:
            assert type(PRIMITIVES[name](half, half)) is float_type, name
        for name in ("absolute", "sign", "floor", "ceil"):
            assert type(PRIMITIVES[name](half)) is float_type, name


def test_random_bits_take_any_integer() -> None:
    """Protects the counters: loop indices, array elements and 64-bit seeds give the same bits."""
    expected = primitives.random_bits(2**63 - 1, 3, 2**40, 5)
    assert type(expected) is np.uint32
    assert expected == primitives.random_bits(np.int64(2**63 - 1), np.uint8(3), 2**40, np.int32(5))
    assert expected != primitives.random_bits(2**63 - 1, 3, 2**40, 6)


def test_an_emitted_module_runs_as_plain_python() -> None:
    """Protects the second oracle: a kernel, imports and all, without Numba."""
    source = (
        "from graphc.target.primitives import add_reassociating, exp, float32, float32_pointer\n"
        "from graphc.target.primitives import float32_value, integer\n"
        "def kernel(lo, hi, argv, context):\n"
        "    x = float32_pointer(argv, 0)\n"
        "    out = float32_pointer(argv, 1)\n"
        "    n = integer(argv, 2)\n"
        "    rate = float32_value(argv, 3)\n"
        "    for i in range(lo, hi):\n"
        "        total = float32(0.0)\n"
        "        for j in range(n):\n"
        "            total = add_reassociating(total, exp(x[i * n + j]))\n"
        "        out[i] = total * rate\n"
    )
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
    out = np.zeros(3, np.float32)
    words, context = table(x, out, 4, 0.5), np.zeros(24, np.int64)
    kernel = load(source, PRIMITIVES, "emitted.py")["kernel"]
    kernel(1, 3, words.ctypes.data, context.ctypes.data)
    np.testing.assert_allclose(out, [0, *(np.exp(x).sum(axis=1) * 0.5)[1:]], rtol=1e-6)


def test_names_can_be_imported_and_unknown_ones_cannot() -> None:
    """Protects `from graphc.target.primitives import ...` in an emitted file."""
    for name in primitives.PRIMITIVE_NAMES:
        assert getattr(primitives, name) is PRIMITIVES[name]
        assert PRIMITIVES[name].__doc__, name
    with pytest.raises(AttributeError, match="no primitive is called 'launch'"):
        primitives.launch  # noqa: B018


@pytest.mark.parametrize("float_type", [np.float32, np.float64])
def test_linear_systems(float_type: Any) -> None:
    """Protects lu_factor and lu_solve against NumPy's solver, columns in column-major order."""
    random = np.random.default_rng(3)
    matrix, right = random.standard_normal((6, 6)), random.standard_normal((6, 2))
    columns = np.ascontiguousarray(matrix.T).astype(float_type)
    sides = np.ascontiguousarray(right.T).astype(float_type)
    pivots = np.zeros(6, np.int32)
    pointers = [Pointer(array.ctypes.data, array.dtype) for array in (columns, sides, pivots)]
    assert primitives.lu_factor(6, pointers[0], pointers[2]) == 0
    assert primitives.lu_solve(6, 2, *pointers) == 0
    tolerance = 200 * np.finfo(float_type).eps
    np.testing.assert_allclose(sides.T, np.linalg.solve(matrix, right), rtol=tolerance)


def test_a_singular_matrix_is_reported_by_its_column() -> None:
    """Protects the message of a failed solve: getrf's 1-based place of the first zero pivot."""
    columns = np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
    pivots = np.zeros(3, np.int32)
    factor, places = (Pointer(array.ctypes.data, array.dtype) for array in (columns, pivots))
    assert primitives.lu_factor(3, factor, places) == 2
    assert pivots.min() >= 1
