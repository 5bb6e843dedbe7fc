"""The doctor tries every part, in an order that stays, and tells what mends it."""

from __future__ import annotations

from itertools import groupby

import pytest

from rotator.sandbox.org.apps import VIEW_SETUP


def subjects(ran):
    return [one["subject"] for one in ran.json["findings"]]


def failures(ran):
    return {one["subject"]: one["hint"] for one in ran.json["findings"] if not one["ok"]}


def test_a_healthy_fleet_has_no_failure_and_the_same_order_each_time(rotator):
    ran = rotator("doctor", "--json")
    assert (ran.code, failures(ran)) == (0, {})
    assert ran.json["well"] is True
    assert subjects(ran) == subjects(rotator("doctor", "--json"))
    seen = [subject.split(":")[0] for subject in subjects(ran)]
    assert [key for key, _group in groupby(seen)][:3] == ["configuration", "vault.server", "vault.login"]
    for part in (
        "record",
        "certificate",
        "key",
        "clock",
        "API version",
        "API requests",
        "login of",
        "calls of",
        "published token",
    ):
        assert any(subject.startswith(f"acme: {part}") for subject in subjects(ran)), part
    assert any("deploy" in subject for subject in subjects(ran))


def test_for_people_each_finding_is_a_line_and_a_count_ends_it(rotator):
    ran = rotator("doctor", "globex")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert all(line.startswith("ok  ") for line in lines[:-1])
    assert lines[-1] == f"all {len(lines) - 1} findings are well"


def test_what_fails_is_told_with_its_mend_and_ends_with_1(rotator, knobs):
    knobs(lock_sessions_to_ip=True, deny_metadata=True)
    ran = rotator("doctor", "acme", "--json")
    assert ran.code == 1
    assert failures(ran)
    assert all(failures(ran).values()), "each has a mend"
    shown = rotator("doctor", "acme")
    assert "FAILED  " in shown.out
    assert "mend: " in shown.out
    assert "want mending" in shown.out


def test_clocks_that_differ_are_found(rotator, stage):
    stage.control.clock(offset_seconds=90)
    try:
        ran = rotator("doctor", "globex", "--json")
    finally:
        stage.control.clock(offset_seconds=0)
    assert ran.code == 1
    assert any("clock" in subject or "login" in subject for subject in failures(ran))


@pytest.fixture
def globex_user(stage):
    """The simulated user of globex, whose permissions a test may change."""
    user = stage.org.org.users["integration@globex.example"]
    before = set(user.permissions)
    yield user
    user.permissions = before


def test_an_org_that_has_few_calls_left_is_found(rotator, stage, knobs):
    with stage.org.org.lock:
        used = len(stage.org.org.api_calls)
        stage.org.org.api_calls.extend([stage.org.org.elapsed()] * 2_000)
    knobs(daily_api_requests=used + 2_100)
    ran = rotator("doctor", "globex", "--json")
    with stage.org.org.lock:
        while len(stage.org.org.api_calls) > used:
            stage.org.org.api_calls.pop()
    assert ran.code == 1
    assert list(failures(ran)) == ["globex: API requests"]
    assert "API usage" in failures(ran)["globex: API requests"]


def test_calls_that_are_left_and_not_shown_to_the_user_are_no_failure(rotator, globex_user):
    globex_user.permissions = globex_user.permissions - {VIEW_SETUP}
    ran = rotator("doctor", "globex", "--json")
    assert (ran.code, failures(ran)) == (0, {})
    said = next(one for one in ran.json["findings"] if one["subject"] == "globex: API requests")
    assert "not shown" in said["message"]


def test_a_credential_without_a_key_pair_is_found(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["newer"] = {
        "login_url": rotator.stage.org.url,
        "users": ["integration@newer.example"],
        "deploy": {"publisher": "manual"},
    }
    ran = rotator("doctor", "newer", "--json", config=rotator.variant(tmp_path, credentials=credentials))
    assert ran.code == 1
    assert "rotator init newer" in failures(ran)["newer: key"]


def test_without_the_daemons_rights_the_missing_ones_are_named(rotator):
    ran = rotator.operator("doctor", "acme", "--json")
    assert ran.code == 1
    assert any('capabilities = ["' in hint for hint in failures(ran).values())
