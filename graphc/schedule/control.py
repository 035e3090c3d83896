"""Loops and branches in a schedule: a schedule for each body, and how its buffers connect.

A body is scheduled like a graph of its own: what it carries are states that it updates, its
elements and captured values are inputs, what it gives are outputs. Ports tell where those lie in
the program around it: at one place, or one row further at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.ir.body import Body
from graphc.ir.dim import product
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.shape import TupleType
from graphc.ops.branch import cond_op
from graphc.ops.loop import Scan, scan_op
from graphc.schedule.body_workspace import BodyWorkspace
from graphc.schedule.buffer import ARENA, CARRIED, Buffer, View, whole
from graphc.schedule.by_rows import batch_size
from graphc.schedule.memory import lives
from graphc.schedule.schedule import Control, Part, Port, Schedule


def scan_graph(scan: Scan) -> Graph:
    """The step of a scan as a graph: carries are states, elements and captured values inputs."""
    carry, elements, outside = scan.split(scan.body.placeholders)
    outputs = scan.body.outputs
    updates = tuple(zip(carry, outputs[: scan.carries], strict=True))
    return Graph((*elements, *outside), tuple(outputs[scan.carries :]), updates)


def body_graphs(node: Node) -> tuple[Graph, ...]:
    """The bodies of a loop or a branch as graphs."""
    if node.op is scan_op:
        return (scan_graph(Scan(node)),)
    if node.op is cond_op:
        bodies = (node.attrs["then_body"], node.attrs["else_body"])
        return tuple(Graph(body.placeholders, body.outputs) for body in bodies)
    body: Body = node.attrs["body"]
    pred, *new = body.outputs
    carried, outside = body.placeholders[: len(new)], body.placeholders[len(new) :]
    updates = tuple(zip(carried, new, strict=True))
    return Graph(body.placeholders, (pred,)), Graph(outside, (), updates)


def with_graphs(node: Node, graphs: Sequence[Graph]) -> dict[str, Body]:
    """The attributes of a loop or branch node whose bodies are these graphs."""
    if node.op is scan_op:
        (graph,) = graphs
        new = (new for _, new in graph.updates)
        places = Scan(node).body.placeholders
        return {"body": Body(places, (*new, *graph.outputs))}
    if node.op is cond_op:
        first, second = (Body(graph.inputs, graph.outputs) for graph in graphs)
        return {"then_body": first, "else_body": second}
    condition, step = graphs
    new = (new for _, new in step.updates)
    return {"body": Body(node.attrs["body"].placeholders, (*condition.outputs, *new))}


def control_step(
    node: Node,
    operands: tuple[View, ...],
    results: tuple[Buffer, ...],
    schedule: Callable[[Graph], Schedule],
) -> Control:
    """The step of a loop or branch node. `schedule` schedules a body."""
    graphs = body_graphs(node)
    schedules = [schedule(graph) for graph in graphs]
    assert isinstance(node.type, TupleType)
    whole_results = [whole(b, t.shape) for b, t in zip(results, node.type.items, strict=True)]
    made = _Connection(node, operands, whole_results, graphs, schedules)
    kind = "scan" if node.op is scan_op else "cond" if node.op is cond_op else "while"
    parts = made.parts(kind)
    length = node.attrs["length"] if kind == "scan" else node.attrs.get("max_steps")
    batch = batch_size(parts[0].schedule) if kind == "scan" else None
    scratch: tuple[Buffer, ...] = (BodyWorkspace(parts, length, batch),)
    if made.flag is not None and kind == "while":
        scratch = (*scratch, made.flag.buffer)
    return Control(
        kind, parts, length, made.flag, tuple(made.initial), results, scratch, operands, (node,),
        batch,
    )  # fmt: skip


class _Connection:
    """Connects the bodies of one node to what lies around them."""

    def __init__(
        self,
        node: Node,
        operands: tuple[View, ...],
        results: Sequence[View],
        graphs: Sequence[Graph],
        schedules: Sequence[Schedule],
    ) -> None:
        self.node, self.operands, self.results = node, operands, results
        self.graphs, self.schedules = graphs, schedules
        self.initial: list[tuple[View, View]] = []
        self.flag: View | None = None

    def parts(self, kind: str) -> tuple[Part, ...]:
        """The parts of a step of this kind."""
        return {"scan": self._scan, "cond": self._cond, "while": self._while}[kind]()

    def _scan(self) -> tuple[Part, ...]:
        """Carries lie in the results; elements and stacked results move on a row at each step."""
        scan = Scan(self.node)
        (schedule,) = self.schedules
        carry, _, _ = scan.split(scan.body.placeholders)
        starts, sequences, outside = scan.split(self.operands)
        ports = self._carried(schedule, carry, starts)
        inputs = schedule.inputs
        for buffer, view in zip(inputs, (*sequences, *outside), strict=True):
            moves = len(ports) < len(carry) + len(sequences)
            ports.append(self._row(buffer, view, scan) if moves else Port(buffer, view))
        for buffer, view in zip(schedule.outputs, self.results[scan.carries :], strict=True):
            ports.append(self._row(buffer, view, scan))
        return (Part(schedule, lives(schedule), tuple(ports)),)

    def _row(self, buffer: Buffer, view: View, scan: Scan) -> Port:
        stride = product(view.shape[1:])
        if scan.reverse:
            return Port(buffer, view, (scan.length - 1) * stride, -1 * stride)
        return Port(buffer, view, 0, stride)

    def _carried(
        self, schedule: Schedule, carry: Sequence[Node], starts: Sequence[View]
    ) -> list[Port]:
        """Ports of the carries, which are copied to the results before the first step."""
        known = {b.node: b for b in schedule.buffers if b.home == CARRIED}
        ports = []
        for place, start, result in zip(carry, starts, self.results, strict=False):
            self.initial.append((start, result))
            # A carry that the body never touches has no buffer; the copy above is its result.
            inside = known.get(place) or Buffer(place.dtype, 0, CARRIED, place)
            ports.append(Port(inside, result))
        return ports

    def _cond(self) -> tuple[Part, ...]:
        """Both branches read the same operands and write the same results."""
        self.flag = self.operands[0]
        parts = []
        for schedule in self.schedules:
            pairs = [*zip(schedule.inputs, self.operands[1:], strict=True)]
            pairs += zip(schedule.outputs, self.results, strict=True)
            ports = tuple(Port(inside, outside) for inside, outside in pairs)
            parts.append(Part(schedule, lives(schedule), ports))
        return tuple(parts)

    def _while(self) -> tuple[Part, ...]:
        """The condition reads the carries, which lie in the results; the body changes them."""
        condition, step = self.schedules
        count = len(self.results)
        carried = [carry for carry, _ in self.graphs[1].updates]
        places = [*self.results, *self.operands[count:]]
        self.flag = whole(Buffer(condition.outputs[0].dtype, 1, ARENA), ())
        first = [Port(b, v) for b, v in zip(condition.inputs, places, strict=True)]
        first.append(Port(condition.outputs[0], self.flag))
        second = self._carried(step, carried, self.operands[:count])
        second += [Port(b, v) for b, v in zip(step.inputs, self.operands[count:], strict=True)]
        return (
            Part(condition, lives(condition), tuple(first)),
            Part(step, lives(step), tuple(second)),
        )
