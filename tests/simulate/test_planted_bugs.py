"""The simulation is worth its time: bugs that are planted in rotator are found, with the shortest story that shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core import guards, machine, moves, upkeep
from rotator.core.model import Phase
from rotator.core.slot import RESTORING
from rotator.performer import tokens
from tests.explore.test_planted_bugs import plant  # noqa: F401 - a fixture
from tests.simulate.drama import Mishap, Moment, Plot
from tests.simulate.loop import DAY, HOUR
from tests.simulate.shrink import sentences, shrunk
from tests.simulate.story import tell

NOON = Moment(DAY / 2 + 100)
REFRESHED = Moment(10 * HOUR + 200)
"""A yearly fleet has just refreshed its tokens, and calls them in two hours."""


def found(*mishaps: Mishap, style: str = "daily", days: float = 2.0, name: str = "cred1") -> str:
    """Return what is wrong in a story of one credential and one daemon."""
    outcome = tell(Plot(7, style, days, 1, (name,), mishaps=mishaps))
    return "; ".join(sentence for _at, sentence in outcome.violations)


@pytest.fixture
def strike(monkeypatch):
    """Return a function that leaves the rows with these guards out of the transition table."""

    def struck(*names):
        chosen = [getattr(guards, name) for name in names]
        rows = tuple(row for row in machine.ROWS if row.guard not in chosen)
        assert len(rows) == len(machine.ROWS) - len(chosen)
        monkeypatch.setattr(machine, "ROWS", rows)

    return struck


def test_a_change_that_is_never_deployed_is_found(strike):
    strike("bridge_holds", "staging_over")
    assert "at the end cred1 is staged" in found()


def test_a_change_that_is_never_proved_is_found(strike):
    strike("proof_due", "overdue")
    assert "at the end cred1 is proving" in found()


def test_changes_that_are_all_given_up_are_found(strike):
    """Each is young at the end."""
    strike("bridge_holds")
    assert "at the end cred1 has a key that should have been replaced long ago" in found()


def test_one_proof_that_is_taken_for_all_of_them_is_found(plant):  # noqa: F811
    plant(moves.counted, lambda record, _a, answer, terms: moves.promote(record, answer.at, terms))
    assert "promoted with 1 proofs of 5" in found(days=0.6)


def test_a_publisher_that_is_believed_without_proof_is_found(plant):  # noqa: F811
    plant(moves.proving, lambda record, _a, answer, terms: moves.promote(record, answer.at, terms))
    assert "promoted with 0 proofs of 5" in found(days=0.6)


def test_a_key_that_is_destroyed_before_its_time_is_found(monkeypatch):
    monkeypatch.setattr(guards, "quarantine_ends", lambda _snapshot, retired: retired.since)
    assert "is destroyed before its quarantine is over" in found(days=1.0)


def test_a_key_that_is_destroyed_while_its_cancelled_deploy_may_still_take_effect_is_found(monkeypatch):
    monkeypatch.setattr(guards, "quarantine_ends", lambda _snapshot, retired: retired.since)
    late = Mishap("late commits", Moment(0.0, "cred1", Phase.STAGED), seconds=40 * 60)
    assert "whose key is not in Vault" in found(late, days=1.3)


def test_a_restore_that_is_believed_without_proof_is_found(plant):  # noqa: F811
    def hasty(record, action, answer, terms):
        if moves.change_of(record).reason in RESTORING:
            return moves.promote(record, answer.at, terms)
        return moves.proving(record, action, answer, terms)

    plant(moves.proving, hasty)
    slow = Mishap("slow spread", Moment(0.0, "cred1", Phase.STAGED), seconds=6 * HOUR, border=1)
    assert "restored with 0 proofs of 5" in found(slow, days=1.3)


def test_calls_that_are_believed_without_being_made_are_found(monkeypatch):
    """The session runs out, and the daemon publishes that it lives."""
    monkeypatch.setattr(tokens, "query_accounts", lambda *_any: 1)
    said = found(style="quarterly")
    assert "calls of cred1 failed, of a consumer that reads every 5 s" in said
    assert "and nothing says so" in said


@pytest.mark.parametrize("kind", ["maintenance", "restored", "clock ahead"])
def test_a_dead_session_that_nobody_puts_on_record_is_found(plant, kind):  # noqa: F811
    """Also where something kept the daemon from its work, or may have, for some minutes of the ten hours."""
    plant(upkeep.session_died, lambda record, _action, _answer, _terms: record)
    blip = Mishap(kind, Moment(REFRESHED.after + 100), seconds=300.0)
    said = found(Mishap("sessions killed", REFRESHED), blip, style="yearly", days=4.0)
    assert "and nothing says so" in said
    assert "calls of cred1 failed, of a consumer that reads every 5 s" in said


def test_a_dead_session_that_is_put_on_record_as_that_of_another_user_is_found(plant):  # noqa: F811
    def mistaken(record, action, answer, terms):
        return upkeep.session_died(record, replace(action, user=terms.users[0]), answer, terms)

    plant(upkeep.session_died, mistaken)
    said = found(Mishap("sessions killed", REFRESHED), style="yearly", days=4.0, name="cred2")
    assert "the token of batch@cred2.example is dead" in said
    assert "the token of integration@cred2.example is dead" not in said


def test_what_was_proved_before_the_clock_was_set_back_and_counts_on_is_found(monkeypatch):
    monkeypatch.setattr(guards, "MOST_SKEW", timedelta(days=1000))
    assert "calls of cred1 failed" in found(
        Mishap("clock back", NOON, seconds=5 * HOUR), style="defaults", days=2.6
    )


def test_a_step_that_is_due_again_as_soon_as_it_is_done_is_found(monkeypatch):
    """A deploy of before the clock was set back, and a token that is called because it was not called since."""
    monkeypatch.setattr(
        guards, "_swapped_since", lambda snapshot, token, _now: is_older(token, snapshot.record)
    )
    back = Mishap("clock back", Moment(100.0, "cred1", Phase.PROVING), seconds=4 * HOUR)
    assert "works without end" in found(back, days=1.3)


def is_older(token, record):
    change = record.change
    return change is not None and change.asked_at is not None and token.verified_at < change.asked_at


def test_of_many_mishaps_the_one_that_it_takes_is_told(plant):  # noqa: F811
    plant(upkeep.session_died, lambda record, _action, _answer, _terms: record)
    others = [Mishap("rotate", Moment(hour * HOUR), "cred1") for hour in range(1, 9)]
    plot = Plot(7, "yearly", 4.0, names=("cred1",), mishaps=(*others, Mishap("sessions killed", REFRESHED)))
    short = shrunk(plot, lambda tried: bool(tell(tried).violations))
    assert [mishap.kind for mishap in short.mishaps] == ["sessions killed"]
    outcome = tell(replace(short, telling=True))
    story = "\n".join(sentences(short, outcome.lines, outcome.violations))
    assert "an admin ends all sessions at 01-01 10:03:20" in story
    assert "the published token of integration@cred1.example is dead" in story
    assert "This must not be: cred1: the token of integration@cred1.example is dead" in story
