"""`graphc source`: the code that a graph of the user's file is compiled to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from graphc.cli.exit_code import DONE
from graphc.cli.place import Place, add_place, find
from graphc.compiler import Function, compile
from graphc.ir.traverse import topological
from graphc.ops.source import input_op


def main(arguments: Sequence[str]) -> int:
    """Run `graphc source` with these arguments; the exit code."""
    place = find(_parser().parse_args(arguments))
    function = place.function or _compiled(place)
    print(function.source(), end="")
    return DONE


def _compiled(place: Place) -> Function:
    assert place.node is not None
    inputs = [node for node in topological([place.node]) if node.op is input_op]
    inputs.sort(key=lambda node: node.number)  # as they were declared
    # The emitted source is the same for each target on the CPU; this one is ready at once.
    function: Function = compile(inputs, place.node, target="python")
    return function


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc source",
        description='Run a file, without its `if __name__ == "__main__"` part, and print the '
        "Python that a function in it was compiled from, or that computes a node.",
        epilog="example: graphc source digits.py:loss",
        allow_abbrev=False,
    )
    add_place(parser)
    return parser
