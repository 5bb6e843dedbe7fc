"""Makes one object of what is equal as far as decisions go: records, snapshots, and both one tick later."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from rotator.core.model import (
    Change,
    Fleet,
    KeyFacts,
    Phase,
    Record,
    Request,
    Retired,
    Snapshot,
    TokenFacts,
    Trouble,
)
from tests.explore.world import BASE, HORIZON, TERMS, TICK, Asking, Kept, Rules, Session, World, facts

KEPT: list[Kept] = []
"""Every record that was ever seen, by its number."""
_known: dict[Record, Kept] = {}


@cache
def kept(record: Record, last: int) -> Kept:
    """Return the one object for what a world of ``last`` keys due would make of a record."""
    told = canonical(record, last)
    found = _known.get(told)
    if found is None:
        found = _known[told] = Kept(told, len(KEPT))
        KEPT.append(found)
    return found


@cache
def aged(this: Kept, last: int) -> Kept:
    """Return a record one tick later."""
    return kept(older(this.record), last)


@cache
def unanswered(this: Kept, last: int) -> Kept:
    """Return a record that does not remember the last request: it is deleted, and never comes back."""
    return kept(replace(this.record, answered=None), last)


def canonical(record: Record, last: int) -> Record:
    """Return the record without what no decision of this world looks at (any more).

    A time that has passed is as good as none; history, sentences and most troubles are for people.
    """
    failed_at = _if_after(record.failed_at, -TERMS.backoff_floor)
    return replace(
        record,
        history=(),
        change=record.change and _canonical_change(record.change, record.phase),
        keys=tuple(replace(facts(k.serial, last), leaked=k.leaked) for k in record.keys),
        retired=tuple(_canonical_retired(retired) for retired in record.retired),
        trouble=tuple(sorted((t for t in map(_canonical_trouble, record.trouble) if t), key=_by_subject)),
        answered=record.answered and replace(record.answered, at=BASE, sentence="", accepted=True),
        paused=record.paused and replace(record.paused, since=BASE),
        rehearsed=None,
        busy_until=_if_after(record.busy_until, timedelta(0)),
        promoted_at=_if_after(record.promoted_at, -TERMS.slow_servers),
        failed_at=failed_at,
        failures=1 if failed_at else 0,
        doubts=min(record.doubts, TERMS.doubts_needed),
    )


def _if_after(time: datetime | None, offset: timedelta) -> datetime | None:
    return time if time is not None and time > BASE + offset else None


def _canonical_change(change: Change, phase: Phase) -> Change:
    staged, waits = phase is Phase.STAGED, phase is not Phase.LOCKED_OUT and change.deadline is not None
    unsent = staged or phase is Phase.CREATING
    began = change.began if unsent and not waits else BASE
    return replace(
        change,
        ticket="t" if change.ticket and staged else None,
        validated=change.validated or not unsent,
        began=began,
        asked_at=None,
        deadline=max(change.deadline, BASE) if waits and change.deadline else None,
        proved_at=change.proved_at and max(change.proved_at, BASE - TERMS.proof_span),
        nudged_at=None,
        sessions_died=False,
    )


def _canonical_retired(retired: Retired) -> Retired:
    return replace(
        retired,
        since=max(retired.since, BASE - TERMS.quarantine) if retired.handed_out else BASE,
        cleared_at=_if_after(retired.cleared_at, -TERMS.slow_servers),
    )


def _canonical_trouble(trouble: Trouble) -> Trouble | None:
    """Return what decisions see of a trouble: a token that does not work, a user whom a person must mend."""
    what = trouble.subject.partition(":")[0]
    if what == "token" or (what == "mint" and trouble.lasting):
        return replace(trouble, since=BASE, message="", hint="")
    return None


def _by_subject(trouble: Trouble) -> str:
    return trouble.subject


def older(value: Any) -> Any:
    """Return a value with every time in it one tick further in the past, clamped to the horizon."""
    if isinstance(value, datetime):
        return max(value - TICK, BASE - HORIZON)
    if isinstance(value, tuple):
        return tuple(older(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return _older(value)
    return value


@cache
def _older(value: Any) -> Any:
    if isinstance(value, KeyFacts):
        return value
    changed = {f.name: new for f in fields(value) if (new := older(old := getattr(value, f.name))) is not old}
    return replace(value, **changed) if changed else value


class Seen(NamedTuple):
    """What of a world makes a difference to who loads."""

    rules: Rules
    kept: Kept
    sessions: tuple[Session, ...]
    request: Asking | None
    deployer: bool
    tried: frozenset[str]


def snapshot_of(world: World) -> Snapshot:
    """Return what a daemon loads: the one object for its value."""
    return _loaded(Seen(world.rules, world.kept, world.sessions, world.request, world.deployer, world.tried))


_snapshots: dict[tuple[Any, ...], Snapshot] = {}


@cache
def _loaded(seen: Seen) -> Snapshot:
    users = tuple(one.user for one in seen.sessions)
    tokens = tuple(facts for one in seen.sessions for facts in token_of(one.user, one.token))
    # Whether a session lives is not seen: other worlds load the same.
    key = (seen._replace(sessions=()), users, tokens)
    if key not in _snapshots:
        request, enough = seen.request, seen.kept.record.newest >= seen.rules.newest
        _snapshots[key] = Snapshot(
            seen.kept.record,
            1,
            seen.rules.terms(users),
            tokens,
            request and Request(f"r{request.number}", request.ask, request.serial, BASE),
            fleet=Fleet(
                may_not_begin="it is enough" if enough else None,
                may_not_deploy="its deployer is in a change itself" if seen.deployer else None,
            ),
            held=dict.fromkeys(sorted(seen.tried), BASE + TICK),
        )
    return _snapshots[key]


@cache
def token_of(user: str, token: str) -> tuple[TokenFacts, ...]:
    """Return the token document of a user as a daemon reads it: only its freshness matters here."""
    if token == "none":
        return ()
    age = {"fresh": 0, "old": 0, "stale": 4, "out": 9}[token]
    at, refresh_after = BASE - age * TICK, BASE if token == "old" else BASE + HORIZON
    return (TokenFacts(user, 1, at, at, at + 8 * TICK, refresh_after, prolongable=True, sequence=1),)
