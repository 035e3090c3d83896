"""What a training run carries from step to step, under names that are unique in a file."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from graphc.errors import CheckpointError
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops.source import param_op, state_op

Arrays = Mapping[str, NDArray[Any]]


def carried_nodes(roots: Iterable[Node]) -> list[Node]:
    """The parameters in the graph of `roots`, then the states, in the order of declaration."""
    found = [node for node in topological(roots) if node.op in (param_op, state_op)]
    return sorted(found, key=lambda node: (node.op is state_op, _number(node)))


def unique_names(nodes: Iterable[Node], reserved: Collection[str]) -> dict[str, Node]:
    """The nodes by name; of equal names, the second becomes "name#2", and so on.

    The same program gives the same names, whatever ran before it in the process.
    """
    names: dict[str, Node] = {}
    for node in nodes:
        name, count = node.name, 1
        while name in names or name in reserved:
            count += 1
            name = f"{node.name}#{count}"
        names[name] = node
    return names


def check_fit(path: str | os.PathLike[str], arrays: Arrays, expected: Arrays) -> None:
    """CheckpointError listing every difference in names, dtypes and shapes, if there is one."""
    problems = [f"{name!r} is missing" for name in expected if name not in arrays]
    problems += [f"{name!r} is not in the model" for name in arrays if name not in expected]
    for name in expected.keys() & arrays.keys():
        wanted, found = expected[name], arrays[name]
        if (wanted.dtype, wanted.shape) != (found.dtype, found.shape):
            problems.append(
                f"{name!r} is {found.dtype} {found.shape}, expected {wanted.dtype} {wanted.shape}"
            )
    if problems:
        raise CheckpointError(f"{os.fspath(path)}: does not fit: {'; '.join(sorted(problems))}")


def _number(node: Node) -> int:
    declared = node.declaration
    assert declared is not None
    return declared.number
