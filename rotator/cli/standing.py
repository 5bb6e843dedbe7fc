"""How a credential stands, as data: what `status` prints for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.app import Application
from rotator.config import next_window
from rotator.core import timing
from rotator.core.effects import Wait
from rotator.core.guards import due_and_allowed
from rotator.core.model import (
    Change,
    Entry,
    Identity,
    KeyFacts,
    Pause,
    Phase,
    Serial,
    Snapshot,
    TokenFacts,
    Trouble,
)
from rotator.errors import RotatorError
from rotator.performer import Station
from rotator.run.ask import acquaint, progress
from rotator.run.weather import is_of_one_credential
from rotator.vault.refusals import PERMISSION_DENIED

ANSWERED_BY = timedelta(minutes=1)
"""So long after its time a daemon has begun what is due."""


@dataclass(frozen=True, slots=True)
class NextRotation:
    """When the next rotation begins.

    Attributes:
        due_at: jitter included.
        begins_at: due, within the maintenance window or urgent; None while something else holds it.
        urgent_at: from when windows, ranks and rehearsals no longer count.
        held: why a rotation that is due does not begin; None if nothing holds it.
    """

    due_at: datetime
    begins_at: datetime | None
    urgent_at: datetime | None
    held: str | None


@dataclass(frozen=True, slots=True)
class Underway:
    """The change that is under way."""

    change: Change
    proofs_needed: int
    waiting_for: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a credential stands.

    Attributes:
        current: facts of the key pair that signs.
        publishes: its tokens are for consumers; those of a deployer are not.
        tokens: what is published; None where our Vault policy does not let us read it.
        troubles: those on record, and what shows from here.
    """

    credential: str
    phase: Phase
    current: KeyFacts | None
    previous: Serial | None
    next_rotation: NextRotation | None
    publishes: bool
    tokens: tuple[TokenFacts, ...] | None
    under_way: Underway | None
    paused: Pause | None
    troubles: tuple[Trouble, ...]
    last_change: Entry | None
    identity: Identity | None


def standings(app: Application, names: tuple[str, ...], now: datetime) -> list[Standing]:
    """Return how credentials stand (all, or those named). Raises RotatorError."""
    stations = app.driver.stations
    unreadable: set[str] = set()
    broken: dict[str, RotatorError] = {}

    def read(station: Station) -> None:
        """Read the record, and the tokens if they may be read."""
        try:
            app.driver.refresh(station)
        except RotatorError as error:
            if error.code != PERMISSION_DENIED and is_of_one_credential(error):
                broken[station.name] = error  # the others can be shown all the same
                return
            if error.code != PERMISSION_DENIED or station.read_at is None:
                raise
            station.tokens = dict.fromkeys(station.terms.users, (None, 0))
            unreadable.add(station.name)

    acquaint(app, names, read)
    return [
        _unknown(stations[name], broken[name], now)
        if name in broken
        else _standing(app, stations[name], now, tokens=name not in unreadable)
        for name in names or tuple(stations)
    ]


def _unknown(station: Station, error: RotatorError, now: datetime) -> Standing:
    """Return the standing of a credential whose documents cannot be read."""
    return Standing(
        credential=station.name,
        phase=station.record.phase,
        current=None,
        previous=None,
        next_rotation=None,
        publishes=station.config.publish,
        tokens=None,
        under_way=None,
        paused=None,
        troubles=(unreadable(error, now),),
        last_change=None,
        identity=None,
    )


def unreadable(error: RotatorError, now: datetime) -> Trouble:
    """Return the trouble of a credential whose documents cannot be read."""
    return Trouble("record", now, error.code, error.message, error.hint, lasting=True)


def _standing(app: Application, station: Station, now: datetime, *, tokens: bool) -> Standing:
    record = station.record
    facts = station.facts() if tokens else None
    rotation = next_rotation(station, app.driver.snapshot(station), now)
    return Standing(
        credential=station.name,
        phase=record.phase,
        current=record.key(record.current),
        previous=record.previous,
        next_rotation=rotation,
        publishes=station.config.publish,
        tokens=facts,
        under_way=_under_way(station, now),
        paused=record.paused,
        troubles=(*record.trouble, *_seen_from_here(station, facts, rotation, now)),
        last_change=record.history[-1] if record.history else None,
        identity=record.identity,
    )


def _under_way(station: Station, now: datetime) -> Underway | None:
    change = station.record.change
    if change is None:
        return None
    needed = timing.proofs_needed(change, station.terms)
    return Underway(change, needed, progress(station.record, station.terms, now))


def next_rotation(station: Station, snapshot: Snapshot, now: datetime) -> NextRotation | None:
    """Return when the next rotation begins; None while there is no key pair, or a change is under way."""
    record, terms, window = station.record, station.terms, station.config.rotation.window
    due, urgent = timing.due_at(record, terms), timing.urgent_at(record, terms)
    if due is None or urgent is None or record.phase is not Phase.STEADY:
        return None
    if now >= due:
        verdict = due_and_allowed(snapshot, now)
        if isinstance(verdict, Wait):
            return NextRotation(due, verdict.until, urgent, verdict.reason)
        return NextRotation(due, now, urgent, None)
    begins = max(due, timing.backoff_until(record, terms) or due)
    if window is not None and begins < urgent:
        begins = min(max(begins, next_window(window, begins).opens), urgent)
    return NextRotation(due, begins, urgent, None)


def _seen_from_here(
    station: Station, tokens: tuple[TokenFacts, ...] | None, rotation: NextRotation | None, now: datetime
) -> list[Trouble]:
    """Return what no daemon has put on record: most likely none runs."""
    found, record = [], station.record
    hint = "Does the daemon run? `rotator alive` tells where it runs; see its log, too."
    if rotation is not None and rotation.held is None and now > rotation.due_at + ANSWERED_BY:
        message = f"the rotation of key pair {record.current} is due, and nobody has begun it"
        found.append(Trouble("change", rotation.due_at, "rotation.overdue", message, hint))
    for token in tokens or ():
        if record.trouble_of(f"token:{token.user}") or record.trouble_of(f"mint:{token.user}"):
            continue
        if now < token.expires_at and timing.is_overdue(token, record, station.terms, now):
            message = f"nobody has refreshed the token of {token.user}, which was to be done"
            found.append(Trouble(f"token:{token.user}", token.refresh_after, "token.overdue", message, hint))
        if now >= token.expires_at:
            message = f"the published token of {token.user} is proved no longer"
            found.append(Trouble(f"token:{token.user}", token.expires_at, "token.stale", message, hint))
    facts = record.key(record.current)
    if facts is not None and now >= facts.not_after:
        message = f"the certificate of key pair {facts.serial} has ended"
        found.append(
            Trouble(f"key:{facts.serial}", facts.not_after, "certificate.expired", message, "Rotate it.")
        )
    if record.phase is Phase.LOCKED_OUT and record.trouble_of("change") is None:
        since = record.change.began if record.change else now
        message = "the org takes no key that is kept"
        found.append(Trouble("change", since, "locked_out", message, "See the daemon's log for the steps."))
    return found
