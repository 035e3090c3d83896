"""The loop IR, on one screen: expressions, statements, and the kernel that holds them.

An axis is parallel (its indices may run in any order, and are split over chunks), sequential, or
reducing (it combines values into accumulators). Sizes, strides and constants are arguments of the
kernel, so one kernel serves any sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

PARALLEL, SEQUENTIAL, REDUCING = "parallel", "sequential", "reducing"


@dataclass(frozen=True)
class Constant:
    """A literal number or truth value of a dtype."""

    value: float | int | bool
    dtype: str


@dataclass(frozen=True)
class Variable:
    """A loop variable, or a value bound by `Let` or by an accumulator."""

    name: str
    dtype: str


# The part of the parallel axis that a chunk is given: LO <= index < HI.
LO, HI = Variable("lo", "int64"), Variable("hi", "int64")


@dataclass(frozen=True)
class Argument:
    """An integer or a floating-point argument of the kernel, by position among its scalars."""

    position: int
    dtype: str


@dataclass(frozen=True)
class Load:
    """One element of a buffer, at a flat index."""

    buffer: int
    index: Expression
    dtype: str


@dataclass(frozen=True)
class Apply:
    """A scalar operation, by name. `cast` converts to its dtype."""

    operation: str
    operands: tuple[Expression, ...]
    dtype: str


@dataclass(frozen=True)
class RandomBits:
    """32 random bits at an index: a function of (seed, use, step of the run, index), and a word of
    the four that belong to these."""

    seed: Expression
    use: Expression
    index: Expression
    word: int = 0
    dtype: str = "uint32"


Expression = Constant | Variable | Argument | Load | Apply | RandomBits


@dataclass(frozen=True)
class Axis:
    """An index that runs over start <= index < stop. A parallel axis runs over the part a chunk is
    given. `most` is 0, or known not to be less than the number of indices."""

    name: str
    start: Expression
    stop: Expression
    kind: str
    most: int = 0


@dataclass(frozen=True)
class Let:
    """A name for a value; `origin` says which graph nodes it computes (indices into the kernel's
    notes)."""

    name: str
    value: Expression
    origin: int = -1


@dataclass(frozen=True)
class Store:
    """One element of a buffer is set."""

    buffer: int
    index: Expression
    value: Expression
    origin: int = -1


@dataclass(frozen=True)
class Accumulator:
    """A value that a reducing axis combines, from `identity` on.

    `combine` is "add", "multiply", "maximum", "minimum", "argmax" or "argmin"; the last two also
    bind `name`_index.
    """

    name: str
    combine: str
    value: Expression
    identity: Expression
    dtype: str
    index: Expression | None = None
    origin: int = -1


@dataclass(frozen=True)
class Carry:
    """A value that a sequential axis hands from one index to the next, from `initial` on.

    The body reads what came before under `name`; `value` is what comes next.
    """

    name: str
    value: Expression
    initial: Expression
    origin: int = -1


@dataclass(frozen=True)
class Loop:
    """A body for each index of an axis; a reducing axis has accumulators, bound after the loop, a
    sequential one may have carries."""

    axis: Axis
    body: tuple[Statement, ...]
    accumulators: tuple[Accumulator, ...] = ()
    carries: tuple[Carry, ...] = ()


@dataclass(frozen=True)
class Check:
    """The run fails with `code` unless the condition holds; `position` and `value` are reported."""

    condition: Expression
    code: Expression
    position: Expression
    value: Expression
    origin: int = -1


Statement = Let | Store | Loop | Check


@dataclass(frozen=True)
class Buffer:
    """A buffer argument: its element type, and whether the kernel writes it."""

    dtype: str
    written: bool


@dataclass(frozen=True)
class Local:
    """An array that each call of a kernel has of its own, of a fixed size, not initialised."""

    dtype: str
    elements: int


@dataclass(frozen=True)
class Kernel:
    """Buffers, scalar arguments (by dtype), and statements. Buffers never overlap one another.

    Arrays of the kernel's own are numbered after its buffers.
    """

    buffers: tuple[Buffer, ...]
    scalars: tuple[str, ...]
    body: tuple[Statement, ...]
    local: tuple[Local, ...] = ()
