"""Activations: their values, their slopes, and both on inputs where formulas break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphc as gx
from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.nn import activations

POINTS = np.array([-30.0, -4.0, -1.5, -0.3, -1e-6, 1e-6, 0.2, 1.0, 2.5, 30.0])
HUGE = np.array([-1e300, -1000.0, -50.0, 0.0, 50.0, 1000.0])

FORMULAS: dict[str, Callable[[np.ndarray], Any]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "swish": lambda x: x * special.expit(x),
}


def slope(function: Callable[[Node], Node], at: np.ndarray) -> np.ndarray:
    """The derivative of an elementwise function at each point."""
    x = gx.input("x", ("n",), dtype="float64")
    return np.asarray(gx.evaluate(gx.grad(gx.sum(function(x)), x), {x: at}))


def test_every_name_has_a_formula_here() -> None:
    """No activation goes untested."""
    assert set(activations._NAMED) == set(FORMULAS)


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_slope(name: str) -> None:
    """The value is the formula's in float64, the derivative that of the formula by differences."""
    function = activations.activation_named(name)
    x = gx.input("x", ("n",), dtype="float64")
    value = gx.evaluate(function(x), {x: POINTS})
    # 0.5 * x * (1 + erf) cancels in the far negative tail of gelu: absolute there, not relative.
    np.testing.assert_allclose(value, FORMULAS[name](POINTS), rtol=1e-12, atol=1e-14)
    step = 1e-7
    difference = (FORMULAS[name](POINTS + step) - FORMULAS[name](POINTS - step)) / (2 * step)
    np.testing.assert_allclose(slope(function, POINTS), difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FORMULAS)
def test_huge_inputs_stay_finite(name: str) -> None:
    """No branch that is not taken turns a value or a slope into NaN."""
    function = activations.activation_named(name)
    x = gx.input("x", ("n",), dtype="float64")
    assert np.isfinite(gx.evaluate(function(x), {x: HUGE})).all()
    slopes = slope(function, HUGE)
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes) <= 1.2).all()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (gx.nn.relu, 0.0),
        (gx.nn.leaky_relu, 0.01),
        (gx.nn.elu, 1.0),
        (gx.nn.gelu, 0.5),
        (gx.nn.silu, 0.5),
    ],
)
def test_the_slope_at_zero_is_the_documented_one(
    function: Callable[[Node], Node], expected: float
) -> None:
    """At the corner, and at -0.0 as at 0.0."""
    assert slope(function, np.array([0.0, -0.0])).tolist() == [expected, expected]


def test_elu_is_smooth_where_alpha_is_one() -> None:
    """The clamp that guards exp does not halve the slope at 0, from either side."""
    around = np.array([-1e-12, 0.0, 1e-12])
    np.testing.assert_allclose(slope(gx.nn.elu, around), 1.0, rtol=1e-11)


def test_parameters_of_activations() -> None:
    """Slope, alpha and the tanh form of gelu do what they say."""
    x = gx.input("x", ("n",), dtype="float64")
    values = np.linspace(-8, 8, 1001)
    leaky = gx.evaluate(gx.nn.leaky_relu(x, slope=0.2), {x: values})
    np.testing.assert_allclose(leaky, np.where(values > 0, values, 0.2 * values))
    elu = gx.evaluate(gx.nn.elu(x, alpha=2.0), {x: values})
    np.testing.assert_allclose(elu, np.where(values > 0, values, 2 * np.expm1(values)))
    exact, near = gx.evaluate([gx.nn.gelu(x), gx.nn.gelu(x, approximate=True)], {x: values})
    assert 0 < np.abs(exact - near).max() < 5e-4


def test_float32_stays_float32() -> None:
    """No constant in a formula widens its argument."""
    x = gx.input("x", ("n",))
    for name in FORMULAS:
        assert str(activations.activation_named(name)(x).dtype) == "float32"


def test_activations_by_name_or_function() -> None:
    """Names are looked up, functions pass, all else is refused with the list of names."""
    assert activations.activation_named("relu") is gx.nn.relu
    assert activations.activation_named(gx.tanh) is gx.tanh
    for wrong in ("Relu", "__import__", "", None, 3):
        with pytest.raises(ArgumentError, match="activations linear, relu, .*; got"):
            activations.activation_named(wrong)
    with pytest.raises(ArgumentError, match="leaky_relu: expected a finite number slope"):
        gx.nn.leaky_relu(gx.input("x"), slope=float("nan"))
