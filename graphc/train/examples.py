"""Examples handed to a trainer: checked once, converted once, before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops.evaluate import as_argument, bind_sizes

Examples = tuple[NDArray[Any], ...]


@at_user_line
def as_examples(what: str, inputs: Sequence[Node], data: object, batch_size: object) -> Examples:
    """One array for each input, of the input's dtype, contiguous, all of one length >= 1.

    `what` names the data in errors: ArgumentError for the wrong number of arrays, no examples or a
    bad batch size; ShapeError and DTypeError, naming the input, for what does not fit it.
    """
    checked_integer(what, "batch_size", batch_size, least=1)
    given = (data,) if isinstance(data, np.ndarray) and len(inputs) == 1 else data
    names = ", ".join(repr(node.name) for node in inputs)
    if not isinstance(given, tuple | list) or len(given) != len(inputs):
        came = f"{len(given)} arrays" if isinstance(given, tuple | list) else type(given).__name__
        raise ArgumentError(
            f"{what}: expected a tuple of {len(inputs)} arrays, for {names}; got {came}"
        )
    arrays = tuple(_as_array(what, *pair) for pair in zip(inputs, given, strict=True))
    count = len(arrays[0])
    for node, array in zip(inputs, arrays, strict=True):
        if len(array) != count:
            raise ShapeError(
                f"{what}: expected as many examples for every input; "
                f"{inputs[0].name!r} has {count}, {node.name!r} has {len(array)}"
            )
    if count == 0:
        raise ArgumentError(f"{what}: expected at least one example, got none for {names}")
    bind_sizes([(node, array.shape) for node, array in zip(inputs, arrays, strict=True)])
    return arrays


def checked_integer(what: str, argument: str, value: object, least: int) -> int:
    """The value as an int of at least `least`, or an ArgumentError naming the argument."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ArgumentError(
            f"{what}: expected {argument} to be an integer >= {least}, got {value!r}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def _as_array(what: str, node: Node, value: object) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise ArgumentError(f"{what}: expected an array for {node.name!r}: {error}") from None
    if array.ndim == 0:
        raise ShapeError(f"{what}: expected an axis of examples for {node.name!r}, got a number")
    return np.ascontiguousarray(as_argument(node, array))
