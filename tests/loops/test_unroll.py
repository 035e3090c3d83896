"""Short loops are written out where that makes the loop around them one of vectors; what they
compute stays the same."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.loops.ir import (
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Argument,
    Axis,
    Buffer,
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
from graphc.loops.unroll import unroll
from graphc.loops.verify import verify

ZERO = Constant(0, "int64")
ROW, PLACE = Variable("i", "int64"), Variable("j", "int64")


def plus(a: Expression, b: Expression) -> Apply:
    return Apply("add", (a, b), "int64")


def times(a: Expression, factor: Expression) -> Apply:
    return Apply("multiply", (a, factor), "int64")


def total(index: Expression, combine: str = "add", count: int = 3) -> Loop:
    """The elements at `index`, for j = 0, 1, ..., combined."""
    number = Constant(0.0, "float32")
    value = Accumulator("t", combine, Load(0, index, "float32"), number, "float32")
    return Loop(Axis("j", ZERO, Constant(count, "int64"), REDUCING), (), (value,))


def around(*body: Statement) -> Kernel:
    """A kernel of two buffers: a parallel loop over i around `body`."""
    buffers = (Buffer("float32", False), Buffer("float32", True))
    kernel = Kernel(buffers, ("int64",), (Loop(Axis("i", ZERO, ZERO, PARALLEL), body),))
    verify(kernel)
    return kernel


def store() -> Store:
    return Store(1, ROW, Variable("t", "float32"))


def loops_in(kernel: Kernel) -> int:
    def count(body: tuple[Statement, ...]) -> int:
        return sum(1 + count(s.body) for s in body if isinstance(s, Loop))

    return count(kernel.body)


def test_a_reduction_of_neighbours_is_one_expression() -> None:
    """t = (x[2 i] + x[2 i + 1]) + x[2 i + 2]: halves first, and no term of 0 in an index."""
    even = times(ROW, Constant(2, "int64"))
    result = unroll(around(total(plus(even, PLACE)), store()))
    x = [Load(0, even if k == 0 else plus(even, Constant(k, "int64")), "float32") for k in range(3)]
    both = Apply("add", (Apply("add", (x[0], x[1]), "float32"), x[2]), "float32")
    assert result == around(Let("t", both), store())


def test_loops_inside_each_other() -> None:
    """Both are written out, and names that each copy binds are different."""
    index = plus(plus(ROW, times(PLACE, Argument(0, "int64"))), Variable("k", "int64"))
    inner = Loop(
        Axis("k", ZERO, Constant(2, "int64"), SEQUENTIAL),
        (
            Let("v", Load(0, index, "float32")),
            Store(1, index, Apply("multiply", (Variable("v", "float32"),) * 2, "float32")),
        ),
    )
    result = unroll(around(Loop(Axis("j", ZERO, Constant(2, "int64"), SEQUENTIAL), (inner,))))
    verify(result)
    (loop,) = result.body
    assert isinstance(loop, Loop)
    names = [s.name for s in loop.body if isinstance(s, Let)]
    assert loops_in(result) == 1
    assert len(set(names)) == len(names) == 4


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            (total(plus(times(ROW, Argument(0, "int64")), PLACE)), store()), id="far apart"
        ),
        pytest.param(
            (total(plus(times(ROW, Constant(64, "int64")), PLACE)), store()), id="far, known"
        ),
        pytest.param((total(PLACE), Store(1, ZERO, Variable("t", "float32"))), id="not moving"),
        pytest.param((total(plus(ROW, PLACE), count=17), store()), id="long"),
    ],
)
def test_left_as_they_are(body: tuple[Statement, ...]) -> None:
    """Where the loop around would not be one of vectors, text is not made longer."""
    assert unroll(around(*body)) == around(*body)


def test_a_loop_of_any_length_stays() -> None:
    """Its bound is an argument."""
    value = Accumulator(
        "t", "add", Load(0, plus(ROW, PLACE), "float32"), Constant(0.0, "float32"), "float32"
    )
    loop = Loop(Axis("j", ZERO, Argument(0, "int64"), REDUCING), (), (value,))
    assert unroll(around(loop, store())) == around(loop, store())


@pytest.mark.parametrize("target", ["python", "cpu"])
@pytest.mark.parametrize("name", ["max", "min", "sum", "prod", "any", "all"])
def test_the_same_numbers(name: str, target: str) -> None:
    """Every reduction of short windows, with nan, infinities and zeros of both signs."""
    x = gx.input("x", ("n", 9), "float64")
    seen = gx.window(x, 3, 1, 2)
    operand = seen > 0 if name in ("any", "all") else seen
    y = getattr(gx, name)(operand, axis=-1)
    given = np.random.default_rng(0).standard_normal((4, 9))
    given[1, :4] = np.nan, np.inf, -np.inf, 0.0
    given[2] = -0.0
    with np.errstate(invalid="ignore"):
        expected = gx.evaluate(y, {x: given})
    np.testing.assert_allclose(gx.compile(x, y, target=target)(given), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["max", "sum"])
def test_a_pooling_is_one_loop_over_the_windows(name: str) -> None:
    """No loop over the elements of a window is left: they kept it from running on vectors."""
    x = gx.input("x", ("n", 3, 8, 24))
    seen = gx.window(x, (2, 2), None, 2)
    source = gx.compile(x, getattr(gx, name)(seen, axis=(-2, -1))).source()
    assert source.count("    for ") == 2


def test_a_loop_of_whole_vectors_stays() -> None:
    # Sixteen neighbours side by side are a vector or two as they are; five are not.
    def kernel(width: int) -> str:
        x = gx.input("x", ("n", width))
        return str(gx.compile([x], gx.sum(x * x, axis=1)).kernels[0].source)

    assert "for j0 in range(16)" in kernel(16)
    assert "for j0" not in kernel(5)
