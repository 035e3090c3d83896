"""First algebra: identities that hold for every finite value, and choices already made."""

from __future__ import annotations

from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ops import composite, indexing, reduction, scalar
from graphc.ops.elementwise import cast, cast_op, not_zero
from graphc.ops.layout import broadcast_to
from graphc.ops.source import const
from graphc.rewrite.facts import (
    is_finite,
    is_nonnegative,
    number,
    truth,
)
from graphc.rewrite.pattern import Bindings, as_pattern, function, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "simplify"
c, x, y = variables("c x y")
square, absolute = function(scalar.square), function(scalar.absolute)
relu, log, exp = function(scalar.relu), function(scalar.log), function(scalar.exp)
maximum, minimum, where = function(scalar.maximum), function(scalar.minimum), function(scalar.where)
both, either, invert = (
    function(scalar.logical_and),
    function(scalar.logical_or),
    function(scalar.logical_not),
)
equal, not_equal = function(scalar.equal), function(scalar.not_equal)
softmax, log_softmax = function(composite.softmax_op), function(composite.log_softmax_op)


def _without_infinity(bound: Bindings) -> bool:
    return is_finite(bound["x"])


def _nonnegative(bound: Bindings) -> bool:
    return is_nonnegative(bound["x"])


def _chosen_branch(node: Node, _: Context) -> Node | None:
    condition, a, b = node.inputs
    value = truth(condition)
    return None if value is None else (a if value else b)


def _logical_constant(node: Node, _: Context) -> Node | None:
    absorbing = node.op is scalar.logical_or
    for constant, other in (node.inputs, node.inputs[::-1]):
        value = truth(constant)
        if value is not None:
            return const(absorbing, bool_) if value is absorbing else other
    return None


def _not_zero_of_cast(node: Node, _: Context) -> Node | None:
    (middle,) = node.inputs
    return middle.inputs[0] if middle.op is cast_op and middle.inputs[0].dtype is bool_ else None


def _test_of_finite(node: Node, _: Context) -> Node | None:
    (source,) = node.inputs
    return const(node.op is scalar.isfinite, bool_) if is_finite(source) else None


def _where_as_mask(node: Node, _: Context) -> Node | None:
    condition, a, b = node.inputs
    values = (number(a), number(b))
    if values == (1, 0):
        return cast(condition, node.dtype)
    return cast(scalar.logical_not(condition), node.dtype) if values == (0, 1) else None


def _argument_of_monotone(node: Node, _: Context) -> Node | None:
    (source,) = node.inputs
    monotone = (composite.softmax_op, composite.log_softmax_op)
    if source.op not in monotone or node.attrs["axes"] != (source.attrs["axis"],):
        return None
    index = reduction.argmax if node.op is reduction.argmax_op else reduction.argmin
    return index(source.inputs[0], source.attrs["axis"], node.attrs["keepdims"])


def _one_hot_row_sum(node: Node, _: Context) -> Node | None:
    (rows,) = node.inputs
    if rows.op is not indexing.one_hot_op or node.attrs["axes"] != (rows.ndim - 1,):
        return None
    return broadcast_to(const(1, node.dtype), node.shape)


def _softmax_row_sum(node: Node, _: Context) -> Node | None:
    (rows,) = node.inputs
    if rows.op is not composite.softmax_op or node.attrs["axes"] != (rows.attrs["axis"],):
        return None
    return broadcast_to(const(1, node.dtype), node.shape)


def _cast_above_zero(node: Node, _: Context) -> Node | None:
    """float(c) > 0, float(c) != 0 and float(c) == 1 are c."""
    source, other = node.inputs
    if source.op is not cast_op or source.inputs[0].dtype is not bool_:
        return None
    value, c = number(other), source.inputs[0]
    if (node.op in (scalar.greater, scalar.not_equal) and value == 0) or (
        node.op is scalar.equal and value == 1
    ):
        return c
    return scalar.logical_not(c) if node.op is scalar.equal and value == 0 else None


def _nested_choice(node: Node, _: Context) -> Node | None:
    """where(c, where(c, x, y), z) is where(c, x, z)."""
    condition, a, b = node.inputs
    if a.op is scalar.where and a.inputs[0] is condition:
        return scalar.where(condition, a.inputs[1], b)
    if b.op is scalar.where and b.inputs[0] is condition:
        return scalar.where(condition, a, b.inputs[2])
    return None


IDENTITIES: tuple[Rule, ...] = (
    rewrite_pattern("add_zero", PHASE, x + 0, x),
    rewrite_pattern("subtract_zero", PHASE, x - 0, x),
    rewrite_pattern("subtract_from_zero", PHASE, 0 - x, -x),
    rewrite_pattern("multiply_by_one", PHASE, 1 * x, x),
    rewrite_pattern("divide_by_one", PHASE, x / 1, x),
    rewrite_pattern(
        "multiply_by_zero",
        PHASE,
        0 * x,
        as_pattern(0),
        when=_without_infinity,
        condition="x is an integer, a constant or a mask: never inf or nan",
    ),
    rewrite_pattern(
        "subtract_itself",
        PHASE,
        x - x,
        as_pattern(0),
        when=_without_infinity,
        condition="x is an integer, a constant or a mask: never inf or nan",
    ),
    rewrite_pattern("add_itself", PHASE, x + x, 2 * x),
    rewrite_pattern("multiply_by_itself", PHASE, x * x, square(x)),
    rewrite_pattern("abs_of_abs", PHASE, absolute(absolute(x)), absolute(x)),
    rewrite_pattern(
        "abs_of_nonnegative",
        PHASE,
        absolute(x),
        x,
        when=_nonnegative,
        condition="x is never negative",
    ),
    rewrite_pattern(
        "relu_of_nonnegative", PHASE, relu(x), x, when=_nonnegative, condition="x is never negative"
    ),
    rewrite_pattern("square_of_abs", PHASE, square(absolute(x)), square(x)),
    rewrite_pattern("log_of_exp", PHASE, log(exp(x)), x, changes="finite where exp(x) overflows"),
    rewrite_pattern(
        "exp_of_log", PHASE, exp(log(x)), x, when=_nonnegative, condition="x is never negative"
    ),
)

CHOICES: tuple[Rule, ...] = (
    rewrite_pattern("maximum_of_itself", PHASE, maximum(x, x), x),
    rewrite_pattern("minimum_of_itself", PHASE, minimum(x, x), x),
    rewrite_node(
        "where_constant",
        PHASE,
        "where(True, x, y)",
        "x",
        (scalar.where,),
        _chosen_branch,
        condition="the condition is a constant",
    ),
    rewrite_pattern("where_of_same", PHASE, where(c, x, x), x),
    rewrite_pattern("where_not", PHASE, where(invert(c), x, y), where(c, y, x)),
    rewrite_node(
        "nested_choice",
        PHASE,
        "where(c, where(c, x, y), z)",
        "where(c, x, z)",
        (scalar.where,),
        _nested_choice,
        condition="so too in the other branch",
    ),
    rewrite_node(
        "test_of_mask",
        PHASE,
        "cast(c) > 0",
        "c",
        (scalar.greater, scalar.not_equal, scalar.equal),
        _cast_above_zero,
        condition="c is a bool; cast(c) != 0 and cast(c) == 1 too",
    ),
    rewrite_node(
        "where_as_mask", PHASE, "where(c, 1, 0)", "cast(c)", (scalar.where,), _where_as_mask
    ),
    rewrite_pattern("not_not", PHASE, invert(invert(c)), c),
    rewrite_pattern("not_equal_from_not", PHASE, invert(equal(x, y)), not_equal(x, y)),
    rewrite_pattern("equal_from_not", PHASE, invert(not_equal(x, y)), equal(x, y)),
    rewrite_pattern("and_of_itself", PHASE, both(c, c), c),
    rewrite_pattern("or_of_itself", PHASE, either(c, c), c),
    rewrite_node(
        "logical_constant",
        PHASE,
        "c and True",
        "c",
        (scalar.logical_and, scalar.logical_or),
        _logical_constant,
    ),
    rewrite_node(
        "not_zero_of_mask",
        PHASE,
        "not_zero(cast(c))",
        "c",
        (not_zero,),
        _not_zero_of_cast,
        condition="c is a bool",
    ),
    rewrite_node(
        "test_of_finite",
        PHASE,
        "isfinite(cast(c))",
        "True",
        (scalar.isfinite, scalar.isnan),
        _test_of_finite,
        condition="the operand is never inf or nan",
    ),
    rewrite_node(
        "argmax_of_softmax",
        PHASE,
        "argmax(softmax(x))",
        "argmax(x)",
        (reduction.argmax_op, reduction.argmin_op),
        _argument_of_monotone,
        condition="along the same axis; log_softmax too",
        changes="elements that only rounding makes equal are told apart",
    ),
    rewrite_node(
        "one_hot_row_sum",
        PHASE,
        "sum(one_hot(t), axis=-1)",
        "1",
        (reduction.sum_op,),
        _one_hot_row_sum,
        changes="labels are taken to lie in 0..k-1",
    ),
    rewrite_node(
        "softmax_row_sum",
        PHASE,
        "sum(softmax(x), axis=-1)",
        "1",
        (reduction.sum_op,),
        _softmax_row_sum,
        condition="along the axis of the softmax",
        changes="1 where x holds inf or nan",
    ),
)

RULES: tuple[Rule, ...] = (*IDENTITIES, *CHOICES)
