"""Operations that a user defines from a SymPy formula: checked when they are defined, not when they
run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.formula as formulas
from graphc.errors import ArgumentError, CompileError
from graphc.ir.dtype import default_float
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from graphc.ir.site import at_user_line
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.elementwise import elementwise as define
from graphc.ops.evaluate import evaluate
from graphc.ops.source import input as declare

_defined: set[str] = set()


@at_user_line
def elementwise(
    name: str,
    formula: Callable[..., Any],
    *,
    derivative: Callable[..., Any] | None = None,
    doc: str = "",
) -> ElementwiseOp:
    """Define an elementwise operation from a SymPy formula.

    Args: `formula(sp, x, ...)` returns a SymPy expression of its operands, where `sp` is SymPy;
    `derivative(x, ..., y)`, if given, returns the partial derivatives in graphc operations (one
    value, or a tuple), where `y` is the output; else SymPy differentiates the formula. Value,
    derivatives of any order, LaTeX and kernel follow. Defining a name of yours again replaces it.

    Raises ArgumentError for a name that graphc itself uses and for a formula that is not an
    expression of its operands, CompileError for a function that has no kernel.

    >>> swish = elementwise("swish", lambda sp, x: x / (1 + sp.exp(-x)))
    >>> x = declare("x", (), "float64")
    >>> round(float(evaluate(swish(x), {x: 1.0})), 6)
    0.731059
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"elementwise: expected a name, a nonempty string; got {name!r}")
    if name in REGISTRY and name not in _defined:
        raise ArgumentError(f"elementwise: graphc has an operation {name!r}; choose another name")
    arity = _arity(formula)
    previous = REGISTRY.pop(name, None)
    try:
        op = define(name, formula, derivative=derivative, doc=doc, arity=arity, reference=None)
        _check(op)
    except Exception:
        REGISTRY.pop(name, None)
        if previous is not None:
            REGISTRY[name] = previous
        raise
    _defined.add(name)
    return op


def _arity(formula: object) -> int:
    if not callable(formula):
        raise ArgumentError(
            f"elementwise: expected a function of SymPy and the operands, such as "
            f"lambda sp, x: x / (1 + sp.exp(-x)); got {formula!r}"
        )
    count = len(inspect.signature(formula).parameters) - 1
    if count < 1:
        raise ArgumentError("elementwise: the formula takes SymPy and at least one operand")
    return count


def _check(op: ElementwiseOp) -> None:
    """Raise unless the formula is an expression that has a graph, and so have its derivatives."""
    import sympy

    try:
        expression, symbols = formulas.symbolic(op)
    except (AttributeError, TypeError, sympy.SympifyError) as error:
        raise ArgumentError(
            f"{op.name}: expected a formula of SymPy's functions and the operands; {error}"
        ) from None
    if not isinstance(expression, sympy.Expr):
        raise ArgumentError(f"{op.name}: the formula gives {expression!r}, expected an expression")
    foreign = sorted(map(str, expression.free_symbols - set(symbols)))
    if foreign:
        raise ArgumentError(
            f"{op.name}: the formula holds {', '.join(foreign)}, expected only its operands"
        )
    operands = [declare(f"x{i}", (), default_float()) for i in range(op.arity)]
    node = op(*operands)
    for made in (formulas.expand(op, node), *_partials(op, node)):
        if made.dtype is not node.dtype:
            raise CompileError(f"{op.name}: expected a float formula, got {made.dtype}")
    sample = {operand: np.asarray(0.5) for operand in operands}
    evaluate(node, sample)


def _partials(op: ElementwiseOp, node: Node) -> list[Node]:
    if op.partials is None:
        return [p for p in formulas.differentiate(op, node) if p is not None]
    found = op.partials(*node.inputs, node)
    if len(found) != op.arity:
        raise ArgumentError(
            f"{op.name}: derivative gives {len(found)} value(s), expected {op.arity}"
        )
    return [p for p in found if isinstance(p, Node)]
