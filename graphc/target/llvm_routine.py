"""Calls of BLAS and LAPACK routines as LLVM instructions, from their table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llvmlite import ir

from graphc.target.lapack import PREFIX, LapackRoutine
from graphc.target.llvm_memory import on_stack

_INT = ir.IntType(32)
_LETTER = ir.IntType(8)
_LENGTH = ir.IntType(64)
_PRECISIONS = {ir.FloatType(): "s", ir.DoubleType(): "d"}


def call_routine(
    builder: Any, known: LapackRoutine, element: Any, values: Mapping[str, Any]
) -> Any:
    """Call a routine for elements of an LLVM type; its info as an int64.

    `values` are the primitive's arguments by name: pointers, and int32 for the others."""
    call = _Call(builder, element, values)
    passed = [call.argument(text) for text in known.arguments]
    # Fortran has the length of each letter at the end.
    passed += [_LENGTH(1)] * call.letters
    shape = ir.FunctionType(ir.VoidType(), [value.type for value in passed])
    symbol = f"{PREFIX}{_PRECISIONS[element]}{known.routine}"
    function = builder.module.globals.get(symbol) or ir.Function(builder.module, shape, symbol)
    builder.call(function, passed)
    return builder.sext(builder.load(call.info), ir.IntType(64))


class _Call:
    """One call of a routine, while its arguments are put in place."""

    def __init__(self, builder: Any, element: Any, values: Mapping[str, Any]) -> None:
        self.builder = builder
        self.element = element
        self.values = values
        self.info = on_stack(builder, _INT(0))
        self.letters = 0

    def argument(self, text: str) -> Any:
        """The address of an argument of the routine (see `LapackRoutine`)."""
        held = self._held(text)
        return held if held.type.is_pointer else on_stack(self.builder, held)

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
