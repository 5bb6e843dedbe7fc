"""The wire between the daemon and both servers: counts what the daemon writes, and kills it at one write.

A point is one write of the daemon and a side of it. *Before*: the daemon is killed when its request has come whole,
and nothing of it reaches the server. *After*: the server has done what it was asked for and has answered, and the
daemon is killed before it hears of it. Together these are all the states in which a crash can leave both servers:
between two writes the daemon can only have changed its memory.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.crash.writes import write_to_org, write_to_vault
from tests.world.http_fake import Answer, Request
from tests.world.ledger import APPS
from tests.world.site import Site
from tests.world.vault_proxy import Forward, Proxy, Spoil, VaultProxy

GONE = Answer(reset=True)
POINT = re.compile(r"(before|after):(.+)#(\d+)")


class Side(StrEnum):
    """Of a write."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Write:
    """The ``nth`` write of a name since the path began."""

    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.name}#{self.nth}"


@dataclass(frozen=True)
class Point:
    """Where the daemon is killed."""

    side: Side
    write: Write

    def __str__(self) -> str:
        return f"{self.side}:{self.write}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ValueError for what is not a point."""
        found = POINT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no point, such as before:org/deploy#1")
        return cls(Side(found[1]), Write(found[2], int(found[3])))


class Wire:
    """Stands before Vault, the org, and the org's control port, which the operator's own program calls.

    Attributes:
        writes: those that reached a server since :meth:`watch`, in order.
        reads: the paths that were read since they were last cleared.
    """

    def __init__(self, here: Site) -> None:
        self._here = here
        self._ending = ExitStack()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._point: Point | None = None
        self._watching = False
        self._wrote_at = time.monotonic()
        self.writes: list[Write] = []
        self.reads: set[str] = set()
        self._killed = False
        org = here.stage.org
        keys = {org.org.app(app).consumer_key: name for name, app in APPS.items()}
        self._vault = VaultProxy(here.stage.vault)
        self._org = Proxy(_to(org.url))
        self._control = Proxy(_to(org.control_url))
        self._vault.spoil(self._watched(write_to_vault))
        self._org.spoil(self._watched(lambda request: write_to_org(request, keys)))
        self._control.spoil(self._watched(lambda request: f"org/by-program{request.path}"))
        org.org.instance_url = self._org.address

    def __enter__(self) -> Self:
        for front in (self._vault, self._org, self._control):
            self._ending.enter_context(front)
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.close()

    @property
    def control_url(self) -> str:
        return self._control.address

    def lead(self, settings: dict[str, Any]) -> None:
        """Let the daemon go through us: an edit of its configuration."""
        settings["vault"]["address"] = self._vault.address
        for credential in settings["credentials"].values():
            credential["login_url"] = self._org.address

    def quiet_seconds(self) -> float:
        """Return for how long the daemon has written nothing."""
        return time.monotonic() - self._wrote_at

    def watch(self, point: Point | None) -> None:
        """Count from here on, and kill at a point, once."""
        with self._lock:
            self._point, self._watching = point, True

    def has_killed(self) -> bool:
        """Tell whether the daemon was killed; a write that is on its way is waited for."""
        with self._lock:
            return self._killed

    def ignore(self) -> None:
        """Neither count nor kill any more."""
        with self._lock:
            self._point, self._watching = None, False

    def _watched(self, named: Callable[[Request], str | None]) -> Spoil:
        def spoil(request: Request, forward: Forward) -> Answer:
            name = named(request)
            if name is not None:
                return self._pass(name, forward)
            answer = forward()
            self.reads.add(unquote(request.path))
            return answer

        return spoil

    def _pass(self, name: str, forward: Forward) -> Answer:
        self._wrote_at = time.monotonic()
        if not self._watching:
            return forward()
        with self._lock:
            self._counts[name] += 1
            write = Write(name, self._counts[name])
            side = self._point.side if self._point is not None and self._point.write == write else None
            if side is not None:
                self._point = None
            if side is Side.BEFORE:
                return self._kill()
            answer = forward()  # one write at a time, so that nothing is under way when the daemon is killed
            self.writes.append(write)
            return self._kill() if side is Side.AFTER else answer

    def _kill(self) -> Answer:
        self._here.daemon.kill()
        self._killed = True
        return GONE


def _to(url: str) -> Callable[[], HTTPConnection]:
    netloc = urlsplit(url).netloc
    return lambda: HTTPConnection(netloc, timeout=30)
