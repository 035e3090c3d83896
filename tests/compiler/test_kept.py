"""Programs kept on disk: what is found again is what would be compiled, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler import kept
from graphc.compiler.function import Function
from graphc.compiler.kept import Kept
from graphc.errors import CheckFailedError, ExecutionError, IndexRangeError, MemoryBudgetError
from graphc.ir.node import Node
from graphc.target import cache as files
from graphc.target import cpu
from graphc.target.machine import machine
from tests.compiler.models import classifier

ARRAY = np.linspace(-2, 2, 5).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own. Programs are kept where passes are not verified, which tests else are."""
    monkeypatch.setenv("GRAPHC_VERIFY", "0")
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fresh(build: Callable[[Node], Any], **options: Any) -> Function:
    """A function compiled as a new program would compile it."""
    x = gx.input("x", ("n",))
    function: Function = gx.compile(x, build(x), **options)
    return function


def found(build: Callable[[Node], Any], **options: Any) -> bool:
    """Whether the program of a function is there already."""
    return fresh(build, **options).was_kept


def test_a_graph_is_compiled_once() -> None:
    """The same graph, made anew, is found: the same bits, without the passes."""
    first = fresh(lambda x: gx.sin(x) + x)
    second = fresh(lambda x: gx.sin(x) + x)
    assert not first.was_kept
    assert second.was_kept
    assert [phase.name for phase in second.phases] == ["graph", "key", "read"]
    assert second(ARRAY).tobytes() == first(ARRAY).tobytes()
    assert second.was_kept
    assert repr(second) == repr(first)


def test_training_goes_on_as_before() -> None:
    """Calls and native loops of a network with dropout: losses, parameters, draws."""
    told = []
    for _ in range(2):
        model = classifier(dropout=True)
        step = model.compile()
        losses = step.loop((model.images, model.labels), 16, epochs=2, seed=3)
        last = step(model.images, model.labels)
        told.append([losses.tobytes(), last.tobytes(), *(v.tobytes() for v in model.values())])
    assert step.was_kept
    assert told[0] == told[1]


def test_what_it_tells_of_itself_is_the_same() -> None:
    """Source, schedule, memory and profile of a kept program come from the passes when asked."""
    first, second = (classifier().compile() for _ in range(2))
    assert second.was_kept
    assert second.source() == first.source()
    model = classifier()
    third = model.compile()
    assert third.memory.peak_bytes == first.memory.peak_bytes
    assert len(third.kernels) == third.kernel_count == len(first.kernels)
    profile = third.profile(model.images, model.labels, repeats=2)
    assert len(profile.steps) == len(third.schedule.steps) == len(first.schedule.steps)
    assert "kernel 0" in third.explain()


@pytest.mark.parametrize(
    "other",
    [
        lambda x: gx.cos(x) + 1.0,
        lambda x: gx.sin(x) + 2.0,
        lambda x: gx.sin(x) - -1,
        lambda x: [gx.sin(x) + 1.0, x],
        lambda x: gx.sin(x) + gx.const(1.0, "float64"),
        lambda x: gx.sin(x[:3]) + 1.0,
    ],
)
def test_another_graph_is_not_taken_for_it(other: Callable[[Node], Any]) -> None:
    """Another operation, number, type, shape or set of outputs is another program."""
    assert not found(lambda x: gx.sin(x) + 1.0)
    assert not found(other)


def test_the_order_of_declarations() -> None:
    """It is the order of operands, so that programs of one text may differ in it."""
    keys = []
    for first in ("a", "b", "a"):
        early, late = (gx.input(name, ("n",)) for name in (first, "b" if first == "a" else "a"))
        a, b = (early, late) if first == "a" else (late, early)
        graph = gx.compile([a, b], gx.exp(a) * gx.exp(b) + a * b, stop="graph")
        place = Kept.of(graph, machine("cpu", 1), ())
        assert place is not None
        keys.append(place.key)
    assert keys[0] == keys[2] != keys[1]


def test_constants_by_every_bit() -> None:
    """Small constants and large ones, which are known by a hash: one bit makes another program."""
    for count in (3, 30_000):
        values = np.arange(count, dtype=np.float32)
        nudged = values.copy()
        nudged[-1] = np.nextafter(nudged[-1], np.float32(np.inf))
        for array in (values, nudged, values.reshape(1, -1)):
            y = gx.const(array)
            assert not found(lambda x, y=y: gx.sum(x) * gx.sum(gx.exp(-y)))  # type: ignore[misc]
        assert found(lambda x: gx.sum(x) * gx.sum(gx.exp(-gx.const(values))))  # noqa: B023


def test_large_constants_are_the_callers_own() -> None:
    """A program that was kept with another array object computes with the one it is given."""
    values = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
    results = []
    for _ in range(2):
        x = gx.input("x", ("n", 300))
        function = gx.compile(x, gx.tanh(x @ gx.const(values.copy())))
        results.append(function(values[:7]).tobytes())
    assert function.was_kept
    assert results[0] == results[1]


def test_options_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that are off, and the target."""

    def build(x: Node) -> Node:
        return gx.log(gx.exp(x) + 1)

    assert not found(build)
    assert found(build)
    assert not found(build, disabled="rewrite")
    assert found(build, disabled=["rewrite"])
    assert not found(build, target="numba")
    assert found(build, target="numba")
    assert not found(build, target="python")
    assert not found(build, target="python")


def test_the_training_flag_is_no_input_of_that_name() -> None:
    """A user's own truth value called training is fed; graphc's is on when compiled."""
    x, own = gx.input("x", ("n",)), gx.input("training", (), "bool")
    flagged = gx.compile(x, gx.where(gx.training, x, -x))
    fed = gx.compile([x, own], gx.where(own, x, -x))
    np.testing.assert_array_equal(flagged(ARRAY), ARRAY)
    np.testing.assert_array_equal(fed(ARRAY, False), -ARRAY)
    off = gx.compile(x, gx.inference(gx.where(gx.training, x, -x)))
    np.testing.assert_array_equal(off(ARRAY), -ARRAY)


def scaled(factor: float) -> Callable[..., Node]:
    """An operation of a user's own; all of them have one name."""
    return gx.elementwise("scaled_by_me", lambda sp, x: factor * sp.sin(x))


def test_operations_of_users_are_always_compiled() -> None:
    """Their names do not say what they are, neither in a graph nor in the body of a loop."""
    for factor in (2.0, 3.0):
        op = scaled(factor)
        function = fresh(op)
        assert not function.was_kept
        np.testing.assert_allclose(function(ARRAY), factor * np.sin(ARRAY), rtol=1e-6)

        def step(c: Node, e: Node, op: Any = op) -> tuple[Node, Node]:
            return c + op(e), c

        looped = fresh(lambda x, step=step: gx.scan(step, gx.const(0.0), x)[0])  # type: ignore[misc]
        assert not looped.was_kept
        np.testing.assert_allclose(looped(ARRAY), factor * np.sin(ARRAY).sum(), atol=1e-5)


def test_two_parameters_of_one_name() -> None:
    """A name is no identity: each node has the value of its own declaration."""
    for first, second in ((1.0, 10.0), (2.0, 20.0)):
        a = gx.param("w", np.full(3, first, np.float32))
        b = gx.param("w", np.full(3, second, np.float32))
        function = gx.compile([], [a - b, gx.sum(b)], updates={b: a})
        difference, total = function()
        np.testing.assert_array_equal(difference, np.full(3, first - second, np.float32))
        assert total == 3 * second
        np.testing.assert_array_equal(b.value, a.value)
    assert function.was_kept


def positive_root(x: Node) -> Node:
    """The square root, with a check and a print."""
    gx.check(x > -3, "large enough")
    return gx.sqrt(x + 3)


def picked(x: Node) -> Node:
    """Elements by computed places, one of which does not exist."""
    return gx.take(x, gx.cast(gx.abs(x) * 3, "int64"))


def solved(x: Node) -> Node:
    """A factorization that fails."""
    return gx.linalg.cholesky(gx.outer(x, x) - 1.0)


@pytest.mark.parametrize(
    ("build", "error"),
    [(positive_root, CheckFailedError), (picked, IndexRangeError), (solved, ExecutionError)],
)
def test_failures_say_what_they_said(
    build: Callable[[Node], Node], error: type[ExecutionError]
) -> None:
    """The words, the numbers and the user's line, in a call and in a loop."""
    bad = np.array([1.0, -4.0, 2.0], np.float32)
    told: list[list[str]] = []
    for _ in range(2):
        function = fresh(lambda x: gx.sum(build(x)))
        with pytest.raises(error) as called:
            function(bad)
        with pytest.raises(ExecutionError) as looped:
            function.loop(np.tile(bad, 2), 3)
        told.append([str(called.value), str(looped.value)])
    assert told[0] == told[1]
    assert "test_kept.py" in told[0][0]


def test_prints_and_states(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is printed again."""
    told = []
    for _ in range(2):
        seen = gx.state("seen", np.zeros((), np.float32))
        x = gx.input("x", ("n",))
        gx.print(gx.sum(x), "sum is {}")
        function = gx.compile(x, gx.mean(x), updates={seen: seen + gx.sum(x)})
        function(ARRAY)
        function(ARRAY + 1)
        told.append((capsys.readouterr().out, float(seen.value)))
    assert function.was_kept
    assert told[0] == told[1]


def test_damage_is_compiled_over(cache: Path) -> None:
    """A file that is cut short or changed is not used, and a new one takes its place."""
    result = fresh(gx.sinh)(ARRAY)
    for cut in (10, 100, -1):
        for path in cache.glob("*.object"):
            data = path.read_bytes()
            if b"\nprogram" in data:
                path.write_bytes(data[:cut])
        files._warned.clear()
        with pytest.warns(RuntimeWarning, match="damaged"):
            function = fresh(gx.sinh)
        assert not function.was_kept
        assert function(ARRAY).tobytes() == result.tobytes()
        assert found(gx.sinh)


def test_a_program_without_its_kernels_is_compiled(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels may have been pruned; this process knows them no longer either."""
    result = fresh(gx.cosh)(ARRAY)
    for path in cache.glob("*.object"):
        if b"\nprogram" not in path.read_bytes():
            path.unlink()
    monkeypatch.setattr(cpu, "_memory", {})
    function = fresh(gx.cosh)
    assert not function.was_kept
    assert function(ARRAY).tobytes() == result.tobytes()
    assert found(gx.cosh)


def test_nonsense_in_a_file_is_compiled_over() -> None:
    """A text that is no program, under a right hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kept, "text", lambda self, made: '{"steps": [["sing"]]}')
        fresh(gx.tan)
    assert not found(gx.tan)
    assert found(gx.tan)


@pytest.mark.parametrize("name", ["GRAPHC_VERIFY", "GRAPHC_CACHE"])
def test_nothing_is_kept_where_nothing_may_be(
    name: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    """Where passes are verified they run; without a cache there is none."""
    monkeypatch.setenv(name, "1" if name == "GRAPHC_VERIFY" else "0")
    assert not found(gx.atan)
    assert not found(gx.atan)
    assert not [p for p in cache.glob("*.object") if b"\nprogram" in p.read_bytes()]


def test_memory_budgets() -> None:
    """A budget and the sizes that it is for belong to the program, and still bind its calls."""
    x = gx.input("x", ("n", 100))
    y = x
    for _ in range(6):
        y = gx.tanh(y @ gx.const(np.eye(100, dtype=np.float32)))
    outputs = [gx.sum(y), gx.grad(gx.sum(y), x)]
    given = np.linspace(-1, 1, 5000, dtype=np.float32).reshape(50, 100)
    plain = gx.compile(x, outputs)
    needed = plain.memory.at({"n": 50})
    for most in (needed, 3 * needed // 4):
        told = []
        for kept_before in (False, True):
            function = gx.compile(x, outputs, memory_budget=most, budget_sizes={"n": 50})
            assert function.was_kept == kept_before
            told.append([each.tobytes() for each in function(given)])
            with pytest.raises(MemoryBudgetError, match="n = 200"):
                function(np.ones((200, 100), np.float32))
            assert function.budget.bytes == most
            assert function.memory.peak_bytes <= most < function.memory.at({"n": 200})
        assert told[0] == told[1] == [each.tobytes() for each in plain(given)]
    assert not gx.compile(x, outputs, memory_budget=needed, budget_sizes={"n": 49}).was_kept


def test_a_stage_is_no_program() -> None:
    """It is made of the graph at hand, whatever was kept."""
    x = gx.input("x", ("n",))
    for _ in range(2):
        gx.compile(x, gx.sin(gx.cos(x)))
        assert len(gx.compile(x, gx.sin(gx.cos(x)), stop="schedule").steps) == 1
        assert x in gx.compile(x, gx.sin(gx.cos(x)), stop="rewrite").nodes


def test_programs_depend_on_graphc_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of graphc that changes makes all programs unknown."""
    for room in kept._ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    fake = types.SimpleNamespace(__file__=str(tmp_path / "config.py"), IMPORTED=time.time())
    monkeypatch.setattr(kept, "config", fake)
    states = []
    for text in ("", "", "a = 1\n", "a = 12\n"):
        path = tmp_path / "schedule" / "build.py"
        path.write_text(text)
        os.utime(path, ns=(0, 0))
        states.append(kept._compiler.__wrapped__())
    assert states[0] == states[1]
    assert len(set(states)) == 3
    os.utime(path, ns=(0, 5))
    assert kept._compiler.__wrapped__() not in [*states, None]
    os.utime(path)  # while this process runs
    fake.IMPORTED -= 1.0
    assert kept._compiler.__wrapped__() is None
    fake.IMPORTED += 10.0
    assert kept._compiler.__wrapped__() is not None
    (tmp_path / "schedule" / "build.py").unlink()
    (tmp_path / "schedule").joinpath("__init__.py").unlink()
    (tmp_path / "schedule").rmdir()
    assert kept._compiler.__wrapped__() is None


def test_a_program_that_has_changed_is_not_explained_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the passes gave another program now, no note of theirs would be taken for its own."""
    fresh(picked)
    function = fresh(picked)
    assert function.was_kept
    monkeypatch.setattr(Kept, "text", lambda self, made: "another")
    with pytest.raises(ExecutionError, match="GRAPHC_CACHE=0"):
        function(np.array([1.0, 5.0], np.float32))


_PROGRAM = """
import sys
import numpy as np
import graphc as gx
from tests.compiler.models import classifier

model = classifier(dropout=True)
step = model.compile()
losses = step.loop((model.images, model.labels), 16, epochs=2, seed=3)
x = gx.input("x", ("t", 4, 8))
w = gx.param("w", np.full((8, 8), 0.1, np.float32))
last, _ = gx.scan(lambda c, e: (gx.tanh(c @ w + e),) * 2, gx.zeros((4, 8)), x)
loss = gx.sum(gx.sort(last)) + gx.sum(gx.linalg.solve(gx.eye(8) + w, last.T))
rnn = gx.compile(x, [loss, gx.grad(loss, w)])
results = [losses, *rnn(np.ones((20, 4, 8), np.float32))]
print(step.was_kept, rnn.was_kept, "graphc.compiler.passes" in sys.modules)
print(*(np.asarray(r).tobytes().hex() for r in results))
"""


def run(seed: int, cache: Path) -> list[str]:
    """What the program above prints, where sets of strings have an order of their own."""
    here = Path(__file__).parent.parent.parent
    settings = {"PYTHONHASHSEED": str(seed), "GRAPHC_VERIFY": "0", "GRAPHC_CACHE_DIR": str(cache)}
    environment = {**os.environ, **settings, "PYTHONPATH": str(here)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=environment,
        check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_processes(tmp_path: Path) -> None:
    """Another process finds it without loading the passes, and has the same bits.

    One that compiles anew writes the same text: the notes of checks are found by their numbers, so
    the passes must give one program only.
    """
    first, alone = (run(seed, tmp_path / str(seed)) for seed in (1, 2))
    second = run(3, tmp_path / "1")
    assert first[0] == alone[0] == "False False True"
    assert second[0] == "True True False"
    assert first[1] == alone[1] == second[1]
    texts = []
    for seed in (1, 2):
        data = [path.read_bytes() for path in (tmp_path / str(seed)).glob("*.object")]
        texts.append({each.partition(b"\nprogram")[2] for each in data if b"\nprogram" in each})
    assert len(texts[0]) == 2
    assert texts[0] == texts[1]


def test_the_place_of_a_program_is_known_before_it_is_compiled() -> None:
    """Keys differ from machine to machine and graph to graph, and nothing else."""
    x = gx.input("x", ("n",))
    graphs = [gx.compile(x, y, stop="graph") for y in (gx.sin(x), gx.sin(x), gx.cos(x))]
    keys = [place.key for g in graphs if (place := Kept.of(g, machine("cpu", 1), ()))]
    assert len(keys) == 3
    assert len(set(keys)) == 2
    assert Kept.of(graphs[0], machine("python", 1), ()) is None
