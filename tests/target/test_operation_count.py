"""The number of operations of elementary functions, against texts counted by hand and by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.target import vmath
from graphc.target.operation_count import Counting, operation_count


@pytest.mark.parametrize(
    ("name", "operands", "expected"),
    [
        ("add", 2, 1),
        ("divide", 2, 1),
        ("maximum", 2, 1),
        ("sqrt", 1, 1),
        ("floor", 1, 1),
        ("where", 3, 0),
        ("negative", 1, 0),
        ("abs", 1, 0),
        ("cast", 1, 0),
        ("hypot", 2, 4),  # two divisions or products to scale, and what is under the root
    ],
)
def test_simple_operations(name: str, operands: int, expected: int) -> None:
    """One for what a processor does in one; none for choices, signs and conversions."""
    assert operation_count(name, "float32", operands) == expected


def test_what_is_no_float_counts_nothing() -> None:
    """Integers and conditions are done beside the floats."""
    assert operation_count("add", "int64", 2) == 0
    assert operation_count("less", "bool", 2) == 0


def test_polynomials_count_two_for_each_step() -> None:
    """Horner's rule is one fused multiply-add for each coefficient but one."""
    for count in range(1, 9):
        machine = Counting(32)
        machine.polynomial(machine.constant(0.5), [1.0] * count)
        assert machine.count == 2 * (count - 1)


def test_integers_inside_a_text_are_not_counted() -> None:
    """Kinds follow the values: bits of floats are integers, and comparisons are conditions."""
    machine = Counting(64)
    x = machine.constant(1.0)
    moved = machine.from_bits((machine.bits(x) + machine.integer(3)) << machine.integer(2))
    chosen = machine.select((x < 2.0) & ~(x == 1.0), 1.0 - moved, moved)
    assert machine.count == 1
    assert (chosen * 2.0).kind == "float"
    assert machine.count == 2


def test_every_elementary_function_can_be_counted() -> None:
    """Each text runs on the counter; the longest are some hundreds, none is free but a step."""
    tables = ((vmath.UNARY, 1), (vmath.BINARY, 2), (vmath.DIVISION, 2))
    counts = {
        (name, dtype): operation_count(name, dtype, operands)
        for table, operands in tables
        for name in table
        for dtype in ("float32", "float64")
    }
    assert all(count > 0 for (name, _), count in counts.items() if name != "heaviside")
    assert max(counts.values()) < 5000
    assert np.median(list(counts.values())) > 10
    assert counts["exp", "float64"] > counts["exp", "float32"] > 10
