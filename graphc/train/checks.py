"""What a trainer is given, checked: the loss and metrics, the inputs, the updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ops.source import input_op, param_op, state_op
from graphc.train.optimizers import Updates


def checked_scalar(what: str, node: object) -> Node:
    """A scalar node; the one called "loss" must be a float."""
    if not isinstance(node, Node):
        raise ArgumentError(f"Trainer: expected {what} to be a node, got {type(node).__name__}")
    if node.shape != ():
        raise ShapeError(
            f"Trainer: expected {what} to be a scalar, got shape {shape_text(node.shape)}; "
            f"reduce it with gx.mean"
        )
    if what == "loss" and not node.dtype.is_float:
        raise DTypeError(f"Trainer: expected {what} to be a float, got {node.dtype}")
    return node


def checked_inputs(inputs: Node | Sequence[Node]) -> list[Node]:
    """Declared inputs, each once, whose first axis takes a batch of any length."""
    known = [inputs] if isinstance(inputs, Node) else list(inputs)
    if not known:
        raise ArgumentError("Trainer: expected at least one input, got none")
    for node in known:
        if not isinstance(node, Node) or node.op is not input_op:
            raise ArgumentError(f"Trainer: expected inputs made by gx.input, got {node!r}")
        if node.ndim == 0 or isinstance(node.shape[0], int):
            raise ShapeError(
                f"Trainer: expected input {node.name!r} to have an axis of examples of any length, "
                f'as ("n", ...) has, first; got {shape_text(node.shape)}'
            )
    if len(set(known)) != len(known):
        raise ArgumentError("Trainer: expected each input once")
    return known


def checked_metrics(metrics: Mapping[str, Node]) -> dict[str, Node]:
    """Scalars by names that can head a column, and that no other column has."""
    for name, node in metrics.items():
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ArgumentError(
                f"Trainer: expected names of metrics to be printable text, got {name!r}"
            )
        if name in ("loss", "epoch", "seconds") or name.startswith("validation_"):
            raise ArgumentError(f"Trainer: a metric must not be named {name!r}: a column has it")
        checked_scalar(f"metric {name!r}", node)
    return dict(metrics)


def joined_updates(updates: Updates, more: Updates) -> Updates:
    """The optimizer's updates and more of them, no node in both."""
    for node in more:
        if not isinstance(node, Node) or node.op not in (param_op, state_op):
            raise ArgumentError(f"Trainer: expected updates of states, got one of {node!r}")
        if node in updates:
            raise ArgumentError(f"Trainer: {node!r} is updated twice, by the optimizer too")
    return {**updates, **more}
