"""The one certificate slot of an app, as each server of the org sees it while a change spreads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from rotator.sandbox.org.certificates import Certificate

ALWAYS = -math.inf


@dataclass(frozen=True, slots=True)
class Change:
    """What a deploy put into the slot, and when (elapsed seconds) each server learns of it."""

    certificate: Certificate | None
    arrivals: tuple[float, ...]
    works: bool = True

    def arrival(self, server: int) -> float:
        return self.arrivals[min(server, len(self.arrivals) - 1)]


class Slot:
    """The changes of one slot, oldest first. The newest that has arrived at a server counts there."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self.ever_filled = False

    def put(self, certificate: Certificate | None, arrivals: Sequence[float], *, works: bool = True) -> None:
        self.ever_filled = self.ever_filled or certificate is not None
        self._changes.append(Change(certificate, tuple(arrivals), works))

    def seen_by(self, server: int, elapsed: float) -> Change | None:
        """What this server believes; None where it has not heard of the app at all."""
        return next((change for change in reversed(self._changes) if change.arrival(server) <= elapsed), None)

    @property
    def latest(self) -> Change | None:
        return self._changes[-1] if self._changes else None

    def forget(self, elapsed: float) -> None:
        """Drop changes that no server believes any more."""
        for index in range(len(self._changes) - 1, 0, -1):
            if all(arrival <= elapsed for arrival in self._changes[index].arrivals):
                del self._changes[:index]
                return


def spread(
    rng: random.Random, servers: int, start: float, least_seconds: float, longest_seconds: float
) -> tuple[float, ...]:
    """When each server learns of a change that is made at `start`."""
    least_seconds = min(least_seconds, longest_seconds)
    return tuple(start + rng.uniform(least_seconds, longest_seconds) for _ in range(servers))
