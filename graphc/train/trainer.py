"""The trainer: a loss, an optimizer and data in, a trained model and its history out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphc.compiler import compile, inference
from graphc.compiler.function import Function
from graphc.errors import ArgumentError, CheckpointError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.nn.layers import parameters as parameters_of
from graphc.train.carried import carried_nodes, check_fit, unique_names
from graphc.train.checkpoint import load_parameters, save_parameters
from graphc.train.checks import (
    checked_inputs,
    checked_metrics,
    checked_scalar,
    joined_updates,
)
from graphc.train.early_stopping import EarlyStopping, Watch
from graphc.train.examples import Examples, as_examples, checked_integer
from graphc.train.history import History, Row
from graphc.train.optimizers import Updates
from graphc.train.progress import Progress, show_progress

Rule = Callable[[Node, Sequence[Node]], Updates]

# Names that a file keeps for itself; a parameter of such a name gets another.
_EPOCH, _STEP = "trainer.epoch", "trainer.step"
_RESERVED = (_EPOCH, _STEP, "__metadata__")

# The steps of one native loop at most, unless one epoch has more: it keeps an output of each.
_STEPS_TOGETHER = 2**16

Columns = tuple[NDArray[Any], ...]


class _Run(NamedTuple):
    """What the epochs of one `fit` have in common."""

    examples: Examples
    held_out: Examples | None
    batch_size: int
    steps: int
    seed: int
    shuffle: bool
    display: Progress


class _Clock:
    """The time that each epoch of a loop took: epochs that completed together share it equally."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.seconds = 0.0
        self._complete = 0
        self._since = time.perf_counter()

    def share(self, complete: int) -> None:
        """So many epochs of the loop are complete now."""
        if complete > self._complete:
            now = time.perf_counter()
            self.seconds = (now - self._since) / (complete - self._complete)
            self._complete, self._since = complete, now


class Trainer:
    """Trains the parameters of a loss, and measures it.

    Args: `loss`, a float scalar, as a rule the mean over a batch; `inputs`, what every batch feeds,
    each with the examples along its first axis; `optimizer`, such as `gx.train.adam(1e-3)`, or any
    function from (loss, parameters) to updates; `metrics`, scalars to measure beside the loss, by
    name, also as means over a batch; `parameters`, those to train, by default all that the loss
    depends on; `updates`, new values for other states, such as a learning rate; `target`, as for
    `gx.compile`.

    The training step runs with `gx.training` on, validation and `evaluate` with it off. `history`
    has a row for each epoch that any `fit` of this trainer completed; `epoch` counts them.
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
        self.loss = checked_scalar("loss", loss)
        self.inputs = checked_inputs(inputs)
        self.metrics = checked_metrics(metrics or {})
        self.optimizer = optimizer
        self.parameters = list(parameters) if parameters is not None else parameters_of(loss)
        if not self.parameters:
            raise ArgumentError("Trainer: expected a loss that depends on parameters, got none")
        self.updates = joined_updates(optimizer(loss, self.parameters), updates or {})
        self.history = History()
        self.epoch = 0
        self._measured = [self.loss, *self.metrics.values()]
        self._target = target
        roots = [*self._measured, *self.updates, *self.updates.values()]
        self._carried = unique_names(carried_nodes(roots), _RESERVED)
        self.step = self._compile_step()

    @cached_property
    def evaluation(self) -> Function:
        """The compiled function from a batch to loss and metrics, with `gx.training` off."""
        function: Function = compile(self.inputs, inference(self._measured), target=self._target)
        return function

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
        held_out = self._held_out(validation, batch_size)
        self._check_run(epochs, seed)
        watch = self._watch(early_stopping, held_out is not None)
        if held_out is not None:
            self.evaluation  # noqa: B018 - what cannot be compiled is an error before training
        self.history.best_epoch = None
        last, steps = self.epoch + epochs, math.ceil(len(examples[0]) / batch_size)
        display = show_progress(progress, self.epoch, last, steps)
        run = _Run(examples, held_out, batch_size, steps, seed, shuffle, display)
        try:
            self._train_until(last, run, watch, on_epoch)
        finally:
            display.close()
        if watch is not None:
            self.history.best_epoch = watch.restore()
        return self.history

    def _train_until(
        self,
        last: int,
        run: _Run,
        watch: Watch | None,
        on_epoch: Callable[[Row], object] | None,
    ) -> None:
        """Epochs up to the number `last`, or until the watch says that it is enough."""
        # Where nothing is to be done between epochs, many of them are one native loop.
        stays = run.held_out is None and watch is None and on_epoch is None
        together = max(1, _STEPS_TOGETHER // run.steps) if stays else 1
        while self.epoch < last:
            row = self._train(run, min(together, last - self.epoch))
            if on_epoch is not None:
                on_epoch(row)
            if watch is not None and watch.finished(row):
                return

    def evaluate(self, data: object, batch_size: int = 256) -> dict[str, float]:
        """Loss and metrics as means over the examples, with `gx.training` off.

        The examples are taken in their order, `batch_size` at a time; errors as in `fit`.
        """
        examples = as_examples("evaluate", self.inputs, data, batch_size)
        return self._measure(examples, batch_size)

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
        epoch, step = int(arrays[_EPOCH]), int(arrays[_STEP])
        if epoch < 0 or step < 0:
            raise CheckpointError(
                f"{os.fspath(path)}: expected an epoch and a step >= 0, got {epoch} and {step}"
            )
        for name, node in self._carried.items():
            node.value = arrays[name]
        self.epoch = epoch
        self._go_to_step(step)
        earlier = History()
        for row, seconds in zip(self.history.epochs, self.history.seconds, strict=True):
            if row["epoch"] <= epoch:
                earlier.append(row, seconds)
        self.history = earlier

    def _go_to_step(self, step: int) -> None:
        """Make random draws go on from a step."""
        if step < self.step.take_steps(0):
            self.step = self._compile_step()  # a compiled function only counts up
        self.step.take_steps(step - self.step.take_steps(0))

    def _snapshot(self) -> dict[str, NDArray[Any]]:
        arrays = {name: node.value for name, node in self._carried.items()}
        counts = {_EPOCH: self.epoch, _STEP: self.step.take_steps(0)}
        return {**arrays, **{name: np.asarray(n, np.int64) for name, n in counts.items()}}

    def _compile_step(self) -> Function:
        step: Function = compile(
            self.inputs, self._measured, updates=self.updates, target=self._target
        )
        return step

    def _train(self, run: _Run, epochs: int) -> Row:
        """Some epochs as one native loop; the row of the last."""
        clock = _Clock(self.epoch)

        def passed(steps: int, outputs: Columns) -> None:
            complete = steps // run.steps
            clock.share(complete)
            while self.epoch < clock.first + complete:
                self._end_epoch(run, outputs, self.epoch - clock.first, clock.seconds)
                if self.epoch < clock.first + epochs:
                    run.display.begin_epoch(self.epoch + 1)
            if self.epoch < clock.first + epochs:
                run.display.steps_done(steps - complete * run.steps)

        run.display.begin_epoch(self.epoch + 1)
        outputs = self.step.loop(
            run.examples,
            batch_size=run.batch_size,
            epochs=epochs,
            seed=run.seed,
            shuffle=run.shuffle,
            first_epoch=self.epoch,
            on_progress=passed,
        )
        passed(epochs * run.steps, outputs)
        return self.history.epochs[-1]

    def _end_epoch(self, run: _Run, outputs: Columns, number: int, seconds: float) -> None:
        """The row of an epoch, the one of this number in the outputs of a loop."""
        run.display.steps_done(run.steps)
        own = slice(number * run.steps, (number + 1) * run.steps)
        measured = self._means([column[own] for column in outputs], run.batch_size, run.examples)
        self.epoch += 1
        row: Row = {"epoch": self.epoch, **measured}
        if run.held_out is not None:
            validated = self._measure(run.held_out, run.batch_size)
            row.update({f"validation_{name}": value for name, value in validated.items()})
        self.history.append(row, seconds)
        run.display.end_epoch(row, seconds)

    def _measure(self, examples: Examples, batch_size: int) -> dict[str, float]:
        columns = self.evaluation.loop(examples, batch_size=batch_size, shuffle=False)
        return self._means(columns, batch_size, examples)

    def _means(
        self, columns: Sequence[NDArray[Any]], batch_size: int, examples: Examples
    ) -> dict[str, float]:
        """Each output of the steps of an epoch, as the mean over its examples."""
        names, count = ("loss", *self.metrics), len(examples[0])
        pairs = zip(names, columns, strict=True)
        return {name: mean_over_examples(column, batch_size, count) for name, column in pairs}

    def _held_out(self, validation: object, batch_size: int) -> Examples | None:
        if validation is None:
            return None
        return as_examples("validation", self.inputs, validation, batch_size)

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
