"""How a credential stands, as data: what `status` prints, and what the status page shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from rotator import events
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
    PauseKind,
    Phase,
    Record,
    Serial,
    Snapshot,
    Terms,
    TokenFacts,
    Trouble,
)
from rotator.core.slot import OUT, RIVAL_TAKEN, is_leaked
from rotator.errors import RotatorError
from rotator.performer import Station
from rotator.publishers.manual import leaked_step

EXPIRED, EXPIRING, LOCKED_OUT = "certificate.expired", "certificate.expiring", "locked_out"
"""Codes of troubles that no daemon has put on record."""

ANSWERED_BY = timedelta(minutes=1)
"""So long after its time a daemon has begun what is due."""

_NOBODY = "Does the daemon run? `rotator alive` tells where it runs; see its log, too."


class Level(IntEnum):
    """How bad it is, the worst first: the one measure by which `status`, the status page and /readyz/NAME judge."""

    LOST = 0  # consumers are refused, or will be: nobody but a person ends it
    TROUBLE = 1  # something is wrong that nobody may have seen to yet
    HELD = 2  # somebody or something holds it, or it waits for a person
    BUSY = 3  # something goes on
    WELL = 4

    @property
    def word(self) -> str:
        """Return its name as styles and readers know it."""
        return self.name.lower()

    @property
    def is_problem(self) -> bool:
        """Whether something is wrong; what is held waits, be it for a person, and nothing is wrong with it."""
        return self <= Level.TROUBLE


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
    """The change that is under way.

    Attributes:
        waits_for_person: nobody but a person brings the certificate in.
    """

    change: Change
    proofs_needed: int
    waiting_for: str
    waits_for_person: bool = False


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

    @property
    def is_foreign(self) -> bool:
        """Whether it is held until a person says which org is meant."""
        return self.paused is not None and self.paused.kind is PauseKind.IDENTITY

    @property
    def level(self) -> Level:
        """How bad it is."""
        if (
            self.phase is Phase.LOCKED_OUT
            or self.is_foreign
            or any(one.code == EXPIRED for one in self.troubles)
        ):
            return Level.LOST
        if self.troubles:
            return Level.TROUBLE
        if self._is_held:
            return Level.HELD
        return Level.WELL if self.phase is Phase.STEADY else Level.BUSY

    @property
    def _is_held(self) -> bool:
        change, rotation = self.under_way, self.next_rotation
        return (
            self.paused is not None
            or self.phase is Phase.EMPTY
            or (change is not None and change.waits_for_person)
            or (rotation is not None and rotation.held is not None)
        )


def standing(station: Station, snapshot: Snapshot, now: datetime, *, tokens: bool = True) -> Standing:
    """Return how a credential stands, by what was read of it. ``tokens``: they were read, too."""
    record = station.record
    facts = station.facts() if tokens else None
    rotation = next_rotation(station, snapshot, now)
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


def unknown(station: Station, trouble: Trouble) -> Standing:
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
        troubles=(trouble,),
        last_change=None,
        identity=None,
    )


def unreadable(error: RotatorError, now: datetime) -> Trouble:
    """Return the trouble of a credential whose documents cannot be read."""
    return Trouble("record", now, error.code, error.message, error.hint, lasting=True)


def _under_way(station: Station, now: datetime) -> Underway | None:
    change = station.record.change
    if change is None:
        return None
    record, terms = station.record, station.terms
    needed = timing.proofs_needed(change, terms)
    return Underway(change, needed, progress(record, terms, now), waits_for_person(record, terms, now))


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
    begins = max(due, timing.backoff_until(record, terms, now) or due)
    if window is not None and begins < urgent:
        begins = min(max(begins, next_window(window, begins).opens), urgent)
    return NextRotation(due, begins, urgent, None)


def _seen_from_here(
    station: Station, tokens: tuple[TokenFacts, ...] | None, rotation: NextRotation | None, now: datetime
) -> list[Trouble]:
    """Return what no daemon has put on record: because none runs, or because it shows from the time alone."""
    return [
        *_of_tokens(station, tokens or (), now),
        *_of_certificate(station.name, station.record, rotation, now),
        *_of_person(station, now),
        *_of_locks(station.record, now),
    ]


def _of_tokens(station: Station, tokens: tuple[TokenFacts, ...], now: datetime) -> Iterator[Trouble]:
    record = station.record
    for token in tokens:
        if record.trouble_of(f"token:{token.user}") or record.trouble_of(f"mint:{token.user}"):
            continue
        if now < token.expires_at and timing.is_overdue(token, record, station.terms, now):
            message = f"nobody has refreshed the token of {token.user}, which was to be done"
            yield Trouble(f"token:{token.user}", token.refresh_after, "token.overdue", message, _NOBODY)
        if now >= token.expires_at:
            message = f"the published token of {token.user} is proved no longer"
            yield Trouble(f"token:{token.user}", token.expires_at, "token.stale", message, _NOBODY)


def _of_certificate(
    name: str, record: Record, rotation: NextRotation | None, now: datetime
) -> Iterator[Trouble]:
    """Yield that the certificate has ended, or that nothing sees to it although that is due."""
    facts = record.key(record.current)
    if facts is None:
        return
    about = f"key pair {facts.serial}"
    if now >= facts.not_after:
        message = f"the certificate of {about} has ended"
        yield Trouble(f"key:{facts.serial}", facts.not_after, EXPIRED, message, "Rotate it.")
    if rotation is None or rotation.urgent_at is None:
        return
    if rotation.held is None and now > rotation.due_at + ANSWERED_BY:
        message = f"the rotation of {about} is due, and nobody has begun it"
        yield Trouble("change", rotation.due_at, "rotation.overdue", message, _NOBODY)
    is_urgent = rotation.urgent_at <= now < facts.not_after
    if rotation.held is not None and is_urgent and record.trouble_of("change") is None:
        message = f"{_near_its_end(facts)}, and its rotation is {rotation.held}"
        ends = f"`rotator resume {name}` ends the pause." if record.paused else "End what holds it back."
        since = _held_since(record, now) if facts.leaked else rotation.urgent_at
        yield Trouble(f"key:{facts.serial}", since, EXPIRING, message, ends)


def _of_person(station: Station, now: datetime) -> Iterator[Trouble]:
    """Yield that a person was waited for until the certificate that signs is near its end."""
    record, terms = station.record, station.terms
    change, facts, urgent = record.change, record.key(record.current), timing.urgent_at(record, terms)
    if change is None or facts is None or urgent is None or record.trouble_of("change") is not None:
        return
    if urgent <= now < facts.not_after and waits_for_person(record, terms, now):
        message = f"{_near_its_end(facts)}, and nobody has brought in the certificate that is waited for"
        hint = f"Bring it in now: `rotator status {station.name}` tells the steps."
        yield Trouble(f"key:{facts.serial}", max(urgent, change.began), EXPIRING, message, hint)


def _near_its_end(facts: KeyFacts) -> str:
    about = f"key pair {facts.serial}"
    return f"{about} leaked" if facts.leaked else f"the certificate of {about} ends soon"


def _held_since(record: Record, now: datetime) -> datetime:
    """Return since when a leaked key is held: the pause, or the end of the change that was to replace it."""
    paused = [record.paused.since] if record.paused else []
    return max(paused + [entry.ended for entry in record.history[-1:]], default=now)


def _of_locks(record: Record, now: datetime) -> Iterator[Trouble]:
    if record.phase is Phase.LOCKED_OUT and record.trouble_of("change") is None:
        since = record.change.began if record.change else now
        message = "the org takes no key that is kept"
        yield Trouble("change", since, LOCKED_OUT, message, "See the daemon's log for the steps.")


def runbook_of(trouble: Trouble) -> str:
    """Return the section of the runbook that a trouble leads to: that of the event by which it is told."""
    match trouble.subject.partition(":")[0]:
        case "token":
            return events.TOKEN_UNPROVEN.runbook
        case "mint":
            return events.TOKEN_REFUSED.runbook
        case "key" if trouble.code == RIVAL_TAKEN:
            return events.KEY_STILL_ACCEPTED.runbook
        case "key" if trouble.code in {EXPIRED, EXPIRING}:
            return events.CERTIFICATE_EXPIRED.runbook
        case "key":
            return events.KEY_NOT_DESTROYED.runbook
        case "change" if trouble.code in {*OUT, LOCKED_OUT}:
            return events.LOCKED_OUT.runbook
        case "change" if trouble.lasting:
            return events.CHANGE_STUCK.runbook
        case "change":
            return events.CHANGE_FAILED.runbook
        case "configuration":
            return events.CREDENTIAL_SET_ASIDE.runbook
    return events.VAULT_DOCUMENT_UNUSABLE.runbook


def progress(record: Record, terms: Terms, now: datetime) -> str:
    """Return in a few words what a change under way is waiting for."""
    change = record.change
    if change is None:
        return "no change is under way"
    trouble = record.trouble_of("change")
    mend = f"; {trouble.message}" if trouble is not None else ""
    key = f"key pair {change.target}"
    match record.phase:
        case Phase.CREATING:
            return f"{key} is being made and stored in Vault{mend}"
        case Phase.STAGED if not change.validated:
            return f"the publisher is asked whether it could bring in the certificate of {key}{mend}"
        case Phase.STAGED:
            return f"the certificate of {key} is about to be handed over; live sessions come first{mend}"
        case Phase.DEPLOYING:
            return f"the certificate of {key} is being brought into the org{mend}"
        case Phase.PROVING:
            proofs = f"{change.proofs} of {timing.proofs_needed(change, terms)} proofs"
            person = "; a person brings the certificate in" if waits_for_person(record, terms, now) else ""
            return f"{key} has {proofs}{person}{mend}"
        case Phase.LOCKED_OUT if is_leaked(record, change.target):
            return f"the org takes no key that is kept; {leaked_step(terms.name, change.target)}"
        case Phase.LOCKED_OUT:
            return f"the org takes no key that is kept; all are tried again and again{mend}"
        case _:
            return record.phase.value


def waits_for_person(record: Record, terms: Terms, now: datetime) -> bool:
    """Tell whether a certificate is not in the org, and nobody but a person brings it there.

    What the org has begun to take is seen through, whoever brought it in; and so is what somebody says is there.
    """
    change = record.change
    if change is None or record.phase is not Phase.PROVING or change.proofs:
        return False
    if timing.is_said_done(change, terms, now):
        return False
    return timing.by_hand(change, terms) or timing.is_stuck(record, terms, now)
