"""The engine that loads native code: what it may refer to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from graphc.errors import CompileError
from graphc.target import engine, process_symbols


def test_the_process_is_known_before_the_first_kernel() -> None:
    """LLVM turns loops into memset and memcpy: a kernel from the cache may be the first to load."""
    text = """
from graphc.target import process_symbols
print([process_symbols.address(name) is not None for name in ("memset", "memmove", "no_such")])
"""
    found = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "[True, True, False]"


def test_what_is_defined_goes_first() -> None:
    """Also before what the process has of the same name."""
    process_symbols.define("graphc_test_symbol", 123)
    assert process_symbols.address("graphc_test_symbol") == 123
    assert process_symbols.defined()["graphc_test_symbol"] == 123
    process_symbols._defined.pop("graphc_test_symbol")


def test_what_is_neither_image_nor_object_is_an_error() -> None:
    """Names are looked up first: LLVM ends the process when one is missing."""
    with pytest.raises(CompileError, match="graphc_no_such_thing"):
        engine.load(b"", "kernel", ["graphc_no_such_thing"])
