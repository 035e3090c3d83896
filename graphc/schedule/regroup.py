"""Windows side by side are a regrouping of the elements, so putting them back takes no pass.

Where windows neither overlap nor leave anything out, as those of most pooling, `fold` only moves
elements: axes (places, elements of a window) become one. It is written as a reshape, which is a
view, and moved behind what is computed element by element from it, and behind transposition and
reduction: the derivative of a pooling and that of the activation before it are then one kernel,
which writes each element to its final place.

Windows that overlap are added up, in the order in which their elements lie best for that.
"""

from __future__ import annotations

from typing import NamedTuple

from graphc.ir.dim import Dim, floor_divide
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.layout import reshape, reshape_op, transpose, transpose_op
from graphc.ops.reduction import ReductionOp, reduced_shape
from graphc.ops.scalar import copy as copy_op
from graphc.ops.windows import fold_op, slides_of, window_op
from graphc.schedule.buffer import VIEW_OPS

# For each axis of the whole the length of a window along it; 1 for none.
Sizes = tuple[int, ...]


class _Parts(NamedTuple):
    """A node as the regrouping of `node`, which has two axes for each axis with windows."""

    node: Node
    sizes: Sizes


def regroup_windows(graph: Graph) -> Graph:
    """The graph with windows side by side put together by views, after what is computed of
    them."""
    if not any(node.op is fold_op for node in graph.nodes):
        return graph
    return graph.with_roots(rebuild(list(graph.roots), _Regrouping().change))


def _is_side_by_side(node: Node) -> bool:
    return node.op is fold_op and all(
        slide.size == slide.stride
        and slide.dilation == 1
        and slide.count * slide.size == node.shape[slide.axis]
        for slide in slides_of(node)
    )


def _arranged(node: Node, windows: Node) -> Node:
    """Windows to add up, in the order in which the kernel of a fold walks them: where they are
    computed for it, they are stored so."""
    slides = slides_of(node)
    base = windows
    while base.op in VIEW_OPS:
        base = base.inputs[0]
    if base.op.kind != "elementwise" or all(slide.span <= slide.stride for slide in slides):
        return windows
    last = max(slide.axis for slide in slides)
    sliding = [slide.axis for slide in slides]
    outer = [axis for axis in range(last) if axis not in sliding]
    order = (*outer, *range(node.ndim, windows.ndim), *sorted(sliding), *range(last + 1, node.ndim))
    stored = make(copy_op, (transpose(windows, order),))
    back = tuple(order.index(axis) for axis in range(windows.ndim))
    return transpose(stored, back)


class _Regrouping:
    def __init__(self) -> None:
        self.parts: dict[Node, _Parts] = {}

    def change(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """What becomes of a node, given its new inputs."""
        with inherit_sites(node.sites):
            if _is_side_by_side(node):
                return self._folded(node, inputs[0])
            if node.op is fold_op:
                return remake(node, (_arranged(node, inputs[0]),))
            found = [source for source in inputs if source in self.parts]
            if found:
                moved = self._moved(node, inputs, found[0])
                if moved is not None:
                    return moved
        return remake(node, inputs)

    def _whole(self, parts: Node, sizes: Sizes, node: Node) -> Node:
        """The regrouping of `parts`, in the shape of `node`."""
        whole = reshape(parts, node.shape)
        if whole is not parts and any(size != 1 for size in sizes):
            self.parts[whole] = _Parts(parts, sizes)
        return whole

    def _folded(self, node: Node, windows: Node) -> Node:
        slides = slides_of(node)
        inside = {slide.axis: node.ndim + number for number, slide in enumerate(slides)}
        sizes = {slide.axis: slide.size for slide in slides}
        order = [axis for place in range(node.ndim) for axis in (place, inside.get(place, -1))]
        parts = transpose(windows, tuple(axis for axis in order if axis >= 0))
        # A window of one element is none.
        shape = [d for axis in range(node.ndim) for d in _divided(node, axis, sizes.get(axis, 1))]
        kept = tuple(sizes.get(axis, 1) for axis in range(node.ndim))
        return self._whole(reshape(parts, tuple(shape)), kept, node)

    def _moved(self, node: Node, inputs: tuple[Node, ...], first: Node) -> Node | None:
        """The node computed of the parts of its inputs, then regrouped; None where it cannot be."""
        known = self.parts[first]
        if node.op is reshape_op:
            return reshape(known.node, node.shape)
        if node.op is transpose_op:
            order = node.attrs["axes"]
            axes = tuple(axis for a in order for axis in _axes_of(known.sizes, a))
            sizes = tuple(known.sizes[a] for a in order)
            return self._whole(transpose(known.node, axes), sizes, node)
        if isinstance(node.op, ReductionOp) and node.op.combine not in ("argmax", "argmin"):
            return self._reduced(node, known)
        if node.op.kind == "elementwise" and node.shape == first.shape:
            operands = tuple(self._part(source, known.sizes) for source in inputs)
            return self._whole(make(node.op, operands, **node.attrs), known.sizes, node)
        return None

    def _reduced(self, node: Node, known: _Parts) -> Node:
        reduced, keepdims = node.attrs["axes"], node.attrs["keepdims"]
        axes = tuple(axis for a in reduced for axis in _axes_of(known.sizes, a))
        result = make(node.op, (known.node,), axes=axes, keepdims=False)
        left = [1 if a in reduced else size for a, size in enumerate(known.sizes)]
        sizes = tuple(s for a, s in enumerate(left) if keepdims or a not in reduced)
        # Parts have an axis of length 1 where a reduced one is kept.
        shape = reduced_shape(known.node.shape, axes, False)
        dims = iter(shape)
        if keepdims:
            shape = tuple(
                dim
                for a, size in enumerate(left)
                for dim in ([1] if a in reduced else [next(dims) for _ in _width(size)])
            )
        return self._whole(reshape(result, shape), sizes, node)

    def _part(self, node: Node, sizes: Sizes) -> Node:
        """An operand in the places of the parts, read through an index map."""
        known = self.parts.get(node)
        own = sizes[len(sizes) - node.ndim :]
        if known is not None and known.sizes == own:
            return known.node
        cut = [axis for axis, size in enumerate(own) if size != 1 and node.shape[axis] != 1]
        result = node
        if cut:
            each = tuple(own[axis] for axis in cut)
            counts = tuple(_divided(node, axis, own[axis])[0] for axis in cut)
            seen = make(
                window_op, (node,), axes=tuple(cut), counts=counts, sizes=each, strides=each,
                dilations=(1,) * len(cut),
            )  # fmt: skip
            inside = {axis: node.ndim + number for number, axis in enumerate(cut)}
            order = [a for place in range(node.ndim) for a in (place, inside.get(place, -1))]
            result = transpose(seen, tuple(axis for axis in order if axis >= 0))
        shape = [dim for axis, size in enumerate(own) for dim in _divided(node, axis, size)]
        return reshape(result, tuple(shape))


def _width(size: int) -> range:
    """The axes that the parts have for one with windows of a size."""
    return range(1 if size == 1 else 2)


def _axes_of(sizes: Sizes, axis: int) -> list[int]:
    """The axes of the parts that an axis of the whole is made of."""
    first = sum(len(_width(size)) for size in sizes[:axis])
    return [first + number for number in _width(sizes[axis])]


def _divided(node: Node, axis: int, size: int) -> tuple[Dim, ...]:
    """The lengths that the parts have for an axis."""
    length = node.shape[axis]
    if size == 1:
        return (length,)
    return (1, 1) if length == 1 else (floor_divide(length, size), size)
