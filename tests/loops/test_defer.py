"""Checks behind the loops that compute: what is reported stays the same."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import CheckFailedError, GraphcError
from graphc.loops.defer import defer_checks
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Buffer,
    Carry,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    Store,
    Variable,
)
from graphc.loops.verify import verify

ZERO, PLACE = Constant(0, "int64"), Variable("i", "int64")
LENGTH = Argument(0, "int64")


def checking(
    kind: str = PARALLEL, source: int = 0, stop: Expression = LENGTH, carried: bool = False
) -> Kernel:
    """A kernel that copies numbers, of which none may be negative."""
    value = Variable("v", "int64")
    fine = Apply("greater_equal", (value, ZERO), "bool")
    body = (
        Let("v", Load(source, PLACE, "int64")),
        Check(fine, LENGTH, PLACE, value),
        Store(1, PLACE, value),
    )
    carries = (Carry("c", Variable("c", "int64"), ZERO),) if carried else ()
    loop = Loop(Axis("i", ZERO, stop, kind), body, (), carries)
    kernel = Kernel((Buffer("int64", False), Buffer("int64", True)), ("int64",), (loop,))
    verify(kernel)
    return kernel


@pytest.mark.parametrize("kind", [PARALLEL, SEQUENTIAL])
def test_the_loop_that_computes_has_no_checks(kind: str) -> None:
    made = defer_checks(checking(kind))
    verify(made)
    computing, failing = made.body
    assert isinstance(computing, Loop)
    assert isinstance(failing, Loop)
    assert not any(isinstance(each, Check) for each in computing.body)
    assert any(isinstance(each, Check) for each in failing.body)
    assert not any(isinstance(each, Store) for each in failing.body)


@pytest.mark.parametrize(
    "kernel",
    [
        checking(source=1),  # what it checks is written
        checking(SEQUENTIAL, stop=Constant(3, "int64")),  # to be written out
        checking(SEQUENTIAL, carried=True),
    ],
)
def test_other_loops_stay(kernel: Kernel) -> None:
    assert defer_checks(kernel) is kernel


def _message(function: gx.Function, *values: np.ndarray) -> str:
    with pytest.raises(GraphcError) as error:
        function(*values)
    return str(error.value)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("first", [0, 7, 63])
def test_the_first_index_out_of_range_is_reported(target: str, first: int) -> None:
    x, i = gx.input("x", ("n",)), gx.input("i", ("m",), dtype="int64")
    function = gx.compile([x, i], gx.exp(gx.take(x, i)), target=target)
    values, places = np.linspace(0, 1, 5, dtype="f"), np.arange(64) % 5
    np.testing.assert_allclose(function(values, places), np.exp(values[places]), rtol=1e-6)
    places[first] = -6
    places[first + 1 :] = 1000
    assert "-6" in _message(function, values, places)
    np.testing.assert_allclose(function(values, places % 5), np.exp(values[places % 5]), rtol=1e-6)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_the_first_of_several_checks_is_reported(target: str) -> None:
    """By rows, then in a row as they are stated; with sums over the same loops."""
    x = gx.input("x", (6, 40))
    below, above = gx.check(x < 3, "less than three"), gx.check(x > -3, "more than minus three")
    function = gx.compile(x, gx.sum(gx.exp(x), axis=1), target=target)
    values = np.zeros((6, 40), "f")
    np.testing.assert_allclose(function(values), np.full(6, 40.0))
    values[4, 3], values[2, 39], values[2, 38] = 5, -5, 5
    with pytest.raises(CheckFailedError) as error:
        function(values)
    assert "(2, 3" in str(error.value)
    assert below is not above
