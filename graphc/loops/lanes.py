"""Short rows side by side: a vector has one element of each of several rows.

Along a row of 20 elements a vector of 16 leaves a rest that runs one by one, and each reduction
ends with adding up the lanes of a vector. Across rows there is neither. A block of rows is turned
into columns of lanes in memory of the kernel's own (`Rows`); a loop over columns has one over the
lanes inside, and what is reduced is added up in the order of the columns. The last row of a chunk
stands in for rows that its last block misses: it is computed several times, to the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphc.loops.columns import (
    Accesses,
    Columns,
    UnfitError,
    bound,
    lanes_of,
    most_columns,
    number_of,
    require_columns,
    used,
    with_expressions,
)
from graphc.loops.ir import (
    HI,
    LO,
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Local,
    Loop,
    Rows,
    Statement,
    Store,
    Variable,
)
from graphc.loops.linear import Change, plus, put, times
from graphc.loops.tidy import changed, names

# The kernel's own memory: no more bytes than stay in the nearest caches.
_MOST_BYTES = 64 << 10
_VECTOR_BYTES = 64

_ZERO, _ONE = Constant(0, "int64"), Constant(1, "int64")
_LANE, _BLOCK, _FIRST, _ROWS = (
    Variable(name, "int64") for name in ("lane", "block", "first", "rows")
)


def rows_in_lanes(kernel: Kernel, sizes: Mapping[int, int], rows: int = 0) -> Kernel:
    """The kernel with its short rows computed side by side, if it has any.

    `sizes` are the arguments of the kernel that are the same at each call, by position; `rows` how
    many there are, if that is known.
    """
    *before, loop = kernel.body
    if not isinstance(loop, Loop) or loop.axis.kind != PARALLEL:
        return kernel
    try:
        block = _Block(kernel, _with_columns(loop, sizes), rows)
        body = (*before, *block.loops())
    except UnfitError:
        return kernel
    return replace(kernel, body=body, local=(*kernel.local, *block.own))


def _with_columns(loop: Loop, sizes: Mapping[int, int]) -> Loop:
    """The loop with the number of columns in its text, where that is the same at each call."""
    stops = {each.axis.stop for each in loop.body if isinstance(each, Loop)}
    known: dict[Expression, Expression] = {
        stop: Constant(sizes[stop.position], "int64")
        for stop in stops
        if isinstance(stop, Argument) and stop.position in sizes
    }
    return with_expressions(loop, lambda value: put(value, lambda each: known.get(each)))


class _Block:
    """The rows of a loop in blocks."""

    def __init__(self, kernel: Kernel, rows: Loop, count: int) -> None:
        self.kernel, self.rows = kernel, rows
        self.name = rows.axis.name
        self.walks = [each for each in rows.body if isinstance(each, Loop)]
        checked = any(isinstance(each, Check) for each in rows.body)
        for walk in self.walks:
            require_columns(walk, checked)
        self.lanes = lanes_of(self.walks)
        self.most = most_columns(self.walks, self.lanes)
        # For less than a vector alone there are not two ways.
        unknown = self.most + (self.most < self.lanes)
        known = [number_of(walk.axis.stop, unknown) for walk in self.walks]
        if max(known, default=1) > self.most or 0 < 4 * count < 3 * self.lanes:
            raise UnfitError
        self.own: list[Local] = []
        self.held: dict[str, int] = {}  # the array of a value that each row has one of
        self.arrays: dict[int, int] = {}  # of columns, by identity
        self.accesses = self._accesses()

    def _accesses(self) -> Accesses:
        inside = {self.name, *bound(self.rows)}
        written = {slot for slot, buffer in enumerate(self.kernel.buffers) if buffer.written}
        accesses = Accesses(self.name, inside, written)
        for walk in self.walks:
            accesses.walk(walk)
        accesses.check([each for each in self.rows.body if not isinstance(each, Loop)])
        return accesses

    # ---- memory

    def _array(self, dtype: str, columns: Expression | None = None) -> int:
        """The slot of a new array with a number for each lane, or for each of each column."""
        # Squares of numbers are written whole.
        most = 0 if columns is None else number_of(columns, self.most)
        whole = -(-most // self.lanes) * self.lanes or 1
        self.own.append(Local(dtype, whole * self.lanes))
        if sum(own.elements * np.dtype(own.dtype).itemsize for own in self.own) > _MOST_BYTES:
            raise UnfitError
        return len(self.kernel.buffers) + len(self.kernel.local) + len(self.own) - 1

    def _move(self, columns: Columns, back: bool) -> Statement:
        """The rows of a block put into lanes, or back."""
        slot = self.arrays[id(columns)]
        if np.dtype(columns.dtype).itemsize * self.lanes == _VECTOR_BYTES:
            start = put(columns.start, self._first_row)
            return Rows(slot, columns.buffer, start, columns.distance, _ROWS, columns.count, back)
        column = Variable("column", "int64")
        there, here = plus(columns.start, column), _place(column, self.lanes)
        store = (
            Store(columns.buffer, there, Load(slot, here, columns.dtype))
            if back
            else Store(slot, here, Load(columns.buffer, there, columns.dtype))
        )
        axis = Axis(column.name, _ZERO, columns.count, SEQUENTIAL)
        return self._each_lane([Loop(axis, (store,))])

    def _first_row(self, value: Expression) -> Expression | None:
        return _FIRST if value == Variable(self.name, "int64") else None

    # ---- statements

    def loops(self) -> list[Statement]:
        """The loop over the blocks. Where columns are only known at a call and there are too many,
        it does nothing and one over the rows does what it did."""
        number = plus(Apply("subtract", (HI, LO), "int64"), Constant(self.lanes - 1, "int64"))
        count: Expression = Apply("floor_divide", (number, Constant(self.lanes, "int64")), "int64")
        blocks = Axis(_BLOCK.name, _ZERO, count, SEQUENTIAL)
        stops = dict.fromkeys(walk.axis.stop for walk in self.walks)
        unknown = [stop for stop in stops if isinstance(stop, Argument)]
        if not unknown:
            return [Loop(blocks, self._block())]
        largest: Expression = unknown[0]
        for stop in unknown[1:]:
            largest = Apply("maximum", (largest, stop), "int64")
        few = Apply("less_equal", (largest, Constant(self.most, "int64")), "bool")
        blocks = replace(blocks, stop=Apply("where", (few, count, _ZERO), "int64"))
        start = Apply("where", (few, HI, LO), "int64")
        rows = replace(self.rows.axis, start=start, stop=HI, kind=SEQUENTIAL)
        return [Loop(blocks, self._block()), replace(self.rows, axis=rows)]

    def _block(self) -> tuple[Statement, ...]:
        parts = self._parts()
        self._hold(parts)
        columns = list(self.accesses.columns.values())
        for each in columns:
            self.arrays[id(each)] = self._array(each.dtype, each.count)
        body: list[Statement] = [*self._bounds()]
        body += [self._move(each, back=False) for each in columns if each.read_first]
        for part in parts:
            body += self._part(part)
        body += [self._move(each, back=True) for each in columns if each.written]
        return tuple(self._joined(body))

    def _joined(self, body: Sequence[Statement]) -> list[Statement]:
        """Statements with loops over the lanes together that touch nothing but their own lane."""
        result: list[Statement] = []
        for each in body:
            before = result[-1] if result else each
            if before is not each and self._stays(before) and self._stays(each):
                assert isinstance(before, Loop)
                assert isinstance(each, Loop)
                more = [new for new in each.body if new not in before.body]
                result.pop()
                each = replace(each, body=(*before.body, *more))
            result.append(each)
        return result

    def _stays(self, statement: Statement) -> bool:
        """Whether a statement is a loop over the lanes that stores in the kernel's own memory."""
        if not isinstance(statement, Loop) or statement.axis.name != _LANE.name:
            return False
        own = len(self.kernel.buffers)
        return all(
            isinstance(each, Let) or (isinstance(each, Store) and each.buffer >= own)
            for each in statement.body
        )

    def _bounds(self) -> list[Statement]:
        first = plus(LO, times(_BLOCK, Constant(self.lanes, "int64")))
        left = Apply("subtract", (HI, _FIRST), "int64")
        rows = Apply("minimum", (left, Constant(self.lanes, "int64")), "int64")
        return [Let(_FIRST.name, first), Let(_ROWS.name, rows)]

    def _parts(self) -> list[list[Statement]]:
        """The statements of a row, in groups that each make one loop over the lanes.

        What is stored is computed before, since a row may be computed again in other lanes. Checks
        are made at the end, row by row (nothing that fails is used, see `defer`).
        """
        groups: list[list[Statement]] = [[]]
        checks: list[Statement] = []
        for number, statement in enumerate(self.rows.body):
            if isinstance(statement, Let | Check):
                (checks if isinstance(statement, Check) else groups[-1]).append(statement)
                continue
            if isinstance(statement, Store) and not isinstance(statement.value, Variable):
                value = Variable(f"stored_{number}", statement.value.dtype)
                groups[-1].append(Let(value.name, statement.value, statement.origin))
                statement = replace(statement, value=value)
            if isinstance(statement, Loop):
                statement, lets = self._invariant(statement, number)
                groups[-1] += lets
            groups += [[statement], []]
        return [group for group in (*groups, checks) if group]

    def _invariant(self, walk: Loop, number: int) -> tuple[Loop, list[Statement]]:
        """A loop over columns with what it loads once for a row before it."""
        lets: dict[Expression, Let] = {}

        def change(value: Expression) -> Expression | None:
            once = isinstance(value, Load) and walk.axis.name not in names(value)
            if not once or self.name not in names(value):
                return None
            let = lets.setdefault(value, Let(f"row_{number}_{len(lets)}", value))
            return Variable(let.name, value.dtype)

        return with_expressions(walk, lambda value: put(value, change)), list(lets.values())

    def _hold(self, parts: Sequence[Sequence[Statement]]) -> None:
        """Arrays for the values that one group makes and another takes."""
        made = [_made(part) for part in parts]
        for own, part in zip(made, parts, strict=True):
            taken = set().union(*map(used, part))
            for others in made:
                if others is not own:
                    for name in sorted(taken & others.keys()):
                        if name not in self.held:
                            self.held[name] = self._array(others[name])

    def _part(self, part: Sequence[Statement]) -> list[Statement]:
        if isinstance(part[0], Loop):
            return self._walk(part[0])
        made = _made(part)
        known = {name: slot for name, slot in self.held.items() if name not in made}
        body = [changed(each, lambda value: put(value, _taken(known))) for each in part]
        for name in made:
            if name in self.held:
                value = Variable(name, made[name])
                body.append(Store(self.held[name], _LANE, value))
        return [self._each_lane(body)]

    def _walk(self, walk: Loop) -> list[Statement]:
        """The loop over columns, with one over lanes inside."""
        totals = [total for total in walk.accumulators if total.name in self.held]
        started: list[Statement] = [
            Store(self.held[total.name], _LANE, total.identity, total.origin) for total in totals
        ]

        def change(value: Expression) -> Expression:
            return put(value, lambda each: self._in_walk(each, walk.axis))

        inside: list[Statement] = []
        for each in walk.body:
            if isinstance(each, Store):
                columns = self.accesses.of(each.buffer, each.index, walk.axis)
                slot, place = self.arrays[id(columns)], self._column(walk.axis)
                inside.append(Store(slot, place, change(each.value), each.origin))
            else:
                inside.append(changed(each, change))
        for total in totals:
            slot = self.held[total.name]
            before = Load(slot, _LANE, total.dtype)
            value = Apply(total.combine, (before, change(total.value)), total.dtype)
            inside.append(Store(slot, _LANE, value, total.origin))
        walked = replace(
            walk, axis=replace(walk.axis, kind=SEQUENTIAL), accumulators=(),
            body=(self._each_lane(inside),),
        )  # fmt: skip
        return [self._each_lane(started), walked] if started else [walked]

    def _in_walk(self, value: Expression, axis: Axis) -> Expression | None:
        if isinstance(value, Load):
            columns = self.accesses.of(value.buffer, value.index, axis)
            if columns is not None and self.name in names(value.index):
                return Load(self.arrays[id(columns)], self._column(axis), value.dtype)
        return _taken(self.held)(value)

    def _column(self, axis: Axis) -> Expression:
        return _place(Variable(axis.name, "int64"), self.lanes)

    def _each_lane(self, body: Sequence[Statement]) -> Loop:
        """A loop over the lanes of a block, each with its row."""
        if any(self.name in used(each) for each in body):
            last = Apply("subtract", (_ROWS, _ONE), "int64")
            row = plus(_FIRST, Apply("minimum", (_LANE, last), "int64"))
            body = [Let(self.name, row), *body]
        axis = Axis(_LANE.name, _ZERO, Constant(self.lanes, "int64"), SEQUENTIAL)
        return Loop(axis, tuple(body))


def _place(column: Expression, lanes: int) -> Expression:
    return plus(times(column, Constant(lanes, "int64")), _LANE)


def _taken(held: Mapping[str, int]) -> Change:
    """What reads the values that are held in arrays there."""

    def change(value: Expression) -> Expression | None:
        if isinstance(value, Variable) and value.name in held:
            return Load(held[value.name], _LANE, value.dtype)
        return None

    return change


def _made(part: Sequence[Statement]) -> dict[str, str]:
    """The values for each row that statements make, with their types."""
    made = {each.name: each.value.dtype for each in part if isinstance(each, Let)}
    for each in part:
        if isinstance(each, Loop):
            made |= {total.name: total.dtype for total in each.accumulators}
    return made
