"""cheroot, within bounds: so many threads, so much of a request, so long for each."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication

from cheroot.makefile import MakeFile
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.ssl import Adapter
from cheroot.wsgi import Server as WsgiServer

from rotator.web.pool import Pool
from rotator.web.tls import Shown

THREADS = 6
MOST_WAITING = 64
MOST_HEADER_BYTES = 16 << 10
MOST_BODY_BYTES = 1 << 10  # nobody needs to send one
ASK_SECONDS = 10
"""How long a client may take to say what it wants, its TLS handshake included."""
TAKE_SECONDS = 30
"""How long a client may take to ask and to take its answer."""
STOP_SECONDS = 1
"""How long whoever is being served may still take when the server stops."""
PAUSE_SECONDS = 0.5
"""Between tries to accept a connection while no descriptor is left."""
_NONE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger(__name__)


class Server:
    """Serves an application on a host and a port. Raises OSError or RuntimeError when it cannot, by :meth:`start`."""

    def __init__(self, address: tuple[str, int], app: WSGIApplication, shown: Shown | None = None) -> None:
        """``shown``: the certificate; None: plain HTTP."""
        self._server = _Bounded(address, app)
        self._tls = None if shown is None else _Tls(shown)
        if self._tls is not None:
            self._server.ssl_adapter = self._tls
        self._thread = threading.Thread(target=self._server.serve, name="web", daemon=True)

    def start(self) -> None:
        self._server.prepare()
        try:
            self._thread.start()
        except RuntimeError:
            self.stop()
            raise

    def show(self, shown: Shown) -> None:
        """Show this certificate to whoever connects from now on."""
        if self._tls is not None:
            self._tls.shown = shown

    @property
    def shown(self) -> Shown | None:
        """The certificate that is shown; None: plain HTTP."""
        return None if self._tls is None else self._tls.shown

    @property
    def url(self) -> str:
        """Return where it serves."""
        scheme = "http" if self._tls is None else "https"
        host, port = self._server.bind_addr[:2]
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    @property
    def serves(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Serve nobody any more. Takes some seconds at most, whatever clients do."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)


class _Bounded(WsgiServer):
    keep_alive_conn_limit = 32
    max_request_header_size = MOST_HEADER_BYTES
    max_request_body_size = MOST_BODY_BYTES
    expiration_interval = 0.1  # `stop` waits for the loop to come round

    def __init__(self, address: tuple[str, int], app: WSGIApplication) -> None:
        super().__init__(
            address,
            app,
            server_name="rotator",
            request_queue_size=MOST_WAITING,
            timeout=ASK_SECONDS,
            shutdown_timeout=STOP_SECONDS,
        )
        self.requests = Pool(self, THREADS, MOST_WAITING)
        self.ConnectionClass = _Connection

    def error_log(self, msg: str = "", level: int = logging.DEBUG, traceback: bool = False) -> None:  # noqa: ARG002 - see below
        """Tell what clients do wrong to nobody but who debugs, however bad cheroot finds it."""
        _log.debug("%s", msg, exc_info=traceback)

    def prepare(self) -> None:
        """As cheroot's, which leaves all open when no thread can be started."""
        try:
            super().prepare()
        except RuntimeError:
            self.socket.close()
            self.requests.stop(STOP_SECONDS)
            raise

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> _Listener:
        """As cheroot's, which leaves the socket open when the port is taken."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return _Listener(socket_)


class _Listener:
    """A socket that listens, and is not asked again at once where the next connection cannot be had."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def accept(self) -> tuple[socket.socket, Any]:
        try:
            return self._sock.accept()
        except OSError as error:
            if error.errno in _NONE_LEFT:
                time.sleep(PAUSE_SECONDS)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Headers(HeaderReader):
    """cheroot's, which stumbles where the first line of all continues a header (RFC 9112 section 5.2): nothing to continue."""

    def __call__(self, rfile: Any, hdict: Any = None) -> Any:
        try:
            return super().__call__(rfile, hdict)
        except UnboundLocalError:
            raise ValueError("No header goes before this line.") from None


class _Request(HTTPRequest):
    header_reader = _Headers()


class _Connection(HTTPConnection):
    """One that takes no longer than it may. A time limit for each read alone lets a client drip for hours."""

    RequestHandlerClass = _Request

    def __init__(self, server: Any, sock: Any, makefile: Any = MakeFile) -> None:
        self._wire = _Wire(sock)
        super().__init__(server, self._wire, makefile)

    def communicate(self) -> bool:
        self._wire.begin()
        return self._wire.greet() and bool(super().communicate())  # type: ignore[no-untyped-call]  # cheroot's stub

    def cut(self) -> None:
        """End it while another thread serves it."""
        self._wire.cut()


class _Wire:
    """A socket whose time runs out."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._began = time.monotonic()
        self._greeted = not isinstance(sock, ssl.SSLSocket)

    def begin(self) -> None:
        """Let the time for one request begin."""
        self._began = time.monotonic()

    def greet(self) -> bool:
        """Do what TLS needs before the first request, and return whether it succeeded."""
        if not self._greeted:
            try:
                self._limit(ASK_SECONDS)
                self._sock.do_handshake()
            except OSError:
                return False
            self._greeted = True
        return True

    def cut(self) -> None:
        """Wake whoever waits for the other side. Not by the shutdown of TLS, which whoever reads would stumble over."""
        with suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def recv_into(self, buffer: Any) -> int:
        self._limit(ASK_SECONDS)
        return int(self._sock.recv_into(buffer))

    def send(self, data: bytes) -> int:
        self._limit(TAKE_SECONDS)
        return int(self._sock.send(data))

    def _limit(self, seconds: float) -> None:
        left = self._began + seconds - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Tls(Adapter):
    """TLS whose handshake is left to the thread that serves the connection: one that hangs keeps nobody else waiting."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown

    def bind(self, sock: socket.socket) -> socket.socket:
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        return self.shown.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {}

    def get_environ(self) -> dict[str, Any]:
        return {}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return MakeFile(sock, mode, bufsize)
