"""Rounds of scheduling: what is kept from one to the next changes nothing."""

from __future__ import annotations

import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.source import input_op
from graphc.schedule.analysis import Anchors, find_anchors
from graphc.schedule.build import schedule
from graphc.schedule.schedule import KernelCall, Schedule
from graphc.target.render import render


def model() -> tuple[Node, list[Node]]:
    """Layers that share costly values, so that scheduling takes several rounds."""
    x = gx.input("x", ("n", 6))
    weights = [gx.param(f"w{layer}", [[0.1] * 6] * 6) for layer in range(4)]
    h = x
    for layer, w in enumerate(weights):
        h = gx.tanh(h @ w) + gx.exp(-h * h) * (h - gx.mean(h, axis=1, keepdims=True))
        h = h / gx.sqrt(1 + gx.sum(h * h, axis=layer % 2, keepdims=True))
    loss = gx.mean(gx.log(1 + h * h))
    return loss, gx.grad(loss, weights)


def texts(plan: Schedule) -> list[str]:
    return [
        render(step.lowered.kernel).source if isinstance(step, KernelCall) else type(step).__name__
        for step in plan.steps
    ]


def test_kept_demands_give_the_same_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is stored from some round on must not be entered as before."""
    loss, gradients = model()
    inputs = [node for node in topological([loss]) if node.op is input_op]
    graph = gx.compile(inputs, [loss, *gradients], stop="split")
    kept = texts(schedule(graph))
    monkeypatch.setattr(Anchors, "keep_demands", lambda self, earlier: None)
    assert texts(schedule(graph)) == kept
    assert find_anchors(graph, set()).known_demands == {}
