"""Sources: nodes without inputs. Declarations, constants, sizes, index ramps and the training
flag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, NodeUseError, ShapeError
from graphc.ir.declaration import ConstantArray, Declaration
from graphc.ir.dim import as_dim
from graphc.ir.dtype import DType, as_dtype, bool_, default_float, int64, weak_dtype
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, as_shape, normalize_axis, shape_text


class SourceOp(Op):
    """An operation without inputs, whose type is in its attributes."""

    kind = "source"


def _declared_type(_: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return TensorType(attrs["dtype"], attrs["shape"])


def _source(name: str, doc: str, reference: Any = None, notation: Notation | None = None) -> Op:
    op = SourceOp(
        name,
        _declared_type,
        reference or _needs_value,
        no_derivative="a source does not depend on anything",
        notation=notation,
        doc=doc,
    )
    register(op)
    return op


def _needs_value(attrs: Attributes) -> Any:
    declared = attrs["declaration"]
    raise ArgumentError(f"{declared} has no value: feed it")


input_op = _source("input", "a value that every call feeds")
param_op = _source("param", "a trained value, carried between calls")
state_op = _source("state", "a value carried between calls")
flag_op = _source("flag", "a truth value fixed when a graph is compiled")


def _constant_reference(attrs: Attributes) -> np.ndarray:
    value: ConstantArray = attrs["value"]
    return value.array


constant_op = _source("const", "a fixed array", _constant_reference)
size_op = _source(
    "size",
    "the value of a dimension",
    lambda attrs: np.asarray(attrs["value"], dtype=attrs["dtype"].numpy),
    Notation(lambda node: str(node.attrs["dim"]), lambda node: str(node.attrs["dim"])),
)
ramp_op = _source(
    "ramp",
    "the index along one axis: ramp[..., i, ...] = i",
    lambda attrs: np.broadcast_to(
        np.arange(attrs["shape"][attrs["axis"]], dtype=attrs["dtype"].numpy).reshape(
            [-1 if a == attrs["axis"] else 1 for a in range(len(attrs["shape"]))]
        ),
        attrs["shape"],
    ),
    Notation(
        lambda node: f"ramp({shape_text(node.shape)}, axis={node.attrs['axis']})",
        lambda node: rf"\operatorname{{ramp}}_{{\text{{axis {node.attrs['axis']}}}}}",
    ),
)

training = make(flag_op, declaration=Declaration("flag", "training"), dtype=bool_, shape=())


def _check_name(function: str, name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"{function}: expected a name, a nonempty string; got {name!r}")
    return name


def input(name: str, shape: object = (), dtype: object = None) -> Node:
    """A value that every call feeds.

    `shape` holds ints and names of symbolic sizes; `dtype` is float32 unless said otherwise.

    >>> input("x", ("n", 3))
    <input x: float32 (n, 3)>
    """
    chosen = default_float() if dtype is None else as_dtype(dtype)
    declared = Declaration("input", _check_name("input", name))
    return make(input_op, declaration=declared, dtype=chosen, shape=as_shape(shape))


def _carried(op: Op, name: str, value: object, dtype: object) -> Node:
    context = f"{op.name} {_check_name(op.name, name)!r}"
    array = as_array(context, value)
    chosen = as_dtype(dtype) if dtype is not None else _value_dtype(value, array)
    stored = np.array(_fitting(context, array, chosen), order="C")
    declared = Declaration(op.name, name, stored)
    return make(op, declaration=declared, dtype=chosen, shape=tuple(stored.shape))


def as_array(context: str, value: object) -> np.ndarray:
    """The numbers or truth values of an array, a number or nested lists."""
    try:
        array = np.asarray(value)
    except NodeUseError:
        if isinstance(value, Node):
            raise
        problem = f"{context}: expected numbers; got nodes in a {type(value).__name__}: join them"
        raise DTypeError(f"{problem} with gx.stack or gx.concat") from None
    except ValueError:
        raise ShapeError(
            f"{context}: expected a number or an array; got lists of unequal lengths: {value!r}"
        ) from None
    if array.dtype.kind not in "biuf":
        came = f"an array of {array.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise DTypeError(f"{context}: expected numbers or truth values; got {came}")
    return array


def _fitting(context: str, array: np.ndarray, dtype: DType) -> np.ndarray:
    """The array in a dtype that holds its integers."""
    if dtype.is_integer and array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype.name)
        least, largest = int(array.min()), int(array.max())
        if least < limits.min or largest > limits.max:
            span = str(least) if least == largest else f"{least}..{largest}"
            raise DTypeError(
                f"{context}: expected integers in {limits.min}..{limits.max}, as {dtype} holds; "
                f"got {span}"
            )
    return array.astype(dtype.numpy)


def _value_dtype(value: object, array: np.ndarray) -> DType:
    """The type of a value: Python numbers and lists are weak, arrays keep theirs."""
    if isinstance(value, np.ndarray | np.generic):
        return as_dtype(array.dtype)
    return default_float() if array.dtype.kind == "f" else as_dtype(array.dtype)


def param(name: str, value: object, dtype: object = None) -> Node:
    """A trained value, carried between calls and changed by updates.

    >>> W = param("W", np.zeros((2, 3), "float32")); W, W.value.shape
    (<param W: float32 (2, 3)>, (2, 3))
    """
    return _carried(param_op, name, value, dtype)


def state(name: str, value: object, dtype: object = None) -> Node:
    """A value carried between calls that is not trained, such as an optimizer's moment."""
    return _carried(state_op, name, value, dtype)


def const(value: object, dtype: object = None) -> Node:
    """A fixed array.

    >>> const([1.0, 2.0])
    <const: float32 (2,)>
    """
    if isinstance(value, Node):
        return value
    array = as_array("const", value)
    chosen = as_dtype(dtype) if dtype is not None else _value_dtype(value, array)
    stored = ConstantArray(_fitting("const", array, chosen))
    return make(constant_op, value=stored, dtype=chosen, shape=tuple(stored.array.shape))


def size(dim: object, dtype: object = int64) -> Node:
    """The value of a dimension as a scalar; a constant if the dimension is an int."""
    known = as_dim(dim)
    if isinstance(known, int):
        return const(known, dtype)
    return make(size_op, dim=known, dtype=as_dtype(dtype), shape=())


def ramp(shape: object, axis: int, dtype: object = int64) -> Node:
    """The index along one axis, in a given shape: `ramp((2, 3), 1)` is [[0, 1, 2], [0, 1, 2]]."""
    known = as_shape(shape)
    at = normalize_axis(axis, len(known), "ramp")
    return make(ramp_op, dtype=as_dtype(dtype), shape=known, axis=at)


def as_node(value: object, partner: DType | None = None) -> Node:
    """A node from a node, a Python number (weak beside `partner`) or an array."""
    if isinstance(value, Node):
        return value
    if isinstance(value, bool | int | float):
        return const(value, weak_dtype(value, partner))
    if isinstance(value, np.ndarray | np.generic | list | tuple):
        return const(value)
    raise DTypeError(f"expected a node, a number or an array; got {type(value).__name__}")


def as_nodes(values: Iterable[object]) -> list[Node]:
    """Nodes from several operands; Python numbers take the type of the nodes and arrays beside
    them."""
    if isinstance(values, Node) or not isinstance(values, Iterable):
        raise DTypeError(f"expected several arrays, as a list or a tuple; got {values!r}")
    known = list(values)
    strong = [as_node(v) for v in known if not isinstance(v, bool | int | float)]
    partner = _meeting_dtype(strong)
    return [as_node(value, partner) for value in known]


def _meeting_dtype(nodes: list[Node]) -> DType | None:
    from_nodes = [node.dtype for node in nodes]
    floats = [d for d in from_nodes if d.is_float]
    integers = [d for d in from_nodes if d.is_integer]
    if floats:
        return max(floats, key=lambda d: d.itemsize)
    if integers:
        return max(integers, key=lambda d: d.itemsize)
    return from_nodes[0] if from_nodes else None


def constant_value(node: Node) -> np.ndarray | None:
    """The array of a constant node, None for any other."""
    if node.op is constant_op:
        value: ConstantArray = node.attrs["value"]
        return value.array
    return None


def uniform_value(node: Node) -> Any:
    """The one value that all elements of a constant share, as a NumPy scalar; None if there is
    none."""
    array = constant_value(node)
    if array is None or array.size == 0:
        return None
    first = array.reshape(-1)[0]
    # By bits: 0.0 and -0.0 differ, and a nan is what it is.
    shared = array.size == 1 or array.tobytes() == first.tobytes() * array.size
    return first if shared else None
