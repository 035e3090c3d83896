"""Norms of vectors and matrices, scaled so that powers neither overflow nor vanish."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation
from graphc.ir.shape import normalize_axes, normalize_axis, shape_text
from graphc.ops.decompositions import svdvals
from graphc.ops.elementwise import cast
from graphc.ops.layout import moveaxis, reshape
from graphc.ops.reduction import reduced_shape, reduction_text, spread
from graphc.ops.statistics import as_float, statistic


def _pivot(node: Node) -> Node:
    """What to divide by so that powers neither overflow nor vanish: the element that decides."""
    (x,), extreme = node.inputs, reduction.max if node.attrs["ord"] > 0 else reduction.min
    found = extreme(abs(x), axis=node.attrs["axes"], keepdims=True)
    usable = scalar.logical_and(scalar.isfinite(found), scalar.greater(found, 0))
    return scalar.where(usable, found, 1)


def _norm_expand(node: Node) -> Node:
    (x,), order, axes = node.inputs, node.attrs["ord"], node.attrs["axes"]
    pivot = _pivot(node)
    scaled = x / pivot
    if order == 2:
        root = scalar.sqrt(reduction.sum(scalar.square(scaled), axis=axes, keepdims=True))
    else:
        powers = reduction.sum(scalar.raise_to(abs(scaled), order), axis=axes, keepdims=True)
        root = scalar.raise_to(powers, 1 / order)
    return reshape(root * pivot, node.shape)


def _norm_vjp(node: Node, g: Node) -> list[Node | None]:
    """(|x| / norm)**(ord - 1) sign(x), 0 where the norm is."""
    (x,), order = node.inputs, node.attrs["ord"]
    none = scalar.equal(node, 0)
    ratio = x / spread(node, scalar.where(none, 1, node))
    if order != 2:
        ratio = scalar.sign(x) * scalar.raise_to(abs(ratio), order - 1)
    return [spread(node, scalar.where(none, 0, g)) * ratio]


def _norm_reference(attrs: Attributes, x: np.ndarray) -> Any:
    axes, order, wide = attrs["axes"], attrs["ord"], np.abs(x.astype(np.longdouble))
    total = np.sum(wide**order, axis=axes, keepdims=attrs["keepdims"])
    return total ** (1 / np.longdouble(order))


def _norm_text(node: Node) -> str:
    plain = reduction_text("norm")(node)
    order = node.attrs["ord"]
    return plain if order == 2 else f"{plain[:-1]}, ord={order:g})"


def _norm_latex(node: Node) -> str:
    axes = ", ".join(map(str, node.attrs["axes"]))
    along = "" if len(node.attrs["axes"]) == node.inputs[0].ndim else rf", \text{{axis {axes}}}"
    return rf"\left\|{{0}}\right\|_{{{node.attrs['ord']:g}{along}}}"


norm_op = statistic(
    "norm", _norm_reference, _norm_vjp, _norm_expand, Notation(_norm_text, _norm_latex, ATOM),
    "sum(|x|**ord)**(1/ord), scaled so that it neither overflows nor vanishes; where it is 0 the "
    "derivative is taken as 0",
)  # fmt: skip


def norm(x: object, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Node:
    """A norm over one axis (of vectors) or two (of matrices), as np.linalg.norm.

    Args: `axis` None takes all of `x`. `ord` of a vector: None or 2, any other number p for
    sum(|x|**p)**(1/p), inf, -inf, and 0 for the number of nonzero elements; of a matrix: None or
    "fro", 1 and -1 (the largest and the smallest column sum of |x|), inf and -inf (of rows), 2 and
    -2 (the largest and the smallest singular value), "nuc" (the sum of all of them).
    Without `ord` any number of axes is taken as one. The largest element is divided out first, so
    the squares of large and of tiny elements neither overflow nor vanish. Where the norm is 0 its
    derivative is taken as 0; equal extremes share theirs. Raises ArgumentError for another `ord`.

    >>> from graphc.ops.evaluate import evaluate
    >>> float(evaluate(norm([3.0, -4.0]))), float(evaluate(norm([3.0, -4.0], ord=1)))
    (5.0, 7.0)
    """
    node = as_float(x)
    axes = _norm_axes(node, ord, axis)
    if ord is None or (ord == "fro" and len(axes) == 2):
        return _power_norm(node, 2, axes, keepdims)
    if ord in ("nuc", 2, -2) and len(axes) == 2:
        return _singular_norm(node, ord, axes, keepdims)
    if isinstance(ord, bool) or not isinstance(ord, int | float) or ord != ord:
        raise ArgumentError(_unknown_norm(ord, axes))
    if len(axes) == 2:
        return _matrix_norm(node, ord, axes, keepdims)
    if ord in (np.inf, -np.inf):
        return (reduction.max if ord > 0 else reduction.min)(abs(node), axes, keepdims)
    if ord == 0:
        return reduction.sum(cast(scalar.not_equal(node, 0), node.dtype), axes, keepdims)
    if ord == 1:
        return reduction.sum(abs(node), axes, keepdims)
    return _power_norm(node, ord, axes, keepdims)


def _norm_axes(node: Node, ord: object, axis: object) -> tuple[int, ...]:
    if axis is None:
        axes = tuple(range(node.ndim))
        if ord is not None and node.ndim not in (1, 2):
            raise ShapeError(
                f"norm: expected a vector or a matrix for ord={ord!r}, got shape "
                f"{shape_text(node.shape)}; name one axis or two"
            )
        return axes
    several = axis if isinstance(axis, tuple | list) else (axis,)
    normalize_axes(several, node.ndim, "norm")  # raises for a repeated axis
    axes = tuple(normalize_axis(a, node.ndim, "norm") for a in several)
    if len(axes) not in (1, 2):
        raise ShapeError(f"norm: expected one axis or two, got {axis!r}")
    return axes


def _unknown_norm(ord: object, axes: tuple[int, ...]) -> str:
    if len(axes) == 2:
        known = 'None, "fro", "nuc", 1, -1, 2, -2, inf or -inf'
        return f"norm: expected ord {known}; got {ord!r}"
    return f"norm: expected ord None or a number for vectors; got {ord!r}"


def _power_norm(node: Node, order: float, axes: tuple[int, ...], keepdims: bool) -> Node:
    if not axes:
        return abs(node)
    taken = tuple(sorted(axes))
    if any(node.shape[axis] == 0 for axis in taken):
        if order > 0:
            return reduction.sum(abs(node), taken, keepdims)
        raise ShapeError(f"norm: no element of {shape_text(node.shape)} for ord={order:g}")
    return make(norm_op, (node,), axes=taken, keepdims=bool(keepdims), ord=order)


def _matrix_norm(node: Node, ord: float, axes: tuple[int, ...], keepdims: bool) -> Node:
    rows, columns = axes
    if ord not in (1, -1, np.inf, -np.inf):
        raise ArgumentError(_unknown_norm(ord, axes))
    added, left = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = reduction.sum(abs(node), added, keepdims=True)
    found = (reduction.max if ord > 0 else reduction.min)(sums, left, keepdims=True)
    return reshape(found, reduced_shape(node.shape, axes, keepdims))


def _singular_norm(node: Node, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Node:
    values = svdvals(moveaxis(node, axes, (-2, -1)))
    chosen = {"nuc": reduction.sum, 2: reduction.max, -2: reduction.min}[ord]
    if values.shape[-1] == 0 and ord != "nuc":
        raise ShapeError(f"norm: no element of {shape_text(node.shape)} for ord={ord}")
    return reshape(chosen(values, -1), reduced_shape(node.shape, axes, keepdims))
