"""SymPy's names on single numbers of mpmath, so that a formula gives its exact value."""

from __future__ import annotations

from functools import cache
from typing import Any

import graphc.ops.formula as formulas
from graphc.ops.elementwise import ElementwiseOp


@cache
def not_a_number() -> Any:
    """The nan of mpmath."""
    import mpmath

    return mpmath.mpf("nan")


def _extreme(choose: Any) -> Any:
    def extreme(*values: Any) -> Any:
        return not_a_number() if any(v != v for v in values) else choose(values)

    return staticmethod(extreme)


class ExactNames:
    """SymPy's names where mpmath has another one or none; for the rest mpmath has the same."""

    Max, Min, Abs = _extreme(max), _extreme(min), staticmethod(abs)
    Piecewise = staticmethod(lambda *branches: next(v for v, condition in branches if condition))
    And = staticmethod(lambda *conditions: all(conditions))
    Or = staticmethod(lambda *conditions: any(conditions))
    Not = staticmethod(lambda condition: not condition)
    Eq, Ne = staticmethod(lambda a, b: a == b), staticmethod(lambda a, b: a != b)
    Lt, Le = staticmethod(lambda a, b: a < b), staticmethod(lambda a, b: a <= b)
    Gt, Ge = staticmethod(lambda a, b: a > b), staticmethod(lambda a, b: a >= b)
    Mod = staticmethod(lambda a, b: a % b)
    Integer = staticmethod(int)

    def __init__(self) -> None:
        import mpmath

        self._library = mpmath
        self.ceiling, self.E, self.oo = mpmath.ceil, mpmath.e, mpmath.inf
        self.Rational = lambda above, below=1: mpmath.mpf(above) / below
        self.Float = mpmath.mpf
        # Of a negative number it is the real part that is meant, log |gamma|.
        self.loggamma = lambda x: mpmath.re(mpmath.loggamma(x))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


@cache
def _names() -> ExactNames:
    return ExactNames()


def evaluate_formula(op: ElementwiseOp, *elements: Any) -> Any:
    """The operation's formula at numbers of mpmath, in its working precision: a real number, nan
    where there is none, or a truth value."""
    import mpmath

    assert op.formula is not None
    try:
        found = op.formula(_names(), *elements)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        # A pole, in this branch of the formula or in one that another condition chooses, or a
        # function that mpmath has under no such name: SymPy takes one branch at a time.
        try:
            return _by_sympy(op, *elements)
        except (ArithmeticError, ValueError):  # outside the domain, or of mpmath's numbers
            return not_a_number()
    if isinstance(found, mpmath.mpc):
        return found.real if found.imag == 0 else not_a_number()
    return found


def _by_sympy(op: ElementwiseOp, *elements: Any) -> Any:
    import mpmath
    import sympy

    expression, symbols = formulas.symbolic(op)
    places = dict(zip(symbols, map(_to_sympy, elements), strict=True))
    value = expression.subs(places)
    if value in (sympy.true, sympy.false):
        return bool(value)
    value = sympy.N(value, mpmath.mp.dps)
    if value in (sympy.oo, -sympy.oo):
        return mpmath.inf if value == sympy.oo else -mpmath.inf
    if not value.is_Float and not value.is_Integer:
        if value.is_number and value.is_real:
            raise TypeError(f"no number for {value}")
        return not_a_number()
    return mpmath.mpf(str(int(value))) if value.is_Integer else mpmath.make_mpf(value._mpf_)


def _to_sympy(element: Any) -> Any:
    """The very number, as a fraction, so that comparisons with integers are exact."""
    import mpmath
    import sympy

    if isinstance(element, bool | int):
        return sympy.sympify(element)
    if not mpmath.isfinite(element):
        return sympy.nan if mpmath.isnan(element) else sympy.oo * mpmath.sign(element)
    sign, mantissa, exponent, _ = element._mpf_
    number = sympy.Integer(int(-mantissa if sign else mantissa))
    return number * sympy.Integer(2) ** int(exponent)
