"""A language model: embedding, one LSTM, an output layer, cross-entropy over all steps.

Settings: `length` of the texts, `hidden` units, `vocabulary`, `batch`, `steps`, `optimizer`,
`rate`. The gates stand in the order input, forget, cell, output; the LSTM has one bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x, t (n, length), E (vocabulary, hidden), Wx, Wh (hidden, 4 hidden), b, Wo, bo."""
    length, hidden, words = (settings[name] for name in ("length", "hidden", "vocabulary"))
    count = settings["steps"] * settings["batch"]
    return {
        "x": random.integers(0, words, (count, length)),
        "t": random.integers(0, words, (count, length)),
        "E": normal(random, words, hidden),
        "Wx": normal(random, hidden, 4 * hidden, scale=hidden**-0.5),
        "Wh": normal(random, hidden, 4 * hidden, scale=hidden**-0.5),
        "b": np.zeros(4 * hidden, np.float32),
        "Wo": normal(random, hidden, words, scale=hidden**-0.5),
        "bo": np.zeros(words, np.float32),
    }


def _backward(p: Given, x: Array, t: Array) -> tuple[Any, dict[str, Array]]:
    """The loss and its gradients: forward over time, then back."""
    length, size = x.shape[1], len(p["Wh"])
    h = c = np.zeros((len(x), size))
    before, states = [], []
    for step in range(length):
        before.append((h, c))
        z = p["E"][x[:, step]] @ p["Wx"] + h @ p["Wh"] + p["b"]
        i, f, o = (in_numpy.sigmoid(z[:, k * size : (k + 1) * size]) for k in (0, 1, 3))
        g = np.tanh(z[:, 2 * size : 3 * size])
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append((h, c, i, f, g, o))
    hidden = np.stack([state[0] for state in states], axis=1)
    flat = hidden.reshape(-1, size)
    loss, dz = in_numpy.softmax_cross_entropy(flat @ p["Wo"] + p["bo"], t.ravel())
    found = {name: np.zeros_like(p[name]) for name in ("E", "Wx", "Wh", "b")}
    found |= {"Wo": flat.T @ dz, "bo": dz.sum(axis=0)}
    outward = (dz @ p["Wo"].T).reshape(hidden.shape)
    dh = dc = np.zeros((len(x), size))
    for step in reversed(range(length)):
        dh = dh + outward[:, step]
        dh, dc = _cell_backward(p, found, x[:, step], before[step], states[step], dh, dc)
    return loss, found


def _cell_backward(
    p: Given, found: dict[str, Array], x: Array, before: Any, state: Any, dh: Array, dc: Array
) -> tuple[Array, Array]:
    """Adds to the gradients what one step has in them; gives those of the step before."""
    (h, c), (_, new, i, f, g, o) = before, state
    tanh = np.tanh(new)
    dc = dc + dh * o * (1 - tanh**2)
    gates = (
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dc * i * (1 - g**2),
        dh * tanh * o * (1 - o),
    )
    dz = np.concatenate(gates, axis=1)
    found["Wx"] += p["E"][x].T @ dz
    found["Wh"] += h.T @ dz
    found["b"] += dz.sum(axis=0)
    np.add.at(found["E"], x, dz @ p["Wx"].T)
    return dz @ p["Wh"].T, dc * f


def _graphc(settings: Settings, given: Given) -> in_graphc.Trained:
    length, size = settings["length"], settings["hidden"]
    x = gx.input("x", ("n", length), dtype="int64")
    t = gx.input("t", ("n", length), dtype="int64")
    E, Wx, Wh, b, Wo, bo = (gx.param(n, given[n]) for n in ("E", "Wx", "Wh", "b", "Wo", "bo"))

    def cell(carry: Any, seen: Any) -> Any:
        h, c = carry
        i, f, g, o = gx.split(seen @ Wx + h @ Wh + b, 4, axis=1)
        c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
        h = gx.sigmoid(o) * gx.tanh(c)
        return (h, c), h

    zeros = gx.zeros((x.shape[0], size))
    _, hidden = gx.scan(cell, (zeros, zeros), gx.swapaxes(E[x], 0, 1))
    logits = hidden @ Wo + bo
    return (x, t), gx.mean(gx.nn.softmax_cross_entropy(logits, t.T))


def _torch(settings: Settings, given: Given) -> in_torch.Trained:
    torch = library("torch")
    nn, size, words = torch.nn, settings["hidden"], settings["vocabulary"]
    embedding, lstm = nn.Embedding(words, size), nn.LSTM(size, size, batch_first=True)
    output = nn.Linear(size, words)
    named = {
        "E": embedding.weight, "Wx": lstm.weight_ih_l0, "Wh": lstm.weight_hh_l0,
        "b": lstm.bias_ih_l0, "Wo": output.weight, "bo": output.bias,
    }  # fmt: skip
    with torch.no_grad():
        for name, parameter in named.items():
            value = torch.tensor(given[name])
            parameter.copy_(value.T if name.startswith("W") else value)
        lstm.bias_hh_l0.zero_()
    lstm.bias_hh_l0.requires_grad_(False)  # one bias, as everywhere else

    def loss_of(x: Any, t: Any) -> Any:
        logits = output(lstm(embedding(x))[0])
        return nn.functional.cross_entropy(logits.reshape(-1, words), t.reshape(-1))

    return loss_of, list(named.values())


def _jax(_: Settings, given: Given) -> in_jax.Trained:
    jax, jnp, lax = library("jax"), library("jax.numpy"), library("jax.lax")

    def loss_of(p: Any, x: Any, t: Any) -> Any:
        def cell(carry: Any, seen: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(seen + h @ p["Wh"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], p["Wh"].shape[0]))
        seen = jnp.swapaxes(p["E"][x] @ p["Wx"] + p["b"], 0, 1)
        _, hidden = lax.scan(cell, (zeros, zeros), seen)
        return in_jax.cross_entropy(hidden @ p["Wo"] + p["bo"], t.T)

    return loss_of, *in_jax.parameters_and_data(given)


MODEL = Model(
    arrays,
    in_numpy.training(_backward),
    {"graphc": in_graphc.training(_graphc), **in_torch.training(_torch), **in_jax.training(_jax)},
)
