"""What an operation is: one record that holds all that is known of it.

A kind (elementwise, reduction, ...) is a subclass in `graphc.ops`, with what is shared by its
operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.errors import ArgumentError
from graphc.ir.shape import NodeType

if TYPE_CHECKING:
    from graphc.ir.node import Node

Attributes = Mapping[str, Any]
Infer = Callable[[tuple["Node", ...], Attributes], NodeType]
Reference = Callable[..., Any]
VectorJacobian = Callable[["Node", "Node"], Sequence["Node | None"]]
Template = str | Callable[["Node"], str]

# How tightly a written form holds together; an operand written more loosely than its place needs
# parentheses.
COMPARISON, SUM, PRODUCT, PREFIX, POWER, ATOM = range(6)


class Notation(NamedTuple):
    """How an operation is written: templates over `{0}`, `{1}`, ..., for text and LaTeX.

    `{0}` is replaced by the first operand wherever it stands, so that `\\frac{{0}}{{1}}` is a
    fraction; other braces stay as they are. `level` is how tightly the whole holds; `operands` is
    the least level that each operand needs to stand bare. In LaTeX both may differ, since its
    braces hold operands together.
    """

    text: Template
    latex: Template
    level: int = ATOM
    operands: tuple[int, ...] = ()
    latex_level: int | None = None
    latex_operands: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """An operation: its type rule, NumPy reference, derivative and notation in one place.

    `infer(inputs, attributes)` gives the node's type or raises. `reference(attributes, *arrays)`
    computes it in NumPy. `vjp(node, cotangent)` gives each input's cotangent as nodes, None where
    there is none. `expand(node)` writes the node in other operations; an operation that has it
    needs no lowering of its own. `exact(attributes, *arrays)` computes it on numbers of mpmath, in
    arrays of objects; it is needed where neither `expand`, nor a formula, nor `reference` can.
    """

    name: str
    infer: Infer
    reference: Reference
    vjp: VectorJacobian | None = None
    no_derivative: str = ""
    notation: Notation | None = None
    expand: Callable[[Node], Node] | None = None
    doc: str = ""
    exact: Reference | None = field(default=None, kw_only=True)

    kind = "op"

    def __repr__(self) -> str:
        return self.name


REGISTRY: dict[str, Op] = {}


def register(op: Op) -> None:
    """Enter an operation under its name, an identifier; a name is taken once."""
    if not op.name.isidentifier():
        raise ArgumentError(f"an operation's name must be an identifier; got {op.name!r}")
    if op.name in REGISTRY:
        raise ArgumentError(f"an operation named {op.name!r} exists already; choose another name")
    REGISTRY[op.name] = op
