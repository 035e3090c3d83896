"""The arithmetic that elementary functions and random bits are written over, and its NumPy machine.

`vmath` and `philox` hold one text for each function. A text computes with *values*: NumPy scalars
and arrays here, LLVM instructions in `llvm_arithmetic`. Values take the Python operators:

- floats: `+ - * /`, unary `-`, comparisons. A Python float beside a value is a constant of the
  value's own precision;
- integers (signed, as wide as the floats, wrapping): `+ - * & | ^ <<`, comparisons;
- conditions: `& | ~`.

What has no operator is a method of `Arithmetic`. A text has no branches: both sides of a choice are
computed and `select` picks one, lane by lane, so that a compiler can run it on vectors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

Value = Any
"""A NumPy number or array, or an LLVM value that carries the same operators."""

P = ParamSpec("P")
R = TypeVar("R")


class Arithmetic(ABC):
    """Operations on floats of one precision, and on integers and conditions beside them.

    A machine either fuses `multiply_add` or rounds twice; a text stays within its bound with the
    first, and loses little with the second.
    """

    fuses: bool
    """Whether `multiply_add` rounds once."""

    def __init__(self, width: int) -> None:
        if width not in (32, 64):
            raise ValueError(f"expected a float of 32 or 64 bits, got {width}")
        self.width = width

    @abstractmethod
    def constant(self, number: float) -> Value:
        """The float nearest to `number`."""

    @abstractmethod
    def integer(self, number: int) -> Value:
        """A signed integer as wide as the floats."""

    @abstractmethod
    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """`a * b + c`, rounded once where the machine can and twice where it cannot."""

    @abstractmethod
    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` where the condition holds, else `b`."""

    @abstractmethod
    def absolute(self, x: Value) -> Value:
        """`x` with its sign bit cleared."""

    @abstractmethod
    def copysign(self, magnitude: Value, sign: Value) -> Value:
        """`magnitude` with the sign bit of `sign`."""

    @abstractmethod
    def square_root(self, x: Value) -> Value:
        """The square root, correctly rounded."""

    @abstractmethod
    def floor(self, x: Value) -> Value:
        """The largest integer not above `x`, as a float."""

    @abstractmethod
    def ceil(self, x: Value) -> Value:
        """The smallest integer not below `x`, as a float."""

    @abstractmethod
    def nearest(self, x: Value) -> Value:
        """The integer nearest to `x`, as a float, the even one of two; -0.3 gives -0."""

    @abstractmethod
    def truncate(self, x: Value) -> Value:
        """`x` without its fraction, as a float; -0.3 gives -0."""

    @abstractmethod
    def bits(self, x: Value) -> Value:
        """The bit pattern of a float, as a signed integer."""

    @abstractmethod
    def from_bits(self, pattern: Value) -> Value:
        """The float with this bit pattern."""

    @abstractmethod
    def shift_right_logical(self, x: Value, count: int) -> Value:
        """An integer shifted right, with zeros coming in."""

    @abstractmethod
    def low_half(self, pattern: Value) -> Value:
        """The low 32 bits of an integer of 64 bits."""

    @abstractmethod
    def double(self) -> Arithmetic:
        """The machine of the same kind for float64."""

    @abstractmethod
    def widen(self, x: Value) -> Value:
        """A float of this machine as a float64."""

    @abstractmethod
    def narrow(self, x: Value) -> Value:
        """A float64 rounded to this machine's precision."""

    def multiply_exactly(self, a: Value, b: Value) -> tuple[Value, Value]:
        """`(p, e)` with `p` the rounded product and `p + e` the exact one (Dekker 1971).

        Veltkamp's splitting overflows above 2**996 (float64) and 2**115 (float32).
        """
        product = a * b
        a_high, a_low = self._split(a)
        b_high, b_low = self._split(b)
        error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
        return product, error

    def _split(self, x: Value) -> tuple[Value, Value]:
        scaled = x * (134217729.0 if self.width == 64 else 4097.0)
        high = scaled - (scaled - x)
        return high, x - high

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's rule; `coefficients` from the constant term up."""
        total = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.multiply_add(total, x, self.constant(coefficient))
        return total


class NumpyArithmetic(Arithmetic):
    """Runs a text on NumPy scalars and arrays, with the same results as a processor that fuses.

    `multiply_add` is emulated: float32 through float64, where the product is exact; float64 with
    Dekker's exact product and Knuth's exact sum. The last addition rounds a second time, which
    shows once in many millions of cases.
    """

    fuses = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.float_type: Any = np.float32 if width == 32 else np.float64
        self.integer_type: Any = np.int32 if width == 32 else np.int64
        self.unsigned_type: Any = np.uint32 if width == 32 else np.uint64

    def constant(self, number: float) -> Value:
        return self.float_type(number)

    def integer(self, number: int) -> Value:
        return self.integer_type(number)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        if self.width == 64:
            return self._multiply_add_double(a, b, c)
        wide = np.multiply(a, b, dtype=np.float64)
        return np.add(wide, c, dtype=np.float64).astype(np.float32)

    def _multiply_add_double(self, a: Value, b: Value, c: Value) -> Value:
        product, product_error = self.multiply_exactly(a, b)
        total = product + c
        shifted = total - product
        total_error = (product - (total - shifted)) + (c - shifted)
        lost = product_error + total_error
        # A loss of 0 would turn -0 into 0; a splitting that overflowed knows no loss.
        return self.select((lost != 0) & np.isfinite(lost), total + lost, total)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        a, b = (self.float_type(x) if isinstance(x, float) else x for x in (a, b))
        if isinstance(condition, np.bool_):
            return a if condition else b
        return np.where(condition, a, b)

    def absolute(self, x: Value) -> Value:
        return np.abs(x)

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        return np.copysign(magnitude, sign)

    def square_root(self, x: Value) -> Value:
        return np.sqrt(x)

    def floor(self, x: Value) -> Value:
        return np.floor(x)

    def ceil(self, x: Value) -> Value:
        return np.ceil(x)

    def nearest(self, x: Value) -> Value:
        return np.rint(x)

    def truncate(self, x: Value) -> Value:
        return np.trunc(x)

    def bits(self, x: Value) -> Value:
        return x.view(self.integer_type)

    def from_bits(self, pattern: Value) -> Value:
        return pattern.view(self.float_type)

    def shift_right_logical(self, x: Value, count: int) -> Value:
        return (x.view(self.unsigned_type) >> self.unsigned_type(count)).view(self.integer_type)

    def low_half(self, pattern: Value) -> Value:
        return pattern.astype(np.int32)

    def double(self) -> NumpyArithmetic:
        return NUMPY_MACHINES[64]

    def widen(self, x: Value) -> Value:
        return x.astype(np.float64)

    def narrow(self, x: Value) -> Value:
        return x.astype(self.float_type)


NUMPY_MACHINES = {32: NumpyArithmetic(32), 64: NumpyArithmetic(64)}


def silent(function: Callable[P, R]) -> Callable[P, R]:
    """Run without NumPy's warnings: an overflow is a result here, not an accident."""

    @wraps(function)
    def quiet(*args: P.args, **keywords: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **keywords)

    return quiet
