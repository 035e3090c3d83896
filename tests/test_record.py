"""Records: values whose fields only the type checker guards."""

from __future__ import annotations

from dataclasses import replace

from graphc.loops.ir import Argument, Constant


def test_records_compare_by_class_and_fields() -> None:
    """They are keys of tables: an argument must not be taken for a constant."""
    one = Constant(1, "int64")
    assert one == Constant(1, "int64")
    assert hash(one) == hash(Constant(1, "int64"))
    assert one != Argument(1, "int64")
    assert replace(one, value=2) == Constant(2, "int64") != one
    assert repr(one) == "Constant(value=1, dtype='int64')"
