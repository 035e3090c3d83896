"""Loops that run until a condition fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.body import Body, captured
from graphc.ir.dtype import bool_
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import TupleType
from graphc.ir.traverse import substitute
from graphc.ops.evaluate import evaluate_all
from graphc.ops.loop import LoopOp
from graphc.ops.routine import item
from graphc.ops.source import as_node, input
from graphc.ops.structure import flatten
from graphc.ops.tracing import refuse_draws, trace


def _infer_while(inputs: tuple[Node, ...], attrs: Attributes) -> TupleType:
    body: Body = attrs["body"]
    body.expect("while_loop", [node.tensor for node in inputs])
    _, *new = body.outputs
    for place, (after, before) in enumerate(zip(new, inputs[: len(new)], strict=True)):
        if after.type != before.type:
            raise ShapeError(
                f"while_loop: carry {place} goes in as {before.type} and comes out of the body as "
                f"{after.type}; expected the same shape and dtype"
            )
    return TupleType(tuple(node.tensor for node in new))


def _while_reference(attrs: Attributes, *arrays: np.ndarray) -> tuple[Any, ...]:
    body: Body = attrs["body"]
    pred, *new = body.outputs
    carried, outside = list(arrays[: len(new)]), arrays[len(new) :]
    done = 0
    while attrs["max_steps"] is None or done < attrs["max_steps"]:
        feed = dict(zip(body.placeholders, (*carried, *outside), strict=True))
        values = evaluate_all(
            body.outputs, feed, attrs["step"], stop_at=pred, known_sizes=attrs["sizes"]
        )
        if not values[pred]:
            break
        values = evaluate_all(body.outputs, feed, attrs["step"], known_sizes=attrs["sizes"])
        carried = [values[node] for node in new]
        done += 1
    return tuple(carried)


while_op = LoopOp(
    "while_loop", _infer_while, _while_reference,
    # Differentiating a body is the business of the floor above.
    lambda node, g: OPERATORS["while_vjp"](node, g),
    notation=Notation(
        lambda node: f"while_loop({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
        lambda node: r"\operatorname{while}\left("
        + ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        + r"\right)",
        ATOM,
    ),
    doc="a body that runs again and again while a condition on its carry holds",
)  # fmt: skip
register(while_op)


def make_while(
    outputs: list[Node], places: list[Node], values: list[Node], max_steps: int | None
) -> Node:
    """A while loop from a traced condition (the first output) and the new carries."""
    outside = captured(outputs, places)
    stand_ins = [input(node.name or "captured", node.shape, node.dtype) for node in outside]
    closed = substitute(outputs, dict(zip(outside, stand_ins, strict=True)))
    body = Body((*places, *stand_ins), tuple(closed))
    return make(while_op, (*values, *outside), body=body, max_steps=max_steps)


def while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    init: Any,
    max_steps: int | None = None,
) -> Any:
    """Run `carry = body_fn(carry)` while `cond_fn(carry)` holds; gives the last carry.

    Args: `init`, a node, array or number, or a structure of them; `cond_fn` gives a bool scalar;
    `max_steps`, after which the loop ends in any case. Forward mode goes through any such loop,
    reverse mode through one with `max_steps`, which takes as much memory as that many steps.

    Raises ShapeError where a carry changes its shape or dtype, ArgumentError for another structure
    or for draws inside, which need a known number of steps (use gx.scan).

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x")
    >>> float(evaluate(while_loop(lambda v: v < 100, lambda v: v * 2, x), {x: 3.0}))
    192.0
    """
    if not callable(cond_fn) or not callable(body_fn):
        raise ArgumentError("while_loop: expected two functions of the carry")
    whole = isinstance(max_steps, int) and not isinstance(max_steps, bool)
    if max_steps is not None and not (whole and max_steps >= 0):
        raise ArgumentError(
            f"while_loop: max_steps must be an integer >= 0 or None, got {max_steps!r}"
        )
    made = trace("while_loop", init, lambda carry: (body_fn(carry), cond_fn(carry)))
    pred = as_node(made.result)
    if pred.dtype is not bool_ or pred.shape != ():
        raise DTypeError(f"while_loop: expected a condition that is a bool scalar, got {pred!r}")
    outputs = [pred, *made.carries]
    refuse_draws("while_loop", outputs, made.since)
    node = make_while(outputs, made.places, made.initial, max_steps)
    _, rebuild = flatten(init)
    return rebuild([item(node, i) for i in range(len(made.carries))])
