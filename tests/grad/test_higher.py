"""Jacobians, Hessians and products: against differences, and against one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import ArgumentError, DTypeError

RANDOM = np.random.default_rng(0)
X, W = RANDOM.standard_normal((3, 4)), RANDOM.standard_normal((4, 5))


def model() -> tuple[Any, Any, Any]:
    """A layer, its weights and its input."""
    x, w = gx.input("x", ("n", 4), "float64"), gx.input("w", (4, 5), "float64")
    return gx.tanh(x @ w), w, x


@pytest.mark.parametrize("mode", ["forward", "reverse", "auto"])
def test_jacobian_of_a_layer(mode: str) -> None:
    """Protects both modes, with a symbolic batch, against differences element by element."""
    y, w, x = model()
    found = gx.evaluate(gx.jacobian(y, w, mode=mode), {x: X, w: W})
    assert found.shape == (3, 5, 4, 5)
    step = 1e-6
    for i in range(4):
        for j in range(5):
            moved = np.zeros_like(W)
            moved[i, j] = step
            difference = (np.tanh(X @ (W + moved)) - np.tanh(X @ (W - moved))) / (2 * step)
            np.testing.assert_allclose(found[:, :, i, j], difference, atol=1e-8)


def test_auto_takes_the_side_with_fewer() -> None:
    """Protects the choice of mode: columns for a tall Jacobian, rows for a wide one."""
    x = gx.input("x", (2,), "float64")
    tall = gx.jacobian(gx.concat([gx.sin(x)] * 5), x)
    wide = gx.jacobian(gx.reshape(gx.sum(gx.sin(x)), (1,)), x)
    assert tall.shape == (10, 2)
    assert wide.shape == (1, 2)
    assert len(gx.Graph((), (wide,))) < len(gx.Graph((), (gx.jacobian(wide, x),)))


def test_hessian_is_symmetric_and_agrees_with_products() -> None:
    """Protects hessian and hvp of a cross-entropy of a layer."""
    y, w, x = model()
    t = gx.input("t", ("n",), "int64")
    loss = gx.mean(gx.softmax_cross_entropy(y, t))
    v = RANDOM.standard_normal(W.shape)
    outputs = [gx.hessian(loss, w), gx.hvp(loss, w, v)]
    feed = {x: X, w: W, t: np.array([1, 0, 4])}
    whole, product = gx.evaluate(outputs, feed)
    flat = whole.reshape(20, 20)
    np.testing.assert_allclose(flat, flat.T, atol=1e-15)
    np.testing.assert_allclose(np.tensordot(whole, v, 2), product, atol=1e-13)
    compiled = gx.compile([x, w, t], outputs)(X, W, np.array([1, 0, 4]))
    np.testing.assert_allclose(compiled[0], whole, atol=1e-12)


def test_hessian_of_several_nodes_has_blocks() -> None:
    """Protects the mixed blocks: d2(x y^2)/dx dy = 2 y."""
    x, y = gx.input("x", (), "float64"), gx.input("y", (2,), "float64")
    blocks = gx.hessian(gx.sum(x * y * y), [x, y])
    feed = {x: 3.0, y: [2.0, 5.0]}
    assert gx.evaluate(blocks[0][0], feed) == 0
    np.testing.assert_allclose(gx.evaluate(blocks[0][1], feed), [4, 10])
    np.testing.assert_allclose(gx.evaluate(blocks[1][0], feed), [4, 10])
    np.testing.assert_allclose(gx.evaluate(blocks[1][1], feed), np.diag([6.0, 6.0]))


def test_hessian_of_logsumexp() -> None:
    """Protects the known form diag(p) - p p^T."""
    x = gx.input("x", (4,), "float64")
    value = RANDOM.standard_normal(4)
    p = np.exp(value) / np.exp(value).sum()
    found = gx.evaluate(gx.hessian(gx.logsumexp(x), x), {x: value})
    np.testing.assert_allclose(found, np.diag(p) - np.outer(p, p), atol=1e-15)


@pytest.mark.parametrize("formula", [lambda x: x**16, gx.tanh])
def test_fourth_derivative_is_sympys(formula: Any) -> None:
    """Protects derivatives of any order."""
    x = gx.input("x", (), "float64")
    y = formula(x)
    for _ in range(4):
        y = gx.grad(y, x)
    symbol = sympy.Symbol("x")
    exact = sympy.tanh(symbol) if formula is gx.tanh else symbol**16
    expected = float(exact.diff(symbol, 4).subs(symbol, 1.1))
    np.testing.assert_allclose(float(gx.evaluate(y, {x: 1.1})), expected, rtol=1e-12)


def test_gauss_newton_of_least_squares_is_the_hessian_where_the_model_is_linear() -> None:
    """Protects the product: for linear outputs it is the Hessian itself."""
    x, w = gx.input("x", (3, 4), "float64"), gx.input("w", (4, 5), "float64")
    y = x @ w
    loss = gx.sum(gx.square(y))
    v = RANDOM.standard_normal(W.shape)
    found = gx.evaluate(gx.gauss_newton_product(loss, y, w, v), {x: X, w: W})
    np.testing.assert_allclose(found, 2 * X.T @ X @ v, atol=1e-12)


def test_rosenbrock_by_newton_in_ten_steps() -> None:
    """Protects gradient and Hessian together: Newton's method reaches the minimum."""
    x = gx.input("x", (2,), "float64")
    y = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    step = gx.compile(x, x - gx.solve(gx.hessian(y, x), gx.grad(y, x)))
    at = np.array([-1.2, 1.0])
    for _ in range(10):
        at = step(at)
    np.testing.assert_allclose(at, [1.0, 1.0], atol=1e-10)


def test_bad_input_says_what_was_expected() -> None:
    """Protects the messages for modes and dtypes."""
    x, n = gx.input("x", (3,)), gx.input("n", (3,), "int64")
    with pytest.raises(ArgumentError, match="auto, forward, reverse"):
        gx.jacobian(x * 2, x, mode="backward")
    with pytest.raises(DTypeError, match="expected a float array"):
        gx.jacobian(x * 2, n)
    with pytest.raises(ArgumentError, match="expected a node, got float"):
        gx.jacobian(3.0, x)
