"""BLAS and LAPACK routines as Numba intrinsics, from their table.

Imports Numba; nothing imports it before a kernel has to be compiled.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import numba.extending
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from graphc.target.lapack import LAPACK, PREFIX, LapackRoutine

_INT = ir.IntType(32)
_LETTER = ir.IntType(8)
_LENGTH = ir.IntType(64)
_PRECISIONS = {types.float32: "s", types.float64: "d"}


def _symbol(name: str, routine: str, buffers: list[Any]) -> str:
    """The routine for the element type of the first buffer."""
    dtype = getattr(buffers[0], "dtype", None) if buffers else None
    if dtype not in _PRECISIONS:
        found = buffers[0] if buffers else "none"
        raise TypingError(f"{name}: expected a float32 or float64 pointer, got {found}")
    return f"{PREFIX}{_PRECISIONS[dtype]}{routine}"


class _Call:
    """One call of a routine, while its arguments are put in place."""

    def __init__(self, builder: Any, element: Any, values: Mapping[str, Any]) -> None:
        self.builder = builder
        self.element = element
        self.values = values  # a pointer, or an int32
        self.info = cgutils.alloca_once_value(builder, _INT(0))
        self.letters = 0

    def argument(self, text: str) -> Any:
        """The address of an argument of the routine (see `LapackRoutine`)."""
        held = self._held(text)
        return held if held.type.is_pointer else cgutils.alloca_once_value(self.builder, held)

    def _held(self, text: str) -> Any:
        builder = self.builder
        if text == "info":
            return self.info
        if text in self.values:
            return self.values[text]
        if leading := re.fullmatch(r"ld\((\w+)\)", text):
            size = self.values[leading[1]]
            return builder.select(builder.icmp_signed(">", size, _INT(0)), size, _INT(1))
        if letter := re.fullmatch(r"'(\w)'", text):
            self.letters += 1
            return _LETTER(ord(letter[1]))
        if choice := re.fullmatch(r"(\w+)\?(\w):(\w)", text):
            self.letters += 1
            chosen = builder.icmp_signed("!=", self.values[choice[1]], _INT(0))
            return builder.select(chosen, _LETTER(ord(choice[2])), _LETTER(ord(choice[3])))
        return self.element(float(text))


def _lapack(name: str, known: LapackRoutine) -> Callable[..., Any]:
    def typing(typing_context: Any, *given: Any) -> Any:
        buffers = [value for value in given if hasattr(value, "slot")]
        symbol = _symbol(name, known.routine, buffers)

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = {
                parameter: value
                if hasattr(kind, "slot")
                else context.cast(builder, value, kind, types.int32)
                for parameter, value, kind in zip(
                    known.parameters, args, signature.args, strict=True
                )
            }
            element = context.get_value_type(buffers[0].dtype)
            call = _Call(builder, element, values)
            passed = [call.argument(text) for text in known.arguments]
            # Fortran has the length of each letter at the end.
            passed += [_LENGTH(1)] * call.letters
            function = ir.FunctionType(ir.VoidType(), [value.type for value in passed])
            builder.call(cgutils.get_or_insert_function(builder.module, function, symbol), passed)
            return builder.sext(builder.load(call.info), ir.IntType(64))

        return types.int64(*given), emit

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ("typing_context", *known.parameters)
    # Numba matches a call with the parameters it sees here.
    shown = inspect.Signature([inspect.Parameter(parameter, kind) for parameter in names])
    typing.__signature__ = shown  # type: ignore[attr-defined]
    made: Callable[..., Any] = numba.extending.intrinsic(prefer_literal=True)(typing)
    return made


LAPACK_INTRINSICS: dict[str, Callable[..., Any]] = {
    name: _lapack(name, known) for name, known in LAPACK.items()
}
