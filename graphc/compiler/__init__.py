"""From expressions to a compiled function: the passes in order, and the callable they end in."""

from graphc.compiler.compilation import compile, inference
from graphc.compiler.function import Function

__all__ = ["Function", "compile", "inference"]
