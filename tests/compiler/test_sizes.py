"""Named sizes: what binds them, and what is refused where a graph is compiled or called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node

X = gx.input("x", ("n", 3))
OUTSIDE: dict[str, tuple[Callable[[], Node], int, str]] = {
    "a slice from beyond the end": (
        lambda: X[5:], 3, r"\(n - 5, 3\) would be \(-2, 3\), for n = 3"
    ),
    "a slice to beyond the end": (lambda: X[:5], 3, "elements 0 to 4 of an axis of 3"),
    "an element beyond the end": (lambda: X[4], 3, "elements 4 to 4 of an axis of 3"),
    "an element before the start": (lambda: X[-4], 3, "elements -1 to -1 of an axis of 3"),
    "the largest of nothing": (lambda: gx.max(X, axis=0), 0, "axis 0 of .* has no elements"),
    "the place of the smallest of nothing": (
        lambda: gx.argmin(X, axis=0), 0, "axis 0 of .* has no elements"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_a_size_leaves_undefined_is_refused_before_it_runs(name: str) -> None:
    """In a compiled function, a loop and the interpreter alike: no memory outside is ever read."""
    build, count, message = OUTSIDE[name]
    y = build()
    message = rf"{message}.*test_sizes\.py"
    data = np.ones((count, 3), np.float32)
    with pytest.raises(ShapeError, match=message):
        gx.evaluate(y, {X: data})
    for target in ("python", "cpu"):
        with pytest.raises(ShapeError, match=message):
            gx.compile(X, y, target=target)(data)
    if count:
        with pytest.raises(ShapeError, match=message):
            gx.compile(X, gx.sum(y), target="python").loop(data, batch_size=3)


@pytest.mark.parametrize("name", OUTSIDE)
def test_the_same_is_fine_for_other_sizes(name: str) -> None:
    """The refusal is of the sizes, not of the program."""
    y = OUTSIDE[name][0]()
    data = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        gx.compile(X, y, target="python")(data), gx.evaluate(y, {X: data})
    )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_slices_at_the_edges(count: int) -> None:
    """Bounds that meet, steps, reversed and empty axes, with their gradients."""
    w = gx.input("w", ("n", 3), "float64")
    pieces = [w[::-1], w[::2], w[:, 1:1], w[::-1, ::-2]]
    pieces += [w[1:], w[:-1], w[-1:]] if count else []
    loss = gx.const(0.0, "float64")
    for number, piece in enumerate(pieces):
        loss = loss + gx.sum(gx.square(piece) * (number + 1.0))
    outputs = [*pieces, gx.grad(loss, w)]
    data = np.random.default_rng(0).standard_normal((count, 3))
    found = gx.compile(w, outputs, target="python")(data)
    for have, want in zip(found, gx.evaluate(outputs, {w: data}), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)
    plain = [data[::-1], data[::2], data[:, 1:1], data[::-1, ::-2]]
    for have, want in zip(found, plain, strict=False):
        np.testing.assert_array_equal(have, want)


def test_a_size_that_no_input_has_is_refused_at_compile_time() -> None:
    """The message names the size and the line that takes it."""
    y = gx.broadcast_to(gx.const(1.0), ("q", "n", 3)) * X
    with pytest.raises(ArgumentError, match=r"no input has the size 'q'.*test_sizes\.py"):
        gx.compile(X, y, target="python")
    twice = gx.input("twice", (2 * X.shape[0],))
    with pytest.raises(ArgumentError, match="no input has the size 'n'"):
        gx.compile(twice, twice + 1, target="python")


def test_a_size_that_follows_from_another_is_checked() -> None:
    """An axis of 2 n takes twice what the call says n is, and nothing else."""
    twice = gx.input("twice", (2 * X.shape[0],))
    function = gx.compile([X, twice], gx.sum(X) + gx.sum(twice), target="python")
    assert function(np.ones((2, 3)), np.ones(4)) == 10.0
    with pytest.raises(ShapeError, match=r"'twice': expected shape \(2\*n,\), got \(5,\)"):
        function(np.ones((2, 3)), np.ones(5))


def test_functions_along_an_axis_without_elements() -> None:
    """The softmax of nothing is nothing if its size is open, and an error where it is fixed."""
    function = gx.compile(X, gx.softmax(X, axis=0), target="python")
    assert function(np.ones((0, 3))).shape == (0, 3)
    for build in (gx.softmax, gx.log_softmax, gx.logsumexp):
        with pytest.raises(ShapeError, match=r"axis 0 of \(0, 3\) has no elements.*test_sizes"):
            build(gx.input("empty", (0, 3)), axis=0)


def test_explain_puts_states_back_even_where_zeros_do_not_work() -> None:
    """Steps are timed on zeros, which no linear system can be solved for."""
    a, s = gx.input("a", (2, 2), "float64"), gx.state("s", np.ones(2))
    function = gx.compile(a, gx.solve(a, s), updates={s: s + 1.0})
    function(np.eye(2))
    assert "routine solve" in function.explain()
    np.testing.assert_array_equal(s.value, [2, 2])
