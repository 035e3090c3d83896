"""Running a function over a data set: native steps, with a return to Python at least every 50
ms."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.compiler.effects import Prints, precise_failure
from graphc.errors import ArgumentError, CheckFailedError, NonFiniteError, ShapeError
from graphc.ir.dim import size_names
from graphc.ir.node import Node
from graphc.ir.site import written_at
from graphc.ops.evaluate import evaluate_all
from graphc.target.batches import Batches, LoopRun, Row
from graphc.target.instructions import Context
from graphc.target.loop import LoopProgram

if TYPE_CHECKING:
    from graphc.compiler.function import Function

# How long native code runs before it lets Python look at Ctrl-C and progress; half of what is
# promised.
_SLICE_SECONDS = 0.025

# A loop with more memory than this is not kept for the next run: a step takes longer than binding.
_KEPT_BYTES = 1 << 26

Progress = Callable[[int, tuple[np.ndarray, ...]], None]
_Snapshot = list[tuple[Node, np.ndarray]]


class BoundLoop:
    """The loop of a function, bound to sizes: for one run at a time, and again for the next.

    `budget` is how many steps a slice of the next run takes.
    """

    def __init__(
        self, function: Function, batches: Batches, arrays: tuple[np.ndarray, ...]
    ) -> None:
        self.rows = [Row(array.shape[1:], array.dtype) for array in arrays]
        self.batches = batches
        self.outputs = _output_rows(function)
        full, rest = (
            function.sizes_of([array[:rows] for array in arrays]) if rows else None
            for rows in (batches.batch if batches.full else 0, batches.rest)
        )
        self.sizes = full if full is not None else rest
        self.prints = Prints(function.original.printed, (full, rest))
        self.program = LoopProgram(
            function.program, (full, rest), function.machine, self.rows, self.outputs,
            self.prints.memory, batches,
        )  # fmt: skip
        updated = sorted({state for state, _ in function.original.updates}, key=_number)
        self.states = [(state, _carried(state)) for state in updated]
        self.budget = 1

    def fits(self, batches: Batches, arrays: tuple[np.ndarray, ...]) -> bool:
        """Whether this is the loop for such data, whose dtypes are those of the inputs."""
        return self.batches == batches and all(
            row.shape == array.shape[1:] for row, array in zip(self.rows, arrays, strict=True)
        )


def run_loop(
    function: Function,
    data: Any,
    batch_size: int,
    epochs: int,
    seed: int,
    shuffle: bool,
    first_epoch: int,
    on_progress: Progress | None,
) -> Any:
    """See `Function.loop`."""
    arrays = _arrays(function, data)
    _check(batch_size, epochs, seed, first_epoch)
    batches = Batches(arrays[0].shape[0], int(batch_size), bool(shuffle))
    bound = _taken(function.bound_loops, batches, arrays) or BoundLoop(function, batches, arrays)
    steps = batches.steps * int(epochs)
    outputs = tuple([np.zeros((steps, *row.shape), row.dtype) for row in bound.outputs])
    if steps:
        function.last_sizes = bound.sizes
        numbers = range(int(first_epoch), int(first_epoch) + int(epochs))
        run = LoopRun(arrays, outputs, numbers, int(seed), function.take_steps(steps))
        bound.program.start(run)
        _Run(function, bound, outputs).to_end(on_progress)
        bound.program.finish()
    if bound.program.bytes <= _KEPT_BYTES:  # not after an error: where it stopped is not known
        function.bound_loops[:] = [bound]
    return outputs[0] if function.single else outputs


def _taken(
    kept: list[BoundLoop], batches: Batches, arrays: tuple[np.ndarray, ...]
) -> BoundLoop | None:
    """The loop that was kept, if it is the one for these data. It is kept no more, so that nobody
    else runs it."""
    try:
        bound = kept.pop()
    except IndexError:  # there was none yet, or it is in use: by another thread, or further out
        return None
    return bound if bound.fits(batches, arrays) else None


def _arrays(function: Function, data: Any) -> tuple[np.ndarray, ...]:
    given = data if isinstance(data, tuple | list) else (data,)
    inputs = function.inputs
    if not inputs:
        raise ArgumentError("loop: the function has no inputs to loop over; call it instead")
    if len(given) != len(inputs):
        names = ", ".join(node.name for node in inputs)
        raise ArgumentError(f"loop: expected {len(inputs)} array(s) ({names}), got {len(given)}")
    arrays = tuple(
        np.asarray(function.argument(node, value), order="C")
        for node, value in zip(inputs, given, strict=True)
    )
    for node, array in zip(inputs, arrays, strict=True):
        if array.ndim == 0:
            raise ShapeError(f"loop: {node.name!r} has no axis of examples to loop over")
        if array.shape[0] != arrays[0].shape[0]:
            raise ShapeError(
                f"loop: {inputs[0].name!r} has {arrays[0].shape[0]} examples, "
                f"{node.name!r} has {array.shape[0]}"
            )
        if isinstance(node.shape[0], int):
            raise ShapeError(
                f"loop: the first axis of {node.name!r} is fixed at {node.shape[0]}; declare it "
                f"with a "
                f'name, such as gx.input({node.name!r}, ("n", ...)), to feed batches'
            )
    return arrays


def _check(batch_size: Any, epochs: Any, seed: Any, first_epoch: Any) -> None:
    for name, value, least in (
        ("batch_size", batch_size, 1), ("epochs", epochs, 0), ("first_epoch", first_epoch, 0),
        ("seed", seed, 0)
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ArgumentError(f"loop: expected {name} >= {least}, an integer; got {value!r}")


def _output_rows(function: Function) -> list[Row]:
    batch_sizes = {name for node in function.inputs for name in size_names(node.shape[0])}
    made = []
    for node in function.outputs:
        for dim in node.shape:
            if batch_sizes & set(size_names(dim)):
                raise ShapeError(
                    f"loop: output {node!r} depends on the batch size, so steps have different "
                    f"shapes; reduce it over the examples.{written_at(node.sites)}"
                )
        if any(not isinstance(dim, int) for dim in node.shape):
            raise ShapeError(f"loop: output {node!r} has a shape that is not fixed")
        made.append(Row(function.output_shape(node, {}), node.dtype.numpy))
    return made


def _carried(node: Node) -> np.ndarray:
    """The array that a parameter or a state carries, itself and not a copy."""
    declared = node.declaration
    assert declared is not None
    assert declared.value is not None
    return declared.value


def _number(state: Node) -> int:
    return state.number


class _Run:
    """One loop under way: slices of steps, snapshots, and the search for the first bad node."""

    def __init__(
        self, function: Function, bound: BoundLoop, outputs: tuple[np.ndarray, ...]
    ) -> None:
        self.function, self.bound, self.outputs = function, bound, outputs
        self.program, self.prints = bound.program, bound.prints
        self.watched = [array for array in outputs if array.dtype.kind == "f"]
        # Taken every slice, so the memory is taken once.
        self._saved = [(node, now, np.empty_like(now)) for node, now in bound.states]

    def to_end(self, on_progress: Progress | None) -> None:
        """Run all steps; between slices look at the outputs and call `on_progress`."""
        while self.program.done < self.program.steps:
            done = self.program.done
            start = time.perf_counter()
            with self.function.locked():
                before, mark = self._snapshot(), self.program.mark()
                try:
                    now = self.program.advance(self.bound.budget)
                except CheckFailedError as error:
                    raise self._located(error) from None
                if self._bad(done, now):
                    self._explain_bad(before, mark)
            taken = time.perf_counter() - start
            self.prints.show(self.program.is_rest(done))
            if on_progress is not None:
                on_progress(now, tuple(array[:now] for array in self.outputs))
            if not self.prints.memory:  # what a step prints is shown before the next one
                self._plan_slice(now - done, taken)

    def _plan_slice(self, steps: int, seconds: float) -> None:
        """Choose how many steps come next, after some that took so long."""
        # The last slice of a run may be shorter than it was to be.
        most = max(8 * steps, self.bound.budget)
        fitting = int(steps * _SLICE_SECONDS / max(seconds, 1e-9))
        self.bound.budget = max(1, min(most, fitting))

    def _snapshot(self) -> _Snapshot:
        for _, now, place in self._saved:
            np.copyto(place, now)
        return [(node, place) for node, _, place in self._saved]

    def _restore(self, snapshot: _Snapshot) -> None:
        for node, value in snapshot:
            node.value = value

    def _bad(self, first: int, last: int) -> bool:
        return any(not np.isfinite(array[first:last]).all() for array in self.watched)

    def _explain_bad(self, before: _Snapshot, mark: Any) -> None:
        """Replay the slice step by step from the snapshot, to the step that goes wrong, and say
        where."""
        self._restore(before)
        self.program.reset(mark)
        # A state may hold infinity from the start, such as the best loss so far.
        watched = [n for n, v in before if n.dtype.is_float and np.isfinite(v).all()]
        while True:
            good = self._snapshot()
            order = self.program.mark()
            done = self.program.done
            now = self.program.advance(1)
            broken = any(not np.isfinite(_carried(node)).all() for node in watched)
            if broken or self._bad(done, now):
                batch = self.program.batch(done)
                self._restore(good)
                self.program.reset(order)
                raise self._error(done, batch)

    def _located(self, error: CheckFailedError) -> CheckFailedError:
        """A failed check of the step under way, with the step and the first place that fails."""
        graph, step = self.function.original, self.program.done
        feed = dict(zip(graph.inputs, self.program.batch(step), strict=True))
        precise = precise_failure(graph, feed, self._number())
        if precise is None:  # it fails in the rounding of compiled code only
            return error
        known = CheckFailedError(f"{self._where(step)}: {precise}")
        known.located = True
        return known

    def _number(self) -> int:
        """The number of the step that ran last, which is what its draws saw."""
        return int(self.program.context[Context.STEP])

    def _where(self, step: int) -> str:
        return f"step {step} (epoch {self.program.epoch(step)})"

    def _error(self, step: int, batch: tuple[np.ndarray, ...]) -> NonFiniteError:
        graph, where = self.function.original, self._where(step)
        feed = dict(zip(graph.inputs, batch, strict=True))
        values = evaluate_all(graph.values, feed, step=self._number())
        for node, value in values.items():
            parts = value if isinstance(value, tuple) else (value,)
            if any(
                p.dtype.kind == "f" and not np.isfinite(p).all() for p in map(np.asarray, parts)
            ):
                error = NonFiniteError(
                    f"{where}: the first value that is not finite is {node!r}; parameters are "
                    f"those of the last good step.{written_at(node.sites)}"
                )
                error.located = True
                return error
        return NonFiniteError(
            f"{where}: an output is not finite in compiled code only; parameters are those of the "
            f"last good step"
        )
