"""Attributes as text, typed exactly: what `graphc.ir.text` writes on a line after the inputs.

A bare word is a named size. Words that mean something else (`True`, `nan`, `float32`) are put in
backquotes when they name a size, so that every text has one reading: that of `graphc.ir.reader`.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir.declaration import ConstantArray, Declaration
from graphc.ir.dim import Monomial, Size
from graphc.ir.dtype import DTYPES, DType

# Constants of more elements are written as the bytes of their elements.
ELEMENTS_LISTED = 16
# Words that are values, and so no names of sizes.
WORDS: dict[str, Any] = {
    "True": True, "False": False, "None": None, "inf": float("inf"), "nan": float("nan"), **DTYPES,
}  # fmt: skip
_WORD = re.compile(r"\w+")


def literal(value: object) -> str:
    """The text of an attribute: a number, string, dimension, dtype, tuple, array or declaration.

    >>> literal((2, 2.0, True, "a", DTYPES["int64"]))
    '(2, 2.0, True, "a", int64)'
    """
    if value is None or isinstance(value, bool | DType):
        return str(value)
    if type(value) is int or type(value) is float:
        return repr(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Size):
        return _size_text(value)
    if isinstance(value, tuple):
        inside = ", ".join(map(literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, ConstantArray):
        return _array_text(value.array)
    if isinstance(value, Declaration):
        return f"{value.role}({quote(value.name)})"
    raise ArgumentError(f"an attribute of type {type(value).__name__} cannot be written as text")


def quote(text: str) -> str:
    """A JSON string on one line: letters of all alphabets as they are, what does not print escaped.

    >>> print(quote('σ "1"\\n'))
    "σ \\"1\\"\\n"
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)


def _size_text(size: Size) -> str:
    text = str(size)
    if text.isascii() and WORDS.keys().isdisjoint(_WORD.findall(text)):
        return text
    terms = [_term_text(monomial, coefficient) for monomial, coefficient in size.terms]
    return " + ".join(terms).replace("+ -", "- ")


def _term_text(monomial: Monomial, coefficient: int) -> str:
    parts = [] if coefficient == 1 and monomial else [str(coefficient)]
    for atom, power in monomial:
        if isinstance(atom, str):
            text = atom if atom.isascii() and atom not in WORDS else f"`{atom}`"
        else:
            text = f"(({literal(atom.numerator)}) // ({literal(atom.denominator)}))"
        parts.append(text if power == 1 else f"{text}**{power}")
    return "*".join(parts)


def _array_text(array: np.ndarray) -> str:
    head = f"array({array.dtype.name}, {literal(tuple(map(int, array.shape)))}"
    if array.size <= ELEMENTS_LISTED:
        listed = [_element_text(element) for element in array.reshape(-1)]
        if _listing_is_exact(array, listed):
            return f"{head}, [{', '.join(listed)}])"
    little = array.astype(array.dtype.newbyteorder("<"))
    return f'{head}, "{base64.b64encode(little.tobytes()).decode()}")'


def _element_text(element: Any) -> str:
    return str(element) if isinstance(element, np.floating) else repr(element.item())


def _listing_is_exact(array: np.ndarray, listed: list[str]) -> bool:
    """Whether decimals hold every bit: not those of a nan with a sign or a payload of its own."""
    if array.dtype.kind != "f":
        return True
    return np.array([float(text) for text in listed], array.dtype).tobytes() == array.tobytes()
