"""Derivatives of loops are loops: in both modes, of any order, and over batches.

The linear part of a body (what depends on a cotangent, or on a tangent) becomes a body of its own.
What it needs of the original's values, the residuals, the original stores for each step; cheap
elementwise operations are done again instead. Gradients of what a body captured, the weights, are
products and sums over all steps at once, after the loop, where their form allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.grad.reverse import gradient_table
from graphc.ir.body import Body
from graphc.ir.dim import Dim
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.traverse import depends_on, substitute, topological
from graphc.ops import zeros_like
from graphc.ops.contraction import matmul, matmul_op
from graphc.ops.cost import COSTLY_FUNCTIONS
from graphc.ops.indexing import scatter_add, scatter_add_op
from graphc.ops.layout import reshape, reshape_op, transpose, transpose_op
from graphc.ops.loop import Scan, make_scan, scan_op
from graphc.ops.reduction import sum_op
from graphc.ops.routine import item, pack
from graphc.ops.scalar import add
from graphc.ops.source import input


def cotangents_of(g: Node, scan: Scan) -> list[Node]:
    """The cotangent of each result of a scan, from that of the node."""
    return [item(g, place) for place in range(len(scan.body.outputs))]


@dataclass(eq=False, repr=False)
class Linear:
    """The linear part of a body, with residuals as elements: (placeholder, forward node) pairs."""

    outputs: list[Node]
    residuals: list[tuple[Node, Node]]


def separate(outputs: Sequence[Node], scan: Scan, variables: Sequence[Node]) -> Linear:
    """Split what depends on `variables` from the values of the body that it uses."""
    body = scan.body
    _, _, outside = scan.split(body.placeholders)
    varying = depends_on(outputs, [p for p in body.placeholders if p not in outside])
    linear = depends_on(outputs, variables)
    needed: dict[Node, None] = {}
    again = bool(scan.node.attrs["recompute"])
    for node in topological(outputs):
        if node in linear and node not in variables:
            for source in node.inputs:
                if source not in linear and source in varying:
                    _need(source, varying, needed, again)
    for output in outputs:
        if output not in linear and output in varying:
            _need(output, varying, needed, again)
    _, elements, _ = scan.split(body.placeholders)
    stored = [node for node in needed if node not in elements]
    pairs = [(input("residual", node.shape, node.dtype), node) for node in stored]
    replaced = substitute(outputs, {node: place for place, node in pairs})
    return Linear(replaced, pairs)


def _need(node: Node, varying: set[Node], needed: dict[Node, None], again: bool) -> None:
    """Store a value, or what it is cheaply made of; with `again`, whatever that costs."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current in needed or current not in varying:
            continue
        cheap = current.op.kind == "layout" or (
            current.op.kind == "elementwise" and current.op.name not in COSTLY_FUNCTIONS
        )
        if current.inputs and (cheap or again):
            stack.extend(current.inputs)
        else:
            needed[current] = None


def with_residuals(scan: Scan, residuals: Sequence[Node]) -> list[Node]:
    """The values of some nodes of the body at every step, as more results of the same loop."""
    body, attrs = scan.body, scan.node.attrs
    extended = Body(body.placeholders, (*body.outputs, *residuals))
    node = make(scan_op, scan.node.inputs, **{**attrs, "body": extended})
    first = len(body.outputs)
    return [item(node, first + place) for place in range(len(residuals))]


def gradients_of(
    outputs: Sequence[Node], cotangents: Sequence[Node], targets: Sequence[Node]
) -> dict[Node, Node]:
    """The gradients at `targets` from cotangents at several outputs; those that are no floats have
    none."""
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.dtype.is_float]
    if not pairs:
        return {}
    kept, seeds = zip(*pairs, strict=True)
    return gradient_table(pack(kept), pack(seeds), targets)


def _or_zero(found: Node | None, like: Node) -> Node:
    return zeros_like(like) if found is None else found


# ---- reverse mode


def scan_vjp(node: Node, g: Node) -> list[Node | None]:
    """The cotangents of a scan's inputs: a scan the other way round."""
    scan = Scan(node)
    body = scan.body
    given = cotangents_of(g, scan)
    places = [
        input("cotangent", output.shape, output.dtype) if output.dtype.is_float else None
        for output in body.outputs
    ]
    seeds = tuple(
        zeros_like(output) if place is None else place
        for output, place in zip(body.outputs, places, strict=True)
    )
    targets = [p for p in body.placeholders if p.dtype.is_float]
    table = gradients_of(body.outputs, seeds, targets)
    return _Reverse(scan, places, given, [table.get(p) for p in body.placeholders]).shares()


class _Reverse:
    """The backward scan of one scan, from the cotangents of its body's placeholders."""

    def __init__(
        self,
        scan: Scan,
        places: Sequence[Node | None],
        given: Sequence[Node],
        found: Sequence[Node | None],
    ) -> None:
        self.scan, self.places, self.given = scan, places, given
        self.carry_found, self.element_found, self.captured_found = scan.split(found)

    def shares(self) -> list[Node | None]:
        """A cotangent for each input of the scan, None where there is none."""
        scan, body = self.scan, self.scan.body
        carry_places, _, outside = scan.split(body.placeholders)
        moving = [i for i, place in enumerate(self.places[: scan.carries]) if place is not None]
        # A sum after the loop is faster, but takes memory for every step.
        late = not scan.node.attrs["recompute"]
        tails = [_tail(f) if f is not None and late else None for f in self.captured_found]
        added = [k for k, f in enumerate(self.captured_found) if f is not None and tails[k] is None]
        totals = [input("total", outside[k].shape, outside[k].dtype) for k in added]
        new = [_or_zero(self.carry_found[i], carry_places[i]) for i in moving]
        new += [add(total, self.captured_found[k]) for total, k in zip(totals, added, strict=True)]
        stacked = [e for e in self.element_found if e is not None]
        stacked += [part for tail in tails if tail is not None for part in tail.parts]
        variables = [p for p in self.places if p is not None] + totals
        linear = separate([*new, *stacked], scan, variables)
        starts = [self.given[i] for i in moving]
        starts += [zeros_like(outside[k]) for k in added]
        carried = [self.places[i] for i in moving]
        node = self._run(linear, [p for p in carried if p is not None] + totals, starts)
        return self._collect(node, moving, added, tails)

    def _run(self, linear: Linear, carried: list[Node], starts: list[Node]) -> Node:
        scan, body = self.scan, self.scan.body
        _, elements, outside = scan.split(body.placeholders)
        _, sequences, values = scan.split(scan.node.inputs)
        kept = with_residuals(scan, [node for _, node in linear.residuals])
        pairs = [(place, known) for (place, _), known in zip(linear.residuals, kept, strict=True)]
        pairs += zip(elements, sequences, strict=True)
        results = zip(self.places[scan.carries :], self.given[scan.carries :], strict=True)
        pairs += [(place, value) for place, value in results if place is not None]
        used = set(topological(linear.outputs))
        pairs = [(place, value) for place, value in pairs if place in used]
        outputs = substitute(linear.outputs, dict(zip(outside, values, strict=True)))
        return make_scan(
            outputs, (carried, starts), ([p for p, _ in pairs], [v for _, v in pairs]),
            scan.length, not scan.reverse,
        )  # fmt: skip

    def _collect(
        self, node: Node, moving: list[int], added: list[int], tails: Sequence[_Tail | None]
    ) -> list[Node | None]:
        scan = self.scan
        carries: list[Node | None] = [None] * scan.carries
        captured: list[Node | None] = [None] * len(self.captured_found)
        at = 0
        for i in moving:
            carries[i], at = item(node, at), at + 1
        for k in added:
            captured[k], at = item(node, at), at + 1
        elements: list[Node | None] = []
        for found in self.element_found:
            elements.append(None if found is None else item(node, at))
            at += found is not None
        for k, tail in enumerate(tails):
            if tail is not None:
                parts = [item(node, at + i) for i in range(len(tail.parts))]
                captured[k], at = tail.combine(parts), at + len(parts)
        return [*carries, *elements, *captured]


@dataclass(eq=False, repr=False)
class _Tail:
    """A sum over all steps, from parts that the loop stacks: what comes after the loop."""

    parts: list[Node]
    combine: Callable[[list[Node]], Node]


def _tail(term: Node) -> _Tail | None:
    """A term of a body whose sum over the steps is better taken after the loop; None if it is
    not."""
    if term.op is add:
        return _both(*term.inputs)
    if term.op is matmul_op and term.ndim == 2:
        return _product(*term.inputs)
    if term.op is sum_op:
        axes = (0, *(axis + 1 for axis in term.attrs["axes"]))
        shape = term.shape
        return _Tail(
            [term.inputs[0]],
            lambda s: reshape(make(sum_op, (s[0],), axes=axes, keepdims=False), shape),
        )
    if term.op is scatter_add_op and term.attrs["axes"] == (0,):
        return _Tail(list(term.inputs), lambda s: scatter_add(s[0], s[1], term.shape[0]))
    if term.op in (reshape_op, transpose_op):
        inner = _tail(term.inputs[0])
        if inner is not None:
            op, attrs = term.op, term.attrs
            return _Tail(inner.parts, lambda s: make(op, (inner.combine(s),), **attrs))
    return None


def _both(left: Node, right: Node) -> _Tail | None:
    if left.shape != right.shape:
        return None
    first, second = _tail(left), _tail(right)
    if first is None or second is None:
        return None
    count = len(first.parts)
    return _Tail(
        [*first.parts, *second.parts],
        lambda s: add(first.combine(s[:count]), second.combine(s[count:])),
    )


def _product(a: Node, b: Node) -> _Tail:
    """The products of all steps are one product over the steps and the inner axis."""
    flipped = a.op is transpose_op
    left = a.inputs[0] if flipped else a

    def combine(stacked: list[Node]) -> Node:
        whole, right = stacked
        if flipped:
            rows = transpose(reshape(whole, _merged(whole)), (1, 0))
        else:
            moved = transpose(whole, (1, 0, 2))
            rows = reshape(moved, (moved.shape[0], moved.shape[1] * moved.shape[2]))
        return matmul(rows, reshape(right, _merged(right)))

    return _Tail([left, b], combine)


def _merged(stacked: Node) -> tuple[Dim, Dim]:
    return (stacked.shape[0] * stacked.shape[1], stacked.shape[2])


# ---- forward mode


def scan_jvp(
    node: Node,
    tangents: Sequence[Node | None],
    table_of: Callable[[Sequence[Node], dict[Node, Node]], dict[Node, Node]],
) -> Node | None:
    """The tangents of a scan's results: a scan over the tangents of its carries and elements.

    `table_of` finds tangents in a body (`forward.tangent_table`, which calls this).
    """
    scan = Scan(node)
    body = scan.body
    initial, _, _ = scan.split(body.placeholders)
    active = {
        place: input("tangent", place.shape, place.dtype)
        for place, tangent in zip(body.placeholders, tangents, strict=True)
        if place.dtype.is_float and (tangent is not None or place in initial)
    }
    known = dict(zip(body.placeholders, tangents, strict=True))
    table = table_of(body.outputs, active)
    outputs = [_or_zero(table.get(o), o) for o in body.outputs]
    moving = [i for i, place in enumerate(initial) if place in active]
    fixed = [i for i in range(scan.carries) if i not in moving]
    wanted = [outputs[i] for i in moving] + outputs[scan.carries :]
    linear = separate(wanted, scan, list(active.values()))
    made = _forward_scan(scan, linear, active, known, moving)
    finals = {i: item(made, at) for at, i in enumerate(moving)}
    finals |= {i: zeros_like(scan.node.inputs[i]) for i in fixed}
    rest = [item(made, len(moving) + j) for j in range(len(outputs) - scan.carries)]
    return pack((*(finals[i] for i in range(scan.carries)), *rest))


def _forward_scan(
    scan: Scan,
    linear: Linear,
    active: dict[Node, Node],
    known: dict[Node, Node | None],
    moving: list[int],
) -> Node:
    initial, elements, outside = scan.split(scan.body.placeholders)
    _, sequences, values = scan.split(scan.node.inputs)
    carried = [active[initial[i]] for i in moving]
    starts = [_or_zero(known[initial[i]], scan.node.inputs[i]) for i in moving]
    kept = with_residuals(scan, [node for _, node in linear.residuals])
    pairs = [(place, value) for (place, _), value in zip(linear.residuals, kept, strict=True)]
    pairs += zip(elements, sequences, strict=True)
    for place in elements:
        tangent = known[place]
        if tangent is not None and place in active:
            pairs.append((active[place], tangent))
    used = set(topological(linear.outputs))
    pairs = [(place, value) for place, value in pairs if place in used]
    replaced = dict(zip(outside, values, strict=True))
    for place in outside:
        tangent = known[place]
        if tangent is not None and place in active:
            replaced[active[place]] = tangent
    outputs = substitute(linear.outputs, replaced)
    return make_scan(
        outputs, (carried, starts), ([p for p, _ in pairs], [v for _, v in pairs]),
        scan.length, scan.reverse,
    )  # fmt: skip


OPERATORS["scan_vjp"] = scan_vjp
