"""What is found at which path."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from rotator import events
from rotator.show.logs import emit
from rotator.web.answer import Answer, said
from rotator.web.door import Door
from rotator.web.exposition import text
from rotator.web.gauges import Gauges
from rotator.web.health import readiness, why_not_ready
from rotator.web.lately import Lately
from rotator.web.page import Static, credential_page, fleet_page, said_page
from rotator.web.rows import Row, rows
from rotator.web.seen import Seen
from rotator.web.wishes import OPEN_METRICS, takes_gzip, wants_openmetrics

READS = ("GET", "HEAD")
TOLD_AGAIN_SECONDS = 300.0
"""When an error is told again that a page meets at each look: who looks often, such as Prometheus, floods no log."""
_PAGES = ("livez", "readyz", "metrics", "static", "credentials")


class Site:
    """A WSGI application.

    Attributes:
        door: who may look.
        look: what there is to be seen; None while there is nothing.
        alive: whether the daemon moves. Must wait for nobody.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        shown_until: Callable[[], datetime | None] = lambda: None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            registry: what is counted and timed.
            shown_until: as of :class:`Gauges`.
            steady: a clock that nobody sets, in seconds.
        """
        self.door = Door("", None)
        self.look: Callable[[], Seen | None] = lambda: None
        self.alive: Callable[[], bool] = lambda: False
        self._registry = registry
        self._gauges = Gauges(shown_until)
        self._numbers = Lately(self._count, steady)
        self._fleet = Lately(self._survey, steady)
        self._static = Static()
        self._steady = steady
        self._not_before: dict[tuple[str, str], float] = {}
        self._telling = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer = self.answer(environ)
        except Exception as error:  # noqa: BLE001 - whoever looks must not hurt, nor be told what went wrong
            self._tell(_first_part(_path(environ)), error)
            answer = said(
                "This is a mistake of rotator; its log says more.", HTTPStatus.INTERNAL_SERVER_ERROR
            )
        start_response(answer.status_line, answer.header_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def answer(self, environ: WSGIEnvironment) -> Answer:
        """Return the answer to a request."""
        path = _path(environ)
        if not self.door.knows_host(environ.get("HTTP_HOST", "")):
            return said_page("This port does not answer to that name.", HTTPStatus.MISDIRECTED_REQUEST)
        if environ["REQUEST_METHOD"] not in READS:
            allowed = {"Allow": ", ".join(READS)}
            return said_page("This port is for looking only.", HTTPStatus.METHOD_NOT_ALLOWED, allowed)
        if path == "/livez":
            return said("alive") if self.alive() else _unwell("the daemon does not move")
        if path == "/readyz":
            why = why_not_ready(self.look())
            return said("ready") if why is None else _unwell(why)
        if not self.door.opens(environ.get("HTTP_AUTHORIZATION", "")):
            ask = {"WWW-Authenticate": 'Basic realm="rotator", charset="UTF-8"'}
            return said_page("Show the token of this port.", HTTPStatus.UNAUTHORIZED, ask)
        return self._inside(path, environ) or said_page("There is nothing here.", HTTPStatus.NOT_FOUND)

    def _tell(self, page: str, error: Exception) -> None:
        """Tell of an error, unless one of its kind was told of that page lately."""
        kind = type(error).__name__
        with self._telling:
            now = self._steady()
            if now < self._not_before.get((page, kind), now):
                return
            self._not_before[page, kind] = now + TOLD_AGAIN_SECONDS
        emit(events.WEB_REQUEST_FAILED, page=page, error=kind, exc_info=error)

    def _inside(self, path: str, environ: WSGIEnvironment) -> Answer | None:
        """Return the answer to somebody who may look; None where there is nothing."""
        first, _, name = path[1:].partition("/")
        if path == "/metrics":
            return self._metrics(environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))
        if first == "static":
            return self._static.find(name, environ.get("HTTP_IF_NONE_MATCH", ""))
        if path == "/":
            return self._front(environ["QUERY_STRING"])
        seen = self.look()
        if seen is None:
            return _starting()
        if first == "credentials":
            return credential_page(seen, name)
        return _readiness(seen, name) if first == "readyz" else None

    def _front(self, query: str) -> Answer:
        fleet = self._fleet.get()
        return _starting() if fleet is None else fleet_page(*fleet, query, alive=self.alive())

    def _metrics(self, accept: str, accept_encoding: str) -> Answer:
        """Return the metrics. prometheus-client fails for versions that are none, so it is shown but one of ours."""
        encode, kind = choose_encoder(OPEN_METRICS if wants_openmetrics(accept) else "")
        body, headers = self._numbers.get() + encode(self._registry), {"Vary": "Accept, Accept-Encoding"}
        if takes_gzip(accept_encoding):
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=1), "gzip"
        return Answer(body, kind, headers=headers)

    def _count(self) -> bytes:
        seen = self.look()
        return b"" if seen is None else text(self._gauges.of(seen)).encode("utf-8", "replace")

    def _survey(self) -> tuple[Seen, Sequence[Row]] | None:
        seen = self.look()
        return None if seen is None else (seen, rows(seen))


def _readiness(seen: Seen, name: str) -> Answer | None:
    found = readiness(seen, name)
    if found is None:
        return None
    ready, said_of_it = found
    body = json.dumps(said_of_it, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(body, "application/json", status)


def _path(environ: WSGIEnvironment) -> str:
    """Return the path as text: WSGI carries its bytes as Latin-1 (PEP 3333)."""
    path: str = environ["PATH_INFO"]
    return path.encode("latin-1").decode("utf-8", "replace")


def _first_part(path: str) -> str:
    """Return what a log may be told of a path that anybody made up."""
    first = path[1:].partition("/")[0]
    return first if first in _PAGES else "?"


def _starting() -> Answer:
    return said_page("The daemon is about to start.", HTTPStatus.SERVICE_UNAVAILABLE)


def _unwell(why: str) -> Answer:
    return said(f"not so: {why}", HTTPStatus.SERVICE_UNAVAILABLE)
