"""The locks of the parameters and states that a function carries from call to call."""

from __future__ import annotations

from typing import Any

from graphc.schedule.schedule import Schedule


class Locks:
    """A context that holds the locks of all carried values of a schedule.

    They are taken in one order for all functions, so that none waits for ever. Any number of
    threads may use it, and one thread again inside.
    """

    __slots__ = ("_locks",)

    def __init__(self, schedule: Schedule) -> None:
        found = [b.node.declaration for b in schedule.states if b.node is not None]
        declared = sorted((d for d in found if d is not None), key=lambda d: d.number)
        self._locks = [each.lock for each in declared]

    def __bool__(self) -> bool:
        return bool(self._locks)

    def __enter__(self) -> None:
        taken = 0
        try:
            for lock in self._locks:
                lock.acquire()
                taken += 1
        except BaseException:  # Ctrl-C while it waits
            for lock in self._locks[:taken]:
                lock.release()
            raise

    def __exit__(self, *exception: Any) -> None:
        for lock in self._locks:
            lock.release()
