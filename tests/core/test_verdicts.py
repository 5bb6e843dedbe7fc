"""Each guard, to the moment and to the word: operators read these sentences in status, plan and history."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core import guards
from rotator.core.effects import Wait
from rotator.core.model import Entry, Fleet, Pause, PauseKind, Phase, Reason, Retired, Window
from rotator.core.outcome import Outcome
from rotator.core.slot import NONE_TAKEN, NONE_TRIED
from rotator.core.verdicts import Go, first
from tests.core.given import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    changing,
    key,
    snapshot,
    steady,
    terms,
    token,
    trouble,
)

SOON = NOW + MINUTE
INSTANT = timedelta(microseconds=1)
JWT = {"prolongable": False}
STAGED = changing(Phase.STAGED, validated=True)
UNSEEN = changing(Phase.STAGED)
PROVING = changing(Phase.PROVING, asked=1, deadline=SOON)
OUT = changing(Phase.LOCKED_OUT, asked=1, reason=Reason.RESTORE, target=2, rival=3)
CLOCKS = Fleet(may_not_deploy="the clocks differ")
ASTRAY = Fleet(clocks_differ="the clocks differ")
TAKEN = "; tried a moment ago"
DUE = (key(1), key(2, ends_in=30 * DAY))
BRING = "the certificate of key pair 3 is to be brought into the org (rotation)"
HANDED = "the certificate of key pair 3 could not be handed over in time"


def retired(**more):
    return steady(previous=None, retired=(Retired(1, NOW - 30 * DAY, handed_out=True, **more),))


IN_AGAIN = "locked out; the certificate is brought in again then"


def strangers(**more):
    """Locked out since now, by a certificate that is none of ours."""
    known = {"failures": 1, "failed_at": NOW, "trouble": (trouble("change", NONE_TAKEN),)}
    return changing(Phase.LOCKED_OUT, **(known | more))


TOKENS = [
    (guards.token_unproven, steady(), {}, Wait(NOW + HOUR, "the token of ann is proved until then")),
    (
        guards.token_unproven,
        steady(),
        {"tokens": (token(expires_at=NOW),)},
        Go("the token of ann is not proved any more", "ann"),
    ),
    (
        guards.token_unproven,
        steady(),
        {"tokens": (token(expires_at=NOW),), "held": {"nothing": SOON}},
        Wait(SOON, "the token of ann is not proved any more" + TAKEN),
    ),
    (guards.revoke_due, steady(revoke=("ann",)), {}, Go("the key behind the session of ann leaked", "ann")),
    (
        guards.revoke_due,
        steady(revoke=("ann",)),
        {"held": {"revoke:ann": SOON}},
        Wait(SOON, "the key behind the session of ann leaked" + TAKEN),
    ),
    (guards.mint_due, steady(), {"tokens": ()}, Go("there is no token for ann yet", "ann")),
    (guards.mint_due, steady(), {"tokens": (token(expires_at=NOW),)}, Go("the token of ann ran out", "ann")),
    (
        guards.mint_due,
        steady(trouble=(trouble("token:ann"),)),
        {},
        Go("the published token of ann does not work", "ann"),
    ),
    (
        guards.mint_due,
        steady(),
        {"tokens": (token(refresh_after=NOW),)},
        Go("the token of ann is to be refreshed", "ann"),
    ),
    (guards.mint_due, steady(), {}, Wait(NOW + 25 * MINUTE, "the token of ann is fresh")),
    (
        guards.mint_due,
        STAGED,
        {"tokens": (token(**JWT, issued_at=NOW - 15 * MINUTE),)},
        Go("the token of ann must outlive the change", "ann"),
    ),
    (
        guards.mint_due,
        STAGED,
        {"tokens": (token(**JWT, issued_at=NOW - 15 * MINUTE + INSTANT),)},
        Wait(NOW + 25 * MINUTE, "the token of ann is fresh"),
    ),
    (
        guards.mint_due,
        STAGED,
        {"tokens": (token(**JWT, issued_at=NOW - HOUR, expires_at=NOW + 75 * MINUTE),)},
        Wait(NOW + 25 * MINUTE, "the token of ann is fresh"),
    ),
    (
        guards.mint_due,
        steady(),
        {"unreconciled": frozenset({"ann"})},
        Go("Vault was restored from a backup: is key pair 2 still taken?", "ann"),
    ),
    (guards.touch_due, steady(), {}, Wait(NOW + 10 * MINUTE, "the token of ann works")),
    (
        guards.touch_due,
        changing(Phase.PROVING, asked=1, asked_at=NOW - MINUTE, deadline=NOW + 30 * MINUTE),
        {"tokens": (token(verified_at=NOW - INSTANT),)},
        Go("the token of ann is to be verified", "ann"),
    ),
    (
        guards.touch_due,
        changing(Phase.LOCKED_OUT, asked=1, asked_at=NOW, deadline=NOW + 30 * MINUTE),
        {"tokens": (token(verified_at=NOW - INSTANT),)},
        Wait(NOW + 10 * MINUTE - INSTANT, "the token of ann works"),
    ),
    (
        guards.touch_due,
        steady(),
        {"tokens": (token(verified_at=NOW - 10 * MINUTE),), "held": {"touch:ann": NOW}},
        Go("the token of ann is to be verified", "ann"),
    ),
    (
        guards.touch_due,
        steady(),
        {"tokens": (token(verified_at=NOW - 10 * MINUTE),)},
        Go("the token of ann is to be verified", "ann"),
    ),
]

STEADY = [
    (guards.signer_refused, steady(doubts=3), {}, Go("the org refused key pair 2 3 times in a row")),
    (guards.due_and_allowed, steady(keys=DUE), {}, Go("key pair 2 is due since 2026-03-01 12:00Z")),
    (
        guards.due_and_allowed,
        steady(keys=(key(1), key(2, ends_in=30 * DAY + INSTANT))),
        {},
        Wait(NOW + INSTANT, "key pair 2 is due then"),
    ),
    (
        guards.due_and_allowed,
        steady(keys=(key(1), key(2, ends_in=7 * DAY))),
        {"fleet": Fleet(may_not_begin="another one is first")},
        Go("key pair 2 is due since 2026-02-06 12:00Z"),
    ),
    (
        guards.due_and_allowed,
        steady(keys=(key(1), key(2, ends_in=7 * DAY + INSTANT))),
        {"fleet": Fleet(may_not_begin="another one is first")},
        Wait(None, "due, but another one is first"),
    ),
    (
        guards.due_and_allowed,
        steady(keys=DUE, failures=1, failed_at=NOW - HOUR),
        {},
        Go("key pair 2 is due since 2026-03-01 12:00Z"),
    ),
    (
        guards.due_and_allowed,
        steady(keys=DUE),
        {"window": Window(NOW, NOW + HOUR)},
        Go("key pair 2 is due since 2026-03-01 12:00Z"),
    ),
    (
        guards.due_and_allowed,
        steady(keys=DUE),
        {"window": Window(NOW - HOUR, NOW)},
        Wait(NOW - HOUR, "due, but outside the maintenance window"),
    ),
]

HANDING_OVER = [
    (
        guards.key_missing,
        changing(Phase.CREATING, keys=(key(1), key(2))),
        {},
        Go("key pair 3 is to be written"),
    ),
    (guards.staging_over, changing(Phase.STAGED, began=NOW - 24 * HOUR), {}, Go(HANDED)),
    (
        guards.staging_over,
        changing(Phase.STAGED, began=NOW - 24 * HOUR + INSTANT),
        {},
        Wait(NOW + INSTANT, "the certificate is being handed over"),
    ),
    (
        guards.staging_over,
        changing(Phase.STAGED, began=NOW - 30 * MINUTE, reason=Reason.RESTORE),
        {},
        Go(HANDED),
    ),
    (guards.validation_due, UNSEEN, {}, Go("the deploy of key pair 3 is to be validated")),
    (guards.validation_due, UNSEEN, {"fleet": CLOCKS}, Wait(None, "the clocks differ")),
    (
        guards.validation_due,
        UNSEEN,
        {"held": {"validate": SOON}},
        Wait(SOON, "the deploy of key pair 3 is to be validated" + TAKEN),
    ),
    (guards.bridge_holds, STAGED, {}, Go(BRING)),
    (guards.bridge_holds, STAGED, {"fleet": CLOCKS}, Wait(None, "the clocks differ")),
    (guards.bridge_holds, STAGED, {"held": {"deploy": SOON}}, Wait(SOON, BRING + TAKEN)),
    (
        guards.bridge_holds,
        STAGED,
        {"tokens": (token(verified_at=NOW - 30 * MINUTE),)},
        Wait(None, "no live session carries ann over the change yet"),
    ),
    (
        guards.bridge_holds,
        STAGED,
        {"tokens": (token(verified_at=NOW - 30 * MINUTE + INSTANT, expires_at=NOW + 30 * MINUTE),)},
        Go(BRING),
    ),
    (
        guards.bridge_holds,
        STAGED,
        {"tokens": (token(expires_at=NOW + 30 * MINUTE - INSTANT),)},
        Wait(None, "no live session carries ann over the change yet"),
    ),
    (guards.bridge_holds, STAGED, {"tokens": (token(**JWT, expires_at=NOW + 75 * MINUTE),)}, Go(BRING)),
    (
        guards.bridge_holds,
        changing(Phase.STAGED, validated=True, trouble=(trouble("mint:ann", lasting=True),)),
        {"tokens": ()},
        Go(BRING),
    ),
    (guards.poll_due, changing(Phase.DEPLOYING, ticket="0Af1"), {}, Go("what became of deploy 0Af1")),
    (guards.poll_due, changing(Phase.DEPLOYING), {}, Go("what became of a deploy whose answer was lost")),
    (
        guards.poll_due,
        changing(Phase.DEPLOYING),
        {"held": {"poll": SOON}},
        Wait(SOON, "what became of a deploy whose answer was lost" + TAKEN),
    ),
]

PROOFS = [
    (guards.overdue, PROVING, {}, Wait(SOON, "key pair 3 is being proved")),
    (
        guards.overdue,
        changing(Phase.PROVING, asked=1, deadline=NOW),
        {},
        Go("key pair 3 is not proved in time"),
    ),
    (guards.proof_due, PROVING, {}, Go("proof 1 of key pair 3", "ann")),
    (
        guards.proof_due,
        changing(Phase.PROVING, asked=1, deadline=NOW + HOUR, proofs=1, proved_at=NOW - 2.5 * MINUTE),
        {},
        Go("proof 2 of key pair 3", "ann"),
    ),
    (
        guards.proof_due,
        changing(Phase.PROVING, asked=1, deadline=NOW + HOUR, proofs=1, proved_at=NOW),
        {},
        Wait(NOW + 2.5 * MINUTE, "proofs are spread over time"),
    ),
    (guards.proof_due, PROVING, {"held": {"prove:ann": SOON}}, Wait(SOON, "proof 1 of key pair 3" + TAKEN)),
    (guards.again_due, OUT, {}, Go("the certificate of key pair 2 is brought in again")),
    (guards.again_due, OUT, {"fleet": CLOCKS}, Wait(None, "locked out; the clocks differ")),
    (
        guards.again_due,
        changing(Phase.LOCKED_OUT, failures=1, failed_at=NOW),
        {},
        Wait(NOW + HOUR, IN_AGAIN),
    ),
    (
        guards.again_due,
        changing(Phase.LOCKED_OUT, failures=1, failed_at=NOW - HOUR),
        {},
        Go("the certificate of key pair 3 is brought in again"),
    ),
    (guards.again_due, strangers(), {}, Wait(NOW + 10 * MINUTE, IN_AGAIN)),
    (guards.again_due, strangers(), {"terms": terms(backoff_floor=MINUTE)}, Wait(NOW + MINUTE, IN_AGAIN)),
    (guards.again_due, strangers(asked=1), {}, Wait(NOW + HOUR, IN_AGAIN)),
    (guards.again_due, strangers(failures=2), {}, Wait(NOW + 2 * HOUR, IN_AGAIN)),
    (guards.again_due, strangers(trouble=(trouble("change", NONE_TRIED),)), {}, Wait(NOW + HOUR, IN_AGAIN)),
    (
        guards.again_due,
        changing(Phase.LOCKED_OUT, keys=(key(1), key(2), key(3, leaked=True))),
        {},
        Go("key pair 3 leaked, and the org does not take it: a new one is made in its place"),
    ),
    (guards.probe_due, OUT, {}, Go("which of the kept keys does the org take?")),
    (
        guards.probe_due,
        OUT,
        {"held": {"probe": SOON}},
        Wait(SOON, "which of the kept keys does the org take?" + TAKEN),
    ),
]

LEFT_OVER = [
    (
        guards.user_gone,
        steady(trouble=(trouble("key:1"), trouble("mint:bob"))),
        {},
        Go("bob is not configured any more", "bob"),
    ),
    (
        guards.user_gone,
        steady(trouble=(trouble("token:bob"),)),
        {},
        Go("bob is not configured any more", "bob"),
    ),
    (guards.user_gone, steady(revoke=("ann", "bob")), {}, Go("bob is not configured any more", "bob")),
    (guards.user_gone, steady(trouble=(trouble("key:1"), trouble("change"))), {}, None),
    (guards.shredding, steady(shredding=1), {}, Go("key pair 1 is to be destroyed", 1)),
    (
        guards.shredding,
        steady(shredding=1),
        {"held": {"destroy": SOON}},
        Wait(SOON, "key pair 1 is to be destroyed" + TAKEN),
    ),
    (
        guards.disposable,
        steady(retired=(Retired(7, NOW, handed_out=False),)),
        {},
        Go("key pair 7 is not needed any more", 7),
    ),
    (guards.disposable, retired(cleared_at=NOW), {}, Go("key pair 1 is not needed any more", 1)),
    (guards.disposable, retired(cleared_at=NOW - 30 * MINUTE), {}, None),
    (guards.disposable, retired(cleared_at=SOON), {}, Go("key pair 1 is not needed any more", 1)),
    (guards.disposable, retired(cleared_at=SOON + INSTANT), {}, None),
    (
        guards.disposable,
        retired(cleared_at=NOW),
        {"fleet": ASTRAY},
        Wait(None, "key pair 1 is kept: the clocks differ"),
    ),
    (guards.clearance_due, retired(), {"fleet": ASTRAY}, None),
    (
        guards.disposable,
        steady(retired=(Retired(7, NOW, handed_out=True),)),
        {},
        Wait(NOW + 30 * DAY, "key pair 7 is kept until then"),
    ),
    (
        guards.clearance_due,
        retired(),
        {},
        Go("does the org refuse key pair 1, which is to be destroyed?", 1),
    ),
    (
        guards.clearance_due,
        retired(),
        {"held": {"prove:ann": SOON}},
        Wait(SOON, "does the org refuse key pair 1, which is to be destroyed?" + TAKEN),
    ),
    (guards.clearance_due, steady(retired=(Retired(7, NOW, handed_out=False),)), {}, None),
]


@pytest.mark.parametrize(
    ("guard", "record", "more", "verdict"), TOKENS + STEADY + HANDING_OVER + PROOFS + LEFT_OVER
)
def test_a_guard_says_what_is_to_be_done_or_waited_for_and_why(guard, record, more, verdict):
    assert guard(snapshot(record, **more), NOW) == verdict


def test_who_has_no_token_comes_first_and_then_whose_is_proved_the_least_far():
    users = terms(users=("ann", "bob", "cid"))
    tokens = (token("ann", expires_at=NOW + HOUR), token("bob", expires_at=NOW + MINUTE))
    assert guards.by_urgency(snapshot(steady(), terms=users, tokens=tokens)) == ["cid", "bob", "ann"]


def test_of_several_waits_the_one_that_ends_first_counts_and_one_without_an_end_is_the_last():
    waits = [Wait(None, "a person"), Wait(NOW + HOUR, "later"), Wait(SOON, "soon"), Wait(NOW + DAY, "last")]
    assert first(iter(waits)) == Wait(SOON, "soon")
    assert first(iter([Wait(None, "a person"), None])) == Wait(None, "a person")
    assert first(iter([Wait(SOON, "one"), Wait(SOON, "another")])) == Wait(SOON, "one")


def test_the_daily_cap_of_deploys_lets_the_next_one_through_a_day_after_the_oldest_that_counts():
    ended = [NOW - 20 * HOUR, NOW - 10 * HOUR]
    history = tuple(
        Entry(2, Reason.ROTATION, Outcome.FAILED, end - HOUR, end, deployed=True, message="") for end in ended
    )
    capped = terms(swaps_a_day=2)
    said = "due, but 2 deploys a day are the most"
    held = guards.due_and_allowed(snapshot(steady(keys=DUE, history=history), terms=capped), NOW)
    assert held == Wait(NOW + 4 * HOUR, said)
    assert isinstance(
        guards.due_and_allowed(snapshot(steady(keys=DUE, history=history), terms=capped), NOW + 4 * HOUR), Go
    )


def test_a_pause_says_who_paused_it():
    paused = steady(keys=DUE, paused=Pause(PauseKind.OPERATOR, NOW, "by ann"))
    assert guards.due_and_allowed(snapshot(paused), NOW) == Wait(None, "due, but paused: by ann")
