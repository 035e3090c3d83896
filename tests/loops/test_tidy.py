"""Tidying writes values into their uses, and never moves a load past a store to the same buffer."""

from __future__ import annotations

from graphc.loops.ir import (
    PARALLEL,
    REDUCING,
    Accumulator,
    Apply,
    Argument,
    Axis,
    Check,
    Constant,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import tidy

ZERO = Constant(0, "int64")
ONE = Constant(1.0, "float32")
AXIS = Axis("j", ZERO, Argument(0, "int64"), PARALLEL)


def load(buffer: int) -> Load:
    return Load(buffer, ZERO, "float32")


def name(text: str) -> Variable:
    return Variable(text, "float32")


def plus(a: object, b: object) -> Apply:
    return Apply("add", (a, b), "float32")  # type: ignore[arg-type]


def test_a_value_used_once_is_written_where_it_is_used() -> None:
    """Kernels read like formulas."""
    body: tuple[Statement, ...] = (
        Let("x", load(0)), Let("y", plus(name("x"), ONE)), Store(1, ZERO, name("y")),
    )  # fmt: skip
    assert tidy(body) == (Store(1, ZERO, plus(load(0), ONE)),)


def test_a_value_used_twice_keeps_its_name() -> None:
    """It is computed once."""
    body: tuple[Statement, ...] = (Let("x", load(0)), Store(1, ZERO, plus(name("x"), name("x"))))
    assert tidy(body) == body


def test_a_value_nobody_uses_is_dropped() -> None:
    """Nothing is computed for nothing."""
    assert tidy((Let("x", load(0)), Store(1, ZERO, ONE))) == (Store(1, ZERO, ONE),)


def test_a_load_stays_before_a_store_to_its_buffer() -> None:
    """x = b[0]; b[0] = 1; c[0] = x: the old element, as written."""
    body: tuple[Statement, ...] = (
        Let("x", load(0)), Store(0, ZERO, ONE), Store(1, ZERO, name("x")),
    )  # fmt: skip
    assert tidy(body) == body


def test_a_load_may_move_past_a_store_elsewhere() -> None:
    """Buffers never overlap."""
    body: tuple[Statement, ...] = (
        Let("x", load(0)), Store(2, ZERO, ONE), Store(1, ZERO, name("x")),
    )  # fmt: skip
    assert tidy(body) == (Store(2, ZERO, ONE), Store(1, ZERO, load(0)))


def test_a_load_stays_before_a_loop_that_stores() -> None:
    """A store inside a loop counts as well."""
    loop = Loop(AXIS, (Store(0, Variable("j", "int64"), ONE),))
    body: tuple[Statement, ...] = (Let("x", load(0)), loop, Store(1, ZERO, name("x")))
    assert tidy(body) == body


def test_work_is_not_moved_into_a_loop() -> None:
    """A value that a loop takes once is still computed once, before it."""
    body: tuple[Statement, ...] = (
        Let("x", plus(load(0), ONE)),
        Loop(AXIS, (Store(1, Variable("j", "int64"), name("x")),)),
    )
    assert tidy(body) == body


def test_a_value_of_an_accumulator_is_written_there() -> None:
    """The body of a reduction may be its formula alone."""
    axis = Axis("j", ZERO, Argument(0, "int64"), REDUCING)
    total = Accumulator("t", "add", name("x"), Constant(0.0, "float32"), "float32")
    (loop,) = tidy((Loop(axis, (Let("x", load(0)),), (total,)),))
    assert isinstance(loop, Loop)
    assert loop.body == ()
    assert loop.accumulators[0].value == load(0)


def test_a_value_of_an_accumulator_stays_before_a_store() -> None:
    """The sum of old elements, each replaced after it is read."""
    axis = Axis("j", ZERO, Argument(0, "int64"), REDUCING)
    total = Accumulator("t", "add", name("x"), Constant(0.0, "float32"), "float32")
    loop = Loop(axis, (Let("x", load(0)), Store(0, ZERO, ONE)), (total,))
    assert tidy((loop,)) == (loop,)


def test_a_check_takes_its_condition() -> None:
    """What only a check uses is part of it."""
    condition = Apply("less", (load(0), ONE), "bool")
    body: tuple[Statement, ...] = (
        Let("inside", condition), Check(Variable("inside", "bool"), ZERO, ZERO, ZERO),
    )  # fmt: skip
    assert tidy(body) == (Check(condition, ZERO, ZERO, ZERO),)
