"""Scalar formulas: one text, read by SymPy, NumPy and the graph.

A formula is a Python function of a namespace and its operands, such as `lambda sp, x: x / (1 +
sp.exp(-x))`. Called with SymPy it is an expression, with `NUMPY` a value, with `GRAPH` nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import graphc.ops.special_formula as special
from graphc.ir.node import OPERATORS, Node
from graphc.ops.expression import from_sympy
from graphc.ops.reciprocal_functions import ReciprocalFunctions

if TYPE_CHECKING:
    from graphc.ops.elementwise import ElementwiseOp


def _piecewise_numpy(*branches: tuple[Any, Any]) -> Any:
    return np.select(
        [np.asarray(c) for _, c in branches], [np.asarray(v) for v, _ in branches], np.nan
    )


def _extreme_numpy(function: Any) -> Callable[..., Any]:
    def extreme(*values: Any) -> Any:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return extreme


class _Numpy(ReciprocalFunctions):
    """SymPy's names, on NumPy arrays."""

    exp, sqrt, sin, cos = np.exp, np.sqrt, np.sin, np.cos
    tan, tanh, sinh, cosh, atan = np.tan, np.tanh, np.sinh, np.cosh, np.arctan
    asin, acos, atan2, cbrt = np.arcsin, np.arccos, np.arctan2, np.cbrt
    asinh, acosh, atanh = np.arcsinh, np.arccosh, np.arctanh
    sinc = staticmethod(lambda x: np.sinc(x / np.pi))  # SymPy's is sin(x) / x
    Mod = np.remainder
    Abs, sign, floor, ceiling = np.abs, np.sign, np.floor, np.ceil
    Max, Min = staticmethod(_extreme_numpy(np.maximum)), staticmethod(_extreme_numpy(np.minimum))
    Piecewise = staticmethod(_piecewise_numpy)
    Ne, Eq, Lt, Le, Gt, Ge = (
        np.not_equal, np.equal, np.less, np.less_equal, np.greater, np.greater_equal,
    )  # fmt: skip
    pi, E, oo = float(np.pi), float(np.e), float(np.inf)

    @staticmethod
    def log(x: Any, base: Any = None) -> Any:
        return np.log(x) if base is None else np.log(x) / np.log(base)

    @staticmethod
    def Rational(numerator: int, denominator: int = 1) -> float:
        return numerator / denominator

    @staticmethod
    def Integer(value: int) -> int:
        return value

    @staticmethod
    def Float(value: float) -> float:
        return float(value)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return special.value_of(name)


def _operator(name: str, numeric: Callable[..., Any]) -> Callable[..., Any]:
    """An operation on nodes; numbers alone stay Python numbers, which have no precision to lose."""

    def apply(*operands: Any) -> Any:
        if any(isinstance(operand, Node) for operand in operands):
            return OPERATORS[name](*operands)
        return numeric(*operands).item()

    return staticmethod(apply)


def _fold(name: str, numeric: Callable[..., Any]) -> Callable[..., Any]:
    apply = _operator(name, numeric)

    def folded(*operands: Any) -> Any:
        result = operands[0]
        for operand in operands[1:]:
            result = apply(result, operand)
        return result

    return staticmethod(folded)


_plain_log, _sinc = _operator("log", np.log), _operator("sinc", np.sinc)


def _logarithm(x: Any, base: Any = None) -> Any:
    """log(x, base) as SymPy has it; to base 2 and 10 exact for powers."""
    if base in (2, 10):
        return OPERATORS[f"log{base}"](x) if isinstance(x, Node) else math.log(x, base)
    return _plain_log(x) if base is None else _plain_log(x) / _plain_log(base)


class _Graph(ReciprocalFunctions):
    """SymPy's names, on nodes."""

    exp, sqrt = _operator("exp", np.exp), _operator("sqrt", np.sqrt)
    log = staticmethod(_logarithm)
    sin, cos, tanh = _operator("sin", np.sin), _operator("cos", np.cos), _operator("tanh", np.tanh)
    tan, sinh, cosh = (
        _operator("tan", np.tan), _operator("sinh", np.sinh), _operator("cosh", np.cosh)
    )  # fmt: skip
    asin, acos = _operator("asin", np.arcsin), _operator("acos", np.arccos)
    atan, atan2 = _operator("atan", np.arctan), _operator("atan2", np.arctan2)
    asinh, acosh = _operator("asinh", np.arcsinh), _operator("acosh", np.arccosh)
    atanh, cbrt = _operator("atanh", np.arctanh), _operator("cbrt", np.cbrt)
    sinc = staticmethod(lambda x: _sinc(x / math.pi))  # SymPy's is sin(x) / x
    Mod = _operator("remainder", np.remainder)
    sign, floor = _operator("sign", np.sign), _operator("floor", np.floor)
    ceiling = _operator("ceil", np.ceil)
    Abs = _operator("abs", np.abs)
    Max, Min = _fold("maximum", np.maximum), _fold("minimum", np.minimum)
    # No Piecewise: numbers in its branches have no dtype here, so it goes through SymPy.
    Ne, Eq = _operator("not_equal", np.not_equal), _operator("equal", np.equal)
    Lt, Le = _operator("less", np.less), _operator("less_equal", np.less_equal)
    Gt, Ge = _operator("greater", np.greater), _operator("greater_equal", np.greater_equal)
    pi, E, oo = float(np.pi), float(np.e), float(np.inf)
    Rational = staticmethod(_Numpy.Rational)
    Integer, Float = staticmethod(_Numpy.Integer), staticmethod(_Numpy.Float)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return special.node_of(name)


NUMPY, GRAPH = _Numpy(), _Graph()


def expand(op: ElementwiseOp, node: Node) -> Node:
    """The node written in other operations, from the operation's formula."""
    assert op.formula is not None
    try:
        made = op.formula(GRAPH, *node.inputs)
    except (AttributeError, TypeError):
        # A name of SymPy's that has no graph of its own: SymPy may write it in others.
        expression, symbols = symbolic(op)
        made = from_sympy(expression, dict(zip(symbols, node.inputs, strict=True)))
    return OPERATORS["as_dtype"](made, node.dtype)  # type: ignore[no-any-return]


def reference(op: ElementwiseOp, *arrays: Any) -> Any:
    """The value in NumPy, from the operation's formula."""
    assert op.formula is not None
    return op.formula(NUMPY, *arrays)


_partials: dict[ElementwiseOp, tuple[list[Any], list[Any]]] = {}


def symbolic(op: ElementwiseOp) -> tuple[Any, list[Any]]:
    """The formula as a SymPy expression, and its symbols."""
    import sympy

    assert op.formula is not None
    symbols = [sympy.Symbol(f"x{i}", real=True) for i in range(op.arity)]
    return sympy.sympify(op.formula(sympy, *symbols)), symbols


def differentiate(op: ElementwiseOp, node: Node) -> list[Node | None]:
    """The partial derivatives of the operation at the node's inputs, by SymPy."""
    if op not in _partials:
        expression, symbols = symbolic(op)
        _partials[op] = ([_derivative(expression, symbol) for symbol in symbols], symbols)
    expressions, symbols = _partials[op]
    places = dict(zip(symbols, node.inputs, strict=True))
    return [None if e == 0 else from_sympy(e, places) for e in expressions]


def _derivative(expression: Any, symbol: Any) -> Any:
    """The derivative by SymPy; that of a step (floor, sign, ...) is 0, as everywhere in graphc."""
    import sympy

    steps = (sympy.floor, sympy.ceiling)
    plain = expression.replace(sympy.Mod, lambda a, b: a - b * sympy.floor(a / b))
    found = plain.diff(symbol).replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    flat = found.replace(
        lambda e: isinstance(e, sympy.Derivative) and e.has(*steps), lambda e: sympy.S.Zero
    )
    return flat.replace(sympy.Subs, lambda *arguments: sympy.Subs(*arguments).doit())
