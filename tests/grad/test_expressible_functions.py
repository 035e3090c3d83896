"""Functions whose derivatives are known: textbook numbers, stable corners, forms, densities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats

import graphc as gx
from graphc.ir.node import Node
from tests.grad.expressible import both

RANDOM = np.random.default_rng(0)


def test_the_textbook_example() -> None:
    """Protects ln x1 + x1 x2 - sin x2 at (2, 5): 11.652, with the gradient (5.5, 1.716)."""
    x1, x2 = gx.input("x1", (), "float64"), gx.input("x2", (), "float64")
    f = gx.log(x1) + x1 * x2 - gx.sin(x2)
    value, d1, d2, along = both([x1, x2], [f, *gx.grad(f, [x1, x2]), gx.jvp(f, x1, 1.0)], [2, 5])
    assert value == pytest.approx(11.652, abs=5e-4)
    assert d1 == pytest.approx(5.5, abs=1e-12)
    assert along == pytest.approx(5.5, abs=1e-12)
    assert d2 == pytest.approx(2 - np.cos(5), abs=1e-12)
    assert d2 == pytest.approx(1.716, abs=5e-4)


def rosenbrock(x: Node) -> Node:
    """A curved valley, lowest at (1, 1)."""
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def test_rosenbrock_and_newtons_method() -> None:
    """Protects gradient and Hessian in closed form, and Newton's steps, also as one native loop."""
    x = gx.input("x", (2,), "float64")
    f = rosenbrock(x)
    gradient, hessian = gx.grad(f, x), gx.hessian(f, x)
    step = gx.compile(x, [f, gradient, hessian])
    point = np.array([-1.2, 1.0])
    value, first, second = both([x], [f, gradient, hessian], [point])
    a, b = point
    assert value == pytest.approx((1 - a) ** 2 + 100 * (b - a * a) ** 2)
    np.testing.assert_allclose(
        first, [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)], rtol=1e-12
    )
    np.testing.assert_allclose(
        second, [[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200]], rtol=1e-12
    )
    for _ in range(10):
        _, first, second = step(point)
        point = point - np.linalg.solve(second, first)
    np.testing.assert_allclose(point, [1, 1], atol=1e-9)

    def newton(place: Node, _: None) -> tuple[Node, Node]:
        value = rosenbrock(place)
        move = gx.solve(gx.hessian(value, place), gx.grad(value, place))
        return place - move, value

    last, values = gx.scan(newton, x, length=10)
    end, trace = both([x], [last, values], [np.array([-1.2, 1.0])])
    np.testing.assert_allclose(end, [1, 1], atol=1e-9)
    assert trace[0] == pytest.approx(24.2)
    assert trace[-1] < 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softplus_far_out(dtype: str) -> None:
    """Protects the gradient of log(1 + exp x) at 100, where it is 1, and at -100: about 3.7e-44,
    which is subnormal in float32."""
    x = gx.input("x", (), dtype)
    gradient = gx.grad(gx.softplus(x), x)
    rough = gx.grad(gx.log(1 + gx.exp(x)), x)
    for node in (gradient, rough):
        call = gx.compile(x, node)
        assert float(call(100)) == 1
        assert float(call(-100)) == pytest.approx(3.720075976e-44, rel=0.02)
    assert float(gx.evaluate(gradient, {x: 100})) == 1
    assert float(gx.evaluate(gradient, {x: -100})) == pytest.approx(3.720075976e-44, rel=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_of_one_minus_sigmoid(dtype: str) -> None:
    """Protects log(1 - sigmoid x) at +-100, where what is written overflows to -inf or loses all
    digits: compiled code has neither."""
    x = gx.input("x", (), dtype)
    y = gx.log(1 - gx.sigmoid(x))
    call = gx.compile(x, [y, gx.grad(y, x)])
    value, slope = map(float, call(100))
    assert (value, slope) == (-100, -1)
    value, slope = map(float, call(-100))
    assert value == pytest.approx(-3.720075976e-44, rel=0.02)
    assert slope == pytest.approx(-3.720075976e-44, rel=0.02)


def test_a_branch_not_taken_does_not_spoil_the_gradient() -> None:
    """Protects where(x < 7, x, sqrt(x - 7)) at 5: the square root of -2 is nan, its slope too."""
    x = gx.input("x", (), "float64")
    y = gx.where(x < 7, x, gx.sqrt(x - 7))
    for at, expected in ((5.0, 1.0), (11.0, 0.25)):
        (slope, along) = both([x], [gx.grad(y, x), gx.jvp(y, x, 1.0)], [at])
        assert slope == along == expected
    assert float(gx.compile(x, gx.grad(y, x))(7.0)) == np.inf


def test_quadratic_and_cubic_forms() -> None:
    """Protects x'Ax and the sum of T_ijk x_i x_j x_k: gradients and second derivatives."""
    x = gx.input("x", (4,), "float64")
    a, t = RANDOM.standard_normal((4, 4)), RANDOM.standard_normal((4, 4, 4))
    quadratic = gx.vdot(x, gx.const(a) @ x)
    cubic = gx.einsum("ijk,i,j,k->", gx.const(t), x, x, x)
    at = RANDOM.standard_normal(4)
    outputs = [gx.grad(quadratic, x), gx.hessian(quadratic, x), gx.grad(cubic, x)]
    outputs += [gx.hessian(cubic, x), gx.jacobian(gx.hessian(cubic, x), x)]
    found = both([x], outputs, [at])
    every = sum(np.transpose(t, order) for order in itertools.permutations(range(3)))
    np.testing.assert_allclose(found[0], (a + a.T) @ at, rtol=1e-12)
    np.testing.assert_allclose(found[1], a + a.T, rtol=1e-12)
    np.testing.assert_allclose(found[2], np.einsum("ijk,j,k", every, at, at) / 2, rtol=1e-10)
    np.testing.assert_allclose(found[3], every @ at, rtol=1e-10)
    np.testing.assert_allclose(found[4], every, rtol=1e-10)


def test_a_gaussian_mixture() -> None:
    """Protects its log-likelihood, also where every density underflows, and the gradient of the
    means: responsibilities times distances."""
    x, mu = gx.input("x", ("n", 2), "float64"), gx.input("mu", (3, 2), "float64")
    logits, log_scale = gx.input("logits", (3,), "float64"), gx.input("s", (3, 2), "float64")
    z = (gx.expand_dims(x, 1) - mu) * gx.exp(-log_scale)
    density = -0.5 * gx.sum(z * z, axis=2) - gx.sum(log_scale, axis=1) - np.log(2 * np.pi)
    total = gx.sum(gx.logsumexp(gx.log_softmax(logits) + density, axis=1))
    inputs, parameters = [x, mu, logits, log_scale], [mu, logits, log_scale]
    means = RANDOM.standard_normal((3, 2))
    weights, scales = RANDOM.standard_normal(3), RANDOM.standard_normal((3, 2)) / 2
    for points in (RANDOM.standard_normal((7, 2)), np.array([[60.0, -60.0]])):
        values = [points, means, weights, scales]
        value, by_mean, by_logit, _ = both(inputs, [total, *gx.grad(total, parameters)], values)
        parts = np.stack(
            [scipy.stats.norm(m, np.exp(s)).logpdf(points).sum(1)
             for m, s in zip(means, scales, strict=True)], 1,
        )  # fmt: skip
        share = scipy.special.log_softmax(weights) + parts
        np.testing.assert_allclose(value, scipy.special.logsumexp(share, 1).sum(), rtol=1e-10)
        responsible = scipy.special.softmax(share, 1)
        distance = (points[:, None] - means) / np.exp(scales) ** 2
        expected = np.einsum("nk,nkd->kd", responsible, distance)
        np.testing.assert_allclose(by_mean, expected, rtol=1e-9, atol=1e-12)
        mixed = responsible.sum(0) - len(points) * scipy.special.softmax(weights)
        np.testing.assert_allclose(by_logit, mixed, rtol=1e-9, atol=1e-12)
    few = RANDOM.standard_normal((4, 2))
    feed = dict(zip(inputs, [few, *values[1:]], strict=True))
    checks = gx.check_gradients(total, parameters, feed)
    assert max(check.error for check in checks) < 1e-6


def test_a_log_determinant() -> None:
    """Protects d log|det A| = inverse(A)', and its second derivative."""
    a = gx.input("A", (3, 3), "float64")
    sign, value = gx.slogdet(a)
    matrix = RANDOM.standard_normal((3, 3)) + 2 * np.eye(3)
    direction = RANDOM.standard_normal((3, 3))
    outputs = [sign, value, gx.grad(value, a), gx.hvp(value, a, direction)]
    found = both([a], outputs, [matrix])
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(found[:2], np.linalg.slogdet(matrix), rtol=1e-12)
    np.testing.assert_allclose(found[2], inverse.T, rtol=1e-10)
    np.testing.assert_allclose(found[3], -(inverse @ direction @ inverse).T, rtol=1e-9)


def test_linear_regression_both_ways() -> None:
    """Protects the normal equations, differentiable through the solution, and gradient descent in a
    native loop: both give NumPy's least squares."""
    x, y = gx.input("X", ("n", 3), "float64"), gx.input("y", ("n",), "float64")
    data = RANDOM.standard_normal((50, 3))
    target = data @ [1.0, -2.0, 0.5] + 0.1 * RANDOM.standard_normal(50)
    expected = np.linalg.lstsq(data, target, rcond=None)[0]
    closed = gx.solve(x.T @ x, x.T @ y)
    found, slope = both([x, y], [closed, gx.jacobian(closed, y)], [data, target])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(slope, np.linalg.pinv(data), rtol=1e-8, atol=1e-12)
    w = gx.param("w", np.zeros(3))
    loss = gx.mean(gx.square(x @ w - y)) / 2
    descend = gx.compile([x, y], loss, updates={w: w - 0.5 * gx.grad(loss, w)})
    losses = descend.loop((data, target), batch_size=50, epochs=200)
    np.testing.assert_allclose(w.value, expected, rtol=1e-6)
    assert losses[-1] < losses[0]
