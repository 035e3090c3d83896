"""The images that graphc trains on: the digits inside the package, MNIST from its files, a split.

The 1,797 digits of 8x8 pixels are the test set of "Optical Recognition of Handwritten Digits" by
E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, 1998), under CC BY 4.0.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from graphc.errors import ArgumentError, DataError, DTypeError, ShapeError
from graphc.train.idx import read_idx

DIGITS_PATH = Path(__file__).with_name("digits.npz")
DIGITS_SHA256 = "af104d81e7cd419be5f343d23c6ca2e4e4ff847b06636260802df8e903c6183f"

_CLASSES = 10
_MNIST_SIDE = 28
_IMAGE_DTYPES = ("float32", "float64", "uint8")


class Dataset(NamedTuple):
    """Images, shape (n, pixels), and labels, shape (n,), to learn from and to be judged by."""

    train_images: NDArray[Any]
    train_labels: NDArray[Any]
    test_images: NDArray[Any]
    test_labels: NDArray[Any]


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The 1,797 handwritten digits that come with graphc.

    Returns images, float32 of shape (1797, 64) in [0, 1] (multiples of 1/16, rows of 8 pixels),
    and labels, int64 of shape (1797,) from 0 to 9. Raises `DataError` if the file was changed.

    >>> images, labels = load_digits()
    >>> images.shape, images.dtype, labels[:5].tolist()
    ((1797, 64), dtype('float32'), [0, 1, 2, 3, 4])
    """
    try:
        content = DIGITS_PATH.read_bytes()
    except OSError as error:
        raise DataError(
            f"{DIGITS_PATH}: expected the digits that come with graphc, got: "
            f"{error.strerror or error}. Install graphc again"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != DIGITS_SHA256:
        raise DataError(
            f"{DIGITS_PATH}: expected a file with SHA-256 {DIGITS_SHA256}, got {digest}. "
            "Install graphc again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    return images.astype(np.float32) / np.float32(16), labels.astype(np.int64)


def load_mnist(directory: str | os.PathLike[str], dtype: DTypeLike = "float32") -> Dataset:
    """MNIST, or a set of the same form such as Fashion-MNIST, from its four IDX files.

    The files keep their usual names, `train-images-idx3-ubyte` or `train-images.idx3-ubyte` and so
    on, plain or with `.gz`. Images have shape (n, 784): float32 or float64 in [0, 1], or `uint8`
    as stored, which takes a quarter of the memory. Labels are int64, from 0 to 9.

    Raises `DataError` when a file is missing or damaged, images are not 28x28, the numbers of
    images and labels differ, or a label is out of range; `DTypeError` for another dtype.
    """
    chosen = np.dtype(dtype)
    if chosen.name not in _IMAGE_DTYPES:
        raise DTypeError(
            f"load_mnist: expected dtype to be one of {', '.join(_IMAGE_DTYPES)}, got {chosen}"
        )
    directory = Path(directory)
    train_images, train_labels = _load_part(directory, "train", chosen)
    test_images, test_labels = _load_part(directory, "t10k", chosen)
    return Dataset(train_images, train_labels, test_images, test_labels)


def split(
    images: NDArray[Any], labels: NDArray[Any], held_out: float = 0.2, seed: int = 0
) -> Dataset:
    """Hold out a part of the rows for testing; shuffle the rest.

    `images` has shape (n, ...), `labels` (n,). `round(held_out * n)` rows are held out, spread
    evenly over the labels, so that each class gives its share to within one row. Equal arguments
    give equal rows, with every version of NumPy.

    Raises `ShapeError` when the lengths differ, `ArgumentError` when a side would be empty.

    >>> parts = split(np.arange(10.0), np.array([0, 1] * 5), held_out=0.4)
    >>> len(parts.train_images), sorted(parts.test_labels.tolist())
    (6, [0, 0, 1, 1])
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.ndim != 1 or images.ndim < 1 or len(images) != len(labels):
        raise ShapeError(
            "split: expected images (n, ...) and labels (n,) of one length, "
            f"got {images.shape} and {labels.shape}"
        )
    count = len(labels)
    held = round(held_out * count) if 0 < held_out < 1 else 0
    if not 0 < held < count:
        raise ArgumentError(
            "split: expected held_out to leave at least one row on each side, "
            f"got held_out={held_out} for {count} rows"
        )
    shuffled = _permutation(count, seed)
    by_label = np.argsort(labels[shuffled], kind="stable")
    # Of the rows in the order of their labels, every (count / held)th.
    chosen = np.diff(np.arange(count + 1) * held // count).astype(bool)
    testing = np.zeros(count, bool)
    testing[by_label[chosen]] = True
    train, test = shuffled[~testing], shuffled[testing]
    return Dataset(images[train], labels[train], images[test], labels[test])


def _permutation(count: int, seed: int) -> NDArray[np.int64]:
    """A permutation from PCG64's raw words: NumPy promises to keep those, but not its shuffles."""
    if seed < 0:
        raise ArgumentError(f"split: expected a seed of at least 0, got {seed}")
    words = np.random.PCG64(seed).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)


def _load_part(
    directory: Path, part: str, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    images_path = _find(directory, f"{part}-images", "idx3-ubyte")
    labels_path = _find(directory, f"{part}-labels", "idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path)
    expected = (_MNIST_SIDE, _MNIST_SIDE)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != expected:
        raise DataError(
            f"{images_path}: expected uint8 images (n, {_MNIST_SIDE}, {_MNIST_SIDE}), "
            f"got {images.dtype} {images.shape}"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1] or not labels.size:
        raise DataError(
            f"{labels_path}: expected at least one uint8 label, and one for each of the "
            f"{len(images)} images in {images_path.name}, got {labels.dtype} {labels.shape}"
        )
    if labels.max() >= _CLASSES:
        row = int(np.argmax(labels >= _CLASSES))
        raise DataError(
            f"{labels_path}: expected labels from 0 to {_CLASSES - 1}, got {labels[row]} at {row}"
        )
    return _pixels(images.reshape(len(images), -1), dtype), labels.astype(np.int64)


def _pixels(images: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == np.uint8:
        return images
    scaled: NDArray[Any] = np.divide(images, dtype.type(255), dtype=dtype)
    return scaled


def _find(directory: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{mark}{kind}{end}" for end in ("", ".gz") for mark in ("-", ".")]
    for name in names:
        if (directory / name).exists():
            return directory / name
    raise DataError(f"{directory}: expected one of {', '.join(names)}, got none of them")
