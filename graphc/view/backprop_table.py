"""Back-propagation with numbers: value, local derivatives and gradient of every node of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from graphc.grad.reverse import grad, gradient_table
from graphc.ir.node import Node
from graphc.ir.shape import TensorType, TupleType, shape_text
from graphc.ir.site import at_user_line
from graphc.ops.evaluate import Feed, evaluate_all
from graphc.ops.routine import pack
from graphc.ops.source import const, constant_op, input, size_op
from graphc.view.arrange import Names, check_names, walk
from graphc.view.phrase import Phrase
from graphc.view.style import TextStyle
from graphc.view.writer import Writer

_LISTED = 6  # elements of an array that are printed; of a larger one the range is
_ROWS = 200  # rows that are printed
_LONGEST = 60  # characters of a formula that is printed


@dataclass(frozen=True)
class LocalDerivative:
    """How one consumer passes its gradient on: a number between scalars, else a rule."""

    consumer: str
    formula: str
    value: Any  # None between arrays

    def text(self, name: str) -> str:
        """The line that says it."""
        if self.value is None:
            return f"from {self.consumer}: {self.formula}"
        number = value_text(self.value)
        shown = f"{self.formula} = {number}" if self.formula != number else number
        return f"d{self.consumer}/d{name} = {shown}"


@dataclass(frozen=True)
class BackpropRow:
    """One node: its name, its formula, and its numbers. The gradient is None where none flows."""

    node: Node
    name: str
    formula: str
    value: Any
    derivatives: tuple[LocalDerivative, ...]
    gradient: Any


@dataclass(frozen=True)
class BackpropTable:
    """The rows of back-propagation: the output, what it is made of, and last what was declared."""

    output: str
    rows: tuple[BackpropRow, ...]

    def __getitem__(self, key: str | Node) -> BackpropRow:
        """The row of a node, or of its name."""
        for row in self.rows:
            if row.node is key or (isinstance(key, str) and row.name == key):
                return row
        raise KeyError(key)

    def _cells(self) -> list[tuple[str, str, str, str]]:
        cells = [("node", "value", "local derivative", "gradient")]
        gradients = {row.name: row.gradient for row in self.rows}
        for row in self.rows[:_ROWS]:
            head = f"{row.name} = {row.formula}" if row.formula else row.name
            lines = [line.text(row.name) for line in row.derivatives] or [""]
            gradient = ""
            if row.gradient is not None:
                gradient = f"d{self.output}/d{row.name} = {_chain_rule(row, gradients)}"
            cells.append((head, value_text(row.value), lines[0], "" if lines[1:] else gradient))
            for line in lines[1:]:
                cells.append(("", "", line, gradient if line is lines[-1] else ""))
        if len(self.rows) > _ROWS:
            cells.append((f"... {len(self.rows) - _ROWS:,} more nodes ...", "", "", ""))
        return cells

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(len(row[column]) for row in cells) for column in range(4)]
        rule = tuple("-" * width for width in widths)
        return "\n".join(
            "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
            for row in (cells[0], rule, *cells[1:])
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        style = 'style="text-align: left; padding: 2px 12px"'
        lines = [f"<th {style}>{escape(text)}</th>" for text in head]
        body = [
            "<tr>" + "".join(f"<td {style}>{escape(text)}</td>" for text in row) + "</tr>"
            for row in rows
        ]
        return (
            f"<table><thead><tr>{''.join(lines)}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )


def value_text(value: Any) -> str:
    """A value for a cell: a number, a few numbers, or the shape and range of many."""
    if isinstance(value, tuple):
        return f"({', '.join(map(value_text, value))})"
    array = np.asarray(value)
    if array.size <= _LISTED:
        return _listed(array.tolist())
    span = f"{_number(array.min().item())} to {_number(array.max().item())}"
    return f"{shape_text(array.shape)} of {span}"


def _listed(value: Any) -> str:
    return f"[{', '.join(map(_listed, value))}]" if isinstance(value, list) else _number(value)


def _number(value: float | bool) -> str:
    return str(value) if isinstance(value, bool) else f"{value:.6g}"


def _chain_rule(row: BackpropRow, gradients: Mapping[str, Any]) -> str:
    """With numbers: the sum of each consumer's gradient times its local derivative."""
    number = value_text(row.gradient)
    if not row.derivatives or any(line.value is None for line in row.derivatives):
        return number
    terms = [
        f"{_factor(gradients[line.consumer])} * {_factor(line.value)}" for line in row.derivatives
    ]
    return f"{' + '.join(terms)} = {number}"


def _factor(value: Any) -> str:
    text = value_text(value)
    return f"({text})" if text.startswith("-") else text


@at_user_line
def backprop_table(
    y: Node, feed: Feed, wrt: Node | Sequence[Node], names: Mapping[str, Node] | None = None
) -> BackpropTable:
    """Back-propagation from a scalar, with the numbers that `feed` gives: symbol-to-number.

    Args: `y`, a float scalar; `feed`, values of inputs; `wrt`, one node or several; `names`, names
    for other nodes. The table prints itself; `table[node]` (or `table["name"]`) has a node's value,
    local derivatives and gradient. Between scalars a local derivative is a number; where arrays
    take part it is the rule that makes the gradient, in which `∇v` is the gradient of v. Raises as
    `gx.grad` and `gx.evaluate` do.

    >>> x, y, z = input("x"), input("y"), input("z")
    >>> q = x + y
    >>> print(backprop_table(q * z, {x: -2, y: 5, z: -4}, [x, y, z], names={"q": q}))
    node       value  local derivative  gradient
    ---------  -----  ----------------  ---------------------
    f = q * z  -12                      df/df = 1
    q = x + y  3      df/dq = z = -4    df/dq = 1 * (-4) = -4
    x          -2     dq/dx = 1         df/dx = (-4) * 1 = -4
    y          5      dq/dy = 1         df/dy = (-4) * 1 = -4
    z          -4     df/dz = q = 3     df/dz = 1 * 3 = 3
    """
    targets = [wrt] if isinstance(wrt, Node) else list(wrt)
    grad(y, targets)  # raises for what cannot be differentiated
    gradients = gradient_table(y, const(1, y.dtype), targets)
    return _Maker(y, gradients, check_names(names)).table(feed)


class _Maker:
    """Names every node, and asks every operation what it passes on."""

    def __init__(self, y: Node, gradients: dict[Node, Node], known: dict[Node, str]) -> None:
        self.gradients = gradients
        self.order = walk([y], {})
        self.writer = Writer(TextStyle())
        self.names = _row_names(y, self.order, known, gradients)
        self.output = self.names[y]
        # For each node what its consumers pass on: the consumer, its share, whether by number.
        self.shares: dict[Node, list[tuple[Node, Node, bool]]] = {}
        for node in reversed(self.order):
            self._share(node)

    def _share(self, consumer: Node) -> None:
        sources = [source for source in consumer.inputs if source in self.gradients]
        if consumer not in self.gradients or not sources or consumer.op.vjp is None:
            return
        types = [node.type for node in (consumer, *sources)]
        numbers = all(isinstance(found, TensorType) and found.shape == () for found in types)
        passed: dict[Node, Node] = {}
        seed = const(1, consumer.dtype) if numbers else self._gradient_symbol(consumer)
        for source, share in zip(consumer.inputs, consumer.op.vjp(consumer, seed), strict=True):
            if share is not None and source in self.gradients:
                passed[source] = passed[source] + share if source in passed else share
        for source, share in passed.items():
            self.shares.setdefault(source, []).append((consumer, share, numbers))

    def _gradient_symbol(self, node: Node) -> Node:
        """A stand-in for the gradient of a node, to write rules with."""
        name = f"∇{self.names[node]}"
        if isinstance(node.type, TupleType):
            return pack(tuple(input(name, item.shape, item.dtype) for item in node.type.items))
        return input(name, node.shape, node.dtype)

    def _formula(self, node: Node) -> str:
        """A node in the names of its inputs."""
        phrases: dict[Node, Phrase] = {}
        for part in walk([node], self.names):
            name = self.names.get(part, part.name)
            if name and part is not node:
                phrases[part] = self.writer.symbol(part, name)
            elif part.declaration is not None:
                return name
            else:
                phrases[part] = self.writer.compose(part, [phrases[s] for s in part.inputs])
        text = self.writer.finish(node, phrases[node])
        return text if len(text) <= _LONGEST else f"{node.op.name} of {node.type}"

    def table(self, feed: Feed) -> BackpropTable:
        wanted = [share for shares in self.shares.values() for _, share, n in shares if n]
        values = evaluate_all([*self.order, *self.gradients.values(), *wanted], feed)
        inner = [n for n in reversed(self.order) if n.declaration is None and n in self.names]
        leaves = [n for n in self.order if n.declaration is not None]
        rows = tuple(self._row(node, values) for node in (*inner, *leaves))
        return BackpropTable(self.output, rows)

    def _row(self, node: Node, values: Mapping[Node, Any]) -> BackpropRow:
        derivatives = tuple(
            LocalDerivative(
                self.names[consumer], self._formula(share), values[share] if by_number else None
            )
            for consumer, share, by_number in self.shares.get(node, ())
        )
        gradient = self.gradients.get(node)
        return BackpropRow(
            node,
            self.names[node],
            self._formula(node) if node.declaration is None else "",
            values[node],
            derivatives,
            None if gradient is None else values[gradient],
        )


def _row_names(
    y: Node, order: Sequence[Node], known: Mapping[Node, str], gradients: Mapping[Node, Node]
) -> dict[Node, str]:
    """A name for each node that gets a row: all but numbers, and what is made of numbers alone."""
    taken = Names(known.values())
    names = {
        node: known.get(node) or taken.unique(node.name)
        for node in order
        if node in known or node.declaration is not None
    }
    if y not in names:
        names[y] = taken.unique("f")
    constants: set[Node] = set()
    for node in order:
        constant = node.op in (constant_op, size_op) if not node.inputs else False
        made = bool(node.inputs) and all(source in constants for source in node.inputs)
        if (constant or made) and node not in gradients and node not in names:
            constants.add(node)
        elif node not in names:
            names[node] = taken.numbered("v")
    return names
