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
            if self._made is None or self._steady() - self._made[0] >= FRESH_SECONDS:
                made = self._make()
                # Its age begins once it is made: whoever waited for one that took long would else make it anew.
                self._made = self._steady(), made
            return self._made[1]
