"""The Postman collection and environment, as documents. Postman's own programs judge them in tests/judges."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from rotator.postman import Given, collection, environment, without_assertion
from rotator.salesforce.oauth import Login
from rotator.salesforce.refusal_table import (
    NO_WORDS,
    OVERRIDING,
    REST,
    SECRET_HOLDER,
    TOKEN,
    UNKNOWN_WORDS,
    WORDLESS,
)
from rotator.secret import Secret

LOGIN = Login(
    "https://acme.my.salesforce.com", "https://login.salesforce.com", "3MVG9acme", "integration@acme.example"
)
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"

# Object of the Collection Format v2.1 -> the fields that its schema knows, of those that are of use here. Postman takes
# any other in silence, and ignores it.
FIELDS = {
    "collection": {"info", "item", "event", "auth"},
    "info": {"_postman_id", "name", "description", "schema"},
    "item": {"name", "event", "request", "response", "protocolProfileBehavior"},
    "event": {"listen", "script"},
    "script": {"type", "exec"},
    "request": {"method", "header", "url", "description", "auth", "body"},
    "url": {"raw", "host", "path", "query"},
    "body": {"mode", "urlencoded"},
}


def made() -> Any:
    return json.loads(collection("acme"))


def requests() -> dict[str, Any]:
    return {item["name"]: item for item in made()["item"]}


def variables(text: Secret) -> dict[str, Any]:
    return {value["key"]: value for value in json.loads(text.reveal())["values"]}


def plain(**more: Any) -> Secret:
    return environment("acme", LOGIN, **{"soql": "SELECT Id FROM Account", "api_version": None, **more})


def objects(document: Any) -> Iterator[tuple[str, Any]]:
    """Every object of a collection, with the name of its kind."""
    yield "collection", document
    yield "info", document["info"]
    for item in document["item"]:
        yield from (("item", item), ("request", item["request"]), ("url", item["request"]["url"]))
        if "body" in item["request"]:
            yield "body", item["request"]["body"]
    for event in [*document["event"], *(event for item in document["item"] for event in item["event"])]:
        yield from (("event", event), ("script", event["script"]))


def scripts() -> str:
    return "\n".join(line for kind, one in objects(made()) if kind == "script" for line in one["exec"])


def used_variables(text: str) -> set[str]:
    return {part.split("}}")[0] for part in text.split("{{")[1:]}


def test_it_is_a_collection_of_version_2_1_without_a_field_that_postman_would_not_know():
    document = made()
    assert (
        document["info"]["schema"] == "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    )
    unknown = [(kind, set(one) - FIELDS[kind]) for kind, one in objects(document) if set(one) - FIELDS[kind]]
    assert unknown == []


def test_the_requests_are_the_steps_that_people_take_in_their_order():
    assert [
        (name, one["request"]["method"], one["request"]["url"]["raw"]) for name, one in requests().items()
    ] == [
        ("1 Token", "POST", "{{login_url}}/services/oauth2/token"),
        ("2 API versions", "GET", "{{instance_url}}/services/data"),
        ("3 User", "GET", "{{instance_url}}/services/oauth2/userinfo"),
        (
            "4 Accounts by query",
            "GET",
            "{{instance_url}}/services/data/v{{api_version}}/query?q={{soql_encoded}}",
        ),
        ("5 Accounts by sobjects", "GET", "{{instance_url}}/services/data/v{{api_version}}/sobjects/Account"),
        ("6 Limits", "GET", "{{instance_url}}/services/data/v{{api_version}}/limits"),
        ("7 Introspect", "POST", "{{login_url}}/services/oauth2/introspect"),
    ]


def test_a_url_in_parts_says_the_same_as_the_url_in_one():
    for item in requests().values():
        url = item["request"]["url"]
        query = "&".join(f"{one['key']}={one['value']}" for one in url.get("query", ()))
        assert url["raw"] == "/".join([*url["host"], *url["path"]]) + (f"?{query}" if query else "")


def test_the_token_goes_along_with_calls_and_with_nothing_that_needs_none():
    assert made()["auth"]["bearer"] == [{"key": "token", "value": "{{access_token}}", "type": "string"}]
    without = {name: one["request"]["auth"] for name, one in requests().items() if "auth" in one["request"]}
    assert without == {name: {"type": "noauth"} for name in ("1 Token", "2 API versions", "7 Introspect")}


def test_no_request_follows_a_redirect_with_its_secrets():
    assert {one["protocolProfileBehavior"]["followRedirects"] for one in requests().values()} == {False}


def test_the_scripts_load_nothing_from_elsewhere_and_evaluate_no_text():
    assert set(re.findall(r"require\('(.*?)'\)", scripts())) == {"crypto-js", "buffer"}
    assert not re.search(r"\beval\b|new Function|pm\.(require|sendRequest)", scripts())


def test_every_request_has_a_test_of_its_own_beside_the_one_for_all():
    assert [event["listen"] for event in made()["event"]] == ["test"]
    for item in requests().values():
        assert [event["listen"] for event in item["event"]].count("test") == 1


def test_every_script_that_is_shipped_is_in_the_collection():
    everything = scripts()
    shipped = [
        file for file in files("rotator.postman").joinpath("scripts").iterdir() if file.name.endswith(".js")
    ]
    assert len(shipped) == 11
    assert all("\n".join(file.read_text().splitlines()) in everything for file in shipped)


def test_every_refusal_that_rotator_knows_is_explained_in_the_collection_too():
    told = {line.strip().rstrip(",") for line in scripts().splitlines() if line.startswith('    ["')}
    explained = {
        (error, words, mend.removeprefix('Send "1 Token" again.').strip())
        for error, words, mend in map(json.loads, told)
    }
    rows = (*TOKEN, *SECRET_HOLDER, *REST, *OVERRIDING, *WORDLESS, UNKNOWN_WORDS, NO_WORDS)
    assert explained == {(row.error, row.words, row.hint) for row in rows}


def test_every_variable_that_is_used_is_in_the_environment_or_set_by_a_script():
    used = used_variables(collection("acme"))
    assert used - set(variables(plain())) == {"signed_assertion", "soql_encoded"}
    assert all(f"pm.variables.set('{name}'" in scripts() for name in ("signed_assertion", "soql_encoded"))


def test_the_environment_holds_where_and_as_whom_and_no_secret():
    told = variables(plain(api_version="66.0"))
    assert {key: one["value"] for key, one in told.items()} == {
        "login_url": "https://acme.my.salesforce.com",
        "audience": "https://login.salesforce.com",
        "consumer_key": "3MVG9acme",
        "username": "integration@acme.example",
        "api_version": "66.0",
        "soql": "SELECT Id FROM Account",
        "instance_url": "",
        "private_key": "",
        "assertion": "",
        "client_secret": "",
        "access_token": "",
    }


def test_secrets_are_variables_that_postman_masks():
    told = variables(plain())
    secret = {key for key, one in told.items() if one["type"] == "secret"}
    assert secret == {"private_key", "assertion", "client_secret", "access_token"}
    assert {one["type"] for key, one in told.items() if key not in secret} == {"default"}


def test_what_is_asked_for_is_put_in_and_nothing_else():
    told = variables(plain(given=Given(private_key=Secret(PEM))))
    assert (told["private_key"]["value"], told["assertion"]["value"]) == (PEM, "")
    told = variables(plain(given=Given(assertion=Secret("a.b.c"))))
    assert (told["private_key"]["value"], told["assertion"]["value"]) == ("", "a.b.c")


def test_quotes_backslashes_and_other_scripts_survive():
    soql = "SELECT Id FROM Account WHERE Name = 'O\\'Neill \"Ü\" 𝄞' AND Site LIKE '100%'"
    assert variables(plain(soql=soql))["soql"]["value"] == soql


def test_made_again_it_is_the_same_so_that_postman_replaces_what_it_imported():
    assert collection("acme") == collection("acme")
    assert plain() == plain()
    other = Login(LOGIN.login_url, LOGIN.audience, LOGIN.consumer_key, "reports@acme.example")
    ids = {
        made()["info"]["_postman_id"],
        json.loads(collection("globex"))["info"]["_postman_id"],
        json.loads(plain().reveal())["id"],
        json.loads(environment("acme", other, soql="", api_version=None).reveal())["id"],
    }
    assert len(ids) == 4


def test_environments_that_differ_in_their_assertion_alone_are_alike():
    one, other = (plain(given=Given(assertion=Secret(text))).reveal().encode() for text in ("a.b.c", "d.e.f"))
    assert without_assertion(one) == without_assertion(other)
    edited = plain(soql="SELECT Name FROM Account").reveal().encode()
    assert without_assertion(one) != without_assertion(edited)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"[" * 100_000, b'{"values": [1]}', b'{"values": 1}']
)
def test_what_is_no_environment_is_like_itself_alone(content):
    assert without_assertion(content) == content
