"""The generated graphs are as large as their names say, and the same in every library."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gx
from graphc.bench.models import generated
from graphc.bench.workloads import WORKLOADS
from graphc.ir.traverse import topological

GRAPHS = [work for work in WORKLOADS if work.group == "graphs"]


@pytest.mark.parametrize("work", GRAPHS, ids=lambda work: work.name)
def test_a_graph_has_the_nodes_that_it_promises(work):
    """Counted in graphc's graph with the gradient, before any rewriting."""
    side = work.settings["side"]
    x, y = (gx.input(name, (side, side)) for name in "xy")
    value = generated.build(gx, work.settings, x, y)
    nodes = sum(1 for _ in topological([value, gx.grad(value, x)]))
    promised = int(re.sub(r"\D", "", work.name))
    assert 0.95 * promised < nodes < 1.05 * promised


def test_the_value_is_that_of_numpy_and_every_kind_of_operation_is_drawn():
    settings = {"operations": 110, "side": 5}
    given = generated.arrays(np.random.default_rng(0), settings)
    x, y = (array.astype(float) for array in given.values())
    value = generated._reference(settings, {"x": x, "y": y})[0]
    assert generated.build(np, settings, x, y) == pytest.approx(value, rel=1e-13)
    a, b = (gx.input(name, (5, 5)) for name in "ab")
    ops = {node.op.name for node in topological([generated.build(gx, settings, a, b)])}
    assert {"matmul", "sum", "mean", "where", "exp", "sqrt", "sin", "tanh", "abs"} <= ops


def test_dual_numbers_give_the_derivative_of_what_they_compute():
    """The oracle of the generated graphs, by differences along one direction."""
    settings, step = {"operations": 60, "side": 4}, 1e-6
    random = np.random.default_rng(3)
    x, y, direction = (random.standard_normal((4, 4)) for _ in range(3))
    gradient = generated._reference(settings, {"x": x, "y": y})[1]
    higher, lower = (generated.build(np, settings, x + s * direction, y) for s in (step, -step))
    slope = (higher - lower) / (2 * step)
    assert np.vdot(gradient, direction) == pytest.approx(slope, rel=1e-6)
