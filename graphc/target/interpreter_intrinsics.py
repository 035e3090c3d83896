"""Functions of CPython's stable interface that native text calls: integers in and out, the GIL.

Objects are int64, the addresses of their `PyObject`. Imports Numba; used only when the driver must
be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from graphc.target.machine_intrinsics import INT64, of_integers


def _interpreter_function(name: str, arguments: int, result: Any = types.int64) -> Any:
    """A function of integers and addresses; `result` is int64 or none."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        returned = ir.VoidType() if result == types.none else INT64
        shape = ir.FunctionType(returned, [INT64] * arguments)
        value = builder.call(cgutils.get_or_insert_function(builder.module, shape, name), args)
        return context.get_dummy_value() if result == types.none else value

    function: Callable[..., Any] = of_integers(result(*(types.int64,) * arguments), emit)
    return function


integer_of = _interpreter_function("PyLong_AsLongLong", 1)  # -1 with an error set: not an integer
new_integer = _interpreter_function("PyLong_FromLongLong", 1)
error_set = _interpreter_function("PyErr_Occurred", 0)  # 0: none
release_gil = _interpreter_function("PyEval_SaveThread", 0)  # the state to take it back with
take_gil = _interpreter_function("PyEval_RestoreThread", 1, types.none)
