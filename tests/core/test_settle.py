"""What follows for the record from each answer to each action."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.core.effects import (
    CreateKey,
    Deploy,
    Destroy,
    Kind,
    Mint,
    Poll,
    Probe,
    Prove,
    Revoke,
    Touch,
    Validate,
)
from rotator.core.machine import settle
from rotator.core.model import (
    Entry,
    Identity,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Rehearsed,
    Retired,
)
from rotator.core.outcome import Outcome
from tests.core.given import DAY, HOUR, MINUTE, NOW, TERMS, answer, changing, key, steady, terms, trouble

MINT, TOUCH = Mint("ann", (2,)), Touch("ann")
DEPLOY, POLL = Deploy(3, by_hand=False), Poll(3, "t", NOW, cancel=False)
VALIDATE, PROVE = Validate(3, None, by_hand=False), Prove("ann", 3, 2)
PROBE = Probe(("ann",), (3, 2, 1))
STAGED = changing(Phase.STAGED, validated=True)
DEPLOYING = changing(Phase.DEPLOYING, asked=1, asked_at=NOW, deadline=NOW + HOUR, busy_until=NOW + MINUTE)
LOST = replace(DEPLOYING, change=replace(DEPLOYING.change, asked=2))
PROVING = changing(Phase.PROVING, asked=1)
OUT = changing(Phase.LOCKED_OUT, asked=1, reason=Reason.RESTORE, target=2, rival=3)
FIRST = changing(Phase.PROVING, reason=Reason.INIT, current=None, previous=None, asked=1)
LEAKED = (key(1), key(2, leaked=True), key(3))
SAD = {"code": "deploy.failed", "message": "the org said no", "hint": "mend it"}


def after(record, action, kind, own=TERMS, **more):
    return settle(record, action, answer(kind, **more), own)


def last(record):
    return record.history[-1]


def subjects(record):
    return [one.subject for one in record.trouble]


@pytest.mark.parametrize(
    "action", [MINT, TOUCH, DEPLOY, POLL, VALIDATE, PROVE, CreateKey(3), Destroy(1), PROBE]
)
@pytest.mark.parametrize("record", [steady(), STAGED, DEPLOYING, PROVING, OUT, Record()])
def test_an_answer_that_says_nothing_changes_nothing(record, action):
    same = after(record, action, "unknown")
    if (record, action) == (DEPLOYING, DEPLOY):
        assert same == replace(record, busy_until=None)
    else:
        assert same == record


class TestKeys:
    MAKING = changing(Phase.CREATING, keys=(key(1), key(2)))

    def test_a_key_that_was_made_is_staged(self):
        done = after(self.MAKING, CreateKey(3), "ok", key=key(3))
        assert (done.phase, done.key(3)) == (Phase.STAGED, key(3))

    def test_an_adopted_key_only_wants_proofs(self):
        adopting = replace(self.MAKING, change=replace(self.MAKING.change, reason=Reason.ADOPT))
        assert after(adopting, CreateKey(3, adopt=True), "ok", key=key(3)).phase is Phase.PROVING

    @pytest.mark.parametrize("kind", ["refused", "absent"])
    def test_a_key_that_cannot_be_made_ends_the_change_and_delays_the_next(self, kind):
        done = after(self.MAKING, CreateKey(3), kind, message="wrong passphrase")
        assert (done.phase, done.change, done.failures) == (Phase.STEADY, None, 1)
        assert (last(done).outcome, last(done).message) == (Outcome.REFUSED, "wrong passphrase")
        assert done.retired == (Retired(3, NOW, handed_out=False),)

    def test_an_answer_without_the_key_is_a_mistake_of_the_adapter(self):
        with pytest.raises(ValueError, match="tells of the key"):
            after(self.MAKING, CreateKey(3), "ok")

    def test_a_destroyed_key_is_off_the_record(self):
        record = steady(
            retired=(Retired(1, NOW, handed_out=True),),
            shredding=1,
            previous=None,
            trouble=(trouble("key:1"),),
        )
        done = after(record, Destroy(1), "ok")
        assert (done.retired, done.shredding, done.key(1), done.trouble) == ((), None, None, ())

    def test_a_retired_key_that_is_refused_is_cleared(self):
        record = steady(retired=(Retired(7, NOW, handed_out=True), Retired(1, NOW, handed_out=True)))
        done = after(record, Prove("ann", 2, 1, clears=True), "ok")
        assert [one.cleared_at for one in done.retired] == [None, NOW]

    def test_a_retired_key_that_is_taken_is_told(self):
        record = steady(retired=(Retired(1, NOW, handed_out=True),))
        taken = after(record, Prove("ann", 2, 1, clears=True), "refused", code="proof.rival_taken")
        assert subjects(taken) == ["key:1"]

    def test_a_clearance_in_which_the_current_key_is_refused_says_nothing_of_the_retired_one(self):
        record = steady(retired=(Retired(1, NOW, handed_out=True),))
        assert after(record, Prove("ann", 2, 1, clears=True), "refused", code="key.refused") == record

    def test_a_key_that_a_person_must_let_be_destroyed_is_told_and_stays_on_record(self):
        record = steady(retired=(Retired(1, NOW, handed_out=True),), shredding=1)
        assert after(record, Destroy(1), "failed") == record
        told = after(record, Destroy(1), "failed", code="vault.denied", lasting=True)
        assert (subjects(told), told.shredding) == (["key:1"], 1)

    def test_a_clearance_that_failed_clears_nothing_and_tells_of_a_user_whom_a_person_must_mend(self):
        record = steady(retired=(Retired(1, NOW, handed_out=True),))
        assert after(record, Prove("ann", 2, 1, clears=True), "failed") == record
        frozen = after(record, Prove("ann", 2, 1, clears=True), "failed", code="user.frozen", lasting=True)
        assert (subjects(frozen), frozen.retired) == (["mint:ann"], record.retired)


class TestDeploy:
    def test_validation_goes_on_until_it_ends(self):
        asked = after(changing(Phase.STAGED), VALIDATE, "pending", ticket="v")
        assert asked.change.ticket == "v"
        forgotten = after(asked, VALIDATE, "absent")
        assert (forgotten.change.validated, forgotten.change.ticket) == (False, None)
        done = after(asked, VALIDATE, "ok")
        assert (done.change.validated, done.change.ticket) == (True, None)

    def test_a_validation_that_is_refused_ends_the_change_and_is_told(self):
        done = after(changing(Phase.STAGED), VALIDATE, "refused", **SAD)
        assert (done.phase, last(done).outcome, done.failures) == (Phase.STEADY, Outcome.REFUSED, 1)
        assert done.trouble[0].lasting
        assert done.retired == (Retired(3, NOW, handed_out=True),), "people may deploy what was validated"

    @pytest.mark.parametrize("kind", ["pending", "unknown"])
    def test_a_deploy_that_was_taken_or_may_have_been_is_followed(self, kind):
        done = after(DEPLOYING, DEPLOY, kind, ticket="0Af")
        assert (done.phase, done.change.ticket, done.busy_until) == (Phase.DEPLOYING, "0Af", None)
        assert after(done, POLL, "pending").change.ticket == "0Af"

    @pytest.mark.parametrize("action", [DEPLOY, POLL])
    def test_a_deploy_that_is_done_is_proved(self, action):
        done = after(DEPLOYING, action, "ok")
        assert (done.phase, done.change.deadline, done.busy_until) == (Phase.PROVING, NOW + 30 * MINUTE, None)

    def test_a_person_gets_two_weeks(self):
        assert after(DEPLOYING, DEPLOY, "ok", terms(by_hand=True)).change.deadline == NOW + 14 * DAY

    def test_a_deploy_that_was_surely_not_sent_does_not_count(self):
        done = after(DEPLOYING, DEPLOY, "failed")
        assert (done.phase, done.change.asked, done.change.deadline) == (Phase.STAGED, 0, None)

    def test_but_one_that_was_lost_before_it_does(self):
        done = after(LOST, DEPLOY, "failed")
        assert (done.phase, done.change.asked, done.change.deadline) == (Phase.STAGED, 2, NOW + HOUR)

    def test_a_deploy_that_nobody_knows_of_counts_and_keeps_its_deadline(self):
        done = after(DEPLOYING, POLL, "absent")
        assert (done.phase, done.change.asked, done.change.deadline) == (Phase.STAGED, 1, NOW + HOUR)

    @pytest.mark.parametrize("action", [DEPLOY, POLL])
    def test_the_only_deploy_refused_leaves_the_org_as_it_was(self, action):
        done = after(DEPLOYING, action, "refused", **SAD)
        assert (done.phase, done.change, done.current, done.failures) == (Phase.STEADY, None, 2, 1)
        assert last(done) == Entry(
            3, Reason.ROTATION, Outcome.REFUSED, NOW - MINUTE, NOW, True, "the org said no"
        )
        assert done.trouble[0].hint == "mend it"

    def test_a_refusal_after_a_lost_deploy_brings_the_current_certificate_back(self):
        done = after(LOST, POLL, "refused", **SAD)
        assert (done.phase, done.change.target, done.change.reason) == (Phase.STAGED, 2, Reason.RESTORE)
        assert (done.change.rival, done.change.validated, done.failures) == (3, True, 1)

    def test_one_that_was_cancelled_for_an_operator_is_no_trouble(self):
        wish = replace(DEPLOYING, change=replace(DEPLOYING.change, aborted=True))
        done = after(wish, POLL, "refused", **SAD)
        assert (last(done).outcome, done.trouble) == (Outcome.ABORTED, ())

    def test_and_ends_what_was_in_its_way(self):
        change = replace(DEPLOYING.change, aborted=True)
        wish = replace(
            DEPLOYING, change=change, trouble=(trouble("change", "deploy.unfinished", lasting=True),)
        )
        assert after(wish, POLL, "refused", **SAD).trouble == ()

    def test_a_refused_restore_puts_the_current_key_to_the_proof(self):
        back = replace(DEPLOYING, change=replace(DEPLOYING.change, reason=Reason.RESTORE, target=2))
        assert after(back, POLL, "refused", **SAD).phase is Phase.PROVING

    def test_a_deploy_that_does_not_end_is_told_once(self):
        late = replace(DEPLOYING, change=replace(DEPLOYING.change, deadline=NOW - 15 * MINUTE))
        told = after(late, POLL, "pending", message="it is InProgress")
        assert (told.phase, told.trouble[0].code) == (Phase.DEPLOYING, "deploy.unfinished")
        assert told.trouble[0].message.endswith("does not end: it is InProgress")
        assert after(told, POLL, "pending", at=NOW + MINUTE) == told

    def test_without_a_deadline_there_is_nothing_to_be_late_for(self):
        assert (
            after(
                replace(DEPLOYING, change=replace(DEPLOYING.change, deadline=None)), POLL, "pending"
            ).trouble
            == ()
        )

    def test_what_a_person_must_mend_is_on_record_until_it_works(self):
        told = after(STAGED, DEPLOY, "failed", lasting=True, **SAD)
        assert subjects(told) == ["change"]
        assert after(replace(told, phase=Phase.DEPLOYING), POLL, "ok").trouble == ()


class TestProofs:
    def test_are_counted_until_they_are_enough(self):
        done = after(PROVING, PROVE, "ok")
        assert (done.change.proofs, done.change.proved_at, done.current) == (1, NOW, 2)

    def test_begin_anew_after_one_refusal(self):
        record = changing(Phase.PROVING, asked=1, proofs=4, proved_at=NOW)
        done = after(record, PROVE, "refused", **SAD)
        assert (done.change.proofs, done.change.proved_at, done.trouble) == (0, None, ())

    def test_a_first_key_that_is_refused_for_long_is_told(self):
        stuck = replace(FIRST, change=replace(FIRST.change, began=NOW - HOUR))
        assert subjects(after(stuck, PROVE, "refused", **SAD)) == ["change"]

    def test_a_user_who_cannot_prove_is_told_and_passed_over(self):
        assert subjects(after(PROVING, PROVE, "failed", lasting=True, **SAD)) == ["mint:ann"]
        assert after(PROVING, PROVE, "failed", **SAD) == PROVING
        first = replace(FIRST, change=replace(FIRST.change, began=NOW - HOUR))
        for record in (first, changing(Phase.PROVING, asked=1, asked_at=NOW - HOUR)):
            passing = after(record, PROVE, "failed", lasting=True, passing=True, **SAD)
            assert subjects(passing) == ["mint:ann"]

    def promoted(self, **more):
        record = changing(Phase.PROVING, proofs=4, **{"asked": 1, "asked_at": NOW, **more})
        return after(record, Prove("ann", record.change.target, record.change.rival), "ok")

    def test_the_last_one_promotes_the_target(self):
        done = self.promoted(trouble=(trouble("change"),), failures=2, failed_at=NOW, doubts=1)
        assert (done.phase, done.current, done.previous, done.change) == (Phase.STEADY, 3, 2, None)
        assert done.retired == (Retired(1, NOW, handed_out=True),)
        assert (done.promoted_at, done.failures, done.doubts, done.trouble) == (NOW, 0, 0, ())
        assert (last(done).outcome, last(done).deployed) == (Outcome.PROMOTED, True)

    def test_the_first_key_of_all_has_nothing_to_replace(self):
        done = self.promoted(reason=Reason.INIT, current=None, previous=None, rival=None)
        assert (done.current, done.previous, done.retired) == (3, None, ())

    def test_a_restore_keeps_the_current_key_and_the_count_of_failures(self):
        done = self.promoted(target=2, rival=3, reason=Reason.RESTORE, failures=1, failed_at=NOW)
        assert (done.current, done.previous, done.failures, last(done).outcome) == (2, 1, 1, Outcome.RESTORED)

    def test_a_rollback_makes_the_next_rotation_wait(self):
        done = self.promoted(target=1, rival=2, reason=Reason.ROLLBACK)
        assert (done.current, done.previous, done.failures, done.failed_at) == (1, 2, 1, NOW)

    def test_a_key_that_was_found_is_taken_back_from_the_retired(self):
        waiting = (Retired(3, NOW, handed_out=True), Retired(7, NOW, handed_out=True))
        done = self.promoted(reason=Reason.FOUND, retired=waiting, failures=1, failed_at=NOW)
        assert (done.current, [one.serial for one in done.retired]) == (3, [7, 1])
        assert (done.failures, last(done).outcome, last(done).deployed) == (1, Outcome.FOUND, False)

    @pytest.mark.parametrize("died", [False, True])
    def test_a_rehearsal_tells_what_became_of_the_sessions(self, died):
        done = self.promoted(target=2, rival=1, reason=Reason.REHEARSAL, sessions_died=died)
        assert (done.rehearsed, last(done).outcome) == (
            Rehearsed(NOW, sessions_survived=not died),
            "rehearsed",
        )

    def test_a_leaked_key_is_not_kept_to_go_back_to_and_its_sessions_go(self):
        done = self.promoted(reason=Reason.COMPROMISED, keys=LEAKED)
        assert (done.previous, done.revoke) == (None, ("ann",))
        assert [one.serial for one in done.retired] == [1, 2]


class TestLockedOut:
    def test_the_serial_of_a_key_that_is_lost_is_not_given_again(self):
        assert after(OUT, PROBE, Kind.REFUSED, lost=7).newest == 7
        assert after(OUT, PROBE, Kind.REFUSED, lost=1).newest == OUT.newest

    def test_a_key_that_is_found_is_proved(self):
        done = after(OUT, PROBE, "ok", serial=2)
        assert (done.phase, done.change.target, done.change.reason) == (Phase.PROVING, 2, Reason.RESTORE)
        assert (done.change.rival, done.change.asked) == (3, 1)

    def test_another_key_than_was_wanted_is_taken_as_found(self):
        done = after(OUT, PROBE, "ok", serial=1)
        assert (done.change.target, done.change.rival, done.change.reason) == (1, 2, Reason.FOUND)
        assert last(done).outcome is Outcome.LOCKED_OUT

    def test_a_key_that_is_lost_again_waits_for_its_destruction_no_longer_than_before(self):
        since = (Retired(3, NOW - DAY, handed_out=True),)
        lost = changing(Phase.LOCKED_OUT, asked=1, reason=Reason.FOUND, rival=2, retired=since)
        assert after(lost, PROBE, "ok", serial=2).retired == since

    def test_an_answer_without_the_key_is_a_mistake_of_the_adapter(self):
        with pytest.raises(ValueError, match="which key was taken"):
            after(OUT, PROBE, "ok")

    def test_that_none_is_taken_is_told(self):
        assert after(OUT, PROBE, "refused", **SAD).trouble[0].lasting


class TestTokens:
    def test_a_new_token_heals_what_was_told_of_the_old(self):
        sad = steady(trouble=(trouble("token:ann"), trouble("mint:ann"), trouble("token:bob")), doubts=2)
        done = after(sad, MINT, "ok", serial=2)
        assert (subjects(done), done.doubts) == (["token:bob"], 0)

    def test_a_token_by_the_previous_key_leaves_the_doubts(self):
        assert after(steady(doubts=2), MINT, "ok", serial=1).doubts == 2

    def test_a_revoked_session_is_done_with(self):
        done = after(steady(revoke=("ann", "bob")), Revoke("ann", (2,)), "ok")
        assert (done.revoke, done.trouble[0].code) == (("bob",), "session.dead")

    def test_refusals_in_steady_are_doubts_that_saturate(self):
        done = after(steady(), MINT, "refused", **SAD)
        assert (done.doubts, done.trouble[0].code) == (1, "key.refused")
        assert after(steady(doubts=9), MINT, "refused").doubts == 9
        assert after(PROVING, MINT, "refused").doubts == 0

    @pytest.mark.parametrize("phase", [Phase.CREATING, Phase.STAGED])
    def test_refusals_are_doubts_also_before_anything_was_handed_over(self, phase):
        assert after(changing(phase), MINT, "refused").doubts == 1
        assert after(changing(phase, asked=1), MINT, "refused").doubts == 0
        assert after(changing(phase, reason=Reason.RESTORE), MINT, "refused").doubts == 0

    @pytest.mark.parametrize(("action", "subject"), [(MINT, "mint:ann"), (TOUCH, "token:ann")])
    def test_only_what_a_person_must_mend_is_told(self, action, subject):
        assert after(steady(), action, "failed", **SAD) == steady()
        assert subjects(after(steady(), action, "failed", lasting=True, **SAD)) == [subject]

    @pytest.mark.parametrize(
        "record", [steady(promoted_at=NOW - MINUTE), changing(Phase.PROVING, asked_at=NOW)]
    )
    def test_what_may_pass_by_itself_is_told_once_the_app_has_not_changed_for_a_while(self, record):
        said = {"lasting": True, "passing": True, **SAD}
        assert after(record, MINT, "failed", **said) == record
        later = NOW + HOUR / 4
        assert subjects(after(record, MINT, "failed", at=later, **said)) == ["mint:ann"]
        assert subjects(after(steady(), MINT, "failed", **said)) == ["mint:ann"]

    def test_a_token_that_works_again_is_healed(self):
        assert after(steady(trouble=(trouble("token:ann"),)), TOUCH, "ok").trouble == ()

    def test_a_session_that_died_is_on_record_with_the_change_that_may_have_killed_it(self):
        assert after(steady(), TOUCH, "refused", **SAD).trouble[0].code == "session.dead"
        assert after(PROVING, TOUCH, "refused", **SAD).change.sessions_died
        assert not after(STAGED, TOUCH, "refused", **SAD).change.sessions_died

    def test_a_session_that_may_have_run_out_by_itself_was_not_killed_by_the_change(self):
        unproven = replace(PROVING, trouble=(trouble("token:ann", "token.unproven"),))
        assert not after(unproven, TOUCH, "refused", **SAD).change.sessions_died

    def test_a_trouble_that_goes_on_keeps_the_time_it_began(self):
        sad = steady(trouble=(trouble("token:ann", "session.dead"),))
        assert after(sad, TOUCH, "refused", **SAD) == sad
        other = after(sad, TOUCH, "failed", lasting=True, **SAD)
        assert (other.trouble[0].since, other.trouble[0].code) == (NOW - HOUR, "deploy.failed")


class TestIdentity:
    OURS = Identity("00D1", "3MVG", "app", ("ann",))

    def test_is_bound_by_the_first_that_tells_of_it(self):
        assert after(PROVING, PROVE, "ok", identity=self.OURS).identity == self.OURS

    def test_stays_bound(self):
        bound = steady(identity=self.OURS)
        assert after(bound, MINT, "ok", serial=2, identity=replace(self.OURS, org_id="00D2")) == bound

    @pytest.mark.parametrize("action", [MINT, TOUCH, POLL, PROVE, PROBE])
    def test_another_one_holds_the_credential_and_changes_nothing_else(self, action):
        done = after(PROVING, action, "mismatch", message="org 00D2, not 00D1")
        assert done == replace(PROVING, paused=Pause(PauseKind.IDENTITY, NOW, "org 00D2, not 00D1"))
        assert after(done, action, "mismatch", message="again") == done

    def test_a_deploy_was_not_sent_to_it(self):
        done = after(DEPLOYING, DEPLOY, "mismatch")
        assert (done.phase, done.change.asked, done.busy_until) == (Phase.STAGED, 0, None)


def test_the_history_keeps_the_last_fifty_changes():
    old = Entry(1, Reason.ROTATION, Outcome.PROMOTED, NOW, NOW, deployed=True)
    done = after(replace(DEPLOYING, history=(old,) * 50), POLL, "refused", **SAD)
    assert (len(done.history), last(done).outcome) == (50, Outcome.REFUSED)


def test_failures_in_a_row_saturate():
    assert after(replace(DEPLOYING, failures=6), POLL, "refused", **SAD).failures == 6


def test_every_kind_of_answer_is_one_of_seven():
    assert len(Kind) == 7
