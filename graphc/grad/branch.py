"""Derivatives of branches are branches; of bounded while loops, scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import graphc.ops.scalar as scalar
from graphc.errors import GradientError
from graphc.grad.loop import gradients_of
from graphc.ir.body import Body
from graphc.ir.node import OPERATORS, Node
from graphc.ir.site import raise_located
from graphc.ops import zeros_like
from graphc.ops.branch import make_cond
from graphc.ops.loop import make_scan
from graphc.ops.routine import item, pack
from graphc.ops.source import const, input
from graphc.ops.while_loop import make_while, while_op

TableOf = Callable[[Sequence[Node], dict[Node, Node]], dict[Node, Node]]


def cond_vjp(node: Node, g: Node) -> list[Node | None]:
    """The derivative of the branch that ran; what it needs of its values it computes again."""
    pred, *inputs = node.inputs
    bodies: tuple[Body, Body] = (node.attrs["then_body"], node.attrs["else_body"])
    count = len(bodies[0].outputs)
    moving = [i for i, value in enumerate(inputs) if value.dtype.is_float]
    floats = [i for i in range(count) if bodies[0].outputs[i].dtype.is_float]
    cotangents = [input("cotangent", o.shape, o.dtype) for o in bodies[0].outputs]
    places = bodies[0].placeholders
    branches: list[list[Node]] = []
    for body in bodies:
        seeds = [
            cotangents[i] if i in floats else zeros_like(o) for i, o in enumerate(body.outputs)
        ]
        targets = [body.placeholders[i] for i in moving]
        table = gradients_of(body.outputs, seeds, targets)
        branches.append([table[t] if t in table else zeros_like(t) for t in targets])
    values = [*inputs, *(item(g, i) for i in range(count))]
    made = make_cond(pred, (branches[0], branches[1]), [*places, *cotangents], values)
    shares: list[Node | None] = [None] * len(inputs)
    for at, i in enumerate(moving):
        shares[i] = item(made, at)
    return [None, *shares]


def cond_jvp(node: Node, tangents: Sequence[Node | None], table_of: TableOf) -> Node:
    """The tangents of the branch that ran."""
    pred, *inputs = node.inputs
    bodies: tuple[Body, Body] = (node.attrs["then_body"], node.attrs["else_body"])
    places = bodies[0].placeholders
    seeds = {
        place: (input("tangent", place.shape, place.dtype), tangent)
        for place, tangent in zip(places, tangents[1:], strict=True)
        if tangent is not None and place.dtype.is_float
    }
    branches: list[list[Node]] = []
    for body in bodies:
        table = table_of(body.outputs, {place: seed for place, (seed, _) in seeds.items()})
        branches.append([table[o] if o in table else zeros_like(o) for o in body.outputs])
    extra = [seed for seed, _ in seeds.values()]
    values = [*inputs, *(tangent for _, tangent in seeds.values())]
    made = make_cond(pred, (branches[0], branches[1]), [*places, *extra], values)
    return pack(tuple(item(made, i) for i in range(len(bodies[0].outputs))))


def while_jvp(node: Node, tangents: Sequence[Node | None], table_of: TableOf) -> Node:
    """A while loop that carries the tangents beside the values."""
    body: Body = node.attrs["body"]
    pred, *new = body.outputs
    carried, outside = body.placeholders[: len(new)], body.placeholders[len(new) :]
    known = dict(zip(body.placeholders, tangents, strict=True))
    moving = [place for place in carried if place.dtype.is_float]
    active = {place: input("tangent", place.shape, place.dtype) for place in moving}
    fixed = {place: known[place] for place in outside if known[place] is not None}
    stand_ins = {place: input("tangent", place.shape, place.dtype) for place in fixed}
    table = table_of(new, {**active, **stand_ins})
    after = [
        table[o] if o in table else zeros_like(o)
        for o, place in zip(new, carried, strict=True)
        if place in active
    ]
    values = dict(zip(body.placeholders, node.inputs, strict=True))
    starts = [
        zeros_like(values[place]) if (given := known[place]) is None else given for place in moving
    ]
    outer = {place: values[place] for place in outside}
    outer |= {stand_ins[place]: tangent for place, tangent in fixed.items() if tangent is not None}
    outputs = Body(tuple(outer), (pred, *new, *after)).apply(tuple(outer.values()))
    made = make_while(
        outputs, [*carried, *active.values()], [*(values[p] for p in carried), *starts],
        node.attrs["max_steps"],
    )  # fmt: skip
    places = {place: len(new) + at for at, place in enumerate(moving)}
    return pack(tuple(
        item(made, places[place]) if place in places else zeros_like(values[place])
        for place in carried
    ))  # fmt: skip


def while_vjp(node: Node, g: Node) -> list[Node | None]:
    """The cotangents through the scan of `max_steps` steps that a bounded loop is."""
    if node.attrs["max_steps"] is None:
        reason = (
            "while_loop: reverse mode needs to know how many steps there may be; give max_steps=, "
            "use gx.scan, or forward mode (gx.jvp)"
        )
        raise_located(GradientError(reason), node.sites)
    # One input may depend on another, or be the same: each has a place of its own.
    places = [input("operand", n.shape, n.dtype) for n in node.inputs]
    results = as_scan(node, places)
    cotangents = [item(g, place) for place in range(len(results))]
    table = gradients_of(results, cotangents, [p for p in places if p.dtype.is_float])
    reached = [place for place in places if place in table]
    found = Body(tuple(places), tuple(table[p] for p in reached)).apply(node.inputs)
    shares = dict(zip(reached, found, strict=True))
    return [shares.get(place) for place in places]


def as_scan(node: Node, inputs: Sequence[Node]) -> list[Node]:
    """A bounded while loop of these inputs as a scan, in which a step after the end does
    nothing."""
    assert node.op is while_op
    body: Body = node.attrs["body"]
    count = len(body.outputs) - 1
    carried = list(body.placeholders[:count])
    outer = dict(zip(body.placeholders[count:], inputs[count:], strict=True))
    pred, *new = Body(tuple(outer), body.outputs).apply(tuple(outer.values()))
    alive = input("alive", (), "bool")
    going = scalar.logical_and(alive, pred)
    step = make_cond(going, (new, carried), carried, carried)
    outputs = [going, *(item(step, i) for i in range(count))]
    starts = [const(True), *inputs[:count]]
    made = make_scan(outputs, ([alive, *carried], starts), ([], []), node.attrs["max_steps"], False)
    return [item(made, 1 + i) for i in range(count)]


OPERATORS["cond_vjp"] = cond_vjp
OPERATORS["while_vjp"] = while_vjp
