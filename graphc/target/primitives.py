"""The primitives that emitted kernels import, in pure Python over NumPy numbers and raw memory.

A kernel is `kernel(lo, hi, argv, context)`. `argv` and `context` are addresses of tables of int64
cells; a cell of `argv` holds a buffer's address, an integer, or the bits of a float64.
`native_primitives` holds the native versions of the same names, which give the same bits. A kernel
as a whole may differ in the last place: compiled, its own products and sums are
fused, and reductions add in another order.

Values are NumPy scalars; operands of one operation have one dtype. Nothing here warns or raises for
a number: 1 / 0 is infinite, a NaN cast to an integer is 0, an integer divided by 0 is 0.

>>> from graphc.target.primitives import divide, exp, float32, int32
>>> divide(float32(1), float32(0)), int32(float32(-1e30)), exp(float32(-100))
(np.float32(inf), np.int32(-2147483648), np.float32(3.8e-44))
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ops.philox import WORD_NAMES, random_words
from graphc.target import decompositions, vmath
from graphc.target.arithmetic import NUMPY_MACHINES, Value, silent
from graphc.target.lapack import LAPACK
from graphc.target.linear_solve import lu_factor_columns, lu_solve_columns
from graphc.target.pointer import Pointer
from graphc.target.row_moves import lanes_to_rows, rows_to_columns, rows_to_lanes

CELL = 8  # bytes


def _cell(table: int, index: int) -> int:
    return ctypes.c_int64.from_address(table + CELL * index).value


def _pointer(name: str) -> Callable[[int, int], Pointer]:
    dtype = np.dtype(name)

    def pointer(argv: int, slot: int) -> Pointer:
        return Pointer(_cell(argv, slot), dtype)

    pointer.__name__ = pointer.__qualname__ = f"{name}_pointer"
    pointer.__doc__ = f"The {name} buffer whose address is in argument cell `slot`."
    return pointer


def _array(name: str) -> Callable[[int], Pointer]:
    dtype = np.dtype(name)

    def array(count: int) -> Pointer:
        own = np.empty(count, dtype)
        pointer = Pointer(own.ctypes.data, dtype)
        pointer.owner = own
        return pointer

    array.__name__ = array.__qualname__ = f"{name}_array"
    array.__doc__ = f"An array of `count` {name} of the kernel's own, not initialised."
    return array


def integer(argv: int, slot: int) -> int:
    """The integer in argument cell `slot`."""
    return _cell(argv, slot)


def float64_value(argv: int, slot: int) -> np.float64:
    """The float64 whose bits are in argument cell `slot`."""
    return np.float64(ctypes.c_double.from_address(argv + CELL * slot).value)


def float32_value(argv: int, slot: int) -> np.float32:
    """The float64 in argument cell `slot`, rounded to float32."""
    with np.errstate(all="ignore"):
        return np.float32(float64_value(argv, slot))


def context_word(context: int, index: int) -> int:
    """Word `index` of the context."""
    return _cell(context, index)


def fail(context: int, code: int, detail: int) -> None:
    """Note a failure in words 0 and 1 of the context, unless one is there."""
    status = ctypes.c_int64.from_address(context)
    if status.value == 0:
        status.value = int(code)
        ctypes.c_int64.from_address(context + CELL).value = int(detail)


def index_detail(position: int, value: int) -> int:
    """The word that reports an index: position * 2**32 + value + 2**31, value cut to int32."""
    return (int(position) << 32) + min(max(int(value), -(2**31)), 2**31 - 1) + 2**31


def fail_index(context: int, code: int, position: int, value: int) -> None:
    """Note that the index `value` at `position` is out of range, unless a failure is there."""
    fail(context, code, index_detail(position, value))


def _cast(name: str) -> Callable[[Any], Any]:
    dtype = np.dtype("bool" if name == "boolean" else name)

    def to_integer(x: Any) -> Any:
        if isinstance(x, float | np.floating):
            limits = np.iinfo(dtype)
            return dtype.type(0 if x != x else int(max(limits.min, min(limits.max, x))))
        # Wraps around, like the machine's integers.
        return np.int64(int(x) % 2**64 - (2**64 if int(x) % 2**64 >= 2**63 else 0)).astype(dtype)

    def to_other(x: Any) -> Any:
        return dtype.type(x)

    convert = silent(to_integer if dtype.kind in "iu" else to_other)
    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"x as {dtype.name}."
    return convert


@silent
def divide(a: Value, b: Value) -> Value:
    """a / b of floats, by IEEE 754: 1 / 0 is infinite, 0 / 0 is NaN."""
    return np.divide(a, b)


def _division(name: str, text: Callable[..., Value]) -> Callable[..., Value]:
    floats, integers = _elementary(name, text), silent(getattr(np, name))

    def function(a: Value, b: Value) -> Value:
        return (floats if isinstance(a, float | np.floating) else integers)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text.__doc__} An integer by 0 gives 0."
    return function


def bitwise_and(a: Value, b: Value) -> Value:
    """The bits that both integers have."""
    return np.bitwise_and(a, b)


def bitwise_or(a: Value, b: Value) -> Value:
    """The bits that one of two integers has."""
    return np.bitwise_or(a, b)


def bitwise_xor(a: Value, b: Value) -> Value:
    """The bits in which two integers differ."""
    return np.bitwise_xor(a, b)


def bitwise_invert(x: Value) -> Value:
    """The bits that an integer has not."""
    return np.invert(x)


def bitwise_left_shift(a: Value, b: Value) -> Value:
    """The bits of a moved b places up; 0 for a b outside the width."""
    return np.left_shift(a, b)


def bitwise_right_shift(a: Value, b: Value) -> Value:
    """The bits of a moved b places down; its sign for a b outside the width."""
    return np.right_shift(a, b)


def logical_and(a: Value, b: Value) -> Value:
    """Whether neither is 0."""
    return np.logical_and(a, b)


def logical_or(a: Value, b: Value) -> Value:
    """Whether one is not 0."""
    return np.logical_or(a, b)


def logical_not(x: Value) -> Value:
    """Whether x is 0."""
    return np.logical_not(x)


def select(condition: Value, a: Value, b: Value) -> Value:
    """a where the condition holds, else b; both are already computed."""
    return a if condition else b


def maximum(a: Value, b: Value) -> Value:
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


def minimum(a: Value, b: Value) -> Value:
    """The smaller; NaN if either is."""
    return a if a < b or a != a else b


def maximum_reassociating(a: Value, b: Value) -> Value:
    """`maximum` as a term of a reduction whose order is free; 0 is above -0."""
    return a if a > b or a != a or (a == b and not np.signbit(a)) else b


def minimum_reassociating(a: Value, b: Value) -> Value:
    """`minimum` as a term of a reduction whose order is free; -0 is below 0."""
    return a if a < b or a != a or (a == b and np.signbit(a)) else b


@silent
def add_reassociating(a: Value, b: Value) -> Value:
    """a + b as a term of a sum whose order is free."""
    return a + b


@silent
def multiply_reassociating(a: Value, b: Value) -> Value:
    """a * b as a factor of a product whose order is free."""
    return a * b


@silent
def absolute(x: Value) -> Value:
    """The size of x, without its sign."""
    return np.abs(x)


def sign(x: Value) -> Value:
    """-1, 0 or 1; NaN of NaN."""
    return np.sign(x)


def floor(x: Value) -> Value:
    """The largest integer not above x, in x's dtype."""
    return np.floor(x) if isinstance(x, float | np.floating) else x


def ceil(x: Value) -> Value:
    """The smallest integer not below x, in x's dtype."""
    return np.ceil(x) if isinstance(x, float | np.floating) else x


def isnan(x: Value) -> Value:
    """Whether x is NaN."""
    return np.isnan(x)


def isfinite(x: Value) -> Value:
    """Whether x is neither infinite nor NaN."""
    return np.isfinite(x)


def _random_bits(word: int) -> Callable[[int, int, int, int], np.uint32]:
    def random_bits(key: int, use: int, step: int, index: int) -> np.uint32:
        return np.uint32(random_words(int(key), int(use), int(step), int(index), word))

    random_bits.__name__ = random_bits.__qualname__ = WORD_NAMES[word]
    random_bits.__doc__ = (
        f"32 random bits, word {word} of four, a function of four integers of 64 bits "
        f"(Philox-4x32-10)."
    )
    return random_bits


def from_element(pointer: Pointer, index: int) -> Pointer:
    """The memory of `pointer` from its element `index` on."""
    return Pointer(pointer.address + int(index) * pointer.dtype.itemsize, pointer.dtype)


def lu_factor(n: int, matrix: Pointer, pivots: Pointer) -> int:
    """LAPACK's getrf on a column-major n x n matrix, in place.

    L (unit diagonal, not stored) and U replace the matrix; `pivots` (int32) gets the 1-based row
    that each row was swapped with. Returns 0, or k when U[k, k] (1-based) is exactly 0.
    """
    return lu_factor_columns(matrix.array(n, n), pivots.array(n))


def lu_solve(n: int, nrhs: int, matrix: Pointer, right: Pointer, pivots: Pointer) -> int:
    """LAPACK's getrs: solve A X = B in place, from the result of `lu_factor`.

    `right` is column-major, n x nrhs: each column is one right side, then its solution. Returns 0.
    """
    return lu_solve_columns(matrix.array(n, n), right.array(nrhs, n), pivots.array(n))


def _elementary(name: str, text: Callable[..., Value]) -> Callable[..., Value]:
    @silent
    def function(*operands: Value) -> Value:
        numbers = [np.float64(x) if type(x) is float else x for x in operands]
        return text(NUMPY_MACHINES[8 * numbers[0].dtype.itemsize], *numbers)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text.__doc__
    return function


_BUFFERS = ("bool", "uint8", "int32", "uint32", "int64", "float32", "float64")

PRIMITIVES: dict[str, Callable[..., Any]] = {
    **{f"{name}_pointer": _pointer(name) for name in _BUFFERS},
    **{f"{name}_array": _array(name) for name in _BUFFERS},
    **{name: _cast("boolean" if name == "bool" else name) for name in _BUFFERS[1:]},
    "boolean": _cast("boolean"),
    **{name: _random_bits(word) for word, name in enumerate(WORD_NAMES)},
    **{name: _elementary(name, text) for name, text in vmath.UNARY.items()},
    **{name: _elementary(name, text) for name, text in vmath.BINARY.items()},
    **{name: _division(name, text) for name, text in vmath.DIVISION.items()},
    **{
        function.__name__: function
        for function in (
            integer, float32_value, float64_value, context_word, fail, fail_index,
            bitwise_and, bitwise_or, bitwise_xor, bitwise_invert, bitwise_left_shift,
            bitwise_right_shift, divide, logical_and, logical_or, logical_not, select,
            maximum, minimum, maximum_reassociating, minimum_reassociating,
            add_reassociating, multiply_reassociating, absolute, sign, floor, ceil, isnan, isfinite,
            from_element, rows_to_lanes, lanes_to_rows, rows_to_columns, lu_factor, lu_solve,
        )
    },
    **{name: getattr(decompositions, name) for name in LAPACK if not name.startswith("lu_")},
}  # fmt: skip
"""Every name that a kernel may import, with its meaning in Python."""

PRIMITIVE_NAMES = frozenset(PRIMITIVES)


def __getattr__(name: str) -> Callable[..., Any]:
    """Lets an emitted module import what is only in the table (`float32`, `exp`, ...)."""
    try:
        return PRIMITIVES[name]
    except KeyError:
        raise AttributeError(f"no primitive is called {name!r}") from None
