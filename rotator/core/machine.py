"""The transition table, and the two pure functions that read it: decide() and settle()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rotator.core import guards, moves, upkeep
from rotator.core.effects import (
    Action,
    Answer,
    CreateKey,
    Deploy,
    Destroy,
    Do,
    Kind,
    Mint,
    Nothing,
    Poll,
    Probe,
    Prove,
    Revoke,
    Touch,
    Validate,
    Wait,
)
from rotator.core.model import PauseKind, Phase, Reason, Record, Snapshot, Terms
from rotator.core.requests import consider
from rotator.core.slot import change_of, provers, signers, usable
from rotator.core.timing import by_hand
from rotator.core.verdicts import Go, Verdict, sooner

Subject = str | int | None
Guard = Callable[[Snapshot, datetime], Verdict]
Build = Callable[[Snapshot, datetime, Subject], Action]
Intent = Callable[[Snapshot, datetime, Subject], Record]
Move = Callable[[Record, Any, Answer, Terms], Record]


@dataclass(frozen=True, slots=True)
class Row:
    """In ``phases``, when ``guard`` says Go: record ``intent``, do ``action``, and follow the answer's move.

    A kind of answer without a move leaves the record as it is: the action is tried again later. ``answered_in``: the
    phase that the intent leads to, where the answer is settled; None: it does not lead out of ``phases``.
    """

    phases: frozenset[Phase]
    guard: Guard
    action: type[Action]
    build: Build
    intent: Intent | None
    moves: Mapping[Kind, Move]
    answered_in: Phase | None = None

    def settles(self, phase: Phase, action: Action) -> bool:
        """Tell whether the answer to an action is this row's in a phase."""
        here = phase in self.phases if self.answered_in is None else phase is self.answered_in
        return here and self.action is type(action)


def _in(*phases: Phase) -> frozenset[Phase]:
    return frozenset(phases)


ANY = frozenset(Phase)
K = Kind
m = moves
u = upkeep


def _nothing(_s: Snapshot, _now: datetime, _subject: Subject) -> Action:
    return Nothing()


def _create(s: Snapshot, _now: datetime, _subject: Subject) -> Action:
    change = change_of(s.record)
    return CreateKey(change.target, adopt=change.reason is Reason.ADOPT)


def _validate(s: Snapshot, _now: datetime, _subject: Subject) -> Action:
    change = change_of(s.record)
    return Validate(change.target, change.ticket, by_hand(change, s.terms))


def _deploy(s: Snapshot, _now: datetime, _subject: Subject) -> Action:
    change = change_of(s.record)
    return Deploy(change.target, by_hand(change, s.terms))


def _poll(s: Snapshot, now: datetime, _subject: Subject) -> Action:
    change = change_of(s.record)
    late = change.aborted or (change.deadline is not None and now >= change.deadline)
    since = change.asked_at or change.began
    return Poll(change.target, change.ticket, since, cancel=late, by_hand=by_hand(change, s.terms))


def _prove(s: Snapshot, _now: datetime, subject: Subject) -> Action:
    change = change_of(s.record)
    return Prove(str(subject), change.target, change.rival)


def _clear(s: Snapshot, _now: datetime, subject: Subject) -> Action:
    user = provers(s.record, s.terms)[0]
    return Prove(user, int(s.record.current or 0), int(subject or 0), clears=True)


def _probe(s: Snapshot, _now: datetime, _subject: Subject) -> Action:
    return Probe(provers(s.record, s.terms), usable(s.record))


def _mint(s: Snapshot, now: datetime, subject: Subject) -> Action:
    return Mint(str(subject), signers(s.record, s.terms, now))


def _revoke(s: Snapshot, now: datetime, subject: Subject) -> Action:
    return Revoke(str(subject), signers(s.record, s.terms, now))


def _touch(_s: Snapshot, _now: datetime, subject: Subject) -> Action:
    return Touch(str(subject))


def _destroy(_s: Snapshot, _now: datetime, subject: Subject) -> Action:
    return Destroy(int(subject or 0))


def _unproven(s: Snapshot, _now: datetime, subject: Subject) -> Record:
    """It goes on record since when the token is not proved."""
    token = s.token(str(subject))
    return s.record if token is None else u.unproven(s.record, token.user, token.expires_at)


def _lose(s: Snapshot, now: datetime, _subject: Subject) -> Record:
    """Locked out: every kept key is tried from here on."""
    return m.lose(s.record, s.terms, now)


def _begin(s: Snapshot, now: datetime, _subject: Subject) -> Record:
    """A rotation begins, and the serial of its key is taken."""
    facts = s.record.key(s.record.current)
    reason = Reason.COMPROMISED if facts is not None and facts.leaked else Reason.ROTATION
    return m.begin(s.record, s.terms, reason, s.record.newest + 1, now)


def _lease(s: Snapshot, now: datetime, _subject: Subject) -> Record:
    """The deploy counts as asked, and a lease bounds its sender."""
    return m.lease(s.record, s.terms, now)


def _give_up(s: Snapshot, now: datetime, _subject: Subject) -> Record:
    """The change ends; if the org may have changed, a restore begins. A restore itself locks out."""
    return m.give_up(s.record, s.terms, now)


def _again(s: Snapshot, now: datetime, _subject: Subject) -> Record:
    """The certificate is staged once more, or a new key is made in place of one that leaked."""
    return m.again(s.record, s.terms, now)


def _forget(s: Snapshot, _now: datetime, subject: Subject) -> Record:
    """Nothing is owed to this user any more."""
    return u.forget(s.record, str(subject))


def _shred(s: Snapshot, _now: datetime, subject: Subject) -> Record:
    """The key is as good as gone."""
    return replace(s.record, shredding=int(subject or 0))


MINTED: Mapping[Kind, Move] = {K.OK: u.token_published, K.REFUSED: u.signer_doubted, K.FAILED: u.mint_failed}

TOKENS = (
    # Before any call: an org that hangs would keep many from being told for as long as their mints take.
    Row(ANY, guards.token_unproven, Nothing, _nothing, _unproven, {}),
    Row(_in(Phase.STEADY), guards.revoke_due, Revoke, _revoke, None, {K.OK: u.revoked}),
    Row(ANY, guards.mint_due, Mint, _mint, None, MINTED),
    Row(ANY, guards.touch_due, Touch, _touch, None,
        {K.OK: u.token_verified, K.REFUSED: u.session_died, K.FAILED: u.touch_failed}),
)  # fmt: skip
CHANGE = (
    Row(_in(Phase.STEADY), guards.signer_refused, Nothing, _nothing, _lose, {}),
    Row(_in(Phase.STEADY), guards.due_and_allowed, Nothing, _nothing, _begin, {}),
    Row(_in(Phase.CREATING, Phase.STAGED, Phase.PROVING, Phase.LOCKED_OUT), guards.called_off, Nothing, _nothing, _give_up, {}),
    Row(_in(Phase.CREATING), guards.key_missing, CreateKey, _create, None,
        {K.OK: m.staged, K.REFUSED: m.unmade, K.ABSENT: m.unmade}),
    Row(_in(Phase.STAGED), guards.staging_over, Nothing, _nothing, _give_up, {}),
    Row(_in(Phase.STAGED), guards.validation_due, Validate, _validate, None,
        {K.OK: m.validated, K.PENDING: m.validating, K.ABSENT: m.revalidate, K.REFUSED: m.invalid}),
    Row(_in(Phase.STAGED), guards.bridge_holds, Deploy, _deploy, _lease,
        {K.OK: m.proving, K.PENDING: m.polling, K.UNKNOWN: m.polling, K.REFUSED: m.refused,
         K.FAILED: m.unsent}, answered_in=Phase.DEPLOYING),
    Row(_in(Phase.DEPLOYING), guards.poll_due, Poll, _poll, None,
        {K.OK: m.proving, K.PENDING: m.polling, K.ABSENT: m.vanished, K.REFUSED: m.refused,
         K.FAILED: m.unpolled, K.UNKNOWN: m.unpolled}),
    Row(_in(Phase.PROVING), guards.overdue, Nothing, _nothing, _give_up, {}),
    Row(_in(Phase.PROVING), guards.proof_due, Prove, _prove, None,
        {K.OK: m.counted, K.REFUSED: m.reset, K.FAILED: m.prover_failed}),
    Row(_in(Phase.LOCKED_OUT), guards.again_due, Nothing, _nothing, _again, {}),
    Row(_in(Phase.LOCKED_OUT), guards.probe_due, Probe, _probe, None,
        {K.OK: m.found, K.REFUSED: m.none_found, K.FAILED: m.probe_failed, K.UNKNOWN: m.probe_failed}),
)  # fmt: skip
COLLECTION = (
    Row(_in(Phase.STEADY, Phase.EMPTY), guards.user_gone, Nothing, _nothing, _forget, {}),
    Row(_in(Phase.STEADY, Phase.EMPTY), guards.shredding, Destroy, _destroy, None,
        {K.OK: u.shredded, K.FAILED: u.unshredded}),
    # Settled by the row above: once the intent is recorded, the key is being destroyed.
    Row(_in(Phase.STEADY, Phase.EMPTY), guards.disposable, Destroy, _destroy, _shred, {}),
    Row(_in(Phase.STEADY), guards.clearance_due, Prove, _clear, None,
        {K.OK: u.cleared, K.REFUSED: u.still_accepted, K.FAILED: m.prover_failed}),
)  # fmt: skip
ROWS = TOKENS + CHANGE + COLLECTION


def decide(snapshot: Snapshot, now: datetime) -> Do | Wait:
    """Return the one thing to do now, or until when and for what to wait.

    The order is: requests of operators, tokens (a dying one hurts now), the change, retired keys. While a
    sender's lease runs only tokens are looked after; in an org that is not ours nothing is changed.
    """
    record = snapshot.record
    if record.busy_until is not None and now < record.busy_until:
        busy = Wait(record.busy_until, "a deploy is being sent")
        return _first_of(snapshot, TOKENS, now, busy)
    asked = consider(snapshot, now)
    if isinstance(asked, Do):
        return asked
    paused = record.paused
    if paused is not None and paused.kind is PauseKind.IDENTITY:
        return _first_of(snapshot, TOKENS, now, sooner(asked, Wait(None, f"paused: {paused.why}")))
    name = snapshot.terms.name
    empty = Wait(None, f"no key pair yet: rotator init {name}, or rotator adopt {name}")
    return _first_of(snapshot, ROWS, now, sooner(asked, empty if record.phase is Phase.EMPTY else None))


def _first_of(snapshot: Snapshot, rows: tuple[Row, ...], now: datetime, wait: Wait | None) -> Do | Wait:
    for row in rows:
        if snapshot.record.phase not in row.phases:
            continue
        verdict = row.guard(snapshot, now)
        if isinstance(verdict, Go):
            intent = row.intent(snapshot, now, verdict.subject) if row.intent else None
            return Do(row.build(snapshot, now, verdict.subject), verdict.reason, intent)
        wait = sooner(wait, verdict)
    return wait or Wait(None, "nothing to do")


def settle(record: Record, action: Action, answer: Answer, terms: Terms) -> Record:
    """Return the record that follows from what the world answered to an action."""
    if answer.kind is Kind.MISMATCH:
        held = moves.pause(record, PauseKind.IDENTITY, answer.at, answer.message)
        return moves.unsent(held, action, answer, terms) if isinstance(action, Deploy) else held
    if answer.kind is Kind.OK and answer.identity is not None and record.identity is None:
        record = replace(record, identity=answer.identity)
    if isinstance(action, CreateKey | Validate | Deploy | Poll):
        record = moves.change_failed(record, answer)
    move = _move(record.phase, action, answer.kind)
    return record if move is None else move(record, action, answer, terms)


def _move(phase: Phase, action: Action, kind: Kind) -> Move | None:
    for row in ROWS:
        if row.settles(phase, action):
            return row.moves.get(kind)
    return None
