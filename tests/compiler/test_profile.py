"""Profiles: what they measure, what they leave alone, and what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler.function import Function
from graphc.compiler.profile import Profile, StepProfile
from graphc.errors import ArgumentError, CheckFailedError, ShapeError, SingularMatrixError
from tests.compiler.models import classifier

TARGETS = ["python", "cpu"]


def everything(steps: tuple[StepProfile, ...]) -> list[StepProfile]:
    """The steps with those in bodies."""
    return [one for step in steps for one in (step, *everything(step.steps))]


@pytest.mark.parametrize("target", TARGETS)
def test_profiling_never_trains(target: str) -> None:
    """Parameters, the number of the next step, and so all later results are as without it."""
    models = [classifier(dropout=True), classifier(dropout=True)]
    plain, measured = (model.compile(target) for model in models)
    losses: list[list[Any]] = [[], []]
    for _ in range(3):
        for model, step, found in zip(models, (plain, measured), losses, strict=True):
            if step is measured:
                before, number = model.values(), step.step
                step.profile(model.images, model.labels, repeats=3)
                assert step.step == number
                for old, new in zip(before, model.values(), strict=True):
                    np.testing.assert_array_equal(old, new)
            found.append(step(model.images, model.labels))
    assert losses[0] == losses[1]


def test_every_step_with_its_line() -> None:
    """Records in program order that add up; the lines are those of this file."""
    model = classifier()
    step = model.compile()
    profile = step.profile(model.images, model.labels, repeats=5)
    assert [record.number for record in profile.steps] == [
        str(number) for number in range(len(step.schedule.steps))
    ]
    assert profile.repeats == 5
    assert profile.sizes == {"n": 50}
    assert sum(record.share for record in profile.steps) == pytest.approx(1)
    assert profile.total_seconds == pytest.approx(sum(s.seconds for s in profile.steps))
    assert profile.call_seconds == pytest.approx(profile.total_seconds + profile.overhead_seconds)
    for record in profile.steps:
        assert 0 < record.best_seconds <= record.seconds
        assert record.runs == 1
        assert record.threads == 1  # small
        assert record.sites
        assert all(site.filename.endswith("models.py") for site in record.sites)
    texts = [site.text for record in profile.steps for site in record.sites]
    assert "hidden = gx.tanh(x @ first + bias)" in texts


def test_a_product_by_hand() -> None:
    """Operations, bytes, rates and the part of the limit that follows from them."""
    a = gx.input("a", ("m", 300))
    b = gx.input("b", (300, 200))
    profile = gx.compile([a, b], a @ b).profile(np.ones((400, 300)), np.ones((300, 200)))
    (product,) = profile.steps
    assert product.kernel is None
    assert product.cost.operations == 2 * 400 * 300 * 200
    assert product.cost.read_bytes == 4 * (400 * 300 + 300 * 200)
    assert product.cost.written_bytes == 4 * 400 * 200
    assert product.operations_per_second == pytest.approx(48e6 / product.seconds)
    assert product.bytes_per_second == pytest.approx(1_040_000 / product.seconds)
    assert profile.limits is not None
    assert product.limited_by == "arithmetic"
    assert product.percent is not None
    limit = 100 * 48e6 / profile.limits.float32_products / product.seconds
    assert product.percent == pytest.approx(limit)
    assert product.threads == min(4, profile.limits.threads)


def test_no_step_is_faster_than_the_machine() -> None:
    """Limits are limits, but for a clock's error: in caches, in memory, and in arithmetic."""
    x = gx.input("x", ("n",))
    m = gx.input("m", ("k", 1000))
    programs = [
        (gx.compile(x, gx.exp(x) * gx.sin(x)), np.ones(1 << 22, np.float32)),
        (gx.compile(x, 2 * x), np.ones(1 << 24, np.float32)),
        (gx.compile(x, 2 * x), np.ones(1 << 14, np.float32)),
        (gx.compile(m, gx.softmax(m, axis=1)), np.ones((500, 1000), np.float32)),
        (gx.compile(m, m.T @ m), np.ones((800, 1000), np.float32)),
    ]
    for function, argument in programs:
        for record in function.profile(argument, repeats=7).steps:
            assert record.percent is not None
            assert 0 < record.percent < 160


def test_the_steps_are_the_call() -> None:
    """The times of the steps make up most of a long call, and not more than it."""
    m = gx.input("m", (600, 600))
    y = gx.tanh(m @ m)
    profile = gx.compile(m, [gx.sum(y), gx.sum(gx.exp(y) @ m)]).profile(np.ones((600, 600)) / 600)
    assert 0.5 < profile.total_seconds / profile.call_seconds < 1.5


def undisturbed(measure: Callable[[], Profile], within: float = 0.25) -> Profile:
    """A profile in which the steps of each loop take the time of the loop.

    Other programs run on this machine as well: it is measured up to five times.
    """
    for _ in range(4):
        profile = measure()
        if all(adds_up(record, within) for record in profile.steps):
            return profile
    profile = measure()
    assert all(adds_up(record, within) for record in profile.steps), profile
    return profile


def adds_up(record: StepProfile, within: float) -> bool:
    """Whether the steps inside take the time of the loop they are in; those of loops inside too."""
    inside = sum(step.seconds for step in record.steps)
    return not record.steps or (
        inside == pytest.approx(record.seconds, rel=within)
        and all(adds_up(step, within) for step in record.steps)
    )


def test_a_loop_and_its_steps() -> None:
    """The steps of a body run once a turn, and their times add up to the loop's."""
    U = gx.param("U", np.full((64, 64), 0.01, np.float32))
    xs = gx.input("xs", ("t", 8, 64))
    body = lambda carry, x: (gx.tanh(carry @ U + x), None)  # noqa: E731
    final, _ = gx.scan(body, gx.zeros((8, 64)), xs)
    function = gx.compile(xs, final)
    profile = undisturbed(lambda: function.profile(np.ones((40, 8, 64)), repeats=5))
    (loop,) = [record for record in profile.steps if record.steps]
    assert [record.number for record in loop.steps] == [
        f"{loop.number}.{number}" for number in range(len(loop.steps))
    ]
    assert all(record.runs == 40 for record in loop.steps)
    (product,) = [record for record in loop.steps if "product" in record.description]
    assert product.cost.operations == 40 * 2 * 8 * 64 * 64
    assert loop.cost.operations == sum(record.cost.operations for record in loop.steps)
    assert re.search(rf"\n{loop.number}\.0 .*\n +40 times: ", str(profile))


def recurrent() -> Function:
    """A loop over steps of a batch that is long enough to be done in parts."""
    U = gx.param("U", np.full((64, 64), 0.01, np.float32))
    xs = gx.input("xs", ("t", "n", 64))
    body = lambda carry, x: (gx.tanh(carry @ U + x), None)  # noqa: E731
    function: Function = gx.compile(xs, gx.scan(body, gx.zeros((xs.shape[1], 64)), xs)[0])
    return function


@pytest.mark.parametrize(("rows", "parts"), [(15, 1), (16, 2), (33, 4)])
def test_a_loop_in_parts_of_its_batch(rows: int, parts: int) -> None:
    """It is timed as it runs in a call; its steps have all of its time, and run once a turn."""
    function = recurrent()
    profile = undisturbed(lambda: function.profile(np.ones((60, rows, 64)), repeats=9))
    (loop,) = [record for record in profile.steps if record.steps]
    assert loop.parts == parts
    assert ("parts at once" in loop.description) == (parts > 1)
    assert [record.runs for record in loop.steps] == [60, 60]
    (product,) = [record for record in loop.steps if "product" in record.description]
    assert product.cost.operations == 60 * 2 * rows * 64 * 64
    assert loop.cost.operations == sum(record.cost.operations for record in loop.steps)
    # Each is the median of several, but other programs run as well.
    assert 0.5 < profile.total_seconds / profile.call_seconds < 1.5
    assert function.explain({"t": 60, "n": rows}).count("parts at once") == (parts > 1)


def test_parts_inside_another_loop() -> None:
    """The inner loop is divided, the outer one is not: all steps are still found, once each."""
    U = gx.param("U", np.full((40, 40), 0.01, np.float32))
    x = gx.input("x", ("n", 40))
    inner = lambda carry, _: (gx.tanh(carry @ U), None)  # noqa: E731
    outer = lambda carry, _: (gx.scan(inner, carry, length=30)[0] * 2, gx.sum(carry))  # noqa: E731
    last, sums = gx.scan(outer, x, length=3)
    function = gx.compile(x, [last, sums])
    profile = undisturbed(lambda: function.profile(np.ones((32, 40)), repeats=5), within=0.5)
    (loop,) = [record for record in profile.steps if record.steps]
    (divided,) = [record for record in loop.steps if record.parts > 1]
    assert (loop.parts, divided.parts, divided.runs) == (1, 4, 3)
    assert all(record.runs == 90 for record in divided.steps)
    (product,) = [record for record in divided.steps if "product" in record.description]
    assert product.cost.operations == 90 * 2 * 32 * 40 * 40


def test_loops_in_loops_and_branches() -> None:
    """Runs multiply; a branch that is not taken has none; a while loop's are counted."""
    m = gx.input("m", (40, 40))
    inner = lambda carry, _: (gx.tanh(carry @ m), None)  # noqa: E731
    outer = lambda carry, _: (gx.scan(inner, carry, length=3)[0] @ m, None)  # noqa: E731
    nested = gx.scan(outer, m, length=5)[0]
    turns = gx.while_loop(lambda c: gx.sum(c) < 100.0, lambda c: (c @ m) * 2 + 1, m * 0)
    chosen = gx.cond(gx.sum(m) > 0, lambda a: a @ a, lambda a: gx.sum(a) + a, m)
    function = gx.compile(m, [nested, turns, chosen])
    profile = function.profile(np.eye(40), repeats=3)
    products = [r.runs for r in everything(profile.steps) if "product" in r.description]
    assert {15, 5} <= set(products)
    (branch,) = [record for record in profile.steps if record.description.startswith("cond")]
    runs = {record.number.split(".")[1]: record.runs for record in branch.steps}
    assert runs == {"0": 1, "1": 0}
    (loop,) = [r for r in profile.steps if r.description.startswith("while")]
    count = [record.runs for record in loop.steps if record.number.startswith(f"{loop.number}.1.")]
    assert set(count) == {1}  # (0 @ m) * 2 + 1 has a sum of 1600
    assert str(profile)


@pytest.mark.parametrize("target", TARGETS)
def test_an_empty_batch(target: str) -> None:
    """No rows, no bytes, no division by zero."""
    model = classifier()
    profile = model.compile(target).profile(model.images[:0], model.labels[:0], repeats=2)
    assert profile.sizes == {"n": 0}
    assert str(profile)
    assert all(record.cost.operations >= 0 for record in profile.steps)


def test_a_program_without_steps() -> None:
    """An output that is a constant, or nothing at all."""
    assert str(gx.compile([], gx.const(1.0)).profile())
    assert gx.compile([], []).profile().steps == ()


def test_the_python_target_has_no_limits() -> None:
    """Times are told, percentages are not."""
    x = gx.input("x", ("n",))
    profile = gx.compile(x, gx.exp(x), target="python").profile(np.ones(5), repeats=2)
    assert profile.limits is None
    assert profile.steps[0].percent is None
    assert "limits" not in str(profile)


@pytest.mark.parametrize("target", TARGETS)
def test_what_fails_fails_as_in_a_call(target: str) -> None:
    """The error of the call, and the parameters as they were."""
    x = gx.input("x", ("n",))
    s = gx.state("s", 0.0)
    gx.check(gx.all(x > 0), "x must be positive")
    step = gx.compile(x, gx.sum(x), updates={s: s + gx.sum(x)}, target=target)
    with pytest.raises(CheckFailedError) as called:
        step(np.array([1.0, -1.0]))
    with pytest.raises(CheckFailedError) as profiled:
        step.profile(np.array([1.0, -1.0]))
    assert str(called.value) == str(profiled.value)
    assert s.value == 0
    m = gx.input("m", (3, 3))
    solve = gx.compile(m, gx.linalg.inv(m), target=target)
    with pytest.raises(SingularMatrixError):
        solve.profile(np.zeros((3, 3)))
    with pytest.raises(ShapeError, match="'m'"):
        solve.profile(np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match="missing"):
        solve.profile()
    with pytest.raises(ArgumentError, match="repeats >= 1"):
        solve.profile(np.eye(3), repeats=0)


def test_prints_stay_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """What a step prints is computed, and not shown for every run."""
    x = gx.input("x", ("n",))
    gx.print(gx.sum(x), "sum")
    function = gx.compile(x, x + 1)
    function.profile(np.ones(3), repeats=2)
    assert capsys.readouterr().out == ""


def test_arguments_by_name_and_of_other_types() -> None:
    """As in a call."""
    x = gx.input("x", ("n", 2))
    profile = gx.compile(x, 2 * x).profile(x=[[1, 2], [3, 4]], repeats=1)
    assert profile.sizes == {"n": 2}


def test_the_table_is_sorted() -> None:
    """By time unless told otherwise, each step once and its line below it."""
    model = classifier()
    profile = model.compile().profile(model.images, model.labels, repeats=2)
    by_time, in_order = (
        re.findall(r"^(\d+) ", profile.table(order), re.M) for order in ("time", "program")
    )
    assert in_order == [record.number for record in profile.steps]
    dearest = sorted(profile.steps, key=lambda record: -record.seconds)
    assert by_time == [record.number for record in dearest]
    assert str(profile) == profile.table("time")
    assert re.search(r"models\.py:\d+:  hidden = gx\.tanh\(x @ first \+ bias\)", str(profile))
    with pytest.raises(ArgumentError, match="time or program"):
        profile.table("size")


def test_it_is_a_frozen_value() -> None:
    """A record of what was measured."""
    x = gx.input("x", ("n",))
    profile = gx.compile(x, 2 * x).profile(np.ones(5), repeats=1)
    assert isinstance(profile, Profile)
    with pytest.raises(AttributeError):
        profile.call_seconds = 0.0  # type: ignore[misc]


def test_explain_takes_sizes() -> None:
    """Before any call, for sizes that are named; what does not fit is said."""
    x, y = gx.input("x", ("n", 3)), gx.input("y", ("k",))
    function = gx.compile([x, y], gx.sum(x) + gx.sum(y))
    assert "call it once" in function.explain()
    text = function.explain({"n": 100_000, "k": 20})
    assert "n = 100000, k = 20" in text
    assert "limits: " in text
    assert re.search(r"\d+\.\d % (cache|arithmetic)", text)
    for wrong, message in (
        ({"n": 1}, "'k' is missing"),
        ({"n": 1, "k": 2, "m": 3}, "got 'm'"),
        ({"n": -1, "k": 2}, "n >= 0"),
        ({"n": 1.5, "k": 2}, "n >= 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            function.explain(wrong)


def test_explain_does_not_hang_on_zeros() -> None:
    """A loop that never ends on zeros is left after some time, with the parameters as they were."""
    x = gx.input("x", (4,))
    endless = gx.while_loop(lambda c: gx.sum(c) < 1.0, lambda c: c + x, x * 0)
    s = gx.state("s", 5.0)
    function = gx.compile(x, endless, updates={s: s + 1})
    function(np.ones(4))
    assert "does not end on zeros" in function.explain()
    assert s.value == 6
