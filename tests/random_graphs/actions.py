"""The operations that random graphs are made of.

Each picks its operands, and says whether its result is exact: small multiples of a power of two,
made without rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.dim import Size
from graphc.ir.node import Node
from graphc.ops import layout
from tests.random_graphs.builder import MARGIN, Action, GraphBuilder, Rejected
from tests.random_graphs.joining import join, stack, surround

Made = tuple[Node, bool]


# ---- actions


def unary(b: GraphBuilder) -> Made:
    x = b.float_node()
    name = b.pick.choice(
        ("exp", "tanh", "sigmoid", "sin", "cos", "square", "negative", "softplus", "erf", "expm1",
         "log1p", "log", "sqrt", "relu", "abs", "sign", "floor", "stop_gradient", "reciprocal",
         "swish")
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
    name = b.pick.choice(
        ("add", "subtract", "multiply", "multiply", "add", "divide", "maximum", "minimum", "power")
    )
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
    name = b.pick.choice(
        ("add", "radd", "sub", "rsub", "mul", "rmul", "div", "power", "maximum", "clip")
    )
    exact = (
        x in b.exact and number in (0, 1, -1, True, 0.5) and name in ("add", "radd", "sub", "rsub")
    )
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
    name = b.pick.choice(
        ("sum", "sum", "mean", "mean", "prod", "max", "min", "logsumexp", "argmax", "argmin")
    )
    if name in ("argmax", "argmin"):
        axes = b.pick.choice((None, b.pick.randrange(x.ndim)))
    if name not in ("sum", "prod"):
        for axis in range(x.ndim) if axes is None else axes if isinstance(axes, tuple) else (axes,):
            if not b.never_empty(x, axis):
                raise Rejected
    if name in ("max", "min", "argmax", "argmin"):
        _clear_extreme(b, x, axes)
    return getattr(gx, name)(x, axis=axes, keepdims=keep), (
        (name in ("max", "min") and x in b.exact) or name in ("argmax", "argmin")
    )


def _clear_extreme(b: GraphBuilder, x: Node, axes: Any) -> None:
    """Reject near ties: exact ties of exact values are fine."""
    if x in b.exact:
        return
    for value in b.values(x):
        chosen = (
            tuple(range(value.ndim))
            if axes is None
            else axes
            if isinstance(axes, tuple)
            else (axes,)
        )
        rest = [axis for axis in range(value.ndim) if axis not in chosen]
        rows = (
            value.transpose(*rest, *chosen).reshape(
                int(np.prod([value.shape[a] for a in rest], dtype=int)), -1
            )
            if value.size
            else np.zeros((0, 1))
        )
        ordered = np.sort(rows, axis=1)
        if rows.shape[1] > 1 and np.any(np.diff(ordered, axis=1) < MARGIN):
            raise Rejected


def layout_step(b: GraphBuilder) -> Made:
    x = b.of_kind(lambda node: node.ndim > 0)
    kind = b.pick.choice(
        ("transpose", "reshape", "reshape", "flatten", "expand", "squeeze", "broadcast", "slice",
         "slice", "slice", "flip", "pad", "pad")
    )  # fmt: skip
    exact = x in b.exact
    if kind == "transpose":
        return gx.transpose(x, b.pick.sample(range(x.ndim), x.ndim)), exact
    if kind == "reshape":
        at = b.pick.randrange(x.ndim)
        if x.ndim > 1 and b.pick.random() < 0.6:
            at = min(at, x.ndim - 2)
            return gx.reshape(
                x, (*x.shape[:at], x.shape[at] * x.shape[at + 1], *x.shape[at + 2 :])
            ), exact
        if x.shape[at] == 4:
            return gx.reshape(x, (*x.shape[:at], 2, 2, *x.shape[at + 1 :])), exact
        return gx.reshape(x, (*x.shape[:at], 1, *x.shape[at:])), exact
    if kind == "flatten":
        return gx.reshape(x, (-1,)), exact
    if kind == "expand":
        return gx.expand_dims(x, b.pick.randrange(x.ndim + 1)), exact
    if kind == "squeeze":
        single = [axis for axis in range(x.ndim) if x.shape[axis] == 1]
        if not single:
            raise Rejected
        return gx.squeeze(x, b.pick.choice(single)), exact
    if kind == "broadcast":
        return gx.broadcast_to(x, (b.dim(), *(b.dim() if d == 1 else d for d in x.shape))), exact
    if kind == "flip":
        return layout.flip(x, [b.pick.random() < 0.5 for _ in x.shape]), exact
    if kind == "pad":
        edges = tuple(
            (b.pick.randrange(3), b.pick.randrange(3), b.pick.choice((0, 0, 1, 2))) for _ in x.shape
        )
        if any(
            between and not b.never_empty(x, axis) for axis, (_, _, between) in enumerate(edges)
        ):
            raise Rejected
        return layout.pad(x, edges), exact
    return x[
        tuple(_random_key(b, x, axis) for axis in range(b.pick.randrange(1, x.ndim + 1)))
    ], exact


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


def keyed(b: GraphBuilder, x: Node, change: bool) -> Node:
    """A key of arrays and slices, read or changed."""
    chosen = b.pick.sample(range(x.ndim), b.pick.randrange(1, x.ndim + 1))
    shape = b.shape(1)
    key = tuple(
        b.add_labels(shape, dim) if axis in chosen else slice(None)
        for axis, dim in enumerate(x.shape)
    )
    if not change:
        return x[key]
    places = x.at[key]
    values = places.get() * 0.5 + b.pick.choice((0.0, 1.0))
    return b.pick.choice((places.set, places.add))(values)  # type: ignore[no-any-return]


def indexing(b: GraphBuilder) -> Made:
    x = b.float_node(1)
    kind = b.pick.choice(
        ("pick", "take", "take", "scatter", "one_hot", "entropy", "argmax_pick", "key", "change")
    )
    exact = x in b.exact
    if kind == "pick":
        return gx.pick(x, b.add_labels(x.shape[:-1], x.shape[-1])), exact
    if kind == "take":
        return gx.take(x, b.add_labels(b.shape(2), x.shape[0])), exact
    if kind == "scatter":
        labels = b.add_labels(x.shape[:1], 4)
        return gx.scatter_add(x, labels, b.pick.choice((4, 5))), False
    if kind in ("key", "change"):
        return keyed(b, x, kind == "change"), exact and kind == "key"
    if kind == "entropy":
        return gx.softmax_cross_entropy(x, b.add_labels(x.shape[:-1], x.shape[-1])), False
    if kind == "argmax_pick":
        if not b.never_empty(x, x.ndim - 1):
            raise Rejected
        _clear_extreme(b, x, (x.ndim - 1,))
        if x in b.exact:
            raise Rejected
        return gx.pick(x, gx.argmax(x, axis=-1)), exact
    labels, classes = b.integer(), b.pick.choice((3, 4))
    b.require(labels, lambda v: (v >= 0) & (v < classes))
    return gx.one_hot(labels, classes, b.dtype), True


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
    a = gx.tanh(x) + 4 * gx.eye(3, dtype=b.dtype)
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
    """Means and variances of rows: reductions of a row, used again beside its elements."""
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


ACTIONS: tuple[tuple[Action, float], ...] = (
    (unary, 5), (binary, 6), (with_number, 3), (compare, 1), (logic, 0.5), (choose, 1.5),
    (convert, 1.5), (reduce, 5), (layout_step, 5), (matmul, 2), (chain, 0.7), (indexing, 2),
    (softmaxes, 1.5), (routine, 0.5), (algebra, 1.5), (draw, 0.4), (dropout, 0.4), (normalize, 1),
    (leaf, 1.5), (constant, 0.5), (index_ramp, 0.3), (join, 2), (stack, 0.7), (surround, 0.7),
)  # fmt: skip
