"""A program whose kernels are compiled: all that a run needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphc.schedule.buffer import Life
from graphc.schedule.schedule import Schedule, ScheduledStep


class CompiledProgram(NamedTuple):
    """A schedule, the lives of its temporaries, and the handle of the kernel that a step calls.

    `draws` says whether it draws random numbers: then two calls must not have the same number.
    Where there are `most_bytes`, its temporaries may take no more.
    """

    schedule: Schedule
    lives: tuple[Life, ...]
    handles: Mapping[ScheduledStep, int]
    draws: bool
    most_bytes: int | None = None
