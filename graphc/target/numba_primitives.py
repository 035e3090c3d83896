"""The primitives for Numba: each name as a function that Numba types and lowers by the native one.

What a primitive means stays in `native_primitives`. To type a call, its emitter is run once on a
scratch module with operands of these types: the kind of the result is the type, a refusal the
typing error. To lower it, the emitter is run where Numba stands.

Numba has integers of its own beside the kinds of the language: the sum of two uint32 is uint64.

Imports Numba; used only when a kernel must be compiled for the target "numba".
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing import templates
from numba.extending import models, register_model

from graphc.target.llvm_operand import INT64, KINDS, Buffer, KindError, Native, Operand
from graphc.target.llvm_scalar import Kind
from graphc.target.native_primitives import CALLS, NATIVE, load_element, store_element, stored_type
from graphc.target.numba_target import NAME, lowerings, typings

TABLE = types.CPointer(types.int64)
"""The type of `argv` and of `context`."""


class BufferType(types.Type):
    """A buffer, as Numba knows it."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        super().__init__(name=f"{buffer} {buffer.slot}")


@register_model(BufferType)
class _BufferModel(models.PrimitiveModel):
    """In LLVM a buffer is a plain pointer to its elements as they are stored."""

    def __init__(self, manager: Any, buffer_type: BufferType) -> None:
        pointer = stored_type(buffer_type.buffer.kind).as_pointer()
        super().__init__(manager, buffer_type, pointer)  # type: ignore[no-untyped-call]


_TYPES: dict[Kind, Any] = {
    **{kind: getattr(types, name) for name, kind in KINDS.items()},
    Kind("unsigned", 64): types.uint64,
}
_KINDS = {numba_type: kind for kind, numba_type in _TYPES.items()}


def _kind(numba_type: Any) -> Kind | Buffer | None:
    plain = types.unliteral(numba_type)
    if isinstance(plain, BufferType):
        return plain.buffer
    if plain == TABLE:
        return None
    try:
        return _KINDS[plain]
    except KeyError:
        raise TypingError(f"expected numbers, pointers and tables, got {numba_type}") from None


def _numba_type(kind: Kind | Buffer | None) -> Any:
    if kind is None:
        return TABLE
    return BufferType(kind) if isinstance(kind, Buffer) else _TYPES[kind]


def _llvm_type(kind: Kind | Buffer | None) -> Any:
    if kind is None:
        return INT64.llvm.as_pointer()
    return stored_type(kind.kind).as_pointer() if isinstance(kind, Buffer) else kind.llvm


def _operands(given: Sequence[Any], values: Sequence[Any]) -> list[Operand]:
    """LLVM values with what Numba says of them."""
    return [
        Operand(_kind(each), value, getattr(each, "literal_value", None))
        for each, value in zip(given, values, strict=True)
    ]


@functools.lru_cache(maxsize=4096)
def _result(name: str, native: Native, given: tuple[Any, ...]) -> Any:
    """Numba's type of what a primitive gives for operands of these types."""
    try:
        shape = ir.FunctionType(ir.VoidType(), [_llvm_type(_kind(each)) for each in given])
        scratch = ir.Function(ir.Module(), shape, "scratch")
        builder = ir.IRBuilder(scratch.append_basic_block())
        found = native(builder, *_operands(given, scratch.args))
    except KindError as error:
        raise TypingError(str(error)) from error
    except (TypeError, ValueError) as error:  # a wrong number of operands
        raise TypingError(f"{name}: {error}") from error
    return types.none if found is None else _numba_type(found.kind)


def _type(name: str, native: Native, key: Any) -> None:
    """Let Numba know the types of calls of `key`."""

    def generic(self: Any, given: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        if key in _OPERATORS and not isinstance(given[0], BufferType):
            return None  # of something else
        return templates.signature(_result(name, native, given), *given)

    fields = {"key": key, "generic": generic, "prefer_literal": True, "metadata": {"target": NAME}}
    template = type(name, (templates.AbstractTemplate,), fields)
    typings.register_global(key, types.Function(template))


def _lowering(native: Native) -> Callable[..., Any]:
    def lower(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        found = native(builder, *_operands(signature.args, values))
        return context.get_dummy_value() if found is None else found.value

    return lower


def _primitive(name: str, native: Native) -> Callable[..., Any]:
    def primitive(*operands: Any) -> Any:
        raise NotImplementedError(f"{name} has a meaning only in compiled kernels")

    primitive.__name__ = primitive.__qualname__ = name
    _type(name, native, primitive)
    lowerings.lower(primitive, types.VarArg(types.Any))(_lowering(native))
    return primitive


_OPERATORS: dict[Any, Native] = {operator.getitem: load_element, operator.setitem: store_element}
"""What operators of Python mean for buffers."""

for _key, _native in _OPERATORS.items():
    _type(_key.__name__, _native, _key)
lowerings.lower(operator.getitem, BufferType, types.Integer)(_lowering(load_element))
lowerings.lower(operator.setitem, BufferType, types.Integer, types.Any)(_lowering(store_element))

PRIMITIVES: Mapping[str, Callable[..., Any]] = {
    name: _primitive(name, native) for name, native in NATIVE.items()
}
"""Every name that a kernel may import, as Numba calls it."""

CALLED: Mapping[str, Callable[..., Any]] = {
    name: _primitive(name, native) for name, native in CALLS.items()
}
"""What takes the place of elementary functions in a kernel that has many."""
