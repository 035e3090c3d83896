"""Object code linked into images, when it is compiled: a process that loads them needs no linker.

Sections are laid out one behind the other and distances are settled. Code reaches what is outside
through cells, words at the end of the image, and calls it through a stub that jumps to the address
in a cell.

What is not known is refused: other formats than ELF, other processors, other kinds of relocations,
data that can be written. Unwinding tables are left out: kernels and the driver call C functions
only, which raise nothing.
"""

from __future__ import annotations

from graphc.target import elf
from graphc.target.elf import Relocation, Symbol, UnknownObject
from graphc.target.image import ITSELF, PAGE, WORD, Image
from graphc.target.relocation import ARCHITECTURES, Architecture, Kind

_STUB_BYTES = 8
_UNWINDING, _CONSTANT_ADDRESSES = ".eh_frame", ".data.rel.ro"


def link(code: bytes, symbol: str) -> Image:
    """The image of an object file, to be called at `symbol`. UnknownObject says what it cannot."""
    found = elf.read(code)
    if found.machine not in ARCHITECTURES:
        raise UnknownObject(f"expected code for x86-64 or AArch64, got machine {found.machine}")
    linker = _Linker(found, ARCHITECTURES[found.machine])
    for number in linker.starts:
        for relocation in found.relocations.get(number, []):
            linker.settle(linker.starts[number] + relocation.place, relocation)
    entry = next((known for known in found.symbols if known.name == symbol and known.section), None)
    if entry is None:
        raise UnknownObject(f"expected {symbol} to be defined")
    return Image(bytes(linker.code), linker.place(entry), tuple(linker.words))


class _Linker:
    """An image while it is made: sections are laid out first, stubs and cells come behind them."""

    def __init__(self, found: elf.ObjectFile, architecture: Architecture) -> None:
        self.architecture = architecture
        self.code = bytearray()
        self.starts: dict[int, int] = {}  # of sections, by their number
        self.words: list[tuple[int, str]] = []
        self._cells: dict[tuple[str, int], int] = {}
        self._stubs: dict[str, int] = {}
        for number, section in enumerate(found.sections):
            if section.flags & elf.ALLOCATED and section.size and section.name != _UNWINDING:
                self.starts[number] = self._append_section(section)

    def _append_section(self, section: elf.Section) -> int:
        # Constants that hold addresses are written once, when they are loaded.
        written = section.flags & elf.WRITABLE and not section.name.startswith(_CONSTANT_ADDRESSES)
        if written or section.flags & elf.THREAD_LOCAL or section.alignment > PAGE:
            raise UnknownObject(f"expected code and constants, got the section {section.name}")
        return self._append(section.content, section.alignment)

    def _append(self, content: bytes, alignment: int) -> int:
        self.code += bytes(-len(self.code) % max(alignment, 1))
        start = len(self.code)
        self.code += content
        return start

    def place(self, symbol: Symbol) -> int:
        """Where in the image a symbol is."""
        if symbol.section not in self.starts:
            raise UnknownObject(f"expected {symbol.name or 'a symbol'} in code or constants")
        return self.starts[symbol.section] + symbol.value

    def settle(self, place: int, relocation: Relocation) -> None:
        """Write what a relocation says, or note which word is to be filled when it is loaded."""
        symbol, addend = relocation.symbol, relocation.addend
        if relocation.kind == self.architecture.absolute:
            self._word(place, symbol, addend)
            return
        kind = self.architecture.kinds.get(relocation.kind)
        if kind is None:
            raise UnknownObject(f"the kind of relocation {relocation.kind} is not known")
        kind.write(self.code, place, self._target(kind, symbol) + addend)

    def _target(self, kind: Kind, symbol: Symbol) -> int:
        if kind.through_cell:
            return self._cell(symbol)
        if symbol.section or not kind.branch:
            return self.place(symbol)
        return self._stub(symbol)

    def _word(self, place: int, symbol: Symbol, addend: int) -> None:
        """A word that is to hold the address of a symbol, plus a number."""
        if not symbol.section and not symbol.name:
            raise UnknownObject("expected the address of a symbol, got a number alone")
        known = addend if not symbol.section else self.place(symbol) + addend
        WORD.pack_into(self.code, place, known % 2**64)
        self.words.append((place, ITSELF if symbol.section else symbol.name))

    def _cell(self, symbol: Symbol) -> int:
        key = (symbol.name, -1) if not symbol.section else (ITSELF, self.place(symbol))
        if key not in self._cells:
            self._cells[key] = self._append(bytes(WORD.size), WORD.size)
            self._word(self._cells[key], symbol, 0)
        return self._cells[key]

    def _stub(self, symbol: Symbol) -> int:
        if symbol.name not in self._stubs:
            cell = self._cell(symbol)
            start = self._append(bytes(_STUB_BYTES), _STUB_BYTES)
            self.code[start:] = self.architecture.stub(cell - start)
            self._stubs[symbol.name] = start
        return self._stubs[symbol.name]
