"""A kernel's text compiled by Numba: typed, lowered and given to the same passes as the others.

It takes about sixteen times as long as `native_kernel`, and is a second way from the same text to
machine code: Numba reads the bytecode of the function, infers the types and has arithmetic of its
own. Imports Numba; used only when a kernel must be compiled for the target "numba".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types

from graphc.target import numba_codegen
from graphc.target.numba_primitives import TABLE


def kernel_module(function: Callable[..., Any], symbol: str) -> str:
    """The LLVM text of a loaded kernel, exported as `symbol`, not optimised.

    Raises CompileError with Numba's reason and the line."""
    arguments = (types.int64, types.int64, TABLE, TABLE)
    return numba_codegen.llvm_text(numba_codegen.Function(function, symbol, arguments, types.none))
