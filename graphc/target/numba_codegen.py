"""Numba's part of a compilation: a Python function to object code with one exported symbol.

Numba types and lowers the function; its LLVM module is then optimised and emitted by
`object_code`. That leaves out wrappers that take Python objects, an environment, a second and third
optimisation, a copy in Numba's own engine. The driver comes here, and kernels of the target
"numba"; those of the target "cpu" go through `native_kernel`.

A function cannot raise: its error model is NumPy's and the status that Numba returns is dropped by
the exported wrapper. Failures go through the context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import codegen, compiler, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions

from graphc.errors import CompileError
from graphc.target import numba_target, object_code


class _Library(codegen.CPUCodeLibrary):
    """Collects a module; Numba's own optimisation of single functions is left out."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def linked_module(self) -> Any:
        """The module with all it calls, not optimised."""
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        return self._final_module


def _flags() -> Any:
    flags: Any = compiler.Flags()
    flags.no_compile = True
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.enable_pyobject = False
    flags.error_model = "numpy"
    flags.fastmath = FastMathOptions({"contract"})
    return flags


def _exported(context: Any, described: Any, symbol: str) -> Any:
    """A module with the C function `symbol`, which calls Numba's and drops its status."""
    module = context.create_module(symbol)
    callee_type = context.call_conv.get_function_type(described.restype, described.argtypes)
    callee = ir.Function(module, callee_type, described.llvm_func_name)
    void = described.restype == types.none
    result_type = ir.VoidType() if void else context.get_value_type(described.restype)
    arguments = [context.get_value_type(argument) for argument in described.argtypes]
    function = ir.Function(module, ir.FunctionType(result_type, arguments), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    _status, result = context.call_conv.call_function(
        builder, callee, described.restype, described.argtypes, function.args
    )
    if void:
        builder.ret_void()
    else:
        builder.ret(result)
    return llvm.parse_assembly(str(module))


def _hide_all_but(module: Any, symbol: str) -> None:
    for group in (module.functions, module.global_variables):
        for value in group:
            if not value.is_declaration and value.name != symbol:
                value.linkage = llvm.Linkage.internal


class Function(NamedTuple):
    """A Python function and what it is to be in native code."""

    function: Callable[..., Any]
    symbol: str
    arguments: tuple[Any, ...]
    result: Any


def _lower(item: Function) -> Any:
    """The LLVM module of one function, not optimised, with its exported wrapper."""
    context = numba_target.target.target_context
    library: Any = _Library(context.codegen(), item.symbol)  # type: ignore[no-untyped-call]
    try:
        compiled = numba_target.compile_function(
            item.function, item.arguments, item.result, _flags(), library
        )
    except Exception as error:  # also what goes wrong inside Numba: no kernel, no program
        raise CompileError(_reason(item.function, error)) from error
    module = library.linked_module()
    module.link_in(_exported(context, compiled.fndesc, item.symbol))
    return module


def llvm_text(item: Function) -> str:
    """The LLVM text of a function, not optimised; it exports its symbol alone.

    Raises CompileError, with Numba's reason, for what cannot be compiled.
    """
    with global_compiler_lock:
        module = _lower(item)
        _hide_all_but(module, item.symbol)
        return str(module)


def optimized_module(item: Function, parts: Iterable[Function] = ()) -> Any:
    """The optimised LLVM module of a function and the parts it calls; it exports its symbol alone.

    Raises CompileError, with Numba's reason, for what cannot be compiled.
    """
    with global_compiler_lock:
        module = _lower(item)
        for part in parts:
            module.link_in(_lower(part))
        module.verify()
        _hide_all_but(module, item.symbol)
        object_code.optimize(module)
    return module


def emit_object(item: Function, parts: Iterable[Function] = ()) -> bytes:
    """Object code for this CPU; the function is called under its symbol, as C does."""
    return object_code.emit(optimized_module(item, parts))


def _reason(function: Callable[..., Any], error: Any) -> str:
    line = getattr(getattr(error, "loc", None), "line", None)
    place = f" line {line}" if line is not None else ""
    detail = getattr(error, "msg", None) or str(error)
    return f"{function.__code__.co_filename}{place}: Numba cannot compile it: {detail}"
