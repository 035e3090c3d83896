"""The digits in the package, MNIST's files, hostile files, and the split."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphc.errors import ArgumentError, DataError, DTypeError, ShapeError
from graphc.train import data, idx
from graphc.train.data import load_digits, load_mnist, split
from graphc.train.idx import read_idx

ROOT = Path(__file__).resolve().parents[2]
MNIST = Path(os.environ.get("GRAPHC_MNIST") or ROOT.parent / "shared" / "data" / "mnist")

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file that holds `array`."""
    code = _CODES[f"{array.dtype.kind}{array.dtype.itemsize}"]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def header(code: int, *sizes: int) -> bytes:
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)


# --- the digits in the package ---


def test_digits_are_the_published_set() -> None:
    """Shapes, range and class counts of the 1,797 digits, the first pixels, and a sum of all."""
    images, labels = load_digits()
    assert images.shape == (1797, 64)
    assert images.dtype == np.float32
    assert labels.shape == (1797,)
    assert labels.dtype == np.int64
    assert images.min() == 0.0
    assert images.max() == 1.0
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (images[0, :16] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]
    stored = (images * 16).astype(np.uint8)
    assert np.array_equal(stored / np.float32(16), images)
    assert hashlib.sha256(stored.tobytes()).hexdigest().startswith("8f26b2bd9d135c25")


def test_digits_are_small_and_loaded_afresh() -> None:
    """The data file stays under 100 KB; what one call returned can be changed freely."""
    assert data.DIGITS_PATH.stat().st_size <= 100_000
    images, labels = load_digits()
    images[:] = 7
    labels[:] = 7
    again, labels_again = load_digits()
    assert again.max() == 1.0
    assert labels_again.max() == 9


def test_changed_digits_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One flipped bit, a truncated file and a missing file are errors that name the file."""
    content = bytearray(data.DIGITS_PATH.read_bytes())
    path = tmp_path / "digits.npz"
    monkeypatch.setattr(data, "DIGITS_PATH", path)
    with pytest.raises(DataError, match=r"digits\.npz: expected the digits .* No such file"):
        load_digits()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"digits\.npz: expected a file with SHA-256 af104d"):
        load_digits()
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="Install graphc again"):
        load_digits()
    content[1000] ^= 1
    path.write_bytes(content)
    assert load_digits()[0].shape == (1797, 64)


# --- IDX files ---


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_element_type_is_read(tmp_path: Path, kind: str, compressed: bool) -> None:
    """All six element types come back in native byte order, whatever the file is called."""
    array = (np.arange(24).reshape(2, 3, 4) - (0 if kind == "u1" else 12)).astype(kind)
    content = idx_bytes(array)
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(content) if compressed else content)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.writeable
    assert read.flags.c_contiguous
    assert np.array_equal(read, array)


@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=8), compressed=st.booleans())
def test_every_shape_is_read(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], compressed: bool
) -> None:
    """All ranks from 1 to 8, and axes of length 0."""
    array = np.arange(np.prod(shape, dtype=int)).astype(np.uint8).reshape(shape)
    content = idx_bytes(array)
    path = tmp_path_factory.getbasetemp() / "shape.idx"
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert read_idx(path).shape == tuple(shape)
    assert np.array_equal(read_idx(path), array)


DAMAGED = {
    "empty": (b"", "expected the magic .* got an empty file"),
    "short magic": (b"\0\0\x08", "expected the magic of an IDX file"),
    "other format": (b"PK\x03\x04" + bytes(40), "expected the magic .* got 50 4b 03 04"),
    "unknown element type": (b"\0\0\x0a\x01" + bytes(8), "expected the magic .* got 00 00 0a 01"),
    "rank 0": (b"\0\0\x08\x00" + bytes(8), "expected 1 to 8 dimensions, got 0"),
    "rank 255": (b"\0\0\x08\xff" + bytes(2000), "expected 1 to 8 dimensions, got 255"),
    "sizes cut off": (b"\0\0\x08\x03" + bytes(7), "expected 3 sizes of 4 bytes, got 7 bytes"),
    "claims too much": (
        header(0x08, 2**32 - 1, 2**32 - 1),
        r"expected at most 2147483648 bytes .* claims 18446744065119617025",
    ),
    "sizes whose product overflows 64 bits": (header(0x0E, *[2**31] * 4), "expected at most"),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_headers_are_refused(tmp_path: Path, name: str, compressed: bool) -> None:
    """A hostile header is an error that names the file, plain or compressed."""
    content, message = DAMAGED[name]
    path = tmp_path / "hostile.idx"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataError, match=f"hostile.idx: {message}"):
        read_idx(path)


@pytest.mark.parametrize("change", [-1, -20, 1, 1000])
def test_wrong_lengths_are_refused(tmp_path: Path, change: int) -> None:
    """A file cut short or continued, plain, compressed, and a compressed file cut anywhere."""
    content = idx_bytes(np.arange(100, dtype=np.uint8).reshape(10, 10))
    altered = content[:change] if change < 0 else content + bytes(change)
    path = tmp_path / "altered.idx"
    path.write_bytes(altered)
    with pytest.raises(DataError, match=f"expected 112 bytes .* got a file of {112 + change}"):
        read_idx(path)
    path.write_bytes(gzip.compress(altered))
    with pytest.raises(DataError, match=r"got more|expected 112 bytes, got"):
        read_idx(path)
    if change < 0:
        path.write_bytes(gzip.compress(content)[:change])
        with pytest.raises(DataError, match="expected a whole gzip file, got damaged data"):
            read_idx(path)


def test_every_flipped_byte_of_a_gzip_file_is_found(tmp_path: Path) -> None:
    """Damage in the compressed bytes never comes out as other pixels: gzip's sum is checked."""
    array = np.random.default_rng(0).integers(0, 256, (4, 50), dtype=np.uint8)
    good = gzip.compress(idx_bytes(array), mtime=0)
    path = tmp_path / "flipped.gz"
    path.write_bytes(good)
    assert np.array_equal(read_idx(path), array)
    refused = 0
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x10
        path.write_bytes(bad)
        try:
            # Gzip's header holds a time and an operating system, which say nothing of the pixels.
            assert np.array_equal(read_idx(path), array)
        except DataError:
            refused += 1
    assert refused > 0.9 * len(good)


def test_memory_follows_the_file_not_its_claim(tmp_path: Path) -> None:
    """A few bytes that claim 2 GB, and a gzip bomb behind a small header, take little memory."""
    liar, bomb = tmp_path / "liar.gz", tmp_path / "bomb.gz"
    liar.write_bytes(gzip.compress(header(0x08, 2**31 - 16) + bytes(1000)))
    bomb.write_bytes(gzip.compress(header(0x08, 100) + bytes(2**26)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="compressed bytes can hold"):
            read_idx(liar)
        with pytest.raises(DataError, match="expected 100 bytes of elements .* got more"):
            read_idx(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_the_limit_can_be_chosen(tmp_path: Path) -> None:
    """`max_bytes` bounds the elements exactly."""
    path = tmp_path / "ten.idx"
    path.write_bytes(idx_bytes(np.zeros(10, np.uint8)))
    assert read_idx(path, max_bytes=10).shape == (10,)
    with pytest.raises(DataError, match="expected at most 9 bytes"):
        read_idx(path, max_bytes=9)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory, and a named pipe (which would block) are errors at once."""
    with pytest.raises(DataError, match=r"absent: expected an IDX file, got no such file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DataError, match="expected a regular file"):
        read_idx(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="expected a regular file"):
        read_idx(tmp_path / "pipe")


def test_the_gzip_expansion_bound_holds() -> None:
    """The densest gzip file, of zeros, stays below the bound: no honest file is refused."""
    content = bytes(2**24)
    assert len(content) < len(gzip.compress(content, 9)) * idx._MOST_EXPANSION


# --- MNIST ---


def mnist_files(images: int = 5, tests: int = 3, side: int = 28) -> dict[str, bytes]:
    random = np.random.default_rng(3)
    files = {}
    for part, count in (("train", images), ("t10k", tests)):
        pixels = random.integers(0, 256, (count, side, side), dtype=np.uint8)
        files[f"{part}-images-idx3-ubyte"] = idx_bytes(pixels)
        files[f"{part}-labels-idx1-ubyte"] = idx_bytes(np.arange(count, dtype=np.uint8) % 10)
    return files


def write(directory: Path, files: dict[str, bytes], mark: str = "-", end: str = "") -> Path:
    for name, content in files.items():
        spelled = name.replace("-idx", f"{mark}idx") + end
        (directory / spelled).write_bytes(gzip.compress(content) if end else content)
    return directory


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_mnist_under_its_usual_names(tmp_path: Path, mark: str, end: str) -> None:
    """Both spellings of the names, plain and compressed; pixels in [0, 1], 255 is exactly 1."""
    files = mnist_files()
    pixels = np.frombuffer(files["train-images-idx3-ubyte"][16:], np.uint8).reshape(5, 784)
    loaded = load_mnist(write(tmp_path, files, mark, end))
    assert loaded.train_images.dtype == np.float32
    assert loaded.train_images.shape == (5, 784)
    assert loaded.test_images.shape == (3, 784)
    assert loaded.train_labels.dtype == np.int64
    assert loaded.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert loaded.test_labels.tolist() == [0, 1, 2]
    assert np.array_equal(loaded.train_images, pixels.astype(np.float32) / np.float32(255))
    assert loaded.train_images.max() == 1.0
    assert np.array_equal(load_mnist(tmp_path, dtype="uint8").train_images, pixels)
    assert np.array_equal(load_mnist(tmp_path, dtype=np.float64).train_images, pixels / 255)


def test_mnist_dtype_is_checked(tmp_path: Path) -> None:
    """A dtype that would not hold the pixels is refused before any file is opened."""
    with pytest.raises(DTypeError, match="expected dtype to be one of .* got int64"):
        load_mnist(tmp_path / "absent", dtype="int64")


def replaced(part: str, array: np.ndarray) -> dict[str, bytes]:
    return {**mnist_files(), part: idx_bytes(array)}


BAD_MNIST = {
    "images of another size": (mnist_files(side=8), r"expected uint8 images \(n, 28, 28\)"),
    "images that are labels": (
        replaced("t10k-images-idx3-ubyte", np.zeros(3, np.uint8)),
        r"t10k-images.*got uint8 \(3,\)",
    ),
    "images of floats": (
        replaced("train-images-idx3-ubyte", np.zeros((5, 28, 28), np.float32)),
        "train-images.*got float32",
    ),
    "one label too few": (
        replaced("train-labels-idx1-ubyte", np.zeros(4, np.uint8)),
        r"train-labels.*each of the 5 images in train-images-idx3-ubyte, got uint8 \(4,\)",
    ),
    "labels that are not bytes": (
        replaced("train-labels-idx1-ubyte", np.zeros(5, np.int32)),
        r"train-labels.*got int32",
    ),
    "label out of range": (
        replaced("t10k-labels-idx1-ubyte", np.array([9, 10, 11], np.uint8)),
        "t10k-labels.*expected labels from 0 to 9, got 10 at 1",
    ),
    "no images at all": (mnist_files(tests=0), "t10k-labels.*expected at least one uint8 label"),
}


@pytest.mark.parametrize("name", BAD_MNIST)
def test_bad_mnist_is_refused(tmp_path: Path, name: str) -> None:
    """Files that are sound one by one but do not fit together, each named in the error."""
    files, message = BAD_MNIST[name]
    with pytest.raises(DataError, match=message):
        load_mnist(write(tmp_path, files))


@pytest.mark.parametrize("name", mnist_files())
def test_a_missing_mnist_file_is_named(tmp_path: Path, name: str) -> None:
    """The error lists the names that were looked for."""
    write(tmp_path, mnist_files())
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"expected one of {name}, .*got none of them"):
        load_mnist(tmp_path)


@pytest.mark.skipif(not MNIST.is_dir(), reason="no MNIST; set GRAPHC_MNIST to its directory")
def test_real_mnist() -> None:
    """The published files: counts per class and the mean pixel that the literature gives."""
    loaded = load_mnist(MNIST, dtype="uint8")
    assert loaded.train_images.shape == (60_000, 784)
    assert loaded.test_images.shape == (10_000, 784)
    assert loaded.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(loaded.test_labels).tolist() == counts
    assert loaded.train_images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


# --- the split ---


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64 - 1),
)
def test_split_is_a_fair_partition(labels: list[int], held_out: float, seed: int) -> None:
    """Each row, with its label, is on one side; each class gives its share within one row."""
    count = len(labels)
    held = round(held_out * count)
    rows = np.arange(count)
    if not 0 < held < count:
        with pytest.raises(ArgumentError, match="at least one row on each side"):
            split(rows, np.array(labels), held_out, seed)
        return
    parts = split(rows, np.array(labels), held_out, seed)
    assert len(parts.test_images) == held
    assert sorted([*parts.train_images, *parts.test_images]) == list(range(count))
    assert parts.train_labels.tolist() == [labels[row] for row in parts.train_images]
    assert parts.test_labels.tolist() == [labels[row] for row in parts.test_images]
    for label in set(labels):
        share = labels.count(label) * held / count
        assert abs(np.count_nonzero(parts.test_labels == label) - share) < 1


def test_split_is_shuffled_and_depends_on_the_seed_only() -> None:
    """Equal seeds give equal rows; other seeds give others; rows do not stay in order."""
    rows, labels = np.arange(1000), np.arange(1000) % 10
    first, again, other = (split(rows, labels, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.train_images, again.train_images)
    assert np.array_equal(first.test_images, again.test_images)
    assert set(first.test_images) != set(other.test_images)
    assert np.mean(np.diff(first.train_images) > 0) < 0.6
    assert np.mean(np.diff(first.test_images) > 0) < 0.6


def test_split_is_the_same_in_another_process() -> None:
    """The rows held out do not depend on the process or its hash seed, and are pinned here."""
    program = (
        "import numpy as np; from graphc.train.data import split;"
        "print(split(np.arange(20), np.arange(20) % 2, seed=5).test_images.tolist())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in (0, 1)
    }
    assert texts == {"[5, 12, 14, 9]"}


def test_split_takes_any_images_and_only_matching_labels() -> None:
    """Images of any rank keep their dtype; lengths that differ and bad arguments are errors."""
    images = np.zeros((10, 3, 3), np.uint8)
    parts = split(images, np.zeros(10))
    assert parts.train_images.shape == (8, 3, 3)
    assert parts.test_images.dtype == np.uint8
    with pytest.raises(ShapeError, match=r"got \(10, 3, 3\) and \(9,\)"):
        split(images, np.zeros(9))
    with pytest.raises(ShapeError, match="expected images"):
        split(images, np.zeros((10, 10)))
    for held_out in (0.0, 1.0, -0.5, 2.0, float("nan")):
        with pytest.raises(ArgumentError, match="held_out"):
            split(images, np.zeros(10), held_out=held_out)
    with pytest.raises(ArgumentError, match="seed of at least 0, got -1"):
        split(images, np.zeros(10), seed=-1)
