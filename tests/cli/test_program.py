"""The program that `graphc train` writes: valid, short, and never in place of another file."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from graphc.cli.program import digits_recipe, mnist_recipe, program_text, write_program
from graphc.errors import ArgumentError

RECIPES = [
    digits_recipe(0, None, None),
    digits_recipe(12345, 1000, 100_000),
    mnist_recipe("data", 60_000, 0, None, None),
    mnist_recipe("data", 1, 7, 1, 1),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_program_is_short_and_plain(recipe: object) -> None:
    """About thirty lines that fit a screen, with nothing but graphc and a `__main__` part."""
    text = program_text(recipe)  # type: ignore[arg-type]
    lines = text.splitlines()
    assert 25 <= len(lines) <= 36
    assert max(map(len, lines)) <= 100
    assert text.endswith("\n")
    tree = ast.parse(text)
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == [
        "import graphc as gx",
        "from graphc.nn import init",
    ]
    assert isinstance(tree.body[-1], ast.If)


def test_each_run_and_layer_has_weights_of_its_own() -> None:
    """No two layers of the first hundred seeds draw the same numbers."""
    seeds = {
        digits_recipe(s, None, None).weight_seed(layer) for s in range(100) for layer in (1, 2, 3)
    }
    assert len(seeds) == 300


def test_the_rate_falls_to_a_twentieth_in_any_run_on_mnist() -> None:
    """However many steps there are, and with the short last one counted."""
    for examples, epochs, batch_size in ((60_000, 10, 128), (1_000, 3, 300)):
        recipe = mnist_recipe("data", examples, 0, epochs, batch_size)
        steps = epochs * -(-examples // batch_size)
        assert recipe.decay**steps == pytest.approx(0.05, rel=1e-2)


HOSTILE = "a'b\"c\\d\ne}{0}\u2028é\udcff'''\"\"\" + __import__('os').system('x')"


def test_a_hostile_directory_is_a_string_in_the_program() -> None:
    """Quotes, newlines, code and bytes that are no text cannot leave their literal."""
    text = program_text(mnist_recipe(HOSTILE, 60_000, 0, None, None))
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    (load,) = [call for call in calls if ast.unparse(call.func) == "gx.train.load_mnist"]
    assert ast.literal_eval(load.args[0]) == os.path.abspath(HOSTILE)
    assert text.isascii()
    assert "__import__" not in {ast.unparse(call.func) for call in calls}


def test_an_existing_program_is_left_alone(tmp_path: Path) -> None:
    """Another text goes beside it, the same text stays where it is, and nothing else is left."""
    wanted = tmp_path / "digits.py"
    assert write_program(wanted, "first\n") == wanted
    assert write_program(wanted, "second\n") == tmp_path / "digits-2.py"
    assert write_program(wanted, "third\n") == tmp_path / "digits-3.py"
    assert write_program(wanted, "second\n") == tmp_path / "digits-2.py"
    assert write_program(wanted, "first\n") == wanted
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"digits.py": "first\n", "digits-2.py": "second\n", "digits-3.py": "third\n"}


def test_links_are_not_written_through(tmp_path: Path) -> None:
    """A link to nowhere, and a link to another file, both count as another file."""
    wanted = tmp_path / "digits.py"
    target = tmp_path / "target"
    wanted.symlink_to(target)
    assert write_program(wanted, "text\n") == tmp_path / "digits-2.py"
    assert not target.exists()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("absent/digits.py", "cannot be written: No such file or directory. .*--output"),
        (".", "expected a file to write the program to, got a directory"),
    ],
)
def test_a_place_that_cannot_be_written(
    wanted: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before anything is trained, with the way out."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=said):
        write_program(Path(wanted), "text\n")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fails under it, neither the program nor a temporary file is there."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ArgumentError, match="cannot be written: Input/output error"):
        write_program(tmp_path / "digits.py", "text\n")
    assert list(tmp_path.iterdir()) == []
