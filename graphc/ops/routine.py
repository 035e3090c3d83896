"""Routines: operations done by a library (LAPACK), with one or several results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphc.errors import DTypeError, ShapeError, SingularMatrixError
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import DType, default_float, int32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, PREFIX, PRODUCT, Attributes, Notation, Op, register
from graphc.ir.shape import NodeType, TensorType, TupleType, shape_text
from graphc.ops.contraction import matmul
from graphc.ops.creation import eye as eye
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.layout import broadcast_to, expand_dims, reshape, swap_last_axes
from graphc.ops.source import as_node, as_nodes, const


@dataclass(frozen=True, eq=False, repr=False)
class RoutineOp(Op):
    """A whole-array operation that a kernel written by hand does, on contiguous arrays.

    The kernel gets its operands, its results, a buffer for each (dtype, elements) of `workspace`,
    the integers `sizes`, and where it `fails` the code to report. It does the rows lo..hi of the
    `rows` that are independent of one another; `row_work` elements are visited for each.
    """

    sizes: Callable[[Node], tuple[Dim, ...]] = lambda node: ()
    workspace: Callable[[Node], tuple[tuple[DType, Dim], ...]] = lambda node: ()
    rows: Callable[[Node], Dim] = lambda node: 1
    row_work: Callable[[Node], Dim] = lambda node: 1
    fails: bool = False

    kind = "routine"


def _elimination_work(node: Node) -> Dim:
    """The elements that Gaussian elimination visits."""
    n = node.inputs[0].shape[0]
    return n * n * n


def _square(name: str, node: Node) -> None:
    if node.ndim != 2 or node.shape[0] != node.shape[1]:
        raise ShapeError(f"{name}: expected a square matrix, got {shape_text(node.shape)}")
    if not node.dtype.is_float:
        raise DTypeError(f"{name}: expected floats, got {node.dtype}")


def _solve_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    a, b = inputs
    _square("solve", a)
    if b.ndim != 2 or b.shape[0] != a.shape[0]:
        raise ShapeError(
            f"solve: expected a right side with {a.shape[0]} rows for {shape_text(a.shape)}, "
            f"got {shape_text(b.shape)}"
        )
    return b.tensor


def _solve_reference(attrs: Attributes, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise SingularMatrixError(
            f"solve: the {a.shape[0]} x {a.shape[1]} matrix is singular"
        ) from None


def _solve_exact(attrs: Attributes, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import mpmath

    result = np.empty(b.shape, dtype=object)
    for column in range(b.shape[1]):
        try:
            found = mpmath.lu_solve(mpmath.matrix(a.tolist()), mpmath.matrix(b[:, column].tolist()))
        except ZeroDivisionError:
            raise SingularMatrixError("solve: the matrix is singular") from None
        result[:, column] = list(found)
    return result


def _solve_vjp(node: Node, g: Node) -> list[Node | None]:
    a, _ = node.inputs
    right = solve(swap_last_axes(a), g)
    return [-matmul(right, swap_last_axes(node)), right]


solve_op = RoutineOp(
    "solve", _solve_infer, _solve_reference, _solve_vjp,
    notation=Notation("solve({0}, {1})", r"{0}^{-1} \, {1}", ATOM, (), PRODUCT, (ATOM, PREFIX)),
    doc="the solution X of A X = B, by LU with partial pivoting",
    sizes=lambda node: node.shape,
    # What LAPACK overwrites: a copy of the matrix, the pivots, and the right side.
    workspace=lambda node: (
        (node.dtype, product(node.inputs[0].shape)),
        (int32, node.shape[0]),
        (node.dtype, product(node.shape)),
    ),
    row_work=_elimination_work, fails=True, exact=_solve_exact,
)  # fmt: skip
register(solve_op)


def solve(a: object, b: object) -> Node:
    """The solution x of a @ x = b.

    Shapes: a (n, n), b (n,) or (n, k). A singular matrix is a SingularMatrixError when it runs.
    """
    left, right = cast_together(as_nodes((a, b)))
    if not left.dtype.is_float:
        left, right = cast(left, default_float()), cast(right, default_float())
    if right.ndim == 1:
        return reshape(make(solve_op, (left, expand_dims(right, 1))), right.shape)
    return make(solve_op, (left, right))


def _slogdet_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (a,) = inputs
    _square("slogdet", a)
    return TupleType((TensorType(a.dtype, ()), TensorType(a.dtype, ())))


def _slogdet_exact(attrs: Attributes, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import mpmath

    determinant = mpmath.det(mpmath.matrix(a.tolist()))
    size = mpmath.log(abs(determinant)) if determinant else -mpmath.inf
    return np.asarray(mpmath.sign(determinant), object), np.asarray(size, object)


def _slogdet_vjp(node: Node, g: Node) -> list[Node | None]:
    """`g` is the cotangent of each result, as a tuple node; d log|det A| = A^-T (Jacobi)."""
    (a,) = node.inputs
    return [item(g, 1) * solve(swap_last_axes(a), eye(a.shape[0], dtype=a.dtype))]


slogdet_op = RoutineOp(
    "slogdet", _slogdet_infer, lambda attrs, a: tuple(np.linalg.slogdet(a)), _slogdet_vjp,
    notation=Notation("slogdet({0})", r"\operatorname{slogdet}\left({0}\right)", ATOM),
    doc="the sign and the logarithm of the absolute value of the determinant",
    sizes=lambda node: node.inputs[0].shape[:1],
    workspace=lambda node: (
        (node.inputs[0].dtype, product(node.inputs[0].shape)),
        (int32, node.inputs[0].shape[0]),
    ),
    row_work=_elimination_work, exact=_slogdet_exact,
)  # fmt: skip
register(slogdet_op)


def slogdet(a: object) -> Node:
    """The determinant as (sign, log |det|), a tuple node: `sign, logdet = gx.slogdet(a)`.

    Shape: a (n, n). A singular matrix gives (0, -inf).
    """
    node = as_node(a)
    return make(slogdet_op, (node if node.dtype.is_float else cast(node, default_float()),))


# ---- tuples: made by operations with several results, and by their derivatives


def _tuple_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    return TupleType(tuple(node.tensor for node in inputs))


def _item_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (whole,) = inputs
    if not isinstance(whole.type, TupleType):
        raise ShapeError(f"item: expected a node with several results, got {whole.op.name}")
    return whole.type.items[attrs["index"]]


def _item_vjp(node: Node, g: Node) -> list[Node | None]:
    (whole,) = node.inputs
    index = node.attrs["index"]
    assert isinstance(whole.type, TupleType)
    zeros = [broadcast_to(const(0, t.dtype), t.shape) for t in whole.type.items]
    return [pack((*zeros[:index], g, *zeros[index + 1 :]))]


tuple_op = Op(
    "tuple", _tuple_infer, lambda attrs, *values: tuple(values),
    lambda node, g: [item(g, i) for i in range(len(node.inputs))], doc="several values as one node",
    notation=Notation(
        lambda node: f"({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
        lambda node: rf"\left({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))}\right)",
    ),
)  # fmt: skip
register(tuple_op)
item_op = Op(
    "item", _item_infer, lambda attrs, values: values[attrs["index"]], _item_vjp,
    notation=Notation(
        lambda node: f"{{0}}[{node.attrs['index']}]",
        lambda node: rf"{{0}}_{{\left[{node.attrs['index']}\right]}}",
        ATOM,
        (ATOM,),
    ),
    doc="one result of a node with several",
)  # fmt: skip
register(item_op)


def item(whole: Node, index: object) -> Node:
    """One result of a node with several."""
    if isinstance(index, bool) or not hasattr(index, "__index__"):
        raise ShapeError(f"a node with several results is indexed by an integer; got {index!r}")
    count = len(whole.type.items) if isinstance(whole.type, TupleType) else 0
    at = int(index.__index__())
    if not -count <= at < count:
        raise ShapeError(f"{whole.op.name} has {count} results; got index {at}")
    if whole.op is tuple_op:
        return whole.inputs[at % count]
    return make(item_op, (whole,), index=at % count)


def pack(values: tuple[Node, ...]) -> Node:
    """Several values as one tuple node."""
    return make(tuple_op, values)
