"""log(sum(exp(x))) of each row, and the gradient of its sum. Settings: `rows`, `columns`."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (rows, columns)."""
    return {"x": normal(random, settings["rows"], settings["columns"])}


def _reference(_: Settings, given: Given) -> list[Array]:
    x = given["x"]
    top = x.max(axis=1, keepdims=True)
    return [top[:, 0] + np.log(np.exp(x - top).sum(axis=1)), in_numpy.softmax(x)]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x", ("n", "k"))
    y = gx.logsumexp(x, axis=1)
    return (x,), (y, gx.grad(gx.sum(y), x))


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda x: torch.logsumexp(x, dim=1), (given["x"],)


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")

    def both(x: Any) -> Any:
        y, back = jax.vjp(lambda x: jax.nn.logsumexp(x, axis=1), x)
        return y, *back(jnp.ones_like(y))

    return both, (given["x"],)


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, value=True),
        **in_jax.calls(_jax),
    },
)
