"""Stories of hours and days, told by the real decide() and settle() with their pacing, against answers that are given."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core.effects import (
    Answer,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Kind,
    Mint,
    Nothing,
    Poll,
    Probe,
    Prove,
    Touch,
    Wait,
)
from rotator.core.machine import decide, settle
from rotator.core.model import Ask, Pause, PauseKind, Phase, Reason, Retired, Snapshot
from rotator.core.outcome import Outcome
from rotator.core.timing import held_until, pacing_key
from tests.core.given import DAY, HOUR, MINUTE, NOW, TERMS, changing, key, request, steady, terms, token

HELD = Pause(PauseKind.OPERATOR, NOW, "by ann")
TWO = terms(users=("ann", "bob"))


class Story:
    """One credential in virtual time.

    ``answers`` maps a kind of action to what the world says to it: a kind, or a function of the action. What it does
    not name goes well.
    """

    def __init__(self, record, answers, own=TERMS):
        self.record, self.answers, self.terms, self.now = record, answers, own, NOW
        self.tokens = {user: token(user) for user in own.users}
        self.held, self.failures, self.done, self.request = {}, {}, [], None

    def run(self, span):
        """Let time pass; no step is taken without an end in sight."""
        end, steps = self.now + span, 0
        while self.now < end:
            steps += 1
            assert steps < 20_000, f"no pause: {self.done[-3:]}"
            tokens = tuple(self.tokens.values())
            decision = decide(
                Snapshot(self.record, 1, self.terms, tokens, self.request, held=self.held), self.now
            )
            if isinstance(decision, Wait):
                self.now = min(end, max(decision.until or end, self.now + timedelta(milliseconds=10)))
            else:
                self._do(decision)
        return self

    def _do(self, decision):
        self.record, action = decision.intent or self.record, decision.action
        said = self._answer(action)
        key_, pause = pacing_key(action), None
        if not isinstance(action, Nothing):
            self.done.append((self.now, action))
            pause = held_until(action, said, self.failures.get(key_, 0), self.record, self.terms)
            self.failures[key_] = (
                0 if said.kind in (Kind.OK, Kind.PENDING) else self.failures.get(key_, 0) + 1
            )
        self.held = {name: until for name, until in self.held.items() if name != key_}
        if pause is not None:
            self.held[key_] = pause
        self.record = settle(self.record, action, said, self.terms)

    def _answer(self, action):
        said = self.answers.get(type(action), Kind.OK)
        said = said(action) if callable(said) else said
        if isinstance(action, Dismiss):
            self.request = None
        if isinstance(action, Mint | Touch) and said is Kind.OK:
            half = self.terms.session_timeout / 2
            self.tokens[action.user] = token(action.user, verified_at=self.now, expires_at=self.now + half,
                                             refresh_after=self.now + self.terms.refresh_every)  # fmt: skip
        serial = action.serials[0] if isinstance(action, Mint | Probe) and action.serials else None
        made = key(action.serial) if isinstance(action, CreateKey) else None
        return Answer(said, self.now, code="a.code", message="a message", serial=serial, key=made)

    def count(self, kind):
        return sum(isinstance(action, kind) for _at, action in self.done)

    def outcomes(self):
        return [(entry.reason.value, entry.outcome) for entry in self.record.history]


def only(user, said):
    """Answer to a proof: what is given to this user, OK to all others."""
    return lambda action: said if action.user == user else Kind.OK


@pytest.mark.parametrize("said", [Kind.FAILED, Kind.UNKNOWN])
def test_a_user_whose_org_does_not_answer_for_long_keeps_the_others_from_no_rotation(said):
    story = Story(
        changing(Phase.PROVING, users=TWO.users, asked=1, deadline=NOW + 30 * MINUTE),
        {Prove: only("bob", said)},
        TWO,
    )
    story.run(HOUR)
    assert (story.record.phase, story.record.current) == (Phase.STEADY, 3)
    assert story.outcomes() == [("rotation", Outcome.PROMOTED)]


def test_a_user_who_is_late_with_its_proof_is_waited_for():
    """Bob's org is in maintenance for ten minutes; the others have their proofs by then."""
    last = NOW + 12 * MINUTE
    story = Story(changing(Phase.PROVING, users=TWO.users, asked=1, deadline=NOW + 30 * MINUTE), {}, TWO)
    story.answers[Prove] = lambda action: (
        Kind.FAILED if action.user == "bob" and story.now < last else Kind.OK
    )
    story.run(HOUR)
    proofs = [(at, action.user) for at, action in story.done if isinstance(action, Prove)]
    assert proofs[-1][1] == "bob"
    assert last <= proofs[-1][0] < last + 5 * MINUTE
    assert story.record.current == 3


def test_a_key_that_vault_does_not_destroy_is_tried_again_in_peace():
    record = steady(
        keys=(key(1), key(2), key(9)), newest=9, retired=(Retired(9, NOW - DAY, handed_out=False),)
    )
    story = Story(record, {Destroy: Kind.FAILED}).run(HOUR)
    assert 10 <= story.count(Destroy) <= 30
    assert story.record.shredding == 9


@pytest.mark.parametrize("said", [Kind.FAILED, Kind.UNKNOWN])
def test_a_lock_out_in_which_no_key_can_even_be_tried_is_told(said):
    out = changing(
        Phase.LOCKED_OUT, reason=Reason.RESTORE, target=2, rival=3, asked=1, failures=1, failed_at=NOW
    )
    story = Story(out, {Probe: said, Deploy: Kind.FAILED})
    assert story.run(4 * MINUTE).record.trouble_of("change") is None
    told = story.run(10 * MINUTE).record.trouble_of("change")
    assert (told.code, told.lasting) == ("credential.none_tried", True)
    assert told.message == "no kept key could be tried: a message"


@pytest.mark.parametrize(
    ("probe", "leaked", "minutes"),
    [(Kind.REFUSED, False, 10), (Kind.REFUSED, True, 10), (Kind.FAILED, False, 60)],
    ids=["another's certificate", "a leaked key", "nobody can be asked"],
)
def test_another_certificate_in_the_app_is_replaced_once_it_was_seen_twice_and_never_by_a_leaked_one(
    probe, leaked, minutes
):
    record = steady(doubts=3, keys=(key(1), key(2, leaked=leaked)), paused=HELD if leaked else None)
    story = Story(record, {Probe: probe})
    story.run(timedelta(hours=2))
    deployed = next((at, action.serial) for at, action in story.done if isinstance(action, Deploy))
    assert deployed == (NOW + minutes * MINUTE, 3 if leaked else 2)
    assert story.count(Probe) >= 2


@pytest.mark.parametrize("said", [Kind.FAILED, Kind.UNKNOWN])
def test_a_deploy_that_cannot_be_followed_is_told_when_its_time_is_long_over(said):
    sent = changing(Phase.DEPLOYING, asked=1, asked_at=NOW, deadline=NOW + 15 * MINUTE, ticket="0Af1")
    story = Story(sent, {Poll: said})
    assert story.run(25 * MINUTE).record.trouble == ()
    told = story.run(HOUR).record.trouble_of("change")
    assert (told.code, told.message) == (
        "deploy.unfinished",
        "deploy 0Af1 of key pair 3 cannot be followed: a message",
    )


def test_only_deploys_that_were_sent_count_against_the_cap_of_a_day():
    """Restores are proved in vain, found again and lost again; the org was asked once."""
    out = changing(
        Phase.LOCKED_OUT,
        reason=Reason.RESTORE,
        target=2,
        rival=3,
        asked=1,
        asked_at=NOW,
        failures=6,
        failed_at=NOW,
    )
    story = Story(out, {Prove: Kind.REFUSED}).run(8 * HOUR)
    sent = story.count(Deploy)
    assert len(story.record.history) > 4
    assert sum(entry.deployed for entry in story.record.history) <= sent + 1


def test_an_operator_who_aborts_the_replacement_of_a_leaked_key_gets_the_current_one_back():
    keys = (key(1), key(2, leaked=True), key(3))
    out = changing(
        Phase.LOCKED_OUT,
        reason=Reason.COMPROMISED,
        keys=keys,
        asked=1,
        asked_at=NOW,
        failures=1,
        failed_at=NOW,
    )
    story = Story(out, {Probe: Kind.REFUSED})
    story.request = request(Ask.ABORT, serial=3)
    story.run(20 * MINUTE)
    assert story.outcomes()[:2] == [("compromised", Outcome.ABORTED), ("restore", Outcome.RESTORED)]
    assert story.record.answered.accepted


def test_who_is_locked_out_is_so_until_a_key_has_its_proofs():
    """A deploy that went through proves nothing."""
    out = changing(Phase.STAGED, reason=Reason.RESTORE, target=2, rival=3, asked=1, validated=True)
    told = replace(out, trouble=(_locked_out(),))
    story = Story(told, {Prove: Kind.REFUSED}).run(10 * MINUTE)
    assert story.record.phase is Phase.PROVING
    assert story.record.trouble_of("change").code == "credential.locked_out"


def _locked_out():
    out = changing(Phase.LOCKED_OUT, reason=Reason.RESTORE, target=2, rival=3, asked=1)
    return settle(out, Probe(("ann",), (2, 3)), Answer(Kind.REFUSED, NOW, message="none"), TERMS).trouble[0]
