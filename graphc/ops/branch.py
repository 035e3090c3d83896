"""Branches: one of two bodies runs, chosen by a truth value when the program runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.body import Body, captured
from graphc.ir.declaration import numbers
from graphc.ir.dtype import bool_
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.traverse import substitute
from graphc.ops.evaluate import evaluate_all
from graphc.ops.loop import LoopOp
from graphc.ops.routine import item
from graphc.ops.source import as_node, input
from graphc.ops.structure import flatten, leaves_of, outline
from graphc.ops.tracing import meeting


def _infer_cond(inputs: tuple[Node, ...], attrs: Attributes) -> TupleType:
    first: Body = attrs["then_body"]
    second: Body = attrs["else_body"]
    for body in (first, second):
        body.expect("cond", [node.tensor for node in inputs[1:]])
    pairs = zip(first.outputs, second.outputs, strict=True)
    for place, (one, other) in enumerate(pairs):
        if one.type != other.type:
            raise ShapeError(
                f"cond: result {place} is {one.type} in the first branch and {other.type} in the "
                f"second; expected the same shape and dtype"
            )
    return TupleType(tuple(node.tensor for node in first.outputs))


def _cond_reference(attrs: Attributes, chosen: np.ndarray, *arrays: np.ndarray) -> tuple[Any, ...]:
    body: Body = attrs["then_body"] if chosen else attrs["else_body"]
    feed = dict(zip(body.placeholders, arrays, strict=True))
    values = evaluate_all(body.outputs, feed, attrs["step"], known_sizes=attrs["sizes"])
    return tuple(values[node] for node in body.outputs)


cond_op = LoopOp(
    "cond", _infer_cond, _cond_reference,
    # Differentiating a body is the business of the floor above.
    lambda node, g: OPERATORS["cond_vjp"](node, g),
    notation=Notation(
        lambda node: f"cond({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
        lambda node: r"\operatorname{cond}\left("
        + ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        + r"\right)",
        ATOM,
    ),
    doc="the results of one of two bodies; the other does not run",
)  # fmt: skip
register(cond_op)


def cond(
    pred: object, then_fn: Callable[..., Any], else_fn: Callable[..., Any], *operands: Any
) -> Any:
    """`then_fn(*operands)` where `pred` holds, else `else_fn(*operands)`: only one of them runs.

    Args: `pred`, a bool scalar; both functions take the operands (nodes, or structures of them) and
    return results of one structure, with the same shapes and dtypes; a Python number takes the
    dtype of the other branch. For a choice element by element use gx.where.

    Raises ShapeError for a `pred` that is not a scalar or for results that differ in shape or
    dtype, DTypeError for a `pred` that is not bool, ArgumentError for different structures.

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x")
    >>> y = cond(x > 0, lambda v: v * 2, lambda v: -v, x)
    >>> float(evaluate(y, {x: -3.0}))
    3.0
    """
    chosen = as_node(pred)
    if chosen.shape != ():
        raise ShapeError(
            f"cond: expected a scalar condition, got shape {shape_text(chosen.shape)}; gx.where "
            f"chooses element by element"
        )
    if chosen.dtype is not bool_:
        raise DTypeError(f"cond: expected a bool condition, got {chosen.dtype}")
    if not callable(then_fn) or not callable(else_fn):
        raise ArgumentError("cond: expected two functions, one for each branch")
    leaves, rebuild = flatten(operands)
    places = [input(node.name or "operand", node.shape, node.dtype) for node in leaves]
    since = next(numbers)
    first, second = then_fn(*rebuild(places)), else_fn(*rebuild(places))
    if outline(first) != outline(second):
        raise ArgumentError(
            f"cond: the branches return different structures, {outline(first)} and "
            f"{outline(second)}"
        )
    _, put_together = flatten(first)
    pairs = zip(leaves_of(first), leaves_of(second, like=first), strict=True)
    met = [meeting(one, other) for one, other in pairs]
    outputs, others = [one for one, _ in met], [other for _, other in met]
    node = make_cond(chosen, (outputs, others), places, leaves, since)
    return put_together([item(node, i) for i in range(len(outputs))])


def make_cond(
    pred: Node,
    branches: tuple[Sequence[Node], Sequence[Node]],
    places: Sequence[Node],
    values: Sequence[Node],
    since: int | None = None,
) -> Node:
    """A cond from bodies traced with placeholders: what else they use is captured, but what was
    made from the number `since` on stays inside its branch."""
    outside = captured([*branches[0], *branches[1]], places, since)
    stand_ins = [input(node.name or "captured", node.shape, node.dtype) for node in outside]
    known = dict(zip(outside, stand_ins, strict=True))
    bodies = [
        Body((*places, *stand_ins), tuple(substitute(outputs, known))) for outputs in branches
    ]
    return make(cond_op, (pred, *values, *outside), then_body=bodies[0], else_body=bodies[1])
