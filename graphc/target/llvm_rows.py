"""LLVM functions that turn rows of memory into lanes and back, by transposing squares in registers.

Rows that are shorter than a few vectors are computed on in blocks: a vector has one element of each
row of a block. Read one by one such elements would cost more than what is computed of them; here a
square is read along its rows and turned in `log2` steps of shuffles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from graphc.target import object_code, rows

_WORD, _INT32, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_SQUARE_BYTES, _PART_BYTES = 64, 16


def move_rows(
    builder: Any, bits: int, to_lanes: bool, memory: Any, own: Any, words: list[Any]
) -> None:
    """Move elements of `bits` between rows of memory and an array with a vector for each column.

    `words` are int64: the place of the first row's first element, the distance between rows, the
    rows (the last of them stands for those that are missing from a square), and the columns.
    The array has room for whole squares. No memory beyond the rows is touched.
    """
    byte = _BYTE.as_pointer()
    places = [builder.bitcast(pointer, byte) for pointer in (memory, own)]
    name, module = rows.symbol(bits, to_lanes), builder.module
    function = module.globals.get(name) or _declared(module, name)
    builder.call(function, [*places, *words])


def function_module(wanted: str, exported: str) -> str:
    """The LLVM text of the function that a symbol stands for, exported as `exported`. LLVM's passes
    find nothing to do in it."""
    module = ir.Module()
    module.triple, module.data_layout = object_code.host()
    function = _declared(module, exported)
    bits, to_lanes = rows.parse_symbol(wanted)
    builder = ir.IRBuilder(function.append_basic_block())
    Squares(builder, bits, function.args).write(to_lanes)
    builder.ret_void()
    return str(module)


def _declared(module: Any, name: str) -> Any:
    byte = _BYTE.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [byte] * 2 + [_WORD] * 4), name)
    function.attributes.add("nounwind")
    for argument in function.args[:2]:
        argument.add_attribute("noalias")
    return function


class Squares:
    """Emits the loops over the squares of a block."""

    def __init__(self, builder: ir.IRBuilder, bits: int, arguments: Any) -> None:
        self.builder, self.bytes = builder, bits // 8
        self.side = _SQUARE_BYTES // self.bytes
        self.element = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.vector = ir.VectorType(self.element, self.side)
        self.suffix = f"v{self.side}f{bits}"
        self.memory, self.own, self.start, self.distance, self.rows, self.columns = arguments

    def write(self, to_lanes: bool) -> None:
        """All squares of a block of rows."""
        last = self.builder.sub(self.rows, _WORD(1))
        with self.count(self.columns) as column:
            lines = [self._line(number, last, column) for number in range(self.side)]
            places = [self.place(column, number) for number in range(self.side)]
            mask = self._mask(column)
            if to_lanes:
                square = [self._load(line, mask) for line in lines]
                for place, value in zip(places, self._transposed(square), strict=True):
                    self.builder.store(value, place, align=_SQUARE_BYTES)
            else:
                square = [self.builder.load(place, align=_SQUARE_BYTES) for place in places]
                for line, value in zip(lines, self._transposed(square), strict=True):
                    self._store(value, line, mask)

    @contextmanager
    def count(self, stop: Any) -> Iterator[Any]:
        """A loop over 0, side, ... below `stop`, at least once."""
        builder = self.builder
        before, body = builder.block, builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        index = builder.phi(_WORD)
        index.add_incoming(_WORD(0), before)
        yield index
        following = builder.add(index, _WORD(self.side), flags=("nsw",))
        index.add_incoming(following, builder.block)
        after = builder.append_basic_block()
        builder.cbranch(builder.icmp_signed("<", following, stop), body, after)
        builder.position_at_end(after)

    def at(self, pointer: Any, index: Any) -> Any:
        moved = self.builder.gep(
            pointer, [self.builder.mul(index, _WORD(self.bytes))], source_etype=_BYTE
        )
        return self.builder.bitcast(moved, self.vector.as_pointer())

    def _line(self, number: int, last: Any, column: Any) -> Any:
        """Where a row goes on at a column."""
        builder, row = self.builder, _WORD(number)
        row = builder.select(builder.icmp_signed("<", row, last), row, last)
        index = builder.add(builder.add(self.start, column), builder.mul(row, self.distance))
        return self.at(self.memory, index)

    def place(self, column: Any, number: int) -> Any:
        """Where the numbers of a column lie."""
        column = self.builder.add(column, _WORD(number))
        return self.at(self.own, self.builder.mul(column, _WORD(self.side)))

    def _mask(self, column: Any) -> Any:
        """On in the lanes that a row still has."""
        builder, words = self.builder, ir.VectorType(_INT32, self.side)
        left = builder.trunc(builder.sub(self.columns, column), _INT32)
        first = builder.insert_element(ir.Constant(words, ir.Undefined), left, _INT32(0))
        spread = builder.shuffle_vector(first, first, ir.Constant(words, [0] * self.side))
        return builder.icmp_signed("<", ir.Constant(words, list(range(self.side))), spread)

    def _load(self, pointer: Any, mask: Any) -> Any:
        zero = ir.Constant(self.vector, None)
        arguments = [pointer, _INT32(self.bytes), mask, zero]
        return self._call(f"llvm.masked.load.{self.suffix}.p0", self.vector, arguments)

    def _store(self, value: Any, pointer: Any, mask: Any) -> None:
        arguments = [value, pointer, _INT32(self.bytes), mask]
        self._call(f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), arguments)

    def _call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        module = self.builder.module
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, arguments)

    # Numbers change places within parts of 16 bytes first, then such parts do: processors have one
    # instruction for each such step, and LLVM finds it at once.

    def _transposed(self, square: list[Any]) -> list[Any]:
        """Rows to columns."""
        part = _PART_BYTES // self.bytes
        groups = [square[at : at + part] for at in range(0, self.side, part)]
        within = [self._within_parts(group, 1) for group in groups]
        columns: list[Any] = [None] * self.side
        for number, turned in enumerate(zip(*within, strict=True)):
            columns[number::part] = self._between_parts(list(turned))
        return columns

    def _within_parts(self, rows: list[Any], width: int) -> list[Any]:
        """Runs of `width` numbers of all rows together, for each of those in a part."""
        if len(rows) == 1:
            return rows
        part, halves = _PART_BYTES // self.bytes, []
        for half in (0, part // 2):
            lanes = [
                start + half + at + run
                for at in range(0, part // 2, width)
                for start in (0, self.side)
                for run in range(width)
            ]
            order = [lane + first for first in range(0, self.side, part) for lane in lanes]
            halves.append([self._shuffled(pair, order) for pair in _pairs(rows)])
        return [column for half in halves for column in self._within_parts(half, 2 * width)]

    def _between_parts(self, rows: list[Any]) -> list[Any]:
        """The first parts of all rows, the second ones, ..."""
        if len(rows) == 1:
            return rows
        part = _PART_BYTES // self.bytes
        result: list[Any] = [None] * len(rows)
        for odd in (0, 1):
            firsts = range(odd * part, 2 * self.side, 2 * part)
            order = [first + lane for first in firsts for lane in range(part)]
            chosen = [self._shuffled(pair, order) for pair in _pairs(rows)]
            result[odd::2] = self._between_parts(chosen)
        return result

    def _shuffled(self, pair: tuple[Any, Any], order: list[int]) -> Any:
        lanes = ir.Constant(ir.VectorType(_INT32, self.side), order)
        return self.builder.shuffle_vector(*pair, lanes)


def _pairs(rows: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(rows[::2], rows[1::2], strict=True))
