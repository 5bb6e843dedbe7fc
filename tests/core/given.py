"""Builds what the tests of the core start from: a steady credential, a change at some place, a snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotator.core.effects import Answer, Kind
from rotator.core.model import (
    Ask,
    Change,
    KeyFacts,
    Phase,
    Reason,
    Record,
    Request,
    Snapshot,
    Terms,
    TokenFacts,
    Trouble,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TERMS = Terms("acme", users=("ann",), jitter=timedelta(0))


def terms(**more):
    return replace(TERMS, **more)


def key(serial, *, ends_in=300 * DAY, leaked=False):
    return KeyFacts(serial, f"f{serial}", NOW - 65 * DAY, NOW + ends_in, leaked)


def steady(**more):
    """A credential that signs with key pair 2, can go back to 1, and has nothing to do."""
    keys = more.pop("keys", (key(1), key(2)))
    known = {"phase": Phase.STEADY, "newest": 2, "current": 2, "previous": 1, "keys": keys, **more}
    return Record(**known)


def changing(phase, **more):
    """A credential on its way from key pair 2 to 3."""
    about = {"target": 3, "rival": 2, "reason": Reason.ROTATION, "users": ("ann",), "began": NOW - MINUTE}
    own = {name: more.pop(name) for name in list(more) if name in Change.__dataclass_fields__}
    record = {"newest": 3, "keys": (key(1), key(2), key(3)), **more}
    return steady(**{**record, "phase": phase, "change": Change(**{**about, **own})})


def token(user="ann", **more):
    """A published token that was verified just now."""
    known = {
        "user": user,
        "key_serial": 2,
        "issued_at": NOW - 5 * MINUTE,
        "verified_at": NOW,
        "expires_at": NOW + HOUR,
        "refresh_after": NOW + 25 * MINUTE,
        "prolongable": True,
        "sequence": 7,
        **more,
    }
    return TokenFacts(**known)


def snapshot(record, **more):
    known = {"terms": TERMS, "tokens": (token(),), **more}
    return Snapshot(record, 9, **known)


def request(ask, serial=2, **more):
    return Request("r1", Ask(ask), serial, NOW - MINUTE, **more)


def answer(kind, **more):
    return Answer(Kind(kind), more.pop("at", NOW), **more)


def trouble(subject, code="some.code", *, lasting=False):
    return Trouble(subject, NOW - HOUR, code, "a message", lasting=lasting)
