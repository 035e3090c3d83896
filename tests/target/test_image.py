"""Images as bytes: what was kept comes back, and what leads elsewhere is refused."""

from __future__ import annotations

import struct

import pytest

from graphc.errors import CompileError
from graphc.target import image
from graphc.target.image import ITSELF, Image


def test_an_image_that_leads_out_of_itself_is_refused() -> None:
    """Cut off or made wrong: nothing is read or written outside of it."""
    good = Image(b"\xc3" * 40, 3, ((8, ITSELF), (24, "a"), (32, "b")))
    data = good.encode()
    assert image.decode(data, ["a", "b"]) == good
    for length in range(len(data) - 7):
        with pytest.raises(CompileError):
            image.decode(data[:length], ["a", "b"])
    with pytest.raises(CompileError):
        image.decode(data, ["a"])
    for wrong in (Image(b"\xc3", 1, ()), Image(b"\xc3" * 8, 0, ((1, ITSELF),))):
        with pytest.raises(CompileError, match="places inside"):
            image.decode(wrong.encode(), [])
    huge = bytearray(data)
    struct.pack_into("<Q", huge, 24, 2**60)
    with pytest.raises(CompileError):
        image.decode(bytes(huge), ["a", "b"])
