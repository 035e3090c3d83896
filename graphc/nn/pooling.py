"""Pooling: the largest element, or the mean, of each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.nn.convolution import Edges, padded, padding_edges
from graphc.ops import max as max_over
from graphc.ops import mean, ones, reshape
from graphc.ops import sum as sum_over
from graphc.ops import window as windows
from graphc.ops.source import as_node
from graphc.ops.windows import integers, places

_Settings = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Edges]


@at_user_line
def max_pool(
    x: object, window: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Node:
    """The largest element of each window over the last axes.

    Args: `x` of shape (n, channels, length) or (n, channels, height, width); `window`, its lengths:
    an int for all axes after the first two, or one for each of the last axes; `stride`, by default
    that of windows side by side; `padding` and `dilation` as for `nn.conv2d`; padding is never the
    largest, and each window has an element of x.

    Elements that are equal, and largest, share the derivative equally; nan is larger than all.
    Raises ShapeError where a window is longer than a padded axis.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(max_pool([[[1.0, 3.0, 2.0, 0.0, 9.0]]], 2)).tolist()
    [[[3.0, 2.0]]]
    """
    node = as_node(x)
    if node.dtype is bool_:
        raise DTypeError(f"max_pool: expected numbers, got {node.dtype}")
    sizes, steps, apart, edges = _settings("max_pool", node, window, stride, padding, dilation)
    _check_reach("max_pool", sizes, apart, edges)
    least = -np.inf if node.dtype.is_float else int(np.iinfo(node.dtype.name).min)
    seen = _windows("max_pool", padded(node, edges, least), sizes, steps, apart)
    # With its axes kept, as its derivative compares it with the elements: one reduction, not two.
    largest = max_over(seen, axis=tuple(range(-len(sizes), 0)), keepdims=True)
    return reshape(largest, seen.shape[: node.ndim])


@at_user_line
def avg_pool(
    x: object,
    window: Any,
    stride: Any = None,
    padding: Any = 0,
    count_include_pad: bool = True,
) -> Node:
    """The mean of each window over the last axes.

    Args as for `max_pool`; `count_include_pad`, whether the zeros of the padding are counted among
    the elements of a window.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(avg_pool([[[1.0, 3.0, 2.0, 0.0, 9.0]]], 2)).tolist()
    [[[2.0, 1.0]]]
    """
    node = as_node(x)
    sizes, steps, apart, edges = _settings("avg_pool", node, window, stride, padding, 1)
    inside = tuple(range(-len(sizes), 0))
    seen = _windows("avg_pool", padded(node, edges), sizes, steps, apart)
    if count_include_pad or all(edge == (0, 0) for edge in edges):
        return mean(seen, axis=inside)
    _check_reach("avg_pool", sizes, apart, edges)
    counted = ones(node.shape[node.ndim - len(sizes) :], seen.dtype)
    counts = sum_over(
        _windows("avg_pool", padded(counted, edges), sizes, steps, apart), axis=inside
    )
    return sum_over(seen, axis=inside) / counts


@at_user_line
def flatten(x: object) -> Node:
    """All axes after the first as one, for a dense layer after images.

    >>> from graphc.ops import input
    >>> flatten(input("x", ("n", 16, 5, 5))).shape
    (n, 400)
    """
    node = as_node(x)
    if node.ndim == 0:
        raise ShapeError("flatten: expected a first axis of examples, got shape ()")
    total: Any = 1
    for dim in node.shape[1:]:
        total = total * dim
    return reshape(node, (node.shape[0], total))


def _settings(
    name: str, x: Node, window: Any, stride: Any, padding: Any, dilation: Any
) -> _Settings:
    several = isinstance(window, tuple | list)
    rank = len(window) if several else x.ndim - 2
    if not 1 <= rank <= x.ndim:
        raise ShapeError(
            f"{name}: expected axes after (n, channels), or no more windows than axes; got "
            f"{window!r} for shape {shape_text(x.shape)}"
        )
    sizes = integers(name, "window", window, rank, 1)
    steps = sizes if stride is None else integers(name, "stride", stride, rank, 1)
    apart = integers(name, "dilation", dilation, rank, 1)
    spans = [(size - 1) * gap + 1 for size, gap in zip(sizes, apart, strict=True)]
    edges = padding_edges(name, padding, x.shape[x.ndim - rank :], spans, steps)
    return sizes, steps, apart, edges


def _windows(
    name: str, x: Node, sizes: tuple[int, ...], steps: tuple[int, ...], apart: tuple[int, ...]
) -> Node:
    every = zip(x.shape[x.ndim - len(sizes) :], sizes, steps, apart, strict=True)
    for length, size, step, gap in every:
        places(name, length, size, step, gap)
    return windows(x, sizes, None, steps, apart)


def _check_reach(name: str, sizes: tuple[int, ...], apart: tuple[int, ...], edges: Edges) -> None:
    """Padding of less than a window on each side leaves an element of x in each."""
    for size, gap, edge in zip(sizes, apart, edges, strict=True):
        if any(isinstance(width, int) and width > (size - 1) * gap for width in edge):
            raise ArgumentError(
                f"{name}: expected padding less than a window of {size}, got {edge}: a window "
                f"would have no element"
            )
