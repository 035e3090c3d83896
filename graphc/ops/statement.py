"""Stating effects: `check` and `print`, and stating them again of a graph made from another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir.declaration import Declaration
from graphc.ir.node import Node, make
from graphc.ir.shape import TupleType
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import depends_on, substitute, topological
from graphc.ops.effect import check_op, effects_of, print_op, youngest
from graphc.ops.evaluate import evaluate_all
from graphc.ops.source import as_node, ramp_op, size_op


def check(condition: object, message: str) -> Node:
    """State that all elements of a condition hold; the condition itself.

    It holds in every function, and every `gx.evaluate`, whose graph has all inputs, parameters,
    states and draws that the condition depends on, whether or not the condition is used. A failure
    is a CheckFailedError with the message, the first index where the condition fails, and this
    line; updates are not applied then. A condition of constants is tried at once.

    Under `gx.vmap` it is stated of all examples, inside the body of a `gx.scan` of all steps;
    inside that of a branch or a while loop it is an error. A condition on `gx.training` holds in
    graphs that have the flag; `gx.inference` states it again of the graph it gives, as it does
    `gx.print`.

    Raises DTypeError for a condition that is not bool, ArgumentError for a message that is not a
    string, or a condition on sizes alone.

    >>> from graphc.ops.source import input
    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", (3,))
    >>> holds = check(x > 0, "x must be positive")
    >>> float(evaluate(x[0] * 2, {x: [1.0, 2.0, 3.0]}))
    2.0
    """
    node = as_node(condition)
    if not isinstance(message, str) or not message:
        raise ArgumentError(f"check: expected a message, a nonempty string; got {message!r}")
    _state(make(check_op, (node,), message=message))
    return node


def print(node: object, label: str | None = None) -> Node:
    """Have a value printed by every function, and every `gx.evaluate`, that computes this very
    node; the node itself.

    Each call, and each step of a loop, writes the label (by default the node's formula), the dtype,
    the shape and the value to standard output, once it is done. A constant is printed at once.
    Inside the body of a `gx.scan` it is the values of all steps, stacked, that are printed.

    Raises ArgumentError for a label that is not a string, or a value that depends on sizes alone.

    >>> from graphc.ops.source import const
    >>> seven = print(const(7, "int64"), "seven")
    seven: int64 7
    """
    shown = as_node(node)
    if isinstance(shown.type, TupleType):
        raise ArgumentError(f"print: {shown!r} has several results; take one with node[index]")
    if label is not None and not isinstance(label, str):
        raise ArgumentError(f"print: expected a label, a string; got {label!r}")
    _state(make(print_op, (shown,), label=label or "", of=shown.number))
    return shown


def check_with_draw(condition: Node, message: str, draw: Node) -> None:
    """State a condition that is to hold only where a draw is made."""
    _state(make(check_op, (condition,), message=message), draw.declaration)


def _state(effect: Node, owner: Declaration | None = None) -> None:
    """Keep an effect with what it depends on, or perform it if that is nothing."""
    owner = owner if owner is not None else youngest(effect)
    if owner is None:
        for node in topological([effect]):
            if node.op in (size_op, ramp_op) and not _is_fixed(node):
                raise ArgumentError(
                    f"{effect.op.name}: expected a value that depends on an input, a parameter, a "
                    f"state or a draw; {effect.inputs[0]!r} depends on sizes alone"
                )
        evaluate_all([effect], {})
        return
    with owner.lock:
        if effect not in owner.effects:
            owner.effects.append(effect)


def _is_fixed(node: Node) -> bool:
    return node.op is not size_op and all(isinstance(dim, int | np.integer) for dim in node.shape)


def restate(outputs: Sequence[Node], replacements: dict[Node, Node]) -> list[Node]:
    """The outputs with nodes replaced, as `substitute`, and the effects that hold in their graph
    stated of the new one."""
    touched = [
        effect
        for effect in effects_of(outputs)
        if depends_on([effect], replacements.keys()) & {effect}
    ]
    new = substitute([*outputs, *(effect.inputs[0] for effect in touched)], replacements)
    for effect, stated in zip(touched, new[len(outputs) :], strict=True):
        state_of(effect, stated)
    return new[: len(outputs)]


def state_of(effect: Node, stated: Node) -> None:
    """State of another node what an effect states of its own, at the same line."""
    attrs = dict(effect.attrs)
    if effect.op is print_op:
        attrs["of"] = stated.number
    with inherit_sites(effect.sites):
        _state(make(effect.op, (stated,), **attrs))
