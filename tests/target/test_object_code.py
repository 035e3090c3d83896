"""Several kernels compiled at once: the same code, errors kept, no threads left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graphc.errors import CompileError
from graphc.target import cache, cpu, engine

TEXT = """
from graphc.target.primitives import float32, float32_pointer, tanh


def kernel(lo, hi, argv, context):
    x = float32_pointer(argv, 0)
    for i in range(lo, hi):
        x[i] = tanh(x[i] * float32({number}.0))
"""
BAD = TEXT.format(number=1).replace("float32({number}.0)", "lo").replace("* float32(1.0)", "* lo")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cpu, "_memory", {})


@pytest.mark.usefixtures("empty_cache")
def test_code_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same input, same bits: one thread and four write the same object files."""
    made: list[dict[str, bytes]] = []
    monkeypatch.setattr(cache, "find", lambda key: None)
    monkeypatch.setattr(cache, "store", lambda key, item: made[-1].update({key: item.code}))
    monkeypatch.setattr(engine, "load", lambda *item: 1)
    texts = [TEXT.format(number=number) for number in range(6)]
    for workers in (1, 4):
        made.append({})
        monkeypatch.setattr(cpu, "_memory", {})
        before = threading.active_count()
        assert list(cpu.compile_kernels(texts, workers)) == texts
        assert threading.active_count() == before
    assert len(made[0]) == len(texts)
    assert made[0] == made[1]


@pytest.mark.usefixtures("empty_cache")
def test_what_cannot_be_compiled_is_left_for_its_own_error() -> None:
    """One bad kernel does not hide among good ones, and does not stop them."""
    good = [TEXT.format(number=number) for number in (11, 12)]
    ready = cpu.compile_kernels([good[0], BAD, good[1]], workers=2)
    assert list(ready) == good
    assert not any(kernel.from_cache for kernel in ready.values())
    with pytest.raises(CompileError, match="operands of one type"):
        cpu.compile_kernel(BAD)
    again = cpu.compile_kernels(good, workers=2)
    assert all(kernel.from_cache and kernel.seconds == 0 for kernel in again.values())


@pytest.mark.usefixtures("empty_cache")
def test_kernels_are_made_without_numba() -> None:
    """Numba takes 0.2 s to import and fill its tables: the driver alone needs it."""
    program = f"""
import sys
from graphc.target import cpu
assert not cpu.compile_kernel({TEXT.format(number=3)!r}).from_cache
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.usefixtures("empty_cache")
def test_a_fork_waits_for_compilation() -> None:
    """A child of a process that compiles in another thread can compile too."""
    texts = [TEXT.format(number=number) for number in range(20, 26)]
    thread = threading.Thread(target=cpu.compile_kernels, args=(texts, 2))
    thread.start()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            cpu.compile_kernel(TEXT.format(number=30))
            status = 0
        finally:
            os._exit(status)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
