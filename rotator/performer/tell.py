"""What the log says of a step: read off the record before and after, the action and its answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from rotator import events
from rotator.core import timing
from rotator.core.effects import Action, Answer, CreateKey, Deploy, Kind, Mint, Poll, Prove, Touch, Validate
from rotator.core.guards import quarantine_ends
from rotator.core.model import Entry, PauseKind, Phase, Reason, Record, Serial, Snapshot, Trouble
from rotator.core.outcome import Outcome
from rotator.core.slot import DEAD, OUT, RIVAL_TAKEN, UNPROVEN, is_leaked, kept
from rotator.performer.identity import rebind_hint
from rotator.performer.station import Station
from rotator.publishers.manual import leaked_step, manual_steps
from rotator.show.logs import emit


def seconds(span: timedelta) -> float:
    """Return a duration as the log shows it."""
    return round(span.total_seconds(), 3)


BUDGET_SPENT = "salesforce.login_budget"
END_HINTS = {
    Outcome.FAILED: "See in Setup whether the app has the certificate of this key. If the org was only slow to take it, raise "
    "proof.deadline and proof.slow_servers.",
    Outcome.GIVEN_UP: "`rotator doctor` tries every part; mend what it names.",
}
"""What a person may do about a change that ended for want of time, where no trouble of its own is known."""


def tell_action(station: Station, action: Action, answer: Answer, *, again: bool) -> None:
    """Log what an effect brought, where the record alone does not show it. ``again``: it failed so before."""
    name = station.name
    if answer.code == BUDGET_SPENT and not again:
        resumes_at = iso(answer.not_before) if answer.not_before else None
        emit(
            events.LOGIN_BUDGET_SPENT,
            credential=name,
            user=getattr(action, "user", None),
            resumes_at=resumes_at,
        )
    trouble: dict[str, Any] = {"code": answer.code, "message": answer.message, "hint": answer.hint}
    match action, answer.kind:
        case Touch(user=user), Kind.OK:
            emit(events.TOKEN_VERIFIED, credential=name, user=user)
        case Deploy(serial=target), (Kind.OK | Kind.PENDING):
            emit(events.DEPLOY_SENT, credential=name, target=target, ticket=answer.ticket,
                 publisher=station.config.deploy.publisher, busy_until=_until(station), message=answer.message)  # fmt: skip
        case ((Deploy(serial=target) | Poll(serial=target)), Kind.UNKNOWN):
            emit(events.DEPLOY_UNKNOWN, credential=name, target=target, ticket=answer.ticket, **trouble)
        case Poll(serial=target, ticket=ticket), Kind.OK:
            emit(events.DEPLOY_FINISHED, credential=name, target=target, ticket=answer.ticket or ticket)
        case ((Deploy(serial=target) | Poll(serial=target)), Kind.REFUSED):
            emit(events.DEPLOY_REFUSED, credential=name, target=target, ticket=answer.ticket, **trouble)
        case Validate(serial=target), Kind.OK:
            emit(events.VALIDATION_PASSED, credential=name, target=target)
        case Validate(serial=target), Kind.REFUSED:
            emit(events.VALIDATION_REFUSED, credential=name, target=target, **trouble)
        case Prove(user=user, target=target, rival=rival), Kind.REFUSED:
            emit(events.PROOF_REFUSED, credential=name, user=user, target=target, rival=rival,
                 code=answer.code, message=answer.message)  # fmt: skip
        case CreateKey(serial=serial, adopt=adopt), Kind.OK if answer.key is not None:
            emit(
                events.KEY_ADOPTED if adopt else events.KEY_CREATED,
                credential=name,
                serial=serial,
                fingerprint=answer.key.fingerprint,
                not_before=iso(answer.key.not_before),
                not_after=iso(answer.key.not_after),
            )


def _until(station: Station) -> str | None:
    return iso(station.record.busy_until) if station.record.busy_until else None


def tell_record(station: Station, before: Record, after: Record, certificate: Callable[[], str]) -> None:
    """Log what became of the record.

    Args:
        certificate: reads the PEM of the change's target, where a person has to bring it in.
    """
    _tell_request(station, before, after)
    _tell_troubles(station, before, after)
    _tell_pause(station, before, after)
    _tell_proof(station, before, after)
    if after.history[-1:] != before.history[-1:] and after.history:
        _tell_end(station, before, after, after.history[-1])
    _tell_change(station, before, after)
    _tell_work(station, before, after, certificate)
    _tell_keys(station, before, after)


def _tell_request(station: Station, before: Record, after: Record) -> None:
    said = after.answered
    if said is None or said == before.answered:
        return
    request = station.waiting.request if station.waiting else None
    emit(
        events.REQUEST_ACCEPTED if said.accepted else events.REQUEST_REFUSED,
        credential=station.name,
        request_id=said.request_id,
        ask=request.ask.value if request else None,
        by=request.by if request else None,
        sentence=said.sentence,
    )


def _tell_troubles(station: Station, before: Record, after: Record) -> None:
    for trouble in after.trouble:
        known = before.trouble_of(trouble.subject)
        if known is None or known.code != trouble.code:
            _tell_trouble(station, after, trouble)
    for gone in before.trouble:
        kind, _, user = gone.subject.partition(":")
        if kind == "token" and station.config.publish and after.trouble_of(gone.subject) is None:
            emit(events.TOKEN_RESTORED, credential=station.name, user=user, since=iso(gone.since))
    died = after.change is not None and after.change.sessions_died
    if died and after.change is not None and not (before.change and before.change.sessions_died):
        emit(events.SESSIONS_DIED, credential=station.name, target=after.change.target)


def _tell_trouble(station: Station, record: Record, trouble: Trouble) -> None:
    kind, _, user = trouble.subject.partition(":")
    said: dict[str, Any] = {"code": trouble.code, "message": trouble.message, "hint": trouble.hint}
    if kind == "token" and not station.config.publish:
        return  # nobody reads it
    if kind == "token" and trouble.code == DEAD:
        emit(events.TOKEN_DEAD, credential=station.name, user=user, **said)
    elif kind == "token":
        tried = station.failing(Touch(user), Mint(user, ()))
        if trouble.code == UNPROVEN and tried.failures:
            said |= {"message": f"{trouble.message}: {tried.message}", "hint": tried.hint}
        emit(events.TOKEN_UNPROVEN, credential=station.name, user=user, since=iso(trouble.since), **said)
    elif kind == "mint" and trouble.lasting:
        emit(events.TOKEN_REFUSED, credential=station.name, user=user, since=iso(trouble.since), **said)
    elif kind == "mint":
        emit(events.KEY_DOUBTED, credential=station.name, user=user, serial=record.current,
             doubts=record.doubts, code=trouble.code, message=trouble.message)  # fmt: skip
    elif trouble.subject == "change" and trouble.lasting and _under_way(record):
        emit(
            events.CHANGE_STUCK,
            credential=station.name,
            target=record.change and record.change.target,
            **said,
        )
    elif kind == "key" and trouble.code == RIVAL_TAKEN:
        emit(events.KEY_STILL_ACCEPTED, credential=station.name, serial=int(user), since=iso(trouble.since))
    elif kind == "key":
        emit(
            events.KEY_NOT_DESTROYED,
            credential=station.name,
            serial=int(user),
            since=iso(trouble.since),
            **said,
        )


def _under_way(record: Record) -> bool:
    """Tell whether a change goes on; what ended one, or locked everybody out, is told by another event."""
    return record.change is not None and record.phase is not Phase.LOCKED_OUT


def _tell_pause(station: Station, before: Record, after: Record) -> None:
    if after.paused == before.paused:
        return
    if after.paused is None:
        since = iso(before.paused.since) if before.paused else None
        emit(events.CREDENTIAL_RESUMED, credential=station.name, since=since)
    elif after.paused.kind is PauseKind.IDENTITY:
        bound = after.identity.org_id if after.identity else ""
        hint = rebind_hint(station.name)
        emit(
            events.IDENTITY_MISMATCH,
            credential=station.name,
            expected=bound,
            found=after.paused.why,
            hint=hint,
        )
    else:
        emit(events.CREDENTIAL_PAUSED, credential=station.name, kind="operator", why=after.paused.why)


def _tell_end(station: Station, before: Record, after: Record, entry: Entry) -> None:
    name, took = station.name, seconds(entry.ended - entry.began)
    match entry.outcome:
        case Outcome.PROMOTED:
            emit(events.KEY_PROMOTED, credential=name, serial=entry.target, previous=before.current,
                 reason=entry.reason.value, seconds=took)  # fmt: skip
        case Outcome.RESTORED:
            emit(events.CHANGE_RESTORED, credential=name, serial=entry.target, seconds=took)
        case Outcome.FOUND if entry.target != before.current:
            late = _landed_late(before, entry.target)
            event = events.CHANGE_LATE if late else events.CERTIFICATE_REVERTED
            emit(event, credential=name, serial=before.current, found=entry.target)
        case Outcome.REHEARSED:
            survived = after.rehearsed.sessions_survived if after.rehearsed else None
            emit(events.REHEARSAL_FINISHED, credential=name, serial=entry.target, sessions_survived=survived,
                 seconds=took)  # fmt: skip
        case Outcome.ABORTED:
            emit(events.CHANGE_ABORTED, credential=name, target=entry.target)
        case Outcome.FAILED | Outcome.REFUSED | Outcome.GIVEN_UP:
            trouble = after.trouble_of("change")
            not_before = timing.backoff_until(after, station.terms, entry.ended)
            emit(
                events.CHANGE_FAILED,
                credential=name,
                target=entry.target,
                reason=entry.reason.value,
                outcome=entry.outcome.value,
                failures=after.failures,
                not_before=iso(not_before) if not_before else None,
                code=trouble.code if trouble else "",
                message=entry.message,
                hint=trouble.hint if trouble else END_HINTS.get(entry.outcome, ""),
            )


def _tell_change(station: Station, before: Record, after: Record) -> None:
    old, new, name = before.change, after.change, station.name
    if new is not None and (
        old is None or (old.target, old.reason, old.began) != (new.target, new.reason, new.began)
    ):
        if new.reason is Reason.RESTORE:
            emit(
                events.CHANGE_RESTORING,
                credential=name,
                target=new.target,
                failed=old.target if old is not None and old.target != new.target else None,
                why=after.history[-1].message if after.history else "",
            )
        elif new.reason is Reason.FOUND or (before.phase, after.phase) == (Phase.LOCKED_OUT, Phase.PROVING):
            emit(events.KEY_FOUND, credential=name, serial=new.target)
        else:
            emit(events.CHANGE_BEGUN, credential=name, target=new.target, rival=new.rival,
                 reason=new.reason.value)  # fmt: skip


def _landed_late(before: Record, serial: Serial) -> bool:
    """Tell whether a key's certificate came by a deploy of ours, although its change had been given up.

    That the org took the key for a while says nothing of how its certificate had come.
    """
    of_key = (entry for entry in reversed(before.history) if entry.target == serial)
    latest = next((entry for entry in of_key if not _found_and_lost(entry)), None)
    return latest is not None and latest.deployed and not latest.outcome.by_proofs


def _found_and_lost(entry: Entry) -> bool:
    return entry.reason is Reason.FOUND and entry.outcome is Outcome.FAILED


def _tell_work(station: Station, before: Record, after: Record, certificate: Callable[[], str]) -> None:
    """Alert a person who has to bring a certificate in, by the steps given."""
    new, name = after.change, station.name
    by_hand = new is not None and timing.by_hand(new, station.terms)
    if new is not None and by_hand and after.phase is Phase.PROVING and before.phase is not Phase.PROVING:
        deadline = iso(new.deadline) if new.deadline else None
        work = _work(station, after, certificate())
        emit(events.CHANGE_WAITING, credential=name, target=new.target, deadline=deadline, **work)
    if _none_taken(after) and not _none_taken(before):
        _tell_locked_out(station, after, certificate)


def _tell_locked_out(station: Station, record: Record, certificate: Callable[[], str]) -> None:
    trouble, target = record.trouble_of("change"), record.change.target if record.change else None
    said: dict[str, Any] = {}
    if target is not None and is_leaked(record, target):
        said |= {"steps": leaked_step(station.name, target)}  # and no certificate: it is to stay out
    else:
        said |= _work(station, record, certificate())
    if trouble is not None:
        said |= {"message": trouble.message, "hint": trouble.hint}
    emit(events.LOCKED_OUT, credential=station.name, serials=list(kept(record)), **said)


def _none_taken(record: Record) -> bool:
    """Tell whether all kept keys were tried in vain. A lock-out that the first look ends alerts nobody."""
    trouble = record.trouble_of("change")
    return trouble is not None and trouble.code in OUT


def _work(station: Station, record: Record, certificate: str) -> dict[str, Any]:
    """Return what a person needs who brings the certificate of the change's target in."""
    facts = record.key(record.change.target) if record.change else None
    return {
        "fingerprint": facts.fingerprint if facts else None,
        "certificate": certificate,
        "steps": manual_steps(station.app, certificate, timing.seen_within(record.phase, station.terms)),
    }


def _tell_proof(station: Station, before: Record, after: Record) -> None:
    """Tell a proof; the last one ends the change, so that it shows in the phase alone."""
    old, new = before.change, after.change
    if old is None or before.phase is not Phase.PROVING:
        return
    needed = timing.proofs_needed(old, station.terms)
    if new is not None and after.phase is Phase.PROVING and new.proofs > old.proofs:
        proofs = new.proofs
    elif new is None and after.phase is Phase.STEADY:
        proofs = needed
    else:
        return
    emit(events.PROOF_PASSED, credential=station.name, target=old.target, rival=old.rival, proofs=proofs,
         proofs_needed=needed)  # fmt: skip


def _tell_keys(station: Station, before: Record, after: Record) -> None:
    known = {retired.serial for retired in before.retired}
    snapshot = Snapshot(after, 0, station.terms)
    for retired in after.retired:
        if retired.serial not in known:
            end = quarantine_ends(snapshot, retired) if retired.handed_out else retired.since
            emit(events.KEY_RETIRED, credential=station.name, serial=retired.serial, destroy_after=iso(end))
    left = {retired.serial for retired in after.retired} | {after.current, after.previous}
    for serial in known - left:
        if after.key(serial) is None:
            emit(events.KEY_DESTROYED, credential=station.name, serial=serial)


def iso(time: datetime) -> str:
    """Return a time as the log shows it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
