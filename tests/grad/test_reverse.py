"""Back-propagation as a transformation of graphs: its size, its table, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DisconnectedError, DTypeError, GradientError, ShapeError
from graphc.grad.reverse import gradient_table
from graphc.ir.node import Node
from graphc.ir.traverse import topological


def chain(stages: int) -> tuple[Node, Node]:
    """x, and tanh applied to it again and again."""
    x = gx.input("x")
    y = x
    for _ in range(stages):
        y = gx.tanh(y)
    return x, y


def ladder(stages: int) -> tuple[Node, Node]:
    """x, and diamonds one above the other: the number of paths doubles with each."""
    x = gx.input("x")
    y = x
    for _ in range(stages):
        y = gx.sin(y) * gx.cos(y)
    return x, y


@pytest.mark.parametrize("build", [chain, ladder])
def test_nodes_of_a_gradient_grow_linearly(build: object) -> None:
    """Each node is differentiated once, however many paths lead through it."""
    sizes = []
    for stages in (10, 20, 30, 40):
        x, y = build(stages)  # type: ignore[operator]
        sizes.append(len(topological([gx.grad(y, x)])))
    steps = np.diff(sizes)
    assert len(set(steps.tolist())) == 1
    assert steps[0] <= 10 * 12


def test_shares_that_meet_are_summed() -> None:
    """A node used three times gets the sum of three shares."""
    x = gx.input("x", dtype="float64")
    y = x * 2.0 + gx.sin(x) + x * x
    found = gx.evaluate(gx.grad(y, x), {x: 0.5})
    np.testing.assert_allclose(found, 2 + np.cos(0.5) + 1.0)


def test_the_table_holds_only_what_lies_between() -> None:
    """Nodes that do not depend on the target, or that the output does not depend on, get no
    gradient."""
    x, z = gx.input("x"), gx.input("z")
    side = gx.exp(z)
    middle = gx.sin(x)
    gx.cos(middle)
    y = middle * side
    table = gradient_table(y, gx.const(1.0), [x])
    assert set(table) == {x, middle, y}


def test_gradient_with_respect_to_an_intermediate_node() -> None:
    """Any node that the output depends on is a target; what lies below it is not entered."""
    x = gx.input("x", dtype="float64")
    hidden = gx.tanh(x)
    y = hidden * hidden * hidden
    np.testing.assert_allclose(
        gx.evaluate(gx.grad(y, hidden), {x: 0.3}), 3 * np.tanh(0.3) ** 2, rtol=1e-12
    )


def test_targets_one_above_the_other() -> None:
    """A target that depends on another target passes its gradient on."""
    x = gx.input("x", dtype="float64")
    hidden = gx.sin(x)
    dx, dhidden = gx.grad(hidden * hidden, [x, hidden])
    found = gx.evaluate([dx, dhidden], {x: 0.4})
    np.testing.assert_allclose(found, [2 * np.sin(0.4) * np.cos(0.4), 2 * np.sin(0.4)])


def test_higher_derivatives() -> None:
    """A gradient is a graph and can be differentiated: the fourth derivative of x**16 and of
    tanh."""
    x = gx.input("x", dtype="float64")
    y: Node = x**16
    t: Node = gx.tanh(x)
    for _ in range(4):
        y, t = gx.grad(y, x), gx.grad(t, x)
    np.testing.assert_allclose(gx.evaluate(y, {x: 1.1}), 16 * 15 * 14 * 13 * 1.1**12, rtol=1e-12)
    s, c = np.tanh(0.7), 1 - np.tanh(0.7) ** 2
    np.testing.assert_allclose(
        gx.evaluate(t, {x: 0.7}), 8 * c * s * (2 * c - s * s) * 1.0, rtol=1e-10
    )


def test_results_of_a_tuple_are_differentiated_together() -> None:
    """Both results of slogdet are used; only the logarithm has a derivative."""
    a = gx.input("a", (2, 2), "float64")
    sign, logdet = gx.slogdet(a)
    value = np.array([[2.0, 0.5], [0.1, 3.0]])
    found = gx.evaluate(gx.grad(sign * logdet, a), {a: value})
    np.testing.assert_allclose(found, np.linalg.inv(value).T)


def test_stop_gradient_is_a_constant() -> None:
    """d/dx of x * stop(x) is stop(x)."""
    x = gx.input("x")
    assert gx.evaluate(gx.grad(x * gx.stop_gradient(x), x), {x: 3.0}) == 3.0


def test_refusals_say_what_was_expected() -> None:
    """Each misuse has an error of its own, with the user's line."""
    x, k = gx.input("x", (3,)), gx.input("k", (3,), "int64")
    with pytest.raises(ShapeError, match=r"expected a scalar, got shape \(3,\).*test_reverse.py"):
        gx.grad(x, x)
    with pytest.raises(DTypeError, match="not floats"):
        gx.grad(gx.sum(x), k)
    with pytest.raises(DisconnectedError, match="does not depend"):
        gx.grad(gx.sum(x), gx.input("other"))
    with pytest.raises(ArgumentError, match="disconnected"):
        gx.grad(gx.sum(x), x, disconnected="quietly")
    with pytest.raises(GradientError, match="through differentiable operations"):
        gx.grad(gx.sum(gx.cast(x > 0, "float32") * gx.cast(gx.equal(x, 1), "float32")), x)
    assert gx.evaluate(gx.grad(gx.sum(x), gx.input("z"), disconnected="zero")) == 0


def test_vjp_with_a_given_cotangent() -> None:
    """The gradient of sum(cotangent * y), and an error for a cotangent of another shape."""
    x = gx.input("x", (3,), "float64")
    v = np.array([1.0, -2.0, 0.5])
    found = gx.evaluate(gx.vjp(gx.exp(x), x, v), {x: np.zeros(3)})
    np.testing.assert_allclose(found, v)
    with pytest.raises(ShapeError, match="cotangent"):
        gx.vjp(gx.exp(x), x, np.ones(4))
