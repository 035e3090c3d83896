"""Builders of graphs for neural networks: layers, activations, losses, initial values.

They make nodes and nothing else; `graphc.train` and `graphc.compiler` run them.
"""

from __future__ import annotations

from graphc.nn import init as init
from graphc.nn.activations import (
    elu,
    gelu,
    leaky_relu,
    linear,
    relu,
    sigmoid,
    silu,
    softplus,
    swish,
    tanh,
)
from graphc.nn.dropout import dropout
from graphc.nn.layers import Dense, Sequential, parameters
from graphc.nn.losses import (
    l2_penalty,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)
from graphc.ops import log_softmax, softmax

__all__ = [
    "Dense",
    "Sequential",
    "dropout",
    "elu",
    "gelu",
    "init",
    "l2_penalty",
    "leaky_relu",
    "linear",
    "log_softmax",
    "parameters",
    "relu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "squared_error",
    "swish",
    "tanh",
]
