"""Where values lie and in which scope they are bound: from places in arrays to expressions.

An index that is computed is checked where it is used, and replaced by 0 where it is out of range.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.ir.site import Site
from graphc.loops.ir import (
    Apply,
    Argument,
    Check,
    Constant,
    Expression,
    Let,
    Load,
    Statement,
    Variable,
)
from graphc.loops.tidy import parts
from graphc.ops.indices import counts_from_end
from graphc.schedule.arguments import Arguments, is_near, near_stride
from graphc.schedule.buffer import View
from graphc.schedule.index import (
    Added,
    Affine,
    Computed,
    Index,
    Indices,
    Padded,
    Scaled,
    row_major_strides,
)
from graphc.schedule.note import IndexNote, NodeNote

# The levels of the nest: before all loops, in a row, in an inner loop of a row.
TOP, ROW, ELEMENT = range(3)


@dataclass(eq=False, repr=False)
class Scope:
    """Statements at one level of the nest, and the values they bind."""

    statements: list[Statement] = field(default_factory=list)
    known: dict[Any, Expression] = field(default_factory=dict)
    level: int = ELEMENT


class Addressing(ABC):
    """The scopes of one kernel and the expressions of indices in it."""

    def __init__(self, merged: dict[str, tuple[str, Dim] | None]) -> None:
        self.arguments = Arguments()
        self.top = Scope(level=TOP)
        self.row = Scope(level=ROW)
        self.element: Scope | None = None
        self.row_names: set[str] = set()
        self.short: frozenset[str] = frozenset()  # loops that the compiler unrolls
        self.notes: list[tuple[Site, ...]] = []
        self._note_of: dict[Node, int] = {}
        self._merged = merged
        self._count = 0
        # Where each name is bound; loop variables are not here, since indices tell of them.
        self._levels: dict[str, int] = {}

    def origin(self, node: Node) -> int:
        """The number under which the node's lines are noted."""
        if node not in self._note_of:
            self._note_of[node] = len(self.notes)
            self.notes.append(node.sites)
        return self._note_of[node]

    def fresh(self, stem: str) -> str:
        """A name not yet used in this kernel."""
        self._count += 1
        return f"{stem}_{self._count}"

    def scope_of(self, indices: Indices) -> Scope:
        """The outermost scope in which a value at `indices` can be computed."""
        if not any(index.variables for index in indices):
            return self.top
        if self.element is None:
            return self.row
        outside = all(index.variables <= self.row_names for index in indices)
        return self.row if outside else self.element

    @abstractmethod
    def value(self, node: Node, indices: Indices) -> Expression:
        """The value of `node` at `indices`, computed or loaded in the right scope."""

    def _known(self, key: Any) -> Expression | None:
        for scope in (self.element, self.row, self.top):
            if scope is not None and key in scope.known:
                return scope.known[key]
        return None

    def _inside(self, scope: Scope, value: Expression) -> Scope:
        """`scope`, or the one further in where all that the value is made of is bound."""
        level = self._level(value)
        if level <= scope.level:
            return scope
        if level == ROW:
            return self.row
        assert self.element is not None
        return self.element

    def _level(self, value: Expression) -> int:
        if isinstance(value, Variable):
            return self._levels.get(value.name, TOP)
        # What this kernel has stored is there from the row on.
        own = isinstance(value, Load) and value.buffer in self.arguments.written
        return max((ROW if own else TOP, *map(self._level, parts(value))))

    def named(self, stem: str, value: Expression, scope: Scope, node: Node) -> Expression:
        """A variable for an expression, bound in `scope`."""
        if isinstance(value, Variable | Constant | Argument):
            return value
        name = self.fresh(stem)
        scope.statements.append(Let(name, value, self.origin(node)))
        self._levels[name] = scope.level
        return Variable(name, value.dtype)

    def flat(self, view: View, indices: Indices) -> Expression:
        """The flat index of an element of a view."""
        return self._linear(indices, view.strides, view.offset)

    def _linear(self, indices: Indices, strides: tuple[Dim, ...], offset: Dim) -> Expression:
        total: dict[str, Dim] = {}
        others: list[Expression] = []
        for index, stride in zip(indices, strides, strict=True):
            if isinstance(index, Affine):
                for name, coefficient in index.terms:
                    total[name] = total.get(name, 0) + coefficient * stride
                offset = offset + index.offset * stride
            elif stride != 0:
                others.append(self._times(self.index(index), stride))
        merged = self._merge_axes(total)
        near = near_stride([c for value, c in merged if not self._is_unrolled(value)])
        terms = [
            self._times(value, c, c == near or (self._is_unrolled(value) and is_near(c)))
            for value, c in merged
        ]
        if offset != 0:
            others.append(self.arguments.dim(offset, literal=near != 0 and is_near(offset)))
        return self._sum([*terms, *others])

    def _is_unrolled(self, value: Expression) -> bool:
        return isinstance(value, Variable) and value.name in self.short

    def _merge_axes(self, total: dict[str, Dim]) -> list[tuple[Expression, Dim]]:
        """Terms over the loop variables that are left after adjacent axes were merged into one
        loop."""
        result: list[tuple[Expression, Dim]] = []
        for name, coefficient in total.items():
            merged = self._merged.get(name, (name, 1))
            # Only the last axis of a merged run carries the run's own stride; the others follow
            # from it.
            if merged is not None and coefficient != 0:
                result.append((Variable(merged[0], "int64"), coefficient))
        return result

    def _times(self, value: Expression, factor: Dim, literal: bool = False) -> Expression:
        if factor == 1:
            return value
        return Apply("multiply", (value, self.arguments.dim(factor, literal)), "int64")

    def _sum(self, parts: list[Expression]) -> Expression:
        if not parts:
            return Constant(0, "int64")
        result = parts[0]
        for part in parts[1:]:
            result = Apply("add", (result, part), "int64")
        return result

    def index(self, index: Index) -> Expression:
        """An index along one axis as an expression."""
        if isinstance(index, Affine):
            return self._linear((index,), (1,), 0)
        if isinstance(index, Computed):
            return self._checked(index)
        if isinstance(index, Padded):
            inside, place = self._padded(index)
            safe = Apply("where", (inside, place, Constant(0, "int64")), "int64")
            return self._once("place", ("place", index), index, safe)
        if isinstance(index, Added):
            return self._sum([self.index(index.first), self.index(index.second)])
        inner = self._times(self.index(index.index), index.step)
        return self._sum([inner, self.arguments.dim(index.start)])

    def _int64(self, value: Expression) -> Expression:
        return value if value.dtype == "int64" else Apply("cast", (value,), "int64")

    def _checked(self, index: Computed) -> Expression:
        """A computed index, reported and replaced by 0 where it lies outside its axis."""
        known = self._known(index)
        if known is not None:
            return known
        chosen = self._int64(self.value(index.node, index.at))
        scope = self._inside(self.scope_of(index.at), chosen)
        value = given = self.named("index", chosen, scope, index.node)
        if not index.checked:
            scope.known[index] = value
            return value
        length = self.arguments.dim(index.length)
        if index.check is not None and counts_from_end(index.check):
            value = self.named("index", _from_start(value, length), scope, index.node)
        inside = self.named("inside", Apply(
            "logical_and",
            (Apply("greater_equal", (value, Constant(0, "int64")), "bool"),
             Apply("less", (value, length), "bool")), "bool"), scope, index.node)  # fmt: skip
        # Where padding is computed, the index is that of no element, and need not be in range.
        fine = inside
        for hit in (hit for place in index.at for hit in self._hits(place)):
            fine = Apply("logical_or", (fine, Apply("logical_not", (hit,), "bool")), "bool")
        note = IndexNote(index.node if index.check is None else index.check, index.length)
        self._assert(scope, fine, note, index.at, given)
        safe = Apply("where", (inside, value, Constant(0, "int64")), "int64")
        scope.known[index] = self.named("place", safe, scope, index.node)
        return scope.known[index]

    def _assert(
        self, scope: Scope, fine: Expression, note: NodeNote, at: Indices, value: Expression
    ) -> None:
        """The run fails as the note says unless `fine` holds; the place in its node is reported."""
        code = self.arguments.scalar("int64", note)
        place = self._linear(at, row_major_strides(note.node.shape), 0)
        scope.statements.append(Check(fine, code, place, value, self.origin(note.node)))

    def _hits(self, index: Index) -> list[Expression]:
        """For each padded axis that an index goes through, whether it hits an element."""
        if isinstance(index, Padded):
            return [self._padded(index)[0], *self._hits(index.index)]
        if isinstance(index, Added):
            return [*self._hits(index.first), *self._hits(index.second)]
        return self._hits(index.index) if isinstance(index, Scaled) else []

    def _padded(self, index: Padded) -> tuple[Expression, Expression]:
        """Whether a padded index hits an element, and which if so."""
        step = index.between + 1
        moved = self.index(index.index)
        if index.low != 0:
            moved = self._sum([moved, self.arguments.dim(-1 * index.low)])
        limit = self.arguments.dim((index.length - 1) * step + 1)
        inside: Expression = Apply(
            "logical_and",
            (Apply("greater_equal", (moved, Constant(0, "int64")), "bool"),
             Apply("less", (moved, limit), "bool")), "bool")  # fmt: skip
        inside = self._once("inside", ("inside", index), index, inside)
        if step == 1:
            return inside, moved
        by = self.arguments.dim(step)
        quotient = Apply("floor_divide", (moved, by), "int64")
        hit = Apply("equal", (Apply("multiply", (quotient, by), "int64"), moved), "bool")
        return Apply("logical_and", (inside, hit), "bool"), quotient

    def _once(self, stem: str, key: Any, index: Index, value: Expression) -> Expression:
        """A variable for an expression of an index, bound the first time it is asked for."""
        known = self._known(key)
        if known is not None:
            return known
        scope = self._inside(self.scope_of((index,)), value)
        name = self.fresh(stem)
        scope.statements.append(Let(name, value))
        self._levels[name] = scope.level
        scope.known[key] = Variable(name, value.dtype)
        return scope.known[key]


def _from_start(index: Expression, length: Expression) -> Expression:
    """An index that counts from the end where it is negative, from the start."""
    negative = Apply("less", (index, Constant(0, "int64")), "bool")
    return Apply("where", (negative, Apply("add", (index, length), "int64"), index), "int64")
