"""Powers and roots: small powers are products, roots and squares undo each other."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.ops.source import const
from graphc.rewrite.facts import is_nonnegative, number
from graphc.rewrite.monomial import is_held
from graphc.rewrite.pattern import Bindings, as_pattern, function, variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "simplify"
(x,) = variables("x")
sqrt, square, absolute = function(scalar.sqrt), function(scalar.square), function(scalar.absolute)
# Whole powers up to this one are products, with no more roundings than the power function has.
_PRODUCTS = 4
_OWN_RULES = (0.5, 1, 2, -1, -2)


def _power_by_products(node: Node, _: Context) -> Node | None:
    """x**3 is x * x², x**1.5 is x * sqrt(x), x**-0.5 is 1 / sqrt(x)."""
    base, exponent = node.inputs
    value = number(exponent)
    if value is None or not node.dtype.is_float or base.dtype is not node.dtype:
        return None
    twice = 2 * abs(value)
    if twice != int(twice) or not 0 < twice <= 2 * _PRODUCTS or value in _OWN_RULES:
        return None
    whole, half = divmod(int(twice), 2)
    factors = _whole_power(base, whole)
    if half:
        root = scalar.sqrt(base)
        factors = root if factors is None else scalar.multiply(factors, root)
    assert factors is not None
    return factors if value > 0 else scalar.divide(const(1, node.dtype), factors)


def _whole_power(base: Node, exponent: int) -> Node | None:
    if exponent < 2:
        return base if exponent else None
    squared = scalar.square(base)
    if exponent == 2:
        return squared
    return scalar.multiply(base, squared) if exponent == 3 else scalar.square(squared)


def _square_of_root(node: Node, _: Context) -> Node | None:
    """sqrt(x)² is x, and nan for x < 0."""
    (root,) = node.inputs
    if root.op is not scalar.sqrt:
        return None
    (source,) = root.inputs
    if is_nonnegative(source):
        return source
    nan = const(float("nan"), node.dtype)
    return scalar.where(scalar.greater_equal(source, 0), source, nan)


def _square_over_root(node: Node, _: Context) -> Node | None:
    """where(x >= 0, x, nan) / sqrt(x), which sqrt(x)² left, is sqrt(x)."""
    above, root = node.inputs
    if root.op is scalar.sqrt and is_held(above, root.inputs[0]):
        return root
    return None


def _power_from_exp(node: Node, _: Context) -> Node | None:
    """exp(c * log(x)) is x**c."""
    (product,) = node.inputs
    pairs: list[tuple[Node, Node]] = []
    if product.op is scalar.multiply:
        pairs = [product.inputs, product.inputs[::-1]]  # type: ignore[list-item]
    elif product.op is scalar.divide and number(product.inputs[1]) is not None:
        above, below = product.inputs
        pairs = [(const(1 / number(below), node.dtype), above)] if number(below) else []  # type: ignore[operator]
    for exponent, logarithm in pairs:
        if logarithm.op is not scalar.log:
            continue
        (base,) = logarithm.inputs
        value = number(exponent)
        if is_nonnegative(base) or (value is not None and value != int(value)):
            return scalar.power(base, exponent)
    return None


def _floating(bound: Bindings) -> bool:
    return bool(bound["x"].dtype.is_float)


RULES: tuple[Rule, ...] = (
    rewrite_pattern("power_of_zero", PHASE, x**0, as_pattern(1)),
    rewrite_pattern("power_of_one", PHASE, x**1, x),
    rewrite_pattern("power_of_two", PHASE, x**2, square(x)),
    rewrite_pattern("power_of_half", PHASE, x**0.5, sqrt(x), changes="-inf gives nan, not inf"),
    rewrite_pattern(
        "power_of_minus_one", PHASE, x**-1, 1 / x, when=_floating, condition="x is a float"
    ),
    rewrite_pattern(
        "power_of_minus_two",
        PHASE,
        x**-2,
        1 / square(x),
        when=_floating,
        condition="x is a float",
        changes="x² may over- or underflow where x**-2 does not",
    ),
    rewrite_node(
        "power_by_products",
        PHASE,
        "x**3",
        "x * x²",
        (scalar.power,),
        _power_by_products,
        condition="whole and half exponents up to 4; below 0, one over the product",
        changes="where the product over- or underflows and one over it would not",
    ),
    rewrite_node(
        "square_of_sqrt",
        PHASE,
        "sqrt(x)²",
        "where(x >= 0, x, nan)",
        (scalar.square,),
        _square_of_root,
        condition="x alone where x is never negative",
    ),
    rewrite_node(
        "square_of_sqrt_over_sqrt",
        PHASE,
        "sqrt(x)² / sqrt(x)",
        "sqrt(x)",
        (scalar.divide,),
        _square_over_root,
        changes="0 at 0, not nan",
    ),
    rewrite_pattern("product_of_roots", PHASE, sqrt(x) / x, 1 / sqrt(x), changes="inf at 0"),
    rewrite_node(
        "power_from_exp",
        PHASE,
        "exp(c * log(x))",
        "x**c",
        (scalar.exp,),
        _power_from_exp,
        condition="c is a constant that is not whole, or x is never negative",
        changes="0**0 is 1",
    ),
    rewrite_pattern("sqrt_of_square", PHASE, sqrt(square(x)), absolute(x)),
)
