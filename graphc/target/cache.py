"""Object code and programs on disk, known by content, in a format of our own.

    magic     16 bytes    b"graphc object 2\\n"
    digest    32 bytes    sha256 of all that follows
    length     4 bytes    of the header, little endian
    header                UTF-8 lines: key, symbol, then the names that the code refers to
    code                  an image of machine code (see `image`), an object file, or the text of a
                          program (see `program_writer`), whose names are the keys of its kernels

Nothing in a file is executed, or interpreted as Python, before its digest and its owner are known
to be right. The directory belongs to the user, mode 0700. What others could have written is
refused: a directory with CacheError, a single file with a warning, and then the kernel is
compiled again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import stat
import struct
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from graphc import config
from graphc.errors import CacheError

_MAGIC = b"graphc object 2\n"
_LENGTH = struct.Struct("<I")
_DIGEST = slice(len(_MAGIC), len(_MAGIC) + 32)
_PAYLOAD = _DIGEST.stop
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 256 * 2**20  # bytes in the directory; a kernel takes about ten thousand
_PRUNE_EVERY = 64  # kernels stored by one process
_ATTEMPTS = 3
_warned: set[str] = set()
_stored = itertools.count()


class ObjectCode(NamedTuple):
    """Native code of one function: its symbol, the names it refers to, an image or object file.

    Or a program: the word "program", the keys of its kernels, its text.
    """

    symbol: str
    needs: list[str]
    code: bytes


def content_key(*parts: str) -> str:
    """The name of what is made from `parts`: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(_LENGTH.pack(len(encoded)))
        digest.update(encoded)
    return digest.hexdigest()


def release(package: str, file: str) -> str:
    """What a package's file says of its version; "" if there is no such package.

    Nothing is imported: not the package, and not importlib.metadata, which takes 15 ms."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return ""
    return Path(found.origin).with_name(file).read_text()


def find(key: str) -> ObjectCode | None:
    """The code stored under `key`, or None.

    Raises CacheError for a directory that is not only ours; warns of a file that is not to be
    trusted."""
    if not config.cache_enabled():
        return None
    path = _directory() / _file_name(key)
    directory = _open_directory(create=False)
    if directory is None:
        return None
    try:
        data = _read(directory, key, path)
    finally:
        os.close(directory)
    return None if data is None else _decode(data, key, path)


def store(key: str, item: ObjectCode) -> None:
    """Keep `item` under `key`. A full or read-only disk costs a warning, not the program."""
    if not config.cache_enabled():
        return
    data = _encode(key, item)
    for attempt in range(_ATTEMPTS):
        try:
            _keep(_file_name(key), data)
            break
        except OSError as error:
            # Somebody may remove the directory at any time: then it is made again.
            if not isinstance(error, FileNotFoundError) or attempt + 1 == _ATTEMPTS:
                _warn(str(_directory()), f"kernels are not kept in {_directory()}: {error}")
                break


def _keep(name: str, data: bytes) -> None:
    directory = _open_directory(create=True)
    if directory is None:
        return
    try:
        _write(directory, name, data)
        _prune(directory)
    finally:
        os.close(directory)


def _directory() -> Path:
    return config.cache_directory()


def _file_name(key: str) -> str:
    return f"{key}.object"


def _warn(subject: str, message: str) -> None:
    if subject not in _warned:
        _warned.add(subject)
        warnings.warn(message, RuntimeWarning, stacklevel=4)


def _open_directory(create: bool) -> int | None:
    path = _directory()
    if create and not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
    try:
        handle = os.open(path, _OPEN_DIRECTORY)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink() or not path.is_dir():
            raise _refusal(path, "is not a directory of its own (a link or a file)") from error
        raise
    status = os.fstat(handle)
    fault = _fault(status)
    if fault is not None:
        os.close(handle)
        raise _refusal(path, fault)
    return handle


def _fault(status: os.stat_result) -> str | None:
    if status.st_uid != os.geteuid():
        return f"belongs to user {status.st_uid}, not to {os.geteuid()}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by other users (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _refusal(path: Path, fault: str) -> CacheError:
    return CacheError(
        f"kernel cache: {path} {fault}: expected a directory that only you can write to. "
        f"Remove it, run `chmod 700 {path}`, or set GRAPHC_CACHE_DIR to another directory."
    )


def _read(directory: int, key: str, path: Path) -> bytes | None:
    try:
        handle = os.open(_file_name(key), _OPEN_FILE, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(str(path), f"kernel cache: {path} is not used: {error.strerror} (a link?)")
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        regular = stat.S_ISREG(status.st_mode)
        fault = _fault(status) if regular else "is not a regular file"
        if fault is not None:
            _warn(str(path), f"kernel cache: {path} is not used: it {fault}; compiling again")
            return None
        return file.read()


def _encode(key: str, item: ObjectCode) -> bytes:
    header = "\n".join([key, item.symbol, *item.needs]).encode()
    payload = _LENGTH.pack(len(header)) + header + item.code
    return _MAGIC + hashlib.sha256(payload).digest() + payload


def _decode(data: bytes, key: str, path: Path) -> ObjectCode | None:
    payload = data[_PAYLOAD:]
    known = data.startswith(_MAGIC) and len(payload) >= _LENGTH.size
    if not known or hashlib.sha256(payload).digest() != data[_DIGEST]:
        _warn(str(path), f"kernel cache: {path} is damaged; compiling again")
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    stored_key, symbol, *needs = payload[_LENGTH.size : end].decode().split("\n")
    if stored_key != key:
        _warn(str(path), f"kernel cache: {path} holds another kernel; compiling again")
        return None
    return ObjectCode(symbol, needs, payload[end:])


def _write(directory: int, name: str, data: bytes) -> None:
    temporary = f".{name}.{os.getpid()}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _prune(directory: int) -> None:
    """Keep the directory below its limit: the files written longest ago go, half of the bytes.

    Also what a process that was killed has left behind goes with them.
    """
    if next(_stored) % _PRUNE_EVERY:
        return
    with os.scandir(directory) as entries:
        found = [(entry.stat(follow_symlinks=False), entry.name) for entry in entries]
    total = sum(status.st_size for status, _ in found)
    if total <= _LARGEST:
        return
    for status, name in sorted(found, key=lambda item: item[0].st_mtime):
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(name, dir_fd=directory)
        total -= status.st_size
        if total <= _LARGEST // 2:
            return
