"""What the compiler tells of its own time."""

from __future__ import annotations

import gc
import re
import time
from pathlib import Path

import pytest

import graphc as gx
from graphc.target import cpu
from tests.compiler.models import classifier


def test_the_phases_are_the_whole(request: pytest.FixtureRequest) -> None:
    """They add up to `compile_seconds`, and nearly to what a clock beside it says.

    Without Python's search for garbage, which goes over what all tests before have left."""
    request.addfinalizer(gc.enable)
    gc.disable()
    model = classifier()
    model.compile()
    shortest = 1.0
    for _ in range(5):
        model = classifier()
        start = time.perf_counter()
        step = model.compile()
        taken = time.perf_counter() - start
        assert step.compile_seconds == sum(phase.seconds for phase in step.phases) <= taken
        shortest = min(shortest, taken - step.compile_seconds)
    assert shortest < 0.01


def test_kernels_are_counted_by_where_they_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compiled the first time; found in the process or on disk after that."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GRAPHC_DEBUG", "1")
    monkeypatch.setenv("GRAPHC_VERIFY", "1")  # then programs are not kept, and kernels are
    x = gx.input("x", ("n",))
    strange = gx.sin(gx.cos(x * 3 + 0.125) - x)
    first, second = gx.compile(x, strange), gx.compile(x, strange)
    monkeypatch.setattr(cpu, "_memory", {})
    third = gx.compile(x, strange)
    assert [f.kernels[0].from_cache for f in (first, second, third)] == [False, True, True]
    assert second.kernels[0].seconds == 0.0
    told = re.findall(r"1 kernel\(s\) for 1 step\(s\): (\d) compiled .* (\d) from the cache",
                      capsys.readouterr().out)  # fmt: skip
    assert told == [("1", "0"), ("0", "1"), ("0", "1")]


def test_each_phase_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a phase, their sum, and no counts of a compiler where none is used."""
    monkeypatch.setenv("GRAPHC_DEBUG", "1")
    step = classifier().compile("python")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [*(p.name for p in step.phases), "total"]
    assert re.fullmatch(r"graphc: \d+ kernel\(s\) for \d+ step\(s\)", lines[-1])
    monkeypatch.setenv("GRAPHC_DEBUG", "0")
    classifier().compile("python")
    assert capsys.readouterr().out == ""
