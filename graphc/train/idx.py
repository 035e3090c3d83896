"""Reading IDX, the array format of MNIST: a four-byte magic, big-endian sizes, then the elements.

The header is not believed: what it claims is compared with the size of the file before any memory
is taken, and a compressed file is never read further than its header says.

Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "FILE
FORMATS".
"""

from __future__ import annotations

import gzip
import math
import os
import stat
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphc.errors import DataError

MAX_BYTES = 2**31
MAX_RANK = 8

# The third byte of the magic; elements are stored with the most significant byte first.
_ELEMENT_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_GZIP_MAGIC = b"\x1f\x8b"
# DEFLATE cannot code more than 258 bytes in 2 bits (RFC 1951); zlib's manual gives 1032 to 1.
_MOST_EXPANSION = 1032


def read_idx(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """The array in an IDX file, plain or compressed with gzip (told by its content, not its name).

    Shape and dtype are the file's; the result is writable, C-contiguous and in native byte order.

    Raises `DataError`, naming the file, when it is missing, no IDX file, shorter or longer than its
    header says, damaged, or claims more than `max_bytes` bytes of elements.
    """
    path = Path(path)
    try:
        # Asked before opening: to open a named pipe is to wait for whoever writes to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path}: expected a regular file, got something else")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            compressed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            if not compressed:
                return _read_array(path, file, size, compressed, max_bytes)
            with gzip.GzipFile(fileobj=file) as stream:
                return _read_array(path, stream, size, compressed, max_bytes)
    except FileNotFoundError:
        raise DataError(f"{path}: expected an IDX file, got no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: expected a whole gzip file, got damaged data: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_array(
    path: Path, stream: BinaryIO | gzip.GzipFile, size: int, compressed: bool, max_bytes: int
) -> NDArray[Any]:
    dtype, shape = _read_header(path, stream)
    claimed = math.prod(shape) * dtype.itemsize
    header = 4 + 4 * len(shape)
    _check_claim(path, shape, claimed, size, header, compressed, max_bytes)
    array = np.empty(shape, dtype)
    if claimed:
        _fill(path, stream, array.data.cast("B"), header)
    # One byte more than announced: finds what is appended, and makes gzip check its sum.
    if stream.read(1):
        raise DataError(f"{path}: expected {claimed} bytes of elements for {shape}, got more")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(
    path: Path, stream: BinaryIO | gzip.GzipFile
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _ELEMENT_TYPES:
        raise DataError(
            f"{path}: expected the magic of an IDX file (00 00, an element type 08 to 0e, a rank), "
            f"got {magic.hex(' ') or 'an empty file'}"
        )
    rank = magic[3]
    if not 1 <= rank <= MAX_RANK:
        raise DataError(f"{path}: expected 1 to {MAX_RANK} dimensions, got {rank}")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path}: expected {rank} sizes of 4 bytes, got {len(sizes)} bytes")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    return np.dtype(_ELEMENT_TYPES[magic[2]]), shape


def _check_claim(
    path: Path,
    shape: tuple[int, ...],
    claimed: int,
    size: int,
    header: int,
    compressed: bool,
    max_bytes: int,
) -> None:
    """Compare what the header claims with what a file of `size` bytes can hold."""
    if claimed > max_bytes:
        raise DataError(
            f"{path}: expected at most {max_bytes} bytes of elements, "
            f"got a header that claims {claimed} for {shape}"
        )
    if compressed and header + claimed > size * _MOST_EXPANSION:
        raise DataError(
            f"{path}: expected {header + claimed} bytes for {shape}, "
            f"more than {size} compressed bytes can hold"
        )
    if not compressed and size != header + claimed:
        raise DataError(
            f"{path}: expected {header + claimed} bytes for {shape}, got a file of {size}"
        )


def _fill(path: Path, stream: BinaryIO | gzip.GzipFile, target: memoryview, header: int) -> None:
    filled = 0
    while filled < len(target):
        count = stream.readinto(target[filled:])  # type: ignore[union-attr]
        if not count:
            raise DataError(f"{path}: expected {header + len(target)} bytes, got {header + filled}")
        filled += count
