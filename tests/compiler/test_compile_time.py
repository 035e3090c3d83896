"""What compilation costs: it grows with the graph and no faster, searches for no garbage, and loads
nothing that only reports need."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import graphc as gx
from graphc.compiler.collection import without_collection
from graphc.ir.node import Node


@pytest.fixture(autouse=True)
def collection() -> Iterator[None]:
    """Garbage is collected before and after each test."""
    gc.enable()
    yield
    gc.enable()


def chain(length: int) -> tuple[Node, list[Node]]:
    """A function of many different operations, and its gradient."""
    x = gx.input("x", ("n", 8))
    y = x
    steps = (gx.tanh, gx.sin, lambda v: v / (1 + v * v), lambda v: v - gx.mean(v, 1, keepdims=True))
    for place in range(length):
        y = steps[place % len(steps)](y) + 0.5 * x
    total = gx.mean(y)
    return x, [total, gx.grad(total, x)]


def seconds(length: int) -> float:
    """The shorter of two times from a graph to the text of its kernels."""
    times = []
    for _ in range(2):
        x, outputs = chain(length)
        start = time.process_time()
        gx.compile(x, outputs, stop="source")
        times.append(time.process_time() - start)
    return min(times)


def test_time_grows_with_the_graph() -> None:
    """Four times the operations take four times as long, and not sixteen times."""
    seconds(20)
    assert seconds(240) < 9 * seconds(60) + 0.1


def test_no_collection_while_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it ends or fails, garbage is collected afterwards as before."""
    seen = []
    x = gx.input("x", ("n",))

    def watched(*args: Any) -> Any:
        seen.append(gc.isenabled())
        raise KeyError("stop")

    monkeypatch.setattr("graphc.compiler.compilation.make_graph", watched)
    with pytest.raises(KeyError):
        gx.compile(x, gx.sin(x))
    assert seen == [False]
    assert gc.isenabled()


def test_collection_that_was_off_stays_off() -> None:
    """A user who has switched it off has not asked for it back."""
    gc.disable()
    with without_collection():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_reports_are_loaded_when_asked_for() -> None:
    """They take as long to load as a small graph takes to compile."""
    program = """
import sys
import numpy as np
import graphc as gx
x = gx.input("x", ("n",))
f = gx.compile(x, gx.tanh(x), target="python")
f(np.ones(3, np.float32))
late = ["explain", "measure", "memory_report", "profile", "source_text"]
names = [f"graphc.compiler.{name}" for name in late] + ["graphc.schedule.recompute"]
assert not [name for name in names if name in sys.modules]
assert "tanh" in f.source() and f.memory.peak_bytes >= 0
gx.compile(x, gx.tanh(x), target="python", memory_budget=10**6, budget_sizes={"n": 3})
assert "graphc.schedule.recompute" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


TRAINING = """
import sys
import numpy as np
import graphc as gx
x = gx.input("x", ("n", 3))
W = gx.param("W", np.ones((3, 2), np.float32))
loss = gx.mean(gx.tanh(x @ W))
step = gx.compile(x, loss, updates=gx.train.sgd(0.1)(loss, [W]))
step(np.ones((4, 3), np.float32))
assert step.kernels
print(*sys.modules)
"""
# What none of this needs: the texts of vector maths and all that compiles or interprets them,
# trainers, files, reports, checks of derivatives, and what only an error or a notebook asks for.
LATER = frozenset(
    [
        "numba", "llvmlite", "difflib", "html", "graphc.target.primitives", "graphc.target.vmath",
        "graphc.target.native_kernel", "graphc.target.python_driver", "graphc.train.trainer",
        "graphc.train.checkpoint", "graphc.compiler.profile", "graphc.grad.check", "graphc.view",
        "graphc.interop",
    ]
)  # fmt: skip


def test_a_training_step_from_the_cache_loads_no_compiler() -> None:
    """Loading modules is half of what a second process waits for."""
    for _ in range(2):  # the first may have to compile
        ended = subprocess.run(
            [sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True
        )
    loaded = set(ended.stdout.split())
    assert {"graphc.compiler.passes", "graphc.train.optimizers"} <= loaded
    assert loaded & LATER == set()
