"""The requests, in Postman's Collection Format v2.1 (https://schema.postman.com/collection/json/v2.1.0/)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from rotator.errors import SessionDead
from rotator.salesforce.refusal_table import (
    NO_WORDS,
    OVERRIDING,
    REST,
    SECRET_HOLDER,
    TOKEN,
    UNKNOWN_WORDS,
    WORDLESS,
    Row,
)

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_AGAIN: Final = 'Send "1 Token" again.'
_API: Final = "services/data/v{{api_version}}"

_DESCRIPTION: Final = """\
Tries the credential {credential} by hand: a token for a signed assertion (OAuth 2.0 JWT bearer flow), and calls \
with it. Choose the environment that was written beside this collection, then run all requests in their order.

The first request signs with the private key (PEM, not encrypted) in the variable `private_key`, unless \
`assertion` holds one that still lives. Both are secrets, and empty unless they were asked for:

- `rotator export postman {credential} --with-assertion` hands over an assertion that is good for two minutes;
- `rotator export postman {credential} --with-private-key` hands over the key itself.

`client_secret` is needed for introspection alone, which is skipped without it. `soql` is the query with which \
rotator proves tokens (`proof.query`). An empty `api_version` becomes the newest that the org offers."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One request.

    Attributes:
        scripts: what the names of its scripts begin with.
        base: variable that holds where to send it.
        with_token: the access token goes along.
    """

    name: str
    scripts: str
    method: str
    base: str
    path: str
    description: str
    with_token: bool = True
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


_REQUESTS: Final = (
    _Request(
        name="1 Token",
        scripts="token",
        method="POST",
        base="login_url",
        path="services/oauth2/token",
        with_token=False,
        form={
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": "{{signed_assertion}}",
        },
        description="Trades the signed assertion for an access token, and keeps the token in the environment. "
        "Salesforce gives the same token again while its session lives.",
    ),
    _Request(
        name="2 API versions",
        scripts="versions",
        method="GET",
        base="instance_url",
        path="services/data",
        with_token=False,
        description="Which versions the org offers. The newest is taken where `api_version` is empty.",
    ),
    _Request(
        name="3 User",
        scripts="userinfo",
        method="GET",
        base="instance_url",
        path="services/oauth2/userinfo",
        description="Whom the token stands for.",
    ),
    _Request(
        name="4 Accounts by query",
        scripts="query",
        method="GET",
        base="instance_url",
        path=f"{_API}/query",
        query={"q": "{{soql_encoded}}"},
        description="The SOQL query in the variable `soql`. No rows are a good answer, too.",
    ),
    _Request(
        name="5 Accounts by sobjects",
        scripts="sobjects",
        method="GET",
        base="instance_url",
        path=f"{_API}/sobjects/Account",
        description="What Account is, and the records that the user saw last.",
    ),
    _Request(
        name="6 Limits",
        scripts="limits",
        method="GET",
        base="instance_url",
        path=f"{_API}/limits",
        description="How many API calls the org has left, among others.",
    ),
    _Request(
        name="7 Introspect",
        scripts="introspect",
        method="POST",
        base="login_url",
        path="services/oauth2/introspect",
        with_token=False,
        form={
            "token": "{{access_token}}",
            "token_type_hint": "access_token",
            "client_id": "{{consumer_key}}",
            "client_secret": "{{client_secret}}",
        },
        description="What the org says of the token (RFC 7662). Needs the consumer secret of the app in the variable "
        "`client_secret`, and is skipped without it.",
    ),
)


def collection(credential: str) -> str:
    """Return the collection of a credential as JSON. It is the same for all its users, and holds no secret."""
    document = {
        "info": {
            "_postman_id": identifier("collection", credential),
            "name": f"rotator {credential}",
            "description": _DESCRIPTION.format(credential=credential),
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_text("token", "{{access_token}}") | {"type": "string"}]},
        "event": [_event("test", _refusals() + _script("answer.test"))],
        "item": [_item(request) for request in _REQUESTS],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def identifier(*words: str) -> str:
    """Return an id that stays the same, so that Postman replaces what was imported before."""
    return str(uuid5(NAMESPACE_URL, "/".join(("rotator:postman", *words))))


def _item(request: _Request) -> dict[str, Any]:
    base, query = f"{{{{{request.base}}}}}", [_text(*pair) for pair in request.query.items()]
    raw = "&".join(f"{one['key']}={one['value']}" for one in query)
    url = {"raw": f"{base}/{request.path}{raw and '?'}{raw}", "host": [base], "path": request.path.split("/")}
    sent: dict[str, Any] = {
        "method": request.method,
        "header": [_text("Accept", "application/json")],
        "url": {**url, "query": query} if query else url,
        "description": request.description,
    }
    if not request.with_token:
        sent["auth"] = {"type": "noauth"}
    if request.form:
        sent["body"] = {"mode": "urlencoded", "urlencoded": [_text(*pair) for pair in request.form.items()]}
    texts = {listen: _script(f"{request.scripts}.{listen}") for listen in ("prerequest", "test")}
    events = [_event(listen, text) for listen, text in texts.items() if text]
    return {
        "name": request.name,
        "event": events,
        "request": sent,
        "response": [],
        "protocolProfileBehavior": {"followRedirects": False},  # a secret would travel along
    }


def _text(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def _event(listen: str, script: str) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": script.splitlines()}}


def _script(name: str) -> str:
    """Return a script; empty if there is none."""
    file = files("rotator.postman").joinpath("scripts", f"{name}.js")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _refusals() -> str:
    """Return the tables of refusals as JavaScript. Their regular expressions mean the same in both languages."""
    tables = {
        "token": (*TOKEN, UNKNOWN_WORDS),
        "introspect": (*SECRET_HOLDER, UNKNOWN_WORDS),
        "rest": (*REST, UNKNOWN_WORDS),
        "overriding": OVERRIDING,
        "wordless": (*WORDLESS, NO_WORDS),
    }
    told = ",\n".join(
        f"  {kind}: [\n" + ",\n".join(map(_row, rows)) + "\n  ]" for kind, rows in tables.items()
    )
    return f"const REFUSALS = {{\n{told}\n}};\n\n"


def _row(row: Row) -> str:
    again = _AGAIN if issubclass(row.raises, SessionDead) else ""
    return "    " + json.dumps(
        [row.error, row.words, " ".join(filter(None, (again, row.hint)))], ensure_ascii=False
    )
