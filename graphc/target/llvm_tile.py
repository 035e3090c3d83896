"""An LLVM function that transposes a tile of memory, in squares that lie in registers.

What is read across its lines of memory would be gathered number by number. Here a square of as many
rows as a vector has lanes is read along its lines and turned by shuffles, see `llvm_rows`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.target.llvm_rows import Squares

_WORD, _BYTE = ir.IntType(64), ir.IntType(8)


def turn_rows(builder: Any, bits: int, memory: Any, own: Any, words: list[Any]) -> None:
    """Copy rows of memory to columns of an array, elements of `bits` each.

    `words` are int64: the place of the first row's first element, the distance between rows, the
    rows, the columns, and the distance between the columns in the array, whole vectors. The array
    is aligned to a vector and has room for whole squares. No memory beyond the rows is touched.
    """
    byte = _BYTE.as_pointer()
    places = [builder.bitcast(pointer, byte) for pointer in (memory, own)]
    builder.call(_function(builder.module, bits), [*places, *words])


def _function(module: Any, bits: int) -> Any:
    name = f"graphc_tile_{bits}"
    if name in module.globals:
        return module.globals[name]
    byte = _BYTE.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [byte] * 2 + [_WORD] * 5), name)
    function.linkage = "internal"
    for attribute in ("nounwind", "noinline"):
        function.attributes.add(attribute)
    for argument in function.args[:2]:
        argument.add_attribute("noalias")
    *arguments, pitch = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    _Tile(builder, bits, arguments, pitch).turn()
    builder.ret_void()
    return function


class _Tile(Squares):
    """Emits the loops over the squares of a tile."""

    def __init__(self, builder: ir.IRBuilder, bits: int, arguments: Any, pitch: Any) -> None:
        super().__init__(builder, bits, arguments)
        self.pitch = pitch

    def turn(self) -> None:
        """The whole function."""
        builder, start, own, rows = self.builder, self.start, self.own, self.rows
        with self.count(rows) as row:
            self.start = builder.add(start, builder.mul(row, self.distance))
            self.own = builder.gep(own, [builder.mul(row, _WORD(self.bytes))], source_etype=_BYTE)
            self.rows = builder.sub(rows, row)
            self.write(to_lanes=True)

    def place(self, column: Any, number: int) -> Any:
        """Where the numbers of a column lie."""
        column = self.builder.add(column, _WORD(number))
        return self.at(self.own, self.builder.mul(column, self.pitch))
