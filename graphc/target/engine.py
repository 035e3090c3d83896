"""The machine that turns object code into callable addresses: one LLVM JIT engine a process.

llvmlite only: a process whose kernels are all in the cache never imports Numba.
"""

from __future__ import annotations

import functools
import struct
import threading
from typing import Any

from graphc.errors import CompileError

_LOCK = threading.RLock()
_ELF_MAGIC = b"\x7fELF\x02\x01"  # 64-bit, little endian
_SYMBOL_TABLE = 2  # SHT_SYMTAB
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size


@functools.cache
def binding() -> Any:
    """LLVM, made ready for this machine. It takes 30 ms to load: not before it is needed."""
    import llvmlite.binding

    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    return llvmlite.binding


def target_machine() -> Any:
    """The host CPU as LLVM sees it, with every feature it has: one for one thread at a time."""
    llvm = binding()
    triple = llvm.get_process_triple()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        reloc="static" if triple.startswith("x86") else "default",
        codemodel="jitdefault",
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


@functools.cache
def _engine() -> Any:
    llvm = binding()
    module = llvm.parse_assembly("", llvm.create_context())
    return llvm.create_mcjit_compiler(module, target_machine())


def undefined_symbols(object_code: bytes) -> list[str]:
    """Names that `object_code` calls but does not define (ELF; elsewhere none are known)."""
    if not object_code.startswith(_ELF_MAGIC):
        return []
    table_offset = struct.unpack_from("<Q", object_code, 0x28)[0]
    entry_size, count = struct.unpack_from("<HH", object_code, 0x3A)
    names: set[str] = set()
    for index in range(count):
        header = struct.unpack_from("<IIQQQQIIQQ", object_code, table_offset + index * entry_size)
        if header[1] == _SYMBOL_TABLE:
            strings = struct.unpack_from(
                "<IIQQQQ", object_code, table_offset + header[6] * entry_size
            )
            names.update(_undefined(object_code, header[4], header[5], strings[4]))
    return sorted(names)


def _undefined(object_code: bytes, offset: int, size: int, strings: int) -> list[str]:
    found = []
    for entry in range(offset, offset + size, _SYMBOL.size):
        name, _info, _other, section, _value, _size = _SYMBOL.unpack_from(object_code, entry)
        if section == 0 and name:
            start = strings + name
            found.append(object_code[start : object_code.index(b"\0", start)].decode())
    return found


def define(symbol: str, address: int) -> None:
    """Make `symbol` known to all object code loaded later."""
    with _LOCK:
        binding().add_symbol(symbol, address)


def is_defined(symbol: str) -> bool:
    """Whether object code may refer to `symbol`."""
    with _LOCK:
        _engine()  # which makes the process's own symbols known, such as memset
        return binding().address_of_symbol(symbol) is not None


def load(object_code: bytes, symbol: str, needs: list[str]) -> int:
    """The address of function `symbol` of `object_code`, which stays loaded until the process ends.

    `needs` are the names it refers to. LLVM ends the process when one is missing, so they are
    looked up first: CompileError names those that are not there."""
    missing = [name for name in needs if not is_defined(name)]
    if missing:
        raise CompileError(
            f"native code of {symbol}: expected the symbols {missing} in this process"
        )
    with _LOCK:
        engine = _engine()
        engine.add_object_file(binding().ObjectFileRef.from_data(object_code))
        engine.finalize_object()
        address = int(engine.get_function_address(symbol))
    if not address:
        raise CompileError(f"native code of {symbol}: the function is not in it")
    return address
