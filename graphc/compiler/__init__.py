"""From expressions to a compiled function: the passes in order, and the callable they end in."""

from graphc.compiler.function import Function
from graphc.compiler.passes import compile, inference

__all__ = ["Function", "compile", "inference"]
