"""The program that `graphc train` writes, runs, and leaves for the user to edit."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphc.errors import ArgumentError
from graphc.files import replace_text

# The rate at the end of a run where it falls, as a part of the rate at its beginning.
_LAST_RATE = 0.05


@dataclass(frozen=True)
class Recipe:
    """A network, the data that it learns, and how.

    `directory` holds MNIST; None is the digits. After each step the rate is multiplied by `decay`.
    """

    sizes: tuple[int, int, int, int]
    pixels: str
    seed: int
    epochs: int
    batch_size: int
    rate: float
    decay: float = 1.0
    directory: str | None = None

    def weight_seed(self, layer: int) -> int:
        """The seed of a layer's weights, counted from 1: another one for each run and layer."""
        return 10 * self.seed + layer


def digits_recipe(seed: int, epochs: int | None, batch_size: int | None) -> Recipe:
    """The digits that come with graphc: 64-64-32-10."""
    return Recipe((64, 64, 32, 10), "8x8", seed, epochs or 20, batch_size or 32, 0.005)


def mnist_recipe(
    directory: str, examples: int, seed: int, epochs: int | None, batch_size: int | None
) -> Recipe:
    """MNIST: 784-256-128-10, at a rate that falls, since a constant one leaves it restless."""
    epochs, batch_size = epochs or 10, batch_size or 128
    steps = epochs * math.ceil(examples / batch_size)
    decay = float(f"{_LAST_RATE ** (1 / steps):.7f}")  # as the program writes it
    place = os.path.abspath(directory)
    return Recipe((784, 256, 128, 10), "28x28", seed, epochs, batch_size, 0.002, decay, place)


def program_text(recipe: Recipe) -> str:
    """The program, about 30 lines of Python."""
    return "\n".join([*_model_lines(recipe), *_training_lines(recipe), ""])


def _model_lines(recipe: Recipe) -> Iterator[str]:
    inputs, first, second, classes = recipe.sizes
    yield '"""A network that reads digits. `graphc train` wrote it; change it and run it."""'
    yield ""
    yield "import graphc as gx"
    yield "from graphc.nn import init"
    yield ""
    yield f'x = gx.input("x", ("n", {inputs}))  # n images of {recipe.pixels} pixels from 0 to 1'
    yield 't = gx.input("t", ("n",), dtype="int64")  # the digit that each of them shows'
    yield ""
    for layer, shape in enumerate(((inputs, first), (first, second), (second, classes)), start=1):
        seed = recipe.weight_seed(layer)
        yield f'W{layer} = gx.param("W{layer}", init.he_normal({shape}, seed={seed}))'
        yield f'b{layer} = gx.param("b{layer}", init.zeros({shape[1]}))'
    yield ""
    yield "a1 = x @ W1 + b1"
    yield "h1 = gx.relu(a1)"
    yield "a2 = h1 @ W2 + b2"
    yield "h2 = gx.relu(a2)"
    yield "a3 = h2 @ W3 + b3"
    yield "loss = gx.mean(gx.nn.softmax_cross_entropy(a3, t))"
    yield "accuracy = gx.mean(gx.equal(gx.argmax(a3, axis=1), t))"
    yield ""


def _training_lines(recipe: Recipe) -> Iterator[str]:
    yield 'if __name__ == "__main__":'
    if recipe.directory is None:
        yield "    images, labels = gx.train.load_digits()"
        yield f"    data = gx.train.split(images, labels, held_out=0.2, seed={recipe.seed})"
    else:
        # As a literal of ASCII characters, a name can hold what it likes.
        yield f"    data = gx.train.load_mnist({recipe.directory!a})"
    rate = repr(recipe.rate)
    if recipe.decay != 1:
        yield f'    rate = gx.state("rate", {rate})'
        rate = "rate"
    yield "    trainer = gx.train.Trainer("
    yield f"        loss, inputs=[x, t], optimizer=gx.train.adam({rate}),"
    yield '        metrics={"accuracy": accuracy},'
    if recipe.decay != 1:
        yield f"        updates={{rate: {recipe.decay} * rate}},"
    yield "    )"
    yield "    learned = (data.train_images, data.train_labels)"
    run = f"batch_size={recipe.batch_size}, epochs={recipe.epochs}, seed={recipe.seed}"
    yield f"    trainer.fit(learned, {run})"
    yield "    held_out = trainer.evaluate((data.test_images, data.test_labels))"
    measured = "loss {held_out['loss']:.6f}, accuracy {held_out['accuracy']:.2%}"
    yield f'    print(f"held out: {measured}")'


def write_program(wanted: Path, text: str) -> Path:
    """Write the program to `wanted`, or beside it where another file has that name; the path.

    A file with just this text is left as it is. Raises ArgumentError where nothing can be written.
    """
    if wanted.is_dir():
        raise ArgumentError(f"{wanted}: expected a file to write the program to, got a directory")
    try:
        for path in _free_names(wanted):
            if not os.path.lexists(path):
                replace_text(path, text)
                return path
            if path.is_file() and path.read_bytes() == text.encode():
                return path
    except OSError as error:
        raise ArgumentError(
            f"{wanted}: cannot be written: {error.strerror or error}. Choose a place with --output"
        ) from None
    raise AssertionError("there is always another name")


def _free_names(wanted: Path) -> Iterator[Path]:
    yield wanted
    number = 2
    while True:
        yield wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1
