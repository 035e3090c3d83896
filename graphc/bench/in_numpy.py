"""References by NumPy in float64: training, and the pieces that several models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.bench.model import CHECKED_STEPS, Array, Given, Settings, parameters_of

# The loss of a batch, and its gradient with respect to each parameter.
LossAndGradient = Callable[[Given, Array, Array], tuple[Any, dict[str, Array]]]


def training(backward: LossAndGradient) -> Callable[[Settings, Given], list[Array]]:
    """The losses of the first steps of a training by "sgd" or "adam"."""

    def losses_of(settings: Settings, given: Given) -> list[Array]:
        parameters = parameters_of(given)
        moments = {name: (np.zeros_like(p), np.zeros_like(p)) for name, p in parameters.items()}
        batch, losses = settings["batch"], []
        for step in range(min(CHECKED_STEPS, settings["steps"])):
            rows = slice(step * batch, (step + 1) * batch)
            loss, gradients = backward(parameters, given["x"][rows], given["t"][rows])
            losses.append(loss)
            for name, change in gradients.items():
                if settings["optimizer"] == "adam":
                    moments[name], change = _adam(moments[name], change, step + 1)
                parameters[name] = parameters[name] - settings["rate"] * change
        return [np.array(losses)]

    return losses_of


def _adam(
    moments: tuple[Array, Array], gradient: Array, step: int
) -> tuple[tuple[Array, Array], Array]:
    m, v = 0.9 * moments[0] + 0.1 * gradient, 0.999 * moments[1] + 0.001 * gradient**2
    root = np.sqrt(v / (1 - 0.999**step))
    return (m, v), m / (1 - 0.9**step) / (root + 1e-8)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def softmax(x: Array) -> Array:
    """Along the last axis."""
    p = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(p / p.sum(axis=-1, keepdims=True))


def softmax_cross_entropy(z: Array, t: Array) -> tuple[Any, Array]:
    """The mean over the rows of z, and its gradient."""
    rows = np.arange(len(t))
    shifted = z - z.max(axis=1, keepdims=True)
    p = softmax(z)
    loss = np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, t])
    p[rows, t] -= 1
    return loss, p / len(t)
