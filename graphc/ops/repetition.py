"""Repetition: whole arrays, or each element, several times in a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, Size, as_dim
from graphc.ir.node import Node
from graphc.ir.shape import normalize_axis, shape_text
from graphc.ops.indexing import take
from graphc.ops.layout import broadcast_to, moveaxis, ravel, reshape
from graphc.ops.source import as_node


def tile(x: object, reps: Any) -> Node:
    """`x` repeated as a whole, so many times (ints or sizes) along each axis.

    With more numbers than axes, `x` has new axes in front; with fewer, the last axes are repeated.

    >>> from graphc.ops.source import input
    >>> tile(input("x", ("n", 3)), (2, 1)).shape
    (2*n, 3)
    """
    node = as_node(x)
    several = isinstance(reps, Iterable) and not isinstance(reps, str)
    counts: list[Dim] = [as_dim(count) for count in (reps if several else (reps,))]
    rank = max(node.ndim, len(counts))
    counts = [*[1] * (rank - len(counts)), *counts]
    shape = (1,) * (rank - node.ndim) + node.shape
    apart = [d for dim in shape for d in (1, dim)]
    spread = [d for dim, count in zip(shape, counts, strict=True) for d in (count, dim)]
    whole = [count * dim for dim, count in zip(shape, counts, strict=True)]
    return reshape(broadcast_to(reshape(node, tuple(apart)), tuple(spread)), tuple(whole))


def repeat(x: object, repeats: Any, axis: int | None = None) -> Node:
    """Each element so many times in a row; of the flattened array if `axis` is None.

    Args: `repeats`, an int or a size, or a fixed array with a number for each element along the
    axis.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(repeat([1, 2], [2, 1])).tolist()
    [1, 1, 2]
    """
    node = as_node(x)
    if axis is None:
        node, axis = ravel(node), 0
    at = normalize_axis(axis, node.ndim, "repeat")
    if not isinstance(repeats, Size | str):
        counts = _counts(repeats)
        if counts.size != 1:
            return _by_counts(node, counts, at)
        repeats = int(counts.reshape(-1)[0])
    before, length, after = node.shape[:at], node.shape[at], node.shape[at + 1 :]
    count: Dim = as_dim(repeats)
    apart = reshape(node, (*before, length, 1, *after))
    spread = broadcast_to(apart, (*before, length, count, *after))
    return reshape(spread, (*before, length * count, *after))


def _counts(repeats: Any) -> np.ndarray:
    counts = np.asarray(None if isinstance(repeats, Node) else repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or np.any(counts < 0):
        raise ArgumentError(
            f"repeat: expected an int or a size >= 0, or a fixed vector of such ints; got "
            f"{repeats!r}"
        )
    return counts


def _by_counts(node: Node, counts: np.ndarray, at: int) -> Node:
    if node.shape[at] != counts.size:
        raise ShapeError(
            f"repeat: axis {at} of {shape_text(node.shape)} needs {node.shape[at]} numbers, got "
            f"{counts.size}"
        )
    places = np.repeat(np.arange(counts.size), counts)
    return moveaxis(take(moveaxis(node, at, 0), places), 0, at)
