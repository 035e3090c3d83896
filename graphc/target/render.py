"""Rendering: from a kernel of the loop IR to Python source.

The text is plain Python that runs as it is, in a subset that Numba compiles too. By default
graphc's own front end writes LLVM from it, because that is faster."""

from __future__ import annotations

from typing import NamedTuple

from graphc.loops.ir import (
    PARALLEL,
    Accumulator,
    Apply,
    Argument,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    Rows,
    Statement,
    Store,
    Tile,
    Variable,
)
from graphc.ops.philox import WORD_NAMES

# How tightly Python binds: a looser operand is put in parentheses.
_INFIX = {
    "add": ("+", 2), "subtract": ("-", 2), "multiply": ("*", 3), "less": ("<", 1),
    "less_equal": ("<=", 1),
    "greater": (">", 1), "greater_equal": (">=", 1), "equal": ("==", 1),
    "not_equal": ("!=", 1),
}  # fmt: skip
_CALLS = {"where": "select", "abs": "absolute", "negative": "negative"}
_CASTS = {"bool": "boolean"}
_ATOM = 9
_NARROW = ("int32", "uint32", "uint8")
_RESERVED = {"lo", "hi", "argv", "context"}
# Combining steps of a reduction may be reordered, so that they run on vectors; nothing else may.
_COMBINE = {
    "add": "add_reassociating", "multiply": "multiply_reassociating",
    "maximum": "maximum_reassociating", "minimum": "minimum_reassociating",
}  # fmt: skip


class Rendered(NamedTuple):
    """The source of a kernel, and for each of its lines the origin it computes (-1 for none)."""

    source: str
    origins: tuple[int, ...]


def render(kernel: Kernel) -> Rendered:
    """The source of `def kernel(lo, hi, argv, context)`, with the import of exactly what it
    uses."""
    return _Renderer(kernel).render()


class _Renderer:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.used: dict[str, None] = {}
        self.lines: list[tuple[str, int]] = []
        read = [slot for slot, b in enumerate(kernel.buffers) if not b.written]
        self.buffer_names = {
            slot: f"x{read.index(slot)}" if slot in read else f"out{slot - _before(read, slot)}"
            for slot in range(len(kernel.buffers))
        }
        first = len(kernel.buffers)
        self.buffer_names |= {first + n: f"own{n}" for n in range(len(kernel.local))}

    def call(self, name: str) -> str:
        """The name of a primitive, noted for the import."""
        self.used[name] = None
        return name

    def render(self) -> Rendered:
        """The whole module."""
        self._arguments()
        self._block(self.kernel.body, 1)
        head = _import_lines(sorted(self.used))
        lines = [*head, "", "", "def kernel(lo, hi, argv, context):"]
        origins = [-1] * len(lines) + [origin for _, origin in self.lines]
        source = "\n".join([*lines, *(text for text, _ in self.lines)]) + "\n"
        return Rendered(source, tuple(origins))

    def _line(self, depth: int, text: str, origin: int = -1) -> None:
        self.lines.append(("    " * depth + text, origin))

    def _arguments(self) -> None:
        for slot, buffer in enumerate(self.kernel.buffers):
            pointer = self.call(f"{buffer.dtype}_pointer")
            self._line(1, f"{self.buffer_names[slot]} = {pointer}(argv, {slot})")
        first = len(self.kernel.buffers)
        for position, dtype in enumerate(self.kernel.scalars):
            getter = self.call("integer" if dtype == "int64" else f"{dtype}_value")
            self._line(1, f"{_scalar(position, dtype)} = {getter}(argv, {first + position})")
        for number, local in enumerate(self.kernel.local):
            array = self.call(f"{local.dtype}_array")
            self._line(1, f"{self.buffer_names[first + number]} = {array}({local.elements})")

    def _block(self, body: tuple[Statement, ...], depth: int) -> None:
        for statement in body:
            if isinstance(statement, Let):
                self._line(
                    depth, f"{statement.name} = {self.text(statement.value)}", statement.origin
                )
            elif isinstance(statement, Store):
                target = f"{self.buffer_names[statement.buffer]}[{self.text(statement.index)}]"
                self._line(depth, f"{target} = {self.text(statement.value)}", statement.origin)
            elif isinstance(statement, Check):
                self._check(statement, depth)
            elif isinstance(statement, Rows):
                self._rows(statement, depth)
            elif isinstance(statement, Tile):
                self._tile(statement, depth)
            else:
                self._loop(statement, depth)

    def _check(self, check: Check, depth: int) -> None:
        negated = self.call("logical_not")
        self._line(depth, f"if {negated}({self.text(check.condition)}):", check.origin)
        failed = self.call("fail_index")
        parts = ", ".join(map(self.text, (check.code, check.position, check.value)))
        self._line(depth + 1, f"{failed}(context, {parts})", check.origin)

    def _rows(self, rows: Rows, depth: int) -> None:
        move = self.call("lanes_to_rows" if rows.back else "rows_to_lanes")
        slots = (rows.buffer, rows.local) if rows.back else (rows.local, rows.buffer)
        buffers = [self.buffer_names[slot] for slot in slots]
        values = (rows.start, rows.distance, rows.rows, rows.columns)
        arguments = ", ".join([*buffers, *map(self.text, values)])
        self._line(depth, f"{move}({arguments})", rows.origin)

    def _tile(self, tile: Tile, depth: int) -> None:
        turn, own, memory = (
            self.call("rows_to_columns"), self.buffer_names[tile.local],
            self.buffer_names[tile.buffer],
        )  # fmt: skip
        values = (tile.start, tile.distance, tile.rows, tile.columns)
        words = ", ".join([*map(self.text, values), str(tile.pitch)])
        self._line(depth, f"{turn}({own}, {memory}, {words})", tile.origin)

    def _loop(self, loop: Loop, depth: int) -> None:
        for accumulator in loop.accumulators:
            self._line(
                depth, f"{accumulator.name} = {self.text(accumulator.identity)}", accumulator.origin
            )
        for carry in loop.carries:
            self._line(depth, f"{carry.name} = {self.text(carry.initial)}", carry.origin)
        if loop.axis.kind == PARALLEL:
            bounds = "lo, hi"
        else:
            start = self.text(loop.axis.start)
            bounds = (
                self.text(loop.axis.stop)
                if start == "0"
                else f"{start}, {self.text(loop.axis.stop)}"
            )
        self._line(depth, f"for {loop.axis.name} in range({bounds}):")
        self._block(loop.body, depth + 1)
        for accumulator in loop.accumulators:
            self._combine(accumulator, depth + 1)
        for carry in loop.carries:
            self._line(depth + 1, f"{carry.name} = {self.text(carry.value)}", carry.origin)

    def _combine(self, accumulator: Accumulator, depth: int) -> None:
        name, value = accumulator.name, self.text(accumulator.value)
        if accumulator.dtype in ("float32", "float64"):
            text = f"{self.call(_COMBINE[accumulator.combine])}({name}, {value})"
        else:
            so_far = Variable(name, accumulator.dtype)
            combined = (so_far, accumulator.value)
            text = self.text(Apply(accumulator.combine, combined, accumulator.dtype))
        self._line(depth, f"{name} = {text}", accumulator.origin)

    # ---- expressions

    def text(self, value: Expression) -> str:
        """The Python of an expression."""
        return self._expression(value)[0]

    def _expression(self, value: Expression) -> tuple[str, int]:
        if isinstance(value, Apply):
            return self._apply(value)
        if isinstance(value, Variable):
            return value.name, _ATOM
        if isinstance(value, Argument):
            return _scalar(value.position, value.dtype), _ATOM
        if isinstance(value, Constant):
            return self._constant(value), _ATOM
        if isinstance(value, Load):
            return f"{self.buffer_names[value.buffer]}[{self.text(value.index)}]", _ATOM
        step = f"{self.call('context_word')}(context, 3)"
        bits = self.call(WORD_NAMES[value.word])
        seed, use, index = map(self.text, (value.seed, value.use, value.index))
        return f"{bits}({seed}, {use}, {step}, {index})", _ATOM

    def _constant(self, value: Constant) -> str:
        if value.dtype == "bool":
            return f"{self.call('boolean')}({int(value.value)})"
        if value.dtype == "int64":
            return str(int(value.value))
        if value.dtype in ("float32", "float64"):
            number = float(value.value)
            if number in (float("inf"), float("-inf")):
                # There is no literal for infinity; a literal that overflows is one.
                return f"{self.call(value.dtype)}({'-' if number < 0 else ''}1e999)"
            return f"{self.call(value.dtype)}({number!r})"
        return f"{self.call(value.dtype)}({int(value.value)})"

    def _apply(self, value: Apply) -> tuple[str, int]:
        name = value.operation
        if name in _INFIX:
            sign, level = _INFIX[name]
            left, left_level = self._expression(value.operands[0])
            right, right_level = self._expression(value.operands[1])
            if sign == "+" and value.dtype == "int64" and right.startswith("-"):
                sign, right = "-", right[1:]
            # A comparison does not chain, so one inside another needs parentheses on both sides.
            left = left if left_level >= level + (level == 1) else f"({left})"
            right = right if right_level > level else f"({right})"
            if value.dtype in _NARROW:
                # Python's and Numba's integers grow; these must wrap.
                return f"{self.call(value.dtype)}({left} {sign} {right})", _ATOM
            return f"{left} {sign} {right}", level
        if name == "negative":
            inside, level = self._expression(value.operands[0])
            return (f"-{inside}" if level == _ATOM else f"-({inside})"), 4
        operands = ", ".join(map(self.text, value.operands))
        primitive = _CALLS.get(name, name)
        if name == "cast":
            primitive = _CASTS.get(value.dtype, value.dtype)
        return f"{self.call(primitive)}({operands})", _ATOM


def _before(read: list[int], slot: int) -> int:
    return sum(other < slot for other in read)


def _scalar(position: int, dtype: str) -> str:
    return f"s{position}" if dtype == "int64" else f"c{position}"


def _import_lines(names: list[str]) -> list[str]:
    """`from graphc.target.primitives import ...`, wrapped at 100 columns."""
    one = f"from graphc.target.primitives import {', '.join(names)}"
    if len(one) <= 100:
        return [one]
    lines, current = ["from graphc.target.primitives import ("], "   "
    for name in names:
        if len(current) + len(name) + 2 > 100:
            lines.append(current)
            current = "   "
        current += f" {name},"
    return [*lines, current, ")"]
