"""The results that every framework must reproduce, by NumPy in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.bench.workloads import CHECKED_STEPS, Array, Workload, arrays, layers


def expected(work: Workload) -> Array:
    """The first losses of a training, shape (CHECKED_STEPS,), or the gradient by x."""
    given = {name: _wide(array) for name, array in arrays(work.model, work.settings).items()}
    x = given["x"]
    if work.model == "mlp":
        return _train(given, work.settings)
    if work.model == "softmax_cross_entropy":
        return _softmax_cross_entropy(x, given["t"])[1]
    if work.model == "gelu":
        c = np.sqrt(2 / np.pi)
        tanh = np.tanh(c * (x + 0.044715 * x**3))
        slope = c * (1 + 3 * 0.044715 * x**2)
        return np.asarray(0.5 * (1 + tanh) + 0.5 * x * (1 - tanh**2) * slope)
    return np.asarray(np.exp(-x * x) * (np.cos(x) - 2 * x * np.sin(x)))


def relative_error(result: Array, want: Array) -> float:
    """The largest difference by the largest expected number; infinite for NaN or another shape."""
    result = np.asarray(result)
    if result.shape != want.shape or not np.isfinite(result).all():
        return float("inf")
    return float(np.abs(result - want).max() / np.abs(want).max())


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _softmax_cross_entropy(z: Array, t: Array) -> tuple[float, Array]:
    shifted = z - z.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    loss = float(np.mean(np.log(total[:, 0]) - shifted[rows, t]))
    p /= total
    p[rows, t] -= 1
    return loss, p / len(t)


def _train(given: dict[str, Array], settings: Mapping[str, Any]) -> Array:
    names = [f"{kind}{layer}" for layer in range(layers(settings)) for kind in "Wb"]
    moments = {name: (np.zeros_like(given[name]), np.zeros_like(given[name])) for name in names}
    batch, losses = settings["batch"], []
    for step in range(CHECKED_STEPS):
        rows = slice(step * batch, (step + 1) * batch)
        loss, gradients = _backward(given, given["x"][rows], given["t"][rows], layers(settings))
        losses.append(loss)
        for name in names:
            change = gradients[name]
            if settings["optimizer"] == "adam":
                m, v = moments[name]
                m, v = moments[name] = 0.9 * m + 0.1 * change, 0.999 * v + 0.001 * change**2
                root = np.sqrt(v / (1 - 0.999 ** (step + 1)))
                change = m / (1 - 0.9 ** (step + 1)) / (root + 1e-8)
            given[name] = given[name] - settings["rate"] * change
    return np.array(losses)


def _backward(
    given: Mapping[str, Array], x: Array, t: Array, count: int
) -> tuple[float, dict[str, Array]]:
    """The loss and its gradient with respect to each parameter."""
    inputs = [x]
    for layer in range(count):
        a = inputs[-1] @ given[f"W{layer}"] + given[f"b{layer}"]
        inputs.append(np.maximum(a, 0) if layer < count - 1 else a)
    loss, g = _softmax_cross_entropy(inputs[-1], t)
    gradients = {}
    for layer in reversed(range(count)):
        gradients[f"W{layer}"], gradients[f"b{layer}"] = inputs[layer].T @ g, g.sum(axis=0)
        g = (g @ given[f"W{layer}"].T) * (inputs[layer] > 0)
    return loss, gradients
