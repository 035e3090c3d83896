"""A value that is made when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Once(Generic[Value]):
    """Calls a function at most once, also where several threads ask at the same time.

    >>> seven = Once(lambda: 7)
    >>> seven.made, seven(), seven.made
    (False, 7, True)
    """

    __slots__ = ("_lock", "_make", "_value")

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make: Callable[[], Value] | None = make
        self._lock = threading.RLock()

    @classmethod
    def ready(cls, value: Value) -> Once[Value]:
        """A value that is there already."""
        once = cls(lambda: value)
        once()
        return once

    @property
    def made(self) -> bool:
        """Whether there is a value yet."""
        return self._make is None

    def __call__(self) -> Value:
        with self._lock:
            if self._make is not None:
                self._value = self._make()
                self._make = None  # nor what it refers to
            return self._value
