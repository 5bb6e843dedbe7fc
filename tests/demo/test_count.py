"""The reckoning finds what is amiss."""

from __future__ import annotations

import pytest

from rotator.app import application
from rotator.config import load
from rotator.demo.count import reckon
from rotator.run.once import run_to_rest


@pytest.fixture
def adopted(scene):
    with application(load(scene.stage.config)) as app:
        run_to_rest(app)
    return scene


def test_what_is_in_order_is_not_told(adopted):
    summary, broken = reckon(adopted)
    assert summary["keys"] == 3
    assert (summary["orphaned_keys"], summary["missing_keys"], summary["foreign_certificates"]) == (0, 0, 0)
    assert not [promise for promise in broken if "key" in promise or "certificate" in promise]


def test_a_key_that_no_record_names_is_an_orphan(adopted):
    adopted.stage.vault.request(
        "POST", "secret/data/salesforce/acme/keys/9", {"data": {"private_key_pem": ""}}
    )
    summary, broken = reckon(adopted)
    assert summary["orphaned_keys"] == 1
    assert "every key in Vault is named by its record" in broken


def test_a_key_that_was_destroyed_although_its_record_names_it_is_missing(adopted):
    adopted.stage.vault.request("PUT", "secret/destroy/salesforce/acme/keys/1", {"versions": [1]})
    summary, broken = reckon(adopted)
    assert (summary["missing_keys"], summary["destroyed_keys"]) == (1, 1)
    assert "every key that a record names is in Vault" in broken


def test_servers_with_another_certificate_are_found(adopted):
    adopted.stage.control.clear_certificate("Rotator_Globex")
    adopted.stage.control.clock(advance_seconds=10)
    summary, broken = reckon(adopted)
    assert summary["foreign_certificates"] == 3
    assert "every server of the org has the certificate of the key that signs" in broken


def test_a_story_that_never_began_kept_no_promise_of_what_happens_in_it(scene):
    summary, broken = reckon(scene)
    assert summary["keys"] == 0
    assert {"there were 2 rotations", "a failed deploy was restored", "consumers made 500 calls"} <= set(
        broken
    )
