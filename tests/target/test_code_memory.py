"""Images in memory: what may be done with it, by whom, and what is left when it fails."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphc import config
from graphc.errors import CompileError
from graphc.target import code_memory, cpu
from graphc.target.image import ITSELF, Image

pytestmark = pytest.mark.skipif(not code_memory.available(), reason="no images here")
needs_x86 = pytest.mark.skipif(
    code_memory.available() and os.uname().machine != "x86_64", reason="x86-64 code"
)

SEVEN = b"\xb8\x07\x00\x00\x00\xc3"  # mov eax, 7; ret
KERNEL = """
from graphc.target.primitives import float64_pointer, tanh


def kernel(lo, hi, argv, context):
    x = float64_pointer(argv, 0)
    for i in range(lo, hi):
        x[i] = tanh(x[i]) + {number}.0
"""


def permissions(address: int) -> str:
    """What may be done with the memory at an address, as the system says."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, allowed = line.split()[:2]
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= address < last:
            return allowed
    raise AssertionError(f"{address:#x} is not mapped")


def test_code_is_never_writable_and_executable() -> None:
    """Also at its last byte, and for kernels of several pages."""
    address = cpu.compile_kernel(KERNEL.format(number=1)).address
    assert permissions(address) == "r-xp"
    large = code_memory.load(Image(SEVEN + bytes(3 * 4096), 0, ()), {})
    assert {permissions(large + place) for place in (0, 4096, 3 * 4096)} == {"r-xp"}


@needs_x86
def test_words_are_filled() -> None:
    """With what is there added to the address, also where that wraps around."""
    stored = (-16).to_bytes(8, "little", signed=True)
    code = SEVEN + bytes(2) + stored + (5).to_bytes(8, "little")
    address = code_memory.load(Image(code, 0, ((8, "a"), (16, ITSELF))), {"a": 1000})
    assert ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 7
    words = (ctypes.c_uint64 * 2).from_address(address + 8)
    assert list(words) == [984, address + 5]
    assert address % 4096 == 0


def test_memory_that_may_not_be_executed_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may forbid it: an error that says so, and no memory lost."""
    given = []
    real = code_memory._system()

    class Strict:
        def mmap(self, *arguments: object) -> int:
            given.append(real.mmap(*arguments))
            return int(given[-1])

        def mprotect(self, *arguments: object) -> int:
            ctypes.set_errno(13)
            return -1

        def munmap(self, *arguments: object) -> int:
            return int(real.munmap(*arguments))

    monkeypatch.setattr(code_memory, "_system", Strict)
    with pytest.raises(CompileError, match="execute 4096 bytes of memory: Permission denied"):
        code_memory.load(Image(SEVEN, 0, ()), {})
    with pytest.raises(AssertionError, match="not mapped"):
        permissions(given[0])


def test_no_memory_is_an_error() -> None:
    """Not an address of -1."""
    with pytest.raises(CompileError, match="bytes of memory: "):
        code_memory._new_memory(2**60)


def test_a_child_of_a_fork_runs_its_parents_code_and_loads_more() -> None:
    """What was loaded before a fork stays; what a child loads is its own."""
    before = cpu.compile_kernel(KERNEL.format(number=2)).address
    child = os.fork()
    if child == 0:
        status = 1
        try:
            after = cpu.compile_kernel(KERNEL.format(number=3)).address
            status = 0 if value(before) == 2.0 and value(after) == 3.0 else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert value(before) == 2.0


def value(address: int) -> float:
    """What a kernel of `KERNEL` makes of 0."""
    x = ctypes.c_double(0.0)
    argv = (ctypes.c_int64 * 1)(ctypes.addressof(x))
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)(0, 1, ctypes.addressof(argv), 0)
    return x.value


TRAINING = """
import sys
import numpy as np
import graphc as gx

x = gx.input("x", ("n", 5))
t = gx.input("t", ("n",), dtype="int64")
W = gx.param("W", gx.nn.init.he_normal((5, 3), seed=0))
loss = gx.mean(gx.nn.softmax_cross_entropy(gx.tanh(x @ W), t))
step = gx.compile([x, t], loss, updates={W: W - 0.1 * gx.grad(loss, [W])[0]})
random = np.random.default_rng(0)
images, labels = random.standard_normal((64, 5), np.float32), random.integers(0, 3, 64)
losses = step.loop((images, labels), batch_size=16, epochs=2, seed=0)
A = gx.input("A", (3, 3), dtype="float64")
solve = gx.compile([A], gx.linalg.inv(A))
print(np.asarray(losses).tobytes().hex(), solve(np.diag([1.0, 2.0, 4.0])).tobytes().hex())
print(sorted({"llvmlite", "numba", "scipy.linalg"} & set(sys.modules)))
"""


def run(text: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True, text=True, check=True, env={**os.environ, **environment}, timeout=300,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_warm_process_loads_no_compiler() -> None:
    """Training with the driver's threads, and LAPACK, from the cache alone: the same bits."""
    first, second = run(TRAINING), run(TRAINING)
    assert first[0] == second[0]
    assert second[1] == "[]"
    # Nothing that LLVM writes for kernels and the driver was unknown to the linker.
    kept = [path.read_bytes() for path in config.cache_directory().glob("*.object")]
    code = [data for data in kept if b"\nprogram" not in data]
    assert len(code) > 6
    assert all(b"graphc image" in data for data in code)


KERNELS = """
import ctypes, sys
import numpy as np
from graphc.target import cpu

sources = [text.strip() for text in sys.stdin.read().split("----")]
found = cpu.compile_kernels(sources, 2)
x = np.linspace(-3.0, 3.0, 25)
argv = np.array([x.ctypes.data, np.zeros(5, np.int32).ctypes.data], np.int64)
context = np.zeros(64, np.int64)
for source in sources:
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(found[source].address)
    kernel(0, 25, argv.ctypes.data, context.ctypes.data)
print(x.tobytes().hex(), found[sources[0]].from_cache, "llvmlite" in sys.modules)
"""
SOURCES = [
    KERNEL.format(number=4),
    KERNEL.format(number=5),
    """
from graphc.target.primitives import fail, float64_pointer, int32_pointer, lu_factor


def kernel(lo, hi, argv, context):
    x = float64_pointer(argv, 0)
    for i in range(lo, 5):
        x[i] = 0.0
    info = lu_factor(5, x, int32_pointer(argv, 1))
    fail(context, 1, info)
""",
]
WITHOUT_IMAGES = """
from graphc.target import code_memory
code_memory.available = lambda: False
"""


def begin(text: str, directory: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(directory)}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("----".join(SOURCES))
    process.stdin.close()
    return process


def end(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    output = process.stdout.read().split()
    process.stdout.close()
    assert process.wait(120) == 0
    return output


def test_two_processes_fill_one_cache(tmp_path: Path) -> None:
    """Both begin with an empty cache at once, and neither finds half of anything."""
    both = [begin(KERNELS, tmp_path / "kernels") for _ in range(2)]
    bits = {end(process)[0] for process in both}
    third = end(begin(KERNELS, tmp_path / "kernels"))
    assert bits == {third[0]}
    assert third[1:] == ["True", "False"]


def test_systems_without_images_use_llvm(tmp_path: Path) -> None:
    """Object files are kept and loaded as they are, from disk too; the results are the same."""
    made = end(begin(WITHOUT_IMAGES + KERNELS, tmp_path / "kernels"))
    found = end(begin(WITHOUT_IMAGES + KERNELS, tmp_path / "kernels"))
    assert (made[1], found[1:]) == ("False", ["True", "True"])
    files = list((tmp_path / "kernels").iterdir())
    assert len(files) == len(SOURCES)
    assert not any(b"graphc image" in path.read_bytes() for path in files)
    images = end(begin(KERNELS, tmp_path / "kernels"))  # whose key is another
    assert images[1] == "False"
    assert made[0] == found[0] == images[0]


DAEMON = """
import threading, time
import numpy as np
import graphc as gx

x = gx.input("x", (200, 200))
f = gx.compile([x], gx.tanh(x @ x))
data = np.ones((200, 200), np.float32)
f(data)

def work():
    while True:
        f(data)

threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
print("end")
"""


def test_a_process_ends_while_a_thread_runs_native_code() -> None:
    """The interpreter stops such a thread when it comes back for the lock: through frames of ours,
    which have no unwinding tables."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", DAEMON], capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
