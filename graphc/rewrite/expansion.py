"""Arithmetic multiplied out: the polynomial of a node, within the region around it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.rewrite.facts import number
from graphc.rewrite.monomial import inverted, opposite
from graphc.rewrite.polynomial import Polynomial, Region, Term, Unsuitable


def complement(node: Node) -> tuple[int, Node] | None:
    """The sign and sigmoid(-u) of 1 - sigmoid(u) or sigmoid(u) - 1, None for anything else."""
    if node.op is not scalar.subtract:
        return None
    for sign, (one, gate) in ((1, node.inputs), (-1, node.inputs[::-1])):
        if gate.op is scalar.sigmoid and number(one) == 1:
            return sign, scalar.sigmoid(opposite(gate.inputs[0]))
    return None


_SUMS = frozenset([scalar.add, scalar.subtract])


class Expansion:
    """A node multiplied out, within a region; `spelled` says how the user wrote a complement.

    Without `distribute`, a sum inside a product is taken as one factor; `held` says whether there
    was one.
    """

    def __init__(self, around: Region, dtype: DType, distribute: bool) -> None:
        self.region = around
        self.dtype = dtype
        self.distribute = distribute
        self.held = False
        self.spelled: dict[Node, Node] = {}
        self._known: dict[Node, Polynomial] = {}

    def expand(self, node: Node) -> Polynomial:
        """The polynomial of a node of the region."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = self._expand(node)
        return known

    def _expand(self, node: Node) -> Polynomial:
        value = number(node)
        if value == 0:
            raise Unsuitable  # 0 * x is not 0 where x is inf or nan
        if value is not None and abs(value) < float("inf"):
            whole = isinstance(value, int) or value.is_integer()
            coefficient = int(value) if whole else Fraction(value)
            return Polynomial(self.dtype, [Term(coefficient, {})])
        if node not in self.region.interior:
            return self._factor(node)
        found = complement(node)
        if found is not None:
            sign, gate = found
            if sign == 1:
                self.spelled[gate] = node
            return Polynomial(self.dtype, [Term(sign, {gate: (1, 0)})])
        return _EXPANSIONS[node.op](self, *node.inputs)

    def _factor(self, node: Node) -> Polynomial:
        return Polynomial(self.dtype, [Term(1, {node: (1, 0)})])

    def _add(self, a: Node, b: Node) -> Polynomial:
        return self.expand(a).plus(self.expand(b))

    def _subtract(self, a: Node, b: Node) -> Polynomial:
        return self.expand(a).plus(self.expand(b), -1)

    def _negative(self, a: Node) -> Polynomial:
        return Polynomial(self.dtype).plus(self.expand(a), -1)

    def _operand(self, node: Node) -> Polynomial:
        if not self.distribute and node.op in _SUMS and complement(node) is None:
            self.held = True  # in normal form already: it has several terms
            return self._factor(node)
        expanded = self.expand(node)
        if self.distribute or len(expanded.terms) == 1:
            return expanded
        self.held = True
        return self._factor(node)

    def _multiply(self, a: Node, b: Node) -> Polynomial:
        return self._operand(a).times(self._operand(b))

    def _square(self, a: Node) -> Polynomial:
        inner = self._operand(a)
        return inner.times(inner)

    def _divide(self, a: Node, b: Node) -> Polynomial:
        terms = self.expand(b).terms
        if len(terms) != 1:
            terms = self._factor(b).terms
        (term,) = terms
        inverse = Term(Fraction(1) / term.coefficient, inverted(term.powers), term.made)
        return self._operand(a).times(Polynomial(self.dtype, [inverse]))


_EXPANSIONS: dict[object, Callable[..., Polynomial]] = {
    scalar.add: Expansion._add,
    scalar.subtract: Expansion._subtract,
    scalar.negative: Expansion._negative,
    scalar.multiply: Expansion._multiply,
    scalar.divide: Expansion._divide,
    scalar.square: Expansion._square,
}
