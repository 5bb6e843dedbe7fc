"""Alarms that no single step tells: what is due and held, what comes to its end. Each is told on its edge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rotator import events
from rotator.core.effects import Mint, Wait
from rotator.core.guards import due_and_allowed
from rotator.core.model import Phase, Snapshot
from rotator.core.slot import DEAD, may_hold_target, provers, signers
from rotator.core.timing import due_at, swaps_until, urgent_at
from rotator.events import Event
from rotator.performer.station import Station
from rotator.performer.tell import iso
from rotator.show.logs import emit

Alarm = tuple[Event, str, dict[str, Any]]
"""The event, what it is about (another means another alarm), and its fields."""


def sound(station: Station, snapshot: Snapshot, now: datetime) -> None:
    """Tell the alarms that are new since the last step; those that are over are forgotten."""
    on: dict[str, str] = {}
    alarms = (
        *_certificate(snapshot, now),
        *_bridge(station, snapshot, now),
        *_dead_tokens(station, snapshot, now),
    )
    for event, about, fields in alarms:
        alarm = _alarm(event, fields.get("user", ""))
        on[alarm] = about
        if station.told.get(alarm) != about:
            emit(event, credential=station.name, **fields)
    station.told = on


def alarms_on(station: Station) -> list[str]:
    """Return the events of the alarms that are on, without users."""
    return sorted({alarm.partition(" ")[0] for alarm in tuple(station.told)})


def _alarm(event: Event, user: str) -> str:
    return f"{event.name} {user}"


def _certificate(snapshot: Snapshot, now: datetime) -> Iterator[Alarm]:
    record, terms = snapshot.record, snapshot.terms
    facts, due, urgent = record.key(record.current), due_at(record, terms), urgent_at(record, terms)
    if facts is None or due is None or urgent is None or now < due:
        return
    about, ends = str(facts.serial), {"not_after": iso(facts.not_after)}
    if now >= facts.not_after:
        yield events.CERTIFICATE_EXPIRED, about, {"serial": facts.serial, **ends}
    if record.phase is not Phase.STEADY:
        return
    verdict = due_and_allowed(snapshot, now)
    why = verdict.reason if isinstance(verdict, Wait) else ""
    if why and facts.not_after > now >= urgent and not facts.leaked:
        yield events.CERTIFICATE_EXPIRING, about, {"serial": facts.serial, "why": why, **ends}
    if why and (hint := _person(snapshot, now)):
        yield (
            events.ROTATION_DUE_BUT_HELD,
            about + hint,
            {"due_at": iso(due), "why": why, "hint": hint, **ends},
        )
    capped = swaps_until(record, terms, now)
    if capped is not None and now < capped:
        yield events.ROTATION_CAPPED, about, {"swaps": terms.swaps_a_day, "not_before": iso(capped), **ends}


def _dead_tokens(station: Station, snapshot: Snapshot, now: datetime) -> Iterator[Alarm]:
    """A published token that is known to be dead is replaced at once; it was not, for as long as that may take."""
    if not station.config.publish:
        return  # nobody reads them
    may_mint = bool(signers(snapshot.record, snapshot.terms, now))
    for trouble in snapshot.record.trouble:
        kind, _, user = trouble.subject.partition(":")
        if kind != "token" or trouble.code != DEAD or now < trouble.since + snapshot.terms.verify_every:
            continue
        tried = station.failing(Mint(user, ()))
        if may_mint and not tried.failures:
            continue  # it is about to be tried
        said = {
            "since": iso(trouble.since),
            "code": tried.code or trouble.code,
            "message": tried.message or trouble.message,
            "hint": tried.hint or trouble.hint,
        }
        yield events.TOKEN_NOT_REPLACED, f"{trouble.since}", {"user": user, **said}


def _person(snapshot: Snapshot, now: datetime) -> str:
    """Return what a person does to let a rotation begin that is due; empty where none is waited for."""
    record, terms = snapshot.record, snapshot.terms
    if record.paused is not None:
        return f"rotator resume {terms.name}"
    urgent = urgent_at(record, terms)
    if terms.rehearse_first and record.rehearsed is None and (urgent is None or now < urgent):
        return f"rotator rehearse {terms.name}"
    return ""


def _bridge(station: Station, snapshot: Snapshot, now: datetime) -> Iterator[Alarm]:
    """Tokens whose life is too short although they are new, or were called just now."""
    record, terms, change = snapshot.record, snapshot.terms, snapshot.record.change
    if record.phase is not Phase.STAGED or change is None or terms.accept_gap or may_hold_target(record):
        return
    about = f"{change.target}"
    for user in provers(record, terms):
        token = snapshot.token(user)
        if token is None:
            continue
        if token.prolongable:
            needed = terms.session_timeout / 4
            # A call leaves between half of the timeout and all of it: less than half of what is needed can never do,
            # and less than all of it not where the calls of so long a time have left no more.
            told = station.told.get(_alarm(events.BRIDGE_LACKING, user)) == about
            sure = told or now >= change.began + needed
            short = token.expires_at - token.verified_at <= (needed if sure else needed / 2)
            mend = "Set session.timeout to the timeout that counts in the org, or raise that one"
        else:
            needed = terms.bridge
            short = token.expires_at - token.issued_at < needed
            mend = "Raise the timeout of the app's access tokens"
        if short:
            fields = {
                "user": user,
                "expires_at": iso(token.expires_at),
                "needed_until": iso(now + needed),
                "hint": f"{mend}, or set deploy.accept_gap to accept that consumers are refused for a while.",
            }
            yield events.BRIDGE_LACKING, about, fields
