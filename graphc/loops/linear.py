"""Integer expressions that are linear in loop variables, and expressions with parts replaced."""

from __future__ import annotations

from collections.abc import Callable

from graphc.loops.ir import Apply, Constant, Expression, Load, RandomBits, Variable
from graphc.loops.tidy import names

Change = Callable[[Expression], Expression | None]
"""What takes the place of an expression; None where it stays."""

_ZERO, _ONE = Constant(0, "int64"), Constant(1, "int64")


def coefficient(index: Expression, name: str) -> Expression | None:
    """What an index that is linear in a variable multiplies it with; None for any other index.

    >>> i, j = Variable("i", "int64"), Variable("j", "int64")
    >>> coefficient(Apply("multiply", (i, j), "int64"), "i")
    Variable(name='j', dtype='int64')
    """
    if isinstance(index, Variable):
        return _ONE if index.name == name else _ZERO
    if name not in names(index):
        return _ZERO
    if not isinstance(index, Apply) or index.operation not in ("add", "multiply"):
        return None
    first, second = (coefficient(operand, name) for operand in index.operands)
    if first is None or second is None:
        return None
    if index.operation == "add":
        return plus(first, second)
    if first != _ZERO and second != _ZERO:
        return None
    a, b = index.operands
    return times(first, b) if second == _ZERO else times(a, second)


def without(index: Expression, name: str) -> Expression:
    """An index where a variable is 0."""
    return put(index, lambda value: _ZERO if value == Variable(name, "int64") else None)


def put(value: Expression, new: Change) -> Expression:
    """An expression with parts replaced: by what `new` gives for them, if that is not None."""
    found = new(value)
    if found is not None:
        return found
    if isinstance(value, Load):
        return Load(value.buffer, put(value.index, new), value.dtype)
    if isinstance(value, RandomBits):
        seed, use, index = (put(each, new) for each in (value.seed, value.use, value.index))
        return RandomBits(seed, use, index, value.word, value.dtype)
    if not isinstance(value, Apply):
        return value
    operands = tuple([put(each, new) for each in value.operands])
    if value.dtype == "int64" and value.operation == "add":
        return plus(*operands)
    if value.dtype == "int64" and value.operation == "multiply":
        return times(*operands)
    return Apply(value.operation, operands, value.dtype)


def plus(a: Expression, b: Expression) -> Expression:
    """a + b of int64, without a 0."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return Constant(int(a.value) + int(b.value), "int64")
    if a == _ZERO or b == _ZERO:
        return b if a == _ZERO else a
    return Apply("add", (a, b), "int64")


def times(a: Expression, b: Expression) -> Expression:
    """a * b of int64, without a 0 or a 1."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return Constant(int(a.value) * int(b.value), "int64")
    if _ZERO in (a, b):
        return _ZERO
    if _ONE in (a, b):
        return b if a == _ONE else a
    return Apply("multiply", (a, b), "int64")
