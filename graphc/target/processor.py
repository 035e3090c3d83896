"""For whom code is compiled: this processor, and LLVM, without loading LLVM.

LLVM chooses instructions by what the processor says of itself. The same words are read here: on
x86-64 those of its instruction CPUID, on AArch64 those in /proc/cpuinfo. Code belongs to exactly
these words, so it is never run on a processor for which LLVM might have written other code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import os
from pathlib import Path

from graphc.target import cache, code_memory, engine
from graphc.target.image import Image

# void f(uint32 leaf, uint32 subleaf, uint32 *four): the System V convention.
_CPUID = bytes.fromhex(
    "53"  # push rbx
    "4989d0"  # mov r8, rdx
    "89f8"  # mov eax, edi
    "89f1"  # mov ecx, esi
    "0fa2"  # cpuid
    "418900"  # mov [r8], eax
    "41895804"  # mov [r8 + 4], ebx
    "41894808"  # mov [r8 + 8], ecx
    "4189500c"  # mov [r8 + 12], edx
    "5b"  # pop rbx
    "c3"  # ret
)
# uint64 f(): the registers that the system saves, and so lets programs use.
_XGETBV = bytes.fromhex(
    "31c9"  # xor ecx, ecx
    "0f01d0"  # xgetbv
    "48c1e220"  # shl rdx, 32
    "4809d0"  # or rax, rdx
    "c3"  # ret
)
_XGETBV_ALLOWED = 1 << 27  # of leaf 1's ecx
_EXTENDED = 0x80000000
# Vendor, model and features: each leaf, its part, and which of eax, ebx, ecx and edx. What is left
# out tells of the core that this thread happens to run on.
_LEAVES = (
    (0x0, 0, "abcd"), (0x1, 0, "acd"), (0x7, 0, "abcd"), (0x7, 1, "abcd"), (0x7, 2, "abcd"),
    (0xD, 1, "a"), (0x14, 0, "abcd"), (0x19, 0, "abcd"), (0x1E, 0, "abcd"), (0x1E, 1, "abcd"),
    (0x24, 0, "abcd"), (0x24, 1, "abcd"), (0x29, 0, "abcd"), (_EXTENDED, 0, "abcd"),
    (_EXTENDED + 1, 0, "abcd"), (_EXTENDED + 8, 0, "ab"), (_EXTENDED + 0x21, 0, "abcd"),
)  # fmt: skip
_PROCESSORS = Path("/proc/cpuinfo")
_OF_ONE_CORE = ("processor", "BogoMIPS")


@functools.cache
def description() -> str:
    """What code depends on beside its source: LLVM, the processor and its features."""
    library = _llvm_library()
    if not code_memory.available() or library is None:
        return engine.description()
    version = cache.release("llvmlite", "_version.py")
    # One version of llvmlite is built against several of LLVM; its size tells them apart.
    return f"images, llvmlite {version} of {library.stat().st_size} bytes, {words()}"


def _llvm_library() -> Path | None:
    found = importlib.util.find_spec("llvmlite")
    if found is None or found.origin is None:
        return None
    library = Path(found.origin).with_name("binding") / "libllvmlite.so"
    return library if library.is_file() else None


@functools.cache
def words() -> str:
    """What the processor says of itself, as a digest: the same on each of its cores."""
    name = os.uname().machine
    said = _x86_words() if name == "x86_64" else _listed_words()
    return f"{name} {hashlib.sha256(said).hexdigest()}"


def _x86_words() -> bytes:
    ask = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)(
        code_memory.load(Image(_CPUID, 0, ()), {})
    )
    four = (ctypes.c_uint32 * 4)()
    said: dict[tuple[int, int], dict[str, int]] = {}
    for leaf, part, registers in _LEAVES:
        # Beyond the last leaf a processor answers as for another one.
        last = said.get((leaf & _EXTENDED, 0), {"a": leaf})["a"]
        if leaf <= last:
            ask(leaf, part, ctypes.addressof(four))
            answer = dict(zip("abcd", four, strict=True))
            said[leaf, part] = {register: answer[register] for register in registers}
    if said[1, 0]["c"] & _XGETBV_ALLOWED:
        saved = ctypes.CFUNCTYPE(ctypes.c_uint64)(code_memory.load(Image(_XGETBV, 0, ()), {}))()
        said[0, 1] = {"saved": saved}
    return repr(sorted(said.items())).encode()


def _listed_words() -> bytes:
    lines = _PROCESSORS.read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(_OF_ONE_CORE)).encode()
