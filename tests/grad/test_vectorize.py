"""Batching: a batch is every example by itself, for every operation, nested, and with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node
from tests.op_cases.registry import CASES

RANDOM = np.random.default_rng(0)
BATCH = 3


def stacked(name: str, shared: int | None) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Inputs of a case for several examples: stacked, and one by one; `shared` is the same in
    all."""
    case = CASES[name]
    examples = [case.arrays(seed=seed) for seed in range(BATCH)]
    if shared is not None:
        for example in examples:
            example[shared] = examples[0][shared]
    columns = list(zip(*examples, strict=True))
    whole = [
        column[0] if place == shared else np.stack(column) for place, column in enumerate(columns)
    ]
    return whole, examples


def node_for(name: str, array: np.ndarray) -> Node:
    """An input for an array; floats in float64."""
    return gx.input(name, array.shape, "float64" if array.dtype.kind == "f" else array.dtype)


# They only exist after derivatives and batches have been taken.
INTERNAL = frozenset(["product", "block_reduction"])
CHOICES = [
    (name, shared)
    for name in sorted(set(CASES) - INTERNAL)
    for shared in (None, *(range(len(CASES[name].shapes)) if len(CASES[name].shapes) > 1 else ()))
]


@pytest.mark.parametrize("name,shared", CHOICES)
def test_a_batch_is_every_example_by_itself(name: str, shared: int | None) -> None:
    """Protects the batching rule of each operation, also where one operand is the same for all."""
    whole, examples = stacked(name, shared)
    nodes = [node_for(f"x{i}", array) for i, array in enumerate(whole)]
    axes = [None if place == shared else 0 for place in range(len(nodes))]
    y = gx.vmap(CASES[name].build, in_axes=axes)(*nodes)
    found = gx.evaluate(y, dict(zip(nodes, whole, strict=True)))
    for row, example in zip(found, examples, strict=True):
        single = [node_for(f"x{i}", array) for i, array in enumerate(example)]
        feed = dict(zip(single, example, strict=True))
        expected = gx.evaluate(CASES[name].build(*single), feed)
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-12)


def test_per_example_gradients_are_a_loop_over_examples() -> None:
    """Protects the gradient inside: that of each example's loss, with a symbolic batch."""
    x, t = gx.input("x", ("n", 4), "float64"), gx.input("t", ("n",), "int64")
    w = gx.param("w", RANDOM.standard_normal((4, 5)), "float64")

    def gradient(row: Node, label: Node) -> Node:
        logits = gx.tanh(gx.expand_dims(row, 0) @ w)
        loss = gx.mean(gx.softmax_cross_entropy(logits, gx.expand_dims(label, 0)))
        return gx.grad(loss, w)  # type: ignore[no-any-return]

    call = gx.compile([x, t], gx.vmap(gradient)(x, t))
    rows, labels = RANDOM.standard_normal((6, 4)), RANDOM.integers(0, 5, 6)
    found = call(rows, labels)
    for i in range(6):
        one = gx.evaluate(
            gradient(gx.const(rows[i]), gx.const(labels[i])),
        )
        np.testing.assert_allclose(found[i], one, atol=1e-14)


def test_the_gradient_of_a_batch() -> None:
    """Protects the gradient outside: through batched nodes to what all examples share."""
    x, w = gx.input("x", ("n", 4), "float64"), gx.input("w", (4,), "float64")
    total = gx.sum(gx.vmap(lambda row: gx.tanh(gx.sum(row * w)))(x))
    value, weights = RANDOM.standard_normal((5, 4)), RANDOM.standard_normal(4)
    found = gx.evaluate(gx.grad(total, w), {x: value, w: weights})
    expected = ((1 - np.tanh(value @ weights) ** 2)[:, None] * value).sum(0)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_nested() -> None:
    """Protects a batch of batches: all pairs of two sets."""
    a, b = gx.input("a", ("n", 3), "float64"), gx.input("b", ("m", 3), "float64")

    def distance(p: Node, q: Node) -> Any:
        return gx.sum(gx.square(p - q))

    pairs = gx.vmap(lambda p: gx.vmap(lambda q: distance(p, q))(b))(a)
    first, second = RANDOM.standard_normal((4, 3)), RANDOM.standard_normal((2, 3))
    expected = ((first[:, None] - second[None]) ** 2).sum(-1)
    np.testing.assert_allclose(gx.compile([a, b], pairs)(first, second), expected, atol=1e-14)


def test_axes_in_and_out() -> None:
    """Protects in_axes and out_axes other than the first."""
    x = gx.input("x", (3, 5, 2), "float64")
    y = gx.vmap(lambda part: part * 2, in_axes=1, out_axes=-1)(x)
    value = RANDOM.standard_normal((3, 5, 2))
    np.testing.assert_array_equal(gx.evaluate(y, {x: value}), np.moveaxis(value, 1, -1) * 2)


def test_author_derivatives_stay_with_a_batch() -> None:
    """Protects custom_gradient and clip_gradient inside vmap."""

    @gx.custom_gradient
    def rounded(x: Node) -> Any:
        return gx.floor(x + 0.5), lambda g: 3 * g

    x = gx.input("x", (4,), "float64")
    slopes = gx.vmap(lambda v: gx.grad(rounded(v) + gx.clip_gradient(v, -1, 1) * 9, v))(x)
    np.testing.assert_array_equal(gx.evaluate(slopes, {x: np.arange(4.0)}), 4.0)


def test_bad_input_says_what_was_expected() -> None:
    """Protects the messages for sizes that differ and for axes."""
    a, b = gx.input("a", ("n", 3)), gx.input("b", ("m", 3))
    with pytest.raises(ShapeError, match="m examples .* expected n"):
        gx.vmap(lambda p, q: p + q)(a, b)
    with pytest.raises(ShapeError, match="out of range"):
        gx.vmap(lambda p: p, in_axes=2)(a)
    with pytest.raises(ArgumentError, match="in_axes has 1 entries, expected 2"):
        gx.vmap(lambda p, q: p + q, in_axes=[0])(a, a)
    with pytest.raises(ArgumentError, match="at least one argument"):
        gx.vmap(lambda p: p, in_axes=None)(a)
    with pytest.raises(ArgumentError, match="expected a function"):
        gx.vmap(a)
