"""The kernel cache: what is kept comes back, and what others could have written is not used."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from graphc.errors import CacheError
from graphc.target import cache
from graphc.target.cache import ObjectCode

ITEM = ObjectCode("graphc_kernel_1", ["memset", "powf"], bytes(range(256)) * 40)
KEY = cache.content_key("kernel", "text")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of this test's own; warnings count anew."""
    place = tmp_path / "kernels"
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(place))
    monkeypatch.setattr(cache, "_warned", set())
    return place


def stored(directory: Path) -> Path:
    cache.store(KEY, ITEM)
    (path,) = directory.iterdir()
    return path


def test_what_is_stored_is_found(directory: Path) -> None:
    """The plain case, bytes and names unchanged."""
    assert cache.find(KEY) is None
    cache.store(KEY, ITEM)
    assert cache.find(KEY) == ITEM
    assert cache.find(cache.content_key("kernel", "other")) is None


def test_keys_keep_their_parts_apart() -> None:
    """("ab", "c") and ("a", "bc") are different kernels."""
    assert cache.content_key("ab", "c") != cache.content_key("a", "bc")
    assert cache.content_key("a") != cache.content_key("a", "")


def test_directory_and_files_are_private(directory: Path) -> None:
    """Nobody else may write where code is loaded from."""
    path = stored(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_cache_can_be_switched_off(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRAPHC_CACHE=0 neither writes nor reads."""
    cache.store(KEY, ITEM)
    monkeypatch.setenv("GRAPHC_CACHE", "0")
    assert cache.find(KEY) is None
    cache.store(cache.content_key("x"), ITEM)
    assert len(list(directory.iterdir())) == 1


def test_file_is_no_pickle_and_nothing_but_the_format(directory: Path) -> None:
    """The layout that the module documents, byte for byte."""
    data = stored(directory).read_bytes()
    assert data.startswith(b"graphc object 2\n")
    payload = data[48:]
    assert data[16:48] == hashlib.sha256(payload).digest()
    length = int.from_bytes(payload[:4], "little")
    header = payload[4 : 4 + length].decode().split("\n")
    assert header == [KEY, ITEM.symbol, *ITEM.needs]
    assert payload[4 + length :] == ITEM.code


@pytest.mark.parametrize("place", [0, 20, 50, 60, -1])
def test_changed_byte_is_refused(directory: Path, place: int) -> None:
    """One changed byte anywhere, and the code is not loaded; the user hears of it once."""
    path = stored(directory)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert cache.find(KEY) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.find(KEY) is None
    cache.store(KEY, ITEM)
    assert cache.find(KEY) == ITEM


@pytest.mark.parametrize("length", [0, 1, 16, 47, 48, 51, 52, 100, -1])
def test_truncated_file_is_refused(directory: Path, length: int) -> None:
    """A disk that was full, a machine that was switched off."""
    path = stored(directory)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert cache.find(KEY) is None


def test_kernel_under_another_name_is_refused(directory: Path) -> None:
    """A valid file in the place of another kernel must not run instead of it."""
    path = stored(directory)
    other = cache.content_key("other")
    path.rename(path.with_name(path.name.replace(KEY, other)))
    with pytest.warns(RuntimeWarning, match="another kernel"):
        assert cache.find(other) is None


def test_planted_link_is_refused(directory: Path, tmp_path: Path) -> None:
    """A link could point to a file that someone else goes on writing."""
    path = stored(directory)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.warns(RuntimeWarning, match="not used"):
        assert cache.find(KEY) is None
    cache.store(KEY, ITEM)
    assert cache.find(KEY) == ITEM
    assert not path.is_symlink()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_can_write_is_refused(directory: Path, mode: int) -> None:
    """Its digest proves nothing: who can write the code can write the digest."""
    path = stored(directory)
    path.chmod(mode)
    with pytest.warns(RuntimeWarning, match="written by other users"):
        assert cache.find(KEY) is None


def test_pipe_or_directory_in_place_of_a_file_is_refused(directory: Path) -> None:
    """Opening a pipe would wait for ever."""
    path = stored(directory)
    path.unlink()
    os.mkfifo(path)
    with pytest.warns(RuntimeWarning, match="regular"):
        assert cache.find(KEY) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_file_of_another_user_is_refused(directory: Path) -> None:
    """Another user's code is not ours to run."""
    path = stored(directory)
    os.chown(path, 12345, -1)
    with pytest.warns(RuntimeWarning, match="user 12345"):
        assert cache.find(KEY) is None
    path.unlink()
    os.chown(directory, 12345, -1)
    with pytest.raises(CacheError, match="user 12345"):
        cache.find(KEY)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o1777])
def test_directory_that_others_can_write_is_refused(directory: Path, mode: int) -> None:
    """Said aloud, with the path and what to do, rather than compiled around in silence."""
    stored(directory)
    directory.chmod(mode)
    with pytest.raises(CacheError, match=rf"{directory}.*chmod 700"):
        cache.find(KEY)
    with pytest.raises(CacheError, match="GRAPHC_CACHE_DIR"):
        cache.store(KEY, ITEM)


def test_directory_that_is_a_link_is_refused(directory: Path, tmp_path: Path) -> None:
    """Whoever owns the link decides where code comes from."""
    stored(directory)
    directory.rename(tmp_path / "elsewhere")
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheError, match="link"):
        cache.find(KEY)
    with pytest.raises(CacheError, match="link"):
        cache.store(KEY, ITEM)


def test_file_in_place_of_the_directory_is_refused(directory: Path) -> None:
    """An error of ours, not NotADirectoryError from somewhere inside."""
    directory.write_text("not a directory")
    with pytest.raises(CacheError, match="not a directory"):
        cache.find(KEY)


def test_disk_that_cannot_be_written_costs_a_warning(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk must not stop a program that has its kernels in memory; no rubbish stays."""
    stored(directory)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        cache.store(cache.content_key("new"), ITEM)
    assert len(list(directory.iterdir())) == 1


def test_directory_does_not_grow_for_ever(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest kernels make room; the newest stay."""
    monkeypatch.setattr(cache, "_LARGEST", 200_000)
    monkeypatch.setattr(cache, "_PRUNE_EVERY", 1)
    keys = [cache.content_key(str(number)) for number in range(60)]
    for age, key in enumerate(keys):
        cache.store(key, ITEM)
        os.utime(directory / f"{key}.object", (age, age))
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 200_000
    assert cache.find(keys[0]) is None
    assert all(cache.find(key) == ITEM for key in keys[-9:])


def write_and_read(number: int, key: str) -> int:
    good = 0
    for turn in range(40):
        cache.store(key, ITEM._replace(code=bytes([number]) * (1000 + turn)))
        found = cache.find(key)
        good += found is not None and set(found.code) <= {0, 1, 2}
    return good


def test_concurrent_writers_never_show_half_a_file(directory: Path) -> None:
    """Three processes that replace the same kernel while they read it: each read is one whole."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        results = pool.starmap(write_and_read, [(number, KEY) for number in range(3)])
    assert results == [40, 40, 40]
    assert [path.name for path in directory.iterdir()] == [f"{KEY}.object"]


SCRIPT = """
import sys
from graphc.target import cpu, driver
driver.load()
kernel = cpu.compile_kernel('''
from graphc.target.primitives import float32_pointer, exp

def kernel(lo, hi, argv, context):
    x = float32_pointer(argv, 0)
    for i in range(lo, hi):
        x[i] = exp(x[i])
''')
needed = "numba" in sys.modules or "llvmlite" in sys.modules
print(kernel.from_cache, needed, kernel.seconds < 0.01)
"""


def run_script() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_second_process_compiles_nothing(directory: Path) -> None:
    """Kernel and driver come from the cache, at once; neither Numba nor LLVM is even imported."""
    assert run_script()[:2] == ["False", "True"]
    assert run_script() == ["True", "False", "True"]
    for path in directory.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert "damaged" in done.stderr
    assert done.stdout.split()[0] == "False"
    assert run_script() == ["True", "False", "True"]


def test_a_directory_removed_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The directory may be deleted at any time, also between opening it and writing into it.
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "kernels"))
    opened = cache._open_directory

    def removed_once(create: bool) -> int | None:
        monkeypatch.setattr(cache, "_open_directory", opened)
        handle = opened(create)
        (tmp_path / "kernels").rmdir()
        return handle

    monkeypatch.setattr(cache, "_open_directory", removed_once)
    item = cache.ObjectCode("symbol", [], b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("0" * 64, item)
    assert cache.find("0" * 64) == item
