"""What makes a node more than its inputs: a constant's array, a declaration's identity."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from graphc.ir.node import Node

# Numbers in order of creation: the same in every run of one program.
numbers = itertools.count()


class ConstantArray:
    """A read-only array that compares by dtype, shape and bits (so 0.0 and -0.0 differ)."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array, order="C")
        self.array.setflags(write=False)
        self._key = (self.array.dtype.str, self.array.shape, self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantArray) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ConstantArray({self.array.dtype}, {self.array.shape})"


class Declaration:
    """What makes a declared node its own: its role, its name, and the value it carries between
    calls.

    `effects` are checks and prints of values that depend on it (see `graphc.ops.effect`): they live
    no longer than the declaration.
    """

    __slots__ = ("effects", "lock", "name", "number", "role", "value")

    def __init__(self, role: str, name: str, value: np.ndarray | None = None) -> None:
        self.role = role
        self.name = name
        self.number = next(numbers)
        self.value = value
        self.lock = threading.RLock()
        self.effects: list[Node] = []

    def __repr__(self) -> str:
        return f"{self.role} {self.name!r}"


def attribute_key(value: object) -> object:
    """A hashable that is equal for attributes of the same type and bits only: 1, 1.0 and True
    differ."""
    if isinstance(value, tuple):
        return tuple([attribute_key(item) for item in value])
    if isinstance(value, float):
        return (float, value.hex())
    if isinstance(value, Declaration):
        return (Declaration, value.number)
    return (type(value), value)
