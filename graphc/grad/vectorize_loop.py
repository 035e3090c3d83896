"""Loops and branches of many examples at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.ir.body import Body
from graphc.ir.dim import Dim
from graphc.ir.node import Node, make
from graphc.ops.branch import cond_op
from graphc.ops.layout import broadcast_to, reshape, transpose
from graphc.ops.loop import Scan, scan_op
from graphc.ops.routine import item, pack
from graphc.ops.source import input
from graphc.ops.while_loop import while_op

Operand = tuple[Node, bool]
# `vectorize`, which calls this: outputs, what stands for one example by all of them, how many.
Vectorize = Callable[[Sequence[Node], dict[Node, Node], Dim], list[Node]]


def batched_loop(node: Node, operands: Sequence[Operand], size: Dim, vectorize: Vectorize) -> Node:
    """A loop or branch with a leading axis of examples, as a tuple of its results."""
    rules = {"scan": _scan, "cond": _cond, "while_loop": _while}
    return rules[node.op.name](node, operands, size, vectorize)


def _whole(operand: Operand, size: Dim) -> Node:
    value, batched = operand
    return value if batched else broadcast_to(value, (size, *value.shape))


def _swapped(x: Node) -> Node:
    """The first two axes exchanged: steps before examples, or the other way round."""
    return transpose(x, (1, 0, *range(2, x.ndim)))


def _places(
    places: Sequence[Node], batched: Sequence[bool], size: Dim
) -> tuple[list[Node], dict[Node, Node]]:
    """Placeholders of a batched body, and what each of the old ones becomes."""
    new: list[Node] = []
    examples: dict[Node, Node] = {}
    for place, many in zip(places, batched, strict=True):
        if many:
            examples[place] = input(place.name, (size, *place.shape), place.dtype)
        new.append(examples.get(place, place))
    return new, examples


def _scan(node: Node, operands: Sequence[Operand], size: Dim, vectorize: Vectorize) -> Node:
    scan = Scan(node)
    carries, sequences, outside = scan.split(operands)
    inputs = [_whole(operand, size) for operand in carries]
    inputs += [_swapped(value) if batched else value for value, batched in sequences]
    inputs += [value for value, _ in outside]
    flags = [True] * scan.carries + [batched for _, batched in (*sequences, *outside)]
    places, examples = _places(scan.body.placeholders, flags, size)
    body = Body(tuple(places), tuple(vectorize(scan.body.outputs, examples, size)))
    made = make(scan_op, tuple(inputs), **{**node.attrs, "body": body})
    results = [item(made, i) for i in range(len(body.outputs))]
    moved = [_swapped(result) for result in results[scan.carries :]]
    return pack((*results[: scan.carries], *moved))


def _cond(node: Node, operands: Sequence[Operand], size: Dim, vectorize: Vectorize) -> Node:
    (pred, many), *given = operands
    flags = [batched for _, batched in given]
    bodies = (node.attrs["then_body"], node.attrs["else_body"])
    if many:
        return _select(pred, bodies, given, size, vectorize)
    places, examples = _places(bodies[0].placeholders, flags, size)
    first, second = (
        Body(tuple(places), tuple(vectorize(body.outputs, examples, size)))
        for body in _same_places(bodies)
    )
    values = (value for value, _ in given)
    return make(cond_op, (pred, *values), then_body=first, else_body=second)


def _same_places(bodies: tuple[Body, Body]) -> tuple[Body, Body]:
    first, second = bodies
    return first, Body(first.placeholders, tuple(second.apply(first.placeholders)))


def _select(
    pred: Node,
    bodies: tuple[Body, Body],
    given: Sequence[Operand],
    size: Dim,
    vectorize: Vectorize,
) -> Node:
    """Both branches for every example, and of each result the one that its example chose."""
    results: list[list[Node]] = []
    for body in bodies:
        places = dict(zip(body.placeholders, given, strict=True))
        shared = {place: value for place, (value, many) in places.items() if not many}
        examples = {place: value for place, (value, many) in places.items() if many}
        outputs = Body(tuple(shared), body.outputs).apply(tuple(shared.values()))
        results.append(vectorize(outputs, examples, size))
    return pack(tuple(_chosen(pred, a, b) for a, b in zip(*results, strict=True)))


def _chosen(pred: Node, first: Node, second: Node) -> Node:
    shaped = reshape(pred, (pred.shape[0], *[1] * (first.ndim - 1)))
    return scalar.where(shaped, first, second)


def _while(node: Node, operands: Sequence[Operand], size: Dim, vectorize: Vectorize) -> Node:
    """Until every example is done; one that is done keeps its carry."""
    body: Body = node.attrs["body"]
    count = len(body.outputs) - 1
    inputs = [_whole(operand, size) for operand in operands[:count]]
    inputs += [value for value, _ in operands[count:]]
    flags = [True] * count + [batched for _, batched in operands[count:]]
    places, examples = _places(body.placeholders, flags, size)
    pred, *new = vectorize(body.outputs, examples, size)
    kept = [_chosen(pred, after, place) for after, place in zip(new, places, strict=False)]
    some = reduction.any(pred)
    batched = Body(tuple(places), (some, *kept))
    return make(while_op, tuple(inputs), body=batched, max_steps=node.attrs["max_steps"])
