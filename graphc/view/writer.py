"""Writes nodes as mathematics: one phrase for each node, from the phrases of its inputs.

Written is what a lecturer writes, not each step of the machine: factors of 1 are left out, scalars
are drawn out of matrix products, broadcasting stays silent. In exact arithmetic nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from graphc.ir.dim import Dim
from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.op import ATOM, PRODUCT, SUM, Op
from graphc.ir.shape import Shape, TupleType, broadcast_shapes
from graphc.ops import contraction, layout, reduction, routine, scalar, source
from graphc.ops.elementwise import cast_op
from graphc.view.phrase import Axes, Phrase, aligned, atom, closed, exact, render
from graphc.view.style import Part, TextStyle, fill

Operands = Sequence[Phrase]


def node_shape(node: Node) -> Shape:
    """The shape of a node; () for a tuple, which is written whole."""
    return () if isinstance(node.type, TupleType) else node.shape


class Writer:
    """Composes phrases in one style."""

    def __init__(self, style: TextStyle) -> None:
        self.style = style

    def named(self, node: Node, name: str) -> Phrase:
        """A node that stands under a name of its own."""
        return atom(self.style.symbol(name), node_shape(node))

    def compose(self, node: Node, operands: Operands) -> Phrase:
        """The phrase of a node, from those of its inputs."""
        known = _HANDLERS.get(node.op)
        if known is not None:
            return known(self, node, operands)
        if node.op.kind == "elementwise":
            return self._elementwise(node, operands)
        return self._whole(node, operands)

    def finish(self, node: Node, phrase: Phrase) -> str:
        """The text of a phrase that stands alone: of the shape of its node."""
        return render(exact(phrase, node_shape(node), self.style), self.style)[0]

    # -- operations in general

    def _fill(self, node: Node, parts: Sequence[Part]) -> Part:
        notation = node.op.notation
        if notation is None:
            return self.style.call(node.op.name, [text for text, _ in parts]), ATOM
        template, level, levels = self.style.template(notation, node)
        wanted = (*levels, *[0] * (len(parts) - len(levels)))
        texts = [
            self.style.at_least(least, part) for least, part in zip(wanted, parts, strict=False)
        ]
        return fill(template, texts), level

    def _exact(self, node: Node, index: int, operands: Operands) -> Phrase:
        return exact(operands[index], node_shape(node.inputs[index]), self.style)

    def _whole(self, node: Node, operands: Operands) -> Phrase:
        parts = [
            render(self._exact(node, index, operands), self.style) for index in range(len(operands))
        ]
        text, level = self._fill(node, parts)
        return atom(text, node_shape(node), level)

    def _elementwise(self, node: Node, operands: Operands) -> Phrase:
        together, shape, axes = self._align(node, operands)
        part = self._fill(node, [render(phrase, self.style) for phrase in together])
        return Phrase((part,), shape, axes)

    def _align(self, node: Node, operands: Operands) -> tuple[list[Phrase], Shape, Axes]:
        """Operands that broadcast as they are written, the shape that gives, and its axes."""
        rank = len(node.shape)
        arrays = [phrase for phrase in operands if not phrase.is_scalar]
        places = {(phrase.axes, len(phrase.shape)) for phrase in arrays}
        if len(places) == 1 and len(arrays[0].axes) == rank:
            together, axes = list(operands), arrays[0].axes
            return together, broadcast_shapes([p.shape for p in arrays], node.op.name), axes
        together = [p if p.is_scalar else aligned(p, self.style) for p in operands]
        shape = broadcast_shapes([phrase.shape for phrase in together], node.op.name)
        return together, shape, (*[None] * (rank - len(shape)), *range(len(shape)))

    # -- sources

    def _constant(self, node: Node, operands: Operands) -> Phrase:
        value = source.uniform_value(node)
        if value is None:
            array = source.constant_value(node)
            assert array is not None
            return Phrase((self.style.constant(array),), node.shape, tuple(range(node.ndim)))
        nowhere: Axes = (None,) * node.ndim
        if value == 1 and node.dtype is not bool_:
            return Phrase(axes=nowhere, number=True)
        negative = bool(np.signbit(value)) if node.dtype.is_float else bool(value < 0)
        part = self.style.number(-value if negative else value)
        return Phrase((part,), (), nowhere, negative, number=True)

    def _size(self, node: Node, operands: Operands) -> Phrase:
        return Phrase((self.style.size(node.attrs["dim"]),))

    # -- sums and products

    def _sum(self, node: Node, operands: Operands) -> Phrase:
        (left, right), shape, axes = self._align(node, operands)
        minus = (node.op is scalar.subtract) != right.negative
        first = self.style.at_least(SUM, render(left, self.style))
        positive = render(replace(right, negative=False), self.style)
        second = self.style.at_least(PRODUCT if minus else SUM, positive)
        return Phrase(((f"{first} {'-' if minus else '+'} {second}", SUM),), shape, axes)

    def _negative(self, node: Node, operands: Operands) -> Phrase:
        return replace(operands[0], negative=not operands[0].negative)

    def _multiply(self, node: Node, operands: Operands) -> Phrase:
        (left, right), shape, axes = self._align(node, operands)
        loose = [left, right]
        if not (left.is_scalar and right.is_scalar):
            scalars = [phrase for phrase in loose if phrase.is_scalar]
        else:
            scalars = [phrase for phrase in loose if phrase.number]
        numbers = tuple(part for phrase in scalars if phrase.number for part in phrase.core)
        symbols = tuple(_factor(phrase) for phrase in scalars if phrase.core and not phrase.number)
        factors = (*numbers, *left.scalars, *right.scalars, *symbols)
        cores = [phrase for phrase in loose if phrase not in scalars and phrase.core]
        core = self._joined(cores, alone=not factors)
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
        )

    def _joined(self, factors: Sequence[Phrase], alone: bool) -> Phrase:
        """The cores of up to two factors multiplied element by element."""
        if not factors:
            return Phrase()
        if len(factors) == 1:
            (only,) = factors
            return only if alone or not only.mask else Phrase(only.mask)
        parts = [_factor(phrase) for phrase in factors]
        for i, phrase in enumerate(factors):
            if phrase.sort == "matrix":
                parts[i] = (self.style.group(parts[i][0]), ATOM)
        scalars = all(phrase.is_scalar for phrase in factors)
        sign = self.style.scalar_sign if scalars else self.style.elementwise_sign
        return Phrase((self.style.product(sign, parts),), sort="elementwise")

    def _divide(self, node: Node, operands: Operands) -> Phrase:
        (top, bottom), shape, axes = self._align(node, operands)
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

    def _cast(self, node: Node, operands: Operands) -> Phrase:
        (inner,) = operands
        part = render(inner, self.style)
        if node.inputs[0].dtype is bool_ and not inner.number:
            factor = self.style.mask(part)
            alone = factor if factor != part else self._fill(node, [part])
            return Phrase((alone,), inner.shape, inner.axes, mask=(factor,))
        return Phrase((self._fill(node, [part]),), inner.shape, inner.axes)

    # -- matrices

    def _matmul(self, node: Node, operands: Operands) -> Phrase:
        left, right = (
            closed(p, self.style) if self._is_vector(node, p) else self._exact(node, i, operands)
            for i, p in enumerate(operands)
        )
        left, right = closed(left, self.style), closed(right, self.style)
        core, shape, axes, sort = self._matrix_core(node, left, right)
        return Phrase(
            (core,),
            shape,
            axes,
            left.negative != right.negative,
            left.scalars + right.scalars,
            left.divisors + right.divisors,
            sort=sort,
        )

    @staticmethod
    def _is_vector(node: Node, phrase: Phrase) -> bool:
        return node.ndim == 2 and phrase.axes in ((None, 0), (0, None)) and len(phrase.shape) == 1

    def _matrix_core(
        self, node: Node, left: Phrase, right: Phrase
    ) -> tuple[Part, Shape, Axes, str]:
        """The product, and what is written of its axes: a vector has one only."""
        row, column = left.axes == (None, 0), right.axes == (0, None)
        if left.axes == (0, None) and right.axes == (None, 0):
            return self.style.outer(left.core[0], right.core[0]), node.shape, (0, 1), "matrix"
        if not row:
            left = exact(left, node.inputs[0].shape, self.style)
        if not column:
            right = exact(right, node.inputs[1].shape, self.style)
        mixed = left.sort == "elementwise"
        first = (self.style.group(left.core[0][0]), ATOM) if mixed else left.core[0]
        first = self.style.row(first) if row else first
        second = (self.style.at_least(PRODUCT + 1, right.core[0]), ATOM)
        core = self.style.product(self.style.matrix_sign, [first, second])
        if row or column:
            kept = (*(() if row else node.shape[:1]), *(() if column else node.shape[1:]))
            return core, kept, (None if row else 0, None if column else len(kept) - 1), "matrix"
        return core, node.shape, tuple(range(node.ndim)), "matrix"

    # -- layout

    def _transpose(self, node: Node, operands: Operands) -> Phrase:
        order = node.attrs["axes"]
        phrase = operands[0]
        if len(phrase.shape) < 2:
            return replace(phrase, axes=tuple(phrase.axes[axis] for axis in order))
        whole = closed(self._exact(node, 0, operands), self.style)
        if order == (1, 0):
            core = self.style.transpose(whole.core[0])
        else:
            core = self._fill(node, [whole.core[0]])
        return replace(whole, core=(core,), shape=node.shape, sort="", mask=())

    def _reshape(self, node: Node, operands: Operands) -> Phrase:
        phrase, shape = operands[0], node.inputs[0].shape
        if phrase.is_scalar:
            return replace(phrase, axes=(None,) * node.ndim)
        moved = _same_but_for_ones(shape, node.shape)
        if moved is not None:
            axes = tuple(None if axis is None else phrase.axes[axis] for axis in moved)
            return replace(phrase, axes=axes)
        return self._rearranged(node, operands)

    def _broadcast(self, node: Node, operands: Operands) -> Phrase:
        phrase = operands[0]
        return replace(phrase, axes=(*[None] * (node.ndim - len(phrase.axes)), *phrase.axes))

    def _slice(self, node: Node, operands: Operands) -> Phrase:
        if operands[0].is_scalar:
            return replace(operands[0], axes=(None,) * node.ndim)
        texts: list[str] = []
        axes: list[int | None] = []
        shape: list[Dim] = []
        for text, (start, stop, step), dim in zip(
            layout.index_texts(node), node.attrs["bounds"], node.shape, strict=True
        ):
            one = step == 1 and stop == start + 1
            texts.append(str(start) if one else text)
            axes.append(None if one else len(shape))
            shape.extend([] if one else [dim])
        while texts[-1] == ":" and len(texts) > 1:
            texts.pop()
        whole = closed(self._exact(node, 0, operands), self.style)
        core = self.style.index(self.style.at_least(ATOM, whole.core[0]), texts)
        return replace(whole, core=(core,), shape=tuple(shape), axes=tuple(axes), sort="", mask=())

    def _rearranged(self, node: Node, operands: Operands) -> Phrase:
        """A linear operation of one array: scalars come out."""
        whole = closed(self._exact(node, 0, operands), self.style)
        core = self._fill(node, [whole.core[0]])
        axes = tuple(range(node.ndim))
        return replace(whole, core=(core,), shape=node.shape, axes=axes, sort="", mask=())

    def _reduction_sum(self, node: Node, operands: Operands) -> Phrase:
        whole = self._exact(node, 0, operands)
        inner = render(replace(whole, divisors=()), self.style)
        text, level = self._fill(node, [inner])
        return replace(atom(text, node.shape, level), divisors=whole.divisors)

    def _solve(self, node: Node, operands: Operands) -> Phrase:
        """A right side that was a vector is written as one, and so is the solution."""
        right = operands[1]
        if right.axes != (0, None) or len(right.shape) != 1:
            return self._whole(node, operands)
        parts = [render(self._exact(node, 0, operands), self.style), render(right, self.style)]
        return Phrase((self._fill(node, parts),), right.shape, right.axes)


def _factor(phrase: Phrase) -> Part:
    """What a phrase contributes to a product."""
    return (phrase.mask or phrase.core)[0]


def _same_but_for_ones(old: Shape, new: Shape) -> list[int | None] | None:
    """For each axis of `new` the axis of `old` that it is, None for a new 1.

    None if the shapes differ in more than axes of length 1.
    """
    moved: list[int | None] = []
    place = 0
    for dim in new:
        while place < len(old) and old[place] == 1 != dim:
            place += 1
        if place < len(old) and old[place] == dim:
            moved.append(place)
            place += 1
        elif dim == 1:
            moved.append(None)
        else:
            return None
    return moved if all(dim == 1 for dim in old[place:]) else None


_HANDLERS: dict[Op, Callable[[Writer, Node, Operands], Phrase]] = {
    source.constant_op: Writer._constant,
    source.size_op: Writer._size,
    scalar.add: Writer._sum,
    scalar.subtract: Writer._sum,
    scalar.negative: Writer._negative,
    scalar.multiply: Writer._multiply,
    scalar.divide: Writer._divide,
    cast_op: Writer._cast,
    contraction.matmul_op: Writer._matmul,
    layout.transpose_op: Writer._transpose,
    layout.reshape_op: Writer._reshape,
    layout.broadcast_op: Writer._broadcast,
    layout.slice_op: Writer._slice,
    reduction.sum_op: Writer._reduction_sum,
    routine.solve_op: Writer._solve,
}
