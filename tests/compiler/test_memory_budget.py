"""Compiling for a memory budget: the same bits in fewer bytes, or an error that says how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, MemoryBudgetError
from graphc.ir.node import Node

ROWS = 24


class Model:
    """Inputs, outputs and updates, and how to run them from the same start."""

    def __init__(self, inputs: list[Node], outputs: list[Node], updates: dict[Node, Node]) -> None:
        self.inputs, self.outputs, self.updates = inputs, outputs, updates
        self.start = {state: state.value for state in updates}
        random = np.random.default_rng(1)
        shapes = [[d if isinstance(d, int) else ROWS for d in node.shape] for node in inputs]
        self.feed = [
            random.standard_normal(shape).astype(node.dtype.numpy)
            if node.dtype.is_float
            else random.integers(0, 3, shape)
            for node, shape in zip(inputs, shapes, strict=True)
        ]

    def compile(self, target: str, budget: int | None = None) -> Any:
        """The function, for a budget or without one."""
        named = any(not isinstance(d, int) for node in self.inputs for d in node.shape)
        sizes = {"n": ROWS} if named and budget is not None else None
        return gx.compile(
            self.inputs, self.outputs, updates=self.updates, target=target, memory_budget=budget,
            budget_sizes=sizes,
        )  # fmt: skip

    def least(self) -> int:
        """The least number of bytes, as the error for an impossible budget states it."""
        with pytest.raises(MemoryBudgetError, match="at least") as caught:
            self.compile("python", budget=1)
        stated = str(caught.value).split("at least ")[1].split(" bytes")[0]
        return int(stated.replace(",", ""))

    def run(self, function: Any) -> list[np.ndarray]:
        """All outputs of two calls and the states after them, from the start."""
        for state, value in self.start.items():
            state.value = value
        function.step = 0
        results = [array for _ in range(2) for array in function(*self.feed)]
        return [*results, *(state.value for state in self.updates)]


def perceptron(
    layers: int = 8, width: int = 16, rule: str = "descent", dropout: bool = False
) -> Model:
    """A deep network, its updates by plain descent, with momentum, or its gradients as outputs."""
    random = np.random.default_rng(0)
    x, t = gx.input("x", ("n", width)), gx.input("t", ("n", width))
    draws = gx.random.stream(3)
    h, parameters = x, []
    for number in range(layers):
        start = (random.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32)
        bias = np.zeros(width, np.float32)
        parameters += [gx.param(f"W{number}", start), gx.param(f"b{number}", bias)]
        h = gx.tanh(h @ parameters[-2] + parameters[-1])
        h = gx.nn.dropout(h, 0.3, draws) if dropout else h
    loss = gx.mean((h - t) ** 2)
    gradients = gx.grad(loss, parameters)
    if rule == "gradients":
        return Model([x, t], [loss, *gradients], {})
    updates = {}
    for parameter, gradient in zip(parameters, gradients, strict=True):
        speed = gx.state(f"speed of {parameter.name}", np.zeros(parameter.shape, np.float32))
        new = 0.9 * speed + gradient
        updates |= {speed: new} if rule == "momentum" else {}
        updates[parameter] = parameter - 0.1 * (new if rule == "momentum" else gradient)
    return Model([x, t], [loss], updates)


def chain(length: int = 60) -> Model:
    """Elementwise operations one after another, and the derivative."""
    x = gx.input("x", (3000,))
    y = x
    for number in range(length):
        y = gx.tanh(y) * 1.1 + 0.01 * number
    return Model([x], [gx.grad(gx.sum(y), x)], {})


def _norm(h: Node) -> Node:
    centred = h - gx.mean(h, axis=-1, keepdims=True)
    return centred / gx.sqrt(gx.mean(centred**2, axis=-1, keepdims=True) + 1e-5)


def transformer(blocks: int = 2, width: int = 16, length: int = 8) -> Model:
    """Blocks of attention and a gelu network around a residual stream, with dropout."""
    random, draws = np.random.default_rng(0), gx.random.stream(5)
    x = gx.input("x", ("n", length, width))
    weights: list[Node] = []

    def weight(*shape: int) -> Node:
        start = random.standard_normal(shape) / np.sqrt(shape[0])
        weights.append(gx.param(f"w{len(weights)}", start.astype(np.float32)))
        return weights[-1]

    h = x
    for _ in range(blocks):
        a = _norm(h)
        q, k, v = (a @ weight(width, width) for _ in range(3))
        scores = gx.softmax(q @ gx.transpose(k, (0, 2, 1)) / np.float32(4), axis=-1)
        h = h + (gx.nn.dropout(scores, 0.1, draws) @ v) @ weight(width, width)
        u = _norm(h) @ weight(width, 4 * width)
        u = 0.5 * u * (1 + gx.tanh(0.79788456 * (u + 0.044715 * u**3)))
        h = h + gx.nn.dropout(u @ weight(4 * width, width), 0.1, draws)
    loss = gx.mean(h**2)
    gradients = gx.grad(loss, weights)
    return Model([x], [loss], {w: w - 0.1 * d for w, d in zip(weights, gradients, strict=True)})


def assortment() -> Model:
    """Labels that are checked, an embedding, joined pieces, a scan, sorting and running sums."""
    random = np.random.default_rng(0)
    x, t = gx.input("x", ("n", 6)), gx.input("t", ("n",), "int64")
    table = gx.param("table", random.standard_normal((3, 6)).astype(np.float32))
    first = gx.param("first", random.standard_normal((12, 12)).astype(np.float32))
    second = gx.param("second", random.standard_normal((12, 3)).astype(np.float32))
    h = gx.concat([x, gx.take(table, t, axis=0)], axis=1)
    for _ in range(3):
        h = gx.tanh(h @ first) + gx.sort(h, axis=1) + gx.cumsum(h, axis=1) * 0.1
        h = gx.concat([gx.exp(-(h[:, :6] ** 2)), gx.maximum(h[:, 6:], 0)], axis=1)
    _, h = gx.scan(lambda c, row: (gx.sin(c + row), c * row), h[0], h)
    loss = gx.mean(gx.softmax_cross_entropy(h @ second, t))
    parameters = [table, first, second]
    gradients = gx.grad(loss, parameters)
    updates = {p: p - 0.1 * g for p, g in zip(parameters, gradients, strict=True)}
    return Model([x, t], [loss, h], updates)


MODELS: dict[str, Callable[[], Model]] = {
    "descent": perceptron,
    "momentum": lambda: perceptron(rule="momentum"),
    "gradients": lambda: perceptron(rule="gradients"),
    "dropout": lambda: perceptron(layers=6, dropout=True),
    "chain": chain,
    "transformer": transformer,
    "assortment": assortment,
}
# By how much the least budget is below what is taken without one, at least.
FACTORS = {
    "descent": 1.7, "momentum": 2.5, "gradients": 2.9, "dropout": 2.1, "chain": 1.5,
    "transformer": 1.5, "assortment": 1.15,
}  # fmt: skip


@pytest.mark.parametrize("target", ["python", "cpu"])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_bits_in_fewer_bytes(name: str, target: str) -> None:
    """Protects that what is computed again is what was there: every bit of every output, state and
    random draw; and that the least stated can be had, and anything above."""
    if target == "python" and name in ("chain", "transformer", "dropout"):
        pytest.skip("the same schedule as on the other target, run slowly")
    model = MODELS[name]()
    plain = model.compile(target)
    wanted = model.run(plain)
    least, most = model.least(), plain.memory.peak_bytes
    assert most >= FACTORS[name] * least
    for budget in (least, (least + most) // 2):
        function = model.compile(target, budget)
        got = model.run(function)
        for array, same in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(array, same)
        assert function.memory.peak_bytes <= budget
        assert function.memory.peak_bytes_without_budget == most


def test_a_budget_that_is_large_enough_changes_nothing() -> None:
    """Protects programs that fit: the schedule is the one without a budget."""
    model = perceptron(layers=2)
    plain = model.compile("python")
    function = model.compile("python", plain.memory.at({"n": ROWS}))
    assert "nothing computed again" in str(function.memory)
    assert function.source() == plain.source()


def test_reports_say_what_is_computed_again() -> None:
    """Protects `memory` before and after the first call, and the marks in `explain`."""
    model = perceptron()
    function = model.compile("cpu", model.least())
    report = str(function.memory)
    assert "without a budget" in report
    assert "products computed again" in report
    assert f"n = {ROWS}" in report
    model.run(function)
    lines = function.explain().split("\n")
    assert any(line.endswith("(again)") and "matrix product" in line for line in lines)
    assert sum(line.endswith("(again)") for line in lines) == len(function.budget.again)


def test_larger_sizes_than_the_budget_is_for() -> None:
    """Protects the check at a call and at a loop; smaller sizes and the short last batch run."""
    model = perceptron(layers=4)
    function = model.compile("python", model.least())
    small, large = ([np.zeros((rows, 16), np.float32)] * 2 for rows in (ROWS // 2, 4 * ROWS))
    function(*small)
    with pytest.raises(MemoryBudgetError, match=f"n = {4 * ROWS}.*expected at most"):
        function(*large)
    with pytest.raises(MemoryBudgetError, match="budget_sizes"):
        function.loop(tuple(large), batch_size=4 * ROWS)
    (losses,) = function.loop(tuple(large), batch_size=ROWS - 1)
    assert len(losses) == 5


def test_bad_budgets_say_what_was_expected() -> None:
    """Protects the messages for each argument that does not fit."""
    x = gx.input("x", ("n", 4))
    y = gx.sum(gx.exp(x))
    bad: list[tuple[dict[str, Any], str]] = [
        ({"memory_budget": 0}, "a number of bytes >= 1"),
        ({"memory_budget": 1e6}, "an integer; got 1000000.0"),
        ({"memory_budget": True}, "an integer; got True"),
        ({"memory_budget": 10**6}, r'needs the size \'n\'.*\{"n": 128\}'),
        ({"memory_budget": 10**6, "budget_sizes": {"n": -1}}, r"budget_sizes\['n'\] >= 0"),
        ({"memory_budget": 10**6, "budget_sizes": {"n": 1, "m": 2}}, "has 'm'.*sizes are 'n'"),
        ({"budget_sizes": {"n": 1}}, "give both"),
    ]
    for arguments, message in bad:
        with pytest.raises(ArgumentError, match=message):
            gx.compile(x, y, target="python", **arguments)


def test_a_failed_check_leaves_states_as_they_were() -> None:
    """Protects the order of checks and updates where steps are moved and run again."""
    model = assortment()
    function = model.compile("python", model.least())
    x, labels = model.feed
    before = [state.value for state in model.updates]
    with pytest.raises(gx.errors.IndexRangeError):
        function(x, labels + 3)
    for state, value in zip(model.updates, before, strict=True):
        np.testing.assert_array_equal(state.value, value)


def test_the_native_loop_runs_the_same_program() -> None:
    """Protects loops over data: the same parameters as without a budget, dropout included."""
    model = perceptron(layers=4, dropout=True)
    data = tuple(
        np.random.default_rng(2).standard_normal((3 * ROWS + 5, 16)).astype(np.float32)
        for _ in range(2)
    )
    ends = []
    for budget in (None, model.least()):
        for state, value in model.start.items():
            state.value = value
        function = model.compile("cpu", budget)
        losses = function.loop(data, batch_size=ROWS, epochs=2, seed=0)
        ends.append([losses[0], *(state.value for state in model.updates)])
    for first, second in zip(*ends, strict=True):
        np.testing.assert_array_equal(first, second)
