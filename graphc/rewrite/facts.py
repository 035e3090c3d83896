"""What is known of a node without evaluating it: numbers, scalars, signs, finiteness.

Every answer looks at a bounded part of the graph below the node; "no" may mean "not proved".
"""

from __future__ import annotations

from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.shape import TupleType
from graphc.ops import composite, indexing, layout, reduction, scalar
from graphc.ops.elementwise import ElementwiseOp, cast_op
from graphc.ops.source import const, constant_op, size_op

_DEPTH = 6
# Operations that move, repeat or choose elements: the signs of the result are the operand's.
_SELECTING = frozenset(
    [layout.reshape_op, layout.transpose_op, layout.broadcast_op, layout.slice_op, indexing.pick_op]
)
_BOUNDED = frozenset([indexing.one_hot_op, size_op])


def number(node: Node) -> float | int | None:
    """The number that a constant of one element holds, None for any other node (and for a bool)."""
    if node.op is not constant_op:
        return None
    array = node.attrs["value"].array
    if array.size != 1 or array.dtype.kind == "b":
        return None
    value: float | int = array.item()
    return value


def truth(node: Node) -> bool | None:
    """The truth value that a bool constant of one element holds, None for any other node."""
    if node.op is not constant_op:
        return None
    array = node.attrs["value"].array
    return bool(array.item()) if array.size == 1 and array.dtype.kind == "b" else None


def is_scalar(node: Node) -> bool:
    """Whether the node is an array without axes."""
    return not isinstance(node.type, TupleType) and node.type.shape == ()


def is_float(node: Node) -> bool:
    """Whether the node is an array of floats."""
    return not isinstance(node.type, TupleType) and node.type.dtype.is_float


def _has(op: Op, name: str) -> bool:
    return isinstance(op, ElementwiseOp) and name in op.properties


def is_positive(node: Node, depth: int = _DEPTH) -> bool:
    """Whether exact arithmetic gives a number > 0 for every finite input (floats may underflow)."""
    value = number(node)
    if value is not None:
        return value > 0
    op = node.op
    if op is composite.softmax_op or _has(op, "positive"):
        return True
    if depth == 0:
        return False
    if op in _SELECTING or op is scalar.sqrt or op is scalar.square:
        return is_positive(node.inputs[0], depth - 1)
    if op in (scalar.multiply, scalar.divide):
        return all(is_positive(source, depth - 1) for source in node.inputs)
    if op is scalar.add:
        a, b = node.inputs
        return (is_positive(a, depth - 1) and is_nonnegative(b, depth - 1)) or (
            is_positive(b, depth - 1) and is_nonnegative(a, depth - 1)
        )
    return False


def is_nonnegative(node: Node, depth: int = _DEPTH) -> bool:
    """Whether exact arithmetic gives a number >= 0 for every finite input."""
    value = number(node)
    if value is not None:
        return value >= 0
    op = node.op
    if op in _BOUNDED or op is composite.softmax_op or _has(op, "nonnegative"):
        return True
    if depth == 0:
        return False
    if op is cast_op:
        source = node.inputs[0]
        return source.dtype is bool_ or is_nonnegative(source, depth - 1)
    linear = op in _SELECTING or op in (reduction.sum_op, reduction.mean_op)
    if linear or op in (scalar.multiply, scalar.divide, scalar.add):
        return all(is_nonnegative(source, depth - 1) for source in node.inputs[:2])
    return False


def is_finite(node: Node, depth: int = _DEPTH) -> bool:
    """Whether no input whatever, inf and nan included, makes an element inf or nan."""
    if node.op is constant_op:
        array = node.attrs["value"].array
        return array.dtype.kind != "f" or bool((abs(array) < float("inf")).all())
    if isinstance(node.type, TupleType):
        return False
    if not node.dtype.is_float or node.op in _BOUNDED:
        return True
    if depth == 0:
        return False
    if node.op is cast_op:
        return not node.inputs[0].dtype.is_float
    if node.op is scalar.where:
        return all(is_finite(source, depth - 1) for source in node.inputs[1:])
    return node.op in _SELECTING and is_finite(node.inputs[0], depth - 1)


def is_nonzero(node: Node) -> bool:
    """Whether a factor may be cancelled: provably positive, or a size (taken to be at least 1)."""
    return node.op is size_op or is_positive(node)


def signed(node: Node) -> tuple[int, Node]:
    """The node as a sign and what it is of: x, -x, 2 * x and -2 * x, a - b and b - a.

    Two nodes that differ in sign only, however that is written, have the same second part.
    """
    sign = 1
    while node.op is scalar.negative:
        sign, node = -sign, node.inputs[0]
    if node.op is scalar.subtract:
        a, b = node.inputs
        return (sign, node) if a.number < b.number else (-sign, scalar.subtract(b, a))
    if node.op is scalar.multiply:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            value = number(factor)
            if value is not None and node.dtype.is_float and value == value:
                inner, size = signed(rest)
                if value < 0:
                    inner, factor = -inner, const(-value, node.dtype)
                return sign * inner, scalar.multiply(factor, size)
    if node.op is scalar.divide and number(node.inputs[1]) is not None:
        inner, size = signed(node.inputs[0])
        return sign * inner, scalar.divide(size, node.inputs[1])
    return sign, node


_SIGNED = frozenset([scalar.negative, scalar.subtract, scalar.multiply, scalar.divide])


def negated(node: Node) -> Node | None:
    """The node whose negative this is written as: x for -x, 2 * x for -2 * x, b - a for a - b;
    None otherwise."""
    if node.op is scalar.negative:
        return node.inputs[0]
    if node.op is scalar.subtract:
        return scalar.subtract(node.inputs[1], node.inputs[0])
    if node.op is scalar.multiply:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            value = number(factor)
            if value is not None and value < 0 and node.dtype.is_float:
                return scalar.multiply(const(-value, node.dtype), rest)
    return None


def are_opposite(a: Node, b: Node) -> bool:
    """Whether one is written as the negative of the other."""
    if a.op not in _SIGNED and b.op not in _SIGNED:
        return False
    (first, size), (second, other) = signed(a), signed(b)
    return size is other and first != second
