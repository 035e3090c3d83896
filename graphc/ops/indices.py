"""Index operands: which values they may have, and what they select.

Every index is checked where it is used: out of range is reported, never read. The check is a node
of its own, `checked_index`, which a reading and its derivative share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir.dim import Dim
from graphc.ir.dtype import int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import Shape, TensorType, broadcast_shapes, shape_text
from graphc.ops.layout import pad_op
from graphc.ops.source import as_array, const, constant_value, ramp_op

# A constant of at most so many indices is looked at wherever the range of its values matters.
_SMALL = 4096


class IndexingOp(Op):
    """An operation whose places depend on the values of an index operand."""

    kind = "indexing"


@dataclass(frozen=True, eq=False, repr=False)
class ScatterOp(Op):
    """An operation that puts values at computed places, one after the other in row-major order.

    Its operands are the array it starts from, where it has a `base` (else it starts from zeros),
    the values, and one array of indices for each of the attribute `axes`. `combine` says what
    becomes of an element: "add", "multiply", "maximum" or "minimum" with the value, or "set".
    """

    combine: str = "add"
    base: bool = False

    kind = "scatter"


def indexing_operation(
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


# ---- indices


def require_integers(name: str, node: Node) -> None:
    """Raise DTypeError unless `node` holds integers."""
    if not node.dtype.is_integer:
        raise DTypeError(f"{name}: expected integer indices, got {node.dtype}")


def range_text(value: int, position: int, length: int, from_end: bool, axis: int | None) -> str:
    """What is wrong with an index, for an error."""
    along = "" if axis is None else f" for axis {axis}"
    return (
        f"{value} at position {position} is out of range{along}; "
        f"expected {-length if from_end else 0} <= index < {length}"
    )


def check_range(
    name: str, indices: np.ndarray, length: int, from_end: bool = False, axis: int | None = None
) -> None:
    """Raise IndexRangeError for the first index outside 0..length-1, with its place.

    With `from_end` indices from -length on count from the end.
    """
    bad = np.flatnonzero((indices < (-length if from_end else 0)) | (indices >= length))
    if bad.size:
        value, position = int(indices.reshape(-1)[bad[0]]), int(bad[0])
        raise IndexRangeError(
            f"{name}: index {range_text(value, position, length, from_end, axis)}"
        )


def counts_from_end(node: Node) -> bool:
    """Whether a checked index may count from the end of its axis."""
    return bool(node.attrs.get("from_end", False))


def _checked_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (indices,) = inputs
    require_integers("indices", indices)
    return TensorType(int64, indices.shape)


def _checked_reference(attrs: Attributes, indices: np.ndarray) -> np.ndarray:
    length, from_end = attrs["length"], attrs.get("from_end", False)
    check_range("indices", indices, length, from_end, attrs.get("axis"))
    known = indices.astype(np.int64)
    return np.where(known < 0, known + length, known)


checked_op = indexing_operation(
    "checked_index", _checked_infer, _checked_reference, lambda node, g: [None],
    Notation("{0}", "{0}", ATOM),
    "an index from 0 on, reported where it is out of range",
)  # fmt: skip


def is_valid(indices: Node, length: Dim) -> bool:
    """Whether all of an index operand is known to lie in 0..length-1 when it is computed."""
    while indices.op.kind == "layout" and indices.op is not pad_op and len(indices.inputs) == 1:
        indices = indices.inputs[0]
    if indices.op is checked_op:
        return bool(indices.attrs["length"] == length)
    if indices.op is ramp_op:
        return bool(indices.shape[indices.attrs["axis"]] == length)
    array = constant_value(indices)
    if array is None or not isinstance(length, int) or array.size > _SMALL:
        return False
    return bool(((array >= 0) & (array < length)).all())


def from_zero(indices: Node, length: Dim) -> Node:
    """Indices into an axis of `length`, checked; a negative one is out of range."""
    if is_valid(indices, length):
        return indices
    return make(checked_op, (indices,), length=length, from_end=False, axis=None)


def as_indices(value: object, length: Dim, axis: int, name: str) -> Node:
    """Indices into an axis of `length`, checked: those of a constant now, others when they run.

    Negative ones count from the end. Raises DTypeError for what is not an integer.
    """
    given = value
    if isinstance(value, Node):
        array = constant_value(value)
    else:
        array = as_array(name, value)
        if array.size == 0 and not isinstance(value, np.ndarray):
            array = array.astype(np.int64)  # an empty list holds no floats
        given = None
    if array is not None and array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integer indices, got {array.dtype}")
    if array is not None and isinstance(length, int):
        check_range(name, array, length, True, axis)
        known = array.astype(np.int64)
        node = const(np.where(known < 0, known + length, known))
    else:
        node = given if isinstance(given, Node) else const(np.asarray(array, np.int64))
    require_integers(name, node)
    if is_valid(node, length):
        return node
    signed = node.dtype.name.startswith("int")
    return make(checked_op, (node,), length=length, from_end=signed, axis=axis)


# ---- places: the axes that indices select from, and where the axes of the indices go


def placed(axes: tuple[int, ...]) -> int:
    """Where the axes of the indices come in the result: in the place of the axes they select from
    if those are neighbours, else first, as in NumPy."""
    return axes[0] if axes[-1] - axes[0] + 1 == len(axes) else 0


def selected_shape(shape: Shape, axes: tuple[int, ...], indices: tuple[Node, ...]) -> Shape:
    """The shape of what `indices` select along `axes` of an array of `shape`."""
    across = broadcast_shapes((node.shape for node in indices), "indices")
    rest = tuple(dim for axis, dim in enumerate(shape) if axis not in axes)
    return (*rest[: placed(axes)], *across, *rest[placed(axes) :])


def check_places(name: str, shape: Shape, axes: tuple[int, ...], indices: tuple[Node, ...]) -> None:
    for node in indices:
        require_integers(name, node)
    known = all(type(axis) is int and 0 <= axis < len(shape) for axis in axes)
    if not axes or not known or list(axes) != sorted(set(axes)) or len(axes) != len(indices):
        raise ShapeError(
            f"{name}: expected indices for some axes of {shape_text(shape)}, one array for each, "
            f"in order; got {len(indices)} for axes {axes}"
        )


def numpy_key(
    attrs: Attributes, name: str, shape: tuple[int, ...], indices: tuple[np.ndarray, ...]
) -> tuple[slice | np.ndarray, ...]:
    """The key with which NumPy selects the same."""
    key: list[slice | np.ndarray] = [slice(None)] * len(shape)
    for axis, array in zip(attrs["axes"], indices, strict=True):
        check_range(name, array, shape[axis], axis=axis)
        key[axis] = array
    return tuple(key)


def key_text(node: Node, first: int) -> str:
    """The key of a selection over the templates of its indices, the operands from `first` on."""
    operands = iter(range(first, len(node.inputs)))
    axes = node.attrs["axes"]
    return ", ".join(
        f"{{{next(operands)}}}" if axis in axes else ":" for axis in range(max(axes) + 1)
    )
