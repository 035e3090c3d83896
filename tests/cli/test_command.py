"""The `graphc` command: help, unknown words, exit codes, and output that nobody reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import graphc
from graphc.cli import main
from graphc.cli.command import COMMANDS

GRAPHC = [sys.executable, "-m", "graphc"]
MODEL = 'import graphc as gx\nx = gx.input("x")\ny = gx.tanh(x) * x\n'


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types `graphc` alone learns what there is, and what to begin with."""
    assert main([]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "graphc train" in text


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_and_no_arguments_say_the_same(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """All usual ways to ask for help give it."""
    main([])
    expected = capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`graphc help NAME` and `graphc NAME --help` reach each command's own page."""
    texts = []
    for arguments in (["help", name], [name, "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert f"graphc {name}" in texts[0]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version of the package, and nothing else."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"graphc {graphc.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tran"], "unknown command 'tran': did you mean 'train'?"),
        (["frobnicate"], "expected one of train, show, source, bench"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["train", "--epochs", "0"], "--epochs: expected an integer >= 1, got '0'"),
        (["train", "--epochs", "many"], "--epochs: expected an integer >= 1, got 'many'"),
        (["train", "--seed", "-1"], "--seed: expected an integer >= 0, got '-1'"),
        (["train", "--batch-size", "1.5"], "--batch-size: expected an integer >= 1, got '1.5'"),
        (["train", "digits"], "unrecognized arguments: digits"),
        (["show"], "the following arguments are required: FILE.py:NAME"),
        (["show", "a.py:y", "--latex", "--dot"], "not allowed with argument"),
    ],
)
def test_wrong_use_is_explained(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the reason on standard error, and nothing on standard output."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert said in captured.err
    assert captured.out == ""


def test_bad_input_is_explained_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that graphc raises on purpose is one line that ends where the user's part ends."""
    assert main(["show", "absent.py:y"]) == 2
    assert capsys.readouterr().err == (
        "graphc show: error: absent.py: expected a Python file, got no such file\n"
    )


def test_ctrl_c_ends_a_command_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, and the exit code that shells expect."""
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text("raise KeyboardInterrupt\n", "utf-8")
    assert main(["show", "slow.py:y"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "\ngraphc: stopped\n"


def test_a_reader_may_stop_reading(tmp_path: Path) -> None:
    """`graphc show ... | head -0` says nothing on standard error."""
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*GRAPHC, "show", "model.py:y"], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert ended.returncode == 128 + signal.SIGPIPE
    assert ended.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """Output that could not be written is not taken for written."""
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*GRAPHC, "show", "model.py:y"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE
        )
    assert ended.returncode == 1
    assert b"No space left" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_terminal_without_the_signs_still_gets_the_text(tmp_path: Path) -> None:
    """In an encoding without ∂ or ᵀ, question marks stand for them; nothing is lost beside."""
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    ended = subprocess.run(
        [*GRAPHC, "show", "model.py:y", "--wrt", "x"],
        cwd=tmp_path, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert ended.returncode == 0
    assert ended.stdout.startswith(b"?y/?x of model.py: a graph of ")
    assert b"tanh(x)" in ended.stdout
