"""graphc: symbolic graphs, their derivatives as graphs, and native code from both."""

from __future__ import annotations

from graphc.compile import compile, inference
from graphc.function import Function
from graphc.grad.reverse import grad, value_and_grad, vjp
from graphc.ir.dtype import set_default_float
from graphc.ir.node import Node
from graphc.ops import *  # noqa: F403
from graphc.ops.elementwise import elementwise
from graphc.ops.evaluate import evaluate

__version__ = "0.1.0"
__all__ = ["Function", "Node", "compile", "elementwise", "evaluate", "grad", "inference", "set_default_float", "value_and_grad", "vjp"]
