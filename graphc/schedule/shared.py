"""Values that are stored although they could be computed wherever they are taken: it costs less, or
they must not differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from graphc.ir.dim import Dim, product
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.scalar import equal, not_equal
from graphc.schedule.analysis import EXPENSIVE, Anchors
from graphc.schedule.group import Group, Grouping
from graphc.schedule.index import Indices
from graphc.schedule.runs import anchor_demands
from graphc.schedule.structure import (
    Structure,
    in_inner_loop,
    inner_variables,
    kept_variables,
    row_variables,
)

# A value is stored for a loop over as many elements; below that, another kernel costs more than it
# saves.
_WORTH_STORING = 1 << 14
# The operations and loads that are repeated for each element, from which on storing is cheaper.
_MUCH_AGAIN = 40


def compared_floats(graph: Graph) -> set[Node]:
    """Floats that are tested for equality, as the gradient of a maximum does.

    Computed in two places they may be rounded in two ways, and then nothing equals the maximum.
    """
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op in (equal, not_equal) and node.inputs[0].dtype.is_float:
            for operand in node.inputs:
                while operand.op.kind == "layout":
                    operand = operand.inputs[0]
                found.add(operand)
    return found


def shared_work(grouping: Grouping, anchors: Anchors, compared: set[Node]) -> set[Node]:
    """Expensive values that several kernels, or several loops of one, would compute: they are
    stored instead. Those in `compared` are stored however cheap they are."""
    places: defaultdict[Node, set[tuple[Group, int]]] = defaultdict(set)
    for step in grouping.steps:
        if not isinstance(step, Group):
            continue
        # A number is computed again without harm, unless there are nothing but numbers.
        alone = not step.structure.rows and step.structure.kind == "map"
        for anchor in step.anchors:
            inner = anchor.op.kind == "reduction" or in_inner_loop(step.structure, anchor)
            loop = step.loop[anchor] if inner else -1
            for node, _ in anchor_demands(anchors, step, anchor):
                if anchors.inlined(node) and (node.ndim or alone) and node is not anchor:
                    places[node].add((step, loop))
    heavy = _heavy(places, anchors) | {node for node in compared if node in places}
    shared = {node for node in heavy if len(places[node]) > 1}
    inside = {
        source for node in shared for source in node.inputs if places.get(source) == places[node]
    }
    kinds = ("elementwise", "random", "indexing")
    return {node for node in shared - (inside - compared) if node.op.kind in kinds}


def repeated_columns(grouping: Grouping, anchors: Anchors) -> set[Node]:
    """Expensive values of one number a column that a kernel would compute again in every row, such
    as the deviations that a batch is divided by."""
    repeated: dict[Node, set[tuple[Group, int]]] = {}
    for step in grouping.steps:
        if not isinstance(step, Group):
            continue
        loops = _loops(step.structure)
        if len(loops) < 2:
            continue
        known: dict[Indices, bool] = {}
        for anchor in step.anchors:
            taken = anchor_demands(anchors, step, anchor)
            if not any(node.op.name in EXPENSIVE for node, _ in taken):
                continue
            for node, at in taken:
                if node is not anchor and anchors.inlined(node):
                    if at not in known:
                        known[at] = _is_repeated(at, loops)
                    if known[at]:
                        repeated[node] = set()
    heavy = {node for node in _heavy(repeated, anchors) if node.op.kind == "elementwise"}
    return heavy - {source for node in heavy for source in node.inputs}


def repeated_places(grouping: Grouping, anchors: Anchors) -> set[Node]:
    """Values that one kernel would compute at several places for each element, such as what a
    stencil of a stencil reads, where that is more work than storing them."""
    found: set[Node] = set()
    for step in grouping.steps:
        if not isinstance(step, Group) or not _is_long(step.structure):
            continue
        places: defaultdict[Node, set[Indices]] = defaultdict(set)
        for anchor in step.anchors:
            for node, at in anchor_demands(anchors, step, anchor):
                if node is not anchor and anchors.inlined(node) and node.ndim:
                    places[node].add(at)
        found |= _topmost(_much_repeated(places), anchors)
    return found


def _is_long(structure: Structure) -> bool:
    visited = product((*structure.rows, *structure.inner, *structure.kept))
    return not isinstance(visited, int) or visited >= _WORTH_STORING


def _much_repeated(places: Mapping[Node, set[Indices]]) -> set[Node]:
    """Those whose operations, counted at all places but one, are many."""
    made: dict[Node, int] = {}  # the operations of a value at one place
    for node in sorted(places, key=lambda n: n.number):
        own = node.op.kind == "elementwise"
        made[node] = own + sum(made.get(source, 1) for source in set(node.inputs))
    return {
        node
        for node, known in places.items()
        if node.op.kind == "elementwise" and (len(known) - 1) * made[node] >= _MUCH_AGAIN
    }


def _topmost(nodes: set[Node], anchors: Anchors) -> set[Node]:
    """Those that are no part of another one."""
    inside: set[Node] = set()
    for node in sorted(nodes, key=lambda n: -n.number):
        stack = [*node.inputs]
        while stack:
            source = stack.pop()
            if source not in inside and anchors.inlined(source):
                inside.add(source)
                stack.extend(source.inputs)
    return nodes - inside


def _loops(structure: Structure) -> list[tuple[str, Dim]]:
    """The loops of a kernel, outermost first, and their lengths."""
    names = [row_variables, inner_variables, kept_variables]
    dims = (structure.rows, structure.inner, structure.kept)
    return [
        pair
        for variables, lengths in zip(names, dims, strict=True)
        for pair in zip(variables(structure), lengths, strict=True)
    ]


def _is_repeated(at: Indices, loops: list[tuple[str, Dim]]) -> bool:
    """Whether loops around the innermost one that a value depends on compute it often again."""
    used = frozenset().union(*(index.variables for index in at))
    last = max((n for n, (name, _) in enumerate(loops) if name in used), default=0)
    again = product(tuple(dim for name, dim in loops[:last] if name not in used))
    if again == 1:
        return False
    visited = product(tuple(dim for _, dim in loops[: last + 1]))
    return not isinstance(visited, int) or visited >= _WORTH_STORING


def row_results(grouping: Grouping, anchors: Anchors) -> set[Node]:
    """Values of one number a row that a later reduction takes, such as the loss of each example.

    The kernel that walks the rows stores that number, instead of everything it is made of.
    """
    found: set[Node] = set()
    for step in grouping.steps:
        if not isinstance(step, Group):
            continue
        for anchor in step.anchors:
            if anchor.op.kind != "reduction" or not anchors.inlined(anchor.inputs[0]):
                continue
            (taken,) = anchor.inputs
            dims = [dim for dim in taken.shape if dim != 1]
            for node, _ in anchor_demands(anchors, step, anchor):
                row = node.op.kind == "reduction" and [d for d in node.shape if d != 1] == dims
                if row and node not in step.loop and taken.op.kind == "elementwise":
                    found.add(taken)
    return found


def _heavy(places: dict[Node, set[tuple[Group, int]]], anchors: Anchors) -> set[Node]:
    found: set[Node] = set()
    for node in sorted(places, key=lambda n: n.number):
        if node.op.name in EXPENSIVE or any(s in found for s in node.inputs if anchors.inlined(s)):
            found.add(node)
    return found
