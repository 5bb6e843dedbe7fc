"""Every refusal, in Salesforce's own words: the table, and what stands beside it."""

from __future__ import annotations

import socket

import pytest

from rotator.sandbox.org.seed import ACME, GLOBEX, seed_org
from tests.sandbox.table import GROUPS, TABLE
from tests.sandbox.table.assertions import jwk
from tests.sandbox.table.logins import POLICIES
from tests.sandbox.table.row import CERTAINTIES, HOUR, said, set_text


@pytest.mark.parametrize("sent", TABLE)
def test_what_is_sent_is_refused_as_the_table_says(sandbox, sent):
    reply = TABLE[sent].send(sandbox)
    assert TABLE[sent].tells(reply), (reply.status_code, *said(reply))


def test_every_row_of_the_table_has_a_name_of_its_own_a_source_and_a_certainty():
    assert len(TABLE) == sum(map(len, GROUPS.values()))
    assert all(row.certainty in CERTAINTIES and row.source for row in TABLE.values())


def test_what_the_table_spoils_is_accepted_unspoilt(sandbox):
    reply = sandbox.mint()
    assert reply.status_code == 200
    assert sorted(reply.json) == ["access_token", "id", "instance_url", "scope", "token_type"]
    assert reply.json["access_token"].startswith(f"{sandbox.org.org_id[:15]}!AQ")
    user_id = sandbox.org.users["integration@acme.example"].user_id
    assert reply.json["id"] == f"https://login.salesforce.com/id/{sandbox.org.org_id}/{user_id}"
    assert (reply.json["token_type"], reply.json["scope"]) == ("Bearer", "api refresh_token")


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": "1793539320"},  # as simple-salesforce sends it
        {"exp": 1793538000000},  # milliseconds, as the Salesforce CLI sends them
        {"exp": 1793534400 - 4},  # within the tolerance for skewed clocks
        {"aud": "https://acme.my.salesforce.example"},
        {"aud": "http://localhost"},
        {"iat": 1, "nbf": 1793534404, "jti": "x"},
        {"exp": 2**63 - 1},
    ],
)
def test_what_salesforce_takes_is_taken(sandbox, changed):
    assert sandbox.clock.now.timestamp() == 1793534400
    assert sandbox.mint(**changed).status_code == 200


def test_an_expired_certificate_goes_on_verifying(sandbox):
    """As Salesforce's product management has it; it is no outage and no protection."""
    sandbox.clock.pass_seconds(2 * 365 * 24 * HOUR)
    assert sandbox.mint().status_code == 200


def test_the_login_ranges_of_a_user_let_their_own_addresses_in(sandbox):
    sandbox.org.users["integration@acme.example"].login_ip_ranges = ("10.0.0.0/8",)
    assert sandbox.mint(address="10.1.2.3").status_code == 200


def test_a_user_may_come_in_by_profile_as_well_as_by_permission_set(sandbox):
    user = sandbox.org.users["integration@acme.example"]
    user.permission_sets.clear()
    set_text(sandbox.org.app(ACME), POLICIES, "commaSeparatedProfile", f"Other, {user.profile}")
    assert sandbox.mint().status_code == 200


def test_a_jti_may_come_twice(sandbox):
    """Salesforce's server knows bad_jti_claim; that this flow looks for replays was not found."""
    assert [sandbox.mint(jti="x").status_code for _ in range(2)] == [200, 200]


def test_headers_that_point_elsewhere_are_passed_over_and_nobody_is_called(sandbox):
    """The key that counts is the certificate's, whatever key the header names (RFC 8725, section 3.10)."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/keys"
        header = {"alg": "RS256", "typ": "JWT", "kid": "1", "jku": url, "x5u": url, "jwk": jwk(sandbox)}
        assert sandbox.post_assertion(sandbox.assertion(header=header)).status_code == 200
        assert sandbox.refusal(
            sandbox.post_assertion(sandbox.assertion(key=sandbox.new.key, header=header))
        ) == ("invalid_grant", "invalid assertion")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_errors_of_the_token_endpoint_are_objects_and_those_of_rest_are_arrays(sandbox):
    assert set(sandbox.mint(key=sandbox.new.key).json) == {"error", "error_description"}
    (error,) = sandbox.call("GET", "/services/data/v68.0/limits").json
    assert set(error) == {"message", "errorCode"}


def test_logins_of_a_user_end_at_the_hourly_limit_and_begin_again_an_hour_later(sandbox):
    sandbox.org.set_knobs(login_limit_per_hour=3)
    sandbox.mint(key=sandbox.new.key)
    assert [sandbox.mint().status_code for _ in range(3)] == [200, 200, 400]
    assert sandbox.refusal(sandbox.mint()) == ("invalid_grant", "login rate exceeded")
    assert sandbox.mint(GLOBEX).status_code == 200
    sandbox.clock.pass_seconds(HOUR)
    assert sandbox.mint().status_code == 200


def test_test_salesforce_com_finds_external_client_apps_only_now_and_then(clock, old, new, sandbox):
    box = type(sandbox)(
        seed_org({ACME: old.pem, GLOBEX: old.pem}, is_sandbox=True, clock_source=clock), clock, old, new
    )
    replies = [box.mint(aud="https://test.salesforce.com") for _ in range(20)]
    assert {reply.json.get("error", "granted") for reply in replies} == {"granted", "app_not_found"}
    assert all(box.mint(aud="https://acme.my.salesforce.example").status_code == 200 for _ in range(20))
    assert all(box.mint(GLOBEX, aud="https://test.salesforce.com").status_code == 200 for _ in range(20))
