"""Loops over time: one body, traced once, for every step of a sequence.

A scan is a node with several results: the last carries, then what each step gives, stacked. Its
body holds what depends on the carry or on the step's element; all else is captured, computed once
outside. Random draws inside become sequences drawn outside, so every step has its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.body import Body, captured
from graphc.ir.dim import Dim, as_dim, floor_divide
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.node import OPERATORS, Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, TupleType, shape_text
from graphc.ir.site import inherit_sites, raise_located
from graphc.ir.traverse import depends_on, substitute
from graphc.ops.evaluate import evaluate_all
from graphc.ops.joining import concat
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.placement import slice_axes
from graphc.ops.routine import item
from graphc.ops.source import input
from graphc.ops.statement import state_of
from graphc.ops.structure import flatten
from graphc.ops.tracing import draws_since, refuse_draws_in_bodies, take_effects, trace


class LoopOp(Op):
    """An operation that runs a body again and again: attributes `body`, `carries` and more."""

    kind = "loop"


class Scan(NamedTuple):
    """The parts of a scan node, by their meaning."""

    node: Node

    @property
    def body(self) -> Body:
        """The step: from carries, elements and captured values to carries and results."""
        found: Body = self.node.attrs["body"]
        return found

    @property
    def carries(self) -> int:
        """The number of carried values."""
        return int(self.node.attrs["carries"])

    @property
    def sequences(self) -> int:
        """The number of sequences that are walked."""
        return int(self.node.attrs["sequences"])

    @property
    def length(self) -> Dim:
        """The number of steps."""
        found: Dim = self.node.attrs["length"]
        return found

    @property
    def reverse(self) -> bool:
        """Whether the sequences are walked from their ends."""
        return bool(self.node.attrs["reverse"])

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Carries, sequences (or elements) and captured values, of inputs or placeholders."""
        first, second = self.carries, self.carries + self.sequences
        return list(values[:first]), list(values[first:second]), list(values[second:])


def _infer_scan(inputs: tuple[Node, ...], attrs: Attributes) -> TupleType:
    body: Body = attrs["body"]
    count, length = attrs["carries"], attrs["length"]
    walked = count + attrs["sequences"]
    rows = [TensorType(node.dtype, node.shape[1:]) for node in inputs[count:walked]]
    kept = [node.tensor for node in (*inputs[:count], *inputs[walked:])]
    body.expect("scan", [*kept[:count], *rows, *kept[count:]])
    for place, (new, given) in enumerate(zip(body.outputs[:count], inputs[:count], strict=True)):
        if new.type != given.type:
            raise ShapeError(
                f"scan: carry {place} goes in as {given.type} and comes out of the body as "
                f"{new.type}; expected the same shape and dtype"
            )
    finals = tuple(node.tensor for node in body.outputs[:count])
    stacked = (TensorType(node.dtype, (length, *node.shape)) for node in body.outputs[count:])
    return TupleType((*finals, *stacked))


def _scan_reference(attrs: Attributes, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    body: Body = attrs["body"]
    carries, sequences, length = attrs["carries"], attrs["sequences"], attrs["length"]
    carried = list(arrays[:carries])
    walked, outside = arrays[carries : carries + sequences], arrays[carries + sequences :]
    collected: list[list[Any]] = [[] for _ in body.outputs[carries:]]
    order = range(length - 1, -1, -1) if attrs["reverse"] else range(length)
    for step in order:
        given = (*carried, *(sequence[step] for sequence in walked), *outside)
        feed = dict(zip(body.placeholders, given, strict=True))
        values = evaluate_all(body.outputs, feed, attrs["step"], known_sizes=attrs["sizes"])
        carried = [values[node] for node in body.outputs[:carries]]
        for rows, node in zip(collected, body.outputs[carries:], strict=True):
            rows.append(values[node])
    if attrs["reverse"]:
        collected = [rows[::-1] for rows in collected]
    stacked = (
        np.stack(rows) if rows else np.zeros((0, *_row_shape(node, attrs["sizes"])))
        for rows, node in zip(collected, body.outputs[carries:], strict=True)
    )
    return (*carried, *stacked)


def _row_shape(node: Node, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate_dim(dim, sizes) for dim in node.shape)


scan_op = LoopOp(
    "scan", _infer_scan, _scan_reference,
    # Differentiating a body is the business of the floor above.
    lambda node, g: OPERATORS["scan_vjp"](node, g),
    notation=Notation(
        lambda node: f"scan({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
        lambda node: r"\operatorname{scan}\left("
        + ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        + r"\right)",
        ATOM,
    ),
    doc="a body for each element of a sequence, with values carried from step to step",
)  # fmt: skip
register(scan_op)


Pairs = tuple[Sequence[Node], Sequence[Node]]


def make_scan(
    outputs: Sequence[Node],
    carry: Pairs,
    elements: Pairs,
    length: Dim,
    reverse: bool,
    recompute: bool = False,
) -> Node:
    """A scan from a traced body: `carry` and `elements` are (placeholders, values from outside).

    What the body uses besides is captured, draws too. With `recompute` its derivative stores
    nothing but the carries, and does the rest of each step again.
    """
    places, sequences = elements
    inside = [*carry[0], *places]
    outside = captured(outputs, inside)
    stand_ins = [input(node.name or "captured", node.shape, node.dtype) for node in outside]
    closed = substitute(outputs, dict(zip(outside, stand_ins, strict=True)))
    body = Body((*inside, *stand_ins), tuple(closed))
    return make(
        scan_op, (*carry[1], *sequences, *outside), body=body, carries=len(carry[0]),
        sequences=len(sequences), length=length, reverse=reverse, recompute=recompute,
    )  # fmt: skip


def draws_outside(
    outputs: Sequence[Node], elements: Pairs, length: Dim, carry: Sequence[Node], since: int
) -> tuple[list[Node], Pairs]:
    """The outputs with each draw made from the number `since` on as the element of a sequence that
    is drawn outside; and all elements, with these.

    Raises ArgumentError for a draw with a parameter that depends on an element or on the `carry`.
    """
    found: dict[Node, Node] = {}
    places, sequences = list(elements[0]), list(elements[1])
    for node in draws_since(outputs, since):
        if node.op.kind == "random" and not node.inputs:
            with inherit_sites(node.sites):
                shape = (length, *node.attrs["shape"])
                sequences.append(make(node.op, **{**node.attrs, "shape": shape}))
        elif getattr(node.op, "parametric", False):
            sequences.append(_parametric_sequence(node, [*carry, *places], length))
        else:
            continue
        found[node] = input(node.name or "draw", node.shape, node.dtype)
        places.append(found[node])
    new = substitute(outputs, dict(found)) if found else list(outputs)
    refuse_draws_in_bodies("scan", new)
    return new, (places, sequences)


def _parametric_sequence(node: Node, places: Sequence[Node], length: Dim) -> Node:
    """A draw for each step, with parameters that are the same in all of them."""
    if node in depends_on([node], places):
        error = ArgumentError(
            f"scan: {node.op.name} in a body takes parameters from outside; draw the sequence "
            f"outside and take it as xs"
        )
        raise_located(error, node.sites)
    with inherit_sites(node.sites):
        spread = [broadcast_to(source, (length, *source.shape)) for source in node.inputs]
        return make(node.op, tuple(spread), **node.attrs)


def scan(
    fn: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    checkpoint: int | str | None = None,
) -> tuple[Any, Any]:
    """Run `fn(carry, x) -> (carry, y)` over a sequence; gives (the last carry, all y stacked).

    Args: `init`, what the first step gets as its carry: a node, array or number, or a tuple, list
    or dictionary of them; `xs`, a sequence or a structure of sequences of one length, whose
    elements along the first axis are the `x` of the steps; None where there is none, and then
    `length` says how many steps; `reverse`, from the last element to the first (the stacked
    results are in the order of the sequence); `checkpoint`, the number of steps between carries
    that reverse mode stores, or "sqrt" for the square root of a fixed length: it does the steps
    between them again, which takes about as long as the loop and needs memory for length /
    checkpoint + checkpoint steps instead of all of them (Griewank 1992). `fn` is called with
    placeholders, once, or again where a carry that starts as a Python number comes out of another
    dtype, which it then has from the start.

    A draw that the body makes is another one in every step; one made outside is the same in all.
    `gx.check` and `gx.print` in the body are of all steps together. A value some steps back is an
    element of the carry, or a slice of the sequence that starts earlier: `xs=(x[1:], x[:-1])`.

    Raises ShapeError where a carry comes out with another shape or dtype than it went in, where
    sequences have different lengths, ArgumentError where `fn` does not return (carry, y).

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", ("n",))
    >>> total, partial = scan(lambda carry, x: (carry + x, carry + x), 0.0, x)
    >>> evaluate(partial, {x: [1.0, 2.0, 3.0]})
    array([1., 3., 6.], dtype=float32)
    """
    if not callable(fn):
        raise ArgumentError(f"scan: expected a function of (carry, x), got {type(fn).__name__}")
    sequences, rebuild_element = flatten(xs)
    count = _length(sequences, length)
    elements = [input(node.name or "element", node.shape[1:], node.dtype) for node in sequences]
    made = trace("scan", init, lambda carry: _step(fn, carry, rebuild_element(elements)))
    given, rebuild_result = flatten(made.result)
    outputs = [*made.carries, *given]
    draws = draws_since(outputs, made.since)
    effects = take_effects([*made.places, *elements, *draws])
    outputs += [effect.inputs[0] for effect in effects]
    outputs, steps = draws_outside(outputs, (elements, sequences), count, made.places, made.since)
    carry = (made.places, made.initial)
    items = _results(outputs, carry, steps, count, reverse, checkpoint)
    _, rebuild_carry = flatten(init)
    first, last = len(made.carries), len(made.carries) + len(given)
    for effect, stacked in zip(effects, items[last:], strict=True):
        state_of(effect, stacked)
    return rebuild_carry(items[:first]), rebuild_result(items[first:last])


def _results(
    outputs: list[Node], carry: Pairs, steps: Pairs, length: Dim, reverse: bool, checkpoint: object
) -> list[Node]:
    """The last carries and the stacked outputs, of a loop with or without stored carries."""
    if checkpoint is not None:
        every = _every(checkpoint, length)
        return blocked_scan(outputs, carry, steps, length, reverse, every)
    node = make_scan(outputs, carry, steps, length, reverse)
    return [item(node, i) for i in range(len(outputs))]


def _step(fn: Callable[..., Any], carry: Any, element: Any) -> tuple[Any, Any]:
    result = fn(carry, element)
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(f"scan: expected the body to return (carry, y), got {result!r}")
    return result


def _every(checkpoint: object, length: Dim) -> int:
    """The number of steps between stored carries."""
    if checkpoint == "sqrt":
        if not isinstance(length, int):
            raise ArgumentError(
                f"scan: checkpoint='sqrt' takes a fixed length, got {length}; give the number of "
                f"steps between stored carries"
            )
        return max(1, math.isqrt(length))
    if isinstance(checkpoint, bool) or not isinstance(checkpoint, int) or checkpoint < 1:
        raise ArgumentError(
            f"scan: checkpoint must be a positive integer or 'sqrt', got {checkpoint!r}"
        )
    return checkpoint


def blocked_scan(
    outputs: Sequence[Node], carry: Pairs, elements: Pairs, length: Dim, reverse: bool, every: int
) -> list[Node]:
    """The results of a scan that is done as a scan over blocks of `every` steps, and the rest.

    The blocks are done again by the derivative, each when it is needed.
    """
    places, sequences = elements
    blocks = floor_divide(length, every)
    whole = blocks * every
    # The rest comes last, so at the front of a sequence that is walked from its end.
    first, last = (length - whole, length) if reverse else (0, whole)
    starts = [input(p.name, p.shape, p.dtype) for p in carry[0]]
    rows = [input(p.name, (every, *p.shape), p.dtype) for p in places]
    inner = make_scan(outputs, (carry[0], starts), (places, rows), every, reverse)
    results = [item(inner, i) for i in range(len(outputs))]
    grouped = [reshape(_rows(s, first, last), (blocks, every, *s.shape[1:])) for s in sequences]
    outer = make_scan(results, (starts, carry[1]), (rows, grouped), blocks, reverse, recompute=True)
    count = len(carry[0])
    finals = [item(outer, i) for i in range(count)]
    stacked = [item(outer, i) for i in range(count, len(outputs))]
    stacked = [reshape(y, (whole, *y.shape[2:])) for y in stacked]
    if length == whole:
        return [*finals, *stacked]
    ends = (0, first) if reverse else (last, length)
    tails = [_rows(s, *ends) for s in sequences]
    rest = make_scan(outputs, (carry[0], finals), (places, tails), ends[1] - ends[0], reverse)
    after = [item(rest, i) for i in range(count, len(outputs))]
    pairs = zip(after, stacked, strict=True) if reverse else zip(stacked, after, strict=True)
    return [*(item(rest, i) for i in range(count)), *(concat(pair) for pair in pairs)]


def _rows(x: Node, start: Dim, stop: Dim) -> Node:
    return slice_axes(x, ((start, stop, 1), *((0, dim, 1) for dim in x.shape[1:])))


def _length(sequences: Sequence[Node], length: Any) -> Dim:
    known = None if length is None else as_dim(length)
    for place, node in enumerate(sequences):
        if node.ndim == 0:
            raise ShapeError(f"scan: sequence {place} is a scalar; expected a first axis to walk")
        if known is not None and node.shape[0] != known:
            raise ShapeError(
                f"scan: sequence {place} has {node.shape[0]} elements ({shape_text(node.shape)}), "
                f"expected {known}"
            )
        known = node.shape[0]
    if known is None:
        raise ArgumentError("scan: expected xs, or length= where there is no sequence")
    if isinstance(known, int) and known < 0:
        raise ArgumentError(f"scan: expected a length of at least 0, got {known}")
    return known
