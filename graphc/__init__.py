"""graphc: symbolic graphs, their derivatives as graphs, and native code from both.

>>> import graphc as gx
>>> x = gx.input("x")
>>> y = x * x + 3 * x
>>> float(gx.evaluate(gx.grad(y, x), {x: 2.0}))
7.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphc.grad.forward import jvp
from graphc.grad.higher import gauss_newton_product, hessian, hvp, jacobian
from graphc.grad.reverse import grad, value_and_grad, vjp
from graphc.grad.vectorize import vmap
from graphc.ir.dtype import set_default_float
from graphc.ir.node import OPERATORS, Node
from graphc.ops import *  # noqa: F403
from graphc.ops import __all__ as _operations
from graphc.ops.definition import elementwise, numpy_operation
from graphc.ops.evaluate import evaluate
from graphc.ops.substitution import substitute
from graphc.rewrite.engine import simplify, why

if TYPE_CHECKING:
    from graphc import nn as nn
    from graphc import train as train
    from graphc.compiler import compile, inference
    from graphc.compiler.function import Function
    from graphc.grad.check import check_gradients
    from graphc.interop.from_sympy import from_sympy
    from graphc.interop.lambdify import lambdify
    from graphc.interop.to_sympy import to_sympy
    from graphc.ir.graph import Graph
    from graphc.ir.text import parse, to_text
    from graphc.target.limits import machine_limits
    from graphc.view.accuracy import accuracy
    from graphc.view.backprop_table import backprop_table
    from graphc.view.dot import to_dot
    from graphc.view.latex import latex
    from graphc.view.networkx_graph import to_networkx
    from graphc.view.show import show

__version__ = "0.1.0"

# Loaded when first used, so that `import graphc` costs little more than NumPy's import.
_LATER = {
    "compile": "graphc.compiler", "inference": "graphc.compiler", "Function": "graphc.compiler",
    "check_gradients": "graphc.grad.check",
    "Graph": "graphc.ir.graph", "parse": "graphc.ir.text", "to_text": "graphc.ir.text",
    "show": "graphc.view.show", "latex": "graphc.view.latex", "to_dot": "graphc.view.dot",
    "to_networkx": "graphc.view.networkx_graph", "backprop_table": "graphc.view.backprop_table",
    "from_sympy": "graphc.interop.from_sympy", "to_sympy": "graphc.interop.to_sympy",
    "lambdify": "graphc.interop.lambdify", "machine_limits": "graphc.target.limits",
    "accuracy": "graphc.view.accuracy", "nn": "graphc.nn", "train": "graphc.train",
}  # fmt: skip
_LATER_METHODS = {
    "repr_latex": ("graphc.view.latex", "repr_latex"),
    "repr_html": ("graphc.view.html", "repr_html"),
    "formula": ("graphc.view.show", "formula"),
}

__all__ = [
    "Function", "Graph", "Node", "accuracy", "backprop_table", "check_gradients", "compile",
    "elementwise",
    "evaluate", "from_sympy", "gauss_newton_product", "grad", "hessian", "hvp", "inference",
    "jacobian", "jvp", "lambdify", "latex", "machine_limits", "nn", "numpy_operation", "parse",
    "set_default_float", "show", "simplify", "substitute", "to_dot", "to_networkx", "to_sympy",
    "to_text", "train", "value_and_grad", "vjp", "vmap", "why", *_operations,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"graphc has no attribute {name!r}")
    module = import_module(_LATER[name])
    found = module if name in ("nn", "train") else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


def _later_method(module: str, name: str) -> Any:
    return lambda node: getattr(import_module(module), name)(node)


OPERATORS.update({name: _later_method(*place) for name, place in _LATER_METHODS.items()})
