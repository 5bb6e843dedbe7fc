"""What is done next, or what is waited for and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.core import moves
from rotator.core.effects import (
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Do,
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
from rotator.core.machine import decide
from rotator.core.model import (
    Answered,
    Ask,
    Entry,
    Fleet,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Rehearsed,
    Retired,
    Window,
)
from rotator.core.outcome import Outcome
from tests.core.given import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    changing,
    key,
    request,
    snapshot,
    steady,
    terms,
    token,
    trouble,
)

LATER = NOW + MINUTE
DUE = steady(keys=(key(1), key(2, ends_in=20 * DAY)))
URGENT = steady(keys=(key(1), key(2, ends_in=5 * DAY)))
HELD = Pause(PauseKind.OPERATOR, NOW, "by ann")
STRANGE = Pause(PauseKind.IDENTITY, NOW, "another org")
DUAL = terms(users=("ann", "bob"))
BOTH = (token("ann"), token("bob", verified_at=NOW - MINUTE))
QUIET = {"terms": terms(users=()), "tokens": ()}
OLD = Retired(1, NOW - 40 * DAY, handed_out=True)


def does(record, **more):
    decision = decide(snapshot(record, **more), NOW)
    assert isinstance(decision, Do), decision
    return decision


def waits(record, **more):
    decision = decide(snapshot(record, **more), NOW)
    assert isinstance(decision, Wait), decision
    return decision


class TestOrder:
    """Requests first, then tokens, then the change, then what is left over."""

    def test_a_request_goes_before_a_dead_token(self):
        record = replace(DUE, trouble=(trouble("token:ann"),))
        assert "request to pause" in does(record, request=request(Ask.PAUSE)).reason

    def test_a_dead_token_goes_before_a_change(self):
        assert does(replace(DUE, trouble=(trouble("token:ann"),))).action == Mint("ann", (2,))

    def test_a_change_goes_before_a_retired_key(self):
        record = replace(DUE, retired=(Retired(7, NOW, handed_out=False),))
        assert does(record).intent.phase is Phase.CREATING

    def test_while_a_deploy_is_sent_only_tokens_are_looked_after(self):
        busy = changing(Phase.DEPLOYING, asked=1, busy_until=LATER)
        assert waits(busy, request=request(Ask.ABORT, 3)) == Wait(LATER, "a deploy is being sent")
        assert does(busy, tokens=(token(verified_at=NOW - HOUR),)).action == Touch("ann")

    def test_a_lease_that_is_over_binds_nobody(self):
        assert isinstance(does(changing(Phase.DEPLOYING, asked=1, busy_until=NOW)).action, Poll)

    def test_in_an_org_that_is_not_ours_only_tokens_are_looked_after(self):
        record = replace(DUE, paused=STRANGE)
        assert waits(record, **QUIET) == Wait(None, "paused: another org")
        assert does(record, tokens=()).action == Mint("ann", (2,))
        assert waits(changing(Phase.STAGED, validated=True, paused=STRANGE), **QUIET).until is None

    def test_without_a_key_pair_an_operator_is_waited_for(self):
        wait = waits(Record(), tokens=())
        assert wait == Wait(None, "no key pair yet: rotator init acme, or rotator adopt acme")

    def test_the_wait_that_ends_first_is_the_one_that_is_told(self):
        wait = waits(steady())
        assert wait == Wait(NOW + 10 * MINUTE, "the token of ann works")


class TestTokens:
    def test_a_missing_token_is_minted(self):
        assert does(steady(), tokens=()).reason == "there is no token for ann yet"

    def test_the_token_that_is_proved_the_least_far_comes_first(self):
        soon, late = token("bob", expires_at=NOW - HOUR), token("ann", expires_at=NOW - MINUTE)
        record = steady(trouble=(trouble("token:ann"), trouble("token:bob")))
        assert does(record, terms=DUAL, tokens=(late, soon)).action == Mint("bob", (2,))

    def test_a_token_is_refreshed_when_its_time_has_come(self):
        assert does(steady(), tokens=(token(refresh_after=NOW),)).action == Mint("ann", (2,))

    def test_once_vault_was_restored_a_token_is_minted_to_see_whether_the_key_is_still_taken(self):
        assert does(steady(), unreconciled=frozenset({"ann"})).action == Mint("ann", (2,))
        waits(steady(), unreconciled=frozenset({"bob"}))

    def test_a_token_that_ran_out_is_told_and_minted(self):
        ran_out = (token(expires_at=NOW),)
        first = does(steady(), tokens=ran_out)
        assert (first.action, first.intent.trouble[0].code) == (Nothing(), "token.unproven")
        assert does(first.intent, tokens=ran_out).action == Mint("ann", (2,))

    def test_while_the_record_cannot_be_written_a_token_that_ran_out_is_minted_untold(self):
        ran_out = does(steady(), tokens=(token(expires_at=NOW),), held={"nothing": NOW + MINUTE})
        assert ran_out.action == Mint("ann", (2,))

    def test_the_token_of_a_user_who_is_gone_is_nobodys(self):
        assert waits(steady(), tokens=(token(), token("bob", expires_at=NOW - HOUR))).until > NOW

    def test_a_token_is_called_when_it_was_not_for_long(self):
        assert does(steady(), tokens=(token(verified_at=NOW - 10 * MINUTE),)).action == Touch("ann")

    def test_after_a_deploy_each_token_is_called_at_once_for_the_swap_may_have_ended_its_session(self):
        asked = changing(Phase.PROVING, asked=1, asked_at=NOW - 3 * MINUTE, validated=True)
        record = moves.to_proving(asked, NOW - MINUTE, terms())
        assert does(record, tokens=(token(verified_at=NOW - 2 * MINUTE),)).action == Touch("ann")
        assert isinstance(does(record, tokens=(token(verified_at=NOW - MINUTE),)).action, Prove)

    def test_where_nothing_was_deployed_no_session_is_doubted(self):
        kept = moves.to_proving(changing(Phase.STAGED), NOW, terms())
        assert isinstance(does(kept, tokens=(token(verified_at=NOW - MINUTE),)).action, Prove)

    def test_a_deploy_of_before_the_clock_was_set_back_lets_no_token_be_called_without_end(self):
        asked = changing(Phase.PROVING, asked=1, asked_at=NOW + HOUR, validated=True)
        record = moves.to_proving(asked, NOW + HOUR, terms())
        assert isinstance(does(record, tokens=(token(verified_at=NOW),)).action, Prove)

    def test_what_was_proved_before_the_clock_was_set_back_is_proved_again_at_once(self):
        """By the clock it will be 13:00 before the call of 13:00 is an hour old, and the session does not live so long."""
        before = token(verified_at=NOW + HOUR, refresh_after=NOW + 25 * MINUTE)
        assert does(steady(), tokens=(before,)).action == Touch("ann")

    def test_what_was_minted_before_the_clock_was_set_back_is_minted_again_at_once(self):
        assert does(steady(), tokens=(token(refresh_after=NOW + 2 * HOUR),)).action == Mint("ann", (2,))

    def test_another_daemon_whose_clock_is_a_little_ahead_is_believed(self):
        ahead = token(verified_at=NOW + MINUTE, refresh_after=NOW + 31 * MINUTE)
        assert waits(steady(), tokens=(ahead,)).until == NOW + 11 * MINUTE

    def test_a_token_that_is_known_to_be_dead_is_not_called(self):
        record = steady(trouble=(trouble("token:ann", "session.dead"),))
        held = {"mint:ann": LATER}
        wait = waits(record, tokens=(token(verified_at=NOW - HOUR),), held=held)
        assert wait == Wait(LATER, "the published token of ann does not work; tried a moment ago")

    def test_what_was_tried_just_now_waits_and_lets_others_go_first(self):
        stale = (token(verified_at=NOW - HOUR), token("bob", verified_at=NOW - HOUR))
        assert does(steady(), terms=DUAL, tokens=stale, held={"touch:ann": LATER}).action == Touch("bob")

    def test_for_a_while_after_a_promotion_the_previous_key_is_tried_as_well(self):
        assert does(steady(promoted_at=NOW - MINUTE), tokens=()).action == Mint("ann", (2, 1))
        assert does(steady(promoted_at=NOW - HOUR), tokens=()).action == Mint("ann", (2,))
        alone = steady(promoted_at=NOW - MINUTE, previous=None)
        assert does(alone, tokens=()).action == Mint("ann", (2,))

    def test_for_a_while_after_a_restore_the_key_that_was_given_up_is_tried_as_well(self):
        given_up = Retired(3, NOW - 11 * MINUTE, handed_out=True)
        keys = (key(1), key(2), key(3))
        kept = {"newest": 3, "keys": keys, "retired": (given_up,), "failed_at": given_up.since}
        assert does(steady(promoted_at=NOW - MINUTE, **kept), tokens=()).action == Mint("ann", (2, 1, 3))
        assert does(steady(promoted_at=NOW - HOUR, **kept), tokens=()).action == Mint("ann", (2,))
        two = kept | {
            "keys": (*keys, key(4)),
            "retired": (given_up, Retired(4, NOW - 5 * MINUTE, handed_out=True)),
        }
        assert does(steady(promoted_at=NOW - MINUTE, **two), tokens=()).action == Mint("ann", (2, 1, 4))
        never_sent = kept | {"retired": (replace(given_up, handed_out=False),)}
        assert does(steady(promoted_at=NOW - MINUTE, **never_sent), tokens=()).action == Mint("ann", (2, 1))

    def test_before_the_deploy_the_current_key_alone_signs(self):
        assert does(changing(Phase.STAGED, promoted_at=NOW - MINUTE), tokens=()).action == Mint("ann", (2,))

    def test_while_the_org_may_hold_either_certificate_both_keys_sign(self):
        assert does(changing(Phase.PROVING, asked=1), tokens=()).action == Mint("ann", (3, 2))

    def test_a_leaked_key_signs_no_more_once_another_may_be_in_the_org(self):
        leaked = (key(1), key(2, leaked=True), key(3))
        assert does(changing(Phase.PROVING, asked=1, keys=leaked), tokens=()).action == Mint("ann", (3,))

    def test_locked_out_no_key_signs_for_consumers(self):
        assert isinstance(
            does(changing(Phase.LOCKED_OUT, failed_at=NOW, failures=1), tokens=()).action, Probe
        )

    def test_in_a_change_a_live_session_is_kept_and_not_replaced(self):
        wait = waits(changing(Phase.PROVING, asked=1, proved_at=NOW), tokens=(token(refresh_after=NOW),))
        assert wait.reason == "proofs are spread over time"

    def test_a_token_that_cannot_be_prolonged_is_refreshed_in_a_change_as_well(self):
        jwt = token(prolongable=False, refresh_after=NOW)
        assert isinstance(does(changing(Phase.PROVING, asked=1), tokens=(jwt,)).action, Mint)

    def test_a_token_that_would_not_outlive_the_change_is_minted_anew_but_not_again_and_again(self):
        short = token(prolongable=False, issued_at=NOW - HOUR)
        staged = changing(Phase.STAGED, validated=True)
        assert does(staged, tokens=(short,)).reason == "the token of ann must outlive the change"
        fresh = replace(short, issued_at=NOW)
        assert waits(staged, tokens=(fresh,)).until is not None
        assert isinstance(does(staged, tokens=(short,), terms=terms(accept_gap=True)).action, Deploy)

    def test_sessions_behind_a_leaked_key_are_revoked_and_replaced(self):
        assert does(steady(revoke=("ann",))).action == Revoke("ann", (2,))
        leaked = steady(revoke=("ann",), keys=(key(1), key(2, leaked=True)), paused=HELD)
        assert waits(leaked).until is not None


class TestRotation:
    def test_begins_when_it_is_due(self):
        decision = does(DUE)
        assert decision.reason == "key pair 2 is due since 2026-02-19 12:00Z"
        after = decision.intent
        assert (after.phase, after.newest, after.change.target, after.change.rival) == (
            Phase.CREATING,
            3,
            3,
            2,
        )

    def test_a_leaked_key_is_replaced_at_once_and_the_reason_says_so(self):
        leaked = steady(keys=(key(1), key(2, leaked=True)))
        assert (
            does(leaked, fleet=Fleet(may_not_begin="others go first")).intent.change.reason
            is Reason.COMPROMISED
        )

    @pytest.mark.parametrize(
        ("record", "more", "until", "why"),
        [
            (replace(DUE, paused=HELD), {}, None, "due, but paused: by ann"),
            (DUE, {"fleet": Fleet(may_not_deploy="clocks differ")}, None, "due, but clocks differ"),
            (DUE, {"fleet": Fleet(may_not_begin="two others rotate")}, None, "due, but two others rotate"),
            (DUE, {"terms": terms(rehearse_first=True, users=())}, None,
             "due, but waits for a rehearsal: rotator rehearse acme"),
            (replace(DUE, failed_at=NOW - MINUTE, failures=1), {}, NOW + 59 * MINUTE,
             "due, but the last change failed"),
            (replace(DUE, history=(Entry(2, Reason.ROTATION, Outcome.FAILED, NOW, NOW - HOUR, deployed=True),)),
             {"terms": terms(swaps_a_day=1, users=())}, NOW + 23 * HOUR, "due, but 1 deploys a day are the most"),
            (DUE, {"window": Window(NOW + HOUR, NOW + 2 * HOUR)}, NOW + HOUR,
             "due, but outside the maintenance window"),
        ],
    )  # fmt: skip
    def test_that_is_due_waits_for(self, record, more, until, why):
        assert waits(record, **{**QUIET, **more}) == Wait(until, why)

    @pytest.mark.parametrize(
        "more",
        [
            {"fleet": Fleet(may_not_begin="others go first")},
            {"terms": terms(rehearse_first=True)},
            {"window": Window(NOW + HOUR, NOW + 2 * HOUR)},
        ],
    )
    def test_that_is_urgent_waits_for_no_plan(self, more):
        assert does(URGENT, **more).intent.phase is Phase.CREATING

    @pytest.mark.parametrize(
        ("record", "more"),
        [
            (replace(URGENT, paused=HELD), {}),
            (URGENT, {"fleet": Fleet(may_not_deploy="clocks differ")}),
            (replace(URGENT, failed_at=NOW, failures=1), {}),
        ],
    )
    def test_that_is_urgent_still_keeps_what_is_safe(self, record, more):
        assert waits(record, **{**QUIET, **more}).reason.startswith("due, but")

    def test_of_a_key_that_the_record_does_not_know_is_never_due(self):
        assert waits(steady(keys=())).reason == "the token of ann works"

    def test_begins_inside_its_window_and_after_its_rehearsal(self):
        rehearsed = replace(DUE, rehearsed=Rehearsed(NOW, sessions_survived=True))
        window = Window(NOW - HOUR, NOW + HOUR)
        assert does(rehearsed, window=window, terms=terms(rehearse_first=True)).intent.phase is Phase.CREATING

    def test_users_in_lasting_trouble_do_not_prove_it(self):
        record = replace(DUE, trouble=(trouble("mint:bob", lasting=True),))
        assert does(record, terms=DUAL, tokens=BOTH).intent.change.users == ("ann",)

    def test_a_key_that_is_refused_again_and_again_is_lost(self):
        assert waits(steady(doubts=2)).reason == "the token of ann works"
        after = does(steady(doubts=3)).intent
        assert (after.phase, after.change.reason, after.change.target) == (
            Phase.LOCKED_OUT,
            Reason.RESTORE,
            2,
        )
        assert (after.failures, after.change.rival) == (1, 1)


class TestChange:
    def test_the_key_is_made_first(self):
        assert does(changing(Phase.CREATING)).action == CreateKey(3)
        assert does(
            changing(Phase.CREATING, reason=Reason.ADOPT, current=None), tokens=()
        ).action == CreateKey(3, adopt=True)
        assert waits(changing(Phase.CREATING), held={"createkey": LATER}).until == LATER

    def test_the_publisher_validates_before_anything_is_sent(self):
        assert does(changing(Phase.STAGED)).action == Validate(3, None, by_hand=False)
        held = waits(changing(Phase.STAGED), fleet=Fleet(may_not_deploy="clocks differ"), **QUIET)
        assert held.reason == "the certificate is being handed over"

    def test_a_person_needs_neither_clock_nor_deployer(self):
        record = changing(Phase.STAGED, reason=Reason.INIT, current=None, previous=None)
        blocked = {"fleet": Fleet(may_not_deploy="its deployer has no key pair yet"), "tokens": ()}
        assert does(record, **blocked).action == Validate(3, None, by_hand=True)
        validated = replace(record, change=replace(record.change, validated=True))
        assert does(validated, **blocked).action == Deploy(3, by_hand=True)

    def test_the_deploy_is_recorded_with_a_lease_before_it_is_sent(self):
        decision = does(changing(Phase.STAGED, validated=True))
        assert decision.action == Deploy(3, by_hand=False)
        after = decision.intent
        assert (after.phase, after.busy_until) == (Phase.DEPLOYING, NOW + 3 * MINUTE)
        assert (after.change.asked, after.change.asked_at) == (1, NOW)
        assert after.change.deadline == NOW + 15 * MINUTE

    def test_all_deploys_of_a_change_share_one_deadline(self):
        again = changing(Phase.STAGED, validated=True, asked=1, deadline=LATER)
        assert does(again).intent.change.deadline == LATER
        over = does(replace(again, change=replace(again.change, deadline=NOW)))
        assert (over.intent.phase, over.intent.change.reason) == (Phase.STAGED, Reason.RESTORE)

    @pytest.mark.parametrize(
        ("tokens", "why"),
        [
            ((token(verified_at=NOW - 31 * MINUTE),), "touch"),
            ((), "mint"),
            ((token(prolongable=False, issued_at=NOW),), None),
        ],
        ids=["called too long ago", "none at all", "ends before the change may"],
    )
    def test_nothing_is_sent_before_a_session_carries_every_consumer(self, tokens, why):
        held = {} if why is None else {f"{why}:ann": LATER}
        decision = decide(snapshot(changing(Phase.STAGED, validated=True), tokens=tokens, held=held), NOW)
        assert isinstance(decision, Wait)

    def test_a_session_in_trouble_carries_nobody(self):
        record = changing(Phase.STAGED, validated=True, trouble=(trouble("token:ann", "session.dead"),))
        assert waits(record, held={"mint:ann": LATER}).until == LATER

    def test_a_token_that_outlives_the_change_carries_its_consumers(self):
        long = token(prolongable=False, expires_at=NOW + 76 * MINUTE)
        assert isinstance(does(changing(Phase.STAGED, validated=True), tokens=(long,)).action, Deploy)

    def test_a_user_who_had_no_working_token_before_holds_up_nobody(self):
        record = changing(
            Phase.STAGED, validated=True, users=("ann", "bob"), trouble=(trouble("mint:ann", lasting=True),
                                                                        trouble("mint:bob", lasting=True))
        )  # fmt: skip
        held = {"mint:ann": LATER, "mint:bob": LATER}
        assert isinstance(does(record, terms=DUAL, tokens=(), held=held).action, Deploy)

    def test_no_bridge_is_waited_for_once_the_org_may_hold_another_certificate(self):
        leaked = (key(1), key(2, leaked=True), key(3))
        record = changing(Phase.STAGED, validated=True, reason=Reason.COMPROMISED, asked=1, keys=leaked)
        assert isinstance(does(record, tokens=(), held={"mint:ann": LATER}).action, Deploy)

    def test_a_leaked_key_that_the_org_refuses_carries_nobody_so_the_new_one_is_brought_in_at_once(self):
        leaked = (key(1), key(2, leaked=True), key(3))
        record = changing(Phase.STAGED, validated=True, reason=Reason.COMPROMISED, keys=leaked, doubts=3)
        held = {"tokens": (), "held": {"mint:ann": LATER}}
        assert isinstance(does(record, **held).action, Deploy)
        assert waits(replace(record, doubts=2), **held).until is not None
        assert does(replace(record, keys=(key(1), key(2), key(3))), **held).intent.phase is Phase.STEADY
        late = replace(record, change=replace(record.change, began=NOW - 30 * MINUTE))
        assert does(late, fleet=Fleet(may_not_deploy="clocks differ"), **held).intent.phase is Phase.STEADY
        rehearsal = replace(record, change=replace(record.change, target=2, reason=Reason.REHEARSAL))
        assert does(rehearsal, **held).intent.phase is Phase.STEADY

    def test_a_restore_waits_for_clocks_and_deployer_all_the_same(self):
        record = changing(Phase.STAGED, validated=True, reason=Reason.RESTORE, target=2)
        wait = waits(record, fleet=Fleet(may_not_deploy="its deployer is in a change itself"), **QUIET)
        assert wait.until == NOW + 29 * MINUTE
        assert isinstance(does(record).action, Deploy)

    @pytest.mark.parametrize(
        ("deadline", "aborted", "cancel"), [(LATER, False, False), (NOW, False, True), (LATER, True, True)]
    )
    def test_a_deploy_is_followed_and_cancelled_when_it_is_late_or_unwanted(self, deadline, aborted, cancel):
        record = changing(
            Phase.DEPLOYING, asked=1, asked_at=NOW - MINUTE, ticket="0Af", deadline=deadline, aborted=aborted
        )
        decision = does(record)
        assert decision.action == Poll(3, "0Af", NOW - MINUTE, cancel=cancel)
        assert decision.reason == "what became of deploy 0Af"

    def test_a_deploy_whose_answer_was_lost_is_looked_for(self):
        assert "whose answer was lost" in does(changing(Phase.DEPLOYING, asked=1)).reason

    def test_the_users_take_turns_with_the_proofs(self):
        def turn(proofs, **more):
            record = changing(Phase.PROVING, users=("ann", "bob"), proofs=proofs, **more)
            return does(record, terms=DUAL, tokens=BOTH).action

        assert [turn(n).user for n in range(4)] == ["ann", "bob", "ann", "bob"]
        assert turn(1) == Prove("bob", 3, 2)

    def test_whoever_was_frozen_or_removed_in_mid_change_does_not_keep_the_others_from_proving(self):
        frozen = changing(Phase.PROVING, users=("ann", "bob"), trouble=(trouble("mint:ann", lasting=True),))
        assert does(frozen, terms=DUAL, tokens=BOTH).action.user == "bob"
        removed = changing(Phase.PROVING, users=("zoe", "ann"))
        assert does(removed).action.user == "ann"
        nobody_left = changing(Phase.PROVING, users=("zoe",))
        assert does(nobody_left).action.user == "ann"

    def test_proofs_are_spread_over_time(self):
        record = changing(Phase.PROVING, proofs=1, proved_at=NOW - MINUTE)
        assert waits(record) == Wait(NOW + 1.5 * MINUTE, "proofs are spread over time")

    def test_a_target_that_is_not_proved_in_time_makes_way_for_the_current_key(self):
        after = does(changing(Phase.PROVING, asked=1, deadline=NOW)).intent
        assert (after.phase, after.change.target, after.change.rival) == (Phase.STAGED, 2, 3)
        assert after.retired == (Retired(3, NOW, handed_out=True),)

    def test_a_first_key_pair_waits_as_long_as_it_takes(self):
        first = changing(Phase.PROVING, reason=Reason.INIT, current=None, previous=None, deadline=NOW - DAY)
        assert isinstance(does(first, tokens=()).action, Prove)

    @pytest.mark.parametrize("phase", [Phase.CREATING, Phase.STAGED, Phase.PROVING])
    def test_an_aborted_change_ends_wherever_it_stands(self, phase):
        decision = does(changing(phase, aborted=True, asked=int(phase is Phase.PROVING)))
        assert decision.reason == "an operator aborted the change"
        assert decision.intent.history[-1].outcome is Outcome.ABORTED

    def test_a_change_makes_way_where_the_current_key_is_lost_before_anything_was_handed_over(self):
        decision = does(changing(Phase.STAGED, doubts=3))
        assert decision.reason == "the org refused key pair 2 3 times in a row"
        assert (decision.intent.phase, decision.intent.doubts) == (Phase.STEADY, 3)
        assert does(decision.intent).intent.phase is Phase.LOCKED_OUT
        assert does(changing(Phase.STAGED, doubts=2)).intent != decision.intent

    def test_a_key_pair_that_may_be_in_vault_is_seen_to_before_its_change_makes_way(self):
        """After a backup was restored it may be the one that the org takes: once written it is kept for its quarantine."""
        assert does(changing(Phase.CREATING, doubts=3)).reason == "key pair 3 is to be written"

    def test_refusals_of_before_say_nothing_once_the_org_may_hold_another_certificate(self):
        assert isinstance(does(changing(Phase.PROVING, asked=1, doubts=3)).action, Prove)

    def test_a_change_that_cannot_be_handed_over_is_given_up_after_a_day(self):
        after = does(changing(Phase.STAGED, began=NOW - DAY)).intent
        assert (after.phase, after.history[-1].outcome, after.failures) == (Phase.STEADY, Outcome.GIVEN_UP, 1)
        assert "did not say that it could deploy" in after.history[-1].message
        validated = does(changing(Phase.STAGED, began=NOW - DAY, validated=True)).intent
        assert "no session carried the consumers" in validated.history[-1].message

    def test_locked_out_the_certificate_is_brought_in_again_after_a_pause(self):
        record = changing(
            Phase.LOCKED_OUT, asked=1, reason=Reason.RESTORE, target=2, failed_at=NOW, failures=1
        )
        assert isinstance(does(record).action, Probe)
        assert waits(record, held={"probe": LATER}).until == LATER
        after = does(replace(record, failed_at=NOW - HOUR)).intent
        assert (after.phase, after.change.validated, after.change.began) == (Phase.STAGED, True, NOW)
        blocked = does(replace(record, failed_at=NOW - HOUR), fleet=Fleet(may_not_deploy="clocks differ"))
        assert isinstance(blocked.action, Probe)

    def test_locked_out_without_any_kept_key_only_time_is_left(self):
        record = changing(Phase.LOCKED_OUT, asked=1, keys=(), failed_at=NOW, failures=1)
        assert waits(record).until is not None


class TestWhatIsLeftOver:
    def test_a_key_that_never_left_vault_is_destroyed_at_once(self):
        decision = does(steady(retired=(Retired(7, NOW, handed_out=False),)))
        assert (decision.action, decision.intent.shredding) == (Destroy(7), 7)

    def test_a_destruction_that_was_begun_is_finished(self):
        assert does(steady(shredding=7)).action == Destroy(7)
        assert waits(steady(shredding=7), held={"destroy": LATER}).until == LATER

    def test_a_handed_out_key_is_kept_through_its_quarantine(self):
        record = steady(
            current=3, previous=2, retired=(Retired(1, NOW, handed_out=True),), keys=(key(1), key(3))
        )
        quiet = snapshot(record, tokens=(), held={"mint:ann": NOW + 99 * DAY})
        assert decide(quiet, NOW) == Wait(NOW + 30 * DAY, "key pair 1 is kept until then")

    def test_then_the_org_is_asked_to_refuse_it_and_only_then_it_is_destroyed(self):
        record = steady(previous=None, retired=(OLD,))
        assert does(record).action == Prove("ann", 2, 1, clears=True)
        cleared = replace(OLD, cleared_at=NOW - MINUTE)
        assert does(replace(record, retired=(cleared,))).action == Destroy(1)
        stale = replace(OLD, cleared_at=NOW - HOUR)
        assert does(replace(record, retired=(stale,))).action == Prove("ann", 2, 1, clears=True)

    def test_while_clocks_differ_ours_does_not_tell_whether_a_quarantine_is_over(self):
        for retired in (OLD, replace(OLD, cleared_at=NOW)):
            record = steady(previous=None, retired=(retired,))
            assert isinstance(waits(record, fleet=Fleet(clocks_differ="clocks differ")), Wait)

    def test_what_was_seen_before_a_clock_was_set_back_is_seen_again_before_a_key_is_destroyed(self):
        record = steady(previous=None, retired=(replace(OLD, cleared_at=NOW + HOUR),))
        assert does(record).action == Prove("ann", 2, 1, clears=True)

    def test_a_promotion_a_moment_ago_makes_it_wait_for_slow_servers(self):
        record = steady(previous=None, retired=(OLD,), promoted_at=NOW - MINUTE)
        quiet = snapshot(record, tokens=(), held={"mint:ann": NOW + 99 * DAY})
        assert decide(quiet, NOW).until == NOW + 29 * MINUTE

    def test_what_a_person_may_still_bring_in_is_kept_until_its_certificate_ends(self):
        record = steady(previous=None, retired=(OLD,), keys=(key(1, ends_in=3 * DAY), key(2)))
        quiet = snapshot(record, tokens=(), held={"mint:ann": NOW + 99 * DAY}, terms=terms(by_hand=True))
        assert decide(quiet, NOW).until == NOW + 3 * DAY

    def test_without_a_current_key_nothing_that_was_handed_out_is_destroyed(self):
        record = Record(newest=1, keys=(key(1),), retired=(OLD,))
        assert "no key pair yet" in waits(record, tokens=()).reason

    def test_a_user_who_is_not_configured_any_more_is_forgotten(self):
        record = steady(revoke=("zoe",), trouble=(trouble("token:bob"), trouble("change")))
        first = does(record)
        assert first.reason == "bob is not configured any more"
        second = does(first.intent)
        assert second.intent.revoke == ()
        assert [left.subject for left in second.intent.trouble] == ["change"]


class TestAnsweredRequests:
    ANSWERED = Answered("r1", True, "paused", NOW)

    def test_are_deleted(self):
        assert does(steady(answered=self.ANSWERED), request=request(Ask.PAUSE)).action == Dismiss("r1")

    def test_are_not_answered_again_while_the_deletion_is_held_back(self):
        held = {"dismiss": LATER}
        wait = waits(steady(answered=self.ANSWERED), request=request(Ask.PAUSE), held=held)
        assert wait == Wait(LATER, "the request is answered; tried a moment ago")

    def test_stay_while_the_key_inside_is_not_in_vault_yet(self):
        adopting = changing(Phase.CREATING, reason=Reason.ADOPT, current=None, answered=self.ANSWERED)
        assert does(adopting, request=request(Ask.ADOPT), tokens=()).action == CreateKey(3, adopt=True)


class TestARestoreThatFails:
    """Goes nowhere but out; the daemon goes on looking for a key that the org takes."""

    def test_to_be_sent_in_time_is_put_to_the_proof_all_the_same(self):
        record = changing(Phase.STAGED, reason=Reason.RESTORE, target=2, validated=True, began=NOW - HOUR)
        assert does(record).intent.phase is Phase.PROVING

    def test_to_be_proved_locks_out(self):
        record = changing(Phase.PROVING, reason=Reason.RESTORE, target=2, deadline=NOW)
        assert does(record).intent.phase is Phase.LOCKED_OUT

    def test_with_a_key_that_was_found_makes_way_for_the_current_one(self):
        record = changing(Phase.PROVING, reason=Reason.FOUND, target=1, deadline=NOW)
        after = does(record).intent
        assert (after.phase, after.change.target, after.history[-1].message) == (
            Phase.LOCKED_OUT,
            2,
            "found and lost again",
        )
