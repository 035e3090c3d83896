"""Softmax of each row in float64. Settings: `rows`, `columns`."""

from __future__ import annotations

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (rows, columns), float64."""
    return {"x": random.standard_normal((settings["rows"], settings["columns"]))}


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x", ("n", "k"), dtype="float64")
    return (x,), (gx.softmax(x, axis=1),)


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda x: (torch.softmax(x, dim=1),), (given["x"],)


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax = library("jax")
    return lambda x: (jax.nn.softmax(x, axis=1),), (given["x"],)


MODEL = Model(
    arrays,
    lambda _, given: [in_numpy.softmax(given["x"])],
    {"graphc": in_graphc.calls(_graphc), **in_torch.calls(_torch), **in_jax.calls(_jax)},
)
