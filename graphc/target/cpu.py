"""Kernel text to native code on this machine, through a cache in memory and one on disk.

A process that finds its kernels in the cache loads each in a tenth of a millisecond, without LLVM.
One that does not compiles them, several at once. Two front ends write LLVM from the same text:
graphc's own ("cpu"), and Numba ("numba"), which takes about sixteen times as long. Numba is
imported for its kernels and to compile the driver, once on a machine.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

from graphc.errors import CompileError
from graphc.ops import philox
from graphc.target import blas, cache, engine, loader, outline, processor, rows
from graphc.target import process_symbols as symbols

KERNEL_ABI = "void kernel(int64 lo, int64 hi, int64* argv, int64* context); 1"

_LOCK = threading.RLock()
_memory: dict[str, NativeKernel] = {}
_function_locks: dict[str, threading.Lock] = {}


class NativeKernel(NamedTuple):
    """A function in memory, to be called at `address`; it stays there until the process ends."""

    address: int
    seconds: float  # what it took to compile or to load
    from_cache: bool  # no compilation was needed: found on disk, or in this process
    symbol: str


@functools.cache
def environment() -> str:
    """What the code of a kernel depends on beside its text.

    The modules of this room say what a primitive means, so their content is part of it.
    """
    digest = hashlib.sha256()
    room = os.path.dirname(__file__)
    names = sorted(name for name in os.listdir(room) if name.endswith(".py"))
    # Philox is written on a lower floor, where the interpreter needs it too.
    for path in (*(os.path.join(room, name) for name in names), philox.__file__):
        # Some eighty files, by their content: half a millisecond less than through `Path`.
        with open(path, "rb", buffering=0) as file:
            digest.update(os.path.basename(path).encode() + b"\0" + file.read() + b"\0")
    # What the driver depends on.
    digest.update(cache.release("numba", "_version.py").encode())
    return "\n".join([KERNEL_ABI, digest.hexdigest(), processor.description()])


def compile_kernel(source: str, front_end: str = "cpu") -> NativeKernel:
    """Native code of the function `kernel` of a kernel module (see `loader`).

    `front_end` is "cpu" or "numba". Raises CompileError, naming the line, for text that is not a
    kernel or whose operands do not fit; CacheError when the cache directory is open to others.
    """
    known = _FRONT_ENDS[front_end]
    return native_function(known.kind, source, functools.partial(known.emit, source))


def native_function(kind: str, text: str, emit: Callable[[str], bytes]) -> NativeKernel:
    """The function that `text` stands for, from memory, from disk, or made by `emit(symbol)`."""
    key = cache.content_key(kind, text, environment())
    with _LOCK:
        return _found(key) or _remember(key, _made(key, kind, emit))


def kernel_key(source: str, front_end: str = "cpu") -> str:
    """The name under which the code of a kernel is kept."""
    return cache.content_key(_FRONT_ENDS[front_end].kind, source, environment())


def kept_kernels(keys: Iterable[str]) -> list[NativeKernel] | None:
    """The kernels of these names, from memory or from disk; None if one of them is not there."""
    found = []
    with _LOCK:
        for key in keys:
            kernel = _found(key)
            if kernel is None:
                return None
            found.append(kernel)
    return found


def compile_kernels(
    sources: Iterable[str], workers: int, front_end: str = "cpu"
) -> dict[str, NativeKernel]:
    """Native code of several kernel modules, compiled by several threads at once.

    A module that cannot be compiled is left out; `compile_kernel` says why. The threads have
    ended when this returns. Code does not depend on how many there are.
    """
    known = _FRONT_ENDS[front_end]
    with _LOCK:
        keys = {source: kernel_key(source, front_end) for source in sources}
        found = {source: _found(key) for source, key in keys.items()}
        missing = [source for source in keys if found[source] is None]
        # The longest ones first: the threads then end at about the same time.
        missing.sort(key=len, reverse=True)
        made = _compile_all({source: keys[source] for source in missing}, workers, known)
        for source, kernel in made.items():
            found[source] = _remember(keys[source], kernel)
        return {source: kernel for source, kernel in found.items() if kernel is not None}


def _found(key: str) -> NativeKernel | None:
    """A kernel from memory or from disk."""
    known = _memory.get(key)
    if known is None and (kernel := _from_disk(key)) is not None:
        known = _remember(key, kernel)
    return known


def _remember(key: str, kernel: NativeKernel) -> NativeKernel:
    # Who asks again finds it ready.
    _memory[key] = kernel._replace(seconds=0.0, from_cache=True)
    return kernel


def _compile_all(
    missing: Mapping[str, str], workers: int, front_end: _FrontEnd
) -> dict[str, NativeKernel]:
    """The kernels of these sources, by source; their keys are given."""
    jobs = iter(missing.items())  # gives each of its items to one thread
    made: dict[str, NativeKernel] = {}

    def work() -> None:
        for source, key in jobs:
            with suppress(Exception):  # compile_kernel meets it again
                made[source] = _made(key, front_end.kind, functools.partial(front_end.emit, source))

    helpers = [Thread(target=work) for _ in range(min(workers, len(missing)) - 1)]
    for helper in helpers:
        helper.start()
    try:
        work()
    finally:
        for _ in jobs:  # after an interrupt nothing more is begun
            pass
        for helper in helpers:
            helper.join()
    return made


def _from_disk(key: str) -> NativeKernel | None:
    start = time.perf_counter()
    item = cache.find(key)
    if item is not None:
        with suppress(CompileError):  # what cannot be loaded is compiled again, and then raises
            return _loaded(item, start, from_cache=True)
    return None


def _made(key: str, kind: str, emit: Callable[[str], bytes]) -> NativeKernel:
    from graphc.target import object_code

    start = time.perf_counter()
    symbol = f"graphc_{kind}_{key[:32]}"
    code, needs = object_code.loadable(emit(symbol), symbol)
    item = cache.ObjectCode(symbol, needs, code)
    cache.store(key, item)
    return _loaded(item, start, from_cache=False)


def _loaded(item: cache.ObjectCode, start: float, from_cache: bool) -> NativeKernel:
    blas.define_symbols(item.needs)
    for name in item.needs:
        if outline.is_symbol(name) or rows.is_symbol(name):
            _define_function(name)
    address = engine.load(item.code, item.symbol, item.needs)
    return NativeKernel(address, time.perf_counter() - start, from_cache, item.symbol)


def define_rows() -> None:
    """Have what kernels put short rows side by side with compiled and on disk."""
    for name in rows.SYMBOLS:
        _define_function(name)


def _define_function(name: str) -> None:
    """Compile a function that kernels call, once in a process, or find it on disk."""
    # A lock of its own: threads come here whose starter holds that of the kernels.
    with _function_locks.setdefault(name, threading.Lock()):
        if not symbols.is_defined(name):
            key = cache.content_key("function", name, environment())
            emit = functools.partial(_emit_function, name)
            function = _from_disk(key) or _made(key, "function", emit)
            symbols.define(name, function.address)


def _emit_function(name: str, symbol: str) -> bytes:
    from graphc.target import llvm_functions, llvm_rows, object_code

    if rows.is_symbol(name):
        return object_code.emit(object_code.parse(llvm_rows.function_module(name, symbol)))
    return object_code.object_code(llvm_functions.function_module(name, symbol))


def _emit(source: str, symbol: str) -> bytes:
    # Building LLVM's text takes 10 ms to import: only when something must be compiled.
    from graphc.target import llvm_functions, native_kernel, native_primitives, object_code

    filename = f"<graphc {symbol}>"
    kernels = loader.parse(source, native_primitives.NATIVE, filename)
    _require_kernel(kernels, filename)
    outline.outline(kernels["kernel"])
    text = native_kernel.kernel_module(kernels["kernel"], symbol, filename)
    return object_code.object_code(llvm_functions.with_variants(text))


def _emit_with_numba(source: str, symbol: str) -> bytes:
    # Numba takes 0.2 s to import.
    from graphc.target import llvm_functions, numba_kernel, numba_primitives, object_code

    def change(kernel: ast.FunctionDef) -> Mapping[str, object]:
        outline.outline(kernel)
        return numba_primitives.CALLED

    filename = f"<graphc {symbol}>"
    kernels = loader.load(source, numba_primitives.PRIMITIVES, filename, change)
    _require_kernel(kernels, filename)
    text = numba_kernel.kernel_module(kernels["kernel"], symbol)
    return object_code.object_code(llvm_functions.with_variants(text))


def _require_kernel(found: Collection[str], filename: str) -> None:
    if "kernel" not in found:
        raise CompileError(f"{filename}: expected a function kernel, got {sorted(found)}")


class _FrontEnd(NamedTuple):
    """A way from a kernel's text to object code; `kind` sets its code apart in the cache."""

    kind: str
    emit: Callable[[str, str], bytes]  # of the text and the symbol


_FRONT_ENDS = {
    "cpu": _FrontEnd("kernel", _emit),
    "numba": _FrontEnd("numba_kernel", _emit_with_numba),
}


# A child of a fork has only the thread that forked: no other one may be compiling then.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )
