"""SymPy's special functions in formulas: each one's operation, and its value in SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import CompileError
from graphc.ir.node import OPERATORS, Node

# SymPy's name: the operation's and SciPy's.
_NAMES = {
    "erf": ("erf", "erf"),
    "erfc": ("erfc", "erfc"),
    "erfinv": ("erfinv", "erfinv"),
    "erfcinv": ("erfcinv", "erfcinv"),
    "gamma": ("gamma", "gamma"),
    "loggamma": ("lgamma", "gammaln"),
    "digamma": ("digamma", "psi"),
    "polygamma": ("polygamma", "polygamma"),
    "besseli": ("i0", "iv"),
}
NAMES = frozenset(_NAMES)


def value_of(name: str) -> Callable[..., Any]:
    """SymPy's function `name` on numbers and arrays; AttributeError for one that is not here."""
    if name not in _NAMES:
        raise AttributeError(f"formulas have no function {name!r}")

    def value(*operands: Any) -> Any:
        from scipy import special

        return getattr(special, _NAMES[name][1])(*operands)

    return value


def node_of(name: str) -> Callable[..., Any]:
    """SymPy's function `name` on nodes; numbers alone stay numbers."""
    numeric = value_of(name)

    def node(*operands: Any) -> Any:
        if not any(isinstance(operand, Node) for operand in operands):
            return numeric(*operands).item()
        if name == "besseli":
            return _besseli(*operands)
        if name == "polygamma" and not isinstance(operands[0], Node) and operands[0] == 0:
            return OPERATORS["digamma"](operands[1])
        return OPERATORS[_NAMES[name][0]](*operands)

    return node


def _besseli(order: Any, x: Any) -> Any:
    if isinstance(order, Node) or order != int(order) or abs(order) > 12:
        raise CompileError(f"besseli: expected a whole order from -12 to 12, got {order}")
    whole = abs(int(order))
    if whole < 2:
        return OPERATORS["i1" if whole else "i0"](x)
    return OPERATORS["power"](x, whole) * OPERATORS["bessel_quotient"](whole, x)
