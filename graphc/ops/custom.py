"""Derivatives that a user writes: another gradient for a function, or a limit on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.body import Body, captured
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, shape_text
from graphc.ir.traverse import substitute
from graphc.ops.layout import broadcast_to
from graphc.ops.source import as_node, const, input


def _first(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return inputs[0].tensor


def _value(attrs: Attributes, value: np.ndarray, *_: np.ndarray) -> np.ndarray:
    return value


def _custom_vjp(node: Node, g: Node) -> list[Node | None]:
    """The inputs are the value, the arguments, and what the user's rule captured."""
    body: Body = node.attrs["rule"]
    count = len(body.outputs)
    value, *arguments = node.inputs[: 1 + count]
    outside = list(node.inputs[1 + count :])
    if value not in arguments:
        # What the rule makes of the value has the author's derivative too.
        outside = substitute(outside, {value: node})
    shares = body.apply((g, *outside))
    floats = (source.dtype.is_float for source in node.inputs[1 : 1 + count])
    kept = [share if moves else None for share, moves in zip(shares, floats, strict=True)]
    return [None, *kept, *[None] * (len(node.inputs) - 1 - count)]


custom_gradient_op = Op(
    "custom_gradient", _first, _value, _custom_vjp, notation=Notation("{0}", "{0}"),
    expand=lambda node: node.inputs[0], doc="a value with a derivative that its author wrote",
)  # fmt: skip
register(custom_gradient_op)


def custom_gradient(fn: Callable[..., Any]) -> Callable[..., Node]:
    """A function of nodes with a gradient of its author's, as a decorator.

    `fn(*arguments)` returns its value, one node, and a function from the cotangent of that value
    (a node of its shape) to the cotangent of each argument (a node for one, a tuple for several;
    None for none). The rule is traced once, so it may use anything that `fn` computes; it is
    differentiated in its turn for higher derivatives, and the value has there the same derivative
    of its author's: a solver's own steps are never differentiated. What `fn` uses from outside gets
    no gradient through it.

    Raises ArgumentError where `fn` does not return such a pair, ShapeError where a cotangent does
    not have the shape of its argument.

    >>> from graphc.ops.evaluate import evaluate
    >>> @custom_gradient
    ... def rounded(x):
    ...     return scalar.floor(x + 0.5), lambda g: g
    >>> x = input("x")
    >>> float(evaluate(rounded(x), {x: 1.7}))
    2.0
    """
    if not callable(fn):
        raise ArgumentError(f"custom_gradient: expected a function, got {type(fn).__name__}")

    def wrapped(*arguments: object) -> Node:
        nodes = [as_node(argument) for argument in arguments]
        result = fn(*nodes)
        if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
            raise ArgumentError(
                "custom_gradient: expected the function to return its value and a function from "
                f"the cotangent to the arguments' cotangents; got {result!r}"
            )
        return _with_rule(as_node(result[0]), nodes, result[1])

    wrapped.__name__ = getattr(fn, "__name__", "custom")
    wrapped.__doc__ = fn.__doc__
    return wrapped


def _with_rule(value: Node, nodes: list[Node], rule: Callable[[Node], Any]) -> Node:
    if not value.dtype.is_float:
        raise DTypeError(f"custom_gradient: expected a float value, got {value.dtype}")
    cotangent = input("cotangent", value.shape, value.dtype)
    made = rule(cotangent)
    shares = list(made) if isinstance(made, tuple | list) else [made]
    if len(shares) != len(nodes):
        raise ArgumentError(
            f"custom_gradient: the rule gives {len(shares)} cotangent(s), expected one for each of "
            f"{len(nodes)} argument(s)"
        )
    outputs = [_share(share, node) for share, node in zip(shares, nodes, strict=True)]
    outside = captured(outputs, [cotangent])
    stand_ins = [input(node.name or "captured", node.shape, node.dtype) for node in outside]
    whole = Body((cotangent, *outside), tuple(outputs))
    body = Body((cotangent, *stand_ins), tuple(whole.apply((cotangent, *stand_ins))))
    return make(custom_gradient_op, (value, *nodes, *outside), rule=body)


def _share(share: object, node: Node) -> Node:
    if share is None:
        return broadcast_to(const(0, node.dtype), node.shape)
    made = as_node(share, node.dtype)
    if made.shape != node.shape:
        raise ShapeError(
            f"custom_gradient: the rule gives a cotangent of shape {shape_text(made.shape)} for an "
            f"argument of shape {shape_text(node.shape)}"
        )
    return made


def _clip_vjp(node: Node, g: Node) -> list[Node | None]:
    return [scalar.clip(g, node.attrs["low"], node.attrs["high"])]


clip_gradient_op = Op(
    "clip_gradient", _first, _value, _clip_vjp,
    notation=Notation(
        "clip_gradient({0})", r"\operatorname{clip\_gradient}\left({0}\right)"
    ),
    expand=lambda node: node.inputs[0], doc="x, whose gradient is limited to [low, high]",
)  # fmt: skip
register(clip_gradient_op)


def clip_gradient(x: object, low: float, high: float) -> Node:
    """`x` itself; each element of its gradient is limited to [low, high].

    Raises ArgumentError where `low` is above `high`, DTypeError for an `x` that is not a float.
    """
    node = as_node(x)
    if not node.dtype.is_float:
        raise DTypeError(f"clip_gradient: expected floats, got {node.dtype}")
    numbers = all(isinstance(bound, int | float | np.number) for bound in (low, high))
    if not (numbers and low <= high):
        raise ArgumentError(
            f"clip_gradient: expected two numbers, low <= high; got {low!r} and {high!r}"
        )
    return make(clip_gradient_op, (node,), low=float(low), high=float(high))
