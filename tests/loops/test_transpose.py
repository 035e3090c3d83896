"""What a tile reads across is read along its lines into an array of the kernel's own."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.loops.ir import (
    SEQUENTIAL,
    Apply,
    Argument,
    Axis,
    Buffer,
    Constant,
    Expression,
    Kernel,
    Load,
    Local,
    Loop,
    Store,
    Tile,
    Variable,
)
from graphc.loops.transpose import transpose
from graphc.loops.verify import verify

ZERO, LENGTH, WIDTH = Constant(0, "int64"), Argument(0, "int64"), Argument(1, "int64")
ROW, COLUMN = Variable("i", "int64"), Variable("j", "int64")
ALONG = Apply("add", (Apply("multiply", (ROW, LENGTH), "int64"), COLUMN), "int64")
ACROSS = Apply("add", (Apply("multiply", (COLUMN, WIDTH), "int64"), ROW), "int64")


def tile(index: Expression, most: int = 8, dtype: str = "float32", source: int = 0) -> Kernel:
    """A kernel of one tile that copies what lies at `index`."""
    inner = Loop(
        Axis("j", ZERO, LENGTH, SEQUENTIAL, most), (Store(1, ALONG, Load(source, index, dtype)),)
    )
    outer = Loop(Axis("i", ZERO, WIDTH, SEQUENTIAL, most), (inner,))
    once = Loop(Axis("b", ZERO, Constant(1, "int64"), SEQUENTIAL), (outer,))
    kernel = Kernel((Buffer(dtype, False), Buffer(dtype, True)), ("int64", "int64"), (once,))
    verify(kernel)
    return kernel


def test_what_is_read_across_is_read_along_first() -> None:
    made = transpose(tile(ACROSS))
    verify(made)
    assert made.local == (Local("float32", 256),)  # a whole square
    (once,) = made.body
    assert isinstance(once, Loop)
    fill, _ = once.body
    nothing_left = [Apply("subtract", (length, ZERO), "int64") for length in (LENGTH, WIDTH)]
    assert fill == Tile(2, 0, ZERO, WIDTH, *nothing_left, pitch=16)


def test_bytes_are_read_along_one_by_one() -> None:
    """There are no squares of them in registers."""
    made = transpose(tile(ACROSS, dtype="uint8"))
    verify(made)
    (once,) = made.body
    assert isinstance(once, Loop)
    fill, _ = once.body
    assert isinstance(fill, Loop)
    (along,) = fill.body
    assert isinstance(along, Loop)
    assert (fill.axis.name, along.axis.name) == ("j", "i")


@pytest.mark.parametrize(
    "kernel",
    [
        tile(ALONG),
        tile(ACROSS, most=0),  # of any size
        tile(ACROSS, source=1),  # written by the same loops
        tile(ACROSS, most=128, dtype="float64"),  # too large
    ],
)
def test_other_loops_stay(kernel: Kernel) -> None:
    assert transpose(kernel) is kernel


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("target", ["cpu", "python"])
def test_every_dtype_has_arrays(dtype: str, target: str) -> None:
    """Several operands read across, more than there is room for, next to plain ones."""
    shape = (70, 33) if target == "cpu" else (18, 19)
    random = np.random.default_rng(0)
    values = [random.integers(0, 2, shape).astype(dtype) for _ in range(5)]
    inputs = [gx.input(f"x{n}", ("n", "m"), dtype=dtype) for n in range(5)]
    turned = inputs[0].T
    wanted = values[0].T
    for each, value in zip(inputs[1:], values[1:], strict=True):
        turned, wanted = gx.maximum(turned, each.T), np.maximum(wanted, value.T)
    function = gx.compile(inputs, turned, target=target)
    np.testing.assert_array_equal(function(*values), wanted)
    (kernel,) = function.kernels
    name = "bool" if dtype == "bool" else dtype
    assert f"{name}_array" in kernel.source
