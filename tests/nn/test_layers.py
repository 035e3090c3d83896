"""Layers: the graph they build, the parameters they declare, and misuse."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, GraphcError, ShapeError
from graphc.nn import Dense, Sequential, init, parameters


def test_dense_is_activation_of_an_affine_map() -> None:
    """The value is the formula's, for rows and for batches of rows."""
    layer = Dense(4, 3, activation="tanh", seed=5)
    layer.bias.value = [0.1, -0.2, 0.3]
    for shape in (("n", 4), (2, "n", 4)):
        x = gx.input("x", shape)
        values = np.random.default_rng(0).normal(size=(2, 5, 4)[3 - len(shape) :]).astype("f4")
        expected = np.tanh(values @ layer.weight.value + layer.bias.value)
        np.testing.assert_allclose(gx.evaluate(layer(x), {x: values}), expected, rtol=1e-6)


def test_the_graph_is_what_one_would_write() -> None:
    """A layer adds nothing of its own: its result is the very node of the plain expression."""
    layer = Dense(4, 3, activation="relu")
    x = gx.input("x", ("n", 4))
    assert layer(x) is gx.relu(x @ layer.weight + layer.bias)
    assert Dense(4, 3, bias=False).bias is None
    plain = Dense(4, 3, bias=False)
    assert plain(x) is x @ plain.weight


def test_initial_values() -> None:
    """He before relu and its kin, Glorot elsewhere, by the seed; zero bias; or as asked."""
    he, glorot = init.he_normal((8, 4), seed=3), init.glorot_normal((8, 4), seed=3)
    for activation in ("relu", "leaky_relu", "elu", "gelu", "silu"):
        assert (Dense(8, 4, activation, seed=3).weight.value == he).all()
    for plain in ("linear", "tanh", "sigmoid", gx.relu):
        assert (Dense(8, 4, plain, seed=3).weight.value == glorot).all()
    chosen = Dense(8, 4, weight_init=init.uniform, seed=3)
    assert (chosen.weight.value == init.uniform((8, 4), seed=3)).all()
    assert not chosen.bias.value.any()


def test_names_and_dtypes() -> None:
    """Parameters are named after the layer and have one dtype, whatever weight_init returns."""
    layer = Dense(3, 2, name="h1", dtype="float64")
    assert [node.name for node in layer.parameters] == ["h1.weight", "h1.bias"]
    assert {str(node.dtype) for node in layer.parameters} == {"float64"}
    wide = Dense(3, 2, weight_init=lambda shape, seed, dtype: np.ones(shape))
    assert {str(node.dtype) for node in wide.parameters} == {"float32"}


def test_a_layer_called_twice_shares_its_parameters() -> None:
    """Weight sharing: two uses, one pair of parameters, gradients that meet."""
    layer = Dense(3, 3, seed=1)
    x = gx.input("x", ("n", 3))
    y = layer(layer(x))
    assert parameters(y) == [layer.weight, layer.bias]


def test_sequential_composes() -> None:
    """Layers in order; any function of a node is one; nesting works."""
    first, second = Dense(3, 4, "relu", name="a"), Dense(4, 2, name="b")
    model = Sequential(first, Sequential(gx.nn.tanh, lambda h: 2 * h), second)
    x = gx.input("x", ("n", 3))
    assert model(x) is second(2 * gx.tanh(first(x)))
    assert model.parameters == [*first.parameters, *second.parameters]
    assert len(model) == 3
    assert model[0] is first
    assert list(model)[2] is second
    assert Sequential()(x) is x
    assert Sequential(first, first).parameters == first.parameters
    assert repr(first) == "Dense(3, 4, activation='relu', name='a')"
    assert "tanh" in repr(model)


def test_parameters_come_in_the_order_of_declaration() -> None:
    """Not in the order of use; each once; inputs, states and constants are not among them."""
    first, second = gx.param("z", 1.0), gx.param("a", 2.0)
    count = gx.state("count", 0.0)
    y = second * first + second * count + 3.0
    assert parameters(y) == [first, second]
    assert parameters([gx.exp(second), gx.exp(first)]) == [first, second]
    assert parameters(count) == []


def test_a_long_chain_is_searched_without_recursion() -> None:
    """A graph of 20,000 nodes is as good as one of ten."""
    W = gx.param("W", 1.0)
    y = W
    for _ in range(20_000):
        y = gx.sin(y)
    assert parameters(y) == [W]


def test_shapes_that_do_not_fit_name_the_layer_and_the_line() -> None:
    """The message shows both sizes and the user's own line."""
    layer = Dense(64, 32, name="hidden")
    with pytest.raises(ShapeError, match=r"'hidden'.*last axis of 64.*\(n, 63\).*test_layers.py"):
        layer(gx.input("x", ("n", 63)))
    with pytest.raises(ShapeError, match=r"got shape \(\)"):
        layer(gx.input("x"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dense(0, 3), "inputs to be an integer >= 1, got 0"),
        (lambda: Dense(3, -1), "units to be an integer >= 1, got -1"),
        (lambda: Dense(3.0, 1), "inputs to be an integer >= 1, got 3.0"),
        (lambda: Dense(True, 1), "inputs to be an integer >= 1, got True"),
        (lambda: Dense("n", 1), "inputs to be an integer >= 1, got 'n'"),
        (lambda: Dense(3, 2, activation="rleu"), "activations linear, .*got 'rleu'"),
        (lambda: Dense(3, 2, name=""), "expected a name"),
        (lambda: Dense(3, 2, name=None), "expected a name"),
        (lambda: Dense(3, 2, seed=-1), "integer seed"),
        (lambda: Dense(3, 2, weight_init=lambda shape, seed, dtype: np.ones(3)), r"\(3, 2\)"),
        (lambda: Sequential(Dense(2, 2), "relu"), "functions of a node, got 'relu' at 1"),
        (lambda: Sequential(lambda h: 3.0)(gx.input("x", (2,))), "to give a node, got float"),
        (lambda: parameters([1.0]), "expected nodes, got float"),
    ],
)
def test_misuse(build, message) -> None:
    """Each mistake says what was expected and what came, at the line that made it."""
    with pytest.raises(GraphcError, match=f"(?s){message}.*Written at .*test_layers.py"):
        build()


@pytest.mark.parametrize(
    "name", ["a'b", 'x"', "line\nbreak", "class", "__import__('os')", "λ", " "]
)
def test_any_name_is_only_a_name(name: str) -> None:
    """Quotes, newlines, keywords and code are text."""
    assert Dense(2, 2, name=name).weight.name == f"{name}.weight"


def test_misuse_is_an_argument_error() -> None:
    """Callers can catch one class for wrong arguments."""
    with pytest.raises(ArgumentError):
        Dense(0, 3)
