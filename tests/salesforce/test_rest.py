"""The REST API."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.errors import Misconfigured, RotatorError, SessionDead, Transient
from rotator.salesforce.http import Reply, Wire
from rotator.salesforce.rest import (
    Limit,
    Org,
    UserInfo,
    api_versions,
    call,
    get_account_resource,
    limits,
    newest_api_version,
    query_accounts,
    userinfo,
)
from rotator.secret import Secret
from tests.world.http_fake import Answer, HttpFake, Request

TOKEN = Secret("00Dsession!secret")
FOUND = {"totalSize": 1, "done": True, "records": [{"attributes": {"type": "Account"}, "Id": "001"}]}


def org(fake: HttpFake, version: str | None = "66.0") -> Org:
    return Org(fake.url, TOKEN, version)


def versions(*numbers: str) -> Answer:
    return Answer(
        body=[{"label": "x", "url": f"/services/data/v{number}", "version": number} for number in numbers]
    )


def test_accounts_are_counted_by_a_query(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body=FOUND)
    assert query_accounts(wire, org(fake)) == 1
    [request] = fake.requests
    assert request.path == "/services/data/v66.0/query?q=SELECT+Id+FROM+Account+LIMIT+1"
    assert request.headers["Authorization"] == "Bearer 00Dsession!secret"


def test_the_query_can_be_another_one(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body={"totalSize": 0, "done": True, "records": []})
    assert query_accounts(wire, org(fake), "SELECT Id FROM User", fresh=True) == 0
    assert fake.requests[0].path.endswith("q=SELECT+Id+FROM+User")


@pytest.mark.parametrize("body", [{}, [], {"records": None}, "x", b"null"])
def test_an_answer_that_is_no_result_is_transient(wire: Wire, fake: HttpFake, body: Any) -> None:
    fake.answer = Answer(body=body)
    with pytest.raises(Transient):
        query_accounts(wire, org(fake))


def test_the_account_resource_is_read(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body={"objectDescribe": {"name": "Account"}, "recentItems": []})
    assert get_account_resource(wire, org(fake))["objectDescribe"] == {"name": "Account"}
    assert fake.requests[0].path == "/services/data/v66.0/sobjects/Account"
    fake.answer = Answer(body={"recentItems": []})
    with pytest.raises(Transient):
        get_account_resource(wire, org(fake))


def test_versions_are_sorted_as_numbers(wire: Wire, fake: HttpFake) -> None:
    fake.answer = versions("66.0", "9.0", "100.0", "67.0")
    assert api_versions(wire, fake.url + "/") == ["9.0", "66.0", "67.0", "100.0"]
    assert fake.requests[0].path == "/services/data"
    assert "Authorization" not in fake.requests[0].headers


@pytest.mark.parametrize(
    ("offered", "newest"),
    [(["66.0", "67.0"], "67.0"), (["67.0", "68.0", "69.0"], "68.0"), (["68.0"], "68.0")],
)
def test_the_newest_version_is_one_that_both_know(
    wire: Wire, fake: HttpFake, offered: list[str], newest: str
) -> None:
    fake.answer = versions(*offered)
    assert newest_api_version(wire, fake.url) == newest


def test_an_org_that_is_too_new_is_told(wire: Wire, fake: HttpFake) -> None:
    fake.answer = versions("69.0", "70.0")
    with pytest.raises(Misconfigured) as caught:
        newest_api_version(wire, fake.url)
    assert caught.value.code == "salesforce.version_unknown"


def test_without_a_version_the_org_is_asked_first(wire: Wire, fake: HttpFake) -> None:
    def answer(request: Request) -> Answer:
        return versions("65.0") if request.path == "/services/data" else Answer(body=FOUND)

    fake.answer = answer
    query_accounts(wire, org(fake, None))
    assert [request.path.split("?")[0] for request in fake.requests] == [
        "/services/data",
        "/services/data/v65.0/query",
    ]


@pytest.mark.parametrize("body", [[], {}, b"null", [{}], [{"version": ["66.0"]}, {"version": "sixty"}, 7]])
def test_an_org_that_offers_no_version_is_transient(wire: Wire, fake: HttpFake, body: Any) -> None:
    fake.answer = Answer(body=body)
    with pytest.raises(Transient):
        api_versions(wire, fake.url)


def test_limits_are_read_by_name(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(
        body={
            "DailyApiRequests": {"Max": 15000, "Remaining": 14998, "App": {}},
            "Odd": {"Max": "x"},
            "Odder": 3,
        }
    )
    assert limits(wire, org(fake)) == {"DailyApiRequests": Limit(15000, 14998)}


def test_userinfo_tells_whom_the_token_stands_for(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(
        body={"organization_id": "00D", "user_id": "005", "preferred_username": "me", "x": 1}
    )
    assert userinfo(wire, org(fake)) == UserInfo("00D", "005", "me")
    assert fake.requests[0].path == "/services/oauth2/userinfo"
    fake.answer = Answer(403, "Bad_OAuth_Token")
    with pytest.raises(SessionDead):
        userinfo(wire, org(fake))


@pytest.mark.parametrize("probe", [query_accounts, get_account_resource, limits, userinfo])
def test_a_dead_session_is_told_by_every_call(wire: Wire, fake: HttpFake, probe: Any) -> None:
    fake.answer = Answer(
        401, [{"message": f"Session expired: {TOKEN.reveal()}", "errorCode": "INVALID_SESSION_ID"}]
    )
    with pytest.raises(SessionDead) as caught:
        probe(wire, org(fake))
    assert TOKEN.reveal() not in f"{caught.value.message}{caught.value.hint}"


def test_a_call_passes_method_json_and_headers_on(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(204)
    reply = call(
        wire,
        org(fake),
        "PATCH",
        "metadata/deployRequest/0Af",
        json={"deployResult": {}},
        headers={"X-A": "b"},
    )
    assert reply.status == 204
    [request] = fake.requests
    assert (request.method, request.path) == ("PATCH", "/services/data/v66.0/metadata/deployRequest/0Af")
    assert json.loads(request.body) == {"deployResult": {}}
    assert request.headers["X-A"] == "b"


def test_a_token_does_not_show_in_the_org() -> None:
    assert TOKEN.reveal() not in repr(Org("https://a.example", TOKEN))


class Canned:
    """A wire that always brings the same answer."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def send(self, method: str, url: str, **_: Any) -> Reply:
        return Reply(200, {}, self.body, url, method)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["records", "totalSize", "version", "Max", "Remaining", "user_id"]), inner),
    ).map(json.dumps).map(str.encode)
    | st.binary(max_size=20)
)  # fmt: skip
@pytest.mark.parametrize("probe", [query_accounts, get_account_resource, limits, userinfo])
def test_any_answer_is_read_or_refused_in_our_words(probe: Any, body: bytes) -> None:
    for version in ("66.0", None):
        with contextlib.suppress(RotatorError):
            probe(Canned(body), Org("https://a.example", TOKEN, version))
