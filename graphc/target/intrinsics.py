"""The primitives as Numba intrinsics: what a name of the kernel language means in native code.

A kernel's `argv` and `context` are `int64*`. A pointer primitive gives a value of type
`Buffer(dtype, slot)`, whose loads and stores carry LLVM's `alias.scope` and `noalias` metadata:
two slots never overlap, so loops vectorise without run-time checks however many buffers there
are.

This module imports Numba; nothing imports it before a kernel has to be compiled.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numba.extending
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import lower_builtin, models, register_model, type_callable

from graphc.target.lapack_intrinsics import LAPACK_INTRINSICS
from graphc.target.math_intrinsics import MATH_INTRINSICS

INT64 = ir.IntType(64)
TABLE = types.CPointer(types.int64)  # the type of argv and of context in a kernel
STATUS, DETAIL = 0, 1  # the words of a context that `fail` writes

_DTYPES: dict[str, Any] = {
    "bool": types.boolean,
    "uint8": types.uint8,
    "int32": types.int32,
    "uint32": types.uint32,
    "int64": types.int64,
    "float32": types.float32,
    "float64": types.float64,
}


def _intrinsic(typing: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's intrinsic, seen as what kernel text calls; literal arguments stay literals."""
    made: Callable[..., Any] = numba.extending.intrinsic(prefer_literal=True)(typing)
    return made


class Buffer(types.Type):
    """A pointer to elements of one dtype, known by the argument slot it came from."""

    def __init__(self, dtype: Any, slot: int) -> None:
        self.dtype = dtype
        self.slot = slot
        super().__init__(name=f"Buffer({dtype}, {slot})")


@register_model(Buffer)
class BufferModel(models.PrimitiveModel):
    """In LLVM a buffer is a plain pointer to its elements as they are stored."""

    def __init__(self, manager: Any, buffer_type: Buffer) -> None:
        element = manager.lookup(buffer_type.dtype).get_data_type()
        super().__init__(manager, buffer_type, element.as_pointer())  # type: ignore[no-untyped-call]


# --- no two slots alias --------------------------------------------------------------------------


class _AliasScopes:
    """The scopes of one LLVM module: one for each slot, one for the context, and who excludes whom.

    A list must name every scope that its slot does not overlap, and later slots are not known
    when the first load is emitted. The metadata is printed only when the module is complete, so
    the lists are extended in place as slots turn up."""

    def __init__(self, module: ir.Module) -> None:
        self._module = module
        self._domain = self._self_referring("graphc")
        self._scopes: dict[int, ir.MDValue] = {}
        self._own: dict[int, ir.MDValue] = {}
        self._others: dict[int, ir.MDValue] = {}

    def _self_referring(self, label: str, *more: Any) -> ir.MDValue:
        value = ir.MDValue(self._module, (), name=str(len(self._module.metadata)))
        value.operands = (value, *more, ir.MetaDataString(self._module, label))
        return value

    def _list(self, *members: Any) -> ir.MDValue:
        return ir.MDValue(self._module, members, name=str(len(self._module.metadata)))

    def _add(self, slot: int) -> None:
        scope = self._self_referring(f"slot {slot}", self._domain)
        for others in self._others.values():
            others.operands = (*others.operands, scope)
        self._others[slot] = self._list(*self._scopes.values())
        self._own[slot] = self._list(scope)
        self._scopes[slot] = scope

    def mark(self, instruction: Any, slot: int) -> None:
        """Say that `instruction` touches the memory of `slot` and of no other slot."""
        if slot not in self._scopes:
            self._add(slot)
        instruction.set_metadata("alias.scope", self._own[slot])
        instruction.set_metadata("noalias", self._others[slot])


_CONTEXT_SLOT = -1


def _mark(builder: Any, instruction: Any, slot: int) -> None:
    module = builder.module
    scopes = getattr(module, "graphc_alias_scopes", None)
    if scopes is None:
        scopes = module.graphc_alias_scopes = _AliasScopes(module)
    scopes.mark(instruction, slot)


def _invariant_load(builder: Any, pointer: Any) -> Any:
    value = builder.load(pointer)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _argument(builder: Any, argv: Any, slot: int) -> Any:
    return _invariant_load(builder, builder.gep(argv, [INT64(slot)], inbounds=True))


# --- pointers ------------------------------------------------------------------------------------


def _literal_slot(name: str, slot: Any) -> int:
    if not isinstance(slot, types.IntegerLiteral) or slot.literal_value < 0:
        raise TypingError(f"{name}: expected a literal slot >= 0, got {slot}")
    return int(slot.literal_value)


def _pointer(name: str, dtype: Any) -> Callable[..., Any]:
    @_intrinsic
    def pointer(typing_context: Any, argv: Any, slot: Any) -> Any:
        number = _literal_slot(name, slot)
        buffer_type = Buffer(dtype, number)

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _argument(builder, args[0], number)
            return builder.inttoptr(address, context.get_value_type(buffer_type))

        return buffer_type(TABLE, slot), emit

    return pointer


@type_callable(operator.getitem)
def _type_getitem(context: Any) -> Any:
    def typer(buffer: Any, index: Any) -> Any:
        if isinstance(buffer, Buffer) and isinstance(index, types.Integer):
            return buffer.dtype
        return None

    return typer


def _storable(dtype: Any, value: Any) -> bool:
    if isinstance(dtype, types.Float):
        return bool(value == dtype)
    if isinstance(dtype, types.Boolean):
        return isinstance(value, types.Boolean)
    return isinstance(value, types.Integer)


@type_callable(operator.setitem)
def _type_setitem(context: Any) -> Any:
    def typer(buffer: Any, index: Any, value: Any) -> Any:
        if isinstance(buffer, Buffer) and isinstance(index, types.Integer):
            if not _storable(buffer.dtype, value):
                raise TypingError(f"a {buffer.dtype} buffer cannot store a {value}")
            return types.none
        return None

    return typer


def _element(context: Any, builder: Any, pointer: Any, index: Any, index_type: Any) -> Any:
    offset = context.cast(builder, index, index_type, types.int64)
    return builder.gep(pointer, [offset], inbounds=True)


@lower_builtin(operator.getitem, Buffer, types.Integer)  # type: ignore[untyped-decorator]
def _lower_getitem(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    buffer_type, index_type = signature.args
    place = _element(context, builder, args[0], args[1], index_type)
    stored = builder.load(place)
    _mark(builder, stored, buffer_type.slot)
    return context.data_model_manager[buffer_type.dtype].from_data(builder, stored)


@lower_builtin(operator.setitem, Buffer, types.Integer, types.Any)  # type: ignore[untyped-decorator]
def _lower_setitem(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    buffer_type, index_type, value_type = signature.args
    place = _element(context, builder, args[0], args[1], index_type)
    value = context.cast(builder, args[2], value_type, buffer_type.dtype)
    stored = context.data_model_manager[buffer_type.dtype].as_data(builder, value)
    _mark(builder, builder.store(stored, place), buffer_type.slot)
    return context.get_dummy_value()


@_intrinsic
def from_element(typing_context: Any, buffer: Any, index: Any) -> Any:
    """The buffer from its element `index` on."""
    if not isinstance(buffer, Buffer):
        raise TypingError(f"from_element: expected a pointer, got {buffer}")

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _element(context, builder, args[0], args[1], signature.args[1])

    return buffer(buffer, index), emit


# --- integers, constants, the context ------------------------------------------------------------


@_intrinsic
def integer(typing_context: Any, argv: Any, slot: Any) -> Any:
    """The int64 in argument cell `slot`."""
    number = _literal_slot("integer", slot)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _argument(builder, args[0], number)

    return types.int64(TABLE, slot), emit


def _float_value(name: str, dtype: Any) -> Callable[..., Any]:
    @_intrinsic
    def value(typing_context: Any, argv: Any, slot: Any) -> Any:
        number = _literal_slot(name, slot)

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            bits = _argument(builder, args[0], number)
            wide = builder.bitcast(bits, ir.DoubleType())
            return context.cast(builder, wide, types.float64, dtype)

        return dtype(TABLE, slot), emit

    return value


@_intrinsic
def context_word(typing_context: Any, words: Any, index: Any) -> Any:
    """The int64 in word `index` of the context; fixed while a kernel runs."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _element(context, builder, args[0], args[1], signature.args[1])
        return _invariant_load(builder, place)

    return types.int64(TABLE, index), emit


@_intrinsic
def fail(typing_context: Any, words: Any, code: Any, detail: Any) -> Any:
    """Record a failure in the context; the first one of a kernel stays."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = [
            context.cast(builder, args[position], signature.args[position], types.int64)
            for position in (1, 2)
        ]
        _record_failure(builder, args[0], *words)
        return context.get_dummy_value()

    return types.none(TABLE, code, detail), emit


@_intrinsic
def fail_index(typing_context: Any, words: Any, code: Any, position: Any, value: Any) -> Any:
    """Record that the index `value` at `position` is out of range."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, place, index = (
            context.cast(builder, args[at], signature.args[at], types.int64) for at in (1, 2, 3)
        )
        least, most = INT64(-(2**31)), INT64(2**31 - 1)
        index = builder.select(builder.icmp_signed("<", index, least), least, index)
        index = builder.select(builder.icmp_signed(">", index, most), most, index)
        low = builder.sub(index, least)
        _record_failure(builder, args[0], number, builder.add(builder.shl(place, INT64(32)), low))
        return context.get_dummy_value()

    return types.none(TABLE, code, position, value), emit


def _record_failure(builder: Any, words: Any, code: Any, detail: Any) -> None:
    status = builder.gep(words, [INT64(STATUS)], inbounds=True)
    before = builder.load(status)
    _mark(builder, before, _CONTEXT_SLOT)
    with cgutils.if_unlikely(builder, builder.icmp_signed("==", before, INT64(0))):
        for word, value in ((STATUS, code), (DETAIL, detail)):
            place = builder.gep(words, [INT64(word)], inbounds=True)
            _mark(builder, builder.store(value, place), _CONTEXT_SLOT)


def _memory_primitives() -> dict[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {
        f"{name}_pointer": _pointer(f"{name}_pointer", dtype) for name, dtype in _DTYPES.items()
    }
    for name in ("float32", "float64"):
        table[f"{name}_value"] = _float_value(f"{name}_value", _DTYPES[name])
    others = {
        "integer": integer,
        "context_word": context_word,
        "fail": fail,
        "fail_index": fail_index,
        "from_element": from_element,
    }
    return {**table, **others, **LAPACK_INTRINSICS}


INTRINSICS: Mapping[str, Callable[..., Any]] = {**MATH_INTRINSICS, **_memory_primitives()}
"""Every name a kernel may import, with its Numba implementation."""
