"""The pulse: whether all that must move moves. It feeds the watchdog."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator import events
from rotator.run.limits import longest_round, longest_step
from rotator.show.logs import emit

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon

IDLE = timedelta(seconds=10)
"""So long something may be queued while no worker has anything."""


@dataclass(frozen=True, slots=True)
class Late:
    """Something that should have come to an end."""

    part: str
    credential: str | None = None
    seconds: float = 0.0
    limit_seconds: float = 0.0


class Pulse:
    """Looks at the workers, each step under way, the round and the queue.

    A step that hangs is late by itself, however many others go on. That Vault or an org does not answer makes
    nothing late: calls end by their time limits.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._told: set[tuple[str, str | None]] = set()

    def beat(self) -> bool:
        """Return whether all is well; what is late is told once."""
        late = list(self._late())
        for one in late:
            if (one.part, one.credential) not in self._told:
                said: dict[str, Any] = {} if one.credential is None else {"credential": one.credential}
                said |= {"seconds": round(one.seconds, 1), "limit_seconds": round(one.limit_seconds, 1)}
                emit(events.HEARTBEAT_LATE, part=one.part, **said)
        self._told = {(one.part, one.credential) for one in late}
        return not late

    def _late(self) -> Iterator[Late]:
        daemon = self._daemon
        # `closed` is looked at last: it is set before the workers end because of it.
        if not daemon.crew.whole() and not daemon.ready.closed:
            yield Late("workers")
        running = daemon.ready.running()
        for name, seconds in running.items():
            limit = self._longest_step(name)
            if limit is not None and seconds > limit:
                yield Late("step", name, seconds, limit)
        limit = longest_round(daemon.app.configuration).total_seconds()
        if (seconds := daemon.rounds.seconds()) > limit:
            yield Late("round", None, seconds, limit)
        queued, _running = daemon.ready.sizes()
        idle = time.monotonic() - daemon.ready.moved_at
        if queued and not running and idle > IDLE.total_seconds() and not daemon.ready.closed:
            yield Late("queue", None, idle, IDLE.total_seconds())

    def _longest_step(self, name: str) -> float | None:
        """Return the limit for a step of a credential in seconds; None for one that was let go just now."""
        stations = self._daemon.stations
        if (station := stations.get(name)) is None:
            return None
        deployer = stations.get(station.config.deployer_name or "")
        return longest_step(self._daemon.app.configuration, station, deployer).total_seconds()
