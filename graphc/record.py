"""Records: values that are many, or whose classes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True)
def record(defined: type[Class]) -> type[Class]:
    """A dataclass that compares and hashes by value, and that nothing may change.

    The type checker sees to it that nothing does. That Python does too (`frozen=True`) nearly
    doubles the time to load each class and to make each object, of which a compiler has thousands.
    """
    return dataclass(unsafe_hash=True)(defined)
