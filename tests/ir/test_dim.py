"""Dimensions: one canonical form for each polynomial, equal exactly where SymPy says so."""

from __future__ import annotations

from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import (
    Dim,
    Size,
    as_dim,
    evaluate,
    floor_divide,
    is_nonnegative,
    is_nonnegative_from,
    named_size,
    product,
    size_names,
    to_sympy,
)

NAMES = ("n", "m", "k")


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.just("+"), inner, inner),
        st.tuples(st.just("-"), inner, inner),
        st.tuples(st.just("*"), inner, inner),
    )


TREES = st.recursive(st.one_of(st.integers(-4, 4), st.sampled_from(NAMES)), _grown, max_leaves=8)


def _dim(tree: Any) -> Dim:
    if isinstance(tree, tuple):
        sign, left, right = tree
        a, b = _dim(left), _dim(right)
        return a + b if sign == "+" else a - b if sign == "-" else a * b
    return tree if isinstance(tree, int) else named_size(tree)


def _sympy(tree: Any) -> Any:
    if isinstance(tree, tuple):
        sign, left, right = tree
        a, b = _sympy(left), _sympy(right)
        return a + b if sign == "+" else a - b if sign == "-" else a * b
    return sympy.Integer(tree) if isinstance(tree, int) else _symbol(tree)


def _symbol(name: str) -> Any:
    return sympy.Symbol(name, integer=True, nonnegative=True)


@settings(max_examples=200)
@given(TREES, TREES)
def test_equal_exactly_where_the_polynomials_are(first: Any, second: Any) -> None:
    """`==` and the hash decide equality for all sizes, as expanding in SymPy does."""
    a, b = _dim(first), _dim(second)
    same = sympy.expand(_sympy(first) - _sympy(second)) == 0
    assert (a == b) is same
    assert not same or hash(a) == hash(b)


@settings(max_examples=200)
@given(TREES)
def test_to_sympy_and_evaluate_agree_with_sympy(tree: Any) -> None:
    """The canonical form is the same polynomial, shown by SymPy and by its value."""
    dim = _dim(tree)
    assert sympy.expand(to_sympy(dim) - _sympy(tree)) == 0
    sizes = {"n": 3, "m": 5, "k": 0}
    places = {_symbol(name): value for name, value in sizes.items()}
    assert evaluate(dim, sizes) == int(_sympy(tree).subs(places))


@settings(max_examples=200)
@given(TREES, TREES, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_floor_quotients_have_python_s_values(
    above: Any, below: Any, n: int, m: int, k: int
) -> None:
    """Whatever divides exactly or cancels, the value is that of `//` (also of negative numbers)."""
    sizes = {"n": n, "m": m, "k": k}
    top, bottom = evaluate(_dim(above), sizes), evaluate(_dim(below), sizes)
    if _dim(below) == 0 or bottom == 0:
        return
    quotient = floor_divide(_dim(above), _dim(below))
    assert evaluate(quotient, sizes) == top // bottom
    assert to_sympy(quotient).subs({_symbol(a): b for a, b in sizes.items()}) == top // bottom


def test_quotients_that_divide_are_polynomials() -> None:
    """A quotient stays a symbol only where a term does not divide."""
    n, m = named_size("n"), named_size("m")
    assert (6 * n * m) // (3 * n) == 2 * m
    assert (n * n + 2 * n) // n == n + 2
    assert (n + 1) // (n + 1) == 1
    assert (2 * n + 2) // 4 == (n + 1) // 2
    assert str((n + 1) // 2 * 3) == "3*((n + 1) // 2)"
    assert (n + 1) // 2 != n // 2
    with pytest.raises(ShapeError, match="divided by zero: n // 0"):
        floor_divide(n, 0)


def test_texts_of_different_dimensions_differ() -> None:
    """A minus outside a quotient is not a minus inside it: -(n // 2) is not (-n) // 2."""
    n = named_size("n")
    outside, inside = -(n // 2), (-n) // 2
    assert outside != inside
    assert str(outside) != str(inside)
    assert evaluate(outside, {"n": 3}) == -1
    assert evaluate(inside, {"n": 3}) == -2


def test_dimensions_are_ints_and_identifiers() -> None:
    """`as_dim` takes what a shape may hold and says what it refuses."""
    assert as_dim(3) == 3
    assert as_dim("n") == named_size("n")
    for wrong in (-1, True, 2.0, None):
        with pytest.raises(ShapeError, match="a dimension must be"):
            as_dim(wrong)
    for wrong in ("", "2n", "a b", "n\n", '"'):
        with pytest.raises(ArgumentError, match="identifier"):
            named_size(wrong)


def test_names_products_and_signs() -> None:
    """What a dimension depends on, and whether it is provably not negative."""
    n, m = named_size("n"), named_size("m")
    quotient = (n + m) // 2 * n
    assert isinstance(quotient, Size)
    assert set(size_names(quotient)) == {"n", "m"}
    assert product((2, n, m)) == 2 * n * m
    assert product(()) == 1
    assert is_nonnegative(2 * n + m)
    assert not is_nonnegative(n - 1)
    assert is_nonnegative_from(n - 1, 1)
    assert is_nonnegative_from(3 * n * m - 3, 1)
    assert is_nonnegative_from(n * n + m - 20, 4)
    assert not is_nonnegative_from(n * n + m - 21, 4)
    assert not is_nonnegative_from(n * m - n, 4)
    assert not is_nonnegative_from(2 * floor_divide(n, 2) - 1, 4)
