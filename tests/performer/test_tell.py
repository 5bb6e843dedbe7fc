"""What is told of a key that the org takes, and that was not looked for; and of one that is not destroyed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.model import Change, Entry, KeyFacts, Phase, Reason, Record, Terms, Trouble
from rotator.core.outcome import Outcome
from rotator.core.slot import NONE_TAKEN, RIVAL_TAKEN
from rotator.performer.station import Station
from rotator.performer.tell import tell_record
from rotator.show import logs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(target: int, outcome: str, *, deployed: bool = True, reason: Reason = Reason.ROTATION) -> Entry:
    return Entry(target, reason, outcome, NOON, NOON, deployed=deployed)


def told(before: Record, after: Record) -> list[dict[str, object]]:
    station = Station("acme", config=None, terms=Terms("acme", ("u",)), app=None, publisher=None)
    with logs.capture() as lines:
        tell_record(station, before, after, lambda: "")
    return lines


def told_of_found(serial: int, *history: Entry) -> dict[str, object]:
    """Return what is told when key 3 signs, and the org turns out to take another one."""
    keys = tuple(KeyFacts(number, "f", NOON, NOON + timedelta(days=9)) for number in (2, 3, 4))
    change = Change(serial, 3, Reason.FOUND, ("u",), NOON)
    before = Record(Phase.PROVING, newest=4, current=3, keys=keys, change=change, history=history)
    found = entry(serial, Outcome.FOUND, deployed=False, reason=Reason.FOUND)
    after = replace(before, phase=Phase.STEADY, current=serial, change=None, history=(*history, found))
    (line,) = [
        line for line in told(before, after) if line["event"] in {"certificate.reverted", "change.late"}
    ]
    return line


def test_a_key_that_signed_before_was_brought_back_by_somebody_and_alerts():
    line = told_of_found(2, entry(2, Outcome.PROMOTED), entry(3, Outcome.PROMOTED))
    assert (line["event"], line["serial"], line["found"], line["alert"]) == (
        "certificate.reverted",
        3,
        2,
        True,
    )


@pytest.mark.parametrize(("tried", "failed"), [(2, None), (3, 3)])
def test_a_key_that_is_brought_back_is_not_told_as_the_one_that_failed(tried, failed):
    """After a lock-out, and after a rehearsal, the change before was to the same key."""
    keys = tuple(KeyFacts(number, "f", NOON, NOON + timedelta(days=9)) for number in (2, 3))
    change = Change(tried, None, Reason.RESTORE, ("u",), NOON)
    out = Record(Phase.LOCKED_OUT, newest=3, current=2, keys=keys, change=change)
    back = replace(change, target=2, began=NOON + timedelta(hours=1))
    ended = entry(tried, Outcome.LOCKED_OUT, reason=Reason.RESTORE)
    lines = told(out, replace(out, phase=Phase.STAGED, change=back, history=(ended,)))
    (line,) = [line for line in lines if line["event"] == "change.restoring"]
    assert (line["target"], line["failed"]) == (2, failed)


def test_a_key_that_is_made_in_a_lock_out_is_not_told_as_one_that_was_found():
    leaked = KeyFacts(3, "f", NOON, NOON + timedelta(days=9), leaked=True)
    change = Change(3, None, Reason.RESTORE, ("u",), NOON)
    out = Record(Phase.LOCKED_OUT, newest=3, current=3, keys=(leaked,), change=change)
    fresh = Change(4, 3, Reason.COMPROMISED, ("u",), NOON)
    lines = told(out, replace(out, phase=Phase.CREATING, newest=4, change=fresh))
    assert [(line["event"], line["target"]) for line in lines] == [("change.begun", 4)]


def test_nobody_is_asked_to_bring_the_certificate_of_a_leaked_key_in():
    leaked = KeyFacts(3, "f", NOON, NOON + timedelta(days=9), leaked=True)
    change = Change(3, None, Reason.RESTORE, ("u",), NOON)
    out = Record(Phase.LOCKED_OUT, newest=3, current=3, keys=(leaked,), change=change)
    refused = Trouble(
        "change", NOON, NONE_TAKEN, "another certificate is there", "Bring it in.", lasting=True
    )
    (line,) = told(out, replace(out, trouble=(refused,)))
    assert line["event"] == "credential.locked_out"
    assert not {"certificate", "fingerprint"} & set(line)
    assert line["steps"].startswith("key pair 3 leaked, so its certificate is to stay out of the app")


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.by_proofs])
def test_a_deploy_of_ours_that_landed_after_its_change_was_given_up_is_no_work_of_somebody_else(outcome):
    line = told_of_found(
        4, entry(3, Outcome.PROMOTED), entry(4, outcome), entry(3, Outcome.LOCKED_OUT, reason=Reason.RESTORE)
    )
    assert (line["event"], line["serial"], line["found"]) == ("change.late", 3, 4)
    assert "alert" not in line


def test_nor_is_one_that_was_found_and_lost_again_before():
    lost = entry(4, Outcome.FAILED, deployed=False, reason=Reason.FOUND)
    line = told_of_found(4, entry(3, Outcome.PROMOTED), entry(4, Outcome.FAILED), lost)
    assert line["event"] == "change.late"


def test_a_key_whose_certificate_we_never_sent_was_brought_in_by_somebody():
    line = told_of_found(4, entry(3, Outcome.PROMOTED), entry(4, Outcome.REFUSED, deployed=False))
    assert line["event"] == "certificate.reverted"


def told_of_trouble(trouble: Trouble) -> dict[str, object]:
    steady = Record(Phase.STEADY, newest=4, current=3)
    (line,) = told(steady, replace(steady, trouble=(trouble,)))
    return line


def test_a_retired_key_that_the_org_takes_is_told_as_that():
    line = told_of_trouble(Trouble("key:2", NOON, RIVAL_TAKEN, "the org takes it as well"))
    assert (line["event"], line["serial"], line["alert"]) == ("key.still_accepted", 2, True)


def test_a_key_that_cannot_be_destroyed_is_told_with_what_a_person_may_do():
    line = told_of_trouble(
        Trouble("key:2", NOON, "vault.permission_denied", "no right", "give it", lasting=True)
    )
    assert (line["event"], line["serial"], line["alert"]) == ("key.not_destroyed", 2, True)
    assert (line["code"], line["message"], line["hint"]) == ("vault.permission_denied", "no right", "give it")
