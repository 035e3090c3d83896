"""The primitives as LLVM instructions: what a name of the kernel language means in native code.

`NATIVE` maps each name to a function of the builder and the operands, which checks their kinds and
gives the result. There are numbers (a `Kind`), buffers (a `Buffer`), and the two tables of a
kernel, `argv` and `context` (None).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from llvmlite import ir

from graphc.ops.philox import WORD_NAMES, draw
from graphc.target import llvm_functions, outline, vmath
from graphc.target import llvm_memory as memory
from graphc.target import llvm_scalar as scalar
from graphc.target.arithmetic import Value
from graphc.target.lapack import LAPACK, LapackRoutine
from graphc.target.llvm_arithmetic import LlvmArithmetic, LlvmValue, LlvmWords
from graphc.target.llvm_operand import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    KINDS,
    Buffer,
    KindError,
    Native,
    Operand,
    as_kind,
    common,
    number,
)
from graphc.target.llvm_routine import call_routine
from graphc.target.llvm_rows import move_rows
from graphc.target.llvm_scalar import Kind
from graphc.target.llvm_tile import turn_rows

Emit = Callable[..., Any]
"""(builder, kind of the operands, LLVM operands ...) -> LLVM result."""


class Computation(NamedTuple):
    """A primitive that computes a number from one or two numbers of a common kind."""

    emit: Emit
    arity: int
    floats_only: bool = False
    result: Kind | None = None  # the operands' own


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


def _cast(target: Kind) -> Computation:
    def emit(builder: Any, kind: Kind, x: Any) -> Any:
        return scalar.cast(builder, kind, target, x)

    return Computation(emit, 1, result=target)


def _of_scalar(arity: int, *names: str, result: Kind | None = None) -> dict[str, Computation]:
    return {name: Computation(getattr(scalar, name), arity, result=result) for name in names}


COMPUTATIONS: dict[str, Computation] = {
    **{name: _cast(kind) for name, kind in KINDS.items()},
    **{name: Computation(_text(text), 1, True) for name, text in vmath.UNARY.items()},
    **{name: Computation(_text(text), 2, True) for name, text in vmath.BINARY.items()},
    **{
        name: Computation(_for_floats(text, getattr(scalar, name)), 2)
        for name, text in vmath.DIVISION.items()
    },
    "divide": Computation(scalar.divide, 2, True),
    "isnan": Computation(scalar.is_nan, 1, result=BOOLEAN),
    "isfinite": Computation(scalar.is_finite, 1, result=BOOLEAN),
    **_of_scalar(1, "bitwise_invert", "absolute", "sign", "floor", "ceil"),
    **_of_scalar(
        2, "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift",
        "bitwise_right_shift", "maximum", "minimum", "add_reassociating",
        "multiply_reassociating", "maximum_reassociating", "minimum_reassociating",
    ),
    **_of_scalar(2, "logical_and", "logical_or", result=BOOLEAN),
    **_of_scalar(1, "logical_not", result=BOOLEAN),
}  # fmt: skip


def _compute(name: str, known: Computation, builder: Any, *operands: Operand) -> Operand:
    if len(operands) != known.arity:
        raise KindError(f"{name}: expected {known.arity} operands, got {len(operands)}")
    kind = common(name, *operands)
    if known.floats_only and not kind.is_float:
        expected = "a float" if known.arity == 1 else "floats"
        raise KindError(f"{name}: expected {expected}, got {kind}")
    values = [as_kind(builder, operand, kind) for operand in operands]
    return Operand(known.result or kind, known.emit(builder, kind, *values))


def _select(builder: Any, condition: Operand, a: Operand, b: Operand) -> Operand:
    kind = common("select", a, b)
    chosen = scalar.truth(builder, number("select", condition), condition.value)
    values = (as_kind(builder, operand, kind) for operand in (a, b))
    return Operand(kind, builder.select(chosen, *values))


def _random_bits(word: int, builder: Any, *operands: Operand) -> Operand:
    wide = []
    for operand in operands:
        kind = number(WORD_NAMES[word], operand)
        if kind.is_float:
            raise KindError(f"{WORD_NAMES[word]}: expected integers, got {kind}")
        wide.append(LlvmValue(builder, as_kind(builder, operand, INT64)))
    key, use, step, index = wide
    bits = draw(LlvmWords(builder), key, use, step, index, word).instruction
    return Operand(KINDS["uint32"], bits)


# --- memory --------------------------------------------------------------------------------------


def stored_type(kind: Kind) -> Any:
    """An element as it lies in memory: a boolean takes a byte."""
    return ir.IntType(8) if kind == BOOLEAN else kind.llvm


def _slot(name: str, table: Operand, slot: Operand) -> int:
    if table.kind is not None:
        raise KindError(f"{name}: expected argv, got {table.kind}")
    if slot.literal is None or slot.literal < 0:
        raise KindError(f"{name}: expected a literal slot >= 0, got {slot.kind}")
    return slot.literal


def _pointer(kind: Kind, builder: Any, argv: Operand, slot: Operand) -> Operand:
    place = _slot("pointer", argv, slot)
    address = memory.argument(builder, argv.value, place)
    pointer = builder.inttoptr(address, stored_type(kind).as_pointer())
    return Operand(Buffer(kind, place), pointer)


def _array(kind: Kind, builder: Any, count: Operand) -> Operand:
    if count.literal is None or count.literal < 1:
        raise KindError(f"array: expected a literal number >= 1, got {count.kind}")
    place = memory.array_on_stack(builder, stored_type(kind), count.literal)
    return Operand(Buffer(kind, memory.OWN_SLOT), place)


def _integer(builder: Any, argv: Operand, slot: Operand) -> Operand:
    place = _slot("integer", argv, slot)
    return Operand(INT64, memory.argument(builder, argv.value, place))


def _float_value(kind: Kind, builder: Any, argv: Operand, slot: Operand) -> Operand:
    bits = memory.argument(builder, argv.value, _slot("value", argv, slot))
    wide = builder.bitcast(bits, FLOAT64.llvm)
    return Operand(kind, scalar.cast(builder, FLOAT64, kind, wide))


def _context_word(builder: Any, words: Operand, index: Operand) -> Operand:
    place = memory.element(builder, words.value, as_kind(builder, index, INT64))
    return Operand(INT64, memory.invariant_load(builder, place))


def _from_element(builder: Any, buffer: Operand, index: Operand) -> Operand:
    if not isinstance(buffer.kind, Buffer):
        raise KindError(f"from_element: expected a pointer, got {buffer.kind}")
    place = memory.element(builder, buffer.value, as_kind(builder, index, INT64))
    return Operand(buffer.kind, place)


def _place(builder: Any, buffer: Operand, index: Operand) -> tuple[Buffer, Any]:
    if not isinstance(buffer.kind, Buffer):
        raise KindError(f"getitem: expected a pointer, got {buffer.kind or 'a table'}")
    kind = number("getitem", index)
    if kind.is_float or kind == BOOLEAN:
        raise KindError(f"getitem: expected an integer index, got {kind}")
    wide = as_kind(builder, index, INT64)
    return buffer.kind, memory.element(builder, buffer.value, wide)


def load_element(builder: Any, buffer: Operand, index: Operand) -> Operand:
    """buffer[index]."""
    known, place = _place(builder, buffer, index)
    loaded = builder.load(place)
    memory.mark(builder, loaded, known.slot)
    if known.kind == BOOLEAN:
        loaded = builder.trunc(loaded, BOOLEAN.llvm)
    return Operand(known.kind, loaded)


def store_element(builder: Any, buffer: Operand, index: Operand, value: Operand) -> None:
    """buffer[index] = value; only an integer is converted."""
    known, place = _place(builder, buffer, index)
    kind = number("store", value)
    both_integers = not (kind.is_float or known.kind.is_float)
    both_integers &= (kind == BOOLEAN) == (known.kind == BOOLEAN)
    if kind != known.kind and not both_integers:
        raise KindError(f"a {known.kind} buffer cannot store a {kind}")
    stored = as_kind(builder, value, known.kind)
    if kind == BOOLEAN:
        stored = builder.zext(stored, stored_type(BOOLEAN))
    memory.mark(builder, builder.store(stored, place), known.slot)


def _rows(to_lanes: bool, builder: Any, target: Operand, source: Operand, *words: Operand) -> None:
    lanes, memory = (target, source) if to_lanes else (source, target)
    bits = _width_of_both(lanes, memory)
    values = [as_kind(builder, word, INT64) for word in words]
    move_rows(builder, bits, to_lanes, memory.value, lanes.value, values)


def _columns(builder: Any, own: Operand, memory: Operand, *words: Operand) -> None:
    bits = _width_of_both(own, memory)
    values = [as_kind(builder, word, INT64) for word in words]
    turn_rows(builder, bits, memory.value, own.value, values)


def _width_of_both(own: Operand, memory: Operand) -> int:
    """The bits of the numbers that two pointers lead to."""
    first, second = own.kind, memory.kind
    if not (isinstance(first, Buffer) and isinstance(second, Buffer)):
        raise KindError(f"rows: expected pointers, got {first} and {second}")
    if first.kind != second.kind or first.kind.width not in (32, 64):
        raise KindError(f"rows: expected numbers of 32 or 64 bits, got {first} and {second}")
    return first.kind.width


def _failure(emit: Emit, builder: Any, words: Operand, *operands: Operand) -> None:
    emit(builder, words.value, *(as_kind(builder, operand, INT64) for operand in operands))


def _routine(name: str, known: LapackRoutine, builder: Any, *operands: Operand) -> Operand:
    buffers = [operand.kind for operand in operands if isinstance(operand.kind, Buffer)]
    if not buffers or not buffers[0].kind.is_float:
        found = buffers[0] if buffers else "none"
        raise KindError(f"{name}: expected a float32 or float64 pointer, got {found}")
    values = {
        parameter: operand.value
        if isinstance(operand.kind, Buffer)
        else as_kind(builder, operand, INT32)
        for parameter, operand in zip(known.parameters, operands, strict=True)
    }
    return Operand(INT64, call_routine(builder, known, buffers[0].kind.llvm, values))


_ELEMENTS = {"bool" if name == "boolean" else name: kind for name, kind in KINDS.items()}

NATIVE: Mapping[str, Native] = {
    **{name: partial(_compute, name, known) for name, known in COMPUTATIONS.items()},
    "select": _select,
    **{name: partial(_random_bits, word) for word, name in enumerate(WORD_NAMES)},
    **{f"{name}_pointer": partial(_pointer, kind) for name, kind in _ELEMENTS.items()},
    **{f"{name}_value": partial(_float_value, KINDS[name]) for name in ("float32", "float64")},
    **{f"{name}_array": partial(_array, kind) for name, kind in _ELEMENTS.items()},
    "integer": _integer,
    "context_word": _context_word,
    "from_element": _from_element,
    "rows_to_lanes": partial(_rows, True),
    "lanes_to_rows": partial(_rows, False),
    "rows_to_columns": _columns,
    "fail": partial(_failure, memory.fail),
    "fail_index": partial(_failure, memory.fail_index),
    **{name: partial(_routine, name, known) for name, known in LAPACK.items()},
}
"""Every name that a kernel may import, with its native implementation."""


def _calling(*names: str) -> Native:
    def emit(builder: Any, kind: Kind, *operands: Any) -> Any:
        return llvm_functions.call(builder, names, kind.width, *operands)

    known = Computation(emit, outline.outlined()[names[0]], floats_only=True)
    return partial(_compute, names[0], known)


CALLS: Mapping[str, Native] = {
    **{outline.call_name(name): _calling(name) for name in outline.outlined()},
    **{
        outline.call_name(*names): _calling(*names)
        for pair in outline.PAIRS
        for names in (pair, pair[::-1])
    },
}
"""What takes the place of elementary functions in a kernel that has many."""
