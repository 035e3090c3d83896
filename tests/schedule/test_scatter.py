"""The kernel of a scatter: the order of its indices, what it copies, what it updates in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import IndexRangeError
from graphc.schedule.scatter import COLUMNS, known_places
from graphc.schedule.schedule import Copy, KernelCall, Schedule

TARGETS = ("python", "cpu")
TABLE = np.arange(12.0, dtype="float32").reshape(4, 3)


def plan(outputs: Any, updates: Any = None) -> Schedule:
    nodes = [outputs] if isinstance(outputs, gx.Node) else list(outputs)
    from graphc.ir.traverse import topological

    inputs = [n for n in topological([*nodes, *(updates or {}).values()]) if n.op.name == "input"]
    return gx.compile(inputs, nodes, updates, stop="schedule")  # type: ignore[no-any-return]


def copies(schedule: Schedule) -> int:
    return sum(isinstance(step, Copy) for step in schedule.steps)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["add", "set", "max", "multiply"])
def test_a_state_is_updated_in_place(method: str, target: str) -> None:
    """No copy of the table, and the values NumPy gives, call after call; an index out of range
    leaves it as it was."""
    table = gx.param("table", TABLE)
    i, v = gx.input("i", ("m",), "int64"), gx.input("v", ("m", 3))
    new = getattr(table.at[i], method)(v)
    assert copies(plan(gx.sum(v), {table: new})) == 0
    step = gx.compile([i, v], gx.sum(v), {table: new}, target=target)
    expected = TABLE.copy()
    random = np.random.default_rng(0)
    for _ in range(3):
        indices, values = random.integers(-4, 4, 5), random.standard_normal((5, 3)).astype("f")
        step(indices, values)
        if method == "set":
            expected[indices] = values
        else:
            function = {"add": np.add, "max": np.maximum, "multiply": np.multiply}[method]
            function.at(expected, indices, values)
        np.testing.assert_array_equal(table.value, expected)
    with pytest.raises(IndexRangeError, match="'i': 4 at position 4"):
        step([0, 1, 2, 3, 4], np.ones((5, 3)))
    np.testing.assert_array_equal(table.value, expected)


@pytest.mark.parametrize("target", TARGETS)
def test_other_readers_see_the_old_state(target: str) -> None:
    """What else reads a table comes first; what cannot come first makes a copy necessary."""
    table, other = gx.param("table", TABLE), gx.param("other", TABLE)
    i = gx.input("i", ("m",), "int64")
    rows = table[i]
    loss = gx.sum(rows * rows)
    new = table.at[i].add(-0.5 * gx.grad(loss, rows))
    step = gx.compile(i, [loss, table * 1], {table: new, other: table}, target=target)
    found, seen = step([2, 0, 2])
    assert found == np.sum(TABLE[[2, 0, 2]] ** 2)
    np.testing.assert_array_equal(seen, TABLE)
    np.testing.assert_array_equal(other.value, TABLE)
    expected = TABLE.copy()
    np.add.at(expected, [2, 0, 2], -TABLE[[2, 0, 2]])
    np.testing.assert_array_equal(table.value, expected)


@pytest.mark.parametrize("target", TARGETS)
def test_values_out_of_the_table_itself(target: str) -> None:
    """A row that is read where another one is written keeps its old value."""
    table = gx.param("table", TABLE)
    i = gx.input("i", (2,), "int64")
    new = table.at[i].set(table[:2])
    step = gx.compile(i, gx.sum(table), {table: new}, target=target)
    step([1, 0])
    np.testing.assert_array_equal(table.value, TABLE[[1, 0, 2, 3]])


def test_a_chain_of_changes_copies_once() -> None:
    """An intermediate array that nobody else reads gives its memory to the next change."""
    x, i, v = gx.input("x", (4, 3)), gx.input("i", (2,), "int64"), gx.input("v", (2, 3))
    chain = gx.exp(x).at[i].add(v).at[i + 1].multiply(v)
    schedule = plan(gx.sum(chain * chain))
    assert copies(schedule) == 0
    kept = gx.exp(x)
    assert copies(plan([gx.sum(kept.at[i].add(v) ** 2), gx.sum(kept, axis=0), kept])) == 1


def test_what_needs_no_memory_takes_none() -> None:
    """Constants and ramps are computed in the kernel; a transposed array is read where it is."""
    i, v = gx.input("i", ("m",), "int64"), gx.input("v", (3, "m"))
    schedule = plan(gx.zeros((5, 3)).at[i].set(v.T))
    assert [type(step) for step in schedule.steps] == [KernelCall, KernelCall]  # checks, changes
    one = plan(gx.scatter_add(v.T, i, 5))
    assert [type(step) for step in one.steps] == [KernelCall]


def test_who_checks() -> None:
    """A sum from zeros checks its indices itself; what may be changed in place has them checked."""
    i, v, x = gx.input("i", (2,), "int64"), gx.input("v", (2,)), gx.input("x", (4,))
    assert not known_places(gx.scatter_add(v, i, 4))
    assert known_places(x.at[i].add(v))
    assert known_places(gx.scatter_add(v, gx.const([1, 3]), 4))


@pytest.mark.parametrize("shape, key", [
    ((3 * COLUMNS + 5,), (0,)), ((2, 7), (0,)), ((5, 4, 6), (1,)), ((5, 4, 6), (0, 2)),
    ((300, 4, 3), (1,)), ((5, 4, 6), (1, 2)), ((40,), ()),
])  # fmt: skip
@pytest.mark.parametrize("target", TARGETS)
def test_every_split_gives_the_same_bits(shape: tuple[int, ...], key: Any, target: str) -> None:
    """Axes before and after the indexed ones, divided into chunks of any size: the sum comes in
    the order of the indices."""
    random = np.random.default_rng(1)
    axes = key or (0,)
    full = (6, *shape) if axes == (0,) and shape != (40,) else shape
    count = 700 if target == "cpu" else 30
    indices = [random.integers(0, full[axis], count) for axis in axes]
    known = iter(indices)
    at = tuple(next(known) if axis in axes else slice(None) for axis in range(len(full)))
    values = random.standard_normal(np.zeros(full)[at].shape).astype("float32")
    expected = np.zeros(full, "float32")
    np.add.at(expected, at, values)
    x, v = gx.input("x", full), gx.input("v", values.shape)
    nodes = [gx.input(f"i{n}", (count,), "int32") for n in range(len(axes))]
    given = iter(nodes)
    y = x.at[tuple(next(given) if isinstance(k, np.ndarray) else k for k in at)].add(v)
    function = gx.compile([x, v, *nodes], y, target=target)
    found = function(np.zeros(full, "float32"), values, *indices)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("target", TARGETS)
def test_no_entries_and_no_elements(target: str) -> None:
    """No index at all changes nothing, and an array without columns stays one."""
    x = gx.input("x", (3, "w"))
    i, v = gx.input("i", ("m",), "int64"), gx.input("v", ("m", "w"))
    function = gx.compile([x, i, v], [x.at[i].add(v), gx.scatter_add(v, i, 3)], target=target)
    for m, w in ((0, 2), (2, 0), (0, 0), (1, 1)):
        old, new = np.ones((3, w), "float32"), np.ones((m, w), "float32")
        changed, total = function(old, np.zeros(m, np.int64), new)
        expected = old.copy()
        expected[:1] += m
        np.testing.assert_array_equal(changed, expected)
        np.testing.assert_array_equal(total, expected - 1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float64"])
def test_every_dtype(dtype: str) -> None:
    """Small integers wrap in their own width; truth values can be set."""
    base, values = np.array([1, 0, 1, 1]).astype(dtype), np.array([1, 1, 0]).astype(dtype)
    if dtype == "uint8":
        base, values = np.array([200, 3, 255, 0], dtype), np.array([100, 5, 9], dtype)
    i = np.array([0, 2, 0])
    x, v = gx.input("x", (4,), dtype), gx.input("v", (3,), dtype)
    nodes = {"set": x.at[i].set(v)}
    if dtype != "bool":
        nodes |= {name: getattr(x.at[i], name)(v) for name in ("add", "multiply", "min", "max")}
    for target in TARGETS:
        found = gx.compile([x, v], list(nodes.values()), target=target)(base, values)
        for name, have in zip(nodes, found, strict=True):
            expected = base.copy()
            if name == "set":
                expected[i] = values
            else:
                function = {"add": np.add, "multiply": np.multiply, "min": np.minimum,
                            "max": np.maximum}[name]  # fmt: skip
                function.at(expected, i, values)
            np.testing.assert_array_equal(have, expected, err_msg=name)
