"""Where the user wrote a node: a file and a line, or a notebook cell and a line.

Sites are kept beside nodes, never inside them: two lines that build the same expression share one
node.
"""

from __future__ import annotations

import inspect
import linecache
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple, NoReturn, ParamSpec, TypeVar

from graphc.errors import ArgumentError, GraphcError

P = ParamSpec("P")
R = TypeVar("R")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The three sites that a node remembers are enough to find it; more would cost memory on every
# shared constant.
SITES_KEPT = 3


class Site(NamedTuple):
    """A line of the user's program."""

    filename: str
    line: int

    def __str__(self) -> str:
        cell = _notebook_cell(self.filename)
        if cell is not None:
            return f"notebook cell {cell}, line {self.line}"
        path = self.filename
        try:
            relative = os.path.relpath(path)
        except ValueError:  # another drive, on Windows
            relative = path
        return f"{path if relative.startswith('..') else relative}:{self.line}"

    @property
    def text(self) -> str:
        """The source text of the line, empty if it is no longer to be had."""
        return linecache.getline(self.filename, self.line).strip()


def _notebook_cell(filename: str) -> str | None:
    """The execution count of a notebook cell, None for an ordinary file."""
    if "ipykernel_" not in filename and "<ipython-input-" not in filename:
        return None
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})
    if filename in numbers:
        return f"[{numbers[filename]}]"
    parts = filename.split("-")
    return f"[{parts[2]}]" if filename.startswith("<ipython-input-") and len(parts) > 2 else "[?]"


_inherited: ContextVar[tuple[Site, ...] | None] = ContextVar("inherited_sites", default=None)


def inherit_sites(sites: tuple[Site, ...]) -> AbstractContextManager[None]:
    """Give nodes made inside the block these sites: a derivative belongs to the line it derives
    from."""
    return _Inheriting(sites)


class _Inheriting(AbstractContextManager[None]):
    # Entered for nearly every node that is made: a generator would take three times as long.
    __slots__ = ("_sites", "_token")

    def __init__(self, sites: tuple[Site, ...]) -> None:
        self._sites = sites

    def __enter__(self) -> None:
        self._token = _inherited.set(self._sites)

    def __exit__(self, *_: object) -> None:
        _inherited.reset(self._token)


def current_sites() -> tuple[Site, ...]:
    """The sites for a node made now: inherited ones, else the innermost frame outside graphc."""
    inherited = _inherited.get()
    return inherited if inherited is not None else user_sites()


def user_sites() -> tuple[Site, ...]:
    """The innermost frame outside graphc and NumPy, as a tuple of at most one site."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith(_PACKAGE) and not filename.startswith("<frozen"):
            return (Site(filename, frame.f_lineno),)
        frame = frame.f_back  # type: ignore[assignment]
    return ()


def written_at(sites: tuple[Site, ...]) -> str:
    """The end of an error message that points at the user's line; empty if unknown."""
    return f" Written at {', '.join(map(str, sites))}." if sites else ""


def raise_located(error: GraphcError, sites: tuple[Site, ...] | None = None) -> NoReturn:
    """Raise the error again with the user's line at its end, once."""
    if error.located:
        raise error
    known = type(error)(f"{str(error).removesuffix('.')}.{written_at(sites or user_sites())}")
    known.located = True
    raise known from None


def at_user_line(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with the user's line at the end of every error that graphc raises in it.

    A call that does not fit its signature is such an error too, an ArgumentError.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except GraphcError as error:
            raise_located(error)
        except TypeError:
            _check_call(function, args, kwargs)
            raise

    return wrapper


def _check_call(function: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Raise ArgumentError if the arguments do not fit the signature."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(function, "__name__", "") or repr(function)
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        expected = f"{name}{inspect.Signature(bare)}"
        raise_located(ArgumentError(f"{name}: {error}; expected {expected}"))
