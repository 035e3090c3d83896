"""The normaliser of sums of products: like terms meet, equal factors cancel, common factors are taken out.

This is what turns the gradient of a loss that is spelled out into a - y. A node is multiplied out (see `polynomial`), the
identities sigmoid(-u) = 1 - sigmoid(u) and softplus(-u) = softplus(u) - u are tried, and the shortest result is
used if it is shorter than what was there, and if everything that cancelled still occurs in it (so a nan still
reaches the result).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.ops.source import const, constant_op
from graphc.rewrite.facts import is_float, is_scalar, negated
from graphc.rewrite.monomial import Powers, cancelled, inverted, multiplied, opposite
from graphc.rewrite.order import Order
from graphc.rewrite.polynomial import (
    ARITHMETIC,
    Expansion,
    Polynomial,
    Region,
    Term,
    Unsuitable,
    exact,
    family,
    region,
)
from graphc.rewrite.rule import Context, Rule, rewrite_node


def _normalise(node: Node, context: Context) -> Node | None:
    if not is_float(node):
        return None
    around = region(node)
    if not around.repeats:
        return None
    edge = set(map(family, around.factors))
    best, best_cost = None, _cost(node, edge)
    for made in _candidates(node, around, context.order):
        if (cost := _cost(made, edge)).below(best_cost):
            best, best_cost = made, cost
    return best


def _candidates(node: Node, around: Region, order: Order) -> Iterator[Node]:
    """What the node may become; ways to multiply out that keep more of what was written come first."""
    whole = Expansion(around, node.dtype, distribute=False)
    yield from _expanded(node, whole, order)
    if around.shared:
        # g * a - g * a * a is g * a * (1 - a), whatever g is.
        yield from _expanded(node, Expansion(around.without_shared(), node.dtype, True), order)
    if whole.held:
        yield from _expanded(node, Expansion(around, node.dtype, True), order)


def _expanded(node: Node, expansion: Expansion, order: Order) -> Iterator[Node]:
    try:
        polynomial = expansion.expand(node)
    except Unsuitable:
        return
    for candidate in (polynomial, *_substituted(polynomial)):
        if candidate.terms and candidate.lost <= candidate.families():
            made = _assembled(candidate, order, expansion.spelled)
            if made is not None:
                yield made


@dataclass(frozen=True)
class _Cost:
    """What a node costs down to the edge of a region, that included and constants not.

    `nodes` counts each node once, `occurrences` as often as it occurs when everything is written out; `edge` is how often
    each node of the edge occurs.
    """

    nodes: int
    occurrences: int
    edge: dict[Node, int]

    def below(self, other: _Cost) -> bool:
        """Whether this is cheaper in every respect, so that a rule that lowers it ends wherever it is applied."""
        fewer = self.nodes < other.nodes and self.occurrences < other.occurrences
        return fewer and all(count <= other.edge.get(node, 0) for node, count in self.edge.items())


def _cost(root: Node, edge: set[Node]) -> _Cost:
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen and node.op is not constant_op:
            seen.add(node)
            stack.append((node, True))
            if node not in edge:
                stack.extend((source, False) for source in node.inputs)
    times = dict.fromkeys(order, 0)
    times[root] = 1
    for node in reversed(order):
        for source in () if node in edge else node.inputs:
            if source in times:
                times[source] += times[node]
    return _Cost(len(order), sum(times.values()), {node: times[node] for node in order if node in edge})


def _substituted(polynomial: Polynomial) -> Iterator[Polynomial]:
    """The polynomial after identities between exp(u), sigmoid(u), sigmoid(-u) and softplus, where they cancel terms.

    Where they cancel nothing they are not used: 1 - sigmoid(u) is less accurate than sigmoid(-u).
    """
    families = Counter(map(family, polynomial.factors()))
    if not any(count > 1 for count in families.values()):
        return
    found = [polynomial]
    with suppress(Unsuitable):
        found.append(polynomial.reduced())
    for start in tuple(found):
        for factor in sorted(start.factors(), key=lambda f: f.number):
            replacement = _replacement(factor, start.dtype) if families[family(factor)] > 1 else None
            if replacement is not None:
                with suppress(Unsuitable):
                    found.append(start.substitute(factor, replacement).reduced())
    yield from (changed for changed in found[1:] if changed.lost > polynomial.lost)


def _replacement(factor: Node, dtype: DType) -> Polynomial | None:
    """1 - sigmoid(u) for sigmoid(-u), softplus(u) - u for softplus(-u), 1 / sigmoid(-u) - 1 for exp(u)."""
    one, minus = Fraction(1), Fraction(-1)
    if factor.op is scalar.exp:
        gate = scalar.sigmoid(opposite(factor.inputs[0]))
        return Polynomial(dtype, [Term(one, {gate: (0, 1)}), Term(minus, {})])
    source = negated(factor.inputs[0]) if factor.op in (scalar.sigmoid, scalar.softplus) else None
    if source is None:
        return None
    mirror = {factor.op(source): (1, 0)}  # type: ignore[operator]
    if factor.op is scalar.sigmoid:
        return Polynomial(dtype, [Term(one, {}), Term(minus, mirror)])
    return Polynomial(dtype, [Term(one, mirror), Term(minus, {source: (1, 0)})])


def _assembled(polynomial: Polynomial, order: Order, spelled: dict[Node, Node]) -> Node | None:
    """The node of a polynomial: common factors outside, positive terms first; None if a constant does not fit."""
    dtype, terms = polynomial.dtype, polynomial.terms
    common = _common_powers(terms)
    scale = _common_scale(terms)
    if not polynomial.combined and (len(terms) == 1 or (not common and scale == 1)):
        return None  # nothing met: this is what was there
    rest = []
    for term in terms:
        powers = cancelled(multiplied(term.powers, inverted(common))) if common else term.powers
        rest.append(Term(term.coefficient / scale, _reduced(powers)))
    writer = _Writer(dtype, order, spelled)
    try:
        if len(terms) == 1:
            return writer.signed(terms[0].coefficient, terms[0].powers)
        complement = _complement(rest)
        if complement is not None and complement in polynomial.factors():
            return writer.signed(scale, multiplied(common, {complement: (1, 0)}))
        return writer.signed(scale, {**common, writer.sum(rest): (1, 0)})
    except Unsuitable:
        return None


def _complement(terms: list[Term]) -> Node | None:
    """sigmoid(-u) for the terms of 1 - sigmoid(u)."""
    if len(terms) != 2:
        return None
    one, gate = sorted(terms, key=lambda term: len(term.powers))
    if one.powers or one.coefficient != 1 or gate.coefficient != -1 or len(gate.powers) != 1:
        return None
    ((factor, power),) = gate.powers.items()
    return scalar.sigmoid(opposite(factor.inputs[0])) if factor.op is scalar.sigmoid and power == (1, 0) else None


def _reduced(powers: Powers) -> Powers:
    """Powers with what is both above and below removed: after a common factor is taken out of itself."""
    result = {}
    for factor, (above, below) in powers.items():
        common = min(above, below)
        if above - common or below - common:
            result[factor] = (above - common, below - common)
    return result


def _common_powers(terms: list[Term]) -> Powers:
    common = dict(terms[0].powers)
    for term in terms[1:]:
        for factor in list(common):
            above, below = term.powers.get(factor, (0, 0))
            least = (min(common[factor][0], above), min(common[factor][1], below))
            if least == (0, 0):
                del common[factor]
            else:
                common[factor] = least
    return common


def _common_scale(terms: list[Term]) -> Fraction:
    size = abs(terms[0].coefficient)
    return size if all(abs(term.coefficient) == size for term in terms) else Fraction(1)


class _Writer:
    """Terms written as nodes, in canonical order."""

    def __init__(self, dtype: DType, order: Order, spelled: dict[Node, Node]) -> None:
        self.dtype = dtype
        self.order = order
        self.spelled = spelled

    def constant(self, value: Fraction) -> Node:
        known = float(self.dtype.numpy.type(float(value)))
        if known == 0 or abs(known) == float("inf"):
            raise Unsuitable
        return const(known, self.dtype)

    def sum(self, terms: list[Term]) -> Node:
        """Positive terms first, then what is subtracted."""
        if all(term.coefficient < 0 for term in terms):
            terms = list(map(_positive, terms))
        signs = [(term.coefficient > 0, self.product(abs(term.coefficient), term.powers)) for term in terms]
        added = sorted((n for sign, n in signs if sign), key=self.order.sum_key)
        taken = sorted((n for sign, n in signs if not sign), key=self.order.sum_key)
        if not added:
            return scalar.negative(_chain(scalar.add, taken))
        result = _chain(scalar.add, added)
        for node in taken:
            result = scalar.subtract(result, node)
        return result

    def signed(self, coefficient: Fraction, powers: Powers) -> Node:
        """A term with its sign outside."""
        if coefficient < 0:
            powers, turned = _turned(powers)
            coefficient = -coefficient if turned else coefficient
        value = self.product(abs(coefficient), powers)
        return value if coefficient > 0 else scalar.negative(value)

    def product(self, coefficient: Fraction, powers: Powers) -> Node:
        """coefficient * scalars * (arrays / scalars)."""
        scalars = {f: p for f, p in powers.items() if is_scalar(f)}
        arrays = {f: p for f, p in powers.items() if not is_scalar(f)}
        above, below = self._sides(arrays)
        outer, divisor = self._sides(scalars)
        value = above
        if below is not None:
            value = scalar.divide(1 if value is None else value, below)
        if divisor is not None:
            if value is None and outer is not None:
                value, outer = outer, None
            value = scalar.divide(1 if value is None else value, divisor)
        if outer is not None:
            value = outer if value is None else scalar.multiply(outer, value)
        return self._scaled(coefficient, value)

    def _scaled(self, coefficient: Fraction, value: Node | None) -> Node:
        if value is None:
            return self.constant(coefficient)
        if coefficient == 1:
            return value
        whole = Fraction(coefficient.denominator)
        if coefficient.numerator == 1 and exact(whole, self.dtype):
            return scalar.divide(value, self.constant(whole))
        return scalar.multiply(self.constant(coefficient), value)

    def _sides(self, powers: Powers) -> tuple[Node | None, Node | None]:
        factors = sorted(powers, key=self.order.product_key)
        above = [_power(self.spelled.get(f, f), powers[f][0]) for f in factors if powers[f][0]]
        below = [_power(self.spelled.get(f, f), powers[f][1]) for f in factors if powers[f][1]]
        return (
            _chain(scalar.multiply, above) if above else None,
            _chain(scalar.multiply, below) if below else None,
        )


def _positive(term: Term) -> Term:
    """A negative term with its sign in a difference, if it has one."""
    powers, turned = _turned(term.powers)
    return Term(-term.coefficient, powers) if turned else term


def _turned(powers: Powers) -> tuple[Powers, bool]:
    """Factors with one difference turned around, if there is one."""
    for factor, (above, below) in powers.items():
        if factor.op is scalar.subtract and above + below == 1:
            rest = {f: power for f, power in powers.items() if f is not factor}
            return {**rest, scalar.subtract(factor.inputs[1], factor.inputs[0]): (above, below)}, True
    return powers, False


def _chain(op: object, nodes: list[Node]) -> Node:
    result = nodes[0]
    for node in nodes[1:]:
        result = op(result, node)  # type: ignore[operator]
    return result


def _power(node: Node, exponent: int) -> Node:
    """A positive whole power, by squaring."""
    if exponent == 1:
        return node
    half = scalar.square(_power(node, exponent // 2))
    return half if exponent % 2 == 0 else scalar.multiply(node, half)


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "sum_of_products", "simplify", "p * (1 - y / p)", "p - y", tuple(ARITHMETIC - {scalar.square}),
        _normalise,
        condition="the result has fewer nodes; p is provably nonzero; what cancels still occurs",
        changes="finite where p underflows or is nan; a size is taken to be at least 1",
    ),
)  # fmt: skip
