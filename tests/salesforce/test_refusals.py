"""What Salesforce's refusals become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.errors import KeyRefused, Misconfigured, RotatorError, SessionDead, Transient
from rotator.salesforce.http import Reply
from rotator.salesforce.refusal_table import (
    GRACE_CODES,
    NO_WORDS,
    OVERRIDING,
    REST,
    SECRET_HOLDER,
    TOKEN,
    UNKNOWN_WORDS,
    WORDLESS,
)
from rotator.salesforce.refusals import quote, rest_refusal, secret_holder_refusal, token_refusal
from rotator.secret import Secret
from tests.sandbox.table import GROUPS

HTML = "<html><body>Down for maintenance</body></html>"


def reply(status: int, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> Reply:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Reply(status, headers or {}, raw, "https://acme.my.salesforce.com/services/oauth2/token", method)


TOKEN_REFUSALS = [
    # error, description, status, becomes, code
    ("invalid_grant", "invalid assertion", 400, KeyRefused, "invalid_grant.invalid_assertion"),
    ("invalid_grant", "Invalid Assertion.", 400, KeyRefused, "invalid_grant.invalid_assertion"),
    ("invalid_grant", "Failed: : Couldn't validate jwt token.", 400, KeyRefused, "invalid_grant.invalid_jwt"),
    ("invalid_client", "invalid client credentials", 400, KeyRefused, "invalid_client.credentials"),
    ("invalid_client", "invalid client credentials", 401, KeyRefused, "invalid_client.credentials"),
    ("invalid_grant", "user hasn't approved this consumer", 400, Misconfigured, "invalid_grant.not_approved"),
    ("invalid_grant", "user hasn’t approved this consumer", 400, Misconfigured, "invalid_grant.not_approved"),  # noqa: RUF001 - as some send it
    ("invalid_grant", "audience is invalid", 400, Misconfigured, "invalid_grant.audience"),
    ("invalid_grant", "Audience validation failed", 400, Misconfigured, "invalid_grant.audience"),
    ("invalid_grant", "expired authorization code", 400, Transient, "invalid_grant.expired"),
    ("invalid_grant", "ip restricted", 400, Misconfigured, "invalid_grant.ip_restricted"),
    ("invalid_grant", "no valid scopes defined", 400, Misconfigured, "invalid_grant.no_scopes"),
    ("invalid_grant", "inactive user", 400, Misconfigured, "inactive_user"),
    ("invalid_grant", "organization is locked", 400, Misconfigured, "inactive_org"),
    ("invalid_grant", "words never seen", 400, Misconfigured, "invalid_grant.other"),
    ("invalid_grant", None, 400, Misconfigured, "invalid_grant.other"),
    (
        "invalid_request",
        "refresh_token scope is required",
        400,
        Misconfigured,
        "invalid_request.refresh_scope",
    ),
    ("invalid_request", "missing required parameter: assertion", 400, Misconfigured, "invalid_request"),
    ("invalid_scope", "the requested scope is not allowed", 400, Misconfigured, "invalid_scope"),
    (
        "invalid_app_access",
        "user is not admin approved to access this app",
        400,
        Misconfigured,
        "invalid_app_access",
    ),
    ("invalid_client_id", "client identifier invalid", 400, Misconfigured, "invalid_client_id"),
    ("invalid_client", "client identifier invalid", 400, Misconfigured, "invalid_client_id"),
    ("invalid_client", None, 400, Misconfigured, "invalid_client.other"),
    (
        "app_not_found",
        "External client app is not installed in this org",
        400,
        Misconfigured,
        "app_not_found",
    ),
    ("app_blocked", "this app is blocked by admin", 400, Misconfigured, "app_blocked"),
    ("fail_close_app_blocked", "", 403, Misconfigured, "app_blocked"),
    ("unsupported_grant_type", "grant type not supported", 400, Misconfigured, "flow_disabled"),
    ("oauth_flow_disabled", "oauth flow is disabled", 400, Misconfigured, "flow_disabled"),
    ("oauth_policy_not_found", "", 400, Misconfigured, "app_state"),
    ("ecapp_policy_not_found", "", 400, Misconfigured, "app_state"),
    ("installation_error", "", 400, Misconfigured, "app_state"),
    ("user_authentication_failed", "user authentication failed", 400, Misconfigured, "inactive_user"),
    ("inactive_user", "", 400, Misconfigured, "inactive_user"),
    ("inactive_org", "", 400, Misconfigured, "inactive_org"),
    ("invalid_session_level", "", 400, Misconfigured, "invalid_session_level"),
    ("access_denied", "", 400, Misconfigured, "access_denied"),
    ("use_dpop_nonce", "", 400, Misconfigured, "dpop"),
    ("unknown_error", "retry your request", 400, Transient, "unknown_error"),
    ("server_error", "", 400, Transient, "unavailable"),
    ("system_down", "", 400, Transient, "unavailable"),
    ("invalid_grant", "login rate exceeded", 400, Transient, "login_rate"),
    ("anything", "Login Rate Exceeded", 403, Transient, "login_rate"),
    ("slow_down", "", 400, Transient, "login_rate"),
    ("never_seen", "and its words", 400, Misconfigured, "refused"),
    ("server_error", "", 500, Transient, "unavailable"),
    ("invalid_grant", "invalid assertion", 503, Transient, "unavailable"),
    ("invalid_grant", "invalid assertion", 429, Transient, "too_many_requests"),
]


@pytest.mark.parametrize(("error", "words", "status", "kind", "code"), TOKEN_REFUSALS)
def test_a_refusal_of_the_token_endpoint_becomes(
    error: str, words: str | None, status: int, kind: type[RotatorError], code: str
) -> None:
    body = {"error": error} if words is None else {"error": error, "error_description": words}
    found = token_refusal(reply(status, body))
    assert (type(found), found.code) == (kind, f"salesforce.{code}")
    assert error in found.message
    assert found.hint


REST_REFUSALS = [
    # errorCode, status, becomes, code
    ("INVALID_SESSION_ID", 401, SessionDead, "session_dead"),
    ("INVALID_SESSION_ID", 403, SessionDead, "session_dead"),
    ("INVALID_JWT_FORMAT", 401, SessionDead, "session_dead"),
    ("INVALID_AUTH_HEADER", 401, SessionDead, "session_dead"),
    ("NEVER_SEEN", 401, SessionDead, "session_dead"),
    ("REQUEST_LIMIT_EXCEEDED", 403, Transient, "request_limit"),
    ("API_DISABLED_FOR_ORG", 403, Misconfigured, "api_disabled"),
    ("API_CURRENTLY_DISABLED", 403, Misconfigured, "api_disabled"),
    ("INSUFFICIENT_ACCESS", 403, Misconfigured, "insufficient_access"),
    ("INSUFFICIENT_ACCESS_OR_READONLY", 400, Misconfigured, "insufficient_access"),
    ("TXN_SECURITY_METERING_ERROR", 403, Misconfigured, "policy"),
    ("INVALID_FIELD", 400, Misconfigured, "query"),
    ("MALFORMED_QUERY", 400, Misconfigured, "query"),
    ("INVALID_TYPE", 400, Misconfigured, "query"),
    ("NOT_FOUND", 404, Misconfigured, "not_found"),
    ("UNSUPPORTED_API_VERSION", 410, Misconfigured, "version_retired"),
    ("QUERY_TIMEOUT", 400, Transient, "unavailable"),
    ("UNABLE_TO_LOCK_ROW", 400, Transient, "unavailable"),
    ("SERVER_UNAVAILABLE", 503, Transient, "unavailable"),
    ("UNKNOWN_EXCEPTION", 500, Transient, "unavailable"),
    ("NEVER_SEEN", 403, Misconfigured, "refused"),
    ("NEVER_SEEN", 400, Misconfigured, "refused"),
]


@pytest.mark.parametrize(("error", "status", "kind", "code"), REST_REFUSALS)
def test_a_refusal_of_the_rest_api_becomes(
    error: str, status: int, kind: type[RotatorError], code: str
) -> None:
    found = rest_refusal(
        reply(status, [{"message": "some words", "errorCode": error}, {"errorCode": "OTHER"}])
    )
    assert (type(found), found.code) == (kind, f"salesforce.{code}")
    assert "some words" in found.message


WORDLESS_REFUSALS = [
    # status, body, becomes, code
    (503, HTML, Transient, "unavailable"),
    (500, "", Transient, "unavailable"),
    (502, "<html>", Transient, "unavailable"),
    (429, "", Transient, "too_many_requests"),
    (400, "", Transient, "not_json"),
    (400, HTML, Transient, "not_json"),
    (400, "{}", Transient, "not_json"),
    (400, "[]", Transient, "not_json"),
    (400, "null", Transient, "not_json"),
    (400, '{"error": 5, "error_description": ["x"]}', Transient, "not_json"),
    (400, b"\xff\xfe", Transient, "not_json"),
    (403, HTML, Transient, "blocked"),
    (404, HTML, Misconfigured, "not_found"),
    (405, "", Misconfigured, "not_found"),
    (407, "", Misconfigured, "proxy"),
    (410, "", Misconfigured, "version_retired"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), WORDLESS_REFUSALS)
@pytest.mark.parametrize("read", [token_refusal, rest_refusal, secret_holder_refusal])
def test_an_answer_without_words_goes_by_its_status(
    read: Any, status: int, body: str | bytes, kind: type[RotatorError], code: str
) -> None:
    found = read(reply(status, body))
    assert (type(found), found.code) == (kind, f"salesforce.{code}")


def test_every_row_of_the_tables_is_shown_by_an_example() -> None:
    shown = {
        f"{kind.__name__} {code}" for *_, kind, code in [*TOKEN_REFUSALS, *REST_REFUSALS, *WORDLESS_REFUSALS]
    }
    rows = {
        f"{row.raises.__name__} {row.code}"
        for row in (*TOKEN, *REST, *OVERRIDING, *WORDLESS, NO_WORDS, UNKNOWN_WORDS)
    }
    assert rows <= shown


@pytest.mark.parametrize("sent", [*GROUPS["Logins"], *GROUPS["Assertions"]])
def test_every_refusal_of_the_sandbox_is_known_and_only_the_keys_own_count_against_the_key(sent: str) -> None:
    row = (GROUPS["Logins"] | GROUPS["Assertions"])[sent]
    body = {"error": row.error, "error_description": row.description} if row.description else HTML
    error = token_refusal(reply(row.status, body))
    assert error.code != f"salesforce.{UNKNOWN_WORDS.code}"
    told = row.description in {"invalid assertion", "invalid client credentials"}
    assert isinstance(error, KeyRefused) is told


WORDS = [
    sent for sent, row in GROUPS["REST"].items() if row.status not in {405, 503}
]  # those tell by status alone


@pytest.mark.parametrize("sent", WORDS)
def test_every_error_of_the_sandboxs_rest_api_is_known(sent: str) -> None:
    row = GROUPS["REST"][sent]
    error = rest_refusal(reply(row.status, [{"errorCode": row.error, "message": row.description}]))
    assert error.code != f"salesforce.{UNKNOWN_WORDS.code}"
    assert isinstance(error, SessionDead) is (row.status == 401)


def test_no_row_stands_behind_one_that_takes_everything_from_it() -> None:
    for table in (TOKEN, REST):
        for index, row in enumerate(table):
            earlier = {code for other in table[:index] if not other.words for code in other.error.split("|")}
            assert not set(row.error.split("|")) <= earlier, row


def test_codes_of_grace_are_codes_of_the_table() -> None:
    assert {f"salesforce.{row.code}" for row in TOKEN} >= GRACE_CODES


def test_a_rest_401_without_words_is_a_dead_session() -> None:
    assert isinstance(rest_refusal(reply(401, "")), SessionDead)


@pytest.mark.parametrize("text", ["Bad_OAuth_Token", "Missing_OAuth_Token"])
def test_userinfo_says_in_plain_text_that_the_session_is_dead(text: str) -> None:
    assert isinstance(rest_refusal(reply(403, text)), SessionDead)


def test_a_wrong_client_secret_is_not_taken_for_a_wrong_key() -> None:
    found = secret_holder_refusal(
        reply(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
    )
    assert (type(found), found.code) == (Misconfigured, "salesforce.client_secret")
    assert not any(row.raises is KeyRefused for row in SECRET_HOLDER)


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, 3600), ({"Retry-After": "90"}, 90), ({"Retry-After": "0"}, 0)]
)
def test_how_long_to_wait_is_the_servers_word_or_the_tables(headers: dict[str, str], seconds: float) -> None:
    body = {"error": "invalid_grant", "error_description": "login rate exceeded"}
    assert token_refusal(reply(400, body, headers)).retry_after_seconds == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_on_any_body(status: int) -> None:
    assert token_refusal(reply(status, HTML, {"Retry-After": "7"})).retry_after_seconds == 7


def test_a_refusal_carries_the_servers_clock() -> None:
    dated = reply(400, {"error": "invalid_grant"}, {"Date": "Mon, 23 Nov 2026 10:00:03 GMT"})
    assert token_refusal(dated).date == datetime(2026, 11, 23, 10, 0, 3, tzinfo=UTC)
    assert token_refusal(reply(400, {"error": "invalid_grant"})).date is None


@pytest.mark.parametrize(
    ("method", "status", "maybe"), [("POST", 502, True), ("GET", 502, False), ("POST", 404, False)]
)
def test_a_failing_gateway_may_have_passed_a_post_on(method: str, status: int, maybe: bool) -> None:
    assert rest_refusal(reply(status, HTML, method=method)).maybe_done is maybe


# What is quoted


def test_what_is_quoted_is_short_printable_and_on_one_line() -> None:
    assert quote("a\r\n\x1b[31mb\u202e  c") == "a [31mb c"
    assert len(quote("word " * 1000)) <= 200


@pytest.mark.parametrize("hidden", ["short", "a" * 39, "00D5e!AQ.x_y", "pw with blank"])
def test_a_secret_that_comes_back_is_masked(hidden: str) -> None:
    body = {"error": hidden, "error_description": f"bad secret {hidden}: {hidden}"}
    for read in (token_refusal, secret_holder_refusal, rest_refusal):
        found = read(reply(400, body), [Secret(hidden), Secret("")])
        assert hidden not in f"{found.message} {found.hint} {found.code}"


def test_what_looks_like_a_secret_is_masked_even_if_it_is_nobodys() -> None:
    assert "A" * 40 not in quote(f"assertion {'A' * 40}.{'B' * 40} is bad")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "error_description", "errorCode", "message", "x"]), inner),
    max_leaves=8,
)  # fmt: skip


@given(
    status=st.integers(400, 599),
    body=json_values.map(json.dumps).map(str.encode) | st.binary(),
    headers=st.dictionaries(st.sampled_from(["Retry-After", "Date"]), st.text()),
)
@pytest.mark.parametrize("read", [token_refusal, rest_refusal, secret_holder_refusal])
def test_any_answer_becomes_an_error_of_ours(
    read: Any, status: int, body: bytes, headers: dict[str, str]
) -> None:
    found = read(reply(status, body, headers))
    assert isinstance(found, (Transient, Misconfigured, SessionDead, KeyRefused))
    assert found.code.startswith("salesforce.")
    assert found.message.isprintable()
