"""Logarithms of what is made of exponentials: of products, quotients, powers and sums of exp(x),
sigmoid(x), 1 + exp(x), cosh(x) and the like.

`logarithm` builds them from the logarithms of the parts, so that nothing overflows on the way and
one rule stands for all spellings: the logarithm of a product is a sum, that of a sum is logaddexp
or softplus, that of a difference is log1mexp.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import scalar, special
from graphc.ops.elementary import cosh, exp2, logaddexp
from graphc.ops.source import const
from graphc.rewrite.facts import are_opposite, number
from graphc.rewrite.monomial import opposite
from graphc.rewrite.pattern import function, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "stabilize"
# What such a rule may change; a test measures its rounding against the terms.
CANCELS = "finite where exp overflows; near 0 it is rounded as its terms are"
OVERFLOW = "finite where exp overflows"
# Below this, 1 - exp(x) rounds less than expm1(x) does (Maechler 2012).
_CUT = -math.log(2)
_DEPTH = 5
# Constants whose logarithm is not larger than about 1 leave the rounding of a sum as it is.
_PLAIN = (0.25, 4.0)
(x,) = variables("x")
softplus, joined = function(scalar.softplus), function(logaddexp)


def log1mexp(node: Node) -> Node:
    """log(1 - exp(x)) for x <= 0, without cancellation at either end.

    Each branch is of an argument held on its side, so that neither spoils the other's gradient.
    """
    cut = const(_CUT, node.dtype)
    near = scalar.log(scalar.negative(scalar.expm1(scalar.maximum(node, cut))))
    far = scalar.log1p(scalar.negative(scalar.exp(scalar.minimum(node, cut))))
    return scalar.where(scalar.greater(node, cut), near, far)


def _held(node: Node, op: object) -> bool:
    """Whether an argument is held on one side of the cut already."""
    return node.op is op and any(
        value is not None and -1 <= value <= -0.5 for value in map(number, node.inputs)
    )


def logarithm(node: Node, depth: int = _DEPTH) -> Node | None:
    """The logarithm of what is made of exponentials, and so is positive; None for another node."""
    if depth == 0 or not node.inputs or not node.dtype.is_float:
        return None
    op, (a, *rest) = node.op, node.inputs
    if op in _DIRECT:
        return _DIRECT[op](a)
    if op in (scalar.multiply, scalar.divide):
        return _of_product(node, depth - 1)
    if op is scalar.add:
        return _of_sum(a, rest[0], depth - 1)
    if op is scalar.subtract:
        return _of_difference(a, rest[0])
    inner = logarithm(a, depth - 1) if op in _POWERS or op is scalar.power else None
    if inner is None:
        return None
    exponent = number(rest[0]) if op is scalar.power else _POWERS[op]
    return None if exponent is None else scalar.multiply(const(exponent, node.dtype), inner)


def _of_product(node: Node, depth: int) -> Node | None:
    a, b = node.inputs
    sign = 1 if node.op is scalar.multiply else -1
    if number(b) is not None:
        return _scaled(a, number(b), sign, depth)
    if number(a) is not None:
        if sign == 1:
            return _scaled(b, number(a), 1, depth)
        inner = _scaled(b, number(a), -1, depth)
        return None if inner is None else scalar.negative(inner)
    first, second = logarithm(a, depth), logarithm(b, depth)
    if first is None or second is None:
        return None
    return scalar.add(first, second) if sign == 1 else first - second


def _scaled(node: Node, factor: float | None, sign: int, depth: int) -> Node | None:
    """The logarithm of a multiple, for a factor that leaves the rounding of a sum as it is."""
    if factor is None or not _PLAIN[0] <= factor <= _PLAIN[1]:
        return None
    inner = logarithm(node, depth)
    if inner is None or factor == 1:
        return inner
    shift = sign * math.log(factor)
    if inner.op is scalar.subtract and number(inner.inputs[0]) is not None:
        shift += number(inner.inputs[0]) or 0.0
        rest = scalar.negative(inner.inputs[1])
        return rest if abs(shift) < 1e-7 else rest + const(shift, node.dtype)
    return inner + const(shift, node.dtype)


def _of_sum(a: Node, b: Node, depth: int) -> Node | None:
    for one, other in ((a, b), (b, a)):
        value = number(one)
        if value is not None:
            if other.op is scalar.tanh and value == 1:
                return _of_one_plus_tanh(other.inputs[0])
            if other.op is scalar.erf and value == 1:
                return special.log_erfc(opposite(other.inputs[0]))
            inner = logarithm(other, depth) if value > 0 else None
            if inner is None:
                return None
            return scalar.softplus(inner) if value == 1 else _sum(inner, math.log(value))
    first, second = logarithm(a, depth), logarithm(b, depth)
    return None if first is None or second is None else logaddexp(first, second)


def _sum(inner: Node, other: float) -> Node:
    return logaddexp(inner, const(other, inner.dtype))


def _of_one_plus_tanh(u: Node) -> Node:
    """1 + tanh(u) is 2 sigmoid(2 u)."""
    doubled = scalar.multiply(const(-2, u.dtype), u)
    return const(math.log(2), u.dtype) - scalar.softplus(doubled)


def _of_difference(a: Node, b: Node) -> Node | None:
    if number(a) == 1 and b.op is scalar.tanh:
        return _of_one_plus_tanh(scalar.negative(b.inputs[0]))
    if a.op is not scalar.exp or b.op is not scalar.exp:
        return None
    return a.inputs[0] + log1mexp(b.inputs[0] - a.inputs[0])


def _of_sigmoid(u: Node) -> Node:
    return scalar.negative(scalar.softplus(opposite(u)))


def _of_cosh(u: Node) -> Node:
    return logaddexp(u, scalar.negative(u)) - const(math.log(2), u.dtype)


_DIRECT: dict[Op, Callable[[Node], Node]] = {
    scalar.exp: lambda u: u,
    exp2: lambda u: scalar.multiply(const(math.log(2), u.dtype), u),
    scalar.sigmoid: _of_sigmoid,
    cosh: _of_cosh,
    special.erfc: special.log_erfc,
    special.ndtr: special.log_ndtr,
}
# These have rules of their own.
_SINGLE = frozenset([scalar.exp, scalar.sigmoid, special.erfc, special.ndtr])
# Powers with a fixed exponent.
_POWERS: dict[Op, float] = {scalar.square: 2.0, scalar.sqrt: 0.5}


def _log(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    known = None if inner.op in _SINGLE else logarithm(inner)
    if known is not None or inner.op not in (scalar.multiply, scalar.divide):
        return known
    # Beside one factor that is made of exponentials, the other is taken as it is.
    for factor, rest in (inner.inputs, inner.inputs[::-1]):
        known = logarithm(factor) if number(rest) is None else None
        if known is not None:
            if inner.op is scalar.multiply:
                return scalar.add(scalar.log(rest), known)
            above = factor is inner.inputs[0]
            return known - scalar.log(rest) if above else scalar.log(rest) - known
    return None


def _log1p(node: Node, _: Context) -> Node | None:
    """log(1 + u) for u made of exponentials, which may overflow."""
    (inner,) = node.inputs
    known = None if inner.op in _SINGLE else logarithm(inner)
    return None if known is None else scalar.softplus(known)


def _log_of_expm1(node: Node, _: Context) -> Node | None:
    """log(1 - exp(x)), and log(exp(x) - 1) for x > 0."""
    (inner,) = node.inputs
    if inner.op is scalar.expm1:
        u = inner.inputs[0]
        return u + log1mexp(opposite(u))
    if inner.op is scalar.negative and inner.inputs[0].op is scalar.expm1:
        u = inner.inputs[0].inputs[0]
        return None if _held(u, scalar.maximum) else log1mexp(u)
    return None


def _log1p_of_exp(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not scalar.negative or inner.inputs[0].op is not scalar.exp:
        return None
    u = inner.inputs[0].inputs[0]
    return None if _held(u, scalar.minimum) else log1mexp(u)


def _sum_with_softplus(node: Node, _: Context) -> Node | None:
    """x + softplus(y - x) is logaddexp(x, y)."""
    for gate, added in (node.inputs, node.inputs[::-1]):
        if gate.op is scalar.softplus and gate.inputs[0].op is scalar.subtract:
            other, taken = gate.inputs[0].inputs
            if taken is added:
                return logaddexp(added, other)
    return None


def _sum_with_maximum(node: Node, _: Context) -> Node | None:
    """max(x, y) + softplus(-|x - y|) is logaddexp(x, y)."""
    for gate, larger in (node.inputs, node.inputs[::-1]):
        if gate.op is not scalar.softplus or larger.op is not scalar.maximum:
            continue
        small = gate.inputs[0]
        size = small.inputs[0] if small.op is scalar.negative else small
        if size is small or size.op is not scalar.absolute:
            continue
        a, b = larger.inputs
        if size.inputs[0].op is scalar.subtract and set(size.inputs[0].inputs) == {a, b}:
            return logaddexp(a, b)
    return None


def _unshifted(node: Node, _: Context) -> Node | None:
    """logaddexp(x - z, y - z) + z is logaddexp(x, y)."""
    for value, shift in (node.inputs, node.inputs[::-1]):
        if value.op is logaddexp and all(s.op is scalar.subtract for s in value.inputs):
            a, b = value.inputs
            if a.inputs[1] is shift and b.inputs[1] is shift:
                return logaddexp(a.inputs[0], b.inputs[0])
    return None


def _difference_from_expm1(node: Node, _: Context) -> Node | None:
    """y + ((x - y) + log1mexp(y - x)) is x + log1mexp(y - x)."""
    for inner, added in (node.inputs, node.inputs[::-1]):
        if inner.op is not scalar.add:
            continue
        for gap, value in (inner.inputs, inner.inputs[::-1]):
            if gap.op is scalar.subtract and gap.inputs[1] is added and value.op is scalar.where:
                test = value.inputs[0]
                if test.op is scalar.greater and are_opposite(test.inputs[0], gap):
                    return scalar.add(gap.inputs[0], value)
    return None


def _gate_less_gate(node: Node, _: Context) -> Node | None:
    a, b = node.inputs
    if a.op is not scalar.sigmoid or b.op is not scalar.sigmoid:
        return None
    if not are_opposite(a.inputs[0], b.inputs[0]):
        return None
    return scalar.tanh(scalar.multiply(const(0.5, node.dtype), a.inputs[0]))


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "log_of_exponentials", PHASE, "log(exp(x) * (1 + exp(y)))", "x + softplus(y)",
        (scalar.log,), _log,
        condition="products, quotients, sums and powers of exp, sigmoid, cosh, erfc and "
        "1 + tanh; beside one of them any other factor is taken as it is",
        changes=CANCELS,
    ),
    rewrite_node(
        "log1p_of_exponentials", PHASE, "log1p(exp(x) * exp(y))", "softplus(x + y)",
        (scalar.log1p,), _log1p, condition="as log_of_exponentials", changes=CANCELS,
    ),
    rewrite_node(
        "log1mexp", PHASE, "log(-expm1(x))",
        "where(x > -log 2, log(-expm1(max(x, -log 2))), log1p(-exp(min(x, -log 2))))",
        (scalar.log,), _log_of_expm1,
        condition="x is not held above -log 2 already; log(expm1(x)) is x + log1mexp(-x)",
        changes=OVERFLOW,
    ),
    rewrite_node(
        "log1mexp_from_log1p", PHASE, "log1p(-exp(x))",
        "where(x > -log 2, log(-expm1(max(x, -log 2))), log1p(-exp(min(x, -log 2))))",
        (scalar.log1p,), _log1p_of_exp, condition="x is not held below -log 2 already",
        changes="nan for a tiny positive x, not -inf",
    ),
    rewrite_node(
        "logaddexp_from_softplus", PHASE, "x + softplus(y - x)", "logaddexp(x, y)",
        (scalar.add,), _sum_with_softplus,
    ),
    rewrite_node(
        "logaddexp_from_maximum", PHASE, "max(x, y) + softplus(-|x - y|)", "logaddexp(x, y)",
        (scalar.add,), _sum_with_maximum,
    ),
    rewrite_node(
        "logaddexp_of_shifted", PHASE, "logaddexp(x - z, y - z) + z", "logaddexp(x, y)",
        (scalar.add,), _unshifted, changes="finite where z is inf or nan",
    ),
    rewrite_pattern("softplus_from_logaddexp", PHASE, joined(x, 0), softplus(x)),
    rewrite_node(
        "logdiffexp_from_expm1", PHASE, "y + log(expm1(x - y))", "x + log(1 - exp(y - x))",
        (scalar.add,), _difference_from_expm1,
    ),
    rewrite_node(
        "tanh_from_sigmoids", PHASE, "sigmoid(x) - sigmoid(-x)", "tanh(x / 2)",
        (scalar.subtract,), _gate_less_gate,
    ),
)  # fmt: skip
