"""Sums of products: terms with exact coefficients, multiplied out of an arithmetic expression.

Two safeguards make this safe for floats: terms cancel only if multiplying out made one of them (so
(x + 1e8) - 1e8 and compensated sums stay as they are written), and constants are added only where
the sum is exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import indexing, reduction, scalar
from graphc.ops.layout import reshape_op
from graphc.ops.special import erfc, erfcx
from graphc.rewrite.facts import number, signed
from graphc.rewrite.monomial import Powers, cancelled, multiplied

# What is looked at around one node; more would cost time and seldom finds more.
_NODES = 10
_TERMS = 8
# The same for sums and products in which nothing but like terms can meet.
_PLAIN_NODES = 8
ARITHMETIC = frozenset(
    [scalar.add, scalar.subtract, scalar.negative, scalar.multiply, scalar.divide, scalar.square]
)
GATES = frozenset([scalar.sigmoid, scalar.softplus, scalar.exp])
_TAILS = frozenset([scalar.erf, erfc, erfcx])


# Exact: whole numbers are much faster than fractions, and most are whole.
Coefficient = int | Fraction
Key = frozenset[tuple[Node, tuple[int, int]]]


class Unsuitable(Exception):
    """The expression is too large, or a cancellation in it was written on purpose."""


class Term:
    """A coefficient and factors; `made` if multiplying out made it, not the user.

    `key` is what like terms share. Thousands are made for a graph: no dataclass, which is slower.
    """

    __slots__ = ("coefficient", "key", "made", "powers")

    def __init__(self, coefficient: Coefficient, powers: Powers, made: bool = False) -> None:
        self.coefficient = coefficient
        self.powers = powers
        self.made = made
        self.key: Key = frozenset(powers.items())


def _met(first: Powers, second: Powers, product: Powers) -> bool:
    """Whether factors of two monomials cancelled in their product, or an identity fitted."""
    if product.keys() != first.keys() | second.keys():
        return True
    for factor in first.keys() & second.keys():
        above = first[factor][0] + second[factor][0]
        below = first[factor][1] + second[factor][1]
        if product[factor] != (above, below):
            return True
    return False


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
        count = len(self._terms) * len(other._terms)
        if count > _TERMS:
            raise Unsuitable
        result = Polynomial(self.dtype)._inherit(self, other)
        for a in self._terms.values():
            for b in other._terms.values():
                powers = multiplied(a.powers, b.powers)
                met = _met(a.powers, b.powers, powers)
                result.combined = result.combined or met
                made = count > 1 or met or a.made or b.made
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
        if not any(factor.op is scalar.exp for factor in self.factors()):
            return self
        result = Polynomial(self.dtype)._inherit(self)
        for term in self.terms:
            result = result.plus(self._split(term))
        return result

    def _split(self, term: Term) -> Polynomial:
        gates = {f.inputs[0]: f for f, p in term.powers.items() if p[0] and f.op is scalar.sigmoid}
        for power, (above, below) in term.powers.items():
            gate = gates.get(power.inputs[0]) if above and power.op is scalar.exp else None
            if gate is not None:
                rest = {**term.powers, power: (above - 1, below)}
                known = term.powers[gate]
                rest[gate] = (known[0] - 1, known[1])
                powers = [Term(1, {power: (1, 0)}), Term(-1, {gate: (1, 0)})]
                left = Term(term.coefficient, cancelled(rest), True)
                return Polynomial(self.dtype, [left]).times(Polynomial(self.dtype, powers))
        return Polynomial(self.dtype, [term])


def family(factor: Node) -> Node:
    """What a factor is a function of, up to its sign: exp(u) and sigmoid(-u) are of one family."""
    if factor.op in GATES or factor.op in _TAILS:
        return signed(factor.inputs[0])[1]
    return factor


@dataclass(eq=False, repr=False)
class Region:
    """The arithmetic around a node: its interior, and the factors at its edge.

    `shared` are those of the interior that occur several times; `meets` says whether anything in
    one operand of the node may combine with something in the other.
    """

    interior: set[Node] = field(default_factory=set)
    factors: set[Node] = field(default_factory=set)
    shared: set[Node] = field(default_factory=set)
    meets: bool = False

    @property
    def searchable(self) -> bool:
        """Whether multiplying everything out may pay: the region is small, or something in it may
        cancel."""
        return (
            len(self.interior) <= _PLAIN_NODES
            or any(factor.op in GATES for factor in self.factors)
            or any(node.op is scalar.divide for node in self.interior)
        )

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
    elif factor.op in (scalar.erf, erfc):
        yield "factor", factor
        yield "gate", scalar.square(signed(factor.inputs[0])[1])
    elif factor.op is scalar.sqrt:
        yield "factor", factor
        yield "factor", factor.inputs[0]
    elif factor.op is reduction.sum_op and factor.inputs[0].op is scalar.exp:
        yield "gate", family(factor.inputs[0])
    elif factor.op is reshape_op and factor.inputs[0].op is indexing.pick_op:
        yield "factor", factor.inputs[0].inputs[0]
    else:
        yield "factor", factor
