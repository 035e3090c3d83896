"""Early stopping: end a training run when what is monitored no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.train.history import Row

Values = dict[Node, np.ndarray]


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop, and whether to go back to the best epoch.

    Args: `patience`, the number of epochs in a row without improvement after which training ends;
    `min_delta`, what an improvement must exceed; `monitor`, a column of the history, by default
    "validation_loss", or "loss" without validation data; `mode`, "min", "max", or "auto": smaller
    is better for names that end in "loss" or "error", larger for all others; `restore_best`,
    whether training ends with the parameters and the optimizer's states as after the best epoch.

    >>> EarlyStopping(patience=3, monitor="validation_accuracy").larger_is_better("loss")
    True
    """

    patience: int = 5
    min_delta: float = 0.0
    monitor: str | None = None
    mode: str = "auto"
    restore_best: bool = True

    def __post_init__(self) -> None:
        whole = isinstance(self.patience, int) and not isinstance(self.patience, bool)
        if not whole or self.patience < 1:
            raise ArgumentError(
                f"EarlyStopping: expected an integer patience >= 1, got {self.patience!r}"
            )
        if not isinstance(self.min_delta, int | float) or not 0 <= self.min_delta < math.inf:
            raise ArgumentError(
                f"EarlyStopping: expected a finite min_delta >= 0, got {self.min_delta!r}"
            )
        if self.mode not in ("auto", "min", "max"):
            raise ArgumentError(
                f"EarlyStopping: expected mode 'auto', 'min' or 'max', got {self.mode!r}"
            )

    def larger_is_better(self, default: str) -> bool:
        """Whether the monitored column, or `default` if none was named, is to grow."""
        name = self.monitor or default
        return self.mode == "max" or (self.mode == "auto" and not name.endswith(("loss", "error")))


class Watch:
    """One run under early stopping: the best value so far, and the values carried at that time."""

    def __init__(
        self, rule: EarlyStopping, columns: Sequence[str], carried: Sequence[Node]
    ) -> None:
        default = "validation_loss" if "validation_loss" in columns else "loss"
        self.monitor = rule.monitor or default
        if self.monitor not in columns:
            raise ArgumentError(
                f"EarlyStopping: expected monitor to be one of {', '.join(columns)}; "
                f"got {self.monitor!r}"
            )
        self._rule = rule
        self._sign = -1.0 if rule.larger_is_better(default) else 1.0
        self._carried = carried if rule.restore_best else ()
        self._best = math.inf
        self._best_values: Values = {}
        self._waited = 0
        self.best_epoch: int | None = None

    def finished(self, row: Row) -> bool:
        """Take note of an epoch's row; whether training is to end with it."""
        value = self._sign * row[self.monitor]
        if value < self._best - self._rule.min_delta:
            self._best, self._waited = value, 0
            self.best_epoch = int(row["epoch"])
            self._best_values = {node: node.value for node in self._carried}
        else:
            self._waited += 1
        return self._waited >= self._rule.patience

    def restore(self) -> int | None:
        """Put the best epoch's values back; its number, None if nothing was to be put back."""
        for node, value in self._best_values.items():
            node.value = value
        return self.best_epoch if self._best_values else None
