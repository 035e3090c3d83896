"""The native functions that kernels put short rows side by side with (see `llvm_rows`), by symbol.

They are the same on a machine whatever the kernel: compiled once, with the driver.
"""

from __future__ import annotations

_PREFIX = "graphc_rows."
_WAYS = {True: "in", False: "out"}


def symbol(bits: int, to_lanes: bool) -> str:
    """The symbol of the function for numbers of so many bits."""
    return f"{_PREFIX}{_WAYS[to_lanes]}.{bits}"


def is_symbol(text: str) -> bool:
    """Whether native code that needs this symbol needs one of these functions."""
    return text.startswith(_PREFIX)


def parse_symbol(text: str) -> tuple[int, bool]:
    """The bits of a number, and whether rows become lanes."""
    way, bits = text.removeprefix(_PREFIX).split(".")
    return int(bits), way == _WAYS[True]


SYMBOLS = tuple(symbol(bits, to_lanes) for bits in (32, 64) for to_lanes in (True, False))
