"""Bits of integers: NumPy's meaning, on every integer type, in operators and on both targets."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DTypeError

INTEGERS = ("uint8", "int32", "uint32", "int64")
FUNCTIONS = {
    gx.bitwise_and: np.bitwise_and, gx.bitwise_or: np.bitwise_or, gx.bitwise_xor: np.bitwise_xor,
    gx.bitwise_left_shift: np.left_shift, gx.bitwise_right_shift: np.right_shift,
}  # fmt: skip


def samples(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of ordinary values and the ends of the type; as counts some are out of range."""
    limits = np.iinfo(dtype)
    values = np.array([0, 1, 2, 7, limits.bits - 1, limits.bits, limits.max, limits.min], dtype)
    a, b = np.meshgrid(values, values)
    return a.ravel(), b.ravel()


@pytest.mark.parametrize("target", ["python", "cpu"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_as_numpy(dtype: str, target: str) -> None:
    """Every operation on every integer type, also shifts by more than the width and below 0."""
    a, b = samples(dtype)
    x, y = gx.input("x", ("n",), dtype), gx.input("y", ("n",), dtype)
    outputs = [f(x, y) for f in FUNCTIONS] + [gx.bitwise_invert(x)]
    expected = [f(a, b) for f in FUNCTIONS.values()] + [~a]
    for found in (gx.compile([x, y], outputs, target=target)(a, b), gx.evaluate(outputs, {x: a,
    y: b})):  # fmt: skip
        for node, have, want in zip(outputs, found, expected, strict=True):
            assert have.dtype == want.dtype, node
            np.testing.assert_array_equal(have, want, err_msg=node.op.name)


def test_operators() -> None:
    """& | ^ ~ << >> with nodes and numbers on either side."""
    k, j = gx.input("k", (3,), "int32"), gx.input("j", (3,), "int64")
    assert (k & 3) is gx.bitwise_and(k, 3)
    assert (3 | k).op.name == "bitwise_or"
    assert (k ^ 1) is gx.bitwise_xor(k, 1)
    assert ~k is gx.bitwise_invert(k)
    assert (1 << k) is gx.bitwise_left_shift(1, k)
    assert (k >> 1) is gx.bitwise_right_shift(k, 1)
    assert (k & j).dtype.name == "int64"
    assert np.bitwise_xor(k, j) is (k ^ j)
    assert np.invert(k) is ~k
    assert np.left_shift(k, 2) is k << 2


def test_truth_values_stay_truth_values() -> None:
    """On bools the operators are logical, as in NumPy; a bool with an integer is an integer."""
    p, q = gx.input("p", (4,), "bool"), gx.input("q", (4,), "bool")
    assert (p & q) is gx.logical_and(p, q)
    assert (p | q) is gx.logical_or(p, q)
    assert (p ^ q) is gx.not_equal(p, q)
    assert ~p is gx.logical_not(p)
    assert (p & True) is gx.logical_and(p, True)
    assert (p & 1).dtype.name == "int64"


def test_floats_are_refused() -> None:
    """A float has no bits to speak of: an error that says so, where it is written."""
    x, p = gx.input("x", (3,)), gx.input("p", (3,), "bool")
    with pytest.raises(DTypeError, match="bitwise_and: expected integers or truth values, got flo"):
        x & 1
    with pytest.raises(DTypeError, match="expected integers"):
        gx.bitwise_left_shift(x, 1)
    with pytest.raises(DTypeError, match="bitwise_right_shift: expected integers, got bool"):
        gx.bitwise_right_shift(p, p)


def test_text_keeps_the_meaning() -> None:
    """Operands that bind more loosely get their brackets."""
    k = gx.input("k", (), "int32")
    assert "(k & 1) << 2" in gx.show((k & 1) << 2)
    assert "k + 1 & 3" in gx.show((k + 1) & 3)
    assert "~(k + 1)" in gx.show(~(k + 1))
