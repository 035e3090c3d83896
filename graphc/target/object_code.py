"""From an LLVM module to object code for this CPU, and to what is kept of that.

llvmlite lets one thread at a time into LLVM. A module has a context of its own here, and a thread
a target machine and passes, which is what LLVM asks of threads; so the two calls that take
long go around llvmlite's lock, and several kernels are compiled at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm

from graphc.errors import CompileError
from graphc.target import code_memory, elf, engine, linker


class _Tools:
    """What one thread at a time needs of LLVM."""

    def __init__(self) -> None:
        self.machine = engine.target_machine()
        self.layout = str(self.machine.target_data)
        self.triple = llvm.get_process_triple()
        # Level 3, straight-line vectors and unrolled remainders changed no kernel's speed
        # measurably, and took an eighth more time to compile.
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = True
        options.loop_interleaving = True
        options.slp_vectorization = False
        options.loop_unrolling = False
        self.options = options


# Kept for the next thread. What ended with its thread would be given back to LLVM at a moment of
# its own, with llvmlite's lock held, perhaps while another thread forks.
_idle: list[_Tools] = []


@contextmanager
def _tools() -> Iterator[_Tools]:
    try:
        tools = _idle.pop()
    except IndexError:
        tools = _Tools()
    try:
        yield tools
    finally:
        _idle.append(tools)


def _unlocked(name: str) -> Any:
    return getattr(llvm.ffi.lib._lib, name)


def host() -> tuple[str, str]:
    """The triple and the data layout of modules: an LLVM text has them from the beginning, since
    how loads and stores are aligned follows from them when it is read."""
    with _tools() as tools:
        return tools.triple, tools.layout


def parse(text: str) -> Any:
    """The module of an LLVM text, verified, in a context of its own."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    return module


def optimize(module: Any) -> None:
    """Run LLVM's passes over a module, which no other thread may use."""
    with _tools() as tools:
        builder = llvm.create_pass_builder(tools.machine, tools.options)
        passes = builder.getModulePassManager()
        _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)


def emit(module: Any) -> bytes:
    """The object code of a module as it is."""
    lib = llvm.ffi.lib
    with _tools() as tools, llvm.ffi.OutputString() as error:
        emit_to_memory = _unlocked("LLVMPY_TargetMachineEmitToMemory")
        buffer = emit_to_memory(tools.machine, module, 1, error)
        if not buffer:
            raise CompileError(f"LLVM cannot emit object code: {error}")
    try:
        start, size = lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        lib.LLVMPY_DisposeMemoryBuffer(buffer)


def object_code(text: str) -> bytes:
    """Optimised object code of an LLVM text."""
    module = parse(text)
    optimize(module)
    return emit(module)


def loadable(code: bytes, symbol: str) -> tuple[bytes, list[str]]:
    """What to keep of an object file that defines `symbol`, and the names that it refers to.

    An image of it; the file itself where there are no images, or where the linker met something
    that it does not know."""
    if code_memory.available():
        try:
            linked = linker.link(code, symbol)
        except elf.UnknownObject:
            pass
        else:
            return linked.encode(), linked.needs
    return code, elf.undefined_symbols(code)
