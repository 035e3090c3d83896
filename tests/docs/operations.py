"""The page of operations, written from the registry: formulas, derivatives, types, errors, kernels.

Examples of operations other than elementwise ones are those of the tests: `tests/op_cases` for what
is registered, `tests/ops/bad_operands` for how public functions are called.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType
from typing import Any

import graphc as gx
from graphc.errors import GradientError
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY, Op
from graphc.ir.shape import TensorType
from graphc.ops import definition
from graphc.ops.elementwise import TYPE_RULES, ElementwiseOp
from graphc.ops.routine import pack
from graphc.view.show import formula
from tests.docs.operation_examples import NAMES, example, made_of

START, END = "<!-- the operations -->", "<!-- the end of the operations -->"
_LONGEST = 110  # characters of a derivative that is written in LaTeX; longer ones are text
_LIMIT = 220  # characters of a text, before what lies in its middle is left out
BUILT_IN = sorted(name for name in REGISTRY if name not in definition._defined)


def page_text(page: str) -> str:
    """A page with what lies between its marks replaced by what the registry says."""
    head, start, rest = page.partition(START)
    _, end, tail = rest.partition(END)
    assert start, START
    assert end, END
    return f"{head}{START}\n\n{operations_text()}\n{END}{tail}"


@cache
def operations_text() -> str:
    """All sections: elementwise operations by their modules, the other kinds, functions."""
    elementwise = [n for n in BUILT_IN if isinstance(REGISTRY[n], ElementwiseOp)]
    others = [n for n in BUILT_IN if n not in elementwise]
    public = {id(_wrapped(name)): name for name in reversed(gx.ops.__all__)}
    lines = ["## Elementwise operations", "", *_types_legend()]
    for module, names in _by(elementwise, lambda n: _module_of(REGISTRY[n])):
        lines += [f"### {_title(module.rpartition('.')[2])}", "", _purpose(module), ""]
        lines += [*_elementwise_table(names, public), ""]
    lines += ["## Other operations", ""]
    for kind, names in _by(others, lambda n: REGISTRY[n].kind):
        lines += [f"### {_KINDS.get(kind, _title(kind))}", "", *_table(names), ""]
    named = {*elementwise, *others} | {
        public[id(REGISTRY[n])] for n in elementwise if id(REGISTRY[n]) in public
    }
    rest = [name for name in gx.ops.__all__ if name not in named]
    lines += ["## Functions made of them", "", *_functions_table(sorted(rest)), ""]
    lines += ["## Random draws", "", *_draws_table(), ""]
    return "\n".join(lines)


_KINDS = {"op": "Others", "source": "Sources", "routine": "Routines", "loop": "Loops and branches"}


def _by(names: Iterable[str], key: Callable[[str], str]) -> list[tuple[str, list[str]]]:
    """The names in groups; groups in the order in which operations were defined."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=list(REGISTRY).index):
        groups.setdefault(key(name), []).append(name)
    return [(group, sorted(found)) for group, found in groups.items()]


def _module_of(op: Op) -> str:
    """The module that defines an operation."""
    formula_of = op.formula if isinstance(op, ElementwiseOp) else None
    return (formula_of or op.infer).__module__


def _purpose(module: str) -> str:
    """The first sentence of what a module says of itself."""
    text = inspect.cleandoc(sys.modules[module].__doc__ or "")
    return _text(re.split(r"(?<=\.)\s", text.partition("\n\n")[0] + " ")[0])


def _title(word: str) -> str:
    return word.replace("_", " ").capitalize()


def _wrapped(name: str) -> Any:
    found = getattr(gx, name)
    return getattr(found, "__wrapped__", found)


# --- cells


def _math(text: str) -> str:
    """LaTeX in a cell: nothing in it ends the cell or the line."""
    return "$" + " ".join(text.replace(r"\|", r"\Vert ").replace("|", r"\vert ").split()) + "$"


def _text(text: str) -> str:
    """Words in a cell, with nothing in them that is a sign of Markdown."""
    return re.sub(r"([|*_<\[])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return f"`{' '.join(text.split())}`".replace("|", r"\|")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _line(node: Node) -> str:
    """A node as one line of text; of a long one what lies in its middle is left out."""
    text = str(gx.show(node, width=_LIMIT))
    return _code(text if "\n" not in text else formula(node, limit=_LIMIT))


def _written(node: Node) -> str:
    """A node in LaTeX, or as text where that would be long."""
    text = gx.latex(node)
    if len(text) <= _LONGEST and "aligned" not in text:
        return _math(text)
    return _line(node)


def _types_legend() -> list[str]:
    rules = [f"- `{name}`: {text}." for name, text in TYPE_RULES.items()]
    return ["Rules for element types:", "", *rules, ""]


# --- elementwise operations


def _elementwise_table(names: list[str], public: dict[int, str]) -> list[str]:
    head = ("operation", "computes", "LaTeX", "derivative", "types", "error", "kernel")
    lines = [_row(*head), _row(*["---"] * len(head))]
    for name in names:
        op = REGISTRY[name]
        assert isinstance(op, ElementwiseOp)
        symbols = _symbols(op)
        node = make(
            op, symbols, **({"dtype": gx.ramp((1,), 0).dtype} if op.types == "cast" else {})
        )
        called = public.get(id(op), name if name in gx.ops.__all__ else "")
        label = f"gx.{called}" if called else name
        shown = _code(f"{label}({', '.join(s.name for s in symbols)})")
        lines.append(
            _row(
                shown,
                _computes(op),
                _math(gx.latex(node)),
                _derivatives(op, node),
                op.types,
                _error(op, node),
                _kernel(op, node),
            )
        )
    return lines


def _symbols(op: ElementwiseOp) -> tuple[Node, ...]:
    """Inputs with the names that the formula gives its operands."""
    names = NAMES[: op.arity]
    if op.formula is not None:
        given = list(inspect.signature(op.formula).parameters)[1:]
        names = tuple(given) if len(given) == op.arity else names
    dtypes = {
        "logical": ["bool"] * 9,
        "integer": ["int32"] * 9,
        "select": ["bool", *["float32"] * 9],
    }
    chosen = dtypes.get(op.types, ["float32"] * 9)
    return tuple(gx.input(n, (), d) for n, d in zip(names, chosen, strict=False))


def _computes(op: ElementwiseOp) -> str:
    """The description, and the formula where it says more than how the operation is written."""
    import sympy

    if op.formula is None or op.no_derivative:
        return _text(op.doc)
    symbols = [sympy.Symbol(s.name, real=True) for s in _symbols(op)]
    text = sympy.latex(op.formula(sympy, *symbols))
    return f"{_text(op.doc)}: {_math(text)}" if len(text) <= _LONGEST else _text(op.doc)


def _derivatives(op: ElementwiseOp, node: Node) -> str:
    """The partial derivative for each operand."""
    if op.vjp is None:
        return f"none: {_text(op.no_derivative)}"
    if op.types == "cast":
        return "that of x, as a float"
    from graphc.ops import formula as formulas

    known = op.partials(*node.inputs, node) if op.partials else formulas.differentiate(op, node)
    parts = []
    for source, partial in zip(node.inputs, known, strict=True):
        if not source.dtype.is_float:
            continue
        text = _partial(partial)
        several = sum(s.dtype.is_float for s in node.inputs) > 1
        parts.append(f"{_math(source.name)}: {text}" if several else text)
    return "; ".join(parts)


def _partial(partial: Any) -> str:
    if partial is None:
        return "0"
    return _written(gx.simplify(partial)) if isinstance(partial, Node) else _math(f"{partial:g}")


def _error(op: ElementwiseOp, node: Node) -> str:
    if op.ulp:
        single, double = op.ulp[32], op.ulp[64]
        return "exact" if single == double == 0 else f"{single:g}, {double:g}"
    return "see there" if node.dtype.is_float else ""


def _kernel(op: Op, node: Node) -> str:
    if op.expand is None:
        return "native"
    return _line(op.expand(node))


# --- operations of other kinds


def _table(names: list[str]) -> list[str]:
    head = ("operation", "computes", "example", "gradient of each operand", "types", "kernel")
    lines = [_row(*head), _row(*["---"] * len(head))]
    for name in names:
        op, node = REGISTRY[name], example(name)
        called = f"gx.{name}{_signature(name)}" if name in gx.ops.__all__ else name
        cells = [_code(called), _text(op.doc)]
        cells += ["", _no_gradient(op), "", ""] if node is None else _example_cells(op, node)
        lines.append(_row(*cells))
    return lines


def _example_cells(op: Op, node: Node) -> list[str]:
    sources = ", ".join(str(source.type) for source in node.inputs)
    return [
        _written(node),
        _gradients(op, node),
        _code(f"{sources} -> {node.type}"),
        _kernel(op, node),
    ]


def _no_gradient(op: Op) -> str:
    return f"none: {_text(op.no_derivative)}" if op.vjp is None else ""


def _gradients(op: Op, node: Node) -> str:
    """What an operation passes to each operand, from the gradient g of its result."""
    if op.vjp is None:
        return _no_gradient(op)
    try:
        shares = op.vjp(node, _gradient_symbol(node))
    except GradientError as error:
        return f"none: {re.sub(r' Written at .*', '', str(error))}"
    parts = []
    for source, share in zip(node.inputs, shares, strict=True):
        if share is not None and isinstance(share.type, TensorType):
            parts.append(f"{_code(source.name or '?')}: {_line(gx.simplify(share))}")
    return "; ".join(parts) or "0"


def _gradient_symbol(node: Node) -> Node:
    """The gradient of the result: g, or one for each result."""
    if isinstance(node.type, TensorType):
        dtype = node.dtype if node.dtype.is_float else "float32"
        return gx.input("g", node.shape, dtype)
    items = enumerate(node.type.items)
    return pack(tuple(gx.input(f"g{i}", t.shape, t.dtype) for i, t in items))


# --- public functions


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(gx, name))
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare)).replace("<class 'float'>", "float")


def _functions_table(names: list[str]) -> list[str]:
    head = ("function", "gives", "made of")
    lines = [_row(*head), _row(*["---"] * len(head))]
    for name in names:
        found = getattr(gx, name)
        shown = f"gx.{name}" + (_signature(name) if callable(found) else "")
        lines.append(_row(_code(shown), _summary(found), ", ".join(map(_code, made_of(name)))))
    return lines


def _draws_table() -> list[str]:
    """The methods of a stream of random draws."""
    stream: Any = gx.random.Stream
    lines = [_row("method of `gx.random.stream(seed)`", "draws"), _row("---", "---")]
    for name, method in inspect.getmembers(stream, inspect.isfunction):
        if not name.startswith("_"):
            signature = inspect.signature(method)
            bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()][1:]
            lines.append(_row(_code(f"{name}{inspect.Signature(bare)}"), _summary(method)))
    return lines


def _summary(found: Any) -> str:
    """The first sentence of what it says of itself."""
    if found is gx.random:
        return "streams of random draws, listed below"
    if isinstance(found, ModuleType):
        return f"functions under NumPy's names: {', '.join(map(_code, found.__all__))}"
    if isinstance(found, Node):
        return "whether a model is trained, fixed when it is compiled"
    return _text(inspect.cleandoc(found.__doc__ or "").split("\n\n")[0])
