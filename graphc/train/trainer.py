"""The trainer: a loss, an optimizer and data in, a trained model and its history out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.compiler import compile, inference
from graphc.errors import ArgumentError, CheckpointError, DTypeError, ShapeError
from graphc.compiler.function import Function
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.nn.layers import parameters as parameters_of
from graphc.ops.source import input_op, param_op, state_op
from graphc.train.carried import carried_nodes, check_fit, unique_names
from graphc.train.checkpoint import load_parameters, save_parameters
from graphc.train.early_stopping import EarlyStopping, Watch
from graphc.train.examples import Examples, as_examples, checked_integer
from graphc.train.history import History, Row
from graphc.train.optimizers import Updates
from graphc.train.progress import Progress, show_progress

Rule = Callable[[Node, Sequence[Node]], Updates]

_EPOCH = "trainer.epoch"
# Names that a file keeps for itself; a parameter of such a name gets another.
_RESERVED = (_EPOCH, "__metadata__")


class Trainer:
    """Trains the parameters of a loss, and measures it.

    Args: `loss`, a float scalar, as a rule the mean over a batch; `inputs`, what every batch feeds,
    each with the examples along its first axis; `optimizer`, such as `gx.train.adam(1e-3)`, or any
    function from (loss, parameters) to updates; `metrics`, scalars to measure beside the loss, by
    name, also as means over a batch; `parameters`, those to train, by default all that the loss
    depends on; `updates`, new values for other states, such as a learning rate; `target`, as for
    `gx.compile`.

    The training step runs with `gx.training` on, validation and `evaluate` with it off. `history`
    has a row for each epoch that any `fit` of this trainer completed, `epoch` is their number.
    """

    @at_user_line
    def __init__(
        self,
        loss: Node,
        inputs: Node | Sequence[Node],
        optimizer: Rule,
        *,
        metrics: Mapping[str, Node] | None = None,
        parameters: Sequence[Node] | None = None,
        updates: Updates | None = None,
        target: str = "cpu",
    ) -> None:
        self.loss = _checked_scalar("loss", loss)
        self.inputs = _checked_inputs(inputs)
        self.metrics = _checked_metrics(metrics or {})
        self.optimizer = optimizer
        self.parameters = list(parameters) if parameters is not None else parameters_of(loss)
        if not self.parameters:
            raise ArgumentError("Trainer: expected a loss that depends on parameters, got none")
        self.updates = _joined(optimizer(loss, self.parameters), updates or {})
        self.history = History()
        self.epoch = 0
        self._measured = [self.loss, *self.metrics.values()]
        self._target = target
        roots = [*self._measured, *self.updates, *self.updates.values()]
        self._carried = unique_names(carried_nodes(roots), _RESERVED)
        self.step = compile(self.inputs, self._measured, updates=self.updates, target=target)

    @cached_property
    def evaluation(self) -> Function:
        """The compiled function from a batch to loss and metrics, with `gx.training` off."""
        outputs = [inference(node) for node in self._measured]
        return compile(self.inputs, outputs, target=self._target)

    def fit(
        self,
        data: object,
        batch_size: int = 32,
        epochs: int = 1,
        *,
        validation: object = None,
        seed: int = 0,
        shuffle: bool = True,
        early_stopping: EarlyStopping | None = None,
        progress: bool = True,
        on_epoch: Callable[[Row], object] | None = None,
    ) -> History:
        """Train for some more epochs, and return the history of all of them.

        Args: `data` and `validation`, a tuple of arrays, one for each input, all of one length;
        `batch_size`, the examples in a step (the last step of an epoch takes what is left);
        `seed`, of which, with the number of the epoch, the order of the examples is a function;
        `progress`, whether to show a bar, or lines where standard error is no terminal;
        `on_epoch(row)`, called after every epoch.

        A row holds "epoch", "loss" and the metrics as means over the examples, as they came while
        the parameters changed, and "validation_loss" and so on, measured after the epoch. The same
        arguments on the same machine give the same bits.

        Raises ArgumentError, ShapeError or DTypeError before the first step, naming what does not
        fit. NonFiniteError and KeyboardInterrupt leave the parameters as they were after a whole
        step (the last one with finite outputs), and the rows of completed epochs in `history`.
        """
        examples = as_examples("fit", self.inputs, data, batch_size)
        held_out = None
        if validation is not None:
            held_out = as_examples("validation", self.inputs, validation, batch_size)
        self._check_run(epochs, seed)
        watch = self._watch(early_stopping, held_out is not None)
        if held_out is not None:
            self.evaluation  # noqa: B018 - what cannot be compiled is an error before training
        self.history.best_epoch = None
        steps = math.ceil(len(examples[0]) / batch_size)
        display = show_progress(progress, self.epoch, self.epoch + epochs, steps)
        try:
            for _ in range(epochs):
                row = self._run_epoch(examples, held_out, batch_size, seed, shuffle, display)
                if on_epoch is not None:
                    on_epoch(row)
                if watch is not None and watch.finished(row):
                    break
        finally:
            display.close()
        if watch is not None:
            self.history.best_epoch = watch.restore()
        return self.history

    def evaluate(self, data: object, batch_size: int = 256) -> dict[str, float]:
        """Loss and metrics as means over the examples, with `gx.training` off.

        The examples are taken in their order, `batch_size` at a time; errors as in `fit`.
        """
        examples = as_examples("evaluate", self.inputs, data, batch_size)
        return self._measure(self.evaluation, examples, batch_size, shuffle=False)

    @at_user_line
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters, states and the number of epochs to a safetensors file, in one step.

        A parameter is written under its own name; of several with one name, the second declared is
        "name#2", and so on. Raises CheckpointError when the file cannot be written.
        """
        save_parameters(path, self._snapshot())

    @at_user_line
    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what `save` wrote: training goes on from there, to the same bits.

        Rows of later epochs leave the history. Raises CheckpointError, with nothing changed, when
        the file is damaged or differs from the model in any name, dtype or shape, listing them.
        """
        arrays = load_parameters(path)
        check_fit(path, arrays, self._snapshot())
        epoch = int(arrays[_EPOCH])
        if epoch < 0:
            raise CheckpointError(f"{os.fspath(path)}: expected an epoch >= 0, got {epoch}")
        for name, node in self._carried.items():
            node.value = arrays[name]
        self.epoch = epoch
        earlier = History()
        for row, seconds in zip(self.history.epochs, self.history.seconds, strict=True):
            if row["epoch"] <= epoch:
                earlier.append(row, seconds)
        self.history = earlier

    def _snapshot(self) -> dict[str, NDArray[Any]]:
        arrays = {name: node.value for name, node in self._carried.items()}
        return {**arrays, _EPOCH: np.asarray(self.epoch, np.int64)}

    def _run_epoch(
        self,
        examples: Examples,
        held_out: Examples | None,
        batch_size: int,
        seed: int,
        shuffle: bool,
        display: Progress,
    ) -> Row:
        began = time.perf_counter()
        display.begin_epoch(self.epoch + 1)
        measured = self._measure(
            self.step, examples, batch_size, shuffle, seed, self.epoch, display
        )
        self.epoch += 1
        row: Row = {"epoch": self.epoch, **measured}
        if held_out is not None:
            validated = self._measure(self.evaluation, held_out, batch_size, shuffle=False)
            row.update({f"validation_{name}": value for name, value in validated.items()})
        seconds = time.perf_counter() - began
        self.history.append(row, seconds)
        display.end_epoch(row, seconds)
        return row

    def _measure(
        self,
        function: Function,
        examples: Examples,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        epoch: int = 0,
        display: Progress | None = None,
    ) -> dict[str, float]:
        """One pass of a function over the examples: the mean of each output over all examples."""
        outputs = function.loop(
            examples,
            batch_size=batch_size,
            epochs=1,
            seed=seed,
            shuffle=shuffle,
            first_epoch=epoch,
            on_progress=None if display is None else lambda done, _: display.steps_done(done),
        )
        columns = outputs if isinstance(outputs, tuple) else (outputs,)
        if display is not None:
            display.steps_done(len(columns[0]))
        count = len(examples[0])
        names = ("loss", *self.metrics)
        return {
            name: mean_over_examples(column, batch_size, count)
            for name, column in zip(names, columns, strict=True)
        }

    @at_user_line
    def _check_run(self, epochs: object, seed: object) -> None:
        checked_integer("fit", "epochs", epochs, least=0)
        checked_integer("fit", "seed", seed, least=0)

    @at_user_line
    def _watch(self, rule: EarlyStopping | None, validated: bool) -> Watch | None:
        if rule is None:
            return None
        if not isinstance(rule, EarlyStopping):
            raise ArgumentError(f"fit: expected an EarlyStopping or None, got {rule!r}")
        columns = ["loss", *self.metrics]
        if validated:
            columns += [f"validation_{name}" for name in columns]
        return Watch(rule, columns, list(self._carried.values()))


def mean_over_examples(batch_means: NDArray[Any], batch_size: int, count: int) -> float:
    """The mean over `count` examples from the means of batches, of which the last may be short.

    >>> mean_over_examples(np.array([1.0, 1.0, 4.0]), batch_size=2, count=5)
    1.6
    """
    values = batch_means.astype(np.float64)
    weights = np.full(len(values), min(batch_size, count), np.float64)
    weights[-1] = count - batch_size * (len(values) - 1)
    # Exact, so that it does not depend on how a library would order the sum.
    return math.fsum((weights * values).tolist()) / count


def _checked_scalar(what: str, node: object) -> Node:
    if not isinstance(node, Node):
        raise ArgumentError(f"Trainer: expected {what} to be a node, got {type(node).__name__}")
    if node.shape != ():
        raise ShapeError(
            f"Trainer: expected {what} to be a scalar, got shape {shape_text(node.shape)}; "
            f"reduce it with gx.mean"
        )
    if what == "loss" and not node.dtype.is_float:
        raise DTypeError(f"Trainer: expected {what} to be a float, got {node.dtype}")
    return node


def _checked_inputs(inputs: Node | Sequence[Node]) -> list[Node]:
    known = [inputs] if isinstance(inputs, Node) else list(inputs)
    if not known:
        raise ArgumentError("Trainer: expected at least one input, got none")
    for node in known:
        if not isinstance(node, Node) or node.op is not input_op:
            raise ArgumentError(f"Trainer: expected inputs made by gx.input, got {node!r}")
        if node.ndim == 0:
            raise ShapeError(
                f"Trainer: expected input {node.name!r} to have an axis of examples first, got ()"
            )
    if len(set(known)) != len(known):
        raise ArgumentError("Trainer: expected each input once")
    return known


def _checked_metrics(metrics: Mapping[str, Node]) -> dict[str, Node]:
    for name, node in metrics.items():
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ArgumentError(
                f"Trainer: expected names of metrics to be printable text, got {name!r}"
            )
        if name in ("loss", "epoch", "seconds") or name.startswith("validation_"):
            raise ArgumentError(f"Trainer: a metric must not be named {name!r}: a column has it")
        _checked_scalar(f"metric {name!r}", node)
    return dict(metrics)


def _joined(updates: Updates, more: Updates) -> Updates:
    for node in more:
        if not isinstance(node, Node) or node.op not in (param_op, state_op):
            raise ArgumentError(f"Trainer: expected updates of states, got one of {node!r}")
        if node in updates:
            raise ArgumentError(f"Trainer: {node!r} is updated twice, by the optimizer too")
    return {**updates, **more}
