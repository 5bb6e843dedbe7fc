"""The OAuth endpoints of Salesforce: mint an access token, introspect one, revoke one."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from rotator.errors import Misconfigured, SessionDead, Transient
from rotator.salesforce.addresses import require_https
from rotator.salesforce.assertion import sign_assertion
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import Reply, Wire
from rotator.salesforce.refusals import secret_holder_refusal, token_refusal
from rotator.secret import Secret

EXPIRED = "salesforce.invalid_grant.expired"
"""The code of a refusal by the clock: past ``exp``."""

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_IDENTITY = re.compile(r"/id/(00D[0-9A-Za-z]{12,15})/(005[0-9A-Za-z]{12,15})/?$")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_NOT_SALESFORCE = (
    "Usually maintenance, or something that answers in place of Salesforce. If it lasts, check `login_url`."
)
_LONGEST_TOKEN = 16_384  # what servers take in a header
_LONGEST_TEXT = 2_048


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, to which app, where.

    Attributes:
        login_url: production, sandbox, My Domain or Experience site; a site's path is kept.
        audience: who the assertion is for; not always the same as ``login_url``.
    """

    login_url: str
    audience: str
    consumer_key: str
    username: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a mint brought.

    Attributes:
        instance_url: scheme and host to call with the token.
        org_id, user_id: from the identity URL; empty where there is none.
        scope: separated by blanks; empty where the answer has none.
        expires_at: only where the answer or the token itself says so. Salesforce usually does not.
        is_jwt: the token is a JSON Web Token, which calls do not prolong.
        date: the server's clock.
        members: the names of what the answer held.
    """

    access_token: Secret
    token_type: str
    instance_url: str
    org_id: str
    user_id: str
    scope: str
    expires_at: datetime | None
    is_jwt: bool
    date: datetime | None = None
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Introspection:
    """What the org says about a token (RFC 7662 section 2.2)."""

    active: bool
    expires_at: datetime | None
    username: str
    scope: str


def mint(
    wire: Wire,
    login: Login,
    private_key: RSAPrivateKey,
    *,
    now: datetime,
    ahead: timedelta = timedelta(0),
    fresh: bool = False,
    budget: LoginBudget | None = None,
) -> Grant:
    """Trade an assertion for an access token (RFC 7523 section 2.1).

    The same token comes again while its session lives, so an unchanged token is no failure.

    Args:
        now: by our clock, as are all times of the grant.
        ahead: how far the org's clock is ahead of ours, as far as known.
        fresh: use a new connection, so that another of the org's servers may answer (for proofs).
        budget: pays for this login.

    Raises KeyRefused when the org does not take the key (also while its certificate is still spreading),
    Misconfigured (some of ``refusal_table.GRACE_CODES`` pass by themselves after a change of the app), Transient.
    """
    if budget is not None:
        budget.spend(login.username)
    assertion = sign_assertion(
        consumer_key=login.consumer_key,
        username=login.username,
        audience=login.audience,
        private_key=private_key,
        now=now + ahead,
    )
    return trade(wire, login.login_url, assertion, now=now, fresh=fresh)


def trade(wire: Wire, login_url: str, assertion: Secret, *, now: datetime, fresh: bool = False) -> Grant:
    """Trade an assertion that is signed already; see :func:`mint`, whose budget this login is not paid from."""
    reply = wire.send(
        "POST",
        f"{login_url.rstrip('/')}/services/oauth2/token",
        data={"grant_type": _GRANT, "assertion": assertion.reveal()},
        fresh=fresh,
    )
    if reply.status == HTTPStatus.OK:
        return _grant(reply, now)
    refusal = token_refusal(reply, [assertion])
    if refusal.code == EXPIRED and reply.date is not None:
        ahead = (reply.date - now).total_seconds()
        refusal.hint += f" It differs by {ahead:+.0f} seconds."
    raise refusal


def introspect(
    wire: Wire, login_url: str, token: Secret, *, consumer_key: str, client_secret: Secret, now: datetime
) -> Introspection:
    """Ask the org about a token (RFC 7662); its end is told by our clock, as ``now`` is.

    Raises Misconfigured for a wrong client secret, Transient.
    """
    reply = wire.send(
        "POST",
        f"{login_url.rstrip('/')}/services/oauth2/introspect",
        data={
            "token": token.reveal(),
            "token_type_hint": "access_token",
            "client_id": consumer_key,
            "client_secret": client_secret.reveal(),
        },
    )
    if reply.status != HTTPStatus.OK:
        raise secret_holder_refusal(reply, [token, client_secret])
    said = _object(reply)
    return Introspection(
        active=said.get("active") is True,
        expires_at=_end_of(said, _behind(reply, now)),
        username=_text(said, "username"),
        scope=_text(said, "scope"),
    )


def revoke(wire: Wire, instance_url: str, token: Secret) -> None:
    """End the session behind a token, for everybody who holds it (RFC 7009). One that is over already is no error."""
    reply = wire.send(
        "POST", f"{instance_url.rstrip('/')}/services/oauth2/revoke", data={"token": token.reveal()}
    )
    if reply.status == HTTPStatus.OK:
        return
    refusal = secret_holder_refusal(reply, [token])
    if not isinstance(refusal, SessionDead):
        raise refusal


def _grant(reply: Reply, now: datetime) -> Grant:
    said = _object(reply)
    token = _text(said, "access_token", _LONGEST_TOKEN)
    if not _VISIBLE.fullmatch(token):
        raise Transient(
            "the token endpoint answered without an access token",
            code="salesforce.no_token",
            hint="Something other than Salesforce may be answering. Check `login_url`.",
        )
    claims = _claims(token)
    identity = _IDENTITY.search(_text(said, "id"))
    ends = [_after(now, said.get("expires_in")), _end_of(claims, _behind(reply, now))]
    return Grant(
        access_token=Secret(token),
        token_type=_word(said, "token_type") or "Bearer",
        instance_url=_origin(_text(said, "instance_url")),
        org_id=identity[1] if identity else "",
        user_id=identity[2] if identity else "",
        scope=_text(said, "scope"),
        expires_at=min((end for end in ends if end is not None), default=None),
        is_jwt=claims is not None,
        date=reply.date,
        members=frozenset(said),
    )


def _origin(url: str) -> str:
    """Return scheme and host of the instance URL. Raises when a token must not be sent there."""
    if not url:
        raise Transient(
            "the token endpoint answered without an instance_url",
            code="salesforce.no_instance_url",
            hint=_NOT_SALESFORCE,
        )
    require_https(url)
    parts = urlsplit(url)
    if "@" in parts.netloc or not _VISIBLE.fullmatch(parts.netloc):
        raise Misconfigured(
            "the instance_url of the org is no plain URL",
            code="salesforce.instance_url",
            hint="The token is not sent there. Check that `login_url` is Salesforce's, and the org's My Domain in Setup.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _claims(token: str) -> Mapping[str, Any] | None:
    """Return what a JWT-format token says of itself, unverified; None for any other token (they have dots, too)."""
    header, *rest = token.split(".")
    if len(rest) != 2 or _part(header) is None:  # noqa: PLR2004 - header, claims, signature: RFC 7515 section 3.1
        return None
    return _part(rest[0])


def _part(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _object(reply: Reply) -> Mapping[str, Any]:
    found = reply.json()
    if isinstance(found, dict):
        return found
    raise Transient(
        "an OAuth endpoint answered without a JSON object", code="salesforce.not_json", hint=_NOT_SALESFORCE
    )


def _text(said: Mapping[str, Any], name: str, longest: int = _LONGEST_TEXT) -> str:
    """Return a text of an answer; empty where there is none, or more than any server of Salesforce sends."""
    value = said.get(name)
    return value if isinstance(value, str) and len(value) <= longest else ""


def _word(said: Mapping[str, Any], name: str) -> str:
    value = _text(said, name)
    return value if _VISIBLE.fullmatch(value) else ""


def _seconds(value: object) -> float | None:
    """Return a number of seconds, also where it is sent as text; None for anything else."""
    try:
        seconds = (
            float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        )
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _moment(value: object) -> datetime | None:
    seconds = _seconds(value)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _behind(reply: Reply, now: datetime) -> timedelta:
    """Return how far the org's clock is behind ours; up to a second less, for a Date has whole seconds."""
    return timedelta(0) if reply.date is None else now - reply.date - timedelta(seconds=1)


def _end_of(claims: Mapping[str, object] | None, behind: timedelta) -> datetime | None:
    """Return when a token ends by our clock; that of the org, which says so, is so far behind."""
    end = _moment(claims.get("exp")) if claims is not None else None
    try:
        return None if end is None else end + behind
    except OverflowError:
        return None


def _after(now: datetime, value: object) -> datetime | None:
    seconds = _seconds(value)
    try:
        return None if seconds is None else now + timedelta(seconds=seconds)
    except OverflowError:
        return None
