"""What a credential remembers of a Vault that was restored from a backup."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rotator.core.model import Phase, Record, Terms, Trouble
from rotator.performer.station import Station
from rotator.show import logs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def station() -> Station:
    """Key pair 2 signs for two users."""
    record = Record(Phase.STEADY, newest=2, current=2, previous=1)
    return Station("acme", None, Terms("acme", ("ann", "bob")), None, None, record=record)


def told(station: Station, *found: tuple[str, int | None, int | None]) -> list[tuple[str, int | None]]:
    with logs.capture() as lines:
        for document, version, known_version in found:
            station.went_back(document, version, known_version)
    return [(line["document"], line["known_version"]) for line in lines]


def test_one_backup_is_told_once_by_however_many_documents_and_however_often_it_is_noticed(station):
    first = ("record", 3, 9), ("tokens/ann", 4, 7), ("keys/5", None, None)
    assert told(station, *first) == [("record", 9)]
    assert told(station, ("keys/5", None, None), ("tokens/ann", 4, 7)) == []


def test_a_later_restore_is_told_although_the_first_is_not_overcome(station):
    told(station, ("record", 3, 9), ("tokens/ann", 4, 7))
    assert told(station, ("record", 3, 5), ("tokens/ann", 4, 8)) == [("record", 5)]


def test_org_and_vault_agree_again_when_the_current_key_is_taken_and_no_user_is_still_to_be_seen(station):
    assert not station.reconciles(2)
    told(station, ("record", 3, 9))
    station.unreconciled.discard("ann")
    assert not station.reconciles(2)
    station.unreconciled.discard("bob")
    assert not station.reconciles(1)
    assert station.reconciles(2)


@pytest.mark.parametrize("lasting", [True, False])
def test_only_a_user_who_needs_a_person_before_is_not_waited_for(station, lasting):
    told(station, ("record", 3, 9))
    station.unreconciled.discard("ann")
    frozen = Trouble("mint:bob", NOON, "salesforce.inactive_user", "frozen", lasting=lasting)
    station.record = Record(Phase.STEADY, newest=2, current=2, trouble=(frozen,))
    assert station.reconciles(2) is lasting
