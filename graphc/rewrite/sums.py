"""The normaliser of sums of products: like terms meet, factors cancel, common factors come out.

This is what turns the gradient of a loss that is spelled out into a - y. A node is multiplied out
(see `polynomial`), the identities sigmoid(-u) = 1 - sigmoid(u) and softplus(-u) = softplus(u) - u
are tried, and the shortest result is used if it is shorter than what was there, and if everything
that cancelled still occurs in it (so a nan still reaches the result).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops import scalar
from graphc.ops.source import constant_op
from graphc.rewrite.assemble import assembled
from graphc.rewrite.expansion import Expansion
from graphc.rewrite.facts import is_float, negated
from graphc.rewrite.monomial import opposite
from graphc.rewrite.order import Order
from graphc.rewrite.polynomial import (
    GATES,
    Polynomial,
    Region,
    Term,
    Unsuitable,
    family,
    region,
)
from graphc.rewrite.rule import Context, Rule, rewrite_node


def _normalise(node: Node, context: Context) -> Node | None:
    if not is_float(node):
        return None
    around = region(node)
    if not around.meets:
        return None
    edge = set(map(family, around.factors))
    best, best_cost = None, _cost(node, edge)
    for made in _candidates(node, around, context.order, best_cost.nodes):
        if (cost := _cost(made, edge)).below(best_cost):
            best, best_cost = made, cost
    return best


def _candidates(node: Node, around: Region, order: Order, fewer: int) -> Iterator[Node]:
    """What the node may become, first by ways that keep more of what was written.

    Only what may have fewer than `fewer` nodes is made.
    """
    whole = Expansion(around, node.dtype, distribute=False)
    yield from _expanded(node, whole, order, fewer)
    if around.shared:
        # g * a - g * a * a is g * a * (1 - a), whatever g is.
        yield from _expanded(
            node, Expansion(around.without_shared(), node.dtype, True), order, fewer
        )
    if whole.held and around.searchable:
        yield from _expanded(node, Expansion(around, node.dtype, True), order, fewer)


def _expanded(node: Node, expansion: Expansion, order: Order, fewer: int) -> Iterator[Node]:
    try:
        polynomial = expansion.expand(node)
    except Unsuitable:
        return
    for candidate in (polynomial, *_substituted(polynomial)):
        if expansion.distribute and not candidate.combined:
            continue  # multiplying out brought nothing together
        if candidate.terms and candidate.lost <= candidate.families():
            made = assembled(candidate, order, expansion.spelled, fewer)
            if made is not None:
                yield made


class _Cost(NamedTuple):
    """What a node costs down to the edge of a region, that included and constants not.

    `nodes` counts each node once, `occurrences` as often as it occurs when everything is written
    out, `gates` the same of exponentials and sigmoids; `edge` is how often each node of the edge
    occurs.
    """

    nodes: int
    occurrences: int
    gates: int
    edge: dict[Node, int]

    def below(self, other: _Cost) -> bool:
        """Whether this is cheaper, and in no respect dearer, so that a rule that lowers it must
        end: with fewer nodes, or as many with fewer gates written out."""
        fewer = self.nodes < other.nodes
        gathered = self.nodes == other.nodes and self.gates < other.gates
        if not (fewer or gathered) or self.occurrences >= other.occurrences:
            return False
        return all(count <= other.edge.get(node, 0) for node, count in self.edge.items())


def _cost(root: Node, edge: set[Node]) -> _Cost:
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen and node.op is not constant_op:
            seen.add(node)
            stack.append((node, True))
            if node not in edge:
                stack.extend((source, False) for source in node.inputs)
    times = dict.fromkeys(order, 0)
    times[root] = 1
    for node in reversed(order):
        for source in () if node in edge else node.inputs:
            if source in times:
                times[source] += times[node]
    gates = sum(count for node, count in times.items() if node.op in GATES)
    outer = {node: times[node] for node in order if node in edge}
    return _Cost(len(order), sum(times.values()), gates, outer)


def _substituted(polynomial: Polynomial) -> Iterator[Polynomial]:
    """The polynomial after identities between exp, sigmoid and softplus, where they cancel terms.

    Where they cancel nothing they are not used: 1 - sigmoid(u) is less accurate than sigmoid(-u).
    """
    if len(polynomial.terms) < 2:
        return  # nothing to cancel with
    families = Counter(map(family, polynomial.factors()))
    if not any(count > 1 for count in families.values()):
        return
    found = [polynomial]
    with suppress(Unsuitable):
        found.append(polynomial.reduced())
    for start in tuple(found):
        for factor in sorted(start.factors(), key=lambda f: f.number):
            replacement = (
                _replacement(factor, start.dtype) if families[family(factor)] > 1 else None
            )
            if replacement is not None:
                with suppress(Unsuitable):
                    found.append(start.substitute(factor, replacement).reduced())
    yield from (changed for changed in found[1:] if changed.lost > polynomial.lost)


def _replacement(factor: Node, dtype: DType) -> Polynomial | None:
    """1 - sigmoid(u) for sigmoid(-u), softplus(u) - u for softplus(-u), and the like for exp(u)."""
    one, minus = 1, -1
    if factor.op is scalar.exp:
        gate = scalar.sigmoid(opposite(factor.inputs[0]))
        return Polynomial(dtype, [Term(one, {gate: (0, 1)}), Term(minus, {})])
    source = negated(factor.inputs[0]) if factor.op in (scalar.sigmoid, scalar.softplus) else None
    if source is None:
        return None
    mirror = {factor.op(source): (1, 0)}  # type: ignore[operator]
    if factor.op is scalar.sigmoid:
        return Polynomial(dtype, [Term(one, {}), Term(minus, mirror)])
    return Polynomial(dtype, [Term(one, mirror), Term(minus, {source: (1, 0)})])


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "sum_of_products",
        "simplify",
        "p * (1 - y / p)",
        "p - y",
        (scalar.add, scalar.subtract, scalar.multiply, scalar.divide),
        _normalise,
        condition="the result has fewer nodes; p is provably nonzero; what cancels still occurs",
        changes="finite where p underflows or is nan; a size is taken to be at least 1",
    ),
)
