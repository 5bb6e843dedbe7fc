"""What many ask for, and who made it a moment ago."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0

T = TypeVar("T")


class Lately(Generic[T]):
    """A value that is made anew once it is a second old: however many look, and how often, it is made once a second."""

    def __init__(self, make: Callable[[], T], steady: Callable[[], float]) -> None:
        """``steady``: a clock that nobody sets, in seconds."""
        self._make, self._steady = make, steady
        self._lock = threading.Lock()
        self._made: tuple[float, T] | None = None

    def get(self) -> T:
        """Return the value. Whoever comes while it is made waits for it. Raises what the making raises."""
        with self._lock:
            now = self._steady()
            if self._made is None or now - self._made[0] >= FRESH_SECONDS:
                self._made = now, self._make()
            return self._made[1]
