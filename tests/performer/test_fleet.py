"""What the fleet allows one credential, and what it costs to find out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.config.model import FleetConfig
from rotator.config.sections import Rollout
from rotator.core.model import (
    Answered,
    Change,
    Entry,
    KeyFacts,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Terms,
)
from rotator.core.outcome import Outcome
from rotator.errors import Conflict
from rotator.performer.fleet import Neighbours
from rotator.performer.station import Station

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAR = KeyFacts(1, "f", NOON - timedelta(days=100), NOON + timedelta(days=265))
DUE = replace(FAR, not_after=NOON + timedelta(days=29))
URGENT = replace(FAR, not_after=NOON + timedelta(days=6))


class Config:
    """As much of a credential's configuration as the fleet asks for."""

    def __init__(self, rank: int = 10, after: tuple[str, ...] = (), deployer: str | None = None) -> None:
        self.rollout = Rollout(rank=rank, after=after)
        self.deployer_name = deployer


class Town:
    """A fleet of stations without adapters."""

    def __init__(self, **settings: int) -> None:
        self.stations: dict[str, Station] = {}
        self.neighbours = Neighbours(self.stations, FleetConfig(**settings))

    def add(self, name: str, key: KeyFacts = FAR, **config: object) -> Station:
        terms = Terms(name, ("u",), jitter=timedelta())
        record = Record(phase=Phase.STEADY, newest=1, current=1, keys=(key,))
        station = Station(name, Config(**config), terms, app=None, publisher=None, record=record)
        self.stations[name] = station
        self.neighbours.note(station, record)
        return station

    def rotate(self, station: Station, *, unasked: bool = True) -> None:
        """Begin a rotation, as a driver does."""
        before = station.record
        change = Change(2, 1, Reason.ROTATION, ("u",), NOON)
        answered = before.answered if unasked else Answered("r", True, "", NOON)
        after = replace(before, phase=Phase.CREATING, change=change, answered=answered)
        self.neighbours.take_slot(station, before, after, NOON)
        self.record(station, after)

    def end(self, station: Station, outcome: str, at: datetime, reason: Reason = Reason.ROTATION) -> None:
        entry = Entry(2, reason, outcome, at, at, True)
        steady = replace(station.record, phase=Phase.STEADY, change=None)
        self.record(station, replace(steady, history=(*steady.history, entry)))

    def record(self, station: Station, record: Record) -> None:
        station.record = record
        self.neighbours.note(station, record)

    def may_not_begin(self, station: Station) -> str | None:
        return self.neighbours.allowed(station, NOON, 0.0).may_not_begin

    def may_not_deploy(self, station: Station, vault_skew_seconds: float = 0.0) -> str | None:
        return self.neighbours.allowed(station, NOON, vault_skew_seconds).may_not_deploy


def test_who_is_due_and_alone_may_begin():
    town = Town()
    assert town.may_not_begin(town.add("a", DUE)) is None


def test_no_more_rotate_at_a_time_than_configured():
    town = Town(max_concurrent_rotations=2)
    a, b, c = (town.add(name, DUE) for name in "abc")
    town.rotate(a)
    town.rotate(b)
    assert town.may_not_begin(c) == "a, b rotate at the moment"
    town.end(a, Outcome.PROMOTED, NOON)
    assert town.may_not_begin(c) is None


def test_two_that_decide_at_the_same_moment_do_not_both_take_the_last_slot():
    town = Town(max_concurrent_rotations=1)
    a, b = town.add("a", DUE), town.add("b", DUE)
    assert (town.may_not_begin(a), town.may_not_begin(b)) == (None, None)
    town.rotate(a)
    with pytest.raises(Conflict):
        town.rotate(b)


def test_an_operator_and_a_certificate_about_to_end_need_no_slot():
    town = Town(max_concurrent_rotations=1)
    a, b, c = town.add("a", DUE), town.add("b", DUE), town.add("c", URGENT)
    town.rotate(a)
    town.rotate(b, unasked=False)
    town.rotate(c)


def test_the_brake_is_on_while_the_latest_rotations_all_failed():
    town = Town(stop_after_failures=2)
    a, b, c = town.add("a"), town.add("b"), town.add("c", DUE)
    town.end(a, Outcome.FAILED, NOON)
    assert town.neighbours.braked() == []
    # One credential that fails twice is its own trouble.
    town.end(a, Outcome.FAILED, NOON + timedelta(hours=1))
    assert town.neighbours.braked() == []
    town.end(b, Outcome.REFUSED, NOON + timedelta(hours=2))
    assert town.neighbours.braked() == ["a", "b"]
    assert "a, b" in town.may_not_begin(c)
    town.end(a, Outcome.PROMOTED, NOON + timedelta(hours=3))
    assert town.neighbours.braked() == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Outcome.ABORTED, Reason.ROTATION), (Outcome.RESTORED, Reason.RESTORE)],
    ids=["abort", "restore"],
)
def test_what_is_no_rotation_or_was_called_off_says_nothing_to_the_brake(outcome, reason):
    town = Town(stop_after_failures=1)
    town.end(town.add("a"), outcome, NOON, reason)
    assert town.neighbours.braked() == []


def test_lower_ranks_go_first():
    town = Town()
    first, second = town.add("first", DUE, rank=1), town.add("second", DUE, rank=2)
    assert town.may_not_begin(first) is None
    assert town.may_not_begin(second) == "first has a lower rank and is due as well"


def test_who_is_paused_holds_nobody_back():
    town = Town()
    first, second = town.add("first", DUE, rank=1), town.add("second", DUE, rank=2)
    paused = Pause(PauseKind.OPERATOR, NOON, "by an operator")
    town.record(first, replace(first.record, paused=paused))
    assert town.may_not_begin(second) is None


def test_who_goes_after_another_waits_until_that_one_has_been_through():
    town = Town()
    first, second = town.add("first"), town.add("second", DUE, after=("first",))
    assert town.may_not_begin(second) == "first goes first (rollout.after)"
    town.end(first, Outcome.PROMOTED, NOON)
    assert town.may_not_begin(second) is None


def test_nothing_is_deployed_while_clocks_differ_by_more_than_a_minute():
    town = Town()
    a = town.add("a")
    assert town.may_not_deploy(a, 59) is None
    assert "Vault differs from ours by -61 seconds" in town.may_not_deploy(a, -61)
    a.skew_seconds = 90
    assert "Salesforce differs from ours by +90 seconds" in town.may_not_deploy(a)


def test_whose_clock_differs_is_told_to_whoever_waits_for_a_quarantine_whatever_its_deployer_does():
    town = Town()
    a = town.add("a", deployer="d")
    assert town.neighbours.allowed(a, NOON, 60).clocks_differ is None
    assert "Vault differs from ours by +61 seconds" in town.neighbours.allowed(a, NOON, 61).clocks_differ
    a.skew_seconds = -90
    assert "Salesforce differs from ours by -90 seconds" in town.neighbours.allowed(a, NOON, 0).clocks_differ


def test_nothing_is_deployed_by_a_deployer_that_is_in_a_change_or_has_no_key():
    town = Town()
    a = town.add("a", deployer="d")
    assert town.may_not_deploy(a) == "its deployer d has no key pair yet"
    deployer = town.add("d")
    assert town.may_not_deploy(a) is None
    town.rotate(deployer)
    assert town.may_not_deploy(a) == "its deployer d is in a change itself"


def test_a_step_looks_at_no_other_credential_unless_its_own_rotation_is_due(monkeypatch):
    town = Town()
    for number in range(300):
        town.add(f"c{number}")
    one, due = town.add("one"), town.add("due", DUE)
    looked = itertools.count()
    values = dict.values

    class Watched(dict):
        def values(self):
            next(looked)
            return values(self)

    town.neighbours._stations = Watched(town.stations)
    for _ in range(50):
        town.may_not_begin(one)
    assert next(looked) == 0
    for _ in range(50):
        town.may_not_begin(due)
    assert next(looked) == 2  # looked at once, for all of that second
