"""A proxy in front of a real server that spoils what it is told to: as standbys, load balancers and networks do."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from typing import Self

from rotator.sandbox.vault_api import BaoApi
from tests.world.http_fake import Answer, HttpFake, Request

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}

Forward = Callable[[], Answer]
Spoil = Callable[[Request, Forward], Answer]
"""Returns what the client gets. Only what it forwards reaches the server and takes effect."""


def instead(answer: Answer) -> Spoil:
    """Vault hears nothing; the client gets ``answer``."""
    return lambda _request, _forward: answer


def after(answer: Answer) -> Spoil:
    """Vault does what it was asked for, and its answer is lost: the client gets ``answer``."""

    def spoil(_request: Request, forward: Forward) -> Answer:
        forward()
        return answer

    return spoil


def changed(**changes: object) -> Spoil:
    """Vault does what it was asked for, and its answer comes out with some changes."""
    return lambda _request, forward: replace(forward(), **changes)


def truncated(_request: Request, forward: Forward) -> Answer:
    """Half of Vault's answer comes out, and looks complete."""
    answer = forward()
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def redirected(status: int, to: str | None) -> Spoil:
    """The client is sent to another address, which is asked for the same; None: to nowhere."""

    def spoil(request: Request, _forward: Forward) -> Answer:
        return Answer(status, headers={"Location": f"{to}{request.path}"} if to is not None else {})

    return spoil


@dataclass
class Rule:
    """Spoils requests of a method whose path matches, from the ``nth`` on, ``times`` times (None: always)."""

    spoil: Spoil
    method: str
    path: re.Pattern[str]
    nth: int
    times: int | None
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if self.method not in {"", request.method} or not self.path.search(request.path):
            return False
        self.seen += 1
        return self.nth <= self.seen and (self.times is None or self.seen < self.nth + self.times)


class Proxy:
    """Serves until its ``with`` block ends. What no rule takes goes through unchanged.

    Args:
        connect: makes a connection to the server for one request.
    """

    def __init__(self, connect: Callable[[], HTTPConnection], *, tls: ssl.SSLContext | None = None) -> None:
        self._connect = connect
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._front = HttpFake(self._answer, tls=tls)

    def __enter__(self) -> Self:
        self._front.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._front.__exit__(*error)

    @property
    def address(self) -> str:
        return self._front.url

    def spoil(
        self, spoil: Spoil, path: str = "", *, method: str = "", nth: int = 1, times: int | None = None
    ) -> None:
        self._rules.append(Rule(spoil, method, re.compile(path), nth, times))

    def heal(self) -> None:
        """Spoil nothing any more."""
        with self._lock:
            self._rules.clear()

    def seen(self, path: str) -> list[Request]:
        """Return the requests whose path matches, spoilt or not."""
        return [request for request in self._front.requests if re.search(path, request.path)]

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            rule = next((rule for rule in self._rules if rule.takes(request)), None)
        if rule is None:
            return self._forward(request)
        return rule.spoil(request, lambda: self._forward(request))

    def _forward(self, request: Request) -> Answer:
        connection = self._connect()
        try:
            connection.request(request.method, request.path, request.body, _end_to_end(request.headers))
            response = connection.getresponse()
            return Answer(response.status, response.read(), _end_to_end(dict(response.getheaders())))
        finally:
            connection.close()


class VaultProxy(Proxy):
    """Stands before a Vault."""

    def __init__(self, upstream: BaoApi, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(upstream._connection, tls=tls)
        self.root_token = upstream.root_token


def _end_to_end(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
