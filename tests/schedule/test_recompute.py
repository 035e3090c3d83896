"""What is computed again is chosen by a cut; steps run again or moved give what they gave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import graphc as gx
from graphc.errors import MemoryBudgetError
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.again import Repeated, repeat
from graphc.schedule.buffer import ARENA, CARRIED, OUTPUT, Buffer
from graphc.schedule.build import schedule
from graphc.schedule.memory import bytes_of, lives, plan
from graphc.schedule.recompute import Budget, dropped_values, fit
from graphc.schedule.schedule import Copy, Product, Schedule
from graphc.schedule.timeline import Timeline, Value, best_order, dependences
from graphc.schedule.verify import verify_plan, verify_schedule

SIZES = {"n": 64}


def layers(count: int, width: int = 32) -> tuple[Graph, Schedule]:
    """The last graph and the schedule of a deep network with its gradients."""
    x = gx.input("x", ("n", width))
    weights = [gx.param(f"W{i}", np.zeros((width, width), np.float32)) for i in range(count)]
    h: Node = x
    for weight in weights:
        h = gx.tanh(h @ weight)
    outputs = [gx.sum(h), *gx.grad(gx.sum(h), weights)]
    return (
        gx.compile(x, outputs, target="python", stop="split"),
        gx.compile(x, outputs, target="python", stop="schedule"),
    )


def least_of(graph: Graph, plain: Schedule) -> int:
    """The least that the error for an impossible budget states."""
    with pytest.raises(MemoryBudgetError) as caught:
        fit(graph, plain, 1, SIZES)
    return caught.value.least


def peak(made: Schedule) -> int:
    """The planned bytes, after the verifiers have seen the schedule and its plan."""
    verify_schedule(made)
    found = plan(lives(made), SIZES)
    verify_plan(found, SIZES)
    return found.peak_bytes


def temporary(home: str = ARENA, elements: int = 1024) -> Buffer:
    """Memory for some numbers."""
    return Buffer(float32, elements, home)


def test_the_least_grows_with_the_root_of_the_depth() -> None:
    """Segments: four times the layers need about twice the memory, not four times."""
    shallow, deep = layers(8), layers(32)
    assert least_of(*deep) < 2.6 * least_of(*shallow)
    assert peak(deep[1]) > 3 * peak(shallow[1])


def test_what_is_stated_as_the_least_works_and_less_does_not() -> None:
    """The number in the error is a budget that is kept; one byte less is impossible again."""
    graph, plain = layers(8)
    least = least_of(graph, plain)
    assert peak(fit(graph, plain, least, SIZES).schedule) <= least
    with pytest.raises(MemoryBudgetError, match=f"at least {least:,} bytes for n = 64"):
        fit(graph, plain, least - 1, SIZES)


def test_less_memory_means_more_is_computed_again() -> None:
    """A budget that is nearly enough costs little; products come last."""
    graph, plain = layers(12)
    least, most = least_of(graph, plain), peak(plain)
    found: list[Budget] = []
    for share in (0.1, 0.5, 1.0):
        found.append(fit(graph, plain, int(least + share * (most - least)), SIZES))
    counts = [len(budget.again) for budget in found]
    assert counts[0] > counts[1] >= counts[2] == 0
    assert any(isinstance(step, Product) for step in found[0].again)


def test_no_product_is_run_again_where_kernels_are_enough() -> None:
    """Three values of each layer wait, all made from the product: one is kept of them."""
    x = gx.input("x", ("n", 32))
    weights = [gx.param(f"W{i}", np.zeros((32, 32), np.float32)) for i in range(6)]
    h: Node = x
    draws = gx.random.stream(1)
    for weight in weights:
        h = gx.nn.dropout(gx.tanh(h @ weight), 0.5, draws)
    outputs = [gx.sum(h), *gx.grad(gx.sum(h), weights)]
    graph = gx.compile(x, outputs, target="python", stop="split")
    plain = gx.compile(x, outputs, target="python", stop="schedule")
    budget = fit(graph, plain, peak(plain) * 2 // 3, SIZES)
    assert budget.again
    assert not any(isinstance(step, Product) for step in budget.again)


def test_the_cut_keeps_the_narrowest_values() -> None:
    """Wide values that come from a narrow one are computed again, and the narrow one is kept."""
    source, narrow, first, second, end = (
        temporary(OUTPUT), temporary(elements=16), temporary(), temporary(), temporary(OUTPUT)
    )  # fmt: skip
    steps = (
        Copy(source, narrow), Copy(narrow, first), Copy(narrow, second),
        Copy(first, end), Copy(second, end),
    )  # fmt: skip
    timeline = Timeline(steps, {})
    needed = [Value(first, 1), Value(second, 1)]
    assert dropped_values(timeline, needed, (), {1, 2}) == set(needed)
    assert dropped_values(timeline, needed, {Value(narrow, 1)}, {2}) == {Value(second, 1)}
    assert dropped_values(timeline, needed, (), ()) == set()
    # From what is at hand anyway the narrow one is made again too.
    assert dropped_values(timeline, needed, (), {0, 1, 2}) == {*needed, Value(narrow, 1)}


def test_a_kept_value_is_copied_before_it_is_written_over() -> None:
    """What is computed again needs a value that the program has overwritten in between."""
    x, kept, made, end = temporary(OUTPUT), temporary(), temporary(), temporary(OUTPUT)
    first = Copy(x, kept)
    second = Copy(kept, made)
    over = Copy(x, kept)  # writes over what the second step has read
    steps = (first, second, over, Copy(kept, end), Copy(made, end))
    result = repeat(Timeline(steps, {}), 1, {Value(made, 1)}, ())
    assert isinstance(result, Repeated)
    (again,) = result.again
    new = result.timeline.steps
    assert isinstance(again, Copy)
    assert again.source is kept
    assert all(kept not in step.writes for step in new[1 : new.index(again)])
    assert len(new) == len(steps) + 2  # one copy to write over, one step again


def test_a_step_that_reads_a_changed_state_is_not_run_again() -> None:
    """The state is not what it was: the position of the step comes back."""
    state, x, made = temporary(CARRIED), temporary(OUTPUT), temporary()
    read, change, late = Copy(state, made), Copy(x, state), Copy(made, temporary(OUTPUT))
    dropped = {Value(made, 1)}
    assert repeat(Timeline((read, change, late), {}), 1, dropped, ()) == {0}
    unchanged = repeat(Timeline((read, late, change), {}), 0, dropped, ())
    assert isinstance(unchanged, Repeated)
    assert len(unchanged.again) == 1


def test_a_cut_product_run_again_has_parts_of_its_own() -> None:
    """The second run of a product whose terms are cut takes as much memory as the first."""
    x = gx.input("x", ("n", 20))
    y = gx.tanh(x.T @ x)
    given = gx.compile(x, [y, gx.sum(y, axis=0) @ x.T], target="python", stop="schedule")
    (at,) = [
        at for at, step in enumerate(given.steps) if isinstance(step, Product) and step.scratch
    ]
    product, sizes = given.steps[at], {"n": 9_000}
    assert isinstance(product, Product)
    (workspace,) = product.scratch
    timeline = Timeline((product, *given.steps[at + 1 :]), sizes)
    result = repeat(timeline, 0, {Value(product.c.buffer, 1)}, ())
    assert isinstance(result, Repeated)
    (again,) = result.again
    assert isinstance(again, Product)
    (fresh,) = again.scratch
    assert fresh is not workspace
    assert bytes_of(fresh, sizes) == bytes_of(workspace, sizes) >= 2 * 20 * 20 * 4
    verify_plan(plan(lives(replace(given, steps=result.timeline.steps)), sizes), sizes)


def test_orders_keep_what_depends_on_each_other() -> None:
    """A better order has the same steps, each after those it needs, and less alive."""
    _, plain = layers(10)
    given = Timeline(plain.steps, SIZES)
    found = best_order(given)
    place = {step: at for at, step in enumerate(found.steps)}
    assert set(place) == set(plain.steps)
    for at, before in enumerate(dependences(given)):
        assert all(place[plain.steps[other]] < place[plain.steps[at]] for other in before)
    assert found.peak() < given.peak()


def test_kernels_are_divided_where_no_bit_changes() -> None:
    """Smaller kernels give the bits of large ones, and need less memory to be run again."""
    x = gx.input("x", (500,))
    y: Node = x
    for number in range(60):
        y = gx.tanh(y) * 1.3 + 0.1 * number
    outputs = [gx.grad(gx.sum(y), x), y]
    plain = gx.compile(x, outputs)
    with pytest.raises(MemoryBudgetError) as caught:
        gx.compile(x, outputs, memory_budget=1)
    least = int(str(caught.value).split("at least ")[1].split(" ")[0].replace(",", ""))
    small = gx.compile(x, outputs, memory_budget=least)
    assert len(small.kernels) > len(plain.kernels)
    assert plain.memory.peak_bytes > 2 * least
    feed = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    for first, second in zip(plain(feed), small(feed), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_sum_of_products_keeps_its_kernel() -> None:
    """Either product may be rounded first, which depends on the kernel around them."""
    x = gx.input("x", (500,))
    y: Node = x
    for number in range(60):
        y = gx.sin(y) * 1.3 + x * gx.tanh(y * number)
    graph = gx.compile(x, [gx.grad(gx.sum(y), x), y], stop="split")
    assert len(schedule(graph, 24).steps) == len(schedule(graph).steps)
