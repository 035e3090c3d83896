"""Rounding, steps, division with a remainder, and what takes the place of nan and infinity."""

from __future__ import annotations

import math

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.ir.op import ATOM, POWER, PRODUCT, SUM, Notation
from graphc.ops.elementwise import cast, elementwise
from graphc.ops.source import as_node


def _function(name: str) -> Notation:
    return Notation(f"{name}({{0}})", rf"\operatorname{{{name}}}\left({{0}}\right)", ATOM)


ceil = elementwise(
    "ceil", lambda sp, x: sp.ceiling(x), derivative=lambda x, y: None, reference=np.ceil,
    notation=Notation("ceil({0})", r"\left\lceil {0} \right\rceil"), primitive=True,
    doc="the smallest integer >= x, as a float; its derivative is taken as 0 everywhere",
    ulp=(0, 0),
)  # fmt: skip
round_half_even = elementwise(
    # One of the two terms changes at each half, both at the others.
    "round",
    lambda sp, x: sp.ceiling(x / 2 - sp.Rational(1, 4)) + sp.floor(x / 2 + sp.Rational(1, 4)),
    derivative=lambda x, y: None, reference=np.rint, notation=_function("round"),
    primitive=True,
    doc="the nearest integer, as a float, the even one of two; its derivative is taken as 0 "
    "everywhere", ulp=(0.0, 0.0),
)  # fmt: skip
trunc = elementwise(
    "trunc", lambda sp, x: sp.sign(x) * sp.floor(sp.Abs(x)), derivative=lambda x, y: None,
    reference=np.trunc, notation=_function("trunc"), primitive=True,
    doc="x without its fraction, as a float; its derivative is taken as 0 everywhere",
    ulp=(0.0, 0.0),
)  # fmt: skip
heaviside = elementwise(
    "heaviside", lambda sp, x, h: sp.Piecewise((0, x < 0), (h, sp.Eq(x, 0)), (1, True)),
    derivative=lambda x, h, y: (None, cast(scalar.equal(x, 0), y.dtype)),
    reference=np.heaviside, primitive=True,
    doc="0 for x < 0, 1 for x > 0, h at 0; its derivative with respect to x is taken as 0 "
    "everywhere", ulp=(0.0, 0.0),
)  # fmt: skip
isinf = elementwise(
    "isinf", lambda sp, x: sp.Eq(sp.Abs(x), sp.oo), types="float_test", reference=np.isinf,
    no_derivative="a truth value has no derivative", doc="whether an element is inf or -inf",
)  # fmt: skip

# ---- division with a remainder


# Level SUM, though they bind like a product: a * (b % c) is not a * b % c.
_DIVISION_OPERANDS = (PRODUCT, POWER)

floor_divide = elementwise(
    "floor_divide", lambda sp, a, b: sp.floor(a / b), derivative=lambda a, b, y: (None, None),
    types="arithmetic", reference=np.floor_divide, primitive=True,
    notation=Notation(
        "{0} // {1}", r"\left\lfloor \frac{{0}}{{1}} \right\rfloor", SUM, _DIVISION_OPERANDS,
        ATOM, (0, 0)),
    doc="a / b rounded down; an integer by 0 gives 0; its derivative is taken as 0 everywhere",
    ulp=(2.0, 2.0),
)  # fmt: skip
remainder = elementwise(
    "remainder", lambda sp, a, b: a - b * sp.floor(a / b), types="arithmetic",
    derivative=lambda a, b, y: (1, -floor_divide(a, b)), reference=np.remainder, primitive=True,
    notation=Notation("{0} % {1}", r"{0} \bmod {1}", SUM, _DIVISION_OPERANDS),
    doc="a - b floor(a / b), of the sign of b, for any quotient; an integer modulo 0 is 0",
    ulp=(0.5, 0.5),
)  # fmt: skip
fmod = elementwise(
    "fmod", lambda sp, a, b: a - b * (sp.sign(a / b) * sp.floor(sp.Abs(a / b))),
    types="arithmetic",
    derivative=lambda a, b, y: (1, -round_half_even((a - y) / b)), reference=np.fmod,
    primitive=True,
    doc="a - b trunc(a / b), of the sign of a, for any quotient; an integer modulo 0 is 0",
    ulp=(0.0, 0.0),
)  # fmt: skip


# ---- functions of several operations


def round(x: object, decimals: int = 0) -> Node:
    """x rounded to so many decimal places (to tens and hundreds below 0), halves to the even digit.

    As np.round, but integers become floats. Raises ArgumentError unless `decimals` is an int.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(round([0.5, 1.5, 2.675], 2)), evaluate(round([0.5, 1.5, -0.4]))
    (array([0.5 , 1.5 , 2.68], dtype=float32), array([ 0.,  2., -0.], dtype=float32))
    """
    if isinstance(decimals, bool) or not isinstance(decimals, int | np.integer):
        raise ArgumentError(f"round: expected a whole number of decimals, got {decimals!r}")
    if decimals == 0:
        return round_half_even(x)
    power = 10.0 ** abs(int(decimals))
    if decimals > 0:
        return round_half_even(as_node(x) * power) / power
    return round_half_even(as_node(x) / power) * power


def nan_to_num(x: object, nan: object = 0.0, posinf: object = None, neginf: object = None) -> Node:
    """x with `nan` for nan, and for the infinities `posinf` and `neginf`: the largest and smallest
    finite number unless given. As np.nan_to_num; integers stay as they are.

    The derivative is 1 where x is finite and 0 elsewhere.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(nan_to_num([1.0, math.nan, -math.inf], neginf=-1.0))
    array([ 1.,  0., -1.], dtype=float32)
    """
    node = as_node(x)
    if not node.dtype.is_float:
        return node
    limits = np.finfo(node.dtype.numpy.name)
    above = float(limits.max) if posinf is None else posinf
    below = float(limits.min) if neginf is None else neginf
    bounded = scalar.where(scalar.equal(node, math.inf), above, node)
    bounded = scalar.where(scalar.equal(node, -math.inf), below, bounded)
    return scalar.where(scalar.isnan(node), nan, bounded)
