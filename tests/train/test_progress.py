"""Progress: a bar on a terminal and in a notebook, plain lines elsewhere, nothing if not asked."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest
import tqdm.auto  # before a test pretends to be a notebook, which it would adapt to

from graphc.train.progress import Bar, Lines, Progress, Silence, show_progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def run(progress: Progress, epochs: int = 2) -> None:
    """Two epochs of five steps, reported as a trainer reports them."""
    for epoch in range(1, epochs + 1):
        progress.begin_epoch(epoch)
        for count in (2, 3, 5):
            progress.steps_done(count)
        progress.end_epoch({"epoch": epoch, "loss": 1 / epoch}, 0.5)
    progress.close()


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, wanted: bool = True) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    run(show_progress(wanted, 0, 2, 5))
    return stream.getvalue()


def test_a_pipe_gets_one_plain_line_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """No carriage returns, no escapes, no half-drawn bars in log files."""
    text = shown(monkeypatch, io.StringIO())
    assert text == "epoch 1/2  loss 1.000  0.50 s\nepoch 2/2  loss 0.5000  0.50 s\n"


def test_a_terminal_gets_one_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs to the end over all epochs, shows the last numbers, and leaves the cursor below."""
    text = shown(monkeypatch, Terminal())
    assert "\r" in text
    assert text.endswith("\n")
    last = text.rsplit("\r", 1)[1]
    assert "epoch 2/2" in last
    assert "10/10" in last
    assert "loss 0.5000" in last


def test_a_bar_that_is_cut_short_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the error begins on a line of its own, and the bar shows where it stopped."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    progress = show_progress(True, 0, 2, 5)
    progress.begin_epoch(1)
    progress.steps_done(3)
    progress.close()
    assert stream.getvalue().endswith("\n")
    assert "3/10" in stream.getvalue().rsplit("\r", 1)[1]


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """`progress=False` writes nothing, on a terminal either."""
    assert shown(monkeypatch, Terminal(), wanted=False) == ""
    assert isinstance(show_progress(False, 0, 1, 1), Silence)


def test_no_standard_error_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without a console."""
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(show_progress(True, 0, 1, 1), Silence)


def test_a_notebook_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its standard error is no terminal, but somebody watches it."""
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    progress = show_progress(True, 0, 1, 1)
    progress.close()
    assert isinstance(progress, Bar)
    assert isinstance(progress._bar, tqdm.auto.tqdm)


@pytest.mark.parametrize("shell", [None, SimpleNamespace(config={"TerminalIPythonApp": {}})])
def test_ipython_in_a_pipe_gets_lines(
    monkeypatch: pytest.MonkeyPatch, shell: SimpleNamespace | None
) -> None:
    """IPython alone is no notebook."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(show_progress(True, 0, 1, 1), Lines)


def test_numbers_of_epochs_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Epoch 9 is as wide as epoch 10; a resumed run counts on."""
    progress = show_progress(True, 8, 10, 1)
    for epoch in (9, 10):
        progress.end_epoch({"epoch": epoch, "loss": 1.0}, 1.0)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "epoch  9/10  loss 1.000  1.00 s"
    assert len(first) == len(second)
