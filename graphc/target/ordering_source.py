"""Kernels of ordering: a stable sort of rows, and places in a sorted array."""

from __future__ import annotations

from collections.abc import Callable

# An element is sorted by a key, a signed integer of its own width in the same order: of a float its
# bits, with those below the sign turned over in a negative one, the two zeros equal, and nan above
# all. Short rows are sorted by counting the keys before each, which runs on vectors. Long ones are
# distributed by the digits of their keys, the lowest first (Knuth, algorithm 5.2.5R), two digits at
# a time, so that they are back where they were; digits that all keys share are passed over.
_SORT = """\
from graphc.target.primitives import (
    {imports}
)


def kernel(lo, hi, argv, context):
    x = {dtype}_pointer(argv, 0)
    raw = {bits}_pointer(argv, 0)
    values = {dtype}_pointer(argv, 1)
    keys = {bits}_pointer(argv, 1)
    indices = int64_pointer(argv, 2)
    keys_aside = {bits}_pointer(argv, 3)
    indices_aside = int64_pointer(argv, 4)
    counts = int64_pointer(argv, 5)
    n = integer(argv, 6)
    turned = -integer(argv, 7)
    for row in range(lo, hi):
        start = row * n
        for i in range(start, start + n):
            key = int64(raw[i])
{ordered}
            keys[i] = key ^ turned
        if n <= {short}:
            for i in range(n):
                mine = keys[start + i]
                rank = 0
                for j in range(i):
                    rank = rank + select(keys[start + j] <= mine, 1, 0)
                for j in range(i + 1, n):
                    rank = rank + select(keys[start + j] < mine, 1, 0)
                indices[start + rank] = i
        if n > {short}:
            first = int64(keys[start])
            differing = 0
            for i in range(n):
                indices[start + i] = i
                differing = differing | (int64(keys[start + i]) ^ first)
            for pair in range({pairs}):
                low = pair * 16
                high = low + 8
                flip = select(pair == {pairs} - 1, 128, 0)
                if (differing >> low) & 65535 != 0:
                    for digit in range(256):
                        counts[start + digit] = 0
                    for i in range(start, start + n):
                        place = start + ((int64(keys[i]) >> low) & 255)
                        counts[place] = counts[place] + 1
                    total = start
                    for digit in range(start, start + 256):
                        before = total
                        total = total + counts[digit]
                        counts[digit] = before
                    for i in range(start, start + n):
                        place = start + ((int64(keys[i]) >> low) & 255)
                        target = counts[place]
                        keys_aside[target] = keys[i]
                        indices_aside[target] = indices[i]
                        counts[place] = target + 1
                    for digit in range(256):
                        counts[start + digit] = 0
                    for i in range(start, start + n):
                        place = start + (((int64(keys_aside[i]) >> high) & 255) ^ flip)
                        counts[place] = counts[place] + 1
                    total = start
                    for digit in range(start, start + 256):
                        before = total
                        total = total + counts[digit]
                        counts[digit] = before
                    for i in range(start, start + n):
                        place = start + (((int64(keys_aside[i]) >> high) & 255) ^ flip)
                        target = counts[place]
                        keys[target] = keys_aside[i]
                        indices[target] = indices_aside[i]
                        counts[place] = target + 1
        for i in range(start, start + n):
            values[i] = x[start + indices[i]]
"""

_ORDERED = """\
            size = key & {largest}
            key = select(key < 0, key ^ {largest}, key)
            key = select(size == 0, 0, key)
            key = select(size > {infinity}, {largest}, key)"""

# Rows up to this length are sorted by counting; longer ones have room for 256 counts in a row.
SHORT_ROW = 256
_INFINITY = {"float32": 0x7F800000, "float64": 0x7FF0000000000000}


def sort_source(dtype: str) -> str:
    """The kernel that sorts rows of one element type, with the places that elements come from."""
    wide = dtype in ("float64", "int64")
    bits = "int64" if wide else "int32"
    ordered = ""
    if dtype in _INFINITY:
        largest = 2 ** (63 if wide else 31) - 1
        ordered = _ORDERED.format(largest=largest, infinity=_INFINITY[dtype])
    pointers = (f"{name}_pointer" for name in (dtype, bits, "int64"))
    names = sorted({"int64", "integer", "select", *pointers})
    text = _SORT.format(
        imports=", ".join(names) + ",", dtype=dtype, bits=bits, ordered=ordered, short=SHORT_ROW,
        pairs=4 if wide else 2,
    )  # fmt: skip
    return text.replace("\n\n            keys[i]", "\n            keys[i]")


# Bisection, with as many steps as the longest search takes; nan is above every number.
_SEARCHSORTED = """\
from graphc.target.primitives import (
    {imports}
)


def kernel(lo, hi, argv, context):
    ordered = {dtype}_pointer(argv, 0)
    queries = {dtype}_pointer(argv, 1)
    places = int64_pointer(argv, 2)
    n = integer(argv, 3)
    right = integer(argv, 4) != 0
    steps = 0
    rest = n
    for step in range(63):
        steps = steps + select(rest > 0, 1, 0)
        rest = rest >> 1
    for i in range(lo, hi):
        query = queries[i]
        query_nan = query != query
        first = 0
        last = n
        for step in range(steps):
            if first < last:
                middle = (first + last) >> 1
                element = ordered[middle]
                nan = element != element
                below = logical_or(element < query, logical_and(query_nan, logical_not(nan)))
                above = logical_or(query < element, logical_and(nan, logical_not(query_nan)))
                before = select(right, logical_not(above), below)
                first = select(before, middle + 1, first)
                last = select(before, last, middle)
        places[i] = first
"""


def searchsorted_source(dtype: str) -> str:
    """The kernel that finds where queries belong in a sorted array."""
    names = {"integer", "logical_and", "logical_not", "logical_or", "select", "int64_pointer"}
    imports = ", ".join(sorted({*names, f"{dtype}_pointer"})) + ","
    return _SEARCHSORTED.format(imports=imports, dtype=dtype)


ORDERING: dict[str, Callable[[str], str]] = {
    "sort": sort_source,
    "searchsorted": searchsorted_source,
}
