"""What Vault's answers mean: every status and text that matters becomes an error with a policy and a hint.

Sources: the HTTP status codes of Vault's API documentation (api-docs#http-status-codes), sys/health, and what
OpenBao 2.7 was seen to answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests

from rotator.errors import Compromised, Conflict, Misconfigured, Rejected, RotatorError, Transient
from rotator.show.quoting import quote

PERMISSION_DENIED = "vault.permission_denied"
RENEWED: Final = (
    "What is renewed in `credentials/` reaches a service of systemd at its next start: restart it."
)
"""What to add to a hint that has a person renew what we log in with."""

CAPABILITIES: Mapping[str, str] = {
    "GET": "read",
    "LIST": "list",
    "POST": "update",
    "PUT": "update",
    "DELETE": "delete",
}
_CAS_MISMATCH = "check-and-set parameter did not match"
_LONGEST_QUOTE = 300
_LONGEST_RETRY_AFTER_SECONDS = 300.0  # tokens run out meanwhile: whatever it says, we look again
_SECONDARIES = {472: "a disaster-recovery secondary", 473: "a performance standby"}
_WITHOUT_JSON = {429, 501, 502, 503, 504, *_SECONDARIES}
"""Statuses that say enough by themselves: a proxy in front of Vault sends them with HTML."""


def body_of(response: requests.Response) -> dict[str, Any] | None:
    """Return the JSON object of an answer, whatever its content type says; {} for an empty one, None if it is none."""
    if not response.content:
        return {}
    try:
        body = json.loads(response.content)  # not by requests, which may guess at the encoding for long
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def part(body: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """Return the JSON object at a key of another; {} where there is none."""
    found = (body or {}).get(name)
    return found if isinstance(found, dict) else {}


def path_of(response: requests.Response) -> str:
    """Return what was asked for, as policies name it: without ``/v1/``."""
    path = unquote(urlsplit(response.request.url or "").path)
    return str(path.partition("/v1/")[2]).rstrip("/")


def accept(response: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a 2xx answer. Raises the error that the answer stands for."""
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        raise refusal(response)
    body = body_of(response)
    if body is None:
        raise _not_vault(response)
    return body


def refusal(response: requests.Response) -> RotatorError:
    """Return the error that an answer other than 2xx stands for."""
    body = body_of(response)
    errors = body.get("errors") if body is not None else None
    if not isinstance(errors, list) and response.status_code not in _WITHOUT_JSON:
        return _not_vault(response)
    text = "; ".join(str(error).strip() for error in errors) if isinstance(errors, list) else ""
    text = quote(text, longest=_LONGEST_QUOTE)
    if body and body.get("sealed") is True:  # so says sys/health, without errors
        text = "Vault is sealed"
    by_text = _by_text(response, text)
    return by_text or _by_status(response, text)


def conflict(path: str) -> Conflict:
    """Return the error that a version moved."""
    return Conflict(
        f"{path}: somebody else wrote first",
        code="vault.conflict",
        hint="It is read again, and decided anew. If it goes on and on, see Vault's audit log for who else writes there.",
    )


def is_cas_mismatch(response: requests.Response) -> bool:
    """Tell whether Vault says that the version moved. From a standby that can be untrue."""
    return response.status_code == HTTPStatus.BAD_REQUEST and _CAS_MISMATCH.encode() in response.content


def retry_after_seconds(response: requests.Response) -> float | None:
    """Return the seconds of the Retry-After header (Vault sends no dates), if there is one; some minutes at the most."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(seconds, _LONGEST_RETRY_AFTER_SECONDS) if seconds >= 0 else None


def _by_text(response: requests.Response, text: str) -> RotatorError | None:
    """Return the error for the texts that tell more than their status."""
    path = path_of(response)
    if _CAS_MISMATCH in text:
        return conflict(path)
    if "Upgrading from non-versioned" in text:
        return Transient(
            f"the mount of {path} is being upgraded to KV version 2",
            code="vault.upgrading",
            hint="Vault ends it by itself, within seconds as a rule; its own log tells if it does not.",
        )
    if "invalid role or secret ID" in text or "invalid role_id" in text or "invalid secret_id" in text:
        return Misconfigured(
            "Vault refuses the AppRole login: role_id or secret_id is wrong, expired or used up",
            code="vault.login.refused",
            hint="Write a new secret_id (`bao write -f auth/approle/role/ROLE/secret-id`). For a daemon, make the "
            f"role with secret_id_num_uses=0, or it cannot log in again. {RENEWED}",
        )
    if "failed to verify client's certificate" in text or "missing name in alias" in text:
        return Misconfigured(
            f"Vault does not take our client certificate: {text}",
            code="vault.login.refused",
            hint="Renew the certificate in the files of `vault.login`; its subject must have a common name (CN). "
            f"{RENEWED}",
        )
    if "wrapping token is not valid or does not exist" in text:
        return Compromised(
            "the wrapping token of the secret_id was used before, or has expired: somebody else may have the secret_id",
            code="vault.wrapping.used",
            hint="Unless this is a mere restart (a wrapped secret_id serves one start) or the token grew old, destroy "
            f"the secret_id by its accessor and look into the audit log. Then supply a new wrapped secret_id. {RENEWED}",
        )
    if "namespace not found" in text:
        return Misconfigured(
            "Vault has no such namespace", code="vault.namespace_absent", hint="Correct `vault.namespace`."
        )
    if "no handler for route" in text or "preflight capability check" in text:
        return Misconfigured(
            f"nothing is mounted at {path}, or the policy gives no right below it",
            code="vault.mount_absent",
            hint="Correct `vault.mount` (or the login's mount), or mount it; and install the policy that "
            "`rotator vault-policy daemon` prints (`operator` for a person).",
        )
    if "rate limit quota" in text:
        return _rate_limited(response)
    return None


def _by_status(response: requests.Response, text: str) -> RotatorError:
    status, path, method = response.status_code, path_of(response), (response.request.method or "").upper()
    wait = retry_after_seconds(response)
    maybe_done = method not in {"GET", "LIST"}
    if status == HTTPStatus.FORBIDDEN:
        return denied(path, CAPABILITIES.get(method, "update"))
    if status == HTTPStatus.SERVICE_UNAVAILABLE and "sealed" in text:
        return Transient(
            "Vault is sealed",
            code="vault.sealed",
            hint="Unseal it (`bao operator unseal`). Tokens that were published stay valid meanwhile.",
            retry_after_seconds=wait,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _rate_limited(response) if text or wait is not None else _standby(status)
    if status in _SECONDARIES:
        return _standby(status)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Transient(
            "this Vault server has not yet seen our last write",
            code="vault.behind",
            hint="Let the address name the active node, or allow forwarding by header on the performance standbys "
            "(allow_forwarding_via_header).",
            retry_after_seconds=wait,
        )
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return Misconfigured(
            "this Vault is not initialised",
            code="vault.uninitialized",
            hint="Run `bao operator init`, and unseal it.",
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return Misconfigured(
            f"{method} {path}: Vault knows no such thing (status {status}) {text}".rstrip(),
            code="vault.unsupported",
            hint="Correct `vault.mount`; it must be a KV engine of version 2.",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Transient(
            f"{method} {path}: Vault failed (status {status}) {text}".rstrip(),
            code="vault.unavailable",
            hint="See Vault's own log if it lasts.",
            maybe_done=maybe_done,
            retry_after_seconds=wait,
        )
    return Rejected(
        f"{method} {path}: Vault refused the request (status {status}): {text or 'no reason given'}",
        code="vault.refused",
        hint="See Vault's audit log for the request.",
    )


def denied(path: str, capability: str) -> Misconfigured:
    """Return the error for a policy that does not allow something, with the line that is missing."""
    wanted = '"create", "update"' if capability == "update" and "/data/" in f"/{path}" else f'"{capability}"'
    return Misconfigured(
        f"Vault's policy does not allow {capability} on {path}",
        code=PERMISSION_DENIED,
        hint=f'The policy lacks: path "{path}" {{ capabilities = [{wanted}] }}. '
        "`rotator vault-policy daemon` prints the daemon's whole, `rotator vault-policy operator` a person's.",
    )


def _rate_limited(response: requests.Response) -> Transient:
    return Transient(
        "Vault limits the rate of our requests",
        code="vault.rate_limited",
        hint="Raise the quota (`bao read sys/quotas/rate-limit/NAME`), or set enable_rate_limit_response_headers so "
        "that Vault says how long to wait.",
        retry_after_seconds=retry_after_seconds(response),
    )


def _standby(status: int) -> Transient:
    what = _SECONDARIES.get(status, "a standby")
    return Transient(
        f"the address answers as {what} of Vault and does not forward (status {status})",
        code="vault.standby",
        hint="It heals when a node becomes active; otherwise let `vault.address` name the active node.",
    )


def _not_vault(response: requests.Response) -> Transient:
    return Transient(
        f"{path_of(response)}: the answer (status {response.status_code}) is not Vault's: no JSON, or cut short",
        code="vault.not_json",
        hint="Something between here and Vault answers in its place (proxy, load balancer, login page)? "
        "Check `vault.address`.",
        maybe_done=(response.request.method or "").upper() not in {"GET", "LIST"},
        retry_after_seconds=retry_after_seconds(response),
    )
