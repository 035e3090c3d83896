"""Statistics of groups of elements: variance, standard deviation, counts, differences.

Each is one node that reads as it is written, and expands into reductions or slices when it is
compiled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError
from graphc.ir.dim import Dim
from graphc.ir.dtype import DType, bool_, default_float, int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType, normalize_axes, normalize_axis
from graphc.ops.composite import CompositeOp
from graphc.ops.elementwise import cast
from graphc.ops.layout import pad, slice_axes
from graphc.ops.reduction import count, reduced_shape, reduction_latex, reduction_text, spread
from graphc.ops.source import as_node, const, size


def statistic(
    name: str,
    reference: Callable[..., Any],
    vjp: VectorJacobian | None,
    expand: Callable[[Node], Node],
    notation: Notation,
    doc: str,
    no_derivative: str = "",
    dtype: DType | None = None,
) -> Op:
    """Define a reduction that expands into others; `dtype` is that of the result, else x's."""

    def infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
        shape = reduced_shape(inputs[0].shape, attrs["axes"], attrs["keepdims"])
        return TensorType(dtype or inputs[0].dtype, shape)

    op = CompositeOp(name, infer, reference, vjp, no_derivative, notation, expand, doc)
    register(op)
    return op


def as_float(x: object) -> Node:
    """A float node: integers and booleans become the default float."""
    node = as_node(x)
    return node if node.dtype.is_float else cast(node, default_float())


def _named(name: str, symbol: str) -> Notation:
    return Notation(reduction_text(name), reduction_latex(symbol), ATOM)


# ---- variance and standard deviation


def _divisor(node: Node) -> Node:
    """How many elements a group has, less the correction; not below 0."""
    (x,) = node.inputs
    number, correction = count(x, node.attrs["axes"]), node.attrs["correction"]
    if isinstance(number, int):
        return const(max(number - correction, 0), x.dtype)
    if correction == 0:
        return size(number, x.dtype)
    return scalar.maximum(size(number, x.dtype) - correction, 0)


def _centred(node: Node) -> Node:
    (x,) = node.inputs
    return x - reduction.mean(x, axis=node.attrs["axes"], keepdims=True)


def _variance_expand(node: Node) -> Node:
    squares = scalar.square(_centred(node))
    total = reduction.sum(squares, axis=node.attrs["axes"], keepdims=node.attrs["keepdims"])
    return total / _divisor(node)


def _variance_vjp(node: Node, g: Node) -> list[Node | None]:
    return [spread(node, 2 * g / _divisor(node)) * _centred(node)]


def _deviation_vjp(node: Node, g: Node) -> list[Node | None]:
    """(x - mean) / (divisor * deviation), 0 where there is no deviation."""
    none = scalar.equal(node, 0)
    share = g / (_divisor(node) * scalar.where(none, 1, node))
    return [spread(node, scalar.where(none, 0, share)) * _centred(node)]


def _corrected(function: Callable[..., Any]) -> Callable[..., Any]:
    def reference(attrs: Attributes, x: np.ndarray) -> Any:
        with warnings.catch_warnings():  # of no degrees of freedom: the result says so
            warnings.simplefilter("ignore", RuntimeWarning)
            return function(
                x, axis=attrs["axes"], ddof=attrs["correction"], keepdims=attrs["keepdims"]
            )

    return reference


def _corrected_notation(name: str, symbol: str) -> Notation:
    plain, latex = reduction_text(name), reduction_latex(symbol)

    def text(node: Node) -> str:
        correction = node.attrs["correction"]
        return plain(node)[:-1] + (f", correction={correction:g})" if correction else ")")

    return Notation(text, latex, ATOM)


var_op = statistic(
    "var", _corrected(np.var), _variance_vjp, _variance_expand,
    _corrected_notation("var", r"\operatorname{var}"),
    "the sum of the squared distances from the mean over (number of elements - correction), "
    "computed in two passes",
)  # fmt: skip
std_op = statistic(
    "std", _corrected(np.std), _deviation_vjp, lambda node: scalar.sqrt(_variance_expand(node)),
    _corrected_notation("std", r"\operatorname{std}"),
    "the square root of var; where it is 0 the derivative is taken as 0",
)  # fmt: skip


def _spread_of(
    op: Op, x: object, axis: Any, ddof: float, keepdims: bool, correction: float | None
) -> Node:
    if correction is not None and ddof != 0:
        raise ArgumentError(f"{op.name}: expected ddof or correction, two names of one; got both")
    taken = ddof if correction is None else correction
    if isinstance(taken, bool) or not isinstance(taken, int | float):
        raise ArgumentError(f"{op.name}: expected a number as correction; got {taken!r}")
    node = as_float(x)
    axes = normalize_axes(axis, node.ndim, op.name)
    return make(op, (node,), axes=axes, keepdims=bool(keepdims), correction=taken)


def var(
    x: object,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The variance over `axis`, as np.var: two passes, so that a large mean costs no digits.

    Args: `ddof` (of NumPy) or `correction` (of the Array API standard) is taken from the number of
    elements that the sum of squares is divided by. Integers become floats.

    >>> from graphc.ops.evaluate import evaluate
    >>> float(evaluate(var([1.0, 2.0, 3.0], ddof=1)))
    1.0
    """
    return _spread_of(var_op, x, axis, ddof, keepdims, correction)


def std(
    x: object,
    axis: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The standard deviation over `axis`, as np.std: the square root of `var`.

    Where all elements are equal its derivative is taken as 0.
    """
    return _spread_of(std_op, x, axis, ddof, keepdims, correction)


# ---- counts


def _count_expand(node: Node) -> Node:
    truth = cast(scalar.not_equal(node.inputs[0], 0), int64)
    return reduction.sum(truth, axis=node.attrs["axes"], keepdims=node.attrs["keepdims"])


count_nonzero_op = statistic(
    "count_nonzero",
    lambda attrs, x: np.count_nonzero(x, axis=attrs["axes"], keepdims=attrs["keepdims"]),
    None, _count_expand, _named("count_nonzero", r"\operatorname{count}_{\ne 0}"),
    "how many elements are not zero (nan is not)", "a count has no derivative", int64,
)  # fmt: skip


def count_nonzero(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """How many elements over `axis` are not zero, as np.count_nonzero: int64; nan counts."""
    node = as_node(x)
    axes = normalize_axes(axis, node.ndim, "count_nonzero")
    return make(count_nonzero_op, (node,), axes=axes, keepdims=bool(keepdims))


# ---- differences of neighbours


def _diff_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,), axis = inputs, attrs["axis"]
    length = x.shape[axis]
    left: Dim = max(length - 1, 0) if isinstance(length, int) else length - 1
    return TensorType(x.dtype, (*x.shape[:axis], left, *x.shape[axis + 1 :]))


def _neighbours(node: Node) -> tuple[Node, Node]:
    (x,), axis = node.inputs, node.attrs["axis"]
    length, left = x.shape[axis], node.shape[axis]
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in x.shape]
    later, earlier = list(bounds), list(bounds)
    later[axis], earlier[axis] = (length - left, length, 1), (0, left, 1)
    return slice_axes(x, tuple(later)), slice_axes(x, tuple(earlier))


def _diff_expand(node: Node) -> Node:
    later, earlier = _neighbours(node)
    return scalar.not_equal(later, earlier) if node.dtype is bool_ else later - earlier


def _diff_vjp(node: Node, g: Node) -> list[Node | None]:
    axis = node.attrs["axis"]
    lost = node.inputs[0].shape[axis] - node.shape[axis]
    none: tuple[tuple[Dim, Dim, int], ...] = ((0, 0, 0),) * node.ndim
    before = (*none[:axis], (lost, 0, 0), *none[axis + 1 :])
    after = (*none[:axis], (0, lost, 0), *none[axis + 1 :])
    return [pad(g, before) - pad(g, after)]


def _diff_text(node: Node) -> str:
    return "diff({0})" if node.ndim == 1 else f"diff({{0}}, axis={node.attrs['axis']})"


def _diff_latex(node: Node) -> str:
    below = "" if node.ndim == 1 else rf"_{{\text{{axis {node.attrs['axis']}}}}}"
    return rf"\Delta{below}\left({{0}}\right)"


diff_op = CompositeOp(
    "diff", _diff_infer, lambda attrs, x: np.diff(x, axis=attrs["axis"]), _diff_vjp,
    notation=Notation(_diff_text, _diff_latex, ATOM), expand=_diff_expand,
    doc="each element minus the one before it along an axis; of truth values, whether they differ",
)  # fmt: skip
register(diff_op)


def diff(x: object, n: int = 1, axis: int = -1) -> Node:
    """Each element minus the one before it along `axis`, done `n` times, as np.diff.

    The axis is shorter by `n`. Of booleans, whether neighbours differ.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(diff([1, 4, 9, 16], n=2))
    array([2, 2])
    """
    node = as_node(x)
    at = normalize_axis(axis, node.ndim, "diff")
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ArgumentError(f"diff: expected n >= 0 differences; got {n!r}")
    for _ in range(n):
        node = make(diff_op, (node,), axis=at)
    return node
