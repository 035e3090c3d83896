"""The interpreter: a graph's value in NumPy, node by node, without passes. It is the oracle of
every other target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.ir.dim import Size, size_names
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.node import Node
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import at_user_line, raise_located
from graphc.ir.traverse import topological
from graphc.ops.effect import EffectOp, effects_of
from graphc.ops.layout import slice_op
from graphc.ops.reduction import ReductionOp
from graphc.ops.source import flag_op, input_op, param_op, size_op, state_op
from graphc.ops.windows import fold_op, misplaced, window_op

Feed = Mapping[Node, Any]
Values = dict[Node, Any]


def bind_sizes(pairs: Sequence[tuple[Node, tuple[int, ...]]]) -> dict[str, int]:
    """The values of named sizes, from declared nodes and the shapes of their arrays.

    Raises ShapeError, naming the inputs, where a shape does not fit or one name gets two values.
    """
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    for node, shape in pairs:
        if len(shape) != node.ndim:
            raise ShapeError(_misfit(node, shape))
        for dim, length in zip(node.shape, shape, strict=True):
            if isinstance(dim, int):
                if dim != length:
                    raise ShapeError(_misfit(node, shape))
                continue
            name = dim.terms[0][0][0][0] if _is_name(dim) else None
            if isinstance(name, str) and sizes.setdefault(name, length) != length:
                raise ShapeError(
                    f"size {name} is {sizes[name]} in {origin[name]} and {length} in {node.name!r}"
                )
            if isinstance(name, str):
                origin.setdefault(name, repr(node.name))
    _check_derived(pairs, sizes)
    return sizes


def _is_name(dim: Size) -> bool:
    ((monomial, coefficient), *rest) = dim.terms
    return not rest and coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1


def _misfit(node: Node, shape: tuple[int, ...]) -> str:
    return (
        f"{node.op.name} {node.name!r}: expected shape {shape_text(node.shape)}, "
        f"got {shape_text(shape)}"
    )


def _check_derived(pairs: Sequence[tuple[Node, tuple[int, ...]]], sizes: Mapping[str, int]) -> None:
    for node, shape in pairs:
        for dim, length in zip(node.shape, shape, strict=True):
            known = all(name in sizes for name in size_names(dim))
            if known and evaluate_dim(dim, sizes) != length:
                raise ShapeError(_misfit(node, shape))


def check_sizes(nodes: Iterable[Node], sizes: Mapping[str, int]) -> None:
    """Raise ShapeError, with the user's line, for a node that these sizes leave undefined.

    A slice may reach outside its axis, a dimension such as n - 3 be negative, an axis without
    elements have no largest one.
    """
    for node in nodes:
        if isinstance(node.type, TupleType):
            continue
        problem = _undefined(node, sizes)
        if problem:
            known = ", ".join(f"{name} = {value}" for name, value in sizes.items())
            raise_located(ShapeError(f"{node.op.name}: {problem}, for {known}"), node.sites)


def _undefined(node: Node, sizes: Mapping[str, int]) -> str:
    """What is wrong with a node for given sizes; empty if nothing is."""
    shape = resolve(node.shape, sizes) if any(isinstance(d, Size) for d in node.shape) else ()
    if any(dim < 0 for dim in shape):
        return f"the shape {shape_text(node.shape)} would be {shape_text(shape)}"
    if node.op is slice_op:
        taken = zip(resolve(node.attrs["bounds"], sizes), node.inputs[0].shape, strict=True)
        for (start, stop, step), dim in taken:
            reached = range(start, stop, step)
            length = evaluate_dim(dim, sizes)
            if reached and not (0 <= reached[0] < length and 0 <= reached[-1] < length):
                return f"elements {reached[0]} to {reached[-1]} of an axis of {length}"
    if node.op in (window_op, fold_op):
        return next(misplaced(node, lambda dim: evaluate_dim(dim, sizes)), "")
    if isinstance(node.op, ReductionOp) and node.op.identity is None:
        for axis in node.attrs["axes"]:
            if evaluate_dim(node.inputs[0].shape[axis], sizes) == 0:
                return f"axis {axis} of {shape_text(node.inputs[0].shape)} has no elements"
    return ""


def resolve(attribute: Any, sizes: Mapping[str, int]) -> Any:
    """An attribute with its symbolic dimensions replaced by their values."""
    if isinstance(attribute, Size):
        missing = [name for name in size_names(attribute) if name not in sizes]
        if missing:
            raise ArgumentError(f"the size {missing[0]!r} is not known: no fed input has it")
        return evaluate_dim(attribute, sizes)
    if isinstance(attribute, tuple):
        return tuple(resolve(item, sizes) for item in attribute)
    return attribute


def as_argument(node: Node, value: Any) -> np.ndarray:
    """A fed value as an array of the declared dtype, or an error that names the input.

    Floats are cast to the declared float type; integers are range-checked; nothing else is
    converted.
    """
    array = np.asarray(value)
    wanted = node.dtype.numpy
    if array.dtype == wanted:
        return array
    kinds = {"b": "b", "u": "biu", "i": "biu", "f": "biuf"}[wanted.kind]
    if array.dtype.kind not in kinds:
        raise DTypeError(
            f"{node.op.name} {node.name!r}: expected {node.dtype} values, got {array.dtype}"
        )
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted.name)
        if array.dtype.kind != "b" and (array.min() < limits.min or array.max() > limits.max):
            raise DTypeError(
                f"{node.op.name} {node.name!r}: values {array.min()}..{array.max()} do not fit "
                f"{node.dtype}"
            )
    return array.astype(wanted)


def evaluate_all(
    outputs: Sequence[Node],
    feed: Feed,
    step: int = 0,
    stop_at: Node | None = None,
    known_sizes: Mapping[str, int] | None = None,
) -> Values:
    """The value of every node of the graph of `outputs`, in evaluation order."""
    order = topological(outputs)
    values: Values = {}
    for node, value in feed.items():
        if not isinstance(node, Node):
            raise ArgumentError(f"evaluate: keys must be nodes, got {type(node).__name__}")
        values[node] = as_argument(node, value)
    declared = [n for n in order if n.op in (param_op, state_op) and n not in values]
    for node in declared:
        values[node] = node.value
    sizes = bind_sizes([(node, np.shape(value)) for node, value in values.items()])
    sizes = {**(known_sizes or {}), **sizes}
    check_sizes((node for node in order if node not in values), sizes)
    with np.errstate(all="ignore"):
        for node in order:
            if node not in values:
                values[node] = _compute(node, values, sizes, step)
            if node is stop_at:
                break
    return values


def _compute(node: Node, values: Values, sizes: Mapping[str, int], step: int) -> Any:
    if node.op is input_op:
        raise ArgumentError(f"evaluate: input {node.name!r} was not fed")
    if node.op is flag_op:
        return np.asarray(True)
    attrs = {name: resolve(value, sizes) for name, value in node.attrs.items()}
    if node.op is size_op:
        attrs["value"] = attrs["dim"]
    operands = [values[source] for source in node.inputs]
    if node.op.kind == "loop":
        attrs |= {"sizes": sizes, "step": step}
    if node.op.kind == "random":
        return node.op.reference({**attrs, "step": step}, *operands)
    try:
        if isinstance(node.op, EffectOp):
            node.op.perform(node, values)
        result = node.op.reference(attrs, *operands)
    except GraphcError as error:
        raise_located(error, node.sites)
    if isinstance(node.type, TupleType):
        return tuple(
            np.asarray(r, dtype=t.dtype.numpy) for r, t in zip(result, node.type.items, strict=True)
        )
    if node.op.kind == "numpy":
        _check_shape(node, result, sizes)
    return np.asarray(result, dtype=node.dtype.numpy)


def _check_shape(node: Node, result: np.ndarray, sizes: Mapping[str, int]) -> None:
    expected = resolve(node.shape, sizes)
    if np.shape(result) != expected:
        error = ShapeError(
            f"{node.op.name}: expected {shape_text(expected)}, the reference gives "
            f"{shape_text(np.shape(result))}"
        )
        raise_located(error, node.sites)


def evaluate_static(node: Node, sizes: Mapping[str, int]) -> float:
    """The value of a scalar that depends on constants and sizes only."""
    values: Values = {}
    with np.errstate(all="ignore"):
        for current in topological([node]):
            values[current] = _compute(current, values, sizes, 0)
    return float(values[node])


@at_user_line
def evaluate(y: Node | Sequence[Node], feed: Feed | None = None, step: int = 0) -> Any:
    """The value of a node, or a list for several, in NumPy and without compiling.

    Args: `feed` maps inputs (or any other nodes) to values; parameters and states have their own.
    `step` is the step that random draws see. Raises ArgumentError, ShapeError or DTypeError naming
    the input, CheckFailedError where a `gx.check` does not hold.

    >>> from graphc.ops.source import input
    >>> x = input("x")
    >>> float(evaluate(x * x, {x: 3.0}))
    9.0
    """
    outputs = [y] if isinstance(y, Node) else list(y)
    known = feed or {}
    unfed = {n for n in topological(outputs) if n.op is input_op and n not in known}
    effects = effects_of((*outputs, *(n for n in known if isinstance(n, Node))), missing=unfed)
    values = evaluate_all([*outputs, *effects], known, step)
    result = [
        tuple(v.copy() for v in values[o]) if isinstance(values[o], tuple) else values[o].copy()
        for o in outputs
    ]
    return result[0] if isinstance(y, Node) else result
