"""For whom code is compiled: what the key of the cache says of the processor and of LLVM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphc.target import code_memory, engine, processor

pytestmark = pytest.mark.skipif(not code_memory.available(), reason="LLVM is asked there")
needs_x86 = pytest.mark.skipif(
    code_memory.available() and os.uname().machine != "x86_64", reason="asks CPUID"
)


@pytest.fixture(autouse=True)
def anew() -> Any:
    """Nothing remembered from before, or for later."""
    for function in (processor.words, processor.description):
        function.cache_clear()
    yield
    for function in (processor.words, processor.description):
        function.cache_clear()


def test_every_core_says_the_same() -> None:
    """A process is moved between cores: its key must not be."""
    allowed = os.sched_getaffinity(0)
    said = set()
    try:
        for core in sorted(allowed):
            os.sched_setaffinity(0, {core})
            processor.words.cache_clear()
            said.add(processor.words())
    finally:
        os.sched_setaffinity(0, allowed)
    assert len(said) == 1


def test_every_process_says_the_same_without_llvm() -> None:
    """The key is made before anything is known to need a compiler."""
    text = (
        "import sys; from graphc.target import processor; print(processor.description()); "
        "print('llvmlite' in sys.modules)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert found == {processor.description() + "\nFalse\n"}


FLAGS = {
    "sse4_2": (1, 0, "c", 20), "avx": (1, 0, "c", 28), "fma": (1, 0, "c", 12),
    "aes": (1, 0, "c", 25), "f16c": (1, 0, "c", 29), "rdrand": (1, 0, "c", 30),
    "avx2": (7, 0, "b", 5), "bmi2": (7, 0, "b", 8), "avx512f": (7, 0, "b", 16),
    "avx512vl": (7, 0, "b", 31), "avx512_vnni": (7, 0, "c", 11), "gfni": (7, 0, "c", 8),
    "avx512_bf16": (7, 1, "a", 5), "xsavec": (13, 1, "a", 1), "fsrm": (7, 0, "d", 4),
    "lahf_lm": (2**31 + 1, 0, "c", 0), "abm": (2**31 + 1, 0, "c", 5),
}  # fmt: skip


@needs_x86
def test_what_cpuid_says_is_what_the_system_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instruction is ours, in bytes: its words are the right ones, in their places."""
    seen: list[bytes] = []
    monkeypatch.setattr(processor.hashlib, "sha256", lambda data: seen.append(data) or Fake())
    processor.words()
    said: dict[tuple[int, int], dict[str, int]] = dict(eval(seen[0].decode()))
    flags = Path("/proc/cpuinfo").read_text().split("\nflags")[1].split("\n")[0].split()
    for name, (leaf, part, register, bit) in FLAGS.items():
        has = bool(said.get((leaf, part), {}).get(register, 0) >> bit & 1)
        # The system may hide what the processor has, never the other way round.
        assert has or name not in flags, name
    assert said[0, 1]["saved"] & 3 == 3  # x87 and SSE are always saved
    assert set(said[1, 0]) == {"a", "c", "d"}


class Fake:
    def hexdigest(self) -> str:
        return "0"


@needs_x86
def test_another_processor_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of one feature, and cached code is not found."""
    before = processor.description()
    original = processor._x86_words()
    monkeypatch.setattr(processor, "_x86_words", lambda: original.replace(b"1", b"2", 1))
    processor.words.cache_clear()
    processor.description.cache_clear()
    assert processor.description() != before


def test_arm_processors_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What LLVM itself reads there; two cores of one kind are told by their numbers alone."""
    listed = (
        "processor\t: {core}\nBogoMIPS\t: {bogus}\nFeatures\t: fp asimd {more}\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n"
    )
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_PROCESSORS", path)
    said = []
    for core, bogus, more in ((0, 50.0, "sve"), (3, 51.0, "sve"), (0, 50.0, "")):
        path.write_text(listed.format(core=core, bogus=bogus, more=more))
        said.append(processor._listed_words())
    assert said[0] == said[1] != said[2]


def test_llvm_is_asked_where_it_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without images, and for an llvmlite that is built otherwise."""
    monkeypatch.setattr(processor, "_llvm_library", lambda: None)
    assert processor.description() == engine.description()
    processor.description.cache_clear()
    monkeypatch.undo()
    monkeypatch.setattr(code_memory, "available", lambda: False)
    assert processor.description() == engine.description()
