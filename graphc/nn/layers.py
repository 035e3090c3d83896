"""Layers: functions from a node to a node that declare the parameters they need.

Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import graphc.nn.init as init
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dtype import as_dtype, default_float
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.ir.traverse import topological
from graphc.nn.activations import activation_named
from graphc.ops import param
from graphc.ops.source import as_node, param_op

Layer = Callable[[Node], Node]
WeightInit = Callable[..., Any]

# Activations that pass about half of a centred signal, for which He's variance was derived.
_HALVING = frozenset(["relu", "leaky_relu", "elu", "gelu", "silu", "swish"])


def default_init(activation: object) -> WeightInit:
    """What a layer's weights are drawn by where nothing else is asked for."""
    named = isinstance(activation, str) and activation in _HALVING
    return init.he_normal if named else init.glorot_normal


class Dense:
    """A fully connected layer: activation(x @ weight + bias).

    Args: `inputs` and `units`, the lengths of the last axis before and after; `activation`, a name
    or a function of a node; `name`, with which the names of both parameters begin;
    `weight_init(shape, seed=, dtype=)`, by default `init.he_normal` before relu and its kin and
    `init.glorot_normal` before all else. The bias begins at 0; `bias=False` leaves it out.

    The parameters are declared once, so a layer called twice shares them.

    >>> from graphc.ops import input
    >>> layer = Dense(64, 32, activation="relu", seed=0, name="layer1")
    >>> layer(input("x", ("n", 64)))
    <relu: float32 (n, 32)>
    >>> layer.weight, layer.bias
    (<param layer1.weight: float32 (64, 32)>, <param layer1.bias: float32 (32,)>)
    """

    weight: Node
    bias: Node | None

    @at_user_line
    def __init__(
        self,
        inputs: int,
        units: int,
        activation: str | Layer = "linear",
        *,
        seed: int = 0,
        name: str = "dense",
        bias: bool = True,
        weight_init: WeightInit | None = None,
        dtype: object = None,
    ) -> None:
        self.inputs = _length("Dense", "inputs", inputs)
        self.units = _length("Dense", "units", units)
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"Dense: expected a name, a nonempty string; got {name!r}")
        self.name = name
        self.activation = activation
        self._activate = activation_named(activation)
        if weight_init is None:
            weight_init = default_init(activation)
        chosen = default_float() if dtype is None else as_dtype(dtype)
        weight = np.asarray(weight_init((self.inputs, self.units), seed=seed, dtype=chosen))
        if weight.shape != (self.inputs, self.units):
            raise ShapeError(
                f"Dense {name!r}: expected weight_init to give shape {(self.inputs, self.units)}, "
                f"got {weight.shape}"
            )
        self.weight = param(f"{name}.weight", weight, chosen)
        self.bias = param(f"{name}.bias", init.zeros(self.units, chosen)) if bias else None

    @property
    def parameters(self) -> list[Node]:
        """The weight, and the bias if there is one."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    @at_user_line
    def __call__(self, x: object) -> Node:
        """The layer on x of shape (..., inputs): a node of shape (..., units)."""
        node = as_node(x)
        if node.ndim == 0 or node.shape[-1] != self.inputs:
            raise ShapeError(
                f"{self!r}: expected a last axis of {self.inputs}, got shape "
                f"{shape_text(node.shape)}"
            )
        product = node @ self.weight
        return self._activate(product if self.bias is None else product + self.bias)

    def __repr__(self) -> str:
        shown = layer_name(self.activation)
        return f"Dense({self.inputs}, {self.units}, activation={shown!r}, name={self.name!r})"


class Sequential:
    """Layers, each applied to the result of the one before.

    A layer is any function from a node to a node: a Dense, `nn.relu`, a lambda, a Sequential.

    >>> from graphc.ops import input, tanh
    >>> model = Sequential(Dense(2, 3, name="hidden"), tanh, Dense(3, 1, name="output"))
    >>> model(input("x", ("n", 2))).shape, [node.name for node in model.parameters]
    ((n, 1), ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias'])
    """

    @at_user_line
    def __init__(self, *layers: Layer) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError(
                    f"Sequential: expected functions of a node, got {layer!r} at {position}"
                )
        self.layers = layers

    @property
    def parameters(self) -> list[Node]:
        """The parameters of all layers that have some, in the order of the layers, each once."""
        found = [node for layer in self.layers for node in getattr(layer, "parameters", ())]
        return list(dict.fromkeys(found))

    @at_user_line
    def __call__(self, x: object) -> Node:
        """All layers on x, in order."""
        node = as_node(x)
        for position, layer in enumerate(self.layers):
            result = layer(node)
            if not isinstance(result, Node):
                raise ArgumentError(
                    f"Sequential: expected layer {position}, {layer_name(layer)}, to give a node, "
                    f"got {type(result).__name__}"
                )
            node = result
        return node

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, position: int) -> Layer:
        return self.layers[position]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(layer_name, self.layers))})"


@at_user_line
def parameters(y: Node | Iterable[Node]) -> list[Node]:
    """The parameters that a node, or any of several, depends on, in the order of their declaration.

    >>> from graphc.ops import param
    >>> W, b = param("W", 2.0), param("b", 1.0)
    >>> [node.name for node in parameters(b + 3.0 * W)]
    ['W', 'b']
    """
    roots = [y] if isinstance(y, Node) else list(y)
    for root in roots:
        if not isinstance(root, Node):
            raise ArgumentError(f"parameters: expected nodes, got {type(root).__name__}")
    found = [node for node in topological(roots) if node.op is param_op]
    return sorted(found, key=_declared_at)


def _declared_at(node: Node) -> int:
    declared = node.declaration
    assert declared is not None
    return declared.number


def layer_name(layer: object) -> str:
    """How a layer or an activation is called in a text: by its name, or as it is made."""
    if isinstance(layer, str):
        return layer
    if not isinstance(layer, type) and hasattr(layer, "parameters"):
        return repr(layer)
    inner = getattr(layer, "__wrapped__", layer)  # an operation, behind what locates its errors
    return str(getattr(inner, "__name__", None) or getattr(inner, "name", None) or repr(layer))


def _length(where: str, argument: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{where}: expected {argument} to be an integer >= 1, got {value!r}")
    return int(value)
