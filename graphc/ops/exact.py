"""The truth: graphs evaluated by mpmath to as many digits as it takes, from the operations' own
formulas.

Floats are numbers of mpmath in object arrays, integers and truth values are NumPy's. What is fed
counts as exact, and nothing is rounded to a float type on the way, not even by a cast. Where
mathematics defines no real number (log of a negative, 0 / 0), the truth is nan.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, GraphcError
from graphc.ir.node import Node
from graphc.ir.shape import TupleType
from graphc.ir.site import raise_located
from graphc.ir.traverse import topological
from graphc.ops.elementwise import ElementwiseOp, cast_op
from graphc.ops.evaluate import as_argument, bind_sizes, check_sizes, resolve
from graphc.ops.exact_names import evaluate_formula, not_a_number
from graphc.ops.reduction import ReductionOp
from graphc.ops.source import flag_op, input_op, param_op, size_op, state_op

DIGITS = 60
_FIRST_DIGITS = {4: 150, 8: 400}  # by the bytes of a float
_MORE_DIGITS, _ATTEMPTS = 30, 4
# Two precisions agree if they differ by less than the first, relative, or the second, far below
# the smallest float64.
_RELATIVE, _ABSOLUTE = 1e-25, "1e-340"
_CONDITION_DIGITS, _CONDITION_STEP = 400, "1e-30"
_EDGE = 8.0  # units in the last place that a number below infinity may be rounded up by

_WITHOUT = {
    "random": "it is drawn at random",
    "loop": "bodies of loops and branches are not evaluated with many digits",
}

Truth = np.ndarray | tuple[np.ndarray, ...]


def truth(y: Node, feed: Mapping[Node, Any], digits: int = DIGITS) -> Any:
    """The value of a node, computed with so many digits throughout; a tuple for several results.

    Parameters and states that are not fed have their own values. Raises ArgumentError for an input
    without a value, for random draws, and for an operation that has no exact value, naming it.
    """
    import mpmath

    with mpmath.workdps(digits):
        return _Evaluation(y, feed).value(y)


def settled_truth(y: Node, feed: Mapping[Node, Any]) -> np.ndarray:
    """The value of a node with as many digits as it takes: their number is doubled until each
    element stays the same with a few more.

    The first number holds 1 + x apart from 1 for every x of the node's dtype: with fewer, two
    precisions could agree on a cancellation that neither sees. An element that never settles, such
    as floor of what is a hair's breadth from an integer, is nan.
    """
    digits = _FIRST_DIGITS[y.dtype.itemsize]
    for _ in range(_ATTEMPTS):
        found, more = (np.asarray(truth(y, feed, d)) for d in (digits, digits + _MORE_DIGITS))
        settled = [_agree(a, b) for a, b in zip(found.flat, more.flat, strict=True)]
        if all(settled):
            return more
        digits *= 2
    values = [b if same else not_a_number() for b, same in zip(more.flat, settled, strict=True)]
    return _objects(values, more.shape)


def condition_number(y: Node, feed: Mapping[Node, Any], element: tuple[int, ...] = ()) -> float:
    """How much larger than a relative change of all that is fed that of one element of `y` is.

    The sum of |x df/dx| / |f| over all numbers x that are fed, by differences with many digits;
    infinite where the element is 0 and the sum is not.
    """
    import mpmath

    with mpmath.workdps(_CONDITION_DIGITS):
        exact = {node: lift(_fed(node, value)) for node, value in feed.items()}
        total = mpmath.mpf(0)
        step = mpmath.mpf(_CONDITION_STEP)
        for node, array in exact.items():
            for place in np.ndindex(array.shape):
                ends = []
                for factor in (1 + step, 1 - step):
                    moved = array.copy()
                    moved[place] = array[place] * factor
                    ends.append(truth(y, {**exact, node: moved}, _CONDITION_DIGITS)[element])
                total += abs(ends[0] - ends[1]) / (2 * step)
        value = abs(truth(y, exact, _CONDITION_DIGITS)[element])
        if value == 0:
            return 0.0 if total == 0 else float("inf")
        return float(total / value)


def ulp_errors(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far floats are from exact numbers, in units in the last place of the exact ones.

    nan where there is no exact number; infinite where only one of the two is finite, except at the
    edge of the range, where infinity counts as the number after the largest one.
    """
    import mpmath

    with mpmath.workdps(DIGITS):
        errors = [_ulp_error(g, e) for g, e in zip(got.flat, exact.flat, strict=True)]
    return np.array(errors, np.float64).reshape(got.shape)


def _ulp_error(got: Any, exact: Any) -> float:
    import mpmath

    if mpmath.isnan(exact):
        return float("nan")
    limits = np.finfo(type(got))
    if mpmath.isinf(exact) or np.isnan(got):
        return 0.0 if got == exact else float("inf")
    beyond = mpmath.ldexp(1, limits.maxexp)
    size = min(abs(exact), beyond)
    near = mpmath.mpf(float(got)) if np.isfinite(got) else beyond * int(np.sign(got))
    bits = limits.nmant + 1
    exponent = mpmath.mag(size) if size else limits.minexp
    least = limits.minexp - limits.nmant
    unit = mpmath.ldexp(1, min(max(int(exponent) - bits, least), limits.maxexp - bits))
    error = float(abs(near - mpmath.sign(exact) * size) / unit)
    return error if np.isfinite(got) or error <= _EDGE else float("inf")


def _fed(node: Node, value: Any) -> np.ndarray:
    """A fed value: numbers of mpmath as they are, others as the interpreter takes them."""
    known = np.asarray(value)
    return known if known.dtype == object else as_argument(node, value)


def _agree(a: Any, b: Any) -> bool:
    import mpmath

    if mpmath.isnan(a) or mpmath.isnan(b):
        return bool(mpmath.isnan(a) and mpmath.isnan(b))
    return bool(a == b or abs(a - b) <= max(abs(b) * _RELATIVE, mpmath.mpf(_ABSOLUTE)))


class _Evaluation:
    """The values of a graph at one feed, in the precision that mpmath works with."""

    def __init__(self, y: Node, feed: Mapping[Node, Any]) -> None:
        arrays = {node: _fed(node, value) for node, value in feed.items()}
        order = topological([y])
        carried = [n for n in order if n.op in (param_op, state_op) and n not in arrays]
        arrays |= {node: node.value for node in carried}
        self.sizes = bind_sizes([(node, array.shape) for node, array in arrays.items()])
        check_sizes((node for node in order if node not in arrays), self.sizes)
        self.known: dict[Node, Any] = {node: lift(array) for node, array in arrays.items()}
        self.expanded: dict[Node, Node] = {}

    def value(self, y: Node) -> Truth:
        """The value of a node, and in passing of all that it depends on."""
        stack = [y]
        while stack:
            node = stack[-1]
            missing = [source for source in self._needs(node) if source not in self.known]
            if node in self.known or not missing:
                stack.pop()
                if node not in self.known:
                    self.known[node] = self._compute(node)
            else:
                stack.extend(missing)
        found: Truth = self.known[y]
        return found

    def _needs(self, node: Node) -> Sequence[Node]:
        """What the value is computed from: the inputs, or what the node expands into."""
        if node.op.expand is None or isinstance(node.op, ElementwiseOp) or node.op.exact:
            return node.inputs
        if node not in self.expanded:
            self.expanded[node] = node.op.expand(node)
        return (self.expanded[node],)

    def _compute(self, node: Node) -> Truth:
        if node in self.expanded:
            found: Truth = self.known[self.expanded[node]]
            return found
        if node.op is input_op:
            raise ArgumentError(f"truth: input {node.name!r} was not fed")
        attrs = {name: resolve(value, self.sizes) for name, value in node.attrs.items()}
        try:
            result = _result(node, attrs, [self.known[source] for source in node.inputs])
        except GraphcError as error:
            raise_located(error, node.sites)
        except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
            problem = f"{node.op.name} has no exact value: {error}"
            raise_located(ArgumentError(problem), node.sites)
        if isinstance(node.type, TupleType):
            return tuple(map(lift, result))
        return lift(np.asarray(result, object if node.dtype.is_float else node.dtype.numpy))


def _result(node: Node, attrs: dict[str, Any], arrays: list[Any]) -> Any:
    """The value of one node from those of its inputs."""
    op = node.op
    if op.exact is not None:
        return op.exact(attrs, *arrays)
    if op.kind in _WITHOUT:
        raise ArgumentError(f"{op.name} has no exact value: {_WITHOUT[op.kind]}")
    if op is flag_op:
        return np.asarray(True)
    if op is size_op:
        attrs["value"] = attrs["dim"]
    if op is cast_op:
        return _cast(node, arrays[0])
    if isinstance(op, ElementwiseOp) and any(array.dtype == object for array in arrays):
        return _elementwise(op, arrays)
    if isinstance(op, ReductionOp) and arrays[0].dtype == object:
        return _reduce(op, attrs, arrays[0])
    return op.reference(attrs, *arrays)


def lift(array: Any) -> np.ndarray:
    """Floats as numbers of mpmath; integers and truth values as they are."""
    import mpmath

    known = np.asarray(array)
    if known.dtype.kind not in "fO":
        return known
    number = mpmath.mpf
    made = [v if isinstance(v, number) else number(v) for v in known.ravel().tolist()]
    return _objects(made, known.shape)


def _objects(values: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result.reshape(shape)


def _elementwise(op: ElementwiseOp, arrays: list[np.ndarray]) -> np.ndarray:
    together = np.broadcast_arrays(*arrays)
    columns = [array.ravel().tolist() for array in together]
    values = [evaluate_formula(op, *elements) for elements in zip(*columns, strict=True)]
    return _objects(values, together[0].shape)


def _cast(node: Node, array: np.ndarray) -> Any:
    """To a float exact: that a float type rounds is what is measured, so the truth does not."""
    if node.dtype.is_float:
        return array if array.dtype == object else array.astype(object)
    if array.dtype != object or node.dtype.family == "bool":
        return node.op.reference({"dtype": node.dtype}, array)
    limits = np.iinfo(node.dtype.name)
    values = [0 if v != v else int(max(limits.min, min(limits.max, v))) for v in array.flat]
    return np.asarray(values, node.dtype.numpy).reshape(array.shape)


def _largest(a: Any, b: Any) -> Any:
    return a if a != a or a >= b else b


def _smallest(a: Any, b: Any) -> Any:
    return a if a != a or a <= b else b


_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "multiply": operator.mul, "maximum": _largest, "minimum": _smallest,
}  # fmt: skip
_CHOOSE = {"argmax": _largest, "argmin": _smallest}


def _reduce(op: ReductionOp, attrs: dict[str, Any], array: np.ndarray) -> Any:
    """A reduction of exact numbers, element by element: NumPy's own pass over a nan."""
    axes, kept = (
        attrs["axes"],
        tuple(n for a, n in enumerate(array.shape) if a not in attrs["axes"]),
    )
    rows = np.moveaxis(array, axes, range(array.ndim - len(axes), array.ndim)).reshape(*kept, -1)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape))
    if op.combine in _CHOOSE:
        choose = _CHOOSE[op.combine]
        values = [row.index(reduce(choose, row)) for row in _rows(rows)]
    elif op.combine in _COMBINE:
        start = [] if op.identity is None else [op.identity]
        values = [reduce(_COMBINE[op.combine], row, *start) for row in _rows(rows)]
    else:
        return op.reference(attrs, array)
    return _objects(values, shape if attrs["keepdims"] else kept)


def _rows(rows: np.ndarray) -> list[list[Any]]:
    return [list(row) for row in rows.reshape(-1, rows.shape[-1])]
