"""Alarms that are told on their edges: due but held, at its end, capped, without a bridge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rotator.core.model import (
    Change,
    Entry,
    KeyFacts,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Snapshot,
    Terms,
    TokenFacts,
    Trouble,
)
from rotator.core.outcome import Outcome
from rotator.performer import alarms
from rotator.performer.station import Held, Station
from rotator.show import logs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TERMS = Terms("acme", ("u",), jitter=timedelta())
PAUSED = Pause(PauseKind.OPERATOR, NOON, "by an operator")


def steady(days_left: float, **more: object) -> Record:
    key = KeyFacts(1, "f", NOON - timedelta(days=300), NOON + timedelta(days=days_left))
    return Record(phase=Phase.STEADY, newest=1, current=1, keys=(key,), **more)


@pytest.fixture
def heard():
    """Sounds alarms for a record, and returns the names of what is told."""
    station = Station("acme", config=SimpleNamespace(publish=True), terms=TERMS, app=None, publisher=None)
    with logs.capture() as lines:

        def hear(record: Record, now: datetime = NOON, **more: object) -> list[str]:
            del lines[:]
            terms = more.pop("terms", TERMS)
            alarms.sound(station, Snapshot(record, 1, terms, **more), now)
            return [line["event"] for line in lines]

        hear.lines, hear.station = lines, station
        yield hear


def test_a_certificate_far_from_its_end_is_no_alarm(heard):
    assert heard(steady(200)) == []


def test_who_is_due_and_may_begin_is_no_alarm(heard):
    assert heard(steady(20)) == []


def test_due_but_paused_is_told_once_and_again_after_it_was_over(heard):
    held = steady(20, paused=PAUSED)
    assert heard(held) == ["rotation.due_but_held"]
    assert heard.lines[0]["hint"] == "rotator resume acme"
    assert heard(held, NOON + timedelta(hours=1)) == []
    assert heard(steady(20)) == []
    assert heard(held) == ["rotation.due_but_held"]


def test_due_but_not_rehearsed_is_told(heard):
    assert heard(steady(20), terms=replace(TERMS, rehearse_first=True)) == ["rotation.due_but_held"]
    assert heard.lines[0]["hint"] == "rotator rehearse acme"


def test_what_is_urgent_is_not_held_by_a_rehearsal_and_not_said_to_be(heard):
    assert heard(steady(5), terms=replace(TERMS, rehearse_first=True)) == []


def test_a_certificate_that_comes_to_its_end_and_is_not_replaced_is_told(heard):
    assert heard(steady(5, paused=PAUSED)) == ["certificate.expiring", "rotation.due_but_held"]
    assert heard.lines[0]["why"] == "due, but paused: by an operator"


def test_near_its_end_a_rotation_that_begins_is_no_alarm(heard):
    assert heard(steady(5)) == []


def test_a_certificate_that_has_ended_is_told_in_whatever_phase(heard):
    change = Change(2, 1, Reason.ROTATION, ("u",), NOON)
    assert heard(steady(-1, paused=PAUSED)) == ["certificate.expired", "rotation.due_but_held"]
    assert heard(replace(steady(-1), phase=Phase.PROVING, change=change)) == []  # told before
    other = replace(steady(-1), current=2, keys=(replace(steady(-1).keys[0], serial=2),))
    assert heard(replace(other, phase=Phase.PROVING, change=change)) == ["certificate.expired"]


def test_as_many_swaps_as_a_day_may_have_are_told(heard):
    entry = Entry(2, Reason.ROTATION, Outcome.FAILED, NOON, NOON, True)
    assert heard(steady(20, history=(entry,) * TERMS.swaps_a_day)) == ["rotation.capped"]
    assert heard.lines[0]["not_before"] == "2026-01-02T12:00:00.000Z"


def token(minutes: float, *, prolongable: bool) -> TokenFacts:
    end = NOON + timedelta(minutes=minutes)
    return TokenFacts("u", 1, NOON, NOON, end, end, prolongable, 1)


def test_a_token_that_can_never_outlive_a_change_is_told(heard):
    change = Change(2, 1, Reason.ROTATION, ("u",), NOON, validated=True)
    staged = replace(steady(20), phase=Phase.STAGED, change=change)
    assert heard(staged, tokens=(token(30, prolongable=False),)) == ["bridge.lacking"]
    assert heard(staged, tokens=(token(30, prolongable=False),), terms=replace(TERMS, accept_gap=True)) == []
    assert heard(staged, tokens=(token(90, prolongable=False),)) == []
    assert heard(staged, tokens=(token(30, prolongable=True),)) == []


@pytest.mark.parametrize("under_way", [{"reason": Reason.RESTORE}, {"asked": 1}], ids=str)
def test_what_waits_for_no_session_is_not_said_to_lack_one(heard, under_way):
    """A restore is what consumers wait for, and a deploy that was asked for may have ended their sessions already."""
    change = replace(Change(2, 1, Reason.ROTATION, ("u",), NOON, validated=True), **under_way)
    staged = replace(steady(20), phase=Phase.STAGED, change=change)
    assert heard(staged, tokens=(token(30, prolongable=False),)) == []


def test_a_dead_token_that_nobody_replaces_is_told_once_whatever_each_try_meets(heard):
    dead = steady(200, trouble=(Trouble("token:u", NOON, "session.dead", "it is over"),))
    assert heard(dead, NOON + TERMS.verify_every / 2) == []
    for number, code in enumerate(("salesforce.timeout", "salesforce.unreachable") * 2):
        heard.station.held["mint:u"] = Held(failures=number + 1, code=code, message="no token")
        told = heard(dead, NOON + TERMS.verify_every * (number + 1))
        assert told == (["token.not_replaced"] if number == 0 else [])


def test_a_dead_token_is_no_alarm_before_another_was_asked_for_unless_no_key_may_ask(heard):
    dead = steady(200, trouble=(Trouble("token:u", NOON, "session.dead", "it is over"),))
    later = NOON + TERMS.verify_every
    assert heard(dead, later) == []
    assert heard(replace(dead, phase=Phase.LOCKED_OUT), later) == ["token.not_replaced"]


def test_the_dead_token_of_a_deployer_keeps_no_consumer_from_work(heard):
    heard.station.config = SimpleNamespace(publish=False)
    heard.station.held["mint:u"] = Held(failures=1, code="salesforce.inactive_user")
    dead = steady(200, trouble=(Trouble("token:u", NOON, "session.dead", "it is over"),))
    assert heard(dead, NOON + TERMS.verify_every) == []


@pytest.mark.parametrize(("minutes", "told"), [(14, ["bridge.lacking"]), (16, [])])
def test_a_session_that_lives_too_short_after_a_call_to_outlast_a_change_is_told(heard, minutes, told):
    change = Change(2, 1, Reason.ROTATION, ("u",), NOON, validated=True)
    staged = replace(steady(20), phase=Phase.STAGED, change=change)
    assert heard(staged, tokens=(token(minutes, prolongable=True),)) == told
    assert all("session.timeout" in line["hint"] for line in heard.lines)


@pytest.mark.parametrize("minutes", [16, 30])
def test_a_session_that_ends_between_half_and_all_of_what_is_needed_is_told_once_calls_have_not_mended_it(
    heard, minutes
):
    """Such is an org of 15 or 30 minutes under the default of two hours: no call ever leaves enough."""
    change = Change(2, 1, Reason.ROTATION, ("u",), NOON, validated=True)
    staged = replace(steady(20), phase=Phase.STAGED, change=change)
    short = token(minutes, prolongable=True)
    assert heard(staged, NOON + timedelta(minutes=29), tokens=(short,)) == []
    assert heard(staged, NOON + timedelta(minutes=30), tokens=(short,)) == ["bridge.lacking"]


def test_a_session_that_is_too_short_is_told_once_however_much_of_it_a_call_leaves(heard):
    change = Change(2, 1, Reason.ROTATION, ("u",), NOON, validated=True)
    staged = replace(steady(20), phase=Phase.STAGED, change=change)
    lives = (14, 20, 14, 30, 31, 14)
    told = [heard(staged, tokens=(token(minutes, prolongable=True),)) for minutes in lives]
    assert told == [["bridge.lacking"], [], [], [], [], ["bridge.lacking"]]
