"""Graphs as text, and text as graphs.

One line a node, after its inputs; then what is fed, what is computed, what is updated, and what is
checked or printed:

    %0 = input() declaration=input("x") dtype=float32 shape=(n, 3)
    %1 = param() declaration=param("W") dtype=float32 shape=(3, 2)
    %2 = matmul(%0, %1) : float32 (n, 2)
    inputs %0
    outputs %2

The body of a loop or a branch is a graph of its own, indented, before the node that has it:

    body @0
      %0 = input() declaration=input("carry") dtype=float32 shape=()
      %1 = sin(%0) : float32 ()
      inputs %0
      outputs %1
    end
    %3 = scan(%2) body=@0 carries=1 length=n ...

The text holds all that a graph is, but not where it was written or what its parameters are worth.
`parse` reads it back: the same text is the same graph, but for its declarations, which are new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, GraphcError, ParseError
from graphc.ir.body import Body
from graphc.ir.declaration import Declaration
from graphc.ir.graph import Graph
from graphc.ir.literal import literal
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY, Op
from graphc.ir.reader import Reader
from graphc.ir.shape import shape_text
from graphc.ir.traverse import topological
from graphc.ir.verify import CARRIED, list_faults, node_fault

_FAILURES = (
    GraphcError, ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError,
)  # fmt: skip

Write = Callable[[Node, str], str]

# Bodies that are nested deeper are refused before Python's own stack is.
_DEEPEST_BODY = 50


def attribute_text(node: Node, name: str) -> str:
    """An attribute of a node as text; ArgumentError for one that has none."""
    return literal(node.attrs[name])


def to_text(graph: Graph, write: Write = attribute_text) -> str:
    """The graph as text, which `parse` reads back.

    `write` gives the text of an attribute of a node; `parse` reads that of `attribute_text` only.
    Raises ArgumentError for an attribute that has no text.
    """
    places, lines = _node_lines(listed_nodes(graph), write)
    lines.append(_list("inputs", [places[node] for node in graph.inputs]))
    lines.append(_list("outputs", [places[node] for node in graph.outputs]))
    if graph.updates:
        pairs = [f"{places[state]} = {places[new]}" for state, new in graph.updates]
        lines.append(_list("updates", pairs))
    if graph.effects:
        lines.append(_list("effects", [places[node] for node in graph.effects]))
    return "\n".join(lines) + "\n"


def listed_nodes(graph: Graph) -> list[Node]:
    """The nodes of a graph in the order of its text, each after its inputs."""
    carried = (state for state, _ in graph.updates)
    return list(topological((*graph.roots, *carried, *graph.inputs)))


def _list(head: str, items: list[str]) -> str:
    return f"{head} {', '.join(items)}".rstrip()


def _node_lines(order: Sequence[Node], write: Write) -> tuple[dict[Node, str], list[str]]:
    """What each node is called, and the lines of all, with the bodies that they have."""
    places = {node: f"%{place}" for place, node in enumerate(order)}
    bodies: dict[Body, str] = {}
    lines: list[str] = []
    for node in order:
        for name in sorted(node.attrs):
            body = node.attrs[name]
            if isinstance(body, Body) and body not in bodies:
                bodies[body] = f"@{len(bodies)}"
                lines += [f"body {bodies[body]}", *_body_lines(body, write), "end"]
        lines.append(_node_line(node, places, bodies, write))
    return places, lines


def _body_lines(body: Body, write: Write) -> list[str]:
    text = to_text(Graph(body.placeholders, body.outputs), write)
    return [f"  {line}" for line in text.splitlines()]


def _node_line(
    node: Node, places: Mapping[Node, str], bodies: Mapping[Body, str], write: Write
) -> str:
    inputs = ", ".join(places[source] for source in node.inputs)
    attrs = "".join(
        f" {name}={bodies[value] if isinstance(value, Body) else write(node, name)}"
        for name, value in sorted(node.attrs.items())
    )
    known = f" : {node.type}" if node.inputs else ""  # a source says its type in its attributes
    return f"{places[node]} = {node.op.name}({inputs}){attrs}{known}"


def parse(
    text: str,
    values: Mapping[str, Any] | None = None,
    declared: Mapping[str, Node] | None = None,
) -> Graph:
    """The graph of a text. Empty lines and lines that begin with `#` say nothing.

    Every declaration is made anew, except those whose name is in `declared`: the given node stands
    for them (such as `{"training": gx.training}`). Parameters and states are zero, except those
    whose name is in `values`. Operations must be registered, as `import graphc` does.

    Raises ParseError, with the number of the line, for a text that is not a graph, and
    ArgumentError for a name in `values` or `declared` that the text does not declare.
    """
    # The graph itself, then the bodies that have begun and not ended, each inside the one before.
    open_: list[_Reading] = [_Reading(values or {}, declared or {})]
    number = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                _read(Reader(line, number, Declaration, open_[-1].bodies), open_)
            except _FAILURES as error:
                raise _as_parse_error(error, number) from None
    if len(open_) > 1:
        raise ParseError(f"line {number}: the text ends inside a body")
    return open_[0].finish(number)


def _read(reader: Reader, open_: list[_Reading]) -> None:
    """Read a line, which may begin a body or end one."""
    head = reader.text if reader.sort == "word" else ""
    if head not in ("body", "end"):
        open_[-1].line(reader)
        return
    reader.take()
    if head == "body":
        open_[-1].begin_body(reader)
        if len(open_) > _DEEPEST_BODY:
            raise reader.fail(f"bodies are nested more than {_DEEPEST_BODY} deep")
        open_.append(_Reading({}, {}))
    elif len(open_) == 1:
        raise reader.fail("no body has begun that could end here")
    else:
        body = open_.pop().finish_body(reader)
        open_[-1].bodies.append(body)
    if reader.sort != "end":
        raise reader.unexpected("nothing more")


def _as_parse_error(error: BaseException, number: int) -> ParseError:
    if isinstance(error, ParseError):
        return error
    kind = "" if isinstance(error, GraphcError) else f"{type(error).__name__}: "
    return ParseError(f"line {number}: {kind}{error}")


class _Reading:
    """What has been read so far."""

    def __init__(self, values: Mapping[str, Any], declared: Mapping[str, Node]) -> None:
        self.values = values
        self.declared = declared
        self.nodes: list[Node] = []
        self.parts: dict[str, list[tuple[Node, ...]]] = {}
        self.used: set[str] = set()
        self.bodies: list[Body] = []

    def line(self, reader: Reader) -> None:
        if not reader.skip("%"):
            self._part(reader)
            return
        if self.parts:
            raise reader.fail("a node comes after the lists of inputs and outputs")
        if reader.integer() != len(self.nodes):
            raise reader.fail(f"nodes are numbered in order: expected %{len(self.nodes)}")
        reader.expect("=")
        self.nodes.append(self._node(reader))

    def _node(self, reader: Reader) -> Node:
        name = reader.expect_sort("word", "an operation")
        if name not in REGISTRY:
            raise reader.fail(f"there is no operation {name!r}")
        op, inputs, attrs = REGISTRY[name], self._inputs(reader), _attributes(reader)
        given = self._declared_node(reader, op, attrs)
        node = make(op, inputs, **attrs) if given is None else given
        if reader.skip(":"):
            written = f"{reader.text}{reader.line[reader.at :]}"
            if written != str(node.type):
                raise reader.fail(f"its type is written {written}, its operation gives {node.type}")
        elif reader.sort != "end":
            raise reader.unexpected("an attribute or a type")
        if fault := node_fault(node):
            raise reader.fail(f"{name}: {fault}")
        return node

    def _inputs(self, reader: Reader) -> tuple[Node, ...]:
        reader.expect("(")
        inputs: list[Node] = []
        while not reader.skip(")"):
            inputs.append(self._reference(reader))
            if not reader.skip(","):
                reader.expect(")")
                break
        return tuple(inputs)

    def _reference(self, reader: Reader) -> Node:
        reader.expect("%")
        place = reader.integer()
        if place >= len(self.nodes):
            raise reader.fail(f"%{place} is used before it is made")
        return self.nodes[place]

    def _declared_node(self, reader: Reader, op: Op, attrs: dict[str, Any]) -> Node | None:
        """The node given for a declaration, if there is one; else the declaration gets a value."""
        declaration = attrs.get("declaration")
        if not isinstance(declaration, Declaration):
            return None
        if op.name in ("input", "flag", *CARRIED) and declaration.role != op.name:
            raise reader.fail(f"{op.name} cannot be declared as {declaration.role}")
        given = self.declared.get(declaration.name)
        if given is not None:
            self.used.add(declaration.name)
            new = {**attrs, "declaration": given.attrs.get("declaration")}
            if given.op is not op or given.attrs != new:
                raise reader.fail(f"the node given for {declaration} differs: {given!r}")
            return given
        if declaration.role in CARRIED:
            declaration.value = self._initial(reader, declaration.name, attrs)
        return None

    def _initial(self, reader: Reader, name: str, attrs: dict[str, Any]) -> np.ndarray:
        value = np.zeros(attrs["shape"], attrs["dtype"].numpy)
        if name in self.values:
            self.used.add(name)
            given = np.asarray(self.values[name])
            if given.shape != value.shape or not np.can_cast(given.dtype, value.dtype, "same_kind"):
                raise reader.fail(
                    f"the value given for {name!r} is {given.dtype} {shape_text(given.shape)}, "
                    f"expected {value.dtype} {shape_text(value.shape)}"
                )
            value[...] = given
        return value

    def _part(self, reader: Reader) -> None:
        head = reader.expect_sort("word", "a node or a list")
        if head not in ("inputs", "outputs", "updates", "effects") or head in self.parts:
            raise reader.fail(
                f"expected a node, or inputs, outputs, updates or effects once; got {head!r}"
            )
        items: list[tuple[Node, ...]] = []
        while reader.sort != "end":
            item = [self._reference(reader)]
            if head == "updates":
                reader.expect("=")
                item.append(self._reference(reader))
            items.append(tuple(item))
            if reader.sort != "end":
                reader.expect(",")
        self.parts[head] = items

    def begin_body(self, reader: Reader) -> None:
        if self.parts:
            raise reader.fail("a body comes after the lists of inputs and outputs")
        reader.expect("@")
        if reader.integer() != len(self.bodies):
            raise reader.fail(f"bodies are numbered in order: expected @{len(self.bodies)}")

    def finish_body(self, reader: Reader) -> Body:
        graph = self.finish(reader.number)
        carried = [n for n in self.nodes if n.declaration and n.declaration.role in CARRIED]
        if graph.updates or graph.effects or carried:
            raise reader.fail("a body has no parameters, states, updates or effects of its own")
        return Body(graph.inputs, graph.outputs)

    def finish(self, number: int) -> Graph:
        for head in ("inputs", "outputs"):
            if head not in self.parts:
                raise ParseError(f"line {number}: the text ends without its {head}")
        if unknown := sorted({*self.values, *self.declared} - self.used):
            raise ArgumentError(f"parse: the text declares nothing called {unknown[0]!r}")
        graph = Graph(
            tuple(node for (node,) in self.parts["inputs"]),
            tuple(node for (node,) in self.parts["outputs"]),
            tuple((state, new) for state, new in self.parts.get("updates", ())),
            effects=tuple(node for (node,) in self.parts.get("effects", ())),
        )
        for fault, node in list_faults(graph):
            raise ParseError(f"line {number}: {node!r}: {fault}")
        return graph


def _attributes(reader: Reader) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    while reader.sort == "word":
        name = reader.take()
        if name in attrs:
            raise reader.fail(f"the attribute {name} is given twice")
        reader.expect("=")
        attrs[name] = reader.value()
    return attrs
