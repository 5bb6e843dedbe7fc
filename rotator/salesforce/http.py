"""One worker thread's way to Salesforce: bounded, patient up to a point, and without surprises.

- Redirects are never followed: an assertion or a token would travel along to a host that nobody named.
- No cookie is kept and the environment (proxies, CA bundles, netrc) has no say: no session of requests is involved,
  only its transport adapter.
- Nothing is sent twice. Whoever asked knows whether a repeat is harmless; ``maybe_done`` tells whether it matters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin

import requests
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from rotator import __version__
from rotator.errors import Misconfigured, RotatorError, Transient
from rotator.punctual import read_body
from rotator.salesforce.addresses import host_of, require_https
from rotator.salesforce.network_errors import network_error
from rotator.salesforce.transport import Transport, trust
from rotator.secret import Secret
from rotator.wording import one_line

MOST_BYTES = 1 << 20
"""The longest answer that is read where the caller says nothing else."""

MOST_VALUES = 1_000_000
"""Of an answer in JSON. The description of an object has some hundred thousand; each takes 64 bytes or more."""

_LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0
_SHOWN = 100  # characters of an address
_HARMLESS = {"GET", "HEAD"}
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class WireSettings:
    """How to reach Salesforce.

    Attributes:
        read_timeout_seconds: between two pieces of an answer; the whole may take three times as long.
        ca_file: certificates to trust instead of Mozilla's list (package certifi).
        proxy: URL of an HTTP proxy for every request; may hold its user and password.
    """

    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0
    ca_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. Headers are found in whatever case. What may hold a token is not shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str
    method: str = "GET"

    @property
    def text(self) -> str:
        """The body, read as UTF-8 with wrong bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body, parsed. Raises Transient when it is no JSON: a maintenance page, a cut answer."""
        if self.body.count(b",") > MOST_VALUES:
            raise _too_long(self.method, self.url, f"{MOST_VALUES} values")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
            pass
        raise Transient(
            f"{host_of(self.url)} answered with status {self.status} and something that is not JSON",
            code="salesforce.not_json",
            hint="Usually maintenance, or a proxy that answers in place of Salesforce. If it lasts, check the URL.",
            maybe_done=self.maybe_done,
            retry_after_seconds=self.retry_after_seconds,
        )

    @property
    def maybe_done(self) -> bool:
        """The request may have taken effect, if nothing but the status is known."""
        return self.method not in _HARMLESS and not 300 <= self.status < 500  # noqa: PLR2004 - classes of RFC 9110

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered (header Date, whole seconds)."""
        return _http_date(self.headers.get("Date"))

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asks us to wait (RFC 9110 section 10.2.3: seconds or a date), a day at the most."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return min(float(value), _LONGEST_RETRY_AFTER_SECONDS)
        if (until := _http_date(value)) is None:
            return None
        seconds = (until - (self.date or datetime.now(UTC))).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


class Wire:
    """Sends requests, for one thread. Connections are kept and used again; :meth:`close` gives them back."""

    def __init__(self, settings: WireSettings) -> None:
        """Raise Misconfigured when the CA file can't be read."""
        self._settings = settings
        self._trust = trust(settings.ca_file)
        self._kept = Transport(self._trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._kept.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | bytes | None = None,
        json: Any = None,
        files: Any = None,
        token: Secret | None = None,
        fresh: bool = False,
        max_bytes: int = MOST_BYTES,
    ) -> Reply:
        """Send one request and return the answer, whatever its status.

        Args:
            files: parts of a multipart form, as requests takes them.
            token: sent as bearer token (RFC 6750 section 2.1).
            fresh: use a new connection, which may reach another of the org's servers.
            max_bytes: an answer that is longer (after decompression) is an error.

        Raises Transient for network errors, with ``maybe_done`` where the request may have arrived and is not
        harmless; Misconfigured for servers that aren't trusted, redirects, and plain HTTP to another machine.
        """
        require_https(url)
        sent_headers = {
            "User-Agent": f"rotator/{__version__}",
            "Accept": "application/json",
            **(headers or {}),
        }
        if token is not None:
            sent_headers["Authorization"] = f"Bearer {token.reveal()}"
        transport = Transport(self._trust) if fresh else self._kept
        try:
            request = requests.Request(
                method, url, headers=sent_headers, params=params, data=data, json=json, files=files
            )
            reply = self._exchange(transport, request.prepare(), max_bytes)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            HTTPException,
            OSError,
            ValueError,
        ) as error:
            # ValueError: a header or host that can't be encoded.
            problem = network_error(error, host=host_of(url), harmless=method in _HARMLESS)
        else:
            if reply.status in _REDIRECTS:
                raise _redirected(reply)
            return reply
        finally:
            if fresh:
                transport.close()
        # Raised here and not above: the library's exception holds the request, and the request its secrets.
        raise problem

    def _exchange(self, transport: Transport, request: requests.PreparedRequest, max_bytes: int) -> Reply:
        settings = self._settings
        response = transport.send(
            request,
            stream=True,
            timeout=(settings.connect_timeout_seconds, settings.read_timeout_seconds),
            proxies={"all": settings.proxy} if settings.proxy else None,
        )
        method, url = str(request.method), str(request.url)
        body = read_body(response, max_bytes)
        if body is None:
            raise _too_long(method, url, f"{max_bytes} bytes")
        return Reply(response.status_code, CaseInsensitiveDict(response.headers), body, url, method)


@lru_cache(16)  # the same for all answers of a second, and read twice of each
def _http_date(value: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(value or "")
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _redirected(reply: Reply) -> RotatorError:
    try:
        target = host_of(urljoin(reply.url, reply.headers.get("Location", "")))
    except ValueError:
        target = ""
    return Misconfigured(
        f"{host_of(reply.url)} redirects to {one_line(target, _SHOWN) or 'nowhere'} (status {reply.status}); "
        "that is not followed, because assertion and token would go with it",
        code="salesforce.redirected",
        hint="If the org has moved or got another My Domain, name the new host in the configuration.",
    )


def _too_long(method: str, url: str, most: str) -> RotatorError:
    return Transient(
        f"{host_of(url)} answered with more than {most}",
        code="salesforce.too_long",
        hint="Something other than Salesforce may be answering. If it lasts, check the URL and the proxy.",
        maybe_done=method not in _HARMLESS,
    )
