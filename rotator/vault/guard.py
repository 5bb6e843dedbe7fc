"""The HTTP session below hvac: what hvac leaves open is decided here.

- Redirects: a standby sends 307 or 308. They are followed with method and body kept, and only to hosts that are
  allowed, because the token travels along; never out of TLS, nor in plain http to another machine. 301 to 303 are
  never followed: requests would turn a write into a read and report success.
- Consistency: standbys of OpenBao (2.5 and later) and performance standbys of Vault Enterprise answer from old
  data. Each request echoes the last ``X-Vault-Index`` and asks to be forwarded otherwise (Vault documentation,
  "Vault Eventual Consistency", client-side mitigations). A 412 is asked again for a second.
- An answer as a whole has a deadline, and its body a bound.
- The environment (proxies, CA bundles, netrc, VAULT_*) has no say.
"""

from __future__ import annotations

import io
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from urllib3.util import Url, parse_url

from rotator.errors import Misconfigured, Transient
from rotator.loopback import is_loopback
from rotator.punctual import PunctualAdapter, read_body
from rotator.vault.codec import YEARS
from rotator.vault.settings import VaultSettings
from rotator.vault.unanswered import network_error, too_long
from rotator.wording import one_line

MOST_BYTES = 1 << 22
"""The longest answer that is read. A document has 1 MB at the most (Vault documentation, "Limits and maximums")."""

_MOST_REDIRECTS = 3
_SHOWN = 100  # characters of an address
_INDEX = re.compile(r"[!-~]{1,4096}")
_KEEPING_REDIRECTS = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
_WAITS_FOR_INDEX_SECONDS = (0.05, 0.1, 0.2, 0.4)
_CONNECTIONS = 4  # one thread needs one; redirects to other nodes some more


class Shared:
    """What the sessions of all threads learn from Vault's answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index: str | None = None
        self._skew: timedelta | None = None

    def learn(self, response: requests.Response, sent: datetime, received: datetime) -> None:
        """Take the consistency index and the server's clock from an answer's headers."""
        index, date = response.headers.get("X-Vault-Index"), response.headers.get("Date")
        try:
            at = parsedate_to_datetime(date) if date else None
        except (ValueError, OverflowError):
            at = None
        with self._lock:
            if index is not None and _INDEX.fullmatch(index):  # it is sent back with every request
                self._index = index
            if at is not None and at.tzinfo is not None and at.year in YEARS:
                # The header has whole seconds, cut off: on average the clock was half a second further.
                self._skew = at + timedelta(milliseconds=500) - (sent + (received - sent) / 2)

    def forget_index(self) -> None:
        """Ask for nothing newer than what a server has: a Vault restored from a backup never reaches our index."""
        with self._lock:
            self._index = None

    @property
    def index(self) -> str | None:
        with self._lock:
            return self._index

    @property
    def skew(self) -> timedelta | None:
        """Vault's clock minus ours, give or take a second; None before the first answer."""
        with self._lock:
            return self._skew


class GuardedSession(requests.Session):
    """The session of one thread. Every request goes through :meth:`request`, whatever hvac asks for."""

    def __init__(self, settings: VaultSettings, shared: Shared) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # Vault sends none
        self.verify = str(settings.ca_file) if settings.ca_file else True
        pair = settings.shown_certificate
        self.cert = (str(pair[0]), str(pair[1])) if pair else None
        adapter = PunctualAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._settings = settings
        self._shared = shared

    def request(self, method: str, url: str, **asked: Any) -> requests.Response:  # type: ignore[override] # hvac names all other arguments
        """Send one request. Raises Transient for network errors, Misconfigured for TLS and forbidden redirects."""
        for wait_seconds in (*_WAITS_FOR_INDEX_SECONDS, None):
            response = self._follow(method.upper(), str(url), asked)
            if response.status_code != HTTPStatus.PRECONDITION_FAILED:
                break
            if wait_seconds is None:
                self._shared.forget_index()
                break
            time.sleep(wait_seconds)
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Hide redirects from requests, which reads their bodies and targets even where it must not follow."""

    def _follow(self, method: str, url: str, asked: dict[str, Any]) -> requests.Response:
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send(method, url, asked)
            if not HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
                return response
            url = self._next(url, response)
        raise Transient(
            "Vault's nodes redirect to each other without end",
            code="vault.redirect_loop",
            hint="A failover may be under way. If it lasts, see api_addr in the configuration of each node.",
        )

    def _next(self, url: str, response: requests.Response) -> str:
        """Return where a redirect leads. Raises Misconfigured when it must not be followed."""
        try:  # by the parser that requests uses: others see another host in some odd URLs
            target = parse_url(urljoin(url, response.headers.get("Location", "")))
        except ValueError:
            target = Url()
        if response.status_code not in _KEEPING_REDIRECTS or not (
            self._knows(target) and _hides(url, target)
        ):
            where = one_line(f"{target.scheme}://{target.netloc}", _SHOWN) if target.host else "no address"
            raise Misconfigured(
                f"the Vault address redirects to {where} "
                f"(status {response.status_code}); that is not followed, because the token would go with it",
                code="vault.redirected",
                hint="Let `vault.address` name that host itself, or, if it is a node of this Vault, list it "
                "under `vault.redirect_hosts`. In plain http only loopback is followed: let api_addr of each node "
                "say https.",
            )
        return target.url

    def _knows(self, target: Url) -> bool:
        """Tell whether the host of a redirect is ours or listed."""
        port = target.port or (443 if target.scheme == "https" else 80)
        own = parse_url(self._settings.address).host
        return bool({target.host, f"{target.host}:{port}"} & {own, *self._settings.redirect_hosts})

    def _is_redirected(self, url: str) -> bool:
        """Tell whether a request goes to another server than that of the settings."""
        return not url.startswith(self._settings.address.rstrip("/") + "/")

    def _asked(self, url: str) -> str:
        """Return the server that a request went to, and how it came there."""
        address = self._settings.address
        if not self._is_redirected(url):
            return address
        asked = urlsplit(url)
        return f"{asked.scheme}://{asked.netloc}, to which {address} redirects,"

    def _send(self, method: str, url: str, asked: dict[str, Any]) -> requests.Response:
        headers = {**(asked.get("headers") or {}), "X-Vault-Inconsistent": "forward-active-node"}
        if index := self._shared.index:
            headers["X-Vault-Index"] = index
        sent = datetime.now(UTC)
        try:
            response = super().request(
                method,
                url,
                params=asked.get("params"),
                json=asked.get("json"),
                headers=headers,
                timeout=self._settings.timeout_seconds,
                allow_redirects=False,
                stream=True,
            )
            body = read_body(response, MOST_BYTES)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            redirected = self._is_redirected(url)
            raise network_error(error, method, self._asked(url), redirected=redirected) from None
        if body is None:
            raise too_long(method, self._asked(url), MOST_BYTES)
        response.raw = io.BytesIO(body)  # whoever asks for the content finds it here
        self._shared.learn(response, sent, datetime.now(UTC))
        return response


def _hides(before: str, target: Url) -> bool:
    """Tell whether nobody on the way to ``target`` sees what nobody on the way before could see."""
    if target.scheme == "http":
        return urlsplit(before).scheme == "http" and is_loopback((target.host or "").strip("[]"))
    return target.scheme == "https"
