"""What a training run measured: one row for each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from graphc.errors import ArgumentError

Row = dict[str, float]


def number_text(value: float) -> str:
    """A measured number, in four digits that matter.

    >>> number_text(0.123456), number_text(2), number_text(12345.678), number_text(1.5e-7)
    ('0.1235', '2.000', '1.235e+04', '1.500e-07')
    """
    return f"{value:#.4g}"


class History:
    """The rows of a training run: dicts of "epoch", "loss", metrics, and the same of validation.

    Equal runs have equal rows; the time that each epoch took is kept apart, in `seconds`.
    `history["loss"]` is one column; printing gives a table.
    """

    def __init__(self) -> None:
        self.epochs: list[Row] = []
        self.seconds: list[float] = []
        # The number of the epoch whose values early stopping put back, None if it did not.
        self.best_epoch: int | None = None

    def append(self, row: Row, seconds: float) -> None:
        """Add the row of an epoch, and the time it took."""
        self.epochs.append(row)
        self.seconds.append(seconds)

    @property
    def columns(self) -> list[str]:
        """The names of all columns that some row has, in order of appearance."""
        return list(dict.fromkeys(name for row in self.epochs for name in row))

    def __getitem__(self, name: str) -> list[float]:
        """One column: a number for each epoch, NaN where an epoch does not have it."""
        if name not in self.columns:
            raise ArgumentError(
                f"history: expected one of {', '.join(self.columns) or 'no columns yet'}; "
                f"got {name!r}"
            )
        return [row.get(name, float("nan")) for row in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.epochs)

    def __str__(self) -> str:
        """A table in plain text."""
        head, *body = self._cells()
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        lines = (
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in (head, *body)
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<History of {len(self.epochs)} epochs: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        escape = import_module("html").escape  # with a large table of names, for notebooks alone
        head, *body = self._cells()
        rows = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
        rows += ["".join(f"<td>{escape(cell)}</td>" for cell in line) for line in body]
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"

    def _cells(self) -> list[list[str]]:
        """The head of the table, then its rows, as text."""
        columns = [name for name in self.columns if name != "epoch"]
        lines = [["epoch", *columns, "seconds"]]
        for row, seconds in zip(self.epochs, self.seconds, strict=True):
            numbers = [number_text(row[name]) if name in row else "" for name in columns]
            best = "*" if row["epoch"] == self.best_epoch else ""
            lines.append([f"{best}{row['epoch']:.0f}", *numbers, f"{seconds:.2f}"])
        return lines
