"""What each move leaves on the record, to the last field."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from rotator.core import moves, upkeep
from rotator.core.effects import CreateKey, Deploy, Destroy, Mint, Poll, Probe, Prove, Revoke, Validate
from rotator.core.model import (
    Ask,
    Change,
    Entry,
    Phase,
    Reason,
    Record,
    Rehearsed,
    Retired,
    Trouble,
)
from rotator.core.outcome import Outcome
from rotator.core.requests import consider
from tests.core.given import (
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
    trouble,
)

BEGAN, ASKED = NOW - 20 * MINUTE, NOW - 10 * MINUTE
SAID = {"code": "deploy.failed", "message": "the org said no", "hint": "mend it"}
DEPLOY, POLL = Deploy(3, by_hand=False), Poll(3, "0Af1", ASKED, cancel=False)
PROBE = Probe(("ann",), (3, 2, 1))
BACK = Change(2, 3, Reason.RESTORE, ("ann",), NOW, validated=True)
UNTAKEN = "the org did not take the key in time"
LEAKED = (key(1), key(2, leaked=True), key(3))


def left(before: object, after: object) -> dict[str, object]:
    """Return the fields that differ, and what they are now."""
    return {
        one.name: getattr(after, one.name)
        for one in fields(before)
        if getattr(before, one.name) != getattr(after, one.name)
    }


def of_change(before: Record, after: Record) -> dict[str, object]:
    """Return what differs in the change; nothing else may."""
    assert set(left(before, after)) <= {"change"}
    return left(before.change, after.change)


def entry(outcome, message="", *, deployed=False, target=3, reason=Reason.ROTATION, began=BEGAN):
    return Entry(target, reason, outcome, began, NOW, deployed, message)


def on_the_way(phase, **more):
    return changing(phase, **{"began": BEGAN, **more})


ASKED_ONCE = {"asked": 1, "asked_at": ASKED, "deadline": NOW + MINUTE, "validated": True}
STAGED = on_the_way(Phase.STAGED, validated=True)
DEPLOYING = on_the_way(Phase.DEPLOYING, **ASKED_ONCE, ticket="0Af1", busy_until=NOW + MINUTE)
PROVING = on_the_way(
    Phase.PROVING,
    **ASKED_ONCE,
    proofs=2,
    proved=("ann",),
    proved_at=NOW - MINUTE,
    trouble=(trouble("change"),),
)
OUT = on_the_way(
    Phase.LOCKED_OUT, **ASKED_ONCE, reason=Reason.RESTORE, target=2, rival=3, failures=1, failed_at=ASKED
)


class TestTheEndOfAChange:
    def test_given_up_before_anything_was_sent_the_target_is_retired_and_the_next_change_waits(self):
        for validated, lacking in (
            (False, "the publisher did not say that it could deploy"),
            (
                True,
                "no session carried the consumers, or nothing may be deployed, or the publisher could not be reached",
            ),
        ):
            before = on_the_way(Phase.STAGED, validated=validated)
            assert left(before, moves.give_up(before, TERMS, NOW)) == {
                "phase": Phase.STEADY,
                "change": None,
                "retired": (Retired(3, NOW, handed_out=True),),
                "failures": 1,
                "failed_at": NOW,
                "history": (entry(Outcome.GIVEN_UP, f"nothing could be sent in time: {lacking}"),),
            }

    @pytest.mark.parametrize(
        ("aborted", "outcome", "message", "troubled"),
        [
            (False, Outcome.FAILED, UNTAKEN, PROVING.trouble),
            (True, Outcome.ABORTED, "an operator aborted it", ()),
        ],
    )
    def test_given_up_after_a_deploy_the_current_certificate_is_brought_back(
        self, aborted, outcome, message, troubled
    ):
        before = replace(PROVING, change=replace(PROVING.change, aborted=aborted))
        found = left(before, moves.give_up(before, TERMS, NOW))
        assert found.pop("trouble", troubled) == troubled
        assert found == {
            "phase": Phase.STAGED,
            "change": BACK,
            "retired": (Retired(3, NOW, handed_out=True),),
            "failures": 1,
            "failed_at": NOW,
            "history": (entry(outcome, message, deployed=True),),
        }

    def test_a_first_key_that_is_given_up_leaves_an_empty_record(self):
        before = replace(PROVING, current=None, previous=None, keys=(key(3),))
        assert left(before, moves.turn_back(before, Outcome.FAILED, NOW, UNTAKEN)) == {
            "phase": Phase.EMPTY,
            "change": None,
            "retired": (Retired(3, NOW, handed_out=True),),
            "failures": 1,
            "failed_at": NOW,
            "history": (entry(Outcome.FAILED, UNTAKEN, deployed=True),),
        }

    def test_there_is_no_way_back_to_a_leaked_key(self):
        before = replace(PROVING, keys=LEAKED, busy_until=NOW)
        assert left(before, moves.turn_back(before, Outcome.FAILED, NOW, UNTAKEN)) == {
            "phase": Phase.LOCKED_OUT,
            "busy_until": None,
            "failures": 1,
            "failed_at": NOW,
        }

    def test_a_rehearsal_that_comes_to_nothing_is_proved_against_the_previous_key(self):
        before = on_the_way(Phase.PROVING, **ASKED_ONCE, reason=Reason.REHEARSAL, target=2, rival=1)
        back = moves.turn_back(before, Outcome.FAILED, NOW, UNTAKEN)
        assert back.change == replace(BACK, rival=1)

    def test_a_restore_that_is_given_up_while_staged_is_put_to_the_proof(self):
        before = on_the_way(Phase.STAGED, reason=Reason.RESTORE, target=2, rival=3, validated=True)
        assert left(before, moves.give_up(before, TERMS, NOW)) == {
            "phase": Phase.PROVING,
            "change": replace(before.change, deadline=NOW + TERMS.proving_deadline),
        }

    def test_a_restore_that_is_not_proved_in_time_locks_out(self):
        before = replace(OUT, phase=Phase.PROVING)
        assert left(before, moves.give_up(before, TERMS, NOW)) == {
            "phase": Phase.LOCKED_OUT,
            "failures": 2,
            "failed_at": NOW,
        }

    def test_a_key_that_was_found_and_lost_again_makes_way_for_the_current_one(self):
        before = on_the_way(Phase.PROVING, **ASKED_ONCE, reason=Reason.FOUND, target=1, rival=2)
        message = "found and lost again"
        assert left(before, moves.give_up(before, TERMS, NOW)) == {
            "phase": Phase.LOCKED_OUT,
            "change": Change(2, 1, Reason.RESTORE, ("ann",), NOW, validated=True),
            "failures": 1,
            "failed_at": NOW,
            "history": (entry(Outcome.FAILED, message, target=1, reason=Reason.FOUND),),
        }

    def test_a_promotion_makes_the_target_current_and_keeps_the_old_key_to_go_back_to(self):
        before = replace(
            PROVING,
            failures=2,
            failed_at=ASKED,
            doubts=2,
            busy_until=NOW,
            trouble=(trouble("change"), trouble("key:3"), trouble("token:ann")),
        )
        assert left(before, moves.promote(before, NOW, TERMS)) == {
            "phase": Phase.STEADY,
            "change": None,
            "busy_until": None,
            "current": 3,
            "previous": 2,
            "retired": (Retired(1, NOW, handed_out=True),),
            "promoted_at": NOW,
            "doubts": 0,
            "failures": 0,
            "failed_at": None,
            "trouble": (trouble("token:ann"),),
            "history": (entry(Outcome.PROMOTED, deployed=True),),
        }

    def test_a_rehearsal_that_ends_tells_whether_sessions_survived(self):
        before = on_the_way(Phase.PROVING, **ASKED_ONCE, reason=Reason.REHEARSAL, target=2, rival=1)
        assert left(before, moves.promote(before, NOW, TERMS)) == {
            "phase": Phase.STEADY,
            "change": None,
            "promoted_at": NOW,
            "rehearsed": Rehearsed(NOW, sessions_survived=True),
            "history": (entry(Outcome.REHEARSED, deployed=True, target=2, reason=Reason.REHEARSAL),),
        }


class TestHandingOver:
    def test_what_the_publisher_would_refuse_ends_before_it_begins_and_is_told(self):
        done = moves.invalid(STAGED, Validate(3, None, by_hand=False), answer("refused", **SAID), TERMS)
        assert left(STAGED, done) == {
            "phase": Phase.STEADY,
            "change": None,
            "retired": (Retired(3, NOW, handed_out=True),),
            "failures": 1,
            "failed_at": NOW,
            "trouble": (Trouble("change", NOW, "deploy.failed", "the org said no", "mend it", lasting=True),),
            "history": (entry(Outcome.REFUSED, "the org said no"),),
        }

    def test_an_intent_counts_one_more_deploy_and_two_are_as_many_as_more(self):
        first = moves.lease(STAGED, TERMS, NOW)
        assert left(STAGED, first) == {
            "phase": Phase.DEPLOYING,
            "busy_until": NOW + TERMS.lease,
            "change": replace(
                STAGED.change, asked=1, asked_at=NOW, ticket=None, deadline=NOW + TERMS.deploy_deadline
            ),
        }
        later = NOW + MINUTE
        third = moves.lease(
            moves.lease(replace(first, change=replace(first.change, ticket="0Af1")), TERMS, later),
            TERMS,
            later,
        )
        assert third.change == replace(first.change, asked=2, asked_at=later, ticket=None)

    def test_while_a_deploy_runs_its_id_is_kept(self):
        running = replace(DEPLOYING, phase=Phase.STAGED)
        done = moves.polling(running, DEPLOY, answer("pending", ticket="0Af2"), TERMS)
        assert left(running, done) == {
            "phase": Phase.DEPLOYING,
            "busy_until": None,
            "change": replace(DEPLOYING.change, ticket="0Af2"),
        }
        assert moves.polling(running, DEPLOY, answer("unknown"), TERMS).change == DEPLOYING.change

    def test_a_deploy_that_does_not_end_is_told_when_twice_its_time_is_over(self):
        over = NOW + MINUTE + TERMS.deploy_deadline
        told = {
            "does not end: finalizing": (
                moves.polling(DEPLOYING, POLL, answer("pending", at=over, message="finalizing"), TERMS),
                (
                    "See Setup, Deployment Status, in the org, and cancel it there. One that is finalizing, or was "
                    "cancelled in vain, ends by itself or by Salesforce Support."
                ),
            ),
            "cannot be followed: the org said no": (
                moves.unpolled(DEPLOYING, POLL, answer("failed", at=over, **SAID), TERMS),
                "mend it",
            ),
        }
        for what, (after, hint) in told.items():
            message = f"deploy 0Af1 of key pair 3 {what}"
            assert after.trouble == (
                Trouble("change", over, "deploy.unfinished", message, hint, lasting=True),
            )
        nameless = replace(DEPLOYING, change=replace(DEPLOYING.change, ticket=None))
        (said,) = moves.unpolled(nameless, POLL, answer("unknown", at=over, **SAID), TERMS).trouble
        assert said.message == "deploy  of key pair 3 cannot be followed: the org said no"
        early = over - MINUTE
        assert moves.unpolled(DEPLOYING, POLL, answer("failed", at=early, **SAID), TERMS) == DEPLOYING

    def test_what_was_surely_not_sent_does_not_count(self):
        assert left(DEPLOYING, moves.unsent(DEPLOYING, DEPLOY, answer("failed"), TERMS)) == {
            "phase": Phase.STAGED,
            "busy_until": None,
            "change": replace(STAGED.change),
        }

    def test_a_deploy_that_is_not_known_over_there_counts_and_its_deadline_stands(self):
        assert left(DEPLOYING, moves.vanished(DEPLOYING, POLL, answer("absent"), TERMS)) == {
            "phase": Phase.STAGED,
            "change": replace(DEPLOYING.change, ticket=None),
        }

    def test_a_refused_deploy_is_told_as_something_that_a_person_must_mend(self):
        done = moves.refused(DEPLOYING, DEPLOY, answer("refused", **SAID), TERMS)
        assert left(DEPLOYING, done) == {
            "phase": Phase.STEADY,
            "change": None,
            "busy_until": None,
            "retired": (Retired(3, NOW, handed_out=True),),
            "failures": 1,
            "failed_at": NOW,
            "trouble": (Trouble("change", NOW, "deploy.failed", "the org said no", "mend it", lasting=True),),
            "history": (entry(Outcome.REFUSED, "the org said no", deployed=True),),
        }

    def test_proving_begins_from_nothing(self):
        used = replace(PROVING, phase=Phase.DEPLOYING, change=replace(PROVING.change, ticket="0Af1"))
        assert left(used, moves.proving(used, POLL, answer("ok"), TERMS)) == {
            "phase": Phase.PROVING,
            "change": replace(
                used.change,
                ticket=None,
                deadline=NOW + TERMS.proving_deadline,
                proofs=0,
                proved=(),
                proved_at=None,
            ),
        }


class TestProving:
    def test_a_refusal_lets_the_proofs_begin_again(self):
        done = moves.reset(PROVING, Prove("ann", 3, 2), answer("refused"), TERMS)
        assert of_change(PROVING, done) == {"proofs": 0, "proved": (), "proved_at": None}

    def test_two_users_have_a_turn_each_until_half_of_the_time_is_over(self):
        two = terms(users=("ann", "bob"), proofs_needed=2)
        before = on_the_way(
            Phase.PROVING,
            asked=1,
            users=("ann", "bob"),
            proofs=1,
            proved=("ann",),
            proved_at=NOW,
            deadline=NOW + HOUR,
        )
        half = two.proving_deadline / 2
        late = moves.counted(before, Prove("ann", 3, 2), answer("ok", at=before.change.deadline - half), two)
        assert (late.phase, late.current) == (Phase.STEADY, 3)
        soon = before.change.deadline - half - MINUTE
        early = moves.counted(before, Prove("ann", 3, 2), answer("ok", at=soon), two)
        assert of_change(before, early) == {"proofs": 2, "proved_at": soon}


class TestLockedOut:
    def test_the_key_that_it_was_to_go_back_to_is_found(self):
        done = moves.found(OUT, PROBE, answer("ok", serial=2), TERMS)
        assert left(OUT, done) == {
            "phase": Phase.PROVING,
            "change": Change(
                2,
                3,
                Reason.RESTORE,
                ("ann",),
                NOW,
                asked=1,
                validated=True,
                deadline=NOW + TERMS.proving_deadline,
            ),
            "history": (entry(Outcome.LOCKED_OUT, deployed=True, target=2, reason=Reason.RESTORE),),
        }

    def test_another_key_is_found_and_the_target_waits_for_destruction(self):
        before = on_the_way(Phase.LOCKED_OUT, **ASKED_ONCE, reason=Reason.COMPROMISED, keys=LEAKED)
        done = moves.found(before, PROBE, answer("ok", serial=1), TERMS)
        assert left(before, done) == {
            "phase": Phase.PROVING,
            "change": Change(
                1,
                3,
                Reason.FOUND,
                ("ann",),
                NOW,
                asked=1,
                validated=True,
                deadline=NOW + TERMS.proving_deadline,
            ),
            "retired": (Retired(3, NOW, handed_out=True),),
            "history": (entry(Outcome.LOCKED_OUT, deployed=True, reason=Reason.COMPROMISED),),
        }

    def test_the_certificate_is_brought_in_again(self):
        assert left(OUT, moves.again(OUT, TERMS, NOW)) == {
            "phase": Phase.STAGED,
            "change": Change(2, 3, Reason.RESTORE, ("ann",), NOW, asked=1, validated=True),
            "history": (entry(Outcome.LOCKED_OUT, deployed=True, target=2, reason=Reason.RESTORE),),
        }

    def test_a_new_key_is_made_in_place_of_a_leaked_one_that_is_not_in_the_org(self):
        out = replace(OUT, keys=LEAKED)
        assert left(out, moves.again(out, TERMS, NOW)) == {
            "phase": Phase.CREATING,
            "newest": 4,
            "change": Change(4, 2, Reason.COMPROMISED, ("ann",), NOW),
            "history": (entry(Outcome.LOCKED_OUT, deployed=True, target=2, reason=Reason.RESTORE),),
        }

    def test_a_leaked_key_that_never_came_to_be_current_waits_for_its_destruction(self):
        out = replace(OUT, current=1, previous=None, keys=LEAKED)
        assert moves.again(out, TERMS, NOW).retired[-1] == Retired(2, NOW, handed_out=True)

    def test_a_current_key_that_is_lost_is_to_be_brought_back(self):
        before = steady(busy_until=NOW)
        assert left(before, moves.lose(before, TERMS, NOW)) == {
            "phase": Phase.LOCKED_OUT,
            "change": Change(2, 1, Reason.RESTORE, ("ann",), NOW, validated=True),
            "busy_until": None,
            "failures": 1,
            "failed_at": NOW,
        }

    def test_mistakes_of_an_adapter_name_what_is_missing(self):
        for move, action, message in (
            (moves.staged, CreateKey(3), r"^an answer to CreateKey tells of the key$"),
            (moves.found, PROBE, r"^an answer to Probe tells which key was taken$"),
        ):
            with pytest.raises(ValueError, match=message):
                move(OUT, action, answer("ok"), TERMS)
        with pytest.raises(ValueError, match=r"^only a current key can be lost$"):
            moves.lose(Record(), TERMS, NOW)


class TestUpkeep:
    def test_a_revoked_session_is_told_as_dead_and_owed_no_more(self):
        before = steady(revoke=("ann", "bob"))
        message = "the session of ann was revoked, because the key behind it leaked"
        assert left(before, upkeep.revoked(before, Revoke("ann", (2,)), answer("ok"), TERMS)) == {
            "revoke": ("bob",),
            "trouble": (Trouble("token:ann", NOW, "session.dead", message),),
        }

    @pytest.mark.parametrize("lasting", [True, False])
    def test_a_key_that_cannot_be_destroyed_is_told_when_a_person_must_mend_it(self, lasting):
        before = steady(shredding=1)
        said = answer("failed", lasting=lasting, **SAID)
        told = Trouble("key:1", NOW, "deploy.failed", "the org said no", "mend it", lasting=True)
        expected = {"trouble": (told,)} if lasting else {}
        assert left(before, upkeep.unshredded(before, Destroy(1), said, TERMS)) == expected

    @pytest.mark.parametrize("code", ["credential.locked_out", "credential.none_tried"])
    def test_once_the_current_key_signs_again_nobody_is_locked_out(self, code):
        out = steady(doubts=3, trouble=(trouble("change", code, lasting=True),))
        minted = upkeep.token_published(out, Mint("ann", (2,)), answer("ok", serial=2), TERMS)
        assert left(out, minted) == {"doubts": 0, "trouble": ()}
        by_another = upkeep.token_published(out, Mint("ann", (2, 1)), answer("ok", serial=1), TERMS)
        assert by_another.trouble == out.trouble
        on_the_way = replace(out, phase=Phase.PROVING, change=Change(2, 1, Reason.RESTORE, ("ann",), NOW))
        after = upkeep.token_published(on_the_way, Mint("ann", (2,)), answer("ok", serial=2), TERMS)
        assert after.trouble == out.trouble

    def test_what_else_troubles_a_change_is_not_over_by_a_token(self):
        refused = steady(trouble=(trouble("change", "deploy.failed", lasting=True),))
        after = upkeep.token_published(refused, Mint("ann", (2,)), answer("ok", serial=2), TERMS)
        assert after.trouble == refused.trouble

    def test_a_token_that_is_not_proved_is_told_since_when(self):
        expired = NOW - MINUTE
        message = "the published token of ann is not proved beyond 2026-03-01T11:59:00Z"
        assert left(steady(), upkeep.unproven(steady(), "ann", expired)) == {
            "trouble": (Trouble("token:ann", expired, "token.unproven", message),)
        }

    def test_nothing_is_owed_to_a_user_who_is_forgotten(self):
        before = steady(
            revoke=("ann", "bob"), trouble=tuple(map(trouble, ("token:ann", "mint:ann", "mint:bob")))
        )
        assert left(before, upkeep.forget(before, "ann")) == {
            "revoke": ("bob",),
            "trouble": (trouble("mint:bob"),),
        }

    def test_only_the_retired_key_that_was_refused_is_cleared(self):
        old, older = Retired(1, BEGAN, handed_out=True), Retired(7, BEGAN, handed_out=True)
        before = steady(previous=None, retired=(old, older), trouble=tuple(map(trouble, ("key:7", "key:1"))))
        assert left(before, upkeep.cleared(before, Prove("ann", 2, 7, clears=True), answer("ok"), TERMS)) == {
            "retired": (old, replace(older, cleared_at=NOW)),
            "trouble": (trouble("key:1"),),
        }


@pytest.mark.parametrize(
    ("ask", "record", "reason", "target", "rival"),
    [
        (Ask.INIT, Record(), Reason.INIT, 1, None),
        (Ask.ADOPT, Record(), Reason.ADOPT, 1, None),
        (Ask.ROTATE, steady(), Reason.ROTATION, 3, 2),
        (Ask.COMPROMISED, steady(), Reason.COMPROMISED, 3, 2),
        (Ask.REHEARSE, steady(), Reason.REHEARSAL, 2, 1),
        (Ask.ROLLBACK, steady(), Reason.ROLLBACK, 1, 2),
    ],
)
def test_a_change_that_an_operator_asks_for_begins_when_it_is_taken(ask, record, reason, target, rival):
    taken = consider(snapshot(record, request=request(ask, record.newest)), NOW)
    assert taken.intent.change == Change(target, rival, reason, ("ann",), NOW)


def test_a_previous_key_whose_certificate_ends_now_is_nothing_to_go_back_to():
    record = steady(keys=(replace(key(1), not_after=NOW), key(2)))
    taken = consider(snapshot(record, request=request(Ask.ROLLBACK)), NOW)
    assert taken.intent.answered.accepted is False
    assert "ended on 2026-03-01" in taken.reason
