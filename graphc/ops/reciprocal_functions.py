"""The functions that are one over another, or another of one over: sec, cot, arsech, ..."""

from __future__ import annotations

from typing import Any


class ReciprocalFunctions:
    """SymPy's names for them, from those that a namespace of formulas has itself."""

    cos: Any
    sin: Any
    tan: Any
    cosh: Any
    sinh: Any
    tanh: Any
    acos: Any
    asin: Any
    atan: Any
    acosh: Any
    asinh: Any
    atanh: Any

    def sec(self, x: Any) -> Any:
        return 1 / self.cos(x)

    def csc(self, x: Any) -> Any:
        return 1 / self.sin(x)

    def cot(self, x: Any) -> Any:
        return 1 / self.tan(x)

    def sech(self, x: Any) -> Any:
        return 1 / self.cosh(x)

    def csch(self, x: Any) -> Any:
        return 1 / self.sinh(x)

    def coth(self, x: Any) -> Any:
        return 1 / self.tanh(x)

    def asec(self, x: Any) -> Any:
        return self.acos(1 / x)

    def acsc(self, x: Any) -> Any:
        return self.asin(1 / x)

    def acot(self, x: Any) -> Any:
        return self.atan(1 / x)

    def asech(self, x: Any) -> Any:
        return self.acosh(1 / x)

    def acsch(self, x: Any) -> Any:
        return self.asinh(1 / x)

    def acoth(self, x: Any) -> Any:
        return self.atanh(1 / x)
