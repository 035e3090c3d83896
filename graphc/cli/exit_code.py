"""How the `graphc` command ends."""

from __future__ import annotations

DONE = 0
FAILED = 1  # what was to be run failed
WRONG_USE = 2  # wrong use or bad input, explained on standard error
# What shells expect of a command that a signal ended: 128 + its number.
INTERRUPTED = 130  # by Ctrl-C
BROKEN_PIPE = 141  # whoever read the output stopped reading
