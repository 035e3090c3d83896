"""Reads what `program_writer` writes: a program that runs, of which nothing else is known.

A text that is not one raises ValueError, TypeError, LookupError, AttributeError or struct.error.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.ir.dim import Dim, FloorQuotient, Size
from graphc.ir.dtype import DTYPES
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text import parse
from graphc.schedule.body_workspace import BodyWorkspace
from graphc.schedule.buffer import Buffer, Life, View
from graphc.schedule.note import CheckNote
from graphc.schedule.product_tiles import PartsWorkspace
from graphc.schedule.schedule import (
    Call,
    Control,
    Copy,
    Part,
    Port,
    Product,
    Schedule,
    ScheduledStep,
)
from graphc.target.compiled_program import CompiledProgram

_NO_GRAPH = Graph((), ())


def read_program(
    text: str, kernels: Sequence[int], nodes: Sequence[Node], note: Callable[[int], CheckNote]
) -> CompiledProgram:
    """The program of a text: `kernels` are handles by their numbers, `nodes` those of the user's
    graph by their places, `note` gives the note of the check of a number."""
    words: dict[str, Any] = json.loads(text)
    reader = _Reader(words, kernels, nodes, note)
    schedule = reader.schedule(words)
    draws, most_bytes = words["draws"], words["most_bytes"]
    return CompiledProgram(schedule, reader.lives(words), reader.handles, draws, most_bytes)


class _Reader:
    def __init__(
        self,
        words: Mapping[str, Any],
        kernels: Sequence[int],
        nodes: Sequence[Node],
        note: Callable[[int], CheckNote],
    ) -> None:
        self.handles: dict[ScheduledStep, int] = {}
        self._kernels, self._nodes, self._note = kernels, nodes, note
        self._sizes: list[Size] = []
        for row in words["sizes"]:
            self._sizes.append(self._size(row))
        self._rows: list[Any] = words["buffers"]
        self._buffers: dict[int, Buffer] = {}

    def schedule(self, words: Mapping[str, Any]) -> Schedule:
        """A program, or a body."""
        steps = tuple([self._step(row) for row in words["steps"]])
        ports = (self._all(words[name]) for name in ("inputs", "states", "outputs"))
        return Schedule(_NO_GRAPH, steps, *ports)

    def lives(self, words: Mapping[str, Any]) -> tuple[Life, ...]:
        """The lives of temporaries."""
        return tuple([Life(self._buffer(n), first, last) for n, first, last in words["lives"]])

    # ---- steps

    def _step(self, row: Any) -> ScheduledStep:
        kind, *rest = row
        if kind == "call":
            kernel, *known = rest
            call = self._call(*known)
            self.handles[call] = self._kernels[kernel]
            return call
        return self._others[kind](self, *rest)

    def _call(
        self, places: Any, scalars: Any, extent: Any, row_work: Any, visit_work: int, least: int,
        reads: Any, writes: Any,
    ) -> Call:  # fmt: skip
        known = [self._view(p) if isinstance(p, list) else self._buffer(p) for p in places]
        return Call(
            tuple(known),
            tuple([(dtype, self._scalar(value)) for dtype, value in scalars]),
            self._dim(extent),
            self._dim(row_work),
            visit_work,
            least,
            frozenset(self._all(reads)),
            frozenset(self._all(writes)),
        )

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, str):
            return struct.unpack("<d", bytes.fromhex(value))[0]
        return self._note(value["check"]) if isinstance(value, dict) else self._dim(value)

    def _product(
        self, a: Any, b: Any, c: Any, scale: str | None, accumulate: bool, scratch: Any
    ) -> Product:
        factor = None if scale is None else _node(scale)
        views = self._view(a), self._view(b), self._view(c)
        return Product(*views, factor, accumulate, (), self._all(scratch))

    def _copy(self, source: int, target: int) -> Copy:
        return Copy(self._buffer(source), self._buffer(target))

    def _control(
        self, kind: str, parts: Any, length: Any, flag: Any, initial: Any, results: Any,
        scratch: Any, operands: Any, batch: str | None,
    ) -> Control:  # fmt: skip
        bodies = tuple([self._part(part) for part in parts])
        steps = None if length is None else self._dim(length)
        self._buffers[scratch[0]] = BodyWorkspace(bodies, steps, batch)
        return Control(
            kind,
            bodies,
            steps,
            None if flag is None else self._view(flag),
            tuple([(self._view(source), self._view(target)) for source, target in initial]),
            self._all(results),
            self._all(scratch),
            tuple([self._view(view) for view in operands]),
            (),
            batch,
        )

    _others: Mapping[str, Callable[..., ScheduledStep]] = {
        "product": _product, "copy": _copy, "control": _control,
    }  # fmt: skip

    def _part(self, words: Mapping[str, Any]) -> Part:
        schedule = self.schedule(words)
        ports = [
            Port(self._buffer(inside), self._view(outside), self._dim(start), self._dim(stride))
            for inside, outside, start, stride in words["ports"]
        ]
        return Part(schedule, self.lives(words), tuple(ports))

    # ---- memory

    def _all(self, numbers: Sequence[int]) -> tuple[Buffer, ...]:
        return tuple([self._buffer(number) for number in numbers])

    def _buffer(self, number: int) -> Buffer:
        known = self._buffers.get(number)
        if known is None:
            known = self._buffers[number] = self._read_buffer(self._rows[number])
        return known

    def _read_buffer(self, row: Any) -> Buffer:
        if row[0] == "parts":
            return PartsWorkspace(self._view(row[1]), self._view(row[2]))
        home, dtype, elements, position, content = row
        node = self._nodes[content] if isinstance(content, int) else content and _node(content)
        return Buffer(DTYPES[dtype], self._dim(elements), home, node, position)

    def _view(self, row: Any) -> View:
        number, shape, strides, offset = row
        return View(
            self._buffer(number),
            tuple([self._dim(dim) for dim in shape]),
            tuple([self._dim(dim) for dim in strides]),
            self._dim(offset),
        )

    # ---- sizes

    def _dim(self, dim: Any) -> Dim:
        return dim if isinstance(dim, int) else self._sizes[dim[0]]

    def _size(self, row: Any) -> Size:
        terms = []
        for *monomial, coefficient in row:
            atoms = tuple([(self._atom(atom), power) for atom, power in monomial])
            terms.append((atoms, coefficient))
        return Size(tuple(terms))

    def _atom(self, atom: Any) -> Any:
        if isinstance(atom, str):
            return atom
        return FloorQuotient(self._dim(atom[0]), self._dim(atom[1]))


def _node(text: str) -> Node:
    """A constant, or a value that depends on sizes alone."""
    return parse(text).outputs[0]
