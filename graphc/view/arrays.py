"""Writes matrices and what rearranges them: vectors keep one axis, scalars come out in front."""

from __future__ import annotations

from dataclasses import replace

from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.ir.op import ATOM, PRODUCT
from graphc.ir.shape import Shape
from graphc.ops import layout
from graphc.view.composition import Composition, Operands
from graphc.view.phrase import Axes, Phrase, atom, closed, exact, render
from graphc.view.style import Part, TextStyle


class ArrayComposition(Composition):
    """Matrix products, layout, and the sum."""

    # -- matrices

    def matmul(self, node: Node, operands: Operands) -> Phrase:
        """Two arrays multiplied; a vector is written as one, not as a matrix."""
        if node.inputs[0].shape[1:] == (1,) and any(phrase.is_scalar for phrase in operands):
            return _scaled(*operands)
        left, right = (
            closed(self._factor(source, p, side), self.style)
            for side, (source, p) in enumerate(zip(node.inputs, operands, strict=True))
        )
        core, shape, axes, turned = self._matrix_core(node, left, right)
        return Phrase(
            (core,),
            shape,
            axes,
            left.negative != right.negative,
            left.scalars + right.scalars,
            left.divisors + right.divisors,
            sort="matrix",
            turned=turned,
        )

    def _factor(self, node: Node, phrase: Phrase, side: int) -> Phrase:
        """An operand of a matrix product: a vector, or else a matrix with all its axes."""
        if _is_vector(node, phrase):
            return phrase
        if phrase.is_scalar and node.ndim == 2 and node.shape[side] == 1:
            ones = exact(phrase, (node.shape[1 - side],), self.style)
            return replace(ones, axes=(0, None) if side else (None, 0))
        return self.complete(node, phrase)

    def _matrix_core(
        self, node: Node, left: Phrase, right: Phrase
    ) -> tuple[Part, Shape, Axes, tuple[Part, ...]]:
        """The product, what is written of its axes (a vector has one only), and its transpose."""
        row, column = left.axes == (None, 0), right.axes == (0, None)
        outer = left.axes == (0, None) and right.axes == (None, 0)
        if outer and node.inputs[0].shape[1] == 1:
            return self.style.outer(left.core[0], right.core[0]), node.shape, (0, 1), ()
        if not row:
            left = exact(left, node.inputs[0].shape, self.style)
        if not column:
            right = exact(right, node.inputs[1].shape, self.style)
        turned: tuple[Part, ...] = ()
        core = self._product(left, right, row)
        if row and not column and self.style.columns:  # as a column: M^T v, and v^T M turned
            core, turned = self._product(_turned(right, self.style), left, False), (core,)
        if row or column:
            kept = (*(() if row else node.shape[:1]), *(() if column else node.shape[1:]))
            return core, kept, (None if row else 0, None if column else len(kept) - 1), turned
        return core, node.shape, tuple(range(node.ndim)), ()

    def _product(self, left: Phrase, right: Phrase, row: bool) -> Part:
        """Two cores side by side, the first one perhaps as a row."""
        mixed = left.sort == "elementwise"
        first = (self.style.group(left.core[0][0]), ATOM) if mixed else left.core[0]
        if row:
            first = left.turned[0] if left.turned else self.style.row(first)
        second = (self.style.at_least(PRODUCT + 1, right.core[0]), ATOM)
        return self.style.product(self.style.matrix_sign, [first, second])

    # -- layout

    def transpose(self, node: Node, operands: Operands) -> Phrase:
        """A matrix with ᵀ; of what has one axis only the axis moves."""
        order = node.attrs["axes"]
        phrase = operands[0]
        if len(phrase.shape) < 2:
            return replace(phrase, axes=tuple(phrase.axes[axis] for axis in order))
        whole = closed(self.operand(node, 0, operands), self.style)
        if order == (1, 0):
            return replace(_turned(whole, self.style), shape=node.shape)
        core = self.fill(node, [whole.core[0]])
        return replace(whole, core=(core,), shape=node.shape, sort="", mask=(), turned=())

    def reshape(self, node: Node, operands: Operands) -> Phrase:
        """Nothing, where only axes of length 1 come or go; else a call."""
        phrase, shape = operands[0], node.inputs[0].shape
        if phrase.is_scalar:
            return replace(phrase, axes=(None,) * node.ndim)
        moved = _same_but_for_ones(shape, node.shape)
        if moved is not None:
            axes = tuple(None if axis is None else phrase.axes[axis] for axis in moved)
            return replace(phrase, axes=axes)
        return self._rearranged(node, operands)

    def broadcast(self, node: Node, operands: Operands) -> Phrase:
        """Nothing: the axes are remembered."""
        phrase = operands[0]
        return replace(phrase, axes=(*[None] * (node.ndim - len(phrase.axes)), *phrase.axes))

    def slice(self, node: Node, operands: Operands) -> Phrase:
        """Bounds in brackets; an index where a slice has length 1."""
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
        whole = closed(self.operand(node, 0, operands), self.style)
        core = self.style.index(self.style.at_least(ATOM, whole.core[0]), texts)
        kept, places = tuple(shape), tuple(axes)
        return replace(whole, core=(core,), shape=kept, axes=places, sort="", mask=(), turned=())

    def _rearranged(self, node: Node, operands: Operands) -> Phrase:
        """A linear operation of one array: scalars come out."""
        whole = closed(self.operand(node, 0, operands), self.style)
        core = self.fill(node, [whole.core[0]])
        axes = tuple(range(node.ndim))
        return replace(
            whole, core=(core,), shape=node.shape, axes=axes, sort="", mask=(), turned=()
        )

    def reduction_sum(self, node: Node, operands: Operands) -> Phrase:
        """A sum, with scalar divisors after it."""
        whole = self.operand(node, 0, operands)
        inner = render(replace(whole, divisors=()), self.style)
        text, level = self.style.summed(node, inner) or self.fill(node, [inner])
        return replace(atom(text, node.shape, level), divisors=whole.divisors)

    def solve(self, node: Node, operands: Operands) -> Phrase:
        """A right side that was a vector is written as one, and so is the solution."""
        right = operands[1]
        if not _is_vector(node.inputs[1], right) or right.axes != (0, None):
            return self.whole(node, operands)
        parts = [render(self.operand(node, 0, operands), self.style), render(right, self.style)]
        return Phrase((self.fill(node, parts),), right.shape, right.axes)


def _scaled(left: Phrase, right: Phrase) -> Phrase:
    """A column times a row of one number, or a number times a row: the other one, scaled."""
    array, number = (left, right) if right.is_scalar else (right, left)
    axes = (left.axes[0], None) if right.is_scalar else (None, right.axes[1])
    return replace(
        array,
        axes=axes,
        negative=left.negative != right.negative,
        scalars=(*number.scalars, *number.core, *array.scalars),
        divisors=array.divisors + number.divisors,
        number=False,
    )


def _turned(phrase: Phrase, style: TextStyle) -> Phrase:
    """A matrix transposed: what was transposed to it, if it was."""
    core = phrase.turned or (style.transpose(phrase.core[0]),)
    shape = phrase.shape[::-1]
    return replace(phrase, core=core, shape=shape, sort="", mask=(), turned=phrase.core)


def _is_vector(node: Node, phrase: Phrase) -> bool:
    """Whether a matrix is written as the vector that all its rows, or all its columns, are."""
    if len(phrase.shape) != 1 or phrase.axes not in ((None, 0), (0, None)):
        return False
    return phrase.shape[0] == node.shape[phrase.axes.index(0)]


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
