"""Polynomials written as nodes: common factors outside, positive terms first."""

from __future__ import annotations

from fractions import Fraction

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.ops.source import const, constant_op
from graphc.rewrite.facts import is_scalar
from graphc.rewrite.monomial import Powers, cancelled, inverted, multiplied, opposite
from graphc.rewrite.order import Order
from graphc.rewrite.polynomial import GATES, Coefficient, Polynomial, Term, Unsuitable, exact


def assembled(
    polynomial: Polynomial, order: Order, spelled: dict[Node, Node], fewer: int
) -> Node | None:
    """The node of a polynomial; None if nothing met in it, or a constant does not fit the dtype,
    or if it cannot have fewer than `fewer` nodes (as many, if gates come out as common factors).

    `spelled` holds nodes that the user wrote for some of the factors.
    """
    dtype, terms = polynomial.dtype, polynomial.terms
    common = _common_powers(terms)
    scale = _common_scale(terms)
    if not polynomial.combined and (len(terms) == 1 or (not common and scale == 1)):
        return None  # nothing met: this is what was there
    rest = []
    for term in terms:
        powers = cancelled(multiplied(term.powers, inverted(common))) if common else term.powers
        rest.append(Term(_quotient(term.coefficient, scale), _reduced(powers)))
    gathered = any(factor.op in GATES for factor in common)
    if _least_nodes(polynomial.factors(), common, rest) >= fewer + gathered:
        return None
    writer = _Writer(dtype, order, spelled)
    try:
        if len(terms) == 1:
            return writer.signed(terms[0].coefficient, terms[0].powers)
        complement = _complement(rest)
        if complement is not None and complement in polynomial.factors():
            return writer.signed(scale, multiplied(common, {complement: (1, 0)}))
        total = writer.sum(rest)
        above, below = common.get(total, (0, 0))
        return writer.signed(scale, {**common, total: (above + 1, below)})
    except Unsuitable:
        return None


def _quotient(value: Coefficient, scale: Coefficient) -> Coefficient:
    return value if scale == 1 else Fraction(value) / scale


def _least_nodes(factors: set[Node], common: Powers, rest: list[Term]) -> int:
    """A number of nodes, constants not counted, that the sum has at least."""
    if _complement(rest) is not None:
        return 0
    joined = sum(not _is_bare(term) for term in rest) + len(rest) - 1
    outer = 1 if common and (len(rest) > 1 or not _is_bare(rest[0])) else 0
    return sum(factor.op is not constant_op for factor in factors) + joined + outer


def _is_bare(term: Term) -> bool:
    """Whether a term, up to its sign, is a number or one factor."""
    if not term.powers:
        return True
    single = len(term.powers) == 1 and (1, 0) in term.powers.values()
    return single and abs(term.coefficient) == 1


def _complement(terms: list[Term]) -> Node | None:
    """sigmoid(-u) for the terms of 1 - sigmoid(u)."""
    if len(terms) != 2:
        return None
    one, gate = sorted(terms, key=lambda term: len(term.powers))
    if one.powers or one.coefficient != 1 or gate.coefficient != -1 or len(gate.powers) != 1:
        return None
    ((factor, power),) = gate.powers.items()
    return (
        scalar.sigmoid(opposite(factor.inputs[0]))
        if factor.op is scalar.sigmoid and power == (1, 0)
        else None
    )


def _reduced(powers: Powers) -> Powers:
    """Powers without what is both above and below, as when a common factor is taken out."""
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


def _common_scale(terms: list[Term]) -> Coefficient:
    size = _size(terms[0].coefficient)
    return size if all(_size(term.coefficient) == size for term in terms) else 1


class _Writer:
    """Terms written as nodes, in canonical order."""

    def __init__(self, dtype: DType, order: Order, spelled: dict[Node, Node]) -> None:
        self.dtype = dtype
        self.order = order
        self.spelled = spelled

    def constant(self, value: Coefficient) -> Node:
        known = float(self.dtype.numpy.type(float(value)))
        if known == 0 or abs(known) == float("inf"):
            raise Unsuitable
        return const(known, self.dtype)

    def sum(self, terms: list[Term]) -> Node:
        """Positive terms first, then what is subtracted."""
        if all(term.coefficient < 0 for term in terms):
            terms = list(map(_positive, terms))
        signs = [
            (term.coefficient > 0, self.product(_size(term.coefficient), term.powers))
            for term in terms
        ]
        added = sorted((n for sign, n in signs if sign), key=self.order.sum_key)
        taken = sorted((n for sign, n in signs if not sign), key=self.order.sum_key)
        if not added:
            return scalar.negative(_chain(scalar.add, taken))
        result = _chain(scalar.add, added)
        for node in taken:
            result = scalar.subtract(result, node)
        return result

    def signed(self, coefficient: Coefficient, powers: Powers) -> Node:
        """A term with its sign outside."""
        if coefficient < 0:
            powers, turned = _turned(powers)
            coefficient = -coefficient if turned else coefficient
        value = self.product(_size(coefficient), powers)
        return value if coefficient > 0 else scalar.negative(value)

    def product(self, coefficient: Coefficient, powers: Powers) -> Node:
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

    def _scaled(self, coefficient: Coefficient, value: Node | None) -> Node:
        if value is None:
            return self.constant(coefficient)
        if coefficient == 1:
            return value
        whole = coefficient.denominator
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


def _size(coefficient: Coefficient) -> Coefficient:
    return -coefficient if coefficient < 0 else coefficient


def _positive(term: Term) -> Term:
    """A negative term with its sign in a difference, if it has one."""
    powers, turned = _turned(term.powers)
    return Term(-term.coefficient, powers) if turned else term


def _turned(powers: Powers) -> tuple[Powers, bool]:
    """Factors with one difference turned around, if there is one."""
    for factor, (above, below) in powers.items():
        if factor.op is scalar.subtract and above + below == 1:
            rest = {f: power for f, power in powers.items() if f is not factor}
            # The other difference may be a factor already.
            around = scalar.subtract(factor.inputs[1], factor.inputs[0])
            return multiplied(rest, {around: (above, below)}), True
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
