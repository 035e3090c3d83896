"""Nodes as SymPy's expressions: numbers over symbols, arrays by their elements or as matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import ArgumentError
from graphc.interop.elements import Elements
from graphc.interop.matrices import Matrices, NoMatrixFormError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line


@at_user_line
def to_sympy(y: Any, names: Mapping[Any, Node] | None = None) -> Any:
    """A node as a SymPy expression; of a list or tuple of nodes, the same of expressions.

    Args: `y`, nodes; `names`, a dictionary from symbols (or names) to nodes, which are then written
    so: what `gx.from_sympy` takes. Inputs, parameters and states have their own names.

    A number becomes an expression over symbols, where arrays are written by their elements (`x[i]`)
    and sums have an index. A matrix becomes a matrix expression over `MatrixSymbol` where its
    operations have one (a vector is a column), and else its element at i, j. Constants are exact:
    rationals where the number is one of few digits, else floats. What an operation does about
    rounding is left out: log1p(x) is log(1 + x).

    Raises CompileError for an operation that has no form in SymPy.

    >>> from graphc.ops import input, sin, sum
    >>> x, v = input("x"), input("v", ("n",))
    >>> to_sympy(x / (1 + sin(x)))
    x/(sin(x) + 1)
    >>> to_sympy(sum(v * v))
    Sum(v[k]**2, (k, 0, n - 1))
    """
    if isinstance(y, list | tuple):
        found = [to_sympy(part, names) for part in y]
        return found if isinstance(y, list) else tuple(found)
    if not isinstance(y, Node):
        raise ArgumentError(f"to_sympy: expected a node, got {type(y).__name__}")
    known = {} if names is None else {node: _symbol(key) for key, node in names.items()}
    if y.ndim:
        try:
            return Matrices(known).of(y)
        except NoMatrixFormError:
            pass
    return Elements(known).of(y)


def _symbol(key: Any) -> Any:
    import sympy

    if isinstance(key, str):
        return sympy.Symbol(key)
    if not isinstance(key, sympy.Basic):
        raise ArgumentError(f"to_sympy: expected symbols or names in names, got {key!r}")
    return key
