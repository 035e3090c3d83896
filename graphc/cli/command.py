"""The `graphc` command: finds the subcommand, runs it, and turns failures into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from graphc import __version__
from graphc.cli.exit_code import BROKEN_PIPE, DONE, FAILED, INTERRUPTED, WRONG_USE
from graphc.errors import GraphcError
from graphc.ir.site import user_sites, written_at


@dataclass(frozen=True)
class Command:
    """A subcommand: the module whose `main(arguments)` runs it, imported when it is asked for."""

    module: str
    summary: str


COMMANDS = {
    "train": Command("graphc.cli.train", "train a network on digits, and show each stage"),
    "show": Command("graphc.cli.show", "print a graph of your file, or its derivative"),
    "source": Command("graphc.cli.source", "print the code that computes a graph of your file"),
    "bench": Command("graphc.bench.command", "compare the speed with other frameworks"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `graphc` with these arguments, by default those of the process; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _let_output_be_written()
    try:
        code = _run(given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except GraphcError as error:
        return _fail(given, error)
    except KeyboardInterrupt:
        print("\ngraphc: stopped", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _without_output(error)
    return code


def _run(given: list[str]) -> int:
    if given[:1] == ["help"]:
        given = [*given[1:2], "--help"]
    if given and given[0] in COMMANDS:
        code: int = import_module(COMMANDS[given[0]].module).main(given[1:])
        return code
    return _without_command(given)


def _without_command(given: list[str]) -> int:
    parser = _parser()
    if not given:
        parser.print_help()
        return DONE
    # Ends here for --help, --version and unknown options.
    first = parser.parse_args(given[:1]).command
    near = difflib.get_close_matches(first, COMMANDS, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(COMMANDS)}"
    return parser.error(f"unknown command {first!r}: {meant}")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="graphc",
        usage="graphc COMMAND ...",
        description="Turns a symbolic model into native code.",
        epilog="\n".join(["commands:", *lines, "", "Begin with: graphc train"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"graphc {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    return parser


def _fail(given: list[str], error: GraphcError) -> int:
    """Say what is wrong. The line that runs this command is not one that the user wrote."""
    message = str(error).removesuffix(written_at(user_sites()))
    print(f"graphc {given[0]}: error: {message}", file=sys.stderr)
    return WRONG_USE


def _without_output(error: OSError) -> int:
    """The output went nowhere: quietly if its reader had enough, as `head` has."""
    with contextlib.suppress(OSError, AttributeError):
        # What is still buffered has no reader; without this, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    print(f"graphc: error: {error}", file=sys.stderr)
    return FAILED


def _let_output_be_written() -> None:
    """Signs that the terminal's encoding does not have become question marks, not exceptions."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
