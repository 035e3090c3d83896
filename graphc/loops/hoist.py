"""Indices that an innermost loop does not change are found before it.

A row taken by a computed index is read element by element; as long as the loop over it loads and
checks that index again, the compiler can neither tell where the row lies nor read it in vectors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphc.loops.ir import (
    PARALLEL,
    Apply,
    Buffer,
    Check,
    Expression,
    Kernel,
    Let,
    Load,
    Local,
    Loop,
    RandomBits,
    Statement,
    Variable,
)
from graphc.loops.tidy import changed, expressions, parts


def hoist(kernel: Kernel) -> Kernel:
    """The kernel with what its innermost loops compute again and again of integers and truth
    values before them, and checks of these."""
    written = {slot for slot, buffer in enumerate(kernel.buffers) if buffer.written}
    written |= {len(kernel.buffers) + number for number in range(len(kernel.local))}
    arrays: list[Buffer | Local] = [*kernel.buffers, *kernel.local]
    integers = any(map(_is_integer, arrays))
    return replace(kernel, body=_Hoisting(written, integers).block(kernel.body))


class _Hoisting:
    def __init__(self, written: set[int], integers: bool) -> None:
        self.written, self.integers, self.count = written, integers, 0

    def block(self, body: Iterable[Statement]) -> tuple[Statement, ...]:
        """Statements, with the loops among them behind what has left them."""
        result: list[Statement] = []
        for statement in body:
            result += self.loop(statement) if isinstance(statement, Loop) else [statement]
        return tuple(result)

    def loop(self, loop: Loop) -> list[Statement]:
        """What leaves a loop, and the loop."""
        if any(isinstance(statement, Loop) for statement in loop.body):
            return [replace(loop, body=self.block(loop.body))]
        if loop.axis.kind == PARALLEL:
            return [loop]
        bound = {loop.axis.name, *(a.name for a in loop.accumulators)}
        bound |= {carry.name for carry in loop.carries}
        before: list[Statement] = []
        inside: list[Statement] = []
        for statement in loop.body:
            if self._leaves(statement, bound):
                before.append(statement)
            else:
                inside.append(statement)
                if isinstance(statement, Let):
                    bound.add(statement.name)
        left = replace(loop, body=tuple(inside)) if before else loop
        if not self.integers:
            return [*before, left]
        loads = _Loads(self, bound)
        left = loads.in_loop(left)
        return [*before, *loads.lets(), left]

    def _leaves(self, statement: Statement, bound: set[str]) -> bool:
        if isinstance(statement, Let):
            return _is_integer(statement.value) and self.same(statement.value, bound)
        checks = isinstance(statement, Check)
        return checks and all(self.same(value, bound) for value in expressions(statement))

    def same(self, value: Expression, bound: set[str]) -> bool:
        """Whether a value has no name in `bound` and is loaded from nothing that is written."""
        if isinstance(value, Variable):
            return value.name not in bound
        if isinstance(value, Load) and value.buffer in self.written:
            return False
        return all(self.same(part, bound) for part in parts(value))


def _is_integer(value: Expression | Buffer | Local) -> bool:
    return not value.dtype.startswith("float")


class _Loads:
    """Loads of integers that a loop does not change, each under a name."""

    def __init__(self, hoisting: _Hoisting, bound: set[str]) -> None:
        self.hoisting, self.bound = hoisting, bound
        self.names: dict[Load, Variable] = {}

    def lets(self) -> list[Statement]:
        """The names that were given."""
        return [Let(variable.name, load) for load, variable in self.names.items()]

    def in_loop(self, loop: Loop) -> Loop:
        """The loop with names in the place of loads."""
        return replace(
            loop,
            body=tuple(changed(each, self._value) for each in loop.body),
            accumulators=tuple(replace(a, value=self._value(a.value)) for a in loop.accumulators),
            carries=tuple(replace(c, value=self._value(c.value)) for c in loop.carries),
        )

    def _value(self, given: Expression) -> Expression:
        if isinstance(given, Load):
            if _is_integer(given) and self.hoisting.same(given, self.bound):
                return self._named(given)
            return replace(given, index=self._value(given.index))
        if isinstance(given, Apply):
            operands = tuple(map(self._value, given.operands))
            return Apply(given.operation, operands, given.dtype)
        if isinstance(given, RandomBits):
            return replace(given, index=self._value(given.index))
        return given

    def _named(self, load: Load) -> Variable:
        if load not in self.names:
            self.hoisting.count += 1
            self.names[load] = Variable(f"invariant_{self.hoisting.count}", load.dtype)
        return self.names[load]
