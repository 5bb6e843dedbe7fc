"""How bad it is with a credential is one question with one answer, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.cli.exits import Exit
from rotator.cli.status.look import Look
from rotator.core.model import Entry, Pause, PauseKind, Phase, Reason, Trouble
from rotator.core.outcome import Outcome
from rotator.standing import Level, runbook_of
from rotator.web.health import readiness
from rotator.web.rows import row_of
from tests.world.exhibit import Exhibit
from tests.world.states import DAY, HOUR, STATES, token


def _pause(kind: PauseKind) -> Callable[[Exhibit], None]:
    def pause(fleet: Exhibit) -> None:
        station = fleet.stations["well"]
        station.record = replace(station.record, paused=Pause(kind, fleet.now, "org 00D2, not 00D1"))

    return pause


def _ends_in(days: float, *, paused: bool = False, leaked: bool = False) -> Callable[[Exhibit], None]:
    def end(fleet: Exhibit) -> None:
        station = fleet.stations["well"]
        key = station.record.key(station.record.current)
        assert key is not None
        ends = replace(key, not_after=fleet.now + days * DAY, leaked=leaked)
        station.record = replace(station.record, keys=(ends,), previous=None)
        if paused:
            _pause(PauseKind.OPERATOR)(fleet)

    return end


def _stale_token(fleet: Exhibit) -> None:
    station = fleet.stations["well"]
    (user,) = station.terms.users
    station.tokens[user] = (token(station, user, fleet.now - 2 * HOUR), 5)


def _unusable(fleet: Exhibit) -> None:
    fleet.unusable["well"] = Trouble("record", fleet.now, "vault.document.damaged", "the record is damaged")


def _asks_a_person(days_left: float = 59, *, leaked: bool = False) -> Callable[[Exhibit], None]:
    """Bring the certificate in by hand: nobody has seen it in the org yet."""

    def ask(fleet: Exhibit) -> None:
        station = fleet.stations["well"]
        STATES["proving"](station, fleet.now)
        record = station.record
        assert record.change is not None
        keys = tuple(
            replace(key, not_after=fleet.now + days_left * DAY, leaked=leaked)
            if key.serial == record.current
            else key
            for key in record.keys
        )
        station.record = replace(record, keys=keys, change=replace(record.change, proofs=0))

    return ask


CASES: dict[str, tuple[Callable[[Exhibit], None], Level]] = {
    "well": (lambda _fleet: None, Level.WELL),
    "paused by an operator": (_pause(PauseKind.OPERATOR), Level.HELD),
    "another org answers": (_pause(PauseKind.IDENTITY), Level.LOST),
    "due and nobody has begun": (_ends_in(20), Level.TROUBLE),
    "due and paused": (_ends_in(20, paused=True), Level.HELD),
    "urgent and paused": (_ends_in(3, paused=True), Level.TROUBLE),
    "leaked and paused": (_ends_in(200, paused=True, leaked=True), Level.TROUBLE),
    "ended": (_ends_in(-1), Level.LOST),
    "ended and paused": (_ends_in(-1, paused=True), Level.LOST),
    "a token ran out": (_stale_token, Level.TROUBLE),
    "the record cannot be used": (_unusable, Level.TROUBLE),
    "a person brings it in": (_asks_a_person(), Level.HELD),
    "urgent, and a person has not brought it in": (_asks_a_person(3), Level.TROUBLE),
    "leaked, and a person has not brought the next in": (_asks_a_person(leaked=True), Level.TROUBLE),
}


@pytest.mark.parametrize("case", CASES)
def test_status_the_page_and_readiness_agree_about_a_credential(fleet, case):
    arrange, level = CASES[case]
    arrange(fleet)
    _agree(fleet, "well", level)


@pytest.mark.parametrize("state", [name for name in STATES if name != "unread"])
def test_they_agree_in_every_state_of_the_exhibit(fleet, state):
    level = {"due": Level.TROUBLE, "refused": Level.TROUBLE, "locked_out": Level.LOST, "empty": Level.HELD,
             "paused": Level.HELD, "proving": Level.BUSY, "well": Level.WELL}[state]  # fmt: skip
    _agree(fleet, state.replace("_", "-"), level)


def _agree(fleet: Exhibit, name: str, level: Level) -> None:
    seen = fleet.look()
    standing = seen.standing(seen.stations[name])
    assert standing is not None
    assert standing.level is level
    look, row, ready = Look(seen.at, [standing]), row_of(seen, name), readiness(seen, name)
    assert row is not None
    assert row.level is level
    assert look.code is (Exit.PROBLEM if row.level.is_problem else Exit.OK)
    assert replace(look, only_problems=True).shown == ([standing] if row.level.is_problem else [])
    signs = standing.current is not None
    assert ready is not None
    assert ready[0] == (signs and not row.level.is_problem)


def test_what_holds_a_rotation_back_that_is_urgent_is_told_with_the_section_of_its_alarm(fleet):
    _ends_in(3, paused=True)(fleet)
    seen = fleet.look()
    (trouble,) = seen.standing(seen.stations["well"]).troubles
    assert trouble.message.endswith("ends soon, and its rotation is due, but paused: org 00D2, not 00D1")
    assert trouble.since == fleet.now + timedelta(days=3) - seen.stations["well"].terms.urgent_before
    assert trouble.hint == "`rotator resume well` ends the pause."
    assert runbook_of(trouble) == "certificate-expiring"


def test_who_is_waited_for_until_the_end_is_near_is_told_what_ends_and_what_to_do(fleet):
    _asks_a_person(3)(fleet)
    seen = fleet.look()
    (trouble,) = seen.standing(seen.stations["well"]).troubles
    assert trouble.message.endswith("ends soon, and nobody has brought in the certificate that is waited for")
    assert trouble.since == seen.stations["well"].record.change.began
    assert trouble.hint == "Bring it in now: `rotator status well` tells the steps."
    assert runbook_of(trouble) == "certificate-expiring"


@pytest.mark.parametrize("what", ["a pause", "a change that failed", "neither that is on record"])
def test_a_leaked_key_is_held_since_the_pause_or_the_end_of_the_change_and_not_since_it_was_made(fleet, what):
    station = fleet.stations["well"]
    _ends_in(200, paused=True, leaked=True)(fleet)
    since, record = fleet.now - HOUR, replace(station.record, history=())
    if what == "a pause":
        record = replace(record, paused=Pause(PauseKind.OPERATOR, since, "by ann"))
    elif what == "a change that failed":
        failed = Entry(8, Reason.COMPROMISED, Outcome.FAILED, since - HOUR, since, deployed=True)
        record = replace(record, paused=None, history=(failed,), failed_at=since, failures=9)
    else:
        since, record = fleet.now, replace(record, paused=None, failed_at=fleet.now - HOUR, failures=9)
    station.record = record
    seen = fleet.look()
    (trouble,) = seen.standing(seen.stations["well"]).troubles
    assert "leaked, and its rotation is " in trouble.message
    assert trouble.since == since


def test_a_rotation_that_waits_outside_its_window_is_no_problem_before_it_is_urgent(fleet):
    station = fleet.stations["well"]
    assert station.record.phase is Phase.STEADY
    _ends_in(20, paused=True)(fleet)
    row = row_of(fleet.look(), "well")
    assert (row.level, row.level.is_problem, row.certificate.level) == (Level.HELD, False, Level.HELD)
