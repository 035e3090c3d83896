"""Dimensions: an int, a named size, a polynomial of them, or a floor quotient of polynomials.

Every dimension is kept in one canonical form, so that two dimensions are the same for all sizes
that graphc can prove equal exactly when they compare equal. Named sizes stand for integers >= 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import gcd
from numbers import Integral
from typing import Any

from graphc.errors import ArgumentError, ShapeError


@dataclass(frozen=True, order=False)
class FloorQuotient:
    """`numerator // denominator`, kept as one symbol because it did not divide exactly."""

    numerator: Dim
    denominator: Dim

    def __str__(self) -> str:
        return f"{_factor(self.numerator)} // {_factor(self.denominator)}"


Atom = str | FloorQuotient
Monomial = tuple[tuple[Atom, int], ...]


def _factor(dim: Dim) -> str:
    text = str(dim)
    return f"({text})" if " " in text or "*" in text else text


def _atom_key(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, str(atom))


def _monomial_key(monomial: Monomial) -> tuple[int, tuple[tuple[int, str, int], ...]]:
    degree = sum(power for _, power in monomial)
    return (-degree, tuple((*_atom_key(atom), power) for atom, power in monomial))


class Size:
    """A polynomial with integer coefficients over named sizes and floor quotients (immutable).

    >>> n = named_size("n")
    >>> n * 2 + n, (n + 1) * (n - 1), (6 * n) // 3, (n + 1) // 2
    (3*n, n**2 - 1, 2*n, (n + 1) // 2)
    """

    __slots__ = ("_hash", "terms")
    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Size) and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Dim) -> Dim:
        return _sum(self, other)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + (-1 * other)

    def __rsub__(self, other: Dim) -> Dim:
        return (-self) + other

    def __mul__(self, other: Dim) -> Dim:
        return _product(self, other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floor_divide(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return self - floor_divide(self, other) * other

    def __repr__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            sign = " - " if coefficient < 0 else " + "
            text += (sign if text else sign.strip().replace("+", "")) + _term_text(
                monomial, abs(coefficient), coefficient > 0 and len(self.terms) == 1
            )
        return text


Dim = int | Size


def _term_text(monomial: Monomial, coefficient: int, alone: bool) -> str:
    parts = [] if coefficient == 1 and monomial else [str(coefficient)]
    for atom, power in monomial:
        bare = isinstance(atom, str) or (alone and len(monomial) == 1 and not parts and power == 1)
        text = str(atom) if bare else f"({atom})"
        parts.append(text if power == 1 else f"{text}**{power}")
    return "*".join(parts)


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    return dim.terms if isinstance(dim, Size) else ((((), int(dim)),) if dim else ())


def _canonical(total: Mapping[Monomial, int]) -> Dim:
    kept = sorted(((m, c) for m, c in total.items() if c), key=lambda term: _monomial_key(term[0]))
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    return Size(tuple(kept))


# The same few sizes meet again and again while a graph is compiled.
@lru_cache(maxsize=4096)
def _sum(first: Size, second: Dim) -> Dim:
    total = dict(first.terms)
    for monomial, coefficient in _terms(second):
        total[monomial] = total.get(monomial, 0) + coefficient
    return _canonical(total)


@lru_cache(maxsize=4096)
def _product(first: Size, second: Dim) -> Dim:
    total: dict[Monomial, int] = {}
    for left, a in first.terms:
        for right, b in _terms(second):
            monomial = _multiply(left, right)
            total[monomial] = total.get(monomial, 0) + a * b
    return _canonical(total)


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: _atom_key(item[0])))


def _divide_monomial(left: Monomial, right: Monomial) -> Monomial | None:
    powers = dict(left)
    for atom, power in right:
        if powers.get(atom, 0) < power:
            return None
        powers[atom] -= power
    return tuple((atom, power) for atom, power in powers.items() if power)


def named_size(name: str) -> Size:
    """The size called `name`, an integer >= 0 that a call binds."""
    if not name or not name.isidentifier():
        raise ArgumentError(f"a size's name must be an identifier such as 'n'; got {name!r}")
    return Size(((((name, 1),), 1),))


def as_dim(value: object) -> Dim:
    """A dimension from an int, a name, or a dimension."""
    if isinstance(value, Size) or (type(value) is int and value >= 0):
        return value
    if isinstance(value, str):
        return named_size(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ShapeError(f"a dimension must be an integer >= 0 or a name; got {value!r}")
    number = int(value)
    if number < 0:
        raise ShapeError(f"a dimension must be >= 0; got {number}")
    return number


def floor_divide(numerator: Dim, denominator: Dim) -> Dim:
    """`numerator // denominator`, exact wherever every term divides."""
    if denominator == 0:
        raise ShapeError(f"a dimension was divided by zero: {numerator} // 0")
    if isinstance(numerator, int) and isinstance(denominator, int):
        return numerator // denominator
    divisor = _terms(denominator)
    if len(divisor) == 1:
        (monomial, coefficient) = divisor[0]
        quotient = [
            (_divide_monomial(m, monomial), c // coefficient)
            for m, c in _terms(numerator)
            if c % coefficient == 0
        ]
        exact = [(m, c) for m, c in quotient if m is not None]
        if len(exact) == len(_terms(numerator)):
            return _canonical(dict(exact))
    if numerator == denominator:
        return 1
    common = reduce(gcd, (c for _, c in (*_terms(numerator), *divisor)))
    if common > 1:
        return floor_divide(_scale_down(numerator, common), _scale_down(denominator, common))
    return Size(((((FloorQuotient(numerator, denominator), 1),), 1),))


def _scale_down(dim: Dim, factor: int) -> Dim:
    return _canonical({m: c // factor for m, c in _terms(dim)})


def product(dims: tuple[Dim, ...]) -> Dim:
    """The product of dimensions; 1 for none."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The value of a dimension, given the values of its named sizes."""
    if isinstance(dim, int):
        return dim
    total = 0
    for monomial, coefficient in dim.terms:
        for atom, power in monomial:
            coefficient *= _atom_value(atom, sizes) ** power
        total += coefficient
    return total


def _atom_value(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        return sizes[atom]
    return evaluate(atom.numerator, sizes) // evaluate(atom.denominator, sizes)


def size_names(dim: Dim) -> Iterator[str]:
    """The named sizes that a dimension depends on, in the order of its terms."""
    for monomial, _ in _terms(dim):
        for atom, _ in monomial:
            if isinstance(atom, str):
                yield atom
            else:
                yield from size_names(atom.numerator)
                yield from size_names(atom.denominator)


def is_nonnegative(dim: Dim) -> bool:
    """Whether a dimension is provably >= 0 (each coefficient is; named sizes are >= 0)."""
    return all(coefficient >= 0 for _, coefficient in _terms(dim))


def is_nonnegative_from(dim: Dim, size: int) -> bool:
    """Whether a dimension is provably >= 0 where each named size is at least `size`.

    >>> n = named_size("n")
    >>> is_nonnegative_from(20 * n - 32, 1), is_nonnegative_from(20 * n - 32, 2)
    (False, True)
    """
    least = 0
    for monomial, coefficient in _terms(dim):
        if coefficient < 0 and monomial:
            return False
        # A floor quotient may be 0.
        if all(isinstance(atom, str) for atom, _ in monomial):
            least += coefficient * size ** sum(power for _, power in monomial)
    return least >= 0


def to_sympy(dim: Dim) -> Any:
    """The dimension as a SymPy expression over nonnegative integer symbols."""
    import sympy

    if isinstance(dim, int):
        return sympy.Integer(dim)
    total = sympy.Integer(0)
    for monomial, coefficient in dim.terms:
        term = sympy.Integer(coefficient)
        for atom, power in monomial:
            term *= _atom_to_sympy(atom) ** power
        total += term
    return total


def _atom_to_sympy(atom: Atom) -> Any:
    import sympy

    if isinstance(atom, str):
        return sympy.Symbol(atom, integer=True, nonnegative=True)
    return sympy.floor(to_sympy(atom.numerator) / to_sympy(atom.denominator))
