"""Products as factors with powers, and what cancels among them.

A gradient graph is full of factors that cancel: 1 / softmax(x) from a logarithm meets softmax(x)
from the derivative of softmax. They cancel here where they are provably nonzero, also where they
underflow.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import composite, indexing, reduction, scalar
from graphc.ops.layout import reshape_op
from graphc.ops.source import const
from graphc.ops.special import erfc, erfcx
from graphc.rewrite.facts import are_opposite, is_nonzero, is_positive, negated, number, signed

# For each factor, its power above and below the line.
Powers = dict[Node, tuple[int, int]]


def multiplied(first: Powers, second: Powers) -> Powers:
    """The product of two monomials, cancelled."""
    if not first or not second:
        return first or second
    result = dict(first)
    for factor, (above, below) in second.items():
        known = result.get(factor)
        result[factor] = (above, below) if known is None else (known[0] + above, known[1] + below)
    return cancelled(result)


def inverted(powers: Powers) -> Powers:
    """One over a monomial."""
    return {factor: (below, above) for factor, (above, below) in powers.items()}


def cancelled(powers: Powers) -> Powers:
    """The monomial with equal nonzero factors above and below cancelled, and identities applied."""
    result: Powers = {}
    for factor, (above, below) in powers.items():
        if above and below and is_nonzero(factor):
            common = min(above, below)
            above, below = above - common, below - common
        if above or below:
            result[factor] = (above, below)
    if len(result) > 1:
        present = {(f.op, 0) for f, (above, _) in result.items() if above}
        present |= {(f.op, 1) for f, (_, below) in result.items() if below}
        for needed, identity in IDENTITIES:
            changed = identity(result) if needed <= present else None
            if changed is not None:
                return cancelled(changed)
    return result


def _moved(powers: Powers, factor: Node, above: int, below: int) -> None:
    known = powers.get(factor, (0, 0))
    powers[factor] = (known[0] + above, known[1] + below)


def _above(powers: Powers, op: object) -> list[Node]:
    return [factor for factor, (above, _) in powers.items() if above and factor.op is op]


def _below(powers: Powers, op: object) -> list[Node]:
    return [factor for factor, (_, below) in powers.items() if below and factor.op is op]


def opposite(node: Node) -> Node:
    """The negative of a node, without a double negative."""
    known = negated(node)
    return known if known is not None else scalar.negative(node)


def _exp_times_sigmoid(powers: Powers) -> Powers | None:
    """exp(u) * sigmoid(-u) is sigmoid(u)."""
    for power in _above(powers, scalar.exp):
        for gate in _above(powers, scalar.sigmoid):
            if are_opposite(power.inputs[0], gate.inputs[0]):
                result = dict(powers)
                _moved(result, power, -1, 0)
                _moved(result, gate, -1, 0)
                _moved(result, scalar.sigmoid(power.inputs[0]), 1, 0)
                return result
    return None


def _sigmoid_over_exp(powers: Powers) -> Powers | None:
    """sigmoid(u) / exp(u) is sigmoid(-u)."""
    for gate in _above(powers, scalar.sigmoid):
        for power in _below(powers, scalar.exp):
            if power.inputs[0] is gate.inputs[0]:
                result = dict(powers)
                _moved(result, power, 0, -1)
                _moved(result, gate, -1, 0)
                _moved(result, scalar.sigmoid(opposite(gate.inputs[0])), 1, 0)
                return result
    return None


def _exp_over_sigmoid(powers: Powers) -> Powers | None:
    """exp(u) / sigmoid(u) is 1 / sigmoid(-u)."""
    for power in _above(powers, scalar.exp):
        for gate in _below(powers, scalar.sigmoid):
            if power.inputs[0] is gate.inputs[0]:
                result = dict(powers)
                _moved(result, power, -1, 0)
                _moved(result, gate, 0, -1)
                _moved(result, scalar.sigmoid(opposite(gate.inputs[0])), 0, 1)
                return result
    return None


def _exp_over_sum(powers: Powers) -> Powers | None:
    """exp(x) / sum(exp(x), axis) is softmax(x, axis)."""
    for total in _below(powers, reduction.sum_op):
        power = total.inputs[0]
        kept = total.attrs["keepdims"] and len(total.attrs["axes"]) == 1
        if kept and power.op is scalar.exp and powers.get(power, (0, 0))[0]:
            result = dict(powers)
            _moved(result, total, 0, -1)
            _moved(result, power, -1, 0)
            _moved(result, composite.softmax(power.inputs[0], total.attrs["axes"][0]), 1, 0)
            return result
    return None


def _one_hot_over_pick(powers: Powers) -> Powers | None:
    """onehot(t) * x / x[t] is onehot(t): only the picked elements of x are left."""
    for rows in _above(powers, indexing.one_hot_op):
        for column in _below(powers, reshape_op):
            picked = column.inputs[0]
            if picked.op is not indexing.pick_op or picked.inputs[1] is not rows.inputs[0]:
                continue
            source = picked.inputs[0]
            right = column.shape == (*picked.shape, 1) and source.shape == rows.shape
            if right and powers.get(source, (0, 0))[0] and is_positive(source):
                result = dict(powers)
                _moved(result, column, 0, -1)
                _moved(result, source, -1, 0)
                return result
    return None


def _exp_times_exp(powers: Powers) -> Powers | None:
    """exp(u) * exp(-u) is 1."""
    known = _above(powers, scalar.exp)
    for place, first in enumerate(known):
        for second in known[place + 1 :]:
            if are_opposite(first.inputs[0], second.inputs[0]):
                result = dict(powers)
                _moved(result, first, -1, 0)
                _moved(result, second, -1, 0)
                return result
    return None


def _exp_over_two(powers: Powers) -> Powers | None:
    """exp(u) / (exp(u) + exp(v)) is sigmoid(u - v)."""
    for total in _below(powers, scalar.add):
        for power, other in (total.inputs, total.inputs[::-1]):
            both = power.op is scalar.exp and other.op is scalar.exp
            if both and powers.get(power, (0, 0))[0]:
                gate = scalar.sigmoid(scalar.subtract(power.inputs[0], other.inputs[0]))
                return _replaced(powers, power, total, gate, above=True)
    return None


def _exp_over_difference(powers: Powers) -> Powers | None:
    """exp(u) / (exp(u) - exp(v)) is 1 / (1 - exp(v - u)), exp(u) / (exp(v) - exp(u)) is
    1 / expm1(v - u)."""
    for total in _below(powers, scalar.subtract):
        first, second = total.inputs
        if first.op is not scalar.exp or second.op is not scalar.exp:
            continue
        if powers.get(second, (0, 0))[0]:
            rest = scalar.expm1(scalar.subtract(first.inputs[0], second.inputs[0]))
            return _replaced(powers, second, total, rest, above=False)
        if powers.get(first, (0, 0))[0]:
            power = scalar.exp(scalar.subtract(second.inputs[0], first.inputs[0]))
            rest = scalar.subtract(const(1, power.dtype), power)
            return _replaced(powers, first, total, rest, above=False)
    return None


def _bell_over_tail(powers: Powers) -> Powers | None:
    """exp(-u²) / erfc(u) is 1 / erfcx(u), and so with 1 + erf(-u)."""
    for power in _above(powers, scalar.exp):
        bell = power.inputs[0]
        inner = bell.inputs[0] if bell.op is scalar.negative else bell
        if inner is bell or inner.op is not scalar.square:
            continue
        for tail in (*_below(powers, erfc), *_below(powers, scalar.add)):
            u = _tail_argument(tail)
            if u is not None and signed(u)[1] is signed(inner.inputs[0])[1]:
                return _replaced(powers, power, tail, erfcx(u), above=False)
    return None


def _tail_argument(tail: Node) -> Node | None:
    """u for erfc(u) and 1 + erf(-u)."""
    if tail.op is erfc:
        return tail.inputs[0]
    for one, other in (tail.inputs, tail.inputs[::-1]):
        if number(one) == 1 and other.op is scalar.erf:
            return opposite(other.inputs[0])
    return None


def _root_and_power(powers: Powers) -> Powers | None:
    """x / sqrt(x) is sqrt(x), and sqrt(x) / x is 1 / sqrt(x)."""
    for root in _above(powers, scalar.sqrt):
        if powers.get(root.inputs[0], (0, 0))[1]:
            return _replaced(powers, root, root.inputs[0], root, above=False)
    for root in _below(powers, scalar.sqrt):
        for factor, (above, _) in powers.items():
            if above and (factor is root.inputs[0] or is_held(factor, root.inputs[0])):
                return _replaced(powers, factor, root, root, above=True)
    return None


def is_held(node: Node, source: Node) -> bool:
    """Whether a node is where(x >= 0, x, nan), as sqrt(x)² is written."""
    if node.op is not scalar.where or node.inputs[1] is not source:
        return False
    test = node.inputs[0]
    return test.op is scalar.greater_equal and test.inputs[0] is source


def _difference_of_squares(powers: Powers) -> Powers | None:
    """(1 - x²) / (1 + x) is 1 - x."""
    for difference in _above(powers, scalar.subtract):
        one, squared = difference.inputs
        if number(one) != 1 or squared.op is not scalar.square:
            continue
        source = squared.inputs[0]
        for total in _below(powers, scalar.add):
            if source in total.inputs and any(number(other) == 1 for other in total.inputs):
                rest = scalar.subtract(one, source)
                return _replaced(powers, difference, total, rest, above=True)
        for total in _below(powers, scalar.subtract):
            if number(total.inputs[0]) == 1 and total.inputs[1] is source:
                rest = scalar.add(source, one)
                return _replaced(powers, difference, total, rest, above=True)
    return None


def _replaced(powers: Powers, upper: Node, lower: Node, new: Node, above: bool) -> Powers:
    """The monomial with `new`, above or below the line, for upper / lower."""
    result = dict(powers)
    _moved(result, upper, -1, 0)
    _moved(result, lower, 0, -1)
    _moved(result, new, int(above), int(not above))
    return result


# Each with the operations that some factors above (0) and below the line (1) must be of.
IDENTITIES: tuple[tuple[frozenset[tuple[Op, int]], Callable[[Powers], Powers | None]], ...] = (
    (frozenset([(scalar.exp, 0), (scalar.sigmoid, 0)]), _exp_times_sigmoid),
    (frozenset([(scalar.exp, 1), (scalar.sigmoid, 0)]), _sigmoid_over_exp),
    (frozenset([(scalar.exp, 0), (scalar.sigmoid, 1)]), _exp_over_sigmoid),
    (frozenset([(scalar.exp, 0)]), _exp_times_exp),
    (frozenset([(scalar.exp, 0), (scalar.add, 1)]), _exp_over_two),
    (frozenset([(scalar.exp, 0), (scalar.subtract, 1)]), _exp_over_difference),
    (frozenset([(scalar.subtract, 0), (scalar.add, 1)]), _difference_of_squares),
    (frozenset([(scalar.subtract, 0), (scalar.subtract, 1)]), _difference_of_squares),
    (frozenset([(scalar.exp, 0), (erfc, 1)]), _bell_over_tail),
    (frozenset([(scalar.exp, 0), (scalar.add, 1)]), _bell_over_tail),
    (frozenset([(scalar.sqrt, 0)]), _root_and_power),
    (frozenset([(scalar.sqrt, 1)]), _root_and_power),
    (frozenset([(scalar.exp, 0), (reduction.sum_op, 1)]), _exp_over_sum),
    (frozenset([(indexing.one_hot_op, 0), (reshape_op, 1)]), _one_hot_over_pick),
)
