"""Batching: a graph for one example becomes a graph for many, by a rule for each kind.

What depends on an example gets a leading axis of examples; what does not is computed once. There is
no loop: an elementwise operation of a batch is an elementwise operation, a product of a batch with
one matrix is one larger product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import ArgumentError, CompileError, ShapeError
from graphc.grad.vectorize_indexing import batched_scatter, batched_take
from graphc.grad.vectorize_loop import batched_loop
from graphc.ir.body import Body
from graphc.ir.dim import Dim
from graphc.ir.node import Node, make
from graphc.ir.shape import Shape, TupleType, normalize_axis, shape_text
from graphc.ir.site import at_user_line, inherit_sites, raise_located
from graphc.ir.traverse import depends_on, topological
from graphc.ops import layout
from graphc.ops.contraction import matmul, matmul_op
from graphc.ops.custom import clip_gradient_op, custom_gradient_op
from graphc.ops.effect import effects_of
from graphc.ops.indexing import checked_op, pick_op, take_op
from graphc.ops.layout import broadcast_to, pad, reshape, slice_axes, transpose
from graphc.ops.loop import make_scan
from graphc.ops.routine import RoutineOp, item, item_op, pack, tuple_op
from graphc.ops.source import as_node, input
from graphc.ops.statement import state_of
from graphc.ops.windows import window_op

# An input of a node: its value, with a leading axis of examples if the flag is set.
Operand = tuple[Node, bool]
BatchingRule = Callable[[Node, Sequence[Operand], Dim], Node]


def spread(operand: Operand, size: Dim) -> Node:
    """The operand with a leading axis of examples, whether or not it depends on one."""
    value, batched = operand
    return value if batched else broadcast_to(value, (size, *value.shape))


def _elementwise(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """Shorter operands get axes of length 1 after that of the examples, so that all line up."""
    aligned = []
    for value, batched in operands:
        missing = node.ndim - (value.ndim - batched)
        filled = (value.shape[0], *[1] * missing, *value.shape[1:]) if batched else value.shape
        aligned.append(reshape(value, filled))
    return make(node.op, tuple(aligned), **node.attrs)


def _layout(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    (x, _), attrs = operands[0], node.attrs
    if node.op is layout.transpose_op:
        return transpose(x, (0, *(axis + 1 for axis in attrs["axes"])))
    if node.op is layout.reshape_op:
        return reshape(x, (size, *node.shape))
    if node.op is layout.broadcast_op:
        ones = [1] * (node.ndim - node.inputs[0].ndim)
        return broadcast_to(reshape(x, (size, *ones, *x.shape[1:])), (size, *node.shape))
    if node.op is layout.slice_op:
        return slice_axes(x, ((0, size, 1), *attrs["bounds"]))
    if node.op is layout.pad_op:
        return pad(x, ((0, 0, 0), *attrs["edges"]))
    if node.op is window_op:
        return _along_axes(node, operands, size)
    return _no_rule(node)


def _along_axes(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """An operation along given axes: they are one further on."""
    attrs = dict(node.attrs)
    if "axes" in attrs:
        attrs["axes"] = tuple(axis + 1 for axis in attrs["axes"])
    if "axis" in attrs:
        attrs["axis"] = attrs["axis"] + 1
    return make(node.op, tuple(spread(operand, size) for operand in operands), **attrs)


def _contraction(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    if node.op is not matmul_op:
        return _no_rule(node)
    (a, a_batched), (b, b_batched) = operands
    if a_batched and not b_batched and b.ndim == 2:
        # One product with all rows of all examples.
        rows = reshape(a, (a.shape[0] * a.shape[1], a.shape[2]))
        return reshape(matmul(rows, b), (size, *node.shape))
    return matmul(a, b)


def _indexing(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    if node.op is checked_op:
        return make(checked_op, (operands[0][0],), **node.attrs)
    if node.op is pick_op:
        return make(pick_op, tuple(spread(operand, size) for operand in operands))
    return batched_take(node, operands, size) if node.op is take_op else _no_rule(node)


def _move(x: Node, source: int, target: int) -> Node:
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(target, source)
    return transpose(x, tuple(order))


def _routine(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    assert isinstance(node.op, RoutineOp)
    if node.op.stacked is not None:
        return node.op.stacked(node, tuple(value for value, _ in operands))
    return _one_by_one(node, operands, size)


def _one_by_one(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """A native loop over the examples, for what a library or a kernel does one at a time."""
    given = [
        input("example", value.shape[1:], value.dtype) if batched else value
        for value, batched in operands
    ]
    places = [place for place, (_, batched) in zip(given, operands, strict=True) if batched]
    values = [value for value, batched in operands if batched]
    one = make(node.op, tuple(given), **node.attrs)
    if not isinstance(one.type, TupleType):
        return item(make_scan([one], ([], []), (places, values), size, False), 0)
    outputs = [item(one, i) for i in range(len(one.type.items))]
    made = make_scan(outputs, ([], []), (places, values), size, False)
    return pack(tuple(item(made, i) for i in range(len(outputs))))


def _everything(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """A check or a print of all examples."""
    return make(node.op, tuple(spread(operand, size) for operand in operands), **node.attrs)


def _several(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    if node.op is tuple_op:
        return pack(tuple(spread(operand, size) for operand in operands))
    if node.op is item_op:
        return item(operands[0][0], node.attrs["index"])
    return _no_rule(node)


def _custom(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """The author's derivative goes with the value, for every example."""
    inputs = [spread(operand, size) for operand in operands]
    if node.op is clip_gradient_op:
        return make(node.op, tuple(inputs), **node.attrs)
    body: Body = node.attrs["rule"]
    every = [input(p.name, (size, *p.shape), p.dtype) for p in body.placeholders]
    examples = dict(zip(body.placeholders, every, strict=True))
    rule = Body(tuple(every), tuple(vectorize(body.outputs, examples, size)))
    return make(node.op, tuple(inputs), rule=rule)


def _no_rule(node: Node) -> Node:
    raise_located(
        CompileError(f"vmap: {node.op.name} has no batching rule; it takes one example at a time"),
        node.sites,
    )


RULES: dict[str, BatchingRule] = {
    "elementwise": _elementwise,
    "layout": _layout,
    "reduction": _along_axes,
    "concat": _along_axes,
    "contraction": _contraction,
    "indexing": _indexing,
    "scatter": batched_scatter,
    "cumulative": _along_axes,
    "fold": _along_axes,
    "routine": _routine,
    "numpy": _one_by_one,
    "random": _everything,
    "check": _everything,
    "print": _everything,
    "op": _several,
}


def vectorize(outputs: Sequence[Node], examples: dict[Node, Node], size: Dim) -> list[Node]:
    """The outputs for every example at once, with a leading axis of `size`.

    `examples` maps what stands for one example to all of them, along a leading axis.
    """
    values: dict[Node, Operand] = {node: (batch, True) for node, batch in examples.items()}
    dependent = depends_on(outputs, examples)
    for node in topological(outputs):
        if node in values:
            continue
        if node not in dependent:
            values[node] = (node, False)
            continue
        with inherit_sites(node.sites):
            values[node] = (_batched(node, values, size), True)
    return [spread(values[output], size) for output in outputs]


def _batched(node: Node, values: dict[Node, Operand], size: Dim) -> Node:
    operands = [values[source] for source in node.inputs]
    if node.op.kind == "loop":
        return batched_loop(node, operands, size, vectorize)
    if node.op in (custom_gradient_op, clip_gradient_op):
        return _custom(node, operands, size)
    if node.op.expand is not None and node.op.kind != "elementwise":
        inside = dict(zip(node.inputs, operands, strict=True))
        return _expanded(node, inside, size)
    rule = RULES.get(node.op.kind)
    return rule(node, operands, size) if rule is not None else _no_rule(node)


def _expanded(node: Node, inside: dict[Node, Operand], size: Dim) -> Node:
    """A composite, by what it is made of."""
    assert node.op.expand is not None
    examples = {source: value for source, (value, batched) in inside.items() if batched}
    return vectorize([node.op.expand(node)], examples, size)[0]


@at_user_line
def vmap(
    fn: Callable[..., Any],
    in_axes: int | Sequence[int | None] | None = 0,
    out_axes: int | Sequence[int] = 0,
) -> Callable[..., Any]:
    """A function of batches from a function of one example.

    Args: `fn` takes nodes, each one example, and returns a node or a tuple of them; `in_axes` says
    which axis of each argument counts the examples (None: the argument is the same for all);
    `out_axes`, where that axis goes in each result. Parameters and anything else that `fn` uses
    from outside is shared. So are random draws: an example's own noise is an argument. It nests,
    and gradients may be taken inside and outside of it.

    Raises ShapeError for arguments that disagree about the number of examples, CompileError naming
    an operation that has no batching rule.

    >>> from graphc.grad.reverse import grad
    >>> from graphc.ops import sum
    >>> x, w = input("x", ("n", 3)), input("w", (3,))
    >>> vmap(lambda row: grad(sum(row * w) ** 2, w))(x)
    <multiply: float32 (n, 3)>
    """
    if not callable(fn):
        raise ArgumentError(f"vmap: expected a function of nodes, got {type(fn).__name__}")

    @at_user_line
    def batched(*arguments: object) -> Any:
        nodes = [as_node(argument) for argument in arguments]
        axes = _axes("in_axes", in_axes, len(nodes))
        size, inner, examples = _examples(nodes, axes)
        result = fn(*inner)
        several = isinstance(result, tuple | list)
        outputs = [as_node(value) for value in (result if several else (result,))]
        effects = [e for e in effects_of((*inner, *outputs)) if e in depends_on([e], examples)]
        stated = (effect.inputs[0] for effect in effects)
        # Together, so that what they share, such as a loop, is one node.
        every = vectorize([*outputs, *stated], examples, size)
        made = every[: len(outputs)]
        for effect, node in zip(effects, every[len(outputs) :], strict=True):
            state_of(effect, node)
        places = _axes("out_axes", out_axes, len(made))
        moved = [_placed(node, place) for node, place in zip(made, places, strict=True)]
        return tuple(moved) if several else moved[0]

    return batched


def _axes(name: str, given: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    axes = [given] * count if given is None or isinstance(given, int) else list(given)
    if len(axes) != count:
        raise ArgumentError(f"vmap: {name} has {len(axes)} entries, expected {count}")
    return axes


def _examples(
    nodes: Sequence[Node], axes: Sequence[int | None]
) -> tuple[Dim, list[Node], dict[Node, Node]]:
    """The number of examples, what stands for one of each argument, and the arguments by it."""
    size: Dim | None = None
    inner: list[Node] = []
    examples: dict[Node, Node] = {}
    for position, (node, axis) in enumerate(zip(nodes, axes, strict=True)):
        if axis is None:
            inner.append(node)
            continue
        at = normalize_axis(axis, node.ndim, f"vmap: argument {position}")
        if size is not None and node.shape[at] != size:
            raise ShapeError(
                f"vmap: argument {position} has {node.shape[at]} examples along axis {axis} of "
                f"{shape_text(node.shape)}, expected {size} as in those before it"
            )
        size = node.shape[at]
        one: Shape = (*node.shape[:at], *node.shape[at + 1 :])
        inner.append(input(node.name or "example", one, node.dtype))
        examples[inner[-1]] = _move(node, at, 0) if at else node
    if size is None:
        raise ArgumentError("vmap: at least one argument must have an axis of examples")
    return size, inner, examples


def _placed(node: Node, place: int | None) -> Node:
    if place is None:
        raise ArgumentError("vmap: out_axes must be integers: every result has an example axis")
    if isinstance(node.type, TupleType):
        raise ArgumentError("vmap: fn must return arrays; take the results of a tuple first")
    at = normalize_axis(place, node.ndim, "vmap: out_axes")
    return _move(node, 0, at) if at else node
