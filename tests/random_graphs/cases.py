"""Whole random cases: outputs, gradients of a random scalar among them, and updates."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

import graphc as gx
from graphc.ir.dim import Size, size_names
from graphc.ir.node import Node
from graphc.ir.shape import TupleType
from graphc.ir.traverse import topological
from tests.random_graphs.actions import ACTIONS
from tests.random_graphs.builder import Feed, GraphBuilder, World


@dataclass
class Case:
    """What to compile, and the worlds to try it in."""

    inputs: list[Node]
    outputs: list[Node]
    updates: dict[Node, Node]
    worlds: list[World]

    @property
    def roots(self) -> list[Node]:
        """The outputs, then the new values of states."""
        return [*self.outputs, *self.updates.values()]

    def arrays(self, world: World) -> list[np.ndarray]:
        return [world.values[node] for node in self.inputs]


def random_case(
    pick: random.Random,
    steps: int = 12,
    dtype: str = "float64",
    gradients: bool = True,
    states: bool = True,
) -> Case:
    """A random graph with outputs, gradients of a random scalar among them, and updates."""
    worlds = [{"n": pick.randrange(1, 6), "m": pick.randrange(1, 5)}]
    worlds.append({"n": pick.choice((0, 1, 2, 7)), "m": pick.choice((0, 1, 3))})
    b = GraphBuilder(pick, worlds, dtype)
    b.add_input(exact=False)
    b.add_input()
    if states:
        b.add_param()
    b.grow(steps, ACTIONS)
    outputs = [b.nodes[-1], *pick.sample(b.nodes, min(len(b.nodes), pick.randrange(3)))]
    made: list[Node] = []
    if gradients:
        made = random_gradients(b)
        outputs += pick.sample(made, min(len(made), 3))
    updates = random_updates(b, made) if states else {}
    _declare_sizes(b, [*outputs, *updates.values()])
    if updates and pick.random() < 0.3:
        outputs.append(pick.choice(list(updates.values())))
    used = list(dict.fromkeys(outputs)) if pick.random() < 0.9 else outputs
    return Case(b.inputs, used, updates, b.worlds)


def random_loop(pick: random.Random, steps: int = 12, dtype: str = "float64") -> Case:
    """A random graph for a loop: inputs of examples, outputs that do not depend on how many."""
    worlds = [{"n": pick.randrange(2, 6), "m": 1}, {"n": pick.randrange(1, 3), "m": 1}]
    b = GraphBuilder(pick, worlds, dtype, examples=True)
    for add in (b.add_input, b.add_input, b.add_param, b.add_param):
        add()
    b.grow(steps, ACTIONS)
    made = random_gradients(b)
    outputs = [_fixed_shape(b, node) for node in (made[0], *pick.sample(b.nodes, 2), *b.params[:1])]
    return Case(b.inputs, outputs, random_updates(b, made), b.worlds)


def random_function(pick: random.Random, steps: int) -> tuple[Node, list[Node], Feed]:
    """A smooth random scalar, its float inputs, and where it stands: for differences."""
    b = GraphBuilder(pick, [{"n": pick.randrange(1, 4), "m": pick.randrange(1, 3)}], ties=False)
    b.add_input(exact=False)
    b.add_param()
    b.grow(steps, ACTIONS)
    loss = random_scalar(b)
    wanted = [node for node in (*b.inputs, *b.params) if node.dtype.is_float]
    feed = {node: b.worlds[0].values[node] for node in (*b.inputs, *b.params)}
    return loss, wanted, {**feed, b.sizes: b.worlds[0].values[b.sizes]}


def _fixed_shape(b: GraphBuilder, node: Node) -> Node:
    axes = tuple(axis for axis, dim in enumerate(node.shape) if isinstance(dim, Size))
    return gx.sum(node, axis=axes) if axes else node


def _declare_sizes(b: GraphBuilder, roots: list[Node]) -> None:
    """Give every named size an input that has it."""
    declared = {str(dim) for node in b.inputs for dim in node.shape}
    for node in topological(roots):
        types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
        dims = [dim for t in types for dim in t.shape]
        dims += [node.attrs["dim"]] if "dim" in node.attrs else []
        for name in (name for dim in dims for name in size_names(dim)):
            if name not in declared:
                declared.add(name)
                b.add_input((name,))


def random_scalar(b: GraphBuilder) -> Node:
    """A float scalar that a few late nodes go into, weighted so that cotangents are not uniform."""
    total: Node | None = None
    floats = b.floats()
    for node in b.pick.sample(floats[-6:], min(len(floats), b.pick.randrange(1, 3))):
        averaged = b.pick.random() < 0.4 and all(
            b.never_empty(node, axis) for axis in range(node.ndim)
        )
        term = (
            gx.mean(gx.square(node)) if averaged else gx.sum(node * b.pick.choice((1.0, 0.5, -1.5)))
        )
        if b.pick.random() < 0.3:
            term = gx.sum(gx.sin(node) * b.shaped(b.float_node(), node.shape))
        total = term if total is None else total + term
    assert total is not None
    return total


def random_gradients(b: GraphBuilder) -> list[Node]:
    loss = random_scalar(b)
    wrt = [node for node in (*b.inputs, *b.params) if node.dtype.is_float]
    wrt += b.pick.sample(b.floats(), min(2, len(b.floats())))
    made = gx.grad(loss, wrt, disconnected="zero")
    if b.pick.random() < 0.25:
        inner = gx.sum(gx.square(b.pick.choice(made)))
        made = made + gx.grad(inner, wrt[:2], disconnected="zero")
    return [loss, *made]


def random_updates(b: GraphBuilder, gradients: list[Node]) -> dict[Node, Node]:
    updates: dict[Node, Node] = {}
    b.pick.shuffle(b.params)
    for param in b.params:
        kind = b.pick.choice(("gradient", "gradient", "swap", "node", "none", "self", "shared"))
        fitting = [g for g in gradients if g.shape == param.shape]
        same = [p for p in b.params if p.shape == param.shape]
        if kind == "gradient" and fitting:
            updates[param] = param - 0.1 * b.pick.choice(fitting)
        elif kind == "swap":
            updates[param] = b.pick.choice(same)
        elif kind == "node":
            updates[param] = b.shaped(b.float_node(), param.shape)
        elif kind == "self":
            updates[param] = param * 0.9 + b.pick.choice(same)
        elif kind == "shared" and updates:
            new = b.pick.choice(list(updates.values()))
            if new.shape == param.shape:
                updates[param] = new
    return {p: new for p, new in updates.items() if new.dtype is p.dtype}
