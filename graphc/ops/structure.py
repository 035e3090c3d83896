"""Nested structures of nodes: tuples, lists and dictionaries, flattened and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ops.source import as_node

Rebuild = Callable[[Sequence[Any]], Any]


def flatten(value: object) -> tuple[list[Node], Rebuild]:
    """The leaves of a structure as nodes, and a function from as many leaves to the structure.

    Leaves are nodes, arrays and numbers; None is a structure without leaves; the keys of a
    dictionary are taken in their order.

    >>> leaves, rebuild = flatten({"a": 1.0, "b": (2.0, None)})
    >>> len(leaves), rebuild(["x", "y"])
    (2, {'a': 'x', 'b': ('y', None)})
    """
    if value is None:
        return [], lambda leaves: None
    if isinstance(value, dict):
        leaves, rebuild = _flatten_all(list(value.values()))
        keys = list(value)
        return leaves, lambda given: dict(zip(keys, rebuild(given), strict=True))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        leaves, rebuild = _flatten_all(value)
        kind = type(value)
        return leaves, lambda given: kind(*rebuild(given))
    if isinstance(value, tuple | list):
        leaves, rebuild = _flatten_all(value)
        sequence: Callable[..., Any] = type(value)
        return leaves, lambda given: sequence(rebuild(given))
    return [as_node(value)], lambda leaves: leaves[0]


def _flatten_all(values: Sequence[object]) -> tuple[list[Node], Rebuild]:
    parts = [flatten(value) for value in values]
    counts = [len(leaves) for leaves, _ in parts]

    def rebuild(given: Sequence[Any]) -> list[Any]:
        made, at = [], 0
        for count, (_, build) in zip(counts, parts, strict=True):
            made.append(build(given[at : at + count]))
            at += count
        return made

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def leaves_of(value: object, like: object = None) -> list[Any]:
    """The leaves of a structure as they are, in the order of those of `like`, a structure of the
    same outline: the keys of two dictionaries may be in different orders.

    >>> leaves_of({"b": 1, "a": (2, 3)}, like={"a": (0, 0), "b": 0})
    [2, 3, 1]
    """
    pattern: Any = value if like is None else like
    known: Any = value
    if known is None:
        return []
    if isinstance(known, dict):
        return [leaf for key in pattern for leaf in leaves_of(known[key], pattern[key])]
    if isinstance(known, tuple | list):
        pairs = zip(known, pattern, strict=True)
        return [leaf for item, place in pairs for leaf in leaves_of(item, place)]
    return [known]


def is_number(leaf: object) -> bool:
    """Whether a leaf is a Python number, whose dtype gives way to that of what it meets."""
    return isinstance(leaf, bool | int | float)


def dtype_beside(number: object, partner: DType) -> DType:
    """The dtype of a Python number where a value of the dtype `partner` takes its place."""
    return as_node(number, partner).dtype


def outline(value: object) -> object:
    """The structure with every leaf left out: two structures are alike if their outlines are equal.

    >>> outline((1.0, [2.0])) == outline((3.0, [4.0])), outline((1.0,)) == outline([1.0])
    (True, False)
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: outline(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return (type(value).__name__, *(outline(item) for item in value))
    return "leaf"
