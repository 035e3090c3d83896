"""Effects: conditions that must hold, and values that are printed, wherever they can be computed.

An effect is a statement about a graph, not a value in it: nothing has to be threaded through. It is
kept on the youngest declaration that it depends on, so it lives no longer than what it speaks of.
Whoever makes a program of a graph asks `effects_of` for the statements that hold in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import CheckFailedError, DTypeError
from graphc.ir.declaration import Declaration
from graphc.ir.dtype import bool_
from graphc.ir.node import OPERATORS, Node
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, TupleType, shape_text
from graphc.ir.site import Site, written_at
from graphc.ir.traverse import topological

Values = Mapping[Node, Any]

# A longer formula is no name for a printed value: the name of its operation is.
_LONGEST_NAME = 80


@dataclass(frozen=True, eq=False, repr=False)
class EffectOp(Op):
    """A statement about its input, whose value it has: `perform(node, values)` carries it out."""

    perform: Callable[[Node, Values], None] = lambda node, values: None


class CheckOp(EffectOp):
    """A condition that must hold in every element."""

    kind = "check"


class PrintOp(EffectOp):
    """A value that is printed."""

    kind = "print"


KINDS = (CheckOp.kind, PrintOp.kind)


# ---- conditions


def _check_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (condition,) = inputs
    if condition.dtype is not bool_:
        raise DTypeError(f"check: expected a condition of bools, got {condition!r}")
    return condition.tensor


def _perform_check(node: Node, values: Values) -> None:
    (condition,) = node.inputs
    holds = np.asarray(values[condition])
    if holds.all():
        return
    place = int(np.argmin(holds.reshape(-1)))
    operands = []
    if getattr(condition.op, "types", "") in ("comparison", "float_test"):
        for operand in condition.inputs:
            spread = np.broadcast_to(values[operand], holds.shape)
            operands.append(str(spread.reshape(-1)[place]))
    raise failed(node.attrs["message"], holds.shape, place, node.sites, operands)


def failed(
    message: str,
    shape: tuple[int, ...],
    place: int,
    sites: tuple[Site, ...],
    operands: Sequence[str] = (),
) -> CheckFailedError:
    """The error of a condition of `shape` that fails at the flat index `place`, where the sides of
    a comparison are `operands`, if they are known."""
    where = ""
    if shape:
        index = tuple(int(i) for i in np.unravel_index(place, shape))
        where = f" at {index} of {shape_text(shape)}"
    sides = f", for {' and '.join(operands)}" if operands else ""
    text = f"{message.removesuffix('.')}: the condition fails{where}{sides}"
    error = CheckFailedError(f"{text}.{written_at(sites)}")
    error.located = True
    return error


check_op = CheckOp(
    "check",
    _check_infer,
    lambda attrs, condition: condition,
    no_derivative="a condition has no derivative",
    notation=Notation("check({0})", r"\operatorname{check}\left({0}\right)", ATOM),
    doc="a condition, reported where it fails; attributes: the message",
    perform=_perform_check,
)
register(check_op)


# ---- printing


def _perform_print(node: Node, values: Values) -> None:
    print_value(node, values[node.inputs[0]])


def print_value(node: Node, value: Any) -> None:
    """Write a line to standard output: the label of a print, its type, and the value."""
    label = node.attrs["label"] or _name(node.inputs[0])
    array = np.asarray(value)
    shape = "" if array.ndim == 0 else f" {shape_text(array.shape)}"
    text = str(array)
    gap = "\n" if "\n" in text else " "
    print(f"{label}: {node.dtype}{shape}{gap}{text}")


def _name(node: Node) -> str:
    text = str(OPERATORS["formula"](node))
    return text if len(text) <= _LONGEST_NAME else node.op.name


print_op = PrintOp(
    "print",
    lambda inputs, attrs: inputs[0].tensor,
    lambda attrs, x: x,
    no_derivative="printing is no part of a computation",
    notation=Notation("print({0})", r"\operatorname{print}\left({0}\right)", ATOM),
    # The number keeps two prints apart whose values turn out to be the same.
    doc="a value that is printed; attributes: the label, and the number of the node as written",
    perform=_perform_print,
)
register(print_op)


# ---- which hold


def leaves(nodes: Iterable[Node]) -> dict[Declaration, Node]:
    """The declarations among some nodes, with their nodes: inputs, parameters, states, draws and
    flags."""
    return {node.declaration: node for node in nodes if node.declaration is not None}


def youngest(effect: Node) -> Declaration | None:
    """The declaration that keeps an effect: what has all it depends on has that one too.

    Flags are there for ever, and keep none.
    """
    found = [d for d in leaves(topological([effect])) if d.role != "flag"]
    return max(found, key=lambda declared: declared.number, default=None)


def effects_of(roots: Iterable[Node], missing: Collection[Node] = ()) -> tuple[Node, ...]:
    """The effects that hold in the graph of `roots`, in the order in which they were stated.

    A check holds where all declarations that it depends on are there (none of them in `missing`),
    a print where its very node is computed.
    """
    nodes = dict.fromkeys(topological(roots))
    present = {d: node for d, node in leaves(nodes).items() if node not in missing}
    stated = sorted((e for d in present for e in d.effects), key=lambda effect: effect.number)
    checks = [
        effect
        for effect in stated
        if effect.op is check_op and leaves(topological([effect])).keys() <= present.keys()
    ]
    if checks:
        nodes.update(dict.fromkeys(topological(checks)))
    return tuple(
        effect for effect in stated if effect in checks or _is_computed(effect, nodes, missing)
    )


def _is_computed(effect: Node, nodes: Collection[Node], missing: Collection[Node]) -> bool:
    if effect.op is not print_op or effect.inputs[0] in missing:
        return False
    (shown,) = effect.inputs
    if shown in nodes:
        return True
    # A result of a node with several is computed with them, whether or not it is taken.
    while shown.op.kind == "layout":
        shown = shown.inputs[0]
    return any(isinstance(whole.type, TupleType) and whole in nodes for whole in shown.inputs)
