"""The gradient of GELU in its tanh form. Settings: `count`."""

from __future__ import annotations

import functools

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_pytensor, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (count,)."""
    return {"x": normal(random, settings["count"])}


def _reference(_: Settings, given: Given) -> list[Array]:
    x, c = given["x"], np.sqrt(2 / np.pi)
    tanh = np.tanh(c * (x + 0.044715 * x**3))
    slope = c * (1 + 3 * 0.044715 * x**2)
    return [0.5 * (1 + tanh) + 0.5 * x * (1 - tanh**2) * slope]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x", ("n",))
    return (x,), (gx.grad(gx.sum(gx.nn.gelu(x, approximate=True)), x),)


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    gelu = functools.partial(library("torch").nn.functional.gelu, approximate="tanh")
    return lambda x: gelu(x).sum(), (given["x"],)


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")
    slope = jax.grad(lambda x: jnp.sum(jax.nn.gelu(x, approximate=True)))
    return lambda x: (slope(x),), (given["x"],)


def _pytensor(_: Settings, given: Given) -> in_pytensor.Computed:
    pt, number = library("pytensor.tensor"), in_pytensor.number
    x = pt.fvector("x")
    inner = number(np.sqrt(2 / np.pi)) * (x + number(0.044715) * x**3)
    y = (number(0.5) * x * (number(1) + pt.tanh(inner))).sum()
    return (x,), (library("pytensor").grad(y, x),), (given["x"],)


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
