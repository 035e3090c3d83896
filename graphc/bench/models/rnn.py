"""A tanh RNN that follows a signal: mean squared error over all steps.

Settings: `length` of the signals, `inputs` at each step, `hidden` units, `batch`, `steps`,
`optimizer`, `rate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal

_NAMES = ("Wx", "Wh", "b", "Wo", "bo")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (n, length, inputs), t (n, length, 1), Wx, Wh, b, Wo (hidden, 1), bo (1,)."""
    length, inputs, hidden = (settings[name] for name in ("length", "inputs", "hidden"))
    count = settings["steps"] * settings["batch"]
    return {
        "x": normal(random, count, length, inputs),
        "t": normal(random, count, length, 1),
        "Wx": normal(random, inputs, hidden, scale=inputs**-0.5),
        "Wh": normal(random, hidden, hidden, scale=hidden**-0.5),
        "b": np.zeros(hidden, np.float32),
        "Wo": normal(random, hidden, 1, scale=hidden**-0.5),
        "bo": np.zeros(1, np.float32),
    }


def _backward(p: Given, x: Array, t: Array) -> tuple[Any, dict[str, Array]]:
    hidden = [np.zeros((len(x), len(p["Wh"])))]
    for step in range(x.shape[1]):
        hidden.append(np.tanh(x[:, step] @ p["Wx"] + hidden[-1] @ p["Wh"] + p["b"]))
    h = np.stack(hidden[1:], axis=1)
    error = h @ p["Wo"] + p["bo"] - t
    dy = 2 * error / error.size
    found = {name: np.zeros_like(p[name]) for name in ("Wx", "Wh", "b")}
    found |= {"Wo": np.tensordot(h, dy, axes=([0, 1], [0, 1])), "bo": dy.sum(axis=(0, 1))}
    outward, dh = dy @ p["Wo"].T, np.zeros_like(hidden[0])
    for step in reversed(range(x.shape[1])):
        dz = (dh + outward[:, step]) * (1 - hidden[step + 1] ** 2)
        found["Wx"] += x[:, step].T @ dz
        found["Wh"] += hidden[step].T @ dz
        found["b"] += dz.sum(axis=0)
        dh = dz @ p["Wh"].T
    return float(np.mean(error**2)), found


def _graphc(settings: Settings, given: Given) -> in_graphc.Trained:
    x = gx.input("x", ("n", settings["length"], settings["inputs"]))
    t = gx.input("t", ("n", settings["length"], 1))
    Wx, Wh, b, Wo, bo = (gx.param(name, given[name]) for name in _NAMES)

    def cell(h: Any, seen: Any) -> Any:
        h = gx.tanh(seen @ Wx + h @ Wh + b)
        return h, h

    start = gx.zeros((x.shape[0], settings["hidden"]))
    _, hidden = gx.scan(cell, start, gx.swapaxes(x, 0, 1))
    return (x, t), gx.mean(gx.square(hidden @ Wo + bo - gx.swapaxes(t, 0, 1)))


def _torch(settings: Settings, given: Given) -> in_torch.Trained:
    torch = library("torch")
    rnn = torch.nn.RNN(settings["inputs"], settings["hidden"], batch_first=True)
    output = torch.nn.Linear(settings["hidden"], 1)
    parameters = [rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, output.weight, output.bias]
    with torch.no_grad():
        for name, parameter in zip(_NAMES, parameters, strict=True):
            value = torch.tensor(given[name])
            parameter.copy_(value.T if name.startswith("W") else value)
        rnn.bias_hh_l0.zero_()
    rnn.bias_hh_l0.requires_grad_(False)  # one bias, as everywhere else
    return lambda x, t: torch.nn.functional.mse_loss(output(rnn(x)[0]), t), parameters


def _jax(_: Settings, given: Given) -> in_jax.Trained:
    jnp, lax = library("jax.numpy"), library("jax.lax")

    def loss_of(p: Any, x: Any, t: Any) -> Any:
        def cell(h: Any, seen: Any) -> Any:
            h = jnp.tanh(seen + h @ p["Wh"])
            return h, h

        seen = jnp.swapaxes(x @ p["Wx"] + p["b"], 0, 1)
        _, hidden = lax.scan(cell, jnp.zeros((x.shape[0], p["Wh"].shape[0])), seen)
        return jnp.mean(jnp.square(hidden @ p["Wo"] + p["bo"] - jnp.swapaxes(t, 0, 1)))

    return loss_of, *in_jax.parameters_and_data(given)


MODEL = Model(
    arrays,
    in_numpy.training(_backward),
    {"graphc": in_graphc.training(_graphc), **in_torch.training(_torch), **in_jax.training(_jax)},
)
