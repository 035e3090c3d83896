"""Sums of products: terms with exact coefficients, multiplied out of an arithmetic expression.

Two safeguards make this safe for floats: terms cancel only if multiplying out made one of them (so
(x + 1e8) - 1e8 and compensated sums stay as they are written), and constants are added only where
the sum is exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import indexing, reduction, scalar
from graphc.ops.layout import reshape_op
from graphc.rewrite.facts import number
from graphc.rewrite.monomial import Powers, cancelled, inverted, multiplied, opposite

# What is looked at around one node; more would cost time and seldom finds more.
_NODES = 20
_TERMS = 12
ARITHMETIC = frozenset(
    [scalar.add, scalar.subtract, scalar.negative, scalar.multiply, scalar.divide, scalar.square]
)
_GATES = frozenset([scalar.sigmoid, scalar.softplus, scalar.exp])


# Exact: whole numbers are much faster than fractions, and most are whole.
Coefficient = int | Fraction
Key = frozenset[tuple[Node, tuple[int, int]]]


class Unsuitable(Exception):
    """The expression is too large, or a cancellation in it was written on purpose."""


@dataclass(frozen=True)
class Term:
    """A coefficient and factors; `made` if multiplying out made it, not the user."""

    coefficient: Coefficient
    powers: Powers
    made: bool = False

    @cached_property
    def key(self) -> Key:
        """What like terms share."""
        return frozenset(self.powers.items())


def exact(value: Coefficient, dtype: DType) -> bool:
    """Whether the dtype holds the number."""
    try:
        return Fraction(float(dtype.numpy.type(float(value)))) == value
    except OverflowError:
        return False


class Polynomial:
    """A sum of terms of one dtype.

    `lost` holds the families of factors that cancelled; `combined` says whether any terms or
    factors met at all.
    """

    def __init__(self, dtype: DType, terms: Iterable[Term] = ()) -> None:
        self.dtype = dtype
        self.lost: set[Node] = set()
        self.combined = False
        self._terms: dict[Key, Term] = {}
        for term in terms:
            self.enter(term)

    @property
    def terms(self) -> list[Term]:
        """The terms, in the order in which they came."""
        return list(self._terms.values())

    def enter(self, term: Term) -> None:
        """Add a term to its like, under the two safeguards."""
        known = self._terms.get(term.key)
        if known is None:
            self._terms[term.key] = term
            return
        self.combined = True
        total = known.coefficient + term.coefficient
        if known.coefficient * term.coefficient < 0 and not (known.made or term.made):
            raise Unsuitable
        if not exact(total, self.dtype):
            raise Unsuitable
        if total == 0:
            self.lost.update(map(family, term.powers))
            del self._terms[term.key]
        else:
            self._terms[term.key] = Term(total, known.powers, known.made or term.made)

    def _inherit(self, *others: Polynomial) -> Polynomial:
        for other in others:
            self.lost |= other.lost
            self.combined = self.combined or other.combined
        return self

    def plus(self, other: Polynomial, sign: int = 1) -> Polynomial:
        """The sum, or the difference for sign -1."""
        result = Polynomial(self.dtype)._inherit(self, other)
        result._terms.update(self._terms)
        for term in other._terms.values():
            result.enter(term if sign == 1 else Term(-term.coefficient, term.powers, term.made))
        return result

    def times(self, other: Polynomial) -> Polynomial:
        """The product, multiplied out."""
        if len(self._terms) * len(other._terms) > _TERMS:
            raise Unsuitable
        several = len(self._terms) * len(other._terms) > 1
        result = Polynomial(self.dtype)._inherit(self, other)
        for a in self._terms.values():
            for b in other._terms.values():
                powers = multiplied(a.powers, b.powers)
                smaller = len(powers) < len(a.powers.keys() | b.powers.keys())
                result.combined = result.combined or smaller
                made = several or smaller or a.made or b.made
                result.enter(Term(a.coefficient * b.coefficient, powers, made))
        return result

    def factors(self) -> set[Node]:
        """The factors of all terms."""
        return {factor for term in self._terms.values() for factor in term.powers}

    def families(self) -> set[Node]:
        """What the factors that are left are functions of."""
        return set(map(family, self.factors()))

    def substitute(self, factor: Node, replacement: Polynomial) -> Polynomial:
        """The polynomial with every power of a factor above the line replaced."""
        result = Polynomial(self.dtype)._inherit(self)
        for term in self.terms:
            above, below = term.powers.get(factor, (0, 0))
            rest = {f: power for f, power in term.powers.items() if f is not factor}
            if below:
                rest[factor] = (0, below)
            product = Polynomial(self.dtype, [Term(term.coefficient, rest, term.made)])
            for _ in range(above):
                product = product.times(replacement)
            result = result.plus(product)
        return result

    def reduced(self) -> Polynomial:
        """The polynomial with exp(u) * sigmoid(u) written exp(u) - sigmoid(u)."""
        result = Polynomial(self.dtype)._inherit(self)
        for term in self.terms:
            result = result.plus(self._split(term))
        return result

    def _split(self, term: Term) -> Polynomial:
        for power, (above, _) in term.powers.items():
            if power.op is not scalar.exp or not above:
                continue
            gate = scalar.sigmoid(power.inputs[0])
            gates = term.powers.get(gate, (0, 0))
            if gates[0]:
                rest = {**term.powers, power: (above - 1, term.powers[power][1])}
                rest[gate] = (gates[0] - 1, gates[1])
                powers = [Term(1, {power: (1, 0)}), Term(-1, {gate: (1, 0)})]
                left = Term(term.coefficient, cancelled(rest), True)
                return Polynomial(self.dtype, [left]).times(Polynomial(self.dtype, powers))
        return Polynomial(self.dtype, [term])


def family(factor: Node) -> Node:
    """What a factor is a function of, up to its sign: exp(u) and sigmoid(-u) are of one family."""
    if factor.op in _GATES:
        source = factor.inputs[0]
        return source.inputs[0] if source.op is scalar.negative else source
    return factor


def complement(node: Node) -> tuple[int, Node] | None:
    """The sign and sigmoid(-u) of 1 - sigmoid(u) or sigmoid(u) - 1, None for anything else."""
    if node.op is not scalar.subtract:
        return None
    for sign, (one, gate) in ((1, node.inputs), (-1, node.inputs[::-1])):
        if gate.op is scalar.sigmoid and number(one) == 1:
            return sign, scalar.sigmoid(opposite(gate.inputs[0]))
    return None


@dataclass
class Region:
    """The arithmetic around a node: its interior, and the factors at its edge.

    `shared` are those of the interior that occur several times; `meets` says whether anything in
    one operand of the node may combine with something in the other.
    """

    interior: set[Node] = field(default_factory=set)
    factors: set[Node] = field(default_factory=set)
    shared: set[Node] = field(default_factory=set)
    meets: bool = False

    def without_shared(self) -> Region:
        """The region in which what occurs several times is taken as one factor."""
        return Region(self.interior - self.shared, self.factors)


def region(root: Node) -> Region:
    """The arithmetic that `root` is the result of, as far as it is looked at."""
    found = Region({root})
    # On which side each thing was seen first. Each operand alone is in normal form already.
    sides: dict[Node | tuple[str, Node], int] = {}
    twice = False
    queue = deque(enumerate(root.inputs))
    while queue:
        side, node = queue.popleft()
        if node in found.interior:
            found.shared.add(node)
            twice = twice or sides[node] != side
        elif node.op in ARITHMETIC and len(found.interior) < _NODES:
            found.interior.add(node)
            sides[node] = side
            queue.extend((side, source) for source in node.inputs)
        elif number(node) is None:
            twice = twice or sides.setdefault(node, side) != side
            if node not in found.factors:
                found.factors.add(node)
                for mark in _marks(node):
                    found.meets = found.meets or sides.setdefault(mark, side) != side
    # In a bare product nothing cancels and nothing is like another.
    joined = any(node.op is not scalar.multiply for node in found.interior)
    found.meets = found.meets or (joined and twice)
    return found


def _marks(factor: Node) -> Iterable[tuple[str, Node]]:
    """The marks by which different factors that may combine know each other."""
    if factor.op in (scalar.sigmoid, scalar.exp):
        yield "gate", family(factor)
    elif factor.op is scalar.softplus:
        yield "softplus", family(factor)
        yield "factor", family(factor)
    elif factor.op is reduction.sum_op and factor.inputs[0].op is scalar.exp:
        yield "gate", family(factor.inputs[0])
    elif factor.op is reshape_op and factor.inputs[0].op is indexing.pick_op:
        yield "factor", factor.inputs[0].inputs[0]
    else:
        yield "factor", factor


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

    def expand(self, node: Node) -> Polynomial:
        """The polynomial of a node of the region."""
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
