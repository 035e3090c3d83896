"""Products of vectors and arrays by name: dot, inner, outer, tensordot and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dtype import bool_, int32
from graphc.ir.node import Node
from graphc.ir.shape import normalize_axis, shape_text
from graphc.ops.contraction import Labels, arrange, contract_pair, matmul
from graphc.ops.einsum import contract_labelled
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import expand_dims, moveaxis, ravel, reshape
from graphc.ops.reduction import sum as sum_over
from graphc.ops.source import as_nodes


def _meet(a: object, b: object) -> tuple[Node, Node]:
    left, right = cast_together(as_nodes((a, b)))
    return left, right


def _names(prefix: str, node: Node) -> list[str]:
    return [f"{prefix}{axis}" for axis in range(node.ndim)]


def _counted(function: Any, left: Node, right: Node, *args: Any) -> Node:
    """Truth values are counted; a count that is not zero is true."""
    return scalar.not_equal(function(cast(left, int32), cast(right, int32), *args), 0)


def tensordot(a: object, b: object, axes: Any = 2) -> Node:
    """The sum of products over some axes of each operand, as np.tensordot.

    `axes` is a number k, for the last k axes of `a` and the first k of `b`, or a pair of axes or of
    lists of axes, those of `a` and those of `b`. Shapes: the other axes of `a`, then those of `b`.

    >>> from graphc.ops.source import input
    >>> tensordot(input("a", (2, 3, 4)), input("b", (4, 3, 5)), axes=([1, 2], [1, 0]))
    <matmul: float32 (2, 5)>
    """
    left, right = _meet(a, b)
    if left.dtype is bool_:
        return _counted(tensordot, left, right, axes)
    first, second = _axes(left, right, axes)
    for one, other in zip(first, second, strict=True):
        if left.shape[one] != right.shape[other]:
            raise ShapeError(
                f"tensordot: axis {one} of {shape_text(left.shape)} has {left.shape[one]}, "
                f"axis {other} of {shape_text(right.shape)} has {right.shape[other]}; "
                f"expected equal lengths"
            )
    names, others = _names("a", left), _names("b", right)
    for one, other in zip(first, second, strict=True):
        others[other] = names[one]
    kept = [name for name in (*names, *others) if (name in names) != (name in others)]
    result = contract_pair((left, tuple(names)), (right, tuple(others)), kept)
    return arrange(result, kept)


def _axes(left: Node, right: Node, axes: Any) -> tuple[list[int], list[int]]:
    if hasattr(axes, "__index__"):
        count = int(axes.__index__())
        if not 0 <= count <= min(left.ndim, right.ndim):
            raise ShapeError(
                f"tensordot: axes={count} for {shape_text(left.shape)} and "
                f"{shape_text(right.shape)}; expected 0 to {min(left.ndim, right.ndim)}"
            )
        return list(range(left.ndim - count, left.ndim)), list(range(count))
    if not isinstance(axes, Sequence) or isinstance(axes, str) or len(axes) != 2:
        raise ArgumentError(f"tensordot: expected a number of axes or a pair of them, got {axes!r}")
    pair = [list(part) if isinstance(part, Sequence) else [part] for part in axes]
    first = [normalize_axis(axis, left.ndim, "tensordot") for axis in pair[0]]
    second = [normalize_axis(axis, right.ndim, "tensordot") for axis in pair[1]]
    distinct = len(set(first)) == len(first) and len(set(second)) == len(second)
    if len(first) != len(second) or not distinct:
        raise ShapeError(
            f"tensordot: expected as many axes of one operand as of the other, each once; "
            f"got {axes!r}"
        )
    return first, second


def dot(a: object, b: object) -> Node:
    """np.dot: the inner product of vectors, the matrix product of matrices, a multiple by a number.

    Of arrays with more axes it sums over the last axis of `a` and the last but one of `b`, without
    broadcasting: (..., n, k) and (..., k, m) give (*a's rest, n, *b's rest, m).
    """
    left, right = _meet(a, b)
    if left.ndim == 0 or right.ndim == 0:
        return _scaled(left, right)
    if right.ndim <= 2:
        return matmul(left, right)
    return tensordot(left, right, ([left.ndim - 1], [right.ndim - 2]))


def _scaled(left: Node, right: Node) -> Node:
    both = left.dtype is bool_
    return scalar.logical_and(left, right) if both else scalar.multiply(left, right)


def vdot(a: object, b: object) -> Node:
    """The sum of the products of all elements, as np.vdot of real arrays.

    Shapes: both have the same number of elements; they are read in row-major order.
    """
    left, right = (ravel(node) for node in _meet(a, b))
    if left.shape != right.shape:
        raise ShapeError(
            f"vdot: expected as many elements in both, got {left.shape[0]} and {right.shape[0]}"
        )
    return vecdot(left, right)


def vecdot(a: object, b: object, axis: int = -1) -> Node:
    """The inner products of vectors along an axis; the other axes broadcast.

    Shapes: (..., n) and (..., n) give (...).
    """
    left, right = _meet(a, b)
    if left.dtype is bool_:
        return _counted(vecdot, left, right, axis)
    moved = []
    for node in (left, right):
        if node.ndim == 0:
            raise ShapeError("vecdot: expected arrays with an axis to sum over, got a scalar")
        moved.append(moveaxis(node, normalize_axis(axis, node.ndim, "vecdot"), -1))
    left, right = moved
    if left.shape[-1] != right.shape[-1]:
        raise ShapeError(
            f"vecdot: axis {axis} has {left.shape[-1]} in the first operand and "
            f"{right.shape[-1]} in the second; expected equal lengths"
        )
    return sum_over(scalar.multiply(left, right), axis=-1)


def inner(a: object, b: object) -> Node:
    """The sum of products over the last axis of both, as np.inner; a multiple by a number.

    Shapes: (..., k) and (..., k) give (*a's rest, *b's rest).
    """
    left, right = _meet(a, b)
    if left.ndim == 0 or right.ndim == 0:
        return _scaled(left, right)
    return tensordot(left, right, ([left.ndim - 1], [right.ndim - 1]))


def outer(a: object, b: object) -> Node:
    """Every element of `a` times every one of `b`, both flattened: (m,) and (n,) give (m, n)."""
    left, right = (ravel(node) for node in _meet(a, b))
    return _scaled(expand_dims(left, 1), expand_dims(right, 0))


def kron(a: object, b: object) -> Node:
    """The Kronecker product: `b` times each element of `a`, side by side, as np.kron.

    Shapes: (m, n) and (p, q) give (m p, n q); an operand with fewer axes gets axes of length 1.
    """
    left, right = _meet(a, b)
    rank = max(left.ndim, right.ndim)
    left = reshape(left, (*[1] * (rank - left.ndim), *left.shape))
    right = reshape(right, (*[1] * (rank - right.ndim), *right.shape))
    pairs = list(zip(left.shape, right.shape, strict=True))
    apart = _scaled(
        reshape(left, tuple(dim for m, _ in pairs for dim in (m, 1))),
        reshape(right, tuple(dim for _, p in pairs for dim in (1, p))),
    )
    return reshape(apart, tuple(m * p for m, p in pairs))


def matvec(a: object, x: object) -> Node:
    """Matrices times vectors: (..., m, n) and (..., n) give (..., m), as np.matvec."""
    left, right = _meet(a, x)
    if left.ndim < 2 or right.ndim < 1:
        raise ShapeError(
            f"matvec: expected (..., m, n) and (..., n), got {shape_text(left.shape)} and "
            f"{shape_text(right.shape)}"
        )
    result = matmul(left, expand_dims(right, -1))
    return reshape(result, result.shape[:-1])


def vecmat(x: object, a: object) -> Node:
    """Vectors times matrices: (..., n) and (..., n, m) give (..., m), as np.vecmat."""
    left, right = _meet(x, a)
    if left.ndim < 1 or right.ndim < 2:
        raise ShapeError(
            f"vecmat: expected (..., n) and (..., n, m), got {shape_text(left.shape)} and "
            f"{shape_text(right.shape)}"
        )
    result = matmul(expand_dims(left, -2), right)
    return reshape(result, (*result.shape[:-2], result.shape[-1]))


def multi_dot(arrays: Sequence[object]) -> Node:
    """The product of a chain of matrices, in the order that takes the fewest multiplications.

    Shapes: (m, k), (k, l), ..., (.., n); the first and the last may be vectors. Named sizes count
    as 128 when the order is chosen. As np.linalg.multi_dot.

    >>> from graphc.ops.source import input
    >>> multi_dot([input("a", (9, 2)), input("b", (2, 9)), input("c", (9, 3))]).shape
    (9, 3)
    """
    given = as_nodes(arrays)
    if len(given) < 2:
        raise ArgumentError(f"multi_dot: expected at least two arrays, got {len(given)}")
    nodes = cast_together(given)
    last = len(nodes) - 1
    for place, node in enumerate(nodes):
        if node.ndim != 2 and not (node.ndim == 1 and place in (0, last)):
            raise ShapeError(
                f"multi_dot: expected matrices, the first and the last perhaps vectors; operand "
                f"{place} is {shape_text(node.shape)}"
            )
    for place, (node, following) in enumerate(pairwise(nodes)):
        if node.shape[-1] != following.shape[0]:
            raise ShapeError(
                f"multi_dot: operand {place} is {shape_text(node.shape)}, the next one "
                f"{shape_text(following.shape)}: {node.shape[-1]} != {following.shape[0]}"
            )
    if nodes[0].dtype is bool_:
        result = multi_dot([cast(node, int32) for node in nodes])
        return scalar.not_equal(result, 0)
    labels: list[Labels] = [(f"d{place}", f"d{place + 1}") for place in range(len(nodes))]
    labels[0] = labels[0][-nodes[0].ndim :]
    labels[-1] = labels[-1][: nodes[-1].ndim]
    ends = (*labels[0][:-1], *labels[-1][1:])
    return contract_labelled(list(zip(nodes, labels, strict=True)), ends, "dp")
