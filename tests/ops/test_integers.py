"""Integers and truth values: both targets compute what the interpreter, and so NumPy, does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node

VALUES = {
    "bool": [False, True, True, False],
    "uint8": [0, 1, 200, 255],
    "uint32": [0, 1, 2**31, 2**32 - 1],
    "int32": [-(2**31), -3, 0, 2**31 - 1],
    "int64": [-(2**63), -3, 2, 2**62],
}
UNARY = ("negative", "abs", "sign", "square", "relu", "floor", "exp", "sqrt", "tanh", "logical_not")
REDUCTIONS = ("sum", "prod", "max", "min", "mean", "argmax", "argmin")
BINARY = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
)  # fmt: skip


def outputs_of(x: Node) -> dict[str, Node]:
    """Everything that one operand allows, and both orders with numbers."""
    made = {name: getattr(gx, name)(x) for name in (*UNARY, *REDUCTIONS)}
    for target in (*VALUES, "float32", "float64"):
        made[f"cast to {target}"] = gx.cast(x, target)
    for number in (0, 1, 7):
        made |= {
            f"x + {number}": x + number,
            f"{number} - x": number - x,
            f"x * {number}": x * number,
        }
        made |= {f"x > {number}": x > number, f"x ** {number}": x**number}
    return made


def compare(names: list[str], found: Any, expected: list[np.ndarray]) -> None:
    for name, have, want in zip(names, found, expected, strict=True):
        assert np.asarray(have).dtype == want.dtype, name
        if want.dtype.kind == "f":
            np.testing.assert_allclose(have, want, rtol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


@pytest.mark.parametrize("target", ["python", pytest.param("cpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", VALUES)
def test_one_operand(dtype: str, target: str) -> None:
    """Sums and products wrap in their own width, small integers too; -255 of uint8 is 1."""
    x = gx.input("x", (4,), dtype)
    made = outputs_of(x)
    value = np.array(VALUES[dtype], dtype)
    found = gx.compile(x, list(made.values()), target=target)(value)
    compare(list(made), found, gx.evaluate(list(made.values()), {x: value}))


@pytest.mark.parametrize("dtype", VALUES)
def test_two_operands(dtype: str) -> None:
    """Any two types meet in one that holds both, or that the wider one is."""
    x = gx.input("x", (4,), dtype)
    others = {other: gx.input(f"y_{other}", (4, 1), other) for other in VALUES}
    made = {
        f"{name} with {other}": getattr(gx, name)(x, y)
        for name in BINARY
        for other, y in others.items()
    }
    arrays = [np.array(VALUES[dtype], dtype)]
    arrays += [np.array(VALUES[other], other).reshape(4, 1) for other in others]
    inputs = [x, *others.values()]
    found = gx.compile(inputs, list(made.values()), target="python")(*arrays)
    feed = dict(zip(inputs, arrays, strict=True))
    compare(list(made), found, gx.evaluate(list(made.values()), feed))


def test_powers_of_integers() -> None:
    """Whole powers are exact and wrap, as in NumPy; others are floats."""
    k = gx.input("k", (5,), "int64")
    values = np.array([-3, 0, 1, 2, 3_000_000_007])
    for exponent in range(8):
        found = gx.evaluate(k**exponent, {k: values})
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, values**exponent)
    assert (k**-1).dtype.name == (2**k).dtype.name == (k**k).dtype.name == "float32"
    assert (gx.input("b", (), "bool") ** 2).dtype.name == "int32"
    np.testing.assert_allclose(gx.evaluate(2**k, {k: [0, 1, 2, -1, 10]}), [1, 2, 4, 0.5, 1024])


@pytest.mark.parametrize("target", ["python", "cpu"])
@pytest.mark.parametrize("given", ["float32", "float64"])
def test_floats_that_fit_no_integer(given: str, target: str) -> None:
    """Cut towards zero, held within the range, and nan is 0: NumPy leaves that open."""
    x = gx.input("x", (8,), given)
    made = [gx.cast(x, dtype) for dtype in ("uint8", "int32", "uint32", "int64")]
    value = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 2.7, -2.7, 300.0], given)
    expected = [
        [0, 255, 0, 255, 0, 2, 0, 255],
        [0, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 2, -2, 300],
        [0, 2**32 - 1, 0, 2**32 - 1, 0, 2, 0, 300],
        [0, 2**63 - 1, -(2**63), 2**63 - 1, -(2**63), 2, -2, 300],
    ]
    for found in (gx.compile(x, made, target=target)(value), gx.evaluate(made, {x: value})):
        for have, want in zip(found, expected, strict=True):
            np.testing.assert_array_equal(have, want)
