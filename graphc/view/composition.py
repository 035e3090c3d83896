"""How any operation is written: by its notation, with operands that broadcast or stand whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.op import ATOM
from graphc.ir.shape import Shape, TupleType, broadcast_shapes
from graphc.view.phrase import Axes, Phrase, aligned, atom, closed, exact, is_column, render
from graphc.view.style import Part, TextStyle
from graphc.view.style import fill as fill_template

Operands = Sequence[Phrase]


def node_shape(node: Node) -> Shape:
    """The shape of a node; () for a tuple, which is written whole."""
    return () if isinstance(node.type, TupleType) else node.shape


class Composition:
    """Composes phrases in one style."""

    def __init__(self, style: TextStyle) -> None:
        self.style = style

    def symbol(self, node: Node, name: str) -> Phrase:
        """A node that is known by a name."""
        return atom(self.style.symbol(name), node_shape(node))

    def named(self, phrase: Phrase, name: str) -> Phrase:
        """A name for what a phrase writes, with the axes that it leaves to be remembered."""
        return Phrase(((self.style.symbol(name), ATOM),), phrase.shape, phrase.axes)

    def finish(self, node: Node, phrase: Phrase) -> str:
        """The text of a phrase that stands alone: of the shape of its node."""
        return render(self.complete(node, phrase), self.style)[0]

    def complete(self, node: Node, phrase: Phrase) -> Phrase:
        """The phrase written so that it has the shape of its node."""
        shape = node_shape(node)
        if phrase.is_scalar and shape != () and node.dtype is bool_:
            # Ones would make a number of a truth value.
            text = render(phrase, self.style)[0]
            return Phrase((self.style.stretch(text, shape),), shape, tuple(range(len(shape))))
        return exact(phrase, shape, self.style)

    def fill(self, node: Node, parts: Sequence[Part]) -> Part:
        """The node's notation, filled with its operands."""
        notation = node.op.notation
        if notation is None:
            return self.style.call(node.op.name, [text for text, _ in parts]), ATOM
        template, level, levels = self.style.template(notation, node)
        wanted = (*levels, *[0] * (len(parts) - len(levels)))
        texts = [
            self.style.at_least(least, part) for least, part in zip(wanted, parts, strict=False)
        ]
        return fill_template(template, texts), level

    def operand(self, node: Node, index: int, operands: Operands) -> Phrase:
        """One operand, complete."""
        return self.complete(node.inputs[index], operands[index])

    def whole(self, node: Node, operands: Operands) -> Phrase:
        """The node by its notation, with complete operands."""
        parts = [
            render(self.operand(node, index, operands), self.style)
            for index in range(len(operands))
        ]
        text, level = self.fill(node, parts)
        return atom(text, node_shape(node), level)

    def elementwise(self, node: Node, operands: Operands) -> Phrase:
        """The node by its notation, with operands that broadcast."""
        together, shape, axes = self.align(node, operands)
        part = self.fill(node, [render(phrase, self.style) for phrase in together])
        return Phrase((part,), shape, axes)

    def align(self, node: Node, operands: Operands) -> tuple[list[Phrase], Shape, Axes]:
        """Operands that broadcast as they are written, the shape that gives, and its axes."""
        rank = len(node.shape)
        arrays = [phrase for phrase in operands if not phrase.is_scalar]
        places = {(phrase.axes, len(phrase.shape)) for phrase in arrays}
        if len(places) == 1 and len(arrays[0].axes) == rank:
            together, axes = list(operands), arrays[0].axes
            return together, broadcast_shapes([p.shape for p in arrays], node.op.name), axes
        together = [p if p.is_scalar else aligned(p, self.style) for p in operands]
        together = self._rows_beside_columns(together)
        shape = broadcast_shapes([phrase.shape for phrase in together], node.op.name)
        return together, shape, (*[None] * (rank - len(shape)), *range(len(shape)))

    def _rows_beside_columns(self, together: list[Phrase]) -> list[Phrase]:
        """Vectors turned to rows where a column meets them; what is a matrix tells by itself."""
        if not any(is_column(phrase) for phrase in together):
            return together
        return [self._row(p) if len(p.shape) == 1 and p.shape != (1,) else p for p in together]

    def _row(self, phrase: Phrase) -> Phrase:
        whole = closed(phrase, self.style)
        turned = whole.turned or (self.style.row(whole.core[0]),)
        return replace(whole, core=turned, mask=(), turned=())
