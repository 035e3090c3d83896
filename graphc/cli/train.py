"""`graphc train`: from symbols to a trained network, with each stage on the page."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graphc.cli import training_report as report
from graphc.cli.exit_code import DONE, INTERRUPTED
from graphc.cli.program import Recipe, digits_recipe, mnist_recipe, program_text, write_program
from graphc.cli.user_file import UserFile, run_file
from graphc.errors import DataError
from graphc.ir.node import Node
from graphc.ir.site import Site, inherit_sites
from graphc.ops import state
from graphc.train import Dataset, Trainer, adam, load_digits, load_mnist, split
from graphc.train.history import Row


def main(arguments: Sequence[str]) -> int:
    """Run `graphc train` with these arguments; the exit code."""
    options = _parser().parse_args(arguments)
    wishes = (options.seed, options.epochs, options.batch_size)
    if options.data is None:
        recipe = digits_recipe(*wishes)
        data = split(*load_digits(), held_out=0.2, seed=recipe.seed)
    else:
        data = _load_mnist(options.data)
        recipe = mnist_recipe(options.data, len(data.train_labels), *wishes)
    wanted = Path(options.output or ("digits.py" if options.data is None else "mnist.py"))
    path = write_program(wanted, program_text(recipe))
    print(*report.title(recipe, data), sep="\n")
    program = run_file(str(path))
    _print(report.model(program, recipe))
    _print(report.graphs(program))
    _print(report.last_derivative(program))
    start = time.perf_counter()
    trainer = make_trainer(program, recipe)
    before = trainer.evaluate((data.test_images, data.test_labels))
    _print(report.first_kernel(program, trainer))
    _print(report.compilation(trainer, recipe, time.perf_counter() - start))
    try:
        seconds = _fit(trainer, recipe, data, before)
    except KeyboardInterrupt:
        return _stopped(trainer, recipe, path)
    _print(report.result(trainer, data, seconds))
    _print(report.next_steps(path, wanted))
    return DONE


def _load_mnist(directory: str) -> Dataset:
    if not Path(directory).is_dir():
        came = "something else" if Path(directory).exists() else "no such directory"
        raise DataError(
            f"{directory}: expected a directory with the four IDX files of MNIST, got {came}"
        )
    return load_mnist(directory)


def _print(section: Sequence[str]) -> None:
    # At once, since what comes next may take a while.
    print("", *section, sep="\n", flush=True)


def make_trainer(program: UserFile, recipe: Recipe) -> Trainer:
    """The trainer that the program itself makes in its `__main__` part."""
    nodes = program.nodes
    with inherit_sites(_trainer_site(program)):
        rate: float | Node = recipe.rate
        updates = {}
        if recipe.decay != 1:
            rate = state("rate", recipe.rate)
            updates[rate] = recipe.decay * rate
        return Trainer(
            nodes["loss"],
            inputs=[nodes["x"], nodes["t"]],
            optimizer=adam(rate),
            metrics={"accuracy": nodes["accuracy"]},
            updates=updates,
        )


def _trainer_site(program: UserFile) -> tuple[Site, ...]:
    """The line where the program makes its trainer: what an update was written at."""
    lines = Path(program.path).read_text("utf-8").splitlines()
    found = (number for number, line in enumerate(lines, start=1) if "train.adam(" in line)
    return tuple(Site(program.path, number) for number in found)


def _fit(trainer: Trainer, recipe: Recipe, data: Dataset, before: Row) -> float:
    """Train, with a line for each epoch; the seconds it took."""
    table = report.EpochTable(recipe.epochs)
    _print(table.head(before))
    write = _line_writer()

    def on_epoch(row: Row) -> None:
        if table.is_shown(row):
            write(table.line(row))

    start = time.perf_counter()
    trainer.fit(
        (data.train_images, data.train_labels),
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        seed=recipe.seed,
        validation=(data.test_images, data.test_labels),
        # Into a pipe, the lines of the table are progress enough.
        progress=_watched(),
        on_epoch=on_epoch,
    )
    return time.perf_counter() - start


def _watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _line_writer() -> Callable[[str], None]:
    """Prints a line; above the progress bar where there is one."""
    if not _watched():
        return lambda line: print(line, flush=True)
    from tqdm.auto import tqdm

    return lambda line: tqdm.write(line, file=sys.stdout)


def _stopped(trainer: Trainer, recipe: Recipe, path: Path) -> int:
    print(
        f"\ngraphc train: stopped in epoch {trainer.epoch + 1} of {recipe.epochs}; "
        f"the program is in {path}",
        file=sys.stderr,
    )
    return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc train",
        description="Train a network on the handwritten digits that come with graphc, or on MNIST, "
        "and show each stage. Leaves a short program to edit and run.",
        allow_abbrev=False,
    )
    for option, kind, metavar, meaning in (
        ("--seed", _at_least(0), "N", "of weights, order and held-out part (default 0)"),
        ("--epochs", _at_least(1), "N", "passes over the data (default 20; MNIST 10)"),
        ("--batch-size", _at_least(1), "N", "examples in a step (default 32; MNIST 128)"),
        ("--data", str, "DIR", "train on MNIST, from its four IDX files in DIR, plain or .gz"),
        ("--output", str, "FILE", "the program to write (default digits.py; MNIST mnist.py)"),
    ):
        parser.add_argument(option, type=kind, metavar=metavar, help=meaning)
    parser.set_defaults(seed=0)
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected an integer >= {least}, got {text!r}")
        return number

    return integer
