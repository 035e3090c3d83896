"""What the loops over the columns of a row read and write, for `lanes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from graphc.loops.ir import (
    Argument,
    Axis,
    Constant,
    Expression,
    Let,
    Load,
    Loop,
    Statement,
    Store,
)
from graphc.loops.linear import coefficient, without
from graphc.loops.tidy import changed, expressions, names, walk
from graphc.loops.work import work

_ZERO, _ONE = Constant(0, "int64"), Constant(1, "int64")


class UnfitError(Exception):
    """Rows that cannot be put side by side."""


@dataclass(eq=False)
class Columns:
    """Elements of a buffer that lie side by side along a row: `start` is the place of the first of
    them, as a function of the row; `distance` is that to the next row."""

    buffer: int
    dtype: str
    count: Expression
    start: Expression
    distance: Expression
    read_first: bool
    written: bool = False


# Fewer columns are written out (`unroll`) if no check is in the way.
_LEAST_COLUMNS = 9
# More columns fill vectors along each row. Measured on rows of 2 to 512 columns, by the rows of a
# block: where an elementary function is computed of each element before it is reduced, or its place
# is found; and where there are several reductions.
_MOST_COLUMNS, _MOST_OF_SEVERAL = {16: 256, 8: 48}, {16: 48, 8: 24}
_WORK = 8

Found = dict[tuple[int, Expression], Columns]


class Accesses:
    """The accesses of the loops inside a row: the columns they walk, and what is one for a row."""

    def __init__(self, row: str, inside: set[str], written: set[int]) -> None:
        self.row, self.inside, self.written = row, inside, written
        self.columns: Found = {}

    def walk(self, loop: Loop) -> None:
        """Note the columns of one loop over them."""
        for statement in loop.body:
            self._read(expressions(statement), loop.axis)
            if isinstance(statement, Store):
                dtype = statement.value.dtype
                self._note(statement.buffer, statement.index, dtype, loop.axis, stored=True)
        self._read([total.value for total in loop.accumulators], loop.axis)

    def check(self, row_level: Sequence[Statement]) -> None:
        """Raise UnfitError if what is written in columns is also reached in another way."""
        buffers = [columns.buffer for columns in self.columns.values()]
        stored = {columns.buffer for columns in self.columns.values() if columns.written}
        reached = {s.buffer for s in row_level if isinstance(s, Store)}
        for statement in row_level:
            reached |= {load.buffer for load in _loads(expressions(statement))}
        if stored & reached or any(buffers.count(buffer) > 1 for buffer in stored):
            raise UnfitError

    def of(self, buffer: int, index: Expression, axis: Axis) -> Columns | None:
        """The columns that an access inside a loop belongs to; None for one that does not change
        with the loop."""
        if axis.name not in names(index):
            return None
        return self.columns.get((buffer, without(index, axis.name)))

    def _read(self, values: Sequence[Expression], axis: Axis) -> None:
        for load in _loads(values):
            self._note(load.buffer, load.index, load.dtype, axis, stored=False)

    def _note(self, buffer: int, index: Expression, dtype: str, axis: Axis, stored: bool) -> None:
        row, column = self.row in names(index), axis.name in names(index)
        own = buffer in self.written
        if names(index) & (self.inside - {self.row, axis.name}):
            raise UnfitError  # a computed place
        if not (row and column):
            if stored or own:
                raise UnfitError
            return
        distance, step = (coefficient(index, name) for name in (self.row, axis.name))
        if distance is None or step is None:
            raise UnfitError
        start = without(index, axis.name)
        found = self.columns.setdefault(
            (buffer, start), Columns(buffer, dtype, axis.stop, start, distance, not stored)
        )
        if step != _ONE or found.count != axis.stop:
            raise UnfitError
        found.written |= stored


def _loads(values: Sequence[Expression]) -> list[Load]:
    """The loads in expressions."""
    return [value for value in walk(*values) if isinstance(value, Load)]


# ---- which rows


def most_columns(walks: Sequence[Loop], lanes: int) -> int:
    """As many columns as turning the rows costs less for than they gain."""
    totals = [total for walk in walks for total in walk.accumulators]
    long = any(total.dtype == "int64" for total in totals)
    long |= any(work((each,)) >= _WORK for walk in walks for each in walk.body)
    long |= any(work((Let("", total.value),)) >= _WORK for total in totals)
    if totals and long:
        return _MOST_COLUMNS[lanes]
    if len(totals) > 1:
        return _MOST_OF_SEVERAL[lanes]
    # What lies less than a vector apart is gathered one by one, in rows that are written out.
    return lanes - 1 if totals or long else 0


def require_columns(walk: Loop, checked: bool) -> None:
    """Raise UnfitError for a loop that is not one over columns, or over few: written out these run
    on vectors too, unless rows are `checked`."""
    plain = all(isinstance(each, Let | Store) for each in walk.body) and not walk.carries
    least = 2 if checked else _LEAST_COLUMNS
    stop = walk.axis.stop
    few = isinstance(stop, Constant) and int(stop.value) < least
    if not plain or few or walk.axis.start != _ZERO or not isinstance(stop, Constant | Argument):
        raise UnfitError


def lanes_of(walks: Sequence[Loop]) -> int:
    """The rows of a block: as many numbers of the larger float type as are in a vector."""
    values = [value for walk in walks for each in (walk, *walk.body) for value in expressions(each)]
    return 8 if any(value.dtype == "float64" for value in values) else 16


def number_of(count: Expression, most: int) -> int:
    """The number of columns, or the most if it is not known."""
    return int(count.value) if isinstance(count, Constant) else most


# ---- statements


def with_expressions(loop: Loop, change: Callable[[Expression], Expression]) -> Loop:
    """A loop with `change` applied to the expressions in it."""
    body = tuple(
        with_expressions(each, change) if isinstance(each, Loop) else changed(each, change)
        for each in loop.body
    )
    axis = replace(loop.axis, start=change(loop.axis.start), stop=change(loop.axis.stop))
    totals = tuple(replace(total, value=change(total.value)) for total in loop.accumulators)
    return replace(loop, axis=axis, body=body, accumulators=totals)


def used(statement: Statement) -> set[str]:
    """The names that a statement reads, and those inside it."""
    found: set[str] = set().union(*map(names, expressions(statement)))
    return found.union(*map(used, statement.body)) if isinstance(statement, Loop) else found


def bound(loop: Loop) -> set[str]:
    """The names that are bound inside a loop."""
    found: set[str] = set()
    for each in loop.body:
        if isinstance(each, Let):
            found.add(each.name)
        elif isinstance(each, Loop):
            found |= {each.axis.name, *bound(each), *(total.name for total in each.accumulators)}
    return found
