"""Loops without tests in the middle: a loop that reads padding is divided where its tests change.

A padded array is read as `where(0 <= i - low < length, x[i - low], 0)`. Such a test keeps a loop
from loading neighbours together, and it holds everywhere but near the edges; or, of an array of a
few elements, only there. So the indices between the edges get a loop of their own, without tests,
and one loop runs over both edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

from graphc.loops.ir import (
    HI,
    LO,
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    RandomBits,
    Statement,
    Variable,
)
from graphc.loops.tidy import changed, expressions, names, parts

_ZERO = Constant(0, "int64")
_TRUE, _FALSE = Constant(True, "bool"), Constant(False, "bool")
# What holds for no more indices than this is taken as an edge.
EDGE = 16


class _Test(NamedTuple):
    """A condition that holds for begin <= index < end: in the middle, or at one of the edges."""

    condition: Expression
    begin: Expression
    end: Expression
    in_the_middle: bool  # and not only at one edge

    @property
    def least(self) -> Expression | None:
        """Where the middle may begin, as far as this test says."""
        if self.in_the_middle:
            return self.begin
        return self.end if self.begin == _ZERO else None

    @property
    def most(self) -> Expression | None:
        """Where the middle must end, as far as this test says."""
        if self.in_the_middle:
            return self.end
        return None if self.begin == _ZERO else self.begin


def peel(kernel: Kernel, sizes: Mapping[int, int]) -> Kernel:
    """The kernel with its innermost loops divided where tests for padding change.

    `sizes` are the arguments of the kernel that are the same at each call, by position.
    """
    return replace(kernel, body=_block(kernel.body, sizes))


def _block(body: Iterable[Statement], sizes: Mapping[int, int]) -> tuple[Statement, ...]:
    result: list[Statement] = []
    for statement in body:
        result += _loop(statement, sizes) if isinstance(statement, Loop) else [statement]
    return tuple(result)


def _loop(loop: Loop, sizes: Mapping[int, int]) -> list[Statement]:
    if any(isinstance(statement, Loop) for statement in loop.body):
        return [replace(loop, body=_block(loop.body, sizes))]
    # An axis whose length is written in the source is too short to be worth it.
    short = isinstance(loop.axis.stop, Constant) and loop.axis.kind != PARALLEL
    if loop.accumulators or loop.carries or short:
        return [loop]
    tests = _tests(loop, sizes)
    return _divided(loop, tests) if tests else [loop]


def _divided(loop: Loop, tests: Sequence[_Test]) -> list[Statement]:
    """One loop over both edges, and one over the indices between, where the tests are known."""
    axis = loop.axis
    low, high = (LO, HI) if axis.kind == PARALLEL else (axis.start, axis.stop)
    least = [test.least for test in tests if test.least is not None]
    most = [test.most for test in tests if test.most is not None]
    first = _extreme("minimum", [_extreme("maximum", [low, *least]), high])
    begin, end = (Variable(f"{name}_{axis.name}", "int64") for name in ("begin", "end"))
    last = _extreme("maximum", [_extreme("minimum", [high, *most]), begin])
    edge = Variable(f"edge_{axis.name}", "int64")
    below = Apply("equal", (edge, _ZERO), "bool")
    edges = Axis(
        axis.name, Apply("where", (below, low, end), "int64"),
        Apply("where", (below, begin, high), "int64"), SEQUENTIAL,
    )  # fmt: skip
    inside = _within(loop.body, {t.condition: _TRUE if t.in_the_middle else _FALSE for t in tests})
    return [
        Let(begin.name, first),
        Let(end.name, last),
        Loop(
            Axis(edge.name, _ZERO, Constant(2, "int64"), SEQUENTIAL),
            (Loop(edges, loop.body),),
        ),
        Loop(Axis(axis.name, begin, end, SEQUENTIAL), inside),
    ]


def _extreme(operation: str, values: Sequence[Expression]) -> Expression:
    """The "maximum" or "minimum" of integers, of which constants are compared here."""
    numbers = [int(value.value) for value in values if isinstance(value, Constant)]
    different: list[Expression] = [
        value for value in dict.fromkeys(values) if not isinstance(value, Constant)
    ]
    if numbers:
        best = max(numbers) if operation == "maximum" else min(numbers)
        different.append(Constant(best, "int64"))
    return reduce(lambda a, b: Apply(operation, (a, b), "int64"), different)


# ---- tests


def _tests(loop: Loop, sizes: Mapping[int, int]) -> list[_Test]:
    """The different tests of padding in a loop without loops inside."""
    bound = {loop.axis.name, *(s.name for s in loop.body if isinstance(s, Let))}
    found: dict[Expression, _Test] = {}
    stack = [value for statement in loop.body for value in expressions(statement)]
    while stack:
        value = stack.pop()
        test = None
        if isinstance(value, Apply) and value.operation == "logical_and":  # as all tests are
            test = found.get(value) or _test(value, loop.axis.name, bound, sizes)
        if test is not None:
            found[value] = test
        else:
            stack.extend(parts(value))
    return list(found.values())


def _test(value: Expression, name: str, bound: set[str], sizes: Mapping[int, int]) -> _Test | None:
    """What `0 <= index + rest < limit` asks of the loop variable; None for anything else."""
    if not isinstance(value, Apply) or value.operation != "logical_and":
        return None
    low, high = value.operands
    if not isinstance(low, Apply) or not isinstance(high, Apply):
        return None
    if (low.operation, high.operation) != ("greater_equal", "less"):
        return None
    (moved, least), (same, limit) = low.operands, high.operands
    if moved != same or least != _ZERO or names(limit) & bound:
        return None
    terms = _terms(moved)
    rest = [term for term in terms if term != Variable(name, "int64")]
    if len(rest) != len(terms) - 1 or any(names(term) & bound for term in rest):
        return None
    zero: Expression = _ZERO
    begin, end = reduce(_minus, rest, zero), reduce(_minus, rest, limit)
    return _Test(value, begin, end, _is_wide(limit, sizes))


def _is_wide(limit: Expression, sizes: Mapping[int, int]) -> bool:
    """Whether so many indices are more than an edge, as far as is known."""
    if isinstance(limit, Constant):
        return int(limit.value) > EDGE
    return not isinstance(limit, Argument) or sizes.get(limit.position, EDGE + 1) > EDGE


def _terms(value: Expression) -> list[Expression]:
    if isinstance(value, Apply) and value.operation == "add":
        return [term for operand in value.operands for term in _terms(operand)]
    return [value]


def _minus(value: Expression, term: Expression) -> Expression:
    if isinstance(term, Constant):
        return _sum(Apply("add", (value, Constant(-int(term.value), "int64")), "int64"))
    if value == _ZERO:
        return Apply("negative", (term,), "int64")
    return Apply("subtract", (value, term), "int64")


# ---- where the tests hold


def _within(
    body: Sequence[Statement], conditions: Mapping[Expression, Expression]
) -> tuple[Statement, ...]:
    """The statements where it is known which conditions hold."""
    known = dict(conditions)
    result: list[Statement] = []
    for statement in body:
        new = changed(statement, lambda value: _expression(value, known))
        if isinstance(new, Let) and (new.value in (_TRUE, _FALSE) or _is_index(new.value)):
            known[Variable(new.name, new.value.dtype)] = new.value
        else:
            result.append(new)
    return tuple(result)


def _is_index(value: Expression) -> bool:
    """Whether a value is a sum of loop variables and sizes, as short as a name for it."""
    if value.dtype != "int64":
        return False
    return all(isinstance(term, Variable | Argument | Constant) for term in _terms(value))


def _expression(value: Expression, known: Mapping[Expression, Expression]) -> Expression:
    """An expression with what is known of its parts put in their place."""
    if value in known:
        return known[value]
    if isinstance(value, Load | RandomBits):
        return replace(value, index=_expression(value.index, known))
    if not isinstance(value, Apply):
        return value
    operands = tuple(_expression(operand, known) for operand in value.operands)
    if value.operation == "where" and operands[0] in (_TRUE, _FALSE):
        return operands[1] if operands[0] == _TRUE else operands[2]
    if value.operation == "logical_and" and _FALSE in operands:
        return _FALSE
    if value.operation == "logical_and" and _TRUE in operands:
        return operands[1] if operands[0] == _TRUE else operands[0]
    new = replace(value, operands=operands)
    return _sum(new) if value.operation == "add" and value.dtype == "int64" else new


def _sum(value: Expression) -> Expression:
    """A sum of integers with its constants added up, last."""
    terms = _terms(value)
    constant = sum(int(term.value) for term in terms if isinstance(term, Constant))
    rest: list[Expression] = [term for term in terms if not isinstance(term, Constant)]
    if constant or not rest:
        rest.append(Constant(constant, "int64"))
    return reduce(lambda a, b: Apply("add", (a, b), "int64"), rest)
