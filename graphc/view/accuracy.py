"""Where a formula loses digits: samples of an expression against its exact value, as it is written
and as it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.compiler import compile
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.dim import product
from graphc.ir.dtype import DType, as_dtype
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.shape import Shape, TensorType
from graphc.ir.site import at_user_line, inherit_sites
from graphc.ir.traverse import topological
from graphc.ops.elementwise import cast_op
from graphc.ops.evaluate import evaluate
from graphc.ops.exact import condition_number, settled_truth, ulp_errors
from graphc.ops.source import const, constant_value, input, input_op, param_op, state_op
from graphc.rewrite.engine import RULES, why
from graphc.view.accuracy_report import Accuracy, AccuracyPoint, FormAccuracy
from graphc.view.hard_points import Span, as_span, sample
from graphc.view.show import formula

Feed = dict[Node, np.ndarray]

_MOST_SAMPLED = 64  # elements of the inputs together
_LARGEST = 1000  # elements of a node: each is computed anew with many digits for each sample
_KEPT = 5  # of the worst points


@at_user_line
def accuracy(
    y: Node,
    ranges: Mapping[Node, Any],
    samples: int = 1000,
    seed: int = 0,
    dtype: object = None,
) -> Accuracy:
    """How many digits an expression keeps: against its exact value, as written and as compiled.

    Args: `y`, a float expression of fixed small shape, also a derivative; `ranges`, for each input
    that it depends on (low, high), or (low, high, "linear") or (low, high, "log"), or a list of
    points; parameters, states and other float nodes may have ranges too; `samples`, how many places
    are tried: even and by exponent, the ends, near zero, and where inputs are nearly equal;
    `dtype`, "float32" or "float64" instead of that of the expression.

    The samples count as exact numbers, and the exact value is computed with as many digits as it
    takes. "As written" is `gx.evaluate`, "compiled" the target "cpu" after rewriting. Raises
    ArgumentError, DTypeError or ShapeError for what does not fit.

    >>> from graphc.ops import input, log
    >>> x = input("x")
    >>> found = accuracy(log(1 + x), {x: (1e-9, 1)}, samples=100)
    >>> found.written.worst > 1e6, found.compiled.worst < 1, found.rules
    (True, True, ('log1p_from_log',))
    """
    spans = _check(y, ranges, samples)
    chosen = y.dtype if dtype is None else as_dtype(dtype)
    if not chosen.is_float:
        raise DTypeError(f"accuracy: expected float32 or float64 as dtype; got {chosen}")
    expression, inputs = _prepare(y, list(ranges), chosen)
    feeds = _feeds(inputs, list(spans.values()), samples, seed)
    exact = [settled_truth(expression, feed) for feed in feeds]
    function = compile(inputs, expression)
    rewritten: Graph = compile(inputs, expression, stop="rewrite")
    forms = (
        ("as written", expression, lambda feed: evaluate(expression, feed)),
        ("compiled", rewritten.outputs[0], lambda feed: function(*feed.values())),
    )
    written, compiled = (
        _form(name, text, expression, feeds, exact, call) for name, text, call in forms
    )
    undefined = sum(int(np.sum([v != v for v in values.flat])) for values in exact)
    named = {node.name: str(span) for node, span in zip(inputs, spans.values(), strict=True)}
    rules = _rules(rewritten.outputs[0])
    return Accuracy(chosen, named, samples, undefined, written, compiled, rules)


def _check(y: object, ranges: object, samples: object) -> dict[Node, Span]:
    """The span of each node that has a range, or an error that says what does not fit."""
    if not isinstance(y, Node) or not isinstance(ranges, Mapping):
        found = f"{type(y).__name__} and {type(ranges).__name__}"
        raise ArgumentError(f"accuracy: expected a node and {{input: (low, high)}}; got {found}")
    if not isinstance(y.type, TensorType) or not y.dtype.is_float:
        raise DTypeError(f"accuracy: expected a float expression; got {y!r}")
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
        raise ArgumentError(f"accuracy: expected samples >= 1; got {samples!r}")
    order = topological([y])
    for node in ranges:
        if not isinstance(node, Node) or node not in order:
            raise ArgumentError(f"accuracy: the expression does not depend on {node!r}")
        if not isinstance(node.type, TensorType) or not node.dtype.is_float:
            raise DTypeError(f"accuracy: a range is for float nodes; got {node!r}")
    spans = {node: as_span(given, node.name or node.op.name) for node, given in ranges.items()}
    for node in _above(y, set(ranges)):
        _check_node(node, node in ranges)
    count = sum(_count(node.shape) for node in spans)
    if count > _MOST_SAMPLED:
        raise ShapeError(
            f"accuracy: expected inputs of at most {_MOST_SAMPLED} elements together; got {count}"
        )
    return spans


def _above(y: Node, known: set[Node]) -> list[Node]:
    """The nodes of the expression that are computed from those that are known, these included."""
    order = topological([y])
    wanted = {y}
    for node in reversed(order):
        if node in wanted and node not in known:
            wanted.update(node.inputs)
    return [node for node in order if node in wanted]


def _check_node(node: Node, sampled: bool) -> None:
    types = [node.type] if isinstance(node.type, TensorType) else list(node.type.items)
    if node.op is input_op and not sampled and node.dtype.is_float:
        raise ArgumentError(f"accuracy: expected a range for each input; {node!r} has none")
    if node.op is input_op and not sampled:
        raise DTypeError(
            f"accuracy: expected float inputs; {node!r} has none to sample: build the expression "
            f"with gx.const in its place"
        )
    for shape in (known.shape for known in types):
        if not all(isinstance(dim, int) for dim in shape):
            raise ShapeError(f"accuracy: expected fixed shapes; got {node!r}")
        if _count(shape) > _LARGEST:
            raise ShapeError(
                f"accuracy: expected arrays of at most {_LARGEST} elements; got {node!r}"
            )


def _count(shape: Shape) -> int:
    """The elements of a fixed shape."""
    return evaluate_dim(product(shape), {})


def _fixed(shape: Shape) -> tuple[int, ...]:
    return tuple(evaluate_dim(dim, {}) for dim in shape)


def _prepare(y: Node, sampled: Sequence[Node], dtype: DType) -> tuple[Node, list[Node]]:
    """The expression in a dtype, and the inputs that stand for the sampled nodes in it."""
    new = {
        node: input(node.name or f"x{place}", node.shape, dtype)
        for place, node in enumerate(sampled)
    }
    stand_ins = list(new.values())
    for node in _above(y, set(sampled)):
        if node not in new:
            with inherit_sites(node.sites):
                new[node] = _retyped(node, tuple(new[source] for source in node.inputs), dtype)
    return new[y], stand_ins


def _retyped(node: Node, inputs: tuple[Node, ...], dtype: DType) -> Node:
    """The node on other inputs, with `dtype` wherever it names a float type."""
    array = node.value if node.op in (param_op, state_op) else constant_value(node)
    if array is not None:
        return const(array, dtype) if node.dtype.is_float else node
    attrs = {
        name: dtype if isinstance(value, DType) and value.is_float else value
        for name, value in node.attrs.items()
    }
    if node.op is cast_op and inputs[0].dtype is attrs["dtype"]:
        return inputs[0]
    return make(node.op, inputs, **attrs)


def _feeds(places: Sequence[Node], spans: Sequence[Span], samples: int, seed: int) -> list[Feed]:
    sizes = [_count(node.shape) for node in places]
    columns = [span for span, size in zip(spans, sizes, strict=True) for _ in range(size)]
    if not columns:
        return [{}]
    rows = sample(columns, samples, places[0].dtype.name, seed)
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return [
        {
            node: part[i].reshape(_fixed(node.shape))
            for node, part in zip(places, parts, strict=True)
        }
        for i in range(len(rows))
    ]


def _form(
    name: str,
    shown: Node,
    expression: Node,
    feeds: Sequence[Feed],
    exact: Sequence[np.ndarray],
    call: Callable[[Feed], Any],
) -> FormAccuracy:
    """The errors of one way to compute the expression."""
    got = [np.asarray(call(feed)) for feed in feeds]
    errors = np.array([ulp_errors(*pair) for pair in zip(got, exact, strict=True)])
    known = errors[~np.isnan(errors)]
    worst_first = np.argsort(-np.nan_to_num(errors, nan=-1.0, posinf=np.inf), axis=None)
    points = []
    for at in worst_first[: min(_KEPT, known.size)]:
        row, *element = (int(place) for place in np.unravel_index(at, errors.shape))
        place = tuple(element)
        condition = condition_number(expression, feeds[row], place)
        values = {node.name: value for node, value in feeds[row].items()}
        ends = (float(exact[row][place]), float(got[row][place]))
        points.append(AccuracyPoint(values, place, *ends, float(errors[row][place]), condition))
    return FormAccuracy(
        name,
        formula(shown),
        float(known.max(initial=0)),
        float(np.median(known)) if known.size else 0.0,
        int(np.sum(np.isinf(known))),
        tuple(points),
    )


def _rules(y: Node) -> tuple[str, ...]:
    """The rules that made a node, other than those that only put things in order."""
    ordering = {rule.name for rule in RULES if rule.phase == "canonicalize"}
    return tuple(dict.fromkeys(s.rule for s in why(y).steps if s.rule not in ordering))
