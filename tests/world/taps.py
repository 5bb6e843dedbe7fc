"""Proxies before Vault and before the org that note every secret which passes, and spoil answers in every way.

Whatever they spoil repeats in its answer what was asked, secrets and all, as pages for debugging and chatty gateways do.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from http.client import HTTPConnection
from urllib.parse import parse_qsl, quote, urlsplit

from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.vault_api import BaoApi
from tests.world.http_fake import Answer, Request
from tests.world.vault_proxy import Forward, VaultProxy

NAMES = {
    "X-Vault-Token": "a Vault token",
    "secret_id": "a secret_id",
    "token": "a token in a body",
    "private_key_pem": "a private key",
    "key": "a private key to adopt",
    "access_token": "an access token",
    "assertion": "an assertion",
    "client_secret": "a client secret",
}
"""Headers of Vault, and members of JSON and of forms, that hold secrets."""

PROXY_USER = "rotator"

_SESSION = re.compile(r"<sessionId>([^<]+)</sessionId>")
_BEARER = "Bearer "


def secrets_of(request: Request) -> Iterator[tuple[str, str]]:
    """Return the secrets that a request carries, each with what it is."""
    body = request.body.decode("utf-8", "replace")
    pairs = [*request.headers.items(), *parse_qsl(body), *_members(body)]
    yield from ((value, NAMES[name]) for name, value in pairs if name in NAMES)
    bearer = request.headers.get("Authorization", "")
    if bearer.startswith(_BEARER):
        yield bearer.removeprefix(_BEARER), "an access token"
    yield from ((found, "an access token") for found in _SESSION.findall(body))


def _members(body: str) -> list[tuple[str, str]]:
    """Return the members of all objects in a JSON text that hold strings."""
    found: list[tuple[str, str]] = []

    def note(members: list[tuple[str, object]]) -> None:
        found.extend((name, value) for name, value in members if isinstance(value, str))

    try:
        json.loads(body, object_pairs_hook=note)
    except ValueError:
        return []
    return found


class Tap(VaultProxy):
    """Passes on what it is asked for, and keeps it.

    Attributes:
        storm: spoils answers while it rages.
    """

    def __init__(self, upstream: BaoApi) -> None:
        super().__init__(upstream)
        self.storm = Storm()

    @property
    def port(self) -> int:
        return self._front.port

    def secrets(self) -> dict[str, str]:
        """Return every secret that has passed."""
        return {secret: what for request in self.requests for secret, what in secrets_of(request)}

    @property
    def requests(self) -> list[Request]:
        return list(self._front.requests)

    def rage(self) -> None:
        """Spoil every second answer until :meth:`heal`."""
        self.storm.hits.clear()
        self.spoil(self.storm)


class OrgTap(Tap):
    """A proxy as companies have them: it wants a password, and forwards what is asked for with a whole URL."""

    def __init__(self, org: OrgServer, password: str) -> None:
        super().__init__(_Upstream(org))
        self.password = password

    @property
    def url(self) -> str:
        """Return the proxy's URL, with user and password."""
        return f"http://{PROXY_USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}"

    def _answer(self, request: Request) -> Answer:
        known = base64.b64encode(f"{PROXY_USER}:{self.password}".encode()).decode()
        if request.headers.get("Proxy-Authorization") != f"Basic {known}":
            return FAULTS["a proxy's refusal"](request)
        return super()._answer(request)

    def _forward(self, request: Request) -> Answer:
        address = urlsplit(request.path)
        path = address._replace(scheme="", netloc="").geturl()
        return super()._forward(replace(request, path=path))


class _Upstream(BaoApi):
    """The org, as the proxy of a Vault reaches its server."""

    root_token = ""

    def __init__(self, org: OrgServer) -> None:
        self._org = org

    @property
    def address(self) -> str:
        return self._org.url

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self._org.url).netloc, timeout=10)


Fault = Callable[[Request], Answer]


def told(request: Request) -> str:
    """Return a request as a chatty server repeats it."""
    body = request.body.decode("utf-8", "replace")
    return f"{request.method} {request.path} {json.dumps(request.headers)} {body}"


def _repeating(status: int, kind: str, wrap: Callable[[str], object] = str, **headers: str) -> Fault:
    return lambda request: Answer(status, wrap(told(request)), {"Content-Type": kind, **headers})


def _page(text: str) -> str:
    return f"<html><body><h1>Error</h1><pre>{escape(text)}</pre></body></html>"


def _in_header(name: str, status: int) -> Fault:
    return lambda request: Answer(status, b"{}", {name: quote(told(request), safe=" {}:,\"'")})


FAULTS: dict[str, Fault] = {
    "a page in HTML": _repeating(503, "text/html", _page),
    "a page in HTML as if all were well": _repeating(200, "text/html", _page),
    "prose as if it were JSON": _repeating(200, "application/json"),
    "a refusal of OAuth": _repeating(
        400, "application/json", lambda text: {"error": "invalid_grant", "error_description": text}
    ),
    "an unknown error of OAuth": _repeating(
        400, "application/json", lambda text: {"error": text, "error_description": text}
    ),
    "a refusal of REST": _repeating(
        500, "application/json", lambda text: [{"errorCode": "UNKNOWN_EXCEPTION", "message": text}]
    ),
    "a dead session": _repeating(
        401, "application/json", lambda text: [{"errorCode": "INVALID_SESSION_ID", "message": text}]
    ),
    "a fault of SOAP": _repeating(
        500,
        "text/xml",
        lambda text: (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
            f"<faultcode>sf:UNKNOWN_EXCEPTION</faultcode><faultstring>{escape(text)}</faultstring>"
            "</e:Fault></e:Body></e:Envelope>"
        ),
    ),
    "a Vault that is sealed": _repeating(
        503, "application/json", lambda text: {"errors": ["Vault is sealed", text]}
    ),
    "a Vault that denies": _repeating(
        403, "application/json", lambda text: {"errors": ["permission denied", text]}
    ),
    "a Vault that complains": _repeating(
        400, "application/json", lambda text: {"errors": [text], "warnings": [text]}
    ),
    "a Vault that says something else": _repeating(200, "application/json", lambda text: {"data": text}),
    "another member": _repeating(200, "application/json", lambda text: {"data": {"data": {text: text}}}),
    "a redirect": lambda request: Answer(
        307, headers={"Location": f"http://127.0.0.1:1/{quote(told(request))}"}
    ),
    "a header Retry-After": _in_header("Retry-After", 429),
    "a header Date": _in_header("Date", 503),
    "a cookie": _in_header("Set-Cookie", 200),
    "no status line": lambda request: Answer(raw=told(request).encode()),
    "no headers": lambda request: Answer(raw=b"HTTP/1.1 200 OK\r\n" + told(request).encode() + b"\r\n\r\n{}"),
    "no chunks": lambda request: Answer(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + told(request).encode() + b"\r\n\r\n"
    ),
    "what is not packed": _repeating(200, "application/json", str, **{"Content-Encoding": "gzip"}),
    "a proxy's refusal": _repeating(407, "text/html", _page),
    "a cut": lambda request: Answer(200, told(request), cut=True),
    "a reset": lambda _request: Answer(reset=True),
    "silence": lambda _request: Answer(silent=True),
}


class Storm:
    """Spoils every second request, each time in the next of all ways.

    Attributes:
        hits: how often each was used.
    """

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self._count = 0

    def __call__(self, request: Request, forward: Forward) -> Answer:
        self._count += 1
        if self._count % 2:
            return forward()
        name = [*FAULTS][self._count // 2 % len(FAULTS)]
        self.hits[name] += 1
        return FAULTS[name](request)

    def is_through(self) -> bool:
        """Tell whether everything was used."""
        return self.hits.keys() == FAULTS.keys()
