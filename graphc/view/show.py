"""Graphs to read: a formula where one line holds it, else a numbered listing of assignments."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.errors import ArgumentError
from graphc.ir.dtype import default_float
from graphc.ir.node import Node
from graphc.ir.shape import Shape, TensorType, shape_text
from graphc.ir.site import at_user_line
from graphc.view.arrange import Arrangement, Names, Shown, arrange, check_names, walk
from graphc.view.bodies import body_lines
from graphc.view.composition import node_shape
from graphc.view.html import picture_html
from graphc.view.phrase import Phrase, atom
from graphc.view.style import TextStyle
from graphc.view.writer import Writer


class Listing(str):
    """A text to print. At the end of a notebook cell it shows LaTeX and a picture of the graph."""

    __slots__ = ("_names", "_shown")
    _shown: Shown
    _names: Mapping[str, Node] | None

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return picture_html(self._shown, self._names)


@at_user_line
def show(
    y: Shown, names: Mapping[str, Node] | None = None, width: int = 80, limit: int = 200
) -> Listing:
    """A graph as mathematics: a formula, or a listing with shapes and the user's lines.

    Args: `y`, a node, several, a dictionary from names to nodes, or a `Graph`; `names` maps names
    to nodes, which are then written by name; `width`, about how many characters a formula may
    take; `limit`, how many lines are shown before those in the middle are left out.

    Written is what a lecturer writes, equal to the graph in exact arithmetic: factors of 1 are left
    out, scalars drawn out of matrix products, axes of length 1 hidden where broadcasting adds them.
    `gx.to_text` writes a graph to the letter.

    >>> from graphc.ops import input, square, sum
    >>> from graphc.grad.reverse import grad
    >>> x, w, t = input("x", ("n", 3)), input("w", (3,)), input("t", ("n",))
    >>> show(grad(sum(square(x @ w - t)), w))
    2 * xᵀ @ (x @ w - t)
    """
    if width < 20 or limit < 2:
        raise ArgumentError(f"show: expected width >= 20 and limit >= 2, got {width} and {limit}")
    arranged = arrange(y, names, width)
    loops = any(line.node.op.kind == "loop" for line in arranged.lines)
    if (len(arranged.lines) == 1 or _are_results(y, arranged)) and not loops:
        text = "\n".join(_assignment(line.name, line.text) for line in arranged.lines)
    else:
        text = _listing(arranged, width, limit)
    shown = Listing(text)
    shown._shown, shown._names = y, names
    return shown


def _are_results(shown: Shown, arranged: Arrangement) -> bool:
    """Whether the lines are the few results themselves, and nothing else."""
    return isinstance(shown, Mapping) and len(arranged.lines) == len(shown) <= 3


def _assignment(name: str, text: str) -> str:
    return f"{TextStyle().symbol(name)} = {text}" if name else text


def _listing(arranged: Arrangement, width: int, limit: int) -> str:
    rows: list[tuple[str, str, str, Node | None]] = [
        ("", _leaf_text(arranged.names[node], node), _type_text(node), node)
        for node in arranged.leaves
    ]
    for number, line in enumerate(arranged.lines, start=1):
        text = _assignment(line.name, line.text)
        rows.append((str(number), text, _type_text(line.node, line.shape), line.node))
        rows += _body_rows(line.node, width)
    left_out = len(rows) - limit
    shown = rows if left_out <= 0 else [*rows[: limit // 2], *rows[-(limit - limit // 2) :]]
    margin = len(str(len(arranged.lines)))
    column = min(width, max(len(text) for _, text, _, _ in shown))
    types = max(len(type_text) for _, _, type_text, _ in shown)
    lines = []
    for place, text, type_text, node in shown:
        site = str(node.sites[0]) if node is not None and node.sites else ""
        end = f"{type_text:<{types}}  {site}".rstrip()
        lines.append(f"{place:>{margin}}  {text:<{column}}  {end}".rstrip())
    if left_out > 0:
        lines.insert(limit // 2, f"{'':>{margin}}  ... {left_out:,} more lines ...")
    return "\n".join(lines)


def _body_rows(node: Node, width: int) -> list[tuple[str, str, str, Node | None]]:
    """The bodies of a loop or a branch, below its line."""
    return [
        (
            "",
            line.indented,
            _type_text(line.node, line.shape) if line.node is not None else "",
            line.node,
        )
        for line in body_lines(node, width)
    ]


def _leaf_text(name: str, node: Node) -> str:
    role = node.declaration.role if node.declaration is not None else "given"
    return f"{TextStyle().symbol(name)}: {_ROLES.get(role, role)}"


_ROLES = {
    "param": "parameter", "draw": "random draw",
}  # fmt: skip


def _type_text(node: Node, shape: Shape | None = None) -> str:
    """The shape, and the dtype where it is not the default."""
    if not isinstance(node.type, TensorType):
        return str(node.type)
    dtype = "" if node.dtype is default_float() else f"{node.dtype} "
    return f"{dtype}{shape_text(node.shape if shape is None else shape)}"


@at_user_line
def formula(node: Node, names: Mapping[str, Node] | None = None, limit: int = 400) -> str:
    """A node as a formula on one line, with matrix products written without a sign.

    `names` maps names to nodes, which are then written by name. What would take more than `limit`
    characters is written `…`.

    >>> from graphc.ops import input, sigmoid
    >>> formula(sigmoid(input("X", ("n", 3)) @ input("w", (3,)) + input("b")))
    'σ(X w + b)'
    """
    known = check_names(names)
    taken = Names(known.values())
    writer = Writer(TextStyle(juxtapose=True))
    phrases: dict[Node, Phrase] = {}
    for part in walk([node], known):
        name = known.get(part) if part is not node else None
        if name is None and part.declaration is not None:
            name = taken.unique(part.name)
        if name is not None:
            phrases[part] = writer.symbol(part, name)
            continue
        phrases[part] = _shortened(writer, part, [phrases[s] for s in part.inputs], limit)
    return writer.finish(node, phrases[node])


def _shortened(writer: Writer, node: Node, operands: list[Phrase], limit: int) -> Phrase:
    """The phrase of a node, with its longest operands left out if it is too long."""
    while True:
        phrase = writer.compose(node, operands)
        longest = max(range(len(operands)), key=lambda i: operands[i].length, default=-1)
        if phrase.length <= limit or longest < 0 or operands[longest] == _left_out(node, longest):
            return phrase
        operands = [*operands]
        operands[longest] = _left_out(node, longest)


def _left_out(node: Node, index: int) -> Phrase:
    return atom("…", node_shape(node.inputs[index]))
