"""Deploys by REST: start one, ask for it, cancel it, and find the one whose answer was lost.

Metadata API Developer Guide, "Deploying with REST": resource ``metadata/deployRequest``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from rotator.errors import RotatorError, Transient
from rotator.salesforce.http import Reply, Wire
from rotator.salesforce.refusals import error_code, rest_refusal
from rotator.salesforce.rest import Org, call
from rotator.show.quoting import quote

TERMINAL: Final = frozenset({"Succeeded", "SucceededPartial", "Failed", "Canceled"})
CANCEL_IS_LATE: Final = frozenset({"Canceling", "FinalizingDeploy"})
"""Where it is asked for already, or can't be done any more (meta_rest_deploy_cancel)."""

_NO_ID = frozenset({"MALFORMED_ID", "INVALID_ID_FIELD"})
_UNKNOWN_ID = frozenset({"INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED", "NOT_FOUND"})
"""What may be said of an id that the org does not know. No page of the documentation tells which, or with which
status, and NOT_FOUND is also what a wrong path gives; so these are believed only if the list of deploys agrees."""

_ID = re.compile("[0-9A-Za-z]{1,18}")  # those of Salesforce have 15 or 18
_MOST_BYTES = 8 << 20
_MOST_FAILURES = 5
_CLOCKS_DIFFER = timedelta(minutes=5)
_MOST_OFFSET = timedelta(days=366)  # a clock that is further off is none
_EARLY = timedelta(seconds=3)
_LATE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Deploy:
    """What is known of a deploy.

    Attributes:
        done: it has ended, one way or another.
        components: type and full name of each that succeeded or failed; may be empty while it is under way.
        problem: what went wrong, for people; empty if nothing did.
    """

    id: str
    status: str
    done: bool
    components: frozenset[tuple[str, str]]
    problem: str


def start_deploy(wire: Wire, org: Org, archive: bytes, *, check_only: bool) -> str:
    """Hand over a package and return the deploy's id.

    Nothing is left half-done (``rollbackOnError``), and no warning is passed over: a consumer key is only replaced
    by those who ignore warnings. ``check_only`` validates and changes nothing.

    Raises errors with ``maybe_done`` where the org may have accepted it.
    """
    options = {
        "allowMissingFiles": False,
        "checkOnly": check_only,
        "ignoreWarnings": False,
        "purgeOnDelete": False,
        "rollbackOnError": True,
        "singlePackage": True,
    }
    # The name of the second part is what the Salesforce CLI sends.
    parts = {
        "file": ("deploy.zip", archive, "application/zip"),
        "entity_content": (None, json.dumps({"deployOptions": options}), "application/json"),
    }
    found = call(wire, org, "POST", "metadata/deployRequest", files=parts).json()
    deploy_id = found.get("id") if isinstance(found, dict) else None
    if not isinstance(deploy_id, str) or not _ID.fullmatch(deploy_id):
        raise _unreadable("deployRequest", maybe_done=True)
    return deploy_id


def get_deploy(wire: Wire, org: Org, deploy_id: str) -> Deploy | None:
    """Return what became of a deploy; None if the org knows no such deploy (any more).

    Raises Transient when the org lists the deploy and does not tell of it: with INVALID_CROSS_REFERENCE_KEY the
    Metadata API is known to answer for a moment when a deploy leaves the queue (Salesforce CLI, PollingClient).
    """
    url = f"{org.instance_url}/services/data/v{org.api_version}/metadata/deployRequest/{deploy_id}"
    reply = wire.send(
        "GET", url, params={"includeDetails": "true"}, token=org.access_token, max_bytes=_MOST_BYTES
    )
    code = error_code(reply) if reply.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND) else ""
    if code in _NO_ID or (code in _UNKNOWN_ID and not _is_listed(wire, org, deploy_id)):
        return None
    if code in _UNKNOWN_ID:
        raise Transient(
            f"the org lists deploy {deploy_id} and does not tell of it ({code})",
            code="salesforce.deploy.unsettled",
            hint="It passes within a moment, and is asked again. If it lasts, see Deployment Status in Setup.",
        )
    if reply.status != HTTPStatus.OK:
        raise rest_refusal(reply, [org.access_token])
    found = reply.json()
    result = found.get("deployResult") if isinstance(found, dict) else None
    if not isinstance(result, dict) or not isinstance(result.get("status"), str):
        raise _unreadable("deployRequest")
    messages = list(_messages(result))
    components = frozenset((_word(row, "componentType"), _word(row, "fullName")) for row in messages)
    status = quote(result["status"])
    done = status in TERMINAL or result.get("done") in (True, "true")
    return Deploy(deploy_id, status, done, components, _problem(result, messages))


def cancel_deploy(wire: Wire, org: Org, deploy_id: str) -> None:
    """Ask for the end of a deploy. It may still succeed: only a terminal status tells.

    That the org finds it too late is no error.
    """
    try:
        call(
            wire,
            org,
            "PATCH",
            f"metadata/deployRequest/{deploy_id}",
            json={"deployResult": {"status": "Canceling"}},
        )
    except RotatorError as error:
        if error.code != "salesforce.refused":
            raise


def find_deploys(
    wire: Wire, org: Org, *, since: datetime, user_id: str, clock: Callable[[], datetime]
) -> list[str]:
    """Return the ids of a user's deploys that were accepted at or soon after ``since``, newest first.

    ``since`` is told by our ``clock``; the org's may differ and is read from its answer. Raises Transient when the
    org does not give all of them at once: a deploy that is not among some of them may be there all the same.
    """
    floor, ceiling = _soql(since - _CLOCKS_DIFFER), _soql(since + _LATE + _CLOCKS_DIFFER)
    who = f" AND CreatedById = '{user_id}'" if _ID.fullmatch(user_id) else ""
    reply, rows = _listed(
        wire, org, f"CheckOnly = false AND CreatedDate >= {floor} AND CreatedDate <= {ceiling}{who}"
    )
    # Asked after the answer: a slow one makes the search begin too early, and never too late.
    offset = (reply.date - clock()) if reply.date else timedelta()
    if abs(offset) > _MOST_OFFSET:
        raise _unreadable("tooling/query")
    begin, end = since + offset - _EARLY, since + offset + _LATE
    return [row["Id"] for row in rows if begin <= _created(row) <= end and _ID.fullmatch(_word(row, "Id"))]


def _is_listed(wire: Wire, org: Org, deploy_id: str) -> bool:
    return bool(_ID.fullmatch(deploy_id)) and bool(_listed(wire, org, f"Id = '{deploy_id}'")[1])


def _listed(wire: Wire, org: Org, condition: str) -> tuple[Reply, list[dict[str, Any]]]:
    """Return the org's list of the deploys that fulfil a condition, newest first, and the answer that held it."""
    # Conditions hold dates of ours and ids of letters and digits: nothing to inject.
    query = f"SELECT Id, CreatedDate FROM DeployRequest WHERE {condition} ORDER BY CreatedDate DESC"  # noqa: S608 - see above
    reply = call(wire, org, "GET", "tooling/query", params={"q": query})
    found = reply.json()
    rows = found.get("records") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise _unreadable("tooling/query")
    if found.get("done") is not True:
        raise Transient(
            "the org does not give the whole list of its deploys, so that one can't be found in it",
            code="salesforce.deploy.too_many",
            hint="Look at Setup, Deployment Status: something deploys very often in the name of the deployer.",
        )
    return reply, [row for row in rows if isinstance(row, dict)]


def _soql(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _created(row: dict[str, Any]) -> datetime:
    try:
        return datetime.strptime(_word(row, "CreatedDate"), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise _unreadable("tooling/query") from None


def _messages(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    details = result.get("details")
    for name in ("componentFailures", "componentSuccesses"):
        rows = details.get(name) if isinstance(details, dict) else None
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict):
                yield row


def _problem(result: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    """Return what went wrong, in the org's words."""
    failures = [row for row in messages if _word(row, "problem")]
    told = [
        f"{quote(_word(row, 'fullName') or _word(row, 'fileName'))}: {quote(_word(row, 'problem'))}"
        for row in failures
    ]
    if _word(result, "errorMessage"):
        told.insert(0, quote(_word(result, "errorMessage")))
    more = len(told) - _MOST_FAILURES
    return "; ".join(told[:_MOST_FAILURES]) + (f"; and {more} more" if more > 0 else "")


def _word(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _unreadable(what: str, *, maybe_done: bool = False) -> Transient:
    return Transient(
        f"the org's answer to {what} is not what Salesforce sends",
        code="salesforce.unreadable",
        hint="Something other than Salesforce may be answering. If it lasts, check the host and the proxy.",
        maybe_done=maybe_done,
    )
