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
from graphc.nn.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from graphc.nn.convolution_layers import (
    AvgPool,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    MaxPool,
)
from graphc.nn.dropout import dropout
from graphc.nn.layers import Dense, Sequential, parameters
from graphc.nn.losses import (
    l2_penalty,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)
from graphc.nn.pooling import avg_pool, flatten, max_pool
from graphc.ops import log_softmax, softmax

__all__ = [
    "AvgPool",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dense",
    "MaxPool",
    "Sequential",
    "avg_pool",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "dropout",
    "elu",
    "flatten",
    "gelu",
    "init",
    "l2_penalty",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool",
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
