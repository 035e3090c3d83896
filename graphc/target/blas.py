"""SciPy's BLAS and LAPACK as addresses.

The library that SciPy brings is loaded by itself where it can be found (a few milliseconds;
`import scipy.linalg` takes 0.1 s); else the addresses come from SciPy's Cython interface. While
the driver runs, that one library uses one thread: the driver's tiles are the parallelism.
Afterwards it has the number of threads it had.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from graphc.errors import CompileError
from graphc.target import process_symbols, threads
from graphc.target.lapack import PREFIX, ROUTINES


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The OpenBLAS inside a SciPy wheel, or None for a SciPy that was built otherwise."""
    found = importlib.util.find_spec("scipy")
    if found is None or found.origin is None:
        raise CompileError("matrix products: expected SciPy to be installed, for its BLAS")
    package = Path(found.origin).parent
    places = (package.parent / "scipy.libs", package / ".dylibs")
    for path in (path for place in places for path in sorted(place.glob("libscipy_openblas*"))):
        library = ctypes.CDLL(str(path))
        if hasattr(library, "scipy_sgemm_"):
            return library
    return None


def _capsule_address(module: str, routine: str) -> int:
    """The address behind a Cython interface of SciPy."""
    try:
        capsule = importlib.import_module(module).__pyx_capi__[routine]
    except (ImportError, AttributeError, KeyError) as error:
        raise CompileError(f"expected {routine} in {module} of SciPy") from error
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


@functools.cache
def address(routine: str) -> int:
    """The address of a BLAS or LAPACK routine (Fortran's convention, 32-bit integers)."""
    library = _library()
    if library is not None:
        found = getattr(library, f"scipy_{routine}_", None)
        if found is not None:
            return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    try:
        return _capsule_address("scipy.linalg.cython_blas", routine)
    except CompileError:
        return _capsule_address("scipy.linalg.cython_lapack", routine)


def define_symbols(needs: Iterable[str]) -> None:
    """Make the BLAS and LAPACK routines among `needs` known to native code."""
    for symbol in needs:
        routine = symbol.removeprefix(PREFIX)
        if routine in ROUTINES and routine != symbol:
            process_symbols.define(symbol, address(routine))
            _control_threads()


@functools.cache
def connect() -> None:
    """Give the driver its matrix products. Called once, before the first program that has any."""
    for offset, routine in (
        (threads.SGEMM, "sgemm"),
        (threads.DGEMM, "dgemm"),
        (threads.SGEMV, "sgemv"),
        (threads.DGEMV, "dgemv"),
    ):
        threads.pool.word(offset).value = address(routine)
    _control_threads()


@functools.cache
def _control_threads() -> None:
    library = _library()
    if library is None or not hasattr(library, "scipy_openblas_set_num_threads"):
        return  # a BLAS we do not know; it keeps its own threads
    for offset, name in (
        (threads.GET_BLAS_THREADS, "scipy_openblas_get_num_threads"),
        (threads.SET_BLAS_THREADS, "scipy_openblas_set_num_threads"),
    ):
        function = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        threads.pool.word(offset).value = int(function or 0)
