"""Random graphs have the same values before and after rewriting, and rewriting them ends.

Protects against rules that undo each other, and rules that are right alone but wrong together.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ir.verify import verify
from graphc.ops.evaluate import evaluate_all
from graphc.rewrite.engine import rewrite_nodes
from tests.random_graphs.cases import random_case

Feed = dict[Node, np.ndarray]


def check(roots: list[Node], feeds: list[Feed], inputs: list[Node]) -> None:
    """Rewrite and compare; where an axis is empty, 1 / n may make a nan of what was 0."""
    new, _ = rewrite_nodes(roots)
    assert rewrite_nodes(new)[0] == new
    verify(Graph(tuple(inputs), tuple(new)), after="rewriting")
    for feed in feeds:
        before, after = evaluate_all(roots, feed), evaluate_all(new, feed)
        empty = any(np.size(value) == 0 for value in before.values())
        for old, made in zip(roots, new, strict=True):
            compare(before[old], after[made], empty)


def compare(old: object, new: object, empty: bool) -> None:
    if isinstance(old, tuple):
        assert isinstance(new, tuple)
        for a, b in zip(old, new, strict=True):
            compare(a, b, empty)
        return
    a, b = np.asarray(old), np.asarray(new)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    sensible = np.isfinite(a) & (np.abs(a) < 1e8) if a.dtype.kind == "f" else np.ones(a.shape, bool)
    if empty and b.dtype.kind == "f":
        sensible &= np.isfinite(b)
    size = float(np.max(np.abs(a[sensible]), initial=1)) if a.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(b[sensible], a[sensible], rtol=1e-6, atol=1e-7 * size)


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_random_programs(seed: int) -> None:
    """Graphs of all operations, with gradients and updates."""
    case = random_case(random.Random(seed), steps=12)
    roots = [*case.outputs, *case.updates.values()]
    carried = [n for n in topological(roots) if n.op.name in ("param", "state")]
    feeds = [
        {n: w.values[n] for n in (*case.inputs, *carried) if n in w.values} for w in case.worlds
    ]
    check(roots, feeds, case.inputs)


X, Y = (gx.input(name, ("n", 3), dtype="float64") for name in "XY")
ROW, S = gx.input("ROW", (3,), dtype="float64"), gx.input("S", dtype="float64")
T = gx.input("T", ("n",), dtype="int64")


def wide(node: Node) -> Node:
    return gx.broadcast_to(node, X.shape)


def softmax_from_exp(node: Node) -> Node:
    powers = gx.exp(wide(node))
    return powers / gx.sum(powers, axis=1, keepdims=True)


# What the spelled-out losses and gates are made of, and what tempts rules to undo each other.
STEPS: tuple[Callable[[Node, Node], Node], ...] = (
    lambda p, q: p + q, lambda p, q: p - q, lambda p, q: p * q, lambda p, q: p / (1 + gx.exp(q)),
    lambda p, _: gx.exp(p), lambda p, _: 1 - gx.sigmoid(p), lambda p, _: gx.sigmoid(p),
    lambda p, _: gx.sigmoid(-p), lambda p, _: 1 / (1 + gx.exp(-p)),
    lambda p, _: gx.log(1 + gx.exp(p)), lambda p, _: gx.softplus(p), lambda p, _: -p,
    lambda p, _: 2 * p, lambda p, _: p * -0.5,
    lambda p, _: 0.1 * p, lambda p, _: p / 5, lambda p, _: 1 - p, lambda p, _: p**2,
    lambda p, _: gx.softmax(wide(p)), lambda p, _: softmax_from_exp(p),
    lambda p, _: gx.log(gx.sigmoid(p)), lambda p, _: gx.log(gx.softmax(wide(p))),
    lambda p, q: gx.sum(wide(p), axis=1, keepdims=True) * q, lambda p, q: p / gx.sigmoid(q),
    lambda p, _: gx.one_hot(T, 3, "float64") * p, lambda p, _: gx.relu(p), lambda p, _: gx.tanh(p),
    lambda p, _: gx.mean(wide(p), axis=0),
    lambda p, q: gx.log(gx.exp(p) + gx.exp(q)), lambda p, q: gx.exp(p) / (gx.exp(p) + gx.exp(q)),
    lambda p, _: gx.log(1.5 - gx.sigmoid(p)), lambda p, _: gx.log(gx.exp(gx.square(p)) - 0.5),
    lambda p, _: (gx.exp(p) - gx.exp(-p)) / (gx.exp(p) + gx.exp(-p)),
    lambda p, _: (gx.exp(2 * p) - 1) / (gx.exp(2 * p) + 1), lambda p, _: 0.5 * (1 + gx.tanh(p)),
    lambda p, _: gx.log(1 - gx.exp(-gx.softplus(p))), lambda p, q: p - gx.log(gx.sigmoid(p - q)),
    lambda p, _: 1 - gx.erf(p), lambda p, _: gx.log(1 + gx.erf(gx.tanh(p))),
    lambda p, q: gx.where(p > q, gx.sqrt(p - q), 0.0), lambda p, q: gx.where(p > 0, gx.log(p), q),
    lambda p, q: gx.where(p > 0, q, gx.where(p > 0, p, 2 * q)), lambda p, _: gx.maximum(0, 3 * p),
    lambda p, _: gx.sqrt(gx.softplus(p)) ** 2, lambda p, _: p**3, lambda p, _: gx.softplus(p)**-0.5,
    lambda p, _: gx.softplus(p) / gx.sqrt(gx.softplus(p)), lambda p, q: p / (2 + gx.cos(q)) / 3,
    lambda p, q: p / (2 + gx.cos(q)) / (2 + gx.sin(p)), lambda p, _: gx.reciprocal(1 + gx.exp(p)),
    lambda p, q: gx.concat([wide(p), wide(q)], axis=1)[:, 3:], lambda p, _: wide(p)[:, ::-1],
    lambda p, q: gx.concat([wide(p)[:, :1], wide(q)[:, 1:]], axis=1),
    lambda p, _: gx.max(gx.max(wide(p), axis=1, keepdims=True)),
    lambda p, _: wide(p) @ gx.diag(ROW),
    lambda p, _: gx.sum(gx.mean(wide(p), axis=1)), lambda p, q: wide(p) @ (gx.eye(3) * gx.sum(q)),
    lambda p, q: wide(p) @ gx.reshape(ROW, (3, 1)) @ gx.reshape(ROW, (1, 3)) * q,
)  # fmt: skip


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 8), st.integers(0, 8)),
        min_size=2,
        max_size=10,
    ),
    st.booleans(),
)
def test_random_algebra(
    steps: list[tuple[Callable[[Node, Node], Node], int, int]], squared: bool
) -> None:
    """Gates, exponentials and quotients, with their gradients."""
    pool = [X, Y, ROW, S]
    for step, first, second in steps:
        recent = [*pool[-5:], X, Y, ROW, S]
        pool.append(step(recent[first % len(recent)], recent[second % len(recent)]))
    loss = gx.sum(gx.square(pool[-1])) if squared else gx.mean(pool[-1] * pool[-2])
    random_values = np.random.default_rng(len(steps))
    feed = {
        X: random_values.normal(size=(4, 3)), Y: random_values.normal(size=(4, 3)),
        ROW: random_values.normal(size=3), S: random_values.normal(),
        T: random_values.integers(0, 3, 4),
    }  # fmt: skip
    gradients = gx.grad(loss, [X, Y, ROW, S], disconnected="zero")
    check([pool[-1], loss, *gradients], [feed], list(feed))
