"""Products take in what surrounds them: BLAS computes alpha A B + beta C, so scaling and updating
cost nothing.

`(A @ B) * s` with a scale known when sizes are becomes one product with alpha = s; `W - s * (A @
B)` as the new value of W becomes one product with beta = 1 that updates W in place, and the
gradient is never stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, register
from graphc.ir.shape import TensorType
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import remake, topological
from graphc.ops import scalar
from graphc.ops.contraction import ContractionOp, matmul_op
from graphc.ops.layout import broadcast_op, reshape_op, transpose_op
from graphc.ops.source import const, constant_op, size_op


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    a, b = inputs[0], inputs[1]
    return TensorType(a.dtype, (*a.shape[:-1], b.shape[-1]))


def _reference(attrs: Attributes, a: Any, b: Any, scale: Any, *addend: Any) -> Any:
    # A sum of nothing is 0 whatever its scale, as in BLAS.
    product = (scale if a.shape[-1] else np.ones_like(scale)) * np.matmul(a, b)
    return addend[0] + product if addend else product


product_op = ContractionOp(
    "product", _infer, _reference, no_derivative="it only exists after differentiation",
    doc="scale * (a @ b), plus an addend if there is a fourth input",
)  # fmt: skip
register(product_op)


def static_scalars(nodes: Iterable[Node]) -> set[Node]:
    """The nodes that are one number, known as soon as the sizes are (given in topological
    order)."""
    found: set[Node] = set()
    for node in nodes:
        if node.op is broadcast_op:
            known = node.inputs[0] in found
        elif node.op in (constant_op, size_op):
            known = node.shape == ()
        else:
            cheap = node.op.kind == "elementwise" and node.shape == ()
            known = cheap and all(source in found for source in node.inputs)
        if known:
            found.add(node)
    return found


def _scalar(node: Node) -> Node:
    return node.inputs[0] if node.op is broadcast_op else node


class Factors(NamedTuple):
    """A node as a core times static scalars: `core * product(over) / product(under)`, negated or
    not."""

    core: Node
    negative: bool
    over: tuple[Node, ...]
    under: tuple[Node, ...]


class Recipe(NamedTuple):
    """What replaces a node: scale * (a @ b), plus an addend; then what only moves its elements,
    outermost first."""

    a: Node
    b: Node
    scale: Node
    addend: Node | None
    moved: tuple[Node, ...] = ()


class Contraction:
    """Finds the products of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.static = static_scalars(graph.nodes)
        self.roots = set(graph.roots)
        self.users = {node: len(graph.consumers(node)) for node in graph.nodes}

    def alone(self, node: Node) -> bool:
        """Whether a node serves one consumer only, so that it may disappear into it."""
        return self.users[node] == 1 and node not in self.roots

    def peel(self, node: Node, whole: Node) -> Factors:
        """Static factors taken off `node`, down to a core, through nodes that serve nothing
        else."""
        negative = False
        over: list[Node] = []
        under: list[Node] = []
        while node is whole or self.alone(node):
            if node.op is scalar.negative:
                negative, node = not negative, node.inputs[0]
            elif node.op is scalar.multiply and self._scales(node, 0, 1):
                over.append(_scalar(node.inputs[0]))
                node = node.inputs[1]
            elif node.op is scalar.multiply and self._scales(node, 1, 0):
                over.append(_scalar(node.inputs[1]))
                node = node.inputs[0]
            elif node.op is scalar.divide and self._scales(node, 1, 0):
                under.append(_scalar(node.inputs[1]))
                node = node.inputs[0]
            else:
                break
        return Factors(node, negative, tuple(over), tuple(under))

    def _scales(self, node: Node, factor: int, rest: int) -> bool:
        return node.inputs[factor] in self.static and node.inputs[rest].shape == node.shape

    def recipe(self, node: Node) -> Recipe | None:
        """The product that a scaled node is, None if it is none."""
        factors = self.peel(node, node)
        if factors.core is node:
            return None
        moved: list[Node] = []
        core = factors.core
        while core.op in (reshape_op, transpose_op) and self.alone(core):
            moved.append(core)
            core = core.inputs[0]
        if core.op is not matmul_op or not self.alone(core):
            return None
        recipe = self._recipe(factors._replace(core=core), False, None, node)
        return recipe._replace(moved=tuple(moved))

    def update(self, state: Node, new: Node) -> Recipe | None:
        """The product that updates a state in place, None if the new value is none."""
        if new.op not in (scalar.add, scalar.subtract) or new.shape != state.shape:
            return None
        left, right = new.inputs
        if new.op is scalar.add and right is state:
            left, right = right, left
        if left is not state or right.shape != state.shape or not self.alone(right):
            return None
        factors = self.peel(right, right)
        if factors.core.op is not matmul_op or not self.alone(factors.core):
            return None
        return self._recipe(factors, new.op is scalar.subtract, state, new)

    def _recipe(
        self, factors: Factors, negative: bool, addend: Node | None, origin: Node
    ) -> Recipe:
        a, b = factors.core.inputs
        with inherit_sites(origin.sites):
            scale = _scale(factors, factors.negative != negative)
        return Recipe(a, b, scale, addend)


def _scale(factors: Factors, negative: bool) -> Node:
    scale: Node | None = None
    for factor in factors.over:
        scale = factor if scale is None else scale * factor
    one = const(1, factors.core.dtype)
    for factor in factors.under:
        scale = (one if scale is None else scale) / factor
    scale = one if scale is None else scale
    return -scale if negative else scale


def contract(graph: Graph) -> Graph:
    """The graph with scaled products, and products that update a state, as one node each."""
    finder = Contraction(graph)
    recipes: dict[Node, Recipe] = {}
    for state, new in graph.updates:
        found = finder.update(state, new)
        if found is not None:
            recipes[new] = found
    for node in graph.nodes:
        if node not in recipes and node.op.kind == "elementwise":
            scaled = finder.recipe(node)
            if scaled is not None:
                recipes[node] = scaled
    if not recipes:
        return graph
    new_nodes: dict[Node, Node] = {}
    for node in topological(graph.roots):
        recipe = recipes.get(node)
        if recipe is None:
            new_nodes[node] = remake(node, tuple(new_nodes[source] for source in node.inputs))
            continue
        operands = (new_nodes[recipe.a], new_nodes[recipe.b], recipe.scale)
        addend = (recipe.addend,) if recipe.addend is not None else ()
        with inherit_sites(node.sites):
            result = make(product_op, (*operands, *addend))
        for layout in reversed(recipe.moved):
            result = remake(layout, (result,))
        new_nodes[node] = result
    return graph.with_roots([new_nodes[root] for root in graph.roots])
