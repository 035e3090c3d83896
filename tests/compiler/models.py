"""Small models that several tests compile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node


@dataclass
class Classifier:
    """A two-layer network on random data, with its gradient-descent updates."""

    x: Node
    t: Node
    loss: Node
    parameters: list[Node]
    updates: dict[Node, Node]
    images: np.ndarray
    labels: np.ndarray

    def compile(self, target: str = "cpu") -> Any:
        """The training step."""
        return gx.compile([self.x, self.t], self.loss, updates=self.updates, target=target)

    def values(self) -> list[np.ndarray]:
        """The parameters now."""
        return [parameter.value for parameter in self.parameters]


def classifier(examples: int = 50, dropout: bool = False) -> Classifier:
    """A network 6-8-3, the same each time."""
    random = np.random.default_rng(0)
    x, t = gx.input("x", ("n", 6)), gx.input("t", ("n",), "int64")
    first = gx.param("first", random.standard_normal((6, 8)).astype(np.float32))
    bias = gx.param("bias", np.zeros(8, np.float32))
    second = gx.param("second", random.standard_normal((8, 3)).astype(np.float32))
    hidden = gx.tanh(x @ first + bias)
    if dropout:
        hidden = gx.nn.dropout(hidden, 0.3, gx.random.stream(7))
    loss = gx.mean(gx.softmax_cross_entropy(hidden @ second, t))
    parameters = [first, bias, second]
    gradients = gx.grad(loss, parameters)
    updates = {p: p - 0.1 * g for p, g in zip(parameters, gradients, strict=True)}
    images = random.standard_normal((examples, 6)).astype(np.float32)
    return Classifier(x, t, loss, parameters, updates, images, random.integers(0, 3, examples))
