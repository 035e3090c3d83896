"""Writes nodes as mathematics: one phrase for each node, from the phrases of its inputs.

Written is what a lecturer writes, not each step of the machine: factors of 1 are left out, scalars
are drawn out of matrix products, broadcasting stays silent. In exact arithmetic nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.op import ATOM, PRODUCT, SUM, Op
from graphc.ops import contraction, layout, linear_systems, reduction, scalar, source
from graphc.ops.elementwise import cast_op
from graphc.view.arrays import ArrayComposition
from graphc.view.composition import Operands
from graphc.view.phrase import Axes, Phrase, atom, is_column, render


class Writer(ArrayComposition):
    """Writes any node: in its own way if it has one, else by its notation."""

    def compose(self, node: Node, operands: Operands) -> Phrase:
        """The phrase of a node, from those of its inputs."""
        known = _HANDLERS.get(node.op)
        if known is not None:
            return known(self, node, operands)
        if node.op.kind == "elementwise":
            return self.elementwise(node, operands)
        return self.whole(node, operands)

    # -- sources

    def _constant(self, node: Node, operands: Operands) -> Phrase:
        value = source.uniform_value(node)
        if value is None:
            array = source.constant_value(node)
            assert array is not None
            return Phrase((self.style.constant(array),), node.shape, tuple(range(node.ndim)))
        return self._number(node, value)

    def _number(self, node: Node, value: Any) -> Phrase:
        nowhere: Axes = (None,) * node.ndim
        if value == 1 and node.dtype is not bool_:
            return Phrase(axes=nowhere, number=True)
        negative = bool(np.signbit(value)) if node.dtype.is_float else bool(value < 0)
        part = self.style.number(-value if negative else value)
        return Phrase((part,), (), nowhere, negative, number=True)

    def _size(self, node: Node, operands: Operands) -> Phrase:
        return Phrase((self.style.size(node.attrs["dim"]),))

    # -- sums and products

    def _ramp(self, node: Node, operands: Operands) -> Phrase:
        index = self.style.ramp(node)
        if index is None:
            return self.whole(node, operands)
        return Phrase((index,), node.shape, tuple(range(node.ndim)))

    def _sum(self, node: Node, operands: Operands) -> Phrase:
        values = [source.uniform_value(part) for part in node.inputs]
        if None not in values and node.dtype.is_float:  # 3 - 1 is 2
            return self._number(node, node.op.reference({}, *values))
        (left, right), shape, axes = self.align(node, operands)
        if right.core == (("0", ATOM),) and right.number and left.core:
            return replace(left, shape=shape, axes=axes)
        if (
            self.style.collects
            and left == right
            and not (node.op is scalar.subtract or left.number)
        ):
            return replace(left, scalars=(("2", ATOM), *left.scalars))
        minus = (node.op is scalar.subtract) != right.negative
        first = self.style.at_least(SUM, render(left, self.style))
        positive = render(replace(right, negative=False), self.style)
        second = self.style.at_least(PRODUCT if minus else SUM, positive)
        return Phrase(((f"{first} {'-' if minus else '+'} {second}", SUM),), shape, axes)

    def _negative(self, node: Node, operands: Operands) -> Phrase:
        return replace(operands[0], negative=not operands[0].negative)

    def _multiply(self, node: Node, operands: Operands) -> Phrase:
        (left, right), shape, axes = self.align(node, operands)
        power = self.style.squared(render(left, self.style)) if left == right else None
        if power is not None and left.is_scalar and not left.number:
            return Phrase((power,), shape, axes)
        if left.mask and right.mask:  # a product of truth values alone would be one itself
            left = replace(left, mask=())
        loose = [left, right]
        if not (left.is_scalar and right.is_scalar):
            scalars = [phrase for phrase in loose if phrase.is_scalar]
        else:
            scalars = [phrase for phrase in loose if phrase.number]
        numbers = tuple(part for phrase in scalars if phrase.number for part in phrase.core)
        symbols = tuple(part for phrase in scalars if not phrase.number for part in phrase.core)
        factors = (*numbers, *left.scalars, *right.scalars, *symbols)
        cores = [phrase for phrase in loose if phrase not in scalars and phrase.core]
        core = self._joined(cores)
        return Phrase(
            core.core,
            shape,
            axes,
            left.negative != right.negative,
            factors,
            left.divisors + right.divisors,
            left.over + right.over,
            number=not core.core and all(phrase.number for phrase in loose),
            sort=core.sort,
            mask=core.mask,
            turned=core.turned if len(cores) == 1 else (),
        )

    def _joined(self, factors: Sequence[Phrase]) -> Phrase:
        """The cores of up to two factors multiplied element by element."""
        if len(factors) < 2:
            return factors[0] if factors else Phrase()
        # A condition comes last: where it holds, the rest counts.
        factors = sorted(factors, key=lambda phrase: bool(phrase.mask))
        parts = [(phrase.mask or phrase.core)[0] for phrase in factors]
        for i, phrase in enumerate(factors):
            if phrase.sort == "matrix":
                parts[i] = (self.style.group(parts[i][0]), ATOM)
        scalars = all(phrase.is_scalar for phrase in factors)
        column = next((i for i, phrase in enumerate(factors) if is_column(phrase)), None)
        if self.style.columns and column is not None and len(factors[1 - column].shape) == 1:
            outer = self.style.product(self.style.matrix_sign, [parts[column], parts[1 - column]])
            return Phrase((outer,), sort="matrix")
        sign = self.style.scalar_sign if scalars else self.style.elementwise_sign
        return Phrase((self.style.product(sign, parts),), sort="elementwise")

    def _divide(self, node: Node, operands: Operands) -> Phrase:
        (top, bottom), shape, axes = self.align(node, operands)
        if bottom.is_one and not bottom.divisors:
            return replace(top, shape=shape, axes=axes, negative=top.negative != bottom.negative)
        below = render(replace(bottom, negative=False), self.style)
        apart = top.is_scalar and not bottom.is_scalar
        return Phrase(
            () if apart else top.core,
            shape,
            axes,
            top.negative != bottom.negative,
            (*top.scalars, *top.core) if apart else top.scalars,
            (*top.divisors, below) if bottom.is_scalar else top.divisors,
            top.over if bottom.is_scalar else (*top.over, below),
            sort=top.sort,
            mask=top.mask,
        )

    def _product_over(self, node: Node, operands: Operands) -> Phrase:
        inner = render(self.operand(node, 0, operands), self.style)
        text, level = self.style.summed(node, inner) or self.fill(node, [inner])
        return atom(text, node.shape, level)

    def _cast(self, node: Node, operands: Operands) -> Phrase:
        (inner,) = operands
        part = render(inner, self.style)
        if node.inputs[0].dtype is bool_ and not inner.number:
            factor = self.style.mask(part)
            alone = factor if factor != part else self.fill(node, [part])
            return Phrase((alone,), inner.shape, inner.axes, mask=(factor,))
        return Phrase((self.fill(node, [part]),), inner.shape, inner.axes)


_HANDLERS: dict[Op, Callable[[Writer, Node, Operands], Phrase]] = {
    source.constant_op: Writer._constant,
    source.size_op: Writer._size,
    source.ramp_op: Writer._ramp,
    scalar.add: Writer._sum,
    scalar.subtract: Writer._sum,
    scalar.negative: Writer._negative,
    scalar.multiply: Writer._multiply,
    scalar.divide: Writer._divide,
    cast_op: Writer._cast,
    contraction.matmul_op: Writer.matmul,
    layout.transpose_op: Writer.transpose,
    layout.reshape_op: Writer.reshape,
    layout.broadcast_op: Writer.broadcast,
    layout.slice_op: Writer.slice,
    reduction.sum_op: Writer.reduction_sum,
    reduction.prod_op: Writer._product_over,
    linear_systems.solve_op: Writer.solve,
    linear_systems.triangular_solve_op: Writer.solve,
}
