"""When things are due: jitter, renewal, backoff, proofs, pacing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from rotator.core import timing
from rotator.core.effects import CreateKey, Deploy, Destroy, Kind, Mint, Poll, Probe, Prove, Touch, Validate
from rotator.core.model import Entry, Phase, Reason, Record
from rotator.core.outcome import Outcome
from rotator.core.soundness import MOST_COUNTED
from tests.core.given import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    TERMS,
    answer,
    changing,
    key,
    snapshot,
    steady,
    terms,
    token,
)

SECOND = timedelta(seconds=1)
MINT, PROVE = Mint("ann", (2,)), Prove("ann", 3, 2)
POLL = Poll(3, "t", NOW, cancel=False)
VALIDATE = Validate(3, None, by_hand=False)


@over(st.text(), st.integers(min_value=1), st.timedeltas(min_value=timedelta(0), max_value=90 * DAY))
def test_jitter_is_a_share_that_never_changes(name, serial, most):
    share = timing.jitter(name, serial, most)
    assert timedelta(0) <= share <= most
    assert share == timing.jitter(name, serial, most)


def test_jitter_spreads_a_fleet():
    shares = [timing.jitter(f"c{number}", 1, 12 * HOUR) for number in range(1000)]
    assert sum(share < 6 * HOUR for share in shares) in range(430, 571)


@over(st.timedeltas(min_value=timedelta(0), max_value=400 * DAY), st.integers(min_value=0, max_value=800))
def test_a_rotation_is_due_within_the_life_of_its_certificate(renew_before, life_days):
    record = steady(keys=(key(2, ends_in=life_days * DAY),))
    due = timing.due_at(record, terms(renew_before=renew_before, jitter=12 * HOUR))
    assert record.keys[0].not_before <= due <= record.keys[0].not_after


@pytest.mark.parametrize(
    ("record", "due", "urgent"),
    [
        (Record(), None, None),
        (steady(), NOW + 270 * DAY, NOW + 293 * DAY),
        (steady(keys=(key(2, leaked=True),)), NOW - 65 * DAY, NOW - 65 * DAY),
    ],
    ids=[
        "nothing is due without a key",
        "30 and 7 days before its end",
        "a leaked key is due and urgent at once",
    ],
)
def test_a_key_pair_is_due_before_its_certificate_ends(record, due, urgent):
    assert (timing.due_at(record, TERMS), timing.urgent_at(record, TERMS)) == (due, urgent)


@pytest.mark.parametrize(("failures", "hours"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24)])
def test_each_failed_change_doubles_the_pause_up_to_a_day(failures, hours):
    record = steady(failed_at=NOW, failures=failures)
    assert timing.backoff_until(record, TERMS, NOW) == NOW + hours * HOUR


def test_without_a_failure_there_is_no_backoff():
    assert timing.backoff_until(steady(failed_at=NOW), TERMS, NOW) is None
    assert timing.backoff_until(steady(), TERMS, NOW) is None


def test_a_ceiling_below_the_floor_does_not_undercut_it():
    low = terms(backoff_ceiling=MINUTE)
    assert timing.backoff_until(steady(failed_at=NOW, failures=3), low, NOW) == NOW + HOUR


def test_what_failed_before_the_clock_was_set_back_holds_nothing_up_for_longer_than_it_was_meant_to():
    failed = steady(failed_at=NOW, failures=1)
    assert timing.backoff_until(failed, TERMS, NOW - timing.MOST_SKEW) == NOW + HOUR
    assert timing.backoff_until(failed, TERMS, NOW - timing.MOST_SKEW - SECOND) is None
    ended = Entry(2, Reason.ROTATION, Outcome.FAILED, NOW, NOW, deployed=True)
    deployed, capped = steady(history=(ended,)), terms(swaps_a_day=1)
    assert timing.swaps_until(deployed, capped, NOW - timing.MOST_SKEW) == NOW + DAY
    assert timing.swaps_until(deployed, capped, NOW - timing.MOST_SKEW - SECOND) is None


def test_the_daily_cap_counts_changes_that_reached_the_org():
    def ended(hours, *, deployed=True):
        return Entry(3, Reason.ROTATION, Outcome.FAILED, NOW, NOW - hours * HOUR, deployed)

    few = steady(history=(ended(30), ended(3), ended(2), ended(1), ended(1, deployed=False)))
    assert timing.swaps_until(few, TERMS, NOW) is None
    many = replace(few, history=(*few.history, ended(0)))
    assert timing.swaps_until(many, TERMS, NOW) == NOW + 21 * HOUR


@over(st.integers(min_value=0, max_value=10_000))
def test_retries_are_never_faster_than_the_floor_nor_slower_than_the_ceiling(failures):
    assert TERMS.retry_floor <= timing.retry_pause(failures, TERMS) <= TERMS.retry_ceiling


@over(st.integers(min_value=0, max_value=9), st.integers(min_value=1, max_value=30))
def test_every_user_has_a_proof_and_all_of_them_span_the_time_asked_for(needed, users):
    change = changing(Phase.PROVING, users=tuple("u" * n for n in range(users))).change
    own = terms(proofs_needed=needed)
    count, spacing = timing.proofs_needed(change, own), timing.proof_spacing(change, own)
    assert count >= max(needed, users)
    assert abs(spacing * max(count - 1, 1) - own.proof_span) < timedelta(milliseconds=1)


PROVING = changing(Phase.PROVING)
FIRST = {"current": None, "previous": None, "reason": Reason.ADOPT}


@pytest.mark.parametrize(
    ("record", "own", "pause"),
    [
        (PROVING, TERMS, 15 * SECOND),
        (PROVING, terms(by_hand=True), 15 * MINUTE),
        (changing(Phase.PROVING, reason=Reason.INIT), TERMS, 15 * MINUTE),
        (changing(Phase.PROVING, nudged_at=NOW - MINUTE), terms(by_hand=True), 15 * SECOND),
        (changing(Phase.PROVING, nudged_at=NOW - HOUR), terms(by_hand=True), 15 * MINUTE),
        (changing(Phase.PROVING, began=NOW - HOUR, **FIRST), TERMS, 15 * MINUTE),
        (changing(Phase.PROVING, **FIRST), TERMS, 15 * SECOND),
        (steady(), TERMS, 5 * MINUTE),
    ],
    ids=[
        "quickly, while a certificate spreads",
        "slowly, while a person is awaited",
        "slowly, for the first key pair",
        "quickly, once a person said that it is done",
        "slowly again, when that was long ago",
        "slowly, when an adopted key is refused for long",
        "quickly, at first",
        "slowly, for a retired key",
    ],
)
def test_a_refused_proof_is_repeated(record, own, pause):
    assert timing.held_until(PROVE, answer("refused"), 0, record, own) == NOW + pause


@pytest.mark.parametrize(
    ("action", "kind", "failures", "pause"),
    [
        (PROVE, "ok", 0, None),
        (Deploy(3, by_hand=False), "pending", 0, 5 * SECOND),
        (MINT, "ok", 0, 5 * SECOND),
        (POLL, "pending", 3, 5 * SECOND),
        (POLL, "unknown", 3, 5 * SECOND),
        (POLL, "failed", 3, 40 * SECOND),
        (VALIDATE, "pending", 0, 5 * SECOND),
        (Probe(("ann",), (2,)), "refused", 0, 5 * MINUTE),
        (MINT, "refused", 0, 5 * SECOND),
        (MINT, "failed", 2, 20 * SECOND),
        (CreateKey(3), "failed", 99, 5 * MINUTE),
    ],
)
def test_an_action_is_held_back_by_what_came_of_it(action, kind, failures, pause):
    until = timing.held_until(action, answer(kind), failures, PROVING, TERMS)
    assert until == (None if pause is None else NOW + pause)


def test_what_a_person_must_mend_is_tried_seldom():
    said = answer("failed", lasting=True)
    assert timing.held_until(MINT, said, 0, PROVING, TERMS) == NOW + 5 * MINUTE


@pytest.mark.parametrize(
    ("asked_for", "until"),
    [(SECOND, 5 * SECOND), (10 * MINUTE, 10 * MINUTE), (24 * HOUR, 15 * MINUTE)],
    ids=["less than our own pause", "within reason", "so long that consumers would hold a dead token"],
)
def test_a_server_that_asks_for_patience_gets_it_within_reason(asked_for, until):
    said = answer("failed", not_before=NOW + asked_for)
    assert timing.held_until(MINT, said, 0, PROVING, TERMS) == NOW + until


def test_users_are_held_back_apart_from_each_other():
    assert timing.pacing_key(MINT) == "mint:ann"
    assert timing.pacing_key(Touch("bob")) == "touch:bob"
    assert timing.pacing_key(Destroy(1)) == "destroy"


@pytest.mark.parametrize(
    ("phase", "pause"),
    [(Phase.STEADY, 10 * MINUTE), (Phase.PROVING, 8 * MINUTE), (Phase.STAGED, 4 * MINUTE)],
)
def test_tokens_are_called_more_often_while_a_change_relies_on_them(phase, pause):
    record = steady() if phase is Phase.STEADY else changing(phase)
    own = terms(session_timeout=32 * MINUTE)
    assert timing.touch_every(snapshot(record, terms=own), token()) == pause


def test_a_session_that_ends_sooner_than_configured_is_called_while_a_quarter_of_its_life_is_left():
    def pause(**life):
        return timing.touch_every(snapshot(steady()), token(**life))

    assert pause(expires_at=NOW + 8 * MINUTE) == 6 * MINUTE
    assert pause(expires_at=NOW - MINUTE) == TERMS.retry_floor
    assert pause(expires_at=NOW + 8 * MINUTE, prolongable=False) == TERMS.verify_every


@over(st.sampled_from(Kind))
def test_whatever_is_answered_nothing_is_repeated_in_the_past(kind):
    until = timing.held_until(MINT, answer(kind), 0, PROVING, TERMS)
    assert until is None or until > NOW


def test_as_many_failures_as_a_record_may_hold_wait_no_longer_than_the_ceiling():
    many = steady(failures=MOST_COUNTED, failed_at=NOW)
    assert timing.backoff_until(many, TERMS, NOW) == NOW + TERMS.backoff_ceiling


def test_a_key_is_due_before_its_end_by_a_share_of_the_jitter_that_is_its_own():
    own = terms(jitter=12 * HOUR)
    share = timing.jitter("acme", 2, 12 * HOUR)
    assert timing.due_at(steady(), own) == NOW + 270 * DAY - share
    assert share not in (timing.jitter("acme", 1, 12 * HOUR), timing.jitter("globex", 2, 12 * HOUR))


def test_a_token_is_overdue_a_quarter_of_its_period_after_it_was_due():
    late = token(refresh_after=NOW - TERMS.refresh_every / 4)
    assert not timing.is_overdue(late, steady(), TERMS, NOW)
    assert timing.is_overdue(late, steady(), TERMS, NOW + SECOND)
    assert not timing.is_overdue(late, changing(Phase.PROVING), TERMS, NOW + SECOND)


def test_only_a_first_key_without_proofs_is_stuck_and_not_before_servers_are_slow():
    first = changing(Phase.PROVING, current=None, began=NOW - TERMS.slow_servers)
    assert not timing.is_stuck(first, TERMS, NOW)
    assert timing.is_stuck(first, TERMS, NOW + SECOND)
    assert not timing.is_stuck(replace(first, change=replace(first.change, proofs=1)), TERMS, NOW + SECOND)
    assert not timing.is_stuck(replace(first, current=2), TERMS, NOW + SECOND)
    assert not timing.is_stuck(steady(), TERMS, NOW)


def test_for_a_while_after_a_person_said_that_it_is_done_proofs_are_tried_quickly():
    hand = terms(by_hand=True)
    nudged = changing(Phase.PROVING, nudged_at=NOW - TERMS.slow_servers)
    assert timing.proof_retry(nudged, hand, NOW - SECOND) == TERMS.proof_retry
    assert timing.proof_retry(nudged, hand, NOW) == TERMS.by_hand_every


@pytest.mark.parametrize(("phase", "pause"), [(Phase.PROVING, 7 * MINUTE), (Phase.LOCKED_OUT, 2 * MINUTE)])
def test_that_a_person_brought_a_certificate_in_is_seen_as_soon_as_the_org_is_tried_again(phase, pause):
    assert timing.seen_within(phase, terms(by_hand_every=7 * MINUTE, probe_every=2 * MINUTE)) == pause


def test_there_is_no_change_without_a_proof():
    change = changing(Phase.PROVING).change
    assert timing.proofs_needed(change, terms(proofs_needed=1)) == 1
    assert timing.proofs_needed(replace(change, users=()), terms(proofs_needed=0)) == 1


def test_a_deploy_counts_against_the_cap_for_a_day_and_not_a_moment_longer():
    ended = NOW - DAY
    entry = Entry(2, Reason.ROTATION, Outcome.FAILED, ended, ended, deployed=True, message="")
    capped = terms(swaps_a_day=1)
    assert timing.swaps_until(steady(history=(entry,)), capped, NOW) is None
    assert timing.swaps_until(steady(history=(entry,)), capped, NOW - SECOND) == NOW


def test_proofs_are_collected_since_their_wait_began():
    proving = changing(Phase.PROVING, deadline=NOW).change
    assert timing.proving_since(proving, TERMS) == NOW - TERMS.proving_deadline
    by_hand = terms(by_hand=True)
    assert timing.proving_since(proving, by_hand) == NOW - by_hand.by_hand_deadline
    assert timing.proving_since(changing(Phase.PROVING).change, TERMS) is None
