"""Iterations that are differentiated, or that differentiate: integrators, optimisers, samplers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate

import graphc as gx
from graphc.ir.node import Node
from tests.grad.expressible import both, differences

RANDOM = np.random.default_rng(2)
Field = Callable[[Node], Node]


def runge_kutta(field: Field, start: Node, step: object, count: int) -> tuple[Node, Node]:
    """The classical method of fourth order: the last point, and the points after each step."""

    def advance(y: Node, _: None) -> tuple[Node, Node]:
        k1 = field(y)
        k2 = field(y + step / 2 * k1)
        k3 = field(y + step / 2 * k2)
        k4 = field(y + step * k3)
        y = y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y, y

    return gx.scan(advance, start, length=count)  # type: ignore[no-any-return]


def test_gradients_through_an_ode() -> None:
    """Protects exponential decay: the solution and its derivatives by rate and start are known."""
    rate, start = gx.input("a", (), "float64"), gx.input("y0", (), "float64")
    end, _ = runge_kutta(lambda y: -rate * y, start, 0.01, 100)
    outputs = [end, *gx.grad(end, [rate, start]), gx.hessian(end, rate)]
    found = both([rate, start], outputs, [0.7, 2.0])
    decay = np.exp(-0.7)
    np.testing.assert_allclose(found, [2 * decay, -2 * decay, decay, 2 * decay], rtol=1e-9)


def test_predators_and_prey() -> None:
    """Protects a system: SciPy's solution, and the gradient of a fit by differences of SciPy's."""
    rates = gx.input("rates", (4,), "float64")

    def field(y: Node) -> Node:
        prey, predators = y[0], y[1]
        return gx.stack([
            prey * (rates[0] - rates[1] * predators), predators * (rates[2] * prey - rates[3]),
        ])  # fmt: skip

    end, _ = runge_kutta(field, gx.const(np.array([1.0, 0.5])), 0.01, 300)

    def solution(r: np.ndarray) -> np.ndarray:
        def slope(_: float, y: np.ndarray) -> list[float]:
            return [y[0] * (r[0] - r[1] * y[1]), y[1] * (r[2] * y[0] - r[3])]

        solved = scipy.integrate.solve_ivp(slope, (0, 3), [1.0, 0.5], rtol=1e-11, atol=1e-12)
        return np.asarray(solved.y[:, -1])

    at = np.array([1.1, 0.9, 0.8, 1.0])
    found, forward, backward = both(
        [rates],
        [end, gx.jacobian(end, rates, mode="forward"), gx.jacobian(end, rates, mode="reverse")],
        [at],
    )
    np.testing.assert_allclose(found, solution(at), rtol=1e-8)
    np.testing.assert_allclose(forward, differences(solution, at, 1e-4), rtol=1e-5)
    np.testing.assert_allclose(forward, backward, rtol=1e-9)


def test_a_minimum_inside_what_is_differentiated() -> None:
    """Protects gradients through an optimiser: the minimum over y of cosh(y) - x y is at arsinh x,
    found by gradient descent (scan) and by Newton's method (while_loop)."""
    x = gx.input("x", (), "float64")

    def newton(y: Node) -> Node:
        value = gx.cosh(y) - x * y
        return y - gx.grad(value, y) / gx.hessian(value, y)

    def descend(y: Node, _: None) -> tuple[Node, None]:
        return y - 0.5 * gx.grad(gx.cosh(y) - x * y, y), None

    steady, _ = gx.scan(descend, gx.zeros_like(x), length=100)
    quick = gx.while_loop(
        lambda y: gx.abs(gx.sinh(y) - x) > 1e-13, newton, gx.zeros_like(x), max_steps=20
    )
    for found in (steady, quick):
        outputs = [found, gx.grad(found, x), gx.jvp(found, x, 1.0)]
        value, back, along = both([x], outputs, [0.8])
        assert value == pytest.approx(np.arcsinh(0.8), rel=1e-12)
        assert back == pytest.approx(1 / np.sqrt(1 + 0.64), rel=1e-9)
        assert along == pytest.approx(1 / np.sqrt(1 + 0.64), rel=1e-9)


def test_implicit_differentiation() -> None:
    """Protects a solver without a bound on its steps whose derivative its author knows: of the
    equation, not of the steps; to second order, and inside another loop."""

    @gx.custom_gradient
    def root(a: Node) -> object:
        y = gx.while_loop(
            lambda y: gx.abs(y * y - a) > 1e-14 * a, lambda y: (y + a / y) / 2, gx.ones_like(a)
        )
        return y, lambda g: g / (2 * y)  # y y = a, so 2 y dy = da

    a = gx.input("a", (), "float64")
    y = root(a)
    found = both([a], [y, gx.grad(y, a), gx.grad(gx.grad(y, a), a)], [5.0])
    np.testing.assert_allclose(found, [5**0.5, 0.5 * 5**-0.5, -0.25 * 5**-1.5], rtol=1e-12)
    last, _ = gx.scan(lambda c, _: (root(c + a), None), a, length=3)
    value = np.sqrt(5 + np.sqrt(5 + np.sqrt(10.0)))
    (slope,) = both([a], [gx.grad(last, a)], [5.0])
    middle, first = np.sqrt(5 + np.sqrt(10.0)), np.sqrt(10.0)
    expected = (1 + (1 + 2 / (2 * first)) / (2 * middle)) / (2 * value)
    assert slope == pytest.approx(expected, rel=1e-10)


def test_the_gradient_of_a_learning_rate() -> None:
    """Protects a derivative through training: a quadratic bowl, where descent is a power."""
    x, rate = gx.input("x", (2,), "float64"), gx.input("rate", (), "float64")
    curve = gx.const(np.array([1.0, 3.0]))

    def step(place: Node, _: None) -> tuple[Node, None]:
        return place - rate * gx.grad(gx.sum(curve * place * place) / 2, place), None

    for options in ({}, {"checkpoint": 3}):
        last, _ = gx.scan(step, x, length=10, **options)
        loss = gx.sum(last)
        at, slope = both([x, rate], [last, gx.grad(loss, rate)], [[2.0, -1.0], 0.1])
        kept = np.array([0.9, 0.7])
        np.testing.assert_allclose(at, [2, -1] * kept**10, rtol=1e-12)
        expected = np.sum(np.array([2, -1]) * -10 * kept**9 * np.array([1, 3]))
        assert slope == pytest.approx(expected, rel=1e-11)


def leapfrog(energy: Field, q: Node, p: Node, step: float, count: int) -> tuple[Node, Node]:
    """Hamilton's equations by the leapfrog method; the gradient is taken inside the loop."""

    def advance(state: tuple[Node, Node], _: None) -> tuple[tuple[Node, Node], None]:
        q, p = state
        half = p - step / 2 * gx.grad(energy(q), q)
        q = q + step * half
        return (q, half - step / 2 * gx.grad(energy(q), q)), None

    (q, p), _ = gx.scan(advance, (q, p), length=count)
    return q, p


PRECISION = np.array([[2.0, -0.6], [-0.6, 0.5]])


def bowl(q: Node) -> Node:
    """The energy of a Gaussian."""
    return gx.vdot(q, gx.const(PRECISION) @ q) / 2


def test_leapfrog() -> None:
    """Protects the path against NumPy's, its reversibility, and the energy that it nearly keeps."""
    q, p = gx.input("q", (2,), "float64"), gx.input("p", (2,), "float64")
    there = leapfrog(bowl, q, p, 0.05, 40)
    back = leapfrog(bowl, there[0], -there[1], 0.05, 40)
    start, push = np.array([1.0, -0.5]), np.array([0.3, 0.8])
    end_q, end_p, back_q, back_p = both([q, p], [*there, *back], [start, push])
    at, momentum = start, push
    for _ in range(40):
        momentum = momentum - 0.025 * PRECISION @ at
        at = at + 0.05 * momentum
        momentum = momentum - 0.025 * PRECISION @ at
    np.testing.assert_allclose(end_q, at, rtol=1e-12)
    np.testing.assert_allclose(end_p, momentum, rtol=1e-12)
    np.testing.assert_allclose([back_q, -back_p], [start, push], rtol=1e-11)

    def total(q: np.ndarray, p: np.ndarray) -> float:
        return float(q @ PRECISION @ q + p @ p) / 2

    assert abs(total(end_q, end_p) - total(start, push)) < 1e-3


def test_hamiltonian_monte_carlo() -> None:
    """Protects a whole sampler as one native loop: draws, a gradient in a loop in a loop, a choice.
    The samples have the mean and the covariance of the Gaussian."""
    stream = gx.random.stream(5)

    def transition(q: Node, _: None) -> tuple[Node, tuple[Node, Node]]:
        p = stream.normal((2,), dtype="float64")
        new_q, new_p = leapfrog(bowl, q, p, 0.25, 8)
        before, after = bowl(q) + gx.sum(p * p) / 2, bowl(new_q) + gx.sum(new_p * new_p) / 2
        accepted = gx.log(stream.uniform((), dtype="float64")) < before - after
        q = gx.where(accepted, new_q, q)
        return q, (q, accepted)

    _, (samples, accepted) = gx.scan(transition, gx.zeros((2,), "float64"), length=20_000)
    found, moved = gx.compile([], [samples, accepted])()
    assert 0.7 < moved.mean() < 1
    np.testing.assert_allclose(found.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(found.T), np.linalg.inv(PRECISION), rtol=0.1)
    short = gx.scan(transition, gx.zeros((2,), "float64"), length=20)[1][0]
    both([], [short], [])
