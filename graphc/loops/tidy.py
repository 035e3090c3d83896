"""Tidying of loop programs: a value used once is written where it is used, so that kernels read
like formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from graphc.loops.ir import (
    Accumulator,
    Apply,
    Check,
    Expression,
    Let,
    Load,
    Loop,
    RandomBits,
    Statement,
    Store,
    Variable,
)

# Longer expressions than this many operations keep names, for the reader's sake.
_LONGEST = 6


def parts(value: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of."""
    if isinstance(value, Apply):
        return value.operands
    if isinstance(value, Load):
        return (value.index,)
    if isinstance(value, RandomBits):
        return (value.seed, value.use, value.index)
    return ()


def names(value: Expression) -> set[str]:
    """The variables that an expression is made of."""
    own = {value.name} if isinstance(value, Variable) else set()
    return own.union(*map(names, parts(value)))


def weight(value: Expression) -> int:
    """The number of operations in an expression."""
    return sum(map(weight, parts(value))) + isinstance(value, Apply | Load | RandomBits)


def expressions(statement: Statement) -> list[Expression]:
    if isinstance(statement, Let):
        return [statement.value]
    if isinstance(statement, Store):
        return [statement.index, statement.value]
    if isinstance(statement, Check):
        return [statement.condition, statement.code, statement.position, statement.value]
    found = [statement.axis.start, statement.axis.stop]
    for carry in statement.carries:
        found += [carry.value, carry.initial]
    for accumulator in statement.accumulators:
        found += [accumulator.value, accumulator.identity]
        found += [accumulator.index] if accumulator.index is not None else []
    return found


def changed(statement: Statement, change: Callable[[Expression], Expression]) -> Statement:
    """A statement that is no loop, with `change` applied to its expressions."""
    if isinstance(statement, Let):
        return replace(statement, value=change(statement.value))
    if isinstance(statement, Store):
        return replace(statement, index=change(statement.index), value=change(statement.value))
    assert isinstance(statement, Check)
    return replace(
        statement, condition=change(statement.condition), code=change(statement.code),
        position=change(statement.position), value=change(statement.value),
    )  # fmt: skip


def _count(body: tuple[Statement, ...], uses: Counter[str]) -> None:
    for statement in body:
        stack = expressions(statement)
        while stack:
            value = stack.pop()
            if isinstance(value, Variable):
                uses[value.name] += 1
            stack.extend(parts(value))
        if isinstance(statement, Loop):
            _count(statement.body, uses)


def tidy(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The statements with values that are used once, at their own level, written into their use."""
    uses: Counter[str] = Counter()
    _count(body, uses)
    return tuple(_block(body, uses)[0])


Waiting = dict[str, Let]


def _block(body: tuple[Statement, ...], uses: Counter[str]) -> tuple[list[Statement], Waiting]:
    """The tidy statements, and the values that wait for a use after the last of them."""
    result: list[Statement] = []
    waiting: Waiting = {}
    in_loops = _used_in_loops(body)
    for statement in body:
        if isinstance(statement, Let):
            value = _inline(statement.value, waiting)
            small = weight(value) <= _LONGEST and statement.name not in in_loops
            if uses[statement.name] == 1 and small:
                waiting[statement.name] = replace(statement, value=value)
            elif uses[statement.name]:
                result.append(replace(statement, value=value))
            continue
        known = (
            _loop(statement, uses, waiting)
            if isinstance(statement, Loop)
            else _leaf(statement, waiting)
        )
        # A load must not move past a store into what it reads.
        written = _written(known)
        for name in [n for n, let in waiting.items() if _loads(let.value) & written]:
            result.append(waiting.pop(name))
        result.append(known)
    return result, waiting


def _leaf(statement: Statement, waiting: Waiting) -> Statement:
    if isinstance(statement, Store):
        index, value = _inline(statement.index, waiting), _inline(statement.value, waiting)
        return replace(statement, index=index, value=value)
    assert isinstance(statement, Check)
    return replace(
        statement,
        condition=_inline(statement.condition, waiting),
        position=_inline(statement.position, waiting),
        value=_inline(statement.value, waiting),
    )


def _written(statement: Statement) -> set[int]:
    if isinstance(statement, Store):
        return {statement.buffer}
    if isinstance(statement, Loop):
        return set().union(*map(_written, statement.body))
    return set()


def loads(body: tuple[Statement, ...]) -> set[int]:
    """The buffers that statements read."""
    found: set[int] = set()
    for statement in body:
        found |= set().union(*map(_loads, expressions(statement)))
        if isinstance(statement, Loop):
            found |= loads(statement.body)
    return found


def _loads(value: Expression) -> set[int]:
    own = {value.buffer} if isinstance(value, Load) else set()
    return own.union(*map(_loads, parts(value)))


def _used_in_loops(body: tuple[Statement, ...]) -> set[str]:
    """Names that are used inside a loop of this block: computing them there would repeat the
    work."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, Loop):
            uses: Counter[str] = Counter()
            _count((statement,), uses)
            found |= set(uses)
    return found


def _loop(loop: Loop, uses: Counter[str], waiting: Waiting) -> Loop:
    start, stop = _inline(loop.axis.start, waiting), _inline(loop.axis.stop, waiting)
    axis = replace(loop.axis, start=start, stop=stop)
    body, left = _block(loop.body, uses)
    accumulators = tuple(_accumulator(a, waiting, left) for a in loop.accumulators)
    carries = tuple(
        replace(c, initial=_inline(c.initial, waiting), value=_inline(c.value, left))
        for c in loop.carries
    )
    return Loop(axis, (*body, *left.values()), accumulators, carries)


def _accumulator(accumulator: Accumulator, outside: Waiting, inside: Waiting) -> Accumulator:
    index = accumulator.index if accumulator.index is None else _inline(accumulator.index, inside)
    return replace(
        accumulator,
        identity=_inline(accumulator.identity, outside),
        value=_inline(accumulator.value, inside),
        index=index,
    )


def _inline(value: Expression, waiting: Waiting) -> Expression:
    if not waiting:
        return value
    # `replace` goes through all fields, and takes five times as long as these constructors.
    if isinstance(value, Variable):
        return waiting.pop(value.name).value if value.name in waiting else value
    if isinstance(value, Apply):
        operands = tuple([_inline(v, waiting) for v in value.operands])
        return Apply(value.operation, operands, value.dtype)
    if isinstance(value, Load):
        return Load(value.buffer, _inline(value.index, waiting), value.dtype)
    if isinstance(value, RandomBits):
        return replace(value, index=_inline(value.index, waiting))
    return value
