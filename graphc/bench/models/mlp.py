"""A multilayer perceptron with ReLU and softmax cross-entropy.

Settings: `sizes` of all layers, `batch`, `steps`, `optimizer`, `rate`, and `dtype` if not float32.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_numpy, in_pytensor, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x (steps * batch, in), t (steps * batch,), W0 (in, out), b0 (out,), W1, b1, ..."""
    sizes, count = settings["sizes"], settings["steps"] * settings["batch"]
    dtype = settings.get("dtype", "float32")
    made = {"x": normal(random, count, sizes[0]), "t": random.integers(0, sizes[-1], count)}
    for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        made[f"W{layer}"] = normal(random, rows, columns, scale=np.sqrt(2 / rows))
        made[f"b{layer}"] = np.zeros(columns, np.float32)
    return {name: a if name == "t" else a.astype(dtype, copy=False) for name, a in made.items()}


def layers(given: Given) -> int:
    """The number of weight matrices."""
    return sum(name.startswith("W") for name in given)


def backward(given: Given, x: Array, t: Array) -> tuple[Any, dict[str, Array]]:
    """The loss and its gradient with respect to each parameter, by NumPy.

    Parameters may be complex: then the sign of a unit is that of its real part.
    """
    count, inputs = layers(given), [x]
    for layer in range(count):
        a = inputs[-1] @ given[f"W{layer}"] + given[f"b{layer}"]
        inputs.append(np.where(a.real > 0, a, 0) if layer < count - 1 else a)
    loss, g = in_numpy.softmax_cross_entropy(inputs[-1], t)
    gradients = {}
    for layer in reversed(range(count)):
        gradients[f"W{layer}"], gradients[f"b{layer}"] = inputs[layer].T @ g, g.sum(axis=0)
        g = (g @ given[f"W{layer}"].T) * (inputs[layer].real > 0)
    return loss, gradients


def _graphc(settings: Settings, given: Given) -> in_graphc.Trained:
    dtype = settings.get("dtype", "float32")
    h = x = gx.input("x", ("n", settings["sizes"][0]), dtype=dtype)
    t = gx.input("t", ("n",), dtype="int64")
    for layer in range(layers(given)):
        W, b = (gx.param(f"{kind}{layer}", given[f"{kind}{layer}"], dtype) for kind in "Wb")
        h = (gx.nn.relu(h) if layer else h) @ W + b
    return (x, t), gx.mean(gx.nn.softmax_cross_entropy(h, t))


def _torch(_: Settings, given: Given) -> in_torch.Trained:
    torch = library("torch")
    functional, count = torch.nn.functional, layers(given)
    W, b = ([in_torch.parameter(given[f"{kind}{i}"]) for i in range(count)] for kind in "Wb")

    def loss_of(x: Any, t: Any) -> Any:
        for layer in range(count):
            x = torch.addmm(b[layer], functional.relu(x) if layer else x, W[layer])
        return functional.cross_entropy(x, t)

    return loss_of, [*W, *b]


def _jax(_: Settings, given: Given) -> in_jax.Trained:
    jax, count = library("jax"), layers(given)

    def loss_of(p: Any, x: Any, t: Any) -> Any:
        for layer in range(count):
            x = (jax.nn.relu(x) if layer else x) @ p[f"W{layer}"] + p[f"b{layer}"]
        return in_jax.cross_entropy(x, t)

    return loss_of, *in_jax.parameters_and_data(given)


def _pytensor(settings: Settings, given: Given) -> in_pytensor.Trained:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    x, t = pt.matrix("x", dtype=settings.get("dtype", "float32")), pt.lvector("t")
    h, parameters = x, []
    for layer in range(layers(given)):
        W, b = (pytensor.shared(given[f"{kind}{layer}"]) for kind in "Wb")
        parameters += [W, b]
        h = (pt.maximum(h, in_pytensor.number(0)) if layer else h) @ W + b
    return x, t, in_pytensor.cross_entropy(h, t), parameters


MODEL = Model(
    arrays,
    in_numpy.training(backward),
    {
        "graphc": in_graphc.training(_graphc),
        **in_torch.training(_torch),
        **in_jax.training(_jax),
        **in_pytensor.training(_pytensor),
    },
)
