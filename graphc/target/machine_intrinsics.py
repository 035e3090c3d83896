"""What the driver needs beyond kernels' primitives: raw memory, atomics, calls through addresses.

Addresses are int64. Atomic operations are sequentially consistent: the pool's hand-over of a region relies on the order of
stores to different words. Imports Numba; used only when the driver must be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

INT64 = ir.IntType(64)
INT32 = ir.IntType(32)
BYTE = ir.IntType(8)
_ORDER = "seq_cst"


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
            builder.call(cgutils.get_or_insert_function(builder.module, function, "llvm.x86.sse2.pause"), [])
        elif triple.startswith(("aarch64", "arm64")):
            function = ir.FunctionType(ir.VoidType(), [INT32])
            hint = cgutils.get_or_insert_function(builder.module, function, "llvm.aarch64.hint")
            builder.call(hint, [INT32(1)])
        return context.get_dummy_value()

    return types.none(), emit


def _c_function(name: str, arguments: int) -> Callable[..., Any]:
    """The C library's `name`, of int64 (or pointer) arguments, whose result is dropped."""
    given = (types.int64,) * arguments

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(INT32, [INT64] * arguments)
        builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)
        return context.get_dummy_value()

    result = types.none(*given)
    if arguments == 0:
        return intrinsic(lambda typing_context: (result, emit))  # type: ignore[no-any-return]
    if arguments == 1:
        return intrinsic(lambda typing_context, a: (result, emit))  # type: ignore[no-any-return]
    return intrinsic(lambda typing_context, a, b: (result, emit))  # type: ignore[no-any-return]


sched_yield = _c_function("sched_yield", 0)
mutex_lock = _c_function("pthread_mutex_lock", 1)
mutex_unlock = _c_function("pthread_mutex_unlock", 1)
condition_broadcast = _c_function("pthread_cond_broadcast", 1)
condition_wait = _c_function("pthread_cond_wait", 2)


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


def _call(result: Any, arguments: int) -> Callable[[Any, Any, Any, Any], Any]:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(result, [INT64] * arguments).as_pointer()
        value = builder.call(builder.inttoptr(args[0], function), args[1:])
        return context.get_dummy_value() if isinstance(result, ir.VoidType) else value

    return emit


@intrinsic
def call_kernel(typing_context: Any, kernel: Any, lo: Any, hi: Any, argv: Any, words: Any) -> Any:
    """Call the kernel at an address."""
    return types.none(*(types.int64,) * 5), _call(ir.VoidType(), 4)


@intrinsic
def call_part(typing_context: Any, function: Any, first: Any, second: Any, third: Any) -> Any:
    """Call another part of the driver: void(int64, int64, int64)."""
    return types.none(*(types.int64,) * 4), _call(ir.VoidType(), 3)


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


def _gemm(name: str, element: Any) -> Callable[..., Any]:
    @intrinsic
    def gemm(
        typing_context: Any, function: Any, trans_a: Any, trans_b: Any, m: Any, n: Any, k: Any,
        alpha: Any, a: Any, lda: Any, b: Any, ldb: Any, beta: Any, c: Any, ldc: Any,
    ) -> Any:  # fmt: skip
        """Fortran's gemm (column-major): every argument by address; alpha and beta are float64 bits."""

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            passed = [_by_address(builder, number, value, element) for number, value in enumerate(args[1:])]
            function = ir.FunctionType(ir.VoidType(), [value.type for value in passed]).as_pointer()
            builder.call(builder.inttoptr(args[0], function), passed)
            return context.get_dummy_value()

        return types.none(*(types.int64,) * 14), emit

    return gemm  # type: ignore[no-any-return]


_GEMM_FLAGS, _GEMM_SCALARS, _GEMM_ARRAYS = (0, 1), (5, 10), (6, 8, 11)


def _by_address(builder: Any, position: int, value: Any, element: Any) -> Any:
    if position in _GEMM_ARRAYS:
        return builder.inttoptr(value, element.as_pointer())
    if position in _GEMM_FLAGS:
        letters = BYTE(ord("T")), BYTE(ord("N"))
        held = builder.select(builder.icmp_signed("!=", value, INT64(0)), *letters)
    elif position in _GEMM_SCALARS:
        wide = builder.bitcast(value, ir.DoubleType())
        held = wide if element == ir.DoubleType() else builder.fptrunc(wide, element)
    else:
        held = builder.trunc(value, INT32)
    return cgutils.alloca_once_value(builder, held)


call_sgemm = _gemm("sgemm", ir.FloatType())
call_dgemm = _gemm("dgemm", ir.DoubleType())
