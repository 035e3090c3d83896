"""Typed memory at an address, for kernels that run as plain Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

_STORES: dict[str, Callable[[Any], Any]] = {"b": bool, "i": int, "u": int, "f": float}


class Pointer:
    """Typed memory at an address, indexed like a C pointer; loads give NumPy scalars."""

    __slots__ = ("_elements", "_load", "_store", "address", "dtype", "owner")

    def __init__(self, address: int, dtype: np.dtype[Any]) -> None:
        self.address = address
        self.dtype = dtype
        stored = ctypes.c_uint8 if dtype == np.bool_ else np.ctypeslib.as_ctypes_type(dtype)
        self._elements: Any = ctypes.cast(address, ctypes.POINTER(stored))
        self._load = dtype.type
        self._store = _STORES[dtype.kind]
        self.owner: object = None  # of memory that lives as long as this pointer

    def __getitem__(self, index: int) -> Any:
        return self._load(self._elements[index])

    def __setitem__(self, index: int, value: Any) -> None:
        self._elements[index] = self._store(value)

    def array(self, *shape: int) -> np.ndarray[Any, np.dtype[Any]]:
        """The memory as a C-contiguous array of this shape, not a copy."""
        count = int(np.prod(shape))
        memory: Any = (ctypes.c_uint8 * (count * self.dtype.itemsize)).from_address(self.address)
        return np.ndarray(shape, self.dtype, memory)
