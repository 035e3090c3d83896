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
from graphc.rewrite.facts import are_opposite, is_nonzero, is_positive, negated

# For each factor, its power above and below the line.
Powers = dict[Node, tuple[int, int]]


def multiplied(first: Powers, second: Powers) -> Powers:
    """The product of two monomials, cancelled."""
    result = dict(first)
    for factor, (above, below) in second.items():
        known = result.get(factor, (0, 0))
        result[factor] = (known[0] + above, known[1] + below)
    return cancelled(result)


def inverted(powers: Powers) -> Powers:
    """One over a monomial."""
    return {factor: (below, above) for factor, (above, below) in powers.items()}


def cancelled(powers: Powers) -> Powers:
    """The monomial with equal nonzero factors above and below cancelled, and identities applied."""
    result: Powers = {}
    for factor, (above, below) in powers.items():
        common = min(above, below)
        if common and is_nonzero(factor):
            above, below = above - common, below - common
        if above or below:
            result[factor] = (above, below)
    if len(result) > 1:
        ops = {factor.op for factor in result}
        for needed, identity in IDENTITIES:
            changed = identity(result) if needed <= ops else None
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


_GATES = frozenset([scalar.exp, scalar.sigmoid])
# Each with the operations that some factors must be of.
IDENTITIES: tuple[tuple[frozenset[Op], Callable[[Powers], Powers | None]], ...] = (
    (_GATES, _exp_times_sigmoid),
    (_GATES, _sigmoid_over_exp),
    (_GATES, _exp_over_sigmoid),
    (frozenset([scalar.exp, reduction.sum_op]), _exp_over_sum),
    (frozenset([indexing.one_hot_op, reshape_op]), _one_hot_over_pick),
)
