"""Losses and penalties: values, gradients at the pre-activation, and shapes that must not meet."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError


def test_squared_error_and_its_gradient() -> None:
    """Half the square for each output, so that the derivative is a - y itself."""
    a = gx.input("a", ("n", 3), dtype="float64")
    y = gx.input("y", ("n", 3), dtype="float64")
    rng = np.random.default_rng(0)
    feed = {a: rng.normal(size=(5, 3)), y: rng.normal(size=(5, 3))}
    loss = gx.nn.squared_error(a, y)
    assert str(loss.shape) == str(a.shape)
    value, gradient = gx.evaluate([loss, gx.grad(gx.sum(loss), a)], feed)
    np.testing.assert_allclose(value, (feed[a] - feed[y]) ** 2 / 2, rtol=1e-14)
    np.testing.assert_allclose(gradient, feed[a] - feed[y], rtol=1e-14)


def test_squared_error_does_not_broadcast() -> None:
    """(n, 1) beside (n,), a classic mistake, would compare every output with every target."""
    with pytest.raises(ShapeError, match=r"squared_error: .*\(n, 1\), got \(n,\).*test_losses.py"):
        gx.nn.squared_error(gx.input("a", ("n", 1)), gx.input("y", ("n",)))


def test_squared_error_takes_integer_targets() -> None:
    """Labels of 0 and 1 meet float outputs in the outputs' own type."""
    a, y = gx.input("a", ("n",)), gx.input("y", ("n",), dtype="int64")
    loss = gx.nn.squared_error(a, y)
    assert str(loss.dtype) == "float32"
    assert gx.evaluate(loss, {a: [0.5, 2.0], y: [0, 1]}).tolist() == [0.125, 0.5]


@pytest.mark.parametrize(
    ("loss", "activation", "one_hot"),
    [
        (gx.nn.squared_error, gx.nn.linear, False),
        (gx.nn.sigmoid_cross_entropy, gx.nn.sigmoid, False),
        (gx.nn.softmax_cross_entropy, gx.nn.softmax, True),
    ],
)
def test_the_gradient_at_the_pre_activation_is_a_minus_y(loss, activation, one_hot) -> None:
    """Each loss with its own output activation, by value."""
    z = gx.input("z", ("n", 4), dtype="float64")
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(6, 4)) * 3
    if one_hot:
        t = gx.input("t", ("n",), dtype="int64")
        targets = rng.integers(0, 4, 6)
        rows = np.eye(4)[targets]
    else:
        t = gx.input("t", ("n", 4), dtype="float64")
        targets = rows = rng.random((6, 4))
    gradient = gx.grad(gx.sum(loss(z, t)), z)
    found, outputs = gx.evaluate([gradient, activation(z)], {z: scores, t: targets})
    np.testing.assert_allclose(found, outputs - rows, rtol=1e-12, atol=1e-15)


def test_l2_penalty() -> None:
    """The sum over all parameters, with gradient 2 * strength * W at each."""
    W = gx.param("W", np.array([[1.0, -2.0], [3.0, 0.5]]))
    b = gx.param("b", np.array([4.0, -1.0]))
    penalty = gx.nn.l2_penalty([W, b], 0.1)
    value, dW, db = gx.evaluate([penalty, *gx.grad(penalty, [W, b])])
    assert value == pytest.approx(0.1 * (1 + 4 + 9 + 0.25 + 16 + 1))
    np.testing.assert_allclose(dW, 0.2 * W.value)
    np.testing.assert_allclose(db, 0.2 * b.value)
    assert gx.evaluate(gx.nn.l2_penalty(b, 1)) == pytest.approx(17)


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf"), True, "0.1", None])
def test_l2_penalty_refuses(strength: object) -> None:
    """A penalty that would reward, or is no number; and one of nothing."""
    W = gx.param("W", [1.0])
    with pytest.raises(ArgumentError, match="l2_penalty: expected a finite strength >= 0"):
        gx.nn.l2_penalty([W], strength)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at least one parameter"):
        gx.nn.l2_penalty([], 0.1)
