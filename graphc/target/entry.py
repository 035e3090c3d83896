"""Native functions that Python calls without ctypes in between, as it calls its own.

ctypes converts arguments by what it looks up at each call: 0.4 us. A built-in function that takes
one object (METH_O of CPython's stable interface) costs a tenth of it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from graphc.target import process_symbols

_ONE_ARGUMENT = 0x0008  # METH_O

# What native text may call; see `interpreter_intrinsics`.
_INTERFACE = (
    "PyLong_AsLongLong",
    "PyLong_FromLongLong",
    "PyErr_Occurred",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
)


class _MethodDefinition(ctypes.Structure):
    """CPython's `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@functools.cache
def define_interface() -> None:
    """Make the interpreter's functions known to native code that is loaded later."""
    for name in _INTERFACE:
        found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        process_symbols.define(name, int(found or 0))


@functools.cache
def _definition(address: int) -> Any:
    """Built-in functions refer to it as long as they live: kept until the process ends."""
    return _MethodDefinition(b"run", address, _ONE_ARGUMENT, None)


def builtin(address: int, data: int, owner: object) -> Callable[[int], int]:
    """A built-in function of one integer: `PyObject *(PyObject *data, PyObject *argument)` at
    `address`. It keeps `owner` alive, which is to own what `data` is the address of."""
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.argtypes, make.restype = (
        [ctypes.c_void_p, ctypes.py_object, ctypes.py_object],
        ctypes.py_object,
    )
    # Where an extension has its module, which such a function keeps alive.
    made: Callable[[int], int] = make(ctypes.addressof(_definition(address)), data, owner)
    return made
