"""Element types, how they are stored, and how they combine.

What is stored may differ from what is computed in: a `bool` takes one byte, a `uint8` image is
computed in `int32`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphc.errors import DTypeError


@dataclass(frozen=True, repr=False)
class DType:
    """An element type: its name, its family, its bytes in memory, and the type it is computed
    in."""

    name: str
    family: str  # "bool", "uint", "int" or "float"
    itemsize: int
    compute: str
    numpy: np.dtype[np.generic] = field(compare=False)

    def __repr__(self) -> str:
        return self.name

    @property
    def is_float(self) -> bool:
        """Whether values are floating-point numbers."""
        return self.family == "float"

    @property
    def is_integer(self) -> bool:
        """Whether values are integers (`bool` is not counted)."""
        return self.family in ("int", "uint")


def _declare(name: str, family: str, compute: str = "") -> DType:
    numpy_type = np.dtype(name)
    return DType(name, family, numpy_type.itemsize, compute or name, numpy_type)


bool_ = _declare("bool", "bool")
uint8 = _declare("uint8", "uint", compute="int32")
uint32 = _declare("uint32", "uint")
int32 = _declare("int32", "int")
int64 = _declare("int64", "int")
float32 = _declare("float32", "float")
float64 = _declare("float64", "float")

DTYPES: dict[str, DType] = {
    dtype.name: dtype for dtype in (bool_, uint8, uint32, int32, int64, float32, float64)
}

# Two integers of different types meet in the smallest type here that holds both.
_INTEGER_MEETING = {
    frozenset(("uint8", "uint32")): uint32,
    frozenset(("uint8", "int32")): int32,
    frozenset(("uint8", "int64")): int64,
    frozenset(("uint32", "int32")): int64,
    frozenset(("uint32", "int64")): int64,
    frozenset(("int32", "int64")): int64,
}

_default_float = [float32]


def default_float() -> DType:
    """The float type of declarations and of Python floats that meet integers."""
    return _default_float[0]


def set_default_float(dtype: object) -> None:
    """Make `dtype` ("float32" or "float64") the float type of later declarations.

    >>> set_default_float("float64"); default_float()
    float64
    >>> set_default_float("float32")
    """
    chosen = as_dtype(dtype)
    if not chosen.is_float:
        raise DTypeError(f"set_default_float: expected float32 or float64, got {chosen}")
    _default_float[0] = chosen


def as_dtype(value: object) -> DType:
    """The graphc type of a name, a NumPy dtype, a Python type or a DType.

    >>> as_dtype("float32"), as_dtype(np.int64), as_dtype(bool)
    (float32, int64, bool)
    """
    if isinstance(value, DType):
        return value
    if value is float:
        return default_float()
    if value is int:
        return int64
    try:
        name = np.dtype(value).name  # type: ignore[call-overload]
    except TypeError:
        name = repr(value)
    if name not in DTYPES:
        raise DTypeError(f"expected one of {', '.join(DTYPES)}; got {name}")
    return DTYPES[name]


def promote(first: DType, second: DType) -> DType:
    """The type in which values of two types meet.

    An integer with a float takes the float's own type, so `float32` never becomes `float64`
    unasked.

    >>> promote(int64, float32), promote(uint8, int32), promote(float32, float64)
    (float32, int32, float64)
    """
    if first is second:
        return first
    if first.is_float and second.is_float:
        return float64
    if first.is_float or second.is_float:
        return first if first.is_float else second
    if bool_ in (first, second):
        return second if first is bool_ else first
    return _INTEGER_MEETING[frozenset((first.name, second.name))]


def weak_dtype(value: bool | int | float, partner: DType | None) -> DType:
    """The type a Python number takes beside `partner`: the partner's, unless that cannot hold its
    family."""
    if isinstance(value, bool):
        return partner if partner is not None else bool_
    if isinstance(value, int):
        return partner if partner is not None and partner is not bool_ else int64
    return partner if partner is not None and partner.is_float else default_float()
