"""Medians and quantiles: elements of sorted rows, or what lies between two of them.

A derivative goes to the elements that the value is made of, of equal ones to those that a stable
sort has at the place. A nan in a row makes its result nan, as in NumPy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from graphc.ir.dim import Dim
from graphc.ir.dtype import default_float, float64, int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import TensorType, normalize_axes, shape_text
from graphc.ops.composite import CompositeOp
from graphc.ops.elementwise import cast
from graphc.ops.indexing import take
from graphc.ops.layout import broadcast_to, reshape, transpose
from graphc.ops.ordering import place_back, sort_op
from graphc.ops.reduction import count, reduced_shape, reduction_latex, reduction_text
from graphc.ops.routine import item
from graphc.ops.source import as_node, const, constant_value, ramp, size

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


class _Rows(NamedTuple):
    """The elements of each group in a row of its own, sorted, and where in a row the quantiles are.

    A quantile lies between the elements `low` and `high` of a row, so much of the way as `share`
    says. These have the shape of q, sorted rows the shape (kept axes, n).
    """

    values: Node
    indices: Node
    low: Node
    high: Node
    share: Node
    order: tuple[int, ...]  # the axes of x: kept, then reduced

    @property
    def length(self) -> Dim:
        return self.values.shape[-1]


def _rows(x: Node, q: Node, axes: tuple[int, ...], method: str) -> _Rows:
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    moved = transpose(x, order)
    n = count(x, axes)
    rows = reshape(moved, (*moved.shape[: x.ndim - len(axes)], n))
    both = make(sort_op, (rows,), descending=False)
    place = q * size(n - 1, float64)
    low = scalar.floor(place)
    share = _share(place, low, method)
    last = size(n - 1)
    known = scalar.logical_and(scalar.greater_equal(q, 0), scalar.less_equal(q, 1))
    # What is no fraction is an index that is reported.
    first = scalar.where(known, cast(low, int64), size(n))
    return _Rows(item(both, 0), item(both, 1), first, scalar.minimum(first + 1, last), share, order)


def _share(place: Node, low: Node, method: str) -> Node:
    """How far towards the next element a quantile is taken, for the place computed."""
    part = place - low
    if method == "linear":
        return part
    some = cast(scalar.greater(part, 0), float64)
    if method == "nearest":  # of two equally near the even place, as NumPy rounds
        odd = scalar.greater(low - 2 * scalar.floor(low / 2), 0)
        half = scalar.logical_and(scalar.equal(part, 0.5), odd)
        return cast(scalar.logical_or(scalar.greater(part, 0.5), half), float64)
    return {"lower": part * 0, "higher": some, "midpoint": 0.5 * some}[method]


def _neighbours(rows: _Rows) -> tuple[Node, Node]:
    """The elements below and above each quantile, of shape (*q, *kept)."""
    ndim = rows.values.ndim
    first = transpose(rows.values, (ndim - 1, *range(ndim - 1)))
    return take(first, rows.low), take(first, rows.high)


def _between(node: Node, q: Node) -> Node:
    (x, *_), attrs = node.inputs, node.attrs
    rows = _rows(x, q, attrs["axes"], attrs["method"])
    below, above = _neighbours(rows)
    share = _over_kept(cast(rows.share, x.dtype), below)
    distance = above - below
    # From the nearer end, so that both ends are met; equal elements may be infinite.
    inside = scalar.where(
        scalar.less(share, 0.5), below + distance * share, above - distance * (1 - share)
    )
    value = scalar.where(scalar.equal(below, above), below, inside)
    value = scalar.where(scalar.equal(share, 0), below, value)
    last = broadcast_to(_last(rows), value.shape)
    return reshape(scalar.where(scalar.isnan(last), last, value), node.shape)


def _last(rows: _Rows) -> Node:
    """The last element of each sorted row: nan if there is one."""
    ndim = rows.values.ndim
    first = transpose(rows.values, (ndim - 1, *range(ndim - 1)))
    return take(first, size(rows.length - 1))


def _over_kept(value: Node, like: Node) -> Node:
    """A value for each quantile in the shape (*q, *kept)."""
    return broadcast_to(
        reshape(value, (*value.shape, *([1] * (like.ndim - value.ndim)))), like.shape
    )


def _quantile_shares(node: Node, g: Node, q: Node) -> tuple[Node, Node | None]:
    """The cotangents of x and q (None unless the method is linear)."""
    (x, *_), attrs = node.inputs, node.attrs
    rows = _rows(x, q, attrs["axes"], attrs["method"])
    below, above = _neighbours(rows)
    spread = reshape(g, below.shape)  # (*q, *kept)
    shape = (*below.shape, rows.length)
    share = cast(rows.share, x.dtype)
    place = ramp(shape, len(shape) - 1)
    low, high, part = (_over_kept(v, place) for v in (rows.low, rows.high, share))
    weight = scalar.where(scalar.equal(place, low), 1 - part, 0)
    weight = weight + scalar.where(scalar.equal(place, high), part, 0)
    each = reshape(spread, (*spread.shape, 1)) * weight
    total = reduction.sum(each, axis=tuple(range(q.ndim))) if q.ndim else each
    moved = place_back(total, rows.indices)
    dims = tuple(x.shape[axis] for axis in rows.order)
    back = tuple(int(a) for a in np.argsort(rows.order))
    to_x = transpose(reshape(moved, dims), back)
    if attrs["method"] != "linear":
        return to_x, None
    slope = spread * (above - below) * size(rows.length - 1, x.dtype)
    kept = tuple(range(q.ndim, slope.ndim))
    return to_x, cast(reduction.sum(slope, axis=kept) if kept else slope, q.dtype)


# ---- the operations


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    x = inputs[0]
    before = inputs[1].shape if len(inputs) > 1 else ()
    return TensorType(x.dtype, (*before, *reduced_shape(x.shape, attrs["axes"], attrs["keepdims"])))


def _reference(attrs: Attributes, x: np.ndarray, q: Any) -> Any:
    def by(method: Any) -> Any:
        return np.quantile(
            x, fractions, axis=attrs["axes"], method=method, keepdims=attrs["keepdims"]
        )

    fractions = np.asarray(q, np.float64)
    if any(x.shape[axis] == 0 for axis in attrs["axes"]):
        raise IndexRangeError(f"quantile: no elements in an array of shape {x.shape}")
    if not np.all((fractions >= 0) & (fractions <= 1)):
        raise IndexRangeError(f"quantile: expected q between 0 and 1; got {fractions}")
    below, above = by("lower"), by("higher")
    # Between equal infinities NumPy has nan.
    return np.where(below == above, below, by(attrs["method"]))


def _half() -> Node:
    return const(0.5, float64)


def _text(node: Node) -> str:
    plain = reduction_text("quantile")(node).replace("{0}", "{0}, {1}")
    method = node.attrs["method"]
    return plain if method == "linear" else f"{plain[:-1]}, method={method})"


def _latex(node: Node) -> str:
    return reduction_latex(r"\operatorname{quantile}")(node).replace("{0}", "{0}, {1}")


median_op = CompositeOp(
    "median", _infer, lambda attrs, x: _reference(attrs, x, 0.5),
    lambda node, g: [_quantile_shares(node, g, _half())[0]],
    notation=Notation(reduction_text("median"), reduction_latex(r"\operatorname{median}"), ATOM),
    expand=lambda node: _between(node, _half()),
    doc="the middle element, or the mean of the two in the middle; the derivative goes to them",
)  # fmt: skip
register(median_op)


def _quantile_vjp(node: Node, g: Node) -> list[Node | None]:
    return list(_quantile_shares(node, g, node.inputs[1]))


quantile_op = CompositeOp(
    "quantile", _infer, _reference, _quantile_vjp,
    notation=Notation(_text, _latex, ATOM),
    expand=lambda node: _between(node, node.inputs[1]),
    doc="what lies a fraction q of the way through the sorted elements; the derivative goes to its "
    "neighbours, and with respect to q is the slope between them",
)  # fmt: skip
register(quantile_op)


def _elements(name: str, x: object, axis: Any) -> tuple[Node, tuple[int, ...]]:
    node = as_node(x)
    node = node if node.dtype.is_float else cast(node, default_float())
    axes = normalize_axes(axis, node.ndim, name)
    for at in axes:
        if node.shape[at] == 0:
            raise ShapeError(
                f"{name}: axis {at} of {shape_text(node.shape)} is empty and has no {name}"
            )
    return node, axes


def median(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The median over `axis`, as np.median: nan if an element is. Integers become floats.

    The derivative goes to the middle element, or half each to the two in the middle. Raises
    ShapeError for an empty axis.

    >>> from graphc.ops.evaluate import evaluate
    >>> float(evaluate(median([4.0, 1.0, 3.0, 2.0])))
    2.5
    """
    node, axes = _elements("median", x, axis)
    return make(median_op, (node,), axes=axes, keepdims=bool(keepdims), method="linear")


def quantile(
    x: object, q: object, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Node:
    """What lies a fraction `q` of the way through the sorted elements over `axis`, as np.quantile.

    Args: `q`, numbers or a node in [0, 1], of any shape, which comes first in the result's;
    `method`, what is taken between two neighbours: "linear", "lower", "higher", "nearest" or
    "midpoint". nan if an element is. Integers become floats. Raises ArgumentError for numbers
    outside [0, 1] and unknown methods, ShapeError for an empty axis; a node that leaves [0, 1]
    is an IndexRangeError when it runs.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(quantile([4.0, 1.0, 3.0, 2.0], [0.5, 1.0])).tolist()
    [2.5, 4.0]
    """
    if method not in METHODS:
        raise ArgumentError(f"quantile: expected a method of {', '.join(METHODS)}; got {method!r}")
    fraction = q if isinstance(q, Node) else const(q, float64)
    if fraction.dtype is not float64:
        if not fraction.dtype.is_float:
            raise DTypeError(f"quantile: expected floats for q, got {fraction.dtype}")
        fraction = cast(fraction, float64)
    known = constant_value(fraction)
    if known is not None and not bool(np.all((known >= 0) & (known <= 1))):
        raise ArgumentError(f"quantile: expected q between 0 and 1; got {known}")
    node, axes = _elements("quantile", x, axis)
    return make(quantile_op, (node, fraction), axes=axes, keepdims=bool(keepdims), method=method)
