"""The names that native code may refer to, and their addresses in this process."""

from __future__ import annotations

import ctypes
import functools

_defined: dict[str, int] = {}


@functools.cache
def _process() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def define(symbol: str, address: int) -> None:
    """Make `symbol` known to all code loaded later."""
    _defined[symbol] = address


def is_defined(symbol: str) -> bool:
    """Whether `symbol` was defined, or looked up and found."""
    return symbol in _defined


def defined() -> dict[str, int]:
    """All that was defined, by name, and what was looked up."""
    return dict(_defined)


def address(symbol: str) -> int | None:
    """Where `symbol` is: as it was defined, else what the process itself has, such as memset."""
    if symbol not in _defined:
        found = getattr(_process(), symbol, None)
        if found is None:
            return None
        _defined[symbol] = int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    return _defined[symbol]
