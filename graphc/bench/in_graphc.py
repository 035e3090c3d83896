"""Jobs in graphc, from a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import graphc as gx
from graphc.bench.model import CHECKED_STEPS, DATA, Array, Given, Job, Maker, Settings, repeated
from graphc.ir.node import Node

# The two inputs x and t, and the loss.
Trained = tuple[Sequence[Node], Node]
# The inputs, by the names of their arrays, and the outputs.
Computed = tuple[Sequence[Node], Sequence[Node]]


def training(build: Callable[[Settings, Given], Trained]) -> Maker:
    """An epoch of training steps of a loss as a native loop."""

    def make(settings: Settings, given: Given) -> Job:
        inputs, loss = build(settings, given)
        optimizer = {"sgd": gx.train.sgd, "adam": gx.train.adam}[settings["optimizer"]]
        updates = optimizer(settings["rate"])(loss, gx.nn.parameters(loss))
        step = gx.compile(inputs, loss, updates=updates)
        data, batch = tuple(given[name] for name in DATA), settings["batch"]

        def epoch() -> Array:
            losses: Array = step.loop(data, batch_size=batch, shuffle=False)
            return losses

        return Job(lambda: [epoch()[:CHECKED_STEPS]], epoch, settings["steps"])

    return make


def calls(build: Callable[[Settings, Given], Computed]) -> Maker:
    """Calls of a compiled function: as many in a run as the settings have `calls`, or one."""

    def make(settings: Settings, given: Given) -> Job:
        inputs, outputs = build(settings, given)
        f = gx.compile(inputs, outputs)
        feed = [given[str(node.name)] for node in inputs]
        return repeated(settings, lambda: f(*feed), lambda: f(*feed))

    return make
