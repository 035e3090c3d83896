"""`graphc source`: the code that a graph of the user's file is compiled to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from graphc.cli.exit_code import DONE
from graphc.cli.place import Place, add_place, find
from graphc.compiler import Function, compile
from graphc.errors import ArgumentError
from graphc.ir.traverse import topological
from graphc.ops.source import input_op


def main(arguments: Sequence[str]) -> int:
    """Run `graphc source` with these arguments; the exit code."""
    options = _parser().parse_args(arguments)
    sizes = None if options.explain is None else dict(map(_size, options.explain))
    place = find(options)
    # The emitted source is the same for each target on the CPU; this one is ready at once.
    function = place.function or _compiled(place, "python" if sizes is None else "cpu")
    print(function.source(), end="")
    if sizes is not None:
        print(f"\n\n{_as_comments(function.explain(sizes))}")
    return DONE


def _size(text: str) -> tuple[str, int]:
    """The name and the number of `n=128`."""
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise ArgumentError(f"--explain: expected sizes such as n=128, got {text!r}")
    return name, int(number)


def _as_comments(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())


def _compiled(place: Place, target: str) -> Function:
    assert place.node is not None
    inputs = [node for node in topological([place.node]) if node.op is input_op]
    inputs.sort(key=lambda node: node.number)  # as they were declared
    function: Function = compile(inputs, place.node, target=target)
    return function


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc source",
        description='Run a file, without its `if __name__ == "__main__"` part, and print the '
        "Python that a function in it was compiled from, or that computes a node.",
        epilog="example: graphc source digits.py:loss --explain n=128",
        allow_abbrev=False,
    )
    add_place(parser)
    parser.add_argument(
        "--explain", metavar="NAME=SIZE", nargs="*",
        help="also what each step costs at these sizes, measured on zeros",
    )  # fmt: skip
    return parser
