"""What goes wrong between a client and the org: delays, cuts, limits, maintenance, garbled answers."""

from __future__ import annotations

import errno
import io
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.handlers import format_date_time

from rotator.sandbox.org.refusals import LOGIN_RATE_EXCEEDED, UNKNOWN_ERROR

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from rotator.sandbox.org.model import Org
    from rotator.sandbox.org.refusals import Refusal

Reply = tuple[str, list[tuple[str, str]], bytes]

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
LARGEST_BODY = 64 * 1024 * 1024
RETRY_AFTER_SECONDS = 2
_HTML = (
    b"<html><head><title>Maintenance</title></head><body><h1>We are down for maintenance.</h1></body></html>"
)
# A few percent of everything: what `fault_rate` deals out.
_FAULTS = ("busy page", "empty 503", "cut before", "cut after", "cut text", "no body", "unknown error")


class Weather:
    """Stands between the web server and the org's application.

    It reads the request whole, holds the org's lock while the request is answered, and spoils the
    answer as the knobs say. A cut connection is told to the web server by ConnectionResetError,
    on which it closes the socket without a word.
    """

    def __init__(self, org: Org, app: WSGIApplication, stopping: threading.Event) -> None:
        self._org, self._app, self._stopping = org, app, stopping

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(LARGEST_BODY)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["wsgi.input_terminated"] = True
        with self._org.lock:
            fault = self._draw(environ["PATH_INFO"] == TOKEN_PATH)
            slow_seconds = self._org.knobs.slow_seconds
            self._org.counts["slowed"] += slow_seconds > 0
        if slow_seconds:
            self._stopping.wait(slow_seconds)
        status, headers, content = self._reply(environ, fault)
        headers = [(name, value) for name, value in headers if name.lower() not in {"content-length", "date"}]
        headers += [("Content-Length", str(len(content))), ("Date", self._date())]
        start_response(status, headers)
        return [content]

    def _reply(self, environ: WSGIEnvironment, fault: str) -> Reply:
        made = self._made_up(fault, is_token=environ["PATH_INFO"] == TOKEN_PATH)
        if made:
            return made
        if fault == "cut before":
            raise ConnectionResetError(errno.ECONNRESET, "cut by the sandbox")
        with self._org.lock:
            self._org.settle()
            self._choose_server(environ)
            status, headers, content = _captured(self._app, environ)
        if fault == "cut after" or environ.get("org.cut"):
            raise ConnectionResetError(errno.ECONNRESET, "cut by the sandbox")
        if fault == "cut text":
            content = content[: len(content) // 2]
        return status, headers, b"" if fault == "no body" else content

    def _choose_server(self, environ: WSGIEnvironment) -> None:
        kept = environ.get("org.connection_server")
        if kept is None or not self._org.knobs.sticky_connections:
            environ["org.server"] = self._org.choose_server()
        else:
            environ["org.server"] = kept % self._org.knobs.servers

    def _draw(self, is_token: bool) -> str:
        """Which fault this request meets; empty for none. Called with the lock held."""
        knobs, rng = self._org.knobs, self._org.random("faults")
        if knobs.maintenance:
            return "busy page"
        for counter in ("throttle", "rate_limit"):
            if knobs.take(counter):
                return counter
        chances = [
            (knobs.fault_rate, _FAULTS),
            (knobs.unknown_error_rate if is_token else 0.0, ("unknown error",)),
            (knobs.cut_rate, ("cut before", "cut after")),
            (knobs.wrong_json_rate, ("cut text",)),
            (knobs.empty_body_rate, ("no body",)),
        ]
        for share, faults in chances:
            if share and rng.random() < share:
                fault = rng.choice(faults)
                self._org.counts[f"fault: {fault}"] += 1
                return fault
        return ""

    def _made_up(self, fault: str, *, is_token: bool) -> Reply | None:
        """The answer to a request that never reaches the org."""
        if fault == "busy page":
            return _reply(503, _HTML, "text/html")
        if fault == "empty 503":
            return _reply(503, b"", "text/plain")
        if fault == "throttle":
            return _reply(429, b"", "text/plain", ("Retry-After", str(RETRY_AFTER_SECONDS)))
        if fault == "rate_limit" and is_token:
            return _oauth_reply(LOGIN_RATE_EXCEEDED)
        if fault == "rate_limit":
            return _json_reply(
                403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
            )
        if fault == "unknown error":
            return _oauth_reply(UNKNOWN_ERROR) if is_token else _reply(503, b"", "text/plain")
        return None

    def _date(self) -> str:
        return format_date_time(self._org.clock.wall().timestamp())


def _captured(app: WSGIApplication, environ: WSGIEnvironment) -> Reply:
    """Run a WSGI application to its end and keep what it says."""
    said: list[tuple[str, list[tuple[str, str]]]] = []

    def note(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        said.append((status, headers))
        return lambda _chunk: None

    answer = app(environ, note)
    try:
        content = b"".join(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()
    return (*said[-1], content)


def _reply(status: int, content: bytes, content_type: str, *headers: tuple[str, str]) -> Reply:
    return f"{status} {HTTPStatus(status).phrase}", [("Content-Type", content_type), *headers], content


def _json_reply(status: int, body: object) -> Reply:
    return _reply(status, json.dumps(body).encode(), "application/json;charset=UTF-8")


def _oauth_reply(refusal: Refusal) -> Reply:
    return _json_reply(refusal.status, {"error": refusal.error, "error_description": refusal.description})
