"""Consumers: they read access tokens from Vault, call the org with them, and know nothing of keys.

They do what consumers are told to do: read again at an interval shorter than the lag that the configuration grants
them, and never mint themselves.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rotator.sandbox.settings import BASE_PATH, MOUNT

CALLS_PER_SECOND = 6.0
_QUERY = urlencode({"q": "SELECT Id, Name FROM Account"})
_TIMEOUT_SECONDS = 10.0
_FAILURES_KEPT = 5


@dataclass(frozen=True, slots=True)
class Held:
    """The token that a consumer works with, as far as it may be shown."""

    key_serial: int
    sequence: int


class Consumer(threading.Thread):
    """Works as one user of one credential, until it is told to stop.

    Attributes:
        calls, failed: calls to the org, and how many of them did not bring the accounts.
        failures: the first of those, in words.
        held: the token in use; None before there is one.
    """

    def __init__(
        self, vault_address: str, token_file: Path, who: tuple[str, str], lag_seconds: float
    ) -> None:
        self.credential, self.user = who
        super().__init__(name=f"consumer {self.user}", daemon=True)
        self.calls = self.failed = 0
        self.failures: list[str] = []
        self.held: Held | None = None
        self._vault_address = vault_address
        self._vault_token = token_file.read_text()
        self._read_every_seconds = lag_seconds / 2
        self._document: dict[str, Any] = {}
        self._read_at = -float("inf")
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(1 / CALLS_PER_SECOND):
            if time.monotonic() >= self._read_at + self._read_every_seconds:
                self._read()
            if self._document:
                self._call()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _read(self) -> None:
        """Read the token document. Where that fails the token at hand goes on serving."""
        path = f"/v1/{MOUNT}/data/{BASE_PATH}/{self.credential}/tokens/{quote(self.user, safe='@')}"
        status, answer = _get(self._vault_address, path, {"X-Vault-Token": self._vault_token})
        if status != HTTPStatus.OK:
            return
        self._document = answer["data"]["data"]
        self.held = Held(self._document["key_serial"], self._document["sequence"])
        self._read_at = time.monotonic()

    def _call(self) -> None:
        document = self._document
        path = f"/services/data/v{document['api_version']}/query?{_QUERY}"
        authorization = f"{document['token_type']} {document['access_token']}"
        status, answer = _get(document["instance_url"], path, {"Authorization": authorization})
        self.calls += 1
        if status == HTTPStatus.OK and isinstance(answer, dict) and answer.get("totalSize"):
            return
        self.failed += 1
        self._read_at = -float("inf")
        if len(self.failures) < _FAILURES_KEPT:
            self.failures.append(f"{self.user} with token {document['sequence']}: {status} {answer}")


def _get(base_url: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Return status and JSON of an answer; 0 and what went wrong when none came."""
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        return 0, str(error)
    finally:
        connection.close()
