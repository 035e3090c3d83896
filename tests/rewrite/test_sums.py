"""The normaliser of sums of products: what it must leave alone, and what it finds.

Protects float arithmetic that is written on purpose, and infinities and nans on their way out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ops.source import size
from graphc.rewrite.engine import rewrite_nodes, simplify

X, Y, Z = (gx.input(name, ("n",)) for name in "xyz")


def rules(node: Node) -> set[str]:
    return {step.rule for step in rewrite_nodes([node])[1]}


def test_a_rounding_trick_keeps_its_bits() -> None:
    """(x + 1e8) - 1e8 rounds x to a multiple of 8: that is what it is written for."""
    y = (X + 1e8) - 1e8
    values = np.array([1.0, 3.0, 5.0, 100.3], "float32")
    assert simplify(y) is y
    np.testing.assert_array_equal(gx.evaluate(simplify(y), {X: values}), [0, 0, 8, 104])


def kahan(terms: list[Node]) -> Node:
    """A compensated sum (Kahan 1965)."""
    total, lost = terms[0], gx.zeros_like(terms[0])
    for term in terms[1:]:
        corrected = term - lost
        new = total + corrected
        lost = (new - total) - corrected
        total = new
    return total


def two_sum(a: Node, b: Node) -> Node:
    """The rounding error of a + b (Knuth, TAOCP 2, 4.2.2)."""
    total = a + b
    other = total - a
    return (a - (total - other)) + (b - other)


@pytest.mark.parametrize(
    "error_free",
    [
        lambda: kahan([X, Y, Z, X * Y, Y, Z * 0.5]),
        lambda: two_sum(X, Y),
        lambda: two_sum(X * 0.1, Y * 0.3),
    ],
)
def test_error_free_transformations_keep_their_bits(error_free: Callable[[], Node]) -> None:
    """Terms that cancel in exact arithmetic do not in floats: these sums live on the difference."""
    node = error_free()
    random = np.random.default_rng(0)
    feed = {v: (random.normal(size=100) * 10.0 ** random.integers(-6, 7, 100)) for v in (X, Y, Z)}
    feed = {v: array.astype("float32") for v, array in feed.items()}
    np.testing.assert_array_equal(
        gx.evaluate(simplify(node), feed).view("int32"), gx.evaluate(node, feed).view("int32")
    )


@pytest.mark.parametrize(
    "written",
    [
        lambda: X - X,
        lambda: X / X,
        lambda: 0 * X,
        lambda: X * Y / Y,
        lambda: (X + Y) - Y,
        lambda: X * (Y - Y),
        lambda: (X + Y) / (X + Y),
        lambda: X - 0.002 * X,  # 0.998 is no float32
        lambda: gx.square(X) / X,
    ],
)
def test_what_holds_only_for_finite_or_nonzero_numbers_is_left(written: Callable[[], Node]) -> None:
    """inf - inf, 0 / 0 and 0 * inf are nan before and after, and no nan gets lost."""
    node = written()
    assert "sum_of_products" not in rules(node)
    values = np.array([0, -0.0, 1, np.inf, -np.inf, np.nan, 3e38], "float32")
    x, y = (array.ravel() for array in np.meshgrid(values, values))
    before, after = (gx.evaluate(n, {X: x, Y: y}) for n in (node, simplify(node)))
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))


def test_nan_reaches_the_result() -> None:
    """What cancels must still occur: a nan in either input is a nan in the gradient."""
    z, t = gx.input("z"), gx.input("t")
    gate = gx.sigmoid(z)
    node = simplify((1 - t) * gate - t * (1 - gate))
    assert node is gate - t
    assert np.isnan(gx.evaluate(node, {z: 1.0, t: np.nan}))
    assert np.isnan(gx.evaluate(node, {z: np.nan, t: 1.0}))


@pytest.mark.parametrize(
    "before, after",
    [
        (lambda: X + Y * 0 + 3 * X, None),
        (lambda: X * Y + Y * X, lambda: 2 * (X * Y)),
        (lambda: 3 * Z - 2 * (X * Y) + 2 * (Y * X), None),
        (lambda: 2 * X + 3 * X, lambda: 5 * X),
        (lambda: X * Y - X * Z, lambda: X * (Y - Z)),
        (lambda: X / size("n") - Y / size("n"), lambda: (X - Y) / size("n")),
        (lambda: gx.exp(X) * (1 + Y / gx.exp(X)), lambda: gx.exp(X) + Y),
        (lambda: gx.square(X + Y) - 2 * (X * Y), lambda: gx.square(X) + gx.square(Y)),
        (lambda: gx.sigmoid(-X) * (Y * gx.exp(X)), lambda: Y * gx.sigmoid(X)),
        (lambda: gx.sigmoid(X) * (Y / gx.exp(X)), lambda: Y * gx.sigmoid(-X)),
        (lambda: gx.exp(X) * (Y / gx.sigmoid(X)), lambda: Y / gx.sigmoid(-X)),
        (lambda: 0.5 * (2 * (X - Y)), lambda: X - Y),
        (lambda: size("n", "float32") * (X / size("n", "float32")), lambda: X),
    ],
)
def test_like_terms_factors_and_identities(
    before: Callable[[], Node], after: Callable[[], Node] | None
) -> None:
    """What the normaliser finds, and (None) that a factor 0 or a written cancellation stops it."""
    result = simplify(before())
    if after is None:
        assert "sum_of_products" not in rules(before())
    else:
        assert result is simplify(after())


def test_scalars_stay_outside_and_constants_in_front() -> None:
    """A product reads as the lecturer writes it: constants, scalars, arrays, one division."""
    s = gx.input("s")
    node = simplify((X * s) * 2 * (Y / size("n")) + (X * s) * 2 * (Z / size("n")))
    assert node is simplify((2 * s) * (X * (Y + Z) / size("n")))
    assert node.inputs[0] is gx.multiply(2, s)


def test_a_wide_term_that_cancels_leaves_the_shape() -> None:
    """The result keeps the shape of what was written, also where the wide term is gone."""
    wide = gx.input("wide", ("n", 3))
    row = gx.input("row", (3,))
    p = gx.softmax(wide)
    node = p * (row / p)
    assert simplify(node) is gx.broadcast_to(row, wide.shape)
