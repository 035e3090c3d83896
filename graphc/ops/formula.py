"""Scalar formulas: one text, read by SymPy, NumPy and the graph.

A formula is a Python function of a namespace and its operands, such as `lambda sp, x: x / (1 +
sp.exp(-x))`. Called with SymPy it is an expression, with `NUMPY` a value, with `GRAPH` nodes. SymPy
expressions come back to nodes through an allow-list of classes, never by evaluating text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import graphc.ops.special_formula as special
from graphc.errors import CompileError
from graphc.ir.node import OPERATORS, Node
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


def _piecewise_graph(*branches: tuple[Any, Any]) -> Any:
    (value, condition), *rest = branches
    if condition is True or not rest:
        return value
    return OPERATORS["where"](condition, value, _piecewise_graph(*rest))


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


_UNARY = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tanh": "tanh",
    "Abs": "abs", "sign": "sign", "floor": "floor", "ceiling": "ceil",
    "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
}  # fmt: skip
_BINARY = {"atan2": "atan2", "Mod": "remainder"}
_NUMERIC = {"Add": np.add, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum}
_FOLDED = {"Add": "add", "Mul": "multiply", "Max": "maximum", "Min": "minimum"}
_RELATIONS = {
    "StrictLessThan": "less", "LessThan": "less_equal", "StrictGreaterThan": "greater",
    "GreaterThan": "greater_equal", "Equality": "equal", "Unequality": "not_equal",
}  # fmt: skip
# What SymPy writes in functions that have a graph.
_REWRITES = {
    "sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh",
    "asec": "acos", "acsc": "asin", "acot": "atan", "asech": "acosh", "acsch": "asinh",
    "acoth": "atanh", "Heaviside": "Piecewise",
}  # fmt: skip


def from_sympy(expression: Any, places: dict[Any, Node]) -> Node:
    """The node of a SymPy expression over the given symbols, through an allow-list of classes.

    Raises CompileError for a class that has no graph.
    """
    partner = next(iter(places.values())).dtype
    memo: dict[Any, Any] = dict(places)
    stack = [expression]
    while stack:
        current = stack[-1]
        if current in memo:
            stack.pop()
            continue
        missing = [a for a in _arguments(current) if a not in memo]
        if missing:
            stack.extend(missing)
            continue
        memo[current] = _convert(current, memo, partner)
        stack.pop()
    result = memo[expression]
    return (
        OPERATORS["as_dtype"](result, partner)
        if isinstance(result, Node)
        else _lift(result, partner)
    )


def _lift(value: Any, dtype: Any) -> Node:
    return OPERATORS["const"](value, dtype)  # type: ignore[no-any-return]


def _arguments(expression: Any) -> list[Any]:
    if type(expression).__name__ == "Piecewise":
        return [part for branch in expression.args for part in branch.args]
    if type(expression).__name__ in _REWRITES:
        return [expression.rewrite(_REWRITES[type(expression).__name__])]
    if type(expression).__name__ == "Pow" and expression.args[1].is_number:
        return [expression.args[0]]
    return list(expression.args) if not expression.is_number else []


def _convert(expression: Any, memo: dict[Any, Any], dtype: Any) -> Any:
    name = type(expression).__name__
    if name in ("BooleanTrue", "BooleanFalse"):
        return bool(expression)
    if getattr(expression, "is_number", False):
        return int(expression) if expression.is_Integer else float(expression)
    arguments = [memo[a] for a in _arguments(expression)]
    if name in _REWRITES:
        return arguments[0]
    if name in _UNARY:
        return OPERATORS[_UNARY[name]](arguments[0])
    if name in _BINARY:
        return OPERATORS[_BINARY[name]](*arguments)
    if name in special.NAMES:
        return special.node_of(name)(*arguments)
    if name == "sinc":
        return _sinc(arguments[0] / math.pi)
    if name in _FOLDED:
        combine = _fold(_FOLDED[name], _NUMERIC[name])
        return combine(*_numbers_last(name, arguments))
    if name in _RELATIONS:
        return OPERATORS[_RELATIONS[name]](*arguments)
    if name == "Pow":
        return _power(expression, arguments)
    if name == "Piecewise":
        values = [v if isinstance(v, Node) else _lift(v, dtype) for v in arguments[::2]]
        return _piecewise_graph(*zip(values, arguments[1::2], strict=True))
    raise CompileError(
        f"SymPy's {name} has no graph here; expected "
        f"{', '.join(sorted({*_UNARY, *_BINARY, *special.NAMES, *_FOLDED, *_REWRITES}))}, "
        f"Pow, Piecewise or a relation, in {expression}"
    )


def _numbers_last(name: str, arguments: list[Any]) -> list[Any]:
    """Numbers after nodes, so that a product is never two Python numbers deep before it meets a
    node."""
    if name not in ("Add", "Mul"):
        return arguments
    return sorted(arguments, key=lambda a: not isinstance(a, Node))


def _power(expression: Any, arguments: list[Any]) -> Any:
    base = arguments[0]
    exponent = expression.args[1]
    if exponent == -1:
        return OPERATORS["divide"](1, base)
    if exponent.is_number and 2 * exponent == 1:
        return OPERATORS["sqrt"](base)
    if exponent.is_number and 2 * exponent == -1:
        return OPERATORS["divide"](1, OPERATORS["sqrt"](base))
    if expression.args[0] == 2:
        return OPERATORS["exp2"](arguments[1])
    if exponent.is_Rational and exponent.q == 3:  # the real root, also of a negative number
        return OPERATORS["power"](OPERATORS["cbrt"](base), int(exponent.p))
    if exponent.is_Integer and exponent < 0:
        return OPERATORS["divide"](1, OPERATORS["power"](base, -int(exponent)))
    if exponent.is_number:
        value = int(exponent) if exponent.is_Integer else float(exponent)
        return OPERATORS["power"](base, value)
    return OPERATORS["power"](base, arguments[1])
