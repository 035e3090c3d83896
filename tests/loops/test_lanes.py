"""Short rows are computed side by side; what comes out is what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.compiler import kernels
from graphc.errors import IndexRangeError
from graphc.loops.ir import (
    HI,
    LO,
    PARALLEL,
    REDUCING,
    Accumulator,
    Apply,
    Argument,
    Axis,
    Buffer,
    Check,
    Constant,
    Expression,
    Kernel,
    Load,
    Loop,
    Rows,
    Statement,
    Store,
    Variable,
)
from graphc.loops.lanes import rows_in_lanes
from graphc.loops.verify import verify
from tests.target.fence import Fenced
from tests.target.front_ends import same_bits

ZERO = Constant(0, "int64")
ROW, PLACE, LENGTH = Variable("i", "int64"), Variable("j", "int64"), Argument(0, "int64")
LONGER = (48, 63, 64, 65, 100, 127, 128, 200, 256)


# ---- which rows


def index(row: Expression = ROW, column: Expression = PLACE) -> Expression:
    return Apply("add", (Apply("multiply", (row, LENGTH), "int64"), column), "int64")


def largest(place: Expression, count: Expression = LENGTH) -> Loop:
    """The largest exponential of a row."""
    value = Apply("exp", (Load(0, place, "float32"),), "float32")
    total = Accumulator("t", "maximum", value, Constant(0.0, "float32"), "float32")
    return Loop(Axis("j", ZERO, count, REDUCING), (), (total,))


def kernel(*body: Statement) -> Kernel:
    """A kernel of three buffers: a parallel loop over i around `body`."""
    buffers = (Buffer("float32", False), Buffer("float32", True), Buffer("int64", False))
    made = Kernel(buffers, ("int64",), (Loop(Axis("i", ZERO, ZERO, PARALLEL), body),))
    verify(made)
    return made


STORE = Store(1, ROW, Variable("t", "float32"))


def moved(made: Kernel) -> list[Rows]:
    block = made.body[0]
    assert isinstance(block, Loop)
    return [each for each in block.body if isinstance(each, Rows)]


def test_rows_of_a_known_length_are_turned() -> None:
    made = rows_in_lanes(kernel(largest(index()), STORE), {0: 20})
    verify(made)
    (rows,) = moved(made)
    assert (rows.buffer, rows.columns, rows.back) == (0, Constant(20, "int64"), False)
    assert rows.distance == Constant(20, "int64")


@pytest.mark.parametrize(
    "reason, given, sizes, rows",
    [
        ("so few columns that they are written out", [largest(index())], {0: 8}, 0),
        ("vectors enough along a row", [largest(index())], {0: 257}, 0),
        ("hardly any rows", [largest(index())], {0: 20}, 5),
        ("columns that lie apart", [largest(index(PLACE, ROW))], {0: 20}, 0),
        ("rows somewhere", [largest(index(Load(2, ROW, "int64")))], {0: 20}, 0),
        ("nothing to reduce", [], {0: 20}, 0),
    ],
)
def test_rows_that_stay(
    reason: str, given: list[Statement], sizes: dict[int, int], rows: int
) -> None:
    del reason
    store = STORE if given else Store(1, ROW, Constant(0.0, "float32"))
    made = kernel(*given, store)
    assert rows_in_lanes(made, sizes, rows) is made


def test_rows_of_any_length_have_both() -> None:
    """The blocks are none where a row is long, else the rows."""
    made = rows_in_lanes(kernel(largest(index()), STORE), {})
    verify(made)
    blocks, rows = made.body
    assert isinstance(blocks, Loop)
    assert isinstance(rows, Loop)
    few = Apply("less_equal", (LENGTH, Constant(256, "int64")), "bool")
    assert isinstance(blocks.axis.stop, Apply)
    assert blocks.axis.stop.operands[::2] == (few, ZERO)
    assert rows.axis.start == Apply("where", (few, HI, LO), "int64")
    assert rows.body == (largest(index()), STORE)


def test_checked_rows_are_turned_however_short() -> None:
    """A check keeps the loop over rows from being one of vectors."""
    label = Load(2, ROW, "int64")
    check = Check(Apply("less", (label, LENGTH), "bool"), ZERO, ROW, label)
    made = rows_in_lanes(kernel(largest(index()), check, STORE), {0: 3})
    verify(made)
    assert len(moved(made)) == 1


# ---- what comes out


def programs(columns: int, dtype: str) -> dict[str, tuple[list[Any], list[Any]]]:
    """Inputs and outputs that reduce rows, several times and of several types."""
    x, t = gx.input("x", ("n", columns), dtype), gx.input("t", ("n",), "int64")
    b = gx.input("b", (columns,), dtype)
    mask = gx.input("mask", ("n", columns), "bool")
    total = gx.logsumexp(x, axis=1)
    loss = gx.nn.softmax_cross_entropy(x, t)
    mean = gx.mean(x, axis=1, keepdims=True)
    around = x - mean
    spread = gx.sqrt(gx.mean(around * around, axis=1, keepdims=True) + 1e-5)
    chosen = gx.where(mask, x, gx.min(x, axis=1, keepdims=True))
    return {
        "softmax": ([x], [gx.nn.softmax(x)]),
        "logsumexp": ([x], [total, gx.grad(gx.sum(total), [x])[0]]),
        "cross-entropy": ([x, t], [loss, gx.grad(gx.mean(loss), [x])[0]]),
        "norm": ([x, b], [around / spread * b]),
        "places": ([x], [gx.argmax(x, axis=1), gx.argmin(x, axis=1), gx.max(x, axis=1)]),
        "masked": ([x, mask], [gx.nn.softmax(chosen), gx.sum(gx.exp(chosen), axis=1)]),
    }


def arguments(inputs: list[Any], rows: int, columns: int) -> list[np.ndarray]:
    """Ordinary rows, and in the middle some with infinities, NaN and equal elements."""
    random = np.random.default_rng(rows)
    x = 3 * random.normal(size=(rows, columns))
    if rows > 8:
        x[2, columns // 2], x[3, -1], x[4], x[5, 0], x[6] = -np.inf, np.nan, -np.inf, np.inf, 1.5
    values = {
        "x": x, "t": random.integers(0, columns, rows), "b": random.normal(size=columns),
        "mask": random.random((rows, columns)) < 0.5,
    }  # fmt: skip
    return [values[each.name].astype(str(each.dtype)) for each in inputs]


def compiled_without(inputs: list[Any], outputs: list[Any], monkeypatch: Any) -> gx.Function:
    """A program whose rows are left as they are."""
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "rows_in_lanes", lambda given, sizes, rows: given)
        return gx.compile(inputs, outputs)


def check(
    columns: int, dtype: str, names: list[str], counts: tuple[int, ...], monkeypatch: Any
) -> None:
    tolerance = 3e-5 if dtype == "float32" else 1e-12
    for name in names:
        inputs, outputs = programs(columns, dtype)[name]
        turned = gx.compile(inputs, outputs)
        kept = compiled_without(inputs, outputs, monkeypatch)
        for rows in counts:
            given = arguments(inputs, rows, columns)
            for one, other in zip(turned(*given), kept(*given), strict=True):
                label = f"{name} of {rows} x {columns} {dtype}"
                np.testing.assert_allclose(one, other, tolerance, tolerance, err_msg=label)


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [*range(1, 41), *LONGER])
def test_all_lengths(columns: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(columns, dtype, list(programs(1, dtype)), (0, 1, 15, 16, 37), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [*range(1, 41), *LONGER])
def test_lengths(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs of each length, others at the next one."""
    dtype = "float64" if columns % 3 == 0 else "float32"
    names = list(programs(1, dtype))
    chosen = [names[columns % len(names)], names[(columns + 3) % len(names)]]
    check(columns, dtype, chosen, (16, 37), monkeypatch)


@pytest.mark.parametrize("name", list(programs(1, "float32")))
def test_some_lengths(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(20, "float32", [name], (0, 1, 37), monkeypatch)
    check(9, "float64", [name], (23,), monkeypatch)


def test_a_length_known_at_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """One program for short rows, for long ones, and for none."""
    x, t = gx.input("x", ("n", "k")), gx.input("t", ("n",), "int64")
    loss = gx.nn.softmax_cross_entropy(x, t)
    outputs = [loss, gx.grad(gx.mean(loss), [x])[0]]
    turned, kept = gx.compile([x, t], outputs), compiled_without([x, t], outputs, monkeypatch)
    for columns in (1, 2, 9, 31, 255, 256, 257, 300):
        for rows in (0, 1, 17, 37):
            given = arguments([x, t], rows, columns)
            for one, other in zip(turned(*given), kept(*given), strict=True):
                np.testing.assert_allclose(one, other, 3e-5, 3e-5, err_msg=f"{rows} x {columns}")


def test_a_row_gives_the_same_bits_wherever_it_lies() -> None:
    """Alone, in a full block or in a rest: what other lanes hold does not matter."""
    x = gx.input("x", ("n", 21))
    softmax = gx.compile(x, gx.nn.softmax(x))
    rows = np.random.default_rng(0).normal(size=(53, 21)).astype(np.float32)
    rows[7] = np.nan
    together = softmax(rows)
    for row in (0, 6, 7, 8, 15, 16, 47, 48, 52):
        same_bits(softmax(rows[row : row + 1])[0], together[row])


def test_the_front_ends_agree() -> None:
    """The order of additions is in the text, so compilers have no say in it."""
    for columns, dtype in ((17, "float32"), (10, "float64")):
        for name in ("cross-entropy", "masked"):
            inputs, outputs = programs(columns, dtype)[name]
            given = arguments(inputs, 37, columns)
            one, other = (gx.compile(inputs, outputs, target=t) for t in ("cpu", "numba"))
            for a, b in zip(one(*given), other(*given), strict=True):
                same_bits(a, b, f"{name} of {columns} {dtype}")


def test_the_first_wrong_label_is_reported() -> None:
    """Row by row, whatever is computed side by side, and with rows that stand for missing ones."""
    x, t = gx.input("x", ("n", 11)), gx.input("t", ("n",), "int64")
    loss = gx.compile([x, t], gx.nn.softmax_cross_entropy(x, t))
    values, labels = np.zeros((37, 11), np.float32), np.zeros(37, np.int64)
    for wrong in (36, 20, 3):
        labels[wrong] = 11 + wrong
        with pytest.raises(IndexRangeError, match=f"{11 + wrong}"):
            loss(values, labels)


def test_memory_behind_the_last_row_is_not_read() -> None:
    """The rows end where memory does."""
    x = gx.input("x", ("n", 19))
    total = gx.compile(x, gx.logsumexp(x, axis=1))
    fence = Fenced(at_the_end=True)
    rows = fence.array(21 * 19, "float32").reshape(21, 19)
    rows[:] = np.random.default_rng(0).normal(size=rows.shape)
    expected = np.log(np.exp(rows.astype(np.float64)).sum(1))
    np.testing.assert_allclose(total(rows), expected, rtol=1e-6)
