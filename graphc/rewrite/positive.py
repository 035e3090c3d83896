"""Positive factors pass functions that scale with them: max(0, s x) is s max(0, x) for s > 0."""

from __future__ import annotations

from graphc.ir.node import Node, make
from graphc.ops import reduction, scalar
from graphc.rewrite.facts import is_positive, is_scalar, number
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
EXTREMES = (reduction.max_op, reduction.min_op)


def _scale_of(node: Node) -> tuple[Node, Node, bool] | None:
    """s, x and whether it is x / s, for s * x with a scalar s provably > 0."""
    if node.op is scalar.multiply:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            if is_scalar(factor) and _is_scale(factor) and number(rest) is None:
                return factor, rest, False
    if node.op is scalar.divide and is_scalar(node.inputs[1]) and _is_scale(node.inputs[1]):
        above, below = node.inputs
        return (below, above, True) if number(above) is None else None
    return None


def _is_scale(factor: Node) -> bool:
    value = number(factor)
    return is_positive(factor) if value is None else 0 < value < float("inf")


def _positive_scale(node: Node, _: Context) -> Node | None:
    """max(0, s x) is s max(0, x) for s > 0: so with every function that scales."""
    found, rest = _scale_of(node.inputs[0]), node.inputs[1:]
    if len(rest) == 1 and number(rest[0]) != 0:
        return None
    if found is None or not node.dtype.is_float:
        return None
    factor, inner, divided = found
    value = make(node.op, (inner, *rest), **node.attrs)
    return scalar.divide(value, factor) if divided else scalar.multiply(factor, value)


def _sign_of_scaled(node: Node, _: Context) -> Node | None:
    """s x > 0 is x > 0 for s > 0, and so is relu(x) > 0."""
    source, zero = node.inputs
    if number(zero) != 0 or not source.dtype.is_float:
        return None
    if source.op is scalar.relu and node.op is scalar.greater:
        return make(node.op, (source.inputs[0], zero))
    found = _scale_of(source)
    return make(node.op, (found[1], zero)) if found is not None else None


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "positive_scale",
        PHASE,
        "max(2 * x, 0)",
        "2 * max(x, 0)",
        (scalar.relu, scalar.maximum, scalar.minimum, scalar.absolute, *EXTREMES),
        _positive_scale,
        condition="the factor is a scalar > 0; relu, |x|, and max and min over axes too",
    ),
    rewrite_node(
        "sign_of_scaled",
        PHASE,
        "2 * x > 0",
        "x > 0",
        (scalar.greater, scalar.greater_equal, scalar.less, scalar.less_equal),
        _sign_of_scaled,
        condition="the factor is a scalar > 0; relu(x) > 0 too",
        changes="where the product underflows",
    ),
)
