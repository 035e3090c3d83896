"""The gradient of a weighted sum of scaled dot-product attention in queries, keys and values.

Settings: `batch`, `heads`, `length`, `width` of a head.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal

_NAMES = ("q", "k", "v", "weight")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """q, k, v and weight, each (batch, heads, length, width)."""
    shape = [settings[name] for name in ("batch", "heads", "length", "width")]
    return {name: normal(random, *shape) for name in _NAMES}


def _reference(settings: Settings, given: Given) -> list[Array]:
    q, k, v, weight = (given[name] for name in _NAMES)
    scale = settings["width"] ** -0.5
    p = in_numpy.softmax(scale * q @ k.swapaxes(-1, -2))
    g = weight @ v.swapaxes(-1, -2)
    dz = scale * p * (g - (g * p).sum(axis=-1, keepdims=True))
    return [dz @ k, dz.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ weight]


def _graphc(settings: Settings, __: Given) -> in_graphc.Computed:
    shape = ("batch", "heads", "length", settings["width"])
    q, k, v, weight = (gx.input(name, shape) for name in _NAMES)
    scores = q @ gx.swapaxes(k, -1, -2) * settings["width"] ** -0.5
    y = gx.softmax(scores, axis=-1) @ v
    return (q, k, v, weight), gx.grad(gx.sum(weight * y), [q, k, v])


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    attention = library("torch").nn.functional.scaled_dot_product_attention
    return lambda q, k, v, weight: (weight * attention(q, k, v)).sum(), [given[n] for n in _NAMES]


def _jax(settings: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")

    def total(q: Any, k: Any, v: Any, weight: Any) -> Any:
        scores = q @ jnp.swapaxes(k, -1, -2) * settings["width"] ** -0.5
        return jnp.sum(weight * (jax.nn.softmax(scores, axis=-1) @ v))

    return jax.grad(total, argnums=(0, 1, 2)), [given[name] for name in _NAMES]


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, wrt=3),
        **in_jax.calls(_jax),
    },
)
