"""The control port: knobs, state, and the things an administrator could do by hand. Loopback only."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from rotator.sandbox.org.administrator import deploy_by_hand
from rotator.sandbox.org.answers import ApiError, answer, error_answer
from rotator.sandbox.org.apps import PERMISSIONS, App
from rotator.sandbox.org.certificates import read_certificate
from rotator.sandbox.org.components import CONNECTED_APP, GLOBAL_OAUTH
from rotator.sandbox.org.knobs import meanings
from rotator.sandbox.org.packages import BadPackage
from rotator.sandbox.org.seed import add_accounts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from rotator.sandbox.org.model import Org

MOST_ACCOUNTS = 100_000
_LISTS: dict[str, type] = {"permission_sets": set, "permissions": set, "login_ip_ranges": tuple}


def control_app(org: Org) -> Flask:
    """The control port's application. Errors are arrays, as on the org's own port."""
    app = Flask(__name__)
    app.register_error_handler(ApiError, error_answer)
    _observing(org, app)
    _acting(org, app)
    _adding(org, app)
    return app


def locked(org: Org, app: WSGIApplication) -> WSGIApplication:
    """`app` with the org's lock held, and whatever is due settled before."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with org.lock:
            org.settle()
            return app(environ, start_response)

    return call


def _observing(org: Org, app: Flask) -> None:
    @app.get("/knobs")
    def knobs() -> Response:
        return answer(org.knobs.values())

    @app.get("/knobs/meanings")
    def knob_meanings() -> Response:
        return answer(meanings())

    @app.get("/state")
    def show_state() -> Response:
        return answer(state(org))


def _acting(org: Org, app: Flask) -> None:
    @app.put("/knobs")
    def set_knobs() -> Response:
        """Sets all knobs given, or none."""
        try:
            org.set_knobs(**_body())
        except ValueError as problem:
            raise ApiError(400, "BAD_KNOB", str(problem)) from None
        return answer(org.knobs.values())

    @app.post("/sessions/kill")
    def kill() -> Response:
        """{"user": name} ends that user's sessions, {} everybody's."""
        return answer({"ended": org.sessions.end(username=_body().get("user"))})

    @app.post("/certificate")
    def put_certificate() -> Response:
        """{"app", "pem"}: replaced by hand in Setup; spreads like any other change."""
        body = _body()
        try:
            read_certificate(str(body.get("pem", "")))
        except ValueError as problem:
            raise ApiError(400, "BAD_CERTIFICATE", str(problem)) from None
        return answer(_put_certificate(org, body, str(body["pem"])))

    @app.post("/certificate/clear")
    def clear_certificate() -> Response:
        """{"app"}: the field was cleared by hand."""
        return answer(_put_certificate(org, _body(), ""))

    @app.post("/apps/delete")
    def delete_app() -> Response:
        """{"app"}: deleted in Setup, and its sessions with it."""
        return answer({"ended": org.delete_app(_app(org, _body()))})

    @app.post("/clock")
    def clock() -> Response:
        """{"offset_seconds"} sets the wall clock wrong; {"advance_seconds"} lets time pass at once."""
        body = _body()
        try:
            if "offset_seconds" in body:
                org.set_knobs(clock_offset_seconds=body["offset_seconds"])
            org.clock.advance(float(body.get("advance_seconds", 0)))
        except (TypeError, ValueError) as problem:
            raise ApiError(400, "BAD_CLOCK", str(problem)) from None
        org.settle()
        return answer({"wall": org.clock.wall().isoformat(), "offset_seconds": org.clock.offset_seconds})

    @app.post("/reset")
    def reset() -> Response:
        org.reset()
        return answer(state(org))


def _adding(org: Org, app: Flask) -> None:
    @app.post("/deploy")
    def deploy() -> Response:
        """{"zip": base64}: a package that the administrator deploys; tells the consumer keys of its apps."""
        try:
            archive = base64.b64decode(str(_body().get("zip", "")), validate=True)
            return answer({"consumer_keys": deploy_by_hand(org, archive)})
        except (binascii.Error, BadPackage) as problem:
            raise ApiError(400, "BAD_PACKAGE", str(problem)) from None

    @app.post("/users")
    def put_user() -> Response:
        """{"username", and fields of User}: adds the user, or changes the fields given."""
        return answer(_put_user(org, _body()))

    @app.post("/accounts")
    def add() -> Response:
        """{"add": so many} Accounts more: a query gives 2,000 rows at a time."""
        count = _body().get("add")
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_ACCOUNTS:
            raise ApiError(400, "BAD_COUNT", f"add: a whole number up to {MOST_ACCOUNTS} is needed")
        add_accounts(org, count)
        return answer({"accounts": len(org.accounts)})


def _put_certificate(org: Org, body: dict[str, Any], pem: str) -> dict[str, Any]:
    app = _app(org, body)
    now = org.elapsed()
    set_certificate(app, pem, now)
    org.install(app, now)
    shown: dict[str, Any] = state(org)["apps"][app.name]
    return shown


def set_certificate(app: App, text: str, moment: float) -> None:
    """Put `text` into the app's metadata as the UI would, at `moment` (elapsed seconds). Raises KeyError when the app has no OAuth settings."""
    kind, path = (CONNECTED_APP, "oauthConfig") if app.is_connected_app else (GLOBAL_OAUTH, ".")
    root = app.documents[kind].root.find(path)
    if root is None:
        raise KeyError(f"{app.name} has no OAuth settings")
    element = root.find("certificate")
    if element is None:
        element = root.makeelement("certificate", {})
        root.append(element)
    element.text = text
    # Whoever made the app is the one with the keys to Setup.
    app.documents[kind].modified = replace(app.documents[kind].created, at=moment)


def state(org: Org) -> dict[str, Any]:
    """What an observer may know: no token, no secret."""
    now = org.elapsed()
    users = [session.username for session in org.sessions.living(now)]
    apps = {}
    for app in org.apps.values():
        seen = [app.slot.seen_by(server, now) for server in range(org.knobs.servers)]
        text = app.certificate_text
        apps[app.name] = {
            "kind": app.kind,
            "consumer_key": app.consumer_key,
            "fingerprint": read_certificate(text).fingerprint if text else None,
            "servers": [
                change.certificate.fingerprint if change and change.certificate else None for change in seen
            ],
            "works": [bool(change and change.works) for change in seen],
        }
    return {
        "org_id": org.org_id,
        "instance_url": org.instance_url,
        "wall": org.clock.wall().isoformat(),
        "apps": apps,
        "sessions": {name: users.count(name) for name in org.users},
        "deploys": [
            {
                "id": deploy.id,
                "status": deploy.status(now),
                "check_only": deploy.check_only,
                "user": deploy.user.username,
            }
            for deploy in org.deploys.values()
        ],
        "counts": dict(org.counts),
    }


def _body() -> dict[str, Any]:
    value = request.get_json(force=True, silent=True)
    if not isinstance(value, dict):
        raise ApiError(400, "BAD_JSON", "a JSON object is needed")
    return value


def _app(org: Org, body: dict[str, Any]) -> App:
    try:
        return org.app(str(body.get("app", "")))
    except KeyError:
        raise ApiError(
            404, "NO_APP", f"no app {body.get('app')!r}; there are {sorted(name for _, name in org.apps)}"
        ) from None


def _put_user(org: Org, body: dict[str, Any]) -> dict[str, object]:
    """Adds the user or changes the fields given."""
    _check_user(body)
    user = org.users.get(body["username"]) or org.add_user(body["username"])
    for name in set(body) - {"username"}:
        setattr(user, name, _LISTS[name](body[name]) if name in _LISTS else body[name])
    org.known_profiles.add(user.profile)
    org.known_permission_sets |= user.permission_sets
    return {
        "username": user.username,
        "user_id": user.user_id,
        "active": user.active,
        "profile": user.profile,
    }


def _check_user(body: dict[str, Any]) -> None:
    kinds = {"username": str, "name": str, "active": bool, "profile": str} | dict.fromkeys(_LISTS, list)
    bad = [name for name, value in body.items() if name not in kinds or not isinstance(value, kinds[name])]
    if not body.get("username") or bad:
        raise ApiError(
            400, "BAD_USER", f"username is needed; fields of a user: {sorted(kinds)}; not so: {bad}"
        )
    unknown = sorted(set(body.get("permissions", [])) - PERMISSIONS)
    if unknown:
        raise ApiError(400, "BAD_USER", f"unknown permissions {unknown}; there are {sorted(PERMISSIONS)}")
    try:
        for network in body.get("login_ip_ranges", []):
            ipaddress.ip_network(network)
    except ValueError as problem:
        raise ApiError(400, "BAD_USER", str(problem)) from None
