"""Questions about the certificate slot that guards and moves share: who may sign, who is kept, who proves."""

from __future__ import annotations

from datetime import datetime

from rotator.core.effects import Answer
from rotator.core.model import Change, Phase, Reason, Record, Serial, Terms, Trouble
from rotator.core.timing import proofs_needed

DEAD = "session.dead"
UNPROVEN = "token.unproven"
REFUSED = "key.refused"
RIVAL_TAKEN = "proof.rival_taken"
NONE_TAKEN = "credential.locked_out"
NONE_TRIED = "credential.none_tried"
OUT = frozenset({NONE_TAKEN, NONE_TRIED})
"""Codes of who is locked out: the org refuses every kept key, or none of them could be tried."""

RESTORING = frozenset({Reason.RESTORE, Reason.FOUND})


def change_of(record: Record) -> Change:
    """Return the change under way. Moves of phases that have one rely on it."""
    if record.change is None:
        raise ValueError(f"a record in phase {record.phase} holds no change")
    return record.change


def kept(record: Record) -> tuple[Serial, ...]:
    """Return the serials whose private key is still in Vault, the likeliest to be in the org first."""
    order = [
        record.change.target if record.change else None,
        record.current,
        record.previous,
        *(retired.serial for retired in reversed(record.retired)),
    ]
    known = [s for s in dict.fromkeys(order) if s is not None and s != record.shredding and record.key(s)]
    return tuple(known)


def usable(record: Record) -> tuple[Serial, ...]:
    """Return the kept serials that may be signed with to find out which one the org takes."""
    target = record.change.target if record.change else record.current
    return tuple(s for s in kept(record) if s == target or not is_leaked(record, s))


def is_leaked(record: Record, serial: Serial | None) -> bool:
    """Tell whether an operator declared this key compromised."""
    facts = record.key(serial)
    return facts is not None and facts.leaked


def replaces_a_leak(record: Record) -> bool:
    """Tell whether the change under way leads away from a leaked key, to which there is no way back."""
    return change_of(record).target != record.current and is_leaked(record, record.current)


def is_refused(record: Record, terms: Terms) -> bool:
    """Tell whether the org refused the current key so often in a row that it is no slow server."""
    return record.doubts >= terms.doubts_needed


def lost_to_a_leak(record: Record, terms: Terms) -> bool:
    """Tell whether the org refuses the leaked key that the change leads away from: nobody is carried by waiting."""
    return replaces_a_leak(record) and is_refused(record, terms)


def rival(record: Record, target: Serial) -> Serial | None:
    """Return the other kept key that may be in the org, which a proof of ``target`` must see refused."""
    handed_out = [retired.serial for retired in reversed(record.retired) if retired.handed_out]
    tried = record.change.target if record.change and record.change.asked else None
    for serial in (tried, record.current, record.previous, *handed_out):
        if serial not in (None, target, record.shredding) and record.key(serial):
            return serial
    return None


def may_hold_target(record: Record) -> bool:
    """Tell whether the org may hold another certificate than that of the current key."""
    change = record.change
    if change is None:
        return False
    return change.asked > 0 or change.reason in RESTORING or record.current is None


def signers(record: Record, terms: Terms, now: datetime) -> tuple[Serial, ...]:
    """Return the keys with which a token for consumers may be minted, in order.

    While the org may hold either certificate both are tried. For a while after a promotion a refusal is taken
    for a slow server, and so is one after a restore: the previous key is tried too, and the one that the last failure
    gave up, whose certificate may arrive only now. A key that was replaced is none of these.
    """
    if record.current is None or record.phase is Phase.LOCKED_OUT:
        return ()
    change = record.change
    if change is not None and may_hold_target(record):
        order = (change.target, record.current, change.rival)
        pair = [s for s in dict.fromkeys(order) if s is not None and s != record.shredding and record.key(s)]
        return tuple(s for s in pair if s == change.target or not is_leaked(record, s))
    if change is not None or record.promoted_at is None or now >= record.promoted_at + terms.slow_servers:
        return (record.current,)
    failed_at = record.failed_at or record.promoted_at
    given_up = [
        retired.serial
        for retired in record.retired
        if retired.handed_out and failed_at <= retired.since < record.promoted_at
    ]
    others = dict.fromkeys((record.previous, *given_up[-1:]))
    return (record.current, *(s for s in others if s in kept(record) and not is_leaked(record, s)))


def provers(record: Record, terms: Terms) -> tuple[str, ...]:
    """Return the users who prove, in turn: of those who began the change, whoever is left without lasting trouble.

    A user who was frozen in mid-change must not keep the others from it. Where nobody is left, everybody tries.
    """
    named = record.change.users if record.change else terms.users
    users = tuple(user for user in named if user in terms.users) or terms.users
    well = tuple(user for user in users if not in_lasting_trouble(record.trouble_of(f"mint:{user}")))
    return well or users


def turns(record: Record, terms: Terms, now: datetime) -> tuple[str, ...]:
    """Return who may give the next proof, the one whose turn it is first.

    One who does not answer is tried again while the others go on; at the end only those are left who owe a proof.
    """
    change, users = change_of(record), provers(record, terms)
    owing = tuple(user for user in users if user not in change.proved)
    if change.proofs >= proofs_needed(change, terms) and not passed_over(change, terms, now):
        return owing
    turn = change.proofs % len(users)
    return users[turn:] + users[:turn]


def is_proved(record: Record, terms: Terms, now: datetime) -> bool:
    """Tell whether a change has all its proofs: enough of them, and one of every user who can be reached."""
    change = change_of(record)
    all_have = set(provers(record, terms)) <= set(change.proved)
    return change.proofs >= proofs_needed(change, terms) and (all_have or passed_over(change, terms, now))


def passed_over(change: Change, terms: Terms, now: datetime) -> bool:
    """Tell whether a user who still owes a proof was waited for long enough.

    Its org is in maintenance, say. Waiting to the deadline would bring the old certificate back, to no avail.
    """
    half = terms.proving_deadline / 2
    ends = [change.proved_at + half] if change.proved_at is not None else []
    ends += [change.deadline - half] if change.deadline is not None else []
    return any(now >= end for end in ends)


def is_lasting(record: Record, answer: Answer, terms: Terms) -> bool:
    """Tell whether a failure is one that a person must mend.

    Servers copy an app that is new or was changed, and refuse meanwhile what they will take later. Half of the time
    that the slowest take is granted: a user who is left out too early comes back by its next mint.
    """
    if not answer.lasting or not answer.passing:
        return answer.lasting
    change = record.change
    began = change.began if change is not None and record.current is None else None
    asked = change.asked_at if change is not None else None
    changed = max((time for time in (began, asked, record.promoted_at) if time is not None), default=None)
    return changed is None or answer.at >= changed + terms.slow_servers / 2


def in_lasting_trouble(trouble: Trouble | None) -> bool:
    """Tell whether nothing gets better for this subject until a person changes something."""
    return trouble is not None and trouble.lasting
