"""The org's two times: one that measures lifetimes, and the wall clock it shows, which may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Reads time from `source` (aware UTC datetimes).

    `elapsed` is what sessions, deploys and propagation are measured with; `advance` moves it.
    `wall` is what the org believes the date to be: `offset_seconds` beside it.
    """

    def __init__(self, source: Callable[[], datetime] = utc_now) -> None:
        self._source = source
        self._advanced_seconds = 0.0
        self.offset_seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once. Raises ValueError for a step back: lifetimes only run forward."""
        if seconds < 0:
            raise ValueError("time runs forward: advance_seconds must not be negative")
        self._advanced_seconds += seconds

    def elapsed(self) -> float:
        return self._source().timestamp() + self._advanced_seconds

    def wall(self) -> datetime:
        return self.wall_at(self.elapsed())

    def wall_at(self, elapsed: float) -> datetime:
        """The date that the org shows for the moment `elapsed`."""
        return datetime.fromtimestamp(elapsed, UTC) + timedelta(seconds=self.offset_seconds)
