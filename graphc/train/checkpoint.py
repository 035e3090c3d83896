"""Parameters on disk, in the safetensors format: a header of names and shapes, then plain numbers.

A file holds no code, and is replaced in one step: whoever reads it finds the old parameters or the
new ones, also when the writer is killed or the machine loses power.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.errors import ArgumentError, CheckpointError, DTypeError
from graphc.files import replace_file
from graphc.ir.dtype import DTYPES

_RESERVED = "__metadata__"


def save_parameters(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays, and notes about them, to a safetensors file.

    Any text can be a name, but not `"__metadata__"`, which the format keeps for itself. Equal
    arguments give equal bytes. An existing file is replaced as a whole, or stays as it was.

    Raises `ArgumentError` for a name or a note that cannot be written, `DTypeError` for an array
    of a dtype that graphc does not have, `CheckpointError` when the file cannot be written.
    """
    from safetensors.numpy import save

    prepared = {_checked_name(name): _checked_array(name, arrays[name]) for name in arrays}
    notes = {_checked_text("metadata", k): _checked_text(k, v) for k, v in (metadata or {}).items()}
    content = memoryview(save(prepared, metadata=notes or None))
    header, numbers = _split_header(content)
    # The library writes the notes in the order of a hash with a random seed.
    text = json.dumps(header, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    _replace_file(Path(path), (len(text).to_bytes(8, "little"), text, numbers))


def load_parameters(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The named arrays in a safetensors file, each writable and of its own memory.

    Raises `CheckpointError`, naming the file, when it is missing, truncated, not a safetensors
    file, contradicts itself, or holds an array of a dtype that graphc does not have.
    """
    path = Path(path)
    arrays = _parsed(path, _content(path))
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise CheckpointError(
                f"{path}: {name!r}: expected a dtype of {', '.join(DTYPES)}, got {array.dtype}"
            )
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise CheckpointError(f"{path}: {name!r}: expected booleans of 0 or 1, got other bytes")
    return dict(sorted(arrays.items()))


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The notes that were written with the parameters; errors as for `load_parameters`."""
    path = Path(path)
    content = _content(path)
    _parsed(path, content)
    header, _ = _split_header(memoryview(content))
    return dict(sorted(header.get(_RESERVED, {}).items()))


def _content(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path}: expected a regular file, got something else")
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a parameter file, got no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def _parsed(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except KeyError as error:
        raise CheckpointError(
            f"{path}: expected dtypes of {', '.join(DTYPES)}, got {error.args[0]}"
        ) from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: expected a whole safetensors file, got {len(content)} bytes: {error}"
        ) from error


def _split_header(content: memoryview) -> tuple[dict[str, Any], memoryview]:
    end = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(bytes(content[8:end]))
    return header, content[end:]


def _checked_text(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise ArgumentError(f"{what!r}: expected text, got {text!r} of type {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{what!r}: expected text that UTF-8 can hold, got {text!r}") from None
    return text


def _checked_name(name: object) -> str:
    if name == _RESERVED:
        raise ArgumentError(f"expected a name other than {_RESERVED!r}, which the format reserves")
    return _checked_text("name of a parameter", name)


def _checked_array(name: str, value: object) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise DTypeError(f"{name!r}: expected a dtype of {', '.join(DTYPES)}, got {array.dtype}")
    # The library writes memory as it lies, whatever the strides say.
    return np.asarray(array, order="C")


def _replace_file(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    try:
        replace_file(path, parts)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from error
