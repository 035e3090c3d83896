"""A Hessian-vector product of the loss of a multilayer perceptron, in all its parameters.

Settings: `sizes` and `batch`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal
from graphc.bench.models import mlp


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """Those of a perceptron, and a direction for each parameter: vW0, vb0, ..."""
    made = mlp.arrays(random, {**settings, "steps": 1})
    for name in _parameters(made):
        made[f"v{name}"] = normal(random, *made[name].shape, scale=0.1)
    return made


def _parameters(given: Given) -> list[str]:
    return [f"{kind}{layer}" for layer in range(mlp.layers(given)) for kind in "Wb"]


def _reference(_: Settings, given: Given) -> list[Array]:
    """The gradient at an imaginary step along the direction: exact, and blind to the kinks.

    W. Squire and G. Trapp, Using Complex Variables to Estimate Derivatives of Real Functions, 1998.
    """
    names, step = _parameters(given), 1e-30
    moved = {name: given[name] + 1j * step * given[f"v{name}"] for name in names}
    _, gradients = mlp.backward(moved, given["x"], given["t"])
    return [gradients[name].imag / step for name in names]


def _graphc(settings: Settings, given: Given) -> in_graphc.Computed:
    h = x = gx.input("x", ("n", settings["sizes"][0]))
    t = gx.input("t", ("n",), dtype="int64")
    names = _parameters(given)
    wrt = {name: gx.param(name, given[name]) for name in names}
    along = [gx.input(f"v{name}", given[name].shape) for name in names]
    for layer in range(mlp.layers(given)):
        h = (gx.nn.relu(h) if layer else h) @ wrt[f"W{layer}"] + wrt[f"b{layer}"]
    loss = gx.mean(gx.nn.softmax_cross_entropy(h, t))
    return (*along, x, t), gx.hvp(loss, list(wrt.values()), along)


def _feed(given: Given) -> list[Array]:
    names = _parameters(given)
    return [given[name] for name in (*names, *(f"v{name}" for name in names), "x", "t")]


def _torch_loss(wrt: Any, x: Any, t: Any) -> Any:
    torch, h = library("torch"), x
    functional = torch.nn.functional
    for layer in range(len(wrt) // 2):
        h = torch.addmm(wrt[2 * layer + 1], functional.relu(h) if layer else h, wrt[2 * layer])
    return functional.cross_entropy(h, t)


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    """Reverse over reverse: in eager mode half the time of forward over reverse."""
    gradients_of, count = library("torch").autograd.grad, len(_parameters(given))

    def product(*arguments: Any) -> Any:
        wrt = [each.requires_grad_() for each in arguments[:count]]
        found = gradients_of(_torch_loss(wrt, *arguments[-2:]), wrt, create_graph=True)
        return gradients_of(found, wrt, arguments[count:-2])

    return product, _feed(given)


def _torch_functional(_: Settings, given: Given) -> in_torch.Computed:
    """Forward over reverse: what `torch.compile` takes as a whole."""
    functions, count = library("torch").func, len(_parameters(given))

    def product(*arguments: Any) -> Any:
        wrt, along, data = arguments[:count], arguments[count:-2], arguments[-2:]
        gradient = functions.grad(lambda wrt: _torch_loss(wrt, *data))
        return functions.jvp(gradient, (wrt,), (along,))[1]

    return product, _feed(given)


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, count = library("jax"), len(_parameters(given))

    def product(*arguments: Any) -> Any:
        wrt, along, (x, t) = arguments[:count], arguments[count:-2], arguments[-2:]

        def loss_of(p: Any) -> Any:
            h = x
            for layer in range(count // 2):
                h = (jax.nn.relu(h) if layer else h) @ p[2 * layer] + p[2 * layer + 1]
            return in_jax.cross_entropy(h, t)

        return jax.jvp(jax.grad(loss_of), (wrt,), (along,))[1]

    return product, _feed(given)


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        "torch": in_torch.calls(_torch)["torch"],
        "torch-compile": in_torch.calls(_torch_functional)["torch-compile"],
        **in_jax.calls(_jax),
    },
)
