"""How many floating-point operations an elementary function takes: its text is run on a counter.

Counted are additions, subtractions, multiplications, divisions, square roots and roundings to
integers, one each, and a fused multiply-add as two. Not counted are comparisons, choices, sign
bits, conversions and integers, which a processor does beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from graphc.target import vmath
from graphc.target.arithmetic import Arithmetic

_Kind = Literal["float", "integer", "condition"]

# Operations without a text in `vmath` that are none of floats by that rule.
_FREE = frozenset(["abs", "cast", "negative", "sign", "where"])
_TEXTS: dict[str, Callable[..., Any]] = {**vmath.UNARY, **vmath.BINARY, **vmath.DIVISION}
_WIDTHS = {"float32": 32, "float64": 64}


class _Counted:
    """A value without a value: operators count, and tell whether their result is a float."""

    def __init__(self, machine: Counting, kind: _Kind) -> None:
        self.machine, self.kind = machine, kind

    def _arithmetic(self, other: object) -> _Counted:
        self.machine.count += self.kind == "float"
        return self

    def _reversed(self, other: object) -> _Counted:
        return self._arithmetic(other)

    def _compare(self, other: object) -> _Counted:
        return _Counted(self.machine, "condition")

    def _same(self, *others: object) -> _Counted:
        return self

    __add__ = __sub__ = __mul__ = __truediv__ = _arithmetic
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = _reversed
    __neg__ = __invert__ = __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _same
    __rand__ = __ror__ = __rxor__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = _compare
    __eq__ = __ne__ = _compare  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Counting(Arithmetic):
    """The machine whose values are counters."""

    fuses = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.count = 0

    def _value(self, kind: _Kind, operations: int = 0) -> _Counted:
        self.count += operations
        return _Counted(self, kind)

    def constant(self, number: float) -> _Counted:
        return self._value("float")

    def integer(self, number: int) -> _Counted:
        return self._value("integer")

    def multiply_add(self, a: Any, b: Any, c: Any) -> _Counted:
        return self._value("float", 2)

    def absolute(self, x: Any) -> _Counted:
        return self._value("float")

    def copysign(self, magnitude: Any, sign: Any) -> _Counted:
        return self._value("float")

    def square_root(self, x: Any) -> _Counted:
        return self._value("float", 1)

    def floor(self, x: Any) -> _Counted:
        return self._value("float", 1)

    def ceil(self, x: Any) -> _Counted:
        return self._value("float", 1)

    def nearest(self, x: Any) -> _Counted:
        return self._value("float", 1)

    def truncate(self, x: Any) -> _Counted:
        return self._value("float", 1)

    def bits(self, x: Any) -> _Counted:
        return self._value("integer")

    def from_bits(self, pattern: Any) -> _Counted:
        return self._value("float")

    def shift_right_logical(self, x: Any, count: int) -> _Counted:
        return self._value("integer")

    def low_half(self, pattern: Any) -> _Counted:
        return self._value("integer")

    def widen(self, x: Any) -> _Counted:
        return self._value("float")

    def narrow(self, x: Any) -> _Counted:
        return self._value("float")

    def multiply_exactly(self, a: Any, b: Any) -> tuple[Any, Any]:
        """As on a machine that fuses: the product, and what it lost by one multiply-add."""
        return self._value("float", 1), self._value("float", 2)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        """The kind of the sides, of which one may be a plain number."""
        known = a if isinstance(a, _Counted) else b
        return self._value(known.kind if isinstance(known, _Counted) else "float")

    def double(self) -> Counting:
        return self


@functools.cache
def operation_count(name: str, dtype: str, operands: int) -> int:
    """The floating-point operations of one elementwise primitive, for a result of `dtype`.

    >>> operation_count("add", "float32", 2), operation_count("where", "float32", 3)
    (1, 0)
    >>> operation_count("exp", "float32", 1) > 10
    True
    """
    width = _WIDTHS.get(dtype)
    if width is None or name in _FREE:
        return 0
    text = _TEXTS.get(name)
    if text is None:
        return 1
    machine = Counting(width)
    text(machine, *(machine.constant(0.0) for _ in range(operands)))
    return machine.count
