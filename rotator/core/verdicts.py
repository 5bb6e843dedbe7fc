"""What a guard says: a row applies now, not yet, or not at all; and how such verdicts are weighed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rotator.core.effects import Wait
from rotator.core.model import Snapshot


@dataclass(frozen=True, slots=True)
class Go:
    """A row applies now: ``subject`` is the user or serial that it is about."""

    reason: str
    subject: str | int | None = None


Verdict = Go | Wait | None


def after(until: datetime | None, now: datetime, then: Verdict, waiting_for: str) -> Verdict:
    """Return ``then`` from ``until`` on, a wait before it."""
    return then if until is None or now >= until else Wait(until, waiting_for)


def unless_held(snapshot: Snapshot, key: str, now: datetime, verdict: Verdict) -> Verdict:
    """Return the verdict, or a wait while repeats of this action are held back."""
    until = snapshot.held.get(key)
    if isinstance(verdict, Go) and until is not None and now < until:
        return Wait(until, f"{verdict.reason}; tried a moment ago")
    return verdict


def first(verdicts: Iterator[Verdict]) -> Verdict:
    """Return the first Go, else the earliest Wait, else None."""
    earliest: Wait | None = None
    for verdict in verdicts:
        if isinstance(verdict, Go):
            return verdict
        earliest = sooner(earliest, verdict)
    return earliest


def sooner(one: Wait | None, other: Wait | None) -> Wait | None:
    """Return the wait that ends first; one without an end is the last."""
    if one is None or other is None:
        return one or other
    if one.until is None or other.until is None:
        return other if one.until is None else one
    return other if other.until < one.until else one
