"""The workloads in PyTensor, in its default mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.bench.frameworks import Job, Maker, library
from graphc.bench.workloads import CHECKED_STEPS, Array, layers


def makers(_variant: str) -> dict[str, Maker]:
    """A maker for each model."""
    return {
        "mlp": _mlp, "softmax_cross_entropy": _softmax_cross_entropy, "gelu": _gelu,
        "scalar": _scalar,
    }  # fmt: skip


def _cross_entropy(logits: Any, t: Any) -> Any:
    pt = library("pytensor.tensor")
    chosen = pt.special.log_softmax(logits, axis=-1)[pt.arange(t.shape[0]), t]
    return -chosen.sum() / t.shape[0].astype("float32")


def _float(value: float) -> Any:
    return np.float32(value)


def _updates(settings: Mapping[str, Any], loss: Any, parameters: list[Any]) -> list[Any]:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    gradients, rate = pytensor.grad(loss, parameters), _float(settings["rate"])
    if settings["optimizer"] == "sgd":
        return [(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]
    count = pytensor.shared(_float(0))
    updates = [(count, count + _float(1))]
    a, c = (1 / (1 - _float(beta) ** (count + _float(1))) for beta in (0.9, 0.999))
    for p, g in zip(parameters, gradients, strict=True):
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_m = _float(0.9) * m + _float(0.1) * g
        new_v = _float(0.999) * v + _float(0.001) * g * g
        change = rate * (new_m * a) / (pt.sqrt(new_v * c) + _float(1e-8))
        updates += [(m, new_m), (v, new_v), (p, p - change)]
    return updates


def _mlp(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    x, t = pt.fmatrix("x"), pt.lvector("t")
    h, parameters = x, []
    for layer in range(layers(settings)):
        W, b = (pytensor.shared(given[f"{kind}{layer}"]) for kind in "Wb")
        parameters += [W, b]
        h = (pt.maximum(h, _float(0)) if layer else h) @ W + b
    loss = _cross_entropy(h, t)
    step = pytensor.function([x, t], loss, updates=_updates(settings, loss, parameters))
    batch = settings["batch"]

    def some(steps: int) -> list[Any]:
        return [
            step(given["x"][start : start + batch], given["t"][start : start + batch])
            for start in range(0, steps * batch, batch)
        ]

    steps = settings["steps"]
    return Job(lambda: np.array(some(CHECKED_STEPS)), lambda: some(steps), steps)


def _softmax_cross_entropy(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    x, t = pt.fmatrix("x"), pt.lvector("t")
    loss = _cross_entropy(x, t)
    f = pytensor.function([x, t], [loss, pytensor.grad(loss, x)])
    feed = (given["x"], given["t"])
    return Job(lambda: np.asarray(f(*feed)[1]), lambda: f(*feed), 1)


def _gelu(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    x = pt.fvector("x")
    inner = _float(np.sqrt(2 / np.pi)) * (x + _float(0.044715) * x**3)
    y = (_float(0.5) * x * (_float(1) + pt.tanh(inner))).sum()
    f = pytensor.function([x], pytensor.grad(y, x))
    return Job(lambda: np.asarray(f(given["x"])), lambda: f(given["x"]), 1)


def _scalar(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    pytensor, pt = library("pytensor"), library("pytensor.tensor")
    x = pt.fscalar("x")
    f = pytensor.function([x], pytensor.grad(pt.sin(x) * pt.exp(-x * x), x))
    value, calls = given["x"], settings["calls"]

    def many() -> None:
        for _ in range(calls):
            f(value)

    return Job(lambda: np.asarray(f(value)), many, calls)
