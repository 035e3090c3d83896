"""Arrays made from nothing: constants of any shape, ramps, identity matrices, grids.

Shapes may hold symbolic sizes. None of these takes memory: kernels compute them where they are
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, Size, as_dim, floor_divide, product
from graphc.ir.dtype import DType, as_dtype, default_float, float64, int64
from graphc.ir.node import Node
from graphc.ir.shape import as_shape, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.source import as_node, const, ramp, size


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Node:
    """An array of one value, or of an array repeated to `shape`.

    >>> full(("n", 2), 7)
    <broadcast_to: int64 (n, 2)>
    """
    value = as_node(fill_value)
    return broadcast_to(value if dtype is None else cast(value, dtype), as_shape(shape))


def zeros(shape: Any, dtype: Any = None) -> Node:
    """Zeros, of the default float type unless said otherwise."""
    return broadcast_to(const(0, _float_type(dtype)), as_shape(shape))


def ones(shape: Any, dtype: Any = None) -> Node:
    """Ones, of the default float type unless said otherwise."""
    return broadcast_to(const(1, _float_type(dtype)), as_shape(shape))


def _float_type(dtype: Any) -> DType:
    return default_float() if dtype is None else as_dtype(dtype)


def zeros_like(x: object, dtype: Any = None) -> Node:
    """Zeros of the shape of `x`, and of its dtype unless said otherwise."""
    return full_like(x, 0, dtype)


def ones_like(x: object, dtype: Any = None) -> Node:
    """Ones of the shape of `x`, and of its dtype unless said otherwise."""
    return full_like(x, 1, dtype)


def full_like(x: object, fill_value: Any, dtype: Any = None) -> Node:
    """An array of one value, with the shape of `x`, and its dtype unless said otherwise."""
    node = as_node(x)
    chosen = node.dtype if dtype is None else as_dtype(dtype)
    return broadcast_to(cast(as_node(fill_value, chosen), chosen), node.shape)


def eye(n: Any, m: Any = None, k: int = 0, dtype: Any = None) -> Node:
    """Ones on the k-th diagonal of an n x m matrix of zeros (m = n by default).

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(eye(2, 3, k=1)).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    shape = (as_dim(n), as_dim(n if m is None else m))
    return cast(on_diagonal(shape, k), _float_type(dtype))


def diagonal_number(k: Any) -> int:
    """The number of a diagonal: 0 is the main one, those above are positive."""
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise ArgumentError(f"a diagonal's number k must be an integer; got {k!r}")
    return int(k)


def on_diagonal(shape: Sequence[Dim], k: Any) -> Node:
    """For the last two axes, whether an element lies on the k-th diagonal."""
    rows, columns = _places(shape)
    return scalar.equal(columns, rows + diagonal_number(k))


def below_diagonal(shape: Sequence[Dim], k: Any) -> Node:
    """For the last two axes, whether an element lies on the k-th diagonal or below it."""
    rows, columns = _places(shape)
    return scalar.less_equal(columns, rows + diagonal_number(k))


def _places(shape: Sequence[Dim]) -> tuple[Node, Node]:
    last = tuple(shape[-2:])
    return ramp(last, 0), ramp(last, 1)


# ---- ranges


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Node:
    """The numbers start, start + step, ... before stop; from 0 if one bound is given.

    Bounds are numbers or sizes: `arange("n")` is 0, 1, ..., n - 1. Whole numbers give int64,
    others the default float type, computed in float64. With a size the step is a whole number,
    and a range that would end before it begins is a ShapeError at the call.

    >>> arange("n"), arange(2, 12, 3)
    (<ramp: int64 (n,)>, <add: int64 (4,)>)
    """
    first, last = (0, start) if stop is None else (start, stop)
    first, last = (_bound("arange", first), _bound("arange", last))
    by = _number("arange", step)
    if by == 0:
        raise ArgumentError("arange: the step must not be 0")
    whole = all(isinstance(value, int | Size) for value in (first, last, by))
    chosen = as_dtype(dtype) if dtype is not None else int64 if whole else default_float()
    count = _count(first, last, by)
    if whole:
        places = ramp((count,), 0, int64)
        places = places if by == 1 else places * by
        places = places if first == 0 else places + size(first, int64)
        return cast(places, chosen)
    places = ramp((count,), 0, float64) * const(float(by), float64)
    return cast(places + const(float(first), float64), chosen)


def _bound(function: str, value: Any) -> Any:
    """A bound of a range: a size, or a Python number."""
    return as_dim(value) if isinstance(value, str | Size) else _number(function, value)


def _number(function: str, value: Any) -> int | float:
    if isinstance(value, Node):
        raise ArgumentError(
            f"{function}: a bound decides the shape, so it must be a number or a size; got "
            f"{value!r}"
        )
    if hasattr(value, "__index__") and not isinstance(value, bool):
        return int(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{function}: expected a number or a size, got {value!r}") from None


def _count(first: Any, last: Any, by: Any) -> Dim:
    if isinstance(first, Size) or isinstance(last, Size):
        if not all(isinstance(value, int | Size) for value in (first, last, by)):
            raise ArgumentError("arange: a range of sizes has whole bounds and a whole step")
        span = last - first if by > 0 else first - last
        return floor_divide(span + (abs(by) - 1), abs(by))
    return max(int(np.ceil((last - first) / by)), 0)


def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None
) -> Node:
    """`num` numbers (an int or a size) from start to stop at equal distances.

    The last is `stop` itself, or with `endpoint=False` one distance before it. Bounds are numbers
    or nodes, in which the result is differentiable; new elements lie along a new first axis.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(linspace(0, 1, 5)).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    count = as_dim(num)
    fixed = not isinstance(start, Node) and not isinstance(stop, Node)
    first, last = (_end(value, fixed) for value in (start, stop))
    distance = last - first
    shape, working = (count, *distance.shape), distance.dtype
    parts = scalar.maximum(_size(count - 1 if endpoint else count, working), 1)
    at = first + ramp(shape, 0, working) * (distance / parts)
    if endpoint:
        # Rounding must not keep the last from being `stop`; a single one is `start`.
        inside = scalar.less(ramp(shape, 0), scalar.maximum(_size(count - 1, int64), 1))
        at = scalar.where(inside, at, last)
    chosen = as_dtype(dtype) if dtype is not None else default_float() if fixed else working
    return cast(scalar.floor(at) if chosen.is_integer else at, chosen)


def _end(value: Any, fixed: bool) -> Node:
    """An end of a linspace: numbers are computed with in float64, whatever the result is."""
    node = const(value, float64) if fixed else as_node(value)
    return node if node.dtype.is_float else cast(node, default_float())


def _size(dim: Dim, dtype: DType) -> Node:
    return const(dim, dtype) if isinstance(dim, int) else size(dim, dtype)


# ---- grids


def meshgrid(*arrays: object, indexing: str = "xy") -> list[Node]:
    """Coordinates of a grid from the coordinates along each axis, as np.meshgrid.

    Args: vectors; `indexing`, "ij" (axis i of the results belongs to array i) or "xy" (the first
    two axes exchanged).

    >>> from graphc.ops.source import input
    >>> [g.shape for g in meshgrid(input("x", (3,)), input("y", (2,)))]
    [(2, 3), (2, 3)]
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f'meshgrid: indexing must be "xy" or "ij"; got {indexing!r}')
    nodes = [as_node(array) for array in arrays]
    for position, node in enumerate(nodes):
        if node.ndim > 1:
            raise ShapeError(
                f"meshgrid: expected vectors, array {position} has shape {shape_text(node.shape)}"
            )
    order = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        order[:2] = [1, 0]
    lengths = [product(node.shape) for node in nodes]
    shape = tuple(lengths[position] for position in order)
    grids = []
    for position, node in enumerate(nodes):
        own = tuple(lengths[p] if p == position else 1 for p in order)
        grids.append(broadcast_to(reshape(node, own), shape))
    return grids
