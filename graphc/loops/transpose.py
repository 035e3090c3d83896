"""What a tile reads across its lines of memory is transposed before, in memory of the kernel's own.

The inner loop of a tile goes along the lines that are written. What it reads across them it would
gather from as many lines as there are rows, at distances that leave a cache few places for them.
Read along its own lines into a small array, each line is touched once, and the loop that computes
runs on vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from graphc.loops.ir import (
    Apply,
    Axis,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Local,
    Loop,
    Statement,
    Store,
    Tile,
    Variable,
)
from graphc.loops.linear import coefficient, put
from graphc.loops.stride import stride
from graphc.loops.tidy import changed, expressions, names, walk

# No more bytes than fit well into a second-level cache; what else is read across stays as it is.
_MOST_BYTES = 64 << 10
_VECTOR_BYTES = 64


def transpose(kernel: Kernel) -> Kernel:
    """The kernel with what its tiles read across transposed before each of them."""
    made = _Transposition(kernel)
    body = tuple(map(made.statement, kernel.body))
    return replace(kernel, body=body, local=tuple(made.local)) if made.local else kernel


class _Transposition:
    def __init__(self, kernel: Kernel) -> None:
        self.first = len(kernel.buffers)
        self.local = list(kernel.local)
        self.written = {slot for slot, b in enumerate(kernel.buffers) if b.written}

    def statement(self, given: Statement) -> Statement:
        """A statement, with the tiles in it changed."""
        if not isinstance(given, Loop):
            return given
        if not any(isinstance(each, Loop) for each in given.body):
            return given
        body: list[Statement] = []
        for each in given.body:
            body += self._tile(each) if _is_tile(each) else [self.statement(each)]
        return replace(given, body=tuple(body))

    def _tile(self, outer: Statement) -> list[Statement]:
        """The loops that fill arrays, and those of the tile, which read these."""
        assert isinstance(outer, Loop)
        (inner,) = outer.body
        assert isinstance(inner, Loop)
        before: list[Statement] = []
        replaced: dict[Expression, Expression] = {}
        for load in dict.fromkeys(_loads(inner.body)):
            pitch, rows = (_whole(loop.axis.most, load.dtype) for loop in (inner, outer))
            array = Local(load.dtype, rows * pitch)
            if not self._is_across(load, outer) or not self._has_room(array):
                continue
            self.local.append(array)
            slot = self.first + len(self.local) - 1
            replaced[load] = Load(slot, _place(outer.axis, inner.axis, pitch), load.dtype)
            before.append(_tile(load, slot, outer.axis, inner.axis, pitch))
        body = tuple(_replaced(each, replaced) for each in inner.body)
        return [*before, replace(outer, body=(replace(inner, body=body),))]

    def _has_room(self, array: Local) -> bool:
        return sum(map(_size, (*self.local, array))) <= _MOST_BYTES

    def _is_across(self, load: Load, outer: Loop) -> bool:
        (inner,) = outer.body
        assert isinstance(inner, Loop)
        bound = {statement.name for statement in inner.body if isinstance(statement, Let)}
        if load.buffer in self.written or bound & names(load.index):
            return False
        along, far = (stride(load.index, loop.axis.name) for loop in (outer, inner))
        linear = coefficient(load.index, inner.axis.name) is not None
        return along == 1 and far is None and linear


def _is_tile(statement: Statement) -> bool:
    """Whether a statement is two loops of a known most of iterations, with none inside them."""
    if not isinstance(statement, Loop) or len(statement.body) != 1:
        return False
    (inner,) = statement.body
    if not isinstance(inner, Loop) or any(isinstance(each, Loop) for each in inner.body):
        return False
    plain = not any((*loop.accumulators, *loop.carries) for loop in (statement, inner))
    return plain and statement.axis.most > 0 and inner.axis.most > 0


def _size(array: Local) -> int:
    return array.elements * np.dtype(array.dtype).itemsize


def _whole(most: int, dtype: str) -> int:
    """So many numbers, up to whole vectors."""
    lanes = _VECTOR_BYTES // np.dtype(dtype).itemsize
    return -(-most // lanes) * lanes


def _tile(load: Load, slot: int, outer: Axis, inner: Axis, pitch: int) -> Statement:
    """What fills an array with the rows of memory that a tile reads down its columns."""
    at_first = {axis.name: axis.start for axis in (outer, inner)}
    start = put(load.index, lambda v: at_first.get(v.name) if isinstance(v, Variable) else None)
    distance = coefficient(load.index, inner.name)
    assert distance is not None  # see `_is_across`
    rows, columns = (Apply("subtract", (a.stop, a.start), "int64") for a in (inner, outer))
    if np.dtype(load.dtype).itemsize in (4, 8):
        return Tile(slot, load.buffer, start, distance, rows, columns, pitch)
    along = Loop(outer, (Store(slot, _place(outer, inner, pitch), load),))
    return Loop(inner, (along,))


def _place(outer: Axis, inner: Axis, pitch: int) -> Expression:
    """The place of an element of a tile in an array of it."""
    row, column = (
        Apply("subtract", (Variable(axis.name, "int64"), axis.start), "int64")
        for axis in (outer, inner)
    )
    before = Apply("multiply", (row, Constant(pitch, "int64")), "int64")
    return Apply("add", (before, column), "int64")


def _loads(body: Sequence[Statement]) -> Iterator[Load]:
    for statement in body:
        yield from (each for each in walk(*expressions(statement)) if isinstance(each, Load))


def _replaced(given: Statement, replaced: dict[Expression, Expression]) -> Statement:
    """A statement with loads replaced by others."""
    return changed(given, lambda value: put(value, replaced.get))
