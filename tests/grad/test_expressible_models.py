"""Models whose derivatives have a structure of their own: cameras, clusters, an LSTM, a penalty on
a Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

import graphc as gx
from graphc.ir.node import Node
from tests.grad.expressible import both, differences

RANDOM = np.random.default_rng(1)


def project(camera: Any, point: Any, m: Any) -> Any:
    """A point in an image: a rotation by an axis and angle, a centre, a focal length, a principal
    point and two radial distortions; `m` is NumPy or graphc."""
    axis, centre, focal = camera[:3], camera[3:6], camera[6]
    moved = point - centre
    square = m.sum(axis * axis)
    angle = m.sqrt(square)
    cross = m.stack([
        axis[1] * moved[2] - axis[2] * moved[1],
        axis[2] * moved[0] - axis[0] * moved[2],
        axis[0] * moved[1] - axis[1] * moved[0],
    ])  # fmt: skip
    along = axis * m.sum(axis * moved)
    turned = m.cos(angle) * moved + m.sin(angle) / angle * cross
    turned = turned + (1 - m.cos(angle)) / square * along
    flat = turned[:2] / turned[2]
    radius = m.sum(flat * flat)
    return flat * (1 + camera[9] * radius + camera[10] * radius**2) * focal + camera[7:9]


def test_bundle_adjustment() -> None:
    """Protects the residuals of every observation and their block of the sparse Jacobian: 2 rows
    against 11 of the camera, 3 of the point and 1 of the weight, by vmap over jacobian."""
    cameras, points = gx.input("cameras", ("c", 11), "float64"), gx.input("p", ("p", 3), "float64")
    weights, seen = gx.input("w", ("o",), "float64"), gx.input("seen", ("o", 2), "float64")
    by, of = gx.input("by", ("o",), "int64"), gx.input("of", ("o",), "int64")

    def blocks(camera: Node, point: Node, weight: Node, at: Node) -> tuple[Node, ...]:
        residual = weight * (project(camera, point, gx) - at)
        return (residual, *gx.jacobian(residual, [camera, point, weight]))

    outputs = gx.vmap(blocks)(
        gx.take(cameras, by, axis=0), gx.take(points, of, axis=0), weights, seen
    )
    low = [0.1, 0.1, 0.1, -0.5, -0.5, -0.5, 1, -0.1, -0.1, -0.1, -0.1]
    high = [0.4, 0.4, 0.4, 0.5, 0.5, 0.5, 2, 0.1, 0.1, 0.1, 0.1]
    views = RANDOM.uniform(low, high, (2, 11))
    world = np.concatenate([RANDOM.uniform(-1, 1, (4, 2)), RANDOM.uniform(4, 6, (4, 1))], 1)
    who, what = np.array([0, 1, 0, 1, 1]), np.array([0, 1, 2, 3, 0])
    weight, places = RANDOM.uniform(0.5, 1.5, 5), RANDOM.uniform(-1, 1, (5, 2))
    found = both([cameras, points, weights, seen, by, of], outputs,
                 [views, world, weight, places, who, what])  # fmt: skip
    residual, by_camera, by_point, by_weight = found
    assert by_camera.shape == (5, 2, 11)
    for o in range(5):
        camera, point = views[who[o]], world[what[o]]
        np.testing.assert_allclose(
            residual[o], weight[o] * (project(camera, point, np) - places[o])
        )
        for block, function, place in (
            (by_camera, lambda c, p=point: project(c, p, np), camera),
            (by_point, lambda p, c=camera: project(c, p, np), point),
        ):
            expected = weight[o] * differences(function, place)
            np.testing.assert_allclose(block[o], expected, atol=1e-8)
        np.testing.assert_allclose(by_weight[o], project(camera, point, np) - places[o], atol=1e-12)


def lstm_weights(vocabulary: int, hidden: int) -> dict[str, np.ndarray]:
    """Small random weights of a language model, in float64."""
    shapes = {
        "embed": (vocabulary, hidden), "W": (hidden, 4 * hidden), "U": (hidden, 4 * hidden),
        "b": (4 * hidden,), "V": (hidden, vocabulary), "c": (vocabulary,),
    }  # fmt: skip
    return {name: RANDOM.standard_normal(shape) / 3 for name, shape in shapes.items()}


def lstm_loss(tokens: Node, p: dict[str, Node], hidden: int) -> Node:
    """The mean cross-entropy of the next token, of (batch, time) tokens."""
    rows = gx.take(p["embed"], tokens[:, :-1].T, axis=0)

    def cell(carry: tuple[Node, Node], x: Node) -> tuple[tuple[Node, Node], Node]:
        h, c = carry
        gates = x @ p["W"] + h @ p["U"] + p["b"]
        i, f, o = (gx.sigmoid(gates[:, k * hidden : (k + 1) * hidden]) for k in range(3))
        c = f * c + i * gx.tanh(gates[:, 3 * hidden :])
        h = o * gx.tanh(c)
        return (h, c), h @ p["V"] + p["c"]

    start = gx.zeros_like(rows[0])
    _, logits = gx.scan(cell, (start, start), rows)
    return gx.mean(gx.nn.softmax_cross_entropy(logits, tokens[:, 1:].T))


def lstm_reference(tokens: np.ndarray, p: dict[str, np.ndarray]) -> float:
    """The same in NumPy, step by step."""
    hidden = p["U"].shape[0]
    h = c = np.zeros((len(tokens), hidden))
    total = []
    for t in range(tokens.shape[1] - 1):
        gates = p["embed"][tokens[:, t]] @ p["W"] + h @ p["U"] + p["b"]
        i, f, o = (scipy.special.expit(gates[:, k * hidden : (k + 1) * hidden]) for k in range(3))
        c = f * c + i * np.tanh(gates[:, 3 * hidden :])
        h = o * np.tanh(c)
        logs = scipy.special.log_softmax(h @ p["V"] + p["c"], axis=1)
        total.append(-logs[np.arange(len(tokens)), tokens[:, t + 1]])
    return float(np.mean(total))


def test_an_lstm_language_model() -> None:
    """Protects the loss against NumPy, every gradient against differences, and training natively:
    it learns to count."""
    values = lstm_weights(5, 4)
    parameters = {name: gx.param(name, value) for name, value in values.items()}
    tokens = gx.input("tokens", ("n", "t"), "int64")
    loss = lstm_loss(tokens, parameters, 4)
    gradients = gx.grad(loss, list(parameters.values()))
    sample = RANDOM.integers(0, 5, (3, 6))
    found = both([tokens], [loss, *gradients], [sample])
    np.testing.assert_allclose(found[0], lstm_reference(sample, values), rtol=1e-12)
    for name, gradient in zip(values, found[1:], strict=True):
        expected = differences(
            lambda w, name=name: np.asarray(lstm_reference(sample, {**values, name: w})),
            values[name],
        )
        np.testing.assert_allclose(gradient, expected, atol=1e-8)
    counting = (np.arange(9) + RANDOM.integers(0, 5, (20, 1))) % 5
    trainer = gx.train.Trainer(loss, inputs=[tokens], optimizer=gx.train.adam(0.03))
    trainer.fit((counting,), batch_size=10, epochs=60)
    assert lstm_reference(counting, {k: p.value for k, p in parameters.items()}) < 0.1


def test_clusters_and_the_diagonal_of_the_hessian() -> None:
    """Protects the k-means cost: its Hessian is diagonal, so one product with ones is all of it,
    and one Newton step is the step of Lloyd's algorithm."""
    x, centres = gx.input("x", ("n", 2), "float64"), gx.input("c", (3, 2), "float64")
    squares = gx.sum(gx.square(gx.expand_dims(x, 1) - centres), axis=2)
    cost = gx.sum(gx.min(squares, axis=1))
    diagonal = gx.hvp(cost, centres, gx.ones_like(centres))
    step = centres - gx.grad(cost, centres) / diagonal
    points, start = RANDOM.standard_normal((40, 2)), RANDOM.standard_normal((3, 2)) / 2
    outputs = [cost, diagonal, step, gx.hessian(cost, centres)]
    value, found, moved, hessian = both([x, centres], outputs, [points, start])
    distance = ((points[:, None] - start) ** 2).sum(2)
    nearest = distance.argmin(1)
    counts = np.bincount(nearest, minlength=3)
    np.testing.assert_allclose(value, distance.min(1).sum(), rtol=1e-12)
    np.testing.assert_allclose(found, np.repeat(2.0 * counts[:, None], 2, 1), rtol=1e-12)
    np.testing.assert_allclose(hessian.reshape(6, 6), np.diag(found.reshape(-1)), atol=1e-12)
    means = np.stack([points[nearest == k].mean(0) for k in range(3)])
    np.testing.assert_allclose(moved, means, rtol=1e-10)


def test_a_contractive_autoencoder() -> None:
    """Protects a Jacobian inside a loss: the penalty in closed form, its gradient by differences,
    and training with it."""
    x = gx.input("x", ("n", 4), "float64")
    w, b = gx.param("W", RANDOM.standard_normal((4, 3))), gx.param("b", np.zeros(3))
    c = gx.param("c", np.zeros(4))

    def squared_norm(row: Node) -> Node:
        return gx.sum(gx.square(gx.jacobian(gx.sigmoid(row @ w + b), row)))

    penalty = gx.mean(gx.vmap(squared_norm)(x))
    hidden = gx.sigmoid(x @ w + b)
    loss = gx.mean(gx.square(hidden @ w.T + c - x)) + 0.1 * penalty
    data = RANDOM.standard_normal((30, 4))

    def closed(weights: np.ndarray) -> np.ndarray:
        h = scipy.special.expit(data @ weights)
        return np.asarray(np.mean(((h * (1 - h)) ** 2) @ (weights**2).sum(0)))

    value, slope = both([x], [penalty, gx.grad(penalty, w)], [data])
    np.testing.assert_allclose(value, closed(w.value), rtol=1e-10)
    np.testing.assert_allclose(slope, differences(closed, w.value), atol=1e-8)
    updates = {p: p - 0.2 * gx.grad(loss, p) for p in (w, b, c)}
    losses = gx.compile([x], loss, updates=updates).loop((data,), batch_size=10, epochs=40)
    assert losses[-3:].mean() < 0.7 * losses[:3].mean()
