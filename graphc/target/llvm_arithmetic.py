"""The machine that runs the texts of `vmath` and `philox` by emitting LLVM instructions."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding, ir

from graphc.ops.philox import WordArithmetic
from graphc.target.arithmetic import Arithmetic, Value

# Numba stamps a kernel's fast-math flags on every instruction that has none. A text means its sums
# and products exactly as written, so they carry a flag of their own that says nothing about a sum
# or a product (arcp is about quotients), and a quotient one that says nothing about quotients.
EXACT = ("arcp",)
EXACT_QUOTIENT = ("contract",)
# What lets LLVM run a reduction on vectors: the order of its terms, and the sign of a zero sum, may
# change.
REASSOCIATING = ("reassoc", "nsz", "contract")

WORD = ir.IntType(32)
DOUBLE_WORD = ir.IntType(64)
FLOAT_TYPES: dict[int, ir.Type] = {32: ir.FloatType(), 64: ir.DoubleType()}


@cache
def host_fuses() -> bool:
    """Whether the processor has a fused multiply-add (else LLVM would call a library for each)."""
    return bool(binding.get_host_cpu_features().get("fma", False)) or not _is_x86()


def _is_x86() -> bool:
    return str(binding.get_default_triple()).startswith(("x86_64", "i386", "i686"))


def spread(type_: ir.Type, number: float) -> ir.Constant:
    """A constant, in each lane of a vector type."""
    if isinstance(type_, ir.VectorType):
        return ir.Constant(type_, [ir.Constant(type_.element, number)] * type_.count)
    return ir.Constant(type_, number)


class LlvmValue:
    """An LLVM float, signed integer or condition, or a vector of such, whose Python operators emit
    instructions."""

    __slots__ = ("builder", "instruction")

    def __init__(self, builder: ir.IRBuilder, instruction: Any) -> None:
        self.builder = builder
        self.instruction = instruction

    @property
    def _is_integer(self) -> bool:
        type_ = self.instruction.type
        return isinstance(getattr(type_, "element", type_), ir.IntType)

    def _other(self, other: Value) -> Any:
        if isinstance(other, LlvmValue):
            return other.instruction
        return spread(self.instruction.type, other)

    def _wrap(self, instruction: Any) -> LlvmValue:
        return LlvmValue(self.builder, instruction)

    def __add__(self, other: Value) -> LlvmValue:
        a, b = self.instruction, self._other(other)
        if self._is_integer:
            return self._wrap(self.builder.add(a, b))
        return self._wrap(self.builder.fadd(a, b, flags=EXACT))

    def __sub__(self, other: Value) -> LlvmValue:
        return self._difference(self.instruction, self._other(other))

    def __rsub__(self, other: Value) -> LlvmValue:
        return self._difference(self._other(other), self.instruction)

    def _difference(self, a: Any, b: Any) -> LlvmValue:
        if self._is_integer:
            return self._wrap(self.builder.sub(a, b))
        return self._wrap(self.builder.fsub(a, b, flags=EXACT))

    def __mul__(self, other: Value) -> LlvmValue:
        a, b = self.instruction, self._other(other)
        if self._is_integer:
            return self._wrap(self.builder.mul(a, b))
        return self._wrap(self.builder.fmul(a, b, flags=EXACT))

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Value) -> LlvmValue:
        return self._quotient(self.instruction, self._other(other))

    def __rtruediv__(self, other: Value) -> LlvmValue:
        return self._quotient(self._other(other), self.instruction)

    def _quotient(self, a: Any, b: Any) -> LlvmValue:
        return self._wrap(self.builder.fdiv(a, b, flags=EXACT_QUOTIENT))

    def __neg__(self) -> LlvmValue:
        if self._is_integer:
            return self._wrap(self.builder.neg(self.instruction))
        return self._wrap(self.builder.fneg(self.instruction))

    def __and__(self, other: Value) -> LlvmValue:
        return self._wrap(self.builder.and_(self.instruction, self._other(other)))

    def __or__(self, other: Value) -> LlvmValue:
        return self._wrap(self.builder.or_(self.instruction, self._other(other)))

    def __xor__(self, other: Value) -> LlvmValue:
        return self._wrap(self.builder.xor(self.instruction, self._other(other)))

    def __lshift__(self, count: int) -> LlvmValue:
        return self._wrap(self.builder.shl(self.instruction, self._other(count)))

    def __invert__(self) -> LlvmValue:
        return self._wrap(self.builder.not_(self.instruction))

    def _compare(self, operator: str, other: Value) -> LlvmValue:
        a, b = self.instruction, self._other(other)
        if self._is_integer:
            return self._wrap(self.builder.icmp_signed(operator, a, b))
        if operator == "!=":  # true of NaN
            return self._wrap(self.builder.fcmp_unordered(operator, a, b))
        return self._wrap(self.builder.fcmp_ordered(operator, a, b))

    def __lt__(self, other: Value) -> LlvmValue:
        return self._compare("<", other)

    def __le__(self, other: Value) -> LlvmValue:
        return self._compare("<=", other)

    def __gt__(self, other: Value) -> LlvmValue:
        return self._compare(">", other)

    def __ge__(self, other: Value) -> LlvmValue:
        return self._compare(">=", other)

    def __eq__(self, other: object) -> LlvmValue:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> LlvmValue:  # type: ignore[override]
        return self._compare("!=", other)

    __hash__ = None  # type: ignore[assignment]


class LlvmArithmetic(Arithmetic):
    """Emits a text's operations on scalars, which LLVM's vectorizer widens with the loop around, or
    on vectors of `lanes` numbers."""

    def __init__(self, builder: ir.IRBuilder, width: int, lanes: int = 1) -> None:
        super().__init__(width)
        self.builder = builder
        self.fuses = host_fuses()
        self.lanes = lanes
        self.float_type = self._type(FLOAT_TYPES[width])
        self.integer_type = self._type(ir.IntType(width))

    def _type(self, number: ir.Type) -> ir.Type:
        return number if self.lanes == 1 else ir.VectorType(number, self.lanes)

    def wrap(self, instruction: Any) -> LlvmValue:
        """An instruction or argument as a value with operators."""
        return LlvmValue(self.builder, instruction)

    def constant(self, number: float) -> LlvmValue:
        return self.wrap(spread(self.float_type, number))

    def integer(self, number: int) -> LlvmValue:
        return self.wrap(spread(self.integer_type, number))

    def _intrinsic(self, name: str, *arguments: Value) -> LlvmValue:
        operands = [argument.instruction for argument in arguments]
        type_ = operands[0].type
        signature = ir.FunctionType(type_, [type_] * len(operands))
        number = getattr(type_, "element", type_).intrinsic_name
        suffix = number if self.lanes == 1 else f"v{self.lanes}{number}"
        function = self.builder.module.declare_intrinsic(f"{name}.{suffix}", (), signature)
        return self.wrap(self.builder.call(function, operands))

    def multiply_add(self, a: Value, b: Value, c: Value) -> LlvmValue:
        if not self.fuses:
            return a * b + c  # type: ignore[no-any-return]
        return self._intrinsic("llvm.fma", a, b, c)

    def multiply_exactly(self, a: Value, b: Value) -> tuple[Value, Value]:
        if not self.fuses:
            return super().multiply_exactly(a, b)
        product = a * b
        return product, self._intrinsic("llvm.fma", a, b, -product)

    def select(self, condition: Value, a: Value, b: Value) -> LlvmValue:
        chosen = self.builder.select(condition.instruction, a.instruction, b.instruction)
        return self.wrap(chosen)

    def absolute(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.fabs", x)

    def copysign(self, magnitude: Value, sign: Value) -> LlvmValue:
        return self._intrinsic("llvm.copysign", magnitude, sign)

    def square_root(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.sqrt", x)

    def floor(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.floor", x)

    def ceil(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.ceil", x)

    def nearest(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.rint", x)

    def truncate(self, x: Value) -> LlvmValue:
        return self._intrinsic("llvm.trunc", x)

    def bits(self, x: Value) -> LlvmValue:
        return self.wrap(self.builder.bitcast(x.instruction, self.integer_type))

    def from_bits(self, pattern: Value) -> LlvmValue:
        return self.wrap(self.builder.bitcast(pattern.instruction, self.float_type))

    def shift_right_logical(self, x: Value, count: int) -> LlvmValue:
        return self.wrap(self.builder.lshr(x.instruction, spread(self.integer_type, count)))

    def low_half(self, pattern: Value) -> LlvmValue:
        return self.wrap(self.builder.trunc(pattern.instruction, self._type(WORD)))

    def double(self) -> LlvmArithmetic:
        return LlvmArithmetic(self.builder, 64, self.lanes)

    def widen(self, x: Value) -> LlvmValue:
        if self.width == 64:
            return x  # type: ignore[no-any-return]
        return self.wrap(self.builder.fpext(x.instruction, self._type(FLOAT_TYPES[64])))

    def narrow(self, x: Value) -> LlvmValue:
        if self.width == 64:
            return x  # type: ignore[no-any-return]
        return self.wrap(self.builder.fptrunc(x.instruction, self.float_type))


class LlvmWords(WordArithmetic):
    """32-bit words as LLVM integers."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def word(self, number: int) -> LlvmValue:
        return LlvmValue(self.builder, ir.Constant(WORD, number))

    def _split(self, number: Any) -> tuple[LlvmValue, LlvmValue]:
        low = self.builder.trunc(number, WORD)
        high = self.builder.trunc(self.builder.lshr(number, ir.Constant(DOUBLE_WORD, 32)), WORD)
        return LlvmValue(self.builder, low), LlvmValue(self.builder, high)

    def split(self, number: Value) -> tuple[LlvmValue, LlvmValue]:
        return self._split(number.instruction)

    def multiply_wide(self, a: Value, b: Value) -> tuple[LlvmValue, LlvmValue]:
        wide = [self.builder.zext(x.instruction, DOUBLE_WORD) for x in (a, b)]
        low, high = self._split(self.builder.mul(*wide))
        return high, low
