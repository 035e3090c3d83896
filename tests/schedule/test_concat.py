"""Concatenation takes no pass of its own: pieces are computed where they lie in the result."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import VerificationError
from graphc.schedule.buffer import ARENA, OUTPUT
from graphc.schedule.memory import lives
from graphc.schedule.schedule import Copy, KernelCall, Product, Schedule
from graphc.schedule.verify import verify_schedule
from tests.random_graphs import actions, cases, joining
from tests.random_graphs.builder import Feed
from tests.random_graphs.checks import check_loop, check_target

RANDOM = np.random.default_rng(0)


def scheduled(inputs: Any, outputs: Any, updates: Any = None) -> Schedule:
    """The schedule, verified."""
    plan_: Schedule = gx.compile(inputs, outputs, updates, stop="schedule")
    verify_schedule(plan_)
    return plan_


def arrays(*nodes: gx.Node, n: int = 5) -> list[np.ndarray]:
    """Values for inputs, whose symbolic sizes are n."""
    return [
        RANDOM.standard_normal([d if isinstance(d, int) else n for d in node.shape])
        for node in nodes
    ]


def check(nodes: list[gx.Node], outputs: Any, *values: np.ndarray) -> None:
    """Both targets give the interpreter's numbers, twice."""
    feed: Feed = dict(zip(nodes, values, strict=True))
    expected = gx.evaluate(outputs, feed)
    for target in ("python", "cpu"):
        compiled = gx.compile(nodes, outputs, target=target)
        for _ in range(2):
            found = compiled(*values)
            pairs = zip(found, expected, strict=True) if isinstance(outputs, list) else [
                (found, expected)
            ]  # fmt: skip
            for have, want in pairs:
                assert have.shape == want.shape
                np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_pieces_fuse_with_what_makes_them(axis: int) -> None:
    """Two elementwise pieces of shared inputs are one kernel, which writes only the output."""
    x, y = gx.input("x", ("n", 4), "float64"), gx.input("y", ("n", 4), "float64")
    made = gx.concat([gx.exp(x) * y, gx.tanh(x) + y], axis)
    (step,) = scheduled([x, y], made).steps
    assert isinstance(step, KernelCall)
    assert [buffer.home for buffer in step.writes] == [OUTPUT]
    check([x, y], made, *arrays(x, y))


def test_a_product_writes_into_its_part() -> None:
    """C with the distance between rows of the whole; batches of products too."""
    x, w = gx.input("x", ("n", 4), "float64"), gx.input("w", (4, 3), "float64")
    for made in (
        gx.concat([x @ w, 2 * (x @ w[:, :1])], 1), gx.concat([x @ w, gx.tanh(x[:, :3])], 0),
        gx.concat([gx.concat([x @ w, x], 1), gx.concat([x, gx.exp(x) @ w], 1)], 0),
    ):  # fmt: skip
        steps = scheduled([x, w], made).steps
        assert all(step.c.buffer.home == OUTPUT for step in steps if isinstance(step, Product))
        assert not any(isinstance(step, Copy) for step in steps)
        check([x, w], made, *arrays(x, w))


@pytest.mark.parametrize("axis", range(4))
def test_batched_products(axis: int) -> None:
    """Where the matrices of a batch have one distance they lie in place, else they are copied."""
    a, b = gx.input("a", (2, 3, 4, 5), "float64"), gx.input("b", (2, 3, 5, 4), "float64")
    made = gx.concat([a @ b, gx.exp(a @ b), 3 * (a[::-1] @ b), a @ b[:, ::-1] + 1], axis)
    check([a, b], made, *arrays(a, b))


def test_results_of_reductions() -> None:
    """A row's sum goes from its register into its part."""
    x = gx.input("x", ("n", 6), "float64")
    rows = gx.stack([gx.sum(x, axis=1), gx.max(x, axis=1), gx.mean(x, axis=1)], 1)
    assert len(scheduled(x, rows).steps) == 1
    columns = gx.stack([gx.sum(x, axis=0), gx.max(x, axis=0)])
    for made in (rows, columns, gx.concat([gx.softmax(x), x - gx.max(x, axis=1, keepdims=True)])):
        check([x], made, *arrays(x))


def test_one_buffer_lives_from_its_first_piece_to_its_last_reader() -> None:
    """Pieces that are made early are not overwritten while others are missing."""
    x = gx.input("x", ("n", 8), "float64")
    layers = [gx.tanh(x)]
    for _ in range(4):
        layers.append(gx.tanh(layers[-1] @ gx.const(RANDOM.standard_normal((8, 8)))))
    joined = gx.concat([layers[0], layers[-1], x])
    outputs = [gx.sum(joined @ joined.T, axis=0), gx.sum(joined, axis=0)]
    schedule = scheduled(x, outputs)
    (life,) = [life for life in lives(schedule) if str(life.buffer.elements) == "24*n"]
    touching = [at for at, s in enumerate(schedule.steps) if life.buffer in s.reads | s.writes]
    assert life.buffer.home == ARENA
    assert (life.first, life.last) == (touching[0], touching[-1])
    assert life.last - life.first > 6
    check([x], outputs, *arrays(x))


CASES: dict[str, Callable[[gx.Node, gx.Node], Any]] = {
    "output": lambda x, y: gx.concat([x, y]),
    "two outputs that are the same": lambda x, y: [gx.concat([x, y]), gx.concat([x, y])],
    "the same twice": lambda x, y: gx.concat([x, x]),
    "the same value twice": lambda x, y: gx.concat([gx.exp(x), gx.exp(x)], 1),
    "one node in two": lambda x, y: [gx.concat([gx.exp(x), y]), gx.concat([y, gx.exp(x)], 0)],
    "nested along one axis": lambda x, y: gx.concat([gx.concat([x, y]), gx.concat([y, x])]),
    "nested along two": lambda x, y: gx.concat([gx.concat([x, x], 1), gx.concat([x, x], 1)]),
    "nested and used": lambda x, y: [gx.concat([gx.concat([x, y]), x]), gx.concat([x, y]) * 2],
    "read through a reshape": lambda x, y: gx.concat([x, y]).reshape(-1) * 2,
    "read through a transpose": lambda x, y: gx.concat([x, y]).T * gx.sum(x),
    "read by a product": lambda x, y: gx.concat([x, y]) @ gx.concat([x, y]).T,
    "read by a reduction": lambda x, y: gx.softmax(gx.concat([x, y]), axis=0),
    "pieces without elements": lambda x, y: gx.concat([x[:0], y, x[:0], gx.zeros((0, 3))]),
    "only pieces without elements": lambda x, y: gx.concat([x[:0], y[:0]]),
    "constants": lambda x, y: gx.concat([gx.ones((2, 3)), x, gx.const([[1.0, 2, 3]])]),
    "a scalar's": lambda x, y: gx.stack([gx.sum(x), gx.const(2.0), gx.max(y)]),
    "a reshape's": lambda x, y: gx.concat([x.reshape(-1), y.T.reshape(-1)]),
    "of sorted kinds": lambda x, y: gx.concat([x > 0, y > 1]),
    "of what selects": lambda x, y: gx.concat([x[gx.const([0, 0])], y]),
    "a piece that is an output": lambda x, y: (lambda e: [gx.concat([e, y]), e])(gx.exp(x)),
    "a product that is an output": lambda x, y: (lambda p: [gx.concat([p, y]), p])(
        x @ gx.ones((3, 3), "float64")
    ),
    "a routine's": lambda x, y: gx.concat([gx.solve(gx.eye(3, dtype=x.dtype), y.T).T, x]),
}


@pytest.mark.parametrize("rows", [0, 1, 4])
@pytest.mark.parametrize("name", list(CASES))
def test_every_way_to_use_one(name: str, rows: int) -> None:
    """The interpreter's values, for axes of no, one and several elements."""
    x, y = gx.input("x", ("n", 3), "float64"), gx.input("y", (2, 3), "float64")
    if rows == 0 and name == "of what selects":
        pytest.skip("nothing to select from")
    check([x, y], CASES[name](x, y), *arrays(x, y, n=rows))


def test_many_pieces() -> None:
    """A hundred pieces, of one input and of a hundred."""
    x = gx.input("x", ("n",), "float64")
    check([x], gx.stack([x * i for i in range(100)]), *arrays(x))
    many = [gx.input(f"x{i}", ("n", 2), "float64") for i in range(100)]
    check(many, gx.concat([gx.tanh(node) for node in many], 1), *arrays(*many))


def test_kernels_of_many_pieces_stay_small() -> None:
    """Kernels are bounded by the limits of fusion, however many pieces one has."""
    x = gx.input("x", ("n",))
    pieces = [gx.tanh(x * i) + gx.exp(-x * i) for i in range(2, 52)]
    steps = scheduled(x, gx.stack(pieces)).steps
    assert len(steps) > 1
    assert all(len(step.nodes) <= 50 for step in steps)


# ---- padding


def test_padding_that_is_stored_is_a_concatenation() -> None:
    """As an output or read at several offsets; elsewhere it is an index map of what reads it."""
    x = gx.input("x", ("n", 4), "float64")
    padded = gx.pad(x, ((1, 2), (0, 1)))
    assert len(scheduled(x, padded).steps) > 1
    taps = padded[:-2, 1:] + padded[2:, :-1]
    assert len(scheduled(x, gx.exp(taps)).steps) > 1
    assert len(scheduled(x, gx.exp(padded)).steps) == 1
    multiplied = gx.pad(gx.exp(x), 1) @ gx.ones((6, 2), "float64")
    regrouped = gx.pad(x, 1, constant_values=2).reshape(-1)
    spread = gx.vjp(x[1:, ::2], x, gx.exp(x[1:, ::2]))
    for made in (padded, taps * 2, gx.exp(padded), multiplied, regrouped, spread):
        check([x], made, *arrays(x))


# ---- states


def test_a_state_is_updated_where_it_lies() -> None:
    """Pieces that do not read the state are written straight into it."""
    s = gx.state("s", np.zeros((6, 3)))
    x, y = gx.input("x", (2, 3), "float64"), gx.input("y", (4, 3), "float64")
    updates = {s: gx.concat([gx.exp(x), y @ gx.const(np.eye(3) * 2)])}
    assert not any(isinstance(step, Copy) for step in scheduled([x, y], gx.sum(s), updates).steps)
    first, second = arrays(x, y)
    for target in ("python", "cpu"):
        s.value = np.ones((6, 3))
        step = gx.compile([x, y], gx.sum(s), updates, target=target)
        assert step(first, second) == 18  # the old value
        np.testing.assert_allclose(s.value, np.concatenate([np.exp(first), second * 2]))


def test_a_state_that_its_pieces_read_is_copied() -> None:
    """A queue: the oldest row leaves, a new one comes. In place, rows would be read too late."""
    x = gx.input("x", (1, 3), "float64")
    for target in ("python", "cpu"):
        s = gx.state("s", np.arange(12.0).reshape(4, 3))
        push = gx.compile(x, gx.sum(s), {s: gx.concat([s[1:], x])}, target=target)
        expected = s.value
        for step in range(3):
            row = np.full((1, 3), float(step))
            push(row)
            expected = np.concatenate([expected[1:], row])
            np.testing.assert_array_equal(s.value, expected)


def test_rolling_and_swapping_states() -> None:
    """Both right sides see the old values."""
    for target in ("python", "cpu"):
        a, b = gx.state("a", np.arange(4.0)), gx.state("b", np.arange(4.0) + 10)
        updates = {a: gx.concat([b[:2], a[:2]]), b: gx.roll(a, 1)}
        gx.compile([], gx.sum(a), updates, target=target)()
        assert a.value.tolist() == [10, 11, 0, 1]
        assert b.value.tolist() == [3, 0, 1, 2]


def test_in_a_loop() -> None:
    """Batches, a last short one, and a state that remembers the end of each."""
    x = gx.input("x", ("n", 2), "float64")
    data = RANDOM.standard_normal((10, 2))
    for target in ("python", "cpu"):
        s = gx.state("s", np.zeros((3, 2)))
        joined = gx.concat([x * 2, s, x[-1:]])
        run = gx.compile(x, gx.sum(joined), {s: joined[-3:]}, target=target)
        losses = run.loop(data, batch_size=4, epochs=2, shuffle=False)
        held, expected = np.zeros((3, 2)), []
        for start in (0, 4, 8) * 2:
            rows = data[start : start + 4]
            whole = np.concatenate([rows * 2, held, rows[-1:]])
            expected.append(whole.sum())
            held = whole[-3:]
        np.testing.assert_allclose(losses, expected)
        np.testing.assert_allclose(s.value, held)


# ---- random graphs


@pytest.fixture
def joining_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random graphs in which most steps join."""
    often = (joining.join, joining.stack, joining.surround)
    weights = tuple((a, w * 4 if a in often else w) for a, w in actions.ACTIONS)
    monkeypatch.setattr(cases, "ACTIONS", weights)


@pytest.mark.usefixtures("joining_often")
@pytest.mark.parametrize(("target", "count"), [("python", 60), ("cpu", 4)])
def test_random_graphs(target: str, count: int) -> None:
    """Among gradients, updates, views and everything else."""
    with np.errstate(all="ignore"):
        for seed in range(count):
            pick = random.Random(seed)
            check_target(cases.random_case(pick, pick.randrange(1, 16)), target)


@pytest.mark.usefixtures("joining_often")
@pytest.mark.nightly
@pytest.mark.parametrize(("target", "count"), [("python", 2000), ("cpu", 200)])
def test_many_random_graphs(target: str, count: int) -> None:
    """The same, and loops over batches."""
    with np.errstate(all="ignore"):
        for seed in range(1000, 1000 + count):
            pick = random.Random(seed)
            check_target(cases.random_case(pick, pick.randrange(1, 30)), target)
            loop = cases.random_loop(pick, pick.randrange(1, 12))
            check_loop(loop, target, pick.randrange(1, 25), 2, seed, shuffle=True)


# ---- the verifier


def test_the_verifier_finds_a_buffer_read_and_written_through_two_slots() -> None:
    """Slots never alias; only parts, which share no element, have slots of their own."""
    x = gx.input("x", ("n",))
    schedule = scheduled(x, gx.concat([gx.exp(x), gx.tanh(x)]))
    (step,) = schedule.steps
    assert isinstance(step, KernelCall)
    assert len(step.lowered.buffers) == 3
    object.__setattr__(step.lowered, "buffers", (step.lowered.buffers[1],) * 3)
    with pytest.raises(VerificationError, match="through two slots"):
        verify_schedule(schedule)
