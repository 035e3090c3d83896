"""A compiled function whose program was written as text and read back."""

from __future__ import annotations

from graphc.compiler.function import Function
from graphc.compiler.kept import Kept
from graphc.compiler.once import Once
from graphc.ir.text import listed_nodes
from graphc.target.compiled_program import CompiledProgram
from graphc.target.program_reader import read_program
from graphc.target.program_writer import notes_of, program_text


def written(function: Function) -> str:
    """The program of a function as text."""
    text = _kept(function).text(function.compilation)
    assert text is not None
    return text


def read_again(function: Function) -> Function:
    """The function, with the program that its text says. The text of that one is the same."""
    text, made = written(function), function.compilation
    notes = list(notes_of(made.program.schedule))
    handles = [made.program.handles[kernel.steps[0][0]] for kernel in made.kernels]
    nodes = _kept(function).nodes
    program: CompiledProgram = read_program(text, handles, nodes, notes.__getitem__)
    numbers = {handle: number for number, handle in enumerate(handles)}
    places = {node: place for place, node in enumerate(nodes)}
    assert program_text(program, numbers, places) == text
    later = Once(lambda: made)
    return Function(
        function.original, program, later, function.machine, function.phases, function.single
    )


def _kept(function: Function) -> Kept:
    graph = function.original
    return Kept("", graph, listed_nodes(graph), function.machine)
