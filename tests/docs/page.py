"""Pages of the documentation as programs: their examples run, and the pages show what they print.

An example is a fenced block of `python`; the block of `text` that follows it, if the next fenced
block is one, holds its output. `text times` marks an output with measured numbers: there every
number with a decimal point may differ. Examples run in a process of their own.

`GRAPHC_UPDATE_DOCS=1 pytest tests/docs` writes the outputs into the pages; look at the difference
before it is committed.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import graphc

ROOT = Path(__file__).resolve().parent.parent.parent
WIDTH = 100

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A character that no example prints.
_MARK = "\x1e"

# Runs each file in a child of its own and in the file's folder. The error that ends it goes to
# standard output, in lines that fit a page.
_RUN_APART = f"""
import os, runpy, sys, textwrap
import graphc, numpy
for name in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.chdir(os.path.dirname(name))
        try:
            runpy.run_path(name, run_name="__main__")
        except Exception as error:
            message = f"{{type(error).__name__}}: {{error}}"
            print(textwrap.fill(message, {WIDTH}, break_long_words=False, break_on_hyphens=False))
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print({_MARK!r}, end="")
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its words behind the fence, its text, and where the text lies in the page."""

    words: tuple[str, ...]
    text: str
    start: int
    end: int

    @property
    def language(self) -> str:
        return self.words[0] if self.words else ""


@dataclass(frozen=True)
class Example:
    """A block of code, and the block that shows its output, if there is one."""

    code: Block
    output: Block | None

    @property
    def shown(self) -> str:
        """What the page says that the code prints."""
        return self.output.text if self.output is not None else ""

    @property
    def timed(self) -> bool:
        """Whether the output holds measured numbers."""
        return self.output is not None and "times" in self.output.words


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page."""
    return [Block(tuple(m[1].split()), m[2], m.start(2), m.end(2)) for m in _FENCE.finditer(text)]


def examples(text: str) -> list[Example]:
    """The examples of a page, in order."""
    known = blocks(text)
    found = []
    for position, block in enumerate(known):
        if block.language == "python":
            following = known[position + 1] if position + 1 < len(known) else None
            shows = following is not None and following.language == "text"
            found.append(Example(block, following if shows else None))
    return found


def run_together(codes: Sequence[str], folder: Path, name: str) -> list[str]:
    """The output of each piece of one program, which is written to `name`.

    Between two pieces lies one line, as in a file that a reader pastes them into.
    """
    program = f"print({_MARK!r}, end='')\n".join(codes)
    (folder / name).write_text(program, "utf-8")
    return _outputs([sys.executable, name], folder, len(codes))


def run_apart(codes: Sequence[str], folder: Path, name: str) -> list[str]:
    """The output of each program, or the error that ends it; each is a file `name` of its own."""
    paths = []
    for number, code in enumerate(codes):
        path = folder / str(number) / name
        path.parent.mkdir()
        path.write_text(code, "utf-8")
        paths.append(str(path))
    command = [sys.executable, "-c", _RUN_APART, *paths]
    return _outputs(command, folder, len(codes) + 1)[:-1]


def _outputs(command: list[str], folder: Path, count: int) -> list[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert not done.stderr, done.stderr
    outputs = done.stdout.split(_MARK)
    assert len(outputs) == count
    return outputs


def check_outputs(path: Path, outputs: Sequence[str]) -> None:
    """Fail, with the difference, unless the page shows what its examples print.

    With `GRAPHC_UPDATE_DOCS=1` the page is changed instead.
    """
    text = path.read_text("utf-8")
    known = examples(text)
    assert len(known) == len(outputs)
    pairs = list(zip(known, map(_tidy, outputs), strict=True))
    changed = [(e, out) for e, out in pairs if _comparable(e, out) != _comparable(e, e.shown)]
    if os.environ.get("GRAPHC_UPDATE_DOCS") == "1":
        path.write_text(_updated(text, changed), "utf-8")
        return
    report = [_difference(path, text, example, output) for example, output in changed]
    assert not report, "\n".join([*report, "GRAPHC_UPDATE_DOCS=1 pytest tests/docs writes these."])


def _tidy(output: str) -> str:
    """Lines without trailing blanks, and no empty ones at the ends."""
    lines = [line.rstrip() for line in output.strip("\n").split("\n")]
    return "\n".join(lines) + "\n" if any(lines) else ""


def _comparable(example: Example, output: str) -> str:
    if example.output is not None and "machine" in example.output.words:
        return str(bool(output))
    return re.sub(r" *\d+\.\d+", " #", output) if example.timed else output


def _updated(text: str, changed: Sequence[tuple[Example, str]]) -> str:
    for example, output in reversed(changed):
        block = example.output
        if block is not None:
            text = text[: block.start] + output + text[block.end :]
        else:
            end = example.code.end + len("```\n")
            text = f"{text[:end]}\n```text\n{output}```\n{text[end:]}"
    return text


def _difference(path: Path, text: str, example: Example, output: str) -> str:
    line = text[: example.code.start].count("\n") + 1
    code = example.code.text
    shown, printed = example.shown.splitlines(), output.splitlines()
    lines = difflib.unified_diff(shown, printed, "the page shows", "the code prints", lineterm="")
    body = "\n".join(lines)
    return f"{path.relative_to(ROOT)}:{line}:\n{textwrap.indent(code, '    ')}{body}\n"


def too_wide(text: str) -> list[str]:
    """Lines of code and output that a reader would have to scroll sideways for."""
    lines = [line for block in blocks(text) for line in block.text.splitlines()]
    return [line for line in lines if len(line) > WIDTH]


def unknown_names(text: str) -> list[str]:
    """Names such as `gx.train.sgd` in a page that the package does not have."""
    found = dict.fromkeys(re.findall(r"\bgx(?:\.[A-Za-z]\w*)+", text))
    return [name for name in found if not _exists(name.split(".")[1:])]


def _exists(words: list[str]) -> bool:
    value: object = graphc
    for word in words:
        if not hasattr(value, word):
            return False
        value = getattr(value, word)
    return True


def broken_links(path: Path) -> list[str]:
    """Links to files that do not exist, from a page."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    return [target for target in local if not (path.parent / target).exists()]
