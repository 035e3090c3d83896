"""The work of kernels, from which it follows how they are cut."""

from __future__ import annotations

from graphc.loops.ir import (
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Axis,
    Constant,
    Expression,
    Load,
    Loop,
    RandomBits,
    Store,
    Variable,
)
from graphc.loops.work import work

ZERO = Constant(0, "int64")
INDEX = Variable("i", "int64")
X = Load(0, Apply("multiply", (INDEX, INDEX), "int64"), "float32")


def axis(kind: str) -> Axis:
    return Axis("i", ZERO, ZERO, kind)


def store(value: Expression) -> Store:
    return Store(1, INDEX, value)


def test_indices_and_copies_are_free() -> None:
    """Addresses are computed beside the numbers; a copy is still some work."""
    assert work((store(X),)) == 1
    assert work(()) == 1


def test_loops_are_added() -> None:
    """A softmax goes over its row more than once; all of it counts, reductions too."""
    total = Accumulator("s", "add", Apply("exp", (X,), "float32"), ZERO, "float32")
    first = Loop(axis(REDUCING), (), (total,))
    second = Loop(axis(SEQUENTIAL), (store(Apply("add", (X, X), "float32")),))
    assert work((first, second)) == work((first,)) + work((second,))


def test_elementary_functions_and_random_bits_weigh_more() -> None:
    """They are polynomials and rounds of multiplication, not one operation."""
    add, exp = (store(Apply(name, (X, X), "float32")) for name in ("add", "exp"))
    assert work((exp,)) >= 4 * work((add,))
    assert work((store(RandomBits(ZERO, ZERO, INDEX)),)) >= 4 * work((add,))
