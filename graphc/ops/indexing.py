"""Indexing by computed indices: `take` reads at them, `scatter_add` adds up at them.

Each is the other's derivative. `pick` and `one_hot` are for labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ShapeError
from graphc.ir.dim import Dim, as_dim, product
from graphc.ir.dtype import as_dtype
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, as_shape, normalize_axis, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.indices import (
    ScatterOp,
    as_indices,
    check_places,
    from_zero,
    indexing_operation,
    key_text,
    numpy_key,
    require_integers,
    selected_shape,
)
from graphc.ops.indices import check_range as check_range
from graphc.ops.indices import checked_op as checked_op
from graphc.ops.layout import expand_dims, reshape
from graphc.ops.source import as_node, ramp, ramp_op

# ---- reading


def _take_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    x, *indices = inputs
    check_places("take", x.shape, attrs["axes"], tuple(indices))
    return TensorType(x.dtype, selected_shape(x.shape, attrs["axes"], tuple(indices)))


def _take_reference(attrs: Attributes, x: np.ndarray, *indices: np.ndarray) -> np.ndarray:
    return np.asarray(x[numpy_key(attrs, "take", x.shape, indices)])


def _take_vjp(node: Node, g: Node) -> list[Node | None]:
    x, *indices = node.inputs
    total = make(scatter_add_op, (g, *indices), axes=node.attrs["axes"], shape=x.shape)
    return [total, *[None] * len(indices)]


def _along_axis(node: Node) -> int | None:
    """The axis of a `take_along_axis`: the one that no ramp goes along; None for other keys."""
    x, *indices = node.inputs
    chosen = [axis for axis, i in enumerate(indices) if not is_ramp(i, axis, len(indices))]
    whole = node.attrs["axes"] == tuple(range(x.ndim)) and x.ndim > 1
    return chosen[0] if whole and len(chosen) == 1 else None


def is_ramp(node: Node, axis: int, rank: int) -> bool:
    """Whether indices only say where they are along `axis`."""
    return node.op is ramp_op and node.attrs["axis"] == axis and node.ndim == rank


def _take_text(node: Node) -> str:
    axis = _along_axis(node)
    if axis is not None:
        return f"take_along_axis({{0}}, {{{axis + 1}}}, axis={axis})"
    return f"{{0}}[{key_text(node, 1)}]"


def _take_latex(node: Node) -> str:
    axis = _along_axis(node)
    if axis is not None:
        name = r"\operatorname{take\_along\_axis}"
        return rf"{name}_{{{axis}}}\left({{0}}, {{{axis + 1}}}\right)"
    return rf"{{0}}_{{{key_text(node, 1)}}}"


take_op = indexing_operation(
    "take",
    _take_infer,
    _take_reference,
    _take_vjp,
    Notation(_take_text, _take_latex, ATOM, (ATOM,)),
    "elements by their indices along some axes; where an index repeats its derivative adds up",
)


def take(x: object, indices: object, axis: int | None = 0) -> Node:
    """Elements of `x` along an axis by index: `take(x, i)[j] = x[i[j]]`, the rows by default.

    Shapes: x (..., n, ...), indices of any shape and of integers: result with the axes of the
    indices in place of `axis`. With axis=None it selects from all elements of `x` in row-major
    order; np.take(x, i), whose default that is, does so. Negative indices count from the end. The
    gradient adds up where an index repeats. An index outside -n..n-1 is an IndexRangeError: here
    for constants, when it runs for others.

    >>> from graphc.ops.source import input
    >>> take(input("x", (5, 3)), input("i", ("n",), "int64"), axis=1)
    <take: float32 (5, n)>
    """
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, (product(node.shape),)), 0
    if node.ndim == 0:
        raise ShapeError("take: expected an array with at least one axis, got a scalar")
    at = normalize_axis(axis, node.ndim, "take")
    chosen = as_indices(indices, node.shape[at], at, "take")
    return make(take_op, (node, chosen), axes=(at,))


# ---- adding up


def _scatter_add_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    values, *indices = inputs
    check_places("scatter_add", attrs["shape"], attrs["axes"], tuple(indices))
    expected = selected_shape(attrs["shape"], attrs["axes"], tuple(indices))
    if values.shape != expected:
        raise ShapeError(
            f"scatter_add: expected values of shape {shape_text(expected)}, "
            f"got {shape_text(values.shape)}"
        )
    return TensorType(values.dtype, attrs["shape"])


def _scatter_add_reference(
    attrs: Attributes, values: np.ndarray, *indices: np.ndarray
) -> np.ndarray:
    result = np.zeros(attrs["shape"], values.dtype)
    key: Any = numpy_key(attrs, "scatter_add", result.shape, indices)
    np.add.at(result, key, values)
    return result


def _scatter_add_text(node: Node) -> str:
    if node.attrs["axes"] == (0,):
        return "scatter_add({0}, {1})"
    return f"scatter_add({{0}}, ({key_text(node, 1)}))"


scatter_add_op = ScatterOp(
    "scatter_add",
    _scatter_add_infer,
    _scatter_add_reference,
    lambda node, g: [
        make(take_op, (g, *node.inputs[1:]), axes=node.attrs["axes"]),
        *[None] * (len(node.inputs) - 1),
    ],
    notation=Notation(
        _scatter_add_text,
        lambda node: (
            r"\operatorname{scatter\_add}" + rf"_{{{key_text(node, 1)}}}\left({{0}}\right)"
        ),
        ATOM,
    ),
    doc="values added up at their indices, from zeros",
)
register(scatter_add_op)


def scatter_add(values: object, indices: object, length: Dim | str) -> Node:
    """Rows added up by index: `result[i[j]] += values[j]`, from zeros, in the order of j.

    Shapes: indices (m, ...), values (m, ..., *rest): result (length, *rest). An index outside
    0..length-1 is an IndexRangeError. To add to an array there is `x.at[i].add(values)`.
    """
    rows, places = as_node(values), as_node(indices)
    require_integers("scatter_add", places)
    if rows.shape[: places.ndim] != places.shape:
        raise ShapeError(
            f"scatter_add: expected values whose shape begins with that of the indices, "
            f"{shape_text(places.shape)}; got {shape_text(rows.shape)}"
        )
    (size,) = as_shape(length)
    chosen = from_zero(places, size)
    shape = (size, *rows.shape[places.ndim :])
    return make(scatter_add_op, (rows, chosen), axes=(0,), shape=shape)


# ---- labels


def one_hot(labels: object, classes: Dim, dtype: object = float) -> Node:
    """Rows of zeros with a one at each label.

    Shapes: labels (...) of integers: result (..., classes). A label outside 0..classes-1 is an
    IndexRangeError when it runs.
    """
    return make(one_hot_op, (as_node(labels),), classes=as_dim(classes), dtype=as_dtype(dtype))


def _one_hot_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (labels,) = inputs
    require_integers("one_hot", labels)
    return TensorType(attrs["dtype"], (*labels.shape, attrs["classes"]))


def _one_hot_reference(attrs: Attributes, labels: np.ndarray) -> np.ndarray:
    check_range("one_hot", labels, attrs["classes"])
    return np.asarray(labels[..., None] == np.arange(attrs["classes"]), attrs["dtype"].numpy)


def _one_hot_expand(node: Node) -> Node:
    (labels,) = node.inputs
    checked = from_zero(labels, node.attrs["classes"])
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
    require_integers("pick", labels)
    if x.ndim == 0 or x.shape[:-1] != labels.shape:
        raise ShapeError(
            f"pick: expected one label for each row of {shape_text(x.shape)}, "
            f"so labels of shape {shape_text(x.shape[:-1])}; got {shape_text(labels.shape)}"
        )
    return TensorType(x.dtype, labels.shape)


def _pick_reference(attrs: Attributes, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    check_range("pick", labels, x.shape[-1])
    return np.take_along_axis(x, labels[..., None].astype(np.int64), axis=-1)[..., 0]


pick_op = indexing_operation(
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
