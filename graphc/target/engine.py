"""The machine that turns native code into callable addresses.

Images (see `image`) are put in memory as they are: a process whose kernels are all in the cache
imports neither Numba nor llvmlite. Object files that are none, on systems where images are not
known, are loaded by LLVM: one JIT engine a process.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from graphc.errors import CompileError
from graphc.target import code_memory, image, process_symbols

_LOCK = threading.RLock()


@functools.cache
def binding() -> Any:
    """LLVM, made ready for this machine. It takes 25 ms to load: not before it is needed."""
    import llvmlite.binding

    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    return llvmlite.binding


def target_machine() -> Any:
    """The host CPU as LLVM sees it, with every feature it has: one for one thread at a time."""
    llvm = binding()
    triple = llvm.get_process_triple()
    # What refers to places by distance alone makes an image. The code is as fast as with whole
    # addresses, which LLVM's own engine needs: it may put constants far from their code.
    images = code_memory.available()
    static = "static" if triple.startswith("x86") else "default"
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        reloc="pic" if images else static,
        codemodel="small" if images else "jitdefault",
        jit=True,
    )


@functools.cache
def description() -> str:
    """What object code depends on beside its source: LLVM, the CPU and its features."""
    import llvmlite

    llvm = binding()
    features = llvm.get_host_cpu_features().flatten()
    version = ".".join(str(part) for part in llvm.llvm_version_info)
    triple = llvm.get_process_triple()
    cpu = llvm.get_host_cpu_name()
    return f"llvmlite {llvmlite.__version__} llvm {version} {triple} {cpu} {features}"


def load(code: bytes, symbol: str, needs: list[str]) -> int:
    """The address of function `symbol` of an object file or an image, which stays loaded until the
    process ends.

    `needs` are the names it refers to. LLVM ends the process when one is missing, so they are
    looked up first: CompileError names those that are not there."""
    addresses = {name: process_symbols.address(name) for name in needs}
    missing = [name for name, address in addresses.items() if address is None]
    if missing:
        raise CompileError(
            f"native code of {symbol}: expected the symbols {missing} in this process"
        )
    if image.is_image(code):
        known = {name: address for name, address in addresses.items() if address is not None}
        return code_memory.load(image.decode(code, needs), known)
    return _load_object(code, symbol)


@functools.cache
def _engine() -> Any:
    llvm = binding()
    module = llvm.parse_assembly("", llvm.create_context())
    return llvm.create_mcjit_compiler(module, target_machine())


def _load_object(code: bytes, symbol: str) -> int:
    with _LOCK:
        engine = _engine()  # which makes the process's own symbols known, such as memset
        for name, place in process_symbols.defined().items():
            binding().add_symbol(name, place)
        engine.add_object_file(binding().ObjectFileRef.from_data(code))
        engine.finalize_object()
        address = int(engine.get_function_address(symbol))
    if not address:
        raise CompileError(f"native code of {symbol}: the function is not in it")
    return address
