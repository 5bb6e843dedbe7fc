"""The OAuth endpoints: token, introspect, revoke, userinfo."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from rotator.sandbox.org import refusals
from rotator.sandbox.org.answers import answer, living_session
from rotator.sandbox.org.login import GRANT_TYPE, grant, identity_url
from rotator.sandbox.org.refusals import Refused, missing

if TYPE_CHECKING:
    from rotator.sandbox.org.apps import App
    from rotator.sandbox.org.model import Org

ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def oauth_routes(org: Org) -> Blueprint:
    routes = Blueprint("oauth", __name__, url_prefix="/services/oauth2")

    @routes.errorhandler(Refused)
    def refused(refused: Refused) -> Response:
        refusal = refused.refusal
        org.counts[f"refused: {refusal.error}: {refusal.description}"] += 1
        body = {"error": refusal.error, "error_description": refusal.description}
        return answer(body, refusal.status, {"Cache-Control": "no-store"})

    @routes.route("/token", methods=ANY_METHOD)
    def token() -> Response:
        return _token(org)

    @routes.route("/introspect", methods=ANY_METHOD)
    def introspect() -> Response:
        _require_form()
        app = _client(org)
        return answer(_introspection(org, app, _required("token")))

    @routes.route("/revoke", methods=ANY_METHOD)
    def revoke() -> Response:
        _require_form()
        if not org.sessions.end(token=_required("token")):
            raise Refused(refusals.INVALID_TOKEN)
        org.counts["tokens revoked"] += 1
        return Response(status=200)

    @routes.route("/userinfo", methods=["GET", "POST"])
    def userinfo() -> Response:
        return _userinfo(org)

    return routes


def _token(org: Org) -> Response:
    _require_form()
    if _parameter("grant_type") != GRANT_TYPE:
        raise Refused(refusals.UNSUPPORTED_GRANT)
    body = grant(
        org,
        _required("assertion"),
        _parameter("scope"),
        server=request.environ["org.server"],
        address=request.remote_addr or "",
        own_url=request.host_url.rstrip("/"),
    )
    org.counts["tokens granted"] += 1
    return answer(body, headers={"Cache-Control": "no-store"})


def _userinfo(org: Org) -> Response:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if not text or scheme.lower() != "bearer":
        return Response("Missing_OAuth_Token", 403, content_type="text/plain")
    session = living_session(org, text, request.remote_addr or "")
    if session is None:
        return Response("Bad_OAuth_Token", 403, content_type="text/plain")
    user = org.users[session.username]
    return answer({
        "sub": identity_url(org, user), "user_id": user.user_id, "organization_id": org.org_id,
        "preferred_username": user.username, "nickname": user.name, "name": user.name, "email": user.username,
        "email_verified": True, "active": user.active, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "urls": {"rest": f"{org.instance_url}/services/data/v{{version}}/"},
    })  # fmt: skip


def _require_form() -> None:
    """POST with form fields in the body, each given once (RFC 6749, section 3.2). Raises Refused."""
    if request.method != "POST":
        raise Refused(refusals.MUST_POST)
    if request.mimetype != "application/x-www-form-urlencoded":
        raise Refused(refusals.UNSUPPORTED_GRANT)
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise Refused(refusals.REPEATED_PARAMETER)


def _parameter(name: str) -> str:
    return request.form.get(name, "")


def _required(name: str) -> str:
    text = _parameter(name)
    if not text:
        raise Refused(missing(name))
    return text


def _client(org: Org) -> App:
    """The app that authenticates with its secret, by HTTP Basic or in the body. Raises Refused."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    client_id, secret = _parameter("client_id"), _parameter("client_secret")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(
                refusals.Refusal("invalid_basic_auth_header", "invalid basic authorization header")
            ) from None
    app = org.app_by_key(client_id)
    if app is None:
        raise Refused(refusals.UNKNOWN_CLIENT)
    if secret != app.consumer_secret:
        raise Refused(refusals.BAD_CREDENTIALS)
    return app


def _introspection(org: Org, app: App, text: str) -> dict[str, object]:
    # Looking at a token is no activity of its session.
    if _parameter("token_type_hint") not in {"", "access_token"}:
        raise Refused(refusals.UNSUPPORTED_TOKEN)
    session = org.sessions.find(text, org.elapsed())
    if session is None or (session.consumer_key != app.consumer_key and not app.introspects_all):
        return {"active": False}
    began, ends = (int(org.clock.wall_at(moment).timestamp()) for moment in (session.began, session.ends))
    return {
        "active": True, "scope": session.scope, "client_id": session.consumer_key, "username": session.username,
        "sub": identity_url(org, org.users[session.username]), "token_type": "access_token",
        "exp": ends, "iat": began, "nbf": began,
    }  # fmt: skip
