"""The REST API: is the token good, what does the org know, how much of its limits is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from rotator.errors import Misconfigured, Transient
from rotator.salesforce.http import MOST_BYTES, Reply, Wire
from rotator.salesforce.refusals import rest_refusal
from rotator.secret import Secret
from rotator.wording import one_line

NEWEST_KNOWN_VERSION = 68
"""Winter '27. Newer ones may read differently what we send."""

ACCOUNT_QUERY = "SELECT Id FROM Account LIMIT 1"

_LONGEST_NAME = 255
_LONGEST_DESCRIPTION = 16 << 20  # `sobjects/Account` describes every field of the org
_VERSION = re.compile(r"[0-9]{1,3}\.0")


@dataclass(frozen=True, slots=True)
class Org:
    """Where to call, with which token.

    Attributes:
        api_version: such as ``66.0``; None asks the org for its newest with every call.
    """

    instance_url: str
    access_token: Secret
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """One of the org's limits (REST API, resource limits)."""

    most: int
    remaining: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Whom a token stands for (OpenID Connect Core section 5.3)."""

    org_id: str
    user_id: str
    username: str


def call(
    wire: Wire,
    org: Org,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    files: Any = None,
    fresh: bool = False,
    max_bytes: int = MOST_BYTES,
) -> Reply:
    """Call a resource below ``/services/data/vXX.0/`` and return the answer, which is a success (2xx).

    Raises SessionDead when the token is not good (any more), Misconfigured, Transient.
    """
    version = org.api_version or newest_api_version(wire, org.instance_url)
    url = f"{org.instance_url}/services/data/v{version}/{path}"
    reply = wire.send(
        method, url, headers=headers, params=params, json=json, files=files,
        token=org.access_token, fresh=fresh, max_bytes=max_bytes,
    )  # fmt: skip
    return _checked(reply, org)


def query(wire: Wire, org: Org, soql: str) -> list[Mapping[str, Any]]:
    """Run a SOQL query and return the first rows that it found."""
    return [row for row in _queried(wire, org, soql)["records"] if isinstance(row, dict)]


def query_accounts(wire: Wire, org: Org, query: str = ACCOUNT_QUERY, *, fresh: bool = False) -> int:
    """Run a SOQL query and return how many rows it found; none is a good answer as well."""
    found = _queried(wire, org, query, fresh=fresh)
    total = found.get("totalSize")
    return total if isinstance(total, int) else len(found["records"])


def _queried(wire: Wire, org: Org, soql: str, *, fresh: bool = False) -> Mapping[str, Any]:
    found = call(wire, org, "GET", "query", params={"q": soql}, fresh=fresh).json()
    if isinstance(found, dict) and isinstance(found.get("records"), list):
        return found
    raise _unreadable("query")


def get_account_resource(wire: Wire, org: Org, *, fresh: bool = False) -> Mapping[str, Any]:
    """Return ``sobjects/Account``: the object's description and its recent items."""
    reply = call(wire, org, "GET", "sobjects/Account", fresh=fresh, max_bytes=_LONGEST_DESCRIPTION)
    found = reply.json()
    if isinstance(found, dict) and "objectDescribe" in found:
        return found
    raise _unreadable("sobjects/Account")


def api_versions(wire: Wire, instance_url: str) -> list[str]:
    """Return the versions that an org offers, oldest first, such as ``66.0``. Needs no token."""
    reply = wire.send("GET", f"{instance_url.rstrip('/')}/services/data")
    if reply.status != HTTPStatus.OK:
        raise rest_refusal(reply)
    found = reply.json()
    rows = found if isinstance(found, list) else []
    said = [row.get("version") for row in rows if isinstance(row, dict)]
    versions = {version for version in said if isinstance(version, str) and _VERSION.fullmatch(version)}
    if not versions:
        raise _unreadable("services/data")
    return sorted(versions, key=float)


def newest_api_version(wire: Wire, instance_url: str) -> str:
    """Return the newest version that both the org and rotator know."""
    offered = api_versions(wire, instance_url)
    known = [version for version in offered if float(version) <= NEWEST_KNOWN_VERSION]
    if known:
        return known[-1]
    raise Misconfigured(
        f"the org offers API versions from {offered[0]} on; rotator knows none after {NEWEST_KNOWN_VERSION}.0",
        code="salesforce.version_unknown",
        hint="Install a newer rotator, or set `api_version`.",
    )


def limits(wire: Wire, org: Org) -> dict[str, Limit]:
    """Return the org's limits by name, such as ``DailyApiRequests``."""
    found = call(wire, org, "GET", "limits").json()
    if not isinstance(found, dict):
        raise _unreadable("limits")
    return {
        name: Limit(row["Max"], row["Remaining"])
        for name, row in found.items()
        if isinstance(row, dict) and isinstance(row.get("Max"), int) and isinstance(row.get("Remaining"), int)
    }


def userinfo(wire: Wire, org: Org) -> UserInfo:
    """Ask whom the token stands for. Needs one of the scopes id, profile, openid, api."""
    reply = wire.send("GET", f"{org.instance_url}/services/oauth2/userinfo", token=org.access_token)
    found = _checked(reply, org).json()
    if not isinstance(found, dict):
        raise _unreadable("userinfo")
    values = [found.get(name) for name in ("organization_id", "user_id", "preferred_username")]
    return UserInfo(*(one_line(value, _LONGEST_NAME) if isinstance(value, str) else "" for value in values))


def _checked(reply: Reply, org: Org) -> Reply:
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return reply
    raise rest_refusal(reply, [org.access_token])


def _unreadable(what: str) -> Transient:
    return Transient(
        f"the org's answer to {what} is not what Salesforce sends",
        code="salesforce.unreadable",
        hint="Something other than Salesforce may be answering. If it lasts, check the host and the proxy.",
    )
