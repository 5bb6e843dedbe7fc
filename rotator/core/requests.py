"""What becomes of an operator's request: taken or refused, each with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rotator.core import moves
from rotator.core.effects import Dismiss, Do, Nothing, Wait
from rotator.core.model import Answered, Ask, PauseKind, Phase, Reason, Record, Request, Snapshot
from rotator.core.outcome import Outcome
from rotator.core.slot import RESTORING, is_leaked
from rotator.core.verdicts import Go, unless_held

Taken = tuple[Record, str]
"""The record that follows, and the sentence for the operator."""


class Refusal(Exception):
    """The request can't be taken; the message tells why."""


def answer_to(request: Request, record: Record) -> Answered | None:
    """Return what was said to a request; None while it waits."""
    said = record.answered
    return said if said is not None and said.request_id == request.id else None


def consider(snapshot: Snapshot, now: datetime) -> Do | Wait | None:
    """Answer the request that waits, or delete it once it is answered; None if there is nothing to do."""
    request, record = snapshot.request, snapshot.record
    if request is None:
        return None
    if answer_to(request, record) is not None:
        if _still_needed(record):
            return None
        verdict = unless_held(snapshot, "dismiss", now, Go("the request is answered"))
        return Do(Dismiss(request.id), verdict.reason) if isinstance(verdict, Go) else verdict
    try:
        after, sentence = _take(snapshot, request, now)
        accepted = True
    except Refusal as refusal:
        after, sentence, accepted = record, str(refusal), False
    intent = replace(after, answered=Answered(request.id, accepted, sentence, now))
    return Do(Nothing(), f"request to {request.ask}: {sentence}", intent)


def _still_needed(record: Record) -> bool:
    """Tell whether the request holds a key that is not written yet."""
    return (
        record.phase is Phase.CREATING and record.change is not None and record.change.reason is Reason.ADOPT
    )


def _take(snapshot: Snapshot, request: Request, now: datetime) -> Taken:
    record = snapshot.record
    if request.ask not in (Ask.PAUSE, Ask.RESUME) and request.serial != record.newest:
        raise Refusal(
            f"meant for key pair {request.serial}, but the newest is {record.newest}: look again first"
        )
    return TAKERS[request.ask](snapshot, request, now)


def _begin(
    snapshot: Snapshot,
    now: datetime,
    reason: Reason,
    target: int,
    sentence: str,
    *,
    needed: Phase = Phase.STEADY,
) -> Taken:
    record = snapshot.record
    if record.phase is not needed:
        raise Refusal(f"the credential is {record.phase.replace('_', ' ')}; this needs it {needed}")
    if record.paused is not None:
        raise Refusal(f"paused: {record.paused.why}; resume it first")
    by_hand = snapshot.terms.by_hand or reason in (Reason.INIT, Reason.ADOPT)
    if snapshot.fleet.may_not_deploy is not None and not by_hand:
        raise Refusal(snapshot.fleet.may_not_deploy)
    return moves.begin(record, snapshot.terms, reason, target, now), sentence


def _init(s: Snapshot, _request: Request, now: datetime) -> Taken:
    serial = s.record.newest + 1
    said = f"key pair {serial} is made; bring its certificate into the app"
    return _begin(s, now, Reason.INIT, serial, said, needed=Phase.EMPTY)


def _adopt(s: Snapshot, _request: Request, now: datetime) -> Taken:
    serial = s.record.newest + 1
    said = f"the key pair becomes number {serial} once the org took it"
    return _begin(s, now, Reason.ADOPT, serial, said, needed=Phase.EMPTY)


def _rotate(s: Snapshot, _request: Request, now: datetime) -> Taken:
    serial = s.record.newest + 1
    return _begin(s, now, Reason.ROTATION, serial, f"rotating to key pair {serial}")


def _compromised(s: Snapshot, _request: Request, now: datetime) -> Taken:
    record = s.record
    if record.current is None:
        raise Refusal("no key pair is in use yet")
    leaked = tuple(
        replace(facts, leaked=True) if facts.serial == record.current else facts for facts in record.keys
    )
    marked, serial, change = replace(record, keys=leaked), record.newest + 1, record.change
    unsent = record.phase in (Phase.STAGED, Phase.LOCKED_OUT)
    if unsent and change is not None and change.target == record.current:
        said = f"key pair {record.current} is not brought in again: {serial} is made in its place"
        return moves.lead_away(marked, s.terms, Outcome.ABORTED, now, "its key leaked"), said
    if change is not None:
        return marked, f"key pair {record.current} counts as leaked: it is replaced as soon as that can be"
    said = f"replacing leaked key pair {record.current} by {serial}; sessions behind it are revoked then"
    return _begin(replace(s, record=marked), now, Reason.COMPROMISED, serial, said)


def _rehearse(s: Snapshot, _request: Request, now: datetime) -> Taken:
    current = s.record.current
    if current is None or is_leaked(s.record, current):
        raise Refusal("there is no key pair that could stay in the org")
    said = f"the certificate of key pair {current} is deployed again, unchanged"
    return _begin(s, now, Reason.REHEARSAL, current, said)


def _rollback(s: Snapshot, _request: Request, now: datetime) -> Taken:
    previous = s.record.key(s.record.previous)
    if previous is None:
        raise Refusal("there is no previous key pair to go back to")
    if previous.not_after <= now:
        raise Refusal(f"the certificate of key pair {previous.serial} ended on {previous.not_after:%Y-%m-%d}")
    said = f"going back from key pair {s.record.current} to {previous.serial}"
    return _begin(s, now, Reason.ROLLBACK, previous.serial, said)


def _abort(s: Snapshot, _request: Request, _now: datetime) -> Taken:
    record, change = s.record, s.record.change
    if change is None:
        raise Refusal("no change is under way")
    if change.reason in RESTORING:
        raise Refusal("a restore can't be aborted: it ends when the org takes a kept key")
    said = "the change ends" if record.current is None else f"key pair {record.current} stays or comes back"
    said += "; one that is due begins again after a pause, unless the credential is paused"
    return replace(record, change=replace(change, aborted=True)), said


def _pause(s: Snapshot, request: Request, now: datetime) -> Taken:
    who = f"by {request.by}" if request.by else "by an operator"
    paused = moves.pause(s.record, PauseKind.OPERATOR, now, who)
    return paused, "no new change is begun; tokens go on, and a change under way is finished"


def _resume(s: Snapshot, _request: Request, _now: datetime) -> Taken:
    paused = s.record.paused
    if paused is None:
        raise Refusal("it is not paused")
    if paused.kind is PauseKind.IDENTITY:
        return replace(
            s.record, paused=None, identity=None
        ), "resumed, and bound to the org that is found next"
    return replace(s.record, paused=None), "resumed"


def _deployed(s: Snapshot, _request: Request, now: datetime) -> Taken:
    change = s.record.change
    if s.record.phase is Phase.STEADY:  # whoever looks at once may be quicker than the person
        return s.record, f"no certificate is waited for: key pair {s.record.current} signs"
    if change is None or s.record.phase not in (Phase.PROVING, Phase.LOCKED_OUT):
        raise Refusal("no certificate is waited for")
    nudged = replace(s.record, change=replace(change, nudged_at=now))
    return nudged, f"key pair {change.target} is being proved from now on"


TAKERS: dict[Ask, Callable[[Snapshot, Request, datetime], Taken]] = {
    Ask.INIT: _init,
    Ask.ADOPT: _adopt,
    Ask.ROTATE: _rotate,
    Ask.COMPROMISED: _compromised,
    Ask.REHEARSE: _rehearse,
    Ask.ROLLBACK: _rollback,
    Ask.ABORT: _abort,
    Ask.PAUSE: _pause,
    Ask.RESUME: _resume,
    Ask.DEPLOYED: _deployed,
}
