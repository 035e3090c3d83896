"""The gradients of the usual losses at the pre-activation are a - y, as graphs.

Protects what students are shown, and that a loss spelled out naively trains as the stable one does.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.scalar import divide
from graphc.ops.source import size
from graphc.rewrite.engine import rewrite_nodes, simplify

Z = gx.input("z", ("n", 5))
Y = gx.input("y", ("n", 5))
T = gx.input("t", ("n",), dtype="int64")
N, N5 = size("n", "float32"), size(5 * Z.shape[0], "float32")
ONE_HOT = gx.one_hot(T, 5)


def gate() -> Node:
    return gx.sigmoid(Z)


def gate_from_exp() -> Node:
    return 1 / (1 + gx.exp(-Z))


def gate_from_quotient() -> Node:
    return gx.exp(Z) / (1 + gx.exp(Z))


def softmax_from_exp() -> Node:
    powers = gx.exp(Z)
    return powers / gx.sum(powers, axis=1, keepdims=True)


def binary(a: Node) -> Node:
    return -(Y * gx.log(a) + (1 - Y) * gx.log(1 - a))


LOSSES: dict[str, tuple[Callable[[], Node], Callable[[], Node]]] = {
    # squared loss, linear output
    "half the sum of squares": (lambda: 0.5 * gx.sum((Z - Y) ** 2), lambda: Z - Y),
    "squares the other way": (lambda: gx.sum(gx.square(Y - Z)) / 2, lambda: Z - Y),
    "half the mean of squares": (lambda: 0.5 * gx.mean((Z - Y) ** 2), lambda: (Z - Y) / N5),
    "products, mean over rows": (
        lambda: gx.mean(0.5 * gx.sum((Z - Y) * (Z - Y), axis=1)), lambda: (Z - Y) / N,
    ),
    # binary cross-entropy, sigmoid
    "sigmoid_cross_entropy": (
        lambda: gx.mean(gx.sigmoid_cross_entropy(Z, Y)), lambda: (gate() - Y) / N5,
    ),
    "binary, gx.sigmoid": (lambda: gx.sum(binary(gate())), lambda: gate() - Y),
    "binary, 1 / (1 + exp(-z))": (lambda: gx.sum(binary(gate_from_exp())), lambda: gate() - Y),
    "binary, exp(z) / (1 + exp(z))": (
        lambda: gx.mean(binary(gate_from_quotient())), lambda: (gate() - Y) / N5,
    ),
    "binary, sign outside the mean": (
        lambda: -gx.mean(gx.sum(Y * gx.log(gate()) + (1 - Y) * gx.log(1 - gate()), axis=1)),
        lambda: (gate() - Y) / N,
    ),
    "binary, two terms": (
        lambda: gx.sum(-Y * gx.log(gate()) - (1 - Y) * gx.log(1 - gate())), lambda: gate() - Y,
    ),
    "binary, softplus": (lambda: gx.sum(gx.softplus(Z) - Y * Z), lambda: gate() - Y),
    "binary, log(1 + exp(z))": (
        lambda: gx.sum(gx.log(1 + gx.exp(Z)) - Y * Z), lambda: gate() - Y,
    ),
    # categorical cross-entropy, softmax
    "softmax_cross_entropy": (
        lambda: gx.mean(gx.softmax_cross_entropy(Z, T)), lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "one-hot, log(softmax)": (
        lambda: -gx.sum(ONE_HOT * gx.log(gx.softmax(Z))), lambda: gx.softmax(Z) - ONE_HOT,
    ),
    "one-hot, mean over rows": (
        lambda: gx.mean(-gx.sum(ONE_HOT * gx.log(gx.softmax(Z)), axis=-1)),
        lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "one-hot, softmax spelled out": (
        lambda: -gx.sum(ONE_HOT * gx.log(softmax_from_exp())) / 32,
        lambda: (gx.softmax(Z) - ONE_HOT) / 32,
    ),
    "one-hot, log_softmax": (
        lambda: -gx.sum(ONE_HOT * gx.log_softmax(Z)), lambda: gx.softmax(Z) - ONE_HOT,
    ),
    "one-hot, log of the sum": (
        lambda: gx.mean(-gx.log(gx.sum(ONE_HOT * gx.softmax(Z), axis=1))),
        lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "picked softmax": (
        lambda: -gx.mean(gx.log(gx.pick(gx.softmax(Z), T))), lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "picked log_softmax": (
        lambda: -gx.mean(gx.pick(gx.log_softmax(Z), T)), lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "logsumexp less the picked": (
        lambda: gx.mean(gx.logsumexp(Z, axis=1) - gx.pick(Z, T)),
        lambda: (gx.softmax(Z) - ONE_HOT) / N,
    ),
    "rows of probabilities": (
        lambda: -gx.sum(Y * gx.log(gx.softmax(Z))),
        lambda: gx.softmax(Z) * gx.sum(Y, axis=1, keepdims=True) - Y,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_at_the_preactivation_is_a_minus_y(name: str) -> None:
    """The node of gx.grad(loss, z), rewritten, is the node written by hand: the same object."""
    loss, by_hand = LOSSES[name]
    found, expected = simplify(gx.grad(loss(), Z)), simplify(by_hand())
    assert found is expected


@pytest.mark.parametrize("name", LOSSES)
def test_rewritten_losses_and_gradients_are_right(name: str) -> None:
    """In float64, against the interpreter on what was written, at moderate inputs."""
    loss, _ = LOSSES[name]
    roots = [loss(), gx.grad(loss(), Z)]
    new, _ = rewrite_nodes(roots)
    random = np.random.default_rng(0)
    feed = {
        Z: random.normal(size=(6, 5)), Y: random.uniform(size=(6, 5)), T: random.integers(0, 5, 6)
    }  # fmt: skip
    for before, after in zip(gx.evaluate(roots, feed), gx.evaluate(new, feed), strict=True):
        np.testing.assert_allclose(after, before, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [n for n in LOSSES if "squares" not in n and "products" not in n])
def test_rewritten_losses_survive_large_logits(name: str) -> None:
    """At logits of +-1000 the naive spelling overflows or takes log(0); the rewritten does not."""
    loss, _ = LOSSES[name]
    logits = np.array([[1000, -1000, 0, 5, -5]], "float32")
    feed = {Z: logits, Y: np.eye(5, dtype="float32")[:1], T: np.array([1])}
    value, gradient = (gx.evaluate(simplify(n), feed) for n in (loss(), gx.grad(loss(), Z)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() <= 1


def test_logistic_regression() -> None:
    """Xᵀ (σ(Xw + b) - t) / n."""
    x, t = gx.input("x", ("n", 3)), gx.input("t", ("n",))
    w, b = gx.param("w", np.zeros(3, "float32")), gx.param("b", np.float32(0))
    a = gx.sigmoid(x @ w + b)
    loss = gx.mean(-(t * gx.log(a) + (1 - t) * gx.log(1 - a)))
    dw, db = gx.grad(loss, [w, b])
    assert simplify(dw) is simplify(x.T @ (a - t) / N)
    assert simplify(db) is simplify(gx.sum(a - t) / N)


def mlp() -> tuple[list[Node], list[Node], list[Node], Node]:
    """Weights, biases, pre-activations and loss of 64-64-32-10, relu."""
    h = gx.input("x", ("n", 64))
    sizes = (64, 64, 32, 10)
    weights, biases, before = [], [], []
    for i, (rows, columns) in enumerate(pairwise(sizes), start=1):
        weights.append(gx.param(f"W{i}", np.zeros((rows, columns), "float32")))
        biases.append(gx.param(f"b{i}", np.zeros(columns, "float32")))
        before.append(h @ weights[-1] + biases[-1])
        h = gx.relu(before[-1])
    labels = gx.input("labels", ("n",), dtype="int64")
    return weights, biases, before, gx.mean(gx.softmax_cross_entropy(before[-1], labels))


def test_multilayer_perceptron() -> None:
    """Each layer's gradient is a product with 1/n outermost, built from the next layer's error."""
    weights, biases, (a1, a2, a3), loss = mlp()
    x = a1.inputs[0].inputs[0]
    labels = next(n for n in topological([loss]) if n.name == "labels")
    errors = [gx.softmax(a3) - gx.one_hot(labels, 10)]
    for a, W in ((a2, weights[2]), (a1, weights[1])):
        errors.insert(0, (errors[0] @ W.T) * gx.cast(gx.relu(a) > 0, "float32"))
    inputs = [x, gx.relu(a1), gx.relu(a2)]
    found, _ = rewrite_nodes(gx.grad(loss, [*weights, *biases]))
    by_hand = [h.T @ error / N for h, error in zip(inputs, errors, strict=True)]
    by_hand += [gx.sum(error, axis=0) / N for error in errors]
    expected, _ = rewrite_nodes(by_hand)
    assert found == expected
    assert all(node.op is divide and node.inputs[1] is N for node in found)


def test_weight_used_twice() -> None:
    """Prediction and decay: the second path adds 2 λ W."""
    weights, _, _, loss = mlp()
    W = weights[2]
    decay = gx.input("decay")
    plain = simplify(gx.grad(loss, W))
    total = simplify(gx.grad(loss + decay * gx.sum(gx.square(W)), W))
    assert total is plain + (2 * decay) * W


def test_training_graph_does_not_grow() -> None:
    """Forward, backward and updates together: fewer nodes after than before."""
    weights, biases, _, loss = mlp()
    params = [*weights, *biases]
    updates = [p - 0.1 * g for p, g in zip(params, gx.grad(loss, params), strict=True)]
    new, _ = rewrite_nodes([loss, *updates])
    assert len(topological(new)) <= len(topological([loss, *updates]))
