"""What a linker puts into machine code, for the kinds of relocations that LLVM writes here.

Names and formulas are those of the System V ABI for x86-64 and of "ELF for the Arm 64-bit
Architecture": S is a symbol's place, A a number beside it, P the place that is changed, G a cell
that holds the symbol's address. All places are counted from the beginning of an image that starts
on a page, so what follows from distances and from places within a page is known before it is
loaded. A whole address is not: `ABSOLUTE` says which kinds need one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from graphc.target.elf import AARCH64, X86_64, UnknownObject
from graphc.target.image import PAGE

Write = Callable[[bytearray, int, int], None]  # the code, P, and S + A (G + A of a cell)


class Kind(NamedTuple):
    """How one kind of relocation changes code; from a symbol's cell, if `through_cell`.

    A `branch` may go to a stub instead, which jumps on to a symbol outside of the image."""

    write: Write
    branch: bool = False
    through_cell: bool = False


class Architecture(NamedTuple):
    """The relocations of a processor; `absolute` is the kind of a 64-bit address.

    `stub(distance)` is the code that jumps to the address in a cell, which lies `distance` bytes
    after the stub's beginning."""

    absolute: int
    kinds: dict[int, Kind]
    stub: Callable[[int], bytes]


def _fits(value: int, bits: int) -> int:
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise UnknownObject(f"expected a distance of at most {bits} bits, got {value}")
    return value


def _distance32(code: bytearray, place: int, value: int) -> None:
    struct.pack_into("<i", code, place, _fits(value - place, 32))


def _distance64(code: bytearray, place: int, value: int) -> None:
    struct.pack_into("<q", code, place, value - place)


def _x86_stub(distance: int) -> bytes:
    return b"\xff\x25" + struct.pack("<i", _fits(distance - 6, 32)) + b"\xcc\xcc"  # jmp *cell(%rip)


def _set_bits(code: bytearray, place: int, first: int, count: int, value: int) -> None:
    """Put the low bits of a value into an instruction."""
    (word,) = struct.unpack_from("<I", code, place)
    mask = (1 << count) - 1
    struct.pack_into("<I", code, place, word & ~(mask << first) | (value & mask) << first)


def _branch26(code: bytearray, place: int, value: int) -> None:
    _set_bits(code, place, 0, 26, _fits(value - place, 28) >> 2)


def _page21(code: bytearray, place: int, value: int) -> None:
    """Page(S + A) - Page(P), in pages, of ADRP."""
    pages = _fits(value // PAGE - place // PAGE, 21)
    _set_bits(code, place, 29, 2, pages)
    _set_bits(code, place, 5, 19, pages >> 2)


def _within_page(scale: int) -> Write:
    """The place in its page, in units of what is loaded or stored."""

    def write(code: bytearray, place: int, value: int) -> None:
        offset = value % PAGE
        if offset % scale:
            raise UnknownObject(f"expected a multiple of {scale}, got the offset {offset}")
        _set_bits(code, place, 10, 12, offset // scale)

    return write


def _arm_stub(distance: int) -> bytes:
    load = 0x58000010 | (_fits(distance, 21) >> 2 & 0x7FFFF) << 5  # ldr x16, cell
    return struct.pack("<II", load, 0xD61F0200)  # br x16


ARCHITECTURES = {
    X86_64: Architecture(
        absolute=1,  # R_X86_64_64
        kinds={
            2: Kind(_distance32),  # PC32
            4: Kind(_distance32, branch=True),  # PLT32
            9: Kind(_distance32, through_cell=True),  # GOTPCREL
            24: Kind(_distance64),  # PC64
            41: Kind(_distance32, through_cell=True),  # GOTPCRELX
            42: Kind(_distance32, through_cell=True),  # REX_GOTPCRELX
        },
        stub=_x86_stub,
    ),
    AARCH64: Architecture(
        absolute=257,  # R_AARCH64_ABS64
        kinds={
            260: Kind(_distance64),  # PREL64
            261: Kind(_distance32),  # PREL32
            275: Kind(_page21),  # ADR_PREL_PG_HI21
            277: Kind(_within_page(1)),  # ADD_ABS_LO12_NC
            278: Kind(_within_page(1)),  # LDST8_ABS_LO12_NC
            282: Kind(_branch26, branch=True),  # JUMP26
            283: Kind(_branch26, branch=True),  # CALL26
            284: Kind(_within_page(2)),  # LDST16_ABS_LO12_NC
            285: Kind(_within_page(4)),  # LDST32_ABS_LO12_NC
            286: Kind(_within_page(8)),  # LDST64_ABS_LO12_NC
            299: Kind(_within_page(16)),  # LDST128_ABS_LO12_NC
            311: Kind(_page21, through_cell=True),  # ADR_GOT_PAGE
            312: Kind(_within_page(8), through_cell=True),  # LD64_GOT_LO12_NC
        },
        stub=_arm_stub,
    ),
}
"""By `e_machine`. What is not here is refused: see `linker`."""
