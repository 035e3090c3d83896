"""Indexing by computed indices. Every index is checked where it is used: out of range is reported,
never read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir.dim import Dim, as_dim, product
from graphc.ir.dtype import as_dtype, int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType, as_shape, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.layout import expand_dims, reshape
from graphc.ops.source import as_node, ramp


@dataclass(frozen=True, eq=False, repr=False)
class IndexingOp(Op):
    """An operation whose places depend on the values of an index operand."""

    kind = "indexing"


def _indices(name: str, node: Node) -> None:
    if not node.dtype.is_integer:
        raise DTypeError(f"{name}: expected integer indices, got {node.dtype}")


def check_range(name: str, indices: np.ndarray, length: int) -> None:
    """Raise IndexRangeError for the first index outside 0..length-1, with its place."""
    bad = np.flatnonzero((indices < 0) | (indices >= length))
    if bad.size:
        value = int(indices.reshape(-1)[bad[0]])
        raise IndexRangeError(
            f"{name}: index {value} at position {int(bad[0])} is out of range; "
            f"expected 0 <= index < {length}"
        )


def _op(
    name: str,
    infer: Callable[[tuple[Node, ...], Attributes], TensorType],
    reference: Callable[..., np.ndarray],
    vjp: VectorJacobian,
    notation: Notation,
    doc: str,
) -> IndexingOp:
    op = IndexingOp(name, infer, reference, vjp, notation=notation, doc=doc)
    register(op)
    return op


def _checked_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (indices,) = inputs
    _indices("one_hot", indices)
    return TensorType(int64, indices.shape)


def _checked_reference(attrs: Attributes, indices: np.ndarray) -> np.ndarray:
    check_range("one_hot", indices, attrs["length"])
    return indices.astype(np.int64)


checked_op = _op(
    "checked_index", _checked_infer, _checked_reference, lambda node, g: [None],
    Notation("{0}", "{0}", ATOM), "an index, reported where it is out of range",
)  # fmt: skip


def one_hot(labels: object, classes: Dim, dtype: object = float) -> Node:
    """Rows of zeros with a one at each label.

    Shapes: labels (...) of integers: result (..., classes). A label outside 0..classes-1 is an
    IndexRangeError when it runs.
    """
    return make(one_hot_op, (as_node(labels),), classes=as_dim(classes), dtype=as_dtype(dtype))


def _one_hot_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (labels,) = inputs
    _indices("one_hot", labels)
    return TensorType(attrs["dtype"], (*labels.shape, attrs["classes"]))


def _one_hot_reference(attrs: Attributes, labels: np.ndarray) -> np.ndarray:
    check_range("one_hot", labels, attrs["classes"])
    return np.asarray(labels[..., None] == np.arange(attrs["classes"]), attrs["dtype"].numpy)


def _one_hot_expand(node: Node) -> Node:
    (labels,) = node.inputs
    checked = make(checked_op, (labels,), length=node.attrs["classes"])
    column = ramp(node.shape, node.ndim - 1)
    return cast(scalar.equal(expand_dims(checked, -1), column), node.dtype)


one_hot_op = Op(
    "one_hot", _one_hot_infer, _one_hot_reference, lambda node, g: [None],
    notation=Notation("onehot({0})", r"\operatorname{onehot}\left({0}\right)", ATOM),
    expand=_one_hot_expand, doc="rows of zeros with a one at each label",
)  # fmt: skip
register(one_hot_op)


def _pick_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    x, labels = inputs
    _indices("pick", labels)
    if x.ndim == 0 or x.shape[:-1] != labels.shape:
        raise ShapeError(
            f"pick: expected one label for each row of {shape_text(x.shape)}, "
            f"so labels of shape {shape_text(x.shape[:-1])}; got {shape_text(labels.shape)}"
        )
    return TensorType(x.dtype, labels.shape)


def _pick_reference(attrs: Attributes, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    check_range("pick", labels, x.shape[-1])
    return np.take_along_axis(x, labels[..., None].astype(np.int64), axis=-1)[..., 0]


pick_op = _op(
    "pick",
    _pick_infer,
    _pick_reference,
    lambda node, g: [
        expand_dims(g, -1) * one_hot(node.inputs[1], node.inputs[0].shape[-1], g.dtype),
        None,
    ],
    Notation("pick({0}, {1})", r"{{0}}_{{1}}", latex_operands=(ATOM, 0)),
    "one element of each row",
)


def pick(x: object, labels: object) -> Node:
    """One element of each row: `pick(x, t)[..., i] = x[..., i, t[..., i]]`.

    Shapes: x (..., k), labels (...) of integers. A label outside 0..k-1 is an IndexRangeError when
    it runs.
    """
    return make(pick_op, (as_node(x), as_node(labels)))


def _take_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    x, indices = inputs
    _indices("take", indices)
    if x.ndim == 0:
        raise ShapeError("take: expected an array with at least one axis, got a scalar")
    return TensorType(x.dtype, (*indices.shape, *x.shape[1:]))


def _take_reference(attrs: Attributes, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    check_range("take", indices, x.shape[0])
    return np.asarray(x[indices])


take_op = _op(
    "take",
    _take_infer,
    _take_reference,
    lambda node, g: [scatter_add(g, node.inputs[1], node.inputs[0].shape[0]), None],
    Notation("{0}[{1}]", r"{{0}}_{{1}}", ATOM, (ATOM, 0)),
    "rows by their indices",
)


def take(x: object, indices: object) -> Node:
    """Rows of `x` (elements along its first axis) by index: `take(x, i)[j] = x[i[j]]`.

    Shapes: x (n, ...), indices (m, ...) of integers: result (m, ..., *x.shape[1:]). Its gradient
    adds up where an index repeats. An index outside 0..n-1 is an IndexRangeError when it runs.
    """
    return make(take_op, (as_node(x), as_node(indices)))


def _scatter_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    values, indices = inputs
    _indices("scatter_add", indices)
    if indices.ndim != 1 or values.shape[:1] != indices.shape:
        raise ShapeError(
            f"scatter_add: expected one value or row for each of {shape_text(indices.shape)} "
            f"indices, "
            f"got {shape_text(values.shape)}"
        )
    return TensorType(values.dtype, (attrs["length"], *values.shape[1:]))


def _scatter_reference(attrs: Attributes, values: np.ndarray, indices: np.ndarray) -> np.ndarray:
    length = attrs["length"]
    check_range("scatter_add", indices, length)
    result = np.zeros((length, *values.shape[1:]), values.dtype)
    np.add.at(result, indices, values)
    return result


scatter_add_op = _op(
    "scatter_add",
    _scatter_infer,
    _scatter_reference,
    lambda node, g: [take(g, node.inputs[1]), None],
    Notation("scatter_add({0}, {1})", r"\operatorname{scatter\_add}\left({0}, {1}\right)", ATOM),
    "values added up at their indices",
)


def scatter_add(values: object, indices: object, length: Dim | str) -> Node:
    """Rows added up by index: `result[i[j]] += values[j]`, from zeros, in the order of j.

    Shapes: indices (m, ...), values (m, ..., *rest): result (length, *rest).
    """
    rows, places = as_node(values), as_node(indices)
    if rows.shape[: places.ndim] != places.shape:
        raise ShapeError(
            f"scatter_add: expected values whose shape begins with that of the indices, "
            f"{shape_text(places.shape)}; got {shape_text(rows.shape)}"
        )
    count = product(places.shape)
    flat = reshape(rows, (count, *rows.shape[places.ndim :]))
    (size,) = as_shape(length)
    return make(scatter_add_op, (flat, reshape(places, (count,))), length=size)
