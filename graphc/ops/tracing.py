"""Bodies of loops, traced: what a function of placeholders gives, and what it states on the way.

A carry that starts as a Python number takes the dtype that the body gives it, so `init=0.0` fits a
float64 body; the body is then traced again, from placeholders of that dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import ArgumentError
from graphc.ir.body import Body
from graphc.ir.declaration import numbers
from graphc.ir.dtype import promote
from graphc.ir.node import Node
from graphc.ir.site import raise_located
from graphc.ir.traverse import depends_on, topological
from graphc.ops.elementwise import cast
from graphc.ops.random_bits import RandomOp
from graphc.ops.source import as_node, input
from graphc.ops.structure import dtype_beside, flatten, is_number, leaves_of, outline


@dataclass(eq=False, repr=False)
class Trace:
    """A traced body: placeholders and initial values of its carries, the new carries, the other
    result of the function, and the number of the first node that the trace made."""

    places: list[Node]
    initial: list[Node]
    carries: list[Node]
    result: Any
    since: int


def trace(name: str, init: Any, fn: Callable[[Any], tuple[Any, Any]]) -> Trace:
    """Trace `fn(carry) -> (new carry, another result)`.

    Raises ArgumentError where the new carry has another structure than `init`.
    """
    given = leaves_of(init)
    initial, rebuild = flatten(init)
    dtypes = [node.dtype for node in initial]
    while True:
        since = next(numbers)
        places = [
            input(node.name or "carry", node.shape, dtype)
            for node, dtype in zip(initial, dtypes, strict=True)
        ]
        new, result = fn(rebuild(places))
        if outline(new) != outline(init):
            raise ArgumentError(
                f"{name}: the body returns a carry of the structure {outline(new)}, expected that "
                f"of init, {outline(init)}"
            )
        carries = [
            _fitted(leaf, place)
            for leaf, place in zip(leaves_of(new, like=init), places, strict=True)
        ]
        wanted = [
            dtype_beside(leaf, node.dtype) if is_number(leaf) else dtype
            for leaf, node, dtype in zip(given, carries, dtypes, strict=True)
        ]
        # A dtype only ever grows, so this ends.
        wanted = [promote(old, dtype) for old, dtype in zip(dtypes, wanted, strict=True)]
        if wanted == dtypes:
            starts = [cast(node, dtype) for node, dtype in zip(initial, dtypes, strict=True)]
            return Trace(places, starts, carries, result, since)
        dtypes = wanted


def _fitted(leaf: object, place: Node) -> Node:
    """A carry that comes out as a number, or a weaker constant, takes the dtype it went in with."""
    node = as_node(leaf, place.dtype)
    constant = node.op.kind == "source" and node.declaration is None
    if constant and promote(node.dtype, place.dtype) is place.dtype:
        return cast(node, place.dtype)
    return node


def meeting(first: object, second: object) -> tuple[Node, Node]:
    """Two leaves as nodes; a Python number takes the dtype of the other."""
    one = as_node(first, as_node(second).dtype)
    return one, as_node(second, one.dtype)


# ---- draws and effects that a body makes


def draws_since(outputs: Iterable[Node], since: int) -> list[Node]:
    """The random draws of a graph that were made from the number `since` on."""
    return [n for n in topological(outputs) if isinstance(n.op, RandomOp) and n.number >= since]


def refuse_draws(name: str, outputs: Iterable[Node], since: int) -> None:
    """Raise ArgumentError for a draw in a body whose steps nobody knows how to count, in a body
    inside it too: it would be the same in every step."""
    for node in draws_since(outputs, since):
        _refuse(name, node)
    refuse_draws_in_bodies(name, outputs)


def refuse_draws_in_bodies(name: str, outputs: Iterable[Node]) -> None:
    """Raise ArgumentError for a draw that stays in a body inside this one: its parameter depends
    on what only that body knows."""
    for node in topological(outputs):
        for value in node.attrs.values():
            if isinstance(value, Body):
                for inner in topological(value.outputs):
                    if isinstance(inner.op, RandomOp):
                        _refuse(name, inner)
                refuse_draws_in_bodies(name, value.outputs)


def _refuse(name: str, node: Node) -> None:
    error = ArgumentError(
        f"{name}: {node.op.name} inside the body would give the same draw in every step; draw a "
        f"sequence outside and take its elements with gx.scan"
    )
    raise_located(error, node.sites)


def take_effects(variables: Sequence[Node]) -> list[Node]:
    """The checks and prints that a trace has stated of its placeholders and draws, in order; they
    are no longer kept there."""
    found: dict[Node, None] = {}
    for variable in variables:
        declared = variable.declaration
        if declared is None:
            continue
        for effect in list(declared.effects):
            if effect in depends_on([effect], variables):
                declared.effects.remove(effect)
                found[effect] = None
    return sorted(found, key=lambda effect: effect.number)
