"""The reduction kind: many elements along some axes become one, by an associative combination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import DTypeError, ShapeError
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import bool_, int32, int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, PREFIX, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import Shape, TensorType, normalize_axes, shape_text
from graphc.ops.cumulative import cumprod
from graphc.ops.elementwise import cast, not_zero
from graphc.ops.layout import broadcast_to, reshape, transpose
from graphc.ops.source import as_node, size


@dataclass(frozen=True, eq=False, repr=False)
class ReductionOp(Op):
    """A reduction: its attributes are `axes` (sorted) and `keepdims`.

    `combine` names the scalar operation that joins two values ("add", "maximum", "logical_or",
    ...); `identity` is what none give (None if an empty axis is an error). "argmax" and "argmin"
    combine (value, index) pairs.
    """

    combine: str = "add"
    identity: Any = 0

    kind = "reduction"


def reduced_shape(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape left when `axes` are reduced."""
    if keepdims:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, reduced_shape(x.shape, attrs["axes"], attrs["keepdims"]))


def _infer_index(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(int64, reduced_shape(x.shape, attrs["axes"], attrs["keepdims"]))


def spread(node: Node, reduced: Node) -> Node:
    """`reduced`, a value for each group of a reduction node, in the shape of what was reduced."""
    (x,) = node.inputs
    kept = reshape(reduced, reduced_shape(x.shape, node.attrs["axes"], True))
    return broadcast_to(kept, x.shape)


def _extreme_vjp(node: Node, g: Node) -> list[Node | None]:
    chosen = cast(scalar.equal(node.inputs[0], spread(node, node)), g.dtype)
    ties = sum(chosen, axis=node.attrs["axes"])
    return [chosen * spread(node, reshape(g, ties.shape) / ties)]


def _prod_vjp(node: Node, g: Node) -> list[Node | None]:
    """The product of the other elements: of those before and those after each, so that nothing is
    divided and zeros are right to any order."""
    (x,), axes = node.inputs, node.attrs["axes"]
    return [spread(node, g) * (_others(x, axes[0]) if len(axes) == 1 else _others_over(x, axes))]


def _others(x: Node, axis: int) -> Node:
    return cumprod(x, axis, exclusive=True) * cumprod(x, axis, exclusive=True, reverse=True)


def _others_over(x: Node, axes: tuple[int, ...]) -> Node:
    """The same over several axes, which are brought together as one."""
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    moved = transpose(x, order)
    flat = reshape(moved, (*moved.shape[: x.ndim - len(axes)], count(x, axes)))
    back = tuple(int(axis) for axis in np.argsort(order))
    return transpose(reshape(_others(flat, -1), moved.shape), back)


def reduction_text(name: str) -> Callable[[Node], str]:
    """How a reduction is written in text: with its axes, unless it takes all."""

    def text(node: Node) -> str:
        axes = node.attrs["axes"]
        named = axes[0] if len(axes) == 1 else axes
        where = "" if len(axes) == node.inputs[0].ndim else f", axis={named}"
        kept = ", keepdims=True" if node.attrs["keepdims"] else ""
        return f"{name}({{0}}{where}{kept})"

    return text


def reduction_latex(symbol: str) -> Callable[[Node], str]:
    """How a reduction is written in LaTeX: with its axes below, unless it takes all."""

    def latex(node: Node) -> str:
        axes = node.attrs["axes"]
        places = ", ".join(map(str, axes))
        below = "" if len(axes) == node.inputs[0].ndim else rf"_{{\text{{axis {places}}}}}"
        return rf"{symbol}{below}\left({{0}}\right)"

    return latex


def _reduction(
    name: str,
    numpy_function: Callable[..., Any],
    symbol: str,
    combine: str,
    identity: Any,
    vjp: VectorJacobian | None,
    doc: str,
    no_derivative: str = "",
    indices: bool = False,
) -> ReductionOp:
    def reference(attrs: Attributes, x: np.ndarray) -> Any:
        if indices:
            return numpy_function(x, axis=attrs["axes"][0], keepdims=attrs["keepdims"])
        kept: Any = {"dtype": x.dtype} if combine in ("add", "multiply") else {}
        return numpy_function(x, axis=attrs["axes"], keepdims=attrs["keepdims"], **kept)

    op = ReductionOp(
        name,
        _infer_index if indices else _infer,
        reference,
        vjp,
        no_derivative,
        Notation(reduction_text(name), reduction_latex(symbol), latex_level=PREFIX),
        None,
        doc,
        combine,
        identity,
    )
    register(op)
    return op


sum_op = _reduction(
    "sum", np.sum, r"\sum", "add", 0, lambda node, g: [spread(node, g)], "the sum; 0 of nothing"
)
prod_op = _reduction(
    "prod", np.prod, r"\prod", "multiply", 1, _prod_vjp, "the product; 1 of nothing"
)
max_op = _reduction(
    "max", np.max, r"\max", "maximum", None, _extreme_vjp,
    "the largest element; nan if one is; ties share the derivative equally",
)  # fmt: skip
min_op = _reduction(
    "min", np.min, r"\min", "minimum", None, _extreme_vjp,
    "the smallest element; nan if one is; ties share the derivative equally",
)  # fmt: skip
any_op = _reduction(
    "any", np.any, r"\bigvee", "logical_or", False, None,
    "whether one element is not zero (nan is not); False of nothing",
    "a truth value has no derivative",
)  # fmt: skip
all_op = _reduction(
    "all", np.all, r"\bigwedge", "logical_and", True, None,
    "whether no element is zero (nan is not); True of nothing",
    "a truth value has no derivative",
)  # fmt: skip
argmax_op = _reduction(
    "argmax", np.argmax, r"\arg\max", "argmax", None, None,
    "the index of the first largest element along one axis; a nan counts as the largest",
    "an index has no derivative", indices=True,
)  # fmt: skip
argmin_op = _reduction(
    "argmin", np.argmin, r"\arg\min", "argmin", None, None,
    "the index of the first smallest element along one axis; a nan counts as the smallest",
    "an index has no derivative", indices=True,
)  # fmt: skip


def _reduce(op: ReductionOp, x: object, axis: Any, keepdims: bool) -> Node:
    node = as_node(x)
    axes = normalize_axes(axis, node.ndim, op.name)
    if node.dtype is bool_ and op.combine not in ("logical_or", "logical_and"):
        node = cast(node, int64)
    if op.identity is None:
        for at in axes:
            if node.shape[at] == 0:
                raise ShapeError(
                    f"{op.name}: axis {at} of {shape_text(node.shape)} is empty and has no "
                    f"{op.name}"
                )
    if not axes:
        return node
    return make(op, (node,), axes=axes, keepdims=bool(keepdims))


def sum(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The sum over `axis` (an int, several, or None for all). Booleans are counted as int64."""
    return _reduce(sum_op, x, axis, keepdims)


def prod(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The product over `axis`; its derivatives of any order are right where elements are zero."""
    return _reduce(prod_op, x, axis, keepdims)


def max(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The largest element over `axis`; nan if one is nan."""
    return _reduce(max_op, x, axis, keepdims)


def min(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The smallest element over `axis`; nan if one is nan."""
    return _reduce(min_op, x, axis, keepdims)


def any(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """Whether one element over `axis` is not zero, as np.any: bool; nan counts as not zero."""
    return _reduce(any_op, _truth(x), axis, keepdims)


def all(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """Whether no element over `axis` is zero, as np.all: bool; nan counts as not zero."""
    return _reduce(all_op, _truth(x), axis, keepdims)


def _truth(x: object) -> Node:
    node = as_node(x)
    return node if node.dtype is bool_ else not_zero(node)


def ptp(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The largest element over `axis` minus the smallest, as np.ptp."""
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def _arg(op: ReductionOp, x: object, axis: Any, keepdims: bool) -> Node:
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, (product(node.shape),)), 0
    if not isinstance(axis, int):
        raise ShapeError(f"{op.name}: expected one axis or None, got {axis!r}")
    return _reduce(op, node if node.dtype is not bool_ else cast(node, int32), axis, keepdims)


def argmax(x: object, axis: int | None = None, keepdims: bool = False) -> Node:
    """The index (int64) of the first largest element along `axis`, of the flattened array for
    None."""
    return _arg(argmax_op, x, axis, keepdims)


def argmin(x: object, axis: int | None = None, keepdims: bool = False) -> Node:
    """The index (int64) of the first smallest element along `axis`, of the flattened array for
    None."""
    return _arg(argmin_op, x, axis, keepdims)


def count(node: Node, axes: tuple[int, ...]) -> Dim:
    """The number of elements in each group when `axes` of `node` are reduced."""
    return product(tuple(node.shape[axis] for axis in axes))


# ---- the mean: written in a sum and a size, but kept whole so that derivatives read as the
# lecturer writes them


def _mean_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    if not inputs[0].dtype.is_float:
        raise DTypeError(f"mean: expected floats, got {inputs[0].dtype}")
    return _infer(inputs, attrs)


def _mean_expand(node: Node) -> Node:
    (x,) = node.inputs
    total = make(sum_op, (x,), **node.attrs)
    return total / size(count(x, node.attrs["axes"]), x.dtype)


mean_op = Op(
    "mean",
    _mean_infer,
    lambda attrs, x: np.mean(x, axis=attrs["axes"], keepdims=attrs["keepdims"]),
    lambda node, g: [spread(node, g / size(count(node.inputs[0], node.attrs["axes"]), g.dtype))],
    notation=Notation(reduction_text("mean"), reduction_latex(r"\operatorname{mean}"), ATOM),
    expand=_mean_expand,
    doc="the arithmetic mean; nan of nothing",
)
register(mean_op)


def mean(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The arithmetic mean over `axis`; integers and booleans become floats first."""
    node = as_node(x)
    axes = normalize_axes(axis, node.ndim, "mean")
    if not node.dtype.is_float:
        node = scalar.as_dtype_node(node, _float_of(node))
    return make(mean_op, (node,), axes=axes, keepdims=bool(keepdims)) if axes else node


def _float_of(_: Node) -> object:
    return float
