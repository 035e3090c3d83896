"""Object code linked into images: each kind of relocation, by what the code then does.

The oracle is the processor: functions of LLVM's own text are compiled, linked, put in memory and
called. Code for AArch64 is looked at with decoders written from the Arm Architecture Reference
Manual, since it cannot be called here.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from graphc.target import code_memory, elf, engine, image, linker, object_code, process_symbols
from graphc.target.elf import UnknownObject
from graphc.target.image import ITSELF, Image
from graphc.target.relocation import ARCHITECTURES

HERE = "x86_64-unknown-linux-gnu"
ARM = "aarch64-unknown-linux-gnu"
needs_x86 = pytest.mark.skipif(
    not (code_memory.available() and os.uname().machine == "x86_64"), reason="runs x86-64 code"
)

CONSTANTS = """
define double @f(double %x, i64 %i) {
  %a = fmul double %x, 1.5
  %b = fadd double %a, 0.125
  ret double %b
}
"""
# Branches that differ, enough of them for a table of jumps: each calls a function with 10 times its
# number, and then computes with the result and its number.
OPERATIONS = {
    "mul": operator.mul, "add": operator.add, "xor": operator.xor, "or": operator.or_,
    "and": operator.and_, "sub": operator.sub, "shl": operator.lshift, "lshr": operator.rshift,
    "udiv": operator.floordiv, "urem": operator.mod,
}  # fmt: skip
SWITCH = """
declare i64 @graphc_test_one(i64)
define i64 @f(i64 %i) {
  switch i64 %i, label %other [ JUMPS ]
CASES
other:
  ret i64 -1
}
"""
SWITCH = SWITCH.replace(
    "JUMPS", " ".join(f"i64 {case}, label %case{case}" for case in range(len(OPERATIONS)))
)
SWITCH = SWITCH.replace(
    "CASES",
    "\n".join(
        f"case{case}:\n  %v{case} = call i64 @graphc_test_one(i64 {10 * case})\n"
        f"  %r{case} = {name} i64 %v{case}, {case + 2}\n  ret i64 %r{case}"
        for case, name in enumerate(OPERATIONS)
    ),
)
TAIL = """
define i64 @g(i64 %i) {
  %r = tail call i64 @graphc_test_one(i64 %i)
  ret i64 %r
}
"""
ADDRESS = """
declare i64 @graphc_test_one(i64)
define ptr @f() { ret ptr @graphc_test_one }
"""
TABLE = """
@table = internal constant [3 x ptr] [ptr @square, ptr @graphc_test_one, ptr @square]
declare i64 @graphc_test_one(i64)
define internal i64 @square(i64 %i) {
  %r = mul i64 %i, %i
  ret i64 %r
}
define i64 @f(i64 %i) {
  %p = getelementptr [3 x ptr], ptr @table, i64 0, i64 %i
  %g = load ptr, ptr %p
  %r = call i64 %g(i64 7)
  ret i64 %r
}
"""
VARIABLE = """
@count = internal global i64 5
define i64 @f() {
  %a = load i64, ptr @count
  %b = add i64 %a, 1
  store i64 %b, ptr @count
  ret i64 %b
}
"""
ZEROED = VARIABLE.replace("global i64 5", "global i64 0")
PER_THREAD = VARIABLE.replace("internal global", "internal thread_local(localexec) global")


COMPILER = """
import sys
import llvmlite.binding as llvm
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
triple, reloc, model = sys.argv[1:]
target = llvm.Target.from_triple(triple)
machine = target.create_target_machine(opt=2, reloc=reloc, codemodel=model)
module = llvm.parse_assembly(sys.stdin.read(), llvm.create_context())
module.triple = triple
sys.stdout.buffer.write(machine.emit_object(module))
"""


@functools.cache
def compiled(text: str, triple: str = HERE, reloc: str = "pic", model: str = "small") -> bytes:
    """The object file of an LLVM text, for any processor. In a process of its own: some targets of
    LLVM change its settings for all others."""
    command = [sys.executable, "-c", COMPILER, triple, reloc, model]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


def kinds(code: bytes) -> set[int]:
    """The kinds of relocations in sections that an image has."""
    found = elf.read(code)
    return {
        each.kind
        for number, entries in found.relocations.items()
        for each in entries
        if found.sections[number].name != ".eh_frame"
    }


@pytest.fixture
def one() -> Iterator[Any]:
    """A function outside of all images, which adds one."""
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda number: number + 1)
    process_symbols.define("graphc_test_one", ctypes.cast(function, ctypes.c_void_p).value or 0)
    yield function
    process_symbols._defined.pop("graphc_test_one")


def called(code: bytes, shape: Any) -> Any:
    """`f` of an object file, linked, kept, found again and put in memory."""
    linked = linker.link(code, "f")
    again = image.decode(linked.encode(), linked.needs)
    assert again == linked
    return shape(engine.load(linked.encode(), "f", linked.needs))


INTEGERS = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


@needs_x86
@pytest.mark.parametrize(("reloc", "model", "kind"), [("pic", "small", 2), ("static", "large", 1)])
def test_constants_are_found(reloc: str, model: str, kind: int) -> None:
    """By distance (PC32), and by their address (64)."""
    code = compiled(CONSTANTS, reloc=reloc, model=model)
    assert kinds(code) == {kind}
    function = called(code, ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double))
    assert function(3.0) == 4.625
    words = linker.link(code, "f").words
    assert {name for _, name in words} == ({ITSELF} if kind == 1 else set())


@needs_x86
@pytest.mark.usefixtures("one")
@pytest.mark.parametrize(
    ("reloc", "model", "expected"), [("pic", "small", {2, 4}), ("static", "large", {1})]
)
def test_functions_outside_are_called(reloc: str, model: str, expected: set[int]) -> None:
    """Through a stub (PLT32) or by address, several from one image; a table of jumps beside it."""
    code = compiled(SWITCH, reloc=reloc, model=model)
    assert kinds(code) == expected
    function = called(code, INTEGERS)
    for case, operation in enumerate(OPERATIONS.values()):
        assert function(case) == operation(10 * case + 1, case + 2)
    assert function(-1) == function(len(OPERATIONS)) == -1
    linked = linker.link(code, "f")
    assert linked.needs == ["graphc_test_one"]
    if reloc == "pic":  # all calls share one stub and one cell
        assert [name for _, name in linked.words] == ["graphc_test_one"]


@needs_x86
def test_addresses_of_functions_outside(one: Any) -> None:
    """Read from a cell of the image (REX_GOTPCRELX)."""
    code = compiled(ADDRESS)
    assert kinds(code) == {42}
    function = called(code, ctypes.CFUNCTYPE(ctypes.c_void_p))
    assert function() == ctypes.cast(one, ctypes.c_void_p).value


@needs_x86
@pytest.mark.usefixtures("one")
def test_tables_of_addresses() -> None:
    """Constants that hold addresses, inside and outside: words that are filled when loaded."""
    code = compiled(TABLE)
    assert 1 in kinds(code)
    function = called(code, INTEGERS)
    assert [function(i) for i in range(3)] == [49, 8, 49]


@pytest.mark.parametrize("text", [VARIABLE, ZEROED, PER_THREAD])
@pytest.mark.parametrize("triple", [HERE, ARM])
def test_variables_are_refused(text: str, triple: str) -> None:
    """An image is never written again: its variables would be, and those of threads are apart."""
    with pytest.raises(UnknownObject, match="got the section"):
        linker.link(compiled(text, triple), "f")


def test_other_formats_and_processors_are_refused() -> None:
    """What is not known is not guessed: it stays an object file, for LLVM to load."""
    for triple in ("x86_64-apple-darwin", "arm64-apple-darwin", "x86_64-pc-windows-msvc"):
        with pytest.raises(UnknownObject, match="64-bit little-endian ELF"):
            linker.link(compiled(CONSTANTS, triple, model="default"), "f")
    code = bytearray(compiled(CONSTANTS))
    struct.pack_into("<H", code, 0x12, 243)  # RISC-V
    with pytest.raises(UnknownObject, match="x86-64 or AArch64, got machine 243"):
        linker.link(bytes(code), "f")
    with pytest.raises(UnknownObject, match="ELF"):
        linker.link(b"", "f")
    with pytest.raises(UnknownObject, match="expected g to be defined"):
        linker.link(compiled(CONSTANTS), "g")


@needs_x86
def test_absolute_places_of_32_bits_are_refused() -> None:
    """Static code may count on lying in the first 2 GB, where an image does not."""
    code = compiled(SWITCH, reloc="static")
    assert 11 in kinds(code)
    with pytest.raises(UnknownObject, match="kind of relocation 11 is not known"):
        linker.link(code, "f")


@needs_x86
def test_what_cannot_be_linked_is_loaded_by_llvm(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of relocation that nobody has met yet costs time, not the program."""
    monkeypatch.delitem(ARCHITECTURES[elf.X86_64].kinds, 4)
    code = compiled(SWITCH)
    kept, needs = object_code.loadable(code, "f")
    assert (kept, needs) == (code, ["graphc_test_one"])
    assert not image.is_image(kept)
    assert INTEGERS(engine.load(kept, "f", needs))(1) == one(10) + 3


# ---- AArch64: instructions as the manual has them


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def instruction(linked: Image, place: int) -> int:
    return int(struct.unpack_from("<I", linked.code, place)[0])


def placed(linked: Image, code: bytes, kind: int) -> list[int]:
    """Where relocations of a kind are, in an image whose first section is the code."""
    found = elf.read(code)
    return [
        each.place
        for number, entries in found.relocations.items()
        for each in entries
        if each.kind == kind and found.sections[number].name == ".text"
    ]


def test_arm_constants_by_page() -> None:
    """ADRP gives the page, the load the place in it (ADR_PREL_PG_HI21, LDST64_ABS_LO12_NC)."""
    # No number that fits an instruction.
    code = compiled(CONSTANTS.replace("1.5", "0x3FFC123456789ABC"), ARM)
    assert kinds(code) == {275, 286}
    linked = linker.link(code, "f")
    assert linked.words == ()
    for base, load in zip(placed(linked, code, 275), placed(linked, code, 286), strict=True):
        adrp, ldr = instruction(linked, base), instruction(linked, load)
        assert adrp & 0x9F000000 == 0x90000000
        assert ldr & 0xFFC00000 == 0xFD400000  # ldr d, [x, 8 * imm12]
        pages = signed((adrp >> 5 & 0x7FFFF) << 2 | adrp >> 29 & 3, 21)
        place = (base & ~0xFFF) + (pages << 12) + 8 * (ldr >> 10 & 0xFFF)
        assert struct.unpack_from("<d", linked.code, place) == (
            float.fromhex("0x1.c123456789abcp+0"),
        )


def test_arm_calls_outside_go_through_a_stub() -> None:
    """BL or B to `ldr x16, cell; br x16`; the cell is to be filled (CALL26, JUMP26)."""
    code = compiled(SWITCH + TAIL, ARM)
    assert {282, 283} <= kinds(code)
    linked = linker.link(code, "f")
    ((cell, name),) = linked.words
    assert name == "graphc_test_one"
    branches = [*placed(linked, code, 283), *placed(linked, code, 282)]
    assert len(branches) == len(OPERATIONS) + 1
    for place in branches:
        branch = instruction(linked, place)
        assert branch & 0x7C000000 == 0x14000000
        stub = place + 4 * signed(branch & 0x3FFFFFF, 26)
        load = instruction(linked, stub)
        assert load & 0xFF00001F == 0x58000010
        assert stub + 4 * signed(load >> 5 & 0x7FFFF, 19) == cell
        assert instruction(linked, stub + 4) == 0xD61F0200


def test_arm_addresses_outside_are_read_from_a_cell() -> None:
    """ADR_GOT_PAGE and LD64_GOT_LO12_NC."""
    code = compiled(ADDRESS, ARM)
    assert kinds(code) == {311, 312}
    linked = linker.link(code, "f")
    ((cell, _),) = linked.words
    (base,), (load,) = placed(linked, code, 311), placed(linked, code, 312)
    adrp, ldr = instruction(linked, base), instruction(linked, load)
    pages = signed((adrp >> 5 & 0x7FFFF) << 2 | adrp >> 29 & 3, 21)
    assert ldr & 0xFFC00000 == 0xF9400000  # ldr x, [x, 8 * imm12]
    assert (base & ~0xFFF) + (pages << 12) + 8 * (ldr >> 10 & 0xFFF) == cell
