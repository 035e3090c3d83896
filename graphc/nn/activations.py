"""Activations: functions of a node, applied to each element, all composed of operations.

Where a function has a corner, its docstring says which slope is taken there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops import (
    erf,
    expm1,
    greater,
    greater_equal,
    minimum,
    relu,
    sigmoid,
    softplus,
    square,
    tanh,
    where,
)
from graphc.ops.source import as_node

Activation = Callable[[Node], Node]

__all__ = [
    "Activation",
    "activation_named",
    "elu",
    "gelu",
    "leaky_relu",
    "linear",
    "relu",
    "sigmoid",
    "silu",
    "softplus",
    "swish",
    "tanh",
]


def linear(x: object) -> Node:
    """x itself: a layer without an activation."""
    return as_node(x)


@at_user_line
def leaky_relu(x: object, slope: float = 0.01) -> Node:
    """x where it is positive, slope * x elsewhere; the derivative at 0 is `slope`.

    A. L. Maas, A. Y. Hannun and A. Y. Ng: Rectifier nonlinearities improve neural network acoustic
    models, ICML 2013.
    """
    node = as_node(x)
    return where(greater(node, 0), node, _finite("leaky_relu", "slope", slope) * node)


@at_user_line
def elu(x: object, alpha: float = 1.0) -> Node:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere; the derivative at 0 is 1.

    D.-A. Clevert, T. Unterthiner and S. Hochreiter: Fast and accurate deep network learning by
    exponential linear units, ICLR 2016.
    """
    node = as_node(x)
    # The branch not taken is computed too: an exp that overflowed would make the gradient 0 * inf.
    below = _finite("elu", "alpha", alpha) * expm1(minimum(node, 0))
    return where(greater_equal(node, 0), node, below)


@at_user_line
def gelu(x: object, approximate: bool = False) -> Node:
    """x times the probability that a standard normal number lies below x; smooth.

    `approximate=True` takes tanh instead of erf, at most 5e-4 away. D. Hendrycks and K. Gimpel:
    Gaussian error linear units, arXiv:1606.08415, 2016.
    """
    node = as_node(x)
    if approximate:
        inner = math.sqrt(2 / math.pi) * (node + 0.044715 * (node * square(node)))
        return 0.5 * node * (1 + tanh(inner))
    return 0.5 * node * (1 + erf(node * math.sqrt(0.5)))


@at_user_line
def silu(x: object) -> Node:
    """x * sigmoid(x), also called swish; smooth.

    S. Elfwing, E. Uchibe and K. Doya: Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107, 2018; P. Ramachandran, B. Zoph and
    Q. V. Le: Searching for activation functions, arXiv:1710.05941, 2017.
    """
    node = as_node(x)
    return node * sigmoid(node)


swish = silu

_NAMED: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "swish": swish,
}


def activation_named(activation: object) -> Activation:
    """The activation of a name, or the function itself; ArgumentError lists the names."""
    if isinstance(activation, str) and activation in _NAMED:
        return _NAMED[activation]
    if callable(activation):
        return activation
    raise ArgumentError(
        f"expected a function of a node or one of the activations {', '.join(_NAMED)}; "
        f"got {activation!r}"
    )


def _finite(function: str, argument: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ArgumentError(f"{function}: expected a finite number {argument}, got {value!r}")
    return float(value)
