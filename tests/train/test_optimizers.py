"""Optimizers: several steps against plain NumPy in float64, the form of the updates, and misuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DisconnectedError, DTypeError, GraphcError, ShapeError
from graphc.ir.node import Node
from graphc.train.optimizers import Optimizer, Updates, adam, momentum, sgd

STEPS = 12
RNG = np.random.default_rng(0)
FEATURES, TARGETS = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 2))
START = {"W": RNG.normal(size=(4, 2)), "b": RNG.normal(size=2)}

Values = dict[str, np.ndarray]


def least_squares(dtype: str = "float64") -> tuple[Node, list[Node]]:
    """The loss mean((x W + b - t)^2 / 2 summed over outputs), and its parameters."""
    W, b = (gx.param(name, START[name], dtype) for name in ("W", "b"))
    error = gx.const(FEATURES, dtype) @ W + b - gx.const(TARGETS, dtype)
    return gx.mean(gx.sum(gx.square(error), axis=1)) / 2, [W, b]


def gradients(at: Values) -> Values:
    """The gradients of the same loss, by hand."""
    error = FEATURES @ at["W"] + at["b"] - TARGETS
    return {"W": FEATURES.T @ error / len(error), "b": error.mean(axis=0)}


def apply(updates: Updates) -> None:
    """One step: all new values from the old ones, then all stored."""
    new = gx.evaluate(list(updates.values()))
    for node, value in zip(updates, new, strict=True):
        node.value = value


def trajectory(optimizer: Optimizer, dtype: str = "float64") -> Iterator[Values]:
    loss, parameters = least_squares(dtype)
    updates = optimizer(loss, parameters)
    for _ in range(STEPS):
        apply(updates)
        yield {node.name: node.value for node in parameters}


def check(optimizer: Optimizer, by_hand: Callable[[], Iterator[Values]]) -> None:
    for found, expected in zip(trajectory(optimizer), by_hand(), strict=True):
        for name in START:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-11, atol=1e-13)


# --- against NumPy ---


def test_sgd() -> None:
    """W <- W - rate * dW."""

    def by_hand() -> Iterator[Values]:
        at = dict(START)
        for _ in range(STEPS):
            g = gradients(at)
            at = {name: at[name] - 0.1 * g[name] for name in at}
            yield at

    check(sgd(0.1), by_hand)


def test_momentum() -> None:
    """Polyak's heavy ball, as Sutskever writes it: v <- mu v - rate dW, W <- W + v."""

    def by_hand() -> Iterator[Values]:
        at, v = dict(START), {name: np.zeros_like(START[name]) for name in START}
        for _ in range(STEPS):
            g = gradients(at)
            v = {name: 0.8 * v[name] - 0.1 * g[name] for name in at}
            at = {name: at[name] + v[name] for name in at}
            yield at

    check(momentum(0.1, decay=0.8), by_hand)


def test_nesterov() -> None:
    """Sutskever's form, gradient at the point ahead: that point is what the optimizer carries."""

    def by_hand() -> Iterator[Values]:
        at, v = dict(START), {name: np.zeros_like(START[name]) for name in START}
        for _ in range(STEPS):
            g = gradients({name: at[name] + 0.8 * v[name] for name in at})
            v = {name: 0.8 * v[name] - 0.1 * g[name] for name in at}
            at = {name: at[name] + v[name] for name in at}
            yield {name: at[name] + 0.8 * v[name] for name in at}

    check(momentum(0.1, decay=0.8, nesterov=True), by_hand)


def adam_by_hand(rate: float, beta1: float, beta2: float, epsilon: float) -> Iterator[Values]:
    """Algorithm 1 of Kingma and Ba, line by line."""
    theta = dict(START)
    m = {name: np.zeros_like(START[name]) for name in START}
    v = {name: np.zeros_like(START[name]) for name in START}
    for t in range(1, STEPS + 1):
        g = gradients(theta)
        for name in START:
            m[name] = beta1 * m[name] + (1 - beta1) * g[name]
            v[name] = beta2 * v[name] + (1 - beta2) * g[name] ** 2
            m_hat, v_hat = m[name] / (1 - beta1**t), v[name] / (1 - beta2**t)
            theta[name] = theta[name] - rate * m_hat / (np.sqrt(v_hat) + epsilon)
        yield dict(theta)


@pytest.mark.parametrize(
    "settings",
    [
        (1e-3, 0.9, 0.999, 1e-8),
        (0.05, 0.5, 0.9, 1e-3),
        (0.05, 0.0, 0.999, 1e-8),
        (0.05, 0.9, 0.0, 1e-2),
        (0.05, 0.0, 0.0, 1e-2),
    ],
)
def test_adam(settings: tuple[float, float, float, float]) -> None:
    """The paper's algorithm, also where a moment remembers nothing."""
    check(adam(*settings), lambda: adam_by_hand(*settings))


@pytest.mark.parametrize(
    ("optimizer", "by_hand"),
    [(adam(1e-3), lambda: adam_by_hand(1e-3, 0.9, 0.999, 1e-8))],
)
def test_adam_in_float32_keeps_its_first_steps(optimizer: Optimizer, by_hand: Any) -> None:
    """1 - 0.999**t as a power in float32 would be off by 6e-5; the step must not be."""
    before = START
    for found, expected in zip(trajectory(optimizer, "float32"), by_hand(), strict=True):
        for name in START:
            step = (found[name] - before[name])[np.abs(before[name]) < 1]
            wanted = (expected[name] - before[name])[np.abs(before[name]) < 1]
            # Steps of 1e-3 on values below 1, which carry 6e-8 of rounding themselves.
            np.testing.assert_allclose(step, wanted, rtol=0, atol=3e-7 * STEPS)
        assert found["W"].dtype == np.float32


def test_adams_correction_is_exact_in_float32() -> None:
    """With one constant gradient, every step of Adam is the rate, to float32's rounding."""
    W = gx.param("W", np.zeros(3, np.float32))
    updates = adam(1e-3, epsilon=1e-30)(gx.sum(W * np.float32([3.0, -0.02, 500.0])), [W])
    for t in range(1, 30):
        apply(updates)
        np.testing.assert_allclose(
            W.value, np.array([-1, -1, -1]) * [1, -1, 1] * 1e-3 * t, rtol=2e-6
        )


# --- the form of the updates ---


def test_sgd_is_written_for_the_compiler() -> None:
    """W - rate * dW to the node, so that a product can be added into W in place."""
    loss, (W, b) = least_squares("float32")
    dW, db = gx.grad(loss, [W, b])
    assert sgd(0.1)(loss, [W, b]) == {W: W - 0.1 * dW, b: b - 0.1 * db}


@pytest.mark.parametrize(
    "optimizer", [sgd(0.1), momentum(0.1), momentum(0.1, 0.5, True), adam(0.1)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_have_the_type_of_what_they_update(optimizer: Optimizer, dtype: str) -> None:
    """No constant or counter changes a shape or widens float32."""
    updates = optimizer(*least_squares(dtype))
    for node, new in updates.items():
        assert (node.dtype, node.shape) == (new.dtype, new.shape)


def test_states_are_named_after_their_parameters() -> None:
    """So that a file of them can be read."""
    loss, parameters = least_squares()
    assert [n.name for n in momentum(0.1)(loss, parameters)] == [
        "W", "W.velocity", "b", "b.velocity",
    ]  # fmt: skip
    names = {node.name for node in adam()(loss, parameters)}
    assert names == {
        "W", "W.first_moment", "W.second_moment", "b", "b.first_moment", "b.second_moment",
        "adam.step",
    }  # fmt: skip


def test_each_use_has_states_of_its_own() -> None:
    """Two trainings with one optimizer do not share moments."""
    loss, parameters = least_squares()
    rule = momentum(0.1)
    assert len({*rule(loss, parameters), *rule(loss, parameters)}) == 2 + 4


def test_adam_counts_its_steps_as_an_integer() -> None:
    """A float32 count would stop at 2**24."""
    updates = adam()(*least_squares("float32"))
    (count,) = [node for node in updates if node.name == "adam.step"]
    assert str(count.dtype) == "int64"
    count.value = 2**24 + 5
    apply(updates)
    assert count.value == 2**24 + 6


def test_gradients_may_come_from_elsewhere() -> None:
    """Clipped, scaled or averaged gradients go in by `from_gradients`."""
    loss, (W, _) = least_squares()
    dW = gx.grad(loss, W)
    clipped = gx.clip(dW, -0.01, 0.01)
    assert sgd(0.1).from_gradients({W: clipped}) == {W: W - 0.1 * clipped}


def test_an_update_can_be_differentiated() -> None:
    """Symbolic all the way: the loss after a step, as a function of the rate."""
    loss, (W, b) = least_squares()
    rate = gx.state("rate", 0.1, dtype="float64")
    after = sgd(rate)(loss, [W, b])[W]
    slope = gx.evaluate(gx.grad(gx.sum(after), rate))
    assert slope == pytest.approx(-gradients(START)["W"].sum())


# --- rates ---


def test_a_rate_may_be_a_state() -> None:
    """A schedule is an update of that state; setting it by hand works too."""
    loss, (W, b) = least_squares()
    rate = gx.state("rate", 0.5, dtype="float64")
    updates = {**sgd(rate)(loss, [W, b]), rate: rate * 0.5}
    at = dict(START)
    for step in range(3):
        apply(updates)
        g = gradients(at)
        at = {name: at[name] - 0.5 * 0.5**step * g[name] for name in at}
        np.testing.assert_allclose(W.value, at["W"], rtol=1e-12)


@pytest.mark.parametrize("rule", [sgd, momentum, adam])
def test_a_wide_rate_does_not_widen_the_parameters(rule: Callable[..., Optimizer]) -> None:
    """float32 never becomes float64 unasked."""
    loss, parameters = least_squares("float32")
    rate = gx.state("rate", 0.1, dtype="float64")
    for node, new in rule(rate)(loss, parameters).items():
        assert node.dtype is new.dtype


def test_equal_settings_print_equally() -> None:
    """What a run was made with can be read from its optimizer."""
    assert repr(sgd(0.1)) == "sgd(rate=0.1)"
    assert repr(momentum(0.1, nesterov=True)) == "momentum(rate=0.1, decay=0.9, nesterov=True)"
    assert repr(adam()) == "adam(rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"


# --- misuse ---


def test_disconnected_parameters_are_all_named() -> None:
    """One error tells everything that is to be left out, with the user's line."""
    loss, (W, b) = least_squares()
    lost, gone = gx.param("lost", [1.0]), gx.param("gone", 2.0)
    with pytest.raises(DisconnectedError, match=r"adam: .*'lost', 'gone'.*test_optimizers.py"):
        adam()(loss, [W, lost, b, gone])


def test_a_parameter_behind_an_index_has_no_gradient() -> None:
    """It is in the graph, but no derivative reaches it."""
    W = gx.param("W", [1.0, 2.0])
    v = gx.param("v", 1.0)
    loss = v * gx.cast(gx.argmax(W, axis=0), "float32")
    with pytest.raises(GraphcError, match="W|argmax"):
        sgd(0.1)(loss, [v, W])


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), True, "0.1", None, [0.1]])
@pytest.mark.parametrize("rule", [sgd, momentum, adam])
def test_bad_rates(rule: Callable[..., Optimizer], rate: object) -> None:
    """A rate is a finite number >= 0 or a scalar node."""
    with pytest.raises(ArgumentError, match=r"expected a rate that is .*got.*test_optimizers.py"):
        rule(rate)


def test_bad_rate_nodes() -> None:
    """A vector, or integers."""
    with pytest.raises(ShapeError, match=r"sgd: expected a scalar rate, got \(3,\)"):
        sgd(gx.input("r", (3,)))
    with pytest.raises(DTypeError, match="adam: expected a float rate, got int64"):
        adam(gx.state("r", 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: momentum(0.1, decay=1.0), "momentum: expected 0 <= decay < 1, got 1.0"),
        (lambda: momentum(0.1, decay=float("nan")), "0 <= decay < 1, got nan"),
        (lambda: adam(beta1=1), "adam: expected 0 <= beta1 < 1, got 1"),
        (lambda: adam(beta2=-0.1), "0 <= beta2 < 1, got -0.1"),
        (lambda: adam(epsilon=0), "finite epsilon > 0, got 0"),
        (lambda: adam(epsilon=None), "finite epsilon > 0, got None"),
    ],
)
def test_bad_settings(make: Callable[[], Optimizer], message: str) -> None:
    """Each names the argument, its range and what came."""
    with pytest.raises(ArgumentError, match=message):
        make()


def test_bad_losses_and_parameters() -> None:
    """None, a repeated one, an input, integers; a loss that is no scalar or no node."""
    loss, (W, b) = least_squares()
    x, k = gx.input("x", ("n",)), gx.param("k", [1, 2])
    cases: list[tuple[Any, Any, type[Exception], str]] = [
        (loss, [], ArgumentError, "sgd: expected at least one parameter"),
        (loss, [W, b, W], ArgumentError, "each parameter once, got <param W"),
        (loss, [x], ArgumentError, "expected parameters, got <input x"),
        (loss, [3.0], ArgumentError, "expected parameters, got 3.0"),
        (loss, [k], DTypeError, "cannot train <param k.*expected floats"),
        (gx.square(W), [W], ShapeError, r"expected a scalar, got shape \(4, 2\)"),
        (1.0, [W], ArgumentError, "expected a loss that is a node, got float"),
    ]
    for bad_loss, parameters, error, message in cases:
        with pytest.raises(error, match=message):
            sgd(0.1)(bad_loss, parameters)
