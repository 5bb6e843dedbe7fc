"""What an operator may ask, when it is taken, and with which sentence it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.core.machine import decide
from rotator.core.model import Answered, Ask, Change, Fleet, Identity, Pause, PauseKind, Phase, Reason, Record
from rotator.core.outcome import Outcome
from rotator.core.requests import answer_to
from tests.core.given import DAY, MINUTE, NOW, changing, key, request, snapshot, steady, terms, trouble

BY_ANN = Pause(PauseKind.OPERATOR, NOW, "by ann")
STRANGE = Pause(PauseKind.IDENTITY, NOW, "another org")
LEAKED = (key(1), key(2, leaked=True))


def asked(record, ask, serial=None, **more):
    """The record after the request, what was said, and whether it was taken."""
    meant = record.newest if serial is None else serial
    intent = decide(snapshot(record, request=request(ask, meant, by="bob"), **more), NOW).intent
    assert intent.answered.request_id == "r1"
    return intent, intent.answered.sentence, intent.answered.accepted


def taken(record, ask, **more):
    intent, sentence, accepted = asked(record, ask, **more)
    assert accepted, sentence
    return intent, sentence


@pytest.mark.parametrize(
    ("record", "ask", "phase", "reason", "target", "sentence"),
    [
        (Record(), Ask.INIT, Phase.CREATING, Reason.INIT, 1, "key pair 1 is made; bring its certificate into the app"),
        (Record(), Ask.ADOPT, Phase.CREATING, Reason.ADOPT, 1, "the key pair becomes number 1 once the org took it"),
        (steady(), Ask.ROTATE, Phase.CREATING, Reason.ROTATION, 3, "rotating to key pair 3"),
        (steady(), Ask.COMPROMISED, Phase.CREATING, Reason.COMPROMISED, 3,
         "replacing leaked key pair 2 by 3; sessions behind it are revoked then"),
        (steady(), Ask.REHEARSE, Phase.STAGED, Reason.REHEARSAL, 2,
         "the certificate of key pair 2 is deployed again, unchanged"),
        (steady(), Ask.ROLLBACK, Phase.STAGED, Reason.ROLLBACK, 1, "going back from key pair 2 to 1"),
    ],
)  # fmt: skip
def test_a_change_is_begun(record, ask, *, phase, reason, target, sentence):
    after, said = taken(record, ask)
    assert (after.phase, after.change.reason, after.change.target, said) == (phase, reason, target, sentence)


def test_what_was_said_to_one_request_is_no_answer_to_another():
    said = Answered("r1", accepted=True, sentence="rotating", at=NOW)
    assert answer_to(request(Ask.ROTATE), steady(answered=said)) is said
    assert answer_to(request(Ask.ROTATE), steady(answered=replace(said, request_id="r0"))) is None
    assert answer_to(request(Ask.ROTATE), steady()) is None


NOT_STEADY = "the credential is proving; this needs it steady"


@pytest.mark.parametrize(
    ("record", "ask", "sentence"),
    [
        (steady(), Ask.INIT, "the credential is steady; this needs it empty"),
        (steady(), Ask.ADOPT, "the credential is steady; this needs it empty"),
        (changing(Phase.PROVING), Ask.ROTATE, NOT_STEADY),
        (changing(Phase.PROVING), Ask.REHEARSE, NOT_STEADY),
        (changing(Phase.PROVING), Ask.ROLLBACK, NOT_STEADY),
        (changing(Phase.LOCKED_OUT), Ask.ROTATE, "the credential is locked out; this needs it steady"),
        (Record(), Ask.COMPROMISED, "no key pair is in use yet"),
        (Record(), Ask.REHEARSE, "there is no key pair that could stay in the org"),
        (steady(keys=LEAKED), Ask.REHEARSE, "there is no key pair that could stay in the org"),
        (steady(previous=None), Ask.ROLLBACK, "there is no previous key pair to go back to"),
        (steady(keys=(key(1, ends_in=-DAY), key(2))), Ask.ROLLBACK,
         "the certificate of key pair 1 ended on 2026-02-28"),
        (steady(paused=BY_ANN), Ask.ROTATE, "paused: by ann; resume it first"),
        (steady(), Ask.ABORT, "no change is under way"),
        (changing(Phase.LOCKED_OUT, reason=Reason.RESTORE), Ask.ABORT,
         "a restore can't be aborted: it ends when the org takes a kept key"),
        (changing(Phase.PROVING, reason=Reason.RESTORE), Ask.ABORT,
         "a restore can't be aborted: it ends when the org takes a kept key"),
        (steady(), Ask.RESUME, "it is not paused"),
        (Record(), Ask.DEPLOYED, "no certificate is waited for"),
        (changing(Phase.STAGED), Ask.DEPLOYED, "no certificate is waited for"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason_and_changes_nothing(record, ask, sentence):
    after, said, accepted = asked(record, ask)
    assert (said, accepted) == (sentence, False)
    assert replace(after, answered=None) == record


@pytest.mark.parametrize("ask", sorted(set(Ask) - {Ask.PAUSE, Ask.RESUME}))
def test_a_request_that_was_meant_for_another_state_is_refused(ask):
    _after, said, accepted = asked(steady(), ask, serial=1)
    assert (said, accepted) == ("meant for key pair 1, but the newest is 2: look again first", False)


def test_nothing_that_must_be_deployed_is_begun_while_nothing_may_be():
    fleet = Fleet(may_not_deploy="the clocks differ")
    assert asked(steady(), Ask.ROTATE, fleet=fleet)[1:] == ("the clocks differ", False)
    for first in (Ask.INIT, Ask.ADOPT):
        assert taken(Record(), first, fleet=fleet), "a person brings it in, or it is there"
    assert taken(steady(), Ask.ROTATE, fleet=fleet, terms=terms(by_hand=True))


def test_an_operator_goes_before_plans_of_the_fleet_and_before_a_backoff():
    fleet = Fleet(may_not_begin="others go first")
    assert taken(steady(failed_at=NOW, failures=3), Ask.ROTATE, fleet=fleet)


class TestCompromised:
    def test_marks_the_current_key(self):
        after, _said = taken(steady(), Ask.COMPROMISED)
        assert [facts.leaked for facts in after.keys] == [False, True]

    @pytest.mark.parametrize("phase", [Phase.STAGED, Phase.LOCKED_OUT])
    def test_its_certificate_is_not_brought_in_by_a_change_to_it_that_waits(self, phase):
        after, said = taken(changing(phase, asked=1, target=2, reason=Reason.RESTORE), Ask.COMPROMISED)
        assert said == "key pair 2 is not brought in again: 4 is made in its place"
        assert (after.phase, after.newest) == (Phase.CREATING, 4)
        assert after.change == Change(4, 2, Reason.COMPROMISED, ("ann",), NOW)
        assert (after.history[-1].outcome, after.history[-1].message) == (Outcome.ABORTED, "its key leaked")
        assert after.key(2).leaked

    def test_a_deploy_of_it_that_is_under_way_is_awaited(self):
        record = changing(Phase.DEPLOYING, asked=1, target=2, reason=Reason.RESTORE)
        after, said = taken(record, Ask.COMPROMISED)
        assert said == "key pair 2 counts as leaked: it is replaced as soon as that can be"
        assert after.change == record.change

    @pytest.mark.parametrize("phase", [Phase.STAGED, Phase.PROVING, Phase.LOCKED_OUT])
    def test_is_taken_in_mid_change_as_well(self, phase):
        record = changing(phase, asked=1)
        after, said = taken(record, Ask.COMPROMISED)
        assert said == "key pair 2 counts as leaked: it is replaced as soon as that can be"
        assert after.key(2).leaked
        assert after.change == record.change

    def test_there_is_no_way_back_to_a_leaked_key(self):
        record = changing(Phase.PROVING, asked=1, deadline=NOW, keys=(*LEAKED, key(3)))
        after = decide(snapshot(record), NOW).intent
        assert (after.phase, after.change.target) == (Phase.LOCKED_OUT, 3)

    def test_unless_an_operator_aborts(self):
        record = changing(Phase.PROVING, asked=1, aborted=True, keys=(*LEAKED, key(3)))
        after = decide(snapshot(record), NOW).intent
        assert (after.phase, after.change.target) == (Phase.STAGED, 2)


class TestAbort:
    def test_is_noted_and_done_by_the_next_step(self):
        after, said = taken(changing(Phase.DEPLOYING, asked=1), Ask.ABORT)
        assert after.change.aborted
        assert said == (
            "key pair 2 stays or comes back; one that is due begins again after a pause, "
            "unless the credential is paused"
        )

    def test_of_a_first_key_leaves_nothing(self):
        record = changing(Phase.PROVING, reason=Reason.INIT, current=None, previous=None, asked=1)
        after, said = taken(replace(record, trouble=(trouble("change"),)), Ask.ABORT)
        assert said.startswith("the change ends")
        ended = decide(snapshot(after, tokens=()), NOW).intent
        assert (ended.phase, ended.change, ended.trouble) == (Phase.EMPTY, None, ())
        assert ended.retired[0].handed_out

    def test_delays_a_rotation_that_is_due(self):
        after, _said = taken(changing(Phase.STAGED), Ask.ABORT)
        ended = decide(snapshot(after), NOW).intent
        assert (ended.phase, ended.failures, ended.failed_at) == (Phase.STEADY, 1, NOW)


class TestPause:
    def test_holds_what_is_new(self):
        after, said = taken(steady(), Ask.PAUSE)
        assert after.paused == Pause(PauseKind.OPERATOR, NOW, "by bob")
        assert said == "no new change is begun; tokens go on, and a change under way is finished"

    def test_needs_no_name(self):
        anonymous = snapshot(steady(), request=request(Ask.PAUSE))
        assert decide(anonymous, NOW).intent.paused.why == "by an operator"

    def test_does_not_cover_up_another_identity(self):
        assert taken(steady(paused=STRANGE), Ask.PAUSE)[0].paused == STRANGE

    def test_ends_when_an_operator_says_so(self):
        after, said = taken(steady(paused=BY_ANN), Ask.RESUME)
        assert (after.paused, said) == (None, "resumed")

    def test_for_identity_ends_with_a_new_binding(self):
        ours = Identity("00D1", "3MVG", "app", ("ann",))
        after, said = taken(steady(paused=STRANGE, identity=ours), Ask.RESUME)
        assert (after.paused, after.identity) == (None, None)
        assert said == "resumed, and bound to the org that is found next"

    def test_and_its_end_are_meant_for_whatever_is_there(self):
        assert asked(steady(), Ask.PAUSE, serial=1)[2]
        assert asked(steady(paused=BY_ANN), Ask.RESUME, serial=1)[2]


@pytest.mark.parametrize("phase", [Phase.PROVING, Phase.LOCKED_OUT])
def test_whoever_says_deployed_has_the_proofs_collected_quickly(phase):
    after, said = taken(changing(phase, failed_at=NOW, failures=1), Ask.DEPLOYED)
    assert (after.change.nudged_at, said) == (NOW, "key pair 3 is being proved from now on")


def test_whoever_says_deployed_when_all_is_proved_already_is_told_so():
    after, said = taken(steady(), Ask.DEPLOYED)
    assert said == "no certificate is waited for: key pair 2 signs"
    assert replace(after, answered=None) == steady()


def test_the_answer_is_on_record_with_its_time():
    after, _said = taken(steady(), Ask.PAUSE)
    assert (after.answered.at, after.answered.request_id) == (NOW, "r1")
    assert after.answered.at > request(Ask.PAUSE).made_at + MINUTE / 2
