"""The one port of a process: it outlives daemons that a new configuration replaces."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from rotator import events
from rotator.config.web import WebConfig, WebTls
from rotator.errors import Misconfigured, RotatorError
from rotator.performer.tell import iso
from rotator.show.logs import emit, heard_by
from rotator.web.door import Door
from rotator.web.meter import Meter
from rotator.web.seen import Seen
from rotator.web.server import Server
from rotator.web.site import Site
from rotator.web.tls import FileState, Shown, states_of

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
        self._site = Site(self._meter.registry, self._shown_until, steady)
        self._config = WebConfig(listen=False)
        self._door_is_old = True
        self._server: Server | None = None
        self._told = ""
        self._not_before = 0.0
        self._files: tuple[FileState, ...] = ()
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
        self._not_before, self._door_is_old = 0.0, True
        self.keep(at_once=True)

    def keep(self, *, at_once: bool = False) -> None:
        """See that it serves, opens to the token of the configuration, and shows the certificate that is in its files.

        To be called often; ``at_once``: whoever wrote the files has written all of them.
        """
        if self._config.address is None or self._steady() < self._not_before:
            return
        if self._server is None or not self._server.serves:
            self._try(self._begin, events.WEB_FAILED)
            return
        if self._door_is_old:
            self._try(self._change_door, events.WEB_FAILED)
        if not self._door_is_old and self._config.tls is not None:
            self._follow_files(self._server, self._config.tls, at_once=at_once)

    def _try(self, what: Callable[[], None], failure: events.Event) -> None:
        try:
            what()
        except OSError as error:
            self._failed(failure, _unusable(error))
        except RotatorError as error:
            self._failed(failure, error)
        except Exception as error:  # noqa: BLE001 - no look at credentials may end their service
            self._failed(failure, _unforeseen(error), error)
        else:
            self._told = ""

    def _begin(self) -> None:
        tls, address = self._config.tls, self._config.address
        self._change_door()
        shown = None if tls is None else Shown.read(tls)
        self._stop()
        if address is not None:
            server = Server(address, self._site, shown)
            server.start()
            self._server = server
            emit(events.WEB_LISTENING, url=server.url)

    def _change_door(self) -> None:
        self._site.door = Door.of(self._config)
        self._door_is_old = False

    def _shown_until(self) -> datetime | None:
        server = self._server
        return server.shown.ends if server is not None and server.shown is not None else None

    def _follow_files(self, server: Server, tls: WebTls, *, at_once: bool) -> None:
        """Show what is in the files, unless that is what is shown, or it came just now.

        Whoever renews a certificate writes two files, one after the other; ``at_once``: both are written.
        """
        before, self._files = self._files, states_of(tls)
        if server.shown is None or self._files == server.shown.states:
            self._told = ""
        elif at_once or self._files == before:
            self._try(lambda: self._show(server, Shown.read(tls)), events.WEB_CERTIFICATE_KEPT)

    def _show(self, server: Server, shown: Shown) -> None:
        """Let whoever connects from now on be shown this; those who are connected notice nothing."""
        server.show(shown)
        emit(events.WEB_CERTIFICATE_RENEWED, not_after=None if shown.ends is None else iso(shown.ends))

    def _failed(self, event: events.Event, error: RotatorError, cause: Exception | None = None) -> None:
        """Tell it, unless it was told, and try again later. ``cause``: what nobody foresaw."""
        self._not_before = self._steady() + AGAIN_SECONDS
        if error.message != self._told:
            emit(
                event,
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
            self._failed(events.WEB_FAILED, _unforeseen(error), error)


def examine(config: WebConfig) -> None:
    """Try the token and the certificate of the port, if there is one. Raises Misconfigured."""
    if config.address is None:
        return
    Door.of(config)
    if config.tls is not None:
        Shown.read(config.tls)


def _unusable(error: OSError) -> Misconfigured:
    return Misconfigured(
        f"the port cannot be served: {error}",
        code="web.unusable",
        hint="Is the port free, and is the address one of this machine?",
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
