"""When a row of the table applies. Each guard is (snapshot, now) -> Go, Wait or None.

``Go`` names what it is about and why; ``Wait`` says until when the row is not due; None: it does not apply.
"""

from __future__ import annotations

from datetime import datetime

from rotator.core.effects import Nothing, Wait
from rotator.core.model import Phase, Record, Retired, Snapshot, Terms, TokenFacts
from rotator.core.slot import (
    DEAD,
    NONE_TAKEN,
    RESTORING,
    change_of,
    in_lasting_trouble,
    is_leaked,
    is_refused,
    lost_to_a_leak,
    may_hold_target,
    provers,
    replaces_a_leak,
    signers,
    turns,
    usable,
)
from rotator.core.timing import (
    MOST_SKEW,
    backoff_until,
    by_hand,
    due_at,
    pacing_key,
    proof_spacing,
    proving_since,
    swaps_until,
    touch_every,
    urgent_at,
)
from rotator.core.verdicts import Go, Verdict, after, first, unless_held

# What was done later than now by more than clocks differ was done before a clock was set back. It shows nothing, and is
# done again: to wait for its time to come could take longer than a session lives.

# -- tokens -----------------------------------------------------------------------------------------------------


def by_urgency(snapshot: Snapshot) -> list[str]:
    """Return the users, those whose token is proved the least far first."""
    expiries = {token.user: token.expires_at for token in snapshot.tokens}
    return sorted(snapshot.terms.users, key=lambda user: (user in expiries, expiries.get(user) or 0, user))


def token_unproven(snapshot: Snapshot, now: datetime) -> Verdict:
    """A published token is past what was proved of it, and nothing says so yet."""
    return first(_unproven(snapshot, token, now) for token in snapshot.tokens)


def _unproven(snapshot: Snapshot, token: TokenFacts, now: datetime) -> Verdict:
    if token.user not in snapshot.terms.users or snapshot.record.trouble_of(f"token:{token.user}"):
        return None
    go = Go(f"the token of {token.user} is not proved any more", token.user)
    told = unless_held(snapshot, pacing_key(Nothing()), now, go)
    return after(token.expires_at, now, told, f"the token of {token.user} is proved until then")


def revoke_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """The key behind a session leaked: the session goes before a new token comes."""
    record = snapshot.record
    if record.phase is not Phase.STEADY or is_leaked(record, record.current):
        return None
    users = [user for user in snapshot.terms.users if user in record.revoke]
    return first(
        unless_held(snapshot, f"revoke:{user}", now, Go(f"the key behind the session of {user} leaked", user))
        for user in users
    )


def mint_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """A token is missing, dead, due to be refreshed, or too short-lived for what is coming."""
    if not signers(snapshot.record, snapshot.terms, now):
        return None
    return first(
        unless_held(snapshot, f"mint:{user}", now, _mint(snapshot, user, now))
        for user in by_urgency(snapshot)
    )


def _mint(snapshot: Snapshot, user: str, now: datetime) -> Verdict:
    record, token = snapshot.record, snapshot.token(user)
    if token is None:
        return Go(f"there is no token for {user} yet", user)
    trouble = record.trouble_of(f"token:{user}")
    if trouble is not None or now >= token.expires_at:
        return Go(
            f"the published token of {user} does not work" if trouble else f"the token of {user} ran out",
            user,
        )
    if not token.prolongable and record.phase is Phase.STAGED and _too_short(snapshot, token, now):
        return Go(f"the token of {user} must outlive the change", user)
    if may_hold_target(record) and token.prolongable:
        return None  # the session is kept alive by calls; no key is sure to mint now
    if user in snapshot.unreconciled:
        return Go(f"Vault was restored from a backup: is key pair {record.current} still taken?", user)
    go = Go(f"the token of {user} is to be refreshed", user)
    if token.refresh_after > now + snapshot.terms.refresh_every + MOST_SKEW:
        return go
    return after(token.refresh_after, now, go, f"the token of {user} is fresh")


def _too_short(snapshot: Snapshot, token: TokenFacts, now: datetime) -> bool:
    """Tell whether a token that can't be prolonged ends before the change may, and a new one would help."""
    terms = snapshot.terms
    fresh = token.issued_at > now - terms.session_timeout / 8
    return token.expires_at < now + terms.bridge and not fresh and not terms.accept_gap


def touch_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """A published token is to be called: to see that it works, and to keep its session alive."""
    return first(
        unless_held(snapshot, f"touch:{user}", now, _touch(snapshot, user, now))
        for user in by_urgency(snapshot)
    )


def _touch(snapshot: Snapshot, user: str, now: datetime) -> Verdict:
    token = snapshot.token(user)
    trouble = snapshot.record.trouble_of(f"token:{user}")
    if token is None or (trouble is not None and trouble.code == DEAD):
        return None
    go = Go(f"the token of {user} is to be verified", user)
    if token.verified_at > now + MOST_SKEW or _swapped_since(snapshot, token, now):
        return go
    return after(token.verified_at + touch_every(snapshot, token), now, go, f"the token of {user} works")


def _swapped_since(snapshot: Snapshot, token: TokenFacts, now: datetime) -> bool:
    """Tell whether a deploy ended that may have ended this session, and nobody has looked since."""
    change = snapshot.record.change
    if snapshot.record.phase is not Phase.PROVING or change is None or change.asked_at is None:
        return False
    # As the settings are now: they may have been others when the proofs began.
    ended = max(change.asked_at, proving_since(change, snapshot.terms) or change.asked_at)
    return token.verified_at < ended <= now


# -- steady -----------------------------------------------------------------------------------------------------


def signer_refused(snapshot: Snapshot, _now: datetime) -> Verdict:
    """The org refused the current key several times in a row."""
    record = snapshot.record
    go = Go(f"the org refused key pair {record.current} {record.doubts} times in a row")
    return go if is_refused(record, snapshot.terms) else None


def due_and_allowed(snapshot: Snapshot, now: datetime) -> Verdict:
    """The certificate comes near its end, and nothing speaks against a rotation now."""
    record, terms = snapshot.record, snapshot.terms
    due, urgent = due_at(record, terms), urgent_at(record, terms)
    if due is None or urgent is None:
        return None
    if now < due:
        return Wait(due, f"key pair {record.current} is due then")
    return _held_back(snapshot, now, urgent=now >= urgent) or Go(
        f"key pair {record.current} is due since {due:%Y-%m-%d %H:%M}Z"
    )


def _held_back(snapshot: Snapshot, now: datetime, *, urgent: bool) -> Wait | None:
    """Return what a rotation that is due waits for. Nearness of expiry overrides plans, not safety."""
    record, terms, fleet, window = snapshot.record, snapshot.terms, snapshot.fleet, snapshot.window
    if record.paused is not None:
        return Wait(None, f"due, but paused: {record.paused.why}")
    if fleet.may_not_deploy is not None:
        return Wait(None, f"due, but {fleet.may_not_deploy}")
    for until, why in (
        (backoff_until(record, terms, now), "due, but the last change failed"),
        (swaps_until(record, terms, now), f"due, but {terms.swaps_a_day} deploys a day are the most"),
    ):
        if until is not None and now < until:
            return Wait(until, why)
    if urgent:
        return None
    if fleet.may_not_begin is not None:
        return Wait(None, f"due, but {fleet.may_not_begin}")
    if terms.rehearse_first and record.rehearsed is None:
        return Wait(None, "due, but waits for a rehearsal: rotator rehearse " + terms.name)
    if window is not None and not window.opens <= now < window.closes:
        return Wait(window.opens, "due, but outside the maintenance window")
    return None


# -- the change -------------------------------------------------------------------------------------------------


def key_missing(snapshot: Snapshot, now: datetime) -> Verdict:
    """The serial is on record, and its key is not known to be in Vault."""
    go = Go(f"key pair {change_of(snapshot.record).target} is to be written")
    return unless_held(snapshot, "createkey", now, go)


def called_off(snapshot: Snapshot, now: datetime) -> Verdict:
    """An operator wants the change no more, and no deploy is under way; or the current key is lost before one was.

    A lost key lets no session begin that could carry consumers over a deploy: the change makes way, unless it leads away
    from one that leaked. A key pair is written first: a backup may have brought this record back, and what was never
    written is destroyed at once, although the org may take it.
    """
    record = snapshot.record
    if change_of(record).aborted:
        return Go("an operator aborted the change")
    if record.phase is Phase.CREATING or may_hold_target(record) or replaces_a_leak(record):
        return None
    return signer_refused(snapshot, now)


def staging_over(snapshot: Snapshot, now: datetime) -> Verdict:
    """The certificate could not be handed over in time."""
    record, terms, change = snapshot.record, snapshot.terms, change_of(snapshot.record)
    # Where no key signs, it ends in a lock-out that is told, and in which every kept key is tried.
    hastens = change.reason in RESTORING or lost_to_a_leak(record, terms)
    limit = terms.proving_deadline if hastens else terms.staging_deadline
    until = change.deadline or change.began + limit
    go = Go(f"the certificate of key pair {change.target} could not be handed over in time")
    return after(until, now, go, "the certificate is being handed over")


def _barred(snapshot: Snapshot) -> str | None:
    """Tell why nothing may be deployed now. A person who brings a certificate in needs neither clock nor deployer."""
    change = change_of(snapshot.record)
    return None if by_hand(change, snapshot.terms) else snapshot.fleet.may_not_deploy


def validation_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """The publisher has not yet said that it could deploy this certificate."""
    change = change_of(snapshot.record)
    if change.validated:
        return None
    if (barred := _barred(snapshot)) is not None:
        return Wait(None, barred)
    go = Go(f"the deploy of key pair {change.target} is to be validated")
    return unless_held(snapshot, "validate", now, go)


def bridge_holds(snapshot: Snapshot, now: datetime) -> Verdict:
    """Every consumer has a live session that outlasts the change, or nothing better can be had."""
    record, terms = snapshot.record, snapshot.terms
    change = change_of(record)
    if not change.validated:
        return None
    if (barred := _barred(snapshot)) is not None:
        return Wait(None, barred)
    if not (may_hold_target(record) or terms.accept_gap or lost_to_a_leak(record, terms)):
        users = provers(record, terms)
        missing = next((user for user in users if not _carried(snapshot, user, now)), None)
        if missing is not None:
            return Wait(None, f"no live session carries {missing} over the change yet")
    go = Go(f"the certificate of key pair {change.target} is to be brought into the org ({change.reason})")
    return unless_held(snapshot, "deploy", now, go)


def _carried(snapshot: Snapshot, user: str, now: datetime) -> bool:
    """Tell whether the session of a user outlasts the change, as far as can be known."""
    token, terms = snapshot.token(user), snapshot.terms
    if in_lasting_trouble(snapshot.record.trouble_of(f"mint:{user}")):
        return True  # this user had no working token before: nothing is carried, nothing is lost
    if token is None or snapshot.record.trouble_of(f"token:{user}") is not None:
        return False
    if not token.prolongable:
        return token.expires_at >= now + terms.bridge
    margin = terms.session_timeout / 4
    return now < token.verified_at + margin and now + margin <= token.expires_at


def poll_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """What became of the deploy is to be found out."""
    change = change_of(snapshot.record)
    what = f"deploy {change.ticket}" if change.ticket else "a deploy whose answer was lost"
    return unless_held(snapshot, "poll", now, Go(f"what became of {what}"))


def overdue(snapshot: Snapshot, now: datetime) -> Verdict:
    """The org did not take the target in time."""
    change = change_of(snapshot.record)
    if snapshot.record.current is None or change.deadline is None:
        return None  # a first key waits as long as it takes
    go = Go(f"key pair {change.target} is not proved in time")
    return after(change.deadline, now, go, f"key pair {change.target} is being proved")


def proof_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """The next proof is to be collected; the users take turns."""
    change, terms = change_of(snapshot.record), snapshot.terms
    until = None if change.proved_at is None else change.proved_at + proof_spacing(change, terms)
    if until is not None and now < until:
        return Wait(until, "proofs are spread over time")
    what = f"proof {change.proofs + 1} of key pair {change.target}"
    return first(
        unless_held(snapshot, f"prove:{user}", now, Go(what, user))
        for user in turns(snapshot.record, terms, now)
    )


def again_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """A locked-out credential may be brought in once more."""
    record, terms = snapshot.record, snapshot.terms
    if (barred := _barred(snapshot)) is not None:
        return Wait(None, f"locked out; {barred}")
    target = change_of(record).target
    for until in (_out_until(record, terms, now), swaps_until(record, terms, now)):
        if until is not None and now < until:
            return Wait(until, "locked out; the certificate is brought in again then")
    if is_leaked(record, target):
        return Go(f"key pair {target} leaked, and the org does not take it: a new one is made in its place")
    return Go(f"the certificate of key pair {target} is brought in again")


def _out_until(record: Record, terms: Terms, now: datetime) -> datetime | None:
    """Return before when a locked-out credential is not brought in again, as after any failed change.

    Where somebody put another certificate into the app, which then takes none of ours, nothing of ours failed: then no
    longer than it takes to see that twice.
    """
    pause, change, trouble = backoff_until(record, terms, now), change_of(record), record.trouble_of("change")
    anothers = (
        trouble is not None and trouble.code == NONE_TAKEN and not change.asked and record.failures == 1
    )
    if pause is None or not anothers:
        return pause
    # Where there is a pause, it counts from failed_at.
    return min(pause, (record.failed_at or pause) + 2 * terms.probe_every)


def probe_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """Every kept key is tried at a slow pace."""
    go = Go("which of the kept keys does the org take?")
    return unless_held(snapshot, "probe", now, go) if usable(snapshot.record) else None


# -- what is left over -----------------------------------------------------------------------------------------------


def user_gone(snapshot: Snapshot, _now: datetime) -> Verdict:
    """The record speaks of a user who is not configured any more."""
    record = snapshot.record
    subjects = (trouble.subject.partition(":") for trouble in record.trouble)
    users = [user for what, _, user in subjects if what in ("token", "mint")]
    gone = next((user for user in (*users, *record.revoke) if user not in snapshot.terms.users), None)
    return None if gone is None else Go(f"{gone} is not configured any more", gone)


def shredding(snapshot: Snapshot, now: datetime) -> Verdict:
    """The destruction of a key is on record."""
    serial = snapshot.record.shredding
    go = None if serial is None else Go(f"key pair {serial} is to be destroyed", serial)
    return unless_held(snapshot, "destroy", now, go)


def disposable(snapshot: Snapshot, now: datetime) -> Verdict:
    """A retired key is of no use to anybody any more."""
    if snapshot.record.shredding is not None:
        return None  # one at a time
    return first(_disposable(snapshot, retired, now) for retired in snapshot.record.retired)


def quarantine_ends(snapshot: Snapshot, retired: Retired) -> datetime:
    """Return until when the certificate of a retired key may still come into the org, or be on a slow server."""
    record, terms, facts = snapshot.record, snapshot.terms, snapshot.record.key(retired.serial)
    end = retired.since + terms.quarantine
    if record.promoted_at is not None:
        end = max(end, record.promoted_at + terms.slow_servers)
    return max(end, facts.not_after) if terms.by_hand and facts is not None else end


def _disposable(snapshot: Snapshot, retired: Retired, now: datetime) -> Verdict:
    go = Go(f"key pair {retired.serial} is not needed any more", retired.serial)
    if not retired.handed_out:
        return go
    if snapshot.fleet.clocks_differ is not None:
        return Wait(None, f"key pair {retired.serial} is kept: {snapshot.fleet.clocks_differ}")
    end = quarantine_ends(snapshot, retired)
    if now < end:
        return Wait(end, f"key pair {retired.serial} is kept until then")
    cleared_at = retired.cleared_at
    if cleared_at is None or cleared_at > now + MOST_SKEW:
        return None
    return go if now < cleared_at + snapshot.terms.slow_servers else None


def clearance_due(snapshot: Snapshot, now: datetime) -> Verdict:
    """The quarantine is over: the org must take the current key and refuse the retired one."""
    record = snapshot.record
    over = next(
        (one for one in record.retired if one.handed_out and now >= quarantine_ends(snapshot, one)), None
    )
    if over is None or record.current is None or snapshot.fleet.clocks_differ is not None:
        return None
    go = Go(f"does the org refuse key pair {over.serial}, which is to be destroyed?", over.serial)
    return unless_held(snapshot, f"prove:{provers(record, snapshot.terms)[0]}", now, go)
