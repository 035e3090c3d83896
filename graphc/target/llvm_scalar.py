"""LLVM instructions of plain arithmetic: casts, division, choices, rounding, reductions.

Every function takes the builder, the `Kind` of its operands and the operands. None branches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from llvmlite import ir

from graphc.target.llvm_arithmetic import FLOAT_TYPES, REASSOCIATING

Builder = Any


@dataclass(frozen=True)
class Kind:
    """What the bits of an LLVM value mean."""

    family: Literal["boolean", "unsigned", "signed", "float"]
    width: int

    def __str__(self) -> str:
        name = {"boolean": "bool", "unsigned": "uint", "signed": "int"}.get(self.family, "float")
        return name if self.family == "boolean" else f"{name}{self.width}"

    @property
    def is_float(self) -> bool:
        return self.family == "float"

    @property
    def is_signed(self) -> bool:
        return self.family == "signed"

    @property
    def llvm(self) -> ir.Type:
        return FLOAT_TYPES[self.width] if self.is_float else ir.IntType(self.width)


def _call(builder: Builder, name: str, *operands: Any, **options: Any) -> Any:
    type_ = operands[0].type
    signature = ir.FunctionType(type_, [type_] * len(operands))
    function = builder.module.declare_intrinsic(name, [type_], signature)
    return builder.call(function, operands, **options)


def truth(builder: Builder, kind: Kind, x: Any) -> Any:
    """Whether x is not 0 (a NaN is not)."""
    if kind.family == "boolean":
        return x
    zero = ir.Constant(x.type, 0)
    if kind.is_float:
        return builder.fcmp_unordered("!=", x, zero)
    return builder.icmp_signed("!=", x, zero)


def cast(builder: Builder, source: Kind, target: Kind, x: Any) -> Any:
    """x as `target`.

    Integers wrap around; floats are cut towards 0 and held within the range; NaN gives 0.
    """
    if source == target:
        return x
    if target.family == "boolean":
        return truth(builder, source, x)
    if source.is_float and target.is_float:
        return _resize_float(builder, source, target, x)
    if source.is_float:
        return _float_to_integer(builder, source, target, x)
    if target.is_float:
        convert = builder.sitofp if source.is_signed else builder.uitofp
        return convert(x, target.llvm)
    if source.width == target.width:
        return x
    if source.width > target.width:
        return builder.trunc(x, target.llvm)
    return (builder.sext if source.is_signed else builder.zext)(x, target.llvm)


def _resize_float(builder: Builder, source: Kind, target: Kind, x: Any) -> Any:
    if source.width < target.width:
        return builder.fpext(x, target.llvm)
    return builder.fptrunc(x, target.llvm)


def _float_to_integer(builder: Builder, source: Kind, target: Kind, x: Any) -> Any:
    """x cut towards 0, held within the range of `target`; 0 of NaN.

    LLVM's plain conversion leaves what does not fit undefined, and an undefined index reads
    anywhere; its saturating one is not vectorised. So 0 is converted in place of what does not
    fit, and the result chosen afterwards.
    """
    bits = target.width - target.is_signed
    lowest, beyond = -(2**bits) if target.is_signed else 0, 2**bits
    low, high = (ir.Constant(x.type, float(bound)) for bound in (lowest, beyond))
    above = builder.fcmp_ordered(">=", x, high)
    below = builder.fcmp_ordered("<", x, low)
    outside = builder.or_(builder.or_(above, below), builder.fcmp_unordered("uno", x, x))
    fitting = builder.select(outside, ir.Constant(x.type, 0.0), x)
    if target.width < 32:
        converted = builder.trunc(builder.fptosi(fitting, ir.IntType(32)), target.llvm)
    else:
        convert = builder.fptosi if target.is_signed else builder.fptoui
        converted = convert(fitting, target.llvm)
    converted = builder.select(above, ir.Constant(target.llvm, beyond - 1), converted)
    return builder.select(below, ir.Constant(target.llvm, lowest), converted)


def divide(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.fdiv(a, b)


def floor_divide(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """The quotient of integers rounded down; 0 over 0."""
    return _divide_and_remainder(builder, kind, a, b)[0]


def remainder(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """a - b * floor_divide(a, b) of integers, of the sign of b; 0 modulo 0."""
    return _divide_and_remainder(builder, kind, a, b)[1]


def fmod(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """What is left of an integer by a division cut towards 0, of the sign of a; 0 modulo 0."""
    if not kind.is_signed:
        return _divide_and_remainder(builder, kind, a, b)[1]
    is_zero, _, safe = _safe_divisor(builder, b)
    return builder.select(is_zero, ir.Constant(a.type, 0), builder.srem(a, safe))


def _divide_and_remainder(builder: Builder, kind: Kind, a: Any, b: Any) -> tuple[Any, Any]:
    if kind.is_signed:
        return _signed_division(builder, a, b)
    zero, one = ir.Constant(a.type, 0), ir.Constant(a.type, 1)
    is_zero = builder.icmp_unsigned("==", b, zero)
    safe = builder.select(is_zero, one, b)
    quotient, rest = builder.udiv(a, safe), builder.urem(a, safe)
    return builder.select(is_zero, zero, quotient), builder.select(is_zero, zero, rest)


def _safe_divisor(builder: Builder, b: Any) -> tuple[Any, Any, Any]:
    """Whether b is 0, whether it is -1, and 1 in place of these two: the machine traps on a
    division by 0 and on the smallest integer over -1."""
    is_zero = builder.icmp_signed("==", b, ir.Constant(b.type, 0))
    is_minus_one = builder.icmp_signed("==", b, ir.Constant(b.type, -1))
    either = builder.or_(is_zero, is_minus_one)
    return is_zero, is_minus_one, builder.select(either, ir.Constant(b.type, 1), b)


def _signed_division(builder: Builder, a: Any, b: Any) -> tuple[Any, Any]:
    zero, one = ir.Constant(a.type, 0), ir.Constant(a.type, 1)
    is_zero, is_minus_one, safe = _safe_divisor(builder, b)
    quotient, rest = builder.sdiv(a, safe), builder.srem(a, safe)
    opposite = builder.icmp_signed("<", builder.xor(rest, safe), zero)
    inexact = builder.icmp_signed("!=", rest, zero)
    step = builder.and_(opposite, inexact)
    quotient = builder.select(step, builder.sub(quotient, one), quotient)
    rest = builder.select(step, builder.add(rest, safe), rest)
    quotient = builder.select(is_minus_one, builder.sub(zero, a), quotient)
    return (
        builder.select(is_zero, zero, quotient),
        builder.select(is_zero, zero, rest),
    )


def bitwise_and(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.and_(a, b)


def bitwise_or(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.or_(a, b)


def bitwise_xor(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.xor(a, b)


def bitwise_invert(builder: Builder, kind: Kind, x: Any) -> Any:
    return builder.not_(x)


def bitwise_left_shift(builder: Builder, kind: Kind, a: Any, count: Any) -> Any:
    """a * 2**count, wrapping; 0 for a count outside the width, which LLVM leaves undefined."""
    outside = builder.icmp_unsigned(">=", count, ir.Constant(count.type, kind.width))
    zero = ir.Constant(count.type, 0)
    moved = builder.shl(a, builder.select(outside, zero, count))
    return builder.select(outside, ir.Constant(a.type, 0), moved)


def bitwise_right_shift(builder: Builder, kind: Kind, a: Any, count: Any) -> Any:
    """floor(a / 2**count); for a count outside the width what is left of the sign."""
    outside = builder.icmp_unsigned(">=", count, ir.Constant(count.type, kind.width))
    if kind.is_signed:
        last = ir.Constant(count.type, kind.width - 1)
        return builder.ashr(a, builder.select(outside, last, count))
    moved = builder.lshr(a, builder.select(outside, ir.Constant(count.type, 0), count))
    return builder.select(outside, ir.Constant(a.type, 0), moved)


def logical_and(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.and_(truth(builder, kind, a), truth(builder, kind, b))


def logical_or(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    return builder.or_(truth(builder, kind, a), truth(builder, kind, b))


def logical_not(builder: Builder, kind: Kind, x: Any) -> Any:
    return builder.not_(truth(builder, kind, x))


def _compare(builder: Builder, kind: Kind, operator: str, a: Any, b: Any) -> Any:
    if kind.is_float:
        return builder.fcmp_ordered(operator, a, b)
    return (builder.icmp_signed if kind.is_signed else builder.icmp_unsigned)(operator, a, b)


def _extreme(builder: Builder, kind: Kind, operator: str, a: Any, b: Any) -> Any:
    chosen = builder.select(_compare(builder, kind, operator, a, b), a, b)
    if not kind.is_float:
        return chosen
    # The comparison fails on NaN, which leaves b: right when b is the NaN.
    return builder.select(builder.fcmp_unordered("uno", a, a), a, chosen)


def maximum(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """The larger; NaN if either is."""
    return _extreme(builder, kind, ">", a, b)


def minimum(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """The smaller; NaN if either is."""
    return _extreme(builder, kind, "<", a, b)


def absolute(builder: Builder, kind: Kind, x: Any) -> Any:
    if kind.is_float:
        return _call(builder, "llvm.fabs", x)
    if not kind.is_signed:
        return x
    negative = builder.icmp_signed("<", x, ir.Constant(x.type, 0))
    return builder.select(negative, builder.neg(x), x)


def sign(builder: Builder, kind: Kind, x: Any) -> Any:
    """-1, 0 or 1; NaN of NaN."""
    zero, one = ir.Constant(x.type, 0), ir.Constant(x.type, 1)
    above = builder.select(_compare(builder, kind, ">", x, zero), one, zero)
    if not (kind.is_float or kind.is_signed):
        return above
    below = _compare(builder, kind, "<", x, zero)
    result = builder.select(below, ir.Constant(x.type, -1), above)
    if not kind.is_float:
        return result
    return builder.select(builder.fcmp_unordered("uno", x, x), x, result)


def floor(builder: Builder, kind: Kind, x: Any) -> Any:
    return _call(builder, "llvm.floor", x) if kind.is_float else x


def ceil(builder: Builder, kind: Kind, x: Any) -> Any:
    return _call(builder, "llvm.ceil", x) if kind.is_float else x


def is_nan(builder: Builder, kind: Kind, x: Any) -> Any:
    if not kind.is_float:
        return ir.Constant(ir.IntType(1), 0)
    return builder.fcmp_unordered("uno", x, x)


def is_finite(builder: Builder, kind: Kind, x: Any) -> Any:
    if not kind.is_float:
        return ir.Constant(ir.IntType(1), 1)
    size = _call(builder, "llvm.fabs", x)
    return builder.fcmp_ordered("<", size, ir.Constant(x.type, float("inf")))


def add_reassociating(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """a + b as a term of a sum whose order LLVM may choose, so that it can run on vectors."""
    if kind.is_float:
        return builder.fadd(a, b, flags=REASSOCIATING)
    return builder.add(a, b)


def multiply_reassociating(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """a * b as a factor of a product whose order LLVM may choose."""
    if kind.is_float:
        return builder.fmul(a, b, flags=REASSOCIATING)
    return builder.mul(a, b)


def maximum_reassociating(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """`maximum` in the form that LLVM knows as a reduction."""
    if kind.is_float:
        return _call(builder, "llvm.maximum", a, b)
    return maximum(builder, kind, a, b)


def minimum_reassociating(builder: Builder, kind: Kind, a: Any, b: Any) -> Any:
    """`minimum` in the form that LLVM knows as a reduction."""
    if kind.is_float:
        return _call(builder, "llvm.minimum", a, b)
    return minimum(builder, kind, a, b)
