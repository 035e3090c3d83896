"""Images of machine code put in memory: first written, then executable and never again written.

Linux on x86-64 and AArch64, with system calls through ctypes. LLVM is not needed, whose library
takes 25 ms to load. Elsewhere `available()` is False, and `engine` loads object files with LLVM.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys
from collections.abc import Mapping
from typing import Any

from graphc.errors import CompileError
from graphc.target.image import ITSELF, WORD, Image

_FAILED = ctypes.c_void_p(-1).value
_ARM = "aarch64"
_PROCESSORS = ("x86_64", _ARM)


@functools.cache
def available() -> bool:
    """Whether images can be put in memory here: on a known system and processor, with what makes
    the processor see new instructions."""
    known = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
    processor = os.uname().machine if known else ""
    return processor in _PROCESSORS and (processor != _ARM or _clear_cache() is not None)


@functools.cache
def _system() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    library.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library


@functools.cache
def _clear_cache() -> Any:
    """AArch64 fetches instructions through a cache of their own, which does not see what is written
    as data: the compiler's support library tells it. None where that is not to be had."""
    for name in (None, "libgcc_s.so.1"):
        try:
            found = ctypes.CDLL(name).__clear_cache
        except (OSError, AttributeError):
            continue
        found.restype, found.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p]
        return found
    return None


def load(image: Image, addresses: Mapping[str, int]) -> int:
    """The address of what is called in an image, which stays in memory until the process ends.

    `addresses` are those of the names that it needs. Raises CompileError where the system gives no
    memory, or does not let it be executed."""
    size = -(-len(image.code) // mmap.PAGESIZE) * mmap.PAGESIZE
    start = _new_memory(size)
    code = bytearray(image.code)
    for place, name in image.words:
        (known,) = WORD.unpack_from(code, place)
        address = start if name == ITSELF else addresses[name]
        WORD.pack_into(code, place, (known + address) % 2**64)
    ctypes.memmove(start, bytes(code), len(code))
    _make_executable(start, size)
    return start + image.entry


def _new_memory(size: int) -> int:
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    # Not Python's object, which would give the memory back when the interpreter ends, perhaps
    # while a thread runs code in it.
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = _system().mmap(None, size, writable, private, -1, 0)
    if start in (None, _FAILED):
        raise _failure(f"{size} bytes of memory")
    return int(start)


def _make_executable(start: int, size: int) -> None:
    if _system().mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        failure = _failure(f"permission to execute {size} bytes of memory")
        _system().munmap(start, size)
        raise failure
    clear = _clear_cache() if os.uname().machine == _ARM else None
    if clear is not None:
        clear(start, start + size)


def _failure(wanted: str) -> CompileError:
    return CompileError(f"native code: expected {wanted}: {os.strerror(ctypes.get_errno())}")
