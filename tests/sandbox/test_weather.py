"""What the knobs do to requests on their way."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from rotator.sandbox.org.knobs import Knobs, meanings
from rotator.sandbox.org.seed import ACME, seed_org


def fates(sandbox, tries=200):
    """What became of many logins."""
    seen = Counter()
    for _ in range(tries):
        try:
            reply = sandbox.mint()
        except ConnectionResetError:
            seen["cut"] += 1
            continue
        try:
            seen[reply.status_code, reply.json.get("error", "")] += 1
        except json.JSONDecodeError:
            seen[reply.status_code, "no JSON"] += 1
        except AttributeError:
            seen[reply.status_code, reply.mimetype] += 1
    return seen


def test_in_maintenance_everything_is_503_with_a_page(sandbox):
    sandbox.org.set_knobs(maintenance=True)
    for reply in (sandbox.mint(), sandbox.call("GET", "/services/data")):
        assert (reply.status_code, reply.mimetype) == (503, "text/html")


def test_the_next_requests_can_be_over_their_limits(sandbox):
    token = sandbox.token()
    sandbox.org.set_knobs(rate_limit=2)
    assert sandbox.refusal(sandbox.mint()) == ("invalid_grant", "login rate exceeded")
    assert sandbox.query("SELECT Id FROM Account", token).json[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert sandbox.works(token)


def test_the_next_requests_can_be_throttled_with_a_time_to_wait(sandbox):
    sandbox.org.set_knobs(throttle=1)
    reply = sandbox.mint()
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "2")
    assert sandbox.mint().status_code == 200


@pytest.mark.parametrize(
    ("knob", "fate"),
    [
        ("unknown_error_rate", (400, "unknown_error")),
        ("cut_rate", "cut"),
        ("wrong_json_rate", (200, "no JSON")),
        ("empty_body_rate", (200, "no JSON")),
    ],
)
def test_a_share_of_requests_meets_its_fault(sandbox, knob, fate):
    sandbox.org.set_knobs(**{knob: 0.5})
    seen = fates(sandbox)
    assert set(seen) == {fate, (200, "")}
    assert 60 < seen[fate] < 140


def test_half_of_the_cut_requests_have_taken_effect(sandbox):
    sandbox.org.set_knobs(cut_rate=1.0)
    fates(sandbox, 100)
    assert 25 < sandbox.org.counts["tokens granted"] < 75


def test_faults_of_all_kinds_come_in_the_share_asked_for_and_the_same_for_the_same_seed(sandbox):
    runs = []
    for _ in range(2):
        sandbox.org.set_knobs(seed=7, fault_rate=0.1)
        runs.append(fates(sandbox, 400))
    assert runs[0] == runs[1]
    assert 15 < 400 - runs[0][200, ""] < 70
    assert {"cut", (400, "unknown_error"), (200, "no JSON")} < set(runs[0])


def test_other_requests_never_meet_the_token_endpoints_unknown_error(sandbox):
    sandbox.org.set_knobs(unknown_error_rate=1.0)
    assert sandbox.call("GET", "/services/data").status_code == 200


def test_the_date_header_follows_the_wrong_clock(sandbox):
    sandbox.org.set_knobs(clock_offset_seconds=-3600)
    date = parsedate_to_datetime(sandbox.call("GET", "/services/data").headers["Date"])
    assert date == datetime(2026, 11, 1, 11, tzinfo=UTC)


def test_a_wrong_clock_changes_no_lifetime(sandbox):
    token = sandbox.token()
    sandbox.org.set_knobs(clock_offset_seconds=1_000_000)
    assert sandbox.works(token)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"cut_rat": 1}, "did you mean 'cut_rate'"),
        ({"cut_rate": 1.5}, "out of range"),
        ({"cut_rate": "much"}, "a float is needed"),
        ({"maintenance": 1}, "a bool is needed"),
        ({"servers": 0}, "out of range"),
        ({"servers": True}, "a int is needed"),
        ({"fail_deploys": 1.5}, "a whole number"),
        ({"slow_seconds": -1}, "out of range"),
        ({"slow_seconds": float("inf")}, "out of range"),
    ],
)
def test_a_knob_that_can_not_be_set_says_why_and_changes_nothing(sandbox, wanted, problem):
    before = sandbox.org.knobs.values()
    with pytest.raises(ValueError, match=problem):
        sandbox.org.set_knobs(**{"deploy_seconds": 5.0} | wanted)
    assert sandbox.org.knobs.values() == before


def test_every_knob_has_a_meaning_and_a_default():
    assert set(meanings()) == set(Knobs().values())
    assert all(len(str(each["meaning"])) > 20 for each in meanings().values())


def test_a_reset_brings_the_beginning_back(clock, old, new, sandbox):
    org = seed_org({ACME: old.pem}, knobs=Knobs(deploy_seconds=3.0), clock_source=clock)
    box = type(sandbox)(org, clock, old, new)
    org_id, key = org.org_id, org.app(ACME).consumer_key
    token = box.token()
    org.set_knobs(deploy_seconds=9)
    org.users["integration@acme.example"].active = False
    org.reset()
    assert box.mint().status_code == 200
    assert not box.works(token)
    assert (org.knobs.deploy_seconds, org.org_id, org.app(ACME).consumer_key) == (3.0, org_id, key)
