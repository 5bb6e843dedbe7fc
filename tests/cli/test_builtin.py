"""What is printed without asking anybody: schema, events, vault-policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator import events
from rotator.vault.policies import policy

ROOT = Path(__file__).parents[2]


def test_the_schema_is_the_one_beside_the_example(rotator):
    assert rotator("schema").out == (ROOT / "config" / "rotator.schema.json").read_text()


def test_every_event_is_listed_and_alerts_can_be_picked_out(rotator):
    listed = rotator("events", "--json").json
    assert [one["name"] for one in listed] == [event.name for event in events.CATALOGUE]
    alerts = rotator("events", "--alerts").out.splitlines()[1:]
    assert len(alerts) == sum(event.alert for event in events.CATALOGUE)


@pytest.mark.parametrize("holder", ["daemon", "operator"])
def test_a_policy_follows_the_configuration(rotator, holder, tmp_path):
    vault = {**rotator.settings()["vault"], "mount": "kv", "base_path": "sf/prod"}
    config = rotator.variant(tmp_path, vault=vault)
    assert rotator("vault-policy", holder, config=config).out == policy(holder, "kv", "sf/prod")
    narrowed = rotator("vault-policy", holder, "--mount", "kv2", "--base-path", "x", config=config)
    assert narrowed.out == policy(holder, "kv2", "x")


def test_a_consumers_policy_is_for_one_credential(rotator):
    ran = rotator("vault-policy", "consumer", "--credential", "acme", "--user", "integration@acme.example")
    expected = 'path "secret/data/salesforce/acme/tokens/integration@acme.example"'
    assert expected in ran.out


def test_a_consumers_policy_without_a_credential_is_a_mistake_of_usage(rotator):
    ran = rotator("vault-policy", "consumer")
    assert ran.code == 2
    assert "name it with --credential NAME" in ran.err
