"""The compiled callable: checks its arguments, runs the program, and tells what it is made of."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.compiler.budget import check_bound
from graphc.compiler.compiled_graph import Compilation, CompiledGraph
from graphc.compiler.effects import precise_failure
from graphc.compiler.locks import Locks
from graphc.compiler.loop import BoundLoop, run_loop
from graphc.compiler.once import Once
from graphc.compiler.phases import Phase
from graphc.compiler.slot import ShapeAndType, Slot, is_number
from graphc.errors import ArgumentError, CheckFailedError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.effect import print_value
from graphc.ops.evaluate import as_argument, bind_sizes, check_sizes
from graphc.target.compiled_program import CompiledProgram
from graphc.target.instance import Instance
from graphc.target.machine import Machine

if TYPE_CHECKING:
    from graphc.compiler.memory_report import MemoryReport
    from graphc.compiler.profile import Profile

# Each set of sizes has an arena of its own; those of the sizes first used are dropped beyond this.
_MOST_SIZES = 16
# Sizes that are known to be right, by the shapes of arguments; that takes a few hundred bytes each.
_MOST_CHECKED = 256


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is loaded when it is first called: what a compiled function tells
    of itself takes as long to load as a small graph to compile, and most programs never ask."""
    return lambda *given: getattr(import_module(module), name)(*given)


_explain = _later("graphc.compiler.explain", "explain")
_memory_report = _later("graphc.compiler.memory_report", "report")
_profile = _later("graphc.compiler.profile", "profile")
_source_text = _later("graphc.compiler.source_text", "source_text")


class Function(CompiledGraph):
    """A compiled graph. Call it with arrays; `loop` runs it over a data set natively.

    Any sizes that fit the inputs' shapes work without recompilation; each set of sizes is bound
    once. Calls from several threads may overlap; those that share a parameter which one of them
    updates run one after the other.
    """

    def __init__(
        self,
        original: Graph,
        program: CompiledProgram,
        compilation: Once[Compilation],
        machine: Machine,
        phases: tuple[Phase, ...],
        single: bool,
    ) -> None:
        self.original, self.program, self.machine = original, program, machine
        self.phases, self.single, self.was_kept = phases, single, not compilation.made
        self._compilation = compilation
        self._slots: dict[Any, list[Slot]] = {}  # by shapes; those of calls under way are not there
        self._recent: list[Slot] = []  # those of the shapes that came last
        self.bound_loops: list[BoundLoop] = []  # the last one, while it does not run
        self._checked: dict[Any, dict[str, int]] = {}  # sizes by the shapes of inputs
        self._steps = itertools.count()
        self._draws = program.draws
        self._lock = threading.Lock()
        self._locks = Locks(program.schedule)
        self._shared = bool(self._locks)
        self._count = len(original.inputs)
        # Types of numbers that each input has been given, and is then given without an array.
        self._numbers: dict[Node, set[type]] = {node: set() for node in original.inputs}
        self._printed = original.printed
        self.last_sizes: dict[str, int] | None = None
        self.casts: dict[str, str] = {}
        self._casts: dict[Node, tuple[Any, Any]] = {}

    # ---- what it tells

    @property
    def memory(self) -> MemoryReport:
        """The planned memory: a formula of the sizes, and exact bytes for the sizes last bound; and
        what is kept for the next calls."""
        report: MemoryReport = _memory_report(self)
        return report

    @property
    def idle_slots(self) -> list[Slot]:
        """The bound programs of which no call is under way."""
        return [slot for free in list(self._slots.values()) for slot in free]

    def source(self) -> str:
        """The Python that was compiled, kernel by kernel, each part below the user's line."""
        text: str = _source_text(self.schedule, self.kernels)
        return text

    def explain(self, sizes: Mapping[str, int] | None = None) -> str:
        """Time, part of the machine's limit, floating-point operations and bytes of each step, in
        order, measured on zeros of the sizes of the last call or of `sizes`, such as {"n": 128}.

        See `profile` for real arguments, and docs/performance.md for how to read it.
        """
        text: str = _explain(self, sizes)
        return text

    def profile(self, *args: Any, repeats: int = 20, **named: Any) -> Profile:
        """Where the time goes on these arguments, which are those of a call: for each step of the
        program its seconds, operations, bytes, part of the machine's limit, and your lines.

        The program runs `repeats` times as a whole and as often step by step (fewer times if that
        takes more than some seconds). Every run begins with the parameters and states, and with the
        step number, that there are now, and they are the same afterwards: profiling never trains.
        Nothing is printed by `gx.print`. Raises what a call raises.

        >>> import numpy as np, graphc as gx
        >>> x = gx.input("x", ("n",))
        >>> measured = gx.compile(x, gx.tanh(x)).profile(np.ones(1000, np.float32))
        >>> measured.steps[0].cost.read_bytes, measured.steps[0].cost.written_bytes
        (4000, 4000)
        """
        if named or len(args) != self._count:
            args = self._by_name(args, named)
        arrays = [self.argument(node, value) for node, value in zip(self.inputs, args, strict=True)]
        measured: Profile = _profile(self, arrays, repeats)
        return measured

    # ---- calls

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The outputs for these inputs; updates have been applied when it returns.

        Raises what fails while it runs, such as IndexRangeError or CheckFailedError; no update has
        been applied then.
        """
        if named or len(args) != self._count:
            args = self._by_name(args, named)
        free = self._recent
        try:
            slot = free.pop()
        except IndexError:  # the first call, or all are in use by other threads
            slot, free = self._another(args)
        else:
            if not slot.take(args):
                slot.forget()
                free.append(slot)
                slot, free = self._another(args)
        # Two calls must not draw the same numbers; without draws the number does not matter.
        step = self.take_steps(1) if self._draws else next(self._steps)
        try:
            if self._shared:
                with self._locks:
                    results = slot.run(step)
            else:
                results = slot.run(step)
        except CheckFailedError as error:
            feed = dict(zip(self.inputs, args, strict=True))
            raise precise_failure(self.original, feed, step) or error from None
        finally:
            free.append(slot)
        if self._printed:
            results = self._print(results)
        return results[0] if self.single else tuple(results)

    def _print(self, results: list[Any]) -> list[Any]:
        """Print the values that come after the outputs; the outputs."""
        count = len(self.outputs)
        for effect, value in zip(self._printed, results[count:], strict=True):
            print_value(effect, value)
        return results[:count]

    def locked(self) -> Locks:
        """A context that holds the locks of every parameter and state that this function uses."""
        return self._locks

    def argument(self, node: Node, value: Any) -> np.ndarray:
        """A value as an array of the dtype of an input."""
        given = np.asarray(value)
        array = as_argument(node, given)
        if given.dtype != array.dtype:
            cast = (given.dtype, array.dtype)
            if self._casts.get(node) != cast:  # the text takes some microseconds
                self._casts[node] = cast
                self.casts[node.name] = f"{given.dtype} -> {array.dtype}"
        if array.ndim != node.ndim:
            bind_sizes([(node, array.shape)])
        declared = node.dtype.numpy
        if not array.ndim and is_number(value, declared):
            self._numbers[node].add(type(value))
        # Equal dtypes may be different objects; a call looks at the object.
        return array if array.dtype is declared else array.view(declared)

    def _by_name(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        names = [node.name for node in self.inputs]
        if len(args) > len(names):
            raise ArgumentError(
                f"expected {len(names)} argument(s) ({', '.join(names)}), got {len(args)}"
            )
        unknown = [name for name in named if name not in names[len(args) :]]
        if unknown:
            raise ArgumentError(
                f"unknown argument {unknown[0]!r}; expected "
                f"{', '.join(names[len(args) :]) or 'no more'}"
            )
        missing = [name for name in names[len(args) :] if name not in named]
        if missing:
            raise ArgumentError(f"missing argument(s): {', '.join(map(repr, missing))}")
        return (*args, *(named[name] for name in names[len(args) :]))

    def sizes_of(self, arrays: list[np.ndarray]) -> dict[str, int]:
        """The values of the named sizes, from arguments; an error names the inputs that
        disagree, or says that these sizes take more memory than the function may have."""
        shapes = tuple([array.shape for array in arrays])
        sizes = self._checked.get(shapes)
        if sizes is None:
            sizes = bind_sizes(list(zip(self.inputs, shapes, strict=True)))
            check_sizes(self.original.nodes, sizes)
            if self.program.most_bytes is not None:
                check_bound(self.program.most_bytes, self.program.lives, sizes)
            if len(self._checked) >= _MOST_CHECKED:
                self._checked.clear()
            self._checked[shapes] = sizes
        return sizes

    def bind(self, args: Sequence[Any]) -> Slot:
        """A program bound to the sizes of these arguments, for the caller alone to run."""
        return self._bind(
            [self.argument(node, value) for node, value in zip(self.inputs, args, strict=True)]
        )

    def _another(self, args: Sequence[Any]) -> tuple[Slot, list[Slot]]:
        """A slot that has taken these arguments, other than those used last; where it belongs."""
        arrays = [self.argument(node, value) for node, value in zip(self.inputs, args, strict=True)]
        key = tuple([array.shape for array in arrays])
        try:
            slot = self._slots[key].pop()
        except (KeyError, IndexError):  # not bound yet, or all are in use by other threads
            slot = self._bind(arrays)
        slot.take(arrays)
        self._recent = free = self._slots.setdefault(key, [])
        return slot, free

    def _bind(self, arrays: list[np.ndarray]) -> Slot:
        sizes = self.sizes_of(arrays)
        with self._lock:
            while len(self._slots) >= _MOST_SIZES:
                del self._slots[next(iter(self._slots))]
        self.last_sizes = sizes
        instance = Instance(self.program, sizes, self.machine)
        return Slot(instance, arrays, self.results(sizes), list(self._numbers.values()))

    def results(self, sizes: Mapping[str, int]) -> list[ShapeAndType]:
        """Shape and dtype of each output, then of each value that is printed, for given sizes."""
        results = (*self.outputs, *self._printed)
        return [(self.output_shape(node, sizes), node.dtype.numpy) for node in results]

    def output_shape(self, node: Node, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of an output for given sizes."""
        return tuple(evaluate_dim(dim, sizes) for dim in node.shape)

    # ---- loops

    def loop(
        self,
        data: Any,
        batch_size: int,
        epochs: int = 1,
        seed: int = 0,
        shuffle: bool = True,
        first_epoch: int = 0,
        on_progress: Callable[[int, tuple[np.ndarray, ...]], None] | None = None,
    ) -> Any:
        """Run over a data set in minibatches, natively, and return each output for every step.

        Args: `data`, one array for each input, all with as many rows; `batch_size` rows a step, the
        last step of an epoch may have fewer; `seed` fixes the order (a function of seed and epoch
        number) unless `shuffle` is False; epochs are numbered from `first_epoch`.
        `on_progress(steps, outputs so far)` is called at least every 50 ms. Returns an array of
        shape (steps, *output shape), or a tuple of them.

        Ctrl-C, an exception of `on_progress` and a failed check stop it after a whole step. An
        infinite or NaN float output raises NonFiniteError and puts back the last good parameters.
        """
        return run_loop(self, data, batch_size, epochs, seed, shuffle, first_epoch, on_progress)

    @property
    def step(self) -> int:
        """The number of the next call or step of a loop, which is what random draws see."""
        with self._lock:
            upcoming = next(self._steps)
            self._steps = itertools.count(upcoming)
            return upcoming

    @step.setter
    def step(self, number: int) -> None:
        with self._lock:
            self._steps = itertools.count(int(number))

    def take_steps(self, count: int) -> int:
        """Reserve `count` step numbers for random draws; the first of them."""
        with self._lock:
            first = next(self._steps)
            self._steps = itertools.count(first + count)
            return first
