"""Parameters on disk: exact round trips, one-step replacement, and hostile files."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors import safe_open
from safetensors.numpy import save

from graphc.errors import ArgumentError, CheckpointError, DTypeError
from graphc.ir.dtype import DTYPES
from graphc.train.checkpoint import load_metadata, load_parameters, save_parameters

ROOT = Path(__file__).resolve().parents[2]

Arrays = dict[str, np.ndarray]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ARRAYS = st.sampled_from(list(DTYPES)).flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, min_side=0))
)


def same(left: Arrays, right: Arrays) -> bool:
    """Whether two sets of arrays agree to the bit, in names, dtypes and shapes."""
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def example() -> Arrays:
    return {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(3, np.float32)}


# --- round trips ---


@given(
    arrays=st.dictionaries(TEXT.filter(lambda name: name != "__metadata__"), ARRAYS, max_size=5),
    metadata=st.dictionaries(TEXT, TEXT, max_size=3),
)
def test_any_parameters_round_trip(
    tmp_path_factory: pytest.TempPathFactory, arrays: Arrays, metadata: dict[str, str]
) -> None:
    """Every dtype, shape (also () and empty), bit pattern (NaN, -0) and name comes back exactly."""
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    save_parameters(path, arrays, metadata)
    loaded = load_parameters(path)
    assert same(loaded, arrays)
    assert load_metadata(path) == metadata
    assert all(array.flags.writeable and array.flags.c_contiguous for array in loaded.values())


@pytest.mark.parametrize(
    "name", ['"', "'", "a\nb", "\0", "", "class", "𝛽", "../../x", "__import__('os')", "x" * 5000]
)
def test_names_are_only_text(tmp_path: Path, name: str) -> None:
    """Quotes, newlines, keywords, paths and code are names like any other."""
    path = tmp_path / "p.safetensors"
    save_parameters(path, {name: np.ones(2)}, {name: name})
    assert list(load_parameters(path)) == [name]
    assert load_metadata(path) == {name: name}
    assert os.listdir(tmp_path) == ["p.safetensors"]


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20.0)[::3],
        np.arange(5)[::-1],
        np.broadcast_to(np.float32(3), (2, 2)),
        np.arange(4, dtype=">f4"),
    ],
    ids=["columns first", "every third", "backwards", "broadcast", "other byte order"],
)
def test_memory_layout_does_not_matter(tmp_path: Path, array: np.ndarray) -> None:
    """Views that safetensors itself would write wrongly are saved as what they show."""
    path = tmp_path / "p.safetensors"
    save_parameters(path, {"a": array})
    assert np.array_equal(load_parameters(path)["a"], array)
    assert load_parameters(path)["a"].dtype == array.dtype.newbyteorder("=")


def test_the_file_is_what_others_read(tmp_path: Path) -> None:
    """The safetensors library itself reads the arrays and the notes."""
    path = tmp_path / "p.safetensors"
    save_parameters(path, example(), {"epoch": "3"})
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"epoch": "3"}
        assert same({name: file.get_tensor(name) for name in file.keys()}, example())  # noqa: SIM118


def test_equal_parameters_give_equal_bytes(tmp_path: Path) -> None:
    """Neither the order of the names nor that of the notes shows in the file."""
    notes = {f"note {number}": "x" for number in range(20)}
    paths = [tmp_path / f"{number}.safetensors" for number in range(4)]
    for number, path in enumerate(paths):
        names = sorted(example(), reverse=bool(number % 2))
        kept = dict(sorted(notes.items(), reverse=bool(number % 2)))
        save_parameters(path, {name: example()[name] for name in names}, kept)
    assert len({path.read_bytes() for path in paths}) == 1
    assert list(load_parameters(paths[0])) == ["W", "b"]


def test_arrays_do_not_share_memory(tmp_path: Path) -> None:
    """Changing a loaded array changes neither another one nor the next load."""
    path = tmp_path / "p.safetensors"
    save_parameters(path, example())
    first = load_parameters(path)
    first["W"][:] = 9
    assert same(load_parameters(path), example())
    assert not np.shares_memory(first["W"], first["b"])


# --- what cannot be saved ---


@pytest.mark.parametrize(
    "value",
    [np.ones(2, np.float16), np.ones(2, complex), np.array([None]), np.array(["a"])],
    ids=["float16", "complex", "objects", "text"],
)
def test_other_dtypes_are_refused(tmp_path: Path, value: np.ndarray) -> None:
    """An array that graphc could not hold is an error naming it; nothing is written."""
    with pytest.raises(DTypeError, match=f"'W': expected a dtype of .*got {value.dtype}"):
        save_parameters(tmp_path / "p.safetensors", {"W": value})
    assert os.listdir(tmp_path) == []


def test_impossible_names_and_notes_are_refused(tmp_path: Path) -> None:
    """The reserved name, a lone surrogate and anything but text are errors; nothing is written."""
    path = tmp_path / "p.safetensors"
    value = np.ones(1)
    with pytest.raises(ArgumentError, match="reserves"):
        save_parameters(path, {"__metadata__": value})
    with pytest.raises(ArgumentError, match=r"UTF-8 can hold, got '\\ud800'"):
        save_parameters(path, {"\ud800": value})
    with pytest.raises(ArgumentError, match="expected text, got 3 of type int"):
        save_parameters(path, {3: value})  # type: ignore[dict-item]
    with pytest.raises(ArgumentError, match="'epoch': expected text, got 3"):
        save_parameters(path, {"W": value}, {"epoch": 3})  # type: ignore[dict-item]
    with pytest.raises(ArgumentError, match="UTF-8"):
        save_parameters(path, {"W": value}, {"epoch": "\udfff"})
    assert os.listdir(tmp_path) == []


# --- replacement in one step ---


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A full disk, found when forcing the data out or when renaming, costs only the new values."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "p.safetensors"
    save_parameters(path, example())
    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
            save_parameters(path, {"W": np.ones(1000)})
    assert same(load_parameters(path), example())
    assert os.listdir(tmp_path) == ["p.safetensors"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between writing and renaming passes through and leaves no temporary file."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "p.safetensors"
    save_parameters(path, example())
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_parameters(path, {"W": np.ones(1000)})
    assert same(load_parameters(path), example())
    assert os.listdir(tmp_path) == ["p.safetensors"]


KILLED = """
import os, signal, sys
import numpy as np
from graphc.train.checkpoint import save_parameters
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
save_parameters(sys.argv[1], {"W": np.ones(100_000)})
"""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path, moment: str) -> None:
    """SIGKILL before the data is forced out, or before the rename: the old file is whole."""
    path = tmp_path / "p.safetensors"
    save_parameters(path, example())
    ended = subprocess.run([sys.executable, "-c", KILLED, path, moment], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert same(load_parameters(path), example())


def test_data_is_forced_out_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a loss of power: sync of the file, rename, sync of the directory."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def log_sync(descriptor: int) -> None:
        calls.append("directory" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def log_replace(source: Path, target: Path) -> None:
        assert source.parent == target.parent
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", log_sync)
    monkeypatch.setattr(os, "replace", log_replace)
    save_parameters(tmp_path / "p.safetensors", example())
    assert calls == ["file", "rename", "directory"]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A missing directory, and a directory in the place of the file, are errors naming the path."""
    with pytest.raises(CheckpointError, match=r"p\.safetensors: cannot be written: No such file"):
        save_parameters(tmp_path / "absent" / "p.safetensors", example())
    with pytest.raises(CheckpointError, match="cannot be written: Is a directory"):
        save_parameters(tmp_path, example())
    assert os.listdir(tmp_path) == []


def test_a_planted_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """Where the path is a link to another file, that file stays as it was."""
    precious, path = tmp_path / "precious", tmp_path / "p.safetensors"
    precious.write_text("mine")
    path.symlink_to(precious)
    save_parameters(path, example())
    assert precious.read_text() == "mine"
    assert same(load_parameters(path), example())


# --- files that cannot be trusted ---


def file_of(header: object, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def tensor(dtype: str, shape: list[int], end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


HOSTILE = {
    "empty": b"",
    "short": b"\0\0",
    "text": b"not a parameter file at all",
    "a pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x05posix",
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "header beyond the file": struct.pack("<Q", 1000) + b"{}",
    "header of another kind": file_of([]),
    "header that is no JSON": file_of(b"{"),
    "header that is no UTF-8": file_of(b'{"\xff":1}'),
    "deep nesting": file_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "negative size": file_of({"a": tensor("F32", [-1], 4)}, bytes(4)),
    "overflowing size": file_of({"a": tensor("F32", [2**40, 2**40], 4)}, bytes(4)),
    "overflowing empty array": file_of({"a": tensor("F32", [0, 2**62, 2**62], 0)}),
    "rank 100": file_of({"a": tensor("F32", [1] * 100, 4)}, bytes(4)),
    "shape against bytes": file_of({"a": tensor("F32", [2], 4)}, bytes(4)),
    "overlap": file_of({"a": tensor("F32", [1], 4), "b": tensor("F32", [1], 4)}, bytes(4)),
    "numbers left over": file_of({"a": tensor("F32", [1], 4)}, bytes(8)),
    "numbers missing": file_of({"a": tensor("F32", [1], 4)}, bytes(3)),
    "float16": file_of({"a": tensor("F16", [2], 4)}, bytes(4)),
    "bfloat16": file_of({"a": tensor("BF16", [2], 4)}, bytes(4)),
    "complex": file_of({"a": tensor("C64", [1], 8)}, bytes(8)),
    "unheard-of dtype": file_of({"a": tensor("OBJECT", [1], 8)}, bytes(8)),
    "booleans of 2": file_of({"a": tensor("BOOL", [2], 2)}, b"\x01\x02"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    """Each is an error that names the file, not a crash, a wrong array or a lot of memory."""
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(CheckpointError, match=r"hostile\.safetensors: "):
        load_parameters(path)


def test_the_hostile_files_differ_from_a_sound_one_in_one_thing(tmp_path: Path) -> None:
    """The builder of those files can build a sound one, so it is not what makes them fail."""
    path = tmp_path / "sound.safetensors"
    path.write_bytes(file_of({"a": tensor("F32", [1], 4)}, bytes(4)))
    assert same(load_parameters(path), {"a": np.zeros(1, np.float32)})
    assert load_metadata(path) == {}


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """No prefix of a good file passes for a good file."""
    good = save(example(), {"epoch": "3"})
    path = tmp_path / "cut.safetensors"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match="expected a whole safetensors file"):
            load_parameters(path)
        with pytest.raises(CheckpointError):
            load_metadata(path)


@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_changed_byte_gives_arrays_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    """Random damage never ends in anything but arrays of graphc's dtypes or a CheckpointError."""
    good = bytearray(save(example(), {"epoch": "3"}))
    good[position % len(good)] = value
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    path.write_bytes(good)
    try:
        loaded = load_parameters(path)
    except CheckpointError:
        loaded = {}
    assert all(array.dtype.name in DTYPES for array in loaded.values())


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory, and a named pipe (which would block) are errors at once."""
    with pytest.raises(CheckpointError, match=r"absent: expected a parameter file"):
        load_parameters(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="expected a regular file"):
        load_parameters(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="expected a regular file"):
        load_metadata(tmp_path / "pipe")
