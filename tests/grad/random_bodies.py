"""Random bodies of loops: the same steps as a scan and written out, in float64."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node

WIDTH = 3


@dataclass
class Loop:
    """A body, what it starts from, and what it walks over, with values for everything."""

    random: np.random.Generator
    inputs: list[Node] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    plan: list[Any] = field(default_factory=list)

    def declare(self, name: str, shape: tuple[int, ...]) -> Node:
        """An input and its value."""
        node = gx.input(f"{name}{len(self.inputs)}", shape, "float64")
        self.inputs.append(node)
        self.values.append(self.random.standard_normal(shape))
        return node


def _combine(kind: str, a: Node, b: Node, weights: Node, pick: int) -> Node:
    """One step of a body, bounded so that no loop of a few steps grows without end."""
    if kind == "product":
        return gx.tanh(a @ weights if pick else weights @ a)
    if kind == "outer":
        return gx.tanh(gx.matmul(gx.expand_dims(a, 1), gx.expand_dims(b, 0)) @ b)
    if kind == "branch":
        return gx.cond(gx.sum(a) > 0, lambda: a * b, lambda: gx.sin(a) - b * b[0])
    if kind == "inner":
        return gx.scan(lambda c, row: (gx.sin(c + row * a), None), b, weights)[0]
    if kind == "until":
        limited = gx.while_loop(lambda v: gx.sum(v * v) < 4, lambda v: v * 1.5 + a, b, max_steps=3)
        return gx.tanh(limited)
    return {
        "add": a + b, "multiply": gx.tanh(a * b), "sin": gx.sin(a), "sigmoid": gx.sigmoid(a - b),
        "maximum": gx.maximum(a, b), "mean": gx.mean(a) + b, "roll": gx.concat((b[1:], a[:1])),
        "softmax": gx.softmax(a), "where": gx.where(a > b, a, b * 0.5), "take": a[::-1] - b,
    }[kind]  # fmt: skip


KINDS = (
    "add", "multiply", "sin", "sigmoid", "maximum", "mean", "roll", "softmax", "where", "take",
    "product", "product", "outer", "branch", "inner", "until",
)  # fmt: skip


@dataclass
class Model:
    """Two graphs of the same values, and the inputs of both."""

    inputs: list[Node]
    values: list[np.ndarray]
    looped: list[Node]
    unrolled: list[Node]


def random_model(seed: int) -> Model:
    """A loop of random carries, elements, captured weights and results, and the same unrolled."""
    random = np.random.default_rng(seed)
    loop = Loop(random)
    length = int(random.choice([0, 1, 2, 4]))
    carries = [loop.declare("c", (WIDTH,)) for _ in range(random.integers(0, 3))]
    sequences = [loop.declare("x", (length, WIDTH)) for _ in range(random.integers(0, 3))]
    weights = [loop.declare("W", (WIDTH, WIDTH)) for _ in range(2)]
    bias = loop.declare("b", (WIDTH,))
    steps = [
        (str(random.choice(KINDS)), int(random.integers(99)), int(random.integers(99)),
         int(random.integers(2)), int(random.integers(2)))
        for _ in range(random.integers(1, 7))
    ]  # fmt: skip
    taken = [int(random.integers(99)) for _ in range(len(carries) + random.integers(0, 3))]
    counted = bool(random.integers(2))

    def body(carry: Any, element: Any) -> Any:
        count, *known = carry
        pool = [*known, *element, bias]
        for kind, i, j, which, pick in steps:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            pool.append(_combine(kind, a, b, weights[which], pick))
        if counted:
            pool[-1] = pool[-1] * (1 + count * 0.1)
        found = [pool[-1 - place % len(pool)] for place in taken]
        return [count + 1, *found[: len(carries)]], [*found[len(carries) :], count]

    reverse = bool(random.integers(2))
    checkpoint = int(random.integers(1, 4)) if random.integers(3) == 0 else None
    last, ys = gx.scan(
        body, [0, *carries], list(sequences), length, reverse=reverse, checkpoint=checkpoint
    )
    order = range(length - 1, -1, -1) if reverse else range(length)
    carry: list[Any] = [gx.const(0, "int64"), *carries]
    rows: list[Any] = []
    for step in order:
        carry, row = body(carry, [sequence[step] for sequence in sequences])
        rows.append(row)
    rows = rows[::-1] if reverse else rows
    stacked = [gx.stack(list(column)) for column in zip(*rows, strict=True)] if rows else []
    return Model(
        loop.inputs, loop.values, [*last, *(ys if rows else [])], [*carry, *stacked]
    )  # fmt: skip


def weighted(outputs: list[Node], seed: int) -> Node:
    """A scalar that depends on every element of every float output."""
    random = np.random.default_rng(seed)
    total = gx.const(0.0, "float64")
    for output in outputs:
        if output.dtype.is_float:
            shape = tuple(int(dim) for dim in output.shape)
            total = total + gx.sum(output * gx.sin(output + random.standard_normal(shape)))
    return total
