"""Dtypes: the promotion table, weak Python numbers, the default float."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphc.errors import DTypeError
from graphc.ir.dtype import (
    DTYPES,
    DType,
    as_dtype,
    default_float,
    promote,
    set_default_float,
    weak_dtype,
)

# The whole table: the type in which values of two types meet.
TABLE = """
         bool    uint8   uint32  int32   int64   float32 float64
bool     bool    uint8   uint32  int32   int64   float32 float64
uint8    uint8   uint8   uint32  int32   int64   float32 float64
uint32   uint32  uint32  uint32  int64   int64   float32 float64
int32    int32   int32   int64   int32   int64   float32 float64
int64    int64   int64   int64   int64   int64   float32 float64
float32  float32 float32 float32 float32 float32 float32 float64
float64  float64 float64 float64 float64 float64 float64 float64
"""


def test_the_promotion_table() -> None:
    """float32 never becomes float64 unasked; two integers meet in the smallest that holds both."""
    head, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert sorted(head) == sorted(DTYPES)
    for name, *results in rows:
        for other, result in zip(head, results, strict=True):
            assert promote(DTYPES[name], DTYPES[other]) is DTYPES[result], (name, other)


def test_promotion_commutes_and_associates() -> None:
    """The order in which operands are written does not decide their type."""
    for a, b, c in itertools.product(DTYPES.values(), repeat=3):
        assert promote(a, b) is promote(b, a)
        assert promote(promote(a, b), c) is promote(a, promote(b, c))


def test_integers_meet_where_both_fit() -> None:
    """No integer promotion loses a value."""
    integers = [dtype for dtype in DTYPES.values() if dtype.is_integer]
    for a, b in itertools.product(integers, repeat=2):
        met = np.iinfo(promote(a, b).numpy)
        for part in (np.iinfo(a.numpy), np.iinfo(b.numpy)):
            assert met.min <= part.min
            assert met.max >= part.max


@pytest.mark.parametrize(
    ("value", "partner", "expected"),
    [
        (2, "float32", "float32"), (2, "uint8", "uint8"), (2, "int64", "int64"), (2, None, "int64"),
        (2, "bool", "int64"), (0.5, "float64", "float64"), (0.5, "int32", "float32"),
        (0.5, None, "float32"), (True, "float32", "float32"), (True, None, "bool"),
    ],
)  # fmt: skip
def test_python_numbers_are_weak(value: float, partner: str | None, expected: str) -> None:
    """A number takes its partner's type, unless that cannot hold a number of its sort."""
    known = DTYPES[partner] if partner else None
    assert weak_dtype(value, known) is DTYPES[expected]


def test_names_of_dtypes() -> None:
    """A dtype is known by name, NumPy dtype, Python type or itself."""
    for name, dtype in DTYPES.items():
        assert as_dtype(name) is dtype
        assert as_dtype(np.dtype(name)) is dtype
        assert as_dtype(dtype) is dtype
        assert dtype.itemsize == np.dtype(name).itemsize
    assert as_dtype(float) is default_float()
    assert as_dtype(int) is DTYPES["int64"]
    assert as_dtype(bool) is DTYPES["bool"]
    for wrong in ("float16", "complex64", object, "nonsense", None):
        if wrong is not None:
            with pytest.raises(DTypeError, match="expected one of bool"):
                as_dtype(wrong)


def test_what_is_stored_is_not_what_is_computed_in() -> None:
    """An image of bytes is computed in int32."""
    assert DTYPES["uint8"].compute == "int32"
    assert isinstance(DTYPES["uint8"], DType)


def test_the_default_float_can_be_set() -> None:
    """It is the type of Python floats that meet integers, and only a float type."""
    try:
        set_default_float("float64")
        assert weak_dtype(0.5, DTYPES["int32"]) is DTYPES["float64"]
        with pytest.raises(DTypeError, match="expected float32 or float64"):
            set_default_float("int32")
    finally:
        set_default_float("float32")
