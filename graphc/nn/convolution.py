"""Convolution and its transpose, in one and two dimensions, channels first.

As everywhere in deep learning a convolution is a cross-correlation: the kernel is not turned round.
All windows of all images become the columns of one matrix, so that a convolution is one large
matrix product, and so is each of its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import Dim, floor_divide, is_nonnegative, product
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.ops import fold, matmul, reshape, transpose, window
from graphc.ops.elementwise import cast_together
from graphc.ops.padding import pad
from graphc.ops.placement import slice_axes
from graphc.ops.source import as_node, as_nodes
from graphc.ops.windows import integers, places

Edges = tuple[tuple[Dim, Dim], ...]


@at_user_line
def conv1d(
    x: object,
    weight: object,
    bias: object = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """The convolution of signals (n, channels, length) with kernels: see `conv2d`.

    Args: `weight` of shape (units, channels // groups, size), `bias` of shape (units,).

    >>> from graphc.ops import const
    >>> from graphc.ops.evaluate import evaluate
    >>> x, weight = const([[[1.0, 2.0, 4.0, 8.0]]]), const([[[1.0, 10.0]]])
    >>> evaluate(conv1d(x, weight)).tolist()
    [[[21.0, 42.0, 84.0]]]
    """
    return _convolution("conv1d", 1, (x, weight, bias), stride, padding, dilation, groups)


@at_user_line
def conv2d(
    x: object,
    weight: object,
    bias: object = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """The convolution of images (n, channels, height, width) with kernels, plus a bias.

    Args: `weight` of shape (units, channels // groups, kernel height, kernel width); `bias` of
    shape (units,) or None; `stride` and `dilation`, how far apart windows are and elements in a
    window, an int or one for each axis; `padding`, the zeros around an image: an int, an int or a
    pair (before, after) for each axis, "valid" (none) or "same" (as many as give a result of
    ceil(length / stride), the odd one after); `groups`, into how many parts the channels are cut,
    each with units of its own.

    Shapes: (n, units, rows, columns) with (height + padding - span) // stride + 1 rows for a
    kernel that spans (size - 1) * dilation + 1; without the first axis for a single image. An
    element is the sum over c, k, l of x[n, c, i * stride + k * dilation, j * stride +
    l * dilation] * weight[u, c, k, l]: a cross-correlation.

    Raises ShapeError where axes or channels do not fit, or a kernel is larger than a padded image.

    >>> from graphc.ops import input
    >>> image, weight = input("image", ("n", 3, 32, 32)), input("weight", (8, 3, 5, 5))
    >>> conv2d(image, weight, padding="same", stride=2).shape
    (n, 8, 16, 16)
    """
    return _convolution("conv2d", 2, (x, weight, bias), stride, padding, dilation, groups)


@at_user_line
def conv_transpose1d(
    x: object,
    weight: object,
    bias: object = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """The transpose of a convolution of signals: see `conv_transpose2d`.

    >>> from graphc.ops import const
    >>> from graphc.ops.evaluate import evaluate
    >>> x, weight = const([[[1.0, 2.0]]]), const([[[1.0, 10.0]]])
    >>> evaluate(conv_transpose1d(x, weight, stride=2)).tolist()
    [[[1.0, 10.0, 2.0, 20.0]]]
    """
    settings = (stride, padding, output_padding, dilation, groups)
    return _transposed("conv_transpose1d", 1, (x, weight, bias), *settings)


@at_user_line
def conv_transpose2d(
    x: object,
    weight: object,
    bias: object = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Node:
    """The transpose of `conv2d`: what its derivative does to a gradient; it enlarges an image.

    Args: `x` of shape (n, channels, height, width); `weight` of shape (channels, units // groups,
    kernel height, kernel width); `padding`, an int or a pair for each axis, cut off the result as
    the convolution puts it on; `output_padding`, less than the stride, added after each axis:
    which of the lengths that a convolution maps to the same one is meant.

    Shapes: (n, units, rows, columns) with (height - 1) * stride + span - padding +
    output_padding rows. Raises ShapeError where axes or channels do not fit.

    >>> from graphc.ops import input
    >>> x, weight = input("x", ("n", 8, 16, 16)), input("weight", (8, 3, 4, 4))
    >>> conv_transpose2d(x, weight, stride=2, padding=1).shape
    (n, 3, 32, 32)
    """
    settings = (stride, padding, output_padding, dilation, groups)
    return _transposed("conv_transpose2d", 2, (x, weight, bias), *settings)


# ---- the two products


def _convolution(
    name: str,
    rank: int,
    operands: tuple[object, object, object],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Node:
    x, weight, single = _operands(name, rank, operands)
    (groups,) = integers(name, "groups", groups, 1, 1)
    units, sizes = weight.shape[0], weight.shape[2:]
    _check_channels(name, x, weight, units, groups, x.shape[1] == weight.shape[1] * groups)
    steps = integers(name, "stride", stride, rank, 1)
    apart = integers(name, "dilation", dilation, rank, 1)
    spans = [(size - 1) * gap + 1 for size, gap in zip(sizes, apart, strict=True)]
    edges = padding_edges(name, padding, x.shape[2:], spans, steps)
    wide = padded(x, edges)
    for length, size, step, gap in zip(wide.shape[2:], sizes, steps, apart, strict=True):
        places(name, length, size, step, gap)  # type: ignore[arg-type]
    seen = window(wide, sizes, None, steps, apart)
    over = seen.shape[2 : 2 + rank]
    # (channels, kernel axes, n, places): each group's windows are the columns of a matrix.
    first, last = range(2, 2 + rank), range(2 + rank, 2 + 2 * rank)
    columns = transpose(seen, (1, *last, 0, *first))
    inner = product(weight.shape[1:])
    many = x.shape[0] * product(over)
    result = _grouped(
        groups, reshape(weight, (units, inner)), reshape(columns, (groups * inner, many))
    )
    images = reshape(result, (units, x.shape[0], *over))
    return _finish(name, _swap_first(images), operands[2], single)


def _transposed(
    name: str,
    rank: int,
    operands: tuple[object, object, object],
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: Any,
) -> Node:
    x, weight, single = _operands(name, rank, operands)
    (groups,) = integers(name, "groups", groups, 1, 1)
    channels, sizes, over = x.shape[1], weight.shape[2:], x.shape[2:]
    _check_channels(name, x, weight, channels, groups, channels == weight.shape[0])
    steps = integers(name, "stride", stride, rank, 1)
    apart = integers(name, "dilation", dilation, rank, 1)
    more = integers(name, "output_padding", output_padding, rank, 0)
    if any(extra >= step for extra, step in zip(more, steps, strict=True)):
        raise ArgumentError(
            f"{name}: expected output_padding less than the stride {steps}, got {output_padding!r}"
        )
    if isinstance(padding, str):
        raise ArgumentError(f"{name}: expected integers as padding, got {padding!r}")
    lengths = tuple(
        (count - 1) * step + (size - 1) * gap + 1 + extra
        for count, size, step, gap, extra in zip(over, sizes, steps, apart, more, strict=True)
    )
    edges = padding_edges(name, padding, lengths, [], steps)
    units, inner = weight.shape[1] * groups, product(weight.shape[1:])
    many = x.shape[0] * product(over)
    images = reshape(_swap_first(x), (channels, many))
    turned = _per_group(groups, reshape(weight, (channels, inner)))
    turned = reshape(transpose(turned, (0, 2, 1)), (groups * inner, -1))
    columns = reshape(_grouped(groups, turned, images), (units, *sizes, x.shape[0], *over))
    inside, outside = range(1, 1 + rank), range(2 + rank, 2 + 2 * rank)
    windows = transpose(columns, (1 + rank, 0, *outside, *inside))
    whole = fold(windows, lengths, None, steps, apart)
    return _finish(name, _cropped(name, whole, edges), operands[2], single)


def _per_group(groups: int, matrix: Node) -> Node:
    return reshape(matrix, (groups, floor_divide(matrix.shape[0], groups), matrix.shape[1]))


def _grouped(groups: int, left: Node, right: Node) -> Node:
    """The product of matrices, of which each group has some rows."""
    if groups == 1:
        return matmul(left, right)
    result = matmul(_per_group(groups, left), _per_group(groups, right))
    return reshape(result, (left.shape[0], right.shape[1]))


def _swap_first(x: Node) -> Node:
    return transpose(x, (1, 0, *range(2, x.ndim)))


def _cropped(name: str, x: Node, edges: Edges) -> Node:
    bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in x.shape[:2]]
    for dim, (low, high) in zip(x.shape[2:], edges, strict=True):
        left = dim - low - high
        if isinstance(left, int) and left < 0:
            raise ShapeError(f"{name}: padding {(low, high)} is more than the length {dim}")
        bounds.append((low, dim - high, 1))
    return slice_axes(x, tuple(bounds))


def _finish(name: str, result: Node, bias: object, single: bool) -> Node:
    if bias is not None:
        (result, added) = cast_together(as_nodes((result, bias)))
        if added.shape != (result.shape[1],):
            raise ShapeError(
                f"{name}: expected a bias of shape ({result.shape[1]},), got "
                f"{shape_text(added.shape)}"
            )
        result = result + reshape(added, (result.shape[1], *(1 for _ in result.shape[2:])))
    return reshape(result, result.shape[1:]) if single else result


# ---- arguments


def _operands(
    name: str, rank: int, operands: tuple[object, object, object]
) -> tuple[Node, Node, bool]:
    """The images, with an axis for their number, the kernels, and whether there is a single
    image."""
    x, weight = cast_together(as_nodes(operands[:2]))
    if not x.dtype.is_float:
        raise DTypeError(f"{name}: expected floats, got {x.dtype}")
    axes = ("length",) if rank == 1 else ("height", "width")
    if x.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{name}: expected x of shape (n, channels, {', '.join(axes)}), or without n; got "
            f"{shape_text(x.shape)}"
        )
    if weight.ndim != rank + 2 or not all(isinstance(d, int) and d >= 1 for d in weight.shape):
        raise ShapeError(
            f"{name}: expected kernels of {rank + 2} axes of fixed lengths of at least 1, got "
            f"{shape_text(weight.shape)}"
        )
    single = x.ndim == rank + 1
    return (reshape(x, (1, *x.shape)) if single else x), weight, single


def _check_channels(name: str, x: Node, weight: Node, cut: Dim, groups: int, fits: bool) -> None:
    channels = x.shape[1]
    if isinstance(cut, int) and cut % groups:
        raise ShapeError(f"{name}: {groups} groups do not divide the {cut} of the kernels")
    if not fits:
        raise ShapeError(
            f"{name}: {channels} channels of {shape_text(x.shape)} do not fit kernels "
            f"{shape_text(weight.shape)} in {groups} group{'s' if groups > 1 else ''}"
        )


def padding_edges(
    name: str,
    padding: Any,
    lengths: Sequence[Dim],
    spans: Sequence[Dim],
    strides: Sequence[int],
) -> Edges:
    """What is added before and after each axis, for padding as `conv2d` takes it."""
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * len(lengths)
        if padding == "same":
            every = zip(lengths, spans, strides, strict=True)
            return tuple(_same(name, *axis) for axis in every)
        raise ArgumentError(
            f"{name}: expected padding 'same', 'valid' or integers; got {padding!r}"
        )
    items = list(padding) if isinstance(padding, tuple | list) else [padding] * len(lengths)
    if len(items) != len(lengths):
        raise ArgumentError(
            f"{name}: expected padding for {len(lengths)} axes, an int or a pair (before, after) "
            f"for each; got {padding!r}"
        )
    pairs = [integers(name, "padding", item, 2, 0) for item in items]
    return tuple((low, high) for low, high in pairs)


def _same(name: str, length: Dim, span: Dim, stride: int) -> tuple[Dim, Dim]:
    """The least padding that gives a result of ceil(length / stride)."""
    count = floor_divide(length + (stride - 1), stride)
    total: Dim = (count - 1) * stride + span - length
    if isinstance(total, int):
        total = max(total, 0)
    elif not is_nonnegative(span - stride):
        raise ShapeError(
            f"{name}: padding 'same' of a symbolic length {length} takes a kernel that spans at "
            f"least the stride {stride}, got {span}"
        )
    low = floor_divide(total, 2)
    return low, total - low


def padded(x: object, edges: Edges, value: float | int = 0) -> Node:
    """The last axes with a value added before and after."""
    node = as_node(x)
    none = ((0, 0),) * (node.ndim - len(edges))
    return pad(node, (*none, *edges), constant_values=value)
