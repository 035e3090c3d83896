"""Rows taken by index and products: the product of a short table comes before rows are taken.

`take(E, i) @ A` is `take(E @ A, i)`, and what flows back to a table is added up by index before it
is multiplied. Where a table has no more rows than there are indices that is fewer multiplications.
"""

from __future__ import annotations

from graphc.ir.dim import Dim, is_nonnegative_from, product
from graphc.ir.node import Node, make
from graphc.ops import contraction, indexing, reduction
from graphc.ops.layout import reshape, reshape_op, swap_last_axes, transpose, transpose_op
from graphc.rewrite.batches import inverse
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
UNSELECTED = "nan where a row that no index selects meets inf or nan"
SHORTER = "the table has no more rows than there are indices, where each named size is at least 4"
# Named sizes are those of batches: more examples than so many are what time is spent on. With fewer
# a product may become this many times longer, and is short all the same.
_BATCH = 4


def _rows_by_index(node: Node) -> bool:
    """Whether a node takes whole rows of an array, or adds up whole rows, by one index each."""
    known = (indexing.take_op, indexing.scatter_add_op)
    return node.op in known and node.attrs["axes"] == (0,)


def _taken_rows(node: Node) -> tuple[Node, Node] | None:
    """A matrix of rows taken from a table, as the table and one index for each row."""
    inner = node.inputs[0] if node.op is reshape_op else node
    if inner.op is not indexing.take_op or not _rows_by_index(inner) or node.ndim != 2:
        return None
    table, places = inner.inputs
    if table.ndim != 2 or table.shape[1] != node.shape[1]:
        return None
    return table, reshape(places, node.shape[:1])


def _is_shorter(rows: Dim, entries: Dim) -> bool:
    return is_nonnegative_from(entries - rows, _BATCH)


def _adds(values: Node, places: Node, rows: Dim) -> Node:
    shape = (rows, *values.shape[places.ndim :])
    return make(indexing.scatter_add_op, (values, places), axes=(0,), shape=shape)


# ---- layout


def _layout_of_take(node: Node, context: Context) -> Node | None:
    """Indices are moved in place of what is taken by them."""
    (inner,) = node.inputs
    if inner.op is not indexing.take_op or not _rows_by_index(inner):
        return None
    if context.users.get(inner, 1) > 1:
        return None  # stored once, it serves in both forms
    table, places = inner.inputs
    moved = _moved_places(node, inner, places)
    return None if moved is None else make(inner.op, (table, moved), axes=(0,))


def _moved_places(node: Node, rows: Node, places: Node) -> Node | None:
    """The indices of rows whose axes a reshape or transposition changes, but those of a row."""
    inside = rows.ndim - places.ndim
    if node.op is transpose_op:
        axes: tuple[int, ...] = node.attrs["axes"]
        kept = axes[places.ndim :] == tuple(range(places.ndim, rows.ndim))
        return transpose(places, axes[: places.ndim]) if kept else None
    before = node.shape[: node.ndim - inside]
    same = node.ndim >= inside and node.shape[len(before) :] == rows.shape[places.ndim :]
    return reshape(places, before) if same and product(before) == product(places.shape) else None


def _scatter_of_layout(node: Node, _: Context) -> Node | None:
    """Rows are added up from where they lie, by indices in their order."""
    values, *rest = node.inputs
    if not _rows_by_index(node) or values.op not in (reshape_op, transpose_op):
        return None
    (places,), (source,) = rest, values.inputs
    if values.op is transpose_op:
        axes, count = values.attrs["axes"], places.ndim
        if axes[count:] != tuple(range(count, values.ndim)):
            return None
        return _adds(source, transpose(places, inverse(axes[:count])), node.shape[0])
    inside = values.shape[places.ndim :]
    before = source.shape[: source.ndim - len(inside)]
    same = source.ndim >= len(inside) and source.shape[len(before) :] == inside
    if not same or product(before) != product(places.shape):
        return None
    return _adds(source, reshape(places, before), node.shape[0])


# ---- products


def _product_of_taken(node: Node, _: Context) -> Node | None:
    """take(E, i) @ A is take(E @ A, i)."""
    a, b = node.inputs
    found = _taken_rows(a)
    if found is None or not _is_shorter(found[0].shape[0], node.shape[0]):
        return None
    table, places = found
    return make(indexing.take_op, (make(node.op, (table, b)), places), axes=(0,))


def _product_with_taken(node: Node, _: Context) -> Node | None:
    """take(E, i)ᵀ @ x is Eᵀ @ scatter_add(x, i)."""
    a, b = node.inputs
    if a.op is not transpose_op or node.ndim != 2:
        return None
    found = _taken_rows(a.inputs[0])
    if found is None or not _is_shorter(found[0].shape[0], b.shape[0]):
        return None
    table, places = found
    return make(node.op, (swap_last_axes(table), _adds(b, places, table.shape[0])))


def _scatter_of_product(node: Node, context: Context) -> Node | None:
    """scatter_add(x @ A, i) is scatter_add(x, i) @ A."""
    values, *rest = node.inputs
    if not _rows_by_index(node) or values.op is not contraction.matmul_op or values.ndim != 2:
        return None
    if context.users.get(values) != 1 or not _is_shorter(node.shape[0], values.shape[0]):
        return None
    x, matrix = values.inputs
    return make(values.op, (_adds(x, reshape(rest[0], x.shape[:1]), node.shape[0]), matrix))


def _sum_of_scattered(node: Node, context: Context) -> Node | None:
    """The sum of all rows is that of what they add up to by index."""
    (values,) = node.inputs
    for reader in context.readers.get(values, ()):
        if reader.op is not indexing.scatter_add_op or not _rows_by_index(reader):
            continue
        count = reader.inputs[1].ndim
        summed = node.attrs["axes"] == tuple(range(count)) and not node.attrs["keepdims"]
        if summed and _is_shorter(reader.shape[0], product(values.shape[:count])):
            return make(node.op, (reader,), axes=(0,), keepdims=False)
    return None


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "layout_of_take",
        PHASE,
        "reshape(take(E, i))",
        "take(E, reshape(i))",
        (reshape_op, transpose_op),
        _layout_of_take,
        condition="whole rows are taken, stay whole, and are not used elsewhere",
        looks_around=True,
    ),
    rewrite_node(
        "scatter_of_layout",
        PHASE,
        "scatter_add(reshape(x), i)",
        "scatter_add(x, reshape(i))",
        (indexing.scatter_add_op,),
        _scatter_of_layout,
        condition="whole rows are added up, and stay whole",
    ),
    rewrite_node(
        "product_of_taken",
        PHASE,
        "take(E, i) @ A",
        "take(E @ A, i)",
        (contraction.matmul_op,),
        _product_of_taken,
        condition=SHORTER,
    ),
    rewrite_node(
        "product_with_taken",
        PHASE,
        "take(E, i)ᵀ @ x",
        "Eᵀ @ scatter_add(x, i)",
        (contraction.matmul_op,),
        _product_with_taken,
        condition=SHORTER,
        changes=UNSELECTED,
    ),
    rewrite_node(
        "scatter_of_product",
        PHASE,
        "scatter_add(x @ A, i)",
        "scatter_add(x, i) @ A",
        (indexing.scatter_add_op,),
        _scatter_of_product,
        condition=f"x @ A is not used elsewhere; {SHORTER}",
        looks_around=True,
        changes=UNSELECTED,
    ),
    rewrite_node(
        "sum_of_scattered",
        PHASE,
        "sum(x, axis=0)",
        "sum(scatter_add(x, i), axis=0)",
        (reduction.sum_op,),
        _sum_of_scattered,
        condition=f"scatter_add(x, i) is there already; {SHORTER}",
        looks_around=True,
    ),
)
