"""What probes are told: whether the daemon moves, and whether it can do its work."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from rotator.core.model import Pause, PauseKind, Trouble


def test_a_daemon_that_moves_is_alive_and_one_that_does_not_is_not(fleet, visitor):
    assert (visitor.get("/livez").status, visitor.get("/livez").text) == (200, "alive\n")
    fleet.alive = False
    assert visitor.get("/livez").status == 503


def test_it_is_alive_while_whoever_looks_closer_has_to_wait(fleet, visitor):
    hangs = threading.Event()
    fleet.look, fleet_looks = hangs.wait, fleet.look
    visitor_of_pages = threading.Thread(target=visitor.get, args=["/readyz"])
    try:
        visitor_of_pages.start()
        assert visitor.get("/livez").status == 200
    finally:
        fleet.look = fleet_looks
        hangs.set()
        visitor_of_pages.join()


@pytest.mark.parametrize(("trouble", "has_token"), [("Vault is sealed", True), (None, False)])
def test_it_is_ready_while_vault_can_be_used(fleet, visitor, trouble, has_token):
    assert (visitor.get("/readyz").status, visitor.get("/readyz").text) == (200, "ready\n")
    if trouble:
        fleet.let_vault_fail(trouble)
    fleet.lease = fleet.lease if has_token else None
    answer = visitor.get("/readyz")
    assert (answer.status, answer.text) == (503, "not so: Vault cannot be used\n")
    assert visitor.get("/livez").status == 200


def test_no_trouble_of_a_credential_makes_the_daemon_unready(fleet, visitor):
    assert fleet.stations["locked-out"].record.trouble
    assert visitor.get("/readyz").status == 200


@pytest.mark.parametrize(
    ("name", "ready"),
    [("well", True), ("proving", True), ("paused", True), ("refused", False), ("locked-out", False),
     ("empty", False), ("unread", False)],
)  # fmt: skip
def test_a_credential_is_ready_when_a_key_signs_and_nothing_is_wrong(visitor, name, ready):
    answer = visitor.get(f"/readyz/{name}")
    said = json.loads(answer.body)
    assert (answer.status, said["ready"], said["credential"]) == (200 if ready else 503, ready, name)
    assert answer.headers["Content-Type"] == "application/json"


def test_one_that_another_org_answers_for_is_not_ready(fleet, visitor):
    well = fleet.stations["well"]
    well.record = replace(well.record, paused=Pause(PauseKind.IDENTITY, fleet.now, "org 00D2, not 00D1"))
    assert (visitor.get("/readyz/well").status, visitor.get("/readyz").status) == (503, 200)


def test_one_that_is_served_with_former_settings_is_ready_and_says_what_is_wrong_with_the_new_ones(
    fleet, visitor
):
    wrong = "rotator.yaml:9: credentials.well.users: is missing"
    fleet.aside["well"] = Trouble("configuration", fleet.now, "configuration", wrong)
    answer = visitor.get("/readyz/well")
    assert (answer.status, json.loads(answer.body)["former_settings"]) == (200, wrong)


def test_the_detail_is_what_status_says(fleet, visitor):
    said = json.loads(visitor.get("/readyz/refused").body)
    (trouble,) = said["troubles"]
    assert (said["phase"], trouble["subject"]) == ("steady", "mint:integration@refused.example")
    assert said["sentence"].startswith("a new token")


def test_one_that_is_set_aside_is_told_so_and_one_that_nobody_knows_is_not_found(fleet, visitor):
    wrong = "rotator.yaml:9: credentials.broken.users: is missing"
    fleet.aside["broken"] = Trouble("configuration", fleet.now, "configuration", wrong)
    answer = visitor.get("/readyz/broken")
    assert (answer.status, "is missing" in json.loads(answer.body)["set_aside"]) == (503, True)
    assert visitor.get("/readyz/nobody").status == 404
