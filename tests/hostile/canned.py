"""The other side of the wire without a wire: one answer, whatever is asked. It is read by the true code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hvac
import requests
from requests.structures import CaseInsensitiveDict

from rotator.salesforce.http import MOST_BYTES, Reply
from rotator.salesforce.rest import Org
from rotator.secret import Secret
from rotator.vault.settings import Token, VaultSettings

TOKEN = Secret("00D000000000001!canned.token")
ORG = Org("https://acme.my.salesforce.com", TOKEN, "66.0")


class CannedWire:
    """A wire of Salesforce. A body is cut where a true wire would refuse to read on."""

    def __init__(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._body, self._status, self._headers = body, status, CaseInsensitiveDict(headers or {})

    def send(self, method: str, url: str, *, max_bytes: int = MOST_BYTES, **_: Any) -> Reply:
        return Reply(self._status, self._headers, self._body[:max_bytes], url, method)


class CannedVault:
    """A client of Vault, for :class:`rotator.vault.kv.Kv` and all that is above it."""

    settings = VaultSettings("https://vault.example.com:8200", Token(Path("token")))

    def __init__(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._body, self._status, self._headers = body, status, headers or {}
        self._client = hvac.Client(url=self.settings.address, token="", adapter=_adapter(self))

    def call(self, send: Callable[[hvac.Client], requests.Response]) -> requests.Response:
        return send(self.client())

    def health(self) -> requests.Response:
        return self.response("GET", "/v1/sys/health")

    def clock_skew(self) -> None:
        return None

    def response(self, method: str, url: str) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer._content = self._status, self._body
        answer.headers = CaseInsensitiveDict(self._headers)
        answer.request = requests.Request(
            method, f"https://vault.example.com:8200/v1/{url.partition('/v1/')[2]}"
        ).prepare()
        return answer

    def client(self) -> hvac.Client:
        """Return a client of hvac to which this answers."""
        return self._client


def _adapter(vault: CannedVault) -> type[hvac.adapters.RawAdapter]:
    class Adapter(hvac.adapters.RawAdapter):
        def request(self, method: str, url: str, *_: Any, **__: Any) -> requests.Response:
            return vault.response(method, url)

        def close(self) -> None:
            pass

    return Adapter
