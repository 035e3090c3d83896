"""Tidying of loop programs: a value used once is written where it is used, so that kernels read
like formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import is_

from graphc.loops.ir import (
    Accumulator,
    Apply,
    Axis,
    Check,
    Expression,
    Let,
    Load,
    Loop,
    RandomBits,
    Rows,
    Statement,
    Store,
    Tile,
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


def walk(*values: Expression) -> Iterator[Expression]:
    """Expressions and all that they are made of, in no particular order."""
    stack = list(values)
    while stack:
        value = stack.pop()
        yield value
        if isinstance(value, (Apply, Load, RandomBits)):
            stack += parts(value)


def names(value: Expression) -> set[str]:
    """The variables that an expression is made of."""
    return {each.name for each in walk(value) if isinstance(each, Variable)}


def weight(value: Expression) -> int:
    """The number of operations in an expression."""
    return sum(isinstance(each, (Apply, Load, RandomBits)) for each in walk(value))


def expressions(statement: Statement) -> list[Expression]:
    if isinstance(statement, Let):
        return [statement.value]
    if isinstance(statement, Store):
        return [statement.index, statement.value]
    if isinstance(statement, Check):
        return [statement.condition, statement.code, statement.position, statement.value]
    if isinstance(statement, Rows):
        return [statement.start, statement.distance, statement.rows, statement.columns]
    if isinstance(statement, Tile):
        return [statement.start, statement.distance, statement.rows, statement.columns]
    found = [statement.axis.start, statement.axis.stop]
    for carry in statement.carries:
        found += [carry.value, carry.initial]
    for accumulator in statement.accumulators:
        found += [accumulator.value, accumulator.identity]
    return found


def changed(statement: Statement, change: Callable[[Expression], Expression]) -> Statement:
    """A statement that is no loop, with `change` applied to its expressions."""
    # `replace` goes through all fields, and takes five times as long as these constructors.
    if isinstance(statement, Let):
        return Let(statement.name, change(statement.value), statement.origin)
    if isinstance(statement, Store):
        index, value = change(statement.index), change(statement.value)
        return Store(statement.buffer, index, value, statement.origin)
    if isinstance(statement, Tile):
        return replace(
            statement, start=change(statement.start), distance=change(statement.distance),
            rows=change(statement.rows), columns=change(statement.columns),
        )  # fmt: skip
    assert isinstance(statement, Check)
    return replace(
        statement, condition=change(statement.condition), code=change(statement.code),
        position=change(statement.position), value=change(statement.value),
    )  # fmt: skip


class _Uses:
    """How often each name is used, and the names that are used in the loops of each block."""

    def __init__(self, body: tuple[Statement, ...]) -> None:
        self.count: Counter[str] = Counter()
        self.in_loops: dict[int, set[str]] = {}  # by the identity of the block
        self._block(body)

    def _block(self, body: tuple[Statement, ...]) -> set[str]:
        """The names in a block."""
        own: set[str] = set()
        loops: set[str] = set()
        for statement in body:
            values = walk(*expressions(statement))
            used = [value.name for value in values if isinstance(value, Variable)]
            self.count.update(used)
            if isinstance(statement, Loop):
                loops.update(used, self._block(statement.body))
            else:
                own.update(used)
        self.in_loops[id(body)] = loops
        return own | loops


def tidy(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The statements with values that are used once, at their own level, written into their use."""
    return tuple(_block(body, _Uses(body))[0])


Waiting = dict[str, Let]


def _block(body: tuple[Statement, ...], uses: _Uses) -> tuple[list[Statement], Waiting]:
    """The tidy statements, and the values that wait for a use after the last of them."""
    result: list[Statement] = []
    waiting: Waiting = {}
    in_loops = uses.in_loops[id(body)]  # computing those there would repeat the work
    for statement in body:
        if isinstance(statement, Let):
            value = _inline(statement.value, waiting)
            new = Let(statement.name, value, statement.origin)
            once = uses.count[new.name] == 1 and new.name not in in_loops
            if once and weight(value) <= _LONGEST:
                waiting[new.name] = new
            elif uses.count[new.name]:
                result.append(new)
            continue
        known = (
            _loop(statement, uses, waiting)
            if isinstance(statement, Loop)
            else _leaf(statement, waiting)
        )
        # A load must not move past a store into what it reads.
        written = _written(known) if waiting else set()
        for name in [n for n, let in waiting.items() if _loads(let.value) & written]:
            result.append(waiting.pop(name))
        result.append(known)
    return result, waiting


def _leaf(statement: Statement, waiting: Waiting) -> Statement:
    if isinstance(statement, Store):
        index, value = _inline(statement.index, waiting), _inline(statement.value, waiting)
        return Store(statement.buffer, index, value, statement.origin)
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
        found |= _loads(*expressions(statement))
        if isinstance(statement, Loop):
            found |= loads(statement.body)
    return found


def _loads(*values: Expression) -> set[int]:
    return {value.buffer for value in walk(*values) if isinstance(value, Load)}


def _loop(loop: Loop, uses: _Uses, waiting: Waiting) -> Loop:
    start, stop = _inline(loop.axis.start, waiting), _inline(loop.axis.stop, waiting)
    axis = Axis(loop.axis.name, start, stop, loop.axis.kind, loop.axis.most)
    body, left = _block(loop.body, uses)
    accumulators = tuple(_accumulator(a, waiting, left) for a in loop.accumulators)
    carries = tuple(
        replace(c, initial=_inline(c.initial, waiting), value=_inline(c.value, left))
        for c in loop.carries
    )
    return Loop(axis, (*body, *left.values()), accumulators, carries)


def _accumulator(accumulator: Accumulator, outside: Waiting, inside: Waiting) -> Accumulator:
    return replace(
        accumulator,
        identity=_inline(accumulator.identity, outside),
        value=_inline(accumulator.value, inside),
    )


def _inline(value: Expression, waiting: Waiting) -> Expression:
    if not waiting:
        return value
    if isinstance(value, Variable):
        return waiting.pop(value.name).value if value.name in waiting else value
    if isinstance(value, Apply):
        operands = tuple([_inline(v, waiting) for v in value.operands])
        if all(map(is_, operands, value.operands)):
            return value
        return Apply(value.operation, operands, value.dtype)
    if isinstance(value, Load):
        return Load(value.buffer, _inline(value.index, waiting), value.dtype)
    if isinstance(value, RandomBits):
        return replace(value, index=_inline(value.index, waiting))
    return value
