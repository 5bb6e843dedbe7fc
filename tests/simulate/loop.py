"""Virtual time: an agenda of happenings, and tasks (greenlets) that sleep on it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0
DAY = 24 * HOUR


MOMENT = 0.1
"""How often a task looks whether a lock is free."""


class Killed(BaseException):
    """The process that this task belongs to is no more."""


class Loop:
    """The agenda. ``now`` is the true time, in seconds since EPOCH."""

    def __init__(self) -> None:
        self.now = 0.0
        self._hub = getcurrent()
        self._agenda: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._date = (0.0, EPOCH)

    def at(self, when: float, happening: Callable[..., Any], *arguments: Any) -> None:
        """Let something happen at a time, or now if that has passed."""
        heapq.heappush(self._agenda, (max(when, self.now), next(self._order), happening, arguments))

    def start(self, work: Callable[..., Any], *arguments: Any) -> greenlet:
        """Make a task that begins as soon as whatever runs now sleeps."""
        task = greenlet(work, parent=self._hub)
        self.at(self.now, _wake, task, arguments)
        return task

    def sleep(self, seconds: float) -> None:
        """Let others go on meanwhile. Only tasks sleep."""
        self.at(self.now + seconds, _wake, getcurrent(), ())
        self._hub.switch()

    def run(self, until: float) -> None:
        """Let everything happen that is due before a time."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= until:
            when, _order, happening, arguments = heapq.heappop(agenda)
            self.now = when
            happening(*arguments)
        self.now = until

    def date(self, offset: float = 0.0) -> datetime:
        """Return the time as a clock shows it that is so many seconds ahead."""
        seconds = self.now + offset
        if self._date[0] != seconds:
            self._date = (seconds, EPOCH + timedelta(seconds=seconds))
        return self._date[1]


class Lock:
    """Stands in for :class:`threading.Lock`: a task that waits for it lets the others go on."""

    def __init__(self, loop: Loop) -> None:
        self._loop, self._held = loop, False

    def acquire(self, blocking: bool = True) -> bool:
        while self._held:
            if not blocking:
                return False
            self._loop.sleep(MOMENT)
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_raised: object) -> None:
        self.release()


def _wake(task: greenlet, arguments: tuple[Any, ...]) -> None:
    if not task.dead:
        task.switch(*arguments)
