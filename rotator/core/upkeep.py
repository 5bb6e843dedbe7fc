"""What follows for the record from answers about tokens and retired keys. Each move is (record, ...) -> record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rotator.core.effects import Answer, Destroy, Mint, Prove, Revoke, Touch
from rotator.core.model import Phase, Record, Terms, Trouble
from rotator.core.slot import DEAD, OUT, REFUSED, RIVAL_TAKEN, UNPROVEN, is_lasting, may_hold_target
from rotator.core.troubles import healed, trouble_from, troubled

DOUBTS = 9  # saturates

# -- tokens -----------------------------------------------------------------------------------------------------


def token_published(record: Record, action: Mint, answer: Answer, _terms: Terms) -> Record:
    """A token that works is published."""
    record = healed(record, f"token:{action.user}", f"mint:{action.user}")
    if answer.serial == record.current:
        record = replace(record, doubts=0)
        known = record.trouble_of("change")
        if known is not None and known.code in OUT and not may_hold_target(record):
            record = healed(record, "change")
    return record


def revoked(record: Record, action: Revoke, answer: Answer, _terms: Terms) -> Record:
    """The session is over, and with it the published token: another one is minted next."""
    message = f"the session of {action.user} was revoked, because the key behind it leaked"
    record = replace(record, revoke=tuple(user for user in record.revoke if user != action.user))
    return troubled(record, Trouble(f"token:{action.user}", answer.at, DEAD, message))


def signer_doubted(record: Record, action: Mint, answer: Answer, _terms: Terms) -> Record:
    """The org refused the key. Once may be a slow server; several times in a row are a loss, unless a change explains it."""
    record = troubled(record, trouble_from(answer, f"mint:{action.user}", REFUSED))
    if record.phase not in (Phase.STEADY, Phase.CREATING, Phase.STAGED) or may_hold_target(record):
        return record
    return replace(record, doubts=min(record.doubts + 1, DOUBTS))


def mint_failed(record: Record, action: Mint, answer: Answer, terms: Terms) -> Record:
    """No token came. Only what a person must mend is put on record."""
    if not is_lasting(record, answer, terms):
        return record
    return troubled(record, trouble_from(answer, f"mint:{action.user}"))


def token_verified(record: Record, action: Touch, _answer: Answer, _terms: Terms) -> Record:
    """The published token works."""
    return healed(record, f"token:{action.user}")


def session_died(record: Record, action: Touch, answer: Answer, _terms: Terms) -> Record:
    """The published token does not work any more: since when and why goes on record.

    A session that was not proved any more may have run out, so it says nothing of what the change does to sessions.
    """
    was_proved = record.trouble_of(f"token:{action.user}") is None
    record = troubled(record, trouble_from(answer, f"token:{action.user}", DEAD))
    if was_proved and record.change is not None and record.change.asked:
        record = replace(record, change=replace(record.change, sessions_died=True))
    return record


def touch_failed(record: Record, action: Touch, answer: Answer, _terms: Terms) -> Record:
    """The published token could not be called. Only what a person must mend is put on record."""
    return troubled(record, trouble_from(answer, f"token:{action.user}")) if answer.lasting else record


def unproven(record: Record, user: str, expires_at: datetime) -> Record:
    """Nothing has shown for half a session timeout that the published token works."""
    message = f"the published token of {user} is not proved beyond {expires_at:%Y-%m-%dT%H:%M:%SZ}"
    return troubled(record, Trouble(f"token:{user}", expires_at, UNPROVEN, message))


def forget(record: Record, user: str) -> Record:
    """This user is no longer configured: nothing is owed to it any more."""
    record = healed(record, f"token:{user}", f"mint:{user}")
    return replace(record, revoke=tuple(one for one in record.revoke if one != user))


# -- retired keys -----------------------------------------------------------------------------------------------


def cleared(record: Record, action: Prove, answer: Answer, _terms: Terms) -> Record:
    """The org takes the current key and refuses this retired one."""
    retired = tuple(
        replace(one, cleared_at=answer.at) if one.serial == action.rival else one for one in record.retired
    )
    return healed(replace(record, retired=retired), f"key:{action.rival}")


def still_accepted(record: Record, action: Prove, answer: Answer, _terms: Terms) -> Record:
    """The org takes a retired key: it is kept, and told. A refusal of the current key is told by its mints."""
    if answer.code != RIVAL_TAKEN:
        return record
    return troubled(record, trouble_from(answer, f"key:{action.rival}"))


def unshredded(record: Record, action: Destroy, answer: Answer, _terms: Terms) -> Record:
    """The private key could not be destroyed. Only what a person must mend is put on record."""
    return troubled(record, trouble_from(answer, f"key:{action.serial}")) if answer.lasting else record


def shredded(record: Record, action: Destroy, _answer: Answer, _terms: Terms) -> Record:
    """The private key is gone for good; the tombstone in Vault remembers its serial."""
    return replace(
        healed(record, f"key:{action.serial}"),
        shredding=None,
        retired=tuple(one for one in record.retired if one.serial != action.serial),
        keys=tuple(one for one in record.keys if one.serial != action.serial),
    )
