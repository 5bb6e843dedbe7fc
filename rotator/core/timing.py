"""When things are due: renewal, jitter, backoff, proofs, and how far a session is proved."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from rotator.core.effects import Action, Answer, Kind, Mint, Poll, Probe, Prove, Revoke, Touch, Validate
from rotator.core.model import Change, Phase, Reason, Record, Snapshot, Terms, TokenFacts

DAY = timedelta(days=1)
MOST_SKEW = timedelta(minutes=1)
"""How far two clocks may be apart that are taken to agree."""


@lru_cache(16_384)
def jitter(name: str, serial: int, most: timedelta) -> timedelta:
    """Return a share of ``most`` that is always the same for this credential and serial.

    Derived and not drawn, so that ``status`` and ``plan`` can print the exact time, and a restart
    does not move it.
    """
    digest = hashlib.sha256(f"{name}/{serial}".encode()).digest()
    return most * (int.from_bytes(digest[:6], "big") / 2**48)


def due_at(record: Record, terms: Terms) -> datetime | None:
    """Return when the current key pair is to be replaced; None if there is none."""
    facts = record.key(record.current)
    if facts is None:
        return None
    if facts.leaked:
        return facts.not_before
    due = facts.not_after - terms.renew_before - jitter(terms.name, facts.serial, terms.jitter)
    return max(due, facts.not_before)


def urgent_at(record: Record, terms: Terms) -> datetime | None:
    """Return from when nearness of expiry overrides windows, ranks and rehearsals."""
    facts = record.key(record.current)
    if facts is None:
        return None
    return facts.not_before if facts.leaked else facts.not_after - terms.urgent_before


def is_overdue(token: TokenFacts, record: Record, terms: Terms, now: datetime) -> bool:
    """Tell whether a token should have been refreshed for so long that nobody seems to work."""
    return record.phase is Phase.STEADY and now > token.refresh_after + terms.refresh_every / 4


def backoff_until(record: Record, terms: Terms, now: datetime) -> datetime | None:
    """Return before when no new change may begin after failed ones; None if none failed.

    One that failed later than now failed before a clock was set back: to wait for that time could take for ever.
    """
    if record.failed_at is None or not record.failures or record.failed_at > now + MOST_SKEW:
        return None
    pause = terms.backoff_floor * (1 << min(record.failures - 1, 16))
    return record.failed_at + min(pause, max(terms.backoff_ceiling, terms.backoff_floor))


def swaps_until(record: Record, terms: Terms, now: datetime) -> datetime | None:
    """Return when the daily cap of deploys lets another one through; None if it does now."""
    ends = (entry.ended for entry in record.history if entry.deployed)
    recent = sorted(end for end in ends if now - DAY < end <= now + MOST_SKEW)  # later: a clock was set back
    return recent[-terms.swaps_a_day] + DAY if len(recent) >= terms.swaps_a_day else None


def retry_pause(failures: int, terms: Terms) -> timedelta:
    """Return the pause after this many failures in a row of one action."""
    return min(terms.retry_floor * (1 << min(failures, 16)), terms.retry_ceiling)


def proofs_needed(change: Change, terms: Terms) -> int:
    """Return how many consecutive proofs end a change: each user has at least one."""
    return max(terms.proofs_needed, len(change.users), 1)


def proof_spacing(change: Change, terms: Terms) -> timedelta:
    """Return the pause between proofs, so that together they span ``proof_span``."""
    return terms.proof_span / max(proofs_needed(change, terms) - 1, 1)


def by_hand(change: Change, terms: Terms) -> bool:
    """Tell whether a person brings this certificate into the org."""
    return change.reason is Reason.INIT or (terms.by_hand and change.reason is not Reason.ADOPT)


def proving_wait(change: Change, terms: Terms) -> timedelta:
    """Return how long the proofs of a change are waited for once its deploy has ended."""
    return terms.by_hand_deadline if by_hand(change, terms) else terms.proving_deadline


def proving_since(change: Change, terms: Terms) -> datetime | None:
    """Return since when a change collects proofs: its deploy ended then, as far as was seen. None: no time runs."""
    return None if change.deadline is None else change.deadline - proving_wait(change, terms)


def is_stuck(record: Record, terms: Terms, now: datetime) -> bool:
    """Tell whether a first key is refused for longer than servers are slow: a person has to do something.

    Unless one said a moment ago that it is done, or proofs have begun.
    """
    change = record.change
    if change is None or record.current is not None or change.proofs:
        return False
    return now > (change.nudged_at or change.began) + terms.slow_servers


def is_said_done(change: Change, terms: Terms, now: datetime) -> bool:
    """Tell whether a person said that the certificate is in the org, so lately that slow servers may not have it."""
    return change.nudged_at is not None and now < change.nudged_at + terms.slow_servers


def proof_retry(record: Record, terms: Terms, now: datetime) -> timedelta:
    """Return the pause after a proof that failed: slow while a person is awaited."""
    change = record.change
    if change is None:
        return terms.probe_every
    if is_said_done(change, terms, now):
        return terms.proof_retry
    waits = by_hand(change, terms) or is_stuck(record, terms, now)
    return terms.by_hand_every if waits else terms.proof_retry


def seen_within(phase: Phase, terms: Terms) -> timedelta:
    """Return how soon it shows by itself that a person has brought a certificate in."""
    return terms.probe_every if phase is Phase.LOCKED_OUT else terms.by_hand_every


def touch_every(snapshot: Snapshot, token: TokenFacts) -> timedelta:
    """Return how often a published token is called: often enough for what is under way.

    A call in the first half of the timeout does not extend a session, so one call proves T/2 (Salesforce help
    000383251). While a change is under way T/4 keeps a margin of T/4; before a deploy T/8 makes it fresh. A session
    that ends sooner than T says is called while a quarter of its life is left, which extends it.
    """
    terms, phase = snapshot.terms, snapshot.record.phase
    every = terms.verify_every
    if phase is not Phase.STEADY:
        every = min(every, terms.session_timeout / (8 if phase is Phase.STAGED else 4))
    if token.prolongable:
        every = min(every, max((token.expires_at - token.verified_at) * 3 / 4, terms.retry_floor))
    return every


def longest_wait(terms: Terms) -> timedelta:
    """Return for how long a server may ask us to stay away.

    One that asks for a day would leave consumers with a dead token for a day. A try now and then costs it nothing.
    """
    return max(terms.retry_ceiling, terms.session_timeout / 8)


def pacing_key(action: Action) -> str:
    """Return the name under which repeats of an action are held back."""
    name = type(action).__name__.lower()
    match action:
        case Mint(user=user) | Touch(user=user) | Prove(user=user) | Revoke(user=user):
            return f"{name}:{user}"
    return name


def held_until(
    action: Action, answer: Answer, failures: int, record: Record, terms: Terms
) -> datetime | None:
    """Return before when an action is not to be repeated, given its answer; None: as soon as it is due.

    ``failures`` counts the answers in a row, before this one, that were neither OK nor PENDING.
    """
    match action, answer.kind:
        case Mint(), Kind.OK:
            pause = terms.retry_floor  # a token that dies at birth must not spend the logins of the hour
        case _, Kind.OK:
            return None
        case ((Poll() | Validate()), (Kind.PENDING | Kind.UNKNOWN)):
            pause = terms.poll_every
        case Prove(), Kind.REFUSED:
            pause = proof_retry(record, terms, answer.at)
        case Probe(), _:
            pause = terms.probe_every
        case _:
            mended = answer.lasting and not answer.passing
            pause = terms.retry_ceiling if mended else retry_pause(failures, terms)
    until = answer.at + pause
    if answer.not_before is None:
        return until
    return max(until, min(answer.not_before, answer.at + longest_wait(terms)))
