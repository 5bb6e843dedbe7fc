"""What follows for the record, in a change, from an answer or an intent. Each move is (record, ...) -> record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rotator.core.effects import Action, Answer, Kind, Probe, Prove
from rotator.core.model import (
    Change,
    Entry,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Rehearsed,
    Retired,
    Serial,
    Terms,
    Trouble,
)
from rotator.core.outcome import Outcome
from rotator.core.slot import (
    NONE_TAKEN,
    NONE_TRIED,
    OUT,
    RESTORING,
    change_of,
    is_lasting,
    is_leaked,
    is_proved,
    provers,
    rival,
)
from rotator.core.timing import is_stuck, proving_wait
from rotator.core.troubles import healed, trouble_from, troubled

HISTORY = 50
FAILURES = 6  # saturates: the backoff has long reached its ceiling

# -- the end of a change ----------------------------------------------------------------------------------------


def close(record: Record, outcome: Outcome, at: datetime, message: str = "") -> Record:
    """Write the change that ends into the history and drop it. The phase is the caller's business."""
    change = change_of(record)
    deployed = change.asked_at is not None and change.reason is not Reason.FOUND
    entry = Entry(change.target, change.reason, outcome, change.began, at, deployed, message)
    return replace(record, change=None, busy_until=None, history=(*record.history, entry)[-HISTORY:])


def retire(record: Record, serial: Serial | None, at: datetime, *, handed_out: bool) -> Record:
    """Put a key pair among those that wait for destruction, unless it is still needed or already there."""
    if serial is None or serial in (record.current, record.previous):
        return record
    if any(retired.serial == serial for retired in record.retired):
        return record
    return replace(record, retired=(*record.retired, Retired(serial, at, handed_out)))


def fail(record: Record, at: datetime) -> Record:
    """Count a failed change: it delays the next one."""
    return replace(record, failures=min(record.failures + 1, FAILURES), failed_at=at)


def drop(record: Record, outcome: Outcome, at: datetime, message: str) -> Record:
    """End a change that comes to nothing and leaves nothing to bring back: the current key, if any, still signs.

    A certificate that was only validated counts as handed out: Salesforce lets people deploy what was validated.
    """
    handed_out = record.phase is not Phase.CREATING
    ended = fail(close(record, outcome, at, message), at)
    ended = retire(ended, change_of(record).target, at, handed_out=handed_out)
    return replace(ended, phase=Phase.EMPTY if record.current is None else Phase.STEADY)


def turn_back(record: Record, outcome: Outcome, at: datetime, message: str) -> Record:
    """End a change that may have touched the org, and begin one to the current key.

    There is no going back to a leaked key, unless an operator aborts: the new one is tried again instead.
    """
    change = change_of(record)
    if record.current is None:
        return drop(record, outcome, at, message)
    if is_leaked(record, record.current) and not change.aborted:
        return lock_out(record, at)
    other = rival(record, record.current)
    ended = fail(close(record, outcome, at, message), at)
    ended = retire(ended, change.target, at, handed_out=True)
    back = Change(record.current, other, Reason.RESTORE, change.users, at, validated=True)
    return replace(ended, phase=Phase.STAGED, change=back)


def give_up(record: Record, terms: Terms, at: datetime) -> Record:
    """The change was called off, or its wait is over and the target is not proved.

    A restore goes nowhere but out; a key that was found and lost again makes way for the current one.
    """
    change = change_of(record)
    if change.reason in RESTORING:
        if record.phase is Phase.STAGED:
            return to_proving(record, at, terms)  # perhaps the org never let go of it
        if change.target != record.current:
            return lose(close(record, Outcome.FAILED, at, "found and lost again"), terms, at)
        return lock_out(record, at)
    if change.aborted:
        record = healed(record, "change")
        end, outcome, why = (turn_back if change.asked else drop), Outcome.ABORTED, "an operator aborted it"
    elif change.asked:
        end, outcome, why = turn_back, Outcome.FAILED, "the org did not take the key in time"
    else:
        end, outcome, why = drop, Outcome.GIVEN_UP, "nothing could be sent in time: " + _lacking(change)
    return end(record, outcome, at, why)


def _lacking(change: Change) -> str:
    if not change.validated:
        return "the publisher did not say that it could deploy"
    return (
        "no session carried the consumers, or nothing may be deployed, or the publisher could not be reached"
    )


def promote(record: Record, at: datetime, terms: Terms) -> Record:
    """End a change whose target has its proofs: the target is the current key."""
    change = change_of(record)
    target, old = change.target, record.current
    outcome = {
        Reason.RESTORE: Outcome.RESTORED,
        Reason.FOUND: Outcome.FOUND,
        Reason.REHEARSAL: Outcome.REHEARSED,
    }.get(change.reason, Outcome.PROMOTED)
    ended = healed(close(record, outcome, at), "change", f"key:{target}")
    ended = replace(ended, phase=Phase.STEADY, promoted_at=at, doubts=0)
    if change.reason is Reason.REHEARSAL:
        ended = replace(ended, rehearsed=Rehearsed(at, sessions_survived=not change.sessions_died))
    if target == old:
        return ended
    leaked = is_leaked(record, old)
    waiting = tuple(retired for retired in ended.retired if retired.serial != target)
    ended = replace(ended, retired=waiting, current=target, previous=None if leaked else old)
    for replaced in (record.previous, old):
        ended = retire(ended, replaced, at, handed_out=True)
    if leaked:
        ended = replace(ended, revoke=terms.users)
    if change.reason is Reason.ROLLBACK:
        return fail(ended, at)  # the operator does not want what the last change brought: the next one waits
    return ended if change.reason is Reason.FOUND else replace(ended, failures=0, failed_at=None)


# -- answers ----------------------------------------------------------------------------------------------------


def staged(record: Record, _action: Action, answer: Answer, _terms: Terms) -> Record:
    """The key is in Vault. An adopted key is in the org already: it only wants proofs."""
    change = change_of(record)
    if answer.key is None:
        raise ValueError("an answer to CreateKey tells of the key")
    record = replace(record, keys=(*record.keys, answer.key))
    if change.reason is Reason.ADOPT:
        return replace(record, phase=Phase.PROVING)
    return replace(record, phase=Phase.STAGED)


def unmade(record: Record, _action: Action, answer: Answer, _terms: Terms) -> Record:
    """No key came of it: the change is over before it reached the org."""
    return drop(record, Outcome.REFUSED, answer.at, answer.message)


def validated(record: Record, _action: Action, _answer: Answer, _terms: Terms) -> Record:
    """The publisher could deploy this certificate."""
    return replace(record, change=replace(change_of(record), validated=True, ticket=None))


def validating(record: Record, _action: Action, answer: Answer, _terms: Terms) -> Record:
    """The publisher is looking into it."""
    return replace(record, change=replace(change_of(record), ticket=answer.ticket))


def revalidate(record: Record, _action: Action, _answer: Answer, _terms: Terms) -> Record:
    """The publisher forgot that it was asked: it is asked anew."""
    return replace(record, change=replace(change_of(record), ticket=None))


def invalid(record: Record, _action: Action, answer: Answer, _terms: Terms) -> Record:
    """The publisher would refuse it, and nothing was sent: the change is over, and the next one waits."""
    ended = drop(record, Outcome.REFUSED, answer.at, answer.message)
    return troubled(ended, replace(trouble_from(answer, "change"), lasting=True))


def polling(record: Record, _action: Action, answer: Answer, terms: Terms) -> Record:
    """The deploy is under way, or may be. An id that was known is kept."""
    change = change_of(record)
    ticket = answer.ticket or change.ticket
    record = replace(record, phase=Phase.DEPLOYING, busy_until=None, change=replace(change, ticket=ticket))
    hint = (
        "See Setup, Deployment Status, in the org, and cancel it there. One that is finalizing, or was cancelled in "
        "vain, ends by itself or by Salesforce Support."
    )
    return _unfinished(record, answer, terms, f"does not end: {answer.message}", hint)


def unpolled(record: Record, _action: Action, answer: Answer, terms: Terms) -> Record:
    """What became of the deploy could not be found out: it is asked again and again, and told after a while."""
    return _unfinished(record, answer, terms, f"cannot be followed: {answer.message}", answer.hint)


def _unfinished(record: Record, answer: Answer, terms: Terms, what: str, hint: str) -> Record:
    """Put on record that a deploy is long past its time. Nothing else may be sent before its end is known."""
    change = change_of(record)
    if change.deadline is None or answer.at < change.deadline + terms.deploy_deadline:
        return record
    message = f"deploy {change.ticket or ''} of key pair {change.target} {what}"
    return troubled(record, Trouble("change", answer.at, "deploy.unfinished", message, hint, lasting=True))


def unsent(record: Record, _action: Action, _answer: Answer, _terms: Terms) -> Record:
    """Surely nothing was sent, so this deploy does not count. Those before it do."""
    change = change_of(record)
    first = change.asked == 1
    if first:
        change = replace(change, asked=0, asked_at=None, deadline=None)
    return replace(record, phase=Phase.STAGED, busy_until=None, change=replace(change, ticket=None))


def vanished(record: Record, _action: Action, _answer: Answer, _terms: Terms) -> Record:
    """No deploy of ours is known over there. One may still land late, so it counts, and its deadline stands."""
    return replace(record, phase=Phase.STAGED, change=replace(change_of(record), ticket=None))


def proving(record: Record, _action: Action, answer: Answer, terms: Terms) -> Record:
    """The certificate was brought in, as far as the publisher can tell. Now it is proved."""
    return to_proving(record, answer.at, terms)


def to_proving(record: Record, at: datetime, terms: Terms) -> Record:
    """Begin to collect proofs of the target."""
    change = change_of(record)
    deadline = at + proving_wait(change, terms)
    change = replace(change, ticket=None, deadline=deadline, proofs=0, proved=(), proved_at=None)
    return replace(record, phase=Phase.PROVING, busy_until=None, change=change)


def refused(record: Record, _action: Action, answer: Answer, terms: Terms) -> Record:
    """The deploy was refused, or cancelled at our wish.

    Clean if it was the only one: the org is as it was. A refused restore says nothing of what the org holds, so
    the current key is put to the proof. Otherwise the current certificate is brought back.
    """
    change = change_of(record)
    outcome = Outcome.ABORTED if change.aborted else Outcome.REFUSED
    trouble = replace(trouble_from(answer, "change"), lasting=True)
    record = healed(record, "change") if change.aborted else troubled(record, trouble)
    if change.reason in RESTORING or record.current is None:
        return to_proving(record, answer.at, terms)
    end = drop if change.asked == 1 else turn_back
    return end(record, outcome, answer.at, answer.message)


def counted(record: Record, action: Prove, answer: Answer, terms: Terms) -> Record:
    """One more proof; the last of them promotes."""
    change = change_of(record)
    proved = tuple(sorted({*change.proved, action.user}))
    change = replace(change, proofs=change.proofs + 1, proved=proved, proved_at=answer.at)
    record = replace(record, change=change)
    return promote(record, answer.at, terms) if is_proved(record, terms, answer.at) else record


def reset(record: Record, _action: Action, answer: Answer, terms: Terms) -> Record:
    """The target was refused, or its rival was taken: proofs are counted from nothing again."""
    if is_stuck(record, terms, answer.at):
        record = troubled(record, trouble_from(answer, "change"))
    return replace(record, change=replace(change_of(record), proofs=0, proved=(), proved_at=None))


def prover_failed(record: Record, action: Prove, answer: Answer, terms: Terms) -> Record:
    """This user cannot prove anything before a person mends it: the others go on without."""
    if not is_lasting(record, answer, terms):
        return record
    return troubled(record, trouble_from(answer, f"mint:{action.user}"))


def found(record: Record, _action: Probe, answer: Answer, terms: Terms) -> Record:
    """The org takes one of the kept keys: it is proved as any other."""
    change = change_of(record)
    if answer.serial is None:
        raise ValueError("an answer to Probe tells which key was taken")
    again = _anew(change, answer.at)
    ended = close(record, Outcome.LOCKED_OUT, answer.at)
    if answer.serial != change.target:
        other = rival(record, answer.serial)
        again = replace(again, target=answer.serial, rival=other, reason=Reason.FOUND)
        ended = retire(ended, change.target, answer.at, handed_out=True)
    return to_proving(replace(ended, change=again), answer.at, terms)


def none_found(record: Record, _action: Probe, answer: Answer, _terms: Terms) -> Record:
    """The org takes none of the kept keys.

    Where it has the certificate of a key that is lost, the serial of that one is not given again.
    """
    record = replace(record, newest=max(record.newest, answer.lost or 0))
    return troubled(record, replace(trouble_from(answer, "change", NONE_TAKEN), lasting=True))


def probe_failed(record: Record, _action: Probe, answer: Answer, terms: Terms) -> Record:
    """No kept key could be tried. When that lasts, a person has to know that nobody gets tokens."""
    if record.failed_at is None or answer.at < record.failed_at + 2 * terms.probe_every:
        return record
    trouble = trouble_from(answer, "change", NONE_TRIED)
    message = f"no kept key could be tried: {answer.message}"
    return troubled(record, replace(trouble, message=message, lasting=True))


def change_failed(record: Record, answer: Answer) -> Record:
    """Put on record what a person must mend before the change can go on, and take it off once an action succeeds.

    Whoever is locked out is so until a key has its proofs.
    """
    if answer.kind is Kind.FAILED and answer.lasting:
        return troubled(record, trouble_from(answer, "change"))
    known = record.trouble_of("change")
    if answer.kind is not Kind.OK or (known is not None and known.code in OUT):
        return record
    return healed(record, "change")


# -- intents ----------------------------------------------------------------------------------------------------


def begin(record: Record, terms: Terms, reason: Reason, target: Serial, now: datetime) -> Record:
    """Begin a change. A new key pair gets the next serial, recorded before the key exists."""
    fresh = target > record.newest
    change = Change(target, rival(record, target), reason, provers(record, terms), now)
    phase = Phase.CREATING if fresh else Phase.STAGED
    return replace(record, phase=phase, newest=max(target, record.newest), change=change)


def lease(record: Record, terms: Terms, now: datetime) -> Record:
    """Record that a deploy is about to be asked for, and until when its sender may send.

    All deploys of a change share one deadline: what is lost again and again ends as what never ends.
    """
    change = change_of(record)
    change = replace(
        change,
        asked=min(change.asked + 1, 2),
        asked_at=now,
        ticket=None,
        deadline=change.deadline or now + terms.deploy_deadline,
    )
    return replace(record, phase=Phase.DEPLOYING, busy_until=now + terms.lease, change=change)


def lock_out(record: Record, at: datetime) -> Record:
    """The org takes neither the target nor what it was to go back to: every kept key is tried from here on."""
    return fail(replace(record, phase=Phase.LOCKED_OUT, busy_until=None), at)


def lose(record: Record, terms: Terms, now: datetime) -> Record:
    """The current key is refused in steady: the certificate was replaced, or the app is gone."""
    if record.current is None:
        raise ValueError("only a current key can be lost")
    other = rival(record, record.current)
    change = Change(record.current, other, Reason.RESTORE, provers(record, terms), now, validated=True)
    return lock_out(replace(record, change=change), now)


def again(record: Record, terms: Terms, now: datetime) -> Record:
    """Bring the certificate in once more, after a pause; in place of a key pair that leaked a new one is made."""
    change = change_of(record)
    if is_leaked(record, change.target):
        return lead_away(record, terms, Outcome.LOCKED_OUT, now)
    ended = close(record, Outcome.LOCKED_OUT, now)
    return replace(ended, phase=Phase.STAGED, change=_anew(change, now))


def lead_away(record: Record, terms: Terms, outcome: Outcome, now: datetime, message: str = "") -> Record:
    """End a change to a leaked key, and begin one to a new key in its place."""
    ended = close(record, outcome, now, message)
    ended = retire(ended, change_of(record).target, now, handed_out=True)  # unless it is the current one
    return begin(ended, terms, Reason.COMPROMISED, record.newest + 1, now)


def _anew(change: Change, now: datetime) -> Change:
    """Return the change as it begins once more; what the org was asked before still counts."""
    return Change(
        change.target, change.rival, change.reason, change.users, now, asked=change.asked, validated=True
    )


def pause(record: Record, kind: PauseKind, at: datetime, why: str) -> Record:
    """Hold the credential. A pause for identity outranks one by an operator."""
    if record.paused is not None and record.paused.kind is PauseKind.IDENTITY:
        return record
    return replace(record, paused=Pause(kind, at, why))
