"""Elementary functions that a kernel calls, where it has many of them.

Written in place a function is some fifty instructions, twice: on vectors and for the rest of a
loop. LLVM's time grows with that, and so does the code, beyond what the processor keeps at hand. A
kernel with many functions calls them: each is compiled once on a machine, for one number and for
vectors of numbers (see `llvm_functions`), and all kernels share it. The bits are the same: a text
of `vmath` says exactly what is rounded.

Both front ends see the same calls, since they follow from the kernel's text alone. Sine and cosine
of the same number are one call, as the instructions of both are shared where they are written in
place.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module

from graphc.ops.cost import COSTLY_FUNCTIONS

# A kernel with as many calls its functions. Fewer are compiled in a fraction of a second.
MANY = 12
# What is made with next to no instructions is not worth a call.
_SHORT = frozenset(["softsign"])
PAIRS = (("cos", "sin"),)
"""Functions of one number that share most of their work: computed together for the same number."""

# Branches, see `outline`, and what has nothing inside: most of a kernel's tree.
_WITHOUT_CALLS = (ast.If, ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.cmpop)

_CALL = "call_"
_PREFIX = "graphc."


@functools.cache
def outlined() -> Mapping[str, int]:
    """The functions that can be called, with the number of their operands."""
    # Two dozen modules, which kernels from the cache do not need.
    vmath = import_module("graphc.target.vmath")
    return {
        name: operands
        for operands, known in ((1, vmath.UNARY), (2, vmath.BINARY))
        for name in known
        if name in COSTLY_FUNCTIONS - _SHORT
    }


def call_name(*names: str) -> str:
    """The primitive that calls the first of these functions, computed together with the others."""
    return _CALL + "_with_".join(names)


def symbol(names: tuple[str, ...], width: int, lanes: int = 1) -> str:
    """The symbol of functions that are computed together, on floats of `width` bits."""
    vector = f".x{lanes}" if lanes > 1 else ""
    return f"{_PREFIX}{'.'.join(names)}.f{width}{vector}"


def is_symbol(text: str) -> bool:
    """Whether native code that needs this symbol needs elementary functions."""
    return text.startswith(_PREFIX)


def parse_symbol(text: str) -> tuple[tuple[str, ...], int, int]:
    """Its functions, the bits of a float, and the lanes."""
    parts = text.removeprefix(_PREFIX).split(".")
    lanes = int(parts.pop().removeprefix("x")) if parts[-1].startswith("x") else 1
    width = int(parts.pop().removeprefix("f"))
    return tuple(parts), width, lanes


def outline(kernel: ast.FunctionDef) -> None:
    """Let a checked kernel call its elementary functions if there are many, in place.

    Those in a branch stay: LLVM computes both sides of one, but does not make calls on both."""
    calls = [(call, name, (loop, _operands(call))) for call, name, loop in _calls(kernel, kernel)]
    if len(calls) < MANY:
        return
    together: defaultdict[tuple[ast.AST, str], set[str]] = defaultdict(set)
    for _, name, place in calls:
        together[place].add(name)
    for call, name, place in calls:
        pair = [pair for pair in PAIRS if together[place].issuperset(pair)]
        names = (name, *(n for n in pair[0] if n != name)) if pair and name in pair[0] else (name,)
        call.func = ast.copy_location(ast.Name(call_name(*names), ast.Load()), call.func)


def _operands(call: ast.Call) -> str:
    return ",".join(map(ast.unparse, call.args))


def _calls(node: ast.AST, loop: ast.AST) -> Iterator[tuple[ast.Call, str, ast.AST]]:
    """The calls of elementary functions outside of branches, each with the loop around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _WITHOUT_CALLS):
            continue
        if isinstance(child, ast.Call):
            name = child.func.id  # type: ignore[attr-defined]
            if name in outlined():
                yield child, name, loop
        yield from _calls(child, child if isinstance(child, ast.For) else loop)
