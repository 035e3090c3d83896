"""Random graphs for tests, evaluated while they are built.

A graph is built beside its values in a few *worlds* (bindings of the named sizes, with arrays for
the inputs). So an operation is only applied where it is defined, where numbers stay moderate, and
where a decision (a comparison, a maximum, a cut to an integer) does not hang on the last bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gx
from graphc.errors import GraphcError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.node import Node
from graphc.ir.shape import as_shape
from graphc.ops.evaluate import evaluate_all

Feed = dict[Node, Any]
SIZES = ("n", "m")
# Values beyond this make differences of results meaningless.
LARGEST = 1e3
# A decision between two values must not be closer than this, unless both are exact.
MARGIN = 1e-3


@dataclass
class World:
    """Sizes, the arrays of all inputs and parameters, and the values of all nodes so far."""

    sizes: dict[str, int]
    values: Feed = field(default_factory=dict)

    def shape(self, dims: Any) -> tuple[int, ...]:
        return tuple(evaluate_dim(dim, self.sizes) for dim in dims)


class Rejected(Exception):
    """An operation does not fit the values it was to be applied to."""


Action = Callable[["GraphBuilder"], Any]


class GraphBuilder:
    """Grows a graph by random steps. `pick` is any source of choices, such as `random.Random`."""

    def __init__(
        self,
        pick: random.Random,
        worlds: list[dict[str, int]],
        dtype: str = "float64",
        examples: bool = False,
        ties: bool = True,
    ) -> None:
        self.pick, self.dtype = pick, dtype
        self.examples = examples  # whether the first axis of every input is "n"
        self.ties = ties  # whether equal values may meet in a decision
        self.worlds = [World(sizes) for sizes in worlds]
        self.inputs: list[Node] = []
        self.params: list[Node] = []
        self.nodes: list[Node] = []
        # Nodes whose values are small multiples of a power of two, computed without rounding.
        self.exact: set[Node] = set()
        self.stream = gx.random.stream(pick.randrange(1000))
        # Fed, but no part of the graph: it binds every size.
        self.sizes = gx.input("sizes", SIZES)
        for world in self.worlds:
            world.values[self.sizes] = np.zeros(world.shape(self.sizes.shape), np.float32)

    # ---- leaves

    def dim(self) -> Any:
        return self.pick.choice(("n", "n", 3 if self.examples else "m", 1, 2, 3, 4))

    def shape(self, most: int = 3) -> tuple[Any, ...]:
        return tuple(
            self.dim() for _ in range(self.pick.choice((0, 1, 1, 2, 2, 2, 3)[: 3 + 2 * most]))
        )

    def array(self, shape: tuple[int, ...], exact: bool) -> np.ndarray:
        rng = np.random.default_rng(self.pick.randrange(2**32))
        if exact:
            return rng.integers(-8, 9, shape) / 4
        return rng.uniform(-2, 2, shape)

    def add_input(self, shape: Any = None, exact: bool | None = None) -> Node:
        shape = self.shape() if shape is None else shape
        if self.examples:
            shape = ("n", *(dim for dim in shape[:2] if isinstance(dim, int)))
        exact = self.pick.random() < 0.4 if exact is None else exact
        node = gx.input(f"x{len(self.inputs)}", shape, dtype=self.dtype)
        self.inputs.append(node)
        for world in self.worlds:
            world.values[node] = self.array(world.shape(node.shape), exact).astype(self.dtype)
        return self._known(node, exact)

    def add_param(self, shape: Any = None) -> Node:
        fixed = tuple(
            d if isinstance(d, int) else 3 for d in (self.shape(2) if shape is None else shape)
        )
        make = self.pick.choice((gx.param, gx.state))
        node = make(f"p{len(self.params)}", self.array(fixed, False).astype(self.dtype))
        self.params.append(node)
        for world in self.worlds:
            world.values[node] = node.value
        return self._known(node, False)

    def add_labels(self, shape: Any, classes: Any) -> Node:
        """An integer input whose values are labels of an axis of `classes`."""
        fixed = all(isinstance(dim, int) for dim in shape[1:])
        if self.examples and (as_shape(shape)[:1] != as_shape("n") or not fixed):
            raise Rejected
        node = gx.input(
            f"x{len(self.inputs)}", shape, dtype=self.pick.choice(("int64", "int32", "uint8"))
        )
        self.inputs.append(node)
        for world in self.worlds:
            fixed, count = world.shape(node.shape), world.shape((classes,))[0]
            if count == 0 and np.prod(fixed):
                self.inputs.pop()
                raise Rejected
            rng = np.random.default_rng(self.pick.randrange(2**32))
            world.values[node] = rng.integers(0, max(count, 1), fixed).astype(node.dtype.numpy)
        return self._known(node, True)

    def _known(self, node: Node, exact: bool) -> Node:
        self.nodes.append(node)
        if exact and self.ties:
            self.exact.add(node)
        return node

    # ---- choices among nodes

    def floats(self) -> list[Node]:
        return [node for node in self.nodes if node.dtype.is_float]

    def float_node(self, least: int = 0) -> Node:
        found = [node for node in self.floats() if node.ndim >= least]
        if not found:
            raise Rejected
        # Late nodes are likelier, so that graphs become deep; early ones are shared.
        return found[max(self.pick.randrange(len(found)), self.pick.randrange(len(found)))]

    def of_kind(self, test: Callable[[Node], bool]) -> Node:
        found = [node for node in self.nodes if test(node)]
        if not found:
            raise Rejected
        return self.pick.choice(found)

    def boolean(self) -> Node:
        return self.of_kind(lambda node: node.dtype.family == "bool")

    def integer(self) -> Node:
        return self.of_kind(lambda node: node.dtype.is_integer)

    def values(self, node: Node) -> list[np.ndarray]:
        """The values of a node in all worlds, computed if they are not known yet."""
        result = []
        for world in self.worlds:
            if node not in world.values:
                world.values[node] = evaluate_all([node], world.values)[node]
            result.append(world.values[node])
        return result

    def require(self, node: Node, test: Callable[[np.ndarray], Any]) -> None:
        """Reject unless the test holds for every element in every world."""
        for value in self.values(node):
            if not np.all(test(value.astype(float))):
                raise Rejected

    def clear(self, gap: Node, *operands: Node) -> None:
        """Reject a decision that hangs on rounding: `gap` near 0, or 0 without exact operands."""
        exact = all(node in self.exact for node in operands)
        for value in self.values(gap):
            near = np.abs(value.astype(float)) < MARGIN
            if np.any(near) and not (exact and np.all(value[near] == 0)):
                raise Rejected

    # ---- growing

    def grow(self, steps: int, actions: Sequence[tuple[Action, float]]) -> None:
        """Apply `steps` random operations, chosen by weight."""
        weights = [weight for _, weight in actions]
        for _ in range(steps):
            action, _ = self.pick.choices(actions, weights)[0]
            try:
                made = action(self)
            except (Rejected, GraphcError, IndexError):
                continue
            for node, exact in made if isinstance(made, list) else [made]:
                self._accept(node, exact)

    def _accept(self, node: Node, exact: bool) -> None:
        if node in self.nodes:
            return
        for value in self.values(node):
            wild = not np.all(np.isfinite(value)) or np.any(np.abs(value.astype(float)) > LARGEST)
            if value.size > 5000 or wild:
                return
        self._known(node, exact)

    def shaped(self, node: Node, shape: Any) -> Node:
        """A value of exactly `shape`, made from `node` by reducing and repeating."""
        extra = node.ndim - len(shape)
        if extra > 0:
            node = gx.sum(node, axis=tuple(range(extra)))
        for axis in range(-node.ndim, 0):
            if node.shape[axis] not in (1, shape[axis]):
                if self.pick.random() < 0.3 and self.never_empty(node, axis):
                    node = node[(..., slice(0, 1), *[slice(None)] * (-axis - 1))]
                else:
                    node = (
                        gx.mean(node, axis=axis, keepdims=True)
                        if self.never_empty(node, axis)
                        else gx.sum(node, axis=axis, keepdims=True)
                    )
        return gx.broadcast_to(node, shape)

    def never_empty(self, node: Node, axis: int) -> bool:
        return all(world.shape((node.shape[axis],))[0] > 0 for world in self.worlds)

    def is_exact(self, *nodes: Node) -> bool:
        return all(node in self.exact for node in nodes)
