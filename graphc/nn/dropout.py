"""Dropout: noise in training that an evaluated model does not have."""

from __future__ import annotations

import math

from graphc.errors import ArgumentError, DTypeError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops import training, where
from graphc.ops.random import Stream
from graphc.ops.source import as_node


@at_user_line
def dropout(x: object, rate: float, stream: Stream) -> Node:
    """In training, x with each element 0 with probability `rate`, and else divided by 1 - rate.

    Dividing keeps the expected value ("inverted" dropout), so that the graph with `gx.training` off
    (`gx.inference`) is x itself. Every call takes a draw of its own from `stream`, which
    `gx.random.stream(seed)` makes; rate 0 takes none and is x. Raises ArgumentError unless
    0 <= rate < 1. N. Srivastava and others: Dropout: a simple way to prevent neural networks from
    overfitting, Journal of Machine Learning Research 15, 2014.
    """
    node = as_node(x)
    if not node.dtype.is_float:
        raise DTypeError(f"dropout: expected floats, got {node.dtype}")
    if not isinstance(stream, Stream):
        raise ArgumentError(
            f"dropout: expected a stream made by gx.random.stream(seed), got {stream!r}"
        )
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or math.isnan(rate) or not 0 <= rate < 1:
        raise ArgumentError(f"dropout: expected 0 <= rate < 1, got {rate!r}")
    if rate == 0:
        return node
    kept = stream.bernoulli(1 - rate, node.shape)
    return where(training, where(kept, node * (1 / (1 - rate)), 0.0), node)
