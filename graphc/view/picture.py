"""Graphs as pictures: inline SVG, drawn without any other program.

Boxes are operations, round boxes what was declared; scalars that depend on nothing are written into
the operation that takes them. A tooltip tells each node's operation, type and line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from graphc.ir.node import Node
from graphc.ir.shape import TensorType, shape_text
from graphc.ops import layout, source
from graphc.view.arrange import Names, walk
from graphc.view.composition import node_shape
from graphc.view.layered import Layout, Point, lay_out
from graphc.view.palette import PALETTES, Palette, palette_of
from graphc.view.phrase import Phrase, atom, render
from graphc.view.style import TextStyle, fill
from graphc.view.writer import Writer

# More nodes than can be told apart are not drawn: only those nearest to the results.
MOST_DRAWN = 200
_NEAREST = 60
_FOLDED = 14  # characters of a scalar that is written into its consumer
_MOST_USES = 4  # a leaf with more is drawn once for each, instead of with a bundle of long lines
_FONT = "ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
_SIGNS = {"*": "×", "/": "÷", "-": "−", "@": "@"}
_OPERAND = "•"
_LONGEST = 28  # characters of a label
_CALL = re.compile(r"(\w+)\(\{0\}(?:, \{\d\})*(?:, )?([^{}]*)\)")
# Their arguments are in the shape below the name.
_BY_NAME = (layout.transpose_op, layout.reshape_op, layout.broadcast_op)
_INFIX = re.compile(r"\{0\} (\S+) \{1\}")


@dataclass
class Vertex:
    """One box of a picture; without a node it stands for nodes that are left out."""

    node: Node | None
    label: str
    detail: str
    palette: Palette
    result: bool = False
    inputs: list[int] = field(default_factory=list)

    @property
    def size(self) -> tuple[float, float]:
        width = max(_text_width(self.label, 13), _text_width(self.detail, 10.5)) + 22
        return max(width, 40.0), 40.0 if self.detail else 28.0


@dataclass(frozen=True)
class Picture:
    """An SVG element, what its colours mean, and what it leaves out (empty if nothing)."""

    svg: str
    legend: tuple[Palette, ...]
    note: str


def draw(roots: Sequence[tuple[str, Node]], names: Mapping[Node, str]) -> Picture:
    """The picture of a graph. `names` are those of nodes that need no inputs drawn."""
    vertices, total = _vertices(roots, names)
    note = ""
    if len(vertices) > MOST_DRAWN:
        vertices = _nearest(vertices)
        drawn = sum(vertex.node is not None for vertex in vertices)
        note = f"{drawn} of {total:,} nodes: those nearest to the result"
    edges = [(start, end) for end, vertex in enumerate(vertices) for start in vertex.inputs]
    layout = lay_out([vertex.size for vertex in vertices], edges)
    used = {vertex.palette for vertex in vertices}
    legend = tuple(palette for palette in PALETTES.values() if palette in used)
    return Picture(_svg(vertices, layout), legend, note)


# ---- what is drawn


def _vertices(
    roots: Sequence[tuple[str, Node]], names: Mapping[Node, str]
) -> tuple[list[Vertex], int]:
    results = {node: name for name, node in roots}
    order = walk(results, names)
    writer = Writer(TextStyle())
    folded: dict[Node, Phrase] = {}
    place: dict[Node, int] = {}
    vertices: list[Vertex] = []
    unique = Names([])
    for node in order:
        opened = node not in names or node in results
        if opened and node.declaration is None:
            phrase = _scalar(writer, node, folded)
            if phrase is not None:
                folded[node] = phrase
                if node not in results:
                    continue
        name = results.get(node) or names.get(node) or ""
        vertex = _vertex(node, name, unique, "" if not opened else _operation(node, folded, writer))
        vertex.result = node in results
        sources = [s for s in dict.fromkeys(node.inputs) if s not in folded] if opened else []
        vertex.inputs = [place[s] for s in sources]
        place[node] = len(vertices)
        vertices.append(vertex)
    return _with_copies(vertices), len(order)


def _with_copies(vertices: list[Vertex]) -> list[Vertex]:
    """The vertices with leaves of many uses drawn once for each use."""
    uses = Counter(source for vertex in vertices for source in vertex.inputs)
    copied = {i for i, n in uses.items() if n > _MOST_USES and not vertices[i].inputs}
    chosen: list[Vertex] = []
    place: dict[int, int] = {}
    for i, vertex in enumerate(vertices):
        if i in copied and not vertex.result:
            continue
        inputs = []
        for start in vertex.inputs:
            if start in copied:
                chosen.append(replace(vertices[start], result=False))
            inputs.append(len(chosen) - 1 if start in copied else place[start])
        place[i] = len(chosen)
        chosen.append(replace(vertex, inputs=inputs))
    return chosen


def _scalar(writer: Writer, node: Node, folded: Mapping[Node, Phrase]) -> Phrase | None:
    """How a scalar that depends on nothing declared is written; None for any other node."""
    if any(source_node not in folded for source_node in node.inputs):
        return None
    if not node.inputs and node.op not in (source.constant_op, source.size_op):
        return None
    phrase = writer.compose(node, [folded[s] for s in node.inputs])
    short = len(render(phrase, writer.style)[0]) <= _FOLDED
    return phrase if phrase.is_scalar and short else None


def _vertex(node: Node, name: str, unique: Names, operation: str) -> Vertex:
    style = TextStyle()
    detail = shape_text(node.shape) if isinstance(node.type, TensorType) else "tuple"
    if isinstance(node.type, TensorType) and node.dtype.name not in ("float32", "float64"):
        detail = f"{node.dtype} {detail}"
    detail = "" if detail == "()" else detail
    declared = node.declaration
    if declared is not None:
        label = style.symbol(name or unique.unique(declared.name))
        return Vertex(node, label, detail, palette_of(node))
    label = f"{style.symbol(name)} = {operation}" if name and operation else operation
    return Vertex(node, label or style.symbol(name), detail, palette_of(node))


def _operation(node: Node, folded: Mapping[Node, Phrase], writer: Writer) -> str:
    """An operation's sign or name, with the scalars that are folded into it."""
    style, notation = writer.style, node.op.notation
    if node in folded:
        return render(folded[node], style)[0]
    if notation is None or node.op in _BY_NAME:
        return node.op.name.removesuffix("_to")
    if any(source_node in folded for source_node in node.inputs):
        operands = [folded.get(s) or atom(_OPERAND, node_shape(s)) for s in node.inputs]
        text = render(writer.compose(node, operands), style)[0].replace(" * ", " × ")
        return text if len(text) <= _LONGEST else node.op.name
    template = style.template(notation, node)[0]
    infix = _INFIX.fullmatch(template)
    if infix:
        return _SIGNS.get(infix[1], infix[1])
    call = _CALL.fullmatch(template)
    # A call needs no places for its operands.
    text = " ".join(call.groups()) if call else fill(template, [_OPERAND] * len(node.inputs))
    text = text.strip()
    return text if len(text) <= _LONGEST else node.op.name


def _nearest(vertices: list[Vertex]) -> list[Vertex]:
    """The vertices nearest to the results; what they take from further off is one box each."""
    kept: dict[int, None] = {}
    wave = [i for i, vertex in enumerate(vertices) if vertex.result]
    while wave and len(kept) < _NEAREST:
        for i in wave:
            if len(kept) < _NEAREST:
                kept[i] = None
        following = dict.fromkeys(s for i in wave for s in vertices[i].inputs)
        wave = [i for i in following if i not in kept]
    chosen: list[Vertex] = []
    place: dict[int, int] = {}
    for i in sorted(kept):
        vertex = vertices[i]
        inputs = [place[s] for s in vertex.inputs if s in kept]
        if len(inputs) < len(vertex.inputs):
            inputs.append(len(chosen))
            chosen.append(Vertex(None, "…", "", PALETTES["layout"]))
        place[i] = len(chosen)
        chosen.append(replace(vertex, inputs=inputs))
    return chosen


# ---- drawing


def _text_width(text: str, size: float) -> float:
    """About how wide a text is, in the units of the picture."""
    narrow = sum(character in " .,:;'|()[]il!1" for character in text)
    wide = sum(character in "mwMW@%…" for character in text)
    return size * (0.62 * len(text) - 0.24 * narrow + 0.3 * wide)


def _svg(vertices: Sequence[Vertex], layout: Layout) -> str:
    width, height = layout.width + 8, layout.height + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="-4 -4 {width:.0f} {height:.0f}" font-family="{_FONT}" text-anchor="middle" '
        f'style="max-width: 100%; height: auto" role="img">'
    ]
    ends = [end for end, vertex in enumerate(vertices) for _ in vertex.inputs]
    for path, end in zip(layout.paths, ends, strict=True):
        parts.append(_edge(path, vertices[end].size[1]))
    for vertex, centre in zip(vertices, layout.centres, strict=True):
        parts.append(_box(vertex, centre))
    parts.append("</svg>")
    return "\n".join(parts)


def _edge(path: list[Point], height: float) -> str:
    """A smooth line through the points, with an arrow at the upper border of the box it ends at."""
    (x, y), (last_x, last_y) = path[0], path[-1]
    points = [(x, y), *path[1:-1], (last_x, last_y - height / 2 - 5)]
    # Upright at both ends; between, the slope is that from the point before to the point after.
    around = zip(points, points[2:], strict=False)
    slopes = [0.0, *((b[0] - a[0]) / (b[1] - a[1]) for a, b in around), 0.0]
    text = f"M{x:.1f} {y:.1f}"
    for i, (next_x, next_y) in enumerate(points[1:]):
        third = (next_y - y) / (3 if 0 < i < len(points) - 2 else 2)
        bends = x + slopes[i] * third, y + third, next_x - slopes[i + 1] * third, next_y - third
        text += " C" + " ".join(f"{number:.1f}" for number in (*bends, next_x, next_y))
        x, y = next_x, next_y
    arrow = f"M{x - 3.5:.1f} {y - 1:.1f} L{x:.1f} {y + 5:.1f} L{x + 3.5:.1f} {y - 1:.1f} Z"
    return (
        f'<path d="{text}" fill="none" stroke="#94a3b8" stroke-width="1.3"/>'
        f'<path d="{arrow}" fill="#94a3b8"/>'
    )


def _box(vertex: Vertex, centre: Point) -> str:
    (width, height), (x, y) = vertex.size, centre
    declared = vertex.node is not None and vertex.node.declaration is not None
    corner = height / 2 if declared else 6
    border = 2.6 if vertex.result else 1.3
    dashes = ' stroke-dasharray="3 2"' if vertex.palette is PALETTES["layout"] else ""
    lines = [
        "<g>",
        f"<title>{escape(_tooltip(vertex))}</title>",
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{corner:.1f}" fill="{vertex.palette.fill}" '
        f'stroke="{vertex.palette.border}" stroke-width="{border}"{dashes}/>',
        f'<text x="{x:.1f}" y="{y + (-1.5 if vertex.detail else 4.5):.1f}" font-size="13" '
        f'fill="#0f172a">{escape(vertex.label)}</text>',
    ]
    if vertex.detail:
        lines.append(
            f'<text x="{x:.1f}" y="{y + 12.5:.1f}" font-size="10.5" fill="#64748b">'
            f"{escape(vertex.detail)}</text>"
        )
    return "".join([*lines, "</g>"])


def _tooltip(vertex: Vertex) -> str:
    if vertex.node is None:
        return "more nodes, not drawn"
    node = vertex.node
    declared = node.declaration
    head = f"{declared.role} {declared.name}" if declared is not None else node.op.name
    site = f"\n{node.sites[0]}\n{node.sites[0].text}".rstrip() if node.sites else ""
    return f"{head}: {node.type}{site}"
