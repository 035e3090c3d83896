"""Checks leave the loops that compute: a loop counts what fails, and another one says what it was.

A check may end a run, so a loop with one in the middle does not run on vectors. What it computes
for an element that fails is not used, so the loop may as well go on: it only counts. Where nothing
failed, which is nearly always, that is all; else the checks are made one after the other, and the
first that fails is reported as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphc.loops.ir import (
    HI,
    LO,
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Loop,
    Statement,
    Variable,
)
from graphc.loops.tidy import expressions, loads, names

_NONE, _ONE = Constant(0, "int64"), Constant(1, "int64")


def defer_checks(kernel: Kernel) -> Kernel:
    """The kernel with the checks of its innermost loops behind these loops."""
    deferring = _Deferring({slot for slot, b in enumerate(kernel.buffers) if b.written})
    body = deferring.block(kernel.body)
    return replace(kernel, body=body) if deferring.count else kernel


class _Deferring:
    def __init__(self, written: set[int]) -> None:
        self.written, self.count = written, 0

    def block(self, body: Iterable[Statement]) -> tuple[Statement, ...]:
        """Statements, with the checks of each loop among them behind it."""
        result: list[Statement] = []
        for statement in body:
            result += self._loop(statement) if isinstance(statement, Loop) else [statement]
        return tuple(result)

    def _loop(self, loop: Loop) -> list[Statement]:
        if any(isinstance(statement, Loop) for statement in loop.body):
            return [replace(loop, body=self.block(loop.body))]
        checks = [statement for statement in loop.body if isinstance(statement, Check)]
        # An axis whose length is written in the source is written out in the loop around it.
        short = isinstance(loop.axis.stop, Constant) and loop.axis.kind != PARALLEL
        if not checks or loop.carries or short:
            return [loop]
        checking = _needed(loop.body, checks)
        # After the loop, what it has written is not what it has read.
        if loads(checking) & self.written:
            return [loop]
        self.count += 1
        return self._divided(loop, checks, checking)

    def _divided(
        self, loop: Loop, checks: Sequence[Check], checking: tuple[Statement, ...]
    ) -> list[Statement]:
        """The loop with a count in the place of checks, and the checks for where it is not 0."""
        axis = replace(loop.axis, kind=REDUCING)
        if loop.axis.kind == PARALLEL:
            axis = replace(axis, start=LO, stop=HI)
        failed = Variable(f"failed_{self.count}", "int64")
        number: Expression = _failures(checks[0])
        for check in checks[1:]:
            number = Apply("add", (number, _failures(check)), "int64")
        total = Accumulator(failed.name, "add", number, _NONE, "int64", checks[0].origin)
        body = tuple(each for each in loop.body if not isinstance(each, Check))
        counting = replace(loop, axis=axis, body=body, accumulators=(*loop.accumulators, total))
        fine = Apply("equal", (failed, _NONE), "bool")
        stop = Apply("where", (fine, axis.start, axis.stop), "int64")
        return [counting, Loop(replace(axis, kind=SEQUENTIAL, stop=stop), checking)]


def _failures(check: Check) -> Expression:
    return Apply("where", (check.condition, _NONE, _ONE), "int64")


def _needed(body: Sequence[Statement], checks: Sequence[Check]) -> tuple[Statement, ...]:
    """The checks of a loop and the values that they are made of."""
    needed: set[str] = set()
    for check in checks:
        for value in expressions(check):
            needed |= names(value)
    kept: list[Statement] = []
    for statement in reversed(body):
        if isinstance(statement, Let) and statement.name in needed:
            needed |= names(statement.value)
            kept.append(statement)
        elif isinstance(statement, Check):
            kept.append(statement)
    return tuple(reversed(kept))
