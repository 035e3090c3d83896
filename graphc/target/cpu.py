"""Kernel text to native code on this machine, through a cache in memory and one on disk.

A process that finds its kernels in the cache imports llvmlite, not Numba, and loads each in well
under a millisecond.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphc.errors import CompileError
from graphc.ops import philox
from graphc.target import blas, cache, engine, loader

KERNEL_ABI = "void kernel(int64 lo, int64 hi, int64* argv, int64* context); 1"

_LOCK = threading.RLock()
_memory: dict[str, NativeKernel] = {}


@dataclass(frozen=True, slots=True)
class NativeKernel:
    """A function in memory, to be called at `address`; it stays there until the process ends."""

    address: int
    seconds: float  # what it took to compile or to load
    from_cache: bool  # no compilation was needed
    symbol: str


@functools.cache
def _environment() -> str:
    """What the code of a kernel depends on beside its text.

    The modules of this room say what a primitive means, so their content is part of it.
    """
    digest = hashlib.sha256()
    # Philox is written on a lower floor, where the interpreter needs it too.
    for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(philox.__file__)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("numba", "llvmlite")]
    return "\n".join([KERNEL_ABI, digest.hexdigest(), *versions, engine.description()])


def compile_kernel(source: str, name: str = "kernel") -> NativeKernel:
    """Native code of the kernel `name` of a kernel module (see `loader`).

    Raises CompileError, naming the line, for text that is not a kernel or that Numba cannot type;
    CacheError when the cache directory is open to others.
    """
    return native_function(
        "kernel", source + "\0" + name, lambda symbol: _emit(source, name, symbol)
    )


def native_function(kind: str, text: str, emit: Callable[[str], bytes]) -> NativeKernel:
    """The function that `text` stands for, from memory, from disk, or made by `emit(symbol)`."""
    key = cache.content_key(kind, text, _environment())
    with _LOCK:
        found = _memory.get(key)
        if found is None:
            found = _memory[key] = _load(key, f"graphc_{kind}_{key[:32]}", emit)
        return found


def _load(key: str, symbol: str, emit: Callable[[str], bytes]) -> NativeKernel:
    start = time.perf_counter()
    item = cache.find(key)
    from_cache = item is not None
    if item is None:
        code = emit(symbol)
        item = cache.ObjectCode(symbol, engine.undefined_symbols(code), code)
        cache.store(key, item)
    blas.define_symbols(item.needs)
    address = engine.load(item.code, item.symbol, item.needs)
    return NativeKernel(address, time.perf_counter() - start, from_cache, item.symbol)


def _emit(source: str, name: str, symbol: str) -> bytes:
    # Numba takes 0.3 s to import and to fill its tables: only when something must be compiled.
    from graphc.target import intrinsics, numba_codegen

    kernels = loader.load(source, intrinsics.INTRINSICS, f"<graphc {symbol}>")
    if name not in kernels:
        raise CompileError(f"expected a kernel {name!r}, got {sorted(kernels)}")
    return numba_codegen.emit_object(numba_codegen.Function(kernels[name], symbol))
