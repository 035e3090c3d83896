"""Programs as text: what is read back runs as what was written, for every operation and any graph.

The uncompiled source is run, so that hundreds of programs take seconds; a program is the same one
for every target.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.compiler.function import Function
from graphc.errors import CheckFailedError, ExecutionError, IndexRangeError
from graphc.ir.node import Node
from graphc.target.program_writer import NotWritableError, program_text
from tests.compiler.kept_again import read_again, written
from tests.compiler.models import classifier
from tests.op_cases.registry import CASES
from tests.random_graphs.cases import Case, random_case, random_loop
from tests.random_graphs.checks import restore, values
from tests.test_every_op import inputs_of
from tests.test_random_graphs import PICKS, examples


def bits(results: Any) -> list[bytes]:
    """The bits of one or several results."""
    return [
        np.asarray(each).tobytes()
        for each in (results if isinstance(results, tuple) else [results])
    ]


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_operation(name: str) -> None:
    """An operation and its derivatives give the same bits."""
    case = CASES[name]
    arrays = case.arrays()
    nodes = inputs_of(case, arrays, "float32")
    y = case.build(*nodes)
    floats = [node for node in nodes if node.dtype.is_float]
    smooth = case.smooth and y.dtype.is_float and floats
    found = gx.grad(gx.sum(y), floats, disconnected="zero") if smooth else []
    function = gx.compile(nodes, [y, *found], target="python")
    given = [a.astype(n.dtype.numpy) for a, n in zip(arrays, nodes, strict=True)]
    again = read_again(function)
    function.step = again.step = 0
    assert bits(again(*given)) == bits(function(*given))


@examples(60)
@given(PICKS, st.integers(1, 16))
def test_random_graphs(pick: random.Random, steps: int) -> None:
    """Outputs and updates of a random graph, for all its sizes."""
    check(random_case(pick, steps))


@examples(25)
@given(PICKS, st.integers(1, 12))
def test_random_loops(pick: random.Random, steps: int) -> None:
    """The same with loops and branches."""
    check(random_loop(pick, steps))


def check(case: Case) -> None:
    """Both programs give the same bits, or fail with the same words."""
    function = gx.compile(case.inputs, case.outputs, case.updates, target="python")
    again, before = read_again(function), values(case.updates)
    for world in case.worlds:
        told = []
        for each in (function, again):
            restore(before)
            each.step = 0
            try:
                told.append(
                    [*bits(each(*case.arrays(world))), *bits(tuple(values(case.updates).values()))]
                )
            except ExecutionError as error:
                told.append([str(error).encode()])
        assert told[0] == told[1]
    restore(before)


def test_training_in_a_native_loop() -> None:
    """Parameters after some epochs, with dropout and a short last batch."""
    model = classifier(dropout=True)
    function = model.compile("cpu")
    again = read_again(function)
    before = values(model.updates)
    told = []
    for each in (function, again):
        restore(before)
        each.step = 0
        losses = each.loop((model.images, model.labels), 16, epochs=3, seed=4)
        told.append([losses.tobytes(), *(value.tobytes() for value in model.values())])
    assert told[0] == told[1]


def attention(x: Node, w: Node) -> Node:
    """A graph with loops, products of batches, and constants that rewriting folds."""
    table = gx.const(np.arange(12, dtype=np.float32).reshape(3, 4))

    def step(carry: Node, element: Node) -> tuple[Node, Node]:
        new = gx.tanh(carry @ w + element)
        return new, gx.sum(new) * gx.mean(table)

    _, out = gx.scan(step, gx.zeros((x.shape[1], 4)), x)
    return gx.sum(out) + gx.cond(gx.sum(x) > 0, lambda: gx.max(x), lambda: gx.min(x))


def test_loops_and_branches_with_gradients() -> None:
    """A scan inside a program, its gradient, a branch, and constants, for two sizes."""
    x, w = gx.input("x", ("t", "n", 4)), gx.input("w", (4, 4))
    y = attention(x, w)
    function = gx.compile([x, w], [y, *gx.grad(y, [x, w])])
    again = read_again(function)
    random_ = np.random.default_rng(0)
    for steps, count in ((3, 2), (40, 64)):
        given = random_.standard_normal((steps, count, 4)), random_.standard_normal((4, 4))
        arrays = [array.astype(np.float32) for array in given]
        assert bits(again(*arrays)) == bits(function(*arrays))


def failing(make: Callable[[Node], Node], bad: np.ndarray) -> tuple[Function, str]:
    """A function that fails on an array, and what it says."""
    x = gx.input("x", ("n",), bad.dtype)
    function = gx.compile(x, make(x), target="python")
    with pytest.raises(ExecutionError) as caught:
        function(bad)
    return read_again(function), str(caught.value)


def positive_root(x: Node) -> Node:
    """The square root, with a check."""
    gx.check(x > 0, "positive")
    return gx.sqrt(x)


@pytest.mark.parametrize(
    ("make", "bad", "error"),
    [
        (lambda i: gx.take(gx.const(np.arange(5.0)), i), np.array([1, 2, 7]), IndexRangeError),
        (positive_root, np.array([1.0, -2.0]), CheckFailedError),
        (lambda x: gx.linalg.cholesky(gx.outer(x, x) - 1.0), np.array([1.0, 2.0]), ExecutionError),
    ],
)
def test_failures_say_the_same(
    make: Callable[[Node], Node], bad: np.ndarray, error: type[ExecutionError]
) -> None:
    """The message of a failed check has the numbers and the user's line."""
    again, message = failing(make, bad)
    with pytest.raises(error) as caught:
        again(bad)
    assert str(caught.value) == message
    assert "test_program_text.py" in message


def test_constants_of_the_graph_are_not_in_the_text() -> None:
    """A data set in the graph is found there again, and does not make the program longer."""
    x = gx.input("x", (300,))
    data = gx.const(np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32))
    function = gx.compile(x, gx.sum(gx.tanh(x @ data)))
    assert len(written(function)) < 5_000
    given = np.ones(300, np.float32)
    assert bits(read_again(function)(given)) == bits(function(given))


def test_special_numbers() -> None:
    """Numbers of all sizes, infinities and nans keep their bits."""
    x = gx.input("x", ("n",), "float64")
    special = np.array([0x7FF8000000000123, 0xFFF8000000000000], np.uint64).view(float)
    for number in (np.inf, -np.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1, *special):
        function = gx.compile(x, [gx.where(x > 0, x, number), x * number], target="python")
        given = np.array([1.0, -2.0, 0.0])
        with np.errstate(all="ignore"):
            assert bits(read_again(function)(given)) == bits(function(given))


def test_what_has_no_text() -> None:
    """A parameter that is not in the graph at hand is not mistaken for another one."""
    w = gx.param("w", np.ones(3))
    function = gx.compile([], gx.sum(w), target="python")
    made = function.program
    numbers = {handle: number for number, handle in enumerate(set(made.handles.values()))}
    with pytest.raises(NotWritableError, match="param w"):
        program_text(made, numbers, {})
