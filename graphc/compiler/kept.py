"""Programs kept on disk, beside their kernels: a graph that was compiled before is not again.

What is kept is what a run needs. The rest (source, profile, the notes of checks) comes from the
passes, when it is asked for.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from graphc import config
from graphc.compiler.budget import Budgeted
from graphc.compiler.compiled_graph import Compilation
from graphc.compiler.once import Once
from graphc.errors import ArgumentError, ExecutionError
from graphc.ir.body import Body
from graphc.ir.declaration import ConstantArray
from graphc.ir.dtype import default_float
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text import attribute_text, listed_nodes, to_text
from graphc.ir.traverse import topological
from graphc.ops.definition import is_built_in
from graphc.ops.effect import print_op
from graphc.ops.source import training
from graphc.schedule.note import CheckNote, Sizes
from graphc.target import cache, cpu
from graphc.target.compiled_program import CompiledProgram
from graphc.target.machine import Machine
from graphc.target.program_reader import read_program
from graphc.target.program_writer import NotWritableError, notes_of, program_text

_SYMBOL = "program"
# Larger constants are known by their hashes, and longer programs are not kept.
_LARGE_BYTES, _LONGEST_TEXT = 1 << 16, 1 << 24
# The rooms of the house that decide what becomes of a graph.
_ROOMS = ("ir", "ops", "grad", "rewrite", "loops", "schedule", "target", "compiler")
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)


@functools.cache
def _compiler() -> str | None:
    """What a program depends on beside its graph: graphc itself, Python, NumPy and the processor.

    Of graphc the sizes and times of its files, as Python looks at them for its own compiled files;
    None where it is not in files, or where some have changed since it was imported.
    """
    place = os.path.dirname(os.path.abspath(config.__file__))
    digest = hashlib.sha256()
    try:
        for room in ("", *_ROOMS):
            with os.scandir(os.path.join(place, room)) as entries:
                found = sorted((e.name, e.stat()) for e in entries if e.name.endswith(".py"))
            for name, status in found:
                if status.st_mtime > config.IMPORTED:
                    return None
                words = f"{room}/{name} {status.st_size} {status.st_mtime_ns}\n"
                digest.update(words.encode())
    except OSError:
        return None
    versions = (np.__version__, sys.version, digest.hexdigest(), cpu.environment())
    return "\n".join(versions)


class Kept(NamedTuple):
    """The place on disk of the program of a graph."""

    key: str
    graph: Graph
    nodes: list[Node]
    runner: Machine

    @classmethod
    def of(
        cls,
        graph: Graph,
        runner: Machine,
        disabled: tuple[str, ...] = (),
        budget: Budgeted | None = None,
    ) -> Kept | None:
        """The place for a graph; None for one that is always compiled.

        That is a graph with operations that a user defined, whose names do not say what they are;
        and every graph for Python, without the cache, or where each pass is verified.
        """
        if not config.cache_enabled() or config.verify_enabled() or runner.key("") is None:
            return None
        compiler, nodes = _compiler(), listed_nodes(graph)
        if compiler is None or not all(is_built_in(node.op) for node in _with_bodies(nodes)):
            return None
        try:
            text = to_text(graph, _short)
        except ArgumentError:  # an attribute that has no text
            return None
        flag = nodes.index(training) if training in nodes else None
        most = None if budget is None else (budget[0], sorted(budget[1].items()))
        settings = repr((runner.name, disabled, most, default_float().name, flag, _order(nodes)))
        return cls(cache.content_key(_SYMBOL, compiler, settings, text), graph, nodes, runner)

    def find(self, compilation: Once[Compilation]) -> CompiledProgram | None:
        """The program, if it was kept with all its kernels; `compilation` tells the rest of it."""
        item = cache.find(self.key)
        kernels = None if item is None else self.runner.kept(item.needs)
        if item is None or kernels is None:
            return None
        handles = [kernel.handle for kernel in kernels]
        with suppress(*_UNREADABLE):  # then it is compiled, and kept again
            text = item.code.decode()
            note = functools.partial(_KeptNote, self, text, compilation)
            return read_program(text, handles, self.nodes, note)
        return None

    def keep(self, made: Compilation) -> None:
        """Keep a program, if all of it has a text."""
        text = self.text(made)
        keys = [self.runner.key(kernel.source) for kernel in made.kernels]
        if text is not None and None not in keys:
            names = [key for key in keys if key is not None]
            cache.store(self.key, cache.ObjectCode(_SYMBOL, names, text.encode()))

    def text(self, made: Compilation) -> str | None:
        """The text of a program; None if it has none."""
        handles = [made.program.handles[kernel.steps[0][0]] for kernel in made.kernels]
        numbers = {handle: number for number, handle in enumerate(handles)}
        places = {node: place for place, node in enumerate(self.nodes)}
        try:
            text = program_text(made.program, numbers, places)
        except (NotWritableError, ArgumentError):
            return None
        return text if len(text) <= _LONGEST_TEXT else None


def _order(nodes: Sequence[Node]) -> list[int]:
    """The declared nodes in the order of their declarations, which is that of operands."""
    declared = [node.declaration for node in nodes]
    numbers = [(known.number, place) for place, known in enumerate(declared) if known is not None]
    return [place for _, place in sorted(numbers)]


def _short(node: Node, name: str) -> str:
    """An attribute as text; a large array by its hash, so that a data set is not copied."""
    value = node.attrs[name]
    if node.op is print_op and name == "of":
        return ""  # a number that sets prints of one process apart
    if isinstance(value, ConstantArray) and value.array.nbytes > _LARGE_BYTES:
        array = value.array
        digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        return f"hash({array.dtype.str}, {array.shape}, {digest})"
    return attribute_text(node, name)


def _with_bodies(nodes: Collection[Node]) -> Iterator[Node]:
    """Nodes, with those in the bodies of loops and branches."""
    for node in nodes:
        yield node
        for value in node.attrs.values():
            if isinstance(value, Body):
                yield from _with_bodies(topological(value.outputs))


class _KeptNote(CheckNote):
    """Stands for the note of a check until the check fails."""

    def __init__(self, kept: Kept, text: str, compilation: Once[Compilation], number: int) -> None:
        self._kept, self._text, self._compilation = kept, text, compilation
        self._number = number

    @functools.cached_property
    def known(self) -> CheckNote:
        """The note, from the schedule that the passes make."""
        made = self._compilation()
        if self._kept.text(made) != self._text:
            return _UnknownNote()
        return list(notes_of(made.program.schedule))[self._number]

    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        return self.known.error(detail, sizes)


class _UnknownNote(CheckNote):
    """For a program that is not the one that the passes make now: as a rule there is none."""

    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        return ExecutionError(
            "a check of the program failed; set GRAPHC_CACHE=0 and run it again to see which"
        )
