"""Indices of whole rows are found before the rows are walked: what is read stays the same."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import IndexRangeError
from graphc.loops.hoist import hoist
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Buffer,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.verify import verify

ZERO = Constant(0, "int64")
ROW, COLUMN = Variable("i", "int64"), Variable("j", "int64")
WIDTH = Argument(0, "int64")


def plus(a: Expression, b: Expression) -> Apply:
    return Apply("add", (a, b), "int64")


def rows(*body: Statement, written: tuple[int, ...] = (2,)) -> Kernel:
    """A walk over the rows of a matrix; buffer 0 holds numbers, 1 indices, 2 the result."""
    dtypes = ("float32", "int64", "float32")
    buffers = tuple(Buffer(dtype, slot in written) for slot, dtype in enumerate(dtypes))
    inner = Loop(Axis("j", ZERO, WIDTH, SEQUENTIAL), body)
    return Kernel(buffers, ("int64",), (Loop(Axis("i", ZERO, ZERO, PARALLEL), (inner,)),))


def store(value: Expression) -> Store:
    return Store(2, plus(ROW, COLUMN), value)


def around_columns(kernel: Kernel) -> tuple[Statement, ...]:
    (outer,) = kernel.body
    assert isinstance(outer, Loop)
    return outer.body


def test_a_load_in_an_index_leaves() -> None:
    """The index is the same along the row: it is loaded once a row."""
    place = Load(1, ROW, "int64")
    kernel = rows(store(Load(0, plus(place, COLUMN), "float32")))
    changed = hoist(kernel)
    verify(changed)
    first, loop = around_columns(changed)
    assert isinstance(first, Let)
    assert isinstance(loop, Loop)
    assert first.value == place
    assert loop.body == (store(Load(0, plus(Variable(first.name, "int64"), COLUMN), "float32")),)


def test_a_check_leaves_with_what_it_checks() -> None:
    """Names and checks keep their order."""
    place = Let("place", Load(1, ROW, "int64"))
    inside = Apply("less", (Variable("place", "int64"), WIDTH), "bool")
    check = Check(inside, ZERO, ROW, Variable("place", "int64"))
    kernel = rows(place, check, store(Load(0, Variable("place", "int64"), "float32")))
    changed = hoist(kernel)
    verify(changed)
    assert around_columns(changed)[:2] == (place, check)


@pytest.mark.parametrize(
    "value",
    [
        Load(0, Load(1, plus(ROW, COLUMN), "int64"), "float32"),  # an index of its own each
        Load(0, ROW, "float32"),  # no index: the compiler sees to it
    ],
)
def test_what_stays(value: Expression) -> None:
    """What changes along the row, and numbers."""
    kernel = rows(store(value))
    assert hoist(kernel) == kernel


def test_what_is_written_stays() -> None:
    """A loop that writes indices reads them in their order."""
    kernel = rows(store(Load(0, Load(1, ROW, "int64"), "float32")), written=(1, 2))
    assert hoist(kernel) == kernel


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_values_of_taken_rows(dtype: str) -> None:
    """Rows taken by index, in any order and repeatedly, none at all, and out of range."""
    random = np.random.default_rng(0)
    table = gx.input("table", (7, 33))
    at = gx.input("at", ("n", 5), dtype=dtype)
    call = gx.compile([table, at], gx.swapaxes(gx.exp(table[at]), 0, 1))
    numbers = random.standard_normal((7, 33)).astype(np.float32)
    for count in (9, 0):
        places = random.integers(0, 7, (count, 5)).astype(dtype)
        expected = np.swapaxes(np.exp(numbers.astype(float))[places], 0, 1)
        np.testing.assert_allclose(call(numbers, places), expected, rtol=1e-5)
    places = np.zeros((9, 5), dtype)
    places[2, 2] = 7
    with pytest.raises(IndexRangeError, match="7 at position 12 is out of range"):
        call(numbers, places)
