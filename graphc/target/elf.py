"""Reads object files in ELF, as LLVM writes them: sections, symbols, relocations.

64-bit little-endian relocatable files alone. What is read comes from a compiler of this process, so
a file that is cut off is not expected; one that is of another kind is refused.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

X86_64, AARCH64 = 62, 183  # e_machine

ALLOCATED, WRITABLE, THREAD_LOCAL = 0x2, 0x1, 0x400  # section flags
_NO_CONTENT, _SYMBOL_TABLE, _RELOCATIONS, _SHORT_RELOCATIONS = 8, 2, 4, 9  # section types
_RELOCATABLE = 1  # e_type
_RESERVED = 0xFF00  # section numbers from here on mean something else
_MAGIC = b"\x7fELF\x02\x01"  # 64-bit, little endian

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")  # with the two halves of r_info apart


class UnknownObject(Exception):
    """An object file, or something in it, that is not known here; the message says what."""


class Section(NamedTuple):
    """A section; `content` is empty for one that is not in the file."""

    name: str
    kind: int
    flags: int
    size: int
    alignment: int
    content: bytes


class Symbol(NamedTuple):
    """A name, and where it is: `section` is 0 for one that is not in this file."""

    name: str
    section: int
    value: int


class Relocation(NamedTuple):
    """At `place` of a section the linker puts what `kind` says of a symbol and a number."""

    place: int
    kind: int
    symbol: Symbol
    addend: int


class ObjectFile(NamedTuple):
    """What a linker has to know of a file; relocations by the number of their section."""

    machine: int
    sections: list[Section]
    symbols: list[Symbol]
    relocations: dict[int, list[Relocation]]


class _Header(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def is_elf(code: bytes) -> bool:
    """Whether this is ELF of the kind that can be read."""
    return code.startswith(_MAGIC)


def read(code: bytes) -> ObjectFile:
    """The object file `code`. Raises UnknownObject where it is something else."""
    kind, machine = struct.unpack_from("<HH", code, 0x10) if is_elf(code) else (0, 0)
    if kind != _RELOCATABLE:
        raise UnknownObject("expected a relocatable file in 64-bit little-endian ELF")
    table = struct.unpack_from("<Q", code, 0x28)[0]
    size, count, names = struct.unpack_from("<HHH", code, 0x3A)
    if size != _SECTION.size or not 0 < count < _RESERVED:
        raise UnknownObject(f"expected fewer than {_RESERVED} sections, got {count} in its header")
    headers = [
        _Header(*_SECTION.unpack_from(code, table + size * number)) for number in range(count)
    ]
    sections = [_section(code, header, headers[names]) for header in headers]
    symbols = _symbols(code, headers)
    return ObjectFile(machine, sections, symbols, _relocations(code, headers, symbols))


def undefined_symbols(code: bytes) -> list[str]:
    """Names that an object file refers to but does not define (ELF; elsewhere none are known)."""
    if not is_elf(code):
        return []
    return sorted(
        {symbol.name for symbol in read(code).symbols if symbol.name and not symbol.section}
    )


def _section(code: bytes, header: _Header, names: _Header) -> Section:
    held = 0 if header.kind == _NO_CONTENT else header.size
    content = code[header.offset : header.offset + held]
    name = _text(code, names.offset + header.name)
    return Section(name, header.kind, header.flags, header.size, header.alignment, content)


def _text(code: bytes, start: int) -> str:
    return code[start : code.index(b"\0", start)].decode()


def _symbols(code: bytes, headers: list[_Header]) -> list[Symbol]:
    found = []
    for header in headers:
        if header.kind == _SYMBOL_TABLE:  # a file has one at most
            strings = headers[header.link].offset
            for entry in range(header.offset, header.offset + header.size, _SYMBOL.size):
                name, _info, _other, section, value, _size = _SYMBOL.unpack_from(code, entry)
                found.append(Symbol(_text(code, strings + name), section, value))
    return found


def _relocations(
    code: bytes, headers: list[_Header], symbols: list[Symbol]
) -> dict[int, list[Relocation]]:
    found: dict[int, list[Relocation]] = {}
    for header in headers:
        if header.kind == _SHORT_RELOCATIONS:
            raise UnknownObject("expected relocations with an addend")
        if header.kind == _RELOCATIONS:
            entries = found.setdefault(header.info, [])
            for entry in range(header.offset, header.offset + header.size, _RELOCATION.size):
                place, kind, symbol, addend = _RELOCATION.unpack_from(code, entry)
                entries.append(Relocation(place, kind, symbols[symbol], addend))
    return found
