"""LLVM instructions on a kernel's memory: its table of arguments, its buffers, its context.

Loads and stores of a buffer carry LLVM's `alias.scope` and `noalias` metadata: two slots never
overlap, so loops vectorise without run-time checks however many buffers there are.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

Builder = Any

INT64 = ir.IntType(64)
STATUS, DETAIL = 0, 1  # the words of a context that a failure writes
_CONTEXT_SLOT = -1
# Of all arrays of a kernel's own: LLVM knows of places on the stack that they do not overlap.
OWN_SLOT = -2
_CACHE_LINE = 64  # bytes


class _AliasScopes:
    """The scopes of one LLVM module: one for each slot, one for the context, and who excludes whom.

    A list must name every scope that its slot does not overlap, and later slots are not known
    when the first load is emitted. The metadata is printed only when the module is complete, so
    the lists are extended in place as slots turn up."""

    def __init__(self, module: ir.Module) -> None:
        self._module = module
        self._domain = self._self_referring("graphc")
        self._scopes: dict[int, ir.MDValue] = {}
        self._own: dict[int, ir.MDValue] = {}
        self._others: dict[int, ir.MDValue] = {}

    def _self_referring(self, label: str, *more: Any) -> ir.MDValue:
        value = ir.MDValue(self._module, (), name=str(len(self._module.metadata)))
        value.operands = (value, *more, ir.MetaDataString(self._module, label))
        return value

    def _list(self, *members: Any) -> ir.MDValue:
        return ir.MDValue(self._module, members, name=str(len(self._module.metadata)))

    def _add(self, slot: int) -> None:
        scope = self._self_referring(f"slot {slot}", self._domain)
        for others in self._others.values():
            others.operands = (*others.operands, scope)
        self._others[slot] = self._list(*self._scopes.values())
        self._own[slot] = self._list(scope)
        self._scopes[slot] = scope

    def mark(self, instruction: Any, slot: int) -> None:
        """Say that `instruction` touches the memory of `slot` and of no other slot."""
        if slot not in self._scopes:
            self._add(slot)
        instruction.set_metadata("alias.scope", self._own[slot])
        instruction.set_metadata("noalias", self._others[slot])


def mark(builder: Builder, instruction: Any, slot: int) -> None:
    """Say that `instruction` touches the memory of the buffer in `slot` and of no other slot."""
    module = builder.module
    scopes = getattr(module, "graphc_alias_scopes", None)
    if scopes is None:
        scopes = module.graphc_alias_scopes = _AliasScopes(module)
    scopes.mark(instruction, slot)


def invariant_load(builder: Builder, pointer: Any) -> Any:
    """What lies there, which nothing changes while a kernel runs."""
    value = builder.load(pointer)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def argument(builder: Builder, argv: Any, slot: int) -> Any:
    """The int64 in argument cell `slot`."""
    return invariant_load(builder, builder.gep(argv, [INT64(slot)], inbounds=True))


def element(builder: Builder, pointer: Any, index: Any) -> Any:
    """The place of element `index` (int64) of a buffer."""
    return builder.gep(pointer, [index], inbounds=True)


def on_stack(builder: Builder, value: Any) -> Any:
    """The address of a cell that holds `value`, in the function's frame."""
    with builder.goto_entry_block():
        cell = builder.alloca(value.type)
    builder.store(value, cell)
    return cell


def array_on_stack(builder: Builder, kind: Any, count: int) -> Any:
    """The address of `count` elements in the function's frame, not initialised."""
    with builder.goto_entry_block():
        place = builder.alloca(ir.ArrayType(kind, count))
    place.align = _CACHE_LINE
    return builder.bitcast(place, kind.as_pointer())


def fail(builder: Builder, words: Any, code: Any, detail: Any) -> None:
    """Record a failure in the context; the first one of a kernel stays."""
    status = builder.gep(words, [INT64(STATUS)], inbounds=True)
    before = builder.load(status)
    mark(builder, before, _CONTEXT_SLOT)
    with builder.if_then(builder.icmp_signed("==", before, INT64(0)), likely=False):
        for word, value in ((STATUS, code), (DETAIL, detail)):
            place = builder.gep(words, [INT64(word)], inbounds=True)
            mark(builder, builder.store(value, place), _CONTEXT_SLOT)


def fail_index(builder: Builder, words: Any, code: Any, position: Any, index: Any) -> None:
    """Record that `index` at `position` is out of range; the detail packs both (all are int64)."""
    least, most = INT64(-(2**31)), INT64(2**31 - 1)
    index = builder.select(builder.icmp_signed("<", index, least), least, index)
    index = builder.select(builder.icmp_signed(">", index, most), most, index)
    low = builder.sub(index, least)
    fail(builder, words, code, builder.add(builder.shl(position, INT64(32)), low))
