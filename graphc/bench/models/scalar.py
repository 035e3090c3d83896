"""The derivative of sin(x) exp(-x^2) at one number: what a call costs. Settings: `calls`."""

from __future__ import annotations

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_pytensor, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library


def arrays(_: np.random.Generator, __: Settings) -> dict[str, Array]:
    """x ()."""
    return {"x": np.array(0.3, np.float32)}


def _reference(_: Settings, given: Given) -> list[Array]:
    x = given["x"]
    return [np.exp(-x * x) * (np.cos(x) - 2 * x * np.sin(x))]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x")
    return (x,), (gx.grad(gx.sin(x) * gx.exp(-x * x), x),)


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda x: torch.sin(x) * torch.exp(-x * x), (given["x"],)


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")
    slope = jax.grad(lambda x: jnp.sin(x) * jnp.exp(-x * x))
    return lambda x: (slope(x),), (given["x"],)


def _pytensor(_: Settings, given: Given) -> in_pytensor.Computed:
    pt = library("pytensor.tensor")
    x = pt.fscalar("x")
    return (x,), (library("pytensor").grad(pt.sin(x) * pt.exp(-x * x), x),), (given["x"],)


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch),
        **in_jax.calls(_jax),
        **in_pytensor.calls(_pytensor),
    },
)
