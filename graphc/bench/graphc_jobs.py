"""The workloads in graphc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import graphc as gx
from graphc import nn, train
from graphc.bench.frameworks import Job, Maker
from graphc.bench.workloads import CHECKED_STEPS, Array, layers


def makers(_variant: str) -> dict[str, Maker]:
    """A maker for each model."""
    return {
        "mlp": _mlp, "softmax_cross_entropy": _softmax_cross_entropy, "gelu": _gelu,
        "scalar": _scalar,
    }  # fmt: skip


def _mlp(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    x = gx.input("x", ("n", settings["sizes"][0]))
    t = gx.input("t", ("n",), dtype="int64")
    parameters, h = [], x
    for layer in range(layers(settings)):
        if layer:
            h = gx.maximum(h, 0)
        W, b = (gx.param(f"{kind}{layer}", given[f"{kind}{layer}"]) for kind in "Wb")
        parameters += [W, b]
        h = h @ W + b
    loss = gx.mean(nn.softmax_cross_entropy(h, t))
    optimizer = {"sgd": train.sgd, "adam": train.adam}[settings["optimizer"]]
    updates = optimizer(settings["rate"])(loss, parameters)
    step = gx.compile([x, t], loss, updates=updates)
    data, batch = (given["x"], given["t"]), settings["batch"]

    def epoch() -> Array:
        losses: Array = step.loop(data, batch_size=batch, shuffle=False)
        return losses

    return Job(lambda: epoch()[:CHECKED_STEPS], epoch, settings["steps"])


def _softmax_cross_entropy(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    x = gx.input("x", ("n", "k"))
    t = gx.input("t", ("n",), dtype="int64")
    loss = gx.mean(nn.softmax_cross_entropy(x, t))
    f = gx.compile([x, t], [loss, gx.grad(loss, x)])
    return Job(lambda: f(given["x"], given["t"])[1], lambda: f(given["x"], given["t"]), 1)


def _gelu(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    x = gx.input("x", ("n",))
    f = gx.compile([x], gx.grad(gx.sum(nn.gelu(x, approximate=True)), x))
    return Job(lambda: f(given["x"]), lambda: f(given["x"]), 1)


def _scalar(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    x = gx.input("x")
    f = gx.compile([x], gx.grad(gx.sin(x) * gx.exp(-x * x), x))
    value, calls = given["x"], range(settings["calls"])

    def many() -> None:
        for _ in calls:
            f(value)

    return Job(lambda: f(value), many, settings["calls"])
