"""`graphc train`: what it prints, how well it learns, and that a run can be repeated to the bit."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.cli import main
from graphc.cli import train as train_command
from graphc.train import Trainer

GRAPHC = [sys.executable, "-m", "graphc"]
SHARED = Path(__file__).resolve().parents[3] / "shared"
MNIST = Path(os.environ.get("GRAPHC_MNIST") or SHARED / "data" / "mnist")
ROW = re.compile(r" *(\d+) +([\d.]+) +([\d.]+)% +([\d.]+) +([\d.]+)%")


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["train", *arguments]) == 0
    return capsys.readouterr().out


def rows(text: str) -> list[tuple[float, ...]]:
    """Epoch, loss, accuracy, held-out loss and accuracy of each line of the table."""
    found = (ROW.fullmatch(line) for line in text.splitlines())
    return [tuple(map(float, row.groups())) for row in found if row]


def held_out(text: str) -> float:
    """The accuracy that the command ends with, in percent."""
    (found,) = re.findall(r"held out it reads [\d,]+: accuracy ([\d.]+)%", text)
    return float(found)


def write_mnist(directory: Path, images: int = 40, tests: int = 20) -> Path:
    """Four IDX files of noise: enough to run on, nothing to learn."""
    directory.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", images), ("t10k", tests)):
        pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        head = struct.pack(">4i", 0x803, count, 28, 28)
        (directory / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = struct.pack(">2i", 0x801, count)
        (directory / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    return directory


def test_every_stage_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """The model, both graphs, the derivative, a kernel with the user's line, costs, the table."""
    text = train(capsys, "--epochs", "3")
    assert "a multilayer perceptron 64-64-32-10 with 6,570 parameters" in text
    assert "  a3 = h2 W3 + b3 " in text
    assert "  dW3 = h2ᵀ (softmax(a3) - onehot(t)) / n\n" in text
    assert re.search(r"  the loss +\d+ +\d+ +\d+\n", text)
    assert re.search(r"  the loss and its 6 derivatives +\d+ +\d+ +\d+\n", text)
    assert "\ndef kernel(lo, hi, argv, context):\n" in text
    program = Path("digits.py").read_text("utf-8").splitlines()
    (number,) = re.findall(r"# digits\.py:(\d+):  h1 = gx\.relu\(a1\)\n", text)
    assert program[int(number) - 1] == "h1 = gx.relu(a1)"
    assert re.search(r"Compiled in [\d.]+ s: \d+ kernels", text)
    assert re.search(r"Planned peak memory of a step: [\d,]+ bytes", text)
    assert [row[0] for row in rows(text)] == [1, 2, 3]
    assert "  graphc show digits.py:loss --wrt W1 " in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_derivative_comes_from_the_graph(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another loss in the program, another derivative is printed."""
    real = train_command.program_text
    old, new = "gx.nn.softmax_cross_entropy(a3, t)", "gx.nn.squared_error(a3, gx.one_hot(t, 10))"
    monkeypatch.setattr(train_command, "program_text", lambda r: real(r).replace(old, new))
    assert "  dW3 = h2ᵀ (a3 - onehot(t)) / " in train(capsys, "--epochs", "1")


@pytest.mark.slow
def test_five_seeds_read_97_percent_of_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    """The promise of the README: the mean over five seeds of the accuracy on a held-out fifth."""
    accuracies = []
    for seed in range(5):
        text = train(capsys, "--seed", str(seed), "--output", f"seed{seed}.py")
        assert "1,438 images of 8x8 pixels, and 359 held out" in text
        assert rows(text)[-1][4] == held_out(text)
        accuracies.append(held_out(text))
    assert sum(accuracies) / 5 >= 97
    assert len(set(accuracies)) > 1


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason="needs MNIST's files")
def test_mnist_is_read_to_97_8_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole training set, ten epochs, and the 10,000 test images."""
    text = train(capsys, "--data", str(MNIST))
    assert "60,000 images of 28x28 pixels, and 10,000 held out" in text
    assert len(rows(text)) == 10
    assert held_out(text) >= 97.8


def digest(trainer: Trainer) -> str:
    values = b"".join(node.value.tobytes() for node in trainer.parameters)
    return hashlib.sha256(values).hexdigest()


def test_a_run_and_its_program_give_the_same_bits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in another process, with other hashes and one thread: the program is what was run."""
    trainers: list[Trainer] = []
    real = train_command.make_trainer

    def remembered(*arguments: Any) -> Trainer:
        trainers.append(real(*arguments))
        return trainers[-1]

    monkeypatch.setattr(train_command, "make_trainer", remembered)
    texts = [train(capsys, "--seed", "3", "--epochs", "4") for _ in range(2)]
    assert rows(texts[0]) == rows(texts[1])
    assert [path.name for path in Path().glob("*.py")] == ["digits.py"]
    code = (
        "import hashlib, runpy; found = runpy.run_path('digits.py', run_name='__main__');"
        "values = (found[n].value.tobytes() for n in 'W1 b1 W2 b2 W3 b3'.split());"
        "print(hashlib.sha256(b''.join(values)).hexdigest())"
    )
    for hashes, threads in (("1", "1"), ("2", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "GRAPHC_NUM_THREADS": threads}
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        measured, bits = ended.stdout.splitlines()
        assert {bits} == set(map(digest, trainers))
        assert measured.endswith(f"accuracy {held_out(texts[0]):.2f}%")


def test_another_seed_is_another_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The seed reaches the weights, the order and the held-out part."""
    first = train(capsys, "--epochs", "1")
    assert rows(first) != rows(train(capsys, "--epochs", "1", "--seed", "1"))


def test_mnist_gets_its_own_network_and_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """784-256-128-10, Adam at a falling rate, and a program that finds the data again."""
    write_mnist(tmp_path / "it's data")
    text = train(capsys, "--data", "it's data", "--epochs", "2", "--batch-size", "16")
    assert "learns MNIST, with seed 0:\n40 images of 28x28 pixels, and 20 held out" in text
    assert "a multilayer perceptron 784-256-128-10 with 235,146 parameters" in text
    assert "graphc show mnist.py:loss" in text
    ended = subprocess.run([sys.executable, "mnist.py"], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith(f"accuracy {held_out(text):.2f}%\n")


@pytest.mark.parametrize("how", ["absent", "a file", "empty", "cut", "of another kind"])
def test_bad_data_is_explained_and_nothing_is_written(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line that names the directory or the file; no program, no traceback."""
    directory = tmp_path / "data"
    if how == "a file":
        directory.write_text("MNIST")
    elif how == "empty":
        directory.mkdir()
    elif how != "absent":
        write_mnist(directory)
        file = directory / "train-images-idx3-ubyte"
        file.write_bytes(b"GIF89a" if how == "of another kind" else file.read_bytes()[:-1])
    assert main(["train", "--data", "data"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("graphc train: error: data")
    assert captured.err.count("\n") == 1
    assert list(tmp_path.glob("*.py")) == []


def test_another_program_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The user's own digits.py survives, and the command says where its program is instead."""
    Path("digits.py").write_text("mine = True\n", "utf-8")
    text = train(capsys, "--epochs", "1")
    assert Path("digits.py").read_text("utf-8") == "mine = True\n"
    assert "\ndigits.py is another program, and was left alone.\n" in text
    assert "The program is in digits-2.py." in text
    assert "graphc show digits-2.py:loss" in text
    assert "# digits-2.py:" in text


def test_long_runs_have_short_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """The first and the last epoch are there, and about thirty of those between."""
    epochs = [row[0] for row in rows(train(capsys, "--epochs", "100", "--batch-size", "1000"))]
    assert epochs[0] == 1
    assert epochs[-1] == 100
    assert len(epochs) <= 32


def test_the_next_steps_work(capsys: pytest.CaptureFixture[str]) -> None:
    """What the command says to try, tried, with a file name that a shell would take apart."""
    name = "it's (mine).py"
    text = train(capsys, "--epochs", "1", "--output", name)
    commands = re.findall(r"^  ((?:python|graphc) .*?)   ", text, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        line = command.replace("python ", '"$0" ', 1).replace("graphc ", '"$0" -m graphc ', 1)
        ended = subprocess.run(
            ["sh", "-c", line, sys.executable], capture_output=True, text=True, check=True
        )
        assert ended.stdout


def test_a_pipe_gets_plain_text() -> None:
    """No carriage returns, no escapes, nothing on standard error: good in a file or a log."""
    ended = subprocess.run([*GRAPHC, "train", "--epochs", "2"], capture_output=True, check=True)
    assert ended.stderr == b""
    assert not set(ended.stdout) & set(b"\r\x1b\x08\x07")
    assert len(rows(ended.stdout.decode())) == 2


def test_a_terminal_gets_a_bar_below_the_table() -> None:
    """It counts every step, and each row of the table is on a line of its own."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        [*GRAPHC, "train", "--epochs", "3"], stdout=secondary, stderr=secondary
    ) as process:
        os.close(secondary)
        text = read_all(primary)
    assert process.returncode == 0
    assert "135/135" in text
    # What a terminal shows: of each line, what was written last.
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    assert [row[0] for row in rows("\n".join(lines))] == [1, 2, 3]


def read_all(descriptor: int) -> str:
    """All that is written to the other end of a terminal."""
    content = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1)[0]:
            continue
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        content += part
    os.close(descriptor)
    return content.decode()


def test_ctrl_c_stops_a_run_at_once() -> None:
    """With exit code 130, a line that says how far it came, and no traceback."""
    with subprocess.Popen(
        [*GRAPHC, "train", "--epochs", "1000000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if ROW.fullmatch(line.rstrip("\n")):
                break
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        process.stdout.read()
        error = process.stderr.read()
        process.wait()
    assert process.returncode == 130
    assert re.fullmatch(
        r"\ngraphc train: stopped in epoch \d+ of 1000000; the program is in digits.py\n", error
    )
    assert time.monotonic() - begin < 10
