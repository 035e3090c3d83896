"""`FILE.py:NAME` on the command line: the node that it means, and the derivative asked for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from graphc.cli.user_file import UserFile, run_file, split_place
from graphc.compiler import Function
from graphc.errors import ArgumentError
from graphc.grad.reverse import grad
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.rewrite.engine import simplify


@dataclass(frozen=True)
class Place:
    """What the user pointed at: a node of a file under a name, or a compiled function.

    Where `node` was rewritten, `before` is what it was made from.
    """

    file: UserFile
    name: str
    node: Node | None
    function: Function | None = None
    before: Node | None = None

    def named_nodes(self) -> dict[str, Node]:
        """The nodes of the graph that the file has names for, inputs first, this node last.

        After rewriting, a node is known by the name of the one that it came from.
        """
        assert self.node is not None
        order = {node: position for position, node in enumerate(topological([self.node]))}
        known: dict[Node, str] = {}
        for name, node in self.file.nodes.items():
            same = node if node in order or self.before is None else simplify(node)
            if same in order and same is not self.node:
                known.setdefault(same, name)
        ordered = sorted(known, key=order.__getitem__)
        return {**{known[node]: node for node in ordered}, self.name: self.node}


def add_place(parser: argparse.ArgumentParser) -> None:
    """The arguments that `find` understands."""
    parser.add_argument(
        "place", metavar="FILE.py:NAME", help="a file, and what its top level calls a node in it"
    )
    parser.add_argument(
        "--wrt", metavar="NAME", help="its derivative with respect to this node, simplified"
    )
    parser.add_argument("--simplify", action="store_true", help="after rewriting")


def find(options: argparse.Namespace) -> Place:
    """Run the file and find the node; ArgumentError if there is no such file, name or node."""
    path, name = split_place(options.place)
    file = run_file(path)
    found = file.names.get(name)
    if isinstance(found, Function):
        if options.wrt is not None:
            raise ArgumentError(
                f"{path}: {name!r} is a compiled function; --wrt takes the derivative of a node. "
                f"{file.node_list()}"
            )
        return Place(file, name, None, found)
    node, title = file.find_node(name), name
    if options.wrt is not None:
        node, title = grad(node, file.find_node(options.wrt)), f"∂{name}/∂{options.wrt}"
    elif not options.simplify:
        return Place(file, name, node)
    return Place(file, title, simplify(node), before=node)
