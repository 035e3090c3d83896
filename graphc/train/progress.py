"""Progress of a training run: a bar where somebody watches it, else a line for each epoch."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol, TextIO

from graphc.train.history import Row, number_text


def row_text(row: Row) -> str:
    """The measured numbers of an epoch on one line.

    >>> row_text({"epoch": 3, "loss": 0.25, "accuracy": 0.9375})
    'loss 0.2500  accuracy 0.9375'
    """
    return "  ".join(f"{name} {number_text(row[name])}" for name in row if name != "epoch")


class Progress(Protocol):
    """What a run tells while it goes on."""

    def begin_epoch(self, epoch: int) -> None:
        """The epoch of this number begins."""

    def steps_done(self, count: int) -> None:
        """So many steps of this epoch are done."""

    def end_epoch(self, row: Row, seconds: float) -> None:
        """The epoch is done and measured."""

    def close(self) -> None:
        """The run ended, for whatever reason."""


class Silence:
    """No progress is shown."""

    def begin_epoch(self, epoch: int) -> None: ...
    def steps_done(self, count: int) -> None: ...
    def end_epoch(self, row: Row, seconds: float) -> None: ...
    def close(self) -> None: ...


class Lines:
    """A plain line after each epoch: for pipes, files and continuous integration."""

    def __init__(self, stream: TextIO, last_epoch: int) -> None:
        self._stream = stream
        self._last = last_epoch

    def begin_epoch(self, epoch: int) -> None: ...
    def steps_done(self, count: int) -> None: ...

    def end_epoch(self, row: Row, seconds: float) -> None:
        number = f"{row['epoch']:.0f}".rjust(len(str(self._last)))
        line = f"epoch {number}/{self._last}  {row_text(row)}  {seconds:.2f} s"
        print(line, file=self._stream, flush=True)

    def close(self) -> None: ...


class Bar:
    """One bar for the whole run, with the last epoch's numbers at its end."""

    def __init__(self, bar: Any, last_epoch: int) -> None:
        self._bar = bar
        self._last = last_epoch
        self._shown = 0

    def begin_epoch(self, epoch: int) -> None:
        self._shown = 0
        self._bar.set_description(f"epoch {epoch}/{self._last}", refresh=False)

    def steps_done(self, count: int) -> None:
        self._bar.update(count - self._shown)
        self._shown = count

    def end_epoch(self, row: Row, seconds: float) -> None:
        self._bar.set_postfix_str(row_text(row), refresh=False)

    def close(self) -> None:
        self._bar.refresh()
        self._bar.close()


def show_progress(shown: bool, first_epoch: int, last_epoch: int, steps: int) -> Progress:
    """What shows epochs first_epoch + 1 to last_epoch, of `steps` steps each, on standard error.

    A terminal and a notebook get a bar; anything else gets lines without control characters.
    """
    stream: TextIO | None = sys.stderr
    if not shown or stream is None:  # a process may have no standard error
        return Silence()
    if not (stream.isatty() or _in_notebook()):
        return Lines(stream, last_epoch)
    from tqdm.auto import tqdm

    total = (last_epoch - first_epoch) * steps
    bar = tqdm(total=total, unit=" steps", bar_format=_FORMAT, **_room(stream))
    return Bar(bar, last_epoch)


# A bar of fixed width: metrics beside it would leave an elastic one no room.
_FORMAT = "{desc}{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


def _room(stream: TextIO) -> dict[str, int | bool]:
    """The size of a bar. In a terminal that was never given a size, tqdm would write nothing."""
    try:
        unknown = 0 in os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # not a terminal of this system
        unknown = False
    return {"ncols": 80, "nrows": 24} if unknown else {"dynamic_ncols": True}


def _in_notebook() -> bool:
    """Whether this is a Jupyter kernel, whose standard error is no terminal and yet watched."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config
