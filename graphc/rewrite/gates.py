"""Gates: the logistic function, tanh and expm1 in their many spellings."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops import elementary, scalar
from graphc.ops.elementwise import cast_op
from graphc.ops.source import const
from graphc.rewrite.facts import are_opposite, number
from graphc.rewrite.monomial import opposite
from graphc.rewrite.pattern import Bindings, function, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "stabilize"
OVERFLOW = "finite where exp overflows"
UNDERFLOW = "finite where exp overflows; 0 for less than a normal number"
KINK = "1/2 at 0, not the 0 of two kinks that cancel"
x, y = variables("x y")
exp, expm1, square = map(function, (scalar.exp, scalar.expm1, scalar.square))
sigmoid, softplus, tanh = map(function, (scalar.sigmoid, scalar.softplus, scalar.tanh))
sinh, cosh = function(elementary.sinh), function(elementary.cosh)


def _opposites(bound: Bindings) -> bool:
    return are_opposite(bound["x"], bound["y"])


def _complement(node: Node, context: Context) -> Node | None:
    """1 - sigmoid(x) cancels near 1, but beside sigmoid(x) itself it saves an exponential."""
    for sign, (one, gate) in ((1, node.inputs), (-1, node.inputs[::-1])):
        if number(one) == 1 and gate.op is scalar.sigmoid:
            free = gate.inputs[0].op is scalar.negative or context.users.get(gate) == 1
            mirror = scalar.sigmoid(opposite(gate.inputs[0])) if free else None
            return mirror if sign == 1 or mirror is None else scalar.negative(mirror)
    return None


def _from_tanh(node: Node, context: Context) -> Node | None:
    """1 + tanh(x) cancels below 0, but beside tanh(x) itself it is as cheap as can be."""
    for place, (known, wave) in enumerate((node.inputs, node.inputs[::-1])):
        if wave.op is not scalar.tanh or context.users.get(wave) != 1 or number(known) != 1:
            continue
        if node.op is scalar.subtract and place == 1:
            return None  # tanh(x) - 1
        scale = 2 if node.op is scalar.add else -2
        return 2 * scalar.sigmoid(scalar.multiply(const(scale, node.dtype), wave.inputs[0]))
    return None


def _slope_in_parts(node: Node, _: Context) -> Node | None:
    """(x > 0) - sigmoid(-|x|) * sign(x): the derivative of max(x, 0) + softplus(-|x|)."""
    step, product = node.inputs
    if product.op is not scalar.multiply:
        return None
    if step.op is scalar.where and step.inputs[0].op is scalar.equal:
        test, half, step = step.inputs  # 1/2 where x is 0
        if number(half) != 0.5 or not any(number(source) == 0 for source in test.inputs):
            return None
    above = step.inputs[0] if step.op is cast_op else step
    if above.op is not scalar.greater or number(above.inputs[1]) != 0:
        return None
    x = above.inputs[0]
    for gate, sign in (product.inputs, product.inputs[::-1]):
        if sign.op is scalar.sign and sign.inputs[0] is x:
            small = scalar.sigmoid(scalar.negative(scalar.absolute(x)))
            return scalar.sigmoid(x) if gate is small else None
    return None


def _exp_less_constant(node: Node, _: Context) -> Node | None:
    """expm1(x) + c is exp(x) + (c - 1): for c >= 1 nothing cancels."""
    for power, added in (node.inputs, node.inputs[::-1]):
        value = number(added)
        if power.op is scalar.expm1 and value is not None and value >= 1:
            rest = const(value - 1, node.dtype)
            whole = scalar.exp(power.inputs[0])
            if number(rest) == value - 1:
                return whole if value == 1 else scalar.add(whole, rest)
    return None


def _reciprocal_of_exp(node: Node, _: Context) -> Node | None:
    above, power = node.inputs
    if number(above) is None or power.op is not scalar.exp:
        return None
    return scalar.multiply(above, scalar.exp(opposite(power.inputs[0])))


RULES: tuple[Rule, ...] = (
    rewrite_pattern(
        "sigmoid_of_difference", PHASE, exp(x) / (exp(x) + exp(y)), sigmoid(x - y), changes=OVERFLOW
    ),
    rewrite_pattern(
        "exp_over_difference",
        PHASE,
        exp(x) / (exp(x) - exp(y)),
        -1 / expm1(y - x),
        changes=UNDERFLOW,
    ),
    rewrite_pattern(
        "exp_over_negative_difference",
        PHASE,
        exp(y) / (exp(x) - exp(y)),
        1 / expm1(x - y),
        changes=UNDERFLOW,
    ),
    rewrite_pattern("half_complement", PHASE, 1 - 0.5 * (x + 1), 0.5 * (1 - x)),
    rewrite_pattern("half_complement_by_two", PHASE, 1 - (x + 1) / 2, (1 - x) / 2),
    rewrite_node(
        "reciprocal_of_exp",
        PHASE,
        "1 / exp(x)",
        "exp(-x)",
        (scalar.divide,),
        _reciprocal_of_exp,
        condition="the numerator is a constant",
    ),
    rewrite_pattern(
        "tanh_from_exp",
        PHASE,
        (exp(x) - exp(y)) / (exp(x) + exp(y)),
        tanh(x),
        when=_opposites,
        condition="y is written -x",
        changes=OVERFLOW,
    ),
    rewrite_pattern(
        "tanh_of_difference",
        PHASE,
        (exp(x) - exp(y)) / (exp(x) + exp(y)),
        tanh(0.5 * (x - y)),
        changes=OVERFLOW,
    ),
    rewrite_pattern(
        "tanh_from_expm1",
        PHASE,
        expm1(x) / (1 + exp(x)),
        tanh(0.5 * x),
        changes=OVERFLOW,
    ),
    rewrite_pattern(
        "sigmoid_from_quotient", PHASE, exp(x) / (1 + exp(x)), sigmoid(x), changes=OVERFLOW
    ),
    rewrite_pattern("sigmoid_from_exp", PHASE, y / (1 + exp(x)), y * sigmoid(-x)),
    rewrite_pattern(
        "sigmoid_squared_from_exp",
        PHASE,
        y / square(1 + exp(x)),
        y * square(sigmoid(-x)),
        changes=OVERFLOW,
    ),
    rewrite_pattern("tanh_from_quotient", PHASE, sinh(x) / cosh(x), tanh(x), changes=OVERFLOW),
    rewrite_pattern("tanh_from_sigmoid", PHASE, 2 * sigmoid(x) - 1, tanh(0.5 * x)),
    rewrite_pattern("negative_tanh_from_sigmoid", PHASE, 1 - 2 * sigmoid(x), -tanh(0.5 * x)),
    rewrite_node(
        "sigmoid_from_tanh",
        PHASE,
        "1 + tanh(x)",
        "2 * sigmoid(2 * x)",
        (scalar.add, scalar.subtract),
        _from_tanh,
        condition="tanh(x) is not used elsewhere; 1 - tanh(x) too",
        looks_around=True,
    ),
    rewrite_pattern("sigmoid_from_half_tanh", PHASE, 0.5 * tanh(x) + 0.5, sigmoid(2 * x)),
    rewrite_pattern("sigmoid_from_tanh_by_two", PHASE, tanh(x) / 2 + 0.5, sigmoid(2 * x)),
    rewrite_node(
        "complement_of_sigmoid",
        PHASE,
        "1 - sigmoid(x)",
        "sigmoid(-x)",
        (scalar.subtract,),
        _complement,
        condition="sigmoid(x) is not used elsewhere, or x is written -y; sigmoid(x) - 1 too",
        looks_around=True,
    ),
    rewrite_pattern("expm1_from_exp", PHASE, exp(x) - 1, expm1(x)),
    rewrite_pattern("negative_expm1", PHASE, 1 - exp(x), -expm1(x)),
    rewrite_node(
        "exp_from_expm1",
        PHASE,
        "expm1(x) + 2",
        "exp(x) + 1",
        (scalar.add,),
        _exp_less_constant,
        condition="the constant is at least 1",
    ),
    rewrite_node(
        "sigmoid_from_parts",
        PHASE,
        "(x > 0) - sigmoid(-|x|) * sign(x)",
        "sigmoid(x)",
        (scalar.subtract,),
        _slope_in_parts,
        condition="also with 1/2 for the step at 0",
        changes=KINK,
    ),
    rewrite_pattern("sigmoid_from_softplus", PHASE, exp(-softplus(x)), sigmoid(-x)),
    rewrite_pattern("exp_over_expm1", PHASE, exp(x) / expm1(x), -1 / expm1(-x), changes=UNDERFLOW),
    rewrite_pattern("one_plus_inverse_expm1", PHASE, 1 / expm1(x) + 1, -1 / expm1(-x)),
)
