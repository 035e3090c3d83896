"""What relocations put into code: the bits of an instruction and none beside them, and no distance
that is too long."""

from __future__ import annotations

import struct

import pytest

from graphc.target import elf
from graphc.target.elf import UnknownObject
from graphc.target.relocation import ARCHITECTURES


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def test_every_kind_says_what_does_not_fit() -> None:
    """A distance that is too long is an error, never cut off."""
    kind = ARCHITECTURES[elf.X86_64].kinds[2]
    code = bytearray(8)
    kind.write(code, 4, 4 - 2**31)
    assert struct.unpack_from("<i", code, 4) == (-(2**31),)
    with pytest.raises(UnknownObject, match="at most 32 bits"):
        kind.write(code, 4, 4 + 2**31)
    branch = ARCHITECTURES[elf.AARCH64].kinds[283]
    with pytest.raises(UnknownObject, match="at most 28 bits"):
        branch.write(code, 0, 2**27)


@pytest.mark.parametrize(
    ("kind", "scale"), [(277, 1), (278, 1), (284, 2), (285, 4), (286, 8), (299, 16)]
)
def test_arm_places_in_a_page_count_in_what_is_loaded(kind: int, scale: int) -> None:
    """The twelve bits of an instruction, and none beside them."""
    write = ARCHITECTURES[elf.AARCH64].kinds[kind].write
    code = bytearray(struct.pack("<I", 0xFFFFFFFF))
    write(code, 0, 3 * 4096 + 6 * scale)
    (word,) = struct.unpack("<I", code)
    assert word >> 10 & 0xFFF == 6
    assert word | 0xFFF << 10 == 0xFFFFFFFF
    if scale > 1:
        with pytest.raises(UnknownObject, match="multiple"):
            write(code, 0, 1)


def test_arm_pages_behind() -> None:
    """Distances may be negative."""
    write = ARCHITECTURES[elf.AARCH64].kinds[275].write
    code = bytearray(8 * 4096)
    write(code, 7 * 4096 + 4, 2 * 4096 + 100)
    (word,) = struct.unpack_from("<I", code, 7 * 4096 + 4)
    assert signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21) == -5
