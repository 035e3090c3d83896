"""Scalar values inside a kernel: from a node and a place to an expression of the loop IR.

A value is computed once a scope: a row's values before the inner loops of the row, an element's
inside. What has been stored by an earlier loop of the same row is loaded again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import CompileError
from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.ir.site import raise_located
from graphc.loops.ir import (
    Apply,
    Constant,
    Expression,
    Load,
    RandomBits,
    Variable,
)
from graphc.ops import effect
from graphc.ops.elementwise import cast_op
from graphc.ops.indices import checked_op
from graphc.ops.layout import pad_op
from graphc.ops.scalar import copy as copy_op
from graphc.ops.source import constant_op, flag_op, ramp_op, size_op, uniform_value
from graphc.schedule.addressing import ROW, Addressing
from graphc.schedule.buffer import View
from graphc.schedule.index import (
    Computed,
    Indices,
    Padded,
    input_indices,
    row_major_strides,
)
from graphc.schedule.note import ConditionNote

# Constants that are part of the text of a kernel; every other one is an argument, so that kernels
# are shared.
_LITERALS = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


class Values(Addressing):
    """Emits the values of one kernel. `memory(node)` gives the view to load from, None to compute
    in place."""

    def __init__(
        self, memory: Callable[[Node], View | None], merged: dict[str, tuple[str, Dim] | None]
    ) -> None:
        super().__init__(merged)
        self._memory = memory

    def bind(self, node: Node, indices: Indices, value: Variable) -> None:
        """Make a value known in the row scope, such as the result of a reduction."""
        self.row.known[(node, indices)] = value
        self._levels[value.name] = ROW

    def value(self, node: Node, indices: Indices) -> Expression:
        """The value of `node` at `indices`, computed or loaded in the right scope."""
        known = self._known((node, indices))
        if known is not None:
            return known
        view = self._memory(node)
        computed = self.load(view, indices) if view is not None else self._compute(node, indices)
        return self._bound(node, indices, computed, node.op.name if view is None else "value")

    def compute(self, node: Node, indices: Indices) -> Expression:
        """The value of an anchor itself, which is then known as such."""
        known = self._known((node, indices))
        if known is not None:
            return known
        return self._bound(node, indices, self._compute(node, indices), node.op.name)

    def _bound(self, node: Node, indices: Indices, value: Expression, stem: str) -> Expression:
        scope = self._inside(self.scope_of(indices), value)
        scope.known[(node, indices)] = bound = self.named(stem, value, scope, node)
        return bound

    def load(self, view: View, indices: Indices) -> Expression:
        """The element of a view at `indices`."""
        slot = self.arguments.buffer(view.buffer, view.region)
        return Load(slot, self.flat(view, indices), view.buffer.dtype.name)

    def _compute(self, node: Node, indices: Indices) -> Expression:
        op, dtype = node.op, node.dtype.name if node.op.kind != "routine" else ""
        if op.kind == "source":
            return self._source(node, indices)
        if op.kind == "random":
            return self._random_bits(node, indices)
        if op.kind in effect.KINDS:
            return self._effect(node, indices)
        places = input_indices(node, indices)
        if op is pad_op:
            return self._pad(node, indices, places[0])
        if op.kind == "layout":
            return self.value(node.inputs[0], places[0])
        if op is checked_op:
            return self.index(Computed(node.inputs[0], indices, node.attrs["length"], node))
        if op.kind == "indexing":
            return self.value(node.inputs[0], places[0])
        if op.kind != "elementwise":
            raise_located(CompileError(f"{op.name} cannot be computed inside a kernel"), node.sites)
        operands = tuple(self.value(n, at) for n, at in zip(node.inputs, places, strict=True))
        if op is cast_op:
            return Apply("cast", operands, dtype)
        if op is copy_op:
            return operands[0]
        if node.dtype.compute == dtype:
            return Apply(op.name, operands, dtype)
        # Small integers are stored small and computed wide.
        wide = tuple(
            v if v.dtype == "bool" else Apply("cast", (v,), node.dtype.compute) for v in operands
        )
        return Apply("cast", (Apply(op.name, wide, node.dtype.compute),), dtype)

    def _random_bits(self, node: Node, indices: Indices) -> Expression:
        if node.inputs:
            index = self.value(node.inputs[0], indices)
        else:
            index = self._linear(indices, row_major_strides(node.shape), 0)
        seed, use = (self.arguments.scalar("int64", node.attrs[name]) for name in ("seed", "use"))
        return RandomBits(seed, use, index, node.attrs["word"])

    def _effect(self, node: Node, indices: Indices) -> Expression:
        value = self.value(node.inputs[0], indices)
        if node.op is effect.check_op:
            scope = self._inside(self.scope_of(indices), value)
            self._assert(scope, value, ConditionNote(node), indices, Constant(0, "int64"))
        return value

    def _pad(self, node: Node, indices: Indices, places: Indices) -> Expression:
        inside: Expression = Constant(True, "bool")
        for index in places:
            if isinstance(index, Padded):
                hit, _ = self._padded(index)
                literal = isinstance(inside, Constant)
                inside = hit if literal else Apply("logical_and", (inside, hit), "bool")
        value = self.value(node.inputs[0], places)
        if value == Constant(True, "bool"):
            return inside
        zero = Constant(False if value.dtype == "bool" else 0, value.dtype)
        return Apply("where", (inside, value, zero), value.dtype)

    def _source(self, node: Node, indices: Indices) -> Expression:
        dtype = node.dtype.name
        if node.op is size_op:
            if node.dtype.is_float:
                return self.arguments.scalar(dtype, node.attrs["dim"])
            return self._as(self.arguments.scalar("int64", node.attrs["dim"]), dtype)
        if node.op is ramp_op:
            return self._as(self.index(indices[node.attrs["axis"]]), dtype)
        if node.op is flag_op:
            return Constant(True, "bool")
        assert node.op is constant_op
        return self._constant(uniform_value(node), dtype)

    def _constant(self, value: Any, dtype: str) -> Expression:
        if dtype == "bool":
            return Constant(bool(value), dtype)
        if dtype in ("float32", "float64"):
            if float(value) in _LITERALS and str(float(value)) != "-0.0":
                return Constant(float(value), dtype)
            return self.arguments.scalar(dtype, float(value))
        if int(value) in _LITERALS:
            return Constant(int(value), dtype)
        return self._as(self.arguments.scalar("int64", int(value)), dtype)

    def _as(self, value: Expression, dtype: str) -> Expression:
        return value if value.dtype == dtype else Apply("cast", (value,), dtype)
