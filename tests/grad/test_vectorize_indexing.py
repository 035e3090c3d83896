"""Batches of reads and changes at computed places: each example as if it were alone."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import graphc as gx

X = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
ITEMS: list[Any] = [
    slice(None), slice(1, None), 1, np.array([0, -1, 1]), np.array([[0, 1, 2], [1, 1, 0]])
]  # fmt: skip


def of_one(key: tuple[Any, ...], x: gx.Node, indices: Any) -> list[gx.Node]:
    """What is batched: reading, adding, setting, and a gradient."""
    given = iter(indices)
    known = tuple(next(given) if isinstance(item, np.ndarray) else item for item in key)
    y = x[known]
    at = x.at[known]
    return [y, at.add(y * y), at.set(gx.exp(y)), at.max(2 * y), gx.grad(gx.sum(y * y), x)]


def check(seed: int) -> bool:
    """One random key with some arrays, each of which may differ from example to example."""
    choice = random.Random(seed)
    key = tuple(choice.choice(ITEMS) for _ in range(choice.randint(1, 3)))
    batched = choice.random() < 0.7
    values: list[Any] = [X if batched else X[0]]
    axes: list[int | None] = [0 if batched else None]
    for item in key:
        if isinstance(item, np.ndarray):
            differs = choice.random() < 0.6
            values.append(np.stack([item, np.roll(item, 1)]) if differs else item)
            axes.append(0 if differs else None)
    if len(axes) == 1 or all(axis is None for axis in axes):
        return False
    nodes = [gx.input(f"x{n}", v.shape, v.dtype) for n, v in enumerate(values)]
    every = gx.vmap(lambda x, *i: tuple(of_one(key, x, i)), in_axes=axes)(*nodes)
    found = gx.evaluate(list(every), dict(zip(nodes, values, strict=True)))
    for example in range(2):
        alone = [v if a is None else v[example] for v, a in zip(values, axes, strict=True)]
        single = [gx.input(f"x{n}", v.shape, v.dtype) for n, v in enumerate(alone)]
        expected = gx.evaluate(
            of_one(key, single[0], single[1:]), dict(zip(single, alone, strict=True))
        )
        for have, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(have[example], want, rtol=1e-12, err_msg=str(key))
    return True


def test_random_keys() -> None:
    """Indices that are shared and indices of each example, adjacent or not."""
    assert sum(check(seed) for seed in range(120)) > 60


@pytest.mark.parametrize("method", ["set", "add", "multiply", "max"])
def test_forward_mode(method: str) -> None:
    """Tangents of changes agree with differences."""
    x, v = gx.input("x", (4,), "float64"), gx.input("v", (3,), "float64")
    y = getattr(x.at[[2, 0, 2]], method)(v * v)
    tangent = gx.jvp(y, [x, v], [gx.const(np.arange(4.0)), gx.const(np.ones(3))])
    feed = {x: np.array([0.3, -1.0, 2.0, 0.5]), v: np.array([0.7, 1.1, -1.9])}
    h = 1e-6
    ends = [gx.evaluate(y, {x: feed[x] + s * np.arange(4.0), v: feed[v] + s}) for s in (h, -h)]
    np.testing.assert_allclose(
        gx.evaluate(tangent, feed), (ends[0] - ends[1]) / (2 * h), rtol=1e-7, atol=1e-8
    )
