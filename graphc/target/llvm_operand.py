"""Operands of primitives as LLVM values: numbers, buffers and the tables of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphc.target import llvm_scalar as scalar
from graphc.target.llvm_scalar import Kind


class KindError(TypeError):
    """A primitive or an operator got what it has no meaning for."""


@dataclass(frozen=True)
class Buffer:
    """A pointer to elements of one kind, known by the argument slot it came from."""

    kind: Kind
    slot: int

    def __str__(self) -> str:
        return f"{self.kind} pointer"


class Operand(NamedTuple):
    """An LLVM value and what it is; `literal` is the number of an integer written as such."""

    kind: Kind | Buffer | None
    value: Any
    literal: int | None = None


Native = Callable[..., Operand | None]
"""(builder, operands ...) -> the result, or None of a primitive without one."""

KINDS = {
    "boolean": Kind("boolean", 1),
    "uint8": Kind("unsigned", 8),
    "int32": Kind("signed", 32),
    "uint32": Kind("unsigned", 32),
    "int64": Kind("signed", 64),
    "float32": Kind("float", 32),
    "float64": Kind("float", 64),
}
BOOLEAN, INT32, INT64 = KINDS["boolean"], KINDS["int32"], KINDS["int64"]
FLOAT64 = KINDS["float64"]


def number(name: str, operand: Operand) -> Kind:
    """The kind of a number; raises KindError for a buffer or a table."""
    if not isinstance(operand.kind, Kind):
        raise KindError(f"{name}: expected a number, got {operand.kind or 'a table'}")
    return operand.kind


def common(name: str, *operands: Operand) -> Kind:
    """The kind that operands are computed in: their own, or of different integers int64."""
    kinds = [number(name, operand) for operand in operands]
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    if any(kind.is_float for kind in kinds):
        raise KindError(f"{name}: expected operands of one type, got {', '.join(map(str, kinds))}")
    return INT64


def as_kind(builder: Any, operand: Operand, kind: Kind) -> Any:
    """The LLVM value of a number, converted to another kind."""
    return scalar.cast(builder, number("conversion", operand), kind, operand.value)
