"""Attributes as text: every value reads back as itself, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from graphc.ir.declaration import ConstantArray, Declaration, attribute_key
from graphc.ir.dim import Dim, floor_divide, named_size
from graphc.ir.dtype import DTYPES
from graphc.ir.literal import literal, quote
from graphc.ir.reader import Reader

# Some mean something else as a bare word, some are no ASCII.
NAMES = ("n", "batch_size", "nan", "inf", "True", "float32", "array", "param", "été", "e5")


def read(text: str) -> Any:
    """The attribute that a text holds, and nothing after it."""
    reader = Reader(text, 1, Declaration)
    value = reader.value()
    if reader.sort != "end":
        raise reader.unexpected("the end of the line")
    return value


@st.composite
def dims(draw: Any) -> Dim:
    """Sums of products of names and floor quotients."""
    total: Dim = draw(st.integers(-3, 3))
    for _ in range(draw(st.integers(1, 3))):
        term: Dim = draw(st.integers(-3, 3).filter(bool))
        for _ in range(draw(st.integers(0, 3))):
            atom: Dim = named_size(draw(st.sampled_from(NAMES)))
            if draw(st.booleans()):
                scaled = draw(st.integers(-3, 3).filter(bool)) * atom + draw(st.integers(-2, 2))
                below = draw(st.sampled_from([2, 3, -2, named_size("k"), named_size("n") + 1]))
                atom = floor_divide(scaled, below)
            term = term * atom
        total = total + term
    return total


@settings(max_examples=300)
@given(dims())
def test_dimensions_read_back(dim: Dim) -> None:
    """Signs, powers, nested quotients and odd names."""
    assert read(literal(dim)) == dim
    assert literal(read(literal(dim))) == literal(dim)


NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text())


@settings(max_examples=200)
@given(st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6))
def test_numbers_strings_and_tuples_read_back(value: Any) -> None:
    """Exactly: 1, 1.0 and True, 0.0 and -0.0, inf and nan, any text."""
    text = literal(value)
    assert "\n" not in text
    assert attribute_key(read(text)) == attribute_key(value)


@settings(max_examples=100)
@given(
    arrays.arrays(
        st.sampled_from([dtype.numpy for dtype in DTYPES.values()]),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=6),
    )
)
def test_arrays_read_back_bit_for_bit(array: np.ndarray) -> None:
    """Also nans with signs and payloads, and arrays without elements."""
    assert read(literal(ConstantArray(array))) == ConstantArray(array)


def test_small_arrays_are_legible_and_large_ones_short() -> None:
    """A few numbers are listed in decimals, many are the base64 of their bytes."""
    small = literal(ConstantArray(np.array([0.1, 2.0], np.float32)))
    assert small == "array(float32, (2,), [0.1, 2.0])"
    large = literal(ConstantArray(np.zeros(1000, np.uint8)))
    assert large.startswith('array(uint8, (1000,), "AAAA')
    assert len(large) < 1400


def test_dtypes_and_declarations() -> None:
    """A dtype is a bare word; a declaration carries its role and its name."""
    assert read(literal(DTYPES["uint8"])) is DTYPES["uint8"]
    declared = read(literal(Declaration("state", 'a "b"')))
    assert (declared.role, declared.name) == ("state", 'a "b"')


def test_what_does_not_print_is_escaped() -> None:
    """Line separators and marks that turn the direction of a line stay inside their string."""
    assert quote("a\u2028b\u202ec\x85d") == r'"a\u2028b\u202ec\u0085d"'
    assert quote("σ ∇") == '"σ ∇"'
    assert read(quote("\U000e0001\ud800")) == "\U000e0001\ud800"


@pytest.mark.parametrize("text", ["-inf", "1e-300", "-0.0", "nan", "1e+16"])
def test_floats_by_their_repr(text: str) -> None:
    """The shortest text that is the same float."""
    value = read(text)
    assert type(value) is float
    assert value == float(text) or math.isnan(value)
    assert literal(value) == text
