"""The rewriting engine: rules from a table, applied to every node until none fits.

A node is rewritten after its inputs, and what a rule makes is rewritten in its turn, so the result
is a fixed point of all rules. The walk keeps its own stack (a chain of 100,000 nodes is as good as
one of ten) and a budget: rules that undo each other are an error that names them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module

from graphc.errors import ArgumentError, VerificationError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.shape import TupleType
from graphc.ir.site import inherit_sites, written_at
from graphc.ir.traverse import remake, topological
from graphc.ops.layout import broadcast_to
from graphc.rewrite.explain import Explanation, Known, Step, brief, record, why
from graphc.rewrite.rule import PHASES, Context, Rule
from graphc.rewrite.table import RULES

__all__ = ["PHASES", "RULES", "Explanation", "Step", "rewrite", "rewrite_nodes", "simplify", "why"]

# Rule applications allowed for each node that a graph has at first, plus a start.
_APPLICATIONS_PER_NODE = 100
_APPLICATIONS = 10_000
# A rule that looks at how often a node is used may fit only after others have removed uses.
_ROUNDS = 32


class _Fitting:
    """The rules that may fit a node, by the operations of it and its inputs."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        # For each operation or kind its rules, with their places in the table.
        self._rooted: defaultdict[Op | str, list[tuple[int, Rule]]] = defaultdict(list)
        for place, rule in enumerate(rules):
            for root in rule.roots:
                self._rooted[root].append((place, rule))
        self._known: dict[tuple[Op, ...], tuple[list[Rule], list[Rule]]] = {}

    def of(self, node: Node, settled: bool) -> list[Rule]:
        """Those for a node, in the order of the table; of a settled one those that look around."""
        op, inner = node.op, [source.op for source in node.inputs]
        known = self._known.get((op, *inner))
        if known is None:
            rooted = dict([*self._rooted.get(op, ()), *self._rooted.get(op.kind, ())])
            fitting = [rooted[place] for place in sorted(rooted)]
            fitting = [rule for rule in fitting if rule.needs.issubset(inner)]
            known = fitting, [rule for rule in fitting if rule.looks_around]
            self._known[(op, *inner)] = known
        return known[settled]


class _Rewriter:
    """Normal forms under a set of rules."""

    def __init__(
        self, rules: _Fitting, context: Context, budget: int, settled: Collection[Node]
    ) -> None:
        self.rules = rules
        # No rule fitted these before: only rules that ask how often a node is used may fit now.
        self.settled = settled
        self.context = context
        self.budget = budget
        self.normal: dict[Node, Node] = {}
        self.steps: list[Step] = []
        self.texts: Known = {}
        # Nodes whose normal form is that of another node, with the rule that said so.
        self.pending: dict[Node, tuple[Node, str]] = {}

    def normal_form(self, root: Node) -> Node:
        """The node that no rule fits any more, and none of its inputs."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.normal:
                stack.pop()
            elif node in self.pending:
                self._resolve(node, stack)
            else:
                missing = [source for source in node.inputs if source not in self.normal]
                if missing:
                    self._push(missing, stack)
                else:
                    self._visit(node)
        return self.normal[root]

    def _resolve(self, node: Node, stack: list[Node]) -> None:
        target, _ = self.pending[node]
        if target in self.normal:
            self.normal[node] = self.normal[target]
            del self.pending[node]
            stack.pop()
        else:
            self._push([target], stack)

    def _push(self, nodes: list[Node], stack: list[Node]) -> None:
        for node in nodes:
            if node in self.pending:
                self._looping(node)
        stack.extend(nodes)

    def _visit(self, node: Node) -> None:
        new = remake(node, tuple([self.normal[source] for source in node.inputs]))
        if new is not node:
            self._becomes(node, new, "")
            return
        rules = self.rules.of(node, node in self.settled)
        if rules:
            with inherit_sites(node.sites):
                for rule in rules:
                    made = rule.apply(node, self.context)
                    if made is not None and made is not node:
                        self._applied(rule, node, _fitted(made, node, rule))
                        return
        self.normal[node] = node

    def _becomes(self, node: Node, new: Node, rule: str) -> None:
        self.pending[node] = (new, rule)
        uses = self.context.users.get(node)
        if uses is not None:
            self.context.users.setdefault(new, uses)

    def _applied(self, rule: Rule, node: Node, made: Node) -> None:
        self.steps.append(record(rule.name, node, made, self.texts))
        self._becomes(node, made, rule.name)
        self.budget -= 1
        if self.budget < 0:
            recent = Counter(step.rule for step in self.steps[-200:])
            names = ", ".join(name for name, _ in recent.most_common(3))
            raise VerificationError(
                f"rewriting does not end: the rules applied last are {names}; switch one off with "
                f"disabled=[...]. It was rewriting {brief(node)}.{written_at(node.sites)}"
            )

    def _looping(self, node: Node) -> None:
        names = list(dict.fromkeys(rule for _, rule in self.pending.values() if rule))
        raise VerificationError(
            f"rewriting goes in a circle at {brief(node)}: the rules {', '.join(names[-6:])} undo "
            f"each other; switch one off with disabled=[...].{written_at(node.sites)}"
        )


def _fitted(made: Node, node: Node, rule: Rule) -> Node:
    """The new node in the old one's shape; a rule that changes the dtype is an error."""
    if made.type == node.type:
        return made
    both_arrays = not isinstance(made.type, TupleType) and not isinstance(node.type, TupleType)
    if both_arrays and made.dtype is node.dtype:
        return broadcast_to(made, node.shape)
    raise VerificationError(
        f"rule {rule.name} made {made.type} from {node.type} in {brief(node)}."
        f"{written_at(node.sites)}"
    )


# Switches off every rule.
EVERYTHING = "rewrite"


def _chosen(phases: Sequence[str], disabled: str | Collection[str]) -> list[Rule]:
    off = {disabled} if isinstance(disabled, str) else set(disabled)
    names = {rule.name for rule in RULES} | {*PHASES, EVERYTHING}
    for name in (*phases, *sorted(off, key=str)):
        if name not in names:
            near = import_module("difflib").get_close_matches(str(name), names, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ArgumentError(
                f"rewrite: no rule or phase is called {name!r}; {meant}phases are "
                f"{', '.join(PHASES)} and {EVERYTHING} for all, rules are listed in "
                f"docs/rewriting.md"
            )
    wanted = set() if EVERYTHING in off else set(phases) - off
    return [rule for rule in RULES if rule.phase in wanted and rule.name not in off]


def _readers(roots: Sequence[Node]) -> dict[Node, list[Node]]:
    """The nodes that take each node, in topological order."""
    found: dict[Node, list[Node]] = {}
    for node in topological(roots):
        found.setdefault(node, [])
        for source in dict.fromkeys(node.inputs):
            found[source].append(node)
    return found


def rewrite_nodes(
    roots: Sequence[Node], phases: Sequence[str] = PHASES, disabled: str | Collection[str] = ()
) -> tuple[list[Node], tuple[Step, ...]]:
    """The roots rewritten together, and the log of the rules applied."""
    rules = _Fitting(_chosen(phases, disabled))
    context, current = Context(), list(roots)
    steps: list[Step] = []
    settled: Collection[Node] = ()
    for _ in range(_ROUNDS):
        context.readers = _readers(current)
        rooted = Counter(current)
        context.users = {n: len(known) + rooted[n] for n, known in context.readers.items()}
        budget = _APPLICATIONS + _APPLICATIONS_PER_NODE * len(context.users)
        rewriter = _Rewriter(rules, context, budget, settled)
        new = [rewriter.normal_form(root) for root in current]
        steps.extend(rewriter.steps)
        if new == current:
            break
        current, settled = new, set(rewriter.normal.values())
    return current, tuple(steps)


def rewrite(
    graph: Graph, phases: Sequence[str] = PHASES, disabled: str | Collection[str] = ()
) -> Graph:
    """The graph with its outputs and new state values rewritten, in all phases by default.

    `phases` names those to run; `disabled` switches off rules or phases by name ("rewrite" for
    all). The log of the
    result holds a `Step` for each rule applied. Raises ArgumentError for an unknown name and
    VerificationError, naming the rules, if rewriting does not end.
    """
    roots, steps = rewrite_nodes(graph.roots, phases, disabled)
    changed = graph.with_roots(roots)
    return replace(changed, log=(*graph.log, *steps)) if steps else changed


def simplify(y: Node, disabled: str | Collection[str] = ()) -> Node:
    """The node in its simplest known form: all phases of rewriting.

    What this may change (a rounding, a domain) and what never is on the page docs/rewriting.md.
    `disabled` switches off rules or phases by name; an unknown name is an ArgumentError.

    >>> from graphc.ops import input, log, exp
    >>> x = input("x")
    >>> simplify(log(exp(x))) is x
    True
    """
    if not isinstance(y, Node):
        raise ArgumentError(f"simplify: expected a node, got {type(y).__name__}")
    (result,), _ = rewrite_nodes([y], disabled=disabled)
    return result
