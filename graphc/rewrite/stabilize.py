"""Stable forms: what to compute where the usual spelling overflows, underflows or cancels."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops import composite, elementary, reduction, scalar
from graphc.ops.layout import reshape
from graphc.rewrite.facts import are_opposite
from graphc.rewrite.pattern import Bindings, function, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "stabilize"
OVERFLOW = "finite where exp overflows"
INFINITE = "all nan for a row that holds inf"
x, y, axes, keepdims = variables("x y axes keepdims")
log, log1p, exp, expm1 = map(function, (scalar.log, scalar.log1p, scalar.exp, scalar.expm1))
sigmoid, softplus, tanh = map(function, (scalar.sigmoid, scalar.softplus, scalar.tanh))
square = function(scalar.square)
relu, absolute, maximum = map(function, (scalar.relu, scalar.absolute, scalar.maximum))
softmax, log_softmax = function(composite.softmax_op), function(composite.log_softmax_op)
logit, sinh, cosh = map(function, (elementary.logit, elementary.sinh, elementary.cosh))
logsumexp, total = function(composite.logsumexp_op), function(reduction.sum_op)


def _opposites(bound: Bindings) -> bool:
    return are_opposite(bound["x"], bound["y"])


def _unvarying(shift: Node, shape: tuple[object, ...], axis: int) -> bool:
    """Whether a shift is the same for all elements along an axis of `shape`."""
    place = axis - (len(shape) - shift.ndim)
    return place < 0 or shift.shape[place] == 1


def _shifted(node: Node, axis: int) -> tuple[Node, Node] | None:
    """x and m of a shifted x - m, where m is the same along the axis."""
    if node.op is not scalar.subtract:
        return None
    source, shift = node.inputs
    fits = source.shape == node.shape and _unvarying(shift, node.shape, axis)
    return (source, shift) if fits else None


def _softmax_of_shifted(node: Node, _: Context) -> Node | None:
    (source,) = node.inputs
    found = _shifted(source, node.attrs["axis"])
    if found is None:
        return None
    function = composite.softmax if node.op is composite.softmax_op else composite.log_softmax
    return function(found[0], node.attrs["axis"])


def _logsumexp_of_shifted(node: Node, _: Context) -> Node | None:
    """logsumexp(x - m) + m is logsumexp(x)."""
    for value, added in (node.inputs, node.inputs[::-1]):
        if value.op is not composite.logsumexp_op or len(value.attrs["axes"]) != 1:
            continue
        axis = value.attrs["axes"][0]
        found = _shifted(value.inputs[0], axis)
        if found is None or value.shape != node.shape:
            continue
        source, shift = found
        wanted = shift if value.attrs["keepdims"] else _without_axis(shift, source.ndim, axis)
        if added is wanted or (added.op is reduction.max_op and _same_maximum(added, shift)):
            return composite.logsumexp(source, axis, value.attrs["keepdims"])
    return None


def _same_maximum(first: Node, second: Node) -> bool:
    same = first.inputs == second.inputs and first.op is second.op
    return same and first.attrs["axes"] == second.attrs["axes"]


def _without_axis(shift: Node, rank: int, axis: int) -> Node:
    place = axis - (rank - shift.ndim)
    if place < 0:
        return shift
    return reshape(shift, tuple(dim for at, dim in enumerate(shift.shape) if at != place))


def _softmax(node: Node, _: Context) -> Node | None:
    """exp(x) / sum(exp(x), axis, keepdims=True)."""
    power, divisor = node.inputs
    if power.op is not scalar.exp or divisor.op is not reduction.sum_op:
        return None
    axes = divisor.attrs["axes"]
    kept = divisor.attrs["keepdims"] or power.ndim == 1
    if divisor.inputs[0] is not power or len(axes) != 1 or not kept:
        return None
    return composite.softmax(power.inputs[0], axes[0])


def _log_softmax(node: Node, _: Context) -> Node | None:
    """x - logsumexp(x, axis, keepdims=True)."""
    source, norm = node.inputs
    if norm.op is not composite.logsumexp_op or norm.inputs[0] is not source:
        return None
    axes = norm.attrs["axes"]
    if len(axes) != 1 or not (norm.attrs["keepdims"] or source.ndim == 1):
        return None
    return composite.log_softmax(source, axes[0])


LOGARITHMS: tuple[Rule, ...] = (
    rewrite_pattern("log_of_sigmoid", PHASE, log(sigmoid(x)), -softplus(-x), changes=OVERFLOW),
    rewrite_pattern(
        "log_of_complement", PHASE, log(1 - sigmoid(x)), -softplus(x), changes=OVERFLOW
    ),
    rewrite_pattern("log1p_of_sigmoid", PHASE, log1p(-sigmoid(x)), -softplus(x), changes=OVERFLOW),
    rewrite_pattern("log1p_of_expm1", PHASE, log1p(expm1(x)), x, changes=OVERFLOW),
    rewrite_pattern("softplus_from_log1p", PHASE, log1p(exp(x)), softplus(x), changes=OVERFLOW),
    rewrite_pattern("log1p_from_log", PHASE, log(1 + x), log1p(x)),
    rewrite_pattern("log1p_from_difference", PHASE, log(1 - x), log1p(-x)),
    rewrite_pattern(
        "log_from_log1p", PHASE, log1p(x - 1), log(x), changes="nan for a tiny negative x, not -inf"
    ),
    rewrite_pattern(
        "softplus_of_opposite",
        PHASE,
        x + softplus(y),
        softplus(x),
        when=_opposites,
        condition="y is written -x",
    ),
    rewrite_pattern("softplus_less_itself", PHASE, softplus(x) - x, softplus(-x)),
    rewrite_pattern("itself_less_softplus", PHASE, x - softplus(x), -softplus(-x)),
    rewrite_pattern(
        "log_of_reciprocal", PHASE, log(1 / x), -log(x), changes="nan for -inf, not -inf"
    ),
    rewrite_pattern("logit_from_log", PHASE, log(x / (1 - x)), logit(x)),
    rewrite_pattern("logit_from_difference", PHASE, log(x) - log1p(-x), logit(x)),
    rewrite_pattern("logit_of_sigmoid", PHASE, logit(sigmoid(x)), x, changes=OVERFLOW),
    rewrite_pattern("softplus_from_relu", PHASE, relu(x) + softplus(-absolute(x)), softplus(x)),
    rewrite_pattern(
        "softplus_from_maximum", PHASE, maximum(x, 0) + softplus(-absolute(x)), softplus(x)
    ),
)

SOFTMAX: tuple[Rule, ...] = (
    rewrite_node(
        "softmax_from_exp",
        PHASE,
        "exp(x) / sum(exp(x), axis, keepdims=True)",
        "softmax(x, axis)",
        (scalar.divide,),
        _softmax,
        condition="one axis",
        changes=OVERFLOW,
    ),
    rewrite_node(
        "softmax_of_shifted",
        PHASE,
        "softmax(x - m)",
        "softmax(x)",
        (composite.softmax_op, composite.log_softmax_op),
        _softmax_of_shifted,
        condition="m is the same along the axis; log_softmax too",
        changes="finite where m is inf or nan",
    ),
    rewrite_pattern(
        "logsumexp_from_exp",
        PHASE,
        log(total(exp(x), axes="axes", keepdims="keepdims")),
        logsumexp(x, axes="axes", keepdims="keepdims"),
        changes=OVERFLOW,
    ),
    rewrite_node(
        "logsumexp_of_shifted",
        PHASE,
        "logsumexp(x - m) + m",
        "logsumexp(x)",
        (scalar.add,),
        _logsumexp_of_shifted,
        condition="m is the same along the axis",
        changes="finite where m is inf or nan",
    ),
    rewrite_node(
        "log_softmax_from_logsumexp",
        PHASE,
        "x - logsumexp(x, axis, keepdims=True)",
        "log_softmax(x)",
        (scalar.subtract,),
        _log_softmax,
        condition="one axis",
        changes=INFINITE,
    ),
    rewrite_pattern(
        "log_of_softmax",
        PHASE,
        log(softmax(x, axis="axis")),
        log_softmax(x, axis="axis"),
        changes="finite where softmax underflows",
    ),
    rewrite_pattern(
        "exp_of_log_softmax", PHASE, exp(log_softmax(x, axis="axis")), softmax(x, axis="axis")
    ),
)

RULES: tuple[Rule, ...] = (*LOGARITHMS, *SOFTMAX)
