"""Running a user's file: what it may do, what is found in it, whose frames a traceback shows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from graphc.cli import main
from graphc.cli.user_file import run_file, split_place
from graphc.errors import ArgumentError


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "model.py") -> str:
    Path(name).write_text(f"import graphc as gx\n{text}\n", "utf-8")
    return name


def test_the_main_part_is_not_run() -> None:
    """What a file does when it is run by itself, such as training, is not what is looked at."""
    path = write('x = gx.input("x")\nif __name__ == "__main__":\n    raise SystemExit')
    assert list(run_file(path).nodes) == ["x"]


def test_a_file_finds_its_neighbours_and_leaves_no_trace() -> None:
    """It imports as under `python FILE`; the search path and the arguments are put back."""
    Path("sub").mkdir()
    write("size = 3", "sub/graphc_test_neighbour.py")
    path = write(
        "import sys\nfrom graphc_test_neighbour import size\n"
        'x = gx.input("x", (size,))\nargv = list(sys.argv)',
        "sub/model.py",
    )
    before = (sys.argv, list(sys.path))
    found = run_file(path)
    assert found.nodes["x"].shape == (3,)
    assert found.names["argv"] == [path]
    assert (sys.argv, sys.path) == before


def test_what_a_file_prints_is_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds the answer alone, so that it can be piped on."""
    run_file(write('print("loading")'))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "loading\n")


def test_nodes_keep_the_order_of_the_file() -> None:
    """The list in an error reads like the file."""
    found = run_file(write('b = gx.input("b")\na = gx.input("a")\nn = 1\nc = a + b'))
    assert list(found.nodes) == ["b", "a", "c"]
    assert found.node_list() == "Nodes in model.py: b, a, c."


def test_long_lists_are_cut() -> None:
    """A file of a hundred nodes does not fill the screen."""
    text = "\n".join(f'x{i} = gx.input("x{i}")' for i in range(100))
    assert run_file(write(text)).node_list().endswith("x10, x11 and 88 more.")


def test_a_parameter_is_found_under_its_declared_name() -> None:
    """A layer's weight has no variable of its own; it has the name that errors show."""
    found = run_file(write('W = gx.param("layer1", [1.0, 2.0])'))
    assert found.find_node("layer1") is found.find_node("W")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("los", r"model.py has no 'los'; did you mean 'loss'\? Nodes in model.py: x, loss."),
        ("q", r"model.py has no 'q'. Nodes in model.py: x, loss."),
        ("count", "model.py: expected 'count' to be a node, got an object of type int."),
        ("__name__", "model.py has no '__name__'."),
    ],
)
def test_a_wrong_name_lists_the_nodes(name: str, said: str) -> None:
    """The error shows what could have been meant."""
    found = run_file(write('x = gx.input("x")\nloss = x * x\ncount = 3'))
    with pytest.raises(ArgumentError, match=said):
        found.find_node(name)


def test_a_file_without_nodes_says_so() -> None:
    """A list of nothing would read like a mistake of ours."""
    with pytest.raises(ArgumentError, match="model.py has no nodes at its top level"):
        run_file(write("k = 1")).find_node("y")


@pytest.mark.parametrize(
    ("place", "expected"),
    [("a.py:y", ("a.py", "y")), ("C:/d/a.py:y", ("C:/d/a.py", "y")), ("a:b.py:λ", ("a:b.py", "λ"))],
)
def test_a_place_is_a_file_and_a_name(place: str, expected: tuple[str, str]) -> None:
    """The last colon parts them, since a path may hold others."""
    assert split_place(place) == expected


@pytest.mark.parametrize("place", ["a.py", "a.py:", ":y", "a.py:a.b", "a.py:0", "", "a.py:y:"])
def test_what_is_not_a_place_is_refused(place: str) -> None:
    """Expected and got are both in the message."""
    with pytest.raises(ArgumentError, match="expected FILE.py:NAME, such as digits.py:loss; got"):
        split_place(place)


def test_a_file_without_a_name_lists_its_nodes() -> None:
    """Half of the argument is enough to be helped."""
    path = write('x = gx.input("x")')
    with pytest.raises(ArgumentError, match=r"without a name. Nodes in model.py: x."):
        split_place(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("absent.py", "absent.py: expected a Python file, got no such file"),
        (".", ".: expected a Python file, got a directory"),
        ("a\0b.py", "cannot be read: embedded null byte"),
    ],
)
def test_what_is_not_a_file_is_refused(path: str, said: str) -> None:
    """Before Python's own machinery stumbles over it."""
    with pytest.raises(ArgumentError, match=said):
        run_file(path)


def failing(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a user sees whose file fails."""
    with pytest.raises(SystemExit) as ended:
        main(["show", f"{write(text)}:y"])
    assert ended.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_the_traceback_is_the_users_own(capsys: pytest.CaptureFixture[str]) -> None:
    """It begins in the file and shows its lines; the frames that ran the file are not there."""
    text = failing("def f(k):\n    return 1 / k\n\ny = f(0)", capsys)
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "model.py", line 5, in <module>'
    assert '  File "model.py", line 3, in f' in lines
    assert text.count('  File "') == 2
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert lines[-1] == "graphc: model.py raised ZeroDivisionError, see above"


def test_an_error_of_the_model_hides_graphcs_frames(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong shape is the user's line and the message, not our call stack."""
    text = failing('y = gx.input("x", (3,)) + gx.input("z", (2,))', capsys)
    assert text.count('  File "') == 1
    assert "ShapeError: add: " in text
    assert "Written at model.py:2." in text


def test_a_failure_inside_a_library_shows_its_frames(capsys: pytest.CaptureFixture[str]) -> None:
    """Where another library raises, its frames tell why."""
    text = failing("import json\njson.loads('{')", capsys)
    assert '  File "model.py", line 3, in <module>' in text
    assert "decoder.py" in text
    assert "JSONDecodeError" in text


def test_a_syntax_error_points_at_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    """The line and the caret, and no frames."""
    text = failing("y = (1 +", capsys)
    assert text.startswith('  File "model.py", line 2\n    y = (1 +\n')
    assert "SyntaxError" in text


def test_a_file_that_is_no_text_is_an_error_of_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bytes that are no Python do not make graphc itself fail."""
    Path("model.py").write_bytes(np.arange(256, dtype=np.uint8).tobytes())
    with pytest.raises(SystemExit) as ended:
        main(["show", "model.py:y"])
    assert ended.value.code == 1
    assert "model.py raised" in capsys.readouterr().err


def test_a_file_that_exits_did_not_finish(capsys: pytest.CaptureFixture[str]) -> None:
    """`sys.exit(0)` at the top level would otherwise look like success."""
    text = failing("import sys\nsys.exit(0)", capsys)
    assert text == "graphc: model.py ended itself with sys.exit(0) before its last line\n"
