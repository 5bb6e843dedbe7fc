"""The one port of a process: it outlives daemons that a new configuration replaces."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rotator import events
from rotator.config.web import WebConfig
from rotator.errors import Misconfigured, RotatorError
from rotator.show.logs import emit, heard_by
from rotator.web.door import Door
from rotator.web.gauges import Gauges
from rotator.web.meter import Meter
from rotator.web.seen import Seen
from rotator.web.server import Server, context_of
from rotator.web.site import Site

AGAIN_SECONDS = 15.0
"""When a port that could not be had is tried again."""


class Port:
    """Serves health, metrics and the status page as the configuration says. Its methods are for one thread.

    Whatever fails here keeps no credential from being served: it is told, and tried again.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """``steady``: a clock that nobody sets, in seconds."""
        self._steady = steady
        self._meter = Meter()
        self._site = Site(self._meter.registry, steady)
        self._meter.registry.register(Gauges(self._site.present))
        self._config = WebConfig(listen=False)
        self._server: Server | None = None
        self._told = ""
        self._not_before = 0.0
        self._listening = ExitStack()

    def __enter__(self) -> Self:
        self._listening.enter_context(heard_by(self._meter.heard))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop()
        self._listening.close()

    def show(self, look: Callable[[], Seen], alive: Callable[[], bool]) -> None:
        """Let this be seen from now on.

        Args:
            look: returns what there is to be seen, from memory.
            alive: tells whether the daemon moves; waits for nobody.
        """
        self._site.look, self._site.alive = look, alive

    def serve(self, config: WebConfig) -> None:
        """Serve as a configuration says from now on; token and certificate are read anew."""
        stays = self._server is not None and _place(config) == _place(self._config)
        self._config = config
        if not stays:
            self._stop()
        self._not_before = 0.0
        self.keep(anew=True)

    def keep(self, *, anew: bool = False) -> None:
        """See that it serves. To be called often; ``anew``: as it is configured by now."""
        runs = self._server is not None and self._server.serves
        if self._config.address is None or (runs and not anew) or self._steady() < self._not_before:
            return
        try:
            self._begin()
        except OSError as error:
            self._failed(_unusable(error))
        except RotatorError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - no look at credentials may end their service
            self._failed(_unforeseen(error), error)
        else:
            self._told = ""

    def _begin(self) -> None:
        tls = self._config.tls
        files = None if tls is None else (tls.certificate, tls.key)
        self._site.door = Door.of(self._config)
        if self._server is not None and self._server.serves:
            if files is not None:
                self._server.renew(files)
            return
        self._stop()
        address = self._config.address
        if address is not None:
            server = Server(address, self._site, files)
            server.start()
            self._server = server
            emit(events.WEB_LISTENING, url=server.url)

    def _failed(self, error: RotatorError, cause: Exception | None = None) -> None:
        """``cause``: what nobody foresaw."""
        self._not_before = self._steady() + AGAIN_SECONDS
        if error.message != self._told:
            emit(
                events.WEB_FAILED,
                listen=str(self._config.listen),
                error=error.message,
                hint=error.hint,
                **({} if cause is None else {"exc_info": cause}),
            )
        self._told = error.message

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.stop()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(_unforeseen(error), error)


def examine(config: WebConfig) -> None:
    """Try the token and the certificate of the port, if there is one. Raises Misconfigured."""
    if config.address is None:
        return
    Door.of(config)
    if config.tls is not None:
        try:
            context_of((config.tls.certificate, config.tls.key))
        except OSError as error:
            raise _unusable(error) from None


def _unusable(error: OSError) -> Misconfigured:
    return Misconfigured(
        f"the port cannot be served: {error}",
        code="web.unusable",
        hint="Is the port free? Can the files of web.tls be read, and do they belong together?",
    )


def _unforeseen(error: Exception) -> Misconfigured:
    return Misconfigured(
        f"the port cannot be served: {type(error).__name__}, which nobody foresaw",
        code="web.unusable",
        hint="Has the machine threads and memory left? If so, report this line with its traceback.",
    )


def _place(config: WebConfig) -> tuple[object, bool]:
    """Return what a server must begin anew for."""
    return config.listen, config.tls is not None
