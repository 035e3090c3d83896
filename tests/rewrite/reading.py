"""Reads the pairs of tests/rewrites: `rule: expression => expression`, with a small infix language.

An expression is Python's syntax over an allow-list: the names below, numbers, arithmetic,
comparisons and calls of operations. Nothing is evaluated as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node, make
from graphc.ops import scalar
from graphc.ops.elementwise import not_zero
from graphc.ops.indexing import scatter_add_op
from graphc.ops.source import size
from graphc.rewrite.logarithm import log1mexp

FOLDER = Path(__file__).resolve().parent.parent / "rewrites"
FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "square", "sin", "cos", "tanh", "erf", "sigmoid",
    "softplus", "relu", "abs", "maximum", "minimum", "where", "logical_and", "logical_or",
    "logical_not", "isfinite", "isnan", "equal", "not_equal", "cast", "transpose", "reshape",
    "broadcast_to", "sum", "mean", "max", "argmax", "one_hot", "pick", "take", "scatter_add",
    "matmul", "softmax", "log_softmax", "logsumexp", "softmax_cross_entropy",
    "sigmoid_cross_entropy", "const", "logaddexp", "sinh", "cosh", "logit", "reciprocal", "rsqrt",
    "concat", "prod", "min", "any", "all", "diag", "eye", "sign", "exp2",
    "take_along_axis", "pad", "erfc", "erfcx", "log_erfc", "ndtr", "log_ndtr",
)  # fmt: skip
OPERATORS: dict[type, Any] = {
    ast.Add: gx.add, ast.Sub: gx.subtract, ast.Mult: gx.multiply, ast.Div: gx.divide,
    ast.Pow: gx.power, ast.MatMult: gx.matmul, ast.Gt: gx.greater, ast.Lt: gx.less,
    ast.Eq: gx.equal, ast.NotEq: gx.not_equal, ast.GtE: gx.greater_equal, ast.LtE: gx.less_equal,
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One line: the rule it shows, what is written, and what it becomes."""

    rule: str
    before: str
    after: str
    place: str


@cache
def names() -> dict[str, Node]:
    """What the expressions are over: matrices, rows, columns, scalars, labels and indices."""
    known = {name: gx.input(name, ("n", 4)) for name in ("x", "y", "z")}
    known |= {name: gx.input(name, ("n",)) for name in ("u", "v")}
    known |= {name: gx.input(name, ()) for name in ("r", "s")}
    known |= {"row": gx.input("row", (4,)), "column": gx.input("column", ("n", 1))}
    known |= {"A": gx.input("A", (4, 3)), "B": gx.input("B", ("n", 3))}
    known |= {
        "t": gx.input("t", ("n",), dtype="int64"),
        "i": gx.input("i", ("n", 4), dtype="int32"),
    }
    known |= {name: gx.input(name, ("n", 4), dtype="bool") for name in ("c", "d")}
    known |= {"C": gx.input("C", (4, 4)), "D": gx.input("D", (4, 4)), "E": gx.input("E", (2, 4))}
    known |= {"F": gx.input("F", (4, 2)), "G": gx.input("G", (3, "n"))}
    known |= {"w": gx.input("w", (64, 2)), "nan": gx.const(float("nan"), "float32")}
    known |= indexed(known["x"], known["u"], known["t"])
    known |= {"Z": gx.input("Z", (2, "n", 4)), "k": gx.input("k", ("n", 4), dtype="int64")}
    known["places"] = gx.take(known["C"], known["k"]).inputs[1]
    return known | {
        "n": size("n", "float32"),
        "n4": size(4 * gx.input("_", ("n",)).shape[0], "float32"),
    }


def indexed(x: Node, u: Node, t: Node) -> dict[str, Node]:
    """The rows 0..n-1, the labels as an index takes them, and values added up at both."""
    rows = gx.arange(x.shape[0])
    label, column = x[rows, t].inputs[2], gx.take_along_axis(x, t[:, None], axis=1).inputs[2]
    added = make(scatter_add_op, (u, rows, label), axes=(0, 1), shape=x.shape)
    return {"rows": rows, "label": label, "label_column": column, "added": added}


def read(text: str) -> Node:
    """The node of an expression."""
    value = _node(ast.parse(text.strip(), mode="eval").body)
    return value if isinstance(value, Node) else gx.const(value, "float32")


def _node(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Tuple):
        return tuple(_node(item) for item in tree.elts)
    if isinstance(tree, ast.List) and not all(map(_is_number, tree.elts)):
        return [_node(item) for item in tree.elts]
    if isinstance(tree, ast.Subscript):
        return _node(tree.value)[_key(tree.slice)]
    if isinstance(tree, ast.List):
        return np.array([_node(item) for item in tree.elts], dtype=np.float32)
    if isinstance(tree, ast.Name):
        return names()[tree.id]
    if isinstance(tree, ast.Attribute) and tree.attr == "T":
        return _node(tree.value).T
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        value = _node(tree.operand)
        return gx.negative(value) if isinstance(value, Node) else -value
    if isinstance(tree, ast.BinOp):
        return OPERATORS[type(tree.op)](_node(tree.left), _node(tree.right))
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        return OPERATORS[type(tree.ops[0])](_node(tree.left), _node(tree.comparators[0]))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        keywords = {str(k.arg): _node(k.value) for k in tree.keywords}
        return _function(tree.func.id)(*map(_node, tree.args), **keywords)
    raise ValueError(f"the language of the pairs has no {ast.dump(tree)}")


def _is_number(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant | ast.UnaryOp)


def _key(tree: ast.expr) -> Any:
    """What stands in brackets: numbers, slices and None."""
    if isinstance(tree, ast.Tuple):
        return tuple(map(_key, tree.elts))
    if isinstance(tree, ast.Slice):
        parts = (tree.lower, tree.upper, tree.step)
        return slice(*(None if part is None else _node(part) for part in parts))
    return _node(tree)


def _function(name: str) -> Any:
    if name == "not_zero":
        return not_zero
    if name == "log1mexp":
        return log1mexp
    if name == "power":
        return scalar.power
    if name not in FUNCTIONS:
        raise ValueError(f"the language of the pairs has no function {name!r}")
    return getattr(gx, name)


def pairs() -> Iterator[Pair]:
    """All pairs of all files."""
    for path in sorted(FOLDER.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            text = line.partition("#")[0].strip()
            if text:
                rule, _, rest = text.partition(":")
                before, arrow, after = rest.partition("=>")
                if not arrow:
                    raise ValueError(f"{path.name}:{number}: expected `rule: before => after`")
                yield Pair(rule.strip(), before.strip(), after.strip(), f"{path.name}:{number}")
