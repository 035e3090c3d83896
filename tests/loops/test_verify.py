"""The verifier of loop programs refuses each way of breaking the rules."""

from __future__ import annotations

import pytest

from graphc.errors import VerificationError
from graphc.loops.ir import (
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Argument,
    Axis,
    Buffer,
    Carry,
    Check,
    Constant,
    Kernel,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.verify import verify
from graphc.target.render import render

ZERO = Constant(0, "int64")
HALF = Constant(0.5, "float32")
BUFFERS = (Buffer("float32", False), Buffer("float32", True), Buffer("int64", False))


def kernel(*body: Statement) -> Kernel:
    return Kernel(BUFFERS, ("int64", "float32"), body)


def axis(name: str, kind: str) -> Axis:
    return Axis(name, ZERO, Argument(0, "int64"), kind)


def add(name: str, value: object, dtype: str = "float32") -> Accumulator:
    return Accumulator(name, "add", value, Constant(0.0, dtype), dtype)  # type: ignore[arg-type]


ROW = Variable("i", "int64")
GOOD = kernel(
    Loop(axis("i", PARALLEL), (
        Let("x", Load(0, ROW, "float32")),
        Loop(
            axis("j", REDUCING),
            (Let("y", Apply("add", (Variable("x", "float32"), HALF), "float32")),),
            (add("total", Variable("y", "float32")),),
        ),
        Check(Constant(True, "bool"), ZERO, ZERO, ZERO),
        Store(1, ROW, Variable("total", "float32")),
    )),
)  # fmt: skip


def test_a_good_program_passes() -> None:
    """The rules allow what they should."""
    verify(GOOD)


@pytest.mark.parametrize(
    "body, message",
    [
        ([Store(1, ZERO, Variable("x", "float32"))], "x is used as float32, bound as None"),
        ([Let("x", HALF), Let("x", HALF)], "x is bound twice"),
        ([Let("x", HALF), Store(1, ZERO, Variable("x", "float64"))], "x is used as float64"),
        ([Store(0, ZERO, HALF)], "buffer 0 .* for writing"),
        ([Store(1, ZERO, ZERO)], "buffer 1 .* used as int64"),
        ([Store(7, ZERO, HALF)], "buffer 7 of 3"),
        ([Let("x", Load(1, HALF, "float32"))], "an index must be int64"),
        ([Let("x", Argument(5, "int64"))], "scalar argument 5 of 2"),
        ([Let("x", Argument(1, "int64"))], "scalar argument 1 is float32"),
        ([Loop(axis("i", PARALLEL), (Loop(axis("j", PARALLEL), ()),))], "j inside another"),
        ([Loop(axis("i", REDUCING), ())], "i is reducing with 0 accumulators"),
        ([Loop(axis("i", SEQUENTIAL), (), (add("t", HALF),))], "i is sequential with 1"),
        ([Loop(axis("i", PARALLEL), (), carries=(Carry("c", HALF, HALF),))], "parallel with 1"),
        ([Loop(axis("i", SEQUENTIAL), (), carries=(Carry("c", ZERO, HALF),))], "c is float32"),
        ([Loop(axis("i", SEQUENTIAL), (Loop(axis("i", SEQUENTIAL), ()),))], "i is bound twice"),
        ([Loop(axis("i", REDUCING), (), (add("t", ZERO),))], "t is float32, takes int64"),
        (
            [
                Loop(axis("i", SEQUENTIAL), (Let("x", HALF),)),
                Store(1, ZERO, Variable("x", "float32")),
            ],
            "x is used as float32, bound as None",
        ),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused(body: list[Statement], message: str) -> None:
    """Names bound once before use, dtypes that agree, arguments that exist, axes of their kind."""
    with pytest.raises(VerificationError, match=message):
        verify(kernel(*body))


def test_a_carry_hands_on_what_the_body_makes_of_it() -> None:
    """The body reads what came before, and the next index what the body made."""
    before = Variable("c", "float32")
    step = (
        Let("x", Apply("add", (before, HALF), "float32")),
        Store(1, Variable("i", "int64"), Variable("x", "float32")),
    )
    carry = Carry("c", Variable("x", "float32"), HALF)
    whole = kernel(Loop(axis("i", SEQUENTIAL), step, carries=(carry,)))
    verify(whole)
    assert render(whole).source.splitlines()[-5:] == [
        "    c = float32(0.5)",
        "    for i in range(s0):",
        "        x = c + float32(0.5)",
        "        out0[i] = x",
        "        c = x",
    ]
