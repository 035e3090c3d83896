"""Reads one line of a graph's text: tokens, and the attributes that `graphc.ir.literal` writes.

It reads by recursive descent and evaluates nothing. What could make it work without bound (deep
brackets, endless integers, products of sums) it refuses.
"""

from __future__ import annotations

import base64
import binascii
import json
import operator
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcError, ParseError
from graphc.ir.body import Body
from graphc.ir.declaration import ConstantArray, Declaration
from graphc.ir.dim import Dim, Size, floor_divide, named_size
from graphc.ir.dtype import DTYPES, DType
from graphc.ir.literal import WORDS

# Deeper brackets are refused before Python's own stack is.
_DEEPEST = 50
_TOKEN = re.compile(
    r"""[ \t]*(?: (?P<word>[^\W\d]\w*) | (?P<mark>\*\*|//|[-+*%@()\[\],=:])
    | (?P<float>\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+) | (?P<int>\d+)
    | (?P<size>`[^`]*`) | (?P<string>"(?:[^"\\\x00-\x1f]|\\.)*") | (?P<end>\Z) )""",
    re.VERBOSE | re.ASCII,
)
# The Python types of the elements that each family of dtypes lists.
_ELEMENTS: dict[str, tuple[type, ...]] = {
    "bool": (bool,), "uint": (int,), "int": (int,), "float": (float, int),
}  # fmt: skip

MakeDeclaration = Callable[[str, str], Declaration]


def _in_pairs(combine: Callable[[Dim, Dim], Dim], items: list[Dim]) -> Dim:
    """The items combined two by two, which sorts the terms of a long sum few times."""
    while len(items) > 1:
        combined = [combine(a, b) for a, b in zip(items[::2], items[1::2], strict=False)]
        items = combined + items[len(combined) * 2 :]
    return items[0]


class Reader:
    """Reads one line from left to right, one token ahead: its `sort` ("int", "mark") and `text`.

    Every complaint is a ParseError with the number of the line.
    """

    def __init__(
        self, line: str, number: int, declare: MakeDeclaration, bodies: Sequence[Body] = ()
    ) -> None:
        self.line = line.rstrip()
        self.number = number
        self.declare = declare
        self.bodies = bodies  # what `@0`, `@1` and so on stand for
        self.at = 0  # where the token after the next one begins
        self.sort = self.text = ""
        self._depth = 0
        self.take()

    def fail(self, message: str) -> ParseError:
        """The error to raise, with the number of the line."""
        return ParseError(f"line {self.number}: {message}")

    def take(self) -> str:
        """The text of the next token, which is passed."""
        text = self.text
        found = _TOKEN.match(self.line, self.at)
        if found is None:
            raise self.fail(f"cannot read {self.rest[:20]!r}")
        self.sort = found.lastgroup or ""
        self.text = found[self.sort]
        self.at = found.end()
        return text

    @property
    def rest(self) -> str:
        """What follows the token that comes next."""
        return self.line[self.at :].lstrip()

    def skip(self, mark: str) -> bool:
        """Whether the next token is `mark`, which is then passed."""
        if self.text != mark or self.sort != "mark":
            return False
        self.take()
        return True

    def expect(self, mark: str) -> None:
        """Pass `mark`, or raise ParseError."""
        if not self.skip(mark):
            raise self.unexpected(repr(mark))

    def unexpected(self, wanted: str) -> ParseError:
        """The error to raise where the next token is not what was wanted."""
        return self.fail(f"expected {wanted}, got {self.text or 'the end of the line'!r}")

    def expect_sort(self, sort: str, what: str) -> str:
        """The text of the next token, which must be of the given sort."""
        if self.sort != sort:
            raise self.unexpected(what)
        return self.take()

    def integer(self) -> int:
        """An unsigned integer."""
        return self._integer(self.expect_sort("int", "an integer"))

    def _integer(self, text: str) -> int:
        if len(text) > sys.get_int_max_str_digits() > 0:
            raise self.fail(f"an integer of {len(text)} digits is too long")
        return int(text)

    def string(self) -> str:
        """A JSON string."""
        text = self.expect_sort("string", "a string in double quotes")
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise self.fail(f"not a JSON string: {error}") from None

    # -- values

    def value(self) -> Any:
        """One attribute."""
        self._deeper()
        try:
            return self._value()
        except GraphcError as error:
            raise error if isinstance(error, ParseError) else self.fail(str(error)) from None
        finally:
            self._depth -= 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.fail(f"brackets are nested more than {_DEEPEST} deep")

    def _value(self) -> Any:
        if self.skip("@"):
            return self._body()
        if self.sort == "string":
            return self.string()
        if self.text == "-" and self._float_follows():
            self.take()
            return -float(self.take())
        if self.sort == "float":
            return float(self.take())
        if self.sort == "word" and self.rest.startswith("("):
            return self._headed(self.take())
        if self.sort == "word" and self.text in WORDS:
            return WORDS[self.take()]
        if self.text == "(" and self._is_tuple():
            return self._tuple()
        return self.dim()

    def _float_follows(self) -> bool:
        found = _TOKEN.match(self.line, self.at)
        return found is not None and (bool(found["float"]) or found["word"] in ("inf", "nan"))

    def _body(self) -> Body:
        place = self.integer()
        if place >= len(self.bodies):
            raise self.fail(f"the body @{place} is used before it is written")
        return self.bodies[place]

    def _headed(self, head: str) -> Any:
        self.expect("(")
        result = self._array() if head == "array" else self.declare(head, self.string())
        self.expect(")")
        return result

    def _is_tuple(self) -> bool:
        """Whether the bracket that comes next holds a comma of its own, or nothing."""
        depth, at = 1, self.at
        while depth:
            found = _TOKEN.match(self.line, at)
            if found is None or found.lastgroup == "end":
                return False
            if depth == 1 and found["mark"] == ",":
                return True
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found["mark"], 0)
            at = found.end()
        return self.rest.startswith(")")

    def _tuple(self) -> tuple[Any, ...]:
        self.expect("(")
        items = []
        while not self.skip(")"):
            items.append(self.value())
            if not self.skip(","):
                self.expect(")")
                break
        return tuple(items)

    def _array(self) -> ConstantArray:
        name = self.expect_sort("word", "a dtype")
        if name not in DTYPES:
            raise self.fail(f"expected a dtype ({', '.join(DTYPES)}), got {name!r}")
        self.expect(",")
        shape = self.value()
        if not isinstance(shape, tuple) or any(type(d) is not int or d < 0 for d in shape):
            raise self.fail(f"expected the shape of an array, got {shape!r}")
        self.expect(",")
        data = self._elements(DTYPES[name]) if self.skip("[") else self._bytes()
        try:
            flat = np.frombuffer(data, DTYPES[name].numpy.newbyteorder("<"))
            return ConstantArray(flat.astype(DTYPES[name].numpy).reshape(shape))
        except ValueError:
            message = f"{len(data)} bytes are not {name} elements of the shape {shape}"
            raise self.fail(message) from None

    def _bytes(self) -> bytes:
        try:
            return base64.b64decode(self.string(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.fail(f"not base64: {error}") from None

    def _elements(self, dtype: DType) -> bytes:
        elements = []
        while not self.skip("]"):
            elements.append(self.value())
            if type(elements[-1]) not in _ELEMENTS[dtype.family]:
                raise self.fail(f"expected an element of {dtype}, got {elements[-1]!r}")
            if not self.skip(","):
                self.expect("]")
                break
        try:
            array = np.array([dtype.numpy.type(element) for element in elements], dtype.numpy)
        except OverflowError as error:
            raise self.fail(f"{error}") from None
        return array.astype(dtype.numpy.newbyteorder("<")).tobytes()

    # -- dimensions: sums of products of integers, names, powers and floor quotients

    def dim(self) -> Dim:
        """A dimension in the form in which `Size` writes itself."""
        terms = [self._product()]
        while self.text in ("+", "-"):
            sign = self.take()
            terms.append(self._product() if sign == "+" else -1 * self._product())
        return _in_pairs(operator.add, terms)

    def _product(self) -> Dim:
        negative = self.skip("-")
        factors = [self._power()]
        while self.skip("*"):
            factors.append(self._power())
        # Sums are never written multiplied, and their products could grow without bound.
        if len(factors) > 1 and any(isinstance(d, Size) and len(d.terms) > 1 for d in factors):
            raise self.fail("a dimension multiplies no sums: multiply them out")
        # As in Python, a leading minus holds tighter than a quotient: -n // 2 is (-n) // 2.
        product = _in_pairs(operator.mul, [-1, *factors] if negative else factors)
        if not self.skip("//"):
            return product
        return floor_divide(product, -1 * self._power() if self.skip("-") else self._power())

    def _power(self) -> Dim:
        base = self._atom()
        if not self.skip("**"):
            return base
        exponent = self.integer()
        if not isinstance(base, Size) or len(base.terms) > 1 or base.terms[0][1] != 1:
            raise self.fail("only a name or a floor quotient is raised to a power")
        ((monomial, _),) = base.terms
        if exponent == 0:
            return 1
        return Size(((tuple((atom, power * exponent) for atom, power in monomial), 1),))

    def _atom(self) -> Dim:
        self._deeper()
        try:
            if self.sort == "int":
                return self.integer()
            if self.sort == "size":
                return named_size(self.take()[1:-1])
            if self.sort == "word" and self.text not in WORDS:
                return named_size(self.take())
            if not self.skip("("):
                raise self.unexpected("a value")
            inner = self.dim()
            self.expect(")")
            return inner
        finally:
            self._depth -= 1
