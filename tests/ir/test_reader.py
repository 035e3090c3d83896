"""Reading one line: what is no value is refused with the number of the line."""

from __future__ import annotations

import pytest

from graphc.errors import ParseError
from graphc.ir.declaration import Declaration
from graphc.ir.dim import named_size
from graphc.ir.reader import Reader


def _value(text: str) -> object:
    """The one value of a line."""
    reader = Reader(text, 7, Declaration)
    value = reader.value()
    if reader.sort != "end":
        raise reader.unexpected("the end of the line")
    return value


@pytest.mark.parametrize(
    "text",
    ["", "(", "(1", "(1,", "1 +", "n n", "-True", "--1", "a.b", '"open', "[1]", "n**m", "(n+1)**2",
     "2**3", "`a b`", "`", "n // 0", "array(float32)", "f(1)", "1.0*n", "n + 1.0", "n // 2 // 3",
     "n // 2 * 3", "(a + b)*(a + b)"],
)  # fmt: skip
def test_what_is_no_value_is_refused(text: str) -> None:
    """With the number of the line."""
    with pytest.raises(ParseError, match="^line 7: "):
        _value(text)


def test_spaces_mean_nothing() -> None:
    """Between the words of a value there may be any number of them."""
    n = named_size("n")
    assert _value(" ( n  ,2* n+1 , ( n+1 )//2 ) ") == (n, 2 * n + 1, (n + 1) // 2)
    assert _value("(n+1)//2") == _value("( n + 1 ) // 2")


def test_a_minus_binds_as_in_python() -> None:
    """-n // 2 is (-n) // 2, and 2 - n // 2 is 2 - (n // 2)."""
    n = named_size("n")
    assert _value("-n // 2") == (-n) // 2
    assert _value("2 - n // 2") == 2 - n // 2
    assert _value("n // -2") == n // -2


def test_a_line_is_read_one_token_ahead() -> None:
    """What comes next is known by sort and text, and what follows it by its place."""
    reader = Reader('add(%1) x="a b" : float32 ()', 3, Declaration)
    assert (reader.sort, reader.text, reader.rest) == ("word", "add", '(%1) x="a b" : float32 ()')
    assert reader.expect_sort("word", "an operation") == "add"
    assert reader.skip("(")
    assert not reader.skip("(")
    reader.expect("%")
    assert reader.integer() == 1
    with pytest.raises(ParseError, match=r"line 3: expected ',', got '\)'"):
        reader.expect(",")
