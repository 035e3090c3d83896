"""What Python's operators and NumPy's functions mean for nodes: `x + y`, `np.exp(x)`, `x[i]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc.ops.array_functions as arrays
import graphc.ops.elementwise_functions as elements
import graphc.ops.keys as keys
import graphc.ops.linalg as linalg
import graphc.ops.routine as routine
import graphc.ops.special as special
import graphc.ops.updates as updates
from graphc.errors import DTypeError
from graphc.ir.node import OPERATORS, Node
from graphc.ir.shape import TupleType
from graphc.ir.site import at_user_line

Table = dict[str, Callable[..., Any]]


def _named(names: str) -> Table:
    """Public functions by their names."""
    return {
        name: getattr(elements if hasattr(elements, name) else arrays, name)
        for name in names.split()
    }


def _getitem(node: Node, key: object) -> Node:
    if isinstance(node.type, TupleType):
        return routine.item(node, key)
    return keys.getitem(node, key)


def _numpy_take(x: Any, indices: Any, axis: Any = None) -> Node:
    """np.take, which selects from all elements unless it is given an axis."""
    return arrays.take(x, indices, axis)


# NumPy's and SciPy's universal functions, by their own names.
_UFUNCS: Table = _named("""
    add betaln bitwise_and bitwise_or bitwise_xor cbrt ceil cos cosh divide entr equal erfc
    erfcinv erfcx erfinv exp exp2 expm1 floor floor_divide fmod gamma greater greater_equal
    heaviside hypot i0 i0e i1 i1e isfinite isinf isnan less less_equal log log10 log1p log2
    log_ndtr logaddexp logical_and logical_not logical_or matmul matvec maximum minimum multiply
    ndtr ndtri negative not_equal power reciprocal remainder sign sin sinh sqrt square subtract
    tan tanh trunc vecdot vecmat xlog1py
""") | {
    "absolute": elements.abs, "arccos": elements.acos, "arccosh": elements.acosh, "arcsin":
    elements.asin, "arcsinh": elements.asinh, "arctan": elements.atan, "arctan2": elements.atan2,
    "arctanh": elements.atanh, "gammaln": elements.lgamma, "invert": elements.bitwise_invert,
    "left_shift": elements.bitwise_left_shift, "psi": elements.digamma, "right_shift":
    elements.bitwise_right_shift, "rint": elements.round, "true_divide": elements.divide,
}  # fmt: skip
_FUNCTIONS: Table = _named("""
    all any argmax argmin argsort array_split atleast_1d atleast_2d atleast_3d broadcast_arrays
    broadcast_to clip column_stack concatenate count_nonzero cumprod cumsum diag diagonal diff
    dot einsum expand_dims flip fliplr flipud full_like hstack i0 inner kron linspace max mean
    median meshgrid min moveaxis multi_dot nan_to_num norm ones_like outer pad prod ptp quantile
    ravel repeat reshape roll round searchsorted sinc sort split squeeze stack std sum
    swapaxes take_along_axis tensordot tile trace transpose tril triu unstack var vdot vstack
    where zeros_like
""") | {"take": _numpy_take}


def _numpy_svd(a: Any, full_matrices: bool = True) -> Node:
    """np.linalg.svd, which gives all singular vectors unless it is asked for fewer."""
    return linalg.svd(a, full_matrices)


# np.linalg has functions of its own under names that np has too, of the last two axes.
_LINALG: Table = {name: getattr(linalg, name) for name in linalg.__all__}
_LINALG["svd"] = _numpy_svd


def _array_ufunc(ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """`np.exp(x)` on a node builds a node."""
    if method == "__call__" and not kwargs and ufunc.__name__ in _UFUNCS:
        return _UFUNCS[ufunc.__name__](*inputs)
    raise DTypeError(f"np.{ufunc.__name__} does not take graphc nodes; use an operation of graphc")


def _array_function(function: Any, args: Any, kwargs: Any) -> Any:
    table = _LINALG if function.__module__ == "numpy.linalg" else _FUNCTIONS
    if function.__name__ in table:
        return table[function.__name__](*args, **kwargs)
    raise DTypeError(
        f"np.{function.__name__} does not take graphc nodes; use an operation of graphc"
    )


OPERATORS.update(
    _named("""
    abs acos acosh add all any argmax argmin asin asinh atan atan2 atanh bitwise_and
    bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor cast cbrt ceil
    const cos cosh count_nonzero cumprod cumsum diff digamma divide equal erf erfc erfcinv
    erfinv exp exp2 expm1 floor floor_divide gamma greater greater_equal hypot i0 i1 less
    less_equal lgamma log log10 log1p log2 logical_and logical_not logical_or matmul max maximum
    mean median min minimum multiply negative norm not_equal polygamma power prod ptp quantile
    reciprocal remainder reshape rsqrt sign sin sinc sinh sqrt std subtract sum tan tanh
    transpose var where
""")
)
OPERATORS.update(
    {
        "bessel_quotient": special.bessel_quotient,
        "at": at_user_line(updates.At),
        "getitem": at_user_line(_getitem),
        "as_dtype": elements.cast,
        "array_ufunc": at_user_line(_array_ufunc),
        "array_function": at_user_line(_array_function),
    }
)
