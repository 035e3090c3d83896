"""Rows taken by index, products and transpositions in whole models: values, derivatives, checks.

What the rules make is compared with the graph as written, in float64, by the interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import graphc as gx
from graphc.errors import IndexRangeError
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.contraction import matmul_op
from graphc.rewrite.engine import rewrite_nodes

RANDOM = np.random.default_rng(0)


def rules(outputs: Sequence[Node]) -> set[str]:
    return {step.rule for step in rewrite_nodes(outputs)[1]}


def products(outputs: Sequence[Node]) -> list[Node]:
    new, _ = rewrite_nodes(outputs)
    return [node for node in topological(new) if node.op is matmul_op]


def embedding(width: int = 3) -> tuple[Node, Node, Node, Node, Node]:
    """Letters as rows of a table, times a matrix, plus a bias: (n, 5, 4)."""
    letters = gx.input("letters", ("n", 5), dtype="int64")
    table = gx.input("table", (4, width), dtype="float64")
    weight = gx.input("weight", (width, 4), dtype="float64")
    bias = gx.input("bias", (4,), dtype="float64")
    return letters, table, weight, bias, table[letters] @ weight + bias


def values(inputs: Sequence[Node], count: int) -> dict[Node, np.ndarray]:
    sizes = [tuple(d if isinstance(d, int) else count for d in node.shape) for node in inputs]
    return {
        node: RANDOM.integers(-4, 4, shape) if node.dtype.is_integer else RANDOM.normal(size=shape)
        for node, shape in zip(inputs, sizes, strict=True)
    }


@pytest.mark.parametrize("count", [1, 6, 0])
def test_an_embedding_and_its_derivatives(count: int) -> None:
    """Repeated and negative indices, no examples at all, first and second derivatives."""
    letters, table, weight, bias, hidden = embedding()
    loss = gx.sum(gx.sin(hidden) * hidden)
    wanted = [table, weight, bias]
    first = gx.grad(loss, wanted)
    squares = gx.sum(first[0] * first[0]) + gx.sum(gx.tanh(first[1])) + gx.sum(first[2])
    outputs = [hidden, loss, *first, *gx.grad(squares, wanted)]
    applied = rules(outputs)
    assert {"product_of_taken", "scatter_of_product", "product_with_taken"} <= applied
    feed = values([letters, *wanted], count)
    inputs = [letters, *wanted]
    known = gx.evaluate(outputs, feed)
    found = gx.compile(inputs, outputs)(*(feed[node] for node in inputs))
    for have, want in zip(found, known, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-9, atol=1e-11)


def test_no_product_is_longer_than_the_table() -> None:
    """Forwards and backwards 4 rows are multiplied, not one for each letter; the gradient of the
    bias comes from what was added up for them."""
    _, table, weight, bias, hidden = embedding()
    gradients = gx.grad(gx.sum(gx.sin(hidden)), [table, weight, bias])
    assert [node.shape for node in products([hidden, *gradients])].count((4, 4)) == 1
    assert all(node.shape[0] in (3, 4) for node in products([hidden, *gradients]))
    assert "sum_of_scattered" in rules([hidden, *gradients])


def test_a_table_that_may_be_longer_stays_as_it_is() -> None:
    """Where there could be fewer letters than rows, rows are taken first."""
    table, weight = gx.input("table", (5, 3)), gx.input("weight", (3, 4))
    for shape, shorter in ((("n",), False), ((4,), False), ((5,), True), ((2, "n"), True)):
        letters = gx.input("letters", shape, dtype="int64")
        assert ("product_of_taken" in rules([table[letters] @ weight])) is shorter


@pytest.mark.parametrize("gradient", [False, True])
def test_an_index_out_of_range_is_reported(gradient: bool) -> None:
    """By its place in what the user gave, whichever step uses it first."""
    letters, table, weight, bias, hidden = embedding()
    output = gx.grad(gx.sum(hidden * hidden), weight) if gradient else hidden
    inputs = [letters, table, weight, bias]
    feed = values(inputs, 6)
    feed[letters][2, 3] = 4
    for target in ("cpu", "python"):
        with pytest.raises(IndexRangeError, match="4 at position 13 is out of range"):
            gx.compile(inputs, output, target=target)(*(feed[node] for node in inputs))


def sequence_model() -> tuple[list[Node], list[Node]]:
    """A loss of each step, with time and batch exchanged on the way, and its gradients."""
    hidden = gx.input("hidden", (7, "n", 3), dtype="float64")
    labels = gx.input("labels", ("n", 7), dtype="int64")
    weight = gx.input("weight", (3, 5), dtype="float64")
    bias = gx.input("bias", (5,), dtype="float64")
    logits = gx.swapaxes(hidden, 0, 1) @ weight + bias
    loss = gx.mean(gx.nn.softmax_cross_entropy(logits, labels))
    right = gx.sum(gx.equal(gx.argmax(logits, axis=2), labels))
    gradients = gx.grad(loss, [hidden, weight, bias])
    return [hidden, labels, weight, bias], [loss, right, *gradients]


def test_time_and_batch_are_exchanged_nowhere() -> None:
    """Each product is one, of rows as they lie; nothing but labels is transposed."""
    _, outputs = sequence_model()
    new, _ = rewrite_nodes(outputs)
    moved = [node for node in topological(new) if node.op.name == "transpose" and node.ndim > 2]
    assert moved == []
    assert {node.ndim for node in products(outputs)} == {2}


@pytest.mark.parametrize("count", [1, 6])
def test_a_loss_of_each_step(count: int) -> None:
    """Values and gradients of a sequence model."""
    inputs, outputs = sequence_model()
    feed = values(inputs, count)
    feed[inputs[1]] = RANDOM.integers(0, 5, (count, 7))
    found = gx.compile(inputs, outputs)(*(feed[node] for node in inputs))
    for have, want in zip(found, gx.evaluate(outputs, feed), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-9, atol=1e-11)


def test_a_label_out_of_range_is_reported() -> None:
    """By its place among the labels as the user gave them."""
    inputs, outputs = sequence_model()
    feed = values(inputs, 6)
    feed[inputs[1]] = np.zeros((6, 7), np.int64)
    feed[inputs[1]][4, 1] = 5
    with pytest.raises(IndexRangeError, match="5 at position 29 is out of range"):
        gx.compile(inputs, outputs)(*(feed[node] for node in inputs))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 5), (2, 3, 0, 5)])
def test_batches_of_several_axes(shape: tuple[int, ...]) -> None:
    """One matrix for all, sums of products, and transpositions of three axes, as NumPy has them."""
    x = gx.input("x", shape, dtype="float64")
    y = gx.input("y", shape, dtype="float64")
    matrix = gx.input("matrix", (5, 6), dtype="float64")
    swapped = gx.transpose(x, (2, 0, 1, 3))
    outputs = [
        swapped @ matrix,
        gx.exp(swapped) - gx.max(swapped, axis=3, keepdims=True) if shape[2] else swapped,
        gx.sum(gx.swapaxes(swapped, -1, -2) @ gx.transpose(y, (2, 0, 1, 3)), axis=(0, 1)),
        gx.sum(gx.swapaxes(x, -1, -2) @ y, axis=(0, 1)),
        gx.sum(gx.swapaxes(x, -1, -2) @ y, axis=(0, 1), keepdims=True),
    ]
    assert "sum_of_batch" in rules(outputs)
    feed = values([x, y, matrix], 1)
    found = gx.compile([x, y, matrix], outputs)(*(feed[node] for node in (x, y, matrix)))
    for have, want in zip(found, gx.evaluate(outputs, feed), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-9, atol=1e-11)
