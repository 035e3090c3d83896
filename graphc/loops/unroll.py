"""Loops of few iterations are written out, so that the loop around them runs on vectors.

The largest of a window of 2 x 2 is `maximum(maximum(a, b), maximum(c, d))`: as two loops of two
iterations each it keeps the loop over the windows from being one of vectors, which takes six times
as long. Loops whose neighbours lie far apart, and whose bodies are long, are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import is_

from graphc.loops.ir import (
    PARALLEL,
    Apply,
    Axis,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    RandomBits,
    Statement,
    Store,
    Variable,
)
from graphc.loops.stride import stride
from graphc.loops.tidy import changed, expressions, tidy, walk
from graphc.loops.work import work

# No more copies of a body than this, and no more work (see `work`) in all of them: the text of a
# kernel is what compiling it takes.
_MOST_COPIES = 16
_MOST_WORK = 400
_LANES = 8  # float32 in a vector of AVX2, and of float64 with AVX-512

_ZERO, _ONE = Constant(0, "int64"), Constant(1, "int64")


def unroll(kernel: Kernel) -> Kernel:
    """The kernel with its short loops written out where that makes the loop around them one of
    vectors."""
    body = _block(kernel.body)
    return kernel if body is kernel.body else replace(kernel, body=tidy(body))


def _block(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Statements with short loops in them written out; the same ones if there are none."""
    new = tuple(map(_statement, body))
    return new if any(a is not b for a, b in zip(new, body, strict=True)) else body


def _statement(statement: Statement) -> Statement:
    if not isinstance(statement, Loop):
        return statement
    body = _block(statement.body)
    loop = statement if body is statement.body else replace(statement, body=body)
    inner = [each for each in loop.body if isinstance(each, Loop)]
    if not inner or not _is_worth(loop, inner):
        return loop
    return replace(loop, body=tuple(_flat(loop.body)))


def _is_worth(loop: Loop, inner: Sequence[Loop]) -> bool:
    copies = [_copies(each) for each in inner]
    if 0 in copies or max(copies) > _MOST_COPIES:
        return False
    if any(map(_fills_vectors, inner)):
        return False
    if sum(work((each,)) * count for each, count in zip(inner, copies, strict=True)) > _MOST_WORK:
        return False
    # The loop on vectors has to be the longer one.
    length = _length(loop.axis)
    return (length == 0 or length >= max(copies)) and _is_near(loop)


def _fills_vectors(loop: Loop) -> bool:
    """Whether a loop runs on whole vectors as it is: neighbours side by side, and no rest."""
    if _length(loop.axis) % _LANES or any(isinstance(each, Loop) for each in loop.body):
        return False
    return all(stride(i, loop.axis.name) in (0, 1) for i in _indices((loop,)))


def _length(axis: Axis) -> int:
    """The number of iterations if it is written in the source, else 0."""
    known = axis.kind != PARALLEL and axis.start == _ZERO and isinstance(axis.stop, Constant)
    return int(axis.stop.value) if known else 0  # type: ignore[union-attr]


def _copies(loop: Loop) -> int:
    """How often the body of a loop, with those inside it, would be written; 0 if it cannot be."""
    if loop.carries:
        return 0
    inner = [_copies(each) for each in loop.body if isinstance(each, Loop)]
    return _length(loop.axis) * (0 if 0 in inner else max(inner, default=1))


def _is_near(loop: Loop) -> bool:
    """Whether neighbours along a loop lie side by side, or nearly, wherever it reads or writes."""
    indices = list(_indices(loop.body))
    steps = [stride(index, loop.axis.name) for index in indices]
    return None not in steps and any(steps)


def _indices(body: Sequence[Statement]) -> Iterator[Expression]:
    for statement in body:
        if isinstance(statement, Store):
            yield statement.index
        if isinstance(statement, Loop):
            yield from _indices(statement.body)
        for value in walk(*expressions(statement)):
            if isinstance(value, Load):
                yield value.index


# ---- writing out


def _flat(body: Sequence[Statement]) -> Iterator[Statement]:
    """The statements with every loop written out."""
    for statement in body:
        if not isinstance(statement, Loop):
            yield statement
            continue
        inside = tuple(_flat(statement.body))
        values: list[list[Expression]] = [[] for _ in statement.accumulators]
        for number in range(_length(statement.axis)):
            change = _copy_of(statement.axis.name, number, inside)
            yield from (_renamed(each, number, change) for each in inside)
            for found, total in zip(values, statement.accumulators, strict=True):
                found.append(change(total.value))
        for found, total in zip(values, statement.accumulators, strict=True):
            yield Let(total.name, _combined(total.combine, found, total.dtype), total.origin)


def _combined(operation: str, values: list[Expression], dtype: str) -> Expression:
    """All values combined, halves first."""
    if len(values) == 1:
        return values[0]
    half = (len(values) + 1) // 2
    pair = (_combined(operation, values[:half], dtype), _combined(operation, values[half:], dtype))
    return Apply(operation, pair, dtype)


def _copy_of(
    name: str, number: int, body: Sequence[Statement]
) -> Callable[[Expression], Expression]:
    """What becomes of an expression at one index of a loop."""
    replaced: dict[str, Expression] = {name: Constant(number, "int64")}
    for statement in body:
        if isinstance(statement, Let):
            name = _name(statement.name, number)
            replaced[statement.name] = Variable(name, statement.value.dtype)

    def change(value: Expression) -> Expression:
        if isinstance(value, Apply):
            operands = tuple(map(change, value.operands))
            if not all(map(is_, operands, value.operands)):
                value = Apply(value.operation, operands, value.dtype)
            return _folded(value)
        if isinstance(value, Variable):
            return replaced.get(value.name, value)
        if isinstance(value, Load):
            return Load(value.buffer, change(value.index), value.dtype)
        if isinstance(value, RandomBits):
            seed, use, index = map(change, (value.seed, value.use, value.index))
            return replace(value, seed=seed, use=use, index=index)
        return value

    return change


def _name(name: str, number: int) -> str:
    return f"{name}_at{number}"


def _folded(value: Apply) -> Expression:
    """An index without a term of 0 or a factor of 1."""
    if value.dtype != "int64" or value.operation not in ("add", "multiply"):
        return value
    first, second = value.operands
    adds = value.operation == "add"
    if not isinstance(first, Constant):
        if not isinstance(second, Constant):
            return value
        first, second = second, first
    elif isinstance(second, Constant):
        a, b = int(first.value), int(second.value)
        return Constant(a + b if adds else a * b, "int64")
    if first == (_ZERO if adds else _ONE):
        return second
    return _ZERO if first == _ZERO else value


def _renamed(
    statement: Statement, number: int, change: Callable[[Expression], Expression]
) -> Statement:
    if isinstance(statement, Let):
        return Let(_name(statement.name, number), change(statement.value), statement.origin)
    return changed(statement, change)
