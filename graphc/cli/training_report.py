"""What `graphc train` prints: the model and what becomes of it, as lines of plain text."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from graphc import __version__
from graphc.cli.program import Recipe
from graphc.cli.user_file import UserFile
from graphc.compiler.source_text import kernel_text
from graphc.grad.reverse import grad
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.nn.layers import parameters
from graphc.rewrite.engine import rewrite, simplify
from graphc.train import Dataset, Trainer
from graphc.train.history import Row
from graphc.view.show import formula

_LAYERS = ("a1", "h1", "a2", "h2", "a3", "loss")
# A longer table than this shows every second, third, ... epoch.
_MOST_ROWS = 30


def title(recipe: Recipe, data: Dataset) -> list[str]:
    """What is about to be learned."""
    what = "the digits that come with it" if recipe.directory is None else "MNIST"
    learned, held_out = len(data.train_labels), len(data.test_labels)
    return [
        f"graphc {__version__} learns {what}, with seed {recipe.seed}:",
        f"{learned:,} images of {recipe.pixels} pixels, and {held_out:,} held out",
    ]


def model(program: UserFile, recipe: Recipe) -> list[str]:
    """Each named node of the program as a formula of the others."""
    nodes = program.nodes
    named = {name: nodes[name] for name in _LAYERS}
    count = sum(int(np.prod(node.value.shape)) for node in parameters(nodes["loss"]))
    sizes = "-".join(map(str, recipe.sizes))
    lines = [f"Model: a multilayer perceptron {sizes} with {count:,} parameters"]
    for name, node in named.items():
        text = f"{name} = {formula(node, named)}"
        lines.append(f"  {text:<44} {shape_text(node.shape) if node.shape else 'a number'}")
    return lines


def graphs(program: UserFile) -> list[str]:
    """The sizes of the graphs before and after rewriting."""
    nodes = program.nodes
    loss, inputs = nodes["loss"], (nodes["x"], nodes["t"])
    derivatives = tuple(grad(loss, parameters(loss)))
    lines = [f"{'Graph':<36} {'nodes':>8} {'after rewriting':>17} {'rules applied':>15}"]
    for name, outputs in (
        ("the loss", (loss,)),
        (f"the loss and its {len(derivatives)} derivatives", (loss, *derivatives)),
    ):
        graph = Graph(inputs, outputs)
        after = rewrite(graph)
        lines.append(f"  {name:<34} {len(graph):>8,} {len(after):>17,} {len(after.log):>15,}")
    return lines


def last_derivative(program: UserFile) -> list[str]:
    """The derivative of the last layer's weights: a graph, written in the program's names."""
    nodes = program.nodes
    named: dict[str, Node] = {name: nodes[name] for name in ("h2", "a3")}
    derivative = simplify(grad(nodes["loss"], nodes["W3"]))
    return [
        "Derivative of the loss with respect to the last weights:",
        f"  dW3 = {formula(derivative, named)}",
    ]


def first_kernel(program: UserFile, trainer: Trainer) -> list[str]:
    """The first kernel of the training step, without what it imports, below the user's lines."""
    lines = kernel_text(trainer.step.kernels[0]).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("def "))
    return ["One of its kernels, and the line of the program that it computes:", "", *lines[start:]]


def compilation(trainer: Trainer, recipe: Recipe, seconds: float) -> list[str]:
    """What was compiled, how long it took, and the memory that a step will take."""
    step, evaluation = trainer.step, trainer.evaluation
    cached = sum(kernel.from_cache for kernel in (*step.kernels, *evaluation.kernels))
    return [
        f"Compiled in {seconds:.2f} s: {len(step.kernels)} kernels for a step of training, "
        f"{len(evaluation.kernels)} for validation;",
        f"{cached or 'none'} of them from the cache. "
        f"Planned peak memory of a step: {step.memory.at({'n': recipe.batch_size}):,} bytes.",
    ]


class EpochTable:
    """Loss and accuracy of each epoch, or of about thirty of them, in columns."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._every = -(-epochs // _MOST_ROWS)

    def head(self, before: Row) -> list[str]:
        """The titles of the columns, and the untrained network's row."""
        return [
            "            while learning           held out",
            "epoch      loss  accuracy      loss  accuracy",
            f"    0{'':<22}{before['loss']:>7.5f}  {before['accuracy']:>7.2%}",
        ]

    def is_shown(self, row: Row) -> bool:
        """Whether the row of this epoch is printed: the first, the last, and some between."""
        epoch = int(row["epoch"])
        return epoch in (1, self._epochs) or epoch % self._every == 0

    def line(self, row: Row) -> str:
        """The row of an epoch."""
        return (
            f"{row['epoch']:>5.0f}  {row['loss']:>8.5f}  {row['accuracy']:>7.2%}   "
            f"{row['validation_loss']:>7.5f}  {row['validation_accuracy']:>7.2%}"
        )


def result(trainer: Trainer, data: Dataset, seconds: float) -> list[str]:
    """How many of the images that were held out the network reads."""
    row, count = trainer.history.epochs[-1], len(data.test_labels)
    accuracy = row["validation_accuracy"]
    epochs = "1 epoch" if len(trainer.history) == 1 else f"{len(trainer.history)} epochs"
    return [
        f"Of the {count:,} images held out it reads {round(accuracy * count):,}: "
        f"accuracy {accuracy:.2%}. {epochs} took {seconds:.2f} s."
    ]


def next_steps(path: Path, wanted: Path) -> list[str]:
    """Where the program is, and what to try with it."""
    other = [f"{wanted} is another program, and was left alone."] if path != wanted else []
    file = shlex.quote(str(path))
    rows = (
        (f"python {file}", "train it, after any change"),
        (f"graphc show {file}:loss --wrt W1", "the derivative with respect to W1"),
        (f"graphc source {file}:loss", "the code that computes the loss"),
    )
    width = max(len(command) for command, _ in rows)
    return [
        *other,
        f"The program is in {path}. Try",
        *(f"  {command:<{width}}   {what}" for command, what in rows),
    ]
