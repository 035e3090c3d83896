"""Random graphs for tests: built from a source of random choices, evaluated while they are built.

A graph is built beside its values in a few *worlds* (bindings of the named sizes, with arrays for the inputs). So an
operation is only applied where it is defined, where numbers stay moderate, and where a decision (a comparison, a maximum,
a cut to an integer) does not hang on the last bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gx
from graphc.errors import GraphcError
from graphc.ir.dim import Size, size_names
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.node import Node
from graphc.ir.shape import TupleType, as_shape
from graphc.ir.traverse import topological
from graphc.ops import layout
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


class GraphBuilder:
    """Grows a graph by random steps. `pick` is any source of choices, such as `random.Random`."""

    def __init__(
        self,
        pick: random.Random,
        worlds: list[dict[str, int]],
        dtype: str = "float64",
        examples: bool = False,
    ) -> None:
        self.pick, self.dtype = pick, dtype
        self.examples = examples  # whether the first axis of every input is "n"
        self.worlds = [World(sizes) for sizes in worlds]
        self.inputs: list[Node] = []
        self.params: list[Node] = []
        self.nodes: list[Node] = []
        # Nodes whose values are small multiples of a power of two, computed without rounding.
        self.exact: set[Node] = set()
        self.stream = gx.random.stream(pick.randrange(1000))
        # Fed, but no part of the graph: it binds every size.
        sizes = gx.input("sizes", SIZES)
        for world in self.worlds:
            world.values[sizes] = np.zeros(world.shape(sizes.shape), np.float32)

    # ---- leaves

    def dim(self) -> Any:
        return self.pick.choice(("n", "n", 3 if self.examples else "m", 1, 2, 3, 4))

    def shape(self, most: int = 3) -> tuple[Any, ...]:
        return tuple(self.dim() for _ in range(self.pick.choice((0, 1, 1, 2, 2, 2, 3)[: 3 + 2 * most])))

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
        fixed = tuple(d if isinstance(d, int) else 3 for d in (self.shape(2) if shape is None else shape))
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
        node = gx.input(f"x{len(self.inputs)}", shape, dtype=self.pick.choice(("int64", "int32", "uint8")))
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
        if exact:
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

    def grow(self, steps: int) -> None:
        """Apply `steps` random operations."""
        actions = list(ACTIONS)
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
                    node = gx.mean(node, axis=axis, keepdims=True) if self.never_empty(node, axis) else gx.sum(
                        node, axis=axis, keepdims=True)
        return gx.broadcast_to(node, shape)

    def never_empty(self, node: Node, axis: int) -> bool:
        return all(world.shape((node.shape[axis],))[0] > 0 for world in self.worlds)

    def is_exact(self, *nodes: Node) -> bool:
        return all(node in self.exact for node in nodes)


Made = tuple[Node, bool]


# ---- actions


def unary(b: GraphBuilder) -> Made:
    x = b.float_node()
    name = b.pick.choice(
        ("exp", "tanh", "sigmoid", "sin", "cos", "square", "negative", "softplus", "erf", "expm1", "log1p", "log",
         "sqrt", "relu", "abs", "sign", "floor", "stop_gradient", "reciprocal", "swish")
    )  # fmt: skip
    if name in ("exp", "expm1"):
        b.require(x, lambda v: v < 5)
    if name == "log1p":
        b.require(x, lambda v: v > -0.9)
    if name in ("log", "sqrt"):
        b.require(x, lambda v: v > 0.05)
    if name in ("relu", "abs", "sign"):
        b.clear(x, x)
    if name == "floor":
        b.clear(x - gx.floor(x), x)
        b.clear(x - gx.floor(x) - 1, x)
    if name == "reciprocal":
        b.require(x, lambda v: abs(v) > 0.1)
        return 1 / x, False
    if name == "swish":
        return x * gx.sigmoid(x), False
    exact = x in b.exact and name in ("negative", "relu", "abs", "sign", "floor", "stop_gradient")
    return getattr(gx, name)(x), exact


def binary(b: GraphBuilder) -> Made:
    x, y = b.float_node(), b.float_node()
    if b.pick.random() < 0.3:
        y = b.shaped(y, x.shape)
    name = b.pick.choice(("add", "subtract", "multiply", "multiply", "add", "divide", "maximum", "minimum", "power"))
    if name == "divide":
        b.require(y, lambda v: abs(v) > 0.1)
    if name in ("maximum", "minimum"):
        b.clear(x - y, x, y)
    if name == "power":
        b.require(x, lambda v: v > 0.1)
        b.require(y, lambda v: abs(v) < 4)
    exact = b.is_exact(x, y) and name in ("add", "subtract", "maximum", "minimum")
    return getattr(gx, name)(x, y), exact


def with_number(b: GraphBuilder) -> Made:
    x = b.float_node()
    number = b.pick.choice((0, 1, 2, 3, -1, 0.5, 2.5, -0.1, 0.0, 1.0, True))
    name = b.pick.choice(("add", "radd", "sub", "rsub", "mul", "rmul", "div", "power", "maximum", "clip"))
    exact = x in b.exact and number in (0, 1, -1, True, 0.5) and name in ("add", "radd", "sub", "rsub")
    if name == "add":
        return x + number, exact
    if name == "radd":
        return number + x, exact
    if name == "sub":
        return x - number, exact
    if name == "rsub":
        return number - x, exact
    if name == "mul":
        return x * number, False
    if name == "rmul":
        return number * x, False
    if name == "div":
        return (x / number if number else x / 3), False
    if name == "maximum":
        b.clear(x - number, x)
        return gx.maximum(x, number), x in b.exact
    if name == "clip":
        b.clear(x - 1, x)
        b.clear(x + 0.5, x)
        return gx.clip(x, -0.5, 1.0), x in b.exact
    if number in (0.5, 2.5, -0.1):
        b.require(x, lambda v: v > 0.1)
    elif number == -1:
        b.require(x, lambda v: abs(v) > 0.1)
    return x**number, False


def compare(b: GraphBuilder) -> Made:
    x, y = b.float_node(), b.float_node()
    if b.pick.random() < 0.4:
        y = gx.const(b.pick.choice((0.0, 0.5, 1.0)), x.dtype)
        b.exact.add(y)
    b.clear(x - y, x, y)
    name = b.pick.choice(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"))
    return getattr(gx, name)(x, y), True


def logic(b: GraphBuilder) -> Made:
    x, y = b.boolean(), b.boolean()
    return b.pick.choice((lambda: x & y, lambda: x | y, lambda: ~x, lambda: gx.equal(x, y)))(), True


def choose(b: GraphBuilder) -> Made:
    c, x, y = b.boolean(), b.float_node(), b.float_node()
    if b.pick.random() < 0.3:
        return gx.where(c, x, b.pick.choice((0.0, 1.0, 2))), x in b.exact
    return gx.where(c, x, y), b.is_exact(x, y)


def convert(b: GraphBuilder) -> Made:
    kind = b.pick.choice(("bool", "int", "cut", "bool_sum", "int_arith", "float32"))
    if kind == "bool":
        return b.boolean().astype(b.dtype), True
    if kind == "int":
        return b.integer().astype(b.dtype), True
    if kind == "cut":
        x = b.float_node()
        b.clear(x - gx.floor(x), x)
        b.clear(x - gx.floor(x) - 1, x)
        return x.astype(b.pick.choice(("int64", "int32"))), True
    if kind == "bool_sum":
        c = b.boolean()
        return gx.sum(c, axis=some_axes(b, c)), True
    if kind == "float32":
        x = b.of_kind(lambda node: node in b.exact and node.dtype.is_float)
        return x.astype("float32").astype(b.dtype), True
    i, j = b.integer(), b.integer()
    name = b.pick.choice(("add", "subtract", "multiply", "maximum", "minimum"))
    if "uint8" in (i.dtype.name, j.dtype.name):
        i, j = i.astype("int64"), j.astype("int64")
    return getattr(gx, name)(i, j), True


def some_axes(b: GraphBuilder, x: Node) -> Any:
    if b.pick.random() < 0.3 or x.ndim == 0:
        return None
    return tuple(b.pick.sample(range(x.ndim), b.pick.randrange(1, x.ndim + 1)))


def reduce(b: GraphBuilder) -> Made:
    x = b.float_node(1)
    axes, keep = some_axes(b, x), b.pick.random() < 0.4
    name = b.pick.choice(("sum", "sum", "mean", "mean", "prod", "max", "min", "logsumexp", "argmax", "argmin"))
    if name in ("argmax", "argmin"):
        axes = b.pick.choice((None, b.pick.randrange(x.ndim)))
    if name not in ("sum", "prod"):
        for axis in range(x.ndim) if axes is None else axes if isinstance(axes, tuple) else (axes,):
            if not b.never_empty(x, axis):
                raise Rejected
    if name in ("max", "min", "argmax", "argmin"):
        _clear_extreme(b, x, axes)
    return getattr(gx, name)(x, axis=axes, keepdims=keep), (
        (name in ("max", "min") and x in b.exact) or name in ("argmax", "argmin"))


def _clear_extreme(b: GraphBuilder, x: Node, axes: Any) -> None:
    """Reject near ties: exact ties of exact values are fine."""
    if x in b.exact:
        return
    for value in b.values(x):
        chosen = tuple(range(value.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
        rest = [axis for axis in range(value.ndim) if axis not in chosen]
        rows = value.transpose(*rest, *chosen).reshape(
            int(np.prod([value.shape[a] for a in rest], dtype=int)), -1) if value.size else np.zeros((0, 1))
        ordered = np.sort(rows, axis=1)
        if rows.shape[1] > 1 and np.any(np.diff(ordered, axis=1) < MARGIN):
            raise Rejected


def layout_step(b: GraphBuilder) -> Made:
    x = b.of_kind(lambda node: node.ndim > 0)
    kind = b.pick.choice(
        ("transpose", "reshape", "reshape", "flatten", "expand", "squeeze", "broadcast", "slice", "slice", "slice",
         "flip", "pad", "pad")
    )  # fmt: skip
    exact = x in b.exact
    if kind == "transpose":
        return gx.transpose(x, b.pick.sample(range(x.ndim), x.ndim)), exact
    if kind == "reshape":
        at = b.pick.randrange(x.ndim)
        if x.ndim > 1 and b.pick.random() < 0.6:
            at = min(at, x.ndim - 2)
            return gx.reshape(x, (*x.shape[:at], x.shape[at] * x.shape[at + 1], *x.shape[at + 2 :])), exact
        if x.shape[at] == 4:
            return gx.reshape(x, (*x.shape[:at], 2, 2, *x.shape[at + 1 :])), exact
        return gx.reshape(x, (*x.shape[:at], 1, *x.shape[at:])), exact
    if kind == "flatten":
        return gx.reshape(x, (-1,)), exact
    if kind == "expand":
        return gx.expand_dims(x, b.pick.randrange(x.ndim + 1)), exact
    if kind == "squeeze":
        return gx.squeeze(x, b.pick.choice([a for a in range(x.ndim) if x.shape[a] == 1])), exact
    if kind == "broadcast":
        return gx.broadcast_to(x, (b.dim(), *(b.dim() if d == 1 else d for d in x.shape))), exact
    if kind == "flip":
        return layout.flip(x, [b.pick.random() < 0.5 for _ in x.shape]), exact
    if kind == "pad":
        edges = tuple((b.pick.randrange(3), b.pick.randrange(3), b.pick.choice((0, 0, 1, 2))) for _ in x.shape)
        if any(between and not b.never_empty(x, axis) for axis, (_, _, between) in enumerate(edges)):
            raise Rejected
        return layout.pad(x, edges), exact
    return x[tuple(_random_key(b, x, axis) for axis in range(b.pick.randrange(1, x.ndim + 1)))], exact


def _random_key(b: GraphBuilder, x: Node, axis: int) -> Any:
    dim = x.shape[axis]
    least = min(world.shape((dim,))[0] for world in b.worlds)
    kind = b.pick.choice(("int", "slice", "slice", "whole", "back"))
    if kind == "int" and least:
        return b.pick.randrange(-least, least)
    if kind == "back" and not isinstance(dim, Size):
        return slice(None, None, b.pick.choice((-1, -2, -3)))
    if kind == "back":
        return slice(None, None, -1)
    if kind == "slice" and not isinstance(dim, Size):
        bounds = [b.pick.choice((None, *range(-5, 6))) for _ in range(2)]
        return slice(*bounds, b.pick.choice((None, 1, 2, 3, -1, -2)))
    if kind == "slice" and least:
        start = b.pick.choice((None, 0, b.pick.randrange(least)))
        stop = b.pick.choice((None, None, b.pick.randrange(start or 0, least + 1)))
        return slice(start, stop, b.pick.choice((None, 1, 2, 3)))
    return slice(None)


def matmul(b: GraphBuilder) -> Made:
    x, y = b.float_node(1), b.float_node(1)
    if b.pick.random() < 0.3 and x.ndim >= 2:
        x = layout.swap_last_axes(x)
    inner = x.shape[-1]
    if y.ndim == 1 or b.pick.random() < 0.2:
        return gx.matmul(x, b.shaped(y, (inner,))), False
    if y.shape[-2] != inner:
        y = b.shaped(y, (*y.shape[:-2], inner, y.shape[-1]))
    if b.pick.random() < 0.3:
        y = layout.swap_last_axes(b.shaped(y, (*y.shape[:-2], y.shape[-2], y.shape[-1])))
        y = layout.swap_last_axes(y)
    return gx.matmul(x, y), False


def chain(b: GraphBuilder) -> list[Made]:
    """A product scaled, shifted and activated: what contraction and fusion look for."""
    x = b.float_node(2)
    w = b.add_param((x.shape[-1] if isinstance(x.shape[-1], int) else 1, 3))
    if not isinstance(x.shape[-1], int):
        w = gx.broadcast_to(w, (x.shape[-1], 3))
    a = x @ w * b.pick.choice((1.0, 0.5, -2.0)) + b.add_param((3,))
    h = gx.tanh(a)
    return [(a, False), (h, False), (gx.softmax(h, axis=-1), False)]


def indexing(b: GraphBuilder) -> Made:
    x = b.float_node(1)
    kind = b.pick.choice(("pick", "take", "take", "scatter", "one_hot", "entropy", "argmax_pick"))
    exact = x in b.exact
    if kind == "pick":
        return gx.pick(x, b.add_labels(x.shape[:-1], x.shape[-1])), exact
    if kind == "take":
        return gx.take(x, b.add_labels(b.shape(2), x.shape[0])), exact
    if kind == "scatter":
        labels = b.add_labels(x.shape[:1], 4)
        return gx.scatter_add(x, labels, b.pick.choice((4, 5))), False
    if kind == "entropy":
        return gx.softmax_cross_entropy(x, b.add_labels(x.shape[:-1], x.shape[-1])), False
    if kind == "argmax_pick":
        if not b.never_empty(x, x.ndim - 1):
            raise Rejected
        _clear_extreme(b, x, (x.ndim - 1,))
        if x in b.exact:
            raise Rejected
        return gx.pick(x, gx.argmax(x, axis=-1)), exact
    labels = b.integer()
    return gx.one_hot(labels, b.pick.choice((3, 4)), b.dtype), True


def algebra(b: GraphBuilder) -> Made:
    """Sums, products and quotients of a few terms that occur again and again."""
    x, y = b.float_node(), b.float_node()
    b.require(x, lambda v: abs(v - 2) > 0.2)
    terms = [x - 2, 2 - x, y, -y, x, gx.const(b.pick.choice((2.0, -0.5, 3.0)), x.dtype)]
    for _ in range(b.pick.randrange(3, 8)):
        first, second = b.pick.choice(terms), b.pick.choice(terms)
        kind = b.pick.choice(("add", "subtract", "multiply", "multiply", "divide", "divide"))
        if kind == "divide":
            second = b.pick.choice(terms[:2])
        terms.append(getattr(gx, kind)(first, second))
    return terms[-1], False


def softmaxes(b: GraphBuilder) -> Made:
    x = b.float_node(1)
    axis = b.pick.randrange(-x.ndim, x.ndim)
    if not b.never_empty(x, axis):
        raise Rejected
    if b.pick.random() < 0.2:
        return gx.sigmoid_cross_entropy(x, b.shaped(b.float_node(), x.shape)), False
    return b.pick.choice((gx.softmax, gx.log_softmax))(x, axis=axis), False


def routine(b: GraphBuilder) -> list[Made]:
    x = b.shaped(b.float_node(), (3, 3))
    a = gx.tanh(x) + 4 * gx.eye(3, b.dtype)
    if b.pick.random() < 0.5:
        sign, logarithm = gx.slogdet(a)
        return [(sign, False), (logarithm, False)]
    return [(gx.solve(a, b.shaped(b.float_node(), (3, b.pick.choice((1, 2))))), False)]


def draw(b: GraphBuilder) -> Made:
    shape = b.shape(2)
    if b.pick.random() < 0.5:
        return b.stream.uniform(shape, dtype=b.dtype), False
    return b.stream.bernoulli(0.5, shape), True


def dropout(b: GraphBuilder) -> Made:
    x = b.float_node()
    return gx.where(b.stream.bernoulli(0.6, x.shape), x / 0.6, 0.0), False


def normalize(b: GraphBuilder) -> Made:
    """Means and variances of rows: several reductions in one row, used again beside the elements."""
    x = b.float_node(1)
    axis = b.pick.randrange(x.ndim)
    if not b.never_empty(x, axis):
        raise Rejected
    centred = x - gx.mean(x, axis=axis, keepdims=True)
    variance = gx.mean(gx.square(centred), axis=axis, keepdims=True)
    return centred / gx.sqrt(variance + 0.1), False


def leaf(b: GraphBuilder) -> list[Made]:
    if b.pick.random() < 0.5:
        b.add_input()
    else:
        b.add_param()
    return []


def constant(b: GraphBuilder) -> Made:
    shape = b.pick.choice(((), (3,), (2, 3), (1,), (4,)))
    return gx.const(b.array(shape, True), b.dtype), True


def index_ramp(b: GraphBuilder) -> Made:
    shape = b.shape(2)
    if not shape:
        raise Rejected
    return gx.ramp(shape, b.pick.randrange(len(shape))), True


ACTIONS: tuple[tuple[Callable[[GraphBuilder], Any], float], ...] = (
    (unary, 5), (binary, 6), (with_number, 3), (compare, 1), (logic, 0.5), (choose, 1.5), (convert, 1.5),
    (reduce, 5), (layout_step, 5), (matmul, 2), (chain, 0.7), (indexing, 2), (softmaxes, 1.5), (routine, 0.5),
    (algebra, 1.5), (draw, 0.4), (dropout, 0.4), (normalize, 1), (leaf, 1.5), (constant, 0.5), (index_ramp, 0.3),
)  # fmt: skip


@dataclass
class Case:
    """What to compile, and the worlds to try it in."""

    inputs: list[Node]
    outputs: list[Node]
    updates: dict[Node, Node]
    worlds: list[World]

    def arrays(self, world: World) -> list[np.ndarray]:
        return [world.values[node] for node in self.inputs]


def random_case(
    pick: random.Random, steps: int = 12, dtype: str = "float64", gradients: bool = True, states: bool = True
) -> Case:
    """A random graph with outputs, gradients of a random scalar among them, and updates."""
    worlds = [{"n": pick.randrange(1, 6), "m": pick.randrange(1, 5)}]
    worlds.append({"n": pick.choice((0, 1, 2, 7)), "m": pick.choice((0, 1, 3))})
    b = GraphBuilder(pick, worlds, dtype)
    b.add_input(exact=False)
    b.add_input()
    if states:
        b.add_param()
    b.grow(steps)
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
    b.grow(steps)
    made = random_gradients(b)
    outputs = [_fixed_shape(b, node) for node in (made[0], *pick.sample(b.nodes, 2), *b.params[:1])]
    return Case(b.inputs, outputs, random_updates(b, made), b.worlds)


def _fixed_shape(b: GraphBuilder, node: Node) -> Node:
    axes = tuple(axis for axis, dim in enumerate(node.shape) if isinstance(dim, Size))
    return gx.sum(node, axis=axes) if axes else node


def _declare_sizes(b: GraphBuilder, roots: list[Node]) -> None:
    """Give every named size an input that has it."""
    declared = {name for node in b.inputs for dim in node.shape for name in size_names(dim)}
    for node in topological(roots):
        types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
        dims = [dim for t in types for dim in t.shape]
        dims += [node.attrs["dim"]] if "dim" in node.attrs else []
        for name in (name for dim in dims for name in size_names(dim)):
            if name not in declared:
                declared.add(name)
                b.add_input((name,))


def random_scalar(b: GraphBuilder) -> Node:
    """A float scalar that a few late nodes go into, each weighted so that cotangents are not uniform."""
    total: Node | None = None
    floats = b.floats()
    for node in b.pick.sample(floats[-6:], min(len(floats), b.pick.randrange(1, 3))):
        averaged = b.pick.random() < 0.4 and all(b.never_empty(node, axis) for axis in range(node.ndim))
        term = gx.mean(gx.square(node)) if averaged else gx.sum(node * b.pick.choice((1.0, 0.5, -1.5)))
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
