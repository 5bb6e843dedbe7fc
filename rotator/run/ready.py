"""Who goes first: the most urgent credential whose org has a free slot."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

Entry = tuple[datetime, int, str]


class Ready:
    """Credentials that want a step, taken by the workers in the order of urgency.

    No credential is handed to two workers, and no org has more than ``most_per_host`` of them: one org that hangs
    on every call does not hold them all. A credential that is offered while a worker has it comes back afterwards.

    Args:
        host_of: the org that a credential calls, as of now.

    Attributes:
        most_per_host: see above.
        closed: nothing is handed out any more.
        moved_at: when one was last taken or given back, or came into an empty queue (monotonic).
    """

    def __init__(self, host_of: Callable[[str], str], most_per_host: int) -> None:
        self._host_of, self.most_per_host = host_of, most_per_host
        self._heap: list[Entry] = []
        self._parked: dict[str, list[Entry]] = {}
        self._queued: dict[str, datetime] = {}
        self._running: dict[str, datetime | None] = {}  # name -> when it wants to go again
        self._began: dict[
            str, tuple[float, str]
        ] = {}  # when those that are running were taken, and their org then
        self._busy: Counter[str] = Counter()
        self._order = itertools.count()
        self._changed = threading.Condition()
        self.closed = False
        self.moved_at = time.monotonic()

    def offer(self, name: str, urgency: datetime) -> None:
        """Let a credential have a step; the earlier ``urgency``, the sooner. Offered twice is offered once."""
        with self._changed:
            if name in self._running:
                known = self._running[name]
                self._running[name] = urgency if known is None else min(urgency, known)
            else:
                self._put(name, urgency)

    def _put(self, name: str, urgency: datetime) -> None:
        known = self._queued.get(name)
        if known is not None and known <= urgency:
            return
        if not self._queued:
            self.moved_at = time.monotonic()
        self._queued[name] = urgency  # an older entry of the heap is passed over
        heapq.heappush(self._heap, (urgency, next(self._order), name))
        self._changed.notify()

    def take(self, *, wait: bool = True, wanted: Callable[[], bool] = lambda: True) -> str | None:
        """Wait for a credential that may go, and return it.

        None when the queue is closed, when nobody waits, or when who asks is not ``wanted`` any more.
        """
        with self._changed:
            while not self.closed and wanted():
                name = self._next()
                if name is not None:
                    self.moved_at = time.monotonic()
                    return name
                if not wait:
                    return None
                self._changed.wait()
            return None

    def _next(self) -> str | None:
        while self._heap:
            entry = heapq.heappop(self._heap)
            urgency, _order, name = entry
            if self._queued.get(name) != urgency:
                continue
            host = self._host_of(name)
            if self._busy[host] >= self.most_per_host:
                self._parked.setdefault(host, []).append(entry)
                continue
            del self._queued[name]
            self._running[name] = None
            self._began[name] = time.monotonic(), host
            self._busy[host] += 1
            return name
        return None

    def done(self, name: str) -> None:
        """Give a credential back after its step."""
        with self._changed:
            _began, host = self._began.pop(name)
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]
            for entry in self._parked.pop(host, ()):
                heapq.heappush(self._heap, entry)
            again = self._running.pop(name)
            if again is not None:
                self._put(name, again)
            self.moved_at = time.monotonic()
            self._changed.notify_all()

    def waits(self, name: str) -> bool:
        """Tell whether a credential is queued or with a worker."""
        with self._changed:
            return name in self._queued or name in self._running

    def sizes(self) -> tuple[int, int]:
        """Return how many credentials are queued, and how many are with workers."""
        with self._changed:
            return len(self._queued), len(self._running)

    def running(self) -> dict[str, float]:
        """Return the credentials that workers have, and for how many seconds."""
        with self._changed:
            now = time.monotonic()
            return {name: now - began for name, (began, _host) in self._began.items()}

    def wake(self) -> None:
        """Let all who wait look anew: for what may go by now, and whether they are wanted."""
        with self._changed:
            for entries in self._parked.values():
                for entry in entries:
                    heapq.heappush(self._heap, entry)
            self._parked.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Hand nothing out any more."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
