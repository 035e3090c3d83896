"""Machine code for any place in memory, which only has to be put there.

An image is machine code and its constants, as they lie in memory from the beginning of a page on.
It runs anywhere: distances inside are settled. What is left are a few words that hold addresses, of
functions outside of the image or of places in it; whoever loads it (`code_memory`) adds those.
`linker` makes images of object files.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from graphc.errors import CompileError

PAGE = 4096  # of the smallest size: where images begin
ITSELF = ""  # in place of a name: the image
WORD = struct.Struct("<Q")
_MAGIC = b"graphc image 1\n\0"
_COUNTS = struct.Struct("<QQ")  # the entry, the number of words
_PLACE = struct.Struct("<II")  # of a word, and the number of its name


class Image(NamedTuple):
    """Machine code for any place in memory. `words` are places of 8 bytes, each with the name whose
    address is to be added to what is there, or `ITSELF` for where the image begins; what is to be
    called is at `entry`."""

    code: bytes
    entry: int
    words: tuple[tuple[int, str], ...]

    @property
    def needs(self) -> list[str]:
        """The names that it refers to."""
        return sorted({name for _, name in self.words if name != ITSELF})

    def encode(self) -> bytes:
        """As bytes, without the names, which `needs` has in their order."""
        numbers = {name: number for number, name in enumerate([ITSELF, *self.needs])}
        words = b"".join(_PLACE.pack(place, numbers[name]) for place, name in self.words)
        return _MAGIC + _COUNTS.pack(self.entry, len(self.words)) + words + self.code


def is_image(data: bytes) -> bool:
    """Whether `data` is an image, and not an object file."""
    return data.startswith(_MAGIC)


def decode(data: bytes, needs: list[str]) -> Image:
    """The image that was encoded. CompileError for what is none, or leads out of itself."""
    start = len(_MAGIC) + _COUNTS.size
    if not is_image(data) or len(data) < start:
        raise CompileError("native code: expected an image of machine code")
    entry, count = _COUNTS.unpack_from(data, len(_MAGIC))
    end = start + count * _PLACE.size
    code = data[end:]
    names = [ITSELF, *needs]
    numbered = list(_PLACE.iter_unpack(data[start:end])) if end < len(data) else []
    outside = any(place + WORD.size > len(code) or n >= len(names) for place, n in numbered)
    if entry >= len(code) or outside:
        raise CompileError(f"native code: {len(code)} bytes: expected places inside of them")
    return Image(code, entry, tuple((place, names[number]) for place, number in numbered))
