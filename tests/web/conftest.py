"""A fleet in memory, and its port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rotator.config.web import WebConfig
from rotator.show import logs
from rotator.web import Port
from tests.world.exhibit import Exhibit, exhibit, hurried
from tests.world.states import STATES

PATIENCE_SECONDS = 60


@dataclass
class Got:
    """What was answered."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Visitor:
    """Whoever looks at a port."""

    url: str

    def get(self, path: str = "/", method: str = "GET", **headers: str | bytes) -> Got:
        return self.send(path, method, {name.replace("_", "-"): value for name, value in headers.items()})

    def send(
        self, path: str, method: str, headers: Mapping[str, str | bytes], body: bytes | None = None
    ) -> Got:
        where = urlsplit(self.url)
        wire = HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE_SECONDS)
        try:
            wire.request(method, path, body=body, headers=dict(headers))
            answer = wire.getresponse()
            return Got(answer.status, answer.headers, answer.read())
        finally:
            wire.close()


def wire(visitor: Visitor) -> socket.socket:
    """Connect, and say nothing yet."""
    where = urlsplit(visitor.url)
    return socket.create_connection((where.hostname, where.port), PATIENCE_SECONDS)


def told(lines: Sequence[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """Return the lines of the log that tell of an event."""
    return [line for line in lines if line["event"] == event]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Exhibit]:
    """One credential in each state, named after it."""
    with exhibit(tmp_path, list(map(_name, STATES)), troubled=False) as shown:
        for name, state in STATES.items():
            state(shown.stations[_name(name)], shown.now)
        yield shown


def _name(state: str) -> str:
    return state.replace("_", "-")


Serve = Callable[..., Visitor]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what serves a fleet on a free port and gives whoever looks at it."""
    with ExitStack() as running:

        def begin(fleet: Exhibit, **config: object) -> Visitor:
            with logs.capture() as lines:
                port = running.enter_context(Port(hurried()))
                port.show(fleet.look, fleet.is_alive)
                port.serve(WebConfig(listen="127.0.0.1:0", **config))
            (line,) = [line for line in lines if line["event"] == "web.listening"]
            return Visitor(line["url"])

        yield begin


@pytest.fixture
def visitor(fleet: Exhibit, serve: Serve) -> Visitor:
    """Who looks at the fleet."""
    return serve(fleet)
