"""The log-likelihood of a Gaussian mixture and its gradient, as in ADBench, in float64.

F. Srajer, Z. Kukelova, A. Fitzgibbon, A Benchmark of Selected Algorithmic Differentiation Tools on
Some Problems in Computer Vision and Machine Learning, 2018. Settings: `count` of points,
`dimension`, `components`. The Wishart prior has gamma 1 and m 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library

_NAMES = ("alphas", "means", "factors", "x")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """alphas (k,), means (k, d), factors (k, d (d + 1) / 2): logarithms of the diagonal, then what
    is below it, column by column; x (n, d)."""
    n, d, k = (settings[name] for name in ("count", "dimension", "components"))
    return {
        "alphas": random.standard_normal(k),
        "means": random.random((k, d)),
        "factors": random.standard_normal((k, d * (d + 1) // 2)),
        "x": random.standard_normal((n, d)),
    }


def _places(d: int) -> Array:
    """(d, d): where each element of a triangular factor stands; zeros stand behind all."""
    places = np.full((d, d), d * (d + 1) // 2)
    places[np.diag_indices(d)] = np.arange(d)
    columns, rows = np.triu_indices(d, 1)
    places[rows, columns] = np.arange(d, d * (d + 1) // 2)
    return places


def _constant(settings: Settings) -> float:
    """What does not depend on the parameters."""
    n, d, k = (settings[name] for name in ("count", "dimension", "components"))
    freedom = d + 1
    gammas = [math.lgamma(0.5 * (freedom - i)) for i in range(d)]
    wishart = freedom * d * -0.5 * math.log(2) - 0.25 * d * (d - 1) * math.log(math.pi)
    return float(-n * d * 0.5 * math.log(2 * math.pi) - k * (wishart - sum(gammas)))


def _reference(settings: Settings, given: Given) -> list[Array]:
    alphas, means, factors, x = (given[name] for name in _NAMES)
    n, d = x.shape
    logs, places = factors[:, :d], _places(d)
    entries = np.concatenate([np.exp(logs), factors[:, d:], np.zeros((len(means), 1))], axis=1)
    Q, moved = entries[:, places], x[:, None] - means
    turned = np.einsum("kij,nkj->nki", Q, moved)
    inner = alphas + logs.sum(axis=1) - 0.5 * (turned**2).sum(axis=2)
    top = inner.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(inner - top).sum(axis=1))
    share = np.exp(inner - total[:, None])
    value = _constant(settings) + total.sum() - n * np.log(np.exp(alphas).sum())
    value += 0.5 * (entries**2).sum()
    d_alphas = share.sum(axis=0) - n * np.exp(alphas) / np.exp(alphas).sum()
    d_means = np.einsum("nk,nki,kij->kj", share, turned, Q)
    d_Q = -np.einsum("nk,nki,nkj->kij", share, turned, moved)
    d_entries = entries.copy()
    for row, column in zip(*np.tril_indices(d), strict=True):
        d_entries[:, places[row, column]] += d_Q[:, row, column]
    d_factors = d_entries[:, :-1]
    d_factors[:, :d] = d_factors[:, :d] * np.exp(logs) + share.sum(axis=0)[:, None]
    return [value, d_alphas, d_means, d_factors]


def _objective(m: Any, logsumexp: Any, settings: Settings, *given: Any) -> Any:
    """In a library whose functions have NumPy's names."""
    alphas, means, factors, x = given
    logs, others = factors[:, : settings["dimension"]], factors[:, settings["dimension"] :]
    entries = m.concat([m.exp(logs), others, m.zeros_like(logs[:, :1])], axis=1)
    Q = entries[:, _places(settings["dimension"])]
    turned = m.matmul(m.swapaxes(x[:, None] - means, 0, 1), m.swapaxes(Q, 1, 2))
    inner = (alphas + m.sum(logs, axis=1))[:, None] - 0.5 * m.sum(m.square(turned), axis=2)
    likelihood = m.sum(logsumexp(inner, axis=0)) - x.shape[0] * logsumexp(alphas, axis=0)
    return _constant(settings) + likelihood + 0.5 * m.sum(m.square(entries))


def _feed(given: Given) -> list[Array]:
    return [given[name] for name in _NAMES]


def _graphc(settings: Settings, given: Given) -> in_graphc.Computed:
    arguments = [gx.input(name, given[name].shape, dtype="float64") for name in _NAMES]
    value = _objective(gx, gx.logsumexp, settings, *arguments)
    return arguments, (value, *gx.grad(value, arguments[:3]))


def _torch(settings: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda *g: _objective(torch, torch.logsumexp, settings, *g), _feed(given)


def _jax(settings: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")

    def both(*arguments: Any) -> Any:
        def value_of(*g: Any) -> Any:
            return _objective(jnp, jax.nn.logsumexp, settings, *g)

        value, gradients = jax.value_and_grad(value_of, argnums=(0, 1, 2))(*arguments)
        return value, *gradients

    return both, _feed(given)


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, wrt=3, value=True),
        **in_jax.calls(_jax),
    },
)
