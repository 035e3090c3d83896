"""Derivatives checked against differences, along random directions, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from graphc.errors import ArgumentError, GradientError
from graphc.grad.forward import jvp
from graphc.grad.reverse import grad, vjp
from graphc.ir.dtype import DType, float32, float64
from graphc.ir.node import Node, make
from graphc.ir.shape import TensorType
from graphc.ir.site import at_user_line, inherit_sites, raise_located
from graphc.ir.traverse import topological
from graphc.ops import sum as total_of
from graphc.ops.evaluate import evaluate, evaluate_all
from graphc.ops.source import const as constant
from graphc.ops.source import constant_op, input_op, param_op, state_op
from graphc.ops.source import input as declare

MODES = ("reverse", "forward")
Feed = Mapping[Node, Any]


class GradientCheck(NamedTuple):
    """One comparison: the derivative of some order along a direction, and what differences say."""

    order: int
    mode: str
    found: float
    expected: float

    @property
    def error(self) -> float:
        """The difference, relative to the larger of the two and 1."""
        return abs(self.found - self.expected) / max(abs(self.expected), abs(self.found), 1.0)


@at_user_line
def check_gradients(
    y: Node,
    wrt: Node | Sequence[Node],
    feed: Feed | None = None,
    order: int = 2,
    modes: Sequence[str] = MODES,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> tuple[GradientCheck, ...]:
    """Compare the derivatives of `y` with differences, and name the operation that is wrong.

    Args: `y`, a float node of any shape (its elements are summed with random weights); `wrt`, the
    inputs, parameters or states to differentiate with respect to; `feed`, values of the inputs;
    `order`, how many times to differentiate; `modes`, of "reverse" and "forward". The graph is
    computed in float64, whatever its own type, along random directions that follow from `seed`, and
    the differences are Richardson's of fourth order.

    Returns the comparisons. Raises GradientError where one differs by more than `tolerance`,
    relative to the larger of the value and 1: it names the first operation whose own derivative is
    wrong, with its line. At a corner, such as relu at 0, differences say something else than the
    derivative that an operation documents: choose values away from it.

    >>> from graphc.ops import tanh
    >>> x = declare("x", (3,))
    >>> [check.mode for check in check_gradients(tanh(x), x, {x: [0.5, -1.0, 2.0]}, order=1)]
    ['reverse', 'forward']
    """
    _check_arguments(y, order, modes)
    targets = [wrt] if isinstance(wrt, Node) else list(wrt)
    (wide,), renamed = in_float64([y])
    values = _values(topological([y]), feed or {}, renamed)
    places = [renamed.get(target, target) for target in targets]
    random = np.random.default_rng(seed)
    directions = {place: random.standard_normal(np.shape(values[place])) for place in places}
    found: list[GradientCheck] = []
    for mode in modes:
        for check, loss in _orders(wide, mode, order, values, directions, random):
            found.append(check)
            if not check.error <= tolerance:
                _complain(check, loss, values, tolerance)
    return tuple(found)


def _orders(
    y: Node,
    mode: str,
    most: int,
    values: dict[Node, Any],
    directions: dict[Node, np.ndarray],
    random: np.random.Generator,
) -> Iterator[tuple[GradientCheck, Node]]:
    """One derivative after the other, up to the order `most`: each compared, and the scalar that
    was differentiated."""
    for order in range(1, most + 1):
        loss = _weighted(y, values, random)
        check, y = _compare(loss, mode, order, values, directions)
        yield check, loss
        if not _depends(y, list(directions)):
            return


def _check_arguments(y: object, order: object, modes: Sequence[str]) -> None:
    if not isinstance(y, Node) or not isinstance(y.type, TensorType) or not y.dtype.is_float:
        raise ArgumentError(f"check_gradients: expected a float node, got {y!r}")
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ArgumentError(f"check_gradients: order must be a positive integer, got {order!r}")
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or isinstance(modes, str):
        raise ArgumentError(f"check_gradients: modes must be of {', '.join(MODES)}; got {modes!r}")


def in_float64(outputs: Sequence[Node]) -> tuple[list[Node], dict[Node, Node]]:
    """The graph computed in float64, and for each float32 declaration the input in its place."""
    new: dict[Node, Node] = {}
    renamed: dict[Node, Node] = {}
    for node in topological(outputs):
        with inherit_sites(node.sites):
            new[node] = _widened(node, tuple(new[source] for source in node.inputs))
        if node.op in (input_op, param_op, state_op):
            renamed[node] = new[node]
    return [new[output] for output in outputs], renamed


def _widened(node: Node, inputs: tuple[Node, ...]) -> Node:
    if node.op in (input_op, param_op, state_op):
        wide = float64 if node.dtype is float32 else node.dtype
        return declare(node.name, node.shape, wide)
    if node.op is constant_op and node.dtype is float32:
        return constant(node.attrs["value"].array, float64)
    attrs = {
        name: float64 if isinstance(value, DType) and value is float32 else value
        for name, value in node.attrs.items()
    }
    return make(node.op, inputs, **attrs)


def _values(nodes: Sequence[Node], feed: Feed, renamed: Mapping[Node, Node]) -> dict[Node, Any]:
    values: dict[Node, Any] = {}
    for node in nodes:
        if node not in renamed:
            continue
        if node in feed:
            given = np.asarray(feed[node])
        elif node.op is input_op:
            raise ArgumentError(f"check_gradients: input {node.name!r} was not fed")
        else:
            given = node.value
        values[renamed[node]] = given.astype(renamed[node].dtype.numpy)
    return values


def _weighted(y: Node, values: dict[Node, Any], random: np.random.Generator) -> Node:
    """A scalar: the elements of `y` with random weights, so that none hides behind another."""
    return total_of(y * _fed("weights", y, random.standard_normal(_extent(y, values)), values))


def _fed(name: str, like: Node, value: np.ndarray, values: dict[Node, Any]) -> Node:
    """An input of the shape of `like`, also where that is symbolic, with its value."""
    made = declare(name, like.shape, like.dtype)
    values[made] = value
    return made


def _extent(node: Node, values: Feed) -> tuple[int, ...]:
    return np.shape(evaluate(node, values))


def _compare(
    loss: Node, mode: str, order: int, values: dict[Node, Any], directions: dict[Node, np.ndarray]
) -> tuple[GradientCheck, Node]:
    """A check of one derivative, and that derivative, to go on with."""
    targets = list(directions)
    along = [_fed("direction", node, value, values) for node, value in directions.items()]
    if mode == "forward":
        derivative = jvp(loss, targets, along)
    else:
        gradients = grad(loss, targets, disconnected="zero")
        shares = [total_of(g * d) for g, d in zip(gradients, along, strict=True)]
        derivative = shares[0]
        for share in shares[1:]:
            derivative = derivative + share
    found = float(evaluate(derivative, values))
    return GradientCheck(order, mode, found, difference(loss, values, directions)), derivative


def difference(loss: Node, values: Feed, directions: Mapping[Node, np.ndarray]) -> float:
    """The derivative of a scalar along a direction by central differences, extrapolated."""

    def at(step: float) -> float:
        moved = {n: v + step * directions[n] if n in directions else v for n, v in values.items()}
        return float(evaluate(loss, moved))

    def central(step: float) -> float:
        return (at(step) - at(-step)) / (2 * step)

    step = 1e-4
    return (4 * central(step / 2) - central(step)) / 3


def _depends(node: Node, places: Sequence[Node]) -> bool:
    return any(place in topological([node]) for place in places)


def _complain(check: GradientCheck, loss: Node, values: Feed, tolerance: float) -> NoReturn:
    head = (
        f"check_gradients: the derivative of order {check.order} in {check.mode} mode is "
        f"{check.found:.10g} along a random direction, differences give {check.expected:.10g} "
        f"(expected equal to {tolerance:g})"
    )
    for node, error in suspects(loss, values):
        if error > tolerance:
            text = f"{head}. The derivative of {node.op.name} is wrong: {node!r}"
            raise_located(GradientError(text), node.sites)
    raise GradientError(f"{head}. No single operation is wrong: is a value close to a corner?")


def suspects(loss: Node, values: Feed) -> Iterator[tuple[Node, float]]:
    """Each differentiable node of a graph, and how far its own reverse rule is from differences at
    the values that it meets there."""
    known = evaluate_all([loss], values)
    random = np.random.default_rng(1)
    for node in topological([loss]):
        arrays = [s for s in (node, *node.inputs) if isinstance(s.type, TensorType)]
        if node.op.vjp is None or len(arrays) <= len(node.inputs):
            continue  # no rule of its own, or several results
        if not any(source.dtype.is_float for source in node.inputs):
            continue
        alone = [declare(f"x{i}", s.shape, s.dtype) for i, s in enumerate(node.inputs)]
        one = make(node.op, tuple(alone), **node.attrs)
        feed = {a: known[s] for a, s in zip(alone, node.inputs, strict=True)}
        moving = [a for a in alone if a.dtype.is_float]
        directions = {a: random.standard_normal(np.shape(feed[a])) for a in moving}
        weights = _fed("weights", node, random.standard_normal(np.shape(known[node])), feed)
        shares = vjp(one, moving, weights, disconnected="zero")
        found = sum(
            float(np.vdot(evaluate(s, feed), directions[a]))
            for a, s in zip(moving, shares, strict=True)
        )
        expected = difference(total_of(one * weights), feed, directions)
        yield node, GradientCheck(1, "reverse", found, expected).error
