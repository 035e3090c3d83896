"""Examples of operations, from the tables of their tests: nodes, and what functions build."""

from __future__ import annotations

from typing import Any

import graphc as gx
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY
from graphc.ir.shape import TupleType
from graphc.ir.traverse import topological
from graphc.ops.source import SourceOp
from tests.op_cases.registry import CASES
from tests.ops.bad_operands import AXES, numbers, operands

NAMES = ("x", "y", "z", "u", "v", "w")


def example(name: str) -> Node | None:
    """A node of an operation on inputs named x, y, ...; None where no test makes one."""
    if name not in CASES or isinstance(REGISTRY[name], SourceOp):
        return None
    case = CASES[name]
    given = [
        gx.input(f"x{i}", a.shape, "float32" if a.dtype.kind == "f" else a.dtype)
        for i, a in enumerate(case.arrays())
    ]
    made = [node for node in topological([case.build(*given)]) if node.op.name == name]
    if not made:
        return None
    node = made[0]
    if any(isinstance(source.type, TupleType) for source in node.inputs):
        return node
    inputs = (
        source
        if source.op.name == "const" and source.shape == ()
        else gx.input(n, source.shape, source.dtype)
        for n, source in zip((*NAMES, *(f"x{i}" for i in range(200))), node.inputs, strict=False)
    )
    return make(node.op, tuple(inputs), **node.attrs)


def made_of(name: str) -> list[str]:
    """The operations of the graph that a function builds, other than inputs and constants."""
    examples = operands()
    if name in examples:
        function, given = examples[name]
        made = function(*given)
    elif name in AXES:
        made = AXES[name](numbers((3, 3)), 0)
    else:
        return []
    roots = [node for node in _flat(made) if isinstance(node, Node)]
    ops = {node.op.name for node in topological(roots) if not isinstance(node.op, SourceOp)}
    return sorted(ops)


def _flat(made: Any) -> list[Any]:
    return [n for item in made for n in _flat(item)] if isinstance(made, list | tuple) else [made]
