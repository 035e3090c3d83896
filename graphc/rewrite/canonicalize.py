"""Canonical forms of arithmetic: operands in order, signs outside, one spelling of a difference.

No value changes, not even its rounding; only the sign of a zero may.
"""

from __future__ import annotations

from graphc.ir.dtype import DType, bool_
from graphc.ir.node import Node, make
from graphc.ops import elementary, scalar
from graphc.ops.elementwise import cast, cast_op
from graphc.ops.source import const
from graphc.rewrite.facts import number
from graphc.rewrite.pattern import function, is_commutative, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "canonicalize"
x, y = variables("x y")
sin, tanh, erf = function(scalar.sin), function(scalar.tanh), function(scalar.erf)
negative, sqrt = function(scalar.negative), function(scalar.sqrt)
reciprocal, rsqrt = function(elementary.reciprocal), function(elementary.rsqrt)
cos, absolute, square = function(scalar.cos), function(scalar.absolute), function(scalar.square)


def _operand_order(node: Node, context: Context) -> Node | None:
    if not is_commutative(node.op):
        return None
    a, b = node.inputs
    return make(node.op, (b, a), **node.attrs) if context.order.swapped(node.op, a, b) else None


def _negative_constant(node: Node, _: Context) -> Node | None:
    """x + (-c) is x - c, x - (-c) is x + c; so too with a negative factor."""
    a, b = node.inputs
    opposite = scalar.subtract if node.op is scalar.add else scalar.add
    if node.op is scalar.add and _positive_part(b) is None:
        a, b = b, a
    positive = _positive_part(b)
    return None if positive is None else opposite(a, positive)


def _positive_part(node: Node) -> Node | None:
    """c for a constant -c, c * x for (-c) * x; None for anything else."""
    if not node.dtype.is_float:
        return None
    value = number(node)
    if value is not None:
        return const(-value, node.dtype) if value < 0 else None
    if node.op is scalar.multiply:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            value = number(factor)
            if value is not None and value < 0:
                return scalar.multiply(const(-value, node.dtype), rest)
    return None


def _negated_product(node: Node, _: Context) -> Node | None:
    (product,) = node.inputs
    if product.op is not scalar.multiply or not node.dtype.is_float:
        return None
    for factor, rest in (product.inputs, product.inputs[::-1]):
        value = number(factor)
        if value is not None:
            return scalar.multiply(const(-value, node.dtype), rest)
    return None


def _negative_of_scaled_difference(node: Node, _: Context) -> Node | None:
    (scaled,) = node.inputs
    if scaled.op is scalar.divide:
        inner = _turned(scaled.inputs[0])
        return None if inner is None else scalar.divide(inner, scaled.inputs[1])
    return _turned(scaled) if scaled.op is scalar.multiply else None


def _turned(node: Node) -> Node | None:
    """b - a for a - b, and x * (b - a) for x * (a - b)."""
    if node.op is scalar.subtract and number(node.inputs[0]) is None:
        return scalar.subtract(node.inputs[1], node.inputs[0])
    if node.op is scalar.multiply:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            if rest.op is scalar.subtract and number(rest.inputs[0]) is None:
                return scalar.multiply(factor, scalar.subtract(rest.inputs[1], rest.inputs[0]))
    return None


def _negative_numerator(node: Node, _: Context) -> Node | None:
    a, b = node.inputs
    above, below = number(a), number(b)
    if above is not None and above < 0:
        return scalar.negative(scalar.divide(const(-above, node.dtype), b))
    if below is not None and below < 0:
        return scalar.negative(scalar.divide(a, const(-below, node.dtype)))
    return None


def holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is a value of `wide`."""
    if narrow is wide or narrow is bool_:
        return True
    if wide is bool_:
        return False
    if wide.is_float:
        bits = {"float32": 24, "float64": 53}
        used = bits[narrow.name] if narrow.is_float else 8 * narrow.itemsize
        return used <= bits[wide.name]
    if narrow.is_float or (narrow.family == "int" and wide.family == "uint"):
        return False
    return narrow.itemsize < wide.itemsize


def _cast_of_cast(node: Node, _: Context) -> Node | None:
    (middle,) = node.inputs
    if middle.op is not cast_op or not holds(middle.dtype, middle.inputs[0].dtype):
        return None
    return cast(middle.inputs[0], node.dtype)


def _even_or_odd() -> list[Rule]:
    rules = [
        rewrite_pattern(f"{name}_of_negative", PHASE, f(-x), -f(x))
        for name, f in (("sin", sin), ("tanh", tanh), ("erf", erf))
    ]
    return rules + [
        rewrite_pattern(f"{name}_of_negative", PHASE, f(-x), f(x))
        for name, f in (("cos", cos), ("abs", absolute), ("square", square))
    ]


RULES: tuple[Rule, ...] = (
    rewrite_pattern("reciprocal_as_quotient", PHASE, reciprocal(x), 1 / x),
    rewrite_pattern("rsqrt_as_quotient", PHASE, rsqrt(x), 1 / sqrt(x)),
    rewrite_pattern("double_negative", PHASE, negative(negative(x)), x),
    rewrite_pattern("negative_of_difference", PHASE, -(x - y), y - x),
    rewrite_pattern("add_negative", PHASE, x + -y, x - y),
    rewrite_pattern("subtract_negative", PHASE, x - -y, x + y),
    rewrite_pattern("subtract_from_negative", PHASE, -x - y, -(x + y)),
    rewrite_pattern("multiply_negative", PHASE, x * -y, -(x * y)),
    rewrite_pattern("divide_negative", PHASE, -x / y, -(x / y)),
    rewrite_pattern("divide_by_negative", PHASE, x / -y, -(x / y)),
    rewrite_pattern("multiply_by_minus_one", PHASE, -1 * x, -x),
    rewrite_node(
        "negative_constant",
        PHASE,
        "x + -2",
        "x - 2",
        (scalar.add, scalar.subtract),
        _negative_constant,
        condition="the constant, or the constant factor of a product, is negative",
    ),
    rewrite_node(
        "negative_of_product",
        PHASE,
        "-(2 * x)",
        "-2 * x",
        (scalar.negative,),
        _negated_product,
        condition="one factor is a constant",
    ),
    rewrite_node(
        "negative_of_scaled_difference",
        PHASE,
        "-((x - y) / z)",
        "(y - x) / z",
        (scalar.negative,),
        _negative_of_scaled_difference,
        condition="x is no constant; also -(z * (x - y)), and both together",
    ),
    rewrite_node(
        "negative_divisor",
        PHASE,
        "-2 / x",
        "-(2 / x)",
        (scalar.divide,),
        _negative_numerator,
        condition="numerator or denominator is a negative constant",
    ),
    *_even_or_odd(),
    rewrite_node(
        "cast_of_cast",
        PHASE,
        "cast(cast(x))",
        "cast(x)",
        (cast_op,),
        _cast_of_cast,
        condition="the first cast loses nothing",
    ),
    rewrite_node(
        "operand_order",
        PHASE,
        "1 + x",
        "x + 1",
        ("elementwise",),
        _operand_order,
        condition="the operation is commutative: sums end with constants, products begin with them",
    ),
)
