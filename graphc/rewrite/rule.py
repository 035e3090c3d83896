"""What a rewrite rule is: a name, a phase, a pattern beside its result, and what it may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.rewrite.facts import number
from graphc.rewrite.order import Order
from graphc.rewrite.pattern import (
    Apply,
    Bindings,
    Number,
    Pattern,
    build,
    match,
    operations_of_inputs,
    text,
)

PHASES = ("canonicalize", "simplify", "stabilize")


@dataclass(eq=False, repr=False)
class Context:
    """What a rule may ask of the graph around a node: the order, how often a node is used, by what.

    `users` counts the uses before rewriting; what a node became has the count of that node.
    `readers` are the nodes that take a node directly, before rewriting.
    """

    order: Order = field(default_factory=Order)
    users: dict[Node, int] = field(default_factory=dict)
    readers: dict[Node, list[Node]] = field(default_factory=dict)


Action = Callable[[Node, Context], Node | None]


class Rule(NamedTuple):
    """A rewrite: `apply(node, context)` gives the new node, or None where the rule does not fit.

    `pattern` and `result` show it; `condition` says when it applies; `changes` names what it may
    change beyond rounding. `roots` are the operations it looks at, or their kinds.
    """

    name: str
    phase: str
    pattern: str
    result: str
    roots: tuple[Op | str, ...]
    apply: Action
    condition: str = ""
    changes: str = ""
    # Whether it asks how often nodes are used: what others do may make it fit later.
    looks_around: bool = False
    # Operations that some input must be of, to pass over the rule quickly.
    needs: frozenset[Op] = frozenset()


def rewrite_pattern(
    name: str,
    phase: str,
    pattern: Apply,
    result: Pattern,
    *,
    when: Callable[[Bindings], bool] | None = None,
    condition: str = "",
    changes: str = "",
) -> Rule:
    """A rule that fills `result` with what matched in `pattern`.

    `when` is checked on what matched; `condition` says it in words.
    """

    numbers = [source.value for source in pattern.inputs if isinstance(source, Number)]

    def apply(node: Node, _: Context) -> Node | None:
        # Most constants are others: seen at once, without matching.
        if numbers and numbers[0] not in map(number, node.inputs):
            return None
        for bound in match(pattern, node):
            if when is None or when(bound):
                return build(result, bound, node.dtype)
        return None

    shown = (text(pattern), text(result), (pattern.op,))
    needs = operations_of_inputs(pattern)
    return Rule(name, phase, *shown, apply, condition, changes, needs=needs)


def rewrite_node(
    name: str,
    phase: str,
    pattern: str,
    result: str,
    roots: tuple[Op | str, ...],
    apply: Action,
    *,
    condition: str = "",
    changes: str = "",
    looks_around: bool = False,
) -> Rule:
    """A rule given by a function, shown as `pattern` and `result`."""
    return Rule(name, phase, pattern, result, roots, apply, condition, changes, looks_around)
