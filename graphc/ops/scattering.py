"""Arrays changed at computed places: what `x.at[i].set(v)` and its kin are made of.

Each takes an array to start from, values, and indices that were checked; see `ScatterOp`. Values
come in row-major order, so what repeated indices give is fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import DTypeError, ShapeError
from graphc.ir.dim import product
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.indexing import scatter_add_op, take_op
from graphc.ops.indices import (
    ScatterOp,
    check_places,
    key_text,
    numpy_key,
    placed,
    selected_shape,
)
from graphc.ops.layout import broadcast_to, index_texts, reshape, slice_axes, slice_op
from graphc.ops.source import const, constant_value, ramp


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    base, values, *indices = inputs
    check_places("x.at[...]", base.shape, attrs["axes"], tuple(indices))
    expected = selected_shape(base.shape, attrs["axes"], tuple(indices))
    if values.shape != expected:
        raise ShapeError(
            f"x.at[...]: expected values of shape {shape_text(expected)}, "
            f"got {shape_text(values.shape)}"
        )
    if values.dtype is not base.dtype:
        raise DTypeError(f"x.at[...]: expected {base.dtype} values, got {values.dtype}")
    return TensorType(base.dtype, base.shape)


def _scatter(name: str, combine: str, numpy_function: Any, vjp: VectorJacobian, doc: str) -> Op:
    method = name.removeprefix("at_")

    def reference(
        attrs: Attributes, base: np.ndarray, values: np.ndarray, *indices: np.ndarray
    ) -> np.ndarray:
        result = base.copy()
        key = numpy_key(attrs, "x.at[...]", base.shape, indices)
        if numpy_function is None:
            result[key] = values
        else:
            numpy_function.at(result, key, values)
        return result

    def latex(node: Node) -> str:
        return rf"{{0}}\operatorname{{.{method}}}_{{{key_text(node, 2)}}}\left({{1}}\right)"

    op = ScatterOp(
        name, _infer, reference, vjp,
        notation=Notation(
            lambda node: f"{{0}}.at[{key_text(node, 2)}].{method}({{1}})", latex, ATOM, (ATOM,)
        ),
        doc=doc, combine=combine, base=True,
    )  # fmt: skip
    register(op)
    return op


# ---- derivatives


def _again(node: Node, op: Op, base: Node, values: Node) -> Node:
    """Another change at the same places."""
    return make(op, (base, values, *node.inputs[2:]), axes=node.attrs["axes"])


def _read(node: Node, x: Node) -> Node:
    """The elements of `x` at the places of a change."""
    return make(take_op, (x, *node.inputs[2:]), axes=node.attrs["axes"])


def _total(node: Node, values: Node) -> Node:
    """Values added up at the places of a change, from zeros."""
    attrs = {"axes": node.attrs["axes"], "shape": node.shape}
    return make(scatter_add_op, (values, *node.inputs[2:]), **attrs)


def _shares(node: Node, base: Node | None, values: Node | None) -> list[Node | None]:
    return [base, values, *[None] * (len(node.inputs) - 2)]


def _zeros(like: Node) -> Node:
    return broadcast_to(const(0, like.dtype), like.shape)


def _distinct(node: Node) -> bool:
    """Whether no two places of a change can be the same: constant indices without repetition."""
    arrays = [constant_value(source) for source in node.inputs[2:]]
    known = [array for array in arrays if array is not None]
    if len(known) < len(arrays):
        return False
    across = np.broadcast_arrays(*known)
    places = np.stack([array.reshape(-1) for array in across])
    return bool(np.unique(places, axis=1).shape[1] == places.shape[1])


def _last(node: Node) -> Node:
    """Where a value is the last one of its place, in the shape of the values."""
    base, values, *indices = node.inputs
    axes = node.attrs["axes"]
    first = placed(axes)
    across = values.shape[first : first + values.ndim - (base.ndim - len(axes))]
    order = reshape(ramp((product(across),), 0), across)
    marks = broadcast_to(const(0, order.dtype), tuple(base.shape[axis] for axis in axes))
    alone = tuple(range(len(axes)))
    latest = make(at_set_op, (marks, order, *indices), axes=alone)
    found = scalar.equal(make(take_op, (latest, *indices), axes=alone), order)
    after = (1,) * (values.ndim - first - len(across))
    return broadcast_to(reshape(found, (*across, *after)), values.shape)


def _set_vjp(node: Node, g: Node) -> list[Node | None]:
    values = node.inputs[1]
    taken = _read(node, g)
    if not _distinct(node):
        taken = scalar.where(_last(node), taken, _zeros(taken))
    return _shares(node, _again(node, at_set_op, g, _zeros(values)), taken)


def _add_vjp(node: Node, g: Node) -> list[Node | None]:
    return _shares(node, g, _read(node, g))


def _multiply_vjp(node: Node, g: Node) -> list[Node | None]:
    base, values = node.inputs[:2]
    rest = _again(node, at_multiply_op, g, values)
    if _distinct(node):
        return _shares(node, rest, _read(node, g) * _read(node, base))
    # The product of the others at the same place: of all but the zeros, if no other is zero.
    zero = scalar.equal(values, 0)
    whole = scalar.where(zero, 1.0, values)
    others = _read(node, _again(node, at_multiply_op, base, cast(whole, values.dtype)))
    zeros = _read(node, _total(node, cast(zero, values.dtype)))
    alone = scalar.equal(zeros, cast(zero, values.dtype))
    share = scalar.where(alone, others / whole, 0.0)
    return _shares(node, rest, _read(node, g) * cast(share, values.dtype))


def _extreme_vjp(node: Node, g: Node) -> list[Node | None]:
    base, values = node.inputs[:2]
    kept = scalar.equal(base, node)
    hit = scalar.equal(values, _read(node, node))
    ties = cast(kept, g.dtype) + _total(node, cast(hit, g.dtype))
    share = g / ties
    taken = _read(node, share)
    return _shares(
        node,
        scalar.where(kept, share, _zeros(share)),
        scalar.where(hit, taken, _zeros(taken)),
    )


at_add_op = _scatter(
    "at_add", "add", np.add, _add_vjp, "an array with values added at their indices"
)
at_set_op = _scatter(
    "at_set", "set", None, _set_vjp,
    "an array with values put at their indices; the last value at an index wins, and it alone has "
    "a derivative",
)  # fmt: skip
at_multiply_op = _scatter(
    "at_multiply", "multiply", np.multiply, _multiply_vjp,
    "an array with values multiplied at their indices; where values of a repeated index are zero "
    "the second derivative leaves out terms with two of them",
)  # fmt: skip
at_max_op = _scatter(
    "at_max", "maximum", np.maximum, _extreme_vjp,
    "the larger of an array's element and the values at its index; ties share the derivative "
    "equally",
)  # fmt: skip
at_min_op = _scatter(
    "at_min", "minimum", np.minimum, _extreme_vjp,
    "the smaller of an array's element and the values at its index; ties share the derivative "
    "equally",
)  # fmt: skip


# ---- slices


def _slice_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    base, values = inputs
    expected = slice_op.infer((base,), attrs)
    assert isinstance(expected, TensorType)
    if values.shape != expected.shape or values.dtype is not base.dtype:
        raise ShapeError(
            f"x.at[...]: expected {expected.dtype} values of shape {shape_text(expected.shape)}, "
            f"got {values.dtype} {shape_text(values.shape)}"
        )
    return TensorType(base.dtype, base.shape)


def _slice_reference(attrs: Attributes, base: np.ndarray, values: np.ndarray) -> np.ndarray:
    result = base.copy()
    result[np.ix_(*(np.arange(*bounds) for bounds in attrs["bounds"]))] = values
    return result


def _slice_expand(node: Node) -> Node:
    base, values = node.inputs
    part = make(slice_op, (base,), bounds=node.attrs["bounds"])
    inside = _put_back(part, broadcast_to(const(True), part.shape))
    return scalar.where(inside, _put_back(part, values), base)


def _put_back(part: Node, values: Node) -> Node:
    """Values in the places that a slice takes them from, zeros elsewhere: its transpose."""
    assert slice_op.vjp is not None
    (whole,) = slice_op.vjp(part, values)
    assert whole is not None
    return whole


def _slice_vjp(node: Node, g: Node) -> list[Node | None]:
    bounds = node.attrs["bounds"]
    rest = make(set_slice_op, (g, _zeros(node.inputs[1])), bounds=bounds)
    return [rest, slice_axes(g, bounds)]


set_slice_op = Op(
    "set_slice", _slice_infer, _slice_reference, _slice_vjp,
    notation=Notation(
        lambda node: f"{{0}}.at[{', '.join(index_texts(node))}].set({{1}})",
        lambda node: (
            rf"{{0}}\operatorname{{.set}}_{{\left[{', '.join(index_texts(node))}\right]}}"
            r"\left({1}\right)"
        ),
        ATOM, (ATOM,),
    ),
    expand=_slice_expand, doc="an array with other elements in a slice of it",
)  # fmt: skip
register(set_slice_op)


def set_slice(base: Node, values: Node, part: Node) -> Node:
    """`base` with `values` in place of `part`, a slice of it or all of it."""
    if part is base:
        return values
    return make(set_slice_op, (base, values), bounds=part.attrs["bounds"])
