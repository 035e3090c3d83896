"""SymPy expressions as nodes: through an allow-list of SymPy's classes, never by evaluating text.

Numbers are real: what SymPy calls a complex number has no node, and assumptions about symbols are
not asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import graphc.ops.special_formula as special
from graphc.errors import CompileError
from graphc.ir.dtype import bool_
from graphc.ir.node import OPERATORS, Node

# Takes the conversion, the expression, and what its arguments became.
Handler = Callable[["Conversion", Any, list[Any]], Any]

_FUNCTIONS = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tanh": "tanh",
    "Abs": "abs", "sign": "sign", "floor": "floor", "ceiling": "ceil",
    "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "atan2": "atan2", "Mod": "remainder",
    "expm1": "expm1", "log1p": "log1p", "exp2": "exp2", "log2": "log2", "log10": "log10",
    "Sqrt": "sqrt", "Cbrt": "cbrt", "hypot": "hypot", "Not": "logical_not",
    "StrictLessThan": "less", "LessThan": "less_equal", "StrictGreaterThan": "greater",
    "GreaterThan": "greater_equal", "Equality": "equal", "Unequality": "not_equal",
    "KroneckerDelta": "equal",
}  # fmt: skip
_FOLDED = {
    "Max": "maximum", "Min": "minimum", "And": "logical_and", "Or": "logical_or",
    "Xor": "not_equal",
}  # fmt: skip
# What SymPy writes in functions that have a graph.
_REWRITES = {
    "sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh",
    "asec": "acos", "acsc": "asin", "acot": "atan", "asech": "acosh", "acsch": "asinh",
    "acoth": "atanh", "Heaviside": "Piecewise", "factorial": "gamma", "binomial": "gamma",
    "beta": "gamma", "harmonic": "digamma", "frac": "floor", "Implies": "Or",
    "RisingFactorial": "gamma", "FallingFactorial": "gamma", "erf2": "erf",
}  # fmt: skip
# Of real numbers these are their argument itself.
_SAME = frozenset(("re", "conjugate"))
# Unevaluated forms: SymPy has to work them out first.
_UNEVALUATED = frozenset(("Derivative", "Integral", "Sum", "Product", "Limit", "Subs"))
# The half powers x^(p/2) that are written with a square root.
_LARGEST_HALF = 15


def from_sympy(expression: Any, places: Mapping[Any, Node]) -> Node:
    """The node of a SymPy expression over the given symbols, in the dtype of the first of them.

    Raises CompileError for a class that has no graph.
    """
    return Conversion(places, next(iter(places.values())).dtype).node(expression)


class Conversion:
    """Turns expressions over `places`, which maps symbols (and any other expressions) to nodes.

    Numbers alone become constants of `dtype`. `handlers` extends the allow-list, by class name;
    `whole` names the classes whose arguments a handler looks at itself.
    """

    def __init__(
        self,
        places: Mapping[Any, Any],
        dtype: Any,
        handlers: Mapping[str, Handler] | None = None,
        whole: frozenset[str] = frozenset(),
    ) -> None:
        self.dtype = dtype
        self.memo: dict[Any, Any] = dict(places)
        self.handlers = {**HANDLERS, **(handlers or {})}
        self.whole = whole

    def node(self, expression: Any, keep: bool = False) -> Node:
        """The node of an expression, in the conversion's dtype; `keep` leaves it its own."""
        result = self.value(expression)
        if not isinstance(result, Node):
            return self.lift(result)
        return result if keep else OPERATORS["as_dtype"](result, self.dtype)

    def lift(self, value: Any) -> Node:
        """A Python number or truth value as a constant."""
        return OPERATORS["const"](value, bool_ if isinstance(value, bool) else self.dtype)  # type: ignore[no-any-return]

    def value(self, expression: Any) -> Any:
        """The node of an expression, or the Python number that it is."""
        memo, stack = self.memo, [expression]
        while stack:
            current = stack[-1]
            if current in memo:
                stack.pop()
                continue
            arguments = self._arguments(current)
            missing = [argument for argument in arguments if argument not in memo]
            if missing:
                stack.extend(missing)
                continue
            memo[current] = self._convert(current, [memo[argument] for argument in arguments])
            stack.pop()
        return memo[expression]

    def _arguments(self, expression: Any) -> list[Any]:
        name = class_name(expression)
        if name in self.whole or name in _UNEVALUATED or is_number(expression):
            return []
        if name == "Piecewise":
            return [part for branch in expression.args for part in branch.args]
        if name in _REWRITES:
            return [self._rewritten(expression)]
        if name == "Pow" and expression.args[1].is_number:
            return [expression.args[0]]
        if name == "Mul":
            return _factors(expression)
        return list(expression.args)

    def _rewritten(self, expression: Any) -> Any:
        found = expression.rewrite(_REWRITES[class_name(expression)])
        if found == expression:
            raise self.unknown(expression)
        return found

    def _convert(self, expression: Any, arguments: list[Any]) -> Any:
        name = class_name(expression)
        if name in ("BooleanTrue", "BooleanFalse"):
            return bool(expression)
        if name not in self.whole and is_number(expression):
            return self._number(expression)
        if name in self.handlers:
            return self.handlers[name](self, expression, arguments)
        if name in _REWRITES or name in _SAME:
            return arguments[0]
        if name in _FUNCTIONS:
            return OPERATORS[_FUNCTIONS[name]](*arguments)
        if name in _FOLDED:
            return _folded(_FOLDED[name], arguments)
        if name in special.NAMES:
            return special.node_of(name)(*arguments)
        raise self.unknown(expression)

    def _number(self, expression: Any) -> int | float:
        if expression.is_Integer and abs(int(expression)) < 2**62:
            return int(expression)
        try:
            return float(expression)
        except (TypeError, ValueError):
            raise CompileError(
                f"expected a real number, got {expression}, which SymPy cannot evaluate to one"
            ) from None

    def unknown(self, expression: Any) -> CompileError:
        """The error for an expression of a class that is not allowed."""
        name = class_name(expression)
        if name in _UNEVALUATED:
            return CompileError(
                f"{name} is not evaluated in {expression}: call .doit() of the expression first"
            )
        if name == "":
            return CompileError(
                f"{type(expression).__name__} is no class of SymPy's own, in {expression}: expected"
                f" an expression of SymPy's functions; map {expression} to a node to stand for it"
            )
        if name in ("Symbol", "Dummy"):
            return CompileError(f"no node is given for the symbol {expression}")
        return CompileError(
            f"SymPy's {name} has no graph here; expected {', '.join(self.allowed())} "
            f"in {expression}"
        )

    def allowed(self) -> list[str]:
        """The names of the classes that have a graph."""
        known = {*_FUNCTIONS, *_FOLDED, *_REWRITES, *_SAME, *special.NAMES, *self.handlers}
        return sorted(known, key=str.lower)


def class_name(expression: Any) -> str:
    """The name of a class of SymPy's own; empty for any other, whatever it is called."""
    kind = type(expression)
    return kind.__name__ if str(kind.__module__).split(".")[0] == "sympy" else ""


def is_number(expression: Any) -> bool:
    """Whether an expression holds no symbols, so that SymPy can evaluate it."""
    return bool(getattr(expression, "is_number", False)) and not getattr(
        expression, "is_Matrix", False
    )


def _folded(name: str, arguments: list[Any]) -> Any:
    # Nodes first: a fold of two Python numbers has no precision of its own.
    first, *rest = sorted(arguments, key=lambda a: not isinstance(a, Node))
    for argument in rest:
        first = OPERATORS[name](first, argument)
    return first


def _factors(expression: Any) -> list[Any]:
    """The factors of a product; a negative power is turned over, to be divided by."""
    return [1 / a if _is_divisor(a) else a for a in expression.args]


def _is_divisor(factor: Any) -> bool:
    if class_name(factor) != "Pow" or not factor.args[1].is_Rational or is_number(factor):
        return False
    return bool(factor.args[1] < 0)


def _product(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    below: list[Any] = []
    above: list[Any] = []
    numbers: list[Any] = []
    for factor, argument in zip(expression.args, arguments, strict=True):
        if not isinstance(argument, Node):
            numbers.append(argument)
        else:
            (below if _is_divisor(factor) else above).append(argument)
    result = _folded("multiply", above) if above else None
    number = math.prod(numbers)
    if result is None:
        result = OPERATORS["divide"](number, _folded("multiply", below))
    else:
        if below:
            result = OPERATORS["divide"](result, _folded("multiply", below))
        if number == -1:
            result = OPERATORS["negative"](result)
        elif number != 1:
            result = OPERATORS["multiply"](number, result)
    return result


def _sum(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    nodes = [a for a in arguments if isinstance(a, Node)]
    nodes.sort(key=_is_negative)  # a - b rather than -b + a
    result = nodes[0]
    for node in nodes[1:]:
        minus = _is_negative(node)
        operand = node.inputs[0] if minus else node
        result = OPERATORS["subtract" if minus else "add"](result, operand)
    number = sum(a for a in arguments if not isinstance(a, Node))
    return OPERATORS["add"](result, number) if number else result


def _is_negative(node: Node) -> bool:
    return node.op.name == "negative"


def _power(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    base, exponent = arguments[0], expression.args[1]
    if not exponent.is_number:
        if expression.args[0] == 2:
            return OPERATORS["exp2"](arguments[1])
        return OPERATORS["power"](base, arguments[1])
    if exponent.is_Rational and exponent < 0:
        return OPERATORS["divide"](1, _root_power(base, -exponent))
    return _root_power(base, exponent)


def _root_power(base: Node, exponent: Any) -> Any:
    """A power by a number, from square and cube roots if they serve."""
    if exponent.is_Integer:
        return _whole_power(base, int(exponent))
    if exponent.is_Rational and exponent.q == 2 and exponent.p <= _LARGEST_HALF:
        root, whole = OPERATORS["sqrt"](base), int(exponent.p) // 2
        return OPERATORS["multiply"](_whole_power(base, whole), root) if whole else root
    if exponent.is_Rational and exponent.q == 3:  # the real root, also of a negative number
        return _whole_power(OPERATORS["cbrt"](base), int(exponent.p))
    return OPERATORS["power"](base, float(exponent))


def _whole_power(base: Node, exponent: int) -> Any:
    return base if exponent == 1 else OPERATORS["power"](base, exponent)


def _piecewise(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    """Nested choices; where no condition holds, nan."""
    values = [v if isinstance(v, Node) else conversion.lift(v) for v in arguments[::2]]
    pairs = list(zip(values, arguments[1::2], strict=True))
    result = pairs.pop()[0] if pairs[-1][1] is True else conversion.lift(math.nan)
    for value, condition in reversed(pairs):
        result = OPERATORS["where"](condition, value, result)
    return result


def _choice(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    condition, chosen, other = (a if isinstance(a, Node) else conversion.lift(a) for a in arguments)
    both = OPERATORS["logical_and"](condition, chosen)
    return OPERATORS["logical_or"](
        both, OPERATORS["logical_and"](OPERATORS["logical_not"](condition), other)
    )


def _cardinal_sine(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    return OPERATORS["sinc"](arguments[0] / math.pi)  # SymPy's is sin(x) / x


def _imaginary(conversion: Conversion, expression: Any, arguments: list[Any]) -> Any:
    return OPERATORS["multiply"](arguments[0], 0)


HANDLERS: dict[str, Handler] = {
    "Add": _sum, "Mul": _product, "Pow": _power, "Piecewise": _piecewise, "ITE": _choice,
    "sinc": _cardinal_sine, "im": _imaginary,
}  # fmt: skip
