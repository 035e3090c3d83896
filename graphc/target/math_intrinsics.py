"""Numba's versions of the primitives that compute values: each emits LLVM instructions in place.

Importing this module imports Numba. `MATH_INTRINSICS` maps the names of `graphc.target.primitives`
to callables for kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from graphc.ops.philox import WORD_NAMES, draw
from graphc.target import llvm_scalar as scalar
from graphc.target import vmath
from graphc.target.arithmetic import Value
from graphc.target.llvm_arithmetic import LlvmArithmetic, LlvmValue, LlvmWords
from graphc.target.llvm_scalar import Kind

Emit = Callable[..., Any]
"""(builder, kind of the operands, LLVM operands ...) -> LLVM result."""


def _number(name: str, type_: Any) -> Any:
    """The plain number type behind a literal."""
    plain = types.unliteral(type_)
    if not isinstance(plain, types.Integer | types.Float | types.Boolean):
        raise TypingError(f"{name}: expected a number, got {plain}")
    return plain


def _kind(type_: Any) -> Kind:
    if isinstance(type_, types.Boolean):
        return Kind("boolean", 1)
    if isinstance(type_, types.Float):
        return Kind("float", type_.bitwidth)
    return Kind("signed" if type_.signed else "unsigned", type_.bitwidth)


def _common(name: str, *operands: Any) -> Any:
    """The one type that operands are computed in: equal types, or integers, of which the widest."""
    plain = [_number(name, operand) for operand in operands]
    if all(type_ == plain[0] for type_ in plain):
        return plain[0]
    if any(isinstance(type_, types.Float) for type_ in plain):
        got = ", ".join(map(str, plain))
        raise TypingError(f"{name}: expected operands of one type, got {got}")
    return types.int64


def _lowering(emit: Emit, kind: Kind) -> Any:
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit(builder, kind, *arguments)

    return lower


def _register(name: str, typing: Any) -> Any:
    typing.__name__ = typing.__qualname__ = name
    return intrinsic(typing)


def _unary(name: str, emit: Emit, floats_only: bool = True, result: Any = None) -> Any:
    """f(x): the type of x, or `result`."""

    def typing(typing_context: Any, x: Any) -> Any:
        type_ = _number(name, x)
        if floats_only and not isinstance(type_, types.Float):
            raise TypingError(f"{name}: expected a float, got {type_}")
        return (result or type_)(type_), _lowering(emit, _kind(type_))

    return _register(name, typing)


def _binary(name: str, emit: Emit, floats_only: bool = False, result: Any = None) -> Any:
    """f(a, b): their common type, or `result`."""

    def typing(typing_context: Any, a: Any, b: Any) -> Any:
        type_ = _common(name, a, b)
        if floats_only and not isinstance(type_, types.Float):
            raise TypingError(f"{name}: expected floats, got {type_}")
        return (result or type_)(type_, type_), _lowering(emit, _kind(type_))

    return _register(name, typing)


def _cast(name: str, target: Any) -> Any:
    def emit(builder: Any, kind: Kind, x: Any) -> Any:
        return scalar.cast(builder, kind, _kind(target), x)

    return _unary(name, emit, floats_only=False, result=target)


def _text(text: Callable[..., Value]) -> Emit:
    """Emit a text of `vmath`."""

    def emit(builder: Any, kind: Kind, *operands: Any) -> Any:
        machine = LlvmArithmetic(builder, kind.width)
        return text(machine, *(machine.wrap(operand) for operand in operands)).instruction

    return emit


def _for_floats(text: Callable[..., Value], integers: Emit) -> Emit:
    """Emit a text of `vmath` for floats, and `integers` for the others."""
    floats = _text(text)

    def emit(builder: Any, kind: Kind, *operands: Any) -> Any:
        return (floats if kind.is_float else integers)(builder, kind, *operands)

    return emit


def _select(typing_context: Any, condition: Any, a: Any, b: Any) -> Any:
    test, type_ = _number("select", condition), _common("select", a, b)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        chosen, if_true, if_false = arguments
        return builder.select(scalar.truth(builder, _kind(test), chosen), if_true, if_false)

    return type_(test, type_, type_), lower


def _random_bits(word: int) -> Any:
    name = WORD_NAMES[word]

    def typed(typing_context: Any, key: Any, use: Any, step: Any, index: Any) -> Any:
        numbers = [_number(name, number) for number in (key, use, step, index)]
        for type_ in numbers:
            if not isinstance(type_, types.Integer):
                raise TypingError(f"{name}: expected integers, got {type_}")

        def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            wide = [
                LlvmValue(builder, scalar.cast(builder, _kind(type_), Kind("signed", 64), x))
                for type_, x in zip(numbers, arguments, strict=True)
            ]
            key, use, step, index = wide
            return draw(LlvmWords(builder), key, use, step, index, word).instruction

        return types.uint32(*numbers), lower

    return _register(name, typed)


CASTS = {
    "boolean": types.boolean,
    "uint8": types.uint8,
    "int32": types.int32,
    "uint32": types.uint32,
    "int64": types.int64,
    "float32": types.float32,
    "float64": types.float64,
}

MATH_INTRINSICS: dict[str, Any] = {
    **{name: _cast(name, target) for name, target in CASTS.items()},
    **{name: _unary(name, _text(text)) for name, text in vmath.UNARY.items()},
    **{name: _binary(name, _text(text), floats_only=True) for name, text in vmath.BINARY.items()},
    "divide": _binary("divide", scalar.divide, floats_only=True),
    **{
        name: _binary(name, _for_floats(text, getattr(scalar, name)))
        for name, text in vmath.DIVISION.items()
    },
    "bitwise_and": _binary("bitwise_and", scalar.bitwise_and),
    "bitwise_or": _binary("bitwise_or", scalar.bitwise_or),
    "bitwise_xor": _binary("bitwise_xor", scalar.bitwise_xor),
    "bitwise_invert": _unary("bitwise_invert", scalar.bitwise_invert, floats_only=False),
    "bitwise_left_shift": _binary("bitwise_left_shift", scalar.bitwise_left_shift),
    "bitwise_right_shift": _binary("bitwise_right_shift", scalar.bitwise_right_shift),
    "logical_and": _binary("logical_and", scalar.logical_and, result=types.boolean),
    "logical_or": _binary("logical_or", scalar.logical_or, result=types.boolean),
    "logical_not": _unary("logical_not", scalar.logical_not, False, types.boolean),
    "select": _register("select", _select),
    "maximum": _binary("maximum", scalar.maximum),
    "minimum": _binary("minimum", scalar.minimum),
    "absolute": _unary("absolute", scalar.absolute, floats_only=False),
    "sign": _unary("sign", scalar.sign, floats_only=False),
    "floor": _unary("floor", scalar.floor, floats_only=False),
    "ceil": _unary("ceil", scalar.ceil, floats_only=False),
    "isnan": _unary("isnan", scalar.is_nan, False, types.boolean),
    "isfinite": _unary("isfinite", scalar.is_finite, False, types.boolean),
    "add_reassociating": _binary("add_reassociating", scalar.add_reassociating),
    "multiply_reassociating": _binary("multiply_reassociating", scalar.multiply_reassociating),
    "maximum_reassociating": _binary("maximum_reassociating", scalar.maximum_reassociating),
    "minimum_reassociating": _binary("minimum_reassociating", scalar.minimum_reassociating),
    **{name: _random_bits(word) for word, name in enumerate(WORD_NAMES)},
}
