"""What the other tests here rely on: a page that shows what its code does not print fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import page

PAGE = """# A page

```python
print("one")
```

Some words.

```text
one
```

```python
x = 2
```

```python
print(x, 1.25, "s")
```

```text times
2 3.75 s
```
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page above in a folder of its own."""
    monkeypatch.setattr(page, "ROOT", tmp_path)
    monkeypatch.delenv("GRAPHC_UPDATE_DOCS", raising=False)
    path = tmp_path / "page.md"
    path.write_text(PAGE, "utf-8")
    return path


def test_examples_run_in_order_and_share_their_names(written: Path, tmp_path: Path) -> None:
    """The blocks are one program, and numbers with a decimal point may differ in `times`."""
    codes = [example.code.text for example in page.examples(PAGE)]
    outputs = page.run_together(codes, tmp_path, "model.py")
    assert outputs == ["one\n", "", "2 1.25 s\n"]
    page.check_outputs(written, outputs)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["two\n", "", "2 1.25 s\n"], "-one\n\\+two"),  # another output
        (["", "", "2 1.25 s\n"], "-one"),  # none any more
        (["one\n", "more\n", "2 1.25 s\n"], "\\+more"),  # one that the page does not show
        (["one\n", "", "3 1.25 s\n"], "\\+3 1.25 s"),  # not a time
    ],
)
def test_a_difference_fails(written: Path, outputs: list[str], message: str) -> None:
    """Whatever changed is shown, and the page stays as it was."""
    with pytest.raises(AssertionError, match=message):
        page.check_outputs(written, outputs)
    assert written.read_text("utf-8") == PAGE


def test_the_switch_writes_the_outputs(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the switch the page shows the new outputs; times that only differ stay."""
    outputs = ["two\n", "more\n", "2 1.25 s\n"]
    monkeypatch.setenv("GRAPHC_UPDATE_DOCS", "1")
    page.check_outputs(written, outputs)
    monkeypatch.delenv("GRAPHC_UPDATE_DOCS")
    page.check_outputs(written, outputs)
    text = written.read_text("utf-8")
    assert "```text\ntwo\n```" in text
    assert "x = 2\n```\n\n```text\nmore\n```\n" in text
    assert "2 3.75 s" in text


def test_programs_of_their_own_end_with_their_errors(tmp_path: Path) -> None:
    """Each is alone, and its error is on one line of the page or several."""
    outputs = page.run_apart(
        ["x = 1\n", "print(x)\n", "raise ValueError('word ' * 30)\n"], tmp_path, "model.py"
    )
    assert outputs[0] == ""
    assert outputs[1] == "NameError: name 'x' is not defined\n"
    assert [line[:9] for line in outputs[2].splitlines()] == ["ValueErro", "word word"]


def test_what_a_page_must_not_have(written: Path) -> None:
    """Lines that are too wide, links that lead nowhere, names that are not there."""
    wide = PAGE.replace("one\n```", "o" * 101 + "\n```")
    assert page.too_wide(PAGE) == []
    assert page.too_wide(wide) == ["o" * 101]
    written.write_text("[a](page.md#a) [b](gone.md) [c](https://example.org)", "utf-8")
    assert page.broken_links(written) == ["gone.md"]
    assert page.unknown_names("gx.train.sgd, gx.gone, gx.train.gone.") == [
        "gx.gone",
        "gx.train.gone",
    ]
