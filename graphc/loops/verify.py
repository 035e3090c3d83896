"""The verifier of loop programs: names are bound once before use, dtypes agree, arguments exist."""

from __future__ import annotations

import numpy as np

from graphc.errors import VerificationError
from graphc.loops.ir import (
    HI,
    LO,
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Argument,
    Buffer,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Local,
    Loop,
    RandomBits,
    Rows,
    Statement,
    Store,
    Tile,
    Variable,
)


def verify(kernel: Kernel) -> None:
    """Raise VerificationError if the kernel breaks a rule of the loop IR."""
    _block(kernel, kernel.body, {LO.name: LO.dtype, HI.name: HI.dtype}, parallel=False)


def _fail(text: str) -> None:
    raise VerificationError(f"loop program: {text}")


def _expression(kernel: Kernel, value: Expression, scope: dict[str, str]) -> None:
    if isinstance(value, Variable):
        if scope.get(value.name) != value.dtype:
            _fail(f"{value.name} is used as {value.dtype}, bound as {scope.get(value.name)}")
    elif isinstance(value, Argument):
        if not 0 <= value.position < len(kernel.scalars):
            _fail(f"scalar argument {value.position} of {len(kernel.scalars)}")
        if kernel.scalars[value.position] != value.dtype:
            _fail(f"scalar argument {value.position} is {kernel.scalars[value.position]}")
    elif isinstance(value, Load):
        _buffer(kernel, value.buffer, value.dtype)
        _index(kernel, value.index, scope)
    elif isinstance(value, Apply):
        for operand in value.operands:
            _expression(kernel, operand, scope)
    elif isinstance(value, RandomBits):
        for part in (value.seed, value.use, value.index):
            _index(kernel, part, scope)


def _buffer(kernel: Kernel, number: int, dtype: str, written: bool = False) -> None:
    own = [Buffer(local.dtype, written=True) for local in kernel.local]
    buffers = (*kernel.buffers, *own)
    if not 0 <= number < len(buffers):
        _fail(f"buffer {number} of {len(buffers)}")
    buffer = buffers[number]
    if buffer.dtype != dtype or (written and not buffer.written):
        _fail(f"buffer {number} is {buffer}, used as {dtype}{' for writing' if written else ''}")


def _index(kernel: Kernel, value: Expression, scope: dict[str, str]) -> None:
    _expression(kernel, value, scope)
    if value.dtype != "int64":
        _fail(f"an index must be int64, got {value.dtype}")


def _bind(scope: dict[str, str], name: str, dtype: str) -> None:
    if name in scope:
        _fail(f"{name} is bound twice")
    scope[name] = dtype


def _block(
    kernel: Kernel, body: tuple[Statement, ...], scope: dict[str, str], parallel: bool
) -> None:
    for statement in body:
        if isinstance(statement, Let):
            _expression(kernel, statement.value, scope)
            _bind(scope, statement.name, statement.value.dtype)
        elif isinstance(statement, Store):
            _index(kernel, statement.index, scope)
            _expression(kernel, statement.value, scope)
            _buffer(kernel, statement.buffer, statement.value.dtype, written=True)
        elif isinstance(statement, Check):
            for part in (statement.condition, statement.code, statement.position, statement.value):
                _expression(kernel, part, scope)
        elif isinstance(statement, Rows):
            _rows(kernel, statement, scope)
        elif isinstance(statement, Tile):
            _tile(kernel, statement, scope)
        else:
            _loop(kernel, statement, scope, parallel)


def _tile(kernel: Kernel, tile: Tile, scope: dict[str, str]) -> None:
    for value in (tile.start, tile.distance, tile.rows, tile.columns):
        _index(kernel, value, scope)
    array = _own(kernel, tile.local)
    side = 64 // np.dtype(array.dtype).itemsize
    if tile.pitch % side or array.elements % (side * tile.pitch):
        _fail(f"{array.elements} elements for rows of {tile.pitch}, in squares of {side}")
    _buffer(kernel, tile.buffer, array.dtype, written=False)


def _own(kernel: Kernel, local: int) -> Local:
    own = local - len(kernel.buffers)
    if not 0 <= own < len(kernel.local):
        _fail(f"array {own} of {len(kernel.local)}")
    return kernel.local[own]


def _rows(kernel: Kernel, rows: Rows, scope: dict[str, str]) -> None:
    for value in (rows.start, rows.distance, rows.rows, rows.columns):
        _index(kernel, value, scope)
    array = _own(kernel, rows.local)
    lanes = 64 // np.dtype(array.dtype).itemsize
    columns = int(rows.columns.value) if isinstance(rows.columns, Constant) else 1
    if array.elements < -(-columns // lanes) * lanes * lanes:
        _fail(f"{array.elements} elements for {columns} columns of {lanes} rows")
    _buffer(kernel, rows.buffer, array.dtype, written=rows.back)


def _loop(kernel: Kernel, loop: Loop, scope: dict[str, str], parallel: bool) -> None:
    axis = loop.axis
    _index(kernel, axis.start, scope)
    _index(kernel, axis.stop, scope)
    if axis.kind == PARALLEL and parallel:
        _fail(f"parallel axis {axis.name} inside another")
    if (axis.kind == REDUCING) != bool(loop.accumulators):
        _fail(f"axis {axis.name} is {axis.kind} with {len(loop.accumulators)} accumulators")
    if loop.carries and axis.kind != SEQUENTIAL:
        _fail(f"axis {axis.name} is {axis.kind} with {len(loop.carries)} carries")
    inner = dict(scope)
    _bind(inner, axis.name, "int64")
    for carry in loop.carries:
        _expression(kernel, carry.initial, scope)
        _bind(inner, carry.name, carry.initial.dtype)
    _block(kernel, loop.body, inner, parallel or axis.kind == PARALLEL)
    for carry in loop.carries:
        _expression(kernel, carry.value, inner)
        if carry.value.dtype != carry.initial.dtype:
            _fail(f"carry {carry.name} is {carry.initial.dtype}, takes {carry.value.dtype}")
    for accumulator in loop.accumulators:
        _accumulator(kernel, accumulator, scope, inner)


def _accumulator(
    kernel: Kernel, accumulator: Accumulator, scope: dict[str, str], inner: dict[str, str]
) -> None:
    _expression(kernel, accumulator.identity, scope)
    _expression(kernel, accumulator.value, inner)
    if accumulator.value.dtype != accumulator.dtype:
        _fail(
            f"accumulator {accumulator.name} is {accumulator.dtype}, takes "
            f"{accumulator.value.dtype}"
        )
    _bind(scope, accumulator.name, accumulator.dtype)
