"""Consumers of every habit, without an event of their own: which of their calls failed follows from the history.

A consumer reads at fixed times, and holds what it read until its next reading. It calls once a minute. A call fails
when the session behind the token that it holds is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulate.loop import DAY
from tests.simulate.sessions import Sessions

CALL_EVERY = 60.0


@dataclass(frozen=True)
class Habit:
    """How often consumers of one kind read."""

    name: str
    every: float
    offset: float

    def next_reading(self, at: float) -> float:
        """Return when it reads at or after a time."""
        return math.ceil((at - self.offset) / self.every) * self.every + self.offset


HABITS = (
    Habit("every 5 s", 5.0, 1.3),
    Habit("every 5 min", 300.0, 71.0),
    Habit("every hour", 3600.0, 1234.0),
    Habit("at its start, once a day", DAY, 40000.0),
)


@dataclass(frozen=True)
class Failure:
    """Calls that failed: from when until when, with which token, and when that had been published."""

    habit: Habit
    name: str
    user: str
    token: str
    published: float
    begins: float
    ends: float

    @property
    def calls(self) -> int:
        """How many of the calls, one a minute, fall into it."""
        return max(0, math.floor(self.ends / CALL_EVERY) - math.floor(self.begins / CALL_EVERY))


class Consumers:
    """All consumers of one user of a credential, from publication to publication.

    Attributes:
        token: what is published.
        published: since when.
    """

    def __init__(self, name: str, user: str) -> None:
        self.name, self.user = name, user
        self.token: str | None = None
        self.published = 0.0
        self._held: list[tuple[Habit, str, float, float, float]] = []

    def publish(self, token: str | None, now: float) -> None:
        """Take notice of what is published from now on."""
        if self.token is not None:
            for habit in HABITS:
                begins, ends = habit.next_reading(self.published), habit.next_reading(now)
                if begins < ends:
                    self._held.append((habit, self.token, self.published, begins, ends))
        self.token, self.published = token, now

    def failures(self, sessions: Sessions, now: float) -> Iterator[Failure]:
        """Yield, at the end of the story, the calls that failed."""
        self.publish(None, now)
        for habit, token, published, begins, ends in self._held:
            dead = sessions.dead_at(token)
            failure = Failure(
                habit, self.name, self.user, token, published, max(begins, dead), min(ends, now)
            )
            if failure.calls > 0:
                yield failure


__all__ = ["HABITS", "Consumers", "Failure", "Habit"]
