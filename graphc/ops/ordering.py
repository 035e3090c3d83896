"""Ordering: sorted rows, the places that sorted elements come from, and places in a sorted array.

One routine sorts the rows of the last axis and gives both the values and their places; the rest is
made of it. It is stable: equal elements, among them 0 and -0, stay in their order. A nan counts as
larger than every number, as it does for `max` and `argmax`: it comes last, first if `descending`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, as_dim, product
from graphc.ir.dtype import DType, bool_, float32, float64, int32, int64, uint8, uint32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import NodeType, TensorType, TupleType, normalize_axis, shape_text
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.indexing import scatter_add
from graphc.ops.layout import reshape, slice_axes, transpose
from graphc.ops.routine import RoutineOp, item, same_operation
from graphc.ops.source import as_node, as_nodes, ramp, size

# Types that the routines know; smaller integers are sorted as these.
_WIDER: dict[DType, DType] = {bool_: int32, uint8: int32, uint32: int64}
_KEYS: dict[DType, DType] = {float32: int32, int32: int32, float64: int64, int64: int64}


def _sort_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (x,) = inputs
    return TupleType((x.tensor, TensorType(int64, x.shape)))


def _sort_reference(attrs: Attributes, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if attrs["descending"]:
        # Backwards from the end, so that equal elements stay in order.
        order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    else:
        order = np.argsort(x, axis=-1, kind="stable")
    return np.take_along_axis(x, order, axis=-1), order


def place_back(values: Node, indices: Node) -> Node:
    """Values of sorted rows, each at the place that its element came from (last axis)."""
    shape = values.shape
    n, total = shape[-1], product(shape)
    rows = reshape(indices, (product(shape[:-1]), n))
    flat = rows + ramp(rows.shape, 0) * size(n)
    places = scatter_add(reshape(values, (total,)), reshape(flat, (total,)), total)
    return reshape(places, shape)


def _sort_vjp(node: Node, g: Node) -> list[Node | None]:
    """`g` is the cotangent of (values, indices), as a tuple node; indices have none."""
    if not node.inputs[0].dtype.is_float:
        return [None]
    return [place_back(item(g, 0), item(node, 1))]


def _rows(node: Node) -> Dim:
    return product(node.inputs[0].shape[:-1])


def _sort_text(node: Node) -> str:
    return "sort({0}, descending=True)" if node.attrs["descending"] else "sort({0})"


def _sort_latex(node: Node) -> str:
    below = r"_{\text{descending}}" if node.attrs["descending"] else ""
    return rf"\operatorname{{sort}}{below}\left({{0}}\right)"


sort_op = RoutineOp(
    "sort", _sort_infer, _sort_reference, _sort_vjp,
    notation=Notation(_sort_text, _sort_latex, ATOM),
    doc="each row sorted, and the places its elements come from; the derivative of an element goes "
    "to its place, of equal ones as the stable order has them",
    sizes=lambda node: (node.inputs[0].shape[-1], int(node.attrs["descending"])),
    # Keys and places set aside, and counts of digits.
    workspace=lambda node: (
        (_KEYS[node.inputs[0].dtype], product(node.inputs[0].shape)),
        (int64, product(node.inputs[0].shape)),
        (int64, product(node.inputs[0].shape)),
    ),
    rows=_rows, row_work=lambda node: 8 * node.inputs[0].shape[-1], stacked=same_operation,
)  # fmt: skip
register(sort_op)


def _last(x: Node, axis: int) -> tuple[Node, tuple[int, ...]]:
    """The node with an axis moved to the end, and the axes that move it back."""
    order = (*(a for a in range(x.ndim) if a != axis), axis)
    return transpose(x, order), tuple(int(a) for a in np.argsort(order))


def _ordered(name: str, x: object, axis: Any, descending: object) -> tuple[Node, Node]:
    """Sorted values, and the places they come from, along an axis; None flattens."""
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, (product(node.shape),)), 0
    at = normalize_axis(axis, node.ndim, name)
    rows, back = _last(node, at)
    known = cast(rows, _WIDER.get(rows.dtype, rows.dtype))
    both = make(sort_op, (known,), descending=bool(descending))
    return cast(transpose(item(both, 0), back), node.dtype), transpose(item(both, 1), back)


def sort(x: object, axis: int | None = -1, *, descending: bool = False) -> Node:
    """The elements sorted along `axis` (of the flattened array for None), as np.sort.

    Equal elements stay in order; nan comes last, first if `descending`. The derivative of each
    element goes to the place it came from.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(sort([3, 1, 2])), evaluate(sort([3, 1, 2], descending=True))
    (array([1, 2, 3]), array([3, 2, 1]))
    """
    return _ordered("sort", x, axis, descending)[0]


def argsort(x: object, axis: int | None = -1, *, descending: bool = False) -> Node:
    """The indices (int64) that sort along `axis`, as np.argsort(x, kind="stable").

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(argsort([3, 1, 2]))
    array([1, 2, 0])
    """
    return _ordered("argsort", x, axis, descending)[1]


def top_k(x: object, k: Dim | str, axis: int = -1) -> tuple[Node, Node]:
    """The `k` largest elements along `axis`, largest first, and their indices (int64).

    Of equal elements the earlier comes first; nan is larger than every number. Shapes: `k` in place
    of the length of `axis`. The whole axis is sorted. Raises ShapeError if it is shorter than `k`.

    >>> from graphc.ops.evaluate import evaluate
    >>> values, indices = top_k([3, 1, 2], 2)
    >>> evaluate(values), evaluate(indices)
    (array([3, 2]), array([0, 2]))
    """
    node, count = as_node(x), as_dim(k)
    at = normalize_axis(axis, node.ndim, "top_k")
    length = node.shape[at]
    if isinstance(count, int) and isinstance(length, int) and not 0 <= count <= length:
        raise ShapeError(
            f"top_k: expected 0 <= k <= {length} for axis {at} of {shape_text(node.shape)}; "
            f"got {count}"
        )
    bounds = tuple((0, count if axis == at else dim, 1) for axis, dim in enumerate(node.shape))
    values, indices = _ordered("top_k", node, at, True)
    return slice_axes(values, bounds), slice_axes(indices, bounds)


# ---- places in a sorted array


def _searchsorted_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return TensorType(int64, inputs[1].shape)


searchsorted_op = RoutineOp(
    "searchsorted", _searchsorted_infer,
    lambda attrs, a, v: np.searchsorted(a, v, side="right" if attrs["right"] else "left"), None,
    "an index has no derivative",
    Notation(
        lambda node: f"searchsorted({{0}}, {{1}}{', side=right' if node.attrs['right'] else ''})",
        lambda node: (
            r"\operatorname{searchsorted}"
            + (r"_{\text{right}}" if node.attrs["right"] else "")
            + r"\left({0}, {1}\right)"
        ),
    ),
    doc="where elements belong in a sorted array, by bisection",
    sizes=lambda node: (node.inputs[0].shape[0], int(node.attrs["right"])),
    rows=lambda node: product(node.shape), row_work=lambda node: 16,
)  # fmt: skip
register(searchsorted_op)


def searchsorted(sorted: object, values: object, side: str = "left") -> Node:
    """Where `values` belong in a sorted array, as np.searchsorted: int64 of the shape of `values`.

    Args: `sorted`, (n,), in ascending order with nan last; `side`, "left" for the first place
    before which every element is smaller, "right" for the last. Raises ShapeError if `sorted` does
    not have one axis.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(searchsorted([1, 2, 2, 3], [2, 5])), evaluate(searchsorted([1, 2, 2], 2, "right"))
    (array([1, 4]), array(3))
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: expected side 'left' or 'right'; got {side!r}")
    known, queries = cast_together(as_nodes((sorted, values)))
    if known.ndim != 1:
        raise ShapeError(
            f"searchsorted: expected a sorted array with one axis, got {shape_text(known.shape)}"
        )
    dtype = _WIDER.get(known.dtype, known.dtype)
    pair = (cast(known, dtype), cast(queries, dtype))
    return make(searchsorted_op, pair, right=side == "right")
