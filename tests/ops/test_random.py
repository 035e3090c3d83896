"""Streams: bits as a function of (seed, use, step, index), whole numbers, choices, orders."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import graphc as gx
from graphc.errors import (
    ArgumentError,
    CheckFailedError,
    DisconnectedError,
    DTypeError,
    IndexRangeError,
    ShapeError,
)
from graphc.ir.node import Node
from graphc.ops.philox import random_words
from graphc.ops.random_bits import words

TARGETS = ["python", "cpu"]
# Seeds are fixed, so a test that passes always does. A correct generator fails one in so many.
UNLIKELY = 1e-6


def value(node: Node, feed: Any = None, step: int = 0) -> np.ndarray:
    """What the interpreter draws."""
    return np.asarray(gx.evaluate(node, feed or {}, step))


def fair(counts: np.ndarray, expected: Any = None) -> bool:
    """Whether counts are what chance makes of their expectations."""
    if len(counts) == 1:
        return True
    return bool(stats.chisquare(counts, expected).pvalue > UNLIKELY)


# ---- bits


def test_bits_are_philox() -> None:
    """Protects saved runs: use, step and index are where `random_words` has them."""
    stream = gx.random.stream(5)
    first, second = stream.bits((3, 2)), stream.bits((4,))
    np.testing.assert_array_equal(
        value(first, step=7), random_words(5, 0, 7, np.arange(6).reshape(3, 2))
    )
    np.testing.assert_array_equal(value(second, step=7), random_words(5, 1, 7, np.arange(4)))


@pytest.mark.parametrize("target", TARGETS)
def test_every_word_of_a_block_compiles(target: str) -> None:
    """The four words are those of the block, compiled and not, in one kernel and with an index."""
    declared = gx.random.stream(0).bits().declaration
    assert declared is not None
    index = gx.input("index", ("n",), "int64")
    places = np.array([3, 0, 2**40, -1])
    for number, word in enumerate(words(9, 4, declared, index)):
        expected = random_words(9, 4, 2, places, number)
        np.testing.assert_array_equal(value(word, {index: places}, step=2), expected)
        function = gx.compile(index, word, target=target)
        function.step = 2
        np.testing.assert_array_equal(function(places), expected)
    together = gx.compile([], list(words(9, 4, declared, (5,))), target=target)()
    for number, word in enumerate(together):
        np.testing.assert_array_equal(word, random_words(9, 4, 0, np.arange(5), number))


def test_bits_at_an_index_continue_those_of_a_shape() -> None:
    """One sequence, whatever part of it is asked for, at computed places of any shape."""
    index = gx.input("index", (2, 2), "int32")
    drawn = gx.random.stream(3).bits(index=index)
    whole = value(gx.random.stream(3).bits((100,)))
    np.testing.assert_array_equal(
        value(drawn, {index: [[0, 99], [7, 7]]}), whole[[[0, 99], [7, 7]]]
    )
    with pytest.raises(DTypeError, match="expected integer indices"):
        gx.random.stream(0).bits(index=gx.input("x", (3,)))


def every_draw(stream: Any, n: Any) -> dict[str, Node]:
    """One node of each kind of draw; those with whole numbers and with floats."""
    a = gx.ramp((n,), 0) + 1
    return {
        "bits": stream.bits((n, 3)),
        "bernoulli": stream.bernoulli(0.3, (n,)),
        "bernoulli of nodes": stream.bernoulli(gx.cast(a, "float32") / 9),
        "rademacher": stream.rademacher((n,)),
        "integers": stream.integers(-5, 12, (n, 2)),
        "small integers": stream.integers(0, 256, (n,), dtype="uint8"),
        "large integers": stream.integers(0, 3 * 2**61, (n,)),
        "largest integers": stream.integers(-(2**62), 2**62, (n,)),
        "categorical": stream.categorical(np.log([0.1, 0.5, 0.4]), shape=(n,)),
        "permutation": stream.permutation(n),
        "shuffled rows": stream.shuffle(gx.ramp((n, 3), 0) * 3 + gx.ramp((n, 3), 1)),
        "shuffled index": stream.shuffled_index(gx.ramp((n,), 0), n),
        "choice": stream.choice(n, (4,)),
        "choice without replacement": stream.choice(n, (2,), replace=False),
        "uniform": stream.uniform((n,)),
        "uniform64": stream.uniform((n,), dtype="float64"),
        "normal": stream.normal((n, 2)),
        "normal64": stream.normal((n, 2), dtype="float64"),
        "exponential": stream.exponential((n,)),
        "gumbel": stream.gumbel((n,), dtype="float64"),
        "logistic": stream.logistic((n,)),
        "laplace": stream.laplace((n,)),
        "cauchy": stream.cauchy((n,), dtype="float64"),
        "truncated": stream.truncated_normal(-1.0, 2.0, (n,)),
        "gamma": stream.gamma(2.5, (n,)),
        "small gamma": stream.gamma(gx.cast(a, "float64") / 4, dtype="float64"),
        "beta": stream.beta(0.5, 2.0, (n,)),
        "dirichlet": stream.dirichlet(np.array([0.3, 1.0, 4.0]), (n,)),
    }


@pytest.mark.parametrize("target", TARGETS)
def test_targets_draw_the_same(target: str) -> None:
    """Bits and whole numbers are identical to the interpreter's, floats to a few units, at any
    size that the program was not compiled for."""
    x = gx.input("x", ("n",))
    drawn = every_draw(gx.random.stream(8), "n")
    function = gx.compile(x, list(drawn.values()), target=target)
    for count in (5, 2):
        feed = {x: np.zeros(count, np.float32)}
        step = function.step
        expected = gx.evaluate(list(drawn.values()), feed, step=step)
        for name, have, want in zip(drawn, function(feed[x]), expected, strict=True):
            assert have.dtype == want.dtype, name
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(have, want, err_msg=name)
                continue
            limit = 64 * np.finfo(want.dtype).eps
            np.testing.assert_allclose(have, want, rtol=limit, atol=limit, err_msg=name)


INDEPENDENT_OF_SIZE = [
    name
    for name in every_draw(gx.random.stream(0), 4)
    if "permutation" not in name and "shuffled" not in name and "choice" not in name
]


def test_the_first_examples_draw_the_same_in_any_batch() -> None:
    """A draw of an element does not depend on how many come after it along the first axis."""
    few, many = (every_draw(gx.random.stream(6), n) for n in (4, 9))
    for name in INDEPENDENT_OF_SIZE:
        np.testing.assert_array_equal(value(few[name]), value(many[name])[:4], err_msg=name)


def test_uses_steps_and_seeds_are_independent() -> None:
    """No two of them correlate, nor do neighbouring indices; the same ones repeat exactly."""
    count = 40_000
    stream, other = gx.random.stream(1), gx.random.stream(2)
    first, second = (
        stream.normal((count,), dtype="float64"),
        stream.normal((count,), dtype="float64"),
    )
    drawn = [
        value(first), value(second), value(first, step=1), value(first, step=2),
        value(other.normal((count,), dtype="float64")), value(first)[1:],
    ]  # fmt: skip
    for a, b in itertools.combinations(drawn, 2):
        size = min(len(a), len(b))
        assert abs(np.corrcoef(a[:size], b[:size])[0, 1]) < 5 / math.sqrt(size)
    np.testing.assert_array_equal(value(first), drawn[0])
    again = gx.random.stream(1)
    np.testing.assert_array_equal(value(again.normal((count,), dtype="float64")), drawn[0])


def test_words_of_one_block_are_independent() -> None:
    """What uses two words of a block, such as a normal number, has no trace of the other."""
    declared = gx.random.stream(0).bits().declaration
    assert declared is not None
    drawn = [value(word).astype(float) for word in words(4, 2, declared, (40_000,))]
    for a, b in itertools.combinations(drawn, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(len(a))


# ---- whole numbers


@pytest.mark.parametrize("span", [1, 2, 3, 7, 1000, 2**31, 2**31 + 1, 2**32, 3 * 2**61, 2**63])
@pytest.mark.parametrize("low", [0, -3])
def test_integers_are_uniform(low: int, span: int) -> None:
    """All values of a range, none outside it, evenly, for ranges on both sides of each method."""
    if low + span > 2**63:
        pytest.skip("beyond int64")
    drawn = value(gx.random.stream(4).integers(low, low + span, (60_000,)))
    assert drawn.dtype == np.int64
    assert drawn.min() >= low
    assert int(drawn.max()) < low + span
    bins = min(span, 60)
    # In whole numbers of any length: 2**63 times 60 has no int64.
    places = [(int(v) - low) * bins // span for v in drawn]
    edges = [-(-span * b // bins) for b in range(bins + 1)]
    expected = np.diff(edges).astype(float) / span * len(drawn) if span < 2**53 else None
    assert fair(np.bincount(places, minlength=bins), expected)


def test_integers_of_a_large_range_have_even_remainders() -> None:
    """Protects from the bias of a scaled word of 64 bits, which 3 * 2**61 would show."""
    drawn = value(gx.random.stream(4).integers(0, 3 * 2**61, (60_000,)))
    assert fair(np.bincount(drawn % 3))
    assert fair(np.bincount(drawn % 8))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "int64"])
def test_integers_reach_both_ends_of_a_dtype(dtype: str) -> None:
    """All of a dtype but for int64, of which half."""
    limits = np.iinfo(dtype)
    low, high = (limits.min, limits.max + 1) if dtype != "int64" else (0, 2**63)
    drawn = value(gx.random.stream(0).integers(low, high, (30_000,), dtype=dtype))
    assert drawn.dtype == np.dtype(dtype)
    shares = (drawn.astype(float) - low) / (high - low)
    assert stats.kstest(shares[: 2000 if dtype == "uint8" else None], "uniform").pvalue > 1e-4
    assert value(gx.random.stream(0).integers(6, shape=(50,))).max() == 5


@pytest.mark.parametrize("target", TARGETS)
def test_integers_between_nodes(target: str) -> None:
    """Bounds for each element; an empty range is an error of that call, and of no function
    without the draw."""
    low = gx.input("low", ("n",), "int32")
    drawn = gx.random.stream(2).integers(low, low + 3, dtype="int32")
    function = gx.compile(low, drawn, target=target)
    starts = np.arange(-50, 50, dtype=np.int32)
    found = function(starts)
    assert found.dtype == np.int32
    assert set(found - starts) == {0, 1, 2}
    empty = gx.random.stream(2).integers(0, low)
    failing = gx.compile(low, empty, target=target)
    with pytest.raises(CheckFailedError, match=r"integers: expected low < high.*test_random"):
        failing(np.array([3, 0], np.int32))
    assert function(np.array([3, 0], np.int32)).shape == (2,)
    beyond = gx.random.stream(2).integers(0, gx.cast(low, "int64") * 1000, dtype="uint8")
    with pytest.raises(CheckFailedError, match="in the range of uint8"):
        value(beyond, {low: [1]})


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.5, 0.8, 1.0])
def test_bernoulli_of_numbers_and_nodes(p: float) -> None:
    """The share of True is p, at 0 and 1 exactly; a node gives what a number does."""
    count = 40_000
    number = value(gx.random.stream(0).bernoulli(p, (count,)))
    node = gx.input("p", ())
    drawn = value(gx.random.stream(0).bernoulli(node, (count,)), {node: p})
    assert number.dtype == drawn.dtype == np.bool_
    assert abs(number.mean() - p) <= 5 * math.sqrt(p * (1 - p) / count)
    assert (number != drawn).sum() <= 1
    for outside, share in ((-1.0, 0), (2.0, 1), (np.nan, 0)):
        assert value(gx.random.stream(0).bernoulli(node, (9,)), {node: outside}).mean() == share


def test_rademacher() -> None:
    """-1 and 1 as often."""
    drawn = value(gx.random.stream(0).rademacher((40_000,), "int32"))
    assert drawn.dtype == np.int32
    assert set(drawn) == {-1, 1}
    assert abs(drawn.mean()) < 5 / math.sqrt(len(drawn))
    with pytest.raises(DTypeError, match="that has -1"):
        gx.random.stream(0).rademacher((2,), "uint8")


def test_categorical() -> None:
    """The probabilities of the softmax, along any axis, for any shape; -inf is never drawn."""
    chances = np.array([0.001, 0.2, 0.3, 0.499, 0.0])
    with np.errstate(divide="ignore"):
        logits = np.log(chances) + 7
    drawn = value(gx.random.stream(5).categorical(logits, shape=(50_000,)))
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn, minlength=5)
    assert counts[4] == 0
    assert fair(counts[:4], chances[:4] * len(drawn))
    table = np.zeros((3, 2))
    table[1, 0] = table[2, 1] = 200
    assert value(gx.random.stream(5).categorical(table, axis=0)).tolist() == [1, 2]
    assert value(gx.random.stream(5).categorical(table, axis=0, shape=(7, 2))).shape == (7, 2)
    with pytest.raises(ShapeError, match="do not broadcast"):
        gx.random.stream(5).categorical(table, axis=0, shape=(3,))
    with pytest.raises(ShapeError, match="do not broadcast to the shape"):
        gx.random.stream(5).categorical(table, axis=0, shape=())
    with pytest.raises(ShapeError, match="at least one axis"):
        gx.random.stream(5).categorical(1.0)


def test_categorical_does_not_favour_the_rare() -> None:
    """A category of probability 1e-9 is not drawn by the rounding of a float32 noise."""
    logits = np.zeros(1000, np.float32)
    logits[0] = 27.6  # 1 in 1e9 for all the others together
    assert (value(gx.random.stream(5).categorical(logits, shape=(3000,))) == 0).all()


# ---- orders


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 257])
@pytest.mark.parametrize("target", TARGETS)
def test_permutations_hold_every_number_once(n: int, target: str) -> None:
    """Fixed and symbolic lengths give the same order, a bijection of 0..n-1."""
    x = gx.input("x", ("n",))
    fixed, symbolic = gx.random.stream(3).permutation(n), gx.random.stream(3).permutation("n")
    order, named = gx.compile(x, [fixed, symbolic], target=target)(np.zeros(n, np.float32))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, named)
    np.testing.assert_array_equal(order, value(fixed))


def orders_of(draw: Callable[[int], np.ndarray], n: int, count: int) -> np.ndarray:
    """How often each order of n things comes."""
    number = {order: i for i, order in enumerate(itertools.permutations(range(n)))}
    found = [number[tuple(draw(step).tolist())] for step in range(count)]
    return np.bincount(found, minlength=math.factorial(n))


def test_every_order_is_as_likely() -> None:
    """All 24 orders of four, by permutation and by shuffled_index."""
    whole = gx.compile([], gx.random.stream(0).permutation(4))
    single = gx.compile([], gx.random.stream(0).shuffled_index(gx.ramp((4,), 0), 4))
    for function in (whole, single):
        assert fair(orders_of(lambda step, f=function: f(), 4, 6000))  # type: ignore[misc]


def test_places_in_a_long_permutation_are_uniform() -> None:
    """Where the first and the last things go, and neighbours do not stay together."""
    function = gx.compile([], gx.random.stream(1).permutation(100))
    orders = np.array([function() for _ in range(3000)])
    for place in (0, 50, 99):
        assert fair(np.bincount(orders[:, place], minlength=100))
    together = (np.diff(orders, axis=1) == 1).sum(axis=1)  # on the average 99 / 100
    assert abs(together.mean() - 0.99) < 5 / math.sqrt(len(orders))


def test_shuffles_move_whole_rows() -> None:
    """permutation and shuffle of an array: the same rows, along any axis; a gradient goes back."""
    x = gx.input("x", ("n", 3))
    rows = np.arange(12.0).reshape(4, 3)
    moved = value(gx.random.stream(2).shuffle(x), {x: rows})
    order = value(gx.random.stream(2).permutation(4))
    np.testing.assert_array_equal(moved, rows[order])
    columns = value(gx.random.stream(2).permutation(rows, axis=-1))
    np.testing.assert_array_equal(np.sort(columns, axis=1), rows)
    weights = gx.input("weights", ("n", 3))
    gradient = gx.grad(gx.sum(gx.random.stream(2).shuffle(x) * weights), x)
    np.testing.assert_array_equal(value(gradient, {x: rows, weights: rows})[order], rows)
    with pytest.raises(ShapeError, match="at least one axis"):
        gx.random.stream(2).shuffle(gx.input("scalar"))


@pytest.mark.parametrize("n", [*range(1, 301, 13), 2, 3, 4, 300])
def test_shuffled_index_is_a_bijection(n: int) -> None:
    """Every place once, and each alone is what it is among all."""
    index = gx.input("index", ("m",), "int64")
    image = gx.random.stream(7).shuffled_index(index, n)
    whole = value(image, {index: np.arange(n)})
    np.testing.assert_array_equal(np.sort(whole), np.arange(n))
    np.testing.assert_array_equal(value(image, {index: [n // 2, 0]}), whole[[n // 2, 0]])


@pytest.mark.slow
def test_shuffled_index_is_a_bijection_for_every_small_n() -> None:
    """n = 1..300, and a million at once in native code."""
    for n in range(1, 301):
        found = value(gx.random.stream(n).shuffled_index(gx.ramp((n,), 0), n))
        np.testing.assert_array_equal(np.sort(found), np.arange(n))
    million = gx.compile([], gx.random.stream(0).shuffled_index(gx.ramp((10**6,), 0), 10**6))()
    assert (np.bincount(million) == 1).all()


@pytest.mark.parametrize("target", TARGETS)
def test_shuffled_index_of_huge_and_symbolic_ranges(target: str) -> None:
    """No memory for what is not asked for; indices of any shape; one out of range is reported."""
    index = gx.input("index", (2, "m"), "int64")
    huge = gx.compile(index, gx.random.stream(1).shuffled_index(index, 2**62 + 1), target=target)
    places = np.array([[0, 1, 2], [2**62, 2**61, 7]])
    found = huge(places)
    assert len(set(found.ravel().tolist())) == 6
    assert found.min() >= 0
    assert found.max() <= 2**62
    assert np.abs(np.diff(found[0])).min() > 2**40
    with pytest.raises(IndexRangeError, match="out of range"):
        huge(np.array([[-1], [0]]))
    x = gx.input("x", ("n",))
    named = gx.compile(
        x, gx.random.stream(1).shuffled_index(gx.ramp(("n",), 0), "n"), target=target
    )
    fixed = value(gx.random.stream(1).shuffled_index(gx.ramp((11,), 0), 11))
    np.testing.assert_array_equal(named(np.zeros(11, np.float32)), fixed)


def test_shuffled_pairs_are_uniform() -> None:
    """Two images together, over many seeds: the rounds suffice."""
    function = gx.compile([], gx.random.stream(0).shuffled_index(gx.ramp((2,), 0), 7))
    pairs = np.array([function() for _ in range(8000)])
    assert (pairs[:, 0] != pairs[:, 1]).all()
    counts = np.bincount(pairs[:, 0] * 7 + pairs[:, 1], minlength=49).reshape(7, 7)
    assert fair(counts[~np.eye(7, dtype=bool)])


def test_choice() -> None:
    """With and without replacement, few of many, rows, and with probabilities."""
    stream = gx.random.stream(9)
    assert fair(np.bincount(value(stream.choice(5, (20_000,)))))
    different = value(stream.choice(10, (2, 5), replace=False))
    assert sorted(different.ravel().tolist()) == list(range(10))
    sparse = value(stream.choice(10**9, (500,), replace=False))
    assert len(set(sparse.tolist())) == 500
    assert stats.kstest(sparse / 1e9, "uniform").pvalue > UNLIKELY
    rows = np.arange(6.0).reshape(3, 2)
    chosen = value(stream.choice(rows, (4,)))
    assert all(row in rows.tolist() for row in chosen.tolist())
    weighted = value(stream.choice(3, (20_000,), p=[1.0, 0.0, 3.0]))
    assert fair(np.bincount(weighted, minlength=3)[[0, 2]], [5000, 15000])
    with pytest.raises(ArgumentError, match="at most 3 different"):
        stream.choice(3, (4,), replace=False)
    with pytest.raises(ArgumentError, match="replace=True"):
        stream.choice(3, (2,), replace=False, p=[1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="probabilities of shape"):
        stream.choice(3, (2,), p=[1.0, 2.0])


# ---- errors

BAD: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda r: gx.random.stream(-1), ArgumentError, "0 <= seed"),
    (lambda r: gx.random.stream(True), ArgumentError, "an integer seed"),
    (lambda r: r.bernoulli(1.5), ArgumentError, "0 <= p <= 1"),
    (lambda r: r.bernoulli("often"), ArgumentError, "0 <= p <= 1"),
    (lambda r: r.integers(3, 3), ArgumentError, "low < high"),
    (lambda r: r.integers(0, 300, dtype="uint8"), ArgumentError, "for uint8"),
    (lambda r: r.integers(-(2**63), 2**63), ArgumentError, r"at most 2\*\*63 apart"),
    (lambda r: r.integers(0.5, 2), ArgumentError, "integers or nodes as bounds"),
    (lambda r: r.integers(0, gx.input("x")), DTypeError, "integer bounds"),
    (lambda r: r.integers(0, 2, dtype="float32"), DTypeError, "an integer dtype"),
    (lambda r: r.permutation(-1), ShapeError, "must be >= 0"),
    (lambda r: r.permutation(2.5), ShapeError, "an integer >= 0 or a name"),
    (lambda r: r.shuffled_index(gx.input("x", (3,)), 4), DTypeError, "integer indices"),
    (lambda r: r.choice(0, (2,)), ArgumentError, "something to choose from"),
    (lambda r: r.bits((-2,)), ShapeError, "must be >= 0"),
    (lambda r: r.uniform(low=gx.input("x", (3,)), shape=(2,)), ShapeError, "broadcast"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_arguments_are_errors_at_the_line(number: int) -> None:
    """What is wrong, what came, and where it was written."""
    call, error, text = BAD[number]
    with pytest.raises(error, match=rf"(?s){text}.*Written at .*test_random.py"):
        call(gx.random.stream(0))


def test_whole_numbers_have_no_gradient() -> None:
    """Not a silent zero."""
    x = gx.input("x", ())
    drawn = gx.random.stream(0).bernoulli(x, (3,), dtype="float32")
    with pytest.raises(DisconnectedError):
        gx.grad(gx.sum(drawn), x)
