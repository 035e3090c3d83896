"""The gradient of a weighted sum of layer norm. Settings: `rows`, `columns`."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal

_EPSILON = 1e-5
_NAMES = ("x", "gain", "bias", "weight")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x and weight (rows, columns), gain and bias (columns,)."""
    rows, columns = settings["rows"], settings["columns"]
    return {
        "x": normal(random, rows, columns),
        "gain": 1 + normal(random, columns, scale=0.1),
        "bias": normal(random, columns),
        "weight": normal(random, rows, columns),
    }


def _reference(_: Settings, given: Given) -> list[Array]:
    x, gain, _bias, weight = (given[name] for name in _NAMES)
    centred = x - x.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + _EPSILON)
    y, g = centred * scale, weight * gain
    along = (g * y).mean(axis=1, keepdims=True)
    slope = scale * (g - g.mean(axis=1, keepdims=True) - y * along)
    return [slope, (weight * y).sum(axis=0), weight.sum(axis=0)]


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    x, weight = (gx.input(name, ("n", "k")) for name in ("x", "weight"))
    gain, bias = (gx.input(name, ("k",)) for name in ("gain", "bias"))
    centred = x - gx.mean(x, axis=1, keepdims=True)
    variance = gx.mean(gx.square(centred), axis=1, keepdims=True)
    y = centred / gx.sqrt(variance + _EPSILON) * gain + bias
    return (x, gain, bias, weight), gx.grad(gx.sum(weight * y), [x, gain, bias])


def _torch(settings: Settings, given: Given) -> in_torch.Computed:
    layer_norm, shape = library("torch").nn.functional.layer_norm, (settings["columns"],)

    def total(x: Any, gain: Any, bias: Any, weight: Any) -> Any:
        return (weight * layer_norm(x, shape, gain, bias, _EPSILON)).sum()

    return total, [given[name] for name in _NAMES]


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, jnp, lax = library("jax"), library("jax.numpy"), library("jax.lax")

    def total(x: Any, gain: Any, bias: Any, weight: Any) -> Any:
        centred = x - jnp.mean(x, axis=1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=1, keepdims=True)
        return jnp.sum(weight * (centred * lax.rsqrt(variance + _EPSILON) * gain + bias))

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
