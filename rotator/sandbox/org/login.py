"""The JWT bearer grant: one assertion against the app, the user, and the server that happens to answer."""

from __future__ import annotations

import base64
import json
from secrets import SystemRandom
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from rotator.sandbox.org import refusals
from rotator.sandbox.org.apps import App, User
from rotator.sandbox.org.assertion import Assertion, BadAssertion, read_assertion
from rotator.sandbox.org.identifiers import SHORT, random_text
from rotator.sandbox.org.refusals import Refused
from rotator.sandbox.org.scopes import REFRESH_SCOPES
from rotator.sandbox.org.sessions import Session

if TYPE_CHECKING:
    from rotator.sandbox.org.model import Org

# Not seeded: a token that comes again after a reset would wake dead sessions.
_tokens = SystemRandom()
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def grant(
    org: Org, text: str, wanted_scope: str, *, server: int, address: str, own_url: str
) -> dict[str, str]:
    """Trade an assertion for a session; the body of the 200 answer. Raises Refused.

    `server` is the one that answers, `own_url` the URL by which the client called us (our My Domain).
    """
    try:
        assertion = read_assertion(text)
    except BadAssertion:
        raise Refused(refusals.INVALID_ASSERTION) from None
    app = _app_of(org, assertion, server)
    if assertion.subject in org.users and not org.count_login(assertion.subject):
        raise Refused(refusals.LOGIN_RATE_EXCEEDED)
    _check_signature(org, app, assertion, server)
    _check_audience_and_time(org, app, assertion, own_url)
    user = _user_of(org, app, assertion.subject, address)
    scope = _scope_of(app, wanted_scope)
    session = _session_for(org, app, user, scope, address)
    return {
        "access_token": session.token,
        "scope": session.scope,
        "instance_url": org.instance_url,
        "id": identity_url(org, user),
        "token_type": "Bearer",
    }


def identity_url(org: Org, user: User) -> str:
    return f"{org.login_host}/id/{org.org_id}/{user.user_id}"


def _app_of(org: Org, assertion: Assertion, server: int) -> App:
    app = org.app_by_key(assertion.issuer)
    if app is None and assertion.issuer in org.foreign_consumer_keys:
        raise Refused(refusals.APP_NOT_FOUND)
    if app is None or app.slot.seen_by(server, org.elapsed()) is None:
        raise Refused(refusals.UNKNOWN_CLIENT)
    return app


def _check_signature(org: Org, app: App, assertion: Assertion, server: int) -> None:
    held = app.slot.seen_by(server, org.elapsed())
    if held is None or held.certificate is None:
        # An app that was never given a certificate has no JWT flow; one that lost it can't verify.
        raise Refused(refusals.INVALID_ASSERTION if app.slot.ever_filled else refusals.BAD_CREDENTIALS)
    if not (held.works and assertion.signed_by(held.certificate)):
        raise Refused(refusals.INVALID_ASSERTION)


def _check_audience_and_time(org: Org, app: App, assertion: Assertion, own_url: str) -> None:
    if assertion.audience not in {org.login_host, org.instance_url, own_url}:
        raise Refused(refusals.WRONG_AUDIENCE)
    # External Client Apps of a sandbox are found by way of test.salesforce.com only now and then.
    if (
        org.is_sandbox
        and not app.is_connected_app
        and assertion.audience == org.login_host
        and org.random("routing").choice((True, False))
    ):
        raise Refused(refusals.APP_NOT_FOUND)
    now, tolerance = org.clock.wall().timestamp(), org.knobs.skew_tolerance_seconds
    # An upper bound of exp seems not to be enforced: the Salesforce CLI sends milliseconds.
    ceiling = org.knobs.exp_ceiling_seconds
    if ceiling and assertion.expires > now + ceiling + tolerance:
        raise Refused(refusals.INVALID_ASSERTION)
    if now > assertion.expires + tolerance:
        raise Refused(refusals.EXPIRED)
    if assertion.not_before is not None and now < assertion.not_before - tolerance:
        raise Refused(refusals.INVALID_ASSERTION)


def _user_of(org: Org, app: App, username: str, address: str) -> User:
    if app.blocked:
        raise Refused(refusals.APP_BLOCKED)
    if app.oauth_disabled:
        raise Refused(refusals.FLOW_DISABLED)
    user = org.users.get(username)
    if user is None or not app.admin_approved:
        raise Refused(refusals.NOT_APPROVED)
    if not user.active:
        raise Refused(refusals.USER_INACTIVE)
    if not user.may_use(app):
        raise Refused(refusals.NOT_ADMIN_APPROVED)
    if not app.relaxes_ip and not user.may_log_in_from(address):
        raise Refused(refusals.IP_RESTRICTED)
    return user


def _scope_of(app: App, wanted: str) -> str:
    granted = app.scopes
    if not set(granted) - REFRESH_SCOPES:
        raise Refused(refusals.NO_SCOPES)
    if not set(granted) & REFRESH_SCOPES:
        raise Refused(refusals.REFRESH_SCOPE_REQUIRED)
    if not set(wanted.split()) <= set(granted):
        raise Refused(refusals.SCOPE_NOT_ALLOWED)
    return " ".join(sorted(granted))


def _session_for(org: Org, app: App, user: User, scope: str, address: str) -> Session:
    """The living session of this user and app, or a new one."""
    now, knobs = org.elapsed(), org.knobs
    if knobs.jwt_tokens or app.issues_jwt:
        seconds = app.jwt_minutes * 60.0 if app.jwt_minutes else knobs.jwt_timeout_seconds
        token = _jwt_token(org, app, user, scope, seconds)
        session = Session(
            token, user.username, app.consumer_key, scope, address, now, now, seconds, is_jwt=True
        )
        org.sessions.add(session)
        return session
    kept = org.sessions.of(
        user.username, app.consumer_key, address if knobs.lock_sessions_to_ip else None, now
    )
    if kept is None:
        seconds = app.session_minutes * 60.0 if app.session_minutes else knobs.session_timeout_seconds
        token = f"{org.org_id[:SHORT]}!AQ{random_text(_tokens, 94)}"
        kept = Session(token, user.username, app.consumer_key, scope, address, now, now, seconds)
        org.sessions.add(kept)
    elif knobs.mint_counts_as_activity:
        kept.touch(now)
    # A changed scope of the app shows in the answer, and counts for the session, from the next grant on.
    kept.scope = scope
    return kept


def _jwt_token(org: Org, app: App, user: User, scope: str, seconds: float) -> str:
    now = org.clock.wall().timestamp()
    header = {
        "tnk": f"core/prod/{org.org_id}",
        "ver": "1.0",
        "tty": "sfdc-core-token",
        "typ": "JWT",
        "alg": "RS256",
    }
    claims = {
        "scp": scope, "sub": f"uid:{user.user_id}", "iss": org.instance_url, "aud": [org.instance_url],
        "client_id": app.consumer_key, "mty": "oauth", "nbf": int(now), "iat": int(now), "exp": int(now + seconds),
        "jti": random_text(_tokens, 22),
    }  # fmt: skip
    signed = ".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_segment(org.signing_key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
