"""Bodies: a function of nodes, traced once with placeholders, that a node carries as an attribute.

A body is what depends on its placeholders. All else that it uses is captured: it is computed once,
outside, and comes in as one more input of the node that carries the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node
from graphc.ir.shape import TensorType
from graphc.ir.site import raise_located
from graphc.ir.traverse import depends_on, substitute, topological


@dataclass(frozen=True, eq=False, repr=False)
class Body:
    """Outputs as functions of placeholders; nothing else is free in it but constants."""

    placeholders: tuple[Node, ...]
    outputs: tuple[Node, ...]

    def __post_init__(self) -> None:
        for placeholder in self.placeholders:
            for effect in placeholder.declaration.effects if placeholder.declaration else ():
                error = ArgumentError(
                    f"{effect.op.name}: a value inside the body of a branch or a while loop has no "
                    f"effects; state it of what the body gives"
                )
                raise_located(error, effect.sites)

    def apply(self, arguments: Sequence[Node]) -> list[Node]:
        """The outputs with arguments in the place of the placeholders."""
        return substitute(self.outputs, dict(zip(self.placeholders, arguments, strict=True)))

    def expect(self, name: str, types: Sequence[TensorType]) -> None:
        """Raise ShapeError, for the operation called `name`, unless the placeholders are of these
        types."""
        found = [place.type for place in self.placeholders]
        if found != list(types):
            given, expected = (", ".join(map(str, known)) for known in (found, types))
            raise ShapeError(f"{name}: its body takes ({given}), expected ({expected})")

    def __repr__(self) -> str:
        return f"Body of {len(self.placeholders)} arguments"


def captured(
    outputs: Sequence[Node], placeholders: Sequence[Node], since: int | None = None
) -> list[Node]:
    """The outermost nodes that `outputs` use and that do not depend on any placeholder.

    Sources without an input of their own (constants, sizes, ramps) stay inside: they cost nothing.
    So does, where `since` is given, what was made from that number on: a branch that does not run
    must not be computed outside.
    """
    inside = depends_on(outputs, placeholders)
    if since is not None:
        made = (node for node in topological(outputs) if node.number >= since)
        inside |= {node for node in made if node.inputs}
    found: dict[Node, None] = {}
    for node in topological(outputs):
        if node in inside and node not in placeholders:
            found.update((s, None) for s in node.inputs if s not in inside)
    found.update((output, None) for output in outputs if output not in inside)
    return [node for node in found if not _is_free(node)]


def _is_free(node: Node) -> bool:
    return node.op.kind == "source" and node.declaration is None
