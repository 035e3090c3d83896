"""The loop IR, on one screen: expressions, statements, and the kernel that holds them.

An axis is parallel (its indices may run in any order, and are split over chunks), sequential, or
reducing (it combines values into accumulators). Sizes, strides and constants are arguments of the
kernel, so one kernel serves any sizes.
"""

from __future__ import annotations

from graphc.record import record

PARALLEL, SEQUENTIAL, REDUCING = "parallel", "sequential", "reducing"


@record
class Constant:
    """A literal number or truth value of a dtype."""

    value: float | int | bool
    dtype: str


@record
class Variable:
    """A loop variable, or a value bound by `Let` or by an accumulator."""

    name: str
    dtype: str


# The part of the parallel axis that a chunk is given: LO <= index < HI.
LO, HI = Variable("lo", "int64"), Variable("hi", "int64")


@record
class Argument:
    """An integer or a floating-point argument of the kernel, by position among its scalars."""

    position: int
    dtype: str


@record
class Load:
    """One element of a buffer, at a flat index."""

    buffer: int
    index: Expression
    dtype: str


@record
class Apply:
    """A scalar operation, by name. `cast` converts to its dtype."""

    operation: str
    operands: tuple[Expression, ...]
    dtype: str


@record
class RandomBits:
    """32 random bits at an index: a function of (seed, use, step of the run, index), and a word of
    the four that belong to these."""

    seed: Expression
    use: Expression
    index: Expression
    word: int = 0
    dtype: str = "uint32"


Expression = Constant | Variable | Argument | Load | Apply | RandomBits


@record
class Axis:
    """An index that runs over start <= index < stop. A parallel axis runs over the part a chunk is
    given. `most` is 0, or known not to be less than the number of indices."""

    name: str
    start: Expression
    stop: Expression
    kind: str
    most: int = 0


@record
class Let:
    """A name for a value; `origin` says which graph nodes it computes (indices into the kernel's
    notes)."""

    name: str
    value: Expression
    origin: int = -1


@record
class Store:
    """One element of a buffer is set."""

    buffer: int
    index: Expression
    value: Expression
    origin: int = -1


@record
class Accumulator:
    """A value that a reducing axis combines, from `identity` on, by the operation `combine`."""

    name: str
    combine: str
    value: Expression
    identity: Expression
    dtype: str
    origin: int = -1


@record
class Carry:
    """A value that a sequential axis hands from one index to the next, from `initial` on.

    The body reads what came before under `name`; `value` is what comes next.
    """

    name: str
    value: Expression
    initial: Expression
    origin: int = -1


@record
class Loop:
    """A body for each index of an axis; a reducing axis has accumulators, bound after the loop, a
    sequential one may have carries."""

    axis: Axis
    body: tuple[Statement, ...]
    accumulators: tuple[Accumulator, ...] = ()
    carries: tuple[Carry, ...] = ()


@record
class Check:
    """The run fails with `code` unless the condition holds; `position` and `value` are reported."""

    condition: Expression
    code: Expression
    position: Expression
    value: Expression
    origin: int = -1


@record
class Rows:
    """Rows of a buffer are put side by side in an array of the kernel's own, or back.

    The array has as many numbers for each of `columns` as fit into 64 bytes: one of each row. The
    last of the `rows` stands for those that are missing; there is at least one.
    """

    local: int
    buffer: int
    start: Expression  # the first row's first element
    distance: Expression  # from row to row
    rows: Expression
    columns: Expression
    back: bool = False
    origin: int = -1


@record
class Tile:
    """Rows of a buffer become columns in an array of the kernel's own: element c of row r lies at
    c * `pitch` + r.

    The array has room for whole squares of 64 bytes a side.
    """

    local: int
    buffer: int
    start: Expression  # the first row's first element
    distance: Expression  # from row to row
    rows: Expression
    columns: Expression
    pitch: int
    origin: int = -1


Statement = Let | Store | Loop | Check | Rows | Tile


@record
class Buffer:
    """A buffer argument: its element type, and whether the kernel writes it."""

    dtype: str
    written: bool


@record
class Local:
    """An array that each call of a kernel has of its own, of a fixed size, not initialised."""

    dtype: str
    elements: int


@record
class Kernel:
    """Buffers, scalar arguments (by dtype), and statements. Buffers never overlap one another.

    Arrays of the kernel's own are numbered after its buffers.
    """

    buffers: tuple[Buffer, ...]
    scalars: tuple[str, ...]
    body: tuple[Statement, ...]
    local: tuple[Local, ...] = ()
