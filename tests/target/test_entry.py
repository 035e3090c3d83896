"""Native functions as built-in functions of Python: errors, lifetimes, the GIL."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

from graphc.target import driver
from graphc.target.instructions import COLUMNS, CONTEXT_WORDS, HALTED, Failure, Opcode


class Words(np.ndarray):
    """An array that can be watched."""


def table() -> np.ndarray:
    rows = np.zeros((3, COLUMNS), np.int64)
    rows[0, :3] = Opcode.ADD, 0, 1
    rows[1, 0] = Opcode.HALT
    return rows.view(Words)


def test_it_is_called_as_a_function() -> None:
    """One integer in, one out; each call runs the table once."""
    registers, context = np.zeros(2, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    enter = driver.prepare(table(), registers, context).enter
    driver.load()
    for turn in range(1, 300):
        assert enter(0) == HALTED
        assert registers[0] == turn
    assert enter(1) == HALTED
    assert enter(True) == HALTED
    assert registers[0] == 299
    for row in (-1, 3, 2**40, -(2**63)):
        assert enter(row) == row
        assert context[0] == Failure.BAD_ROW


@pytest.mark.parametrize(
    ("argument", "error"), [("0", TypeError), (None, TypeError), (1.0, TypeError),
                            (2**63, OverflowError)],
)  # fmt: skip
def test_what_is_no_row(argument: object, error: type[Exception]) -> None:
    """An error as of any function of Python, and nothing is run."""
    registers = np.zeros(2, np.int64)
    enter = driver.prepare(table(), registers, np.zeros(CONTEXT_WORDS, np.int64)).enter
    with pytest.raises(error):
        enter(argument)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        enter()  # type: ignore[call-arg]
    assert registers[0] == 0


def test_it_holds_its_arrays_and_lets_them_go() -> None:
    """The function alone keeps the memory that it works on, and no longer than it lives."""
    rows, registers = table(), np.zeros(2, np.int64).view(Words)
    enter = driver.prepare(rows, registers, np.zeros(CONTEXT_WORDS, np.int64)).enter
    driver.load()
    alive = weakref.ref(rows), weakref.ref(registers)
    del rows, registers
    gc.collect()
    assert all(each() is not None for each in alive)
    assert enter(0) == HALTED
    del enter
    gc.collect()
    assert all(each() is None for each in alive)


def test_no_reference_is_lost_or_kept() -> None:
    """Rows are made and given back in balance: a long run would grow, or free what is in use."""
    context = np.zeros(CONTEXT_WORDS, np.int64)
    enter = driver.prepare(table(), np.zeros(2, np.int64), context).enter
    driver.load()
    row = 10**12
    before = sys.getrefcount(row)
    for _ in range(1000):
        assert enter(row) == row
    assert sys.getrefcount(row) == before
