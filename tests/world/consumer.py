"""A consumer: reads its token from Vault over HTTP and calls the org with it, over and over. No code of rotator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from tests.world.background import Background

READ_EVERY_SECONDS = 1.0
CALL_EVERY_SECONDS = 0.15
TIMEOUT_SECONDS = 15.0
MOST_TRIES = 20
ANSWERS = (200, 400, 401, 403)

SPOILT_SHARE = 0.2
SPOILT_BY_CHANCE = 10
"""Of the calls of a consumer, and beside that: as many may be spoilt in the rudest weather, of which an eighth is."""


@dataclass
class Outage:
    """A time in which the org refused the consumer's token; times are those of ``time.monotonic``.

    Attributes:
        read: when the token that was refused was read.
        calls: how many calls were refused in it.
    """

    began: float
    ended: float | None = None
    read: float = 0.0
    calls: int = 0

    @property
    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.began


class Consumer(Background):
    """Works as one user of a credential until it is stopped.

    A call that the network or a server fault spoilt is made again, as any client does; one that the org refused is
    a failed call, and the token is read again at once.

    Attributes:
        calls: calls that the org answered, the refused ones included.
        failed: those among them that it refused.
        spoilt: calls without a useful answer.
    """

    def __init__(
        self,
        vault_address: str,
        vault_token: str,
        credential: str,
        user: str,
        *,
        read_every_seconds: float = READ_EVERY_SECONDS,
        call_every_seconds: float = CALL_EVERY_SECONDS,
    ) -> None:
        super().__init__(f"consumer {user}")
        self.credential, self.user = credential, user
        self.calls = self.failed = self.spoilt = 0
        self.serials: set[int] = set()
        self.outages: list[Outage] = []
        self.words: list[str] = []
        self._url = f"{vault_address}/v1/secret/data/salesforce/{credential}/tokens/{quote(user, safe='@')}"
        self._headers = {"X-Vault-Token": vault_token}
        self._read_every_seconds, self._call_every_seconds = read_every_seconds, call_every_seconds
        self._document: dict[str, Any] = {}
        self._read_at = -float("inf")

    def run(self) -> None:
        while not self.stopping.wait(self._pause_seconds()):
            if self._is_due():
                self._read()
            if self._document:
                self._call()

    def calls_in(self, seconds: float) -> int:
        """Return how many calls it makes in so many seconds at the most."""
        return math.ceil(seconds / self._call_every_seconds)

    def _pause_seconds(self) -> float:
        return self._call_every_seconds

    def _is_due(self) -> bool:
        return time.monotonic() >= self._read_at + self._read_every_seconds

    def _read(self) -> None:
        answer = self._get(self._url, self._headers)
        if answer is None or answer.status_code != 200:
            return  # the token at hand goes on serving
        self._document = answer.json()["data"]["data"]
        self.serials.add(self._document["key_serial"])
        self._read_at = time.monotonic()

    def _call(self) -> None:
        answer = query(self._document, self._get)
        if answer is None or not is_useful(answer):
            self.spoilt += 1
            return
        self.calls += 1
        outage = self._outage
        if answer.status_code == 200 and answer.json()["totalSize"]:
            if outage is not None:
                outage.ended = time.monotonic()
            return
        self.failed += 1
        self.words.append(f"{answer.status_code} {answer.text[:200]}")
        if outage is None:
            outage = Outage(time.monotonic(), read=self._read_at)
            self.outages.append(outage)
        outage.calls += 1
        self._read_at = -float("inf")

    @property
    def _outage(self) -> Outage | None:
        """The outage that goes on."""
        return self.outages[-1] if self.outages and self.outages[-1].ended is None else None

    def _get(self, url: str, headers: dict[str, str], **parameters: str) -> requests.Response | None:
        return get(url, headers, **parameters)


def complaints(
    consumers: Sequence[Consumer], refused_seconds: Mapping[str, float], unanswered_seconds: float
) -> Iterator[str]:
    """Return which consumers never called, or had more calls refused or spoilt than was bound to be.

    Args:
        refused_seconds: user -> for how long in all its calls may be refused; of others, none.
        unanswered_seconds: for how long the org answered nobody.
    """
    for one in consumers:
        if not one.calls:
            yield f"{one.user} never called"
        if one.failed > (bound := one.calls_in(refused_seconds.get(one.user, 0.0))):
            yield f"{one.failed} calls of {one.user} were refused, more than {bound}: {one.words}"
        by_chance = SPOILT_BY_CHANCE + SPOILT_SHARE * (one.calls + one.spoilt)
        if one.spoilt > (bound := one.calls_in(unanswered_seconds) + int(by_chance)):
            yield f"{one.spoilt} calls of {one.user} were spoilt, more than {bound}"


Get = Callable[..., requests.Response | None]


def get(url: str, headers: dict[str, str], **parameters: str) -> requests.Response | None:
    """Return the answer to one request over a connection of its own; None when none came."""
    try:
        return requests.get(url, headers=headers, params=parameters, timeout=TIMEOUT_SECONDS)
    except requests.RequestException:
        return None


def query(document: dict[str, Any], get: Get = get) -> requests.Response | None:
    """Ask the org for accounts with a published token; None when no answer came."""
    url = f"{document['instance_url']}/services/data/v{document['api_version']}/query"
    authorization = f"{document['token_type']} {document['access_token']}"
    return get(url, {"Authorization": authorization}, q="SELECT Id FROM Account LIMIT 1")


def query_until_useful(document: dict[str, Any]) -> requests.Response:
    """Ask the org for accounts until something else than a fault comes back."""
    return useful(lambda: query(document))


def useful(ask: Callable[[], requests.Response | None]) -> requests.Response:
    """Return the first answer that is no fault on the way. Raises AssertionError when none comes."""
    for _ in range(MOST_TRIES):
        with suppress(requests.RequestException):
            answer = ask()
            if answer is not None and is_useful(answer):
                return answer
        time.sleep(CALL_EVERY_SECONDS)
    raise AssertionError("nothing but faults")


def is_useful(answer: requests.Response) -> bool:
    """Tell whether an answer is one to the question, and not a fault on the way."""
    try:
        said = answer.json()
        return answer.status_code in ANSWERS and bool(said) and "unknown_error" not in answer.text
    except ValueError:
        return False
