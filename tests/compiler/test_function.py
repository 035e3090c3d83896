"""Compiled functions: updates, draws, arguments, and what they tell of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import (
    ArgumentError,
    DTypeError,
    IndexRangeError,
    ShapeError,
    SingularMatrixError,
    TargetError,
)
from tests.compiler.models import classifier

TARGETS = ["python", "cpu"]


@pytest.mark.parametrize("target", TARGETS)
def test_states_are_swapped(target: str) -> None:
    """Updates are simultaneous: each new value is made of old ones."""
    a, b = gx.state("a", np.arange(3.0)), gx.state("b", np.array([7.0, 8.0, 9.0]))
    step = gx.compile([], gx.sum(a), updates={a: b, b: a}, target=target)
    assert step() == 3.0
    np.testing.assert_array_equal(a.value, [7, 8, 9])
    np.testing.assert_array_equal(b.value, [0, 1, 2])
    assert step() == 24.0


@pytest.mark.parametrize("target", TARGETS)
def test_updates_see_old_values(target: str) -> None:
    """A ring of states, one of which is an output as well, and one read by all the others."""
    s = [gx.state(f"s{i}", np.full(4, float(i))) for i in range(4)]
    total = s[0] + s[1] + s[2] + s[3]
    updates = {s[i]: s[(i + 1) % 4] * 2.0 + s[0] for i in range(4)}
    step = gx.compile([], [updates[s[2]], total], updates=updates, target=target)
    values = [np.full(4, float(i)) for i in range(4)]
    for _ in range(3):
        new = [values[(i + 1) % 4] * 2 + values[0] for i in range(4)]
        output, summed = step()
        np.testing.assert_array_equal(output, new[2])
        np.testing.assert_array_equal(summed, sum(values))
        values = new
        for state, value in zip(s, values, strict=True):
            np.testing.assert_array_equal(state.value, value)


@pytest.mark.parametrize("target", TARGETS)
def test_a_product_updates_in_place_only_if_nobody_needs_the_old_value(target: str) -> None:
    """W - A.T @ B while another update reads W, and one that cannot come first."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 5, 3))
    W = gx.param("W", random.standard_normal((3, 3)))
    V = gx.param("V", random.standard_normal((3, 3)))
    A, B = gx.input("A", (5, 3), "float64"), gx.input("B", (5, 3), "float64")
    new_w = W - 0.5 * (A.T @ B) / 5
    w, v = W.value, V.value
    step = gx.compile([A, B], gx.sum(W @ V), updates={W: new_w, V: V - W @ new_w}, target=target)
    np.testing.assert_allclose(step(a, b), (w @ v).sum())
    np.testing.assert_allclose(W.value, w - 0.5 * a.T @ b / 5)
    np.testing.assert_allclose(V.value, v - w @ (w - 0.5 * a.T @ b / 5))


def test_two_dropouts_have_two_masks() -> None:
    """Uses differ from each other and from step to step; a use is one value within a step."""
    x = gx.input("x", ("n",))
    stream = gx.random.stream(1)
    first, second = gx.nn.dropout(x, 0.5, stream), gx.nn.dropout(x, 0.5, stream)
    slope = gx.grad(gx.sum(first), x)
    step = gx.compile(x, [first, second, slope])
    ones = np.ones(1000, np.float32)
    a, b, gradient = step(ones)
    np.testing.assert_array_equal(a, gradient)
    assert 300 < np.count_nonzero(a != b) < 700
    again, _, _ = step(ones)
    assert 300 < np.count_nonzero(a != again) < 700
    step.step = 0
    np.testing.assert_array_equal(step(ones)[0], a)
    uncompiled = gx.compile(x, [first, second, slope], target="python")
    np.testing.assert_array_equal(uncompiled(ones)[0], a)
    np.testing.assert_array_equal(gx.evaluate(first, {x: ones}, step=0), a)
    np.testing.assert_array_equal(gx.compile(x, gx.inference(first))(ones), ones)


@pytest.mark.parametrize("target", TARGETS)
def test_any_sizes_without_recompilation(target: str) -> None:
    """One function, many batch sizes, the empty one too, interleaved."""
    model = classifier()
    measure = gx.compile([model.x, model.t], model.loss, target=target)
    for count in (3, 50, 1, 3, 17, 50):
        found = measure(model.images[:count], model.labels[:count])
        expected = gx.evaluate(
            model.loss, {model.x: model.images[:count], model.t: model.labels[:count]}
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isnan(measure(model.images[:0], model.labels[:0]))


def test_many_sizes_do_not_pile_up() -> None:
    """Programs bound to sizes that have not been used for long are dropped."""
    x = gx.input("x", ("n",))
    function = gx.compile(x, x * 2, target="python")
    for count in range(1, 60):
        assert function(np.ones(count)).shape == (count,)
    assert len(function._slots) <= 16


def test_results_are_the_callers_own() -> None:
    """A later call does not change an earlier result, small or large; nor do arguments change."""
    x = gx.input("x", ("n",))
    function = gx.compile(x, [x + 1, gx.sum(x)])
    for count in (4, 100_000):
        given = np.zeros(count, np.float32)
        first, _ = function(given)
        second, _ = function(np.full(count, 5, np.float32))
        assert first[0] == 1.0
        assert second[0] == 6.0
        assert (given == 0).all()


def test_arguments_of_other_kinds() -> None:
    """Lists, other floats, integers for floats, non-contiguous arrays: cast once, and told."""
    x, k = gx.input("x", (2, 3)), gx.input("k", (), "int32")
    function = gx.compile([x, k], gx.sum(x) * gx.cast(k, "float32"))
    assert function([[1, 2, 3], [4, 5, 6]], 2) == 42.0
    assert function(np.arange(6.0).reshape(3, 2).T, np.int64(1)) == 15.0
    assert "x: cast float64 -> float32 at the call" in function.explain()
    large = np.zeros((400, 300), np.float32)
    y = gx.input("y", (300, 400))
    np.testing.assert_array_equal(gx.compile(y, y + 1)(large.T), large.T + 1)


def test_wrong_arguments_are_named() -> None:
    """Number, name, shape, dtype, range, and sizes that disagree."""
    x, t = gx.input("x", ("n", 3)), gx.input("t", ("n",), "int32")
    function = gx.compile([x, t], gx.sum(x) + gx.cast(gx.sum(t), "float32"), target="python")
    good, labels = np.zeros((4, 3)), np.zeros(4, int)
    for arguments, error, message in (
        ((good,), ArgumentError, r"missing argument\(s\): 't'"),
        ((good, labels, 1), ArgumentError, r"expected 2 argument\(s\) \(x, t\), got 3"),
        ((np.zeros((4, 2)), labels), ShapeError, r"'x': expected shape \(n, 3\), got \(4, 2\)"),
        ((np.zeros(4), labels), ShapeError, r"'x': expected shape \(n, 3\), got \(4,\)"),
        ((good, np.zeros(5, int)), ShapeError, "n is 4 in 'x' and 5 in 't'"),
        ((good, np.zeros(4)), DTypeError, "'t': expected int32 values, got float64"),
        ((good, np.full(4, 2**40)), DTypeError, "do not fit int32"),
        ((np.array([["a"] * 3]), labels), DTypeError, "'x': expected float32 values"),
        ((good + 1j, labels), DTypeError, "'x': expected float32 values, got complex128"),
        ((None, labels), DTypeError, "'x'"),
    ):
        with pytest.raises(error, match=message):
            function(*arguments)
    with pytest.raises(ArgumentError, match="unknown argument 'y'; expected t"):
        function(good, y=labels)
    assert function(t=labels, x=good) == 0.0


def test_what_cannot_be_compiled_is_refused() -> None:
    """A target that is not there, an input that is not fed, updates that do not fit."""
    x, w = gx.input("x", (3,)), gx.param("w", np.zeros(3, np.float32))
    with pytest.raises(TargetError, match="not there yet"):
        gx.compile(x, x, target="cuda")
    with pytest.raises(ArgumentError, match="expected"):
        gx.compile(x, x, target="fpga")
    with pytest.raises(ArgumentError, match="not among inputs"):
        gx.compile([], gx.sum(x))
    with pytest.raises(ArgumentError, match="listed twice"):
        gx.compile([x, x], x)
    with pytest.raises(ArgumentError, match="not an input"):
        gx.compile([w], w)
    with pytest.raises(ArgumentError, match="parameters or states"):
        gx.compile(x, x, updates={x: x})
    with pytest.raises(ShapeError, match=r"update of 'w' has shape \(\), expected \(3,\)"):
        gx.compile(x, x, updates={w: gx.sum(w)})
    with pytest.raises(DTypeError, match="update of 'w' is float64"):
        gx.compile(x, x, updates={w: gx.cast(w, "float64")})


@pytest.mark.parametrize("target", TARGETS)
def test_failures_in_the_kernel_are_reported(target: str) -> None:
    """An index out of range and a singular matrix, with the user's line."""
    x, i = gx.input("x", (4, 2)), gx.input("i", ("n",), "int64")
    take = gx.compile([x, i], gx.take(x, i), target=target)
    np.testing.assert_array_equal(take(np.eye(4)[:, :2], [-1, 0]), [[0, 0], [1, 0]])
    with pytest.raises(
        IndexRangeError, match=r"'i': -5 at position 2 .*-4 <= index < 4.*test_function"
    ):
        take(np.zeros((4, 2)), [0, 1, -5])
    a = gx.input("a", (2, 2), "float64")
    solve = gx.compile(a, gx.solve(a, np.ones(2)), target=target)
    np.testing.assert_allclose(solve(np.eye(2) * 2), [0.5, 0.5])
    with pytest.raises(SingularMatrixError, match=r"2 x 2 matrix is singular.*test_function"):
        solve(np.ones((2, 2)))


HOSTILE = [
    "x'", 'x"', "x\n    import os", "lambda", "__import__('os').system('true')", "kernel", "lo",
    "import", "x; import os", "\\", "#", "{x}", "%s", "日本", "a b",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_never_reach_emitted_code(name: str) -> None:
    """Whatever a user calls things, the code that is compiled is the same."""
    sources = []
    for known in (name, "plain"):
        x = gx.input(known, ("n",))
        w = gx.param(known, np.float32(2.0))
        function = gx.compile(x, gx.tanh(x * w), updates={w: w + 1.0})
        sources.append([kernel.source for kernel in function.kernels])
        np.testing.assert_allclose(function(np.ones(3)), np.tanh(2.0), rtol=1e-6)
        assert repr(function)
        for line in function.source().splitlines():
            code = line.split("#")[0]
            assert "import os" not in code
    assert sources[0] == sources[1]


def test_memory_does_not_grow() -> None:
    """Ten thousand calls leave no nodes, no arenas and no memory behind."""
    script = """
        import resource, gc
        import numpy as np
        import graphc as gx
        from graphc.ir.node import interned_count
        from tests.compiler.models import classifier
        model = classifier()
        step = model.compile()
        for _ in range(1000):
            step(model.images, model.labels)
        gc.collect()
        nodes, before = interned_count(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(10_000):
            step(model.images, model.labels)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert interned_count() == nodes
        print(after - before)
    """
    found = run(script)
    assert int(found) < 2048, f"grew by {found} KB"


def run(script: str, **environment: str) -> str:
    """The output of a Python program of its own."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment}, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


BITS = """
    import hashlib
    from tests.compiler.models import classifier
    model = classifier(examples=3000, dropout=True)
    step = model.compile()
    losses = step.loop((model.images, model.labels), batch_size=700, epochs=2, seed=1)
    losses = step.loop((model.images, model.labels), batch_size=7, epochs=1, seed=1)
    digest = hashlib.sha256(losses.tobytes())
    for value in model.values():
        digest.update(value.tobytes())
    print(digest.hexdigest())
"""


def test_the_same_bits_in_every_process() -> None:
    """Hash seeds, thread counts and the kernel cache change nothing."""
    settings: list[dict[str, Any]] = [
        {"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"}, {"GRAPHC_NUM_THREADS": "1"},
        {"GRAPHC_NUM_THREADS": "2"}, {"GRAPHC_NUM_THREADS": "4"}, {"GRAPHC_CACHE": "0"},
    ]  # fmt: skip
    assert len({run(BITS, **setting) for setting in settings}) == 1
