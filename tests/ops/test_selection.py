"""Gradients through `where`: a branch that is not taken never spoils the one that is.

Protects against 0 * inf and 0 * nan, in the interpreter, after rewriting and compiled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.selection import scaled, selection

X = gx.input("x", ("n",), dtype="float64")
M = gx.input("m", ("n", 3), dtype="float64")
ROW = gx.input("row", (3,), dtype="float64")
S = gx.input("s", dtype="float64")
VALUES = np.array([-30.0, -1.0, -0.0, 0.0, 0.25, 1.0, 4.0, 9.0, 600.0])
MATRIX = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0], [-1.0, 0.5, 9.0]])
NORMS = gx.sum(M * M, axis=1, keepdims=True)


def where_positive(value: Node, other: object = 0.0) -> Node:
    return gx.where(X > 0, value, other)


def chosen(condition: np.ndarray, value: object) -> np.ndarray:
    """`value` where the condition holds, 0 elsewhere, as the true derivative."""
    return np.where(condition, value, 0.0)


POSITIVE = VALUES > 0
SAFE = np.where(POSITIVE, VALUES, 1.0)
LENGTH = np.array([[1.0], [3.0], [np.sqrt(1 + 0.25 + 81)]])
# What is written, the target, and the derivative by hand.
CASES: dict[str, tuple[Callable[[], Node], Node, np.ndarray]] = {
    "log": (lambda: where_positive(gx.log(X)), X, chosen(POSITIVE, 1 / SAFE)),
    "the other branch": (
        lambda: gx.where(X <= 0, 0.0, gx.log(X)), X, chosen(POSITIVE, 1 / SAFE)),
    "both branches": (
        lambda: where_positive(gx.sqrt(X), 2 * X), X,
        np.where(POSITIVE, 0.5 / np.sqrt(SAFE), 2.0)),
    "overflow": (
        lambda: gx.where(X < 2, gx.exp(gx.exp(X)), X), X,
        np.where(VALUES < 2, np.exp(np.minimum(VALUES, 2) + np.exp(np.minimum(VALUES, 2))), 1.0)),
    "division": (
        lambda: gx.where(gx.equal(X, 0), 1.0, (gx.exp(X) - 1) / X), X,
        chosen(VALUES != 0, (VALUES * np.exp(VALUES) - np.expm1(VALUES))
               / np.where(VALUES == 0, 1, VALUES) ** 2)),
    "a chain before": (
        lambda: where_positive(gx.sqrt(gx.log(X * X + 1) * X)), X,
        chosen(POSITIVE, 0.5 / np.sqrt(np.log(SAFE**2 + 1) * SAFE)
               * (np.log(SAFE**2 + 1) + 2 * SAFE**2 / (SAFE**2 + 1)))),
    "a chain behind": (
        lambda: 3 * gx.tanh(-where_positive(gx.sqrt(X), 1.0)), X,
        chosen(POSITIVE, -3 / np.cosh(np.sqrt(SAFE)) ** 2 * 0.5 / np.sqrt(SAFE))),
    "one in the other": (
        lambda: gx.where(X > -5, gx.where(X > 0, gx.log(X), X), 0.0), X,
        np.where(POSITIVE, 1 / SAFE, chosen(VALUES > -5, 1.0))),
    "a sum of two": (
        lambda: where_positive(gx.log(X)) + gx.where(X > 4, gx.sqrt(X - 4), 0.0), X,
        chosen(POSITIVE, 1 / SAFE)
        + chosen(VALUES > 4, 0.5 / np.sqrt(np.where(VALUES > 4, VALUES - 4, 1.0)))),
    "broadcast": (lambda: gx.where(M > 100, gx.log(ROW) * M, M), ROW, np.zeros(3)),
    "a scalar": (lambda: gx.where(X > 1e9, gx.log(S) * X, X), S, np.zeros(())),
    "a reduction": (
        lambda: gx.where(NORMS > 0, M / gx.sqrt(NORMS), 0.0), M,
        chosen(NORMS.ndim == 2 and (MATRIX**2).sum(1, keepdims=True) > 0,
               (1 - MATRIX * MATRIX.sum(1, keepdims=True) / LENGTH**2) / LENGTH)),
    "layout": (
        lambda: gx.where(gx.reshape(M > 0, (-1,)), gx.reshape(gx.log(M).T.T, (-1,)), 0.0), M,
        chosen(MATRIX > 0, 1 / np.where(MATRIX > 0, MATRIX, 1.0))),
    "a cast": (
        lambda: gx.cast(gx.where(gx.cast(X, "float32") > 0, gx.log(gx.cast(X, "float32")), 0.0),
                        "float64"), X, chosen(POSITIVE, 1 / SAFE)),
}  # fmt: skip
FEED = {X: VALUES, M: MATRIX, ROW: np.zeros(3), S: np.zeros(())}


def feed_of(root: Node) -> dict[Node, np.ndarray]:
    known = set(topological([root]))
    return {node: value for node, value in FEED.items() if node in known}


@pytest.mark.parametrize("name", CASES)
def test_the_branch_not_taken_has_no_part_in_the_gradient(name: str) -> None:
    """The gradient is right where the partial derivative of the other branch is inf or nan."""
    build, target, expected = CASES[name]
    gradient = gx.grad(gx.sum(build()), target)
    tolerance = 1e-6 if name == "a cast" else 1e-12
    for node in (gradient, gx.simplify(gradient)):
        found = gx.evaluate(node, feed_of(node))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-15)


@pytest.mark.parametrize("name", ["log", "both branches", "broadcast", "a reduction"])
@pytest.mark.parametrize("target", ["python", "cpu"])
def test_compiled(name: str, target: str) -> None:
    """The same in kernels."""
    build, wrt, expected = CASES[name]
    gradient = gx.grad(gx.sum(build()), wrt)
    feed = feed_of(gradient)
    function = gx.compile(list(feed), gradient, target=target)
    np.testing.assert_allclose(function(*feed.values()), expected, rtol=1e-12, atol=1e-15)


def test_second_derivatives_and_forward_mode() -> None:
    """The derivative of a selected gradient is selected; so is a tangent."""
    first = gx.grad(gx.sum(where_positive(gx.log(X))), X)
    second = gx.grad(gx.sum(first), X)
    np.testing.assert_allclose(
        gx.evaluate(second, {X: VALUES}), chosen(POSITIVE, -1 / SAFE**2), rtol=1e-12
    )
    fixed = gx.input("x", (len(VALUES),), dtype="float64")
    y = gx.where(fixed > 0, gx.log(fixed), 0.0)
    tangent = gx.jvp(y, fixed, np.ones(len(VALUES)))
    found = gx.evaluate(tangent, {fixed: VALUES})
    np.testing.assert_allclose(found, chosen(POSITIVE, 1 / SAFE), rtol=1e-12)


def test_an_infinite_gradient_is_selected_away_too() -> None:
    """The gradient itself may be infinite where its branch is not taken."""
    y = gx.sqrt(where_positive(X))  # its derivative is infinite at the zeros of the other branch
    found = gx.evaluate(gx.grad(gx.sum(y), X), {X: VALUES})
    np.testing.assert_allclose(found, chosen(POSITIVE, 0.5 / np.sqrt(SAFE)), rtol=1e-12)


def test_nan_of_the_branch_taken_stays() -> None:
    """What is selected is not hidden: log of a negative number has a gradient to be seen."""
    y = gx.where(X < 100, gx.sqrt(X), 0.0)
    found = gx.evaluate(gx.grad(gx.sum(y), X), {X: np.array([-1.0, 0.0, 4.0])})
    np.testing.assert_array_equal(found, [np.nan, np.inf, 0.25])


def test_what_selects_is_found_in_the_structure() -> None:
    """Through layout, negation and sums; where all is selected, nothing is said."""
    condition = X > 0
    g = gx.where(condition, X, 0.0)
    assert selection(g) is condition
    assert selection(-g) is condition
    assert selection(g + g) is condition
    assert selection(g + X) is None
    assert selection(g + gx.where(~condition, X, 0.0)) is None
    assert selection(gx.sum(g)).op.name == "any"  # type: ignore[union-attr]
    assert scaled(g, 1) is g
    assert scaled(g, X).op.name == "where"
