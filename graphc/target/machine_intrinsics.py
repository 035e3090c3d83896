"""What the driver needs beyond kernels' primitives: raw memory, atomics, calls through addresses.

Addresses are int64. Atomic operations are sequentially consistent: the pool's hand-over of a
region relies on the order of stores to different words. Imports Numba; used only when the driver
must be compiled.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numba.extending
from llvmlite import ir
from numba.core import cgutils, types

from graphc.target.numba_codegen import Function

INT64 = ir.IntType(64)
INT32 = ir.IntType(32)
BYTE = ir.IntType(8)
_ORDER = "seq_cst"


def intrinsic(typing: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's intrinsic, seen as what compiled text calls: without the typing context."""
    made: Callable[..., Any] = numba.extending.intrinsic(typing)
    return made


def of_integers(signature: Any, emit: Callable[[Any, Any, Any, Any], Any]) -> Callable[..., Any]:
    """An intrinsic with one typing, for as many arguments as its signature has."""

    def typing(typing_context: Any, *arguments: Any) -> Any:
        return signature, emit

    names = ["typing_context", *(f"a{position}" for position in range(len(signature.args)))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    # Numba matches a call with the parameters it sees here.
    shown = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    typing.__signature__ = shown  # type: ignore[attr-defined]
    return intrinsic(typing)


_PART_PREFIX = "graphc_part_"


class _Part(NamedTuple):
    """A function of integers, written for other native functions to call."""

    function: Callable[..., Any]
    signature: Any


_parts: dict[str, _Part] = {}


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Names a piece of a longer native function: int64 arguments, an int64 result or `-> None`.

    Each piece is compiled by itself and put into its callers by LLVM. Numba could inline too, in
    its own intermediate code: that took three times as long.
    """
    count = function.__code__.co_argcount
    result = types.none if function.__annotations__["return"] == "None" else types.int64
    signature = result(*(types.int64,) * count)
    _parts[function.__name__] = _Part(function, signature)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        returned = ir.VoidType() if result == types.none else INT64
        shape = ir.FunctionType(returned, [INT64] * count)
        name = _PART_PREFIX + function.__name__
        value = builder.call(cgutils.get_or_insert_function(builder.module, shape, name), args)
        return context.get_dummy_value() if result == types.none else value

    return of_integers(signature, emit)


def parts_of(function: Callable[..., Any]) -> list[Function]:
    """Every piece that `function` calls, directly or through others."""
    found: dict[str, Function] = {}
    waiting = [function]
    while waiting:
        for name in waiting.pop().__code__.co_names:
            if name in _parts and name not in found:
                body, signature = _parts[name]
                symbol = _PART_PREFIX + name
                found[name] = Function(body, symbol, signature.args, signature.return_type)
                waiting.append(body)
    return list(found.values())


def _place(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, INT64.as_pointer())


@intrinsic
def load_word(typing_context: Any, address: Any) -> Any:
    """The int64 at `address`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_place(builder, args[0]))

    return types.int64(types.int64), emit


@intrinsic
def store_word(typing_context: Any, address: Any, value: Any) -> Any:
    """Write an int64 at `address`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _place(builder, args[0]))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def load_byte(typing_context: Any, address: Any) -> Any:
    """The unsigned byte at `address`, as int64."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = builder.load(builder.inttoptr(args[0], BYTE.as_pointer()))
        return builder.zext(byte, INT64)

    return types.int64(types.int64), emit


@intrinsic
def atomic_load(typing_context: Any, address: Any) -> Any:
    """The int64 at `address`, in order with all other atomic operations."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(builder, args[0]), _ORDER, 8)

    return types.int64(types.int64), emit


@intrinsic
def atomic_store(typing_context: Any, address: Any, value: Any) -> Any:
    """Write an int64 at `address`, in order with all other atomic operations."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _place(builder, args[0]), _ORDER, 8)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def atomic_add(typing_context: Any, address: Any, value: Any) -> Any:
    """Add to the int64 at `address`; the result is what was there before."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, args[0]), args[1], _ORDER)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def compare_exchange(typing_context: Any, address: Any, expected: Any, value: Any) -> Any:
    """Replace the int64 at `address` if it is `expected`; whether it was."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(builder, args[0])
        pair = builder.cmpxchg(place, args[1], args[2], _ORDER, _ORDER)
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def pause(typing_context: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        triple = builder.module.triple
        if triple.startswith(("x86_64", "i686")):
            function = ir.FunctionType(ir.VoidType(), [])
            hint = cgutils.get_or_insert_function(builder.module, function, "llvm.x86.sse2.pause")
            builder.call(hint, [])
        elif triple.startswith(("aarch64", "arm64")):
            function = ir.FunctionType(ir.VoidType(), [INT32])
            hint = cgutils.get_or_insert_function(builder.module, function, "llvm.aarch64.hint")
            builder.call(hint, [INT32(1)])
        return context.get_dummy_value()

    return types.none(), emit


def _c_function(name: str, arguments: int, linux_only: bool = False) -> Callable[..., Any]:
    """The C library's `int name(...)` of integers and addresses; -1 where it is not there."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if linux_only and "linux" not in builder.module.triple:
            return INT64(-1)
        function = ir.FunctionType(INT32, [INT64] * arguments)
        called = cgutils.get_or_insert_function(builder.module, function, name)
        return builder.sext(builder.call(called, args), INT64)

    return of_integers(types.int64(*(types.int64,) * arguments), emit)


sched_yield = _c_function("sched_yield", 0)
clock_gettime = _c_function("clock_gettime", 2)
sleep_microseconds = _c_function("usleep", 1)
mutex_lock = _c_function("pthread_mutex_lock", 1)
mutex_unlock = _c_function("pthread_mutex_unlock", 1)
condition_signal = _c_function("pthread_cond_signal", 1)
condition_wait = _c_function("pthread_cond_wait", 2)
current_processor = _c_function("sched_getcpu", 0, linux_only=True)
get_affinity = _c_function("sched_getaffinity", 3, linux_only=True)
set_affinity = _c_function("sched_setaffinity", 3, linux_only=True)


@intrinsic
def copy_bytes(typing_context: Any, to: Any, source: Any, count: Any) -> Any:
    """C's memmove."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = BYTE.as_pointer()
        function = ir.FunctionType(ir.VoidType(), [pointer, pointer, INT64, ir.IntType(1)])
        name = "llvm.memmove.p0.p0.i64"
        to, source = (builder.inttoptr(address, pointer) for address in args[:2])
        move = cgutils.get_or_insert_function(builder.module, function, name)
        builder.call(move, [to, source, args[2], ir.IntType(1)(0)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), emit


@intrinsic
def fill_zero(typing_context: Any, to: Any, count: Any) -> Any:
    """C's memset with 0."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cgutils.memset(builder, builder.inttoptr(args[0], BYTE.as_pointer()), args[1], 0)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


def _call_address(arguments: int) -> Callable[..., Any]:
    """Call a void function of that many integers at an address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [INT64] * arguments).as_pointer()
        builder.call(builder.inttoptr(args[0], function), args[1:])
        return context.get_dummy_value()

    return of_integers(types.none(*(types.int64,) * (arguments + 1)), emit)


call_kernel = _call_address(4)  # (kernel, lo, hi, argv, context)
call_part = _call_address(3)  # another part of the driver, by its address


@intrinsic
def call_set_threads(typing_context: Any, function: Any, count: Any) -> Any:
    """Call BLAS's void set_num_threads(int)."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [INT32]).as_pointer()
        builder.call(builder.inttoptr(args[0], function), [builder.trunc(args[1], INT32)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def call_get_threads(typing_context: Any, function: Any) -> Any:
    """Call BLAS's int get_num_threads()."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(INT32, []).as_pointer()
        return builder.sext(builder.call(builder.inttoptr(args[0], function), []), INT64)

    return types.int64(types.int64), emit


# How BLAS takes its arguments, all by address: t a flag to transpose, i an integer, s a scalar,
# a an array.
_GEMM_SHAPE = "ttiiisaiaisai"
_GEMV_SHAPE = "tiisaiaisai"


def _by_address(builder: Any, shape: str, value: Any, element: Any) -> Any:
    if shape == "a":
        return builder.inttoptr(value, element.as_pointer())
    if shape == "t":
        transposed = builder.icmp_signed("!=", value, INT64(0))
        held = builder.select(transposed, BYTE(ord("T")), BYTE(ord("N")))
    elif shape == "s":
        wide = builder.bitcast(value, ir.DoubleType())
        held = wide if element == ir.DoubleType() else builder.fptrunc(wide, element)
    else:
        held = builder.trunc(value, INT32)
    return cgutils.alloca_once_value(builder, held)


def _fortran(shapes: str, element: Any) -> Callable[..., Any]:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = zip(shapes, args[1:], strict=True)
        passed = [_by_address(builder, shape, value, element) for shape, value in values]
        function = ir.FunctionType(ir.VoidType(), [value.type for value in passed]).as_pointer()
        builder.call(builder.inttoptr(args[0], function), passed)
        return context.get_dummy_value()

    return of_integers(types.none(*(types.int64,) * (len(shapes) + 1)), emit)


# Column-major BLAS; alpha and beta are the bits of a float64.
# (function, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
call_sgemm = _fortran(_GEMM_SHAPE, ir.FloatType())
call_dgemm = _fortran(_GEMM_SHAPE, ir.DoubleType())
# (function, trans, m, n, alpha, a, lda, x, step_x, beta, y, step_y)
call_sgemv = _fortran(_GEMV_SHAPE, ir.FloatType())
call_dgemv = _fortran(_GEMV_SHAPE, ir.DoubleType())
