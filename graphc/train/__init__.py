"""Training: optimizers, the trainer, the data that it can begin with, parameters on disk."""

from __future__ import annotations

from graphc.train.checkpoint import load_metadata, load_parameters, save_parameters
from graphc.train.data import Dataset, load_digits, load_mnist, split
from graphc.train.early_stopping import EarlyStopping
from graphc.train.history import History
from graphc.train.idx import read_idx
from graphc.train.optimizers import Optimizer, adam, momentum, sgd
from graphc.train.trainer import Trainer

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
