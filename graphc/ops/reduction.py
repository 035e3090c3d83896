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
from graphc.ops.elementwise import cast
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.source import as_node, size


@dataclass(frozen=True, eq=False, repr=False)
class ReductionOp(Op):
    """A reduction: its attributes are `axes` (sorted) and `keepdims`.

    `combine` names the scalar operation that joins two values ("add", "maximum", ...); `identity`
    is what none give (None if an empty axis is an error). "argmax" and "argmin" combine (value,
    index) pairs.
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
    """The product of the other elements, right with zeros: at most one zero leaves a nonzero
    product."""
    (x,) = node.inputs
    axes = node.attrs["axes"]
    zero = scalar.equal(x, 0)
    others = prod(scalar.where(zero, 1.0, x), axis=axes)
    zeros = sum(cast(zero, x.dtype), axis=axes)
    none = scalar.where(zero, 0.0, spread(node, others) / scalar.where(zero, 1.0, x))
    one = scalar.where(zero, spread(node, others), 0.0)
    count = spread(node, zeros)
    share = scalar.where(
        scalar.equal(count, 0), none, scalar.where(scalar.equal(count, 1), one, 0.0)
    )
    return [spread(node, g) * cast(share, x.dtype)]


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
        kept = {"dtype": x.dtype} if combine in ("add", "multiply") else {}
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
    if node.dtype is bool_:
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
    """The product over `axis`; its gradient is right where elements are zero."""
    return _reduce(prod_op, x, axis, keepdims)


def max(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The largest element over `axis`; nan if one is nan."""
    return _reduce(max_op, x, axis, keepdims)


def min(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """The smallest element over `axis`; nan if one is nan."""
    return _reduce(min_op, x, axis, keepdims)


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
