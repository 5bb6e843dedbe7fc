"""A Salesforce org in memory, at the port :class:`rotator.salesforce.http.Wire`, and all that can be wrong with it."""

from __future__ import annotations

import base64
import json
import math
import random
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from rotator.salesforce.http import Reply
from rotator.sandbox.org import refusals
from rotator.sandbox.org.refusals import Refused
from rotator.sandbox.org.sessions import Session
from rotator.sandbox.org.slots import spread
from tests.simulate.deploys import Deploy, Deploys
from tests.simulate.keys import signer_of
from tests.simulate.loop import EPOCH, HOUR, Loop
from tests.simulate.sessions import App, Sessions, Weather

SERVERS = 3
LOGINS_PER_HOUR = 3600
TOKEN_PATH = "/services/oauth2/token"
FLAPPING = 0.3


class Org:
    """One org. Requests come by :meth:`answer`; happenings call the rest."""

    def __init__(self, loop: Loop, rng: random.Random, host: str, org_id: str, timeout: float) -> None:
        self.loop, self.rng, self.host, self.org_id = loop, rng, host, org_id
        self.url = f"https://{host}"
        self.timeout_seconds = timeout
        self.apps: dict[str, App] = {}
        self.sessions = Sessions()
        self.weather = Weather()
        self.deploys = Deploys()
        self.clock_offset = 0.0
        self.changed_at: dict[str, float] = {}
        self.spread_seconds = 60.0
        self.deploy_seconds = (5.0, 20.0)
        self.swap_kills_sessions = False
        self.logins: defaultdict[str, deque[float]] = defaultdict(deque)
        self.minted: list[Callable[[App, str, bool], None]] = []
        self.installed: list[Callable[[App, str, bool], None]] = []
        self._made = 0

    # -- the slot -------------------------------------------------------------------------------------------------

    def install(
        self,
        app: App,
        pem: str,
        fingerprint: str,
        *,
        arrivals: tuple[float, ...] | None = None,
        outsider: bool = False,
    ) -> None:
        """Bring a certificate to the servers, each in its own time; an outsider does not ask whether it has a key."""
        now = self.loop.now
        app.held.append((fingerprint, pem))
        app.slot.put(fingerprint, arrivals or spread(self.rng, SERVERS, now, 0.0, self.spread_seconds))  # type: ignore[arg-type]
        app.slot.forget(now)
        self.changed_at[app.name] = now
        if self.swap_kills_sessions:
            self.sessions.kill(now, app.consumer_key)
        for heard in self.installed:
            heard(app, fingerprint, outsider)

    def held_by(self, app: App, patience_seconds: float = math.inf) -> set[str]:
        """Return the fingerprints that any server holds or will hold; for so long after a change servers may be behind."""
        latest = {str(change.certificate) for change in app.slot._changes[-1:]}
        if self.loop.now > self.changed_at.get(app.name, 0.0) + patience_seconds:
            return latest
        return latest | {
            str(seen.certificate)
            for server in range(SERVERS)
            if (seen := app.slot.seen_by(server, self.loop.now))
        }

    # -- requests -------------------------------------------------------------------------------------------------

    def answer(self, method: str, url: str, asked: dict[str, Any]) -> Reply:
        """Answer one request."""
        path = urlsplit(url).path
        if self.weather.maintenance:
            return self._reply(method, url, 503, b"<html>We are down for maintenance.</html>")
        if self.weather.throttles and self.rng.random() < self.weather.throttles:
            return self._reply(method, url, 429, b"{}", {"Retry-After": "20"})
        try:
            return self._reply(method, url, *self._route(method, path, asked))
        except Refused as refused:
            said = {"error": refused.refusal.error, "error_description": refused.refusal.description}
            return self._reply(method, url, refused.refusal.status, json.dumps(said).encode())

    def _reply(
        self, method: str, url: str, status: int, body: bytes, more: dict[str, str] | None = None
    ) -> Reply:
        headers = CaseInsensitiveDict(
            {"Date": _http_date(int(self.loop.now + self.clock_offset)), **(more or {})}
        )
        return Reply(status, headers, body, url, method)

    def _route(self, method: str, path: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        if path.endswith(TOKEN_PATH):
            return 200, json.dumps(self._grant(asked["data"]["assertion"], bool(asked.get("fresh")))).encode()
        if path == "/services/data":
            return 200, b'[{"version": "66.0"}]'
        if path.endswith("/revoke"):
            return self._revoke(asked["data"]["token"])
        token = asked.get("token")
        session = self.sessions.find(token.reveal() if token else "", self.loop.now)
        if session is None:
            return 401, b'[{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]'
        session.touch(self.loop.now)
        if path.endswith("/tooling/query"):
            return 200, self.deploys.listed(self.loop.date(self.clock_offset), asked["params"]["q"])
        if path.endswith("/query"):
            return 200, b'{"totalSize": 1, "done": true, "records": [{"Id": "001"}]}'
        if path.endswith("/userinfo"):
            return 200, b'{"user_id": "005000000000001AAA", "organization_id": "", "preferred_username": ""}'
        if "/metadata/deployRequest" in path:
            return self._deploy(method, path.rpartition("/")[2], asked)
        raise AssertionError(f"nobody asks for {path}")

    def _revoke(self, token: str) -> tuple[int, bytes]:
        session = self.sessions.find(token, self.loop.now)
        if session is None:
            raise Refused(refusals.INVALID_TOKEN)
        self.sessions.end([token], self.loop.now)
        return 200, b""

    # -- logins ---------------------------------------------------------------------------------------------------

    def _grant(self, text: str, fresh: bool) -> dict[str, str]:
        now, assertion = self.loop.now, _read(text)
        if self.weather.refuses is not None:
            raise Refused(self.weather.refuses)
        app = self.apps.get(assertion["iss"])
        if app is None:
            raise Refused(refusals.UNKNOWN_CLIENT)
        username = assertion["sub"]
        if not self._may_log_in(username):
            raise Refused(refusals.LOGIN_RATE_EXCEEDED)
        seen = app.slot.seen_by(self.rng.randrange(SERVERS), now)
        held = str(seen.certificate) if seen is not None else ""
        if self.weather.flaps and len(app.held) > 1 and self.rng.random() < FLAPPING:
            held = app.held[-2][0]
        signed, _, signature = text.rpartition(".")
        signer = signer_of(_decoded(signature), signed.encode())
        taken = held == signer
        if taken:
            wall = self.loop.date(self.clock_offset).timestamp()
            if wall > assertion["exp"] + 5:
                raise Refused(refusals.EXPIRED)
            if username in self.weather.frozen:
                raise Refused(refusals.USER_INACTIVE)
        if fresh:
            for heard in self.minted:
                heard(app, signer, taken)
        if not taken:
            raise Refused(refusals.INVALID_ASSERTION)
        session = self.sessions.of(username, app.consumer_key, now) or self._open(username, app)
        return {
            "access_token": session.token,
            "scope": "api refresh_token",
            "instance_url": self.url,
            "id": f"https://login.salesforce.com/id/{self.org_id}/005000000000001AAA",
            "token_type": "Bearer",
        }

    def _may_log_in(self, username: str) -> bool:
        times, now = self.logins[username], self.loop.now
        while times and times[0] <= now - HOUR:
            times.popleft()
        times.append(now)
        return len(times) <= LOGINS_PER_HOUR

    def _open(self, username: str, app: App) -> Session:
        self._made += 1
        now = self.loop.now
        token = f"{self.org_id}!{self._made}"
        if app.jwt:
            claims = json.dumps(
                {"exp": int(self.loop.date(self.clock_offset).timestamp() + self.timeout_seconds)}
            )
            token = f"{_segment(b'{}')}.{_segment(claims.encode())}.{self._made}"
        session = Session(
            token, username, app.consumer_key, "api", "", now, now, self.timeout_seconds, is_jwt=app.jwt
        )
        self.sessions.open(session)
        return session

    # -- deploys --------------------------------------------------------------------------------------------------

    def _deploy(self, method: str, deploy_id: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        if method == "POST":
            options = json.loads(asked["files"]["entity_content"][1])["deployOptions"]
            name, _, pem = asked["files"]["file"][1].decode().partition("\n")
            app = next(app for app in self.apps.values() if app.name == name)
            return 201, self._accept(app, pem, check_only=options["checkOnly"])
        deploy = self.deploys.known.get(deploy_id)
        if deploy is None:
            return 404, b'[{"errorCode": "INVALID_CROSS_REFERENCE_KEY", "message": "no such deploy"}]'
        if method == "PATCH":
            self.deploys.cancel(deploy)
            return 202, b"{}"
        return 200, deploy.told()

    def _accept(self, app: App, pem: str, *, check_only: bool) -> bytes:
        deploy = self.deploys.accept(app.name, pem, self.loop.date(self.clock_offset), check_only=check_only)
        takes = 1.0 if check_only else self.rng.uniform(*self.deploy_seconds)
        self.loop.at(self.loop.now + takes, self._end, deploy, app)
        return json.dumps({"id": deploy.id}).encode()

    def _end(self, deploy: Deploy, app: App) -> None:
        if self.deploys.stuck and not deploy.check_only and deploy.status == "InProgress":
            self.loop.at(self.loop.now + 60, self._end, deploy, app)
            return
        if self.deploys.end(deploy):
            self.install(app, deploy.pem, deploy.fingerprint)
        elif deploy.commits_late:
            self.loop.at(
                self.loop.now + deploy.commits_late, self.install, app, deploy.pem, deploy.fingerprint
            )


def _read(assertion: str) -> dict[str, Any]:
    """Return the claims of an assertion. Whether it is well made is judged elsewhere, by the sandbox."""
    claims: dict[str, Any] = json.loads(_decoded(assertion.split(".")[1]))
    return claims


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "==")


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@lru_cache(256)
def _http_date(second: int) -> str:
    return format_datetime(EPOCH + timedelta(seconds=second), usegmt=True)
