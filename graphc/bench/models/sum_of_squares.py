"""The sum of the squares of one long vector. Settings: `count`."""

from __future__ import annotations

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (count,)."""
    return {"x": normal(random, settings["count"])}


def _reference(_: Settings, given: Given) -> list[Array]:
    return [np.sum(given["x"] ** 2)]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x", ("n",))
    return (x,), (gx.sum(gx.square(x)),)


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda x: (torch.dot(x, x),), (given["x"],)  # much faster than the sum of x * x


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jnp = library("jax.numpy")
    return lambda x: (jnp.vdot(x, x),), (given["x"],)


MODEL = Model(
    arrays,
    _reference,
    {"graphc": in_graphc.calls(_graphc), **in_torch.calls(_torch), **in_jax.calls(_jax)},
)
