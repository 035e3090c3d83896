"""Composites: operations written in others, kept whole so that graphs, derivatives and LaTeX stay
readable.

Each expands into its stable form when it is compiled. Its derivative is written by hand where the
result is shorter than the derivative of its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.errors import DTypeError, ShapeError
from graphc.ir.dtype import default_float
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType, normalize_axes, normalize_axis, shape_text
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.indexing import check_range, one_hot, pick
from graphc.ops.layout import expand_dims, reshape
from graphc.ops.reduction import reduced_shape, reduction_latex, reduction_text
from graphc.ops.source import as_node, as_nodes


class CompositeOp(Op):
    """An operation defined by its expansion into others."""

    kind = "composite"


def _composite(
    name: str,
    infer: Callable[[tuple[Node, ...], Attributes], TensorType],
    reference: Callable[..., Any],
    vjp: VectorJacobian,
    expand: Callable[[Node], Node],
    notation: Notation,
    doc: str,
) -> Op:
    op = CompositeOp(name, infer, reference, vjp, notation=notation, expand=expand, doc=doc)
    register(op)
    return op


def _same(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return inputs[0].tensor


def _reduced(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (x,) = inputs
    return TensorType(x.dtype, reduced_shape(x.shape, attrs["axes"], attrs["keepdims"]))


def _float(x: object) -> Node:
    node = as_node(x)
    return node if node.dtype.is_float else cast(node, default_float())


def _keep(node: Node, value: Node) -> Node:
    """A reduced value with its axes kept as ones."""
    return reshape(value, reduced_shape(node.inputs[0].shape, node.attrs["axes"], True))


def _check_elements(name: str, node: Node, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if node.shape[axis] == 0:
            raise ShapeError(f"{name}: axis {axis} of {shape_text(node.shape)} has no elements")


def _largest(x: np.ndarray, axis: Any) -> np.ndarray:
    """The largest element along some axes, which stay as ones; -inf of nothing."""
    return np.asarray(np.max(x, axis=axis, keepdims=True, initial=-np.inf))


# ---- logsumexp


def _logsumexp_reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    largest = _largest(x, attrs["axes"])
    shift = np.where(np.isfinite(largest), largest, 0)
    total = np.log(np.sum(np.exp(x - shift), axis=attrs["axes"], keepdims=True)) + shift
    return np.asarray(total if attrs["keepdims"] else np.squeeze(total, attrs["axes"]))


def _shift(x: Node, axes: tuple[int, ...]) -> Node:
    """The largest element, as what to subtract before exp; 0 where it is infinite, since inf - inf
    is nan."""
    largest = reduction.max(x, axis=axes, keepdims=True)
    return scalar.where(scalar.isfinite(largest), largest, 0.0)


def _logsumexp_expand(node: Node) -> Node:
    (x,), axes = node.inputs, node.attrs["axes"]
    shift = _shift(x, axes)
    total = reduction.sum(scalar.exp(x - shift), axis=axes, keepdims=True)
    return reshape(scalar.log(total) + shift, node.shape)


def _logsumexp_vjp(node: Node, g: Node) -> list[Node | None]:
    (x,), axes = node.inputs, node.attrs["axes"]
    if len(axes) == 1:  # a softmax shares its powers with the sum
        return [_keep(node, g) * make(softmax_op, (x,), axis=axes[0])]
    return [_keep(node, g) * scalar.exp(x - _keep(node, node))]


logsumexp_op = _composite(
    "logsumexp", _reduced, _logsumexp_reference, _logsumexp_vjp, _logsumexp_expand,
    Notation(reduction_text("logsumexp"), reduction_latex(r"\operatorname{logsumexp}"), ATOM),
    "log(sum(exp(x))), without overflow",
)  # fmt: skip


def logsumexp(x: object, axis: Any = None, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) over `axis`, without overflow."""
    node = _float(x)
    axes = normalize_axes(axis, node.ndim, "logsumexp")
    _check_elements("logsumexp", node, axes)
    return make(logsumexp_op, (node,), axes=axes, keepdims=bool(keepdims)) if axes else node


# ---- softmax and its logarithm


def _along_axis(name: str, symbol: str) -> Notation:
    """How an operation along one axis is written: with its axis, unless it is the last."""

    def last(node: Node) -> bool:
        return bool(node.attrs["axis"] == node.ndim - 1)

    return Notation(
        lambda node: (
            f"{name}({{0}})" if last(node) else f"{name}({{0}}, axis={node.attrs['axis']})"
        ),
        lambda node: (
            symbol
            + ("" if last(node) else rf"_{{\text{{axis {node.attrs['axis']}}}}}")
            + r"\left({0}\right)"
        ),
    )


def _softmax_reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - _largest(x, attrs["axis"]))
    return np.asarray(powers / np.sum(powers, axis=attrs["axis"], keepdims=True))


def _softmax_expand(node: Node) -> Node:
    (x,), axis = node.inputs, node.attrs["axis"]
    powers = scalar.exp(x - _shift(x, (axis,)))
    return powers / reduction.sum(powers, axis=axis, keepdims=True)


softmax_op = _composite(
    "softmax", _same, _softmax_reference,
    lambda node, g: [
        node * (g - reduction.sum(g * node, axis=node.attrs["axis"], keepdims=True))
    ],
    _softmax_expand, _along_axis("softmax", r"\operatorname{softmax}"),
    "exp(x) / sum(exp(x)) along one axis, without overflow",
)  # fmt: skip


def softmax(x: object, axis: int = -1) -> Node:
    """exp(x) / sum(exp(x)) along `axis`, without overflow."""
    node = _float(x)
    at = normalize_axis(axis, node.ndim, "softmax")
    _check_elements("softmax", node, (at,))
    return make(softmax_op, (node,), axis=at)


def _log_softmax_expand(node: Node) -> Node:
    (x,), axis = node.inputs, node.attrs["axis"]
    shifted = x - _shift(x, (axis,))
    return shifted - scalar.log(reduction.sum(scalar.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    shifted = x - _largest(x, attrs["axis"])
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=attrs["axis"], keepdims=True)))


def _log_softmax_vjp(node: Node, g: Node) -> list[Node | None]:
    (x,), axis = node.inputs, node.attrs["axis"]
    return [g - softmax(x, axis) * reduction.sum(g, axis=axis, keepdims=True)]


log_softmax_op = _composite(
    "log_softmax", _same, _log_softmax_reference, _log_softmax_vjp, _log_softmax_expand,
    _along_axis("log_softmax", r"\log\operatorname{softmax}"),
    "log(softmax(x)) along one axis, without overflow or log(0)",
)  # fmt: skip


def log_softmax(x: object, axis: int = -1) -> Node:
    """log(softmax(x)) along `axis`, without overflow or log(0)."""
    node = _float(x)
    at = normalize_axis(axis, node.ndim, "log_softmax")
    _check_elements("log_softmax", node, (at,))
    return make(log_softmax_op, (node,), axis=at)


# ---- losses for one example


def _cross_entropy_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    logits, labels = inputs
    if not labels.dtype.is_integer:
        raise DTypeError(
            f"softmax_cross_entropy: expected integer labels, got {labels.dtype}; for rows of "
            f"probabilities use -gx.sum(p * gx.log_softmax(logits), axis=-1)"
        )
    if logits.ndim == 0 or logits.shape[:-1] != labels.shape:
        raise ShapeError(
            f"softmax_cross_entropy: expected one label for each row of logits "
            f"{shape_text(logits.shape)}, so labels of shape {shape_text(logits.shape[:-1])}; "
            f"got {shape_text(labels.shape)}"
        )
    _check_elements("softmax_cross_entropy", logits, (logits.ndim - 1,))
    return TensorType(logits.dtype, labels.shape)


def _cross_entropy_reference(attrs: Attributes, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    check_range("softmax_cross_entropy", labels, z.shape[-1])
    logs = _log_softmax_reference({"axis": -1}, z)
    return -np.take_along_axis(logs, labels[..., None].astype(np.int64), axis=-1)[..., 0]


def _cross_entropy_vjp(node: Node, g: Node) -> list[Node | None]:
    logits, labels = node.inputs
    classes = logits.shape[-1]
    return [expand_dims(g, -1) * (softmax(logits) - one_hot(labels, classes, g.dtype)), None]


def _cross_entropy_expand(node: Node) -> Node:
    logits, labels = node.inputs
    return logsumexp(logits, axis=-1) - pick(logits, labels)


softmax_cross_entropy_op = _composite(
    "softmax_cross_entropy", _cross_entropy_infer, _cross_entropy_reference, _cross_entropy_vjp,
    _cross_entropy_expand,
    Notation(
        "cross_entropy(softmax({0}), {1})",
        r"\operatorname{CE}\left(\operatorname{softmax}\left({0}\right), {1}\right)", ATOM,
    ),
    "-log(softmax(logits)[label]) for each row",
)  # fmt: skip


def softmax_cross_entropy(logits: object, labels: object) -> Node:
    """-log(softmax(logits)[label]) for each row, in nats.

    Shapes: logits (..., k), labels (...) of integers: result (...). A label outside 0..k-1 is an
    IndexRangeError when it runs. Its derivative is softmax(logits) - onehot(labels).
    """
    return make(softmax_cross_entropy_op, (_float(logits), as_node(labels)))


def sigmoid_cross_entropy(logits: object, targets: object) -> Node:
    """-t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)), elementwise, in nats, for t in [0, 1].

    Computed as max(z, 0) - t z + log(1 + exp(-|z|)), in this order, which neither overflows nor
    takes log(0) nor cancels where the loss is tiny; its derivative is sigmoid(z) - t.
    """
    z, t = as_nodes((logits, targets))
    if not t.dtype.is_float:
        t = cast(t, z.dtype if z.dtype.is_float else default_float())
    z, t = cast_together([z, t])
    return make(sigmoid_cross_entropy_op, (z, t))


def _sigmoid_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    z, t = inputs
    if z.shape != t.shape:
        raise ShapeError(
            f"sigmoid_cross_entropy: expected targets of the logits' shape {shape_text(z.shape)}, "
            f"got {shape_text(t.shape)}"
        )
    return z.tensor


def _sigmoid_expand(node: Node) -> Node:
    z, t = node.inputs
    return scalar.relu(z) - t * z + scalar.softplus(-abs(z))


sigmoid_cross_entropy_op = _composite(
    "sigmoid_cross_entropy", _sigmoid_infer,
    lambda attrs, z, t: np.maximum(z, 0) - t * z + np.log1p(np.exp(-np.abs(z))),
    lambda node, g: [g * (scalar.sigmoid(node.inputs[0]) - node.inputs[1]), -g * node.inputs[0]],
    _sigmoid_expand,
    Notation(
        "cross_entropy(σ({0}), {1})", r"\operatorname{CE}\left(\sigma\left({0}\right), {1}\right)",
        ATOM
    ),
    "-t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z))",
)  # fmt: skip
