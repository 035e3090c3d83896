"""What must hold of a random case: every way of computing it gives the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import graphc as gx
from graphc.compiler.function import Function
from graphc.errors import ExecutionError, ShapeError
from graphc.ir.node import Node
from graphc.ops.evaluate import evaluate_all
from tests.random_graphs.builder import Feed, World
from tests.random_graphs.cases import Case

# Of the largest number that is met on the way.
TOLERANCE = {"float64": 1e-7, "float32": 2e-3}
# Beyond this, differences of what is large drown everything.
LARGEST_SCALE = 1e7


def check_rewriting(
    case: Case, stages: Sequence[str] = ("rewrite", "simplify", "contract")
) -> None:
    """The interpreter gives the same values before and after each stage."""
    for stage in stages:
        graph = gx.compile(case.inputs, case.outputs, case.updates, target="python", stop=stage)
        for world in case.worlds:
            known = evaluate_all(case.roots, feed(case, world))
            # The mean of nothing is 0/0, which rewriting may move to where it counts; and what
            # an expansion takes the maximum of must not be nothing.
            empty = any(np.size(value) == 0 for value in known.values())
            if empty and stage != "rewrite":
                continue
            found = evaluate_all(graph.roots, feed(case, world))
            for old, new in zip(case.roots, graph.roots, strict=True):
                if not empty or np.isfinite(found[new]).all():
                    label = f"after {stage}, {world.sizes}: {old!r}"
                    check_close(found[new], known[old], scale_of(known), label)


def check_target(case: Case, target: str) -> Function:
    """A compiled function gives the interpreter's values, for all sizes, twice, whatever its memory
    held before; the second time with the same bits."""
    function: Function = gx.compile(case.inputs, case.outputs, case.updates, target=target)
    before = values(case.updates)
    for world in case.worlds:
        restore(before)
        expected, scale = reference(case, world)
        runs = []
        for _ in range(2):
            restore(before)
            fill_memory(function)
            function.step = 0
            found = function(*case.arrays(world))
            runs.append([*map(np.asarray, found), *(node.value for node in case.updates)])
        names = [*case.outputs, *case.updates]
        for first, second, want, node in zip(*runs, expected, names, strict=True):
            label = f"{target}, {world.sizes}: {node!r}"
            if scale < LARGEST_SCALE:
                check_close(first, want, scale, label)
            assert first.tobytes() == second.tobytes(), f"{label}: not the same bits twice"
    restore(before)
    return function


def check_loop(case: Case, target: str, batch: int, epochs: int, seed: int, shuffle: bool) -> None:
    """A loop gives the bits that calls give one by one: outputs of each step and states at its end,
    or the states before the step that fails."""
    function: Function = gx.compile(case.inputs, case.outputs, case.updates, target=target)
    before = values(case.updates)
    data = [np.concatenate([w.values[node] for w in case.worlds] * 3) for node in case.inputs]
    function.step = 0
    failed: Exception | None = None
    try:
        looped = function.loop(data, batch, epochs, seed, shuffle)
    except ShapeError:
        return  # the last batch is too short for a slice of the graph
    except ExecutionError as error:
        failed, looped = error, None
    after = values(case.updates)
    restore(before)
    function.step = 0
    for step, rows in enumerate(batches(len(data[0]), batch, epochs, seed, shuffle)):
        good = values(case.updates)
        try:
            called = function(*(array[rows] for array in data))
        except ExecutionError:
            called = ()
        if failed is not None and not (called and all_finite([*called, *values(good).values()])):
            check_same_states(after, good)
            break
        assert called, f"the call of step {step} fails, the loop does not"
        if failed is None:
            for found, want in zip(looped, called, strict=True):
                np.testing.assert_array_equal(found[step], want)
    else:
        assert failed is None, f"no call fails, the loop does: {failed}"
        check_same_states(after, values(case.updates))
    restore(before)


def batches(count: int, batch: int, epochs: int, seed: int, shuffle: bool) -> Iterator[np.ndarray]:
    """The examples of each step, in the order that the loop itself takes them."""
    index = gx.input("index", ("n",), dtype="int64")
    probe = gx.compile(index, gx.sum(index), target="python")
    order = probe.loop(np.arange(count), 1, epochs, seed, shuffle).reshape(epochs, count)
    for epoch in order:
        for start in range(0, count, batch):
            yield epoch[start : start + batch]


# ---- parts


def feed(case: Case, world: World) -> Feed:
    """The inputs of a world."""
    return {node: world.values[node] for node in case.inputs}


def reference(case: Case, world: World) -> tuple[list[np.ndarray], float]:
    """The interpreter's values of outputs and new states, and the largest number on the way.

    Where an axis is empty the rewritten graph is interpreted: a mean of nothing may have moved.
    """
    known = evaluate_all(case.roots, feed(case, world))
    if any(np.size(value) == 0 for value in known.values()):
        graph = gx.compile(case.inputs, case.outputs, case.updates, target="python", stop="rewrite")
        rewritten = evaluate_all(graph.roots, feed(case, world))
        return [rewritten[node] for node in graph.roots], scale_of(known)
    return [known[node] for node in case.roots], scale_of(known)


def scale_of(known: Any) -> float:
    """The largest finite number of all values, at least 1."""
    return max([1.0, *(largest(value) for value in known.values())])


def largest(value: Any) -> float:
    """The largest finite number of an array, or of several."""
    parts = value if isinstance(value, tuple) else (value,)
    sizes = [np.abs(p[np.isfinite(p)]) for p in map(np.asarray, parts) if p.dtype.kind == "f"]
    return max((float(s.max()) for s in sizes if s.size), default=0.0)


def check_close(found: Any, expected: np.ndarray, scale: float, label: str) -> None:
    """Equal, or close on the scale of everything met on the way. What is not finite is not
    compared, since rewriting may change it."""
    found = np.asarray(found)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), label
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=label)
    elif np.isfinite(expected).all():
        allowed = TOLERANCE[expected.dtype.name] * scale
        np.testing.assert_allclose(found, expected, rtol=0, atol=allowed, err_msg=label)


def check_same_states(found: dict[Node, np.ndarray], expected: dict[Node, np.ndarray]) -> None:
    """The same bits, or a nan in both."""
    for node, value in expected.items():
        np.testing.assert_array_equal(found[node], value, err_msg=repr(node))


def values(nodes: Any) -> dict[Node, np.ndarray]:
    """What parameters and states hold now."""
    return {node: node.value for node in nodes}


def restore(held: dict[Node, np.ndarray]) -> None:
    """Put back what parameters and states held."""
    for node, value in held.items():
        node.value = value


def all_finite(arrays: Any) -> bool:
    """Whether no float is infinite or nan."""
    return all(np.isfinite(a).all() for a in map(np.asarray, arrays) if a.dtype.kind == "f")


def fill_memory(function: Function) -> None:
    """Fill the memory for temporaries with nan (or -1): reading what was not written shows."""
    for slots in function._slots.values():
        for slot in slots:
            slot._instance.arena[:] = 0xFF
