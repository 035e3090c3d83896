"""Softmax cross-entropy over the rows of a matrix, and its gradient.

Settings: `rows` and `classes`.
"""

from __future__ import annotations

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_pytensor, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (rows, classes), t (rows,)."""
    rows, classes = settings["rows"], settings["classes"]
    return {"x": normal(random, rows, classes), "t": random.integers(0, classes, size=(rows,))}


def _reference(_: Settings, given: Given) -> list[Array]:
    loss, gradient = in_numpy.softmax_cross_entropy(given["x"], given["t"])
    return [np.array(loss), gradient]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x = gx.input("x", ("n", "k"))
    t = gx.input("t", ("n",), dtype="int64")
    loss = gx.mean(gx.nn.softmax_cross_entropy(x, t))
    return (x, t), (loss, gx.grad(loss, x))


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    cross_entropy = library("torch").nn.functional.cross_entropy
    return lambda x, t: cross_entropy(x, t), (given["x"], given["t"])


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    return library("jax").value_and_grad(in_jax.cross_entropy), (given["x"], given["t"])


def _pytensor(_: Settings, given: Given) -> in_pytensor.Computed:
    pt = library("pytensor.tensor")
    x, t = pt.fmatrix("x"), pt.lvector("t")
    loss = in_pytensor.cross_entropy(x, t)
    return (x, t), (loss, library("pytensor").grad(loss, x)), (given["x"], given["t"])


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, value=True),
        **in_jax.calls(_jax),
        **in_pytensor.calls(_pytensor),
    },
)
