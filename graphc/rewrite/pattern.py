"""Patterns: expressions with variables, matched against nodes and filled in to make nodes.

A pattern is written as the expression it stands for: `log(1 + x)`. A commutative operation matches
in both orders, a number matches a constant of that value, and a variable that occurs twice matches
one node only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphc.ir.dtype import DType
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Op
from graphc.ops import scalar
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.source import const, constant_op
from graphc.rewrite.facts import number

Bindings = dict[str, Any]


class Pattern:
    """An expression with variables."""

    __slots__ = ()

    def __add__(self, other: Pattern | float) -> Apply:
        return Apply(scalar.add, (self, as_pattern(other)))

    def __radd__(self, other: float) -> Apply:
        return Apply(scalar.add, (as_pattern(other), self))

    def __sub__(self, other: Pattern | float) -> Apply:
        return Apply(scalar.subtract, (self, as_pattern(other)))

    def __rsub__(self, other: float) -> Apply:
        return Apply(scalar.subtract, (as_pattern(other), self))

    def __mul__(self, other: Pattern | float) -> Apply:
        return Apply(scalar.multiply, (self, as_pattern(other)))

    def __rmul__(self, other: float) -> Apply:
        return Apply(scalar.multiply, (as_pattern(other), self))

    def __truediv__(self, other: Pattern | float) -> Apply:
        return Apply(scalar.divide, (self, as_pattern(other)))

    def __rtruediv__(self, other: float) -> Apply:
        return Apply(scalar.divide, (as_pattern(other), self))

    def __pow__(self, other: Pattern | float) -> Apply:
        return Apply(scalar.power, (self, as_pattern(other)))

    def __neg__(self) -> Apply:
        return Apply(scalar.negative, (self,))


class Variable(Pattern):
    """Matches any node, the same one wherever it occurs."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Number(Pattern):
    """Matches a constant of this value; stands for one of the result's dtype."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value


class Apply(Pattern):
    """Matches an operation on matching inputs; `attrs` names the variables of its attributes."""

    __slots__ = ("attrs", "inputs", "op")

    def __init__(
        self, op: Op, inputs: tuple[Pattern, ...], attrs: Mapping[str, str] | None = None
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = dict(attrs or {})


def as_pattern(value: Pattern | float) -> Pattern:
    """A number as the pattern that matches it; a pattern as it is."""
    return value if isinstance(value, Pattern) else Number(value)


def function(op: Op) -> Callable[..., Apply]:
    """The operation as a function of patterns; keywords name the variables that hold attributes."""

    def apply(*operands: Pattern | float, **attrs: str) -> Apply:
        return Apply(op, tuple(map(as_pattern, operands)), attrs)

    return apply


def variables(names: str) -> list[Variable]:
    """Several variables: `x, y = variables("x y")`."""
    return [Variable(name) for name in names.split()]


def match(pattern: Pattern, node: Node) -> Iterator[Bindings]:
    """All ways in which the node is an instance of the pattern."""
    return _match(pattern, node, {})


def _match(pattern: Pattern, node: Node, bound: Bindings) -> Iterator[Bindings]:
    if isinstance(pattern, Variable):
        known = bound.get(pattern.name)
        if known is None:
            yield {**bound, pattern.name: node}
        elif known is node:
            yield bound
    elif isinstance(pattern, Number):
        if number(node) == pattern.value:
            yield bound
    elif isinstance(pattern, Apply) and node.op is pattern.op:
        attributes = _match_attributes(pattern, node, bound)
        if attributes is None:
            return
        yield from _match_inputs(pattern.inputs, node.inputs, attributes)
        if is_commutative(pattern.op):
            yield from _match_inputs(pattern.inputs, node.inputs[::-1], attributes)


def is_commutative(op: Op) -> bool:
    """Whether the two operands may change places."""
    return isinstance(op, ElementwiseOp) and "commutative" in op.properties


def _match_attributes(pattern: Apply, node: Node, bound: Bindings) -> Bindings | None:
    if not pattern.attrs:
        return bound
    found = dict(bound)
    for name, variable in pattern.attrs.items():
        value = node.attrs[name]
        if found.setdefault(variable, value) != value:
            return None
    return found


def _match_inputs(
    patterns: tuple[Pattern, ...], nodes: tuple[Node, ...], bound: Bindings
) -> Iterator[Bindings]:
    if not patterns:
        yield bound
        return
    for found in _match(patterns[0], nodes[0], bound):
        yield from _match_inputs(patterns[1:], nodes[1:], found)


def operations_of_inputs(pattern: Apply) -> frozenset[Op]:
    """The operations that some input of a matching node must be of."""
    inputs = pattern.inputs
    needed = {source.op for source in inputs if isinstance(source, Apply)}
    return frozenset(needed | {constant_op for s in inputs if isinstance(s, Number)})


def build(pattern: Pattern, bound: Bindings, dtype: DType) -> Node:
    """The node that the pattern stands for; its numbers have the given dtype."""
    if isinstance(pattern, Variable):
        node: Node = bound[pattern.name]
        return node
    if isinstance(pattern, Number):
        return const(pattern.value, dtype)
    assert isinstance(pattern, Apply)
    inputs = tuple(build(source, bound, dtype) for source in pattern.inputs)
    if isinstance(pattern.op, ElementwiseOp) and not pattern.attrs:
        return pattern.op(*inputs)
    return make(pattern.op, inputs, **{name: bound[v] for name, v in pattern.attrs.items()})


def text(pattern: Pattern) -> str:
    """The pattern as it is written.

    >>> x = Variable("x")
    >>> text(function(scalar.log)(1 + function(scalar.exp)(-x)))
    'log(1 + exp(-x))'
    """
    return _written(pattern)[0]


def _written(pattern: Pattern) -> tuple[str, int]:
    if isinstance(pattern, Variable):
        return pattern.name, ATOM
    if isinstance(pattern, Number):
        return f"{pattern.value:g}", ATOM
    assert isinstance(pattern, Apply)
    operands = [_written(source) for source in pattern.inputs]
    return write(pattern.op, operands, None)


def write(op: Op, operands: list[tuple[str, int]], node: Node | None) -> tuple[str, int]:
    """An operation on operands, each as text and how tightly it holds; the whole likewise."""
    notation = op.notation
    if notation is None or (node is None and not isinstance(notation.text, str)):
        return f"{op.name}({', '.join(text for text, _ in operands)})", ATOM
    template = notation.text if isinstance(notation.text, str) else notation.text(node)  # type: ignore[arg-type]
    needed = (*notation.operands, *[0] * len(operands))
    places = [
        f"({text})" if level < need else text
        for (text, level), need in zip(operands, needed, strict=False)
    ]
    return template.format(*places), notation.level
