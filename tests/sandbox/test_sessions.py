"""The arithmetic of sessions."""

from __future__ import annotations

import base64
import json

import pytest

from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX

TIMEOUT = 7200


def dead(reply):
    return reply.status_code == 401 and reply.json == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


def test_repeated_grants_give_the_same_token_while_its_session_lives(sandbox):
    first = sandbox.token()
    sandbox.clock.pass_seconds(TIMEOUT - 1)
    assert sandbox.token() == first
    sandbox.clock.pass_seconds(1)
    assert sandbox.token() != first


def test_each_user_of_an_app_has_a_session_of_its_own(sandbox):
    assert sandbox.token() != sandbox.token(sub="reports@acme.example")


def test_a_session_ends_after_its_timeout_without_a_call(sandbox):
    token = sandbox.token()
    sandbox.clock.pass_seconds(TIMEOUT - 1)
    fresh = sandbox.token(GLOBEX)
    sandbox.clock.pass_seconds(1)
    assert dead(sandbox.query("SELECT Id FROM Account", token))
    assert sandbox.works(fresh)


def test_a_call_in_the_first_half_of_the_timeout_prolongs_nothing(sandbox):
    token = sandbox.token()
    sandbox.clock.pass_seconds(TIMEOUT / 2 - 1)
    assert sandbox.works(token)
    sandbox.clock.pass_seconds(TIMEOUT / 2 + 1)
    assert not sandbox.works(token)


def test_a_call_past_half_of_the_timeout_prolongs_by_a_whole_one(sandbox):
    token = sandbox.token()
    sandbox.clock.pass_seconds(TIMEOUT / 2)
    assert sandbox.works(token)
    sandbox.clock.pass_seconds(TIMEOUT - 1)
    assert sandbox.works(token)


@pytest.mark.parametrize("reaches", [False, True])
def test_a_shorter_timeout_reaches_living_sessions_only_if_the_knob_says_so(sandbox, reaches):
    token = sandbox.token()
    sandbox.org.set_knobs(timeout_reaches_sessions=reaches, session_timeout_seconds=TIMEOUT / 4)
    sandbox.clock.pass_seconds(TIMEOUT / 2 - 1)
    assert sandbox.works(token) is not reaches
    assert sandbox.works(sandbox.token())


@pytest.mark.parametrize("counts", [False, True])
def test_a_repeated_grant_is_activity_only_if_the_knob_says_so(sandbox, counts):
    sandbox.org.set_knobs(mint_counts_as_activity=counts)
    token = sandbox.token()
    sandbox.clock.pass_seconds(TIMEOUT - 1)
    sandbox.token()
    sandbox.clock.pass_seconds(1)
    assert sandbox.works(token) is counts


def test_the_session_policy_of_the_app_overrides_the_org(sandbox):
    policies = sandbox.org.app(ACME).documents["ExtlClntAppOauthConfigurablePolicies"].root
    policies.append(policies.makeelement("sessionTimeoutInMinutes", {}))
    policies.find("sessionTimeoutInMinutes").text = "15"
    token = sandbox.token()
    sandbox.clock.pass_seconds(15 * 60)
    assert not sandbox.works(token)


def test_an_administrator_can_end_sessions(sandbox):
    token, other = sandbox.token(), sandbox.token(GLOBEX)
    assert sandbox.org.sessions.end(username="integration@acme.example") == 1
    assert (sandbox.works(token), sandbox.works(other)) == (False, True)


def test_a_frozen_user_loses_the_session(sandbox):
    token = sandbox.token()
    sandbox.org.users["integration@acme.example"].active = False
    assert not sandbox.works(token)


def test_a_session_locked_to_its_address_serves_no_other(sandbox):
    sandbox.org.set_knobs(lock_sessions_to_ip=True)
    token = sandbox.token()
    assert (sandbox.works(token), sandbox.works(token, address="127.0.0.2")) == (True, False)
    assert sandbox.mint(address="127.0.0.2").json["access_token"] != token


def test_a_token_of_one_org_is_nothing_in_another(sandbox, clock, old, new):
    from rotator.sandbox.org.seed import seed_org

    other = type(sandbox)(seed_org({ACME: old.pem}, name="Other", clock_source=clock), clock, old, new)
    assert other.org.org_id != sandbox.org.org_id
    assert dead(other.query("SELECT Id FROM Account", sandbox.token()))


# --- JWT-format tokens --------------------------------------------------------------------------


def jwt_claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_jwt_tokens_are_new_for_each_grant_and_end_at_their_exp_however_often_used(sandbox):
    sandbox.org.set_knobs(jwt_tokens=True, jwt_timeout_seconds=600)
    token = sandbox.token()
    assert sandbox.token() != token
    assert jwt_claims(token)["exp"] == sandbox.clock.now.timestamp() + 600
    sandbox.clock.pass_seconds(599)
    assert sandbox.works(token)
    sandbox.clock.pass_seconds(1)
    assert not sandbox.works(token)


def test_an_app_that_issues_jwt_tokens_says_so_in_its_metadata(sandbox):
    root = sandbox.org.app(ACME).documents["ExtlClntAppGlobalOauthSettings"].root
    root.append(root.makeelement("isNamedUserJwtEnabled", {}))
    root.find("isNamedUserJwtEnabled").text = "true"
    assert jwt_claims(sandbox.token())["client_id"] == sandbox.org.app(ACME).consumer_key
    assert sandbox.token(GLOBEX).startswith("00D")


def test_jwt_tokens_leave_no_session_among_those_that_can_be_queried(sandbox):
    rows = "SELECT Id FROM AuthSession"
    opaque = sandbox.deployer
    before = sandbox.query(rows, opaque).json["totalSize"]
    sandbox.org.set_knobs(jwt_tokens=True)
    assert sandbox.works(sandbox.token())
    assert sandbox.query(rows, opaque).json["totalSize"] == before


@pytest.mark.parametrize(("version", "status"), [("67.0", 500), ("68.0", 200)])
def test_soap_takes_jwt_tokens_from_version_68_on(sandbox, version, status):
    sandbox.org.set_knobs(jwt_tokens=True)
    reply = sandbox.soap("<describeMetadata/>", sandbox.token(DEPLOYER), version)
    assert reply.status_code == status
    assert ("sf:INVALID_SESSION_ID" in reply.text) is (status == 500)


# --- introspect, revoke, userinfo ---------------------------------------------------------------


def introspect(sandbox, token, app=ACME, secret=None):
    known = sandbox.org.app(app)
    secret = known.consumer_secret if secret is None else secret
    form = {
        "token": token,
        "token_type_hint": "access_token",
        "client_id": known.consumer_key,
        "client_secret": secret,
    }
    return sandbox.call("POST", "/services/oauth2/introspect", data=form)


def test_introspection_tells_when_a_session_ends(sandbox):
    token = sandbox.token()
    body = introspect(sandbox, token).json
    assert (body["active"], body["username"]) == (True, "integration@acme.example")
    assert body["exp"] - body["iat"] == TIMEOUT
    sandbox.clock.pass_seconds(TIMEOUT)
    assert introspect(sandbox, token).json == {"active": False}


def test_introspection_takes_basic_authentication_too(sandbox):
    known = sandbox.org.app(ACME)
    basic = base64.b64encode(f"{known.consumer_key}:{known.consumer_secret}".encode()).decode()
    reply = sandbox.call(
        "POST",
        "/services/oauth2/introspect",
        data={"token": sandbox.token()},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert reply.json["active"] is True


def test_introspection_needs_the_secret_and_shows_own_tokens_only(sandbox):
    assert sandbox.refusal(introspect(sandbox, "x", secret="wrong")) == (
        "invalid_client",
        "invalid client credentials",
    )
    assert introspect(sandbox, sandbox.token(), app=GLOBEX).json == {"active": False}


def test_a_revoked_token_is_dead_for_every_consumer(sandbox):
    token = sandbox.token()
    assert sandbox.call("POST", "/services/oauth2/revoke", data={"token": token}).status_code == 200
    assert not sandbox.works(token)
    again = sandbox.call("POST", "/services/oauth2/revoke", data={"token": token})
    assert sandbox.refusal(again)[0] == "invalid_token"


def test_userinfo_names_user_and_org(sandbox):
    body = sandbox.call("GET", "/services/oauth2/userinfo", token=sandbox.token()).json
    assert (body["organization_id"], body["preferred_username"]) == (
        sandbox.org.org_id,
        "integration@acme.example",
    )
    bad = sandbox.call("GET", "/services/oauth2/userinfo", token="00Dnothing")
    assert (bad.status_code, bad.text) == (403, "Bad_OAuth_Token")
