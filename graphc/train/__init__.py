"""Training: optimizers, the trainer, the data that it can begin with, parameters on disk."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.train.checkpoint import load_metadata, load_parameters, save_parameters
    from graphc.train.data import Dataset, load_digits, load_mnist, split
    from graphc.train.early_stopping import EarlyStopping
    from graphc.train.history import History
    from graphc.train.idx import read_idx
    from graphc.train.optimizers import Optimizer, adam, momentum, sgd
    from graphc.train.trainer import Trainer

# Loaded when first used: an optimizer alone needs neither the trainer nor files.
_LATER = {
    "load_metadata": "checkpoint", "load_parameters": "checkpoint", "save_parameters": "checkpoint",
    "Dataset": "data", "load_digits": "data", "load_mnist": "data", "split": "data",
    "EarlyStopping": "early_stopping", "History": "history", "read_idx": "idx",
    "Optimizer": "optimizers", "adam": "optimizers", "momentum": "optimizers", "sgd": "optimizers",
    "Trainer": "trainer",
}  # fmt: skip

__all__ = [
    "Dataset",
    "EarlyStopping",
    "History",
    "Optimizer",
    "Trainer",
    "adam",
    "load_digits",
    "load_metadata",
    "load_mnist",
    "load_parameters",
    "momentum",
    "read_idx",
    "save_parameters",
    "sgd",
    "split",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"graphc.train has no attribute {name!r}")
    found = getattr(import_module(f"graphc.train.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
