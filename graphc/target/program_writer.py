"""Programs as text: all of a schedule that a run needs, to be read back by `program_reader`.

The text is JSON. It refers to the nodes of the user's graph by their places, and to kernels and
checks by numbers. What tells of the program and does not run is not there: names, lines, loops.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphc.errors import GraphcError
from graphc.ir.dim import Dim, Size
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text import to_text
from graphc.ops.source import constant_value
from graphc.schedule.body_workspace import BodyWorkspace
from graphc.schedule.buffer import CARRIED, CONSTANT, Buffer, Life, View
from graphc.schedule.note import CheckNote
from graphc.schedule.product_tiles import PartsWorkspace
from graphc.schedule.schedule import (
    Call,
    Control,
    Copy,
    KernelCall,
    Part,
    Product,
    Routine,
    Schedule,
    ScheduledStep,
    parts_of,
)
from graphc.target.call import call_of
from graphc.target.compiled_program import CompiledProgram

Row = list[Any]

# A constant of more bytes that the user's graph does not have, such as a table that was folded.
_LARGEST_ARRAY = 1 << 20


class NotWritableError(GraphcError):
    """The program has something in it that has no text."""


def program_text(
    program: CompiledProgram, kernels: Mapping[int, int], places: Mapping[Node, int]
) -> str:
    """The text of a program: `kernels` are the numbers of its kernels by their handles, `places`
    those of the nodes of the user's graph.

    Raises NotWritableError.
    """
    numbers = {step: kernels[handle] for step, handle in program.handles.items()}
    writer = _Writer(numbers, places)
    words = {
        "draws": program.draws,
        "most_bytes": program.most_bytes,
        **writer.schedule(program.schedule),
        "lives": [writer.life(life) for life in program.lives],
        "sizes": writer.size_rows,
        "buffers": writer.buffer_rows,
    }
    return json.dumps(words, separators=(",", ":"), allow_nan=False)


def notes_of(schedule: Schedule) -> Iterator[CheckNote]:
    """The notes of the checks of a program, in the order of their numbers in its text."""
    for step in schedule.steps:
        if isinstance(step, Control):
            for part in step.parts:
                yield from notes_of(part.schedule)
        elif isinstance(step, KernelCall | Routine | Call):
            yield from (value for _, value in call_of(step).scalars if isinstance(value, CheckNote))


class _Writer:
    def __init__(self, kernels: Mapping[ScheduledStep, int], places: Mapping[Node, int]) -> None:
        self.kernels, self.places = kernels, places
        self.size_rows: list[Row] = []
        self.buffer_rows: list[Row] = []
        self._sizes: dict[Size, int] = {}
        self._buffers: dict[Buffer, int] = {}
        self._connected: set[Buffer] = set()  # those of bodies that lie in the program around them
        self._notes = 0

    def schedule(self, schedule: Schedule) -> dict[str, list[Any]]:
        """The steps of a program or of a body, and the buffers that have a place outside."""
        for part in parts_of(schedule):
            self._connected |= {port.inside for port in part.ports}
        return {
            "steps": [self._step(step) for step in schedule.steps],
            "inputs": self._all(schedule.inputs),
            "states": self._all(schedule.states),
            "outputs": self._all(schedule.outputs),
        }

    def life(self, life: Life) -> Row:
        """A buffer, and the steps from its first use to its last."""
        return [self._buffer(life.buffer), life.first, life.last]

    # ---- steps

    def _step(self, step: ScheduledStep) -> Row:
        if isinstance(step, KernelCall | Routine | Call):
            return ["call", self.kernels[step], *self._call(call_of(step))]
        if isinstance(step, Product):
            return ["product", *self._product(step)]
        if isinstance(step, Copy):
            return ["copy", self._buffer(step.source), self._buffer(step.target)]
        return ["control", *self._control(step)]

    def _call(self, call: Call) -> Row:
        places = [
            self._view(place) if isinstance(place, View) else self._buffer(place)
            for place in call.places
        ]
        scalars = [[dtype, self._scalar(dtype, value)] for dtype, value in call.scalars]
        extent, row_work = self._dim(call.extent), self._dim(call.row_work)
        touched = [sorted(self._all(buffers)) for buffers in (call.reads, call.writes)]
        return [places, scalars, extent, row_work, call.visit_work, call.least, *touched]

    def _scalar(self, dtype: str, value: Any) -> Any:
        if isinstance(value, CheckNote):
            self._notes += 1
            return {"check": self._notes - 1}
        if isinstance(value, int | Size):
            return self._dim(value)
        if dtype not in ("float32", "float64"):
            return int(value)
        return struct.pack("<d", value).hex()  # every bit, also of a nan

    def _product(self, step: Product) -> Row:
        scale = None if step.scale is None else _node_text(step.scale)
        views = [self._view(view) for view in (step.a, step.b, step.c)]
        return [*views, scale, step.accumulate, self._all(step.scratch)]

    def _control(self, step: Control) -> Row:
        workspace = step.scratch[0]
        if not isinstance(workspace, BodyWorkspace) or workspace.parts != step.parts:
            raise NotWritableError(f"a {step.kind} whose memory is not that of its bodies")
        parts = [self._part(part) for part in step.parts]
        length = None if step.length is None else self._dim(step.length)
        flag = None if step.flag is None else self._view(step.flag)
        initial = [[self._view(source), self._view(target)] for source, target in step.initial]
        operands = [self._view(view) for view in step.operands]
        # The workspace is known by the step whose bodies it is for.
        self._buffers[workspace] = len(self.buffer_rows)
        self.buffer_rows.append(["bodies"])
        results, scratch = self._all(step.results), self._all(step.scratch)
        return [step.kind, parts, length, flag, initial, results, scratch, operands, step.batch]

    def _part(self, part: Part) -> dict[str, Any]:
        schedule = self.schedule(part.schedule)
        ports = [
            [self._buffer(p.inside), self._view(p.outside), self._dim(p.start), self._dim(p.stride)]
            for p in part.ports
        ]
        return {**schedule, "lives": [self.life(life) for life in part.lives], "ports": ports}

    # ---- memory

    def _all(self, buffers: Iterable[Buffer]) -> list[int]:
        return [self._buffer(buffer) for buffer in buffers]

    def _buffer(self, buffer: Buffer) -> int:
        """The number of a buffer."""
        known = self._buffers.get(buffer)
        if known is None:
            row = self._buffer_row(buffer)
            known = self._buffers[buffer] = len(self.buffer_rows)
            self.buffer_rows.append(row)
        return known

    def _buffer_row(self, buffer: Buffer) -> Row:
        if isinstance(buffer, PartsWorkspace):
            return ["parts", self._view(buffer.a), self._view(buffer.c)]
        if type(buffer) is not Buffer:
            raise NotWritableError(f"a buffer of type {type(buffer).__name__}")
        elements = self._dim(buffer.elements)
        return [
            buffer.home, buffer.dtype.name, elements, buffer.position, self._content(buffer)
        ]  # fmt: skip

    def _content(self, buffer: Buffer) -> Any:
        """The place of the node that a buffer holds the value of, or the value of a constant."""
        node = buffer.node
        if node is None or buffer.home not in (CARRIED, CONSTANT):
            return None
        if node in self.places:
            return self.places[node]
        if buffer.home == CONSTANT:
            array = constant_value(node)
            if array is not None and array.nbytes <= _LARGEST_ARRAY:
                return _node_text(node)
        elif buffer in self._connected:
            return None
        raise NotWritableError(f"{node!r}, which the graph does not have, or which is too large")

    def _view(self, view: View) -> Row:
        shape, strides = ([self._dim(dim) for dim in dims] for dims in (view.shape, view.strides))
        return [self._buffer(view.buffer), shape, strides, self._dim(view.offset)]

    # ---- sizes

    def _dim(self, dim: Dim) -> int | list[int]:
        """A number, or the number of a row that tells of a size, in a list.

        Its terms are given as they are: a polynomial in words would be worked out again.
        """
        if not isinstance(dim, Size):
            return int(dim)
        known = self._sizes.get(dim)
        if known is None:
            row = [
                [[self._atom(atom), power] for atom, power in monomial] + [coefficient]
                for monomial, coefficient in dim.terms
            ]
            known = self._sizes[dim] = len(self.size_rows)
            self.size_rows.append(row)
        return [known]

    def _atom(self, atom: Any) -> str | list[Any]:
        if isinstance(atom, str):
            return atom
        return [self._dim(atom.numerator), self._dim(atom.denominator)]


def _node_text(node: Node) -> str:
    return to_text(Graph((), (node,)))
