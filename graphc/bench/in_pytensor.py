"""Jobs in PyTensor, in its default mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.bench.model import CHECKED_STEPS, Given, Job, Maker, Settings, library, repeated

# x, t, the loss and the shared parameters.
Trained = tuple[Any, Any, Any, list[Any]]
# The inputs, the outputs, and the arrays of the inputs.
Computed = tuple[Sequence[Any], Sequence[Any], Sequence[Any]]


def training(build: Callable[[Settings, Given], Trained]) -> dict[str, Maker]:
    """Training steps of a loss."""

    def make(settings: Settings, given: Given) -> Job:
        x, t, loss, parameters = build(settings, given)
        updates = _updates(settings, loss, parameters)
        step = library("pytensor").function([x, t], loss, updates=updates)
        steps, batch = settings["steps"], settings["batch"]

        def some(steps: int) -> list[Any]:
            return [
                step(given["x"][start : start + batch], given["t"][start : start + batch])
                for start in range(0, steps * batch, batch)
            ]

        return Job(lambda: [np.array(some(min(steps, CHECKED_STEPS)))], lambda: some(steps), steps)

    return {"pytensor": make}


def calls(build: Callable[[Settings, Given], Computed]) -> dict[str, Maker]:
    """Calls of a compiled function."""

    def make(settings: Settings, given: Given) -> Job:
        inputs, outputs, feed = build(settings, given)
        f = library("pytensor").function(list(inputs), list(outputs))
        return repeated(settings, lambda: [np.asarray(y) for y in f(*feed)], lambda: f(*feed))

    return {"pytensor": make}


def cross_entropy(logits: Any, t: Any) -> Any:
    """The mean over the rows."""
    pt = library("pytensor.tensor")
    chosen = pt.special.log_softmax(logits, axis=-1)[pt.arange(t.shape[0]), t]
    return -chosen.sum() / t.shape[0].astype(logits.dtype)


def number(value: float) -> Any:
    """A constant that does not widen float32."""
    return np.float32(value)


def _updates(settings: Settings, loss: Any, parameters: list[Any]) -> list[Any]:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    gradients = pytensor.grad(loss, parameters)
    rate = np.dtype(loss.dtype).type(settings["rate"])
    if settings["optimizer"] == "sgd":
        return [(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]
    count = pytensor.shared(number(0))
    updates = [(count, count + number(1))]
    a, c = (1 / (1 - number(beta) ** (count + number(1))) for beta in (0.9, 0.999))
    for p, g in zip(parameters, gradients, strict=True):
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_m = number(0.9) * m + number(0.1) * g
        new_v = number(0.999) * v + number(0.001) * g * g
        change = rate * (new_m * a) / (pt.sqrt(new_v * c) + number(1e-8))
        updates += [(m, new_m), (v, new_v), (p, p - change)]
    return updates
