"""Runs a user's file, up to but without its `__main__` part, and finds nodes in it by name."""

from __future__ import annotations

import contextlib
import difflib
import runpy
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import graphc
from graphc.cli.exit_code import FAILED
from graphc.errors import ArgumentError, GraphcError
from graphc.ir.node import Node

_PACKAGE = str(Path(graphc.__file__).parent)
_SHOWN_NAMES = 12


@dataclass(frozen=True)
class UserFile:
    """A file that has been run, and what its top level defined."""

    path: str
    names: Mapping[str, Any]

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes among them, in the order in which the file named them."""
        return {name: value for name, value in self.names.items() if isinstance(value, Node)}

    def find(self, name: str) -> Any:
        """What the file calls `name`, or an ArgumentError listing the nodes there are."""
        if name not in self.names:
            near = difflib.get_close_matches(name, self.nodes, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise ArgumentError(f"{self.path} has no {name!r}{meant} {self.node_list()}")
        return self.names[name]

    def find_node(self, name: str) -> Node:
        """The node that the file calls `name`, or the parameter that was declared under it."""
        declared = {node.name: node for node in self.nodes.values() if node.declaration is not None}
        if name not in self.names and name in declared:
            return declared[name]
        found = self.find(name)
        if not isinstance(found, Node):
            kind = type(found).__name__
            raise ArgumentError(
                f"{self.path}: expected {name!r} to be a node, got an object of type {kind}. "
                f"{self.node_list()}"
            )
        return found

    def node_list(self) -> str:
        """A sentence with the names of the nodes."""
        names = list(self.nodes)
        if not names:
            return f"{self.path} has no nodes at its top level."
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        return f"Nodes in {self.path}: {', '.join(names[:_SHOWN_NAMES])}{more}."


def split_place(place: str) -> tuple[str, str]:
    """The file and the name of `FILE.py:NAME`.

    >>> split_place("models/digits.py:loss")
    ('models/digits.py', 'loss')
    """
    path, colon, name = place.rpartition(":")
    if colon and path and name.isidentifier():
        return path, name
    alone = place.removesuffix(":")
    if Path(alone).is_file():
        raise ArgumentError(
            f"expected FILE.py:NAME, got {place!r} without a name. {run_file(alone).node_list()}"
        )
    raise ArgumentError(f"expected FILE.py:NAME, such as digits.py:loss; got {place!r}")


def run_file(path: str) -> UserFile:
    """Run a Python file under a name other than `__main__`; what it prints goes to standard error.

    Raises ArgumentError if there is no such file. An exception of the file ends the command with
    code 1, after the user's own traceback.
    """
    _check_readable(path)
    # As `python FILE` would have it, so that the file finds its neighbours.
    arguments, search_path = sys.argv, list(sys.path)
    sys.argv = [path]
    sys.path.insert(0, str(Path(path).resolve().parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            names = runpy.run_path(path, run_name="graphc_user_file")
    except SystemExit as error:
        _fail(path, f"ended itself with sys.exit({error.code!r}) before its last line")
    except Exception as error:
        _print_user_traceback(error, path)
        _fail(path, f"raised {type(error).__name__}, see above")
    finally:
        sys.argv, sys.path[:] = arguments, search_path
    return UserFile(path, {k: v for k, v in names.items() if not k.startswith("__")})


def _check_readable(path: str) -> None:
    if Path(path).is_dir():
        raise ArgumentError(f"{path}: expected a Python file, got a directory")
    try:
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        raise ArgumentError(f"{path}: expected a Python file, got no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError(f"{path}: cannot be read: {reason}") from None


def _fail(path: str, what: str) -> NoReturn:
    print(f"graphc: {path} {what}", file=sys.stderr)
    raise SystemExit(FAILED) from None


def _print_user_traceback(error: Exception, path: str) -> None:
    """The traceback from the user's file on; graphc's own frames only where graphc is to blame."""
    begin = error.__traceback__
    while begin is not None and _filename(begin) != path:
        begin = begin.tb_next
    shown = traceback.TracebackException(type(error), error, begin)
    if isinstance(error, GraphcError):
        kept = [frame for frame in shown.stack if not frame.filename.startswith(_PACKAGE)]
        shown.stack = traceback.StackSummary.from_list(kept)
    print("".join(shown.format()), end="", file=sys.stderr)


def _filename(place: TracebackType) -> str:
    return place.tb_frame.f_code.co_filename
