"""What the rest of the fleet allows one credential: brake, slots, ranks, clocks, the deployer's phase.

A step must not look at every other credential: what is asked for often is kept up to date at each change of a record,
and what only counts for a rotation that is due is found out for that one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from rotator.config.model import FleetConfig
from rotator.core.model import Entry, Fleet, Phase, Reason, Record, Terms
from rotator.core.outcome import Outcome
from rotator.core.timing import MOST_SKEW, backoff_until, by_hand, due_at, urgent_at
from rotator.errors import Conflict
from rotator.performer.station import Station

ROTATIONS = frozenset({Reason.ROTATION, Reason.COMPROMISED})
LOOK_EVERY = timedelta(seconds=1)
"""How old the list of ranks that are due may be."""


class Neighbours:
    """All credentials, seen as neighbours of one. Used by all workers."""

    def __init__(self, stations: Mapping[str, Station], settings: FleetConfig) -> None:
        self._stations, self._settings = stations, settings
        self._lock = threading.Lock()
        self._changing: set[str] = set()
        self._latest: list[
            tuple[datetime, str, Outcome]
        ] = []  # how the latest rotations ended, the newest first
        self._first_due: tuple[datetime, list[tuple[int, str]]] | None = None

    def renew(self, settings: FleetConfig) -> None:
        """Go by other settings from now on. What is known of slots and rotations stays."""
        with self._lock:
            self._settings = settings
            self._look_back()

    def forget(self, name: str) -> None:
        """Count a credential no more, which is not served any more."""
        with self._lock:
            self._changing.discard(name)
            if any(name == other for _ended, other, _outcome in self._latest):
                self._look_back()

    def _look_back(self) -> None:
        """Read off all records how the latest rotations ended."""
        entries = ((latest_rotation(one.record), one.name) for one in tuple(self._stations.values()))
        ended = sorted(
            ((entry.ended, name, entry.outcome) for entry, name in entries if entry is not None), reverse=True
        )
        self._latest = ended[: self._settings.stop_after_failures]

    def note(self, station: Station, record: Record) -> None:
        """Take notice of a record that was read or written."""
        entry = latest_rotation(record)
        with self._lock:
            if holds_slot(record, station.terms):
                self._changing.add(station.name)
            else:
                self._changing.discard(station.name)
            if entry is not None:
                others = [other for other in self._latest if other[1] != station.name]
                others.append((entry.ended, station.name, entry.outcome))
                self._latest = sorted(others, reverse=True)[: self._settings.stop_after_failures]

    def take_slot(self, station: Station, before: Record, after: Record, now: datetime) -> None:
        """See that a rotation that begins by itself still finds a slot. Raises Conflict when another was faster."""
        change, urgent = after.change, urgent_at(before, station.terms)
        begins = change is not None and change.reason in ROTATIONS and not is_rotating(before)
        unasked = after.answered == before.answered
        if not begins or not unasked or (urgent is not None and now >= urgent):
            return
        with self._lock:
            if len(self._changing - {station.name}) >= self._settings.max_concurrent_rotations:
                raise Conflict(
                    "another rotation took the last slot",
                    code="fleet.slot",
                    hint="It is begun when that one has ended; `fleet.max_concurrent_rotations` lets more run at once.",
                )
            self._changing.add(station.name)

    def braked(self) -> list[str]:
        """Return the credentials whose rotations failed last, if they are so many that the fleet stops; else nothing.

        The brake is read off the records: it is on while the latest rotations of ``stop_after_failures`` different
        credentials all failed, and a rotation that succeeds takes it off.
        """
        latest = self._latest
        if len(latest) < self._settings.stop_after_failures:
            return []
        failed = sorted(name for _ended, name, outcome in latest if outcome is not Outcome.PROMOTED)
        return failed if len(failed) == len(latest) else []

    def allowed(self, station: Station, now: datetime, vault_skew_seconds: float) -> Fleet:
        """Return what a credential may do now."""
        differ = _clocks_differ(station, vault_skew_seconds)
        return Fleet(
            may_not_begin=self._may_not_begin(station, now) if _is_due(station, now) else None,
            may_not_deploy=differ or self._deployer_not_ready(station),
            clocks_differ=differ,
        )

    def _may_not_begin(self, station: Station, now: datetime) -> str | None:
        if station.leaving:
            return "it was taken out of the configuration, or has another app there"
        if failed := self.braked():
            return f"the last rotations of {', '.join(failed)} failed, so no other is begun"
        with self._lock:
            busy = sorted(self._changing - {station.name})
        if len(busy) >= self._settings.max_concurrent_rotations:
            return f"{', '.join(busy)} rotate at the moment"
        for name in station.config.rollout.after:
            first = self._stations.get(name)
            if first is not None and not been_through(first):
                return f"{name} goes first (rollout.after)"
        rank = station.config.rollout.rank
        ahead = [name for other, name in self._due(now) if other < rank and name != station.name]
        return f"{ahead[0]} has a lower rank and is due as well" if ahead else None

    def _due(self, now: datetime) -> list[tuple[int, str]]:
        """Return the two first of those that are due or rotate, by rank, as of a moment ago."""
        kept = self._first_due
        if kept is None or not kept[0] <= now < kept[0] + LOOK_EVERY:
            stations = list(self._stations.values())
            due = [(one.config.rollout.rank, one.name) for one in stations if _goes_first(one, now)]
            kept = self._first_due = (now, sorted(due)[:2])
        return kept[1]

    def _deployer_not_ready(self, station: Station) -> str | None:
        deployer_name = station.config.deployer_name
        if deployer_name is None or deployer_name == station.name:
            return None
        deployer = self._stations.get(deployer_name)
        if deployer is None or deployer.record.current is None:
            return f"its deployer {deployer_name} has no key pair yet"
        if deployer.place != station.place:
            return f"its deployer {deployer_name} is just being taken over into another Vault"
        if deployer.record.phase is not Phase.STEADY:
            return f"its deployer {deployer_name} is in a change itself"
        return None


def _clocks_differ(station: Station, vault_skew_seconds: float) -> str | None:
    for peer, skew in (("Vault", vault_skew_seconds), ("Salesforce", station.skew_seconds)):
        if is_skewed(skew):
            return f"the clock of {peer} differs from ours by {skew:+.0f} seconds"
    return None


def is_skewed(seconds: float) -> bool:
    """Tell whether a clock differs so much from ours that nothing may be deployed, and no key destroyed."""
    return abs(seconds) > MOST_SKEW.total_seconds()


def latest_rotation(record: Record) -> Entry | None:
    """Return how the latest rotation of a credential ended; one that an operator aborted says nothing."""
    ended = (
        entry
        for entry in reversed(record.history)
        if entry.reason in ROTATIONS and entry.outcome is not Outcome.ABORTED
    )
    return next(ended, None)


def holds_slot(record: Record, terms: Terms) -> bool:
    """Tell whether a rotation is under way that goes on by itself: one that waits for a person may wait for long."""
    change = record.change
    if change is None or record.phase is Phase.LOCKED_OUT:
        return False
    return change.reason in ROTATIONS and not by_hand(change, terms)


def is_rotating(record: Record) -> bool:
    """Tell whether a change is under way."""
    return record.phase not in (Phase.STEADY, Phase.EMPTY)


def been_through(station: Station) -> bool:
    """Tell whether a credential has been through a rotation and is steady now."""
    entry = latest_rotation(station.record)
    return entry is not None and entry.outcome is Outcome.PROMOTED and not is_rotating(station.record)


def _is_due(station: Station, now: datetime) -> bool:
    """Tell whether the key pair of a credential is to be replaced."""
    due = due_at(station.record, station.terms)
    return due is not None and now >= due


def _goes_first(station: Station, now: datetime) -> bool:
    """Tell whether higher ranks wait for a credential: it rotates, or is due and nothing of its own holds it."""
    record, terms = station.record, station.terms
    if holds_slot(record, terms):
        return True
    if record.phase is not Phase.STEADY or record.paused is not None or not _is_due(station, now):
        return False
    until = backoff_until(record, terms, now)
    return (until is None or now >= until) and not (terms.rehearse_first and record.rehearsed is None)
