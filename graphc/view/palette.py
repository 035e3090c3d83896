"""The colours of pictures: one for each sort of node."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.node import Node


@dataclass(frozen=True)
class Palette:
    """The colours of one sort of node: inside and border. Text on it is dark."""

    name: str
    fill: str
    border: str


PALETTES = {
    "input": Palette("input", "#dbeafe", "#2563eb"),
    "param": Palette("parameter", "#ffedd5", "#ea580c"),
    "state": Palette("state", "#fef9c3", "#ca8a04"),
    "draw": Palette("random draw", "#fce7f3", "#db2777"),
    "flag": Palette("flag", "#fee2e2", "#dc2626"),
    "contraction": Palette("matrix product", "#dcfce7", "#16a34a"),
    "reduction": Palette("reduction", "#ede9fe", "#7c3aed"),
    "composite": Palette("composite", "#ccfbf1", "#0d9488"),
    "layout": Palette("layout", "#f8fafc", "#94a3b8"),
    "source": Palette("constant", "#f1f5f9", "#64748b"),
}
_OTHER = Palette("operation", "#ffffff", "#475569")


def palette_of(node: Node) -> Palette:
    """The colours of a node: by its role if it is declared, else by the kind of its operation."""
    declared = node.declaration
    if declared is not None:
        return PALETTES.get(declared.role, _OTHER)
    reduces = "keepdims" in node.attrs
    return PALETTES.get("reduction" if reduces else node.op.kind, _OTHER)
