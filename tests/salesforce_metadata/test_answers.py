"""What the Metadata API may answer, by SOAP and by REST, and what is made of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from rotator.errors import Misconfigured, RotatorError, SessionDead, Transient
from rotator.salesforce import metadata, soap
from tests.salesforce_metadata.conftest import OPAQUE, envelope, fault, org
from tests.world.http_fake import Answer

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


# --- SOAP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_SESSION_ID", SessionDead),
        ("INSUFFICIENT_ACCESS", Misconfigured),
        ("INSUFFICIENT_ACCESS_OR_READONLY", Misconfigured),
        ("API_DISABLED_FOR_ORG", Misconfigured),
        ("UNSUPPORTED_API_VERSION", Misconfigured),
        ("INVALID_TYPE", Misconfigured),
        ("SOMETHING_NEW", Misconfigured),
        ("REQUEST_LIMIT_EXCEEDED", Transient),
        ("SERVER_UNAVAILABLE", Transient),
        ("UNKNOWN_EXCEPTION", Transient),
        ("INVALID_CROSS_REFERENCE_KEY", Transient),
    ],
)
def test_a_fault_is_told_by_its_code(fake, wire, code, error):
    fake.answer = fault(code)
    with pytest.raises(RotatorError) as told:
        soap.list_metadata(wire, org(fake), ["ConnectedApp"])
    assert type(told.value) is error
    assert told.value.code == f"salesforce.soap.{code.lower()}"
    assert error is not Misconfigured or told.value.hint


def test_below_version_68_a_token_in_jwt_format_is_not_even_tried(fake, wire):
    with pytest.raises(Misconfigured) as told:
        soap.list_metadata(wire, org(fake, JWT, "67.0"), ["ConnectedApp"])
    assert told.value.code == "salesforce.soap.jwt"
    assert fake.requests == []


def test_a_refused_token_in_jwt_format_does_not_mean_a_dead_session(fake, wire):
    fake.answer = fault("INVALID_SESSION_ID")
    with pytest.raises(Misconfigured) as told:
        soap.list_metadata(wire, org(fake, JWT, "68.0"), ["ConnectedApp"])
    assert told.value.code == "salesforce.soap.jwt"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, "<html><body>Down for maintenance</body>"),
        Answer(503, "<html><body>Down for maintenance</body></html>"),
        Answer(200, ""),
        Answer(200, "{}"),
        Answer(200, '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        envelope(""),
        envelope("<listMetadataResponse/>", 500),
    ],
)
def test_what_is_no_soap_is_tried_again_later(fake, wire, answer):
    fake.answer = answer
    with pytest.raises(Transient):
        soap.list_metadata(wire, org(fake), ["ConnectedApp"])


def test_components_are_listed_and_an_empty_list_is_no_error(fake, wire):
    fake.answer = envelope("<listMetadataResponse/>")
    assert soap.list_metadata(wire, org(fake), ["ConnectedApp"]) == []
    fake.answer = envelope(
        "<listMetadataResponse><result><fullName>A</fullName><type>ConnectedApp</type></result>"
        "<result><fullName>B</fullName><type>ConnectedApp</type></result></listMetadataResponse>"
    )
    listed = soap.list_metadata(wire, org(fake), ["ConnectedApp"])
    assert [(each.kind, each.full_name) for each in listed] == [("ConnectedApp", "A"), ("ConnectedApp", "B")]


def test_the_session_and_names_are_escaped_and_the_request_is_the_one_of_the_metadata_api(fake, wire):
    fake.answer = envelope("<retrieveResponse><result><id>09S000000000001</id></result></retrieveResponse>")
    soap.start_retrieve(wire, org(fake, "00D<&>!x"), {"ConnectedApp": ["A&B"]}, "61.0")
    request = fake.requests[0]
    assert (request.method, request.path) == ("POST", "/services/Soap/m/66.0")
    assert request.headers["SOAPAction"] == '""'
    assert b"<sessionId>00D&lt;&amp;&gt;!x</sessionId>" in request.body
    assert b"<members>A&amp;B</members><name>ConnectedApp</name>" in request.body
    assert request.body.count(b"61.0") == 2


def test_a_retrieve_is_awaited_then_fetched(fake, wire):
    fake.answer = envelope(
        "<checkRetrieveStatusResponse><result><done>false</done></result></checkRetrieveStatusResponse>"
    )
    assert soap.check_retrieve(wire, org(fake), "09S") is None
    archive = base64.b64encode(b"zip").decode()
    fake.answer = envelope(
        "<checkRetrieveStatusResponse><result><done>true</done><success>true</success>"
        f"<messages><problem>Entity cannot be found</problem></messages><zipFile>{archive[:2]}\n{archive[2:]}</zipFile>"
        "</result></checkRetrieveStatusResponse>"
    )
    found = soap.check_retrieve(wire, org(fake), "09S")
    assert found.archive == b"zip"
    assert found.messages == ("Entity cannot be found",)
    assert "zip" not in repr(found)


@pytest.mark.parametrize(
    "result",
    [
        "<success>false</success><errorMessage>no</errorMessage>",
        "<success>true</success><zipFile>?</zipFile>",
    ],
)
def test_a_retrieve_that_failed_is_tried_again_later(fake, wire, result):
    fake.answer = envelope(
        f"<checkRetrieveStatusResponse><result><done>true</done>{result}</result></checkRetrieveStatusResponse>"
    )
    with pytest.raises(Transient):
        soap.check_retrieve(wire, org(fake), "09S")


def test_settings_are_read_by_their_paths(fake, wire):
    fake.answer = envelope(
        "<readMetadataResponse><result><records><fullName>Security</fullName><sessionSettings>"
        "<lockSessionsToIp>true</lockSessionsToIp></sessionSettings></records></result></readMetadataResponse>"
    )
    found = soap.read_metadata(wire, org(fake), "SecuritySettings", "Security")
    assert found == {"fullName": "Security", "sessionSettings/lockSessionsToIp": "true"}
    fake.answer = envelope("<readMetadataResponse><result><records/></result></readMetadataResponse>")
    assert soap.read_metadata(wire, org(fake), "SecuritySettings", "Security") is None


def test_settings_that_are_nested_without_end_are_not_followed(fake, wire):
    deep = "<a>" * 20_000 + "x" + "</a>" * 20_000
    fake.answer = envelope(
        f"<readMetadataResponse><result><records>{deep}</records></result></readMetadataResponse>"
    )
    with pytest.raises(Transient) as told:
        soap.read_metadata(wire, org(fake), "SecuritySettings", "Security")
    assert told.value.code == "salesforce.soap.unreadable"


def test_no_message_holds_the_token(fake, wire):
    fake.answer = fault("INVALID_SESSION_ID", f"session {OPAQUE}")
    with pytest.raises(SessionDead) as told:
        soap.list_metadata(wire, org(fake), ["ConnectedApp"])
    assert OPAQUE not in told.value.message


# --- REST ------------------------------------------------------------------------------------------


def status(**result: object) -> Answer:
    return Answer(200, {"id": "0Af000000000001", "deployResult": {"status": "InProgress", **result}})


def test_a_deploy_is_posted_as_the_salesforce_cli_does(fake, wire):
    fake.answer = Answer(201, {"id": "0Af000000000001"})
    assert metadata.start_deploy(wire, org(fake), b"PK-zip", check_only=True) == "0Af000000000001"
    request = fake.requests[0]
    assert (request.method, request.path) == ("POST", "/services/data/v66.0/metadata/deployRequest")
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    parts = request.body.split(b"--" + request.headers["Content-Type"].partition("boundary=")[2].encode())
    assert b'name="file"; filename="deploy.zip"' in parts[1]
    assert b"PK-zip" in parts[1]
    assert b'name="entity_content"' in parts[2]
    options = json.loads(parts[2].partition(b"\r\n\r\n")[2])["deployOptions"]
    wanted = {"checkOnly": True, "ignoreWarnings": False, "rollbackOnError": True, "singlePackage": True}
    assert {name: options[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("answer", "maybe_done"),
    [
        (Answer(503, "<html>"), True),
        (Answer(500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]), True),
        (Answer(201, '{"id": "0Af0000'), True),
        (Answer(201, {}), True),
        (Answer(201, {"id": 7}), True),
        (Answer(201, []), True),
        (Answer(reset=True), True),
        (Answer(201, {"id": "0Af000000000001"}, cut=True), True),
        (Answer(400, [{"errorCode": "INVALID_MULTIPART_REQUEST", "message": "x"}]), False),
        (Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "x"}]), False),
        (Answer(403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "x"}]), False),
        (Answer(429, ""), False),
    ],
)
def test_a_post_that_got_no_id_may_have_been_taken_unless_it_was_refused(fake, wire, answer, maybe_done):
    fake.answer = answer
    with pytest.raises(RotatorError) as told:
        metadata.start_deploy(wire, org(fake), b"zip", check_only=False)
    assert told.value.maybe_done is maybe_done


def test_failures_are_told_in_the_words_of_the_org_and_not_without_end(fake, wire):
    failures = [
        {"fullName": f"A{n}", "componentType": "ConnectedApp", "problem": f"bad {n}"} for n in range(8)
    ]
    fake.answer = status(status="Failed", errorMessage="all bad", details={"componentFailures": failures})
    deploy = metadata.get_deploy(wire, org(fake), "0Af000000000001")
    assert deploy.done
    assert deploy.problem == "all bad; A0: bad 0; A1: bad 1; A2: bad 2; A3: bad 3; and 4 more"
    assert ("ConnectedApp", "A7") in deploy.components


@pytest.mark.parametrize(
    "details", [None, {}, {"componentFailures": None}, {"componentSuccesses": {"fullName": "A"}}]
)
def test_details_may_be_missing(fake, wire, details):
    fake.answer = status(details=details)
    deploy = metadata.get_deploy(wire, org(fake), "0Af000000000001")
    assert (deploy.done, deploy.problem) == (False, "")


def forgetful(code: str, status: int, listed: bool):
    """An org that says it knows no such deploy, and lists it or not among its deploys."""
    refusal = Answer(status, [{"errorCode": code, "message": "x"}] if code else "<html>not here</html>")
    rows = [{"Id": "0Af000000000001"}] if listed else []

    def answer(request):
        if "tooling/query" in request.path:
            return Answer(200, {"done": True, "totalSize": len(rows), "records": rows})
        return refusal

    return answer


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(
    "code",
    ["INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED", "NOT_FOUND", "MALFORMED_ID", "INVALID_ID_FIELD"],
)
def test_a_deploy_that_the_org_neither_tells_of_nor_lists_is_unknown(fake, wire, code, status):
    fake.answer = forgetful(code, status, listed=False)
    assert metadata.get_deploy(wire, org(fake), "0Af000000000001") is None


@pytest.mark.parametrize("code", ["INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"])
def test_a_deploy_that_is_listed_is_asked_for_again_later(fake, wire, code):
    """It is said to happen for a moment when a deploy leaves the queue (Salesforce CLI, PollingClient)."""
    fake.answer = forgetful(code, 404, listed=True)
    with pytest.raises(Transient) as told:
        metadata.get_deploy(wire, org(fake), "0Af000000000001")
    assert told.value.code == "salesforce.deploy.unsettled"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", 404),
        ("API_DISABLED_FOR_ORG", 404),
        ("UNSUPPORTED_API_VERSION", 404),
        ("INVALID_CROSS_REFERENCE_KEY", 500),
        ("INVALID_FIELD", 400),
    ],
)
def test_another_refusal_does_not_make_a_deploy_unknown(fake, wire, code, status):
    fake.answer = forgetful(code, status, listed=False)
    with pytest.raises(RotatorError):
        metadata.get_deploy(wire, org(fake), "0Af000000000001")


@pytest.mark.parametrize(
    "answer", [Answer(200, {}), Answer(200, []), status(status=None), Answer(200, "<html>")]
)
def test_a_status_that_can_not_be_read_is_asked_for_again_later(fake, wire, answer):
    fake.answer = answer
    with pytest.raises(Transient):
        metadata.get_deploy(wire, org(fake), "0Af000000000001")


def test_a_cancellation_that_comes_too_late_is_no_error(fake, wire):
    fake.answer = Answer(400, [{"errorCode": "INVALID_ID_FIELD", "message": "its status is Succeeded"}])
    metadata.cancel_deploy(wire, org(fake), "0Af000000000001")
    assert (fake.requests[0].method, json.loads(fake.requests[0].body)) == (
        "PATCH",
        {"deployResult": {"status": "Canceling"}},
    )
    fake.answer = Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "x"}])
    with pytest.raises(SessionDead):
        metadata.cancel_deploy(wire, org(fake), "0Af000000000001")


def test_only_deploys_of_the_time_in_question_are_found(fake, wire):
    now = datetime.now(UTC)

    def row(name: str, seconds: float) -> dict[str, str]:
        at = now + timedelta(seconds=seconds)
        return {"Id": name, "CreatedDate": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}

    rows = [row("tooLate", 3600), row("ours", 2), row("atOnce", 0), row("before", -60)]
    fake.answer = Answer(200, {"done": True, "records": rows})
    found = metadata.find_deploys(
        wire, org(fake), since=now, user_id="005000000000001", clock=lambda: datetime.now(UTC)
    )
    assert found == ["ours", "atOnce"]
    asked = parse_qs(urlsplit(fake.requests[0].path).query)["q"][0]
    assert "CreatedById = '005000000000001'" in asked
    ceiling = (now + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"CreatedDate <= {ceiling}" in asked, "what came long after must not fill the page"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"done": True, "records": None},
        {"done": True, "records": [{"Id": "x", "CreatedDate": "yesterday"}]},
        {"done": False, "records": []},
        {"records": []},
    ],
)
def test_a_search_that_can_not_be_read_finds_neither_something_nor_nothing(fake, wire, body):
    fake.answer = Answer(200, body)
    with pytest.raises(Transient):
        metadata.find_deploys(
            wire, org(fake), since=datetime.now(UTC), user_id="", clock=lambda: datetime.now(UTC)
        )
