"""Every error that graphc raises on purpose.

Each message says what was expected, what came, and, where a node is concerned, the user's own line.
Each class also derives from the built-in exception that a Python user would try to catch.
"""

from __future__ import annotations


class GraphcError(Exception):
    """Base of all errors that graphc raises on purpose."""

    located = False  # whether the message ends with the user's line already


class ShapeError(GraphcError, ValueError):
    """Shapes do not fit the operation, or a call binds one size to two values."""


class DTypeError(GraphcError, TypeError):
    """An operation or an argument has a dtype that it cannot take."""


class ArgumentError(GraphcError, ValueError):
    """A value handed to graphc is missing, unknown, or outside its range."""


class NodeUseError(GraphcError, TypeError):
    """A symbolic node was used as if it were a number, an array or a truth value."""


class GradientError(GraphcError, ValueError):
    """A derivative was asked for that does not exist."""


class DisconnectedError(GradientError):
    """The output does not depend on a variable it is differentiated with respect to."""


class VerificationError(GraphcError):
    """A pass left a graph, a schedule or a loop program that breaks its own rules."""


class ParseError(GraphcError, ValueError):
    """Text that should hold a graph does not."""


class CompileError(GraphcError):
    """A graph could not be turned into native code; the message names the node."""


class MemoryBudgetError(GraphcError, MemoryError):
    """A program cannot keep within the bytes it was given; `least` is what it needs, in bytes."""

    def __init__(self, message: str, least: int = 0) -> None:
        super().__init__(message)
        self.least = least


class TargetError(GraphcError, NotImplementedError):
    """The asked-for target cannot run this program yet."""


class CacheError(GraphcError):
    """The kernel cache cannot be trusted or used."""


class DataError(GraphcError, ValueError):
    """A data file is missing, damaged, or not what it says it is."""


class CheckpointError(DataError):
    """A parameter file is missing, damaged, or does not fit the model."""


class ExecutionError(GraphcError):
    """A compiled program stopped by itself while it ran."""


class IndexRangeError(ExecutionError, IndexError):
    """An index or a label lies outside the axis it selects from."""


class CheckFailedError(ExecutionError, AssertionError):
    """A condition that `gx.check` states does not hold."""


class SingularMatrixError(ExecutionError, ArithmeticError):
    """A linear system has no unique solution."""


class NotPositiveDefiniteError(ExecutionError, ArithmeticError):
    """A matrix to be factored by Cholesky is not positive definite."""


class ConvergenceError(ExecutionError, ArithmeticError):
    """An iteration for eigenvalues or singular values did not come to an end."""


class NonFiniteError(ExecutionError, FloatingPointError):
    """A loss became infinite or NaN; the message names the step and the first bad node."""
