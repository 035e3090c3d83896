"""Losses: the usual spellings of the two cross-entropies become the one that is stable."""

from __future__ import annotations

from graphc.ir.node import Node, make
from graphc.ir.shape import Shape
from graphc.ops import composite, indexing, reduction, scalar
from graphc.ops.layout import broadcast_to, reshape, reshape_op, slice_op, transpose_op
from graphc.ops.source import ramp_op
from graphc.rewrite.facts import number
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "stabilize"
_CHOOSING = frozenset([reshape_op, transpose_op, slice_op, indexing.take_op])
SPREADS = "all nan for a row whose element is inf or nan"
UNDERFLOW = "finite where softmax underflows"


def _rowwise(node: Node) -> bool:
    """Whether a softmax or its logarithm is taken along the last axis."""
    return bool(node.attrs["axis"] == node.ndim - 1)


def _cross_entropy(logits: Node, labels: Node) -> Node:
    return composite.softmax_cross_entropy(logits, labels)


def _row_labels(indices: tuple[Node, ...], shape: Shape, axes: tuple[int, ...]) -> Node | None:
    """The labels t of x[arange(n), t], one for each row of an array of this shape."""
    *places, labels = indices
    rows = shape[:-1]
    if axes != tuple(range(len(shape))) or labels.shape not in (rows, (*rows, 1)):
        return None
    for axis, place in enumerate(places):
        if place.op is not ramp_op or place.attrs["axis"] != axis or place.shape != labels.shape:
            return None
    return reshape(labels, rows)


def _pick_from_take(node: Node, _: Context) -> Node | None:
    source, *indices = node.inputs
    labels = _row_labels(tuple(indices), source.shape, node.attrs["axes"]) if indices else None
    return None if labels is None else reshape(indexing.pick(source, labels), node.shape)


def _one_hot_from_scatter(node: Node, _: Context) -> Node | None:
    values, *indices = node.inputs
    shape = node.attrs["shape"]
    labels = _row_labels(tuple(indices), shape, node.attrs["axes"]) if indices else None
    if labels is None or not node.dtype.is_float:
        return None
    column = reshape(values, (*shape[:-1], 1))
    return scalar.multiply(column, indexing.one_hot(labels, shape[-1], node.dtype))


def _log_of_chosen(node: Node, _: Context) -> Node | None:
    """log(x[...]) is log(x)[...] where log(x) has a stable form."""
    (inner,) = node.inputs
    if inner.op not in _CHOOSING:
        return None
    source, *rest = inner.inputs
    moved = inner.op is reshape_op and source.op in (indexing.pick_op, indexing.take_op)
    if source.op is not composite.softmax_op and not moved:
        return None
    return make(inner.op, (scalar.log(source), *rest), **inner.attrs)


def _picked_log_softmax(node: Node, _: Context) -> Node | None:
    source, labels = node.inputs
    if source.op is not composite.log_softmax_op or not _rowwise(source):
        return None
    return -_cross_entropy(source.inputs[0], labels)


def _log_of_picked(node: Node, _: Context) -> Node | None:
    (picked,) = node.inputs
    if picked.op is indexing.pick_op:
        source, labels = picked.inputs
        if source.op is composite.softmax_op and _rowwise(source):
            return -_cross_entropy(source.inputs[0], labels)
    return None


def _one_hot_pair(node: Node, partner: object) -> tuple[Node, Node] | None:
    """Labels and x of onehot(labels) * partner(x), along the last axis."""
    if node.op is not scalar.multiply:
        return None
    for rows, source in (node.inputs, node.inputs[::-1]):
        if rows.op is indexing.one_hot_op and source.op is partner and _rowwise(source):
            fits = rows.shape == source.shape
            return (rows.inputs[0], source.inputs[0]) if fits else None
    return None


def _one_hot_sum(node: Node, _: Context) -> Node | None:
    found = _one_hot_pair(node.inputs[0], composite.log_softmax_op)
    axes, last = node.attrs["axes"], node.inputs[0].ndim - 1
    if found is None or last not in axes or node.attrs["keepdims"]:
        return None
    labels, logits = found
    rest = tuple(axis for axis in axes if axis != last)
    losses = _cross_entropy(logits, labels)
    return -(reduction.sum(losses, axis=rest) if rest else losses)


def _pick_from_one_hot(node: Node, _: Context) -> Node | None:
    (product,) = node.inputs
    found = _one_hot_pair(product, composite.softmax_op)
    if found is None or node.attrs["axes"] != (product.ndim - 1,):
        return None
    labels, logits = found
    return reshape(indexing.pick(composite.softmax(logits), labels), node.shape)


def _logsumexp_less_picked(node: Node, _: Context) -> Node | None:
    for sign, (norm, picked) in ((1, node.inputs), (-1, node.inputs[::-1])):
        if norm.op is not composite.logsumexp_op or picked.op is not indexing.pick_op:
            continue
        logits, labels = picked.inputs
        same = norm.inputs[0] is logits and norm.attrs["axes"] == (logits.ndim - 1,)
        if same and not norm.attrs["keepdims"]:
            losses = _cross_entropy(logits, labels)
            return losses if sign == 1 else -losses
    return None


def _binary(node: Node, _: Context) -> Node | None:
    for sign, (gate, product) in ((1, node.inputs), (-1, node.inputs[::-1])):
        if gate.op is scalar.softplus:
            losses = _binary_cross_entropy(gate.inputs[0], product)
            if losses is not None:
                return losses if sign == 1 else -losses
    return None


def _binary_cross_entropy(logits: Node, product: Node) -> Node | None:
    """The loss of logits and t, from a product t * logits."""
    if product.op is not scalar.multiply or product.shape != logits.shape:
        return None
    for source, target in (product.inputs, product.inputs[::-1]):
        if source is logits and number(target) is None:
            return composite.sigmoid_cross_entropy(logits, broadcast_to(target, logits.shape))
    return None


def _binary_in_parts(node: Node, _: Context) -> Node | None:
    for gate, difference in (node.inputs, node.inputs[::-1]):
        if gate.op is not scalar.softplus or difference.op is not scalar.subtract:
            continue
        positive, product = difference.inputs
        logits = positive.inputs[0] if positive.inputs else positive
        zero = positive.op is scalar.maximum and number(positive.inputs[1]) == 0
        small = scalar.negative(scalar.absolute(logits))
        if (zero or positive.op is scalar.relu) and gate.inputs[0] is small:
            losses = _binary_cross_entropy(logits, product)
            if losses is not None:
                return losses
    return None


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "pick_from_take",
        "simplify",
        "x[arange(n), t]",
        "pick(x, t)",
        (indexing.take_op,),
        _pick_from_take,
        condition="one element of each row; take_along_axis too",
    ),
    rewrite_node(
        "one_hot_from_scatter",
        "simplify",
        "scatter_add(g, (arange(n), t))",
        "reshape(g) * one_hot(t)",
        (indexing.scatter_add_op,),
        _one_hot_from_scatter,
        condition="one element of each row",
        changes=SPREADS,
    ),
    rewrite_node(
        "log_of_chosen",
        PHASE,
        "log(softmax(z)[1:])",
        "log_softmax(z)[1:]",
        (scalar.log,),
        _log_of_chosen,
        condition="elements chosen by a slice, take, reshape or transpose",
        changes=UNDERFLOW,
    ),
    rewrite_node(
        "cross_entropy_from_log_softmax",
        PHASE,
        "pick(log_softmax(z), t)",
        "-softmax_cross_entropy(z, t)",
        (indexing.pick_op,),
        _picked_log_softmax,
        condition="along the last axis",
    ),
    rewrite_node(
        "cross_entropy_from_picked",
        PHASE,
        "log(pick(softmax(z), t))",
        "-softmax_cross_entropy(z, t)",
        (scalar.log,),
        _log_of_picked,
        condition="along the last axis",
        changes=UNDERFLOW,
    ),
    rewrite_node(
        "cross_entropy_from_one_hot",
        PHASE,
        "sum(one_hot(t) * log_softmax(z), axis=-1)",
        "-softmax_cross_entropy(z, t)",
        (reduction.sum_op,),
        _one_hot_sum,
        condition="along the last axis, and perhaps more",
        changes=UNDERFLOW,
    ),
    rewrite_node(
        "pick_from_one_hot",
        PHASE,
        "sum(one_hot(t) * softmax(z), axis=-1)",
        "pick(softmax(z), t)",
        (reduction.sum_op,),
        _pick_from_one_hot,
        condition="along the last axis",
    ),
    rewrite_node(
        "cross_entropy_from_logsumexp",
        PHASE,
        "logsumexp(z, axis=-1) - pick(z, t)",
        "softmax_cross_entropy(z, t)",
        (scalar.subtract,),
        _logsumexp_less_picked,
        changes="nan for a row that holds inf",
    ),
    rewrite_node(
        "binary_cross_entropy",
        PHASE,
        "softplus(z) - t * z",
        "sigmoid_cross_entropy(z, t)",
        (scalar.subtract,),
        _binary,
        condition="t is no constant",
    ),
    rewrite_node(
        "binary_cross_entropy_in_parts",
        PHASE,
        "relu(z) - t * z + log(1 + exp(-|z|))",
        "sigmoid_cross_entropy(z, t)",
        (scalar.add,),
        _binary_in_parts,
        condition="t is no constant; maximum(z, 0) too",
    ),
)
