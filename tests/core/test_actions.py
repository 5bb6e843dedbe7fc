"""What a decision does, with all that the adapters are told, and what it records before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.core.effects import (
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
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
from rotator.core.machine import decide, settle
from rotator.core.model import (
    Answered,
    Change,
    Identity,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Retired,
    Trouble,
)
from rotator.core.slot import is_lasting, passed_over, provers, signers, turns, usable
from tests.core.given import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    TERMS,
    answer,
    changing,
    key,
    request,
    snapshot,
    steady,
    terms,
    token,
    trouble,
)

TWO = terms(users=("ann", "bob"))
CALM = (token(), token("bob"))
STAGED = changing(Phase.STAGED, validated=True)
DEPLOYING = changing(Phase.DEPLOYING, asked=1, asked_at=NOW, ticket="0Af1", deadline=NOW + HOUR)
OUT = changing(Phase.LOCKED_OUT, asked=1, reason=Reason.RESTORE, target=2, rival=3, failures=1, failed_at=NOW)
OVER = Retired(7, NOW - 30 * DAY, handed_out=True)
DUE = steady(keys=(key(1), key(2, ends_in=20 * DAY)))


def did(record, **more):
    decision = decide(snapshot(record, **more), NOW)
    assert isinstance(decision, Do)
    return decision.action, decision.intent


@pytest.mark.parametrize(
    ("record", "more", "action"),
    [
        (changing(Phase.CREATING, keys=(key(1), key(2))), {}, CreateKey(3)),
        (changing(Phase.CREATING, keys=(), current=None, reason=Reason.ADOPT), {}, CreateKey(3, adopt=True)),
        (changing(Phase.STAGED, ticket="0Af0"), {}, Validate(3, "0Af0", by_hand=False)),
        (changing(Phase.STAGED), {"terms": terms(by_hand=True)}, Validate(3, None, by_hand=True)),
        (DEPLOYING, {}, Poll(3, "0Af1", NOW, cancel=False, by_hand=False)),
        (
            changing(Phase.DEPLOYING, asked=1, asked_at=NOW - HOUR, deadline=NOW),
            {"terms": terms(by_hand=True)},
            Poll(3, None, NOW - HOUR, cancel=True, by_hand=True),
        ),
        (
            changing(Phase.DEPLOYING, aborted=True),
            {},
            Poll(3, None, NOW - MINUTE, cancel=True, by_hand=False),
        ),
        (changing(Phase.PROVING, deadline=NOW + HOUR), {}, Prove("ann", 3, 2)),
        (OUT, {}, Probe(("ann",), (2, 1))),
        (steady(), {"terms": TWO, "tokens": (token(),)}, Mint("bob", (2,))),
        (
            steady(promoted_at=NOW, revoke=("bob",)),
            {"terms": TWO, "tokens": CALM},
            Revoke("bob", (2, 1)),
        ),
        (steady(), {"terms": TWO, "tokens": (token(), token("bob", verified_at=NOW - HOUR))}, Touch("bob")),
        (steady(shredding=7, retired=(OVER,)), {}, Destroy(7)),
        (steady(retired=(OVER,)), {}, Prove("ann", 2, 7, clears=True)),
    ],
)
def test_an_action_says_all_that_is_needed_to_do_it(record, more, action):
    assert did(record, **more)[0] == action


def test_a_rotation_that_is_due_begins_with_the_next_serial():
    began = Change(3, 2, Reason.ROTATION, ("ann",), NOW)
    assert did(DUE) == (Nothing(), replace(DUE, phase=Phase.CREATING, newest=3, change=began))


def test_a_leaked_key_is_due_at_once():
    leaked = steady(keys=(key(1), key(2, leaked=True)))
    action, intent = did(leaked)
    assert action == Nothing()
    assert intent.change == Change(3, 2, Reason.COMPROMISED, ("ann",), NOW)


def test_a_key_that_is_refused_again_and_again_is_lost_from_now_on():
    action, intent = did(steady(doubts=3))
    assert action == Nothing()
    assert (intent.phase, intent.failed_at, intent.change.began) == (Phase.LOCKED_OUT, NOW, NOW)


def test_a_key_is_on_record_as_being_destroyed_before_it_is():
    waiting = steady(retired=(Retired(7, NOW, handed_out=False),))
    assert did(waiting) == (Destroy(7), replace(waiting, shredding=7))


def test_a_deploy_to_an_org_that_is_not_ours_was_not_sent_and_holds_the_credential():
    sent = replace(DEPLOYING, busy_until=NOW + MINUTE, change=replace(DEPLOYING.change, ticket=None))
    held = settle(sent, Deploy(3, by_hand=False), answer("mismatch", message="another org"), TERMS)
    assert held == replace(
        sent,
        phase=Phase.STAGED,
        busy_until=None,
        paused=Pause(PauseKind.IDENTITY, NOW, "another org"),
        change=replace(sent.change, asked=0, asked_at=None, deadline=None),
    )


def test_an_org_is_bound_by_the_first_good_answer_and_by_no_other():
    ours, other = (Identity(org, "key", "app", ("ann",)) for org in ("00D1", "00D2"))
    bound = settle(steady(), Mint("ann", (2,)), answer("ok", serial=2, identity=ours), TERMS)
    assert bound.identity == ours
    assert settle(bound, Mint("ann", (2,)), answer("ok", serial=2, identity=other), TERMS).identity == ours
    assert settle(steady(), Touch("ann"), answer("failed", identity=ours), TERMS).identity is None


def test_where_nothing_can_be_done_and_nothing_is_waited_for_it_says_so():
    idle = snapshot(steady(current=1, keys=(), previous=None), tokens=(), terms=terms(users=()))
    assert decide(idle, NOW) == Wait(None, "nothing to do")


class TestAnsweredRequests:
    ANSWERED = Answered("r1", accepted=True, sentence="rotating", at=NOW)

    def told(self, record, **more):
        return decide(
            snapshot(replace(record, answered=self.ANSWERED), request=request("rotate"), **more), NOW
        )

    def test_a_request_that_is_answered_is_taken_away(self):
        assert self.told(steady()) == Do(Dismiss("r1"), "the request is answered")
        assert self.told(changing(Phase.CREATING, keys=(key(1), key(2)))).action == Dismiss("r1")
        assert self.told(changing(Phase.PROVING, reason=Reason.ADOPT)).action == Dismiss("r1")

    def test_one_that_holds_a_key_stays_until_the_key_is_written(self):
        adopting = changing(Phase.CREATING, reason=Reason.ADOPT, keys=(), current=None, previous=None)
        assert self.told(adopting).action == CreateKey(3, adopt=True)

    def test_in_an_org_that_is_not_ours_tokens_go_on_and_requests_are_taken_away_when_that_is_due(self):
        strange = steady(paused=Pause(PauseKind.IDENTITY, NOW, "another org"))
        held = {"dismiss": NOW + MINUTE}
        assert self.told(strange, held=held) == Wait(
            NOW + MINUTE, "the request is answered; tried a moment ago"
        )
        dying = (token(verified_at=NOW - HOUR),)
        assert self.told(strange, held=held, tokens=dying).action == Touch("ann")

    def test_an_answer_is_recorded_and_nothing_else_is_done(self):
        taken = decide(snapshot(steady(), request=request("pause")), NOW)
        assert taken.action == Nothing()


class TestWhoSigns:
    def test_while_the_org_may_hold_either_certificate_only_keys_that_are_kept_sign(self):
        assert signers(changing(Phase.PROVING, asked=1, rival=7), TERMS, NOW) == (3, 2)

    def test_for_a_while_after_a_restore_the_previous_key_signs_too_and_the_one_given_up_last(self):
        keys = (key(1), key(2), key(3), key(4))
        times = (NOW - DAY, NOW - 40 * MINUTE)
        given_up = tuple(
            Retired(serial, at, handed_out=True) for serial, at in zip((3, 4), times, strict=True)
        )
        kept = {"newest": 4, "keys": keys, "retired": given_up, "failed_at": times[-1]}
        restored = steady(**kept, promoted_at=NOW - 29 * MINUTE)
        assert signers(restored, TERMS, NOW) == (2, 1, 4)
        assert signers(restored, TERMS, NOW + MINUTE) == (2,)

    @pytest.mark.parametrize("reason", [Reason.ROTATION, Reason.FOUND])
    def test_a_key_that_was_replaced_and_not_given_up_signs_no_more(self, reason):
        known = {"reason": reason, "asked": 1, "proofs": 4, "proved": ("ann",), "failed_at": NOW - HOUR}
        after = settle(changing(Phase.PROVING, **known), Prove("ann", 3, 2), answer("ok"), TERMS)
        assert (after.current, after.previous, after.retired[-1].serial) == (3, 2, 1)
        assert signers(after, TERMS, NOW + MINUTE) == (3, 2)

    def test_a_previous_key_that_leaked_does_not(self):
        leaked = steady(keys=(key(1, leaked=True), key(2)), promoted_at=NOW)
        assert signers(leaked, TERMS, NOW) == (2,)


class TestWhoProves:
    CHANGE = Change(
        3, 2, Reason.ROTATION, ("ann", "bob"), NOW - HOUR, proofs=5, proved=("ann",), deadline=NOW + HOUR
    )
    WAITED = replace(CHANGE, proved_at=NOW - 15 * MINUTE)

    def test_one_who_owes_a_proof_is_waited_for_half_of_the_proving_time(self):
        assert passed_over(self.WAITED, TWO, NOW)
        assert not passed_over(self.WAITED, TWO, NOW - MINUTE)
        assert not passed_over(replace(self.CHANGE, deadline=None), TWO, NOW)
        late = replace(self.CHANGE, deadline=NOW + 15 * MINUTE)
        assert passed_over(late, TWO, NOW)
        assert not passed_over(late, TWO, NOW - MINUTE)

    def test_it_is_who_began_the_change(self):
        began = changing(Phase.PROVING, users=("ann",))
        assert provers(began, TWO) == ("ann",)

    def test_at_the_end_only_those_have_a_turn_who_owe_a_proof(self):
        record = changing(Phase.PROVING)
        assert turns(replace(record, change=self.CHANGE), TWO, NOW) == ("bob",)
        assert turns(replace(record, change=replace(self.CHANGE, proofs=4)), TWO, NOW) == ("ann", "bob")
        assert turns(replace(record, change=replace(self.CHANGE, proofs=3)), TWO, NOW) == ("bob", "ann")
        assert turns(replace(record, change=self.WAITED), TWO, NOW) == ("bob", "ann")


class TestHowLongAFailureCounts:
    SLOW = TERMS.slow_servers / 2

    def lasting(self, record, at=NOW, **more):
        said = answer("failed", at=at, **{"lasting": True, "passing": True, **more})
        return is_lasting(record, said, TERMS)

    def test_what_never_passes_or_never_lasts_is_what_it_is(self):
        changed = changing(Phase.PROVING, asked_at=NOW)
        assert self.lasting(changed, passing=False)
        assert not self.lasting(steady(), lasting=False)
        assert self.lasting(steady())

    @pytest.mark.parametrize(
        "record",
        [
            changing(Phase.PROVING, asked_at=NOW, began=NOW - DAY),
            steady(promoted_at=NOW),
            changing(Phase.PROVING, current=None, began=NOW, asked_at=NOW - DAY),
        ],
        ids=["after a deploy", "after a promotion", "after the first key"],
    )
    def test_after_the_app_was_changed_it_is_given_half_of_the_time_of_the_slowest_servers(self, record):
        assert not self.lasting(record, NOW + self.SLOW - MINUTE)
        assert self.lasting(record, NOW + self.SLOW)

    def test_a_change_that_has_asked_for_nothing_yet_changed_nothing(self):
        assert self.lasting(changing(Phase.STAGED, began=NOW))


def test_a_leaked_key_is_tried_only_where_it_is_the_target():
    keys = (key(1), key(2, leaked=True), key(3))
    assert usable(changing(Phase.LOCKED_OUT, keys=keys)) == (3, 1)
    assert usable(changing(Phase.LOCKED_OUT, keys=keys, target=2)) == (2, 1)
    assert usable(steady(keys=keys)) == (2, 1)
    assert usable(steady(keys=(key(1, leaked=True), key(2)))) == (2,)


@pytest.mark.parametrize("kind", [Kind.OK, Kind.PENDING])
def test_a_lock_out_stays_told_until_a_key_is_proved(kind):
    told = Trouble("change", NOW, "credential.locked_out", "", lasting=True)
    out = replace(DEPLOYING, trouble=(told,))
    assert settle(out, Poll(3, "0Af1", NOW, cancel=False), answer(kind, ticket="0Af1"), TERMS).trouble == (
        told,
    )
    other = replace(DEPLOYING, trouble=(trouble("change"),))
    assert settle(other, Poll(3, "0Af1", NOW, cancel=False), answer("ok"), TERMS).trouble == ()


def test_a_refused_key_is_told_of_the_user_who_signed_with_it():
    doubted = settle(steady(), Mint("ann", (2,)), answer("refused"), TERMS)
    assert [one.subject for one in doubted.trouble] == ["mint:ann"]
