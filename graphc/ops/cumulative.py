"""The cumulative kind: running sums, products, extremes and linear recurrences along an axis.

Every one is a first-order recurrence: an element is made of the element before it and of what the
operands have at its place. Their derivatives are recurrences too, run the other way, so none
divides and all are right where elements are zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.ir.dim import product
from graphc.ir.dtype import bool_, int64
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, VectorJacobian, register
from graphc.ir.shape import TensorType, broadcast_shapes, normalize_axis
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.source import as_node, as_nodes, ramp, size


@dataclass(frozen=True, eq=False, repr=False)
class CumulativeOp(Op):
    """A recurrence along `axis`, from the last element to the first if `reverse` is set.

    `combine` joins what came before with the element: "add", "multiply", "maximum", "minimum" of
    one operand, or "linear", `a * before + b` of two. `exclusive` leaves out the element itself: it
    is combined from the next place on, and the first place has the identity. `lag`, of the linear
    one, multiplies by the `a` of the place before: s[i] = a[i - 1] s[i - 1] + b[i].
    """

    combine: str = "add"

    kind = "cumulative"


def identity(combine: str, dtype: np.dtype[Any]) -> Any:
    """What comes before the first element."""
    if combine in ("add", "linear"):
        return 0
    if combine == "multiply":
        return 1
    low = combine == "maximum"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return int(limits.min if low else limits.max)
    return -np.inf if low else np.inf


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return TensorType(inputs[0].dtype, broadcast_shapes([n.shape for n in inputs], "recurrence"))


_ACCUMULATE = {
    "add": np.add, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum,
}  # fmt: skip


def _along(attrs: Attributes, x: np.ndarray) -> np.ndarray:
    """The operand with its axis first, in the order in which it is walked."""
    moved = np.moveaxis(x, attrs["axis"], 0)
    return moved[::-1] if attrs["reverse"] else moved


def _back(attrs: Attributes, values: np.ndarray) -> np.ndarray:
    turned = values[::-1] if attrs["reverse"] else values
    return np.moveaxis(turned, 0, attrs["axis"])


def _reference(combine: str) -> Callable[..., np.ndarray]:
    def reference(attrs: Attributes, x: np.ndarray) -> np.ndarray:
        found = _ACCUMULATE[combine].accumulate(_along(attrs, x), axis=0, dtype=x.dtype)
        if attrs["exclusive"] and len(found):
            first = np.full_like(found[:1], identity(combine, x.dtype))
            found = np.concatenate([first, found[:-1]])
        return _back(attrs, found)

    return reference


def _linear_reference(attrs: Attributes, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    over, add = np.broadcast_arrays(_along(attrs, a), _along(attrs, b))
    result = np.zeros_like(add)
    for i in range(len(result)):
        taken = i - attrs["exclusive"]
        if taken < 0:
            continue
        result[i] = add[taken]
        factor = over[i - attrs["lag"]]
        if i:
            result[i] += np.where(factor == 0, 0, factor * result[i - 1])
    return _back(attrs, result)


def _text(name: str) -> Callable[[Node], str]:
    def text(node: Node) -> str:
        operands = ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        axis = f", axis={node.attrs['axis']}" if node.ndim > 1 else ""
        flags = "".join(
            f", {flag}=True"
            for flag in ("reverse", "exclusive", "lag")
            if node.attrs.get(flag) and not (flag == "lag" and node.attrs["exclusive"])
        )
        return f"{name}({operands}{axis}{flags})"

    return text


def _latex(name: str) -> Callable[[Node], str]:
    def latex(node: Node) -> str:
        operands = ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        notes = [rf"\text{{axis {node.attrs['axis']}}}"] if node.ndim > 1 else []
        notes += [rf"\text{{{f}}}" for f in ("reverse", "exclusive") if node.attrs[f]]
        notes += [r"\text{lag}"] if node.attrs.get("lag") and not node.attrs["exclusive"] else []
        below = f"_{{{', '.join(notes)}}}" if notes else ""
        return rf"\operatorname{{{name}}}{below}\left({operands}\right)"

    return latex


def _cumulative(
    name: str,
    combine: str,
    vjp: VectorJacobian,
    doc: str,
    reference: Callable[..., np.ndarray] | None = None,
) -> CumulativeOp:
    title = name.replace("_", " ")
    op = CumulativeOp(
        name, _infer, reference or _reference(combine), vjp,
        notation=Notation(_text(name), _latex(title), ATOM), doc=doc, combine=combine,
    )  # fmt: skip
    register(op)
    return op


# ---- derivatives, each a recurrence from the other end


def _again(node: Node, a: Node, b: Node, lag: bool, exclusive: bool, turn: bool = True) -> Node:
    """A linear recurrence along the axis of `node`, the other way if `turn` is set."""
    reverse = node.attrs["reverse"] != turn
    return make(
        recurrence_op, (a, b),
        axis=node.attrs["axis"], reverse=reverse, exclusive=exclusive, lag=lag or exclusive,
    )  # fmt: skip


def _sum_vjp(node: Node, g: Node) -> list[Node | None]:
    return [make(sum_op, (g,), **{**node.attrs, "reverse": not node.attrs["reverse"]})]


def _product_vjp(node: Node, g: Node) -> list[Node | None]:
    """The product of what comes before, times the sum over later places of g and the product of
    what lies between."""
    (x,) = node.inputs
    before = make(product_op, (x,), **{**node.attrs, "exclusive": True})
    return [before * _again(node, x, g, lag=True, exclusive=node.attrs["exclusive"])]


def _extreme_vjp(node: Node, g: Node) -> list[Node | None]:
    """The cotangents of the places that an element is the extreme of, summed up at its place."""
    (x,) = node.inputs
    before = make(node.op, (x,), **{**node.attrs, "exclusive": True})
    assert isinstance(node.op, CumulativeOp)
    further = scalar.greater(x, before) if node.op.combine == "maximum" else scalar.less(x, before)
    first_nan = scalar.logical_and(scalar.isnan(x), scalar.logical_not(scalar.isnan(before)))
    place = ramp(x.shape, node.attrs["axis"])
    end = x.shape[node.attrs["axis"]] - 1 if node.attrs["reverse"] else 0
    start = scalar.logical_or(scalar.equal(place, size(end)), scalar.logical_or(further, first_nan))
    goes_on = cast(scalar.logical_not(start), x.dtype)
    total = _again(node, goes_on, g, lag=True, exclusive=node.attrs["exclusive"])
    return [scalar.where(start, total, cast(as_node(0), x.dtype))]


def _linear_vjp(node: Node, g: Node) -> list[Node | None]:
    """What reaches place k from later ones is S[k] = g[k] + a[k + 1] S[k + 1], so that b' is S and
    a' is S times the value before; `lag` and `exclusive` move the indices."""
    a, b = node.inputs
    lag, exclusive = node.attrs["lag"], node.attrs["exclusive"]
    if lag:
        after = _again(node, a, g, lag=True, exclusive=True)
        share = after if exclusive else _again(node, a, g, lag=False, exclusive=False)
        return [after * node, share]
    share = _again(node, a, g, lag=True, exclusive=False)
    before = _again(node, a, b, lag=True, exclusive=True, turn=False)
    return [share * before, share]


sum_op = _cumulative("cumsum", "add", _sum_vjp, "the sum of the elements up to each place")
product_op = _cumulative(
    "cumprod", "multiply", _product_vjp,
    "the product of the elements up to each place; its derivative does not divide",
)  # fmt: skip
maximum_op = _cumulative(
    "cummax",
    "maximum",
    _extreme_vjp,
    "the largest element up to each place, nan from the first nan on; the derivative goes to the "
    "first of equal elements",
)
minimum_op = _cumulative(
    "cummin",
    "minimum",
    _extreme_vjp,
    "the smallest element up to each place, nan from the first nan on; the derivative goes to the "
    "first of equal elements",
)
recurrence_op = _cumulative(
    "linear_recurrence", "linear", _linear_vjp,
    "s[i] = a[i] s[i - 1] + b[i], from s[-1] = 0; a factor of 0 starts anew, whatever came before",
    _linear_reference,
)  # fmt: skip


# ---- functions


def _flat(x: object, axis: Any, name: str) -> tuple[Node, int]:
    """The operand and its axis; None flattens it."""
    node = as_node(x)
    if node.dtype is bool_:
        node = cast(node, int64)
    if axis is None:
        return reshape(node, (product(node.shape),)), 0
    return node, normalize_axis(axis, node.ndim, name)


def _accumulate(op: CumulativeOp, x: object, axis: Any, reverse: bool, exclusive: bool) -> Node:
    node, at = _flat(x, axis, op.name)
    return make(op, (node,), axis=at, reverse=bool(reverse), exclusive=bool(exclusive))


def cumsum(
    x: object, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
) -> Node:
    """The sum of the elements up to each place along `axis`, as np.cumsum.

    Args: `axis` None flattens `x` first; `reverse` sums from each place to the end; `exclusive`
    leaves out the element itself, so that the first place has 0. The result has the shape of `x`
    (flattened for None) and its dtype; booleans are counted as int64.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(cumsum([1, 2, 3], axis=0)), evaluate(cumsum([1, 2, 3], axis=0, reverse=True))
    (array([1, 3, 6]), array([6, 5, 3]))
    """
    return _accumulate(sum_op, x, axis, reverse, exclusive)


def cumprod(
    x: object, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
) -> Node:
    """The product of the elements up to each place along `axis`, as np.cumprod.

    `axis`, `reverse` and `exclusive` as in `cumsum`; the product of nothing is 1. Its derivatives
    of any order are right where elements are zero.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(cumprod([1, 2, 3], axis=0, exclusive=True))
    array([1, 1, 2])
    """
    return _accumulate(product_op, x, axis, reverse, exclusive)


def cummax(x: object, axis: int | None = None, *, reverse: bool = False) -> Node:
    """The largest element up to each place along `axis`, as np.maximum.accumulate.

    nan from the first nan on. `axis` and `reverse` as in `cumsum`. Where elements are equal the
    derivative goes to the first of them.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(cummax([1, 3, 2, 4], axis=0))
    array([1, 3, 3, 4])
    """
    return _accumulate(maximum_op, x, axis, reverse, False)


def cummin(x: object, axis: int | None = None, *, reverse: bool = False) -> Node:
    """The smallest element up to each place along `axis`, as np.minimum.accumulate.

    nan from the first nan on. `axis` and `reverse` as in `cumsum`. Where elements are equal the
    derivative goes to the first of them.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(cummin([3, 1, 2], axis=0))
    array([3, 1, 1])
    """
    return _accumulate(minimum_op, x, axis, reverse, False)


def linear_recurrence(a: object, b: object, axis: int = 0, *, reverse: bool = False) -> Node:
    """s[i] = a[i] * s[i - 1] + b[i] along `axis`, with s[-1] = 0; from the end if `reverse` is set.

    Shapes: `a` and `b` broadcast; the result has the shape in which they meet. A factor of 0 starts
    anew, whatever came before, infinities and nan included. An exponential average of decay d is
    `linear_recurrence(d, (1 - d) * x)`.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(linear_recurrence(0.5, [1.0, 1.0, 1.0]))
    array([1.  , 1.5 , 1.75], dtype=float32)
    """
    over, add = cast_together(as_nodes((a, b)))
    if over.dtype is bool_:
        over, add = cast(over, int64), cast(add, int64)
    shape = broadcast_shapes([over.shape, add.shape], "linear_recurrence")
    at = normalize_axis(axis, len(shape), "linear_recurrence")
    pair = (broadcast_to(over, shape), broadcast_to(add, shape))
    return make(recurrence_op, pair, axis=at, reverse=bool(reverse), exclusive=False, lag=False)
