"""The workers: as many threads as the configuration wants, also when it changes its mind."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from rotator.run.ready import Ready


class Crew:
    """Threads that take credentials out of the ready queue and do a step for each.

    One that is too many leaves between two steps. One that ends in any other way stays among ``threads``, for the pulse
    to find.
    """

    def __init__(self, ready: Ready, work: Callable[[str], None]) -> None:
        self._ready, self._work = ready, work
        self._size = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.threads: list[threading.Thread] = []

    def resize(self, size: int) -> None:
        """Have so many workers from now on; those that are too many finish their steps."""
        with self._lock:
            self._size = size
            while len(self.threads) < size:
                name = f"worker-{next(self._numbers)}"
                thread = threading.Thread(target=self._serve, name=name, daemon=True)
                thread.start()  # waits for the lock before it looks at the others
                self.threads.append(thread)
        self._ready.wake()

    def _serve(self) -> None:
        while (name := self._ready.take(wanted=self._is_wanted)) is not None:
            self._work(name)

    def _is_wanted(self) -> bool:
        """Tell whether the calling worker may stay; one that may not is none any more."""
        with self._lock:
            if len(self.threads) > self._size:
                self.threads.remove(threading.current_thread())
                return False
            return True

    def whole(self) -> bool:
        """Tell whether every worker lives."""
        with self._lock:
            return all(thread.is_alive() for thread in self.threads)

    def join(self, seconds: float) -> bool:
        """Wait for all workers to end, once the queue is closed; return whether they did."""
        until = time.monotonic() + seconds
        for thread in tuple(self.threads):
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)
