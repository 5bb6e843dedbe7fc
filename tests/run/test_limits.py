"""What a step may take follows from the time limits of what it calls: it is never less than they allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.model import Change, Phase, Reason, Record
from rotator.run.limits import longest_round, longest_step
from tests.world.lab import GLOBEX, credential

MINUTE = timedelta(minutes=1)
HALF_OF_A_SESSION = timedelta(hours=1)
CHANGE = Change(
    target=2, rival=1, reason=Reason.ROTATION, users=GLOBEX, began=datetime(2027, 1, 1, tzinfo=UTC)
)


@pytest.fixture
def limit(lab):
    """Return what a step of globex may take with edits of the configuration, in a phase or steady."""

    def of(*edits, phase: Phase = Phase.STEADY, keys=1, deployers_keys=1, **of_change) -> timedelta:
        with lab.application(_usual, *edits) as app:
            stations = app.driver.stations
            station, deployer = stations["globex"], stations["deployer"]
            facts = lab.facts("globex")
            deployer.record = Record(Phase.STEADY, newest=1, current=1, keys=(facts,) * deployers_keys)
            station.record = Record(phase, newest=1, current=1, keys=(facts,) * keys)
            if phase is not Phase.STEADY:
                station.record = replace(station.record, change=replace(CHANGE, **of_change))
            uses = deployer if station.config.deployer_name else None
            return longest_step(app.configuration, station, uses)

    return of


def _usual(said) -> None:
    """Use the time limits that the configuration has by default, with sessions that outlast any lease."""
    said["vault"].pop("timeout", None)
    said.pop("salesforce", None)
    said["defaults"] |= {"deploy": {"publisher": "metadata"}, "session": {"timeout": "24h"}}


def test_a_step_that_hangs_is_noticed_before_the_tokens_of_its_credential_are_past_their_proof(limit):
    assert 10 * MINUTE < limit() < HALF_OF_A_SESSION


def test_a_slower_org_and_a_slower_vault_are_waited_for_longer(limit):
    assert limit(lambda said: said.update(salesforce={"read_timeout": "1m"})) > limit() + 10 * MINUTE
    assert limit(lambda said: said["vault"].update(timeout="1m")) > limit() + 10 * MINUTE


def test_a_program_may_take_as_long_as_it_is_allowed_to(limit):
    program = {"publisher": "command", "command": ["/bin/true"], "lease": "5h", "timeout": "4h"}
    allowed = credential("globex", deploy=program)
    assert limit(allowed, phase=Phase.STAGED) > timedelta(hours=4)
    assert limit(allowed) <= limit()


def test_a_deploy_may_take_its_lease_beside_its_calls(limit):
    assert limit(credential("globex", deploy={"lease": "3h"}), phase=Phase.STAGED) > timedelta(hours=3)


def test_the_search_for_a_deploy_whose_answer_was_lost_is_waited_for(limit):
    asked, lost = limit(phase=Phase.DEPLOYING, ticket="0Af"), limit(phase=Phase.DEPLOYING)
    assert lost - asked >= 50 * timedelta(seconds=40)


def test_many_users_and_keys_are_tried_one_by_one(limit):
    users = [f"user{number}@globex.example" for number in range(30)]
    assert limit(credential("globex", users=users)) > limit() + 20 * timedelta(seconds=40)


@pytest.mark.parametrize("known", [{"users": 21}, {"keys": 21}, {"deployers_keys": 21}], ids=str)
def test_each_user_and_each_key_may_have_to_be_read_from_a_vault_that_answers_late(limit, known):
    def may_take(*edits, users=1, **keys) -> timedelta:
        named = [f"user{number}@globex.example" for number in range(users)]
        return limit(credential("globex", users=named), *edits, **keys)

    def late(said):
        said["vault"].update(timeout="1m")

    for_each = (may_take(late, **known) - may_take(**known)) - (may_take(late) - may_take())
    assert for_each >= 20 * 3 * MINUTE


def test_a_round_may_take_as_long_as_a_vault_that_answers_late(lab):
    with lab.application(lambda said: said["vault"].update(timeout="1m")) as app:
        assert longest_round(app.configuration) > 12 * MINUTE
